"""Who carries a group and what is in a prefix list: what of it no state accounts for."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.holders import (
    entries_elsewhere,
    foreign_entries,
    holders,
    managed_ids,
    owned_lists,
    strange_carriers,
)
from runbook_lib.models.verification import Carrier

GROUP = "sg-1"
LIST = "pl-1"


def state(*resources: tuple[str, dict[str, Any]], module: str = "") -> dict[str, Any]:
    return {
        "resources": [
            {"mode": "managed", "type": kind, "name": "x", "instances": [{"attributes": values}]}
            | ({"module": module} if module else {})
            for kind, values in resources
        ]
    }


def carrier(identity: str = "i-1", kind: str = "instance", **more: Any) -> Carrier:
    return Carrier(group=GROUP, id=identity, kind=kind, **{"ids": frozenset({identity, "eni-1"}), **more})


INSTANCE = ("aws_instance", {"id": "i-1", "vpc_security_group_ids": [GROUP]})
TEMPLATE = ("aws_launch_template", {"id": "lt-1", "network_interfaces": [{"security_groups": [GROUP]}]})
BALANCER = ("aws_lb", {"arn": "arn:aws:elasticloadbalancing:x:1:loadbalancer/app/web/50", "security_groups": [GROUP]})
ATTACHED = ("aws_network_interface_sg_attachment", {"security_group_id": GROUP, "network_interface_id": "eni-1"})
RULE = ("aws_vpc_security_group_ingress_rule", {"id": "sgr-1", "security_group_id": GROUP, "description": "i-1"})
OTHER = ("aws_instance", {"id": "i-1", "vpc_security_group_ids": ["sg-2"]})


@pytest.mark.parametrize(
    ("resources", "found", "strange"),
    [
        ([INSTANCE], carrier(), False),
        ([ATTACHED], carrier(), False),
        ([TEMPLATE], carrier("i-9"), False),
        ([BALANCER], carrier("eni-9", "load balancer", by_service=True), False),
        ([("aws_db_instance", {"id": "db", "vpc_security_group_ids": [GROUP]})],
         carrier("eni-9", "interface", by_service=True), False),
        ([("aws_eks_cluster", {"vpc_config": [{"security_group_ids": [GROUP]}]})],
         carrier("eni-9", "interface", by_service=True), False),
        # Nobody of whom the state knows.
        ([], carrier(), True),
        ([RULE], carrier(), True),
        ([OTHER], carrier(), True),
        ([INSTANCE], Carrier(group=GROUP, id="i-2", kind="instance", ids=frozenset({"i-2", "eni-2"})), True),
        # A balancer starts no instances, a template makes no balancer, and neither makes an interface by itself.
        ([BALANCER], carrier("i-9", ids=frozenset({"i-9"})), True),
        ([TEMPLATE], carrier("eni-9", "load balancer", by_service=True, ids=frozenset({"eni-9"})), True),
        ([TEMPLATE, BALANCER], carrier("eni-9", "interface", ids=frozenset({"eni-9"})), True),
    ],
)  # fmt: skip
def test_an_interface_that_no_resource_gave_the_group_is_told(
    resources: list[Any], found: Carrier, strange: bool
) -> None:
    document = state(*resources)
    told = list(strange_carriers([found], holders(document, [GROUP])))
    assert bool(told) is strange
    for difference in told:
        assert (difference.kind.value, difference.group, difference.blocks) == ("unmanaged", GROUP, False)
        assert found.id in difference.subject


def test_what_is_on_the_stack_s_own_interface_terraform_compares_itself() -> None:
    document = state(OTHER)
    assert list(strange_carriers([carrier()], holders(document, [GROUP]), managed_ids(document))) == []
    assert len(list(strange_carriers([carrier("i-2", ids=frozenset({"i-2"}))], (), managed_ids(document)))) == 1


def test_a_carrier_is_told_by_its_name_and_its_id() -> None:
    (told,) = strange_carriers([carrier(name="bastion")], ())
    assert told.subject == "instance bastion (i-1) carries the group"


def entry(network: str, prefix_list: str = LIST) -> tuple[str, dict[str, Any]]:
    return "aws_ec2_managed_prefix_list_entry", {"prefix_list_id": prefix_list, "cidr": network}


OWN = ("aws_ec2_managed_prefix_list", {"id": LIST, "arn": f"arn:aws:ec2:eu-west-1:123456789012:prefix-list/{LIST}"})


def test_what_is_in_a_list_and_no_resource_put_there_is_told() -> None:
    document = state(OWN, entry("10.0.0.0/8"), entry("192.168.0.0/16", "pl-2"), module="module.net")
    (owned,) = owned_lists(document, lambda path, base, name: False)
    assert (owned.region, owned.account, owned.networks) == ("eu-west-1", "123456789012", {"10.0.0.0/8"})
    there = {"10.0.0.0/8": "", "0.0.0.0/0": "for a test", "172.16.0.0/12": ""}
    elsewhere = entries_elsewhere(state(entry("172.16.0.0/12")), LIST)
    (told,) = foreign_entries(owned, there, elsewhere)
    assert told.blocks
    assert told.subject == "entry 0.0.0.0/0 of the prefix list module.net.aws_ec2_managed_prefix_list.x"
    assert told.fields == {"entry": {"aws": "0.0.0.0/0 (for a test)"}}


def test_a_list_that_writes_its_entries_itself_is_terraform_s_to_compare() -> None:
    asked = []

    def written(path: tuple[str, ...], base: str, name: str) -> bool:
        asked.append((path, base, name))
        return True

    assert owned_lists(state(OWN, module="module.a.module.b"), written) == ()
    assert asked == [(("a", "b"), "aws_ec2_managed_prefix_list.x", "entry")]


@pytest.mark.parametrize("odd", [{}, {"resources": None}, {"resources": [None, {"mode": "managed"}]}])
def test_a_state_that_is_half_there_accounts_for_nobody(odd: dict[str, Any]) -> None:
    assert holders(odd, [GROUP]) == ()
    assert owned_lists(odd, lambda *given: False) == ()
