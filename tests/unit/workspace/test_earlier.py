"""What became of a stack before: applies that did not end well, by GitLab's word or the folders here, and the lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, answering

from runbook_lib.adapters.approvals.gitlab_review import Review
from runbook_lib.adapters.gitlab_data import GitLabDeployed, StateLock
from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform_errors import unlock_remedy
from runbook_lib.errors import ConfigError, GitLabError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import earlier as module
from runbook_lib.workspace.earlier import earlier_troubles, unfinished_applies

LOOK = "This plan shows what is left to do."
URL = "https://g.example/-/jobs/5"
FAILED = json.dumps([{"address": "aws_vpc.a", "status": "failed"}, {"address": "aws_vpc.b", "status": "not begun"}])
TOLD = "The apply of pipeline 900 by alex"


@pytest.fixture(autouse=True)
def _nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    monkeypatch.setattr(module, "keeper", answering(None))
    monkeypatch.setattr(module, "open_reviews", lambda settings, stack: ())


Begun = Callable[..., RunStore]


@pytest.fixture
def begun(settings: Settings, run: Run, result: Callable[..., StepResult]) -> Begun:
    """A run before this one, whose apply began and came so far."""

    def make(
        run_id: str, outcome: Outcome | None = None, resources: str = "", *, began: bool = True, **changed: Any
    ) -> RunStore:
        store = RunStore(settings.outputs, run_id)
        given = {"run_id": run_id, "created_at": NOW - timedelta(hours=1), **changed}
        store.write_json("run.json", run.model_copy(update=given))
        if began:
            store.write_json(store.file("apply", "began.json"), {})
        if resources:
            store.write_text(store.file("apply", "resources.json"), resources)
        if outcome:
            ended = result("apply", outcome).model_copy(update={"run_id": run_id})
            store.write_json(store.file("apply", "result.json"), ended)
        return store

    return make


def test_nothing_before_is_nothing_to_know(settings: Settings, run: Run, begun: Begun) -> None:
    begun("ended-well", Outcome.PASSED, FAILED)
    assert earlier_troubles(settings, run) == ()


def test_applies_since_the_last_that_ended_well_are_told_the_newest_first(
    settings: Settings, run: Run, begun: Begun
) -> None:
    hours = [NOW - timedelta(hours=hour) for hour in range(5)]
    begun("older", Outcome.ERRORED, FAILED, created_at=hours[4])
    begun("well", Outcome.PASSED, created_at=hours[3])
    begun("first", Outcome.ERRORED, "[]", created_at=hours[2])
    begun("last", Outcome.ERRORED, FAILED, created_at=hours[1])
    assert unfinished_applies(settings, run) == (
        f"The apply of run last did not end well: 1 failed (aws_vpc.a), 1 not begun. {LOOK}",
        f"The apply of run first did not end well: nothing was to be changed. {LOOK}",
    )


def test_what_is_no_apply_of_this_stack_before_this_run_is_not_told(settings: Settings, run: Run, begun: Begun) -> None:
    begun("network", Outcome.ERRORED, stack="network")
    begun("later", Outcome.ERRORED, created_at=NOW + timedelta(hours=1))
    begun("same-time", Outcome.ERRORED, created_at=NOW)
    begun("planned", began=False)
    begun("drift", steps=tuple(step for step in run.steps if step.name == "verification"), began=False)
    begun(run.run_id, Outcome.ERRORED)
    (settings.outputs / "broken").mkdir()
    (settings.outputs / "broken/run.json").write_text("{")
    assert unfinished_applies(settings, run) == ()


@pytest.mark.parametrize("resources", ["no JSON", "{}", '["x"]', "7", ""])
def test_where_it_can_not_be_read_nobody_knows_how_far_an_apply_came(
    settings: Settings, run: Run, begun: Begun, resources: str
) -> None:
    begun("6", Outcome.ERRORED, resources)
    told = "nothing was to be changed" if resources == "{}" else "nobody knows how far it came"
    assert unfinished_applies(settings, run) == (f"The apply of run 6 did not end well: {told}. {LOOK}",)


def test_an_apply_that_was_killed_came_as_far_as_was_noted(settings: Settings, run: Run, begun: Begun) -> None:
    store = begun("6")
    unknown = f"The apply of run 6 was ended from outside, and nobody knows how far it came. {LOOK}"
    assert unfinished_applies(settings, run) == (unknown,)
    summary = PlanSummary(addresses={"create": ("aws_vpc.a", "aws_vpc.b")})
    store.write_json(store.file("plan", "summary.json"), summary)
    assert unfinished_applies(settings, run) == (
        f"The apply of run 6 was ended from outside, and until then: 2 not known. {LOOK}",
    )
    store.write_json(store.file("plan", "summary.json"), PlanSummary())
    assert unfinished_applies(settings, run) == (unknown,)


SINCE = datetime(2026, 11, 23, 8, 59, 40, tzinfo=UTC)


@pytest.mark.parametrize("lock", [(SINCE, "2026-11-23 08:59 UTC"), (None, "an unknown time")])
def test_a_lock_that_an_apply_left_behind_is_told_with_how_to_take_it_away(
    run: Run, begun: Begun, monkeypatch: pytest.MonkeyPatch, settings: Settings, lock: tuple[datetime | None, str]
) -> None:
    since, said = lock

    def state_lock(name: str) -> StateLock:
        assert name == "access"
        return StateLock("alex", since)

    gitlab = SimpleNamespace(has_token=True, state_lock=state_lock)
    monkeypatch.setattr(module, "keeper", answering(gitlab))
    # Whoever holds it while nothing went wrong is just at work.
    assert unfinished_applies(settings, run) == ()
    begun("6", Outcome.ERRORED, FAILED)
    _, told = unfinished_applies(settings, run)
    assert told == f"The state is locked by alex since {said}. {unlock_remedy('access')}"


def test_without_a_lock_or_a_way_to_ask_nothing_is_said_of_one(
    settings: Settings, run: Run, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun("6", Outcome.ERRORED, FAILED)

    def unnamed(settings: Settings, stack: str) -> Any:
        raise ConfigError("stacks.access.state is missing")

    free = SimpleNamespace(has_token=True, state_lock=lambda name: None)
    for keeper in (lambda settings, stack: free, lambda settings, stack: SimpleNamespace(has_token=False), unnamed):
        monkeypatch.setattr(module, "keeper", keeper)
        assert len(unfinished_applies(settings, run)) == 1


def test_what_gitlab_does_not_say_is_told_to_be_unknown(
    settings: Settings, run: Run, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*given: Any) -> Any:
        raise GitLabError("GitLab is away")

    begun("6", Outcome.ERRORED, FAILED)
    gitlab = SimpleNamespace(has_token=True, state_lock=away)
    monkeypatch.setattr(module, "keeper", answering(gitlab))
    assert unfinished_applies(settings, run)[1:] == (
        "It is not known whether the state is still locked: GitLab is away.",
    )


def test_what_one_person_approved_alone_is_told_until_it_is_reviewed(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = Review(3, "casey", "https://g.example/-/issues/3", "5", stack="access")
    monkeypatch.setattr(module, "open_reviews", lambda settings, stack: (review,) if stack == "access" else ())
    assert earlier_troubles(settings, run) == (
        "casey approved run 5 alone, and nobody reviewed it yet: https://g.example/-/issues/3.",
    )


class GitLab:
    """Deployments of the stack, the newest first, with what their jobs kept and logged."""

    has_token = True

    def __init__(self, *deployed: GitLabDeployed | GitLabError) -> None:
        self.deployed = deployed
        self.kept: dict[tuple[int, str], bytes | GitLabError] = {}
        self.jobs: list[Any] = []
        self.asked: list[tuple[str, str, str]] = []
        self.archive = SimpleNamespace(
            log=lambda job_id: "│ aws_vpc.a: Creating...\n│ aws_vpc.a: Creation complete after 1s"
        )

    def keeps(self, job: int, pipeline: int, **files: str) -> None:
        folders = {"manifest": "manifest.json", "run": "run.json", "request": "03_approval/request.json"}
        for name, text in files.items():
            path = folders.get(name, f"04_apply/{name}.json")
            self.kept[job, f"outputs/{pipeline}/{path}"] = text.encode()

    def default_branch(self) -> str:
        return "main"

    def deployments(self, environment: str, job: str, branch: str) -> Sequence[GitLabDeployed]:
        self.asked.append((environment, job, branch))
        for one in self.deployed:
            if isinstance(one, GitLabError):
                raise one
        return self.deployed  # type: ignore[return-value]  # none of them is an error

    def artifact(self, job: int, path: str) -> bytes | None:
        found = self.kept.get((job, path))
        if isinstance(found, GitLabError):
            raise found
        return found

    def pipeline_jobs(self, pipeline: int) -> Sequence[Any]:
        assert pipeline == 900
        return self.jobs


def deployed(status: str = "failed", *, started: bool = True, pipeline: int = 900) -> GitLabDeployed:
    return GitLabDeployed("c0", "main", "alex", NOW, "apply", status, started, 5, pipeline, URL)


Told = Callable[[GitLab], tuple[str, ...]]


@pytest.fixture
def told(load: Callable[..., Settings], run: Run, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the run 1001 of a pipeline is told."""

    def ask(gitlab: GitLab) -> tuple[str, ...]:
        monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
        settings = load(CI_PIPELINE_ID="1001", project="42")
        return unfinished_applies(settings, run.model_copy(update={"run_id": "1001"}))

    return ask


def test_in_a_pipeline_it_is_gitlab_s_word_of_the_apply_job_on_the_default_branch(
    settings: Settings, run: Run, told: Told, begun: Begun
) -> None:
    begun("6", Outcome.ERRORED, FAILED)
    gitlab = GitLab()
    assert told(gitlab) == ()
    assert gitlab.asked == [(settings.config.gitlab.environment.replace("{stack}", "access"), "apply", "main")]


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_job_that_kept_how_far_it_came_is_told_so(run: Run, told: Told, status: str) -> None:
    gitlab = GitLab(deployed(status))
    gitlab.keeps(5, 900, manifest="{}", run=run.model_dump_json(), began="{}", resources=FAILED)
    assert told(gitlab) == (f"{TOLD} did not end well: 1 failed (aws_vpc.a), 1 not begun: {URL}. {LOOK}",)


def test_a_run_with_other_numbers_is_read_by_its_own(run: Run, told: Told) -> None:
    steps = [{"name": step.name, "number": step.number + 5} for step in run.steps]
    gitlab = GitLab(deployed())
    gitlab.keeps(5, 900, manifest="{}", run=json.dumps({"steps": steps}))
    gitlab.kept[5, "outputs/900/09_apply/began.json"] = b"{}"
    gitlab.kept[5, "outputs/900/09_apply/resources.json"] = FAILED.encode()
    assert told(gitlab) == (f"{TOLD} did not end well: 1 failed (aws_vpc.a), 1 not begun: {URL}. {LOOK}",)


@pytest.mark.parametrize("kept_run", ["{}", "no JSON", '{"steps": 7}', '{"steps": []}', "[]"])
def test_a_run_that_can_not_be_read_has_the_built_in_numbers(told: Told, kept_run: str) -> None:
    gitlab = GitLab(deployed())
    gitlab.keeps(5, 900, manifest="{}", run=kept_run, began="{}")
    assert told(gitlab) == (f"{TOLD} did not end well: nobody knows how far it came: {URL}. {LOOK}",)


def test_what_never_began_or_is_this_run_s_own_is_not_told(run: Run, told: Told) -> None:
    refused = GitLab(deployed())
    refused.keeps(5, 900, manifest="{}", run=run.model_dump_json())
    assert told(refused) == ()
    for one in (deployed(started=False), deployed("running"), deployed(pipeline=1001)):
        assert told(GitLab(one)) == ()


def test_what_came_before_one_that_ended_well_is_settled(told: Told) -> None:
    assert told(GitLab(deployed("success"), deployed())) == ()
    assert len(told(GitLab(deployed(), deployed("success"), deployed()))) == 1


@pytest.mark.parametrize("kept", [{}, {"manifest": "{}"}, {"run": "{}"}])
def test_of_a_job_whose_runner_was_lost_its_log_tells(
    told: Told, request_: ApprovalRequest, run: Run, kept: dict[str, str]
) -> None:
    gitlab = GitLab(deployed())
    gitlab.keeps(5, 900, **kept)
    lost = f"{TOLD} was ended from outside, and "
    assert told(gitlab) == (f"{lost}nobody knows how far it came: {URL}. {LOOK}",)
    gitlab.jobs = [
        SimpleNamespace(id=number, name=name) for number, name in ((2, "approval"), (3, "approval"), (4, "x"))
    ]
    summary = PlanSummary(addresses={"create": ("aws_vpc.a", "aws_vpc.b")})
    asked = request_.model_copy(update={"summary": summary}).model_dump_json()
    # What was asked of no run that is there is nobody's.
    gitlab.keeps(3, 900, request=asked)
    assert told(gitlab) == (f"{lost}nobody knows how far it came: {URL}. {LOOK}",)
    # The job was retried: what its last execution asked for is what was approved.
    gitlab.keeps(2, 900, run=run.model_dump_json(), request=request_.model_dump_json())
    gitlab.keeps(3, 900, run=run.model_dump_json(), request=asked)
    assert told(gitlab) == (f"{lost}its log says: 1 not known, 1 done: {URL}. {LOOK}",)
    gitlab.keeps(3, 900, request="{}")
    gitlab.keeps(2, 900, request="{}")
    assert told(gitlab) == (f"{lost}nobody knows how far it came: {URL}. {LOOK}",)


def test_what_can_not_be_read_is_told_with_the_reason(told: Told) -> None:
    gitlab = GitLab(deployed())
    gitlab.kept[5, "outputs/900/manifest.json"] = GitLabError("403")
    assert told(gitlab) == (f"{TOLD} did not end well, and how far it came can't be read (403): {URL}.",)
    assert told(GitLab(GitLabError("away"))) == ("It is not known how the last apply of the stack ended: away.",)


def test_reviews_that_nobody_can_ask_for_are_not_known_and_keep_nobody_from_being_asked(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings, stack: str) -> None:
        raise GitLabError("HTTP 502", "Try again.")

    monkeypatch.setattr(module, "open_reviews", fail)
    assert earlier_troubles(settings, run) == ("It is not known whether a review is open: HTTP 502.",)
