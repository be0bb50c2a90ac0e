"""What AWS takes of each, counted as AWS counts: to meet a quota in the middle of apply leaves half a change behind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NamedTuple

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import IDENTITY_FIELDS, Direction, Rule, SourceKind

from ..rules import ResourceView, RuleChanges
from .logic import Truth

__all__ = ["Excess", "crowded_groups", "crowded_interfaces"]

_identity: Final = attrgetter(*IDENTITY_FIELDS)
_FAMILIES: Final = ("IPv4", "IPv6")
# Each resource of these types is one rule, whatever is unknown of it.
_SINGLE: Final = ("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule")
# Where the groups of an interface stand, by the type of what has interfaces.
_GROUPS_OF: Final = {
    "aws_alb": "security_groups",
    "aws_db_instance": "vpc_security_group_ids",
    "aws_docdb_cluster": "vpc_security_group_ids",
    "aws_ecs_service": "network_configuration.security_groups",
    "aws_elasticache_cluster": "security_group_ids",
    "aws_elasticache_replication_group": "security_group_ids",
    "aws_elb": "security_groups",
    "aws_instance": "vpc_security_group_ids",
    "aws_lambda_function": "vpc_config.security_group_ids",
    "aws_launch_template": "vpc_security_group_ids",
    "aws_lb": "security_groups",
    "aws_neptune_cluster": "vpc_security_group_ids",
    "aws_network_interface": "security_groups",
    "aws_rds_cluster": "vpc_security_group_ids",
    "aws_redshift_cluster": "vpc_security_group_ids",
    "aws_vpc_endpoint": "security_group_ids",
}


class Excess(NamedTuple):
    """Where there is too much, or may be; and how much, in words."""

    address: str
    truth: Truth
    told: str


class _Weight(NamedTuple):
    """As how many rules of one family a rule counts: at least and at most, None for nobody knows how many."""

    least: int
    most: int | None


_NONE, _ONE, _MAYBE, _ANY = _Weight(0, 0), _Weight(1, 1), _Weight(0, 1), _Weight(0, None)


@dataclass
class _Count:
    least: int = 0
    most: int | None = 0
    touched: bool = False
    where: str = ""
    seen: set[tuple[Any, ...]] = field(default_factory=set)

    def add(self, weight: _Weight) -> None:
        self.least += weight.least
        self.most = None if self.most is None or weight.most is None else self.most + weight.most


_Counts = Mapping[tuple[str, Direction], Mapping[str, _Count]]


def crowded_groups(changes: RuleChanges, limit: int, *, everything: bool) -> Iterator[Excess]:
    """The groups with more rules of one direction and family than `limit`, of those that the change touches.

    Only what this stack knows of a group is counted: another stack may have rules in it, too.
    """
    counts = _counts(changes, _in_question(changes.after, limit))
    for (group, direction), families in sorted(counts.items()):
        # What goes into nobody knows which group may go into this one; all of it may go into one.
        floating = counts.get(("", direction), {}) if group else {}
        nearer = any(count.touched and count.most is not None for count in floating.values())
        if not (everything or nearer or any(count.touched for count in families.values())):
            continue
        totals = {name: _joined(families[name], floating.get(name)) for name in _FAMILIES}
        over = [f"{total.least} {name}" for name, total in totals.items() if total.least > limit]
        unsure = [_at_most(total, name) for name, total in totals.items() if total.most is None or total.most > limit]
        if over or unsure:
            told = " and ".join(over or unsure)
            where = group or next(count.where for count in families.values() if count.where)
            yield Excess(where, bool(over and group) or None, f"{told} {direction} rules, of {limit}")


def _joined(count: _Count, floating: _Count | None) -> _Weight:
    if floating is None:
        return _Weight(count.least, count.most)
    most = None if count.most is None or floating.most is None else count.most + floating.most
    return _Weight(count.least, most)


def _at_most(total: _Weight, family: str) -> str:
    return f"{total.least} {family} or more" if total.most is None else f"{total.least} to {total.most} {family}"


def _in_question(rules: Iterable[Rule], limit: int) -> frozenset[str] | None:
    """The groups that may have more rules than `limit`; None for any group. Most have few, and need no counting."""
    held: Counter[str] = Counter()
    unclear = set()
    for rule in rules:
        group = _group(rule)
        if not group:
            return None
        held[group] += 1
        if rule.source_kind is SourceKind.PREFIX_LIST or rule.source is UNKNOWN or "[*]" in rule.address:
            unclear.add(group)
    return frozenset(unclear.union(group for group, count in held.items() if count > limit))


def _group(rule: Rule) -> str:
    """The group that the rule is known to be in, else an empty name."""
    return rule.group if isinstance(rule.group, str) and not rule.group.endswith("[*]") else ""


def _counts(changes: RuleChanges, groups: frozenset[str] | None) -> _Counts:
    counts: dict[tuple[str, Direction], dict[str, _Count]] = defaultdict(lambda: {name: _Count() for name in _FAMILIES})
    resized = {
        name for name, found in changes.lists_after.items()
        if name in changes.lists_before and changes.lists_before[name].most != found.most
    }  # fmt: skip
    for index, rule in enumerate(changes.after):
        group = _group(rule)
        if groups is not None and group not in groups:
            continue
        touched = index in changes.touched or rule.source in resized
        known = isinstance(rule.direction, Direction)
        weights = tuple(zip(_FAMILIES, _weights(rule, changes), strict=True))
        key = _identity(rule)
        # Twice the same is one rule; of two unknown ones nobody can say that they are the same.
        single = not group or UNKNOWN in key
        for direction in (rule.direction,) if isinstance(rule.direction, Direction) else Direction:
            families = counts[group, direction]
            for family, weight in weights:
                if weight == _NONE:
                    continue
                count = families[family]
                if single or key not in count.seen:
                    count.add(weight if known else _Weight(0, weight.most))
                    count.seen.add(key)
                count.where = count.where or rule.address
                count.touched = count.touched or touched
    return counts


def _weights(rule: Rule, changes: RuleChanges) -> tuple[_Weight, _Weight]:
    """As how many rules of IPv4, and of IPv6, this one counts."""
    if "[*]" in rule.address:
        return _ANY, _ANY
    if rule.source_kind in {SourceKind.GROUP, SourceKind.SELF}:
        return _ONE, _ONE
    if rule.source_kind is SourceKind.PREFIX_LIST:
        return _weights_of_list(rule, changes)
    if isinstance(rule.source, str):
        return (_NONE, _ONE) if ":" in rule.source else (_ONE, _NONE)
    single = rule.source_kind is SourceKind.NETWORK and rule.address.split("[")[0].rpartition(".")[0].endswith(_SINGLE)
    return (_MAYBE, _MAYBE) if single else (_ANY, _ANY)


def _weights_of_list(rule: Rule, changes: RuleChanges) -> tuple[_Weight, _Weight]:
    found = changes.lists_after.get(str(rule.source))
    if found is not None and isinstance(found.most, int) and found.family in _FAMILIES:
        weight = _Weight(found.most, found.most)
        return (weight, _NONE) if found.family == _FAMILIES[0] else (_NONE, weight)
    held = rule.entries if isinstance(rule.entries, tuple) else ()
    six = sum(":" in network for network in held)
    return _Weight(len(held) - six, None), _Weight(six, None)


def crowded_interfaces(changes: RuleChanges, limit: int, *, everything: bool) -> Iterator[Excess]:
    """What gives its network interfaces more groups than `limit`."""
    for view in changes.resources_of(_GROUPS_OF.keys()):
        if not (view.touched or everything):
            continue
        for groups in _groups_of(view, changes):
            least = len({group for group in groups if isinstance(group, str)})
            unknown = sum(group is UNKNOWN for group in groups)
            # Two of unknown ids may be one group.
            least = max(least, min(unknown, 1))
            most = None if isinstance(groups, _Open) else len({*(g for g in groups if isinstance(g, str))}) + unknown
            if least > limit or most is None or most > limit:
                number = f"{least}" if least > limit else f"{least} or more" if most is None else f"{least} to {most}"
                yield Excess(view.address, least > limit or None, f"{number} groups, of {limit}")


class _Open(list[Any]):
    """A list that may be longer."""


def _groups_of(view: ResourceView, changes: RuleChanges) -> Iterator[list[Any]]:
    outer, _, inner = _GROUPS_OF[view.type].partition(".")
    value = view.values.get(outer)
    if not inner:
        yield _listed(value, view, outer, changes)
        return
    for block in value if isinstance(value, list | tuple) else ():
        yield _listed(block.get(inner) if isinstance(block, Mapping) else UNKNOWN, view, outer, changes)


def _listed(value: Any, view: ResourceView, attribute: str, changes: RuleChanges) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if value is not UNKNOWN:
        return []
    # A set with one unknown id is unknown as a whole: then the expression tells how many it names.
    named = changes.named_groups.get((view.address, attribute), (UNKNOWN,))
    groups = [name for name in named if isinstance(name, str) and not name.endswith("[*]")]
    return groups if len(groups) == len(named) else _Open(groups)
