"""A plan, or Terraform files, of any size for the benchmarks: a third of the rules in each way of writing them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["SHAPES", "write_expressions", "write_hcl", "write_plan", "write_shape", "write_tfvars"]

_PROVIDER = "registry.terraform.io/hashicorp/aws"
_SOURCES = ("10.{a}.{b}.0/24", "203.0.{b}.0/24", "192.168.{b}.0/24", "198.51.{b}.0/24", "0.0.0.0/0")
_PORTS = (443, 80, 8080, 5432, 22, 3389, 6379)


def write_plan(path: Path, rules: int, groups: int) -> None:
    """A plan as `terraform show -json` writes it, configuration and planned values included."""
    changes, planned, configured = [], [], []
    for address, kind, name, values, unknown, expressions in _resources(rules, groups):
        change = {"actions": ["create"], "before": None, "after": values, "after_unknown": unknown}
        common = {"address": address, "mode": "managed", "type": kind, "name": name, "provider_name": _PROVIDER}
        changes.append({**common, "change": {**change, "before_sensitive": False, "after_sensitive": {}}})
        planned.append({**common, "schema_version": 1, "values": values, "sensitive_values": {}})
        configured.append({**common, "provider_config_key": "aws", "expressions": expressions, "schema_version": 1})
    document = {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": configured}},
        "timestamp": "2026-01-01T00:00:00Z",
        "applyable": True,
        "complete": True,
        "errored": False,
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def write_shape(path: Path, shape: str, rules: int) -> None:
    """A plan in which all rules are of one group, in a shape that a requester could choose to be slow."""
    kind, changes = "aws_vpc_security_group_ingress_rule", []
    for index in range(rules):
        values, unknown = SHAPES[shape](index)
        after = {"security_group_id": "sg-1", "description": "Rule", "ip_protocol": "tcp", **values}
        change = {"actions": ["create"], "before": None, "after": after, "after_unknown": unknown}
        common = {"address": f"{kind}.r{index}", "mode": "managed", "type": kind, "name": f"r{index}"}
        changes.append({**common, "provider_name": _PROVIDER, "change": change})
    path.write_text(json.dumps({"format_version": "1.2", "resource_changes": changes}), encoding="utf-8")


def _overlapping(index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    low = index * 7 % 30_000
    network = f"{1 + index % 120}.{index // 120 % 32 * 8}.0.0/13"
    return {"cidr_ipv4": network, "from_port": low, "to_port": low + 20_000}, {}


def _unknown_source(index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    ports = {"from_port": index, "to_port": index + 100}
    if index % 2:
        return ports, {"cidr_ipv4": True}
    return {"cidr_ipv4": f"{11 + index % 80}.{index // 80}.0.0/16", **ports}, {}


SHAPES: Final = {"overlapping": _overlapping, "unknown sources": _unknown_source}


def write_expressions(folder: Path, count: int) -> None:
    """So many policies with an expression each, on the rules that have resources of their own."""
    made = [
        {
            "id": f"made-{number}", "title": "Made", "severity": "low", "action": "warn", "on_unknown": "warn",
            "remedy": "None.",
            "resource": {
                "types": ["aws_vpc_security_group_ingress_rule", "aws_security_group_rule"],
                "when": f'values.from_port == {number} && values.description == "no such"',
            },
        }
        for number in range(count)
    ]  # fmt: skip
    (folder / "made.yml").write_text(json.dumps({"policies": made}, indent=1), encoding="utf-8")


def write_tfvars(folder: Path, entries: int) -> None:
    """A stack whose rules are the entries of one map in a .tfvars file, as teams keep them."""
    (folder / "main.tf").write_text(
        'variable "rules" {}\nresource "aws_vpc_security_group_ingress_rule" "each" {\n  for_each = var.rules\n'
        '  security_group_id = "sg-1"\n  description = each.value.description\n  ip_protocol = "tcp"\n'
        "  from_port = each.value.port\n  to_port = each.value.port\n  cidr_ipv4 = each.value.network\n}\n",
        encoding="utf-8",
    )
    lines = [
        f'  "rule-{index}" = {{\n    description = "Rule {index}"\n    port        = {_port(index)}\n'
        f'    network     = "{_source(index)}"\n  }}\n'
        for index in range(entries)
    ]
    (folder / "terraform.tfvars").write_text(f"rules = {{\n{''.join(lines)}}}\n", encoding="utf-8")


def write_hcl(folder: Path, rules: int, groups: int) -> None:
    """The same as files, one a group."""
    per_group = rules // groups
    for group in range(groups):
        lines = [f'resource "aws_security_group" "g{group}" {{\n  name = "g{group}"\n}}\n']
        lines += [_block(index, group) for index in range(group * per_group, (group + 1) * per_group)]
        (folder / f"group_{group}.tf").write_text("\n".join(lines), encoding="utf-8")


def _block(index: int, group: int) -> str:
    return (
        f'resource "aws_vpc_security_group_ingress_rule" "r{index}" {{\n'
        f"  security_group_id = aws_security_group.g{group}.id\n"
        f'  description       = "Rule {index}"\n  ip_protocol       = "tcp"\n'
        f"  from_port         = {_port(index)}\n  to_port           = {_port(index)}\n"
        f'  cidr_ipv4         = "{_source(index)}"\n}}\n'
    )


def _resources(rules: int, groups: int) -> list[tuple[str, str, str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    found = []
    inline: dict[int, list[dict[str, Any]]] = {group: [] for group in range(groups)}
    for index in range(rules):
        group = index % groups
        reference = {"references": [f"aws_security_group.g{group}.id", f"aws_security_group.g{group}"]}
        if index // groups % 3 == 0:
            inline[group].append(_inline(index))
        elif index // groups % 3 == 1:
            found.append(_classic(index, reference))
        else:
            found.append(_separate(index, reference))
    return [*[_group(group, blocks) for group, blocks in inline.items()], *found]


def _group(group: int, blocks: list[dict[str, Any]]) -> tuple[str, str, str, Any, Any, Any]:
    values = {"name": f"g{group}", "description": "Generated", "ingress": blocks, "tags": None, "timeouts": None}
    lists = {"cidr_blocks": [False], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": []}
    unknown = {"id": True, "arn": True, "egress": True, "ingress": [lists for _ in blocks], "vpc_id": True}
    kind = "aws_security_group"
    return f"{kind}.g{group}", kind, f"g{group}", values, unknown, {"ingress": {"constant_value": blocks}}


def _inline(index: int) -> dict[str, Any]:
    return {
        "cidr_blocks": [_source(index)], "description": f"Rule {index}",
        "from_port": _port(index), "to_port": _port(index),
        "ipv6_cidr_blocks": [], "prefix_list_ids": [], "protocol": "tcp", "security_groups": [], "self": False,
    }  # fmt: skip


def _classic(index: int, reference: dict[str, Any]) -> tuple[str, str, str, Any, Any, Any]:
    values = {
        "type": "ingress", "protocol": "tcp", "from_port": _port(index), "to_port": _port(index),
        "cidr_blocks": [_source(index)], "ipv6_cidr_blocks": None, "prefix_list_ids": None, "self": False,
        "description": f"Rule {index}", "timeouts": None,
    }  # fmt: skip
    unknown = {"id": True, "cidr_blocks": [False], "security_group_id": True, "source_security_group_id": True}
    kind = "aws_security_group_rule"
    return f"{kind}.r{index}", kind, f"r{index}", values, unknown, _expressions(values, reference)


def _separate(index: int, reference: dict[str, Any]) -> tuple[str, str, str, Any, Any, Any]:
    values = {
        "ip_protocol": "tcp", "from_port": _port(index), "to_port": _port(index), "cidr_ipv4": _source(index),
        "cidr_ipv6": None, "prefix_list_id": None, "referenced_security_group_id": None,
        "description": f"Rule {index}", "tags": None, "tags_all": {},
    }  # fmt: skip
    unknown = {"id": True, "arn": True, "security_group_id": True, "security_group_rule_id": True, "tags_all": {}}
    kind = "aws_vpc_security_group_ingress_rule"
    return f"{kind}.r{index}", kind, f"r{index}", values, unknown, _expressions(values, reference)


def _expressions(values: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    written = {key: {"constant_value": value} for key, value in values.items() if value is not None}
    return {**written, "security_group_id": reference}


def _source(index: int) -> str:
    return _SOURCES[index // 3 % len(_SOURCES)].format(a=index // 250 % 250, b=index % 250)


def _port(index: int) -> int:
    return _PORTS[index % len(_PORTS)]
