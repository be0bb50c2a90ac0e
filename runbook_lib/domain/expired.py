"""What of a plan has expired since it was made, and what a run does that is to remove expired rules alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from ..models.expiry import EXPIRES, ends_at
from ..models.plan import Plan, ResourceChange
from ..models.rules import Rule
from ..wording import describe_rule, until
from .group_names import group_names
from .rules import TAGGED_TYPES, RuleChanges, rules_from_plan

__all__ = ["expired_openings", "said_of_ends", "temporary_rules"]

_OPENS: Final = {"create", "update"}
_TAGS: Final = ("tags", "tags_all")


def temporary_rules(plan: Plan) -> tuple[Rule, ...]:
    """The rules that a plan adds or alters and whose end is written in their tags, whatever it says."""
    return tuple(rule for rule in _of(plan, _OPENS).after if rule.expires is not None)


def said_of_ends(plan: Plan) -> tuple[str, ...]:
    """A sentence for each rule with an end that a plan adds or alters, and for each that it removes.

    One that is altered says when it ended before, where that was another time.
    """
    touched = _of(plan, _OPENS | {"delete"})
    if not (touched.before or touched.after):
        return ()
    names = group_names(plan)
    before = {rule.address: rule for rule in touched.before}
    standing = {rule.address for rule in touched.after}
    said = [f"{_named(rule, names)}{_earlier(rule, before)}" for rule in touched.after if rule.expires is not None]
    unended = (rule for rule in touched.after if rule.expires is None and rule.address in before)
    said += [f"{_named(rule, names)} without an end{_earlier(rule, before)}" for rule in unended]
    gone = (rule for rule in touched.before if rule.address not in standing)
    return tuple(dict.fromkeys([*said, *(f"removes {_named(rule, names)}" for rule in gone)]))


def _earlier(rule: Rule, before: Mapping[str, Rule]) -> str:
    old = before.get(rule.address)
    if old is None or old.expires == rule.expires:
        return ""
    return f", which stood {until(old.expires)}"


def _named(rule: Rule, names: Mapping[str, str]) -> str:
    what = describe_rule(rule.model_copy(update={"expires": None}))
    group = names.get(str(rule.group)) or str(rule.group)
    return f"{what} of {group} {until(rule.expires)}".rstrip()


def _may_end(change: ResourceChange) -> bool:
    held = [(values or {}).get(name) for values in (change.before, change.after) for name in _TAGS]
    held += [change.after_unknown.get(name) for name in _TAGS]
    return any(tags is True or (isinstance(tags, Mapping) and EXPIRES in tags) for tags in held)


def _of(plan: Plan, actions: set[str]) -> RuleChanges:
    """The rules with an end to whose resources one of these things is done; and those that have one no more."""
    touched = (change for change in plan.changes if change.type in TAGGED_TYPES and actions & set(change.actions))
    # Of ten thousand rules few have an end, and to read them all takes as long as to judge them.
    changed = tuple(change for change in touched if _may_end(change))
    if not changed:
        return RuleChanges()
    found = rules_from_plan(plan.model_copy(update={"changes": changed}))
    addresses = {change.address for change in changed}
    before = tuple(rule for rule in found.before if rule.address in addresses and rule.expires is not None)
    ended = {rule.address for rule in before}
    after = (rule for rule in found.after if rule.address in addresses)
    return RuleChanges(before, tuple(rule for rule in after if rule.expires is not None or rule.address in ended))


def expired_openings(plan: Plan, now: datetime) -> Iterator[str]:
    """A sentence for every rule that a plan would open though its end has come."""
    for rule in temporary_rules(plan):
        end = ends_at(rule.expires) if isinstance(rule.expires, str) else None
        if end is not None and end <= now:
            yield (
                f"{rule.address} expired at {end:%Y-%m-%d %H:%M} UTC and is opened no more ({describe_rule(rule)})."
                " Run the plan step again; if it is planned again, take it out of the files or give it a later end."
            )
