"""Attributes in which a resource shows what others do to it."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.resource_drift import drifted

TABLE = {"id": "rtb-1", "route": []}
POLICY = '{"Statement": [{"Action": "s3:GetObject"}]}'


def told(
    kind: str, before: dict[str, Any], after: dict[str, Any], *others: tuple[str, dict[str, Any]], writes: Any = ()
) -> list[str]:
    """The attributes that are told of a resource of this kind, beside others in the plan."""
    change = {
        "address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x",
        "change": {"actions": ["update"], "before": before, "after": after, "after_unknown": {}},
    }  # fmt: skip
    values = [(f"{kind}.x", after), *((f"{type_}.y{index}", own) for index, (type_, own) in enumerate(others))]
    document = {
        "format_version": "1.2",
        "resource_changes": [],
        "resource_drift": [change],
        "planned_values": {"root_module": {"resources": [{"address": at, "values": own} for at, own in values]}},
        "configuration": {
            "root_module": {"resources": [{"address": f"{kind}.x", "expressions": {key: {} for key in writes}}]}
        },
    }
    return [name for difference in drifted(parse_plan(document)) for name in difference.fields]


ROUTE = ("aws_route", {"route_table_id": "rtb-1", "destination_cidr_block": "10.9.0.0/16", "gateway_id": "igw-1"})
SHOWN = {"cidr_block": "10.9.0.0/16", "gateway_id": "igw-1", "nat_gateway_id": ""}


def test_what_another_resource_of_the_stack_did_is_nobody_s_hand() -> None:
    assert told("aws_route_table", TABLE, TABLE | {"route": [SHOWN]}, ROUTE) == []
    arn, role = "arn:aws:iam::aws:policy/ReadOnlyAccess", {"id": "deploy", "name": "deploy"}
    attached = ("aws_iam_role_policy_attachment", {"role": "deploy", "policy_arn": arn})
    assert (
        told("aws_iam_role", role | {"managed_policy_arns": []}, role | {"managed_policy_arns": [arn]}, attached) == []
    )
    inline = ("aws_iam_role_policy", {"role": "deploy", "name": "read", "policy": POLICY})
    shown = {"name": "read", "policy": POLICY.replace(" ", "")}
    assert told("aws_iam_role", role | {"inline_policy": []}, role | {"inline_policy": [shown]}, inline) == []


def test_what_no_resource_of_the_stack_did_is_told() -> None:
    by_hand = {"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}
    assert told("aws_route_table", TABLE, TABLE | {"route": [SHOWN, by_hand]}, ROUTE) == ["route"]
    assert told("aws_route_table", TABLE, TABLE | {"route": [SHOWN]}) == ["route"]
    of_another_table = ("aws_route", ROUTE[1] | {"route_table_id": "rtb-2"})
    assert told("aws_route_table", TABLE, TABLE | {"route": [SHOWN]}, of_another_table) == ["route"]


def test_what_is_two_steps_away_counts_as_well() -> None:
    instance = {"id": "i-1", "ebs_block_device": []}
    shown = {"device_name": "/dev/sdf", "volume_id": "vol-1", "volume_type": "gp3", "volume_size": 8}
    attachment = ("aws_volume_attachment", {"instance_id": "i-1", "volume_id": "vol-1", "device_name": "/dev/sdf"})
    volume = ("aws_ebs_volume", {"id": "vol-1", "type": "gp3", "size": 8})
    after = instance | {"ebs_block_device": [shown]}
    assert told("aws_instance", instance, after, attachment, volume) == []
    assert told("aws_instance", instance, after, volume) == ["ebs_block_device"]
    smaller = ("aws_ebs_volume", {"id": "vol-1", "type": "gp3", "size": 4})
    assert told("aws_instance", instance, after, attachment, smaller) == ["ebs_block_device"]


ACL: dict[str, Any] = {"id": "acl-1", "ingress": [], "egress": []}
ENTRY: dict[str, Any] = {
    "action": "allow", "cidr_block": "0.0.0.0/0", "from_port": 0, "icmp_code": 0, "icmp_type": 0, "ipv6_cidr_block": "",
    "protocol": "-1", "rule_no": 100, "to_port": 0,
}  # fmt: skip
OUT: dict[str, Any] = {
    "id": "nacl-1", "network_acl_id": "acl-1", "rule_action": "allow", "rule_number": 100, "egress": True,
    "protocol": "-1", "cidr_block": "0.0.0.0/0", "ipv6_cidr_block": None, "from_port": 0, "to_port": 0,
    "icmp_code": None, "icmp_type": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("way", "entry", "is_told"),
    [
        pytest.param("egress", {}, False, id="its own"),
        pytest.param("ingress", {}, True, id="the other direction"),
        pytest.param("egress", {"rule_no": 1}, True, id="another number"),
        pytest.param("egress", {"cidr_block": "acl-1"}, True, id="another text under the same name"),
        pytest.param("egress", {"to_port": 100}, True, id="another port, which is the number"),
        pytest.param("egress", {"action": "deny"}, True, id="another action"),
    ],
)
def test_an_entry_of_a_network_acl_is_one_rule_s_of_the_same_direction(
    way: str, entry: dict[str, Any], is_told: bool
) -> None:
    found = told("aws_network_acl", ACL, ACL | {way: [ENTRY | entry]}, ("aws_network_acl_rule", OUT))
    assert found == ([way] if is_told else [])


def test_what_two_resources_hold_together_is_neither_s_doing() -> None:
    elsewhere = ("aws_route", ROUTE[1] | {"destination_cidr_block": "10.8.0.0/16", "gateway_id": "igw-2"})
    mixed = {"cidr_block": "10.9.0.0/16", "gateway_id": "igw-2"}
    assert told("aws_route_table", TABLE, TABLE | {"route": [mixed]}, ROUTE, elsewhere) == ["route"]


def test_a_tag_that_another_resource_sets_is_nobody_s_hand() -> None:
    before, after = {"id": "vpc-1", "tags": {"Name": "main"}}, {"id": "vpc-1", "tags": {"Name": "main", "Team": "net"}}
    sets = ("aws_ec2_tag", {"id": "vpc-1,Team", "resource_id": "vpc-1", "key": "Team", "value": "net"})
    assert told("aws_vpc", before, after, sets) == []
    assert told("aws_vpc", before, after | {"tags": {"Name": "net", "Team": "net"}}, sets) == ["tags"]
    assert told("aws_vpc", after, before, sets) == ["tags"]


@pytest.mark.parametrize(
    ("name", "before", "after", "is_told"),
    [
        ("version", 1, 2, False),
        ("latest_restorable_time", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", False),
        ("instance_state", "running", "stopped", True),
        ("monitoring", False, True, True),
        ("route", [SHOWN], [], False),
        ("settings", [], [{"enabled": True}], True),
    ],
)
def test_what_a_service_counts_or_dates_itself_is_not_told(name: str, before: Any, after: Any, is_told: bool) -> None:
    same = {"id": "x-1"}
    assert told("aws_thing", same | {name: before}, same | {name: after}) == ([name] if is_told else [])


def test_what_the_files_write_is_told_whoever_did_it() -> None:
    assert told("aws_route_table", TABLE, TABLE | {"route": [SHOWN]}, ROUTE, writes=["route"]) == ["route"]
    assert told("aws_thing", {"id": "x", "version": 1}, {"id": "x", "version": 2}, writes=["version"]) == ["version"]
