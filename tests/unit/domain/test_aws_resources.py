"""Rules of which a plan can't tell everything yet: what is said of them, and what is left open."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import change, changes_of, values

from runbook_lib.domain.rules import RuleChanges
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Direction, Rule, SourceKind

RULE = "aws_vpc_security_group_ingress_rule.rule"
LIST = "aws_ec2_managed_prefix_list.l"
OTHER_LIST = "aws_ec2_managed_prefix_list.m"
GROUP = {"address": "aws_security_group.g", "type": "aws_security_group", "name": "g"}
CLASSIC = {"address": "aws_security_group_rule.r", "type": "aws_security_group_rule", "name": "r"}


def configured(address: str, **expressions: Any) -> dict[str, Any]:
    """The configuration of one resource; an expression as the references that it holds."""
    written = {name: {"references": list(references)} for name, references in expressions.items()}
    return {"root_module": {"resources": [{"address": address, "expressions": written}]}}


def created(entry: dict[str, Any], after: dict[str, Any], unknown: dict[str, Any], **expressions: Any) -> RuleChanges:
    """The change that makes this resource, some attributes of it known only after apply."""
    made = change(["create"], None, after, unknown=unknown, **entry)
    return changes_of(made, *LISTS, configuration=configured(entry.get("address", RULE), **expressions))


def prefix_list(address: str, network: str) -> dict[str, Any]:
    entry = {"address": address, "type": "aws_ec2_managed_prefix_list", "name": "l"}
    return change(["create"], None, {"entry": [{"cidr": network}]}, unknown={"id": True}, **entry)


LISTS = (prefix_list(LIST, "10.0.0.0/8"), prefix_list(OTHER_LIST, "192.0.2.0/24"))


def other_ends(changes: RuleChanges) -> set[tuple[str, Any, Any]]:
    return {(str(rule.source_kind), rule.source, rule.entries) for rule in changes.after}


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("unknown", [True, [True]])
def test_of_blocks_that_are_not_known_at_all_their_group_and_direction_are(direction: Direction, unknown: Any) -> None:
    found = created(GROUP, {}, {str(direction): unknown, "id": True}, **{str(direction): ["var.rules"]}).after
    assert [dict(rule) for rule in found] == [
        {
            "direction": direction, "protocol": UNKNOWN, "from_port": UNKNOWN, "to_port": UNKNOWN, "source": UNKNOWN,
            "source_kind": SourceKind.UNKNOWN, "entries": None, "description": UNKNOWN, "expires": None,
            "group": "aws_security_group.g", "address": "aws_security_group.g",
        }
    ]  # fmt: skip


def test_blocks_that_nobody_wrote_are_unknown_to_the_provider_only() -> None:
    assert created(GROUP, {}, {"ingress": True, "egress": True}, name=()).after == ()
    assert [rule.direction for rule in created(GROUP, {}, {"ingress": True, "egress": True}, egress=()).after] == [
        Direction.EGRESS
    ]


def test_a_group_is_called_by_its_id_where_there_is_one() -> None:
    after = {"id": "sg-1", "ingress": [{"protocol": "tcp", "from_port": 1, "to_port": 2, "self": True}, None]}
    (rule,) = created(GROUP, after, {}, ingress=()).after
    assert (rule.group, rule.address, rule.source_kind, rule.source) == (
        "sg-1", "aws_security_group.g", SourceKind.SELF, "self",
    )  # fmt: skip
    (unsure,) = created(
        GROUP,
        {"ingress": [{**after["ingress"][0], "self": None}]},
        {"ingress": [{"self": True}]},
        ingress=(),  # type: ignore[index,dict-item]
    ).after
    assert (unsure.group, unsure.source_kind, unsure.source) == ("aws_security_group.g", SourceKind.SELF, UNKNOWN)


LIST_END = ("prefix_list", LIST, ("10.0.0.0/8",))
OTHER_END = ("prefix_list", OTHER_LIST, ("192.0.2.0/24",))
SOME_LIST = ("prefix_list", UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    ("references", "one", "all_of_them"),
    [
        pytest.param([LIST], {LIST_END}, {LIST_END}, id="one list"),
        pytest.param([LIST, OTHER_LIST], {SOME_LIST}, {LIST_END, OTHER_END}, id="two lists"),
        pytest.param([LIST, "aws_security_group.g"], {LIST_END}, {LIST_END}, id="a list and a group"),
        pytest.param([LIST, "aws_default_security_group.g"], {LIST_END}, {LIST_END}, id="a list and a VPC's own group"),
        pytest.param([LIST, "aws_vpc.v"], {LIST_END, SOME_LIST}, {LIST_END, SOME_LIST}, id="what may be a list's id"),
        pytest.param([LIST, "var.x"], {SOME_LIST}, {LIST_END, SOME_LIST}, id="a list or a variable"),
        pytest.param(["aws_vpc.v"], {SOME_LIST}, {SOME_LIST}, id="no list"),
        pytest.param([], {SOME_LIST}, {SOME_LIST}, id="nothing"),
        pytest.param(
            ["data.aws_prefix_list.s3"],
            {("prefix_list", "data.aws_prefix_list.s3", UNKNOWN)},
            {("prefix_list", "data.aws_prefix_list.s3", UNKNOWN)},
            id="one that is looked up",
        ),
    ],
)
def test_a_list_whose_id_is_not_known_is_the_one_that_the_configuration_names(
    references: list[str], one: set[Any], all_of_them: set[Any]
) -> None:
    after = values(cidr_ipv4=None)
    assert other_ends(created({}, after, {"prefix_list_id": True}, prefix_list_id=references)) == one
    classic = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "security_group_id": "sg-1"}
    assert other_ends(created(CLASSIC, classic, {"prefix_list_ids": True}, prefix_list_ids=references)) == all_of_them


def test_a_list_of_which_the_id_is_known_needs_no_reference() -> None:
    found = created({}, values(cidr_ipv4=None, prefix_list_id="pl-9"), {}, prefix_list_id=[LIST])
    assert other_ends(found) == {("prefix_list", "pl-9", UNKNOWN)}


@pytest.mark.parametrize(
    ("references", "group"),
    [
        (["aws_security_group.b"], "aws_security_group.b"),
        (["aws_default_security_group.d"], "aws_default_security_group.d"),
        (["aws_vpc.v.default_security_group_id", "aws_vpc.v"], "aws_vpc.v.default_security_group_id"),
        (["aws_security_group.b", "aws_vpc.v"], "aws_security_group.b"),
        (["aws_security_group.b", "aws_security_group.c"], "aws_security_group.b or aws_security_group.c[*]"),
        (["aws_security_group.b[*]", "aws_security_group.c[*]"], "aws_security_group.b or aws_security_group.c[*]"),
        (["aws_security_group.b", "data.aws_security_group.c"], UNKNOWN),
        (["aws_security_group.b", "aws_default_security_group.d"], UNKNOWN),
        (["aws_security_group.b", "var.x"], UNKNOWN),
        (["aws_vpc.v"], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_group_whose_id_is_not_known_is_what_the_configuration_names(references: list[str], group: Any) -> None:
    after = values(cidr_ipv4=None)
    other = created({}, after, {"referenced_security_group_id": True}, referenced_security_group_id=references)
    assert other_ends(other) == {("group", group, None)}
    (rule,) = created(
        {}, values(security_group_id=None), {"security_group_id": True}, security_group_id=references
    ).after
    assert rule.group == group
    classic = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "security_group_id": "sg-1"}
    single = created(CLASSIC, classic, {"source_security_group_id": True}, source_security_group_id=references)
    assert other_ends(single) == {("group", group, None)}
    listed = created(CLASSIC, classic, {"security_groups": True}, security_groups=references)
    assert other_ends(listed) == {("group", group, None)}


def test_of_two_that_may_be_one_of_many_groups_it_is_the_one_of_more() -> None:
    # Nobody says what the local values hold: of the module's nine groups, or of all ten.
    addresses = ["aws_security_group.g", *(f"module.m.aws_security_group.g{n}" for n in range(9))]
    groups = [
        change(["create"], None, {"name": "g"}, unknown={"id": True}, **{**GROUP, "address": address})
        for address in addresses
    ]
    module = {"module": {"outputs": {"group": {"expression": {"references": ["local.group"]}}}}}
    configuration = configured(RULE, security_group_id=["local.group", "module.m.group"])
    configuration["root_module"]["module_calls"] = {"m": module}
    made = change(["create"], None, values(security_group_id=None), unknown={"security_group_id": True})
    (rule,) = changes_of(*groups, made, configuration=configuration).after
    assert rule.group == "one of 10 aws_security_group resources[*]"


@pytest.mark.parametrize(
    ("fields", "expressions", "ends"),
    [
        pytest.param({"cidr_blocks": ["10.0.0.0/8"]}, {"source_security_group_id": []},
                     {("network", "10.0.0.0/8", None)}, id="a network excludes it"),
        pytest.param({"ipv6_cidr_blocks": ["::/0"]}, {"source_security_group_id": []}, {("network", "::/0", None)},
                     id="a network of IPv6 excludes it"),
        pytest.param({"self": True}, {"source_security_group_id": []}, {("self", "self", None)}, id="self excludes it"),
        pytest.param({"self": False, "cidr_blocks": [], "ipv6_cidr_blocks": None}, {"source_security_group_id": []},
                     {("group", UNKNOWN, None)}, id="what is empty does not"),
        pytest.param({}, {"cidr_blocks": []}, set(), id="nobody wrote it"),
    ],
)  # fmt: skip
def test_a_classic_rule_s_group_that_the_provider_computes_is_a_source_only_where_it_can_be(
    fields: dict[str, Any], expressions: dict[str, Any], ends: set[Any]
) -> None:
    classic = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "security_group_id": "sg-1"}
    found = created(CLASSIC, {**classic, **fields}, {"source_security_group_id": True}, **expressions)
    assert other_ends(found) == ends


def test_networks_that_are_not_known_are_one_unknown_network() -> None:
    classic = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "security_group_id": "sg-1"}
    for unknown in ({"cidr_blocks": True}, {"ipv6_cidr_blocks": True}):
        assert other_ends(created(CLASSIC, classic, unknown, cidr_blocks=[])) == {("network", UNKNOWN, None)}
    (rule,) = created(CLASSIC, {**classic, "self": True}, {"type": True}, type=[]).after
    assert rule.direction is UNKNOWN


def test_a_block_s_list_and_group_are_found_in_the_whole_of_its_expression() -> None:
    block = {"protocol": "tcp", "from_port": 22, "to_port": 22}
    unknown = {"ingress": [{"prefix_list_ids": True, "security_groups": True}]}
    found = created(GROUP, {"ingress": [block]}, unknown, ingress=[LIST, "aws_security_group.b"])
    assert other_ends(found) == {LIST_END, ("group", "aws_security_group.b", None)}


ENTRY = {"address": "aws_ec2_managed_prefix_list_entry.e", "type": "aws_ec2_managed_prefix_list_entry", "name": "e"}
TEN, OFFICE = "10.0.0.0/8", "192.0.2.0/24"


def entry(network: str | None) -> dict[str, Any] | None:
    return None if network is None else {"prefix_list_id": "pl-1", "cidr": network}


COMES_AND_GOES = [
    # actions              the entry before and after   what the list holds before and after
    (["no-op"],            (TEN, TEN),                  ((TEN,), (TEN,))),
    (["create"],           (None, TEN),                 ((), (TEN,))),
    (["delete"],           (TEN, None),                 ((TEN,), ())),
    (["delete", "create"], (TEN, OFFICE),               ((TEN,), (OFFICE,))),
    (["update"],           (TEN, TEN),                  ((TEN,), (TEN,))),
]  # fmt: skip


def test_a_network_that_moves_from_an_entry_into_its_list_stays_there() -> None:
    lists = {"address": LIST, "type": "aws_ec2_managed_prefix_list", "name": "l"}
    rule = values(cidr_ipv4=None, prefix_list_id="pl-1")
    found = changes_of(
        change(["update"], {"id": "pl-1", "entry": []}, {"id": "pl-1", "entry": [{"cidr": TEN}]}, **lists),
        change(["delete"], entry(TEN), None, **ENTRY),
        change(["create"], None, rule),
    )
    assert [rule.entries for rule in found.after] == [(TEN,)]


@pytest.mark.parametrize(
    ("shown", "actions", "entries", "listed"),
    [
        *((shown, *row) for shown in (True, False) for row in COMES_AND_GOES),
        (True, ["forget"], (TEN, None), ((TEN,), (TEN,))),
    ],
)
def test_separate_entries_of_a_list_come_and_go_with_their_resources(
    shown: bool, actions: list[str], entries: tuple[str | None, str | None], listed: tuple[tuple[str, ...], ...]
) -> None:
    # The provider shows in the list itself what other resources have put into it, once it has read it again.
    before, after = entries
    held = {"id": "pl-1", "entry": [{"cidr": before}] if shown and before else []}
    lists = {"address": LIST, "type": "aws_ec2_managed_prefix_list", "name": "l"}
    rule = values(cidr_ipv4=None, prefix_list_id="pl-1")
    found = changes_of(
        change(["no-op"], held, held, **lists),
        change(actions, entry(before), entry(after), **ENTRY),
        change(["no-op"], rule, rule),
    )
    assert tuple(rule.entries for rule in (*found.before, *found.after)) == listed
    assert bool(found.touched) is (listed[0] != listed[1])


def test_an_entry_of_a_list_that_is_made_with_it_is_found_by_reference() -> None:
    made = change(["create"], None, {"cidr": OFFICE}, unknown={"prefix_list_id": True}, **ENTRY)
    rule = change(["create"], None, values(cidr_ipv4=None), unknown={"prefix_list_id": True})
    resources = [
        {"address": each, "expressions": {"prefix_list_id": {"references": [f"{LIST}.id", LIST]}}}
        for each in (ENTRY["address"], RULE)
    ]
    found = changes_of(LISTS[0], made, rule, configuration={"root_module": {"resources": resources}})
    assert other_ends(found) == {("prefix_list", LIST, (TEN, OFFICE))}


def prior(**resource: Any) -> dict[str, Any]:
    return {"values": {"root_module": {"resources": [resource]}}}


INLINE = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": [TEN], "description": ""}


@pytest.mark.parametrize(
    ("resource", "rules", "defaults"),
    [
        pytest.param(
            {"address": "aws_security_group.g", "type": "aws_security_group", "mode": "managed",
             "values": {"id": "sg-1", "name": "web", "ingress": [INLINE]}},
            ["aws_security_group.g"], set(), id="a group",
        ),
        pytest.param(
            {"address": "data.aws_security_group.g", "type": "aws_security_group", "mode": "data",
             "values": {"id": "sg-1", "name": "web", "ingress": [INLINE]}},
            [], set(), id="a group that was looked up",
        ),
        pytest.param(
            {"address": "data.aws_security_group.g", "type": "aws_security_group", "mode": "data",
             "values": {"id": "sg-1", "name": "default", "ingress": [INLINE]}},
            [], {"sg-1", "data.aws_security_group.g.default_security_group_id"}, id="a VPC's own that was looked up",
        ),
        pytest.param(
            {"address": "data.aws_vpc.v", "type": "aws_vpc", "mode": "data",
             "values": {"id": "vpc-1", "default_security_group_id": "sg-9"}},
            [], {"sg-9", "data.aws_vpc.v.default_security_group_id"}, id="a VPC that was looked up",
        ),
        pytest.param(
            {"address": "aws_default_vpc.v", "type": "aws_default_vpc", "mode": "managed",
             "values": {"default_security_group_id": "sg-9"}},
            [], {"sg-9", "aws_default_vpc.v.default_security_group_id"}, id="the default VPC",
        ),
        pytest.param(
            {"address": "aws_instance.i", "type": "aws_instance", "values": {"id": "i-1", "name": "default"}},
            [], set(), id="something else",
        ),
        pytest.param({"address": "aws_vpc.v", "type": "aws_vpc", "values": None}, [], set(), id="nothing is held"),
    ],
)  # fmt: skip
def test_what_the_plan_says_nothing_of_stands_as_the_state_before_has_it(
    resource: dict[str, Any], rules: list[str], defaults: set[str]
) -> None:
    found = changes_of(prior_state=prior(**resource))
    assert [rule.address for rule in found.before] == [rule.address for rule in found.after] == rules
    assert (found.touched, found.default_groups) == (frozenset(), defaults)


@pytest.mark.parametrize("of_old", ["address", "previous_address"])
def test_what_the_plan_speaks_of_is_not_taken_from_the_state_before(of_old: str) -> None:
    named = {"address": "aws_vpc_security_group_ingress_rule.new", of_old: RULE}
    held = {"address": RULE, "type": "aws_vpc_security_group_ingress_rule", "mode": "managed", "values": values()}
    found = changes_of(change(["no-op"], values(), values(), **named), prior_state=prior(**held))
    assert len(found.before) == len(found.after) == 1


@pytest.mark.parametrize(
    "state", [{}, {"values": []}, {"values": {"root_module": []}}, {"values": {"root_module": {"resources": {}}}},
              {"values": {"root_module": {"resources": ["x"], "child_modules": {}}}}]
)  # fmt: skip
def test_a_state_before_that_holds_nothing_readable_adds_nothing(state: dict[str, Any]) -> None:
    assert changes_of(prior_state=state).after == ()


@pytest.mark.parametrize("kind", ["aws_vpc", "aws_default_vpc"])
def test_a_vpc_in_the_plan_tells_its_own_group(kind: str) -> None:
    made = change(["create"], None, {"default_security_group_id": "sg-9"}, address=f"{kind}.v", type=kind, name="v")
    assert changes_of(made).default_groups == {"sg-9", f"{kind}.v.default_security_group_id"}


def addresses(rules: tuple[Rule, ...]) -> list[tuple[str, Any]]:
    return [(rule.address.partition(".")[0], rule.from_port) for rule in rules]


@pytest.mark.parametrize(
    ("expressions", "seen", "kept"),
    [
        pytest.param({}, {}, False, id="seen and not written"),
        pytest.param({"ingress": {}}, {}, True, id="written too"),
        pytest.param({"egress": {}}, {}, False, id="written the other way"),
        pytest.param({}, {"from_port": 23, "to_port": 23}, True, id="of no other resource"),
        pytest.param({}, {"description": "mine"}, True, id="described otherwise"),
        pytest.param({}, {"cidr_blocks": [OFFICE]}, True, id="from elsewhere"),
    ],
)
def test_a_group_that_declares_no_rules_does_not_repeat_those_of_other_resources(
    expressions: dict[str, Any], seen: dict[str, Any], kept: bool
) -> None:
    group = {"id": "sg-1", "ingress": [{**INLINE, **seen}]}
    rule = values(cidr_ipv4=TEN, description=None)
    configuration = {"root_module": {"resources": [{"address": "aws_security_group.g", "expressions": expressions}]}}
    found = changes_of(
        change(["no-op"], group, group, **GROUP), change(["no-op"], rule, rule), configuration=configuration
    )
    wanted = [("aws_vpc_security_group_ingress_rule", 22)]
    if kept:
        wanted.insert(0, ("aws_security_group", seen.get("from_port", 22)))
    assert addresses(found.before) == addresses(found.after) == wanted


def test_a_rule_within_a_group_is_seen_as_its_self() -> None:
    group = {"id": "sg-1", "ingress": [{**INLINE, "cidr_blocks": [], "self": True}]}
    rule = values(cidr_ipv4=None, referenced_security_group_id="sg-1", description=None)
    configuration = {"root_module": {"resources": [{"address": "aws_security_group.g", "expressions": {}}]}}
    found = changes_of(
        change(["no-op"], group, group, **GROUP), change(["no-op"], rule, rule), configuration=configuration
    )
    assert addresses(found.after) == [("aws_vpc_security_group_ingress_rule", 22)]


@pytest.mark.parametrize(
    ("actions", "before", "after", "views"),
    [
        (["create"], None, {"a": 1}, [({"a": 1}, True)]),
        (["update"], {"a": 0}, {"a": 1}, [({"a": 1}, True)]),
        (["no-op"], {"a": 1}, {"a": 1}, [({"a": 1}, False)]),
        (["read"], None, {"a": 1}, [({"a": 1}, False)]),
        (["delete"], {"a": 1}, None, []),
        (["forget"], {"a": 1}, None, [({"a": 1}, False)]),
        (["create", "forget"], {"a": 0}, {"a": 1}, [({"a": 1}, True), ({"a": 0}, False)]),
    ],
)
def test_every_resource_that_will_stand_is_shown_and_whether_it_is_touched(
    actions: list[str], before: Any, after: Any, views: list[tuple[Any, bool]]
) -> None:
    made = change(actions, before, after, address="aws_vpc.v", type="aws_vpc", name="v")
    found = changes_of(made, change(["create"], None, {}, address="aws_subnet.s", type="aws_subnet", name="s"))
    shown = list(found.resources_of({"aws_vpc"}))
    assert [(dict(view.values), view.touched) for view in shown] == views
    assert {(view.address, view.type) for view in shown} <= {("aws_vpc.v", "aws_vpc")}
    assert found.resources == 1 + bool(views)


@pytest.mark.parametrize(
    ("actions", "before", "after", "stands"),
    [
        (["create"], None, {"a": 1}, [True]),
        (["update"], {"a": 0}, {"a": 1}, [True]),
        (["delete", "create"], {"a": 0}, {"a": 1}, [True]),
        (["no-op"], {"a": 1}, {"a": 1}, [False]),
        (["read"], None, {"a": 1}, [False]),
        (["delete"], {"a": 1}, None, []),
    ],
)
def test_of_all_that_stands_it_is_told_what_type_it_is_and_whether_it_is_touched(
    actions: list[str], before: Any, after: Any, stands: list[bool]
) -> None:
    made = change(actions, before, after, address="aws_lb.l", type="aws_lb", name="l")
    data = change(["read"], None, {"a": 1}, address="data.aws_lb.d", type="aws_lb", name="d", mode="data")
    assert list(changes_of(made, data).standing()) == [("aws_lb.l", "aws_lb", touched) for touched in stands]


def test_an_object_that_is_forgotten_beside_a_new_one_is_left_as_it_was() -> None:
    found = changes_of(change(["create", "forget"], values(), values(from_port=80, to_port=80)))
    assert [rule.from_port for rule in found.before] == [22]
    assert [rule.from_port for rule in found.after] == [22, 80]
    assert found.touched == {1}


def test_a_deposed_object_has_an_address_of_its_own() -> None:
    found = changes_of(change(["delete"], values(), deposed="0badcafe"))
    assert [rule.address for rule in found.before] == [f"{RULE} (deposed 0badcafe)"]
