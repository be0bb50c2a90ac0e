"""`runbook check --explain`: what one policy means."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator

from ..adapters.policies import load_policies
from ..errors import UsageError
from ..models.policies import Policy
from ..workspace.policy_gate import PolicyFiles

__all__ = ["explain_policy"]


_DONE = {"update": " when it is changed", "delete": " when it is destroyed", "replace": " when it is replaced",
         "forget": " when it is forgotten"}  # fmt: skip
_DOES = {"block": "blocks the run", "approve": "is shown to the approver", "warn": "warns"}


def explain_policy(files: PolicyFiles, name: str) -> str:
    """The policy in words, with its examples and controls; UsageError if there is none of that name."""
    policies = load_policies(files.policies)
    found = next((policy for policy in policies if policy.id == name), None)
    if found is None:
        close = difflib.get_close_matches(name, [policy.id for policy in policies], n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(policy.id for policy in policies)}."
        raise UsageError(f"there is no policy {name!r}", hint)
    return "\n".join(_lines(found, files)) + "\n"


def _lines(policy: Policy, files: PolicyFiles) -> Iterator[str]:
    severity = files.config.severities.get(policy.id, policy.severity)
    action = files.config.actions.get(policy.id, policy.action)
    yield f"{policy.id}: {policy.title}"
    yield f"Severity {severity}. Failed, it {_DOES[action]}; unknown, it {_DOES[policy.on_unknown]}."
    if policy.optional and policy.id not in files.config.enable:
        yield "It judges nothing here until compliance.enable in runbook.yml names it."
    if policy.description:
        yield ""
        yield from textwrap.wrap(policy.description.strip(), 110)
    yield ""
    yield "It objects to:"
    yield from _matched(policy)
    yield ""
    yield from textwrap.wrap(f"What to do: {policy.remedy}", 110)
    if policy.examples:
        done = _DONE.get(policy.examples.action, "")
        yield f"\nOffending{done}:\n"
        yield textwrap.indent(policy.examples.bad.rstrip(), "    ")
        yield f"\nGood{done}:\n"
        yield textwrap.indent(policy.examples.good.rstrip(), "    ")
    if policy.controls:
        yield "\nControls:"
        yield from (f"  {control.framework} {control.version}: {control.id}" for control in policy.controls)


def _matched(policy: Policy) -> Iterator[str]:
    if policy.resource is not None:
        yield f"  {', '.join(policy.resource.types)} for which this is true:"
        yield textwrap.indent(policy.resource.when.strip(), "    ")
        return
    subject = policy.rule or policy.prefix_list or policy.quota
    if subject is not None:
        conditions = subject.model_dump(mode="json", exclude_none=True)
        yield from (f"  {name}: {_shown(value)}" for name, value in conditions.items())


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(_shown(part) for part in value)
    return "yes" if value is True else "no" if value is False else str(value)
