"""The note on a merge request says what a reviewer needs, and lets no text of the change act on GitLab."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import ExposedInterface, Exposure, ExposureEntry, ExposureSource, Reachable
from runbook_lib.models.findings import Action, Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.report.merge_request_note import Noted, NotedPlan, note_body, noted_by, noted_otherwise

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OPENS = ExposureEntry(
    source="0.0.0.0/0",
    source_kind="internet",
    target="web",
    target_kind="group",
    protocol="tcp",
    from_port=80,
    to_port=80,
)
EXPOSURE = Exposure(opened=(OPENS,), sentence="The internet can newly reach web on tcp 80.")
SUMMARY = PlanSummary(
    create=1, delete=2, replace=1, addresses={"create": ("aws_x.web",)}, plan_sha256="d", fingerprint="f" * 64
)
RISK = Risk(level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text="opens `tcp` 80"),))


def finding(**given: Any) -> Finding:
    usual = {
        "policy": "no-ssh", "verdict": Verdict.FAILED, "severity": Severity.HIGH, "address": "aws_x.web",
        "message": "SSH is open.", "remedy": "Close it.", "action": Action.BLOCK,
    }  # fmt: skip
    return Finding(**{**usual, **given})


def result(step: str = "plan", outcome: Outcome = Outcome.PASSED, **given: Any) -> StepResult:
    return StepResult(
        run_id="7",
        step=step,
        stack="web",
        outcome=outcome,
        summary=f"{step} it is",
        started_at=NOW,
        finished_at=NOW,
        **given,
    )


def noted(**given: Any) -> Noted:
    results = given.setdefault("results", (result("compliance"), result()))
    findings = next((one.findings for one in results if one.step == "plan"), results[-1].findings if results else ())
    summary, exposure = given.pop("summary", SUMMARY), given.pop("exposure", EXPOSURE)
    risk = given.pop("risk", RISK)
    plan = NotedPlan(summary, exposure, risk, findings) if summary else None
    usual: dict[str, Any] = {
        "stack": "web", "pipeline": 7, "commit": "4dc7a7" * 6, "plan": plan, "page": "https://gl/-/jobs/9/artifacts/browse/outputs/7/02_plan/",
        "pipeline_url": "https://gl/-/pipelines/7",
    }  # fmt: skip
    return Noted(**{**usual, **given})


def test_it_says_exposure_counts_findings_and_the_way_to_the_notebook_in_this_order() -> None:
    body = note_body(noted(results=(result("compliance"), result(outcome=Outcome.BLOCKED, findings=(finding(),)))))
    said = [
        "### ⛔ Runbook: stack `web`",
        "`The internet can newly reach web on tcp 80.`",
        "- opens `the internet (0.0.0.0/0)` → `web` on `tcp 80`",
        "**Risk**: high",
        "- `opens 'tcp' 80`",
        "**What changes**: 1 to add, 0 to change, 2 to destroy, 1 of them replaced",
        "- `create` `aws_x.web`",
        "**Findings**: 1, 1 blocking",
        "- **high** `no-ssh` in `aws_x.web`: `SSH is open.` `Close it.`",
        f"Fingerprint of the plan: `{'f' * 64}`",
        "- ✅ `compliance` passed: `compliance it is`",
        "- ⛔ `plan` blocked: `plan it is`",
        "[The executed notebook of the plan](https://gl/-/jobs/9/artifacts/browse/outputs/7/02_plan/)",
        "[the pipeline](https://gl/-/pipelines/7)",
    ]
    places = [body.find(text) for text in said]
    assert -1 not in places, body
    assert places == sorted(places)


def test_without_a_plan_it_says_how_far_the_pipeline_came() -> None:
    error = ErrorInfo(type="TerraformError", message="no", remedy="Correct line 3.")
    body = note_body(
        noted(results=(result("compliance", Outcome.ERRORED, error=error),), summary=None, exposure=None, page="")
    )
    assert "- ❌ `compliance` errored: `compliance it is` `Correct line 3.`" in body
    assert "What becomes reachable" not in body
    assert "notebook" not in body
    nothing = note_body(noted(results=(), summary=None, exposure=None, page=""))
    assert nothing.splitlines()[2].startswith("### ❌")
    assert "There is no plan: the pipeline failed before." in nothing


def test_the_plan_s_findings_stand_in_place_of_the_files_and_the_worst_come_first() -> None:
    early = result("compliance", findings=(finding(policy="early"),))
    found = (
        finding(policy="low", severity=Severity.LOW, action=Action.WARN),
        finding(policy="blocks", severity=Severity.MEDIUM),
        finding(policy="fine", verdict=Verdict.PASSED),
        finding(
            policy="waived",
            severity=Severity.CRITICAL,
            verdict=Verdict.WAIVED,
            waiver=WaiverReference(owner="o", reason="r", expires="2027-01-01"),
        ),
    )
    body = note_body(noted(results=(early, result(findings=found))))
    assert re.findall(r"- \*\*\w+\*\*(?: \(waived\))? `(\w+)`", body) == ["blocks", "waived", "low"]
    assert "**Findings**: 3, 1 blocking" in body
    assert "**Findings**: none" in note_body(noted(results=(early, result())))


def test_of_a_thousand_changes_what_the_internet_reaches_and_what_is_destroyed_come_first() -> None:
    private = OPENS.model_copy(update={"source": "10.0.0.0/8", "source_kind": ExposureSource.PRIVATE})
    idle = OPENS.model_copy(update={"target": "alone", "reachable": Reachable.NO_MEMBER, "why": "alone has no member"})
    reached = ExposedInterface(
        id="eni-1", name="web-1", kind="instance", addresses=("198.51.100.10",), reachable=Reachable.REACHABLE
    )
    web = OPENS.model_copy(update={"reachable": Reachable.REACHABLE, "interfaces": (reached,)})
    addresses = {
        "create": tuple(f"aws_x.c{n}" for n in range(1000)),
        "delete": ("aws_db_instance.orders",),
        "drift": ("aws_x.by_hand",),
    }
    said = note_body(
        noted(
            exposure=Exposure(opened=(*[private] * 20, idle, web), sentence="Much."),
            summary=SUMMARY.model_copy(update={"addresses": addresses}),
        )
    ).splitlines()
    opens = [line for line in said if line.startswith("- opens ")]
    assert opens[0] == "- opens `the internet (0.0.0.0/0)` → `web` on `tcp 80`: `web-1 (198.51.100.10)`"
    assert said[said.index("**What changes**: 1 to add, 0 to change, 2 to destroy, 1 of them replaced") + 2] == (
        "- `delete` `aws_db_instance.orders`"
    )
    (alone,) = [
        line
        for line in note_body(noted(exposure=Exposure(opened=(idle,), sentence="x"))).splitlines()
        if line.startswith("- opens ")
    ]
    assert alone == "- opens `the internet (0.0.0.0/0)` → `alone` on `tcp 80`, `which has no member`"


def test_long_lists_are_cut_and_what_is_left_out_is_counted() -> None:
    many = PlanSummary(create=500, addresses={"create": tuple(f"aws_x.n{n}" for n in range(500))}, plan_sha256="d")
    found = tuple(finding(policy=f"p{n}", message="m" * 5_000) for n in range(300))
    body = note_body(noted(summary=many, results=(result(findings=found),)))
    assert "… and 490 more" in body
    assert "… and 290 more" in body
    assert len(body) < 20_000


HOSTILE = (
    "/merge",
    "x\n/merge\n/approve",
    "@all look at #1 !2 ~bug",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<img src=x onerror=alert(1)>",
    "`` ` ``` x",
    "--> <script>",
    "\u202egnp.exe\u200b\x1b[31m",
    "a\r/close\r\nb",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_change_is_a_command_a_mention_a_link_or_markup(text: str) -> None:
    entry = OPENS.model_copy(update={"source": text, "source_kind": "group", "target": text})
    error = ErrorInfo(type="x", message=text, remedy=text)
    told = finding(policy=text, address=text, message=text, remedy=text)
    failed = result(outcome=Outcome.ERRORED, findings=(told,), error=error)
    hostile = noted(
        stack=text,
        commit=text,
        exposure=Exposure(opened=(entry,), sentence=text),
        summary=PlanSummary(addresses={text: (text,)}, checks=(text,), plan_sha256="d", fingerprint=text),
        risk=Risk(level=RiskLevel.LOW, reasons=(RiskReason(level=RiskLevel.LOW, text=text),)),
        results=(failed.model_copy(update={"summary": text, "step": text}),),
        page=text,
        pipeline_url=f"https://gl/{text}",
    )  # fmt: skip
    body = note_body(hostile)
    first, _, rest = body.partition("\n")
    assert re.fullmatch(r"<!-- runbook note [\w-]+ pipeline 7 -->", first)
    assert not [line for line in body.splitlines() if line.lstrip().startswith("/")]
    # What is outside of code is ours alone, and so is each link.
    outside = re.sub(r"`[^`\n]*`", "", rest)
    assert "`" not in outside
    for sign in ("@", "!", "#1", "~", "<i", "<s" + "c", "evil", "merge\n", "\u202e", "\u200b", "\x1b", "alert"):
        assert sign not in outside, (sign, outside)
    assert set(re.findall(r"\]\(([^)]*)\)", outside)) <= {f"https://gl/{text}"} - (
        {f"https://gl/{text}"} if re.search(r"[\s()<>\[\]]", text) else set()
    )


def test_a_note_is_known_by_its_first_line_for_its_own_stack_alone() -> None:
    body = note_body(noted())
    assert noted_by(body, "web") == 7
    assert noted_by(body, "webfront") == 0
    assert noted_by(f"Look:\n{body}", "web") == 0
    assert noted_by("", "web") == 0


PLAN = NotedPlan(SUMMARY, EXPOSURE, RISK, (finding(),))
BODY = note_body(noted(results=(result(findings=(finding(),)),)))


def test_the_note_of_a_plan_that_does_the_same_differs_in_nothing_whatever_became_of_its_pipeline() -> None:
    assert noted_otherwise(BODY, "web", PLAN) == ""
    blocked = noted(results=(result(outcome=Outcome.BLOCKED, findings=(finding(),)),), pipeline=9, commit="0" * 40)
    assert noted_otherwise(note_body(blocked), "web", PLAN) == ""


def test_what_is_no_note_on_this_stack_is_none() -> None:
    assert noted_otherwise(BODY, "other", PLAN) is None
    assert noted_otherwise("Looks good to me.", "web", PLAN) is None
    assert noted_otherwise(f"Look:\n{BODY}", "web", PLAN) is None


def test_another_fingerprint_is_named_and_anything_else_that_differs_is_told() -> None:
    other = NotedPlan(SUMMARY.model_copy(update={"fingerprint": "e" * 64}), EXPOSURE, RISK, (finding(),))
    assert noted_otherwise(BODY, "web", other) == (
        "it showed a plan with the fingerprint ffffffffffff, and this one has eeeeeeeeeeee"
    )
    changed = [
        NotedPlan(SUMMARY.model_copy(update={"create": 2}), EXPOSURE, RISK, (finding(),)),
        NotedPlan(SUMMARY, EXPOSURE.model_copy(update={"opened": ()}), RISK, (finding(),)),
        NotedPlan(SUMMARY, EXPOSURE, Risk(level=RiskLevel.LOW, reasons=RISK.reasons), (finding(),)),
        NotedPlan(SUMMARY, EXPOSURE, RISK, ()),
    ]
    for plan in changed:
        said = noted_otherwise(BODY, "web", plan)
        assert said == "it showed another risk, exposure, change or finding than this plan has"


@pytest.mark.parametrize(
    "hidden",
    [
        BODY.replace("\n\n###", "\n<!--\n\n###", 1),
        BODY.replace("\n\n###", "\n\n<details>\n\n###", 1),
        BODY.replace("stack `web`", "stack `web` closes SSH\n\n<!--", 1),
        BODY.replace("**What becomes", "Nothing happens.\n\n**What becomes", 1),
        BODY.replace(" -->\n", " -->\n<b>All is well</b>", 1),
    ],
)
def test_a_note_that_hides_or_precedes_what_the_plan_does_is_another(hidden: str) -> None:
    assert hidden != BODY
    assert noted_otherwise(hidden, "web", PLAN)
