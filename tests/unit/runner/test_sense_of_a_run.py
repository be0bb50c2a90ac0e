"""Everything is sealed and signed, and can't be true: what a run folder says, held against itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made_runs import STEPS, MadeRun, settings_for
from runbook_lib.adapters.signing import generate_key
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import EvidenceReport
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.runner.evidence import prove_folder

PRIVATE, PUBLIC = generate_key()
Make = Callable[..., MadeRun]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(PUBLIC)
    return path


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """A signed run up to a step."""

    def make(upto: str = "approval") -> MadeRun:
        run = MadeRun(tmp_path / "outputs", "run-1", settings_for(PRIVATE))
        return run.play(*STEPS[: STEPS.index(upto) + 1])

    return make


def rewrite(run: MadeRun, relative: str, **fields: Any) -> None:
    path = run.store.dir / relative
    path.write_text(json.dumps(json.loads(path.read_text()) | fields, indent=2) + "\n")


def change_before_seal(
    run: MadeRun, step: str, change: Callable[[], None], outcome: Outcome = Outcome.PASSED
) -> MadeRun:
    """The step plays, and what it leaves is a lie that is duly sealed."""
    sealer, started = run.sealer(), datetime.now(UTC)
    sealer.open(step)
    sealer.begin(step)
    result = run.leave(step, started)
    change()
    sealer.ended(result)
    sealer.page_made(step)
    sealer.close()
    return run


def answers(report: EvidenceReport) -> tuple[bool | None, bool | None, bool | None]:
    return report.intact.holds, report.signed.holds, report.consistent.holds


def blocking() -> list[dict[str, Any]]:
    finding = Finding(
        policy="sg-world-ssh",
        verdict=Verdict.FAILED,
        severity=Severity.HIGH,
        address="a",
        message="m",
        action=Action.BLOCK,
    )
    return [finding.model_dump(mode="json")]


REQUEST, DECISION, RESULT = "03_approval/request.json", "04_apply/decision.json", "02_plan/result.json"
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LIES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a decision that is no approval": ("apply", DECISION, {"approved": False}, "is no approval"),
    "a decision of another plan": ("apply", DECISION, {"plan_sha256": "0" * 64}, "of another plan"),
    "a request of another plan": ("approval", REQUEST, {"plan_sha256": "0" * 64}, "the request is of"),
    "a summary of another plan": ("plan", "02_plan/summary.json", {"plan_sha256": "0" * 64}, "the plan file is of"),
    "too few approvals": ("approval", REQUEST, {"quorum": 2}, "1 of 2 approvals count"),
    "an approval of one's own": ("approval", REQUEST, {"requester": "alex"}, "0 of 1 approvals count"),
    "an approver whom nobody named": ("approval", REQUEST, {"approvers": ["sam"]}, "0 of 1 approvals"),
    "a request that had ended": (
        "approval", REQUEST, {"expires_at": "2026-01-01T00:00:00Z"}, "or after its end",
    ),
    "another run's request": ("approval", REQUEST, {"run_id": "run-2"}, "is another run's"),
    "a result that contradicts its seal": ("plan", RESULT, {"outcome": "warned"}, "its result says warned"),
    "a finding that blocks": ("plan", RESULT, {"findings": blocking()}, "with a finding that blocks"),
    "an end before the beginning": (
        "plan", RESULT, {"finished_at": "2026-01-01T00:00:00Z"}, "plan ended before it began",
    ),
    "an end after the seal": ("plan", RESULT, {"finished_at": LATER}, "plan was sealed before it ended"),
    "another stack's result": ("plan", RESULT, {"stack": "network"}, "the result of plan is that of"),
    "a decision checked before apply": (
        "apply", DECISION, {"checked_at": "2026-01-01T00:00:00Z"}, "not checked while apply ran",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_signed_lie_is_intact_and_not_consistent(key: Path, lie: str) -> None:
    step, name, fields, said = LIES[lie]
    run = MadeRun(key.parent / "outputs", "run-1", settings_for(PRIVATE)).play(*STEPS[: STEPS.index(step)])
    change_before_seal(run, step, lambda: rewrite(run, name, **fields))
    run.play(*STEPS[STEPS.index(step) + 1 :])
    report = prove_folder(run.store.dir, key)
    assert answers(report) == (True, True, False)
    assert not report.valid
    assert any(said in reason for reason in report.consistent.reasons), report.consistent.reasons


@pytest.mark.parametrize(
    ("step", "result", "said"),
    [
        ("compliance", "01_compliance/result.json", "compliance began before the run"),
        ("plan", RESULT, "plan began before compliance ended"),
        ("approval", "03_approval/result.json", "approval began before plan ended"),
    ],
)
@pytest.mark.parametrize("minutes", [4, 6])
def test_a_step_that_began_minutes_before_what_went_before_it_is_not_consistent(
    key: Path, step: str, result: str, said: str, minutes: int
) -> None:
    # Five minutes may lie between the clocks of two machines.
    run = MadeRun(key.parent / "outputs", "run-1", settings_for(PRIVATE)).play(*STEPS[: STEPS.index(step)])
    began = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    change_before_seal(run, step, lambda: rewrite(run, result, started_at=began))
    assert prove_folder(run.store.dir, key).consistent.reasons == (() if minutes < 5 else (said,))


def test_an_apply_without_a_decision_is_not_consistent(made: Make, key: Path) -> None:
    run = made("approval")
    change_before_seal(run, "apply", (run.store.dir / "04_apply/decision.json").unlink)
    assert prove_folder(run.store.dir, key).consistent.reasons == ("apply was carried out without a decision",)


def test_an_apply_that_left_no_result_is_not_consistent(made: Make, key: Path) -> None:
    run = made("approval")
    change_before_seal(run, "apply", (run.store.dir / "04_apply/result.json").unlink)
    assert prove_folder(run.store.dir, key).consistent.reasons == ("apply passed without a result",)


def test_an_apply_after_a_step_that_said_no_is_not_consistent(made: Make, key: Path) -> None:
    run = made("compliance").play("plan", outcome=Outcome.BLOCKED).play("approval", "apply")
    assert "apply was carried out though plan blocked" in prove_folder(run.store.dir, key).consistent.reasons


def test_an_apply_on_an_approval_from_before_the_plan_is_not_consistent(made: Make, key: Path) -> None:
    run = made("approval").play("plan", "apply")
    reasons = prove_folder(run.store.dir, key).consistent.reasons
    assert "apply was carried out on an outdated step approval" in reasons


def test_every_step_is_there_or_said_not_to_have_been_executed(made: Make, key: Path) -> None:
    report = prove_folder(made("plan").store.dir, key)
    assert report.proven
    assert "not executed: approval, apply, verification, service_tests" in report.notes
