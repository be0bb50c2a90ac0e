"""The adapter, and python-gitlab under it, against the lab's GitLab."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import gitlab
import pytest
from gitlab_lab import PROJECT, RunningGitLab, running_gitlab

from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.errors import GitLabError
from runbook_lib.lab.gitlab.config import default_config

Failing = Callable[[RunningGitLab], object]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGitLab]:
    # The SDK waits between its tries; the test has no time for that.
    monkeypatch.setattr("gitlab.utils.time.sleep", lambda seconds: None)
    with running_gitlab(default_config()) as running:
        yield running


@pytest.mark.parametrize("project", [PROJECT, "42"])
def test_the_project_is_found_by_path_and_by_id(lab: RunningGitLab, project: str) -> None:
    assert lab.client("riley", project).project_path() == PROJECT


@pytest.mark.parametrize("address", ["", "/", "/api/v4", "/api/v4/"])
def test_the_address_may_name_the_api_or_the_server(lab: RunningGitLab, address: str) -> None:
    assert GitLab(lab.url + address, lab.token("sam"), PROJECT).current_user() == "sam"


def test_a_token_tells_what_it_may_do_and_a_member_has_a_role(lab: RunningGitLab) -> None:
    client = lab.client("riley")
    assert client.token_scopes() == ("api",)
    assert lab.client("project_42_bot").token_scopes() == ("read_api",)
    assert [client.role(name) for name in ("riley", "Sam", "nobody")] == [30, 40, 0]


def test_a_pipeline_tells_who_started_it(lab: RunningGitLab) -> None:
    assert lab.client("sam").pipeline_user(lab.pipeline("riley")) == "riley"


def test_all_jobs_are_listed_in_order_over_all_pages(lab: RunningGitLab) -> None:
    jobs = lab.client("riley").pipeline_jobs(lab.pipeline())
    assert [job.name for job in jobs] == [spec.name for spec in lab.config.jobs if not spec.trigger]


def test_a_pipeline_has_the_jobs_that_its_commit_brings_and_the_usual_ones_else(lab: RunningGitLab) -> None:
    jobs = [{"name": "plan", "stage": "plan"}, {"name": "apply", "stage": "deploy", "when": "manual"}]
    found = lab.client("riley").pipeline_jobs(lab.pipeline(jobs=jobs))
    assert [(job.name, job.status) for job in found] == [("plan", "pending"), ("apply", "created")]
    found = lab.client("riley").pipeline_jobs(lab.pipeline())
    assert [job.name for job in found] == [spec.name for spec in lab.config.jobs if not spec.trigger]


def test_playing_makes_the_job_the_players(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    assert lab.client("riley").job(apply).user == "riley"
    played = lab.client("alex").play(apply, {"RUNBOOK_DECISION": "approve"})
    assert (played.user, played.status, played.pipeline_id) == ("alex", "pending", pipeline)


def test_the_players_variables_reach_the_job(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"RUNBOOK_DECISION": "reject"})
    assert lab.control(f"jobs/{apply}/start")["variables"]["RUNBOOK_DECISION"] == "reject"


def test_what_the_player_told_the_job_can_be_read_from_outside(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"RUNBOOK_DECISION": "reject"})
    assert lab.client("project_42_bot", "42").play_variables(apply) == {"RUNBOOK_DECISION": "reject"}
    assert lab.client("riley").play_variables(lab.job(pipeline, "plan")) == {}


def test_variables_that_the_token_may_not_see_are_not_taken_for_none(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    with pytest.raises(GitLabError, match="could not read what the player") as caught:
        lab.client("casey").play_variables(apply)
    assert "Developer" in caught.value.remedy


def test_a_play_whose_answer_was_lost_is_not_an_error(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    lab.control("faults", method="POST", path="/play$", status=502, after=True)
    assert lab.client("alex").play(apply).user == "alex"


def test_a_job_that_somebody_else_played_cant_be_played_again(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    with pytest.raises(GitLabError, match="Unplayable"):
        lab.client("sam").play(apply)


def test_a_job_token_tells_whose_job_it_is_and_of_which_pipeline(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    alone = GitLab(lab.url, "", "42", job_token=lab.start(apply))
    job = alone.whose_job()
    assert (job.id, job.name, job.user, job.pipeline_id, job.status) == (apply, "apply", "alex", pipeline, "running")
    assert alone.pipeline_user(pipeline) == "alex"


def test_a_job_token_alone_cant_read_another_pipeline(lab: RunningGitLab) -> None:
    other, mine = lab.pipeline(), lab.pipeline()
    alone = GitLab(lab.url, "", "42", job_token=lab.start(lab.job(mine, "prepare")))
    with pytest.raises(GitLabError, match=f"pipeline {other}") as caught:
        alone.pipeline_user(other)
    assert "GITLAB_TOKEN" in caught.value.remedy


def test_a_played_job_is_dated_when_it_was_queued(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    before = datetime.now(UTC)
    lab.client("alex").play(apply)
    after = datetime.now(UTC)
    lab.start(apply)
    played_at = lab.client("riley").job(apply).played_at
    assert played_at is not None
    # GitLab's times are cut to milliseconds.
    assert before.timestamp() - 0.002 <= played_at.timestamp() <= after.timestamp() + 0.002


def test_the_commits_author_is_a_login_where_gitlab_knows_the_address(lab: RunningGitLab) -> None:
    assert lab.client("alex").commit_author(lab.push("riley")) == "riley"


@pytest.mark.parametrize(
    ("address", "author"),
    [
        ("nobody@example.org", "nobody@example.org"),
        ("103-robin@users.noreply.gitlab.com", "103-robin@users.noreply.gitlab.com"),
        ("103-sam@users.noreply.127.0.0.1", "sam"),
        ("", ""),
    ],
)
def test_the_author_of_a_commit_that_was_not_pushed_comes_from_its_address(
    lab: RunningGitLab, address: str, author: str
) -> None:
    assert lab.client("alex").commit_author("f" * 40, address) == author


def test_a_job_token_alone_knows_its_own_commits_author_by_address(lab: RunningGitLab) -> None:
    pipeline = lab.pipeline("alex")
    alone = GitLab(lab.url, "", "42", job_token=lab.start(lab.job(pipeline, "prepare")))
    assert alone.commit_author(alone.whose_job().commit) == "riley@example.com"


def test_a_state_that_is_not_there_is_none_and_a_project_that_is_not_there_an_error(lab: RunningGitLab) -> None:
    assert lab.client("riley").state("never-written") is None
    with pytest.raises(GitLabError, match="Project Not Found"):
        lab.client("riley", "43").state("access")


def test_a_job_token_alone_reads_the_state_while_its_job_runs(lab: RunningGitLab) -> None:
    state = {"version": 4, "serial": 1, "lineage": "l", "resources": []}
    lab.call("POST", "/api/v4/projects/42/terraform/state/access", "alex", json=state)
    job = lab.job(lab.pipeline(), "prepare")
    alone = GitLab(lab.url, "", PROJECT, job_token=lab.start(job))
    assert json.loads(alone.state("access") or b"") == state
    assert json.loads(alone.state("access", 1) or b"") == state
    lab.control(f"jobs/{job}/finish", status="success")
    with pytest.raises(GitLabError, match="401") as caught:
        alone.state("access")
    assert "CI_JOB_TOKEN" in caught.value.remedy


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_retried_by_the_sdk(lab: RunningGitLab, status: int) -> None:
    lab.control("faults", status=status, count=3, retry_after=1)
    assert lab.client("riley").current_user() == "riley"


def test_a_broken_connection_is_retried_by_the_sdk(lab: RunningGitLab) -> None:
    lab.control("faults", drop=True, count=2)
    assert lab.client("riley").current_user() == "riley"


REFUSALS: dict[str, tuple[Failing, str, str]] = {
    "wrong token": (lambda lab: GitLab(lab.url, "glpat-wrong", "42").current_user(), "401", "GITLAB_TOKEN is wrong"),
    "wrong job token": (lambda lab: GitLab(lab.url, "", "42", job_token="x").whose_job(), "401", "CI_JOB_TOKEN is"),
    "no job token": (lambda lab: lab.client("riley").whose_job(), "no job token", "CI_JOB_TOKEN"),
    "no token": (lambda lab: GitLab(lab.url, "", "42").project_path(), "GITLAB_TOKEN is not set", "read_api"),
    "no member": (lambda lab: lab.client("casey").project_path(), "404 Project Not Found", "visible to GITLAB_TOKEN"),
    "no such project": (lambda lab: lab.client("riley", "a/b").project_path(), "404 Project", "Check project and id"),
    "no such pipeline": (
        lambda lab: lab.client("riley").pipeline_user(1),
        "read the pipeline 1: .*404",
        "project and id",
    ),
    "token may only read": (
        lambda lab: lab.client("project_42_bot").play(lab.pipeline_before_apply()[1]),
        "403 insufficient_scope",
        "api to play a job",
    ),
    "cannot be reached": (
        lambda lab: GitLab("http://127.0.0.1:1", "x", "42").current_user(),
        "http://127.0.0.1:1 can't be reached",
        "gitlab.url",
    ),
    "no TLS there": (
        lambda lab: GitLab(lab.url.replace("http:", "https:"), "x", "42").current_user(),
        "no trusted TLS connection",
        "REQUESTS_CA_BUNDLE",
    ),
    "no address": (lambda lab: GitLab("http://", "x", "42").current_user(), "is no address", "gitlab.url"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_says_what_to_do(lab: RunningGitLab, name: str) -> None:
    call, message, remedy = REFUSALS[name]
    with pytest.raises(GitLabError, match=message) as caught:
        call(lab)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(("status", "remedy"), [(503, "GitLab itself failed"), (429, "Too many requests")])
def test_a_failure_that_stays_is_an_error_with_a_remedy(lab: RunningGitLab, status: int, remedy: str) -> None:
    lab.control("faults", status=status, count=50)
    with pytest.raises(GitLabError, match=str(status)) as caught:
        lab.client("riley").current_user()
    assert remedy in caught.value.remedy


def test_an_answer_that_is_none_of_gitlabs_is_an_error(lab: RunningGitLab) -> None:
    lab.control("faults", status=200, count=1)
    with pytest.raises(GitLabError, match="can't be read as GitLab's"):
        lab.client("riley").current_user()


def test_no_token_shows_in_the_clients_repr(lab: RunningGitLab) -> None:
    client = lab.client("riley", job_token="glcbt-secret-of-the-job")
    assert lab.token("riley") not in repr(client)
    assert "glcbt-secret" not in repr(client)


def test_python_gitlab_itself_finds_its_way_about(lab: RunningGitLab) -> None:
    lab.control("settings", ci_pipeline_variables_minimum_override_role="developer")
    client = gitlab.Gitlab(lab.url, private_token=lab.token("riley"))
    client.auth()
    assert client.user is not None
    assert client.user.username == "riley"
    project = client.projects.get(PROJECT)
    lab.push()
    pipeline = project.pipelines.create({"ref": "main", "variables": [{"key": "WHY", "value": "open 80"}]})
    assert [variable.key for variable in pipeline.variables.list(get_all=True)] == ["WHY"]
    jobs = pipeline.jobs.list(iterator=True, per_page=3)
    assert [job.name for job in jobs][-1] == "prepare"
    assert {member.username for member in project.members.list(get_all=True)} >= {"riley", "alex", "sam"}
    pipeline.cancel()
    assert project.pipelines.get(pipeline.id).status == "canceled"
    pipeline.retry()
    assert project.jobs.get(lab.job(pipeline.id, "prepare")).status == "pending"


def test_an_issue_is_opened_for_members_alone_edited_commented_and_closed(lab: RunningGitLab) -> None:
    client = lab.client("riley")
    made = client.open_issue("Drift: stack web", "one", "runbook-drift")
    assert (made.title, made.body, made.author) == ("Drift: stack web", "one", "riley")
    assert lab.client("sam").open_issues("runbook-drift") == (made,)
    assert client.open_issues("another") == ()
    answer = lab.call("GET", "/api/v4/projects/42/issues?labels=runbook-drift", "riley").json()
    assert answer[0]["confidential"] is True
    client.comment_issue(made.iid, "more")
    assert client.edit_issue(made.iid, "two").body == "two"
    assert [issue.body for issue in client.open_issues("runbook-drift")] == ["two"]
    client.edit_issue(made.iid, "three", close=True)
    assert client.open_issues("runbook-drift") == ()


def test_all_open_issues_are_listed_over_all_pages(lab: RunningGitLab) -> None:
    client = lab.client("riley")
    for number in range(25):
        client.open_issue(f"Drift: {number}", "", "runbook-drift")
    assert [issue.title for issue in client.open_issues("runbook-drift")] == [f"Drift: {n}" for n in range(25)]


def test_an_issue_that_may_not_be_opened_says_what_the_token_lacks(lab: RunningGitLab) -> None:
    with pytest.raises(GitLabError, match="open the issue") as caught:
        lab.client("project_42_bot").open_issue("Drift", "", "runbook-drift")
    assert "api" in caught.value.remedy
