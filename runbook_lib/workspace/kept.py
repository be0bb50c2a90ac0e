"""What is kept with the evidence beside a step's own files: by what it was governed, and who vouched for what."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..adapters.git import tree_id
from ..adapters.heard import listening
from ..adapters.store import sha256_file
from ..domain.redaction import MASK
from ..domain.secret_names import names_secret
from .context import StepContext
from .policy_gate import PolicyFiles

__all__ = ["keep_answer", "keep_governing", "keeping_answers"]

GOVERNED, VOUCHED = "governed_by", "vouched"
LOCK_FILE = ".terraform.lock.hcl"


def keep_governing(context: StepContext) -> None:
    """Copy what this step was governed by into its folder: policies, waivers, runbook.yml, the providers' lock file.

    sources.json names the Git tree and the digest of each source notebook; what was executed is digested by the seal.
    """
    settings, root = context.settings, context.settings.root
    folder = context.store.path(context.file(GOVERNED))
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier attempt
    compliance = settings.config.compliance
    policies = PolicyFiles.of_repository(root, compliance).policies
    for path in sorted({*policies.glob("*.yml"), root / compliance.waivers, root / "runbook.yml"}):
        inside = path.is_relative_to(root)
        # The pack of this version stands under the name that it would have here.
        _copy(context, path, path.relative_to(root).as_posix() if inside else f"{policies.name}/{path.name}")
    # Without the leading dot, by which people overlook files.
    _copy(context, context.stack_dir / LOCK_FILE, LOCK_FILE.lstrip("."))
    notebooks = {step.name: root / settings.notebook(step) for step in context.run.steps}
    sources: dict[str, Any] = {
        "commit": context.run.commit,
        "tree": tree_id(root),
        "notebooks": {name: sha256_file(path) for name, path in notebooks.items() if path.is_file()},
    }
    context.store.write_json(context.file(f"{GOVERNED}/sources.json"), sources)


@contextmanager
def keeping_answers(context: StepContext, name: str) -> Iterator[None]:
    """Keep all that outside systems answer meanwhile, also when it ends in an error."""
    with listening() as answers:
        try:
            yield
        finally:
            if answers:
                keep_answer(context, name, answers)


def keep_answer(context: StepContext, name: str, answer: Any) -> str:
    """Keep the raw answer by which a system vouched for something, as it came (secrets masked); gives its path.

    Each step keeps those that it went by in its own folder, below vouched/: what another step left is sealed.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "answer"
    path = context.file(f"{VOUCHED}/{safe}.json")
    context.store.write_json(path, _without_secrets(answer))
    return path


def _without_secrets(answer: Any) -> Any:
    # GitLab tells a Maintainer the token with which runners sign on, among others.
    if isinstance(answer, list):
        return [_without_secrets(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {key: MASK if _secret(key, value) else _without_secrets(value) for key, value in answer.items()}


def _secret(key: Any, value: Any) -> bool:
    return isinstance(value, str) and names_secret(str(key))


def _copy(context: StepContext, source: Path, name: str) -> None:
    if source.is_file() and not source.is_symlink():
        # As they are: their digests can then be held to the repository's.
        context.store.write_bytes(context.file(f"{GOVERNED}/{name}"), source.read_bytes())
