"""Who must approve: by what a change does, what its policies found, and who may approve alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.domain.approval import ApplyFacts, RequestFacts, judge_decisions, make_request
from runbook_lib.domain.governance import approval_in_force
from runbook_lib.domain.requirements import Effect, only_closes, requirements
from runbook_lib.errors import ConfigError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
from runbook_lib.models.config import ApprovalConfig
from runbook_lib.models.exposure import Exposure, ExposureEntry, Reachable
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import Aside, Plan, PlanSummary, ResourceChange
from runbook_lib.models.risk import Risk, RiskLevel
from runbook_lib.models.run import Run
from runbook_lib.wording import needed

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
DIGEST = "d" * 64
CONFIG = ApprovalConfig.model_validate(
    {
        "approvers": ["alex", "sam", "kim"],
        "groups": {"security": ["lee", "sam"], "network": ["kim"]},
        "rules": [
            {"when": {"opens": "internet"}, "needs": 2},
            {"when": {"risk": "high"}, "needs": 1, "group": "security"},
            {"when": {"opens": "anything"}, "needs": 1, "group": "network", "stacks": ["base"]},
            {"when": {"only_closes": True}, "needs": 0},
        ],
        "break_glass": ["olga"],
    }
)
QUORUM = Requirement(needs=1, approvers=("alex", "sam", "kim"))
TWO = Requirement(needs=2, approvers=("alex", "sam", "kim"), why="it opens internet")
SECURITY = Requirement(needs=1, approvers=("lee", "sam"), group="security", why="it is of risk high or worse")
NETWORK = Requirement(needs=1, approvers=("kim",), group="network", why="it opens anything")
NOBODY = Requirement(needs=0, approvers=("alex", "sam", "kim"), why="only closes")


def entry(source: str = "0.0.0.0/0", kind: Any = "internet", to: str = "group") -> ExposureEntry:
    return ExposureEntry(
        source=source, source_kind=kind, target="web", target_kind=to, protocol="tcp", from_port=80, to_port=80
    )


def rule(*actions: str, kind: str = "aws_vpc_security_group_ingress_rule", **given: Any) -> ResourceChange:
    return ResourceChange(address=f"{kind}.a", type=kind, name="a", actions=actions, **given)


def effect(level: str = "low", exposure: Exposure | None = None, **given: Any) -> Effect:
    given.setdefault("plan", Plan(changes=(rule("create"),)))
    return Effect(exposure=exposure or Exposure(), risk=Risk(level=RiskLevel(level)), **given)


WORLD = Exposure(opened=(entry(),))
OUTWARD = Exposure(opened=(entry("web", "group", "internet"),))
INSIDE = Exposure(opened=(entry("10.0.0.0/8", "private"),))
UNKNOWN = Exposure(unknown=(entry("unknown", "network"),))


@pytest.mark.parametrize(
    ("given", "stack", "found"),
    [
        (effect(), "access", (QUORUM,)),
        (effect("medium", INSIDE), "access", (QUORUM,)),
        (effect("medium", INSIDE), "base", (QUORUM, NETWORK)),
        (effect("medium", WORLD), "access", (QUORUM, TWO)),
        (effect("medium", OUTWARD), "access", (QUORUM, TWO)),
        (effect("medium", UNKNOWN), "access", (QUORUM, TWO)),
        (effect("high"), "access", (QUORUM, SECURITY)),
        (effect("critical", WORLD), "access", (QUORUM, TWO, SECURITY)),
        (effect("critical", WORLD), "base", (QUORUM, TWO, SECURITY, NETWORK)),
    ],
)
def test_every_rule_that_holds_asks_beside_the_quorum(
    given: Effect, stack: str, found: tuple[Requirement, ...]
) -> None:
    assert requirements(CONFIG, stack, given) == found


CLOSES = effect(plan=Plan(changes=(rule("delete"), rule("no-op", kind="aws_instance"))))


def test_what_only_closes_needs_nobody_where_that_is_configured_and_else_the_quorum() -> None:
    assert requirements(CONFIG, "access", CLOSES) == (NOBODY,)
    assert requirements(CONFIG.model_copy(update={"rules": ()}), "access", CLOSES) == (QUORUM,)


@pytest.mark.parametrize(
    "doubtful",
    [
        effect(plan=Plan()),
        effect(plan=Plan(changes=(rule("delete"), rule("create")))),
        effect(plan=Plan(changes=(rule("delete"), rule("update")))),
        effect(plan=Plan(changes=(rule("delete", "create"),))),
        effect(plan=Plan(changes=(rule("delete", kind="aws_instance"),))),
        effect(plan=Plan(changes=(rule("delete", kind="aws_security_group"),))),
        effect(plan=Plan(changes=(rule("delete"), rule("no-op", importing=True)))),
        effect(plan=Plan(changes=(rule("delete"), rule("no-op", previous_address="a.b")))),
        effect(plan=Plan(changes=CLOSES.plan.changes, complete=False)),
        effect(plan=Plan(changes=CLOSES.plan.changes, outputs=("id",))),
        effect(plan=Plan(changes=CLOSES.plan.changes, asides=(Aside(action="invoke", address="a.b"),))),
        effect(plan=CLOSES.plan, exposure=INSIDE),
        effect(plan=CLOSES.plan, exposure=UNKNOWN),
        effect(plan=CLOSES.plan, asides=("data.external.a runs a",)),
        effect(
            plan=CLOSES.plan,
            findings=(Finding(policy="p", verdict=Verdict.UNKNOWN, severity=Severity.LOW, address="a", message="m"),),
        ),
    ],
)
def test_what_is_in_doubt_does_not_only_close(doubtful: Effect) -> None:
    assert only_closes(CLOSES)
    assert not only_closes(doubtful)
    assert requirements(CONFIG, "access", doubtful)[0] == QUORUM


def test_what_only_closes_and_is_risky_needs_whom_the_risk_asks_for() -> None:
    risky = effect("high", plan=CLOSES.plan)
    assert requirements(CONFIG, "access", risky) == (QUORUM, SECURITY)


def test_a_policy_names_who_must_approve_its_finding() -> None:
    finding = Finding(policy="sg-ssh", verdict=Verdict.WAIVED, severity=Severity.HIGH, address="a", message="m")
    asked = effect(findings=(finding,), approved_by=(("sg-ssh", "security"), ("sg-other", "network")))
    found = Requirement(needs=1, approvers=("lee", "sam"), group="security", why="sg-ssh has a finding")
    assert requirements(CONFIG, "access", asked) == (QUORUM, found)
    with pytest.raises(ConfigError, match="'auditors', which is no group"):
        requirements(CONFIG, "access", effect(findings=(finding,), approved_by=(("sg-ssh", "auditors"),)))


def asked(*needs: Requirement, **given: Any) -> ApprovalRequest:
    run = Run(run_id="7", stack="access", commit="c" * 40, requester="riley", author="robin", created_at=NOW)
    summary = PlanSummary(create=1, plan_sha256=DIGEST, state_lineage="l", state_serial=1)
    request = make_request(RequestFacts(run, summary, Exposure(), "p"), CONFIG, NOW)
    people = CONFIG.everybody(need.group for need in needs)
    return request.model_copy(update={"requirements": needs, "approvers": people, **given})


def says(user: str, **given: Any) -> Decision:
    told = {"source": "test", "approved": True, "plan_sha256": DIGEST, "at": NOW + timedelta(minutes=1)} | given
    return Decision(user=user, **told)


def judged(request: ApprovalRequest, *decisions: Decision, **facts: Any) -> DecisionRecord:
    return judge_decisions(request, decisions, ApplyFacts(DIGEST, "l", 1, **facts), NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("people", "approved"),
    [
        (("alex", "lee"), True),
        (("sam",), True),
        (("alex",), False),
        (("alex", "kim"), False),
        (("lee",), False),
        (("riley", "alex"), False),
    ],
)
def test_each_requirement_is_met_by_its_own_people_and_one_person_may_meet_several(
    people: tuple[str, ...], approved: bool
) -> None:
    assert judged(asked(QUORUM, SECURITY), *map(says, people)).approved is approved


def test_what_is_missing_is_said_with_its_group_and_why() -> None:
    assert judged(asked(QUORUM, SECURITY), says("alex")).reasons == (
        "1 approval of security is needed, as it is of risk high or worse, and 0 given (none). Ask: lee, sam.",
    )


def test_a_group_that_only_the_requester_is_in_can_not_be_satisfied() -> None:
    record = judged(asked(QUORUM, NETWORK, requester="kim"), says("alex"), says("kim"))
    assert "1 approval of network is needed, as it opens anything, but only 0 of the approvers" in record.reasons[0]


def test_an_unknown_author_costs_one_more_of_each_group() -> None:
    request = asked(QUORUM, SECURITY, unknown_authors=("x@example.com",))
    assert not judged(request, says("alex"), says("lee")).approved
    assert judged(request, says("lee"), says("sam"), says("alex")).approved


def test_what_is_required_now_is_required_though_it_was_not_asked_for() -> None:
    request, facts = asked(QUORUM), {"requirements": (QUORUM, TWO), "approvers": CONFIG.approvers}
    assert not judged(request, says("alex"), **facts).approved
    assert judged(request, says("alex"), says("sam"), **facts).approved


def test_a_request_that_says_that_nobody_is_needed_is_not_believed_where_somebody_is() -> None:
    assert not judged(asked(NOBODY), requirements=(QUORUM,)).approved


def test_where_nobody_is_needed_it_is_approved_at_once_and_says_why() -> None:
    record = judged(asked(NOBODY, unknown_authors=("x@example.com",)), requirements=(NOBODY,))
    assert (record.approved, record.unasked, record.approved_by) == (True, "only closes", ())


def test_who_merely_starts_the_job_that_applies_approves_nothing_and_need_not() -> None:
    record = judged(asked(NOBODY), says(asked(NOBODY).requester), requirements=(NOBODY,))
    assert (record.approved, record.unasked, record.approved_by) == (True, "only closes", ())
    assert judged(asked(NOBODY), says("alex"), requirements=(NOBODY,)).unasked == ""
    assert judged(asked(NOBODY), requirements=(NOBODY,), problems=("Something is wrong.",)).unasked == ""


def test_a_rejection_ends_what_nobody_need_approve() -> None:
    record = judged(asked(NOBODY), says("alex", approved=False), requirements=(NOBODY,))
    assert (record.approved, record.rejected) == (False, True)


def alone(user: str = "olga", **given: Any) -> Decision:
    return says(user, break_glass=True, **{"reason": "The site is down.", **given})


def test_one_alone_may_approve_in_an_emergency_also_what_they_asked_for() -> None:
    for request in (asked(QUORUM, SECURITY), asked(QUORUM, NETWORK, requester="olga")):
        record = judged(request, alone(), break_glass=("olga",))
        assert (record.approved, record.broken_by) == (True, "olga")


@pytest.mark.parametrize(
    ("decision", "facts", "said"),
    [
        (alone("alex"), {}, "alex is none of those who may approve alone"),
        (alone(reason="  "), {}, "a reason is missing"),
        (alone(), {"break_glass": ()}, "olga is none of those who may approve alone"),
        (alone(plan_sha256="e" * 64), {}, "given for another plan"),
        (says("olga", reason="The site is down."), {}, "olga is none of the approvers"),
    ],
)
def test_nobody_else_and_nothing_less_breaks_the_glass(decision: Decision, facts: dict[str, Any], said: str) -> None:
    record = judged(asked(QUORUM), decision, **{"break_glass": ("olga",), **facts})
    assert (record.approved, record.broken_by) == (False, "")
    assert said in record.reasons[0]


def test_the_broken_glass_helps_nothing_against_a_no_or_another_state() -> None:
    assert judged(asked(QUORUM), alone(), says("alex", approved=False)).rejected
    facts = ApplyFacts(DIGEST, "l", 2)
    assert not judge_decisions(asked(QUORUM), (alone(),), facts, NOW + timedelta(minutes=5)).approved


def config(**given: Any) -> ApprovalConfig:
    return ApprovalConfig.model_validate(CONFIG.model_dump() | given)


def test_a_change_can_not_relax_the_rules_that_judge_it() -> None:
    mine = config(
        rules=[{"when": {"only_closes": True}, "needs": 0}],
        groups={"security": ["mallory"], "network": ["mallory", "kim"]},
        break_glass=["mallory", "olga"],
    )
    found = approval_in_force(CONFIG, mine)
    assert found.rules == CONFIG.rules
    assert found.groups == CONFIG.groups
    assert found.break_glass == ("olga",)


def test_a_change_can_not_free_itself_and_stricter_rules_count_at_once() -> None:
    before = config(rules=[], break_glass=[])
    assert approval_in_force(before, CONFIG).rules == CONFIG.rules[:3]
    assert approval_in_force(before, CONFIG).break_glass == ()
    without = config(rules=[rule.model_dump() for rule in CONFIG.rules[:3]])
    assert approval_in_force(CONFIG, without).rules == CONFIG.rules[:3]


def test_who_is_taken_out_of_a_group_does_not_count_while_enough_stay() -> None:
    assert approval_in_force(CONFIG, config(groups={"security": ["sam"], "network": ["kim"]})).groups == {
        "security": ("sam",),
        "network": ("kim",),
    }


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (["lee", "sam"], ("lee", "sam")),
        (["@Lee", "kim"], ("lee", "sam", "pat")),
        (["kim"], ("lee", "sam", "pat")),
    ],
)
def test_a_group_keeps_whom_a_change_takes_out_where_fewer_would_stay_than_a_rule_needs_of_it(
    left: list[str], found: tuple[str, ...]
) -> None:
    # Another rule needs fewer, and one of all approvers more: it is the most that any needs of this group.
    rules: list[dict[str, Any]] = [
        {"when": {"risk": "high"}, "needs": 2, "group": "security"},
        {"when": {"risk": "low"}, "needs": 1, "group": "security"},
        {"when": {"opens": "internet"}, "needs": 3},
    ]
    before = config(groups={"security": ["lee", "sam", "pat"]}, rules=rules)
    assert approval_in_force(before, config(groups={"security": left}, rules=[])).groups == {"security": found}


@pytest.mark.parametrize(
    ("left", "found"), [(["alex", "@Sam"], ("alex", "sam")), (["kim"], ("alex", "sam", "kim")), ([], CONFIG.approvers)]
)
def test_approvers_stay_where_fewer_would_be_left_than_a_rule_needs_of_them(
    left: list[str], found: tuple[str, ...]
) -> None:
    assert approval_in_force(CONFIG, config(approvers=left, rules=[])).approvers == found


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"when": {}, "needs": 1}, "without a condition"),
        ({"when": {"risk": "low"}, "needs": 0}, "only what only closes may need nobody"),
        ({"when": {"only_closes": True, "opens": "internet"}, "needs": 1}, "does not only close"),
        ({"when": {"only_closes": True}, "needs": 0, "group": "security"}, "no group is needed"),
        ({"when": {"risk": "low"}, "needs": 1, "group": "auditors"}, "none of approval.groups"),
        ({"when": {"risk": "low"}, "needs": 3, "group": "security"}, "needs 3, but only 2 are named"),
        ({"when": {"risk": "low"}, "needs": 4}, "needs 4, but only 3 are named"),
        ({"when": {"risk": "dire"}, "needs": 1}, "critical"),
        ({"when": {"only_closes": False}, "needs": 1}, "True"),
        ({"when": {"only_expired": True, "opens": "internet"}, "needs": 1}, "does not only close"),
        ({"when": {"only_expired": True}, "needs": 0, "group": "security"}, "no group is needed"),
    ],
)
def test_a_rule_that_could_never_be_kept_or_says_nothing_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(rules=[rule])


def test_who_must_approve_is_said_in_words() -> None:
    assert needed(asked(QUORUM, SECURITY)) == (
        "1 of alex, sam, kim; and 1 of security (lee, sam), as it is of risk high or worse"
    )
    assert needed(asked(NOBODY)) == "nobody, as only closes"


@pytest.mark.parametrize("reachable", list(Reachable))
def test_an_opening_counts_whether_it_is_reached_or_not_unless_a_rule_says_reachable(reachable: Reachable) -> None:
    opened = Exposure(opened=(entry().model_copy(update={"reachable": reachable}),))
    every, reached = (
        ApprovalConfig.model_validate({"approvers": ["alex", "sam"], "rules": [{"when": when, "needs": 2}]})
        for when in ({"opens": "internet"}, {"opens": "internet", "reachable": True})
    )
    assert len(requirements(every, "access", effect("low", opened))) == 2
    # What could not be asked about may be reached.
    counts = reachable in {Reachable.REACHABLE, Reachable.UNKNOWN}
    asked = requirements(reached, "access", effect("low", opened))
    assert [one.why for one in asked[1:]] == ["it opens internet, and is reached or may be"] * counts
    # What a rule opens that nobody knows yet counts in both.
    assert len(requirements(reached, "access", effect("low", UNKNOWN))) == 2


def test_that_another_opening_is_not_reached_does_not_hide_one_that_is() -> None:
    hidden, seen = (entry().model_copy(update={"reachable": one}) for one in (Reachable.NO_MEMBER, Reachable.REACHABLE))
    given = {"approvers": ["alex", "sam"], "rules": [{"when": {"opens": "anything", "reachable": True}, "needs": 2}]}
    config = ApprovalConfig.model_validate(given)
    assert len(requirements(config, "access", effect("low", Exposure(opened=(hidden, seen))))) == 2


@pytest.mark.parametrize("when", [{"reachable": True}, {"risk": "high", "reachable": True}])
def test_reachable_alone_is_no_condition(when: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="reachable is said of what opens"):
        ApprovalConfig.model_validate({"approvers": ["alex", "sam"], "rules": [{"when": when, "needs": 2}]})


@pytest.mark.parametrize(
    ("before", "now", "counts"),
    [
        (True, True, True), (True, False, False), (False, True, False), (None, True, None), (True, None, None),
        (None, None, None), (None, False, False), (False, None, False),
    ],
)  # fmt: skip
def test_a_terminal_counts_only_where_it_did_before_the_change_as_well(
    before: bool | None, now: bool | None, counts: bool | None
) -> None:
    old, new = (CONFIG.model_copy(update={"terminal": value}) for value in (before, now))
    assert approval_in_force(old, new).terminal is counts


def test_a_no_is_heard_under_the_name_of_before() -> None:
    old, new = (CONFIG.model_copy(update={"reject_job": name}) for name in ("reject", "decline"))
    assert approval_in_force(old, new).reject_job == "reject"
