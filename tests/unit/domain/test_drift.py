from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.drift import Surveyed, compare, governed_groups, rule_key
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule
from runbook_lib.models.verification import Verification

WORLD = "0.0.0.0/0"
ADDRESS = 'aws_vpc_security_group_ingress_rule.this["web"]'


def rule(source: object = WORLD, port: int | None = 80, **fields: object) -> Rule:
    known = {"direction": "ingress", "protocol": "tcp", "from_port": port, "to_port": port, "source": source}
    return Rule.model_validate(known | {"group": "sg-1", "address": ADDRESS} | fields)


def seen(*rules: Rule) -> list[Rule]:
    """The same rules as AWS tells them: without an address."""
    return [rule.model_copy(update={"address": ""}) for rule in rules]


def kinds(found: Verification) -> list[str]:
    return [difference.kind.value for difference in found.differences]


def test_three_places_that_agree_are_in_sync() -> None:
    found = compare([rule()], [rule()], seen(rule()))
    assert (found.outcome, found.in_sync, found.differences) == ("passed", 1, ())


def test_a_rule_added_by_hand_is_unmanaged_and_blocks() -> None:
    found = compare([rule()], [rule()], seen(rule(), rule("203.0.113.9/32", 22)))
    assert (found.outcome, found.in_sync, kinds(found)) == ("blocked", 1, ["unmanaged"])
    assert found.differences[0].rule is not None
    assert found.differences[0].rule.source == "203.0.113.9/32"


def test_a_rule_removed_by_hand_is_missing() -> None:
    assert kinds(compare([rule()], [rule()], [])) == ["missing"]


def test_a_port_changed_by_hand_is_one_change_told_by_place() -> None:
    found = compare([rule()], [rule()], seen(rule(port=8080)))
    assert kinds(found) == ["changed"]
    assert found.differences[0].fields == {
        "from_port": {"repository": 80, "state": 80, "aws": 8080},
        "to_port": {"repository": 80, "state": 80, "aws": 8080},
    }


def test_a_source_changed_by_hand_is_one_change() -> None:
    found = compare([rule()], [rule()], seen(rule("10.0.0.0/8")))
    assert list(found.differences[0].fields) == ["source"]


def test_a_description_changed_by_hand_is_a_change() -> None:
    found = compare([rule(description="web")], [rule(description="web")], seen(rule(description="mine")))
    assert found.differences[0].fields == {"description": {"repository": "web", "state": "web", "aws": "mine"}}


def test_an_edit_that_was_not_applied_is_a_change_against_the_repository() -> None:
    found = compare([rule(port=80)], [rule(port=8000)], seen(rule(port=8000)))
    assert kinds(found) == ["changed"]
    assert found.differences[0].fields["from_port"] == {"repository": 80, "state": 8000, "aws": 8000}


def test_a_rule_that_only_the_repository_has_was_never_applied() -> None:
    assert kinds(compare([rule()], [], [])) == ["repository_only"]


def test_a_rule_gone_from_the_repository_is_state_only() -> None:
    assert kinds(compare([], [rule()], seen(rule()))) == ["state_only"]


def test_a_rule_made_by_hand_as_the_repository_wants_it_is_unmanaged_until_imported() -> None:
    assert kinds(compare([rule()], [], seen(rule()))) == ["unmanaged"]


def test_how_to_import_such_a_rule_is_said_where_its_id_and_its_address_are_known() -> None:
    wanted = rule(address='aws_vpc_security_group_ingress_rule.web["80"]')
    ids = {rule_key(wanted): "sgr-0123456789abcdef0"}
    (difference,) = compare([wanted], [], seen(wanted), surveyed=Surveyed(ids=ids)).differences
    said, _, block = difference.hint.partition(" Import it: ")
    assert said == "It is in AWS and not in the state, so that apply will fail."
    written = block.removesuffix(" in imports.tf.json")
    to = 'aws_vpc_security_group_ingress_rule.web["80"]'
    assert json.loads(written) == {"import": [{"to": to, "id": "sgr-0123456789abcdef0"}]}
    inline = rule(address="aws_security_group.web")
    (difference,) = compare([inline], [], seen(inline), surveyed=Surveyed(ids=ids)).differences
    assert difference.hint.endswith("Import it, or take it away.")
    # A rule that the repository does not want is nothing to import.
    (difference,) = compare([], [], seen(wanted), groups=[str(wanted.group)]).differences
    assert difference.hint == ""


def test_groups_that_the_stack_does_not_govern_are_not_looked_at() -> None:
    stranger = rule(group="sg-other")
    assert compare([rule()], [rule()], seen(rule(), stranger)).outcome == "passed"
    assert kinds(compare([rule()], [rule()], seen(rule(), stranger), groups=["sg-other"])) == ["unmanaged"]


def test_governed_groups_are_those_with_rules_in_state_or_repository() -> None:
    assert governed_groups([rule(group="sg-2"), rule(group=UNKNOWN)], [rule(group="sg-1")]) == ("sg-1", "sg-2")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"protocol": "6"}, {}),
        ({"protocol": "-1", "from_port": -1, "to_port": -1}, {"protocol": "all", "from_port": None, "to_port": None}),
        ({"from_port": 0, "to_port": 65535}, {"from_port": None, "to_port": None}),
        ({"source": "10.1.2.3/8"}, {"source": "10.0.0.0/8"}),
        ({"source": "2001:DB8::/32"}, {"source": "2001:db8:0::/32"}),
        ({"source": "sg-1", "source_kind": "group"}, {"source": "self", "source_kind": "self"}),
        ({"source": "111122223333/sg-7", "source_kind": "group"}, {"source": "sg-7", "source_kind": "group"}),
        ({"description": ""}, {"description": None}),
        (
            {"protocol": "icmp", "from_port": 8, "to_port": None},
            {"protocol": "icmp", "from_port": 8, "to_port": -1},
        ),
    ],
)
def test_two_spellings_of_one_rule_are_no_difference(theirs: dict[str, object], ours: dict[str, object]) -> None:
    assert compare([rule(**ours)], [rule(**ours)], seen(rule(**theirs))).outcome == "passed"


EVERYTHING_OUT = {"direction": "egress", "protocol": "all", "from_port": None, "to_port": None, "address": ""}


def test_the_egress_rule_of_every_new_group_is_no_drift_where_nobody_governs_egress() -> None:
    assert compare([rule()], [rule()], [*seen(rule()), rule(**EVERYTHING_OUT)]).outcome == "passed"


def test_everything_out_is_drift_where_the_stack_governs_egress() -> None:
    out = rule(direction="egress", port=443)
    assert kinds(compare([out], [out], [*seen(out), rule(**EVERYTHING_OUT)])) == ["unmanaged"]


@pytest.mark.parametrize("field", ["source", "from_port", "description", "group", "protocol"])
def test_a_field_that_the_repository_does_not_know_fits_what_was_applied(field: str) -> None:
    wanted = rule().model_copy(update={field: UNKNOWN})
    assert compare([wanted], [rule()], seen(rule())).outcome == "passed"


def test_a_known_field_still_counts_beside_an_unknown_one() -> None:
    wanted = rule(port=443).model_copy(update={"source": UNKNOWN})
    found = compare([wanted], [rule()], seen(rule()))
    assert found.differences[0].fields["from_port"] == {"repository": 443, "state": 80, "aws": 80}


def test_terraform_addresses_of_groups_are_resolved_by_the_state() -> None:
    wanted = rule("aws_security_group.front", group="aws_security_group.web", source_kind="group")
    known = rule("sg-2", source_kind="group")
    assert compare([wanted], [known], seen(known)).outcome == "passed"


def test_several_rules_of_one_inline_resource_are_told_apart() -> None:
    inline = [rule(port=port, address="aws_security_group.web") for port in (80, 443, 8443)]
    found = compare(inline, inline, seen(*inline[:2], rule(port=9443)))
    assert found.in_sync == 2
    assert [f["from_port"]["aws"] for f in (d.fields for d in found.differences)] == [9443]


def test_a_group_that_repeats_the_rules_of_other_resources_counts_them_once() -> None:
    copy = rule(address="aws_security_group.web")
    found = compare([rule()], [copy, rule()], seen(rule()))
    assert (found.outcome, found.in_sync) == ("passed", 1)


def test_a_rule_that_moved_to_another_address_is_no_drift() -> None:
    assert compare([rule(address="module.m.x.y")], [rule()], seen(rule())).outcome == "passed"


def test_where_there_is_nothing_of_this_kind_there_is_nothing_to_warn_of() -> None:
    assert (compare([], [], []).outcome, compare([], [], []).in_sync) == ("passed", 0)


OWNED = Surveyed(owned=frozenset({"sg-1"}), names={"sg-1": "web"})


def test_a_rule_added_by_hand_to_a_group_of_ours_without_rules_is_unmanaged() -> None:
    found = compare([], [], seen(rule(port=22)), surveyed=OWNED)
    assert (found.outcome, kinds(found), found.differences[0].name) == ("blocked", ["unmanaged"], "web")


def test_everything_out_is_drift_in_a_group_of_ours_of_which_terraform_took_it_away() -> None:
    assert kinds(compare([rule()], [rule()], [*seen(rule()), rule(**EVERYTHING_OUT)], surveyed=OWNED)) == ["unmanaged"]


def test_a_group_that_is_gone_is_said_once_and_not_for_each_of_its_rules() -> None:
    gone = Surveyed(owned=frozenset({"sg-1"}), gone=frozenset({"sg-1"}))
    both = [rule(port=80), rule(port=443)]
    found = compare(both, both, [], surveyed=gone)
    assert [(each.kind.value, each.group, each.rule) for each in found.differences] == [("missing", "sg-1", None)]


def test_a_rule_that_another_stack_keeps_in_the_same_group_is_that_stacks_matter() -> None:
    theirs = rule(port=443, address="aws_security_group_rule.theirs", description="as they wrote it")
    others = Surveyed(elsewhere=(theirs,))
    found = compare([rule()], [rule()], seen(rule(), theirs), surveyed=others)
    assert (found.outcome, found.in_sync, found.other_stacks) == ("passed", 1, 1)
    # What both of them keep is ours to compare.
    changed = compare([rule()], [rule()], seen(rule(port=443)), surveyed=others)
    assert (kinds(changed), changed.other_stacks) == (["changed"], 0)


def test_another_stacks_rule_that_somebody_split_lets_the_same_through() -> None:
    theirs = rule(port=443, source="10.0.0.0/8", address="aws_security_group_rule.theirs")
    halves = [rule(port=443, source=half) for half in ("10.0.0.0/9", "10.128.0.0/9")]
    known = Surveyed(owned=frozenset({"sg-1"}), elsewhere=(theirs,))
    found = compare([], [], seen(*halves), surveyed=known)
    assert (kinds(found), found.outcome) == (["unmanaged"] * 2, "warned")
    assert all(each.same_access for each in found.differences)
    # One half alone is less than they want, and one more than the halves is more.
    assert compare([], [], seen(halves[0]), surveyed=known).outcome == "blocked"
    assert compare([], [], seen(*halves, rule(port=22)), surveyed=known).outcome == "blocked"
    # Where theirs is gone as well, what is ours is split all the same.
    ours = [rule(port=80, source="10.0.0.0/8")]
    parts = [rule(port=80, source=half) for half in ("10.0.0.0/9", "10.128.0.0/9")]
    assert compare(ours, ours, seen(*parts), surveyed=known).outcome == "warned"


RULES = st.builds(
    rule,
    source=st.sampled_from([WORLD, "10.0.0.0/8", "::/0"]),
    port=st.sampled_from([22, 80, 443]),
    group=st.sampled_from(["sg-1", "sg-2"]),
    address=st.sampled_from(["a.b", "a.c", "a.d"]),
)
LISTS = st.lists(RULES, max_size=6)


@settings(deadline=None)
@given(LISTS)
def test_whatever_agrees_has_no_difference(rules: list[Rule]) -> None:
    assert compare(rules, rules, seen(*rules)).differences == ()


@settings(deadline=None)
@given(LISTS, LISTS, LISTS)
def test_every_rule_is_counted_once(repository: list[Rule], state: list[Rule], aws: list[Rule]) -> None:
    def content(rules: list[Rule]) -> set[tuple[object, ...]]:
        return {(r.group, r.from_port, r.source) for r in rules}

    found = compare(repository, state, seen(*aws), groups=["sg-1", "sg-2"])
    everywhere = content(repository) & content(state) & content(aws)
    assert found.in_sync <= len(everywhere)
    anywhere = len(content(repository) | content(state) | content(aws))
    assert len(found.differences) + found.in_sync <= anywhere
    assert (found.differences == ()) == (content(repository) == content(state) == content(aws))


def test_ten_thousand_rules_that_agree_are_all_counted() -> None:
    rules = [rule(f"10.{n // 250}.{n % 250}.0/24", group=f"sg-{n % 200}", address=f"a.r[{n}]") for n in range(10_000)]
    assert compare(rules, rules, seen(*rules)).in_sync == 10_000


INLINE = "aws_security_group.web"


def addresses(found: Verification) -> list[str]:
    return [difference.rule.address if difference.rule else "" for difference in found.differences]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([f"{INLINE}_a", f"{INLINE}_b"], f"{INLINE}_a"),
        ([INLINE, ADDRESS], ADDRESS),
        ([ADDRESS, INLINE], ADDRESS),
        ([ADDRESS, f"{ADDRESS}[0]"], ADDRESS),
    ],
)
def test_of_rules_that_stand_twice_the_one_with_a_resource_of_its_own_is_told_else_the_first(
    given: list[str], kept: str
) -> None:
    assert addresses(compare([], [rule(address=address) for address in given], [])) == [kept]


def ports(found: Verification) -> list[tuple[object, ...]]:
    told = [difference.fields.get("from_port", {}) for difference in found.differences]
    return [tuple(each.get(place) for place in ("repository", "state", "aws")) for each in told]


def test_of_several_rules_at_one_address_those_of_one_source_are_one_changed_rule() -> None:
    wanted = [rule("10.0.0.0/8", 80, address=INLINE), rule("192.0.2.0/24", 443, address=INLINE)]
    known = [rule("192.0.2.0/24", 8443, address=INLINE), rule("10.0.0.0/8", 8080, address=INLINE)]
    found = compare(wanted, known, seen(*known))
    assert kinds(found) == ["changed", "changed"]
    assert sorted(ports(found)) == [(80, 8080, 8080), (443, 8443, 8443)]
    assert all("source" not in difference.fields for difference in found.differences)


def test_of_several_rules_at_one_address_those_on_one_port_are_one_changed_rule() -> None:
    wanted = [rule("10.0.0.0/8", 80, address=INLINE), rule("192.0.2.0/24", 443, address=INLINE)]
    known = [rule("198.51.100.0/24", 443, address=INLINE), rule("203.0.113.0/24", 80, address=INLINE)]
    found = compare(wanted, known, seen(*known))
    told = sorted(tuple(difference.fields["source"].values()) for difference in found.differences)
    assert told == [
        ("10.0.0.0/8", "203.0.113.0/24", "203.0.113.0/24"),
        ("192.0.2.0/24", "198.51.100.0/24", "198.51.100.0/24"),
    ]


def test_a_rule_edited_to_its_last_field_is_still_the_one_at_its_address() -> None:
    known = rule("192.0.2.0/24", 443)
    found = compare([rule("10.0.0.0/8", 80)], [known], seen(known))
    assert kinds(found) == ["changed"]
    assert set(found.differences[0].fields) == {"source", "from_port", "to_port"}


def test_rules_that_no_address_ties_are_two_differences() -> None:
    found = compare([rule("10.0.0.0/8", 80, address="")], [rule("192.0.2.0/24", 443, address="")], [])
    assert kinds(found) == ["repository_only", "state_only"]


def test_by_hand_a_rule_keeps_its_source_or_its_port_else_it_is_another() -> None:
    known = [rule("10.0.0.0/8", 80, address="a.b"), rule("192.0.2.0/24", 443, address="a.c")]
    moved = seen(rule("192.0.2.0/24", 8443), rule("10.0.0.0/8", 8080))
    assert sorted(ports(compare(known, known, moved))) == [(80, 80, 8080), (443, 443, 8443)]
    other = compare([rule("10.0.0.0/8", 80)], [rule("10.0.0.0/8", 80)], seen(rule("192.0.2.0/24", 443)))
    assert kinds(other) == ["missing", "unmanaged"]
    turned = compare([rule()], [rule()], seen(rule(direction="egress")))
    assert kinds(turned) == ["missing", "unmanaged"]


def test_what_somebody_made_as_wanted_is_not_taken_for_a_change_of_another_rule() -> None:
    old, new = rule(port=80, address="a.old"), rule(port=443, address="a.new")
    found = compare([old, new], [old], seen(rule(port=443)))
    assert sorted(kinds(found)) == ["missing", "unmanaged"]
    told = {difference.kind.value: difference for difference in found.differences}
    ports_of = {kind: each.rule.from_port for kind, each in told.items() if each.rule}
    assert ports_of == {"missing": 80, "unmanaged": 443}


def test_differences_stand_by_group_then_by_kind_and_carry_the_rule_as_the_state_has_it() -> None:
    gone, changed = rule(port=1, group="sg-2", address="a.b"), rule(port=2, group="sg-1", address="a.c")
    hand = rule("203.0.113.9/32", 9, group="sg-2", address="")
    found = compare([gone, changed], [gone, changed], [*seen(rule(port=3, group="sg-1")), hand], ["sg-3"])
    assert [(each.group, each.kind.value) for each in found.differences] == [
        ("sg-1", "changed"), ("sg-2", "missing"), ("sg-2", "unmanaged"),
    ]  # fmt: skip
    assert [each.rule for each in found.differences] == [changed, gone, hand]
    assert [each.fields for each in found.differences[1:]] == [{}, {}]


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        pytest.param({"group": "aws_security_group.web"}, {}, id="the group by the rule's own address"),
        pytest.param({"source": "aws_security_group.front"}, {}, id="the source by the rule's own address"),
        pytest.param(
            {"source": "sg-3"}, {"source": {"repository": "sg-3", "state": "sg-2", "aws": "sg-2"}}, id="an id"
        ),
        pytest.param({"group": "sg-1", "source": "sg-2"}, {}, id="both by id"),
        pytest.param({"source": UNKNOWN}, {}, id="what is not known yet"),
    ],
)
def test_what_the_repository_calls_by_address_is_held_to_the_id_in_the_state(
    wanted: dict[str, object], fields: dict[str, object]
) -> None:
    known = rule("sg-2", source_kind="group")
    found = compare([known.model_copy(update=wanted)], [known], seen(known))
    assert [difference.fields for difference in found.differences] == ([fields] if fields else [])


def test_an_address_that_the_state_does_not_tell_fits_whatever_was_applied() -> None:
    wanted = rule("aws_security_group.front", group="aws_security_group.web", source_kind="group", address="a.new")
    known = rule("sg-2", source_kind="group", address="a.old")
    assert compare([wanted], [known], seen(known)).outcome == "passed"
    other = compare([wanted.model_copy(update={"from_port": 81, "to_port": 81})], [known], seen(known))
    assert sorted(kinds(other)) == ["repository_only", "state_only"]


def test_the_source_of_one_of_several_rules_at_an_address_is_not_taken_for_another_s() -> None:
    known = [rule(f"sg-{number}", 80 + number, source_kind="group", address=INLINE) for number in (2, 3)]
    wanted = [rule("aws_security_group.x", 82, source_kind="group", address=INLINE), known[1]]
    assert compare(wanted, known, seen(*known)).outcome == "passed"
