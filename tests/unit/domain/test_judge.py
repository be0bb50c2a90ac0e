"""A finding to its last word, and what becomes of it by what a repository decides otherwise than the pack."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from compliance_samples import network_rule, of_rules

from runbook_lib.domain.compliance import combine, judge, outcome_of
from runbook_lib.domain.rules import ResourceView, RuleChanges
from runbook_lib.domain.rules.prefix_lists import ListView
from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.compliance import JudgeOptions, Policy, Scope, Waiver, WaiverState
from runbook_lib.models.findings import Action, Control, Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.rules import Rule, SourceKind

SSH = network_rule(source="203.0.113.0/24", address="rule.ssh")
CONTROL = Control(framework="CIS AWS", version="3.0", id="5.2")


def policy(**changes: Any) -> Policy:
    usual = {
        "id": "nothing-in", "title": "Something is let in", "severity": "medium", "action": "approve",
        "on_unknown": "block", "remedy": "Remove it.", "controls": [CONTROL.model_dump()],
        "rule": {"direction": "ingress"},
    }  # fmt: skip
    given = {key: value for key, value in {**usual, **changes}.items() if value is not None}
    return Policy.model_validate(given)


OF_VPCS = {"rule": None, "resource": {"types": ["aws_vpc"], "when": "values.open == true"}}


def vpcs(*views: ResourceView) -> RuleChanges:
    def of(types: Any) -> Any:
        return (view for view in views if view.type in types)

    standing = [(view.address, view.type, view.touched) for view in views]
    return RuleChanges(resources=len(views), resources_of=of, standing=lambda: standing)


def test_a_finding_on_a_rule_says_all_that_its_policy_says() -> None:
    report = judge(of_rules(SSH), [policy()])
    assert report.findings == (
        Finding(
            policy="nothing-in",
            verdict=Verdict.FAILED,
            severity=Severity.MEDIUM,
            address="rule.ssh",
            rule=SSH,
            message="Something is let in: ingress tcp 22 from 203.0.113.0/24",
            remedy="Remove it.",
            controls=(CONTROL,),
            action=Action.APPROVE,
        ),
    )
    assert (report.outcome, report.checked.model_dump()) == (
        Outcome.WARNED,
        {"resources": 1, "rules": 1, "policies": 1},
    )


def test_what_nobody_can_tell_says_what_is_missing() -> None:
    rule = network_rule(direction=UNKNOWN, to_port=UNKNOWN, description=UNKNOWN, address="rule.x")
    (finding,) = judge(of_rules(rule), [policy()]).findings
    assert (finding.verdict, finding.action) == (Verdict.UNKNOWN, Action.BLOCK)
    assert finding.message == (
        "It can't be told whether this holds: Something is let in: ingress or egress tcp 22 to an unknown port from or"
        " to 203.0.113.0/24 (not known before apply: direction, to_port, description)"
    )


def test_early_what_nobody_can_tell_only_warns_and_what_is_certain_does_not() -> None:
    rules = of_rules(network_rule(direction=UNKNOWN, address="a"), network_rule(address="b"))
    early = judge(rules, [policy(action="block")], options=JudgeOptions(early=True))
    assert {finding.address: finding.action for finding in early.findings} == {"a": Action.WARN, "b": Action.BLOCK}


def test_a_repository_decides_severity_and_action_of_what_is_certain() -> None:
    options = JudgeOptions(severities={"nothing-in": Severity.LOW}, actions={"nothing-in": Action.WARN})
    found = judge(of_rules(SSH, network_rule(direction=UNKNOWN)), [policy()], options=options).findings
    assert [(f.severity, f.action) for f in found] == [(Severity.LOW, Action.WARN), (Severity.LOW, Action.BLOCK)]


def test_findings_stand_by_severity_then_certainty_then_place_then_policy() -> None:
    rules = of_rules(network_rule(address="b"), network_rule(address="a"), network_rule(address="0", direction=UNKNOWN))
    given = [policy(id="z"), policy(id="y"), policy(id="x", severity="critical", rule={"described": False})]
    unnamed = network_rule(address="c", description=None)
    report = judge(of_rules(*rules.after, unnamed), given)
    assert [(f.policy, f.address) for f in report.findings] == [
        ("x", "c"),
        *((name, address) for address in "abc" for name in "yz"),
        ("y", "0"),
        ("z", "0"),
    ]


def test_parts_of_the_world_say_that_they_are_the_world_together() -> None:
    halves = [network_rule(source=source, address=source) for source in ("8.0.0.0/8", "9.0.0.0/8")]
    world = policy(rule={"direction": "ingress", "source": {"world": True}})
    found = judge(of_rules(*halves), [world]).findings
    ending = ", which is the world together with other rules of the group"
    assert [finding.message for finding in found] == [
        f"Something is let in: ingress tcp 22 from {half.source}{ending}" for half in halves
    ]


def test_a_resource_is_judged_by_what_its_expression_says() -> None:
    views = (
        ResourceView("aws_vpc.open", "aws_vpc", {"open": True}, touched=True),
        ResourceView("aws_vpc.shut", "aws_vpc", {"open": False}, touched=True),
        ResourceView("aws_vpc.unsure", "aws_vpc", {"open": UNKNOWN}, touched=True),
        ResourceView("aws_vpc.old", "aws_vpc", {"open": True}, touched=False),
        ResourceView("aws_subnet.other", "aws_subnet", {"open": True}, touched=True),
    )
    changed = judge(vpcs(*views), [policy(**OF_VPCS)])
    assert [(f.address, str(f.verdict), f.rule, f.message) for f in changed.findings] == [
        ("aws_vpc.open", "failed", None, "Something is let in"),
        ("aws_vpc.unsure", "unknown", None, "It can't be told whether this holds: Something is let in"),
    ]
    everything = judge(vpcs(*views), [policy(**OF_VPCS)], options=JudgeOptions(scope=Scope.ALL))
    assert [f.address for f in everything.findings] == ["aws_vpc.old", "aws_vpc.open", "aws_vpc.unsure"]
    assert everything.checked.resources == 4


def said(verdict: Verdict, address: str, message: str, **fields: Any) -> Finding:
    """A finding of the policy on no rule in particular."""
    given: dict[str, Any] = {"severity": Severity.MEDIUM, "action": Action.APPROVE, **fields}
    return Finding(policy="nothing-in", verdict=verdict, address=address, message=message, remedy="Remove it.",
                   controls=(CONTROL,), **given)  # fmt: skip


UNSURE = "It can't be told whether this holds: Something is let in"
THREE = [network_rule(source=f"10.0.{n}.0/24", address=f"rule.r{n}") for n in range(3)]
OUTWARD = [rule.model_copy(update={"direction": UNKNOWN}) for rule in THREE]
LOW_AND_WARN = JudgeOptions(severities={"nothing-in": Severity.LOW}, actions={"nothing-in": Action.WARN})


@pytest.mark.parametrize(
    ("options", "certain", "unsure"),
    [
        (JudgeOptions(), {}, {"action": Action.BLOCK}),
        (LOW_AND_WARN, {"severity": Severity.LOW, "action": Action.WARN},
         {"severity": Severity.LOW, "action": Action.BLOCK}),
        (JudgeOptions(early=True), {}, {"action": Action.WARN}),
    ],
)  # fmt: skip
def test_what_is_too_much_is_a_finding_as_any_other(
    options: JudgeOptions, certain: dict[str, Any], unsure: dict[str, Any]
) -> None:
    quota = policy(rule=None, quota={"rules_per_group": 2})
    report = judge(of_rules(*THREE), [quota], options=options)
    told = "Something is let in: 3 IPv4 ingress rules, of 2"
    assert report.findings == (said(Verdict.FAILED, "sg-1", told, **certain),)
    # No policy judges what a rule is: only how many there are.
    assert report.checked.model_dump() == {"resources": 0, "rules": 3, "policies": 1}
    assert judge(of_rules(*OUTWARD), [quota], options=options).findings == tuple(
        said(Verdict.UNKNOWN, "sg-1", f"{UNSURE}: 0 to 3 IPv4 {way} rules, of 2", **unsure)
        for way in ("egress", "ingress")
    )


def test_a_policy_counts_what_it_names_and_nothing_else() -> None:
    crowded = ResourceView("aws_lb.l", "aws_lb", {"security_groups": ["sg-1", "sg-2", "sg-3"]}, touched=True)
    standing = ResourceView("aws_lb.old", "aws_lb", {"security_groups": ["sg-1", "sg-2", "sg-3"]}, touched=False)
    changes = of_rules(*THREE, resources_of=lambda _: iter([crowded, standing]))
    of_group = said(Verdict.FAILED, "sg-1", "Something is let in: 3 IPv4 ingress rules, of 2")
    of_lb = said(Verdict.FAILED, "aws_lb.l", "Something is let in: 3 groups, of 2")
    of_old = said(Verdict.FAILED, "aws_lb.old", "Something is let in: 3 groups, of 2")
    for quota, found in (
        ({"rules_per_group": 2}, (of_group,)),
        ({"groups_per_interface": 2}, (of_lb,)),
        ({"rules_per_group": 3}, ()),
        ({"groups_per_interface": 3}, ()),
    ):
        assert judge(changes, [policy(rule=None, quota=quota)]).findings == found
    every = policy(rule=None, quota={"groups_per_interface": 2})
    assert judge(changes, [every], options=JudgeOptions(scope=Scope.ALL)).findings == (of_lb, of_old)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (Scope.CHANGED, [("failed", "list.new", "Something is let in: 0.0.0.0/0", Action.APPROVE),
                         ("unknown", "list.new", f"{UNSURE}: a network that is not known yet", Action.BLOCK)]),
        (Scope.ALL, [("failed", "list.new", "Something is let in: 0.0.0.0/0", Action.APPROVE),
                     ("failed", "list.old", "Something is let in: ::/0", Action.APPROVE),
                     ("unknown", "list.new", f"{UNSURE}: a network that is not known yet", Action.BLOCK)]),
    ],
)  # fmt: skip
def test_a_list_that_is_widened_is_a_finding_where_it_is_written(scope: Scope, told: list[Any]) -> None:
    before = ListView(name="pl", networks={"::/0": "list.old"}, unknown=(), more=False)
    after = ListView(name="pl", networks={"::/0": "list.old", "0.0.0.0/0": "list.new"}, unknown=("list.new",),
                     more=False)  # fmt: skip
    changes = RuleChanges(lists_before={"pl-1": before}, lists_after={"pl-1": after})
    findings = judge(
        changes, [policy(rule=None, prefix_list={"world": True})], options=JudgeOptions(scope=scope)
    ).findings
    assert [(str(f.verdict), f.address, f.message, f.action) for f in findings] == told
    assert {(f.policy, f.severity, f.rule, f.controls) for f in findings} == {
        ("nothing-in", Severity.MEDIUM, None, (CONTROL,))
    }
    # Where no policy asks, lists are not looked at.
    assert judge(changes, [policy()], options=JudgeOptions(scope=scope)).findings == ()


def found_by(tool: str, action: Action = Action.WARN) -> Finding:
    return Finding(
        policy="X", verdict=Verdict.FAILED, severity=Severity.LOW, address="a", message="m", action=action, tool=tool
    )


@pytest.mark.parametrize(
    ("findings", "outcome"),
    [
        ((), Outcome.PASSED),
        ((found_by("t"),), Outcome.WARNED),
        ((found_by("t", Action.APPROVE),), Outcome.WARNED),
        ((found_by("t"), found_by("t", Action.BLOCK)), Outcome.BLOCKED),
        ((found_by("t", Action.BLOCK).model_copy(update={"verdict": Verdict.WAIVED}),), Outcome.PASSED),
    ],
)
def test_the_worst_that_is_not_accepted_decides(findings: tuple[Finding, ...], outcome: Outcome) -> None:
    assert outcome_of(findings) is outcome


TODAY = date(2026, 6, 1)


def waiver(policy: str = "nothing-in", address: str = "rule.ssh", expires: date = TODAY) -> Waiver:
    return Waiver(policy=policy, address=address, owner="sam", reason="Known.", expires=expires)


def test_an_accepted_finding_bears_who_accepted_it() -> None:
    (finding,) = judge(of_rules(SSH), [policy()], [waiver()], today=TODAY).findings
    assert finding.waiver == WaiverReference(owner="sam", reason="Known.", expires="2026-06-01")


def test_each_waiver_says_how_many_findings_it_hides() -> None:
    rules = of_rules(SSH, network_rule(address="rule.web"))
    given = [waiver(address="rule.*"), waiver(), waiver(address="x"), waiver(expires=date(2026, 5, 31))]
    states = judge(rules, [policy()], given, today=TODAY).waivers
    assert [(status.state, status.findings) for status in states] == [
        (WaiverState.IN_FORCE, 2),
        (WaiverState.IN_FORCE, 1),
        (WaiverState.UNUSED, 0),
        (WaiverState.EXPIRED, 0),
    ]


def test_another_tool_s_findings_come_after_and_their_waivers_are_counted_as_used() -> None:
    given = [waiver(), waiver("trivy:X", "a"), waiver("trivy:Y", "a")]
    report = judge(of_rules(SSH), [policy()], given, today=TODAY)
    merged = combine(report, [found_by("trivy", Action.BLOCK), found_by("checkov")], given, TODAY)
    assert [(f.tool, str(f.verdict)) for f in merged.findings] == [
        ("runbook", "waived"),
        ("trivy", "waived"),
        ("checkov", "failed"),
    ]
    assert merged.outcome is Outcome.WARNED
    assert [(status.state, status.findings) for status in merged.waivers] == [
        (WaiverState.IN_FORCE, 1),
        (WaiverState.IN_FORCE, 1),
        (WaiverState.UNUSED, 0),
    ]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("rule.ssh", True), ("rule.ss", False), ("*", True), ("rule.*", True), ("*ssh", True), ("r*l*s*h", True),
        ("rule.ssh*", True), ("*rule.ssh", True), ("rule.s*ssh", False), ("r*x*h", False), ("*.*.*", False),
        ("rule*ssh", True), ("rule.ssh*h", False), ("s*", False), ("*e", False),
    ],
)  # fmt: skip
def test_a_star_stands_for_any_characters_and_nothing_else_is_special(pattern: str, fits: bool) -> None:
    (finding,) = judge(of_rules(SSH), [policy()], [waiver(address=pattern)], today=TODAY).findings
    assert (finding.verdict is Verdict.WAIVED) is fits


def of_group(source: Any, group: Any = "sg-1", kind: SourceKind = SourceKind.GROUP) -> Rule:
    return network_rule(source=source, group=group, source_kind=kind, address="rule.r")


BEYOND_ITSELF: dict[str, Any] = {"source": {"self_referencing": False}}
IN_A_DEFAULT: dict[str, Any] = {"default_group": True}


@pytest.mark.parametrize(
    ("match", "rule", "verdicts"),
    [
        (BEYOND_ITSELF, of_group("sg-1"), []),
        (BEYOND_ITSELF, of_group("sg-2"), ["failed"]),
        (BEYOND_ITSELF, of_group("self", kind=SourceKind.SELF), []),
        (BEYOND_ITSELF, of_group("10.0.0.0/8", kind=SourceKind.NETWORK), ["failed"]),
        # Either may be the other.
        (BEYOND_ITSELF, of_group(UNKNOWN), ["unknown"]),
        (BEYOND_ITSELF, of_group("sg-2", UNKNOWN), ["unknown"]),
        (IN_A_DEFAULT, of_group("sg-2", "sg-default"), ["failed"]),
        (IN_A_DEFAULT, of_group("sg-2", "sg-1"), []),
        (IN_A_DEFAULT, of_group("sg-2", "aws_default_security_group.d"), ["failed"]),
        (IN_A_DEFAULT, of_group("sg-2", "aws_vpc.v.default_security_group_id"), ["failed"]),
        (IN_A_DEFAULT, of_group("sg-2", UNKNOWN), ["unknown"]),
    ],
)
def test_whose_group_it_is_decides_where_a_policy_asks(match: dict[str, Any], rule: Rule, verdicts: list[str]) -> None:
    changes = of_rules(rule, default_groups=frozenset({"sg-default"}))
    assert [str(finding.verdict) for finding in judge(changes, [policy(rule=match)]).findings] == verdicts


@pytest.mark.parametrize("groups", [("sg-1", "sg-default"), ("sg-default", "sg-1")])
def test_of_rules_that_differ_in_their_group_alone_each_is_judged_by_its_own(groups: tuple[str, ...]) -> None:
    rules = [network_rule(group=group, address=group) for group in groups]
    changes = of_rules(*rules, default_groups=frozenset({"sg-default"}))
    assert [finding.address for finding in judge(changes, [policy(rule=IN_A_DEFAULT)]).findings] == ["sg-default"]
