"""The same normalised rule from a state, from AWS and from files."""

from __future__ import annotations

import json
from dataclasses import replace

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


def test_what_is_not_certain_and_written_otherwise_is_touched() -> None:
    def module(written: str) -> HclModule:
        rule = hcl("aws_vpc_security_group_ingress_rule", "r", {"cidr_ipv4": UNKNOWN, "ip_protocol": "-1"})
        listed = hcl(PREFIX_LIST, "l", {"id": "pl-1", "entry": UNKNOWN})
        named = hcl("aws_vpc_security_group_egress_rule", "n", {"prefix_list_id": "pl-1", "ip_protocol": "-1"})
        policy = hcl("aws_iam_policy", "p", {"policy": UNKNOWN})
        return HclModule((rule, *(replace(each, written=written) for each in (listed, policy)), named))

    def of_rule(written: str) -> HclModule:
        resources = module("a").resources
        return HclModule((replace(resources[0], written=written), *resources[1:]))

    def touched(now: HclModule, before: HclModule) -> list[str]:
        changes = hcl_changes(now, before)
        views = [view.address for view in changes.resources_of({"aws_iam_policy"}) if view.touched]
        return [changes.after[index].address for index in sorted(changes.touched)] + views

    assert touched(module("a"), module("a")) == []
    assert touched(of_rule("b"), module("a")) == ["aws_vpc_security_group_ingress_rule.r"]
    assert touched(module("b"), module("a")) == ["aws_vpc_security_group_egress_rule.n", "aws_iam_policy.p"]
    (before, after) = (hcl_changes(module("b"), module("a")).lists_before, hcl_changes(module("b")).lists_after)
    assert (before["pl-1"].unknown, after["pl-1"].unknown) == ((), (f"{PREFIX_LIST}.l",))


def hcl_rule(name: str, port: int) -> HclResource:
    kind = "aws_vpc_security_group_ingress_rule"
    values = {"ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": "0.0.0.0/0"}
    return HclResource(f"{kind}.{name}", kind, values, Source(file="main.tf", line=1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "this is no Terraform state of version 4"),
        ('{"version": 3}', "this is no Terraform state of version 4"),
        ('{"version": 4, "resources": 1}', "the state's resources are no list"),
        ('{"version": 4, "resources": [1]}', "the state holds something that is no resource"),
        ('{"version": 4, "resources": [{"instances": 1}]}', "the state holds something that is no resource"),
        (state(1), "the state's aws_vpc_security_group_ingress_rule.r has no attributes"),  # type: ignore[arg-type]
        (state({}), "the state's aws_vpc_security_group_ingress_rule.r has no attributes"),
    ],
)
def test_what_is_wrong_with_a_state_is_told_with_how_to_get_one(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        rules_from_state(text)
    assert (caught.value.message, caught.value.remedy) == (says, "Pull it with `terraform state pull`.")


def test_text_that_is_no_json_is_told_to_be_the_state() -> None:
    with pytest.raises(InputError) as caught:
        rules_from_state("x")
    assert caught.value.message == "the state is no JSON, or cut short: Expecting value at line 1, column 1"


def test_rules_of_a_state_are_numbered_as_their_instances() -> None:
    (rule,) = rules_from_state(state({"index_key": 3, "attributes": ATTRIBUTES}))
    assert rule.address == "aws_vpc_security_group_ingress_rule.r[3]"


def resource(kind: str, name: str, attributes: dict[str, object], mode: str = "managed") -> dict[str, object]:
    return {"mode": mode, "type": kind, "name": name, "instances": [{"attributes": attributes}]}


@pytest.mark.parametrize(
    "lists",
    [
        [resource("aws_ec2_managed_prefix_list", "l", {"id": "pl-1", "entry": [{"cidr": "10.0.0.0/8"}]})],
        [resource("aws_prefix_list", "l", {"id": "pl-1", "cidr_blocks": ["10.0.0.0/8"]}, "data")],
        [
            resource("aws_ec2_managed_prefix_list", "l", {"id": "pl-1", "entry": []}),
            resource("aws_ec2_managed_prefix_list_entry", "e", {"prefix_list_id": "pl-1", "cidr": "10.0.0.0/8"}),
        ],
    ],
    ids=["with its entries", "looked up", "with entries of their own"],
)
def test_a_rule_of_a_state_knows_the_entries_of_its_list(lists: list[dict[str, object]]) -> None:
    listed = {key: value for key, value in ATTRIBUTES.items() if key != "cidr_ipv4"} | {"prefix_list_id": "pl-1"}
    document = {"version": 4, "resources": [resource("aws_vpc_security_group_ingress_rule", "r", listed), *lists]}
    (rule,) = rules_from_state(document)
    assert (rule.source_kind, rule.source, rule.entries) == (SourceKind.PREFIX_LIST, "pl-1", ("10.0.0.0/8",))


def test_a_rule_that_was_only_looked_up_is_not_this_state_s() -> None:
    assert rules_from_state(state({"attributes": ATTRIBUTES}, mode="data")) == ()


def test_aws_rule_between_groups_names_the_other() -> None:
    (rule,) = rules_from_aws([{**AWS, "IsEgress": True, "ReferencedGroupInfo": {"GroupId": "sg-2"}}])
    assert (rule.direction, rule.source_kind, rule.source) == (Direction.EGRESS, SourceKind.GROUP, "sg-2")


def test_aws_rule_that_says_nothing_of_the_other_end_is_unknown() -> None:
    (rule,) = rules_from_aws([{**AWS, "GroupId": ""}])
    assert (rule.source_kind, rule.source, rule.group, rule.description) == (SourceKind.UNKNOWN, UNKNOWN, UNKNOWN, None)


def test_aws_rule_of_a_wrong_kind_is_named_by_its_id() -> None:
    with pytest.raises(InputError, match="sgr-1"):
        rules_from_aws([{**AWS, "FromPort": "ssh"}])
    with pytest.raises(InputError, match="a rule of AWS"):
        rules_from_aws([{"IpProtocol": "tcp", "FromPort": "ssh"}])


def hcl(kind: str, name: str, values: dict[str, object], **references: tuple[str, ...]) -> HclResource:
    return HclResource(f"{kind}.{name}", kind, values, Source(file="main.tf", line=1), references)


@pytest.mark.parametrize(
    ("entry", "entries"),
    [
        pytest.param(
            hcl("aws_ec2_managed_prefix_list_entry", "e", {"prefix_list_id": UNKNOWN, "cidr": "10.0.0.0/8"},
                prefix_list_id=("aws_ec2_managed_prefix_list.l",)),
            [("10.0.0.0/8", "192.0.2.0/24")],
            id="an entry of this list",
        ),
        pytest.param(
            hcl("aws_ec2_managed_prefix_list_entry", "e", {"prefix_list_id": "pl-9", "cidr": "10.0.0.0/8"}),
            [("192.0.2.0/24",)],
            id="an entry of another list",
        ),
        pytest.param(
            hcl("aws_ec2_managed_prefix_list_entry", "e", {"prefix_list_id": UNKNOWN, "cidr": "10.0.0.0/8"}),
            [("192.0.2.0/24",), UNKNOWN],
            id="an entry of nobody knows which",
        ),
    ],
)  # fmt: skip
def test_a_list_in_files_holds_its_own_entries_and_those_that_name_it(
    entry: HclResource, entries: list[object]
) -> None:
    listed = hcl("aws_ec2_managed_prefix_list", "l", {"entry": [{"cidr": "192.0.2.0/24"}]})
    rule = hcl(
        "aws_vpc_security_group_ingress_rule",
        "r",
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "prefix_list_id": UNKNOWN},
        prefix_list_id=("aws_ec2_managed_prefix_list.l",),
    )
    found = hcl_changes(HclModule((listed, entry, rule))).after
    assert [rule.entries for rule in found] == entries
    assert {rule.source for rule in found} == {"aws_ec2_managed_prefix_list.l"}


def test_files_know_their_vpcs_own_groups_and_what_was_touched() -> None:
    vpc, default = hcl("aws_vpc", "v", {"a": 1}), hcl("aws_default_security_group", "d", {})
    changes = hcl_changes(HclModule((vpc, default)), HclModule((hcl("aws_vpc", "v", {"a": 2}), default)))
    assert changes.default_groups == {"aws_vpc.v.default_security_group_id", "aws_default_security_group.d"}
    views = list(changes.resources_of({"aws_vpc", "aws_default_security_group"}))
    assert [(view.address, view.type, view.touched) for view in views] == [
        ("aws_vpc.v", "aws_vpc", True),
        ("aws_default_security_group.d", "aws_default_security_group", False),
    ]
    assert [view.address for view in changes.resources_of({"aws_vpc"})] == ["aws_vpc.v"]
    assert changes.resources == 2


LISTED = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22}
PREFIX_LIST = "aws_ec2_managed_prefix_list"


@pytest.mark.parametrize(
    ("written", "entries"),
    [
        pytest.param({}, [("10.0.0.0/8",)], id="none in the list itself"),
        pytest.param({"entry": []}, [("10.0.0.0/8",)], id="no block"),
        pytest.param({"entry": UNKNOWN}, [("10.0.0.0/8",), UNKNOWN], id="blocks that are not known yet"),
        pytest.param({"entry": [{"cidr": UNKNOWN}]}, [("10.0.0.0/8",), UNKNOWN], id="a block that is not known yet"),
    ],
)
def test_what_files_leave_open_of_a_list_is_unknown(written: dict[str, object], entries: list[object]) -> None:
    module = HclModule(
        (
            hcl(f"{PREFIX_LIST}_entry", "e", {"prefix_list_id": "pl-1", "cidr": "10.0.0.0/8"}),
            hcl(PREFIX_LIST, "l", {"id": "pl-1", **written}),
            hcl("aws_vpc_security_group_egress_rule", "r", {**LISTED, "prefix_list_id": "pl-1"}),
        )
    )
    found = hcl_changes(module).after
    assert [rule.entries for rule in found] == entries
    assert {(rule.direction, rule.source, rule.address) for rule in found} == {
        (Direction.EGRESS, "pl-1", "aws_vpc_security_group_egress_rule.r")
    }


def test_of_files_that_were_never_before_everything_is_touched() -> None:
    module = HclModule((hcl_rule("web", 80), hcl("aws_default_vpc", "v", {}), hcl("aws_vpc", "w", {})))
    changes = hcl_changes(module)
    assert (changes.before, changes.touched, changes.resources) == ((), {0}, 3)
    assert changes.default_groups == {
        "aws_default_vpc.v.default_security_group_id", "aws_vpc.w.default_security_group_id",
    }  # fmt: skip
    assert [view.touched for view in changes.resources_of({"aws_default_vpc", "aws_vpc"})] == [True, True]


def test_a_rule_in_files_knows_the_group_that_its_expression_names() -> None:
    values: dict[str, object] = {**LISTED, "cidr_ipv4": "10.0.0.0/8", "security_group_id": UNKNOWN}
    kind = "aws_vpc_security_group_ingress_rule"
    named = hcl(kind, "a", values, security_group_id=("aws_security_group.web",))
    (known, unknown) = hcl_changes(HclModule((named, hcl(kind, "b", values)))).after
    assert (known.group, unknown.group) == ("aws_security_group.web", UNKNOWN)


def test_blocks_of_a_group_in_files_are_unknown_only_where_they_are_written() -> None:
    found = hcl_changes(HclModule((hcl("aws_security_group", "g", {"ingress": UNKNOWN, "name": "g"}),))).after
    assert [(rule.direction, rule.source_kind, rule.group) for rule in found] == [
        (Direction.INGRESS, SourceKind.UNKNOWN, "aws_security_group.g")
    ]


@pytest.mark.parametrize(
    ("item", "kind", "source"),
    [
        ({"CidrIpv4": "10.0.0.0/8"}, SourceKind.NETWORK, "10.0.0.0/8"),
        ({"CidrIpv6": "2001:db8::/32"}, SourceKind.NETWORK, "2001:db8::/32"),
        ({"PrefixListId": "pl-1"}, SourceKind.PREFIX_LIST, "pl-1"),
        ({"ReferencedGroupInfo": {"GroupId": "sg-2", "UserId": "111122223333"}}, SourceKind.GROUP, "sg-2"),
        ({"ReferencedGroupInfo": {}}, SourceKind.UNKNOWN, UNKNOWN),
        ({"ReferencedGroupInfo": None}, SourceKind.UNKNOWN, UNKNOWN),
    ],
)
def test_the_other_end_of_a_rule_of_aws_is_what_aws_names(
    item: dict[str, object], kind: SourceKind, source: object
) -> None:
    (rule,) = rules_from_aws([{**AWS, "Description": "", **item}])
    assert (rule.source_kind, rule.source, rule.description) == (kind, source, None)
    assert (rule.direction, rule.protocol, rule.from_port, rule.to_port, rule.group, rule.address) == (
        Direction.INGRESS, "tcp", 22, 22, "sg-1", "",
    )  # fmt: skip


def test_a_state_s_resources_of_other_kinds_are_passed_by_whatever_they_hold() -> None:
    others = [
        {"mode": "managed", "type": "aws_vpc", "name": "v", "instances": [{}]},
        {"mode": "data", "type": "aws_security_group", "name": "g", "instances": [{}]},
        {"mode": "managed", "type": "aws_security_group_rule", "name": "none"},
    ]
    assert rules_from_state({"version": 4, "resources": others}) == ()
    assert rules_from_state({"version": 4}) == rules_from_state({"version": 4, "resources": None}) == ()
    assert rules_from_state(b" \n") == rules_from_state(" ") == ()


def test_a_key_of_a_state_is_written_as_terraform_writes_it() -> None:
    found = rules_from_state(state({"index_key": 'a\\b"c', "attributes": ATTRIBUTES}))
    assert found[0].address == 'aws_vpc_security_group_ingress_rule.r["a\\\\b\\"c"]'
