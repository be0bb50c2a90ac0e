"""What a plan does to the network that AWS describes: only what it changes, and what others have stays."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.network import with_live
from runbook_lib.models.network import (
    AclEntry,
    Interface,
    Network,
    NetworkAcl,
    Networks,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)
from runbook_lib.models.rules import Direction, Rule, SourceKind


def merged(live: Network, before: Network, after: Network) -> Networks:
    return with_live(Networks(before=before, after=after), live)


def rule(source: str, **fields: Any) -> Rule:
    """TCP on port 22 into sg-1, unless said otherwise."""
    usual = {"direction": Direction.INGRESS, "protocol": "tcp", "from_port": 22, "to_port": 22, "source": source,
             "group": "sg-1"}  # fmt: skip
    return Rule.model_validate({**usual, **fields})


def listed(*entries: str, source: str = "pl-1", **fields: Any) -> Rule:
    return rule(source, source_kind=SourceKind.PREFIX_LIST, entries=entries, **fields)


A, B, C, D = "192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/26", "192.0.2.192/26"
TEN, NINE, EIGHT = rule("10.0.0.0/8"), rule("9.0.0.0/8"), rule("8.0.0.0/8")
SELF = rule("self", source_kind=SourceKind.SELF)
OF_ITSELF, OF_OTHER = (rule(group, source_kind=SourceKind.GROUP) for group in ("sg-1", "sg-2"))


@pytest.mark.parametrize(
    ("live", "before", "after", "later"),
    [
        ((TEN,), (), (), (TEN,)),
        ((TEN, NINE), (TEN,), (), (NINE,)),
        ((TEN, NINE), (TEN,), (EIGHT,), (NINE, EIGHT)),
        ((TEN, NINE), (TEN,), (TEN,), (TEN, NINE)),
        # What is there already does not come twice, though another stack has made it.
        ((TEN,), (), (TEN, NINE), (TEN, NINE)),
        # What somebody has taken away by hand, and the plan keeps, is made again.
        ((), (TEN,), (TEN,), (TEN,)),
        # The provider says self of what AWS says by the group's id.
        ((OF_ITSELF, OF_OTHER), (SELF,), (), (OF_OTHER,)),
        ((OF_ITSELF,), (), (SELF,), (OF_ITSELF,)),
        # The entries of a list change in every rule that names it, and those of others stay in it.
        ((listed(A, B, D), listed(A, B, D, group="sg-2")), (listed(A, B),), (listed(B, C),),
         (listed(B, D, C), listed(B, D, C, group="sg-2"))),
        ((listed(A, B), listed(A, B, source="pl-2")), (listed(A, B),), (listed(B),),
         (listed(B), listed(A, B, source="pl-2"))),
        ((listed(A),), (listed(A),), (listed(A, B),), (listed(A, B),)),
        # An entry that is there already does not come twice.
        ((listed(A, C),), (listed(A),), (listed(A, C),), (listed(A, C),)),
    ],
)  # fmt: skip
def test_rules_come_and_go_by_the_plan_among_those_that_aws_has(
    live: tuple[Rule, ...], before: tuple[Rule, ...], after: tuple[Rule, ...], later: tuple[Rule, ...]
) -> None:
    found = merged(Network(rules=live), Network(rules=before), Network(rules=after))
    assert (found.before.rules, found.after.rules) == (live, later)


def test_of_a_list_whose_entries_nobody_has_read_none_are_made_up() -> None:
    unread = listed().model_copy(update={"entries": None})
    found = merged(Network(rules=(unread,)), Network(rules=(listed(A),)), Network(rules=(listed(B),)))
    assert found.after.rules == (unread,)


ENI = Interface(id="eni-1", name="i-1", kind="instance", owner="i-1", vpc="vpc-1", subnets=("subnet-1",),
                groups=("sg-1", "sg-9"), addresses=("10.0.1.5",), public=("198.51.100.7",))  # fmt: skip
PLANNED = Interface(id="aws_instance.web", name="web-1", kind="instance", owner="i-1", groups=("sg-1",))
DATABASE = Interface(id="eni-2", name="RDS", kind="database", owner="amazon-rds", groups=("sg-2", "sg-1"))
ORDERS = Interface(id="orders", name="orders", kind="database", owner="orders", groups=("sg-1", "sg-2"))
NEW = Interface(id="aws_instance.new", name="new", subnets=("subnet-1",))


def changed(one: Interface, **fields: Any) -> Interface:
    return one.model_copy(update=fields)


@pytest.mark.parametrize(
    ("live", "before", "after", "earlier", "later"),
    [
        # Known by its own id, or by whom it belongs to: then it goes by the plan's name.
        ((ENI,), (changed(PLANNED, id="eni-1", owner=""),), (changed(PLANNED, id="eni-1", owner=""),),
         (changed(ENI, name="web-1"),), (changed(ENI, name="web-1"),)),
        ((ENI,), (PLANNED,), (PLANNED,), (changed(ENI, name="web-1"),), (changed(ENI, name="web-1"),)),
        ((ENI,), (changed(PLANNED, name=""),), (), (ENI,), ()),
        ((ENI,), (changed(PLANNED, owner="i-2"),), (), (ENI,), (ENI,)),
        # What another stack has attached stays attached.
        ((ENI,), (PLANNED,), (changed(PLANNED, groups=("sg-2",), name="other", owner="i-1"),),
         (changed(ENI, name="web-1"),), (changed(ENI, name="web-1", groups=("sg-9", "sg-2")),)),
        ((ENI,), (PLANNED,), (changed(PLANNED, groups=("sg-1", "sg-9")),),
         (changed(ENI, name="web-1"),), (changed(ENI, name="web-1"),)),
        ((ENI,), (PLANNED,), (changed(PLANNED, forwards=True, unsure=frozenset({"public"})),),
         (changed(ENI, name="web-1"),),
         (changed(ENI, name="web-1", forwards=True, unsure=frozenset({"public"})),)),
        ((changed(ENI, unsure=frozenset({"groups", "public"})),),
         (changed(PLANNED, unsure=frozenset({"groups"})),), (changed(PLANNED, unsure=frozenset({"addresses"})),),
         (changed(ENI, name="web-1", unsure=frozenset({"groups", "public"})),),
         (changed(ENI, name="web-1", unsure=frozenset({"addresses", "public"})),)),
        # A database's interface does not say whose it is: the only one with just its groups is.
        ((DATABASE,), (ORDERS,), (), (changed(DATABASE, name="orders"),), ()),
        ((DATABASE,), (ORDERS, changed(ORDERS, id="sums", owner="sums")), (), (DATABASE,), (DATABASE,)),
        ((DATABASE,), (changed(ORDERS, groups=("sg-1",)),), (), (DATABASE,), (DATABASE,)),
        ((DATABASE,), (changed(ORDERS, kind="cache"),), (), (DATABASE,), (DATABASE,)),
        ((changed(DATABASE, kind="cache"),), (changed(ORDERS, kind="cache"),), (),
         (changed(DATABASE, kind="cache"),), (changed(DATABASE, kind="cache"),)),
        # What the plan makes in a subnet of others is in that subnet's VPC.
        ((), (), (NEW,), (), (changed(NEW, vpc="vpc-1"),)),
        ((), (), (changed(NEW, vpc="vpc-2"),), (), (changed(NEW, vpc="vpc-2"),)),
        ((), (), (changed(NEW, subnets=("subnet-9",)),), (), (changed(NEW, subnets=("subnet-9",)),)),
        ((), (), (changed(NEW, subnets=("subnet-1", "subnet-2")),), (),
         (changed(NEW, subnets=("subnet-1", "subnet-2")),)),
        # What the plan leaves as it is and AWS does not describe is none of its VPCs'.
        ((), (NEW,), (NEW,), (), ()),
        ((), (NEW,), (changed(NEW, groups=("sg-1",)),), (), (changed(NEW, groups=("sg-1",), vpc="vpc-1"),)),
    ],
)  # fmt: skip
def test_an_interface_is_what_aws_says_with_what_the_plan_changes_of_it(
    live: tuple[Interface, ...], before: tuple[Interface, ...], after: tuple[Interface, ...],
    earlier: tuple[Interface, ...], later: tuple[Interface, ...],
) -> None:  # fmt: skip
    subnets = (Subnet(id="subnet-1", vpc="vpc-1"),)
    found = merged(Network(interfaces=live, subnets=subnets), Network(interfaces=before), Network(interfaces=after))
    assert (found.before.interfaces, found.after.interfaces) == (earlier, later)


OUT = Route(network="0.0.0.0/0", target=RouteTarget.INTERNET, via="igw-1")
BEYOND = Route(network="10.9.0.0/16", target=RouteTarget.BEYOND, via="tgw-1")
NAT = Route(network="10.8.0.0/16", target=RouteTarget.NAT, via="nat-1")
DENIES, LETS = (AclEntry(number=n, egress=False, allow=n == 2, protocol="all", network="0.0.0.0/0") for n in (1, 2))


def table(*routes: Route, **fields: Any) -> RouteTable:
    return RouteTable.model_validate({"id": "rtb-1", "routes": routes, **fields})


def acl(*entries: AclEntry, **fields: Any) -> NetworkAcl:
    return NetworkAcl.model_validate({"id": "acl-1", "entries": entries, **fields})


@pytest.mark.parametrize(
    ("live", "before", "after", "later"),
    [
        ((table(OUT, NAT),), (table(OUT),), (table(BEYOND),), (table(NAT, BEYOND),)),
        ((table(OUT),), (table(OUT),), (), ()),
        ((table(OUT),), (), (table(NAT, id="rtb-2"),), (table(OUT), table(NAT, id="rtb-2"))),
        # Of another stack's table the plan knows no more than what it adds or takes away.
        ((table(OUT),), (), (table(NAT, unsure=True),), (table(OUT, NAT),)),
        ((table(OUT, NAT),), (table(NAT, unsure=True),), (), (table(OUT),)),
        ((table(OUT, NAT),), (table(NAT, unsure=True),), (table(BEYOND, unsure=True),), (table(OUT, BEYOND),)),
    ],
)
def test_a_table_keeps_the_routes_that_the_plan_does_not_speak_of(
    live: tuple[RouteTable, ...], before: tuple[RouteTable, ...], after: tuple[RouteTable, ...],
    later: tuple[RouteTable, ...],
) -> None:  # fmt: skip
    found = merged(Network(tables=live), Network(tables=before), Network(tables=after))
    assert (found.before.tables, found.after.tables) == (live, later)


@pytest.mark.parametrize(
    ("live", "before", "after", "later"),
    [
        ((acl(DENIES, LETS),), (acl(DENIES),), (acl(),), (acl(LETS),)),
        ((acl(LETS),), (), (acl(DENIES, unsure=True),), (acl(LETS, DENIES),)),
        ((acl(DENIES, LETS),), (acl(DENIES, unsure=True),), (), (acl(LETS),)),
        ((acl(LETS),), (acl(LETS),), (), ()),
    ],
)
def test_an_acl_keeps_the_entries_that_the_plan_does_not_speak_of(
    live: tuple[NetworkAcl, ...], before: tuple[NetworkAcl, ...], after: tuple[NetworkAcl, ...],
    later: tuple[NetworkAcl, ...],
) -> None:  # fmt: skip
    found = merged(Network(acls=live), Network(acls=before), Network(acls=after))
    assert (found.before.acls, found.after.acls) == (live, later)


def test_subnets_and_vpcs_take_the_values_that_the_plan_gives_them_and_no_others() -> None:
    live = Network(
        vpcs=(Vpc(id="vpc-1", networks=("10.0.0.0/16", "10.1.0.0/16")),),
        subnets=(Subnet(id="subnet-1", vpc="vpc-1", networks=("10.0.1.0/24",), table="rtb-1", acl="acl-1"),),
    )
    planned = Subnet(id="subnet-1", networks=("10.0.1.0/24",), unsure=frozenset({"table"}))
    before = Network(vpcs=(Vpc(id="vpc-1", networks=("10.0.0.0/16",)),), subnets=(planned,))
    after = Network(
        vpcs=(Vpc(id="vpc-1", networks=("10.0.0.0/16", "10.2.0.0/16")),),
        subnets=(planned.model_copy(update={"table": "rtb-2", "gives_public": True, "unsure": frozenset()}),),
    )
    found = merged(live, before, after)
    assert found.before == live
    assert found.after.vpcs == (Vpc(id="vpc-1", networks=("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16")),)
    assert found.after.subnets == (
        Subnet(id="subnet-1", vpc="vpc-1", networks=("10.0.1.0/24",), table="rtb-2", acl="acl-1", gives_public=True),
    )


def test_who_is_in_a_group_that_the_plan_makes_is_known_before_and_after() -> None:
    live = Network(ruled=frozenset({"sg-1"}), peopled=frozenset({"sg-1"}), complete=True, names={"sg-1": "web"})
    before = Network(ruled=frozenset({"sg-2"}), peopled=frozenset({"sg-5"}))
    after = Network(ruled=frozenset({"sg-3"}), peopled=frozenset({"sg-4"}))
    found = merged(live, before, after)
    peopled = frozenset({"sg-1", "sg-4"})
    assert found.before == live.model_copy(
        update={"ruled": frozenset({"sg-1", "sg-2", "sg-4"}), "peopled": peopled}
    )  # fmt: skip
    assert found.after == live.model_copy(update={"ruled": frozenset({"sg-1", "sg-3", "sg-4"}), "peopled": peopled})
