"""Failures on order."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runbook_lib.lab.faults import FaultOrder, Faults


def order(**wanted: object) -> FaultOrder:
    return FaultOrder.model_validate(wanted)


def test_nothing_fails_that_was_not_asked_to() -> None:
    faults = Faults()
    assert faults.strike("DescribeVpcs") is None
    assert not faults.web_down


def test_deny_refuses_every_reading_call_and_no_other() -> None:
    faults = Faults()
    faults.give(order(aws="deny"))
    struck = faults.strike("DescribeVpcs")
    assert struck is not None
    assert struck.code == "UnauthorizedOperation"
    assert faults.strike("GetCallerIdentity") is None
    assert faults.strike("AuthorizeSecurityGroupIngress") is None


def test_fail_after_lets_the_first_change_through_and_refuses_the_later_ones() -> None:
    faults = Faults()
    faults.give(order(aws="fail_after"))
    assert faults.strike("DescribeSecurityGroupRules") is None
    changes = ["RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"]
    assert [faults.strike(action) is None for action in changes] == [True, False, False]


def test_a_new_order_counts_from_the_beginning() -> None:
    faults = Faults()
    for _ in range(2):
        faults.give(order(aws="fail_after"))
        assert faults.strike("AuthorizeSecurityGroupIngress") is None
        assert faults.strike("AuthorizeSecurityGroupIngress") is not None


def test_what_an_order_does_not_name_stays_as_it_was() -> None:
    faults = Faults()
    faults.give(order(aws="deny"))
    assert faults.give(order(web="down")).aws is not None
    assert faults.web_down
    healed = faults.give(order(aws=None))
    assert healed.aws is None
    assert healed.web == "down"


@pytest.mark.parametrize("wrong", [{"aws": "sulk"}, {"web": "up"}, {"wbe": "down"}, {"aws": {"after": -1}}])
def test_an_order_that_is_not_understood_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        order(**wrong)
