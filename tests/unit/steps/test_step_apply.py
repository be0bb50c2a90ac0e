"""Apply: that plan file and nothing else, and what Terraform said is kept however it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform import Completed
from runbook_lib.errors import ApprovalError, ConfigError, GitLabError, StateLockedError, TerraformError
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.steps import apply
from runbook_lib.workspace.context import StepContext

RULE = "aws_vpc_security_group_ingress_rule.rule"


def event(kind: str, message: str, **more: Any) -> str:
    return json.dumps(
        {"@level": "error" if kind == "diagnostic" else "info", "@message": message, "type": kind, **more}
    )


def completed(address: str, action: str) -> str:
    hook = {"resource": {"addr": address}, "action": action, "elapsed_seconds": 1}
    return event("apply_complete", f"{address}: done", hook=hook)


DONE = [
    completed(f'{RULE}["8000"]', "delete"),
    completed(f'{RULE}["80"]', "create"),
    event("change_summary", "Apply complete!", changes={"add": 1, "change": 0, "remove": 1, "operation": "apply"}),
    event(
        "outputs", "Outputs: 2", outputs={"id": {"value": "sgr-1"}, "key": {"value": "hush-hush", "sensitive": True}}
    ),
]


def failed(summary: str, detail: str = "") -> str:
    return event("diagnostic", f"Error: {summary}", diagnostic={"summary": summary, "detail": detail})


class FakeTerraform:
    """Says these lines and ends with this status, or as if interrupted."""

    def __init__(self, lines: list[str], status: int = 0, interrupted: bool = False) -> None:
        self.lines = lines
        self.status = status
        self.interrupted = interrupted
        self.applied: list[Path] = []
        self.left: Path | None = None
        self.on_line: Any = print
        self.state_error: GitLabError | None = None

    def read_state(self, settings: Settings, stack: str) -> dict[str, Any]:
        if self.state_error:
            raise self.state_error
        return {}

    def apply(self, plan: Path, *options: str) -> Completed:
        self.applied.append(plan)
        for line in self.lines:
            self.on_line(line)
        if self.left:
            self.left.write_text('{"serial": 9}')
        if self.interrupted:
            raise KeyboardInterrupt
        return Completed(self.status, "\n".join(self.lines) + "\n", "")


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> StepContext:
    return StepContext(built_in("apply"), settings, store, run, NOW)


@pytest.fixture
def record(request_: ApprovalRequest) -> DecisionRecord:
    return DecisionRecord(run_id="7", plan_sha256=request_.plan_sha256, approved=True, checked_at=NOW)


def use(monkeypatch: pytest.MonkeyPatch, terraform: FakeTerraform) -> FakeTerraform:
    def client(settings: Settings, stack: str, on_line: Any) -> FakeTerraform:
        terraform.on_line = on_line
        return terraform

    monkeypatch.setattr(apply, "terraform_client", client)
    monkeypatch.setattr(apply, "ensure_initialised", lambda terraform: False)
    monkeypatch.setattr(apply, "read_state", terraform.read_state)
    return terraform


def test_the_approved_file_is_applied_and_its_events_are_kept(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform(DONE))
    applied = apply.apply_plan(context, record)
    assert terraform.applied == [context.store.path("02_plan/plan.tfplan")]
    assert (applied.added, applied.changed, applied.destroyed) == (1, 0, 1)
    assert [resource["action"] for resource in applied.resources] == ["delete", "create"]
    assert context.store.read_json("04_apply/outputs.json") == {"id": "sgr-1", "key": "(sensitive)"}
    kept = context.store.read_text("04_apply/apply.jsonl")
    assert kept.splitlines() == [line.replace("hush-hush", "[MASKED]") for line in DONE]
    assert "Apply complete!" in context.store.read_text("04_apply/apply.txt")


def test_an_apply_is_done_also_when_the_new_state_can_not_be_read_afterwards(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform(DONE))
    terraform.state_error = GitLabError("could not read the state")
    assert apply.apply_plan(context, record).added == 1


@pytest.mark.parametrize("change", [{"approved": False}, {"plan_sha256": "0" * 64}])
def test_nothing_but_the_approved_file_is_applied(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    terraform = use(monkeypatch, FakeTerraform(DONE))
    with pytest.raises(ApprovalError, match="not the one that was approved"):
        apply.apply_plan(context, record.model_copy(update=change))
    assert terraform.applied == []


def test_a_failure_half_way_says_how_much_was_done(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform([DONE[0], failed("creating rule", "UnauthorizedOperation")], 1))
    with pytest.raises(TerraformError, match=r"creating rule.*; 1 resource was changed before it") as caught:
        apply.apply_plan(context, record)
    assert caught.value.remedy.endswith("Then run from the plan step: the state has moved.")
    assert "creating rule" in context.store.read_text("04_apply/apply.txt")


def test_a_failure_before_anything_was_done_asks_for_no_new_plan(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform([failed("creating rule", "UnauthorizedOperation")], 1))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.remedy == "Give the run's AWS role this permission."


def test_a_locked_state_is_told_as_that(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = "Error message: HTTP remote state already locked: ID=a1"
    use(monkeypatch, FakeTerraform([failed("Error acquiring the state lock", detail)], 1))
    with pytest.raises(StateLockedError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.remedy.endswith("force-unlock a1")


def test_a_variable_without_a_value_is_told_as_that(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform([failed("No value for required variable")], 1))
    with pytest.raises(ConfigError):
        apply.apply_plan(context, record)


def test_the_only_copy_of_a_state_is_kept_with_what_to_do_about_it(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform([DONE[0], failed("Failed to save state")], 1))
    terraform.left = context.stack_dir / "errored.tfstate"
    with pytest.raises(TerraformError, match="Failed to save state") as caught:
        apply.apply_plan(context, record)
    assert context.store.read_json("04_apply/errored.tfstate") == {"serial": 9}
    assert "terraform state push errored.tfstate" in caught.value.remedy


def test_what_was_done_before_an_interrupt_is_kept(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform(DONE[:1], interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        apply.apply_plan(context, record)
    assert context.store.read_text("04_apply/apply.jsonl").splitlines() == DONE[:1]
    result = context.store.read_result("apply")
    assert result is not None
    assert result.outcome is Outcome.INTERRUPTED
    assert "04_apply/apply.txt" in {artifact.path for artifact in result.artifacts}
