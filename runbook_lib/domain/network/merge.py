"""What a plan does to the network that AWS describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from runbook_lib.models.base import Model
from runbook_lib.models.network import Interface, Network, NetworkAcl, Networks, RouteTable, Subnet
from runbook_lib.models.rules import Rule, SourceKind

from ..matching import identity

__all__ = ["with_live"]

_Thing = TypeVar("_Thing", bound=Model)
# What a plan and AWS both say, so that AWS's word on it is the one that counts.
_LISTS: Final = ("vpcs", "subnets", "tables", "acls")


def with_live(planned: Networks, live: Network) -> Networks:
    """The network as AWS has it, and the same with all that the plan changes.

    Of what AWS has, only those values change that the plan changes; what another stack has is there in both.
    """
    before, after, described = planned.before, planned.after, _named(live, planned.before)
    changed = {name: _changed(getattr(described, name), getattr(before, name), getattr(after, name)) for name in _LISTS}
    changed["tables"] = _one_main(changed["tables"], before.tables, after.tables)
    interfaces = _changed(described.interfaces, before.interfaces, after.interfaces)
    new = after.peopled - described.peopled
    later = described.model_copy(
        update={
            **changed,
            "interfaces": _within(interfaces, changed["subnets"]),
            "rules": _rules(described.rules, before.rules, after.rules),
            "ruled": described.ruled | new | after.ruled,
            "peopled": described.peopled | new,
        }
    )
    # What the plan will make exists not yet, so before it nobody carries it either.
    earlier = described.model_copy(
        update={"ruled": described.ruled | new | before.ruled, "peopled": described.peopled | new}
    )
    return Networks(before=earlier, after=later)


def _named(live: Network, planned: Network) -> Network:
    """The live network with the names that the plan knows, and what AWS tells apart in one piece."""
    by_id = {each.id: each for each in planned.interfaces}
    by_owner = {each.owner: each for each in planned.interfaces if each.owner}
    found = []
    for each in live.interfaces:
        known = by_id.get(each.id) or by_owner.get(each.owner) or _alike(each, planned.interfaces)
        # An interface of a balancer, or of a database, goes by the plan's name and key, of which it is one of several.
        found.append(each.model_copy(update={"name": known.name or each.name}) if known else each)
    return live.model_copy(update={"interfaces": tuple(found)})


def _alike(live: Interface, planned: Iterable[Interface]) -> Interface | None:
    """A database's interface does not say which one it is of: the one of its kind that has its groups is."""
    of_kind = [p for p in planned if p.kind == live.kind == "database" and set(p.groups) == set(live.groups)]
    return of_kind[0] if len(of_kind) == 1 else None


def _changed(live: tuple[Any, ...], before: tuple[Any, ...], after: tuple[Any, ...]) -> tuple[Any, ...]:
    was, will = {each.id: each for each in before}, {each.id: each for each in after}
    found: list[Any] = []
    seen: set[str] = set()
    match = _matcher(before)
    for each in live:
        key = match(each)
        old, new = _whole(was.get(key), will.get(key))
        seen.add(key)
        if old is not None and new is None:
            continue
        found.append(_patched(each, old, new) if old is not None and new is not None else each)
    found += [each for key, each in will.items() if key not in seen and was.get(key) != each]
    return tuple(found)


def _one_main(
    tables: tuple[RouteTable, ...], before: tuple[RouteTable, ...], after: tuple[RouteTable, ...]
) -> tuple[RouteTable, ...]:
    """What the plan makes a VPC's main table takes the place of the one that AWS has.

    Of whatever VPC where nobody knows of which: then each has its own, or this one.
    """
    new = {each.id for each in after if each.main} - {each.id for each in before if each.main}
    vpcs = {each.vpc for each in tables if each.id in new}

    def now(each: RouteTable) -> RouteTable:
        if each.id in new or not each.main:
            return each
        return each.model_copy(update={"main": each.vpc not in vpcs, "unsure": each.unsure or "" in vpcs})

    return tuple(map(now, tables))


def _whole(old: Any, new: Any) -> tuple[Any, Any]:
    """Both sides of another stack's thing, of which the plan knows no more than what it adds or takes away."""
    known = old if old is not None else new
    if isinstance(known, Subnet) and not known.vpc and old is not None and new is not None:
        # What AWS says of the rest is certain.
        return old.model_copy(update={"unsure": frozenset()}), new.model_copy(update={"unsure": frozenset()})
    if isinstance(known, RouteTable | NetworkAcl) and known.unsure:
        none = known.model_copy(
            update={"routes": (), "main": False} if isinstance(known, RouteTable) else {"entries": ()}
        )
        return (none if old is None else old), (none if new is None else new)
    return old, new


def _matcher(planned: Iterable[Any]) -> Callable[[Any], str]:
    """By which id the plan knows what AWS has: its own, its owner's, or that of the only one alike."""
    known = list(planned)
    ids = {each.id for each in known}
    owners = {each.owner: each.id for each in known if isinstance(each, Interface) and each.owner}

    def match(each: Any) -> str:
        if each.id in ids or not isinstance(each, Interface):
            return str(each.id)
        if each.owner in owners:
            return owners[each.owner]
        alike = _alike(each, known)
        return alike.id if alike else each.id

    return match


def _patched(live: _Thing, old: Model, new: Model) -> _Thing:
    if old == new:
        return live
    update: dict[str, Any] = {}
    for name in type(live).model_fields:
        was, will, has = getattr(old, name), getattr(new, name), getattr(live, name)
        if was == will or name in {"id", "name", "owner", "kind"}:
            continue
        if isinstance(has, tuple):
            gone = set(was) - set(will)
            update[name] = tuple(dict.fromkeys((*(each for each in has if each not in gone),
                                                *(each for each in will if each not in was))))  # fmt: skip
        elif isinstance(has, frozenset):
            update[name] = (has - was) | (will - was)
        else:
            update[name] = will
    return live.model_copy(update=update)


def _within(interfaces: Iterable[Interface], subnets: Iterable[Any]) -> tuple[Interface, ...]:
    """The interfaces that the plan makes in subnets of others get those subnets' VPC."""
    vpcs = {subnet.id: subnet.vpc for subnet in subnets}
    return tuple(
        each if each.vpc or len(each.subnets) != 1 else each.model_copy(update={"vpc": vpcs.get(each.subnets[0], "")})
        for each in interfaces
    )


def _rules(live: tuple[Rule, ...], before: tuple[Rule, ...], after: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Live rules without those that the plan takes away, and those that it brings."""
    kept = {_key(rule) for rule in after}
    gone = {_key(rule) for rule in before} - kept
    there = {_key(rule) for rule in live}
    lists = {str(rule.source): rule.entries for rule in live if rule.source_kind is SourceKind.PREFIX_LIST}
    changed = _changed_lists(lists, before, after)
    rest = [_with_list(rule, changed) for rule in live if _key(rule) not in gone]
    return (*rest, *(rule for rule in after if _key(rule) not in there))


def _changed_lists(
    live: Mapping[str, Any], before: Iterable[Rule], after: Iterable[Rule]
) -> dict[str, tuple[str, ...]]:
    was, will = ({str(r.source): r.entries for r in rules if isinstance(r.entries, tuple)} for rules in (before, after))
    return {
        name: tuple(dict.fromkeys((*(e for e in live[name] or () if e not in set(was[name]) - set(will[name])),
                                   *(e for e in will[name] if e not in was[name]))))
        for name in live.keys() & was.keys() & will.keys()
        if was[name] != will[name] and isinstance(live[name], tuple)
    }  # fmt: skip


def _with_list(rule: Rule, changed: Mapping[str, tuple[str, ...]]) -> Rule:
    held = changed.get(str(rule.source)) if rule.source_kind is SourceKind.PREFIX_LIST else None
    return rule if held is None else rule.model_copy(update={"entries": held})


def _key(rule: Rule) -> Any:
    # The provider shows a rule whose source is its own group as self, AWS by its id.
    if rule.source_kind is SourceKind.SELF and isinstance(rule.group, str):
        rule = rule.model_copy(update={"source_kind": SourceKind.GROUP, "source": rule.group})
    return identity(rule)
