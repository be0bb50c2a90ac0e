"""The rules before and after a plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.plan import Plan, ResourceChange
from runbook_lib.models.rules import IDENTITY_FIELDS, Direction, Rule

from .aws_resources import GROUP_TYPES, is_one_made
from .changes import GROUP_LISTS, ResourceView, RuleChanges, touched_rules
from .declaration import Declaration
from .exclusive import exclusives, without_unlisted
from .masked import blind_changes, unmasked, without_masks
from .origins import VPC_TYPES, Identities, configuration_of, state_resources
from .prefix_lists import LIST_TYPES, PrefixLists
from .readers import RULE_TYPES, build_rules
from .references import Configuration
from .values import join_unknown

__all__ = ["rules_from_plan"]

_ENTRY = "aws_ec2_managed_prefix_list_entry"
_ALL_BUT_SOURCE: Final = attrgetter(*(name for name in IDENTITY_FIELDS if name not in {"source", "source_kind"}))
# Of one group, or of all that aws_security_groups finds.
_LOOKED_UP: Final = "data.aws_security_group"
_BESIDES: Final = LIST_TYPES | VPC_TYPES


@dataclass
class _Standing:
    """What stands at one time, and answers what a rule must ask of it."""

    configuration: Configuration
    identities: Identities
    declarations: list[Declaration] = field(default_factory=list)
    lists: PrefixLists = field(default_factory=PrefixLists)
    default_groups: set[str] = field(default_factory=set)

    def refers_to(self, declaration: Declaration, attribute: str) -> tuple[str | Unknown, ...]:
        return self.identities.named(self.configuration.refers_to(declaration.address, attribute))

    def entries(self, prefix_list: str | Unknown) -> tuple[tuple[str, ...] | Unknown | None, ...]:
        return self.lists.entries(prefix_list)

    def written(self, declaration: Declaration, attribute: str) -> bool:
        return self.configuration.written(declaration.address, attribute)

    def rule_ids(self) -> dict[str, str]:
        """AWS's ids of the rules that have a resource of their own, by its address."""
        separate = (each for each in self.declarations if each.type not in GROUP_TYPES)
        found = {each.address: each.values.get("security_group_rule_id") or each.values.get("id") for each in separate}
        return {address: identity for address, identity in found.items() if isinstance(identity, str)}

    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for declaration in self.declarations for rule in build_rules(declaration, self))


def rules_from_plan(plan: Plan) -> RuleChanges:
    """Every security-group rule before and after the plan, and which of them the plan adds or alters."""
    plan = without_masks(plan)
    managed = [change for change in plan.changes if change.mode == "managed"]
    configuration, identities = configuration_of(plan, managed), Identities.of(plan)
    before, after = _Standing(configuration, identities), _Standing(configuration, identities)
    for declaration in _untouched(plan):
        _add(before, declaration)
        _add(after, declaration)
    recreated = set()
    for change in managed:
        if change.type in RULE_TYPES or change.type in _BESIDES:
            _add_change(change, before, after)
            # What is forgotten beside a new object stays as it was: that is no touching of it.
            if "create" in change.actions and "forget" not in change.actions:
                recreated.add(change.address)
    _separate_entries(managed, before, after)
    rules_before, rules_after = before.rules(), after.rules()
    seen = _separate_keys(rules_before, before)
    rules_before, rules_after = _without_seen(rules_before, before, seen), _without_seen(rules_after, after, seen)
    blind = blind_changes(plan)
    rules_after = without_unlisted(rules_after, rules_before, after.rule_ids(), exclusives(managed))
    return RuleChanges(
        before=rules_before,
        after=rules_after,
        touched=touched_rules(rules_before, rules_after, recreated | blind, before.lists.names(blind)),
        default_groups=frozenset(before.default_groups | after.default_groups),
        perhaps_default=_perhaps_default(rules_after, plan, after),
        whole_groups=frozenset(_groups(managed)),
        resources=sum(1 for change in managed if _stands_after(change)),
        resources_of=lambda types: _views(managed, types),
        leaving_of=lambda types: _leaving(managed, types),
        standing=lambda: (
            (change.address, change.type, change.actions not in {("no-op",), ("read",)})
            for change in managed
            if _stands_after(change)
        ),
        lists_before=before.lists.views(blind),
        lists_after=after.lists.views(),
        named_groups=dict(_named_groups(managed, configuration)),
    )


def _perhaps_default(rules: Iterable[Rule], plan: Plan, standing: _Standing) -> frozenset[str]:
    """The groups of these rules that are looked up during apply, without those that are certainly no default one."""
    looked_up = {rule.group for rule in rules if isinstance(rule.group, str) and _LOOKED_UP in rule.group}
    return frozenset(looked_up - set(_certainly_others(plan, standing)) if looked_up else ())


def _certainly_others(plan: Plan, standing: _Standing) -> Iterator[str]:
    for change in plan.changes:
        if change.mode == "data" and change.type == "aws_security_group":
            new = Declaration(change.address, change.type, join_unknown(change.after or {}, change.after_unknown))
            name = new.values.get("name")
            by_name = isinstance(name, str) and name != "default"
            by_id = standing.written(new, "id") and is_one_made(standing.refers_to(new, "id"))
            if by_name or by_id:
                yield change.address


def _named_groups(
    changes: Iterable[ResourceChange], configuration: Configuration
) -> Iterator[tuple[tuple[str, str], tuple[str | Unknown, ...]]]:
    for change in changes:
        for name, unknown in change.after_unknown.items():
            if unknown is True and name.endswith(GROUP_LISTS):
                yield (change.address, name), configuration.refers_to(change.address, name)


def _add_change(change: ResourceChange, before: _Standing, after: _Standing) -> None:
    # Moved or not, it is compared under the address that it will have. A deposed object is not what the
    # current one was before, so it has an address of its own.
    address = f"{change.address} (deposed {change.deposed})" if change.deposed else change.address
    old = Declaration(address, change.type, change.before) if change.before is not None else None
    if old is not None:
        _add(before, old)
    if old is not None and "forget" in change.actions:
        _add(after, old)  # forgotten by Terraform, and left in AWS as it was
    new = _after(change)
    if new is not None:
        _add(after, new)


def _after(change: ResourceChange) -> Declaration | None:
    if change.after is None and not change.after_unknown:
        return None
    if change.actions and set(change.actions) <= {"delete", "forget"}:
        return None
    return Declaration(change.address, change.type, join_unknown(change.after or {}, change.after_unknown))


def _add(standing: _Standing, declaration: Declaration) -> None:
    kind, values = declaration.type, declaration.values
    if kind in RULE_TYPES:
        standing.declarations.append(declaration)
    if kind == "aws_default_security_group" or (kind == "aws_security_group" and values.get("name") == "default"):
        standing.default_groups.update((declaration.address, str(values.get("id"))))
    elif kind in VPC_TYPES:
        default = f"{declaration.address}.default_security_group_id"
        standing.default_groups.update((default, str(values.get("default_security_group_id"))))
    elif kind in LIST_TYPES and kind != _ENTRY:
        standing.lists.add(declaration, standing.configuration.written(declaration.address, "entry"))


def _separate_entries(changes: Iterable[ResourceChange], before: _Standing, after: _Standing) -> None:
    entries = [change for change in changes if change.type == _ENTRY]
    after.lists.mark_new(before.lists)
    for change in entries:
        if change.before is not None:
            prefix_list, network = change.before.get("prefix_list_id"), change.before.get("cidr")
            before.lists.add_entry(prefix_list or UNKNOWN, network, change.address)
            if change.actions != ("no-op",) and "forget" not in change.actions:
                after.lists.remove_entry(prefix_list or UNKNOWN, network)
    for change in entries:
        new = _after(change)
        if new is not None:
            target = new.values.get("prefix_list_id")
            candidates = (target,) if isinstance(target, str) else after.refers_to(new, "prefix_list_id")
            for candidate in candidates:
                after.lists.add_entry(candidate, new.values.get("cidr"), change.address)


def _separate_keys(rules: Iterable[Rule], standing: _Standing) -> set[tuple[Any, ...]]:
    groups = {d.address for d in standing.declarations if d.type in GROUP_TYPES}
    return {_content(rule) for rule in rules if rule.address not in groups}


def _without_seen(rules: tuple[Rule, ...], standing: _Standing, seen: set[tuple[Any, ...]]) -> tuple[Rule, ...]:
    """Leave out of a group that declares no rules those that the provider merely saw in AWS: other resources' rules."""
    groups = {d.address for d in standing.declarations if d.type in GROUP_TYPES}
    written = {
        (address, way.value)
        for address in groups
        for way in Direction
        if standing.configuration.written(address, way.value)
    }
    return tuple(
        rule
        for rule in rules
        if rule.address not in groups or (rule.address, rule.direction) in written or _content(rule) not in seen
    )


def _content(rule: Rule) -> tuple[Any, ...]:
    # The provider shows a rule whose source is its own group as self.
    source = "self" if rule.source == rule.group else rule.source
    return source, rule.description or "", _ALL_BUT_SOURCE(rule)


def _untouched(plan: Plan) -> Iterator[Declaration]:
    """What the prior state holds and the plan says nothing of: data sources, and all that a -target left out."""
    changed = {change.address for change in plan.changes} | {change.previous_address for change in plan.changes}
    for resource in state_resources(plan.prior_state):
        if resource.get("address") not in changed and resource.get("type") in RULE_TYPES | _BESIDES:
            held = unmasked(resource.get("values"))
            if isinstance(held, dict):
                kind = str(resource["type"])
                if resource.get("mode") != "data" or kind not in RULE_TYPES:
                    yield Declaration(str(resource["address"]), kind, held)
                elif held.get("name") == "default":
                    # A data source holds no rules, but it may be how the default group is found.
                    yield Declaration(
                        str(resource["address"]), "aws_vpc", {"default_security_group_id": held.get("id")}
                    )


def _groups(changes: Iterable[ResourceChange]) -> Iterator[str]:
    for change in changes:
        if change.type in GROUP_TYPES:
            yield change.address
            yield from (str(values["id"]) for values in (change.before, change.after) if values and values.get("id"))


def _stands_after(change: ResourceChange) -> bool:
    return change.after is not None or "forget" in change.actions


def _views(changes: Iterable[ResourceChange], types: Collection[str]) -> Iterator[ResourceView]:
    for change in changes:
        if change.type in types:
            new = _after(change)
            if new is not None:
                touched = change.actions not in {("no-op",), ("read",)}
                yield ResourceView(change.address, change.type, new.values, touched, _action(change))
            if "forget" in change.actions and change.before is not None:
                yield ResourceView(change.address, change.type, change.before, touched=False)


def _leaving(changes: Iterable[ResourceChange], types: Collection[str]) -> Iterator[ResourceView]:
    for change in changes:
        for action in ("delete", "forget"):
            replaced = action == "delete" and "create" in change.actions
            if change.type in types and action in change.actions and not replaced and change.before is not None:
                yield ResourceView(change.address, change.type, change.before, touched=True, action=action)


def _action(change: ResourceChange) -> str:
    if {"create", "delete"} <= set(change.actions):
        return "replace"
    # What is forgotten beside a new object is told apart from it.
    return next((action for action in change.actions if action != "forget"), "no-op")
