"""The page's two buttons reach GitLab as the approver, and nobody else's page can press them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from gitlab_lab import RunningGitLab, running_gitlab
from slack_lab import RunningSlack, running_slack

from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.lab.slack import SlackLabConfig


@pytest.fixture
def gitlab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def lab(gitlab: RunningGitLab) -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig(gitlab_url=gitlab.url, approver_token=gitlab.token("alex"))) as running:
        yield running


def decide(lab: RunningSlack, job: int, **answer: Any) -> requests.Response:
    return requests.post(f"{lab.url}/lab/approve", json={"job_id": job, **answer}, timeout=60)


def test_page_shows_the_pipelines_of_gitlab(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    pipeline, job = gitlab.pipeline_before_apply()
    view = requests.get(f"{lab.url}/lab/slack/view", timeout=60).json()
    shown = view["pipelines"][0]
    assert (shown["id"], shown["status"]) == (pipeline, "manual")
    assert {"id": job, "status": "manual"}.items() <= next(j for j in shown["jobs"] if j["name"] == "apply").items()
    assert view["approver"] == "alex"


def test_approve_plays_the_manual_job_as_the_approver(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    _, job = gitlab.pipeline_before_apply()
    assert decide(lab, job).status_code == 200
    played = gitlab.call("GET", f"/api/v4/projects/42/jobs/{job}", "riley").json()
    assert (played["status"], played["user"]["username"]) == ("pending", "alex")


def test_reject_plays_it_too_and_tells_the_job_so(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    _, job = gitlab.pipeline_before_apply()
    assert decide(lab, job, decision="reject", reason="Not today").status_code == 200
    variables = gitlab.control(f"jobs/{job}/start")["variables"]
    assert (variables["RUNBOOK_DECISION"], variables["RUNBOOK_REASON"]) == ("reject", "Not today")


def test_job_that_waits_for_nobody_cannot_be_approved(lab: RunningSlack, gitlab: RunningGitLab) -> None:
    job = gitlab.job(gitlab.pipeline(), "plan")
    answer = decide(lab, job)
    assert answer.status_code == 400
    assert "Unplayable" in answer.json()["error"]


def test_page_says_when_gitlab_does_not_answer() -> None:
    with running_slack(SlackLabConfig(gitlab_url="http://127.0.0.1:9", approver_token="x")) as lab:
        assert "does not answer" in requests.get(f"{lab.url}/lab/slack/view", timeout=60).json()["pipelines_error"]
        assert decide(lab, 1).status_code == 502
    with running_slack(SlackLabConfig()) as lab:
        assert decide(lab, 1).status_code == 409


@pytest.mark.parametrize("path", ["/lab/approve", "/lab/slack/faults"])
def test_form_on_a_foreign_page_cannot_act_here(path: str) -> None:
    # A form can post text of its choice to a loopback address, but not as JSON.
    with running_slack(SlackLabConfig()) as lab:
        headers = {"Content-Type": "text/plain"}
        assert requests.post(lab.url + path, data='{"job_id": 1}', headers=headers, timeout=60).status_code == 422
