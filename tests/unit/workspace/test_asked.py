"""Who asked in a pipeline, when, and for what: what its approval job left in GitLab, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, answering, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import asked
from runbook_lib.workspace.asked import as_gitlab_says
from runbook_lib.workspace.context import StepContext

ASKED_AT = NOW + timedelta(minutes=3)


class GitLab:
    """A pipeline of riley's with these jobs, the last of which uploaded this."""

    has_token = True
    has_job_token = False

    def __init__(self, jobs: list[Any], uploaded: bytes | None) -> None:
        self._jobs = jobs
        self._uploaded = uploaded

    def pipeline_jobs(self, pipeline: int) -> list[Any]:
        return self._jobs

    def pipeline_user(self, pipeline: int) -> str:
        return "riley"

    def artifact(self, job: int, path: str) -> bytes | None:
        assert (job, path) == (3, "outputs/7/03_approval/request.json")
        return self._uploaded


def job(name: str = "approval", **changes: Any) -> Any:
    return SimpleNamespace(**{"id": 3, "name": name, "pipeline_id": 1001, "started_at": ASKED_AT, **changes})


Say = Callable[[GitLab], ApprovalRequest]


@pytest.fixture
def say(
    load: Callable[..., Settings], store: RunStore, run: Run, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> Say:
    """What the request says once a GitLab was asked."""

    def ask(gitlab: GitLab) -> ApprovalRequest:
        monkeypatch.setattr(asked, "gitlab_client", answering(gitlab))
        monkeypatch.setattr(asked, "who_wrote", lambda settings, run: (("riley",), ()))
        monkeypatch.setattr(asked, "approval_config", lambda context: context.settings.config.approval)
        context = StepContext(built_in("apply"), load(project="42", CI_PIPELINE_ID="1001"), store, run, NOW)
        return as_gitlab_says(context, request_)

    return ask


def test_it_was_asked_by_who_started_the_pipeline_when_its_approval_job_ran(
    say: Say, request_: ApprovalRequest
) -> None:
    found = say(GitLab([job(id=2), job()], request_.model_dump_json().encode()))
    assert (found.requester, found.created_at) == ("riley", ASKED_AT)
    assert found.expires_at == ASKED_AT + (request_.expires_at - request_.created_at)


def test_where_a_job_s_token_can_not_tell_when_it_was_asked_the_request_s_own_word_stands(
    say: Say, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GitLab, "has_token", False)
    found = say(GitLab([job()], None))
    assert found == request_.model_copy(update={"requester": "riley", "authors": ("riley",)})


@pytest.mark.parametrize("jobs", [[], [job("ask")], [job(started_at=None)]])
def test_without_an_approval_job_that_ran_no_file_s_word_is_taken_for_it(
    say: Say, request_: ApprovalRequest, jobs: list[Any]
) -> None:
    with pytest.raises(ApprovalError) as caught:
        say(GitLab(jobs, request_.model_dump_json().encode()))
    assert (caught.value.message, caught.value.remedy) == (
        "pipeline 1001 has no job approval that ran, so GitLab can't say when and for what it was asked",
        "Name the job approval that runs the approval step, and start a new pipeline.",
    )


def test_what_that_job_uploaded_must_be_there_and_be_the_same(say: Say, request_: ApprovalRequest) -> None:
    other = request_.model_copy(update={"quorum": 9})
    for uploaded, said, remedy in (
        (
            None,
            "what the approval job of pipeline 1001 asked of run 7 is not among its artifacts",
            "Let that job keep the run folder as an artifact, and ask again in the pipeline of this run.",
        ),
        (b"{}", "what the approval job uploaded is no request", "Begin a new pipeline."),
        (
            other.model_dump_json().encode(),
            "the request is not the one that the approval job of pipeline 1001 made",
            "Begin a new pipeline.",
        ),
    ):
        with pytest.raises(ApprovalError) as caught:
            say(GitLab([job()], uploaded))
        assert (caught.value.message, caught.value.remedy) == (said, remedy)
