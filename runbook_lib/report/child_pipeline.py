"""GitLab's child pipeline for several stacks: a job each, which starts the stack's own pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..models.stacks import TouchedStack

__all__ = ["MOST_NEEDS", "child_pipeline"]

# GitLab's limit of what one job may name; it then waits for all stages before its own.
MOST_NEEDS = 50
# A name goes into a shell's line and GitLab's own expansions.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def child_pipeline(
    stacks: Sequence[TouchedStack],
    include: str,
    strategy: str,
    variables: Mapping[str, Mapping[str, str]] | None = None,
    gone: Sequence[str] = (),
) -> dict[str, Any]:
    """The pipeline as the data of its YAML. Stacks that wait for nothing run side by side.

    `include` is the component `change` at a version, or a file of the repository (`.yml`); `strategy` is GitLab's, and
    without one nothing waits for the stacks' pipelines. `variables` are what a stack's own is given besides.
    `gone` are stacks that there are no more: a job warns of them, which stops nothing.
    """
    first = {"stage": "round 1"} if stacks else {}
    warning = {"gone": {**first, **_gone(gone)}} if gone else {}
    if not stacks:
        nothing = {"variables": {"GIT_STRATEGY": "none"}, "script": ["echo 'No stack is touched.'"]}
        return {"no stack is touched": nothing} | warning
    pipeline: dict[str, Any] = {"stages": [f"round {number}" for number in range(1, stacks[-1].round + 1)]}
    return (
        pipeline
        | warning
        | {
            _job(stack.name): _trigger(stack, include, strategy, (variables or {}).get(stack.name, {}))
            for stack in stacks
        }
    )


def _gone(stacks: Sequence[str]) -> dict[str, Any]:
    # The names, which any commit may have made up, are not in the shell's line; GitLab takes $$ for $.
    named = ", ".join(stacks).replace("$", "$$")
    told = (
        'echo "No stack of runbook.yml any more: $GONE. What it made stands as it did, unless another has its state."'
    )
    return {
        "variables": {"GIT_STRATEGY": "none", "GONE": named},
        "script": [told, "exit 1"],
        "needs": [],
        "allow_failure": True,
    }


def _job(stack: str) -> str:
    # Never one of GitLab's keywords, nor hidden by a dot.
    if not _NAME.fullmatch(stack):
        raise ConfigError(
            f"the stack {stack!r} can't have a job of GitLab's",
            "Give it a name of letters, digits, dots, slashes, hyphens and underscores.",
        )
    return f"stack {stack}"


def _trigger(stack: TouchedStack, include: str, strategy: str, variables: Mapping[str, str]) -> dict[str, Any]:
    kind = "local" if include.endswith((".yml", ".yaml")) else "component"
    job: dict[str, Any] = {
        "stage": f"round {stack.round}",
        "variables": {"RUNBOOK_STACK": stack.name, **variables},
        "trigger": {
            "include": [{kind: include, "inputs": {"stack": stack.name}}],
            **({"strategy": strategy} if strategy else {}),
            "forward": {"pipeline_variables": True},
        },
    }
    if len(stack.after) <= MOST_NEEDS:
        job["needs"] = [_job(name) for name in stack.after]
    return job
