from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.drift import Surveyed, accept, compare, concluded, governed_groups, rule_key
from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.findings import WaiverReference
from runbook_lib.models.rules import Rule
from runbook_lib.models.verification import AcceptedDifference, Difference, DifferenceKind, Verification

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


HAND = rule("203.0.113.9/32", 22, address="")
WORDS = "ingress tcp 22 from 203.0.113.9/32"
TODAY = date(2026, 11, 27)


def answered(**fields: object) -> AcceptedDifference:
    usual = {"kind": "unmanaged", "where": "sg-1", "owner": "sam", "reason": "Known.", "expires": TODAY}
    return AcceptedDifference.model_validate({**usual, **fields})


@pytest.mark.parametrize(
    ("accepted", "hides"),
    [
        ({}, True),
        ({"where": "web"}, True),
        ({"where": "w*"}, True),
        ({"where": "sg-2"}, False),
        ({"kind": "missing"}, False),
        ({"what": WORDS}, True),
        ({"what": "ingress tcp 22 *"}, True),
        ({"what": "ingress tcp 23 *"}, False),
        # The last day still counts.
        ({"expires": date(2026, 11, 28)}, True),
        ({"expires": date(2026, 11, 26)}, False),
    ],
)
def test_what_somebody_answers_for_is_told_and_does_not_block(accepted: dict[str, object], hides: bool) -> None:
    found = compare([rule()], [rule()], seen(rule(), HAND), surveyed=Surveyed(names={"sg-1": "web"}))
    (difference,) = found.differences
    marked = accept(found, [answered(**accepted)], TODAY)
    if not hides:
        assert marked == found
        return
    expires = str(accepted.get("expires", TODAY))
    by = WaiverReference(owner="sam", reason="Known.", expires=expires)
    assert marked.differences == (difference.model_copy(update={"accepted": by, "blocks": False}),)
    # What is accepted is no reason to warn, either.
    assert (found.outcome, marked.outcome, marked.in_sync) == (Outcome.BLOCKED, Outcome.PASSED, 1)


def test_the_first_who_answers_for_a_difference_is_named_and_the_rest_still_blocks() -> None:
    found = compare([rule()], [rule()], seen(rule(), HAND, rule("203.0.113.8/32", 22)))
    mine = answered(what=WORDS, owner="kim")
    marked = accept(found, [answered(where="sg-7"), mine, answered(what="*9/32")], TODAY)
    assert [each.accepted and each.accepted.owner for each in marked.differences] == [None, "kim"]
    assert [each.blocks for each in marked.differences] == [True, False]
    assert marked.outcome is Outcome.BLOCKED


def test_a_rule_is_accepted_by_its_address_and_a_resource_attribute_by_attribute() -> None:
    gone = compare([rule()], [rule()], [])
    assert accept(gone, [answered(kind="missing", where=ADDRESS)], TODAY).outcome is Outcome.PASSED
    drifted = Difference(
        kind=DifferenceKind.DRIFTED, group="", rule=None, address="aws_instance.web", fields={"tags": {}, "state": {}}
    )
    found = concluded(Verification(outcome=Outcome.PASSED, in_sync=0), [drifted])
    for attributes, outcome in ((("state",), Outcome.BLOCKED), (("state", "tags", "size"), Outcome.PASSED)):
        given = answered(kind="drifted", where="aws_instance.web", attributes=attributes)
        assert accept(found, [given], TODAY).outcome is outcome
    subject = drifted.model_copy(update={"kind": DifferenceKind.UNMANAGED, "group": "sg-1", "subject": "eni-1 of web"})
    found = concluded(Verification(outcome=Outcome.PASSED, in_sync=0), [subject])
    assert accept(found, [answered(what="eni-1 *")], TODAY).outcome is Outcome.PASSED
    assert accept(found, [answered(what="eni-2 *")], TODAY).outcome is Outcome.BLOCKED


def test_what_does_not_block_and_nobody_answers_for_is_a_warning_and_so_is_a_check_that_fails() -> None:
    found = Verification(outcome=Outcome.PASSED, in_sync=3, checks=("a",))
    quiet = Difference(kind=DifferenceKind.UNMANAGED, group="sg-1", rule=None, blocks=False)
    told = concluded(found, [quiet], ["b"])
    assert told == found.model_copy(
        update={"outcome": Outcome.WARNED, "differences": (quiet,), "checks": ("a", "b")}
    )  # fmt: skip
    assert concluded(found, []).outcome is Outcome.WARNED
    assert concluded(found.model_copy(update={"checks": ()}), []).outcome is Outcome.PASSED
    assert concluded(found, [quiet.model_copy(update={"blocks": True})]).outcome is Outcome.BLOCKED


def test_that_a_rule_s_end_has_come_is_told_with_who_can_take_it_away() -> None:
    ended = rule(expires="2026-11-26T12:00:00Z")
    at = Surveyed(now=datetime(2026, 11, 27, tzinfo=UTC))
    known = compare([ended], [ended], seen(ended), surveyed=at)
    assert [(each.kind.value, each.hint) for each in known.differences] == [
        ("expired", "Its end has come: take it away (a run does), or prolong its tag.")
    ]
    hand = compare([rule(port=443)], [rule(port=443)], seen(rule(port=443), ended), surveyed=at)
    assert [(each.kind.value, each.hint) for each in hand.differences] == [
        ("unmanaged", "Its end has come: take it away (no run does, as no state knows it), or prolong its tag.")
    ]
    assert compare([ended], [ended], seen(ended)).differences == ()


def test_rules_that_differ_in_more_than_who_gets_in_block_though_the_same_gets_through() -> None:
    whole, halves = rule("10.0.0.0/8"), [rule("10.0.0.0/9"), rule("10.128.0.0/9")]
    split = compare([whole], [whole], seen(*halves))
    assert {(each.same_access, each.blocks) for each in split.differences} == {(True, False)}
    # A description or an end that somebody changed stays a difference, whatever gets through.
    for changed in (
        {"description": "mine"},
        {"expires": "2027-01-01"},
        {"description": "mine", "expires": "2027-01-01"},
    ):
        known = rule().model_copy(update={"description": "web", "expires": "2026-12-31"})
        found = compare([known], [known], seen(known.model_copy(update=changed)))
        assert [(set(each.fields), each.same_access, each.blocks) for each in found.differences] == [
            (set(changed), False, True)
        ]


@pytest.mark.parametrize(
    ("kind", "address", "ids"),
    [
        ("group", "aws_security_group.front", ("sg-2", "sg-8", "sg-9")),
        ("prefix_list", "aws_ec2_managed_prefix_list.front", ("pl-2", "pl-8", "pl-9")),
    ],
)
def test_what_one_rule_tells_of_an_address_holds_for_the_others_that_name_it(
    kind: str, address: str, ids: tuple[str, str, str]
) -> None:
    def to(source: str, port: int, at: str, group: str = "sg-1") -> Rule:
        return rule(source, port, source_kind=kind, address=at, group=group)

    front, other, old = ids
    known = [to(front, 443, "a.one"), to(other, 81, INLINE), to(old, 80, INLINE)]
    web = "aws_security_group.web"
    wanted = [
        to(address, 443, "a.one", web),
        to(other, 81, INLINE),
        to(address, 80, INLINE),
        to(address, 22, "a.new", web),
    ]
    found = compare(wanted, known, seen(*known))
    assert [(each.kind.value, each.group, each.fields) for each in found.differences] == [
        ("changed", "sg-1", {"source": {"repository": front, "state": old, "aws": old}}),
        ("repository_only", "sg-1", {}),
    ]
    new = found.differences[1].rule
    assert new is not None
    assert (new.source, new.group, new.from_port) == (front, "sg-1", 22)
