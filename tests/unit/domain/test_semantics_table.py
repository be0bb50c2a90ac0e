"""Spellings and histories that a gate is easily fooled by, each with the verdicts that AWS's semantics owe it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compliance_samples import change, changes_of, judged, plan_of, values, verdicts

from runbook_lib.domain.compliance import findings_from_sarif
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.errors import InputError
from runbook_lib.models.compliance import Scope

OPEN, CLOSED = values(), values(cidr_ipv4="10.0.0.0/8")
CLASSIC = "aws_security_group_rule"


def ssh(*changes: dict[str, Any], scope: Scope = Scope.CHANGED) -> list[str]:
    """What the policy on SSH says."""
    return verdicts(judged(changes_of(*changes), scope), "sg-world-ssh")


def rule(name: str, **fields: Any) -> dict[str, Any]:
    """One new separate rule of this name."""
    unknown = {key: True for key, value in fields.items() if value == "unknown"}
    known = {key: value for key, value in values(**fields).items() if key not in unknown}
    return change(["create"], after=known, unknown=unknown, address=f"aws_vpc_security_group_ingress_rule.{name}")


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("0:0:0:0:0:0:0:0/0", ["failed"]),
        ("1.2.3.4/0", ["failed"]),  # AWS cuts off what lies behind the prefix
        ("2000::/3", ["failed"]),
        ("2000::/4", ["failed"]),
        ("0.0.0.0/1", ["failed"]),  # half of it is more than a 256th
        ("8.0.0.0/7", ["failed"]),
        ("8.0.0.0/8", []),
        ("2600::/31", ["failed"]),
        ("2600::/32", []),
        ("::ffff:0.0.0.0/96", ["failed"]),  # IPv4 in IPv6's spelling
        ("::ffff:0:0/96", ["failed"]),
        ("::ffff:10.0.0.0/104", []),
        ("fc00::/7", []),
        ("10.0.0.0/7", []),  # wide, and its public half is no more than a /8
        ("0.0.0.0", ["unknown"]),  # AWS takes none of these
        ("::", ["unknown"]),
        ("0/0", ["unknown"]),
        ("0.0.0.0/33", ["unknown"]),
        ("000.000.000.000/0", ["unknown"]),
        ("any", ["unknown"]),
    ],
)
def test_network_is_the_world_however_it_is_spelled(source: str, verdict: list[str]) -> None:
    assert ssh(rule("r", cidr_ipv4=source)) == verdict


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"from_port": 20, "to_port": 25}, ["failed"]),
        ({"from_port": "22", "to_port": "22"}, ["failed"]),
        ({"from_port": None, "to_port": None}, ["failed"]),  # what has no end reaches everything
        ({"from_port": 23, "to_port": "unknown"}, []),
        ({"from_port": "unknown", "to_port": 21}, []),
        ({"from_port": 22, "to_port": "unknown"}, ["failed", "unknown"]),
        ({"ip_protocol": "TCP"}, ["failed"]),
        ({"ip_protocol": "6"}, ["failed"]),
        ({"ip_protocol": "ALL", "from_port": None, "to_port": None}, ["failed"]),
        ({"ip_protocol": "quic"}, ["unknown"]),
        ({"ip_protocol": "9" * 5000}, ["unknown"]),
        (
            {"ip_protocol": "unknown", "from_port": 443, "to_port": 443},
            ["unknown"],
        ),  # it may be -1, whose ports are void
        ({"ip_protocol": "58"}, []),
        ({"ip_protocol": "50"}, []),
        ({"ip_protocol": "unknown", "cidr_ipv4": "10.0.0.0/8"}, []),
    ],
)
def test_protocol_and_ports_open_ssh_or_may_open_it(fields: dict[str, Any], verdict: list[str]) -> None:
    found = ssh(rule("r", **fields))
    assert found == verdict or (len(found) == 1 and found[0] in verdict)


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ([{"cidr_ipv4": "9.0.0.0/8"}], ["failed", "failed"]),
        ([{"cidr_ipv4": "9.0.0.0/8", "security_group_id": "sg-2"}], []),
        ([{"cidr_ipv4": "9.0.0.0/8", "security_group_id": "unknown"}], ["unknown", "unknown"]),
        ([{"cidr_ipv4": "9.0.0.0/8", "from_port": 20, "to_port": 25}], ["failed", "failed"]),
        ([{"cidr_ipv4": "9.0.0.0/8", "from_port": 23, "to_port": 25}], []),
        ([{"cidr_ipv4": "9.0.0.0/9"}, {"cidr_ipv4": "9.128.0.0/10"}], ["failed"] * 3),
        ([{"cidr_ipv4": "240.0.0.0/4"}], []),  # reserved addresses are no source
        ([{"cidr_ipv4": "10.0.0.0/8"}], []),
        ([{"cidr_ipv4": "unknown"}], ["unknown", "unknown"]),
        ([{"cidr_ipv4": "0.0.0.0/0"}], ["failed"]),  # the world by itself needs no help
    ],
)
def test_parts_of_the_world_add_up_in_one_group_and_at_one_port(
    others: list[dict[str, Any]], verdict: list[str]
) -> None:
    found = ssh(rule("part", cidr_ipv4="8.0.0.0/8"), *(rule(f"r{i}", **fields) for i, fields in enumerate(others)))
    assert sorted(found) == verdict


@pytest.mark.parametrize(
    ("actions", "before", "after", "changed", "everything"),
    [
        (["no-op"], OPEN, OPEN, [], ["failed"]),
        (["update"], values(description="was"), OPEN, ["failed"], ["failed"]),
        (["delete", "create"], OPEN, OPEN, ["failed"], ["failed"]),
        (["create", "delete"], OPEN, OPEN, ["failed"], ["failed"]),
        (["delete"], OPEN, None, [], []),
        (["forget"], OPEN, None, [], ["failed"]),
        (["create", "forget"], CLOSED, OPEN, ["failed"], ["failed"]),
        (["create", "forget"], OPEN, CLOSED, [], ["failed"]),  # the forgotten one stays open, and was so before
        ([], None, OPEN, ["failed"], ["failed"]),
    ],
)
def test_only_what_the_actions_touch_is_found_unless_all_is_asked_for(
    actions: list[str], before: Any, after: Any, changed: list[str], everything: list[str]
) -> None:
    entry = change(actions, before, after)
    assert (ssh(entry), ssh(entry, scope=Scope.ALL)) == (changed, everything)


def test_deposed_object_that_was_open_does_not_excuse_the_one_that_is_opened() -> None:
    gone = change(["delete"], before=OPEN, deposed="abcd1234")
    assert ssh(gone) == []
    assert ssh(change(["update"], CLOSED, OPEN), gone) == ["failed"]
    assert ssh(gone, change(["no-op"], OPEN, OPEN)) == []


def test_resource_without_type_or_mode_is_known_by_its_address_whatever_the_keys_hold() -> None:
    entry = rule("r")
    bare = {key: value for key, value in entry.items() if key not in {"type", "mode"}}
    for address in ('module.a["x.y[\\"z\\"]"].{}["k.data.k"]', "module.data.{}"):
        assert ssh({**bare, "address": address.format(entry["address"])}) == ["failed"]
    assert ssh({**bare, "address": f"module.a.data.{entry['address']}"}) == []


def test_deferred_rule_is_judged_like_one_that_is_planned() -> None:
    plan = plan_of(deferred_changes=[{"reason": "provider_config_unknown", "resource_change": rule("r")}])
    assert verdicts(judged(rules_from_plan(parse_plan(plan))), "sg-world-ssh") == ["failed"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mode": "Managed"}, "unknown mode"),
        ({"address": "aws_x.y\nall is well"}, "control characters"),
    ],
)
def test_entry_that_terraform_would_not_write_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ssh({**rule("r"), **wrong})


@pytest.mark.parametrize("part", [{"resources": [{"address": "aws_x.y"}]}, {"child_modules": [{}]}])
def test_plan_of_which_the_changes_were_cut_off_is_refused(part: dict[str, Any]) -> None:
    cut = {"format_version": "1.2", "planned_values": {"root_module": part}}
    for changes in ({}, {"resource_changes": None}):
        with pytest.raises(InputError, match="not whole"):
            parse_plan({**cut, **changes})
    assert parse_plan({**cut, "planned_values": {"root_module": {}}}).changes == ()


@pytest.mark.parametrize("field", [{"from_port": "70000"}, {"to_port": 65536}, {"from_port": 21.5}])
def test_port_beyond_all_ports_is_refused_however_it_is_written(field: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no port number"):
        ssh(rule("r", **field))


@pytest.mark.parametrize("field", ["from_port", "to_port", "ip_protocol"])
@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_number_without_end_is_refused(field: str, number: float) -> None:
    with pytest.raises(InputError):
        ssh(rule("r", **{field: number}))


def test_flag_that_is_an_object_is_refused() -> None:
    wrong = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "self": {}}
    with pytest.raises(InputError, match="neither true nor false"):
        ssh(change(["create"], after=wrong, type=CLASSIC, address=f"{CLASSIC}.r"))


def test_report_of_another_tool_with_half_a_character_is_refused() -> None:
    run = '{"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "r", "message": {"text": "\\udc00"}}]}'
    with pytest.raises(InputError, match="surrogate"):
        findings_from_sarif(f'{{"runs": [{run}]}}', "x.sarif", {})


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_is_read() -> None:
    text = json.dumps(plan_of(rule("r", description="HALF")))
    with pytest.raises(InputError, match="surrogate"):
        parse_plan(text.replace("HALF", "\\ud800"))
    assert parse_plan(text.replace("HALF", "\\ud83d\\ude00").encode()).changes
