"""The groups that a state knows, and what in them is declared."""

from __future__ import annotations

from typing import Any

from runbook_lib.domain.rules import Group, declared_rules, group_ids_of_state, groups_of_state
from runbook_lib.models.rules import Rule


def resource(kind: str, mode: str = "managed", **attributes: Any) -> dict[str, Any]:
    return {"mode": mode, "type": kind, "name": "x", "instances": [{"attributes": attributes}]}


def arn(region: str, kind: str = "security-group") -> str:
    return f"arn:aws:ec2:{region}:123456789012:{kind}/x-1"


def test_groups_are_owned_looked_up_or_only_named_by_a_rule() -> None:
    found = groups_of_state(
        {
            "resources": [
                resource("aws_security_group", id="sg-own", name="own", arn=arn("eu-west-1")),
                resource("aws_default_security_group", id="sg-default", name="default", arn=arn("us-east-1")),
                resource("aws_security_group", "data", id="sg-found", name="found", arn=arn("eu-west-2")),
                resource(
                    "aws_vpc_security_group_ingress_rule",
                    security_group_id="sg-named",
                    arn=arn("ap-south-1", "security-group-rule"),
                ),
                resource("aws_security_group_rule", security_group_id="sg-found"),
                resource("aws_instance", id="i-1"),
            ]
        }
    )
    assert found == (
        Group("sg-default", "default", "us-east-1", owned=True, account="123456789012"),
        Group("sg-found", "found", "eu-west-2", account="123456789012"),
        Group("sg-named", "", "ap-south-1", account="123456789012"),
        Group("sg-own", "own", "eu-west-1", owned=True, account="123456789012"),
    )


def test_a_group_that_is_owned_stays_so_whatever_else_names_it() -> None:
    own = resource("aws_security_group", id="sg-1", name="web", arn=arn("eu-west-1"))
    rule = resource("aws_security_group_rule", security_group_id="sg-1")
    for order in ([own, rule], [rule, own]):
        assert groups_of_state({"resources": order}) == (
            Group("sg-1", "web", "eu-west-1", owned=True, account="123456789012"),
        )


def test_the_region_of_a_resource_wins_where_the_provider_tells_it() -> None:
    (found,) = groups_of_state({"resources": [resource("aws_security_group", id="sg-1", region="eu-north-1")]})
    assert found.region == "eu-north-1"


def test_a_state_that_is_half_there_is_no_reason_to_fall() -> None:
    odd = [None, {}, {"instances": [None, {"attributes": None}]}, resource("aws_security_group", id=None)]
    assert groups_of_state({"resources": odd}) == ()
    assert groups_of_state({}) == ()


def test_only_what_a_group_writes_is_declared() -> None:
    def rule(address: str, direction: str = "ingress") -> Rule:
        return Rule.model_validate(
            {
                "direction": direction,
                "protocol": "tcp",
                "from_port": 1,
                "to_port": 1,
                "source": "10.0.0.0/8",
                "group": "sg-1",
                "address": address,
            }
        )

    asked = []

    def written(path: tuple[str, ...], base: str, name: str) -> bool:
        asked.append((path, base, name))
        return name == "egress"

    inside = 'module.a["k"].aws_security_group.web[0]'
    given = [rule(inside), rule(inside, "egress"), rule("aws_security_group_rule.x"), rule("")]
    assert declared_rules(given, written) == tuple(given[1:])
    assert asked == [(("a",), "aws_security_group.web", "ingress"), (("a",), "aws_security_group.web", "egress")]


def test_the_ids_of_groups_are_known_by_the_addresses_at_which_a_plan_knows_them() -> None:
    web = {"type": "aws_security_group", "name": "web", "mode": "managed"}
    instances = [
        {"index_key": 0, "attributes": {"id": "sg-1"}},
        {"index_key": 0, "deposed": "a1", "attributes": {"id": "sg-0"}},
        {"index_key": 'a"b', "attributes": {"id": "sg-2"}},
    ]
    vpc = {"id": "vpc-1", "default_security_group_id": "sg-4"}
    found = group_ids_of_state(
        {
            "resources": [
                {**web, "instances": instances},
                {**web, "module": "module.m", "mode": "data", "instances": [{"attributes": {"id": "sg-3"}}]},
                {"type": "aws_vpc", "name": "v", "mode": "managed", "instances": [{"attributes": vpc}]},
                {"type": "aws_instance", "name": "i", "mode": "managed", "instances": [{"attributes": {"id": "i-1"}}]},
            ]
        }
    )
    assert found == {
        "aws_security_group.web[0]": "sg-1",
        'aws_security_group.web["a\\"b"]': "sg-2",
        "module.m.data.aws_security_group.web": "sg-3",
        "aws_vpc.v.default_security_group_id": "sg-4",
    }
    assert group_ids_of_state({}) == {}
