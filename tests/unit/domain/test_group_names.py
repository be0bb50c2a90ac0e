"""What people call a group: its Name tag, else its name, wherever the plan knows of it."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.group_names import group_names
from runbook_lib.models.plan import Plan, ResourceChange


def group(address: str = "aws_security_group.web", kind: str = "aws_security_group", **values: Any) -> dict[str, Any]:
    return {"address": address, "type": kind, "values": values}


def plan(*resources: dict[str, Any], prior: tuple[dict[str, Any], ...] = (), **root: Any) -> Plan:
    return Plan(
        prior_state={"values": {"root_module": {"resources": list(prior)}}},
        planned_values={"root_module": {"resources": list(resources), **root}},
    )


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"tags_all": {"Name": "all"}, "tags": {"Name": "own"}, "name": "n"}, "all"),
        ({"tags_all": {}, "tags": {"Name": "own"}, "name": "n"}, "own"),
        ({"tags_all": {"Team": "x"}, "name": "n"}, "n"),
        ({"name": "n"}, "n"),
    ],
)
def test_a_group_is_called_by_its_tag_or_else_its_name(values: dict[str, Any], name: str) -> None:
    assert group_names(plan(group(id="sg-1", **values))) == {"sg-1": name, "aws_security_group.web": name}


def test_a_group_without_a_name_has_none_and_one_without_an_id_is_known_by_its_address() -> None:
    assert group_names(plan(group(id="sg-1"), group("aws_security_group.new", name="new"))) == {
        "aws_security_group.new": "new"
    }


def test_the_name_that_is_planned_takes_the_place_of_the_one_before() -> None:
    found = group_names(
        plan(group(id="sg-1", name="new"), prior=(group(id="sg-1", name="old"), group("data.x", id="sg-2", name="db")))
    )
    assert found == {"sg-1": "new", "aws_security_group.web": "new", "sg-2": "db", "data.x": "db"}


def test_groups_of_modules_at_any_depth_are_known_and_other_resources_are_not() -> None:
    inner = {
        "resources": [
            group("module.a.module.b.aws_default_security_group.this", "aws_default_security_group", name="d")
        ]
    }
    found = group_names(
        plan(group("aws_vpc.main", "aws_vpc", id="vpc-1", name="main"), child_modules=[{"child_modules": [inner]}])
    )
    assert found == {"module.a.module.b.aws_default_security_group.this": "d"}


def test_a_plan_that_knows_of_nothing_names_nothing() -> None:
    assert group_names(Plan()) == {}


def made(address: str, kind: str = "aws_security_group", *actions: str) -> ResourceChange:
    return ResourceChange(address=address, type=kind, name="x", actions=actions or ("create",))


def test_a_group_that_the_plan_makes_is_called_by_its_name_or_address_and_new() -> None:
    named = plan(group(name="web"), prior=(group(id="sg-1", name="web"),))
    changes = (
        made("aws_security_group.web", "aws_security_group", "delete", "create"),
        made("aws_security_group.b"),
        made("aws_security_group.kept", "aws_security_group", "update"),
        made("aws_vpc.main", "aws_vpc"),
        made("aws_instance.i", "aws_instance"),
    )
    assert group_names(named.model_copy(update={"changes": changes})) == {
        "sg-1": "web",
        "aws_security_group.web": "web (new)",
        "aws_security_group.b": "aws_security_group.b (new)",
        "aws_vpc.main.default_security_group_id": "the default group of aws_vpc.main (new)",
    }
