"""Apply: that plan file and nothing else, and what Terraform said is kept however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from step_fakes import NOW, FakeSlack, built_in, found_plan

from runbook_lib.adapters.heard import hear
from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform import Completed
from runbook_lib.domain.approval import ApplyFacts
from runbook_lib.errors import (
    ApprovalError,
    AwsError,
    ConfigError,
    GitLabError,
    StateLockedError,
    StoreError,
    TerraformError,
)
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import RunbookEntry, StepEntry
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import Plan, PlanInputs, ResourceChange
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import Step
from runbook_lib.settings import Settings
from runbook_lib.steps import apply
from runbook_lib.wording import NO_CHANGE
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.plan_check import FoundPlan

RULE = "aws_vpc_security_group_ingress_rule.rule"


def event(kind: str, message: str, **more: Any) -> str:
    return json.dumps(
        {"@level": "error" if kind == "diagnostic" else "info", "@message": message, "type": kind, **more}
    )


def completed(address: str, action: str) -> str:
    hook = {"resource": {"addr": address}, "action": action, "elapsed_seconds": 1}
    return event("apply_complete", f"{address}: done", hook=hook)


STARTED = [
    event(
        "apply_start",
        "Creating...",
        hook={"resource": {"addr": f'{RULE}["80"]'}, "action": "create", "id_value": "hush-hush"},
    )
]
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
        self.read: list[str] = []
        self.left: Path | None = None
        self.on_line: Any = print
        self.state_error: GitLabError | None = None

    def read_state(self, settings: Settings, stack: str) -> dict[str, Any]:
        self.read.append(stack)
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
    return StepContext(built_in("apply"), settings, store, run, NOW, clock=lambda: NOW)


@pytest.fixture
def record(request_: ApprovalRequest) -> DecisionRecord:
    return DecisionRecord(run_id="7", plan_sha256=request_.plan_sha256, approved=True, checked_at=NOW)


def use(monkeypatch: pytest.MonkeyPatch, terraform: FakeTerraform) -> FakeTerraform:
    def client(settings: Settings, stack: str, on_line: Any, meanwhile: Any) -> FakeTerraform:
        assert stack == "access"
        terraform.on_line = on_line
        return terraform

    monkeypatch.setattr(apply, "terraform_client", client)
    monkeypatch.setattr(apply, "ensure_initialised", lambda terraform: False)
    monkeypatch.setattr(apply, "read_state", terraform.read_state)
    monkeypatch.setattr(apply, "find_plan", found_plan)
    monkeypatch.setattr(apply, "refuse_changed_inputs", lambda context, terraform: None)
    return terraform


def test_what_the_plan_reads_is_looked_at_once_more_before_the_approval_is_used(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform(DONE))

    def refuse(context: StepContext, terraform: object) -> None:
        raise ApprovalError("Files that the plan was made from changed since: page.html.")

    monkeypatch.setattr(apply, "refuse_changed_inputs", refuse)
    with pytest.raises(ApprovalError, match=r"page\.html"):
        apply.apply_plan(context, record)
    assert terraform.applied == []
    assert not context.store.exists("04_apply/began.json")


def test_the_approved_file_is_applied_and_its_events_are_kept(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform(DONE))
    applied = apply.apply_plan(context, record)
    (plan,) = terraform.applied
    assert (plan.read_bytes(), terraform.read) == (context.store.path("02_plan/plan.tfplan").read_bytes(), ["access"])
    # A copy of its own: what lies in the run folder may be another file by now.
    assert not plan.is_relative_to(context.store.dir)
    assert context.store.read_json("04_apply/began.json")["plan_sha256"] == record.plan_sha256
    assert (applied.added, applied.changed, applied.destroyed) == (1, 0, 1)
    assert [resource["action"] for resource in applied.resources] == ["delete", "create"]
    assert context.store.read_json("04_apply/outputs.json") == {"id": "sgr-1", "key": "(sensitive)"}
    kept = context.store.read_text("04_apply/apply.jsonl")
    assert kept.splitlines() == [line.replace("hush-hush", "[MASKED]") for line in DONE]
    assert "Apply complete!" in context.store.read_text("04_apply/apply.txt")


def test_what_a_name_calls_a_secret_is_in_nothing_that_apply_leaves_and_not_printed(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = {"addr": "random_string.token", "resource_type": "random_string", "resource_name": "token"}
    hook = {"resource": resource, "action": "create", "id_key": "id", "id_value": "wxyz", "elapsed_seconds": 0}
    lines = [
        event("apply_complete", "random_string.token: Creation complete after 0s [id=wxyz]", hook=hook),
        event("change_summary", "Apply complete!", changes={"add": 1, "change": 0, "remove": 0}),
        event("outputs", "Outputs: 3, not hunter22x", outputs={
            "admin_password": {"sensitive": False, "type": "string", "value": "hunter22x"},
            "db": {"sensitive": False, "type": "string", "value": "Server=db;Pwd=other22x;"},
            "passwords": {"sensitive": False, "type": ["list", "string"], "value": ["postgres"]},
            "password_policy": {"sensitive": False, "type": "string", "value": "strict"},
        }),
    ]  # fmt: skip
    use(monkeypatch, FakeTerraform(lines))
    learned: set[str] = set()
    monkeypatch.setattr(apply, "learn", lambda settings, secrets: learned.update(secrets))
    assert "postgres" not in str(apply.apply_plan(context, record).outputs)
    # The engine is told as well, whose mask is another one. A common word is only masked in its place.
    assert learned == {"hunter22x", "other22x"}
    kept = [context.store.read_text(f"04_apply/{name}") for name in ("apply.jsonl", "apply.txt", "outputs.json")]
    shown = "".join([*kept, capsys.readouterr().out])
    assert not [secret for secret in ("wxyz", "hunter22x", "other22x", "postgres") if secret in shown]
    assert [json.loads(line)["type"] for line in kept[0].splitlines()] == [
        "apply_complete",
        "change_summary",
        "outputs",
    ]
    assert kept[0].splitlines()[1] == lines[1]
    assert json.loads(kept[2]) == {
        "admin_password": "[MASKED]", "db": "Server=db;Pwd=[MASKED];", "passwords": ["[MASKED]"],
        "password_policy": "strict",
    }  # fmt: skip


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
    with pytest.raises(ApprovalError) as caught:
        apply.apply_plan(context, record.model_copy(update=change))
    assert (caught.value.message, caught.value.remedy) == (
        "the plan file is not the one that was approved",
        "Run the plan step again.",
    )
    assert terraform.applied == []


def test_a_failure_half_way_says_how_much_was_done(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform([DONE[0], failed("creating rule", "UnauthorizedOperation")], 1))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert (caught.value.message, caught.value.remedy) == (
        "creating rule: UnauthorizedOperation; 1 resource was changed before it",
        "Give the run's AWS role this permission. Then begin a new run: the state has moved.",
    )
    assert "creating rule" in context.store.read_text("04_apply/apply.txt")


def test_a_terraform_that_was_killed_half_way_says_how_much_was_done(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform([DONE[0]], -9))
    gone = ResourceChange(address=f'{RULE}["8000"]', type="a", name="b", actions=("delete",))
    planning(monkeypatch, context, gone, gone.model_copy(update={"address": "a.b"}))
    terraform.left = context.stack_dir / "errored.tfstate"
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.message == (
        "terraform apply ended with status -9: it said nothing; 1 resource was changed before it"
        " (1 done, 1 not begun; resources.json names each)"
    )
    assert "is the only copy of the new state" in caught.value.remedy


def test_a_failure_before_anything_was_done_asks_for_no_new_plan(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform([failed("creating rule", "UnauthorizedOperation")], 1))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.remedy == "Give the run's AWS role this permission."


@pytest.mark.parametrize("cell", ["check_ready", "confirm_approval", "apply_plan"])
def test_a_cell_that_is_executed_again_leaves_what_the_first_apply_left(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    terraform = use(monkeypatch, FakeTerraform([DONE[0], failed("creating rule", "UnauthorizedOperation")], 1))
    with pytest.raises(TerraformError):
        apply.apply_plan(context, record)
    folder = context.store.dir / "04_apply"
    left = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ApprovalError, match="run 7 was applied, or its apply began: an approval is used once"):
        getattr(apply, cell)(context, *([record] if cell == "apply_plan" else []))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == left
    assert len(terraform.applied) == 1


def test_of_two_notebooks_of_a_run_one_begins(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform, other = use(monkeypatch, FakeTerraform(DONE)), {"plan_sha256": "the other's"}
    monkeypatch.setattr(apply, "take_baseline", lambda context: context.store.write_json("04_apply/began.json", other))
    with pytest.raises(ApprovalError, match="its apply began"):
        apply.apply_plan(context, record)
    assert (terraform.applied, context.store.read_json("04_apply/began.json")) == ([], other)


def test_a_locked_state_is_told_as_that(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = "Error message: HTTP remote state already locked: ID=a1"
    use(monkeypatch, FakeTerraform([failed("Error acquiring the state lock", detail)], 1))
    with pytest.raises(StateLockedError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.remedy.count("`runbook state unlock --stack access a1`") == 1


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
    assert caught.value.remedy == (
        "04_apply/errored.tfstate is the only copy of the new state. Upload it: `runbook state push --stack access"
        " 7/04_apply/errored.tfstate`, then make a new plan."
    )


def test_the_only_copy_is_kept_by_whatever_clock_it_is_dated_and_though_nothing_else_can_be(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform([DONE[0], failed("Failed to save state")], 1))
    path = context.stack_dir / "errored.tfstate"
    path.write_text('{"serial": 8}')

    def leave(plan: Path, *options: str) -> Completed:
        path.write_text('{"serial": 9}')
        os.utime(path, (1, 1))
        return Completed(terraform.status, "\n".join(terraform.lines), "")

    def refuse(relative: str, text: str) -> Path:
        raise StoreError("the disk is full", "Make room.")

    monkeypatch.setattr(terraform, "apply", leave)
    monkeypatch.setattr(context.store, "write_text", refuse)
    with pytest.raises(StoreError):
        apply.apply_plan(context, record)
    assert context.store.read_json("04_apply/errored.tfstate") == {"serial": 9}


def test_what_terraform_said_is_kept_also_where_the_only_copy_can_not_be(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform([DONE[0], failed("Failed to save state")], 1))
    terraform.left = context.stack_dir / "errored.tfstate"

    def refuse(*given: object) -> str:
        raise StoreError("the disk is full", "Make room.")

    monkeypatch.setattr(apply, "keep_errored", refuse)
    with pytest.raises(StoreError):
        apply.apply_plan(context, record)
    assert "Failed to save state" in context.store.read_text("04_apply/apply.txt")
    assert terraform.left.is_file()


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


def test_plan_request_and_the_steps_before_are_asked_for_first(
    context: StepContext, request_: ApprovalRequest, results: Callable[..., None]
) -> None:
    results("compliance", "plan", "approval")
    found = [(result.name, result.found) for result in apply.check_ready(context)]
    assert found == [
        ("run", "7 of stack access"),
        ("project settings", "no GitLab project is asked"),
        ("plan", request_.plan_sha256[:12]),
        ("request", "asked by riley"),
        ("steps before", "none of them said no"),
    ]


@pytest.fixture
def results(store: RunStore, result: Callable[..., StepResult]) -> Callable[..., None]:
    """Write the results of these steps, with this outcome."""

    def write(*names: str, outcome: Outcome = Outcome.PASSED) -> None:
        for name in names:
            store.write_result(result(name, outcome))

    return write


@pytest.mark.usefixtures("request_")
@pytest.mark.parametrize("outcome", [Outcome.BLOCKED, Outcome.ERRORED, Outcome.INTERRUPTED])
def test_whoever_applies_can_not_pass_over_a_step_that_stopped(
    context: StepContext, results: Callable[..., None], outcome: Outcome
) -> None:
    results("plan", "approval")
    results("compliance", outcome=outcome)
    with pytest.raises(ApprovalError) as caught:
        apply.check_ready(context)
    assert caught.value.message == f"the step compliance {outcome}: compliance it is"
    assert caught.value.remedy == "Run compliance again."


@pytest.mark.usefixtures("request_")
def test_what_comes_after_apply_says_nothing_about_it(context: StepContext, results: Callable[..., None]) -> None:
    results("compliance", "plan", "approval")
    results("verification", outcome=Outcome.BLOCKED)
    assert apply.check_ready(context)[-1].passed


@pytest.mark.usefixtures("request_")
def test_a_step_of_the_team_s_own_must_have_been_executed(
    context: StepContext, results: Callable[..., None], run: Run
) -> None:
    own = Step(name="cost", number=2, title="Cost", notebook="notebooks/cost.ipynb")
    steps = (built_in("compliance"), own, built_in("apply"))
    entry = RunbookEntry(steps=tuple(StepEntry(name=step.name, notebook=step.notebook) for step in (own,)))
    config = context.settings.config
    context.settings.config = config.model_copy(update={"runbooks": {"costs": entry}})
    context.store.write_json("run.json", run.model_copy(update={"steps": tuple(step.recorded for step in steps)}))
    fresh = RunStore(context.settings.outputs, "7")
    context.store = fresh
    with pytest.raises(ApprovalError) as caught:
        apply._all_passed(context)
    assert caught.value.message == "the step cost has not been executed"
    assert caught.value.remedy == "Run cost first."


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch, slack: FakeSlack) -> dict[str, Any]:
    """The record that the decisions come to, and what it was collected with."""
    seen: dict[str, Any] = {}

    def facts(context: StepContext, request: ApprovalRequest, found: FoundPlan) -> ApplyFacts:
        return ApplyFacts(found.sha256, "l", 3, commit=f"facts of {context.run.run_id} and {request.plan_sha256}")

    def problems(context: StepContext, request: ApprovalRequest, found: FoundPlan) -> tuple[str, ...]:
        assert (request.run_id, found) == ("7", found_plan(context))
        return ("It is another plan.",)

    def collect(context: StepContext, request: ApprovalRequest, given: object) -> DecisionRecord:
        seen["collected"] = (context.run.run_id, request.plan_sha256, given)
        record: DecisionRecord = seen["record"]
        return record

    monkeypatch.setattr(apply, "facts_now", facts)
    monkeypatch.setattr(apply, "find_plan", found_plan)
    monkeypatch.setattr(apply, "problems_of", problems)
    monkeypatch.setattr(apply, "collect", collect)
    return seen


def test_an_approval_is_checked_against_the_facts_as_they_are_now(
    context: StepContext, request_: ApprovalRequest, record: DecisionRecord, decided: dict[str, Any], slack: FakeSlack
) -> None:
    decided["record"] = record
    assert apply.confirm_approval(context) is record
    digest = request_.plan_sha256
    facts = ApplyFacts(
        found_plan(context).sha256, "l", 3, commit=f"facts of 7 and {digest}", problems=("It is another plan.",)
    )
    assert decided["collected"] == ("7", digest, facts)
    assert context.store.read_model("04_apply/decision.json", DecisionRecord) == record
    assert len(slack.posts) == 1
    result = apply.decide(context, apply.Applied(0, 0, 0, (), {})).result
    assert result.metrics["approved"] is True
    assert [file.path for file in result.inputs] == ["02_plan/plan.tfplan"]


def test_all_that_is_not_as_it_was_asked_for_is_held_against_the_approval_and_what_gitlab_says_is_kept(
    context: StepContext,
    record: DecisionRecord,
    decided: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    decided["record"] = record

    def as_gitlab_says(given: StepContext, request: ApprovalRequest) -> ApprovalRequest:
        assert (given, request.requester) == (context, "riley")
        hear("GET /user", {"username": "riley"})
        return request.model_copy(update={"requester": "sam", "exposure": Exposure()})

    def uncommitted(settings: Settings, stack: str) -> tuple[str, ...]:
        assert (settings, stack) == (context.settings, "access")
        return ("Files differ.",)

    def outdated(settings: Settings, run: Run) -> tuple[str, ...]:
        assert (settings, run) == (context.settings, context.run)
        return ("The branch has gone on.",)

    monkeypatch.setattr(apply, "as_gitlab_says", as_gitlab_says)
    monkeypatch.setattr(apply, "uncommitted_in_ci", uncommitted)
    monkeypatch.setattr(apply, "outdated", outdated)
    apply.confirm_approval(context)
    facts = decided["collected"][2]
    assert facts.problems == ("It is another plan.", "Files differ.", "The branch has gone on.")
    shown = capsys.readouterr().out
    assert shown == f"Stack access, plan {record.plan_sha256}: {NO_CHANGE}\n"
    assert context.store.read_json("04_apply/vouched/gitlab.json") == {"GET /user": {"username": "riley"}}


@pytest.mark.usefixtures("request_")
def test_what_the_change_exposes_is_shown_before_anybody_is_asked_whether_it_was_approved(
    context: StepContext, decided: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyError):
        apply.confirm_approval(context)
    assert capsys.readouterr().out.endswith(": The internet can newly reach web on tcp 80.\n")


@pytest.mark.usefixtures("request_")
@pytest.mark.parametrize("name", ["refuse_odd_files", "check_own_pipeline", "refuse_used"])
def test_what_must_not_be_applied_is_refused_before_any_decision_is_collected(
    context: StepContext, decided: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whose: dict[str, tuple[object, ...]] = {
        "refuse_odd_files": (context.store,),
        "check_own_pipeline": (context.settings,),
        "refuse_used": (context.settings, context.store, context.run),
    }

    def refuse(*given: object) -> None:
        assert given == whose[name]
        raise ApprovalError("It must not be.")

    monkeypatch.setattr(apply, name, refuse)
    with pytest.raises(ApprovalError, match="It must not be"):
        apply.confirm_approval(context)
    assert "collected" not in decided


def test_without_an_approval_nothing_is_applied_and_every_reason_is_told(
    context: StepContext, record: DecisionRecord, decided: dict[str, Any]
) -> None:
    reasons = ("Nobody approved.", "The state changed.")
    decided["record"] = record.model_copy(update={"approved": False, "reasons": reasons})
    with pytest.raises(ApprovalError, match=r"^Nobody approved\. The state changed\.$"):
        apply.confirm_approval(context)
    assert context.store.read_json("04_apply/decision.json")["approved"] is False
    result = context.store.read_result("apply")
    assert result is not None
    assert (result.outcome, "approved" in result.metrics) == (Outcome.BLOCKED, False)


@pytest.mark.parametrize(
    ("counts", "summary"),
    [
        ((1, 0, 2), "Applied: 1 added, 2 destroyed."),
        ((0, 3, 0), "Applied: 3 changed."),
        ((0, 0, 0), "Applied: nothing to change."),
    ],
)
def test_the_end_says_what_was_done(context: StepContext, counts: tuple[int, int, int], summary: str) -> None:
    result = apply.decide(context, apply.Applied(*counts, (), {})).result
    assert (result.outcome, result.summary) == (Outcome.PASSED, summary)
    assert result.metrics == dict(zip(("added", "changed", "destroyed"), counts, strict=True))


def test_terraform_is_initialised_and_told_how_long_to_wait_and_how_much_at_once(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    terraform = use(monkeypatch, FakeTerraform(DONE))
    applying = terraform.apply

    def remember(plan: Path, *options: str) -> Completed:
        given["options"] = options
        return applying(plan, *options)

    monkeypatch.setattr(terraform, "apply", remember)
    monkeypatch.setattr(apply, "ensure_initialised", lambda client: given.update(initialised=client))
    limits = context.settings.config.terraform.model_copy(update={"lock_timeout": "30s", "parallelism": 4})
    context.settings.config = context.settings.config.model_copy(update={"terraform": limits})
    apply.apply_plan(context, record)
    assert given == {"initialised": terraform, "options": ("-lock-timeout=30s", "-parallelism=4")}


def test_each_event_is_shown_as_it_comes(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeTerraform(["no JSON", "[1]", *DONE[1:3]]))
    apply.apply_plan(context, record)
    assert capsys.readouterr().out == f'{RULE}["80"]: done\nApply complete!\n'
    assert context.store.read_text("04_apply/apply.txt") == f'{RULE}["80"]: done\nApply complete!\n'


def test_each_resource_is_told_with_its_action_and_seconds(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"resource": {"addr": "a.b"}, "action": "update"}
    summary = event("change_summary", "done", changes={"change": 1})
    use(monkeypatch, FakeTerraform([DONE[0], event("apply_complete", "a.b: done", hook=quick), summary]))
    applied = apply.apply_plan(context, record)
    assert applied.resources == (
        {"address": f'{RULE}["8000"]', "action": "delete", "seconds": 1},
        {"address": "a.b", "action": "update", "seconds": 0},
    )
    assert (applied.added, applied.changed, applied.destroyed, applied.outputs) == (0, 1, 0, {})


def test_a_failure_after_several_changes_counts_them_and_what_was_printed_is_kept(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform([*DONE[:2], failed("creating rule", "quota")], 1))
    with pytest.raises(TerraformError, match=r"; 2 resources were changed before it$"):
        apply.apply_plan(context, record)


def test_a_failure_without_an_event_is_what_terraform_wrote_beside(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform([]))
    monkeypatch.setattr(terraform, "apply", lambda *given: Completed(1, "", "Error: saved plan is stale\n"))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.remedy.startswith("The state changed since the plan was made.")
    assert context.store.read_text("04_apply/apply.txt") == "Error: saved plan is stale\n"


def test_a_failure_without_a_word_of_why_is_told_with_the_command_and_how_it_ended(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform([]))
    monkeypatch.setattr(terraform, "apply", lambda *given: Completed(137, "", "Killed\n"))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.message == "terraform apply ended with status 137: Killed"


def test_an_older_copy_of_a_state_is_not_taken_for_this_one_s(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = context.stack_dir / "errored.tfstate"
    old.write_text("{}")
    use(monkeypatch, FakeTerraform(DONE))
    apply.apply_plan(context, record)
    assert not context.store.exists("04_apply/errored.tfstate")


@pytest.mark.parametrize(
    ("diagnostic", "message"),
    [({"summary": "creating rule", "detail": "quota"}, "creating rule: quota"), (None, "it broke"), ({}, "it broke")],
)
def test_a_failure_is_told_by_its_first_diagnostic(
    context: StepContext,
    record: DecisionRecord,
    monkeypatch: pytest.MonkeyPatch,
    diagnostic: dict[str, str] | None,
    message: str,
) -> None:
    first = event("diagnostic", "it broke", diagnostic=diagnostic)
    use(monkeypatch, FakeTerraform([first, failed("another")], 1))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert caught.value.message.endswith(message)


def planning(monkeypatch: pytest.MonkeyPatch, context: StepContext, *changes: ResourceChange) -> None:
    found = replace(found_plan(context), plan=Plan(changes=changes))
    monkeypatch.setattr(apply, "find_plan", lambda context, *, backend: found)


def test_how_far_a_failed_apply_came_is_shown_and_kept(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, FakeTerraform([DONE[0], failed("creating rule", "quota")], 1))
    first = ResourceChange(address=f'{RULE}["8000"]', type="t", name="n", actions=("delete",))
    planning(monkeypatch, context, first, ResourceChange(address="a.b", type="a", name="b", actions=("create",)))
    with pytest.raises(TerraformError, match=r"before it \(1 done, 1 not begun; resources.json names each\)"):
        apply.apply_plan(context, record)
    done, later = context.store.read_json("04_apply/resources.json")
    assert (done["address"], done["action"], done["status"]) == (f'{RULE}["8000"]', "delete", "done")
    assert (later["address"], later["action"], later["status"]) == ("a.b", "create", "not begun")
    assert done["next"].startswith("Nothing: it is in the state")
    assert later["next"].startswith("Nothing: the next plan has it again")
    shown = capsys.readouterr().out
    assert "How far it came: 1 done, 1 not begun" in shown
    assert re.search(r"not begun +create +a\.b +Nothing: the next plan", shown)
    # What was noted on the way is told whole by then.
    assert not context.store.exists("04_apply/progress.jsonl")


def test_what_was_begun_is_noted_before_anybody_can_kill_the_process(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    terraform = use(monkeypatch, FakeTerraform([*STARTED, *DONE]))
    saying = terraform.apply

    def killed(plan: Path, *options: str) -> Completed:
        saying(plan, *options)
        seen.append(context.store.read_text("04_apply/progress.jsonl"))
        raise KeyboardInterrupt

    monkeypatch.setattr(terraform, "apply", killed)
    with pytest.raises(KeyboardInterrupt):
        apply.apply_plan(context, record)
    events = [json.loads(line) for line in seen[0].splitlines()]
    assert [(one["type"], one["hook"]["resource"]["addr"]) for one in events] == [
        ("apply_start", f'{RULE}["80"]'),
        ("apply_complete", f'{RULE}["8000"]'),
        ("apply_complete", f'{RULE}["80"]'),
    ]
    # No value and no output is in what lies there half written.
    assert "hush-hush" not in seen[0]
    assert "sgr-1" not in seen[0]


def test_a_resource_that_terraform_passed_over_is_told_though_it_ended_well(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTerraform(DONE))
    first = ResourceChange(address=f'{RULE}["8000"]', type="t", name="n", actions=("delete",))
    planning(monkeypatch, context, first, ResourceChange(address="a.b", type="a", name="b", actions=("create",)))
    with pytest.raises(TerraformError) as caught:
        apply.apply_plan(context, record)
    assert (caught.value.message, caught.value.remedy) == (
        "Terraform ended well, though of what the plan changes 1 done, 1 not begun",
        "Read apply.jsonl in the run folder, then begin a new run: it plans what is left to do.",
    )


def test_an_update_that_turned_out_to_be_none_is_applied_where_terraform_says_that_all_is(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = {"input": True}
    follows = ResourceChange(address="a.b", type="a", name="b", actions=("update",), after_unknown=unknown)
    summary = event("change_summary", "Apply complete!", changes={"add": 0, "change": 0, "remove": 0})
    planning(monkeypatch, context, follows)
    for lines, well in (([summary], True), ([], False)):
        use(monkeypatch, FakeTerraform(lines))
        planning(monkeypatch, context, follows)
        with contextlib.nullcontext() if well else pytest.raises(TerraformError, match="1 not begun"):
            assert apply.apply_plan(context, record).changed == 0
        context.store.path("04_apply/began.json").unlink()


def test_a_judgement_of_long_ago_is_made_anew_before_terraform_begins(
    context: StepContext, record: DecisionRecord, decided: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = use(monkeypatch, FakeTerraform(DONE))
    decided["record"] = record.model_copy(update={"approved": False, "reasons": ("alex rejected the change.",)})
    context.clock = lambda: NOW + timedelta(seconds=61)
    with pytest.raises(ApprovalError, match=r"^alex rejected the change\.$"):
        apply.apply_plan(context, record)
    assert terraform.applied == []
    assert not context.store.exists("04_apply/began.json")
    # One of this moment is not made twice.
    context.clock = lambda: NOW + timedelta(seconds=60)
    apply.apply_plan(context, record)
    assert len(terraform.applied) == 1


def test_a_terraform_that_ends_well_and_did_nothing_of_a_plan_that_does_something_has_failed(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = event("change_summary", "Apply complete!", changes={"add": 0, "change": 0, "remove": 0})
    use(monkeypatch, FakeTerraform([summary]))
    planning(monkeypatch, context, ResourceChange(address="a.b", type="a", name="b", actions=("create",)))
    with pytest.raises(TerraformError, match="ended well, though of what the plan changes 1 not begun"):
        apply.apply_plan(context, record)
    assert not context.store.exists("04_apply/outputs.json")


@pytest.mark.parametrize(
    "asked",
    [
        ({"hashicorp/aws": "6.0.0"}, {"Arn": "arn:role/deploy"}, {"sts GetCallerIdentity": {"Arn": "arn:role/deploy"}}),
        ({"hashicorp/aws": "6.0.0"}, AwsError("AWS: no credentials", "Give some."), {"error": "AWS: no credentials"}),
        # Whoever plans nothing of AWS needs no credentials for it, and is not asked for them.
        ({"hashicorp/random": "3.7.2"}, {"Arn": "arn:role/deploy"}, None),
        ({}, {"Arn": "arn:role/deploy"}, None),
    ],
    ids=["asked", "no answer", "another provider", "no provider"],
)
def test_who_aws_says_that_we_are_is_kept_where_the_plan_is_of_aws(
    context: StepContext, record: DecisionRecord, monkeypatch: pytest.MonkeyPatch, asked: tuple[Any, ...]
) -> None:
    providers, answer, kept = asked
    terraform = use(monkeypatch, FakeTerraform(DONE))
    found = replace(found_plan(context), inputs=PlanInputs(providers=providers))
    monkeypatch.setattr(apply, "find_plan", lambda context, *, backend: found)

    class FakeAws:
        def identity(self) -> str:
            if isinstance(answer, AwsError):
                raise answer
            hear("sts GetCallerIdentity", answer)
            return str(answer["Arn"])

    def client(settings: Settings, stack: str, on_line: Any, meanwhile: Callable[[], None]) -> FakeTerraform:
        terraform.on_line = on_line
        meanwhile()
        return terraform

    monkeypatch.setattr(apply, "live_client", FakeAws)
    monkeypatch.setattr(apply, "terraform_client", client)
    apply.apply_plan(context, record)
    path = "04_apply/vouched/aws.json"
    assert (context.store.read_json(path) if context.store.exists(path) else None) == kept
