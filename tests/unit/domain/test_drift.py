from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.drift import Surveyed, compare, governed_groups
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
