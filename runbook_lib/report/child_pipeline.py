"""GitLab's child pipeline for several stacks: a job each, which starts the stack's own pipeline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from ..models.stacks import TouchedStack

__all__ = ["MOST_NEEDS", "child_pipeline"]

# GitLab's limit of what one job may name; it then waits for all stages before its own.
MOST_NEEDS = 50
# A name goes into a shell's line and GitLab's own expansions.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def child_pipeline(stacks: Sequence[TouchedStack], include: str, strategy: str) -> dict[str, Any]:
    """The pipeline as the data of its YAML. Stacks that wait for nothing run side by side.

    `include` is the component `change` at a version, or a file of the repository (`.yml`); `strategy` is GitLab's.
    """
    if not stacks:
        return {
            "no stack is touched": {"variables": {"GIT_STRATEGY": "none"}, "script": ["echo 'No stack is touched.'"]}
        }
    pipeline: dict[str, Any] = {"stages": [f"round {number}" for number in range(1, stacks[-1].round + 1)]}
    return pipeline | {_job(stack.name): _trigger(stack, include, strategy) for stack in stacks}


def _job(stack: str) -> str:
    # Never one of GitLab's keywords, nor hidden by a dot.
    if not _NAME.fullmatch(stack):
        raise ConfigError(
            f"the stack {stack!r} can't have a job of GitLab's",
            "Give it a name of letters, digits, dots, slashes, hyphens and underscores.",
        )
    return f"stack {stack}"


def _trigger(stack: TouchedStack, include: str, strategy: str) -> dict[str, Any]:
    kind = "local" if include.endswith((".yml", ".yaml")) else "component"
    job: dict[str, Any] = {
        "stage": f"round {stack.round}",
        "variables": {"RUNBOOK_STACK": stack.name},
        "trigger": {
            "include": [{kind: include, "inputs": {"stack": stack.name}}],
            "strategy": strategy,
            "forward": {"pipeline_variables": True},
        },
    }
    if len(stack.after) <= MOST_NEEDS:
        job["needs"] = [_job(name) for name in stack.after]
    return job
