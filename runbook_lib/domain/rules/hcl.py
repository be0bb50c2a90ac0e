"""The rules that Terraform files declare, before Terraform has resolved anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.hcl import HclModule, HclResource
from runbook_lib.models.rules import Rule

from .changes import GROUP_LISTS, ResourceView, RuleChanges, touched_rules
from .declaration import Declaration
from .prefix_lists import LIST_TYPES, PrefixLists
from .readers import RULE_TYPES, build_rules

__all__ = ["hcl_changes", "rules_from_hcl"]


class _Module:
    def __init__(self, module: HclModule) -> None:
        self.references = {resource.address: resource.references for resource in module.resources}
        self.lists = PrefixLists()
        for resource in module.resources:
            declaration = Declaration(resource.address, resource.type, resource.values)
            if resource.type in LIST_TYPES and resource.type != "aws_ec2_managed_prefix_list_entry":
                self.lists.add(declaration, entries_written="entry" in resource.values)
        for resource in module.resources:
            if resource.type == "aws_ec2_managed_prefix_list_entry":
                named = resource.values.get("prefix_list_id")
                targets = resource.references.get("prefix_list_id", (UNKNOWN,)) if named is UNKNOWN else (str(named),)
                for target in targets:
                    self.lists.add_entry(target, resource.values.get("cidr"), resource.address)

    def refers_to(self, declaration: Declaration, attribute: str) -> tuple[str | Unknown, ...]:
        return self.references.get(declaration.address, {}).get(attribute) or (UNKNOWN,)

    def entries(self, prefix_list: str | Unknown) -> tuple[tuple[str, ...] | Unknown | None, ...]:
        return self.lists.entries(prefix_list)

    def written(self, declaration: Declaration, attribute: str) -> bool:
        return attribute in declaration.values


def rules_from_hcl(module: HclModule) -> tuple[Rule, ...]:
    """Every rule that the module declares."""
    around = _Module(module)
    found: list[Rule] = []
    for resource in module.resources:
        if resource.type in RULE_TYPES:
            found += build_rules(Declaration(resource.address, resource.type, resource.values), around)
    return tuple(found)


def hcl_changes(module: HclModule, before: HclModule | None = None) -> RuleChanges:
    """The module as a change; what stood in the module `before` word for word is not touched, without one all is."""
    rules, around = rules_from_hcl(module), _Module(module)
    earlier = rules_from_hcl(before) if before else ()
    standing = {r.address: r for r in before.resources} if before else {}
    stood = _Module(before) if before else None
    altered = {r.address for r in module.resources if _differs(r, standing.get(r.address))}
    # What is not certain may be another value wherever it is written otherwise.
    blind = {r.address for r in module.resources if r.address in standing and standing[r.address].written != r.written}
    defaults = {r.address for r in module.resources if r.type == "aws_default_security_group"}
    vpcs = {
        f"{r.address}.default_security_group_id" for r in module.resources if r.type in {"aws_vpc", "aws_default_vpc"}
    }

    def views(types: Collection[str]) -> Iterator[ResourceView]:
        for resource in module.resources:
            if resource.type in types:
                known, touched = standing.get(resource.address), resource.address in altered
                action = "create" if known is None else "update" if touched else "no-op"
                yield ResourceView(resource.address, resource.type, resource.values, touched, action)

    def leaving(types: Collection[str]) -> Iterator[ResourceView]:
        there = {resource.address for resource in module.resources}
        for address, resource in standing.items():
            if resource.type in types and address not in there:
                # Destroyed, moved or forgotten: the plan tells.
                yield ResourceView(address, resource.type, resource.values, touched=True, action=UNKNOWN)

    def every() -> Iterator[tuple[str, str, bool]]:
        for resource in module.resources:
            yield resource.address, resource.type, resource.address in altered

    return RuleChanges(
        before=earlier,
        after=rules,
        touched=touched_rules(earlier, rules, blind, stood.lists.names(blind) if stood else ()),
        default_groups=frozenset(defaults | vpcs),
        resources=len(module.resources),
        resources_of=views,
        leaving_of=leaving,
        standing=every,
        unread=module.unread,
        doubtful=module.doubtful,
        product=module.product,
        lists_before=stood.lists.views(blind) if stood else {},
        lists_after=around.lists.views(),
        named_groups={
            (address, name): found
            for address, named in around.references.items()
            for name, found in named.items()
            if name.endswith(GROUP_LISTS)
        },
    )


def _differs(resource: HclResource, known: HclResource | None) -> bool:
    return known is None or (known.values, known.written) != (resource.values, resource.written)
