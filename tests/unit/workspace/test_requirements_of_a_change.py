"""Who must approve a change because of how risky it is, and that all which makes it so is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, built_in, found_plan

from runbook_lib.adapters.store import RunStore
from runbook_lib.models.approval import ApprovalRequest, Requirement
from runbook_lib.models.approval_config import ApprovalConfig
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.plan import Plan, ResourceChange
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import requirements as module
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.plan_check import FoundPlan, Judged
from runbook_lib.workspace.policy_reports import open_gate
from runbook_lib.workspace.requirements import plan_risk, required, with_requirements

HOUR = timedelta(hours=1)
QUORUM = Requirement(needs=1, approvers=("alex", "sam"))
RISKY = Requirement(needs=2, approvers=("robin", "kim"), group="security", why="it is of risk high or worse")
NOBODY = Requirement(needs=0, approvers=("alex", "sam"), why="only closes")
CONFIG: dict[str, Any] = {
    "approvers": ["alex", "sam"],
    "groups": {"security": ["robin", "kim"], "network": ["lee"]},
    "rules": [
        {"when": {"risk": "high"}, "needs": 2, "group": "security", "stacks": ["access"]},
        {"when": {"only_closes": True}, "needs": 0},
    ],
    # NOW is a Monday, 9:00.
    "change_windows": [{"days": ["mon"], "begins": "08:00", "ends": "10:00"}],
}
SSH, WEB = (
    ExposureEntry(
        source="0.0.0.0/0", source_kind=ExposureSource.INTERNET, target="web", target_kind="group", protocol="tcp",
        from_port=port, to_port=port,
    )
    for port in (22, 443)
)  # fmt: skip
CLOSES = ResourceChange(
    address="aws_vpc_security_group_ingress_rule.ssh", type="aws_vpc_security_group_ingress_rule", name="ssh",
    actions=("delete",),
    before={
        "id": "sgr-1", "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22,
        "cidr_ipv4": "10.0.0.0/8", "tags": {"expires": "2026-11-23"},
    },
)  # fmt: skip


def finding(policy: str, verdict: Verdict = Verdict.FAILED, severity: Severity = Severity.LOW) -> Finding:
    return Finding(policy=policy, verdict=verdict, severity=severity, action=Action.WARN, address="a", message="m")


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch) -> StepContext:
    """A step of a stack that was governed before as it is now, and of a change that does nothing to who judges it."""
    approval = ApprovalConfig.model_validate(CONFIG)
    settings.config = settings.config.model_copy(update={"approval": approval})
    before = SimpleNamespace(config=settings.config)
    made = StepContext(built_in("approval"), settings, store, run, NOW, clock=lambda: NOW)

    def earlier(context: StepContext) -> Any:
        assert context is made
        return before

    def nothing(context: StepContext) -> tuple[str, ...]:
        assert context is made
        return ()

    monkeypatch.setattr(module, "before_change", earlier)
    monkeypatch.setattr(module, "governance", nothing)
    return made


@pytest.fixture
def found(context: StepContext, request_: ApprovalRequest) -> Callable[..., FoundPlan]:
    """A plan that was found to come to this."""

    def find(
        *changes: ResourceChange, exposure: Exposure | None = None, findings: tuple[Finding, ...] = (), **more: Any
    ) -> FoundPlan:
        made = found_plan(context)
        report = made.judged.report.model_copy(update={"findings": findings})
        judged = Judged(made.judged.summary, report, exposure or Exposure())
        return replace(made, plan=Plan(changes=changes), judged=judged, **more)

    return find


@pytest.fixture
def quiet(request_: ApprovalRequest) -> ApprovalRequest:
    """A request of which nothing is to be said."""
    return request_.model_copy(update={"exposure": Exposure()})


Find = Callable[..., FoundPlan]


def test_where_nothing_is_to_be_said_the_quorum_alone_is_asked(
    context: StepContext, found: Find, quiet: ApprovalRequest
) -> None:
    asked = with_requirements(context, found(), quiet)
    assert (asked.risk, asked.requirements, asked.approvers) == (Risk(), (QUORUM,), ("alex", "sam"))
    assert required(context, found(), quiet, NOW) == (("alex", "sam"), (QUORUM,))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"findings": (finding("world", severity=Severity.HIGH),)}, "fails world"),
        ({"governance": ("This change also adds mallory as approver.",)}, "changes who or what judges it"),
        ({"code": ("data.external.a runs a",)}, "runs code that is no locked provider's"),
        ({"dirty": True}, "is of files that are in no commit"),
        ({"exposure": Exposure(opened=(SSH,))}, "opens "),
        ({"created_at": NOW + HOUR}, "is outside of the change window (mon 08:00-10:00 UTC)"),
    ],
    ids=["findings", "governance", "code", "dirty", "exposure", "time"],
)
def test_what_the_request_says_makes_it_risky_and_asks_those_who_look_at_that(
    context: StepContext, found: Find, quiet: ApprovalRequest, said: dict[str, Any], reason: str
) -> None:
    asked = with_requirements(context, found(), quiet.model_copy(update=said))
    (only,) = asked.risk.reasons
    assert asked.risk.level.rank >= RiskLevel.HIGH.rank
    assert only.text.startswith(reason)
    assert asked.requirements == (QUORUM, RISKY)
    assert asked.approvers == ("alex", "sam", "robin", "kim")


def test_a_stack_of_which_nothing_was_applied_says_so(
    context: StepContext, found: Find, quiet: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Risk(
        level=RiskLevel.MEDIUM,
        reasons=(RiskReason(level=RiskLevel.MEDIUM, text="is the first run on this stack that is known"),),
    )
    config = context.settings.config
    without = config.model_copy(update={"stacks": {"network": config.stacks["network"]}})
    for before in (None, without):
        monkeypatch.setattr(module, "before_change", lambda context, before=before: SimpleNamespace(config=before))
        assert with_requirements(context, found(), quiet).risk == first


def test_at_the_end_it_is_judged_as_it_is_then_whatever_the_request_says(
    context: StepContext, found: Find, quiet: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = ("alex", "sam", "robin", "kim")
    # When it was asked the window was open.
    assert required(context, found(), quiet, NOW + HOUR) == (everybody, (QUORUM, RISKY))
    assert required(context, found(code=("data.external.a runs a",)), quiet, NOW) == (everybody, (QUORUM, RISKY))
    untrue = quiet.model_copy(update={"code": ("made up",), "governance": ("made up",)})
    assert required(context, found(), untrue, NOW) == (("alex", "sam"), (QUORUM,))
    monkeypatch.setattr(module, "governance", lambda context: ("This change also adds mallory as approver.",))
    assert required(context, found(), quiet, NOW) == (everybody, (QUORUM, RISKY))


def test_who_was_asked_may_answer_though_nobody_would_ask_them_now(
    context: StepContext, found: Find, quiet: ApprovalRequest
) -> None:
    asked = quiet.model_copy(update={"requirements": (QUORUM, RISKY)})
    assert required(context, found(), asked, NOW) == (("alex", "sam", "robin", "kim"), (QUORUM,))


def test_what_only_closes_needs_nobody_unless_more_is_to_be_said_of_it(
    context: StepContext, found: Find, quiet: ApprovalRequest
) -> None:
    plan = found(CLOSES)
    assert with_requirements(context, plan, quiet).requirements == (NOBODY,)
    assert required(context, plan, quiet, NOW)[1] == (NOBODY,)
    for told in (
        {"governance": ("This change also adds mallory as approver.",)},
        {"code": ("data.external.a runs a",)},
        {"dirty": True},
        {"findings": (finding("world"),)},
    ):
        assert NOBODY not in with_requirements(context, plan, quiet.model_copy(update=told)).requirements
    assert with_requirements(context, found(CLOSES, findings=(finding("world"),)), quiet).requirements == (QUORUM,)
    opens = found(CLOSES, exposure=Exposure(opened=(WEB,)))
    assert with_requirements(context, opens, quiet).requirements == (QUORUM,)


def test_what_has_expired_by_then_needs_nobody(context: StepContext, found: Find, quiet: ApprovalRequest) -> None:
    rules = [{"when": {"only_expired": True}, "needs": 0}]
    approval = ApprovalConfig.model_validate({"approvers": ["alex", "sam"], "rules": rules})
    context.settings.config = context.settings.config.model_copy(update={"approval": approval})
    plan, next_day = found(CLOSES), NOW + 24 * HOUR
    expired = Requirement(needs=0, approvers=("alex", "sam"), why="only removes what has expired")
    # A rule lasts for the whole of its last day.
    assert with_requirements(context, plan, quiet).requirements == (QUORUM,)
    assert with_requirements(context, plan, quiet.model_copy(update={"created_at": next_day})).requirements == (
        expired,
    )
    assert required(context, plan, quiet, NOW) == (("alex", "sam"), (QUORUM,))
    assert required(context, plan, quiet, next_day) == (("alex", "sam"), (expired,))


def test_a_policy_s_own_group_is_asked_of_its_findings_before_the_change_and_now(
    context: StepContext, found: Find, quiet: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = open_gate(context)
    first, second, *others = gate.policies
    now = replace(gate, policies=(first.model_copy(update={"approved_by": "network"}), second, *others))
    before = replace(gate, policies=(first, second.model_copy(update={"approved_by": "security"})))
    monkeypatch.setattr(module, "open_gate", lambda context: replace(now, before=before))
    lee = Requirement(needs=1, approvers=("lee",), group="network", why=f"{first.id} has a finding")
    robin = Requirement(needs=1, approvers=("robin", "kim"), group="security", why=f"{second.id} has a finding")
    for where in ((finding(first.id), finding(second.id)), (finding(second.id), finding(first.id))):
        told = quiet.model_copy(update={"findings": where[:1]})
        # The request has those of the files, the plan's report its own.
        asked = with_requirements(context, found(findings=where[1:]), told)
        assert set(asked.requirements) == {QUORUM, lee, robin}
        assert set(asked.approvers) == {"alex", "sam", "lee", "robin", "kim"}
    passed = quiet.model_copy(update={"findings": (finding(first.id, Verdict.PASSED),)})
    assert with_requirements(context, found(), passed).requirements == (QUORUM,)
    monkeypatch.setattr(module, "open_gate", lambda context: now)
    every = quiet.model_copy(update={"findings": (finding(first.id), finding(second.id))})
    assert with_requirements(context, found(), every).requirements == (QUORUM, lee)


def test_how_risky_a_plan_is_by_itself_is_the_same_whoever_looks_and_when(found: Find) -> None:
    assert plan_risk(found()) == Risk()
    assert plan_risk(found(findings=(finding("world", severity=Severity.HIGH),))) == Risk(
        level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text="fails world"),)
    )
    assert plan_risk(found(exposure=Exposure(opened=(SSH,)))).level is RiskLevel.CRITICAL
    bucket = ResourceChange(address="aws_s3_bucket.logs", type="aws_s3_bucket", name="logs", actions=("delete",))
    assert plan_risk(found(bucket, code=("data.external.a runs a",))) == Risk(
        level=RiskLevel.CRITICAL,
        reasons=(
            RiskReason(level=RiskLevel.CRITICAL, text="destroys aws_s3_bucket.logs, with all that is stored there"),
        ),
    )
