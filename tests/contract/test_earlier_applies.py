"""What the next request says of an apply that did not end well, by GitLab's word and by the folders that are here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gitlab_lab import BEFORE_APPLY, PROJECT, RunningGitLab, running_gitlab

from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.carried_out import events_of_log
from runbook_lib.errors import GitLabError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace.earlier import earlier_troubles
from runbook_lib.workspace.records import keep_progress

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LEFT = "This plan shows what is left to do."
STEPS = tuple(step.recorded for step in BUILT_IN)
FAR = json.dumps([{"status": "done"}, {"status": "failed"}, {"status": "not begun"}])


def run_of(run_id: str, minutes: int = 0, stack: str = "access") -> Run:
    at = NOW + timedelta(minutes=minutes)
    return Run(run_id=run_id, stack=stack, commit="c" * 40, requester="riley", created_at=at, steps=STEPS)


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def settings(lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    document = {
        "version": 1,
        "stacks": {"access": {"path": "a", "state": "access"}, "other": {"path": "b", "state": "other"}},
        "gitlab": {"url": lab.url, "project": PROJECT},
    }
    (tmp_path / "runbook.yml").write_text(json.dumps(document))
    monkeypatch.setenv("GITLAB_TOKEN", lab.token("alex"))
    monkeypatch.setenv("CI_PIPELINE_ID", "9")
    return Settings.load(tmp_path, checked=False)


def ended(lab: RunningGitLab, status: str, *left: str) -> int:
    """A pipeline whose apply job was played by alex and ended so, with these files."""
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    lab.start(apply)
    contents = {"run.json": run_of(str(pipeline)).model_dump_json(), "04_apply/resources.json": FAR}
    kept = {f"outputs/{pipeline}/{name}": contents.get(name, "{}") for name in left}
    lab.control(f"jobs/{apply}/finish", status=status, artifacts=kept)
    return pipeline


WHOLE = ("manifest.json", "run.json", "04_apply/began.json", "04_apply/resources.json")


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (WHOLE, "by alex did not end well: 1 failed, 1 done, 1 not begun: "),
        (WHOLE[:3], "by alex did not end well: nobody knows how far it came: "),
        ((), "by alex was ended from outside, and nobody knows how far it came: "),
    ],
)
def test_an_apply_that_began_and_did_not_end_well_is_told_with_how_far_it_came(
    lab: RunningGitLab, settings: Settings, left: tuple[str, ...], said: str
) -> None:
    pipeline = ended(lab, "failed", *left)
    (sentence,) = earlier_troubles(settings, run_of("9"))
    assert sentence.startswith(f"The apply of pipeline {pipeline} {said}")
    assert sentence.endswith(LEFT)


SUMMARY = PlanSummary(
    create=2,
    addresses={"create": ('a.b["x y"]', "a.c"), "replace": ("a.d",), "update": ("a.e",)},
)
LOG = """\
apply │ a.b["x y"]: Creating...
apply │ a.d: Destroying... [id=i-1]
apply │ a.d: Destruction complete after 1s
apply │ a.b["x y"]: Creation complete after 2s [id=i-2]
apply │ a.c: Creating...
"""


SEEN = "1 in hand (a.c), 1 half done (a.d), 1 not known, 1 done"


def killed(lab: RunningGitLab, log: str = LOG, request: str | None = None) -> int:
    """A pipeline that asked for the summary's changes, and whose apply job's runner was lost with this log."""
    pipeline = lab.pipeline()
    for name in BEFORE_APPLY:
        job = lab.job(pipeline, name)
        lab.start(job)
        said = ApprovalRequest(
            run_id=str(pipeline), stack="access", plan_sha256="a" * 64, commit="c" * 40, state_lineage="l",
            state_serial=3, policy_sha256="p", summary=SUMMARY, exposure=Exposure(), requester="riley", quorum=1,
            approvers=("alex",), created_at=NOW, expires_at=NOW,
        )  # fmt: skip
        kept = {"run.json": run_of(str(pipeline)).model_dump_json(), "03_approval/request.json": said.model_dump_json()}
        kept |= {"03_approval/request.json": request} if request is not None else {}
        files = {f"outputs/{pipeline}/{path}": text for path, text in kept.items()} if name == "approval" else {}
        lab.control(f"jobs/{job}/finish", status="success", artifacts=files)
    apply = lab.job(pipeline, "apply")
    lab.client("alex").play(apply)
    lab.start(apply)
    lab.control(f"jobs/{apply}/finish", status="failed", failure_reason="runner_system_failure", log=log)
    return pipeline


def test_of_a_runner_that_was_lost_the_log_says_what_was_half_done(lab: RunningGitLab, settings: Settings) -> None:
    pipeline = killed(lab)
    (sentence,) = earlier_troubles(settings, run_of("9"))
    assert sentence.startswith(
        f"The apply of pipeline {pipeline} by alex was ended from outside, and its log says: {SEEN}: "
    )


def test_a_log_of_which_nothing_is_known_beside_says_how_little_is(lab: RunningGitLab, settings: Settings) -> None:
    killed(lab, log="")
    (silent,) = earlier_troubles(settings, run_of("9"))
    assert "and its log says: 4 not known: " in silent
    killed(lab, request="{")
    assert "and nobody knows how far it came: " in earlier_troubles(settings, run_of("9"))[0]


def test_the_lock_that_a_killed_apply_left_behind_is_told_with_what_takes_it_away(
    lab: RunningGitLab, settings: Settings
) -> None:
    assert earlier_troubles(settings, run_of("9")) == ()
    lock = {"ID": "held", "Operation": "OperationTypeApply", "Who": "x", "Version": "1", "Path": ""}
    lock |= {"Info": "", "Created": "2026-11-05T10:00:00Z"}
    path = "/api/v4/projects/42/terraform/state/access/lock"
    lab.call("POST", path, "sam", json=lock).raise_for_status()
    # A lock alone is no sign of trouble: somebody plans.
    assert earlier_troubles(settings, run_of("9")) == ()
    killed(lab)
    _, told = earlier_troubles(settings, run_of("9"))
    assert told.startswith("The state is locked by sam since ")
    assert "`runbook state unlock --stack access` takes the lock away" in told
    lab.call("DELETE", f"{path}?ID=held", "sam").raise_for_status()
    assert len(earlier_troubles(settings, run_of("9"))) == 1


def test_one_that_was_refused_before_it_began_or_was_followed_by_one_that_ended_well_is_not_told(
    lab: RunningGitLab, settings: Settings
) -> None:
    ended(lab, "failed", "manifest.json", "run.json")
    assert earlier_troubles(settings, run_of("9")) == ()
    ended(lab, "failed", *WHOLE)
    assert earlier_troubles(settings, run_of("9"))
    ended(lab, "success", *WHOLE)
    assert earlier_troubles(settings, run_of("9")) == ()
    assert earlier_troubles(settings, run_of("9", stack="other")) == ()


def test_a_pipeline_tells_nothing_of_its_own_apply(lab: RunningGitLab, settings: Settings) -> None:
    pipeline = ended(lab, "failed", *WHOLE)
    assert earlier_troubles(settings, run_of(str(pipeline))) == ()


def test_what_gitlab_does_not_say_is_said_to_be_unknown_and_stops_nobody(
    lab: RunningGitLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise GitLabError("could not ask what was deployed: 403")

    monkeypatch.setattr(GitLab, "deployments", refuse)
    assert earlier_troubles(settings, run_of("9")) == (
        "It is not known how the last apply of the stack ended: could not ask what was deployed: 403.",
    )


@pytest.fixture
def desk(settings: Settings) -> Settings:
    settings.environment = settings.environment.model_copy(update={"pipeline_id": ""})
    return settings


def folder(settings: Settings, run: Run, outcome: Outcome | None = None, **files: Any) -> None:
    store = RunStore(settings.outputs, run.run_id)
    store.write_json("run.json", run)
    for name, content in files.items():
        store.write_json(f"04_apply/{name}.json", content)
    if outcome:
        store.write_result(
            StepResult(
                run_id=run.run_id,
                step="apply",
                stack=run.stack,
                outcome=outcome,
                summary="s",
                started_at=NOW,
                finished_at=NOW,
            )
        )


def test_at_a_desk_the_folders_tell(desk: Settings) -> None:
    folder(desk, run_of("old", 0), Outcome.ERRORED, began={}, resources=json.loads(FAR))
    folder(desk, run_of("good", 1), Outcome.PASSED, began={}, resources=[])
    folder(desk, run_of("bad", 2), Outcome.ERRORED, began={}, resources=json.loads(FAR))
    folder(desk, run_of("refused", 3), Outcome.BLOCKED)
    folder(desk, run_of("killed", 4), None, began={})
    folder(desk, run_of("noted", 5), None, began={})
    store = RunStore(desk.outputs, "noted")
    store.write_json("02_plan/summary.json", SUMMARY)
    keep_progress(store, events_of_log(LOG))
    with (store.dir / "04_apply/progress.jsonl").open("a") as stream:
        stream.write('{"type": "apply_complete", "hook": {"resource": {"addr": "a.c"}')
    folder(desk, run_of("elsewhere", 5, "other"), Outcome.ERRORED, began={})
    folder(desk, run_of("later", 9), Outcome.ERRORED, began={})
    (desk.outputs / "broken").mkdir()
    (desk.outputs / "broken/run.json").write_text("{")
    assert earlier_troubles(desk, run_of("now", 6)) == (
        f"The apply of run noted was ended from outside, and until then: {SEEN}. {LEFT}",
        f"The apply of run killed was ended from outside, and nobody knows how far it came. {LEFT}",
        f"The apply of run bad did not end well: 1 failed, 1 done, 1 not begun. {LEFT}",
    )
