"""The key that a run's seals are signed with, read before anything is done, and the signatures that are there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..adapters.signing import public_key, sign_statement, signer_id, verify_envelope
from ..adapters.store import RunStore
from ..domain.evidence import goes_on
from ..domain.statement import check_statement, manifest_bytes, signed_manifest, statement
from ..errors import ConfigError, EvidenceError, InputError
from ..models.evidence import Manifest, SealedFiles
from ..models.run import Run
from ..settings import Settings
from .folder import ENVELOPE, MANIFEST, read_manifest

__all__ = ["Signer", "key_id", "signature_of", "trusted_key"]


@dataclass(frozen=True)
class Signer:
    """`key` is the private key (PEM text or a path), empty where a run is not signed; `id` is its public half's."""

    key: str = ""
    id: str = ""
    public: str = ""
    pinned: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Signer:
        """The key of this environment; ConfigError if it can't be read, or is none of those that runbook.yml pins."""
        key = settings.environment.signing_key.get_secret_value()
        pinned = settings.config.evidence.key
        if not key:
            return cls(pinned=pinned)
        made = cls(key, signer_id(key), public_key(key), pinned)
        if pinned and made.id != key_id(pinned, settings.root):
            raise ConfigError(
                f"RUNBOOK_SIGNING_KEY is the key {made.id[:16]}, and runbook.yml pins another one (evidence.key)",
                "Sign with the key that is pinned, or have the other one pinned.",
            )
        return made

    def problems(self, folder: Path, manifest: Manifest) -> tuple[str, ...]:
        """What is wrong with the signature of a folder that this run goes on with."""
        marked = {seal.key for seal in manifest.steps if seal.key}
        there = (folder / ENVELOPE).is_file()
        if not marked and not there and not (self.key and manifest.steps):
            return ()
        if there and not (folder / MANIFEST).is_file():
            return (f"{MANIFEST} is missing, and its signature is there",)
        if not there:
            return (f"the signature {ENVELOPE} is missing",)
        if not self.key:
            raise ConfigError(
                f"run {manifest.run_id} is signed, and there is no key here to sign what comes next",
                "Set RUNBOOK_SIGNING_KEY to the key of the run, or begin a new run.",
            )
        return signature_of(folder, manifest, self.key)[1]

    def recover(self, store: RunStore) -> bool:
        """Bring manifest.json to where its signature is, if a process was killed between the two; whether it was.

        The signature is written first, and the manifest is in it: one that this key signed, and that goes on from the
        one that is here by not more than a seal.
        """
        try:
            here = read_manifest(store.dir)
            if not self.key or not isinstance(here, Manifest) or not (store.dir / ENVELOPE).is_file():
                return False
            signed, sha256 = signed_manifest(verify_envelope((store.dir / ENVELOPE).read_bytes(), self.key)[0])
        except (InputError, EvidenceError, OSError):
            return False  # whoever goes on is told
        data = manifest_bytes(signed)
        ahead = signed != here and goes_on(signed, here) and len(signed.seals) <= len(here.seals) + 1
        if not ahead or hashlib.sha256(data).hexdigest() != sha256:
            return False
        store.write_bytes(MANIFEST, data)
        return True

    def marked(self, manifest: Manifest) -> Manifest:
        """The manifest saying which key signs it, for every seal that no key has signed yet."""
        if not self.key:
            return manifest
        steps = tuple(seal if seal.key else seal.model_copy(update={"key": self.id}) for seal in manifest.steps)
        return manifest.model_copy(update={"steps": steps, "keys": manifest.keys | {self.id: self.public}})

    def envelope(self, manifest: Manifest, store: RunStore) -> bytes:
        """The signed statement about the manifest; empty without a key."""
        if not self.key:
            return b""
        try:
            run = store.read_model("run.json", Run)
        except InputError:
            run = None
        return sign_statement(statement(manifest, run), self.key)


def signature_of(folder: Path, manifest: Manifest | SealedFiles, key: str) -> tuple[str, tuple[str, ...]]:
    """The id of the key that signed (without a key to check with: that it claims), and what is wrong with it."""
    envelope = folder / ENVELOPE
    if not envelope.is_file():
        return "", ("there is no signature",) if key else ()
    try:
        payload, signer = verify_envelope(envelope.read_bytes(), key)
        data = (folder / MANIFEST).read_bytes()
    except EvidenceError as error:
        return "", (error.message,)
    try:
        check_statement(payload, manifest, data)
    except EvidenceError as error:
        return signer, (error.message,)
    return signer, ()


def key_id(key: str, root: Path) -> str:
    """The id that a pinned key stands for: given as id, as PEM text, or as the path of a PEM file in the repository."""
    text = key.strip().removeprefix("sha256:").lower()
    if len(text) == _ID_LENGTH and not set(text) - set("0123456789abcdef"):
        return text
    return signer_id(key if "-----BEGIN" in key else str(root / key))


def trusted_key(pinned: str, root: Path, manifest: Manifest | SealedFiles) -> str:
    """The public key (PEM text or path) to check with, of one that is pinned in runbook.yml.

    An id alone is looked up among the keys that the manifest carries: a key is what its id says, wherever it lies.
    """
    wanted = key_id(pinned, root)
    carried = manifest.keys if isinstance(manifest, Manifest) else {}
    if "-----BEGIN" in pinned or wanted not in pinned.lower():
        return pinned if "-----BEGIN" in pinned else str(root / pinned)
    for text in carried.values():
        try:
            if signer_id(text) == wanted:
                return text
        except ConfigError:
            continue
    raise EvidenceError(f"it is not signed with the key {wanted[:16]}, which runbook.yml pins")


_ID_LENGTH = 64
