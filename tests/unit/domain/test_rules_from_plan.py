"""Rules before and after: every action, and what a change touches."""

from __future__ import annotations

import pytest
from compliance_samples import change, changes_of, judged, values, verdicts

from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.compliance import Scope
from runbook_lib.models.rules import SourceKind

SSH = "sg-world-ssh"
GROUP = {"address": "aws_security_group.g", "type": "aws_security_group", "name": "g"}


def block(**fields: object) -> dict[str, object]:
    usual = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "description": "SSH"}
    return {**usual, **fields}


def test_old_sin_in_an_untouched_rule_does_not_count() -> None:
    changes = changes_of(change(["no-op"], values(), values()))
    assert verdicts(judged(changes), SSH) == []
    assert verdicts(judged(changes, Scope.ALL), SSH) == ["failed"]


def test_touching_an_old_sin_makes_it_count() -> None:
    changes = changes_of(change(["update"], values(), values(description="SSH, still")))
    assert verdicts(judged(changes), SSH) == ["failed"]


def test_untouched_block_beside_a_changed_one_does_not_count() -> None:
    before = {"id": "sg-1", "ingress": [block()]}
    after = {"id": "sg-1", "ingress": [block(), block(from_port=443, to_port=443)]}
    assert verdicts(judged(changes_of(change(["update"], before, after, **GROUP))), SSH) == []


@pytest.mark.parametrize("actions", [["delete", "create"], ["create", "delete"]])
def test_replaced_resource_counts_though_it_looks_the_same(actions: list[str]) -> None:
    assert verdicts(judged(changes_of(change(actions, values(), values()))), SSH) == ["failed"]


def test_deleted_rule_is_gone() -> None:
    changes = changes_of(change(["delete"], values()))
    assert (len(changes.before), changes.after) == (1, ())


def test_forgotten_rule_stays_in_aws_as_it_was() -> None:
    changes = changes_of(change(["forget"], values()))
    assert changes.before == changes.after
    assert changes.touched == frozenset()
    assert verdicts(judged(changes, Scope.ALL), SSH) == ["failed"]


def test_moved_rule_is_the_same_rule() -> None:
    moved = change(["no-op"], values(), values(), previous_address="aws_vpc_security_group_ingress_rule.old")
    assert changes_of(moved).touched == frozenset()


def test_deposed_object_is_there_before_and_gone_after() -> None:
    changes = changes_of(change(["delete"], values(), deposed="abcd1234"), change(["create"], None, values()))
    assert (len(changes.before), len(changes.after), len(changes.touched)) == (1, 1, 1)


def test_what_a_target_left_out_still_stands() -> None:
    held = {"address": "aws_vpc_security_group_ingress_rule.left_out", "mode": "managed",
            "type": "aws_vpc_security_group_ingress_rule", "values": values()}  # fmt: skip
    changes = changes_of(prior_state={"values": {"root_module": {"child_modules": [{"resources": [held]}]}}})
    assert [rule.address for rule in changes.after] == [held["address"]]
    assert changes.touched == frozenset()


def test_changed_prefix_list_touches_the_rule_that_uses_it() -> None:
    lists = {"address": "aws_ec2_managed_prefix_list.l", "type": "aws_ec2_managed_prefix_list", "name": "l"}
    narrow, wide = ({"id": "pl-1", "entry": [{"cidr": cidr}]} for cidr in ("203.0.113.0/24", "0.0.0.0/0"))
    rule = values(cidr_ipv4=None, prefix_list_id="pl-1")
    changes = changes_of(change(["update"], narrow, wide, **lists), change(["no-op"], rule, rule))
    assert verdicts(judged(changes), SSH) == ["failed"]


def test_nested_unknown_is_absent_from_after_and_still_seen() -> None:
    hidden = {key: value for key, value in block().items() if key != "cidr_blocks"}
    after = {"id": "sg-1", "ingress": [hidden]}
    changes = changes_of(change(["create"], None, after, unknown={"ingress": [{"cidr_blocks": True}]}, **GROUP))
    assert changes.after[0].source is UNKNOWN
    assert verdicts(judged(changes), SSH) == ["unknown"]


def test_self_beside_the_world_is_open_to_the_world() -> None:
    after = {"id": "sg-1", "ingress": [block(self=True)]}
    changes = changes_of(change(["create"], None, after, **GROUP))
    assert {rule.source_kind for rule in changes.after} == {SourceKind.NETWORK, SourceKind.SELF}
    assert verdicts(judged(changes), SSH) == ["failed"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"from_port": "ssh"},
        {"from_port": True},
        {"from_port": 70000},
        {"ip_protocol": []},
        {"cidr_ipv4": 7},
        {"description": {}},
    ],
)
def test_attribute_of_a_wrong_kind_is_an_error_and_no_pass(attributes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"aws_vpc_security_group_ingress_rule\.rule"):
        changes_of(change(["create"], None, values(**attributes)))


CLASSIC = {"address": "aws_security_group_rule.r", "type": "aws_security_group_rule", "name": "r"}


@pytest.mark.parametrize(
    ("after", "entry", "says"),
    [
        (
            {"type": "inward", **block()},
            CLASSIC,
            "aws_security_group_rule.r: type is neither ingress nor egress: 'inward'",
        ),
        ({"ingress": "all"}, GROUP, "aws_security_group.g: ingress is no list of rules"),
        ({"egress": ["all"]}, GROUP, "aws_security_group.g: egress holds something that is no rule"),
    ],
)
def test_what_is_no_rule_is_refused_by_its_place(after: dict[str, object], entry: dict[str, str], says: str) -> None:
    with pytest.raises(InputError) as caught:
        changes_of(change(["create"], None, after, **entry))
    assert caught.value.message == says
    assert caught.value.remedy.startswith("Check where this")


def test_a_classic_rule_is_one_rule_for_each_of_its_sources() -> None:
    after = {
        "type": "egress", "protocol": "udp", "from_port": 53, "to_port": 53, "security_group_id": "sg-1",
        "cidr_blocks": ["10.0.0.0/8"], "ipv6_cidr_blocks": ["2001:db8::/32"], "prefix_list_ids": ["pl-1"],
        "source_security_group_id": "sg-2", "self": True, "description": "DNS",
    }  # fmt: skip
    rules = changes_of(change(["create"], None, after, **CLASSIC)).after
    assert [(str(rule.source_kind), rule.source) for rule in rules] == [
        ("network", "10.0.0.0/8"),
        ("network", "2001:db8::/32"),
        ("prefix_list", "pl-1"),
        ("group", "sg-2"),
        ("self", "self"),
    ]
    assert {
        (str(r.direction), r.protocol, r.from_port, r.to_port, r.group, r.description, r.address) for r in rules
    } == {("egress", "udp", 53, 53, "sg-1", "DNS", "aws_security_group_rule.r")}


def test_blocks_of_a_group_are_rules_of_it_each_way() -> None:
    after = {
        "id": "sg-1",
        "ingress": [block(security_groups=["sg-2"], cidr_blocks=[])],
        "egress": [block(prefix_list_ids=["pl-1"], cidr_blocks=None, description="")],
    }
    rules = changes_of(change(["create"], None, after, **GROUP)).after
    assert [(str(r.direction), str(r.source_kind), r.source, r.group, r.description) for r in rules] == [
        ("ingress", "group", "sg-2", "sg-1", "SSH"),
        ("egress", "prefix_list", "pl-1", "sg-1", None),
    ]


def test_a_separate_rule_has_each_of_its_sources() -> None:
    after = values(
        cidr_ipv4=None, cidr_ipv6="2001:db8::/32", prefix_list_id="pl-1", referenced_security_group_id="sg-2"
    )
    rules = changes_of(change(["create"], None, after)).after
    assert [(str(rule.source_kind), rule.source) for rule in rules] == [
        ("network", "2001:db8::/32"),
        ("prefix_list", "pl-1"),
        ("group", "sg-2"),
    ]


def test_a_rule_without_a_group_is_of_an_unknown_one() -> None:
    (rule,) = changes_of(change(["create"], None, values(security_group_id=None))).after
    assert rule.group is UNKNOWN


@pytest.mark.parametrize(
    ("kind", "name", "default"),
    [
        ("aws_security_group", "default", True),
        ("aws_security_group", "web", False),
        ("aws_default_security_group", "any", True),
        ("aws_vpc", "default", False),
    ],
)
def test_a_vpc_s_own_group_is_known_by_its_type_or_its_name(kind: str, name: str, default: bool) -> None:
    entry = {"address": f"{kind}.g", "type": kind, "name": "g"}
    changes = changes_of(change(["create"], None, {"id": "sg-1", "name": name}, **entry))
    assert ("sg-1" in changes.default_groups) is default
    assert (f"{kind}.g" in changes.default_groups) is default


def test_a_region_of_its_own_makes_no_other_rule_of_it() -> None:
    plain = changes_of(change(["create"], None, values()))
    regional = changes_of(change(["create"], None, values(region="eu-west-1")))
    assert (regional.after, regional.touched) == (plain.after, plain.touched)
