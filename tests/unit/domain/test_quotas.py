"""AWS's quotas, counted as AWS counts: family by family, a list as all that it may hold."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import change, changes_of, judged, network_rule, of_rules, values

from runbook_lib.domain.compliance.quotas import crowded_groups, crowded_interfaces
from runbook_lib.domain.rules import ResourceView, RuleChanges
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.compliance import Scope
from runbook_lib.models.rules import Direction, Rule, SourceKind

LIST = "aws_ec2_managed_prefix_list"
GROUP = "aws_security_group"
RULES, GROUPS = "quota-rules-of-a-group", "quota-groups-of-an-interface"


def many(count: int, first: int = 0, actions: str = "create", **fields: Any) -> list[dict[str, Any]]:
    """So many rules of one group, each with a network of its own."""
    found = []
    for number in range(first, first + count):
        made = values(**{"cidr_ipv4": f"10.0.{number}.0/24", **fields})
        before = made if actions == "no-op" else None
        found.append(change([actions], before, made, address=f"aws_vpc_security_group_ingress_rule.r{number}"))
    return found


def other(name: str, **fields: Any) -> dict[str, Any]:
    unknown = fields.pop("unknown", {})
    given = values(**{"cidr_ipv4": None, **fields})
    after = {key: value for key, value in given.items() if key not in unknown}
    return change(["create"], None, after, address=f"aws_vpc_security_group_ingress_rule.{name}", unknown=unknown)


def prefix_list(most: int, before: int = 0, family: str = "IPv4") -> dict[str, Any]:
    made = {"id": "pl-1", "max_entries": most, "address_family": family, "entry": [{"cidr": "10.0.0.0/8"}]}
    old = {**made, "max_entries": before} if before else None
    actions = ["create"] if not before else ["no-op"] if before == most else ["update"]
    return change(actions, old, made, address=f"{LIST}.l", type=LIST, name="l")


def found(*changes: dict[str, Any], scope: Scope = Scope.CHANGED) -> list[tuple[str, str, str]]:
    report = judged(changes_of(*changes), scope)
    return [(str(f.verdict), f.address, f.message.rpartition(": ")[2]) for f in report.findings if f.policy == RULES]


@pytest.mark.parametrize(("count", "fails"), [(60, False), (61, True)])
def test_the_sixty_first_rule_is_one_too_many(count: int, fails: bool) -> None:
    assert found(*many(count)) == ([("failed", "sg-1", "61 IPv4 ingress rules, of 60")] if fails else [])


def test_families_directions_and_groups_are_counted_apart() -> None:
    six = [other(f"s{n}", cidr_ipv6=f"2001:db8:{n:x}::/48") for n in range(60)]
    egress = [
        change(["create"], None, values(cidr_ipv4=f"10.1.{n}.0/24"), address=f"aws_vpc_security_group_egress_rule.e{n}",
               type="aws_vpc_security_group_egress_rule")
        for n in range(60)
    ]  # fmt: skip
    elsewhere = many(60, 100, security_group_id="sg-2")
    assert found(*many(60), *six, *egress, *elsewhere) == []


def test_a_rule_on_a_group_counts_in_both_families() -> None:
    six = [other(f"s{n}", cidr_ipv6=f"2001:db8:{n:x}::/48") for n in range(60)]
    peer = other("peer", referenced_security_group_id="sg-9")
    assert found(*many(59), *six, peer) == [("failed", "sg-1", "61 IPv6 ingress rules, of 60")]
    assert found(*many(60), *six, peer)[0][2] == "61 IPv4 and 61 IPv6 ingress rules, of 60"


def test_a_prefix_list_counts_as_all_that_it_may_ever_hold() -> None:
    named = other("list", prefix_list_id="pl-1")
    assert found(*many(10), prefix_list(50), named) == []
    assert found(*many(10), prefix_list(51), named) == [("failed", "sg-1", "61 IPv4 ingress rules, of 60")]
    assert found(*many(10), prefix_list(51, family="IPv6"), named) == []


def test_a_list_that_is_made_larger_is_judged_though_no_rule_changes() -> None:
    standing = values(cidr_ipv4=None, prefix_list_id="pl-1")
    named = change(["no-op"], standing, standing, address="aws_vpc_security_group_ingress_rule.list")
    rules = many(10, actions="no-op")
    assert found(*rules, prefix_list(51, before=40), named) == [("failed", "sg-1", "61 IPv4 ingress rules, of 60")]
    assert found(*rules, prefix_list(51, before=51), named) == []
    assert found(*rules, prefix_list(51, before=51), named, scope=Scope.ALL) != []


def test_a_list_that_nobody_knows_may_be_any_number() -> None:
    assert found(other("list", prefix_list_id="pl-77")) == [
        ("unknown", "sg-1", "0 IPv4 or more and 0 IPv6 or more ingress rules, of 60")
    ]


def test_a_list_of_which_only_the_entries_are_known_may_hold_more_of_either_family() -> None:
    held = ("10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")
    rule = network_rule(source="pl-1", source_kind=SourceKind.PREFIX_LIST, entries=held)
    (told,) = crowded_groups(of_rules(rule), 60, everything=False)
    assert told == ("sg-1", None, "3 IPv4 or more and 1 IPv6 or more ingress rules, of 60")
    # More than the limit are too many, however many more there may be.
    assert list(crowded_groups(of_rules(rule), 2, everything=False)) == [("sg-1", True, "3 IPv4 ingress rules, of 2")]


def test_one_network_of_unknown_value_is_one_rule_of_either_family() -> None:
    unknown = [other(f"u{n}", unknown={"cidr_ipv4": True}) for n in range(2)]
    assert found(*many(58), *unknown) == []
    assert found(*many(59), *unknown) == [("unknown", "sg-1", "59 to 61 IPv4 ingress rules, of 60")]


def test_an_unknown_list_of_networks_is_any_number() -> None:
    kind = "aws_security_group_rule"
    after = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "security_group_id": "sg-1"}
    made = change(["create"], None, after, address=f"{kind}.r", type=kind, unknown={"cidr_blocks": True})
    assert [verdict for verdict, _, _ in found(made)] == ["unknown"]


def test_rules_of_an_unknown_group_may_go_into_any() -> None:
    unknown = [
        change(["create"], None, {**values(cidr_ipv4=f"10.9.{n}.0/24"), "security_group_id": None},
               address=f"aws_vpc_security_group_ingress_rule.u{n}", unknown={"security_group_id": True})
        for n in range(3)
    ]  # fmt: skip
    assert found(*many(57, actions="no-op"), *unknown) == []
    assert found(*many(58, actions="no-op"), *unknown) == [("unknown", "sg-1", "58 to 61 IPv4 ingress rules, of 60")]


def test_groups_that_the_change_does_not_touch_are_left_alone() -> None:
    assert found(*many(61, actions="no-op")) == []
    assert found(*many(61, actions="no-op"), scope=Scope.ALL) != []
    assert found(*many(60, actions="no-op"), *many(1, 60)) != []


def test_the_same_rule_twice_is_one() -> None:
    twice = change(
        ["create"], None, values(cidr_ipv4="10.0.3.0/24"), address="aws_vpc_security_group_ingress_rule.again"
    )
    assert found(*many(60), twice) == []


def test_the_limit_is_the_policy_s() -> None:
    changes = changes_of(*many(3))
    assert [excess.truth for excess in crowded_groups(changes, 2, everything=False)] == [True]
    assert list(crowded_groups(changes, 3, everything=False)) == []


def instance(groups: Any, kind: str = "aws_instance", attribute: str = "vpc_security_group_ids", **fields: Any) -> Any:
    unknown = fields.pop("unknown", {})
    after = {} if groups is None else {attribute: groups}
    return change(
        fields.pop("actions", ["create"]), None, after, address=f"{kind}.i", type=kind, name="i", unknown=unknown
    )


def interfaces(*changes: dict[str, Any], **plan: Any) -> list[tuple[bool | None, str]]:
    return [
        (excess.truth, excess.told) for excess in crowded_interfaces(changes_of(*changes, **plan), 5, everything=False)
    ]


IDS = [f"sg-{number}" for number in range(7)]


def test_an_interface_takes_five_groups() -> None:
    assert interfaces(instance(IDS[:5])) == []
    assert interfaces(instance(IDS[:6])) == [(True, "6 groups, of 5")]
    assert interfaces(instance([*IDS[:5], "sg-0"])) == []
    report = judged(changes_of(instance(IDS)))
    assert [(f.policy, str(f.verdict), f.address) for f in report.findings] == [(GROUPS, "failed", "aws_instance.i")]


def test_groups_in_a_block_are_counted_block_by_block() -> None:
    blocks = [{"security_groups": IDS[:4]}, {"security_groups": IDS[:6]}]
    assert interfaces(instance(blocks, "aws_ecs_service", "network_configuration")) == [(True, "6 groups, of 5")]


def test_groups_of_unknown_ids_are_counted_where_their_number_is_known() -> None:
    some = {"vpc_security_group_ids": [False, False, False, False, True, True]}
    assert interfaces(instance([*IDS[:4], None, None], unknown=some)) == [(None, "4 to 6 groups, of 5")]
    some = {"vpc_security_group_ids": [False, False, False, False, True]}
    assert interfaces(instance([*IDS[:4], None], unknown=some)) == []


@pytest.mark.parametrize(("names", "told"), [(2, []), (6, [(True, "6 groups, of 5")])])
def test_an_unknown_set_is_counted_by_what_its_expression_names(names: int, told: list[Any]) -> None:
    references = [part for n in range(names) for part in (f"{GROUP}.g{n}.id", f"{GROUP}.g{n}")]
    resources = [
        {"address": f"{GROUP}.g{n}", "type": GROUP, "name": f"g{n}", "mode": "managed", "expressions": {}}
        for n in range(names)
    ]
    owner = {"address": "aws_instance.i", "type": "aws_instance", "name": "i", "mode": "managed",
             "expressions": {"vpc_security_group_ids": {"references": references}}}  # fmt: skip
    groups = [
        change(
            ["create"], None, {"name": f"g{n}"}, address=f"{GROUP}.g{n}", type=GROUP, name=f"g{n}", unknown={"id": True}
        )
        for n in range(names)
    ]
    unknown = instance(None, unknown={"vpc_security_group_ids": True})
    configuration = {"root_module": {"resources": [*resources, owner]}}
    assert interfaces(*groups, unknown, configuration=configuration) == told


def test_an_unknown_set_of_which_nothing_is_said_is_unknown() -> None:
    assert interfaces(instance(None, unknown={"vpc_security_group_ids": True})) == [(None, "0 or more groups, of 5")]


def three(**fields: Any) -> list[Rule]:
    """Three rules of one group, each with a network of its own."""
    return [network_rule(**{"source": f"10.0.{n}.0/24", "address": f"rule.r{n}", **fields}) for n in range(3)]


STAR = "aws_security_group.g[*]"
ANY = "0 IPv4 or more and 0 IPv6 or more ingress rules, of 2"


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (three(), [("sg-1", True, "3 IPv4 ingress rules, of 2")]),
        (three()[:2], []),
        (three(source="203.0.113.0/24"), []),
        # Of unknown ports nobody can say that they are the same.
        (three(source="2001:db8::/32", from_port=UNKNOWN), [("sg-1", True, "3 IPv6 ingress rules, of 2")]),
        # Rules into nobody knows which group, or into one of several, may go into one: it is told where the first is.
        (three(group=UNKNOWN), [("rule.r0", None, "3 IPv4 ingress rules, of 2")]),
        (three(group=UNKNOWN, source="203.0.113.0/24"), [("rule.r0", None, "3 IPv4 ingress rules, of 2")]),
        (three(group=STAR), [("rule.r0", None, "3 IPv4 ingress rules, of 2")]),
        (three(group=UNKNOWN)[:2], []),
        # Either way in or out, of which nobody knows which.
        (three(direction=UNKNOWN), [("sg-1", None, "0 to 3 IPv4 egress rules, of 2"),
                                    ("sg-1", None, "0 to 3 IPv4 ingress rules, of 2")]),
        # As many as a count or a for_each makes.
        ([network_rule(address="rule.r[*]")], [("sg-1", None, ANY)]),
        ([network_rule(source=UNKNOWN, source_kind=UNKNOWN)], [("sg-1", None, ANY)]),
        # A group, or itself, is one rule of each family.
        (three(source_kind=SourceKind.GROUP), [("sg-1", True, "3 IPv4 and 3 IPv6 ingress rules, of 2")]),
        ([*three()[:2], network_rule(source="self", source_kind=SourceKind.SELF)],
         [("sg-1", True, "3 IPv4 ingress rules, of 2")]),
        ([*three(group="sg-2"), *three(direction=Direction.EGRESS), *three()],
         [("sg-1", True, "3 IPv4 egress rules, of 2"), ("sg-1", True, "3 IPv4 ingress rules, of 2"),
          ("sg-2", True, "3 IPv4 ingress rules, of 2")]),
    ],
)  # fmt: skip
def test_rules_are_counted_by_group_direction_and_family_as_far_as_these_are_known(
    rules: list[Rule], told: list[Any]
) -> None:
    assert list(crowded_groups(of_rules(*rules), 2, everything=False)) == told


@pytest.mark.parametrize(("family", "said"), [("IPv4", "3 IPv4"), ("IPv6", "3 IPv6")])
def test_a_list_counts_in_its_own_family(family: str, said: str) -> None:
    changes = changes_of(prefix_list(3, family=family), other("list", prefix_list_id="pl-1"))
    assert list(crowded_groups(changes, 2, everything=False)) == [("sg-1", True, f"{said} ingress rules, of 2")]
    assert list(crowded_groups(changes, 3, everything=False)) == []


def test_of_two_crowded_groups_the_one_is_told_that_the_change_touches() -> None:
    changes = RuleChanges(after=(*three(), *three(group="sg-2")), touched=frozenset({4}))
    assert list(crowded_groups(changes, 2, everything=False)) == [("sg-2", True, "3 IPv4 ingress rules, of 2")]


def test_a_group_is_nearer_to_its_limit_by_a_rule_that_may_go_into_it_and_not_by_one_of_any_number() -> None:
    standing = [network_rule(source=f"10.0.{n}.0/24", address=f"rule.r{n}") for n in range(3)]
    one = network_rule(group=UNKNOWN, address="rule.new")
    changes = RuleChanges(after=(*standing, one), touched=frozenset({3}))
    assert list(crowded_groups(changes, 2, everything=False)) == [("sg-1", True, "3 IPv4 ingress rules, of 2")]
    any_number = network_rule(group=UNKNOWN, address="rule.new[*]")
    changes = RuleChanges(after=(*standing, any_number), touched=frozenset({3}))
    assert list(crowded_groups(changes, 2, everything=False)) == [("rule.new[*]", None, ANY)]
    # Where all is asked for, what may go into it counts.
    assert list(crowded_groups(changes, 3, everything=True)) == [
        ("rule.new[*]", None, ANY.replace("of 2", "of 3")),
        ("sg-1", None, "3 IPv4 or more and 0 IPv6 or more ingress rules, of 3"),
    ]


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        *((kind, "security_groups") for kind in ("aws_alb", "aws_elb", "aws_lb", "aws_network_interface")),
        *((f"aws_{name}", "vpc_security_group_ids")
          for name in ("db_instance", "docdb_cluster", "instance", "launch_template", "neptune_cluster", "rds_cluster",
                       "redshift_cluster")),
        *((f"aws_{name}", "security_group_ids")
          for name in ("elasticache_cluster", "elasticache_replication_group", "vpc_endpoint")),
    ],
)  # fmt: skip
def test_groups_are_found_where_each_type_has_them(kind: str, attribute: str) -> None:
    assert interfaces(instance(IDS, kind, attribute)) == [(True, "7 groups, of 5")]
    assert interfaces(instance(IDS[:5], kind, attribute)) == []


ECS = ("aws_ecs_service", "network_configuration")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (instance([{"security_group_ids": IDS}], "aws_lambda_function", "vpc_config"), [(True, "7 groups, of 5")]),
        (instance([{"security_groups": IDS}, {"security_groups": IDS[:6]}], *ECS),
         [(True, "7 groups, of 5"), (True, "6 groups, of 5")]),
        (instance([{}], *ECS, unknown={ECS[1]: [{"security_groups": True}]}), [(None, "0 or more groups, of 5")]),
        (instance([None], *ECS, unknown={ECS[1]: [True]}), [(None, "0 or more groups, of 5")]),
        (instance([{"security_groups": None}], *ECS), []),
        (instance(None, *ECS), []),
        (instance(None), []),
        # Six unknown ones may all be one.
        (instance([None] * 6, unknown={"vpc_security_group_ids": [True] * 6}), [(None, "1 to 6 groups, of 5")]),
    ],
)  # fmt: skip
def test_groups_are_counted_as_far_as_they_are_known(made: dict[str, Any], told: list[Any]) -> None:
    assert interfaces(made) == told


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ((*IDS[:2], STAR), (None, "2 or more groups, of 5")),
        ((*IDS[:2], UNKNOWN), (None, "2 or more groups, of 5")),
        ((*IDS, STAR), (True, "7 groups, of 5")),
        (IDS, (True, "7 groups, of 5")),
    ],
)
def test_a_set_that_is_unknown_holds_at_least_what_its_expression_names(named: Any, told: Any) -> None:
    view = ResourceView("aws_lb.l", "aws_lb", {"security_groups": UNKNOWN}, touched=True)
    changes = RuleChanges(resources_of=lambda _: iter([view]), named_groups={("aws_lb.l", "security_groups"): named})
    assert list(crowded_interfaces(changes, 5, everything=False)) == [("aws_lb.l", *told)]


def test_what_stays_as_it_is_has_its_groups_counted_only_where_all_is_asked_for() -> None:
    standing = ResourceView("aws_lb.l", "aws_lb", {"security_groups": IDS}, touched=False)
    new = ResourceView("aws_lb.n", "aws_lb", {"security_groups": IDS}, touched=True)
    changes = RuleChanges(resources_of=lambda _: iter([standing, new]))
    for everything, addresses in ((False, ["aws_lb.n"]), (True, ["aws_lb.l", "aws_lb.n"])):
        assert [each.address for each in crowded_interfaces(changes, 5, everything=everything)] == addresses
