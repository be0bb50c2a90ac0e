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
