"""Not knowing something never makes a change look better than knowing it."""

from __future__ import annotations

import copy
import json
from typing import Any

from compliance_samples import KIND, change, judged, network_rule, of_rules, plan_of, values
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.compliance import ComplianceReport, Scope
from runbook_lib.models.rules import Direction, Rule, SourceKind

NETWORKS = (
    "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2", "::/0", "::/1",
    "8000::/1", "2000::/3", "10.0.0.0/8", "fc00::/7", "203.0.113.0/24", "16.0.0.0/6", "no network",
)  # fmt: skip
PORTS = st.sampled_from((0, 1, 21, 22, 23, 80, 443, 3389, 5432, 65535))


@st.composite
def _rules(draw: st.DrawFn) -> Rule:
    kind = draw(st.sampled_from((SourceKind.NETWORK,) * 4 + (SourceKind.PREFIX_LIST, SourceKind.GROUP)))
    networks = draw(st.lists(st.sampled_from(NETWORKS), max_size=3))
    low, high = draw(PORTS), draw(PORTS)
    return network_rule(
        direction=draw(st.sampled_from(Direction)),
        protocol=draw(st.sampled_from(("tcp", "tcp", "udp", "icmp", "all", "47"))),
        from_port=min(low, high),
        to_port=max(low, high),
        source_kind=kind,
        source={SourceKind.NETWORK: draw(st.sampled_from(NETWORKS)), SourceKind.PREFIX_LIST: "pl-1"}.get(kind, "sg-9"),
        entries=tuple(networks) if kind is SourceKind.PREFIX_LIST else None,
        description=draw(st.sampled_from(("", "why"))),
        group=draw(st.sampled_from(("sg-1", "sg-2", "sg-default"))),
    )


FIELDS = ("direction", "protocol", "from_port", "to_port", "source", "entries", "description", "group")


def _bad(report: ComplianceReport) -> set[tuple[str, str]]:
    # A quota is a group's: where nobody knows the group any more, nobody knows which one that is.
    return {
        (finding.policy, "" if finding.policy.startswith("quota-") else finding.address)
        for finding in report.findings
        if finding.policy != "sg-source-unknown"
    }


def _placed(rules: list[Rule]) -> list[Rule]:
    return [rule.model_copy(update={"address": f"rule.{index}"}) for index, rule in enumerate(rules)]


@settings(max_examples=400, deadline=None)
@given(st.lists(_rules(), min_size=1, max_size=4), st.data())
def test_an_unknown_in_a_rule_never_turns_failed_or_unknown_into_passed(rules: list[Rule], data: st.DataObject) -> None:
    rules = _placed(rules)
    blurred = list(rules)
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(rules) - 1))
        blurred[index] = _blur(blurred[index], data.draw(st.sampled_from(FIELDS)))
    defaults = frozenset({"sg-default"})
    before = _bad(judged(of_rules(*rules, default_groups=defaults), Scope.ALL))
    after = _bad(judged(of_rules(*blurred, default_groups=defaults), Scope.ALL))
    assert before <= after


def _blur(rule: Rule, field: str) -> Rule:
    if rule.source_kind in {SourceKind.GROUP, SourceKind.SELF} and field in {"source", "entries"}:
        return rule
    if rule.source_kind is SourceKind.PREFIX_LIST and field == "source":
        return rule.model_copy(update={"source": UNKNOWN, "entries": UNKNOWN})
    if rule.source_kind is SourceKind.NETWORK and field == "entries":
        return rule
    return rule.model_copy(update={field: UNKNOWN})


_GROUP = "aws_security_group"
_LISTS = ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups")


def _block(port: int, networks: list[str]) -> dict[str, Any]:
    return {
        "protocol": "tcp", "from_port": port, "to_port": port, "cidr_blocks": [n for n in networks if ":" not in n],
        "ipv6_cidr_blocks": [n for n in networks if ":" in n], "prefix_list_ids": [], "security_groups": [],
        "self": False, "description": "why",
    }  # fmt: skip


@st.composite
def _plans(draw: st.DrawFn) -> dict[str, Any]:
    good = st.sampled_from([n for n in NETWORKS if n != "no network"])
    blocks = [_block(draw(PORTS), draw(st.lists(good, min_size=1, max_size=2))) for _ in range(draw(st.integers(1, 2)))]
    group = {"id": "sg-1", "name": "g", "ingress": blocks, "egress": []}
    rule = values(cidr_ipv4=draw(good), from_port=draw(PORTS), to_port=65535)
    return plan_of(
        change(["create"], None, group, address=f"{_GROUP}.g", type=_GROUP, name="g"),
        change(["create"], None, rule, address=f"{KIND}.r"),
    )


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for key, part in value.items() for p in [(*path, key), *_paths(part, (*path, key))]]
    if isinstance(value, list):
        return [p for index, part in enumerate(value) for p in _paths(part, (*path, index))]
    return []


@settings(max_examples=300, deadline=None)
@given(_plans(), st.data())
def test_an_unknown_in_a_plan_never_turns_failed_or_unknown_into_passed(
    plan: dict[str, Any], data: st.DataObject
) -> None:
    blurred = copy.deepcopy(plan)
    entry = data.draw(st.sampled_from(blurred["resource_changes"]))
    after = entry["change"]["after"]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(after)))
        # The name tells the default group and the id ties a rule to its group; null is a value that must stay one.
        if path[-1] not in {"name", "id", "self", *_LISTS[2:]} and _at(after, path) is not None:
            _forget(entry["change"], path)
    before = _bad(judged(rules_from_plan(parse_plan(json.dumps(plan)))))
    assert before <= _bad(judged(rules_from_plan(parse_plan(json.dumps(blurred)))))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else value[key]
    return value


def _forget(change_: dict[str, Any], path: tuple[Any, ...]) -> None:
    """As Terraform does it: the value leaves `after`, and `after_unknown` says true in its place."""
    parent = _at(change_["after"], path[:-1])
    if isinstance(parent, list):
        parent[path[-1]] = None  # so that the others keep their places
    else:
        parent.pop(path[-1])
    node = change_["after_unknown"]
    known = change_["after"]
    for position, key in enumerate(path[:-1]):
        known = known[key]
        empty: Any = [{} for _ in known] if isinstance(known, list) else {}
        if isinstance(node, dict):
            node.setdefault(key, empty)
        elif not node[key]:
            node[key] = empty
        node = node[key]
        if node is True:
            return
        assert position < 10
    node[path[-1]] = True
