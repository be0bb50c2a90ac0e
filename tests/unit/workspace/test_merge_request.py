"""The note on a merge request: what it says of which run, and whose note is renewed, left alone or not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, answering

from runbook_lib.adapters.gitlab_data import MergeRequestNote
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ConfigError, GitLabError, UsageError
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.risk import Risk
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import merge_request as module
from runbook_lib.workspace.merge_request import write_note

PIPELINE = "https://g.example/platform/access/-/pipelines/101"
JOB = "https://g.example/platform/access/-/jobs/5"


class GitLab:
    """The bot's, with these notes on merge request 12; what is noted is kept."""

    def __init__(self, *notes: MergeRequestNote, token: bool = True) -> None:
        self.has_token = token
        self.notes = notes
        self.jobs: Sequence[Any] | GitLabError = [SimpleNamespace(name="plan", web_url=JOB)]
        self.noted: list[tuple[int, str, int]] = []

    def current_user(self) -> str:
        return "bot"

    def project_path(self) -> str:
        return "platform/access"

    def merge_request_notes(self, number: int) -> Sequence[MergeRequestNote]:
        assert number == 12
        return self.notes

    def note_merge_request(self, number: int, body: str, note: int) -> None:
        self.noted.append((number, body, note))

    def pipeline_jobs(self, pipeline: int) -> Sequence[Any]:
        assert pipeline == 101
        if isinstance(self.jobs, GitLabError):
            raise self.jobs
        return self.jobs


def note(number: int, pipeline: int, stack: str = "access", author: str = "bot") -> MergeRequestNote:
    body = f"<!-- runbook note {stack} pipeline {pipeline} -->\nIt is noted."
    return MergeRequestNote(number, author, body, NOW, NOW)


@pytest.fixture
def found(load: Callable[..., Settings]) -> Settings:
    """Settings in the pipeline 101 of merge request 12."""
    return load(
        CI_MERGE_REQUEST_IID="12", CI_PIPELINE_ID="101", CI_COMMIT_SHA="4dc7a709c1d2e3f4", url="https://g.example",
        project="platform/access",
    )  # fmt: skip


Write = Callable[[GitLab], str]


@pytest.fixture
def write(found: Settings, monkeypatch: pytest.MonkeyPatch) -> Write:
    def written(gitlab: GitLab) -> str:
        monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
        return write_note(found, "", "access")

    return written


@pytest.fixture
def planned(found: Settings, run: Run, result: Callable[..., StepResult]) -> RunStore:
    """The run folder as the plan job left it."""
    store = RunStore(found.outputs, "101")
    store.write_json("run.json", run.model_copy(update={"run_id": "101"}))
    finding = Finding(
        policy="sg-open", verdict=Verdict.FAILED, severity=Severity.HIGH, address="", message="It is open.",
        action=Action.BLOCK,
    )  # fmt: skip
    for step, findings in (("compliance", ()), ("plan", (finding,))):
        told = result(step).model_copy(update={"run_id": "101", "findings": findings})
        store.write_json(store.file(step, "result.json"), told)
    store.write_json(store.file("plan", "summary.json"), PlanSummary(create=2, fingerprint="f" * 64))
    store.write_json(store.file("plan", "exposure.json"), Exposure(sentence="The internet can newly reach web."))
    store.write_json(store.file("plan", "risk.json"), Risk())
    return store


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"CI_PIPELINE_ID": "101"},
        {"CI_MERGE_REQUEST_IID": "12"},
        {"CI_PIPELINE_ID": "101", "CI_MERGE_REQUEST_IID": "x"},
    ],
)
def test_outside_a_merge_request_s_pipeline_nothing_is_noted(
    load: Callable[..., Settings], variables: dict[str, str]
) -> None:
    with pytest.raises(UsageError) as caught:
        write_note(load(**variables), "", "access")
    assert caught.value.message == "this is no pipeline of a merge request"
    assert caught.value.remedy == "It is a job of the component `change`, in such pipelines alone."


def test_without_a_token_nothing_can_be_noted(found: Settings, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as caught:
        write(GitLab(token=False))
    assert caught.value.message == "there is no GITLAB_TOKEN that may write notes"
    assert caught.value.remedy == (
        "Set one for the environment runbook-notes: a project's bot, role Reporter, scope api."
    )
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    with pytest.raises(ConfigError, match="no GITLAB_TOKEN that may write notes"):
        write_note(found, "", "access")


def test_a_first_note_says_what_the_plan_comes_to_and_leads_to_it(write: Write, planned: RunStore) -> None:
    gitlab = GitLab()
    assert write(gitlab) == "Noted on merge request 12."
    ((number, body, replaced),) = gitlab.noted
    assert (number, replaced) == (12, 0)
    assert body.startswith("<!-- runbook note access pipeline 101 -->\n")
    for said in (
        "The internet can newly reach web.",
        "**What changes**: 2 to add",
        f"Fingerprint of the plan: `{'f' * 64}`",
        "**Findings**: 1, 1 blocking",
        "`compliance` passed: `compliance it is`",
        "`plan` passed: `plan it is`",
        f"({JOB}/artifacts/browse/outputs/101/02_plan/)",
        f"[the pipeline]({PIPELINE})",
        "Commit `4dc7a709c1d2`.",
    ):
        assert said in body


def test_the_newest_note_that_is_one_s_own_is_renewed(write: Write, planned: RunStore) -> None:
    gitlab = GitLab(note(1, 200, author="riley"), note(2, 200, "network"), note(3, 100), note(4, 99))
    assert write(gitlab) == "Noted on merge request 12, in place of what was noted before."
    assert [(number, replaced) for number, _, replaced in gitlab.noted] == [(12, 3)]


def test_a_retried_job_renews_its_own_and_a_later_pipeline_s_stands(write: Write, planned: RunStore) -> None:
    gitlab = GitLab(note(3, 101))
    assert write(gitlab).endswith("in place of what was noted before.")
    gitlab = GitLab(note(3, 100), note(4, 102))
    assert write(gitlab) == "A later pipeline has noted already what it found in merge request 12."
    assert gitlab.noted == []


def test_without_a_plan_the_pipeline_alone_is_led_to(write: Write) -> None:
    gitlab = GitLab()
    write(gitlab)
    ((_, body, _),) = gitlab.noted
    assert "There is no plan: the pipeline failed before." in body
    assert "executed notebook" not in body
    assert PIPELINE in body


def test_of_a_run_that_failed_before_its_plan_there_is_no_page(write: Write, planned: RunStore) -> None:
    (planned.dir / planned.file("plan", "result.json")).unlink()
    gitlab = GitLab()
    write(gitlab)
    ((_, body, _),) = gitlab.noted
    assert "`compliance` passed" in body
    assert "executed notebook" not in body
    assert "Fingerprint" not in body


@pytest.mark.parametrize("jobs", [GitLabError("away"), [], [SimpleNamespace(name="plan", web_url="")]])
def test_where_gitlab_does_not_say_which_job_planned_the_rest_is_noted(
    write: Write, planned: RunStore, jobs: list[Any] | GitLabError
) -> None:
    gitlab = GitLab()
    gitlab.jobs = jobs
    write(gitlab)
    ((_, body, _),) = gitlab.noted
    assert "executed notebook" not in body
    assert PIPELINE in body
    assert "2 to add" in body


def test_the_last_plan_job_is_the_one_that_is_led_to(write: Write, planned: RunStore) -> None:
    gitlab = GitLab()
    names = (("plan", "https://g.example/1"), ("plan", "https://g.example/2"), ("apply", "https://g.example/3"))
    gitlab.jobs = [SimpleNamespace(name=name, web_url=url) for name, url in names]
    write(gitlab)
    assert "(https://g.example/2/artifacts/browse/" in gitlab.noted[0][1]


@pytest.mark.parametrize("name", ["run.json", "02_plan/result.json", "02_plan/summary.json"])
def test_what_a_job_left_half_written_stops_no_note(write: Write, planned: RunStore, name: str) -> None:
    (planned.dir / name).write_text("{")
    gitlab = GitLab()
    assert write(gitlab) == "Noted on merge request 12."
    assert "Fingerprint" not in gitlab.noted[0][1]


def test_another_stack_s_run_says_nothing_of_this_one(
    found: Settings, planned: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab = GitLab()
    monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
    write_note(found, "", "network")
    assert "There is no plan" in gitlab.noted[0][1]
    write_note(found, "101", "access")
    assert "2 to add" in gitlab.noted[1][1]


def test_a_project_that_is_named_by_its_number_is_led_to_by_its_path(
    load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"CI_MERGE_REQUEST_IID": "12", "CI_PIPELINE_ID": "101"}
    gitlab = GitLab()
    monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
    write_note(load(url="https://g.example", project="42", **variables), "", "access")
    assert PIPELINE in gitlab.noted[0][1]


def test_a_secret_is_not_noted(found: Settings, write: Write, planned: RunStore) -> None:
    secret = "correct-horse-battery"
    found.redactor.add([secret])
    planned.write_json(planned.file("plan", "exposure.json"), Exposure(sentence=f"Reaches {secret}."))
    gitlab = GitLab()
    write(gitlab)
    assert "Reaches " in gitlab.noted[0][1]
    assert secret not in gitlab.noted[0][1]
