"""The network of a plan, with what AWS says of it where it can be asked, and with why not where it can't."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from runbook_lib.domain.network import networks_from_plan
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.errors import AwsError
from runbook_lib.models.plan import Plan
from runbook_lib.workspace.network import networks_of

VPC = {
    "address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "name": "main",
    "values": {"id": "vpc-1", "cidr_block": "10.0.0.0/16"},
}  # fmt: skip
GROUP = {
    "address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
    "values": {"id": "sg-1", "vpc_id": "vpc-1"},
}  # fmt: skip


def plan(*resources: dict[str, Any]) -> Plan:
    module = {"root_module": {"resources": list(resources)}}
    return Plan(prior_state={"values": module}, planned_values=module)


class Aws:
    """Describes this of a VPC, or can't be asked."""

    def __init__(self, answer: dict[str, Any] | AwsError) -> None:
        self.answer = answer
        self.asked: list[tuple[list[str], list[str]]] = []

    def network(self, vpcs: Iterable[str], things: Iterable[str] = ()) -> dict[str, Any]:
        self.asked.append((sorted(vpcs), sorted(things)))
        if isinstance(self.answer, AwsError):
            raise self.answer
        return self.answer


def place(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | AwsError) -> Aws:
    aws = Aws(answer)
    monkeypatch.setattr("runbook_lib.adapters.aws.live_client", lambda: aws)
    return aws


def test_aws_is_asked_for_what_the_plan_speaks_of_and_its_answer_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"GroupId": "sg-2", "GroupName": "another stack's", "IpPermissions": [], "IpPermissionsEgress": []}
    aws = place(monkeypatch, {"vpcs": [{"VpcId": "vpc-1"}], "groups": [theirs]})
    found, error = networks_of(plan(VPC, GROUP), RuleChanges())
    assert (aws.asked, error) == ([(["vpc-1"], ["sg-1"])], None)
    assert found.before.complete
    assert found.after.complete
    assert found.after.names["sg-2"] == "another stack's"


def test_of_a_plan_that_only_adds_to_another_stack_s_network_aws_is_asked_whose_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws = place(monkeypatch, {})
    change = {"actions": ["create"], "before": None, "after": {"route_table_id": "rtb-9", "gateway_id": "igw-1"}}
    route = {"address": "aws_route.out", "mode": "managed", "type": "aws_route", "name": "out", "change": change}
    networks_of(parse_plan({"format_version": "1.2", "resource_changes": [route]}), RuleChanges())
    assert aws.asked == [([], ["rtb-9"])]


def test_of_a_plan_that_speaks_of_no_vpc_and_no_group_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = place(monkeypatch, AwsError("nobody asks"))
    given = plan()
    assert networks_of(given, RuleChanges()) == (networks_from_plan(given, RuleChanges()), None)
    assert aws.asked == []


@pytest.mark.parametrize("error", [AwsError("AWS said no."), None])
def test_where_aws_says_nothing_the_plan_s_own_network_stands_and_why(
    monkeypatch: pytest.MonkeyPatch, error: AwsError | None
) -> None:
    place(monkeypatch, error or {})
    given = plan(VPC)
    assert networks_of(given, RuleChanges()) == (networks_from_plan(given, RuleChanges()), error)
    assert not networks_of(given, RuleChanges())[0].after.complete
