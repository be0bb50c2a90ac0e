"""What is signed of a run: an in-toto statement about every file, in the form of SLSA's provenance."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic import ValidationError

from runbook_lib.errors import EvidenceError
from runbook_lib.models.evidence import Manifest, SealedFiles
from runbook_lib.models.run import Run

from .evidence import covered

__all__ = ["check_statement", "manifest_bytes", "signed_manifest", "statement"]

# Source: github.com/in-toto/attestation (Statement v1) and slsa.dev/provenance/v1, whose extension fields bear a
# vendor's name.
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PROVENANCE: Final = "https://slsa.dev/provenance/v1"
_OF_V1: Final = "urn:runbook:manifest:v1"
_MANIFEST: Final = "runbook_manifest"


def statement(manifest: Manifest | SealedFiles, run: Run | None = None) -> bytes:
    """The bytes to sign, the same for the same manifest and run."""
    digests = covered(manifest)
    if isinstance(manifest, SealedFiles):
        kind, predicate = _OF_V1, manifest.model_dump(mode="json")
    else:
        kind, predicate = _PROVENANCE, _provenance(manifest, run)
        if manifest.page:
            digests[manifest.page.path] = manifest.page.sha256
    content = {
        "_type": _STATEMENT,
        "subject": [{"name": path, "digest": {"sha256": digests[path]}} for path in sorted(digests)],
        "predicateType": kind,
        "predicate": predicate,
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def _provenance(manifest: Manifest, run: Run | None) -> dict[str, Any]:
    digest = hashlib.sha256(manifest_bytes(manifest)).hexdigest()
    asked = {"runId": manifest.run_id}
    sources, where = [], ""
    if run:
        asked |= {"runbook": run.runbook, "stack": run.stack, "ref": run.ref, "requester": run.requester}
        where = run.pipeline_url.partition("/-/")[0]
        uri = f"git+{where}" if where else "git+file:repository"
        sources = [{"uri": uri, "digest": {"gitCommit": run.commit}}] if run.commit else []
    return {
        "buildDefinition": {
            "buildType": "urn:runbook:run:v2",
            "externalParameters": asked,
            "internalParameters": {"parameters": run.parameters if run else {}, "tools": run.tools if run else {}},
            "resolvedDependencies": sources,
        },
        "runDetails": {
            "builder": {"id": where or "urn:runbook:desk"},
            "metadata": {
                "invocationId": run.pipeline_url or run.run_id if run else manifest.run_id,
                "startedOn": (run.created_at if run else manifest.created_at).isoformat(),
                "finishedOn": manifest.created_at.isoformat(),
            },
            # Whoever has sha256sum and no Python holds the file to the signature by this.
            "byproducts": [{"name": "manifest.json", "digest": {"sha256": digest}, "mediaType": "application/json"}],
        },
        _MANIFEST: manifest.model_dump(mode="json"),
    }


def manifest_bytes(manifest: Manifest) -> bytes:
    """What manifest.json holds."""
    return (manifest.model_dump_json(indent=2) + "\n").encode()


def check_statement(payload: bytes, manifest: Manifest | SealedFiles, data: bytes) -> None:
    """EvidenceError if the signed statement is not about this very manifest, which is what `data` was read as."""
    if isinstance(manifest, SealedFiles):
        same = payload == statement(manifest)
    else:
        # The rest of the predicate is for other readers; what it says of the run stands in run.json, which is sealed.
        signed, sha256 = signed_manifest(payload)
        same = signed == manifest and sha256 == hashlib.sha256(data).hexdigest()
    if not same:
        raise EvidenceError("the signature is for another manifest")


def signed_manifest(payload: bytes) -> tuple[Manifest, str]:
    """The manifest that a statement is about, and the sha256 of its file; EvidenceError for another statement."""
    try:
        content = json.loads(payload)
        if content["_type"] != _STATEMENT or content["predicateType"] != _PROVENANCE:
            raise EvidenceError("the signature is for another kind of statement")
        signed = Manifest.model_validate(content["predicate"][_MANIFEST])
        sha256 = str(content["predicate"]["runDetails"]["byproducts"][0]["digest"]["sha256"])
        named = {subject["name"]: subject["digest"] for subject in content["subject"]}
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, ValidationError) as error:
        raise EvidenceError("the signature is for another kind of statement") from error
    wanted = covered(signed) | ({signed.page.path: signed.page.sha256} if signed.page else {})
    if named != {path: {"sha256": digest} for path, digest in wanted.items()}:
        raise EvidenceError("the signed statement names other files than its own manifest")
    return signed, sha256
