"""The same normalised rule from a state, from AWS and from files."""

from __future__ import annotations

import json

import pytest

from runbook_lib.domain.rules import hcl_changes, rules_from_state
from runbook_lib.domain.rules.aws import rules_from_aws
from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.findings import Source
from runbook_lib.models.hcl import HclModule, HclResource
from runbook_lib.models.rules import Direction, Rule, SourceKind

AWS = {
    "SecurityGroupRuleId": "sgr-1",
    "GroupId": "sg-1",
    "IsEgress": False,
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
}
SSH = Rule(
    direction=Direction.INGRESS,
    protocol="tcp",
    from_port=22,
    to_port=22,
    source="10.0.0.0/8",
    description="SSH",
    group="sg-1",
)


def state(*instances: dict[str, object], **fields: object) -> str:
    usual = {
        "mode": "managed",
        "type": "aws_vpc_security_group_ingress_rule",
        "name": "r",
        "instances": list(instances),
    }
    return json.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": [{**usual, **fields}]})


ATTRIBUTES = {
    "ip_protocol": "6",
    "from_port": 22,
    "to_port": 22,
    "cidr_ipv4": "10.0.0.0/8",
    "description": "SSH",
    "security_group_id": "sg-1",
}


def test_state_rule_carries_its_address_with_module_and_key() -> None:
    found = rules_from_state(state({"index_key": 'a "b"', "attributes": ATTRIBUTES}, module='module.m["x"]'))
    address = r'module.m["x"].aws_vpc_security_group_ingress_rule.r["a \"b\""]'
    assert found == (SSH.model_copy(update={"address": address}),)


def test_state_of_a_stack_never_applied_holds_no_rules() -> None:
    assert rules_from_state("") == ()


@pytest.mark.parametrize(
    "text", ["{}", '{"version": 3}', '{"version": 4, "resources": 1}', '{"version": 4, "resources": [1]}', "x"]
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        rules_from_state(text)


def test_aws_rule_is_the_same_rule() -> None:
    assert rules_from_aws([{**AWS, "CidrIpv4": "10.0.0.0/8", "Description": "SSH"}]) == (SSH,)


def test_aws_does_not_say_with_a_rule_what_its_prefix_list_holds() -> None:
    (rule,) = rules_from_aws([{**AWS, "PrefixListId": "pl-1"}])
    assert (rule.source_kind, rule.source, rule.entries) == (SourceKind.PREFIX_LIST, "pl-1", UNKNOWN)


def test_aws_rule_without_ports_opens_everything() -> None:
    (rule,) = rules_from_aws([{**AWS, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv6": "::/0"}])
    assert (rule.protocol, rule.from_port, rule.to_port) == ("all", None, None)


def test_unknown_survives_json_and_back() -> None:
    rule = SSH.model_copy(update={"source": UNKNOWN, "protocol": UNKNOWN, "to_port": UNKNOWN})
    assert Rule.model_validate_json(rule.model_dump_json()) == rule


def test_rule_that_stood_in_the_files_before_is_not_touched() -> None:
    old, new = hcl_rule("old", 22), hcl_rule("new", 80)
    changes = hcl_changes(HclModule((old, new)), HclModule((old,)))
    assert [changes.after[index].address for index in changes.touched] == [new.address]


def test_rule_edited_in_the_files_is_touched() -> None:
    changes = hcl_changes(HclModule((hcl_rule("web", 80),)), HclModule((hcl_rule("web", 8000),)))
    assert len(changes.touched) == 1


def hcl_rule(name: str, port: int) -> HclResource:
    kind = "aws_vpc_security_group_ingress_rule"
    values = {"ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": "0.0.0.0/0"}
    return HclResource(f"{kind}.{name}", kind, values, Source(file="main.tf", line=1))
