"""Rules that go because the resource that owns their group does not list them."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import change, changes_of, judged, values, verdicts

from runbook_lib.domain.exposure import exposure
from runbook_lib.models.compliance import Scope

EXCLUSIVE = "aws_vpc_security_group_rules_exclusive"
NAMED = {"security_group_rule_id": "sgr-1", "id": "sgr-1"}


def kept(**fields: Any) -> dict[str, Any]:
    held = values(**NAMED) | fields
    return change(["no-op"], held, held)


def owner(*listed: str, before: Any = None, group: str = "sg-1", **unknown: Any) -> dict[str, Any]:
    after = {"security_group_id": group, "ingress_rule_ids": list(listed), "egress_rule_ids": []}
    actions = ["update"] if before else ["create"]
    return change(actions, before, after, address=f"{EXCLUSIVE}.x", type=EXCLUSIVE, name="x", unknown=unknown)


@pytest.mark.parametrize(
    ("changes", "goes"),
    [
        pytest.param((kept(), owner()), True, id="nothing is listed"),
        pytest.param((kept(), owner("sgr-2")), True, id="another is listed"),
        pytest.param((kept(), owner("sgr-1")), False, id="it is listed"),
        pytest.param((kept(), owner(group="sg-2")), False, id="another group"),
        pytest.param((kept(), owner(ingress_rule_ids=True)), False, id="nobody knows what is listed"),
        pytest.param((kept(), owner("sgr-2", ingress_rule_ids=[False, True])), False, id="some of it is not known"),
        pytest.param((kept(), owner("sgr-2", ingress_rule_ids=[False])), True, id="all of it is known"),
        pytest.param((kept(security_group_rule_id=None, id=None), owner()), False, id="the rule has no id yet"),
    ],
)
def test_a_rule_that_its_group_s_owner_does_not_list_goes(changes: tuple[Any, ...], goes: bool) -> None:
    found = changes_of(*changes)
    assert (len(found.before), len(found.after)) == (1, 0 if goes else 1)
    assert verdicts(judged(found, Scope.ALL), "sg-world-ssh") == ([] if goes else ["failed"])
    assert len(exposure(found.before, found.after).closed) == goes


def test_a_rule_of_the_other_direction_is_asked_of_its_own_list() -> None:
    out = kept() | {"address": "aws_vpc_security_group_egress_rule.r", "type": "aws_vpc_security_group_egress_rule"}
    assert changes_of(out, owner("sgr-1")).after == ()


def by_hand(*separate: dict[str, Any], listed: tuple[str, ...]) -> int:
    """How many rules are left of a group in which AWS has one that nobody declares."""
    block = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "description": "by hand"}
    held = {"id": "sg-1", "name": "web", "ingress": [block]}
    group = change(["no-op"], held, held, address="aws_security_group.g", type="aws_security_group", name="g")
    return len(changes_of(group, *separate, owner(*listed)).after)


def test_a_rule_by_hand_goes_too_where_all_that_is_listed_is_a_resource_s() -> None:
    ours = kept(from_port=443, to_port=443)
    assert by_hand(ours, listed=("sgr-1",)) == 1
    assert by_hand(ours, listed=("sgr-1", "sgr-9")) == 2
    assert by_hand(listed=()) == 0


def test_what_the_plan_opens_in_the_group_itself_does_not_go_because_no_list_names_it() -> None:
    block = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "description": "new"}
    held = {"id": "sg-1", "name": "web", "ingress": []}
    opened = held | {"ingress": [block]}
    group = change(["update"], held, opened, address="aws_security_group.g", type="aws_security_group", name="g")
    found = changes_of(group, owner())
    assert verdicts(judged(found), "sg-world-ssh") == ["failed"]
    assert len(exposure(found.before, found.after).opened) == 1


def test_what_the_plan_alters_does_not_go_because_no_list_names_it() -> None:
    found = changes_of(change(["update"], values(**NAMED, cidr_ipv4="10.0.0.0/8"), values(**NAMED)), owner())
    assert verdicts(judged(found), "sg-world-ssh") == ["failed"]


def test_an_owner_that_stays_as_it_was_takes_nothing_away() -> None:
    same = {"security_group_id": "sg-1", "ingress_rule_ids": [], "egress_rule_ids": []}
    untouched = change(["no-op"], same, same, address=f"{EXCLUSIVE}.x", type=EXCLUSIVE, name="x")
    assert len(changes_of(kept(), untouched).after) == 1
