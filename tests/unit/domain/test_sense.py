"""What a run folder says, held against itself: a record that makes sense, and each way in which one does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_lib.domain.sense import Record, carried_out, contradictions, remarks
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import Begun, Manifest, ManifestFile, ManifestStep, Seal, SealedFiles
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
STEPS = ("compliance", "plan", "approval", "apply", "verification", "service_tests")
DIGEST, OTHER = "d" * 64, "0" * 64
SKEW, SECOND = timedelta(minutes=5), timedelta(seconds=1)
BLOCKED, ERRORED, PASSED, WARNED = Outcome.BLOCKED, Outcome.ERRORED, Outcome.PASSED, Outcome.WARNED


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def files(*paths: str, sha256: str = DIGEST) -> tuple[ManifestFile, ...]:
    return tuple(ManifestFile(path=path, sha256=sha256, bytes=1) for path in paths)


LEFT = {"plan": files("02_plan/plan.tfplan"), "apply": files("04_apply/began.json", sha256=OTHER)}
# Each step takes a minute, ten minutes after the one before it.
SOUND = Record(
    run=Run(run_id="r1", stack="access", requester="riley", author="robin", created_at=START),
    manifest=Manifest(
        run_id="r1",
        created_at=START,
        steps=tuple(
            Seal(step=name, outcome=PASSED, files=LEFT.get(name, ()), chain="", number=n, sealed_at=at(10 * n + 1))
            for n, name in enumerate(STEPS, 1)
        ),
    ),
    results={
        name: StepResult(
            run_id="r1", step=name, stack="access", outcome=PASSED, summary="", started_at=at(10 * n),
            finished_at=at(10 * n + 1),
        )
        for n, name in enumerate(STEPS, 1)
    },
    request=ApprovalRequest(
        run_id="r1", stack="access", plan_sha256=DIGEST, commit="", state_lineage="", state_serial=1, policy_sha256="",
        summary=PlanSummary(), exposure=Exposure(), requester="riley", author="robin", authors=("robin",),
        approvers=("alex", "sam"), quorum=1, created_at=at(30), expires_at=at(270),
    ),
    decision=DecisionRecord(
        run_id="r1", plan_sha256=DIGEST, approved=True, checked_at=at(40.5),
        decisions=(Decision(source="gitlab job", user="alex", approved=True, at=at(35), plan_sha256=DIGEST),),
    ),
    planned_sha256=DIGEST,
)  # fmt: skip
Change = Callable[[Record], Record]


def run(**fields: Any) -> Change:
    return lambda record: replace(record, run=record.run.model_copy(update=fields))


def manifest(**fields: Any) -> Change:
    return lambda record: replace(record, manifest=record.manifest.model_copy(update=fields))


def seal(name: str, **fields: Any) -> Change:
    def change(record: Record) -> Record:
        steps = [one.model_copy(update=fields) if one.step == name else one for one in record.manifest.steps]
        return manifest(steps=tuple(steps))(record)

    return change


def result(name: str, **fields: Any) -> Change:
    return lambda record: replace(
        record, results={**record.results, name: record.results[name].model_copy(update=fields)}
    )


def without_result(name: str) -> Change:
    return lambda record: replace(record, results={key: one for key, one in record.results.items() if key != name})


def without(*names: str) -> Change:
    """Without the seals and results of these steps."""

    def change(record: Record) -> Record:
        left = {name: one for name, one in record.results.items() if name not in names}
        steps = tuple(one for one in record.manifest.steps if one.step not in names)
        return replace(manifest(steps=steps)(record), results=left)

    return change


def ended(name: str, outcome: Outcome) -> Change:
    return together(seal(name, outcome=outcome), result(name, outcome=outcome))


def played(name: str, minutes: float, **fields: Any) -> Change:
    """The step played at another time."""
    return together(
        seal(name, sealed_at=at(minutes + 1), **fields),
        result(name, started_at=at(minutes), finished_at=at(minutes + 1)),
    )


def request(**fields: Any) -> Change:
    def change(record: Record) -> Record:
        assert record.request
        return replace(record, request=record.request.model_copy(update=fields))

    return change


def does(fingerprint: str) -> Change:
    """What the request's plan does."""

    def change(record: Record) -> Record:
        assert record.request
        summary = record.request.summary.model_copy(update={"fingerprint": fingerprint})
        return request(summary=summary)(record)

    return change


def decision(**fields: Any) -> Change:
    def change(record: Record) -> Record:
        assert record.decision
        return replace(record, decision=record.decision.model_copy(update=fields))

    return change


def given(*answers: dict[str, Any]) -> Change:
    """Answers that differ in this from the approval that there is."""

    def change(record: Record) -> Record:
        assert record.decision
        (one,) = record.decision.decisions
        return decision(decisions=tuple(one.model_copy(update=fields) for fields in answers))(record)

    return change


def together(*changes: Change) -> Change:
    def change(record: Record) -> Record:
        for one in changes:
            record = one(record)
        return record

    return change


def cut_down(record: Record) -> Record:
    """As a run of earlier versions was sealed: as a whole, without numbers and times."""
    steps = tuple(
        ManifestStep(step=one.step, outcome=one.outcome, files=one.files, chain="") for one in record.manifest.steps
    )
    return replace(record, manifest=SealedFiles(run_id="r1", created_at=START, steps=steps, files=()))


def finding(policy: str, action: Action, verdict: Verdict = Verdict.FAILED) -> Finding:
    return Finding(policy=policy, verdict=verdict, severity=Severity.HIGH, address="a", message="m", action=action)


FINDINGS = (finding("warns", Action.WARN), finding("waived", Action.BLOCK, Verdict.WAIVED))
BLOCKING = (*FINDINGS, finding("sg-world-ssh", Action.BLOCK, Verdict.UNKNOWN), finding("second", Action.BLOCK))
COST = Seal(step="cost", outcome=PASSED, files=(), chain="", number=7, sealed_at=at(71))
PATHS = ("02_plan/plan.tfplan", "f2", "f3", "f4", "f5", "f6", "f7")
SAME = "a" * 64
ALONE = {"user": "casey", "break_glass": True, "counts": True}
NOT_ENOUGH = ("0 of 1 approvals count",)
LATE = ("the approval of alex is from before the request or after its end",)
UNCHECKED = ("the decision was not checked while apply ran",)
PLAN_FILE, SUMMARY, REQUEST = (
    f"{name} is of another plan than the decision" for name in ("the plan file", "the plan's summary", "the request")
)


def same(record: Record) -> Record:
    return record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (same, ()),
        (cut_down, ()),
        # Whose it is
        (manifest(run_id="r2"), ("run.json is of run r1, the manifest of run r2",)),
        (
            manifest(steps=(*SOUND.manifest.steps, COST)),
            ("the run has no step cost, which is sealed", "cost passed without a result"),
        ),
        # What is missing
        (without("compliance"), ()),
        (without("plan"), ("plan is missing, though approval was carried out", PLAN_FILE)),
        (without("approval"), ("approval is missing, though apply was carried out",)),
        (without("apply"), ("apply is missing, though verification was carried out",)),
        (without("verification"), ()),
        (without("apply", "verification"), ()),
        (without("service_tests", "verification"), ()),
        # What is needed is missing though nothing stands before it; what is not needed may begin a run.
        (without("compliance", "plan", "apply", "verification", "service_tests"), (
            "plan is missing, though approval was carried out",
        )),
        (without("compliance", "plan", "approval", "apply"), ()),
        # Results
        (without_result("plan"), ("plan passed without a result",)),
        (
            together(without_result("plan"), seal("plan", outcome=ERRORED)),
            ("apply was carried out though plan errored",),
        ),
        (result("plan", run_id="r2"), ("the result of plan is that of step plan of run r2 on access",)),
        (result("plan", step="cost"), ("the result of plan is that of step cost of run r1 on access",)),
        (result("plan", stack="network"), ("the result of plan is that of step plan of run r1 on network",)),
        (seal("plan", outcome=WARNED), ("plan was sealed as warned, its result says passed",)),
        (result("plan", findings=FINDINGS), ()),
        (result("plan", findings=BLOCKING), ("plan passed with a finding that blocks: sg-world-ssh",)),
        (
            together(ended("verification", BLOCKED), result("verification", findings=BLOCKING)),
            (),
        ),
        # Times
        (result("plan", finished_at=at(20)), ()),
        (result("plan", finished_at=at(20) - SECOND), ("plan ended before it began",)),
        (result("compliance", started_at=START - SKEW), ()),
        (result("compliance", started_at=START - SKEW - SECOND), ("compliance began before the run",)),
        (result("plan", started_at=at(11) - SKEW), ()),
        (result("plan", started_at=at(11) - SKEW - SECOND), ("plan began before compliance ended",)),
        (together(without_result("plan"), result("approval", started_at=at(6) - SECOND)), (
            "plan passed without a result", "approval began before compliance ended",
        )),
        (seal("plan", sealed_at=at(21) - SKEW), ()),
        (seal("plan", sealed_at=at(21) - SKEW - SECOND), ("plan was sealed before it ended",)),
        (played("plan", -60), ("plan began before compliance ended",)),
        (played("plan", -60, taken_over=True), ()),
        # Their seals' numbers are their order, where they have any.
        (together(played("verification", 60, number=6), played("service_tests", 50, number=5)), ()),
        (together(seal("verification", number=6), seal("service_tests", number=5)), (
            "verification began before service_tests ended",
        )),
        (together(played("verification", 60), played("service_tests", 50), cut_down), (
            "service_tests began before verification ended",
        )),
        # What was approved
        (lambda record: replace(record, request=None), ("apply was carried out without a request",)),
        (lambda record: replace(record, request=None, decision=None), ("apply was carried out without a request",)),
        (lambda record: replace(record, decision=None), ("apply was carried out without a decision",)),
        (
            together(ended("apply", BLOCKED), seal("apply", files=files("04_apply/a.json")), decision(approved=False)),
            (),
        ),
        (together(ended("apply", ERRORED), decision(approved=False)), (
            "apply was carried out though the decision is no approval",
        )),
        (ended("plan", BLOCKED), ("apply was carried out though plan blocked",)),
        (ended("verification", BLOCKED), ()),
        (decision(plan_sha256=OTHER), (PLAN_FILE, SUMMARY, REQUEST)),
        (lambda record: replace(record, planned_sha256=OTHER), (SUMMARY,)),
        (together(request(plan_sha256=OTHER), given({"plan_sha256": OTHER})), (REQUEST,)),
        (seal("plan", files=files("02_plan/plan.tfplan", sha256=OTHER)), (PLAN_FILE,)),
        (together(seal("plan", files=files("02_plan/plan.tfplan", sha256=OTHER)), cut_down), (PLAN_FILE,)),
        (seal("plan", files=()), (PLAN_FILE,)),
        (seal("plan", files=files("02_plan/plan.tfplan.age", sha256=OTHER)), ()),
        (together(seal("plan", files=()), cut_down), ()),
        # A copy of what was approved stands for nothing, and a file of that name in another step says nothing.
        (
            seal("plan", files=(
                *files("02_plan/plan.tfplan", sha256=OTHER), *files("02_plan/zz/plan.tfplan"),
            )),
            (PLAN_FILE,),
        ),
        (seal("plan", files=files("02_plan/zz/plan.tfplan", "02_plan/zz/plan.tfplan.age")), (PLAN_FILE,)),
        (seal("service_tests", files=files("06_service_tests/plan.tfplan", sha256=OTHER)), ()),
        (request(run_id="r2"), ("the request or the decision is another run's",)),
        (decision(run_id="r2"), ("the request or the decision is another run's",)),
        # By whom
        (decision(approved=False), ("apply was carried out though the decision is no approval",)),
        (decision(rejected=True), ("apply was carried out though the decision is no approval",)),
        (request(quorum=2), ("1 of 2 approvals count",)),
        (request(quorum=0), ()),
        (given({"user": "ALEX"}, {}), ()),
        (together(request(quorum=2), given({"user": "ALEX"}, {})), ("1 of 2 approvals count",)),
        (together(request(quorum=2), given({"user": "sam"}, {})), ()),
        (
            request(requirements=(
                Requirement(needs=1, approvers=("alex",)), Requirement(needs=1, approvers=("sam",), group="network"),
            )),
            ("0 of 1 approvals of network count",),
        ),
        (given({"approved": False}), NOT_ENOUGH),
        (given({"counts": True}), ()),
        (given({"counts": False}), NOT_ENOUGH),
        (given({"plan_sha256": OTHER}), NOT_ENOUGH),
        (given({"user": "casey"}), NOT_ENOUGH),
        *((request(**{name: "Alex"}), NOT_ENOUGH) for name in ("requester", "author")),
        *((run(**{name: "Alex"}), NOT_ENOUGH) for name in ("requester", "author")),
        (request(authors=("robin", "alex")), NOT_ENOUGH),
        (together(request(break_glass=("casey",)), given(ALONE)), ()),
        (together(request(break_glass=("sam",)), given(ALONE)), NOT_ENOUGH),
        (together(request(break_glass=("casey",)), given({"user": "casey", "counts": True})), NOT_ENOUGH),
        # When
        (given({"at": at(270) + SKEW}), ()),
        (given({"at": at(270) + SKEW + SECOND}), LATE),
        (given({"at": at(30) - SKEW}), ()),
        (given({"at": at(30) - SKEW - SECOND}), LATE),
        # One from before the merge is of a plan that does the same, and ends with the request as any other.
        (together(does(SAME), given({"at": at(0), "fingerprint": SAME})), ()),
        (together(does(SAME), given({"at": at(0), "fingerprint": "b" * 64})), LATE),
        (together(does(""), given({"at": at(0), "fingerprint": ""})), LATE),
        (together(does(SAME), given({"at": at(270) + SKEW + SECOND, "fingerprint": SAME})), LATE),
        # What does not count may come whenever it likes.
        (given({}, {"user": "casey", "at": at(1)}), ()),
        (request(created_at=START - SKEW), ()),
        (request(created_at=START - SKEW - SECOND), ("the request is older than the run",)),
        (decision(checked_at=at(40) - SKEW), ()),
        (decision(checked_at=at(40) - SKEW - SECOND), UNCHECKED),
        (decision(checked_at=at(41) + SKEW), ()),
        (decision(checked_at=at(41) + SKEW + SECOND), UNCHECKED),
        (together(without_result("apply"), decision(checked_at=START)), ("apply passed without a result",)),
        # What became of the seals
        (seal("plan", found=True, files=files(*PATHS[:5])), (
            f"nobody sealed what plan left when it was written, it was found later: {', '.join(PATHS[:5])}",
        )),
        (seal("plan", found=True, files=files(*PATHS)), (
            f"nobody sealed what plan left when it was written, it was found later: {', '.join(PATHS[:5])} and 2 more",
        )),
        (manifest(earlier=(COST.model_copy(update={"found": True, "files": files("f1")}),)), (
            "nobody sealed what cost left when it was written, it was found later: f1",
        )),
        (together(played("plan", 35, number=7), seal("apply", number=8), played("verification", 70, number=9),
                  played("service_tests", 80, number=10)),
         ("apply was carried out on an outdated step approval",)),
        (together(played("verification", 70, number=7)), ()),
    ],
)  # fmt: skip
def test_what_can_not_be_true_is_told_in_a_sentence_each(change: Change, said: tuple[str, ...]) -> None:
    assert contradictions(change(SOUND)) == said


@pytest.mark.parametrize(
    ("outcome", "name", "came"),
    [
        (PASSED, "decision.json", True),
        (WARNED, "decision.json", True),
        (BLOCKED, "decision.json", False),
        *((ERRORED, name, True) for name in ("began.json", "apply.jsonl", "outputs.json", "errored.tfstate")),
        (ERRORED, "began.json.age", False),
    ],
)
def test_an_apply_that_stopped_came_to_terraform_if_it_left_something_of_it(
    outcome: Outcome, name: str, came: bool
) -> None:
    left = files("04_apply/result.json", f"04_apply/{name}")
    assert carried_out(ManifestStep(step="apply", outcome=outcome, files=left, chain="")) is came


TRIED = COST.model_copy(update={"step": "plan", "number": 2, "outcome": ERRORED})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (same, ()),
        (without("verification", "service_tests"), ("not executed: verification, service_tests",)),
        (run(dirty=True), ("the working tree held changes that are in no commit",)),
        (manifest(earlier=(TRIED,)), ("plan was tried before: seal 2, errored",)),
        (
            manifest(begun=(Begun(step="verification", at=at(50)),)),
            ("verification began at 2026-01-01 09:50:00 UTC and has no seal",),
        ),
        (seal("verification", number=9), ("service_tests is older than a step before it, which was made anew",)),
        (
            together(without("verification"), run(dirty=True), manifest(earlier=(TRIED,)), cut_down),
            ("not executed: verification", "the working tree held changes that are in no commit"),
        ),
    ],
)
def test_what_is_worth_knowing_is_told_and_is_no_contradiction(change: Change, said: tuple[str, ...]) -> None:
    assert remarks(change(SOUND)) == said
