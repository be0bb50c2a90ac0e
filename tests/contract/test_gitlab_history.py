"""Who wrote what, what was applied, what was said and by which clock: the client against the lab's GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.adapters.gitlab_http import GitLabRefusalError
from runbook_lib.lab.gitlab.config import default_config


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


def test_the_clock_is_gitlabs_and_not_this_machines(lab: RunningGitLab) -> None:
    lab.control("clock", ahead_seconds=600)
    ahead = lab.client("riley").now() - datetime.now(UTC)
    assert timedelta(seconds=590) < ahead < timedelta(seconds=610)
    lab.push()
    inside = lab.start(lab.job(lab.pipeline(), "prepare"))
    alone = type(lab.client("riley"))(lab.url, "", "42", job_token=inside)
    assert alone.now() - datetime.now(UTC) > timedelta(seconds=590)


def test_all_commits_of_a_merged_branch_are_listed_with_who_made_them(lab: RunningGitLab) -> None:
    base = lab.push()
    first = lab.push("riley", ref="topic", parents=[base], co_authors=["sam", "stranger@example.org"])
    second = lab.push("alex", ref="topic", committer="sam")
    merge = lab.push("alex", parents=[base, second])
    found = lab.client("riley").commits_between(base, merge)
    assert {commit.sha for commit in found} == {first, second, merge}
    told = {commit.sha: commit for commit in found}
    assert "Co-authored-by: Sam Second <sam@example.com>" in told[first].message
    assert "Co-authored-by: stranger <stranger@example.org>" in told[first].message
    assert (told[second].author_email, told[second].committer_email) == ("alex@example.com", "sam@example.com")
    assert told[merge].parents == (base, second)
    with pytest.raises(GitLabRefusalError, match="404"):
        lab.client("riley").commits_between("0" * 40, merge)


def test_only_the_address_that_a_user_shows_leads_to_the_user(lab: RunningGitLab) -> None:
    client = lab.client("riley")
    assert client.login_of_email("sam@example.com") == "sam"
    assert client.login_of_email("SAM@example.com ") == "sam"
    # The name in an address says nothing, nor does a part of one.
    assert client.login_of_email("sam@example.org") == ""
    assert client.login_of_email("sam") == ""
    assert client.login_of_email("103-whoever@users.noreply.127.0.0.1") == "sam"
    assert client.login_of_email("103-sam@users.noreply.github.com") == ""
    # Somebody who is gone is nobody that is known, and no error.
    assert client.login_of_email("987654-gone@users.noreply.127.0.0.1") == ""
    lab.control("users/sam", public_email="")
    assert client.login_of_email("sam@example.com") == ""


def test_who_takes_another_s_address_as_a_name_is_not_found_by_it() -> None:
    config = default_config()
    casey = replace(config.users[4], name="riley@private.example")
    with running_gitlab(replace(config, users=(*config.users[:4], casey))) as lab:
        assert lab.client("riley").login_of_email("riley@private.example") == ""
        lab.control("users/riley", public_email="riley@private.example")
        assert lab.client("riley").login_of_email("riley@private.example") == "riley"


def test_a_branch_tells_its_head_and_who_may_change_it(lab: RunningGitLab) -> None:
    sha = lab.push()
    found = lab.client("riley").branch("main")
    assert (found.sha, found.protected, found.default) == (sha, True, True)
    assert not found.developers_push
    assert not found.developers_merge
    lab.control("settings", protected_branches={"main": {"push": 30, "merge": 30}})
    assert lab.client("riley").branch("main").developers_push
    lab.control("settings", protected_branches={"main": None})
    assert not lab.client("riley").branch("main").protected
    assert lab.client("riley").default_branch() == "main"


def test_only_a_maintainer_sees_who_may_give_variables_and_deploy(lab: RunningGitLab) -> None:
    assert lab.client("riley").project_settings().variables_role == ""
    assert lab.client("alex").project_settings().variables_role == "maintainer"
    lab.control("settings", restrict_user_defined_variables=False)
    assert lab.client("alex").project_settings().variables_role == "developer"
    assert lab.client("alex").who_may_deploy("production/access") == (40,)
    assert lab.client("alex").who_may_deploy("production/other") is None
    with pytest.raises(GitLabRefusalError, match="403"):
        lab.client("riley").who_may_deploy("production/access")


def test_who_may_not_give_variables_is_refused(lab: RunningGitLab) -> None:
    lab.push()
    refused = lab.call(
        "POST", "/api/v4/projects/42/pipeline", "riley", json={"ref": "main", "variables": [{"key": "A", "value": "b"}]}
    )
    assert refused.status_code == 400
    _, apply = lab.pipeline_before_apply()
    with pytest.raises(GitLabRefusalError, match="403"):
        lab.client("riley").play(apply, {"RUNBOOK_DECISION": "reject"})


def test_the_variables_of_who_plays_win_over_gitlabs_own(lab: RunningGitLab) -> None:
    lab.control("settings", ci_pipeline_variables_minimum_override_role="developer")
    _, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"CI_API_V4_URL": "https://elsewhere.example", "GITLAB_CI": ""})
    given = lab.control(f"jobs/{apply}/start")["variables"]
    assert (given["CI_API_V4_URL"], given["GITLAB_CI"]) == ("https://elsewhere.example", "")


def test_the_last_deployment_is_the_last_that_the_job_made_on_the_branch(lab: RunningGitLab) -> None:
    client = lab.client("riley")
    assert client.last_deployment("production/access") is None
    old, new = lab.push(), lab.push()
    lab.control("deployments", environment="production/access", sha=old)
    lab.control("deployments", environment="production/access", sha=new)
    lab.control("deployments", environment="production/network", sha=old)
    found = client.last_deployment("production/access", "apply", "main")
    assert found
    assert (found.sha, found.user, found.ref) == (new, "alex", "main")
    lab.control("deployments", environment="production/access", sha="f" * 40, ref="topic")
    lab.control("deployments", environment="production/access", sha="f" * 40, job="forged")
    lab.control("deployments", environment="production/access", sha="f" * 40, status="failed")
    assert client.last_deployment("production/access", "apply", "main") == found


@pytest.mark.parametrize("job", ["apply: [access]", "apply 1/2"])
def test_one_of_many_jobs_of_a_name_deploys_as_that_does(lab: RunningGitLab, job: str) -> None:
    client, sha = lab.client("riley"), lab.push()
    lab.control("deployments", environment="production/access", sha=sha, job=job)
    found = client.last_deployment("production/access", "apply", "main")
    assert found
    assert (found.sha, found.job) == (sha, job)
    assert client.deployments("production/access", "apply", "main") == (found,)
    assert client.deployed_by("apply", "main") == (found,)
    lab.control("deployments", environment="production/access", sha="f" * 40, job="apply-all")
    assert client.last_deployment("production/access", "apply", "main") == found


def test_a_pipeline_tells_who_started_it_on_what(lab: RunningGitLab) -> None:
    number = lab.pipeline("sam")
    found = lab.client("riley").pipeline(number)
    assert (found.id, found.user, found.ref, found.source) == (number, "sam", "main", "api")
    assert found.created_at


def test_what_is_said_of_a_commit_is_dated_and_signed_by_gitlab(lab: RunningGitLab) -> None:
    sha = lab.push()
    said = lab.client("alex").comment(sha, "runbook: approved")
    lab.client("sam").comment(sha, "Looks good")
    found = lab.client("riley").comments(sha)
    assert [(note.author, note.body, note.edited) for note in found] == [
        ("alex", "runbook: approved", False),
        ("sam", "Looks good", False),
    ]
    assert found[0].url == said.url
    assert f"/platform/network-access/-/commit/{sha}#note_" in said.url
    with pytest.raises(GitLabRefusalError, match="404"):
        lab.client("alex").comment("0" * 40, "lost")


def test_who_edits_a_comment_leaves_a_mark_in_it(lab: RunningGitLab) -> None:
    sha = lab.push()
    said = lab.client("alex").comment(sha, "no")
    number = said.url.rpartition("_")[2]
    path = f"/api/v4/projects/42/repository/commits/{sha}/discussions/x/notes/{number}"
    assert lab.call("PUT", path, "riley", json={"body": "yes"}).status_code == 403
    assert lab.call("PUT", path, "sam", json={"body": "yes"}).status_code == 200
    assert [note.edited for note in lab.client("riley").comments(sha)] == [True]


def test_a_file_that_a_job_uploaded_is_read_and_one_that_it_did_not_is_none(lab: RunningGitLab) -> None:
    lab.push()
    job = lab.job(lab.pipeline(), "prepare")
    lab.start(job)
    lab.control(f"jobs/{job}/finish", status="success", artifacts={"outputs/7/manifest.json": "{}"})
    assert lab.client("riley").artifact(job, "outputs/7/manifest.json") == b"{}"
    assert lab.client("riley").artifact(job, "outputs/7/04_apply/began.json") is None
    with pytest.raises(GitLabRefusalError, match="404"):
        lab.client("riley", "none/such").artifact(job, "outputs/7/manifest.json")
