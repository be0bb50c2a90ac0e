"""The rules that a Terraform state (version 4) holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib.errors import InputError
from runbook_lib.models.rules import Rule

from ..strict_json import read_json
from .declaration import Declaration
from .origins import DEFAULT_GROUP, VPC_TYPES
from .prefix_lists import LIST_TYPES, PrefixLists
from .readers import GROUP_TYPES, RULE_TYPES, build_rules
from .standalone import Standalone

__all__ = ["group_ids_of_state", "rules_from_state"]

_REMEDY = "Pull it with `terraform state pull`."


def rules_from_state(document: Mapping[str, Any] | str | bytes) -> tuple[Rule, ...]:
    """Every rule in a state as `terraform state pull` gives it; empty text is the state of a stack never applied."""
    if isinstance(document, str | bytes) and not document.strip():
        return ()
    data = read_json(document, "the state") if isinstance(document, str | bytes) else document
    if not isinstance(data, Mapping) or data.get("version") != 4:
        raise InputError("this is no Terraform state of version 4", _REMEDY)
    declarations = list(_declarations(data))
    lists = PrefixLists()
    for declaration in declarations:
        if declaration.type in {"aws_ec2_managed_prefix_list", "aws_prefix_list"}:
            lists.add(declaration, entries_written=True)
    for declaration in declarations:
        if declaration.type == "aws_ec2_managed_prefix_list_entry":
            lists.add_entry(declaration.values.get("prefix_list_id", ""), declaration.values.get("cidr"))
    around = Standalone(lists)
    return tuple(rule for found in declarations if found.type in RULE_TYPES for rule in build_rules(found, around))


def group_ids_of_state(document: Mapping[str, Any]) -> dict[str, str]:
    """The ids of the groups that a state knows, by the address at which a plan knows each."""
    found: dict[str, str] = {}
    resources = document.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        kind = resource.get("type")
        attribute = "id" if kind in GROUP_TYPES else DEFAULT_GROUP if kind in VPC_TYPES else ""
        for instance in resource.get("instances") or () if attribute else ():
            identity = (instance.get("attributes") or {}).get(attribute)
            # What is deposed has the address of what took its place.
            if isinstance(identity, str) and not instance.get("deposed"):
                address = _address(resource, instance)
                found[address if attribute == "id" else f"{address}.{attribute}"] = identity
    return found


def _declarations(data: Mapping[str, Any]) -> Iterator[Declaration]:
    resources = data.get("resources") or []
    if not isinstance(resources, list):
        raise InputError("the state's resources are no list", _REMEDY)
    for resource in resources:
        if not isinstance(resource, Mapping) or not isinstance(resource.get("instances", []), list):
            raise InputError("the state holds something that is no resource", _REMEDY)
        kind = str(resource.get("type"))
        wanted = kind in LIST_TYPES if resource.get("mode") == "data" else kind in RULE_TYPES | LIST_TYPES
        for instance in resource.get("instances", []) if wanted else ():
            values = instance.get("attributes") if isinstance(instance, Mapping) else None
            if not isinstance(values, Mapping):
                raise InputError(f"the state's {kind}.{resource.get('name')} has no attributes", _REMEDY)
            yield Declaration(_address(resource, instance), kind, values)


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    module = f"{resource['module']}." if resource.get("module") else ""
    data = "data." if resource.get("mode") == "data" else ""
    address = f"{module}{data}{resource.get('type')}.{resource.get('name')}"
    key = instance.get("index_key")
    if isinstance(key, str):
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{address}["{escaped}"]'
    return address if key is None else f"{address}[{key}]"
