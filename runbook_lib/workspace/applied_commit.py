"""The commit whose plan was applied last, by what GitLab says was deployed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..adapters.git import find_commit, is_ancestor, read_file, versions
from ..adapters.yaml_file import load_model
from ..errors import ConfigError
from ..models.config import RunbookConfig
from ..models.run import Run
from ..repository import CONFIG_NAME
from ..settings import Settings
from .clients import gitlab_client

__all__ = ["applied_commit", "applied_elsewhere", "environment_of"]

# So many versions of runbook.yml are asked for the names that it had.
_VERSIONS = 100


def environment_of(settings: Settings, stack: str) -> str:
    """The name of the environment that the apply job of this stack deploys to."""
    return _environment(settings.config, stack)


def applied_commit(settings: Settings, run: Run) -> str:
    """The commit last applied for the run's stack, empty where there is none or no token to ask by; GitLabError.

    Only what the apply job did on the default branch counts: any Developer may report a deployment that never was, or
    make one from a branch of his own. Where nothing was applied by the names that runbook.yml has now, those count that
    it had before: a change that gives other ones is not the first for that.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        return ""
    branch = gitlab.default_branch()
    for environment, job in _names(settings, run.stack):
        found = gitlab.last_deployment(environment, job, branch)
        if found:
            return found.sha
    return ""


def applied_elsewhere(settings: Settings, run: Run) -> str:
    """The commit before this one that was applied last for another stack, as `applied_commit` tells of one's own.

    By the job that runbook.yml named first, of those that deployed at all: a change may name one that runs by itself.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        return ""
    branch, root = gitlab.default_branch(), settings.root
    jobs, head = dict.fromkeys(reversed([job for _, job in _names(settings, run.stack)])), find_commit(root, "HEAD")
    for job in jobs:
        dated = sorted(((one.at, one.sha) for one in gitlab.deployed_by(job, branch) if one.at), reverse=True)
        here = (sha for _, sha in dated if sha != head and find_commit(root, sha) == sha)
        found = next((sha for sha in here if is_ancestor(root, sha, head)), "")
        if found:
            return found
    return ""


def _names(settings: Settings, stack: str) -> Iterator[tuple[str, str]]:
    """The stack's environment and the job that applies, as runbook.yml names them and did before, the newest first."""
    seen = {(environment_of(settings, stack), settings.config.approval.job): None}
    yield from seen
    own = settings.config.stacks.get(stack)
    for older in _older(settings.root):
        called = [stack, *(name for name, one in older.stacks.items() if own and _same(one, own))]
        for names in ((_environment(older, name), older.approval.job) for name in called):
            if names not in seen:
                seen[names] = None
                yield names


def _older(root: Path) -> Iterator[RunbookConfig]:
    """runbook.yml as it was before, the newest first; a version that can't be read names nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CONFIG_NAME
        for commit in versions(root, CONFIG_NAME, _VERSIONS):
            path.write_bytes(read_file(root, CONFIG_NAME, commit) or b"")
            try:
                yield load_model(path, RunbookConfig)
            except ConfigError:
                continue


def _same(one: object, other: object) -> bool:
    """Whether two stacks are one by another name: they lie in one folder, or have one state."""
    return any((value := getattr(one, name)) and value == getattr(other, name) for name in ("path", "state"))


def _environment(config: RunbookConfig, stack: str) -> str:
    return config.gitlab.environment.replace("{stack}", stack)
