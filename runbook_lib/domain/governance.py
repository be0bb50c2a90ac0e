"""Who judges a change: what stood before it beside what it brings itself, in sentences and in what counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from ..models.approval_config import ApprovalRule, SlackApprovals
from ..models.compliance import Policy, Waiver
from ..models.config import ApprovalConfig, RunbookConfig, StackConfig
from ..models.findings import Action, Severity

__all__ = [
    "Judges",
    "approval_before",
    "approval_in_force",
    "common_waivers",
    "describe_changes",
    "notebook_cells",
    "notebook_changes",
]

_SEVERITIES, _ACTIONS = list(Severity), list(Action)
# Said in words of their own.
_TOLD = {"approvers", "quorum", "severities", "actions"}
_LONGEST = 120


@dataclass(frozen=True)
class Judges:
    """What decides on a change: runbook.yml, policies and waivers; `files` are digests of others by path."""

    config: RunbookConfig
    policies: tuple[Policy, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def approval_before(before: RunbookConfig, now: RunbookConfig, stack: str) -> ApprovalConfig:
    """Who could approve changes of a stack, also under another name: what has its state, or lay in its place.

    Of several names all count.
    """
    own = now.stacks[stack]
    called = [stack] if stack in before.stacks else [name for name, one in before.stacks.items() if _is_same(one, own)]
    first, *others = [before.approval_of(name) for name in called] or [before.approval]
    return reduce(approval_in_force, others, first)


def approval_in_force(before: ApprovalConfig, now: ApprovalConfig) -> ApprovalConfig:
    """Who may approve a change that may change who may.

    Only who was named before it. Whoever it removes does not count either, unless too few would be left. Of quorum and
    expiry the stricter counts, and of the rules what both ask for: one that asks for nobody must stand in both.
    """
    known = {_login(name) for name in now.approvers}
    kept = tuple(name for name in before.approvers if _login(name) in known)
    approvers = kept if len(kept) >= max(before.quorum, _most_needed(before, "")) else before.approvers
    quorum = min(max(before.quorum, now.quorum), max(len(approvers), before.quorum))
    given: dict[str, Any] = {
        "approvers": approvers,
        "quorum": quorum,
        "expires_after": min(before.expires_after, now.expires_after),
        "change_windows": before.change_windows or now.change_windows,
        "groups": _groups(before, now),
        "rules": _rules(before, now),
        "slack": _slack(before, now),
        # A no is heard under this name as well as under the one that it has now.
        "reject_job": before.reject_job,
        "break_glass": tuple(name for name in before.break_glass if _login(name) in map(_login, now.break_glass)),
    }
    # What is allowed has to be so in both; what neither says is left open.
    for name, value in now:
        was = getattr(before, name)
        if isinstance(value, bool) or isinstance(was, bool):
            given[name] = False if False in {value, was} else None if None in {value, was} else True
    return now.model_copy(update=given)


def _groups(before: ApprovalConfig, now: ApprovalConfig) -> dict[str, tuple[str, ...]]:
    """Each group as it was, without whom the change takes out of it while somebody stays; and those that are new."""
    found = dict(now.groups)
    for name, members in before.groups.items():
        kept = tuple(one for one in members if _login(one) in map(_login, now.groups.get(name, ())))
        found[name] = kept if len(kept) >= _most_needed(before, name) else members
    return found


def _slack(before: ApprovalConfig, now: ApprovalConfig) -> SlackApprovals | None:
    """Who both say is who, by the key that stood before."""
    if before.slack is None or now.slack is None:
        return None
    same = {user: login for user, login in before.slack.users.items() if now.slack.users.get(user) == login}
    return before.slack.model_copy(update={"users": same})


def _most_needed(config: ApprovalConfig, group: str) -> int:
    return max((rule.needs for rule in config.rules if rule.group == group), default=1)


def _rules(before: ApprovalConfig, now: ApprovalConfig) -> tuple[ApprovalRule, ...]:
    kept = [rule for rule in before.rules if rule.needs or rule in now.rules]
    return (*kept, *(rule for rule in now.rules if rule.needs and rule not in before.rules))


def common_waivers(before: Iterable[Waiver], now: Iterable[Waiver]) -> tuple[Waiver, ...]:
    """The waivers that were there before the change and still are, each until the earlier of its two last days."""
    earlier: dict[tuple[str, str], Waiver] = {}
    for waiver in before:
        known = earlier.get(_key(waiver))
        if known is None or waiver.expires > known.expires:
            earlier[_key(waiver)] = waiver
    both = ((waiver, earlier[_key(waiver)]) for waiver in now if _key(waiver) in earlier)
    return tuple(one.model_copy(update={"expires": min(one.expires, other.expires)}) for one, other in both)


def describe_changes(before: Judges, now: Judges, stack: str) -> tuple[str, ...]:
    """What the change does to those who judge it, one sentence each."""
    told = (*_approval(before, now, stack), *_policies(before, now), *_waivers(before, now))
    return (*told, *_settings(before.config, now.config, stack), *_files(before.files, now.files))


def notebook_cells(notebook: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """What a notebook executes: the kernel's name, then each code cell's source and tags; no outputs, no prose."""
    metadata = notebook.get("metadata") or {}
    kernel = str((metadata.get("kernelspec") or {}).get("name") or "python3")
    cells = (cell for cell in notebook.get("cells") or () if cell.get("cell_type") == "code")
    return ((kernel,), *(_cell(cell) for cell in cells))


def notebook_changes(shipped: tuple[tuple[str, ...], ...], own: tuple[tuple[str, ...], ...]) -> str:
    """How two notebooks differ, in words; empty if they execute the same."""
    if shipped == own:
        return ""
    kernel = "" if shipped[0] == own[0] else f"the kernel is {own[0][0]}; "
    missing = sum(1 for cell in shipped[1:] if cell not in own[1:])
    added = sum(1 for cell in own[1:] if cell not in shipped[1:])
    return f"{kernel}of {len(shipped) - 1} code cells {missing} differ or are gone, {added} are its own"


def _cell(cell: Mapping[str, Any]) -> tuple[str, ...]:
    source = cell.get("source") or ""
    text = source if isinstance(source, str) else "".join(source)
    return text, *sorted(str(tag) for tag in (cell.get("metadata") or {}).get("tags") or ())


def _approval(before: Judges, now: Judges, stack: str) -> Iterator[str]:
    old, new = approval_before(before.config, now.config, stack), now.config.approval_of(stack)
    was, are = ({_login(name): name for name in config.approvers} for config in (old, new))
    for login in sorted(are.keys() - was.keys()):
        yield f"adds {are[login]} as approver, who does not count yet"
    for login in sorted(was.keys() - are.keys()):
        yield f"removes {was[login]} as approver"
    if old.quorum != new.quorum:
        word = "lowers" if new.quorum < old.quorum else "raises"
        yield f"{word} the approvals that are needed from {old.quorum} to {new.quorum}"


def _is_same(one: StackConfig, other: StackConfig) -> bool:
    if one.state and other.state:
        return one.state == other.state
    return (one.path, one.workspace) == (other.path, other.workspace)


def _policies(before: Judges, now: Judges) -> Iterator[str]:
    old, new = ({policy.id: policy for policy in judges.policies} for judges in (before, now))
    for name in sorted(old.keys() - new.keys()):
        yield f"removes the policy {name}, which judges this change all the same"
    for name in sorted(new.keys() - old.keys()):
        yield f"adds the policy {name}"
    for name in sorted(old.keys() & new.keys()):
        yield from _policy(name, (old[name], before.config), (new[name], now.config))


def _policy(name: str, old: tuple[Policy, RunbookConfig], new: tuple[Policy, RunbookConfig]) -> Iterator[str]:
    (policy, config), (policy_now, config_now) = old, new
    severity = config.compliance.severities.get(name, policy.severity)
    severity_now = config_now.compliance.severities.get(name, policy_now.severity)
    if severity is not severity_now:
        word = "lowers" if _SEVERITIES.index(severity_now) > _SEVERITIES.index(severity) else "raises"
        yield f"{word} the severity of {name} from {severity} to {severity_now}"
    action = config.compliance.actions.get(name, policy.action)
    action_now = config_now.compliance.actions.get(name, policy_now.action)
    if action is not action_now:
        weaker = _ACTIONS.index(action_now) > _ACTIONS.index(action)
        yield f"{'weakens' if weaker else 'strengthens'} {name}: {action_now} in place of {action}"
    told = {"severity", "action"}
    if policy.model_dump(exclude=told) != policy_now.model_dump(exclude=told):
        yield f"changes the policy {name}"


def _waivers(before: Judges, now: Judges) -> Iterator[str]:
    old, new = ({_key(waiver): waiver for waiver in judges.waivers} for judges in (before, now))
    for key in sorted(new.keys() - old.keys()):
        waiver = new[key]
        yield f"adds {_waiver(waiver)} by {waiver.owner}, until {waiver.expires}, which waives nothing yet"
    for key in sorted(old.keys() - new.keys()):
        yield f"removes {_waiver(old[key])}"
    for key in sorted(old.keys() & new.keys()):
        if old[key].expires != new[key].expires:
            word = "extends" if new[key].expires > old[key].expires else "shortens"
            yield f"{word} {_waiver(new[key])} from {old[key].expires} to {new[key].expires}"


def _waiver(waiver: Waiver) -> str:
    return f"a waiver of {waiver.policy} at {waiver.address}"


def _settings(before: RunbookConfig, now: RunbookConfig, stack: str) -> Iterator[str]:
    old, new = dict(_leaves(before.model_dump(mode="json"))), dict(_leaves(now.model_dump(mode="json")))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path) and not _is_told(path, stack):
            yield f"changes {'.'.join(path)} in runbook.yml from {_short(old.get(path))} to {_short(new.get(path))}"


def _is_told(path: tuple[str, ...], stack: str) -> bool:
    own = path[:1] == ("approval",) or path[:1] == ("compliance",) or path[:2] == ("stacks", stack)
    return own and bool(_TOLD & set(path))


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif value not in ({}, None):
        yield path, value


def _short(value: Any) -> str:
    text = "nothing" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            word = "adds" if name not in before else "removes" if name not in now else "changes"
            yield f"{word} {name}"


def _key(waiver: Waiver) -> tuple[str, str]:
    return waiver.policy, waiver.address


def _login(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
