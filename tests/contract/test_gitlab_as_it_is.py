"""The lab's GitLab held to what GitLab is known to do, where an obvious fake would do otherwise.

The facts are those of GitLab's sources and documentation, and of the answers that python-gitlab's own tests hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.adapters.gitlab_http import GitLabRefusalError
from runbook_lib.lab.gitlab.config import default_config

PROJECT = "/api/v4/projects/42"
STATE = f"{PROJECT}/terraform/state/access"
LOCK = {"Operation": "OperationTypeApply", "Info": "", "Who": "", "Version": "1.11.4", "Created": "", "Path": ""}

# The fields of an answer and their kinds, as python-gitlab's tests have them; `?` may be null.
SAMPLES = {
    "job": """id:int name:str stage:str status:str ref:str tag:bool allow_failure:bool created_at:str started_at:str?
        finished_at:str? duration:float? queued_duration:float? web_url:str user:dict commit:dict pipeline:dict
        artifacts:list runner:dict? tag_list:list""",
    "bridge": """id:int name:str stage:str status:str ref:str tag:bool allow_failure:bool created_at:str started_at:str?
        finished_at:str? duration:float? web_url:str user:dict commit:dict pipeline:dict downstream_pipeline:dict?""",
    "pipeline": """id:int project_id:int status:str ref:str sha:str before_sha:str tag:bool user:dict created_at:str
        updated_at:str started_at:str? finished_at:str? duration:float? web_url:str""",
    "pipeline in a list": "id:int status:str ref:str sha:str web_url:str created_at:str updated_at:str",
    "deployment": """id:int iid:int ref:str sha:str created_at:str updated_at:str status:str user:dict environment:dict
        deployable:dict""",
    "merge request": "id:int iid:int project_id:int title:str description:str state:str merged_by:dict?",
    "user": "id:int username:str name:str state:str avatar_url:str? web_url:str",
    "commit": "id:str short_id:str title:str author_name:str author_email:str created_at:str message:str",
}
KINDS = {"int": int, "str": str, "float": (int, float), "bool": bool, "dict": dict, "list": list}


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


def answers(lab: RunningGitLab) -> dict[str, Any]:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    for name in ("apply", "verification"):
        lab.run(lab.job(pipeline, name))
    lab.start(lab.job(pipeline, "service_tests"))
    sha = lab.push()
    lab.control("merge_requests", author="riley", sha=sha)

    def get(path: str) -> Any:
        return lab.call("GET", f"{PROJECT}{path}", "alex").json()

    return {
        "job": get(f"/jobs/{apply}"),
        "bridge": get(f"/pipelines/{pipeline}/bridges")[0],
        "pipeline": get(f"/pipelines/{pipeline}"),
        "pipeline in a list": get("/pipelines")[0],
        "deployment": get("/deployments")[0],
        "merge request": get("/merge_requests/1"),
        "user": lab.call("GET", "/api/v4/users", "alex").json()[0],
        "commit": get(f"/repository/commits/{sha}"),
    }


def test_every_answer_has_the_fields_of_the_sample_and_of_its_kinds(lab: RunningGitLab) -> None:
    for name, answer in answers(lab).items():
        for field in SAMPLES[name].split():
            key, _, kind = field.partition(":")
            assert key in answer, f"{name}: {key}"
            if not (kind.endswith("?") and answer[key] is None):
                assert isinstance(answer[key], KINDS[kind.removesuffix("?")]), f"{name}: {key} is {answer[key]!r}"


def test_a_pipeline_in_a_list_does_not_tell_who_started_it(lab: RunningGitLab) -> None:
    lab.pipeline()
    assert "user" not in lab.call("GET", f"{PROJECT}/pipelines", "riley").json()[0]


# Each level of variables, and one that wins over it.
PRECEDENCE = ("predefined", "job's own in the file", "project", "pipeline", "play")


@pytest.mark.parametrize("winner", range(1, len(PRECEDENCE)))
def test_each_level_of_variables_wins_over_those_before_it(lab: RunningGitLab, winner: int) -> None:
    name, given = "CI_PROJECT_PATH", PRECEDENCE[winner]
    levels = PRECEDENCE[1 : winner + 1]
    own = {"variables": {name: PRECEDENCE[1]}}
    lab.control("settings", variables={name: PRECEDENCE[2]} if PRECEDENCE[2] in levels else {})
    lab.push(jobs=[{"name": "apply", "stage": "deploy", "when": "manual", **own}])
    body: dict[str, Any] = {"ref": "main"}
    if PRECEDENCE[3] in levels:
        body["variables"] = [{"key": name, "value": PRECEDENCE[3]}]
    pipeline = lab.call("POST", f"{PROJECT}/pipeline", "alex", json=body).json()["id"]
    apply = lab.job(pipeline, "apply")
    lab.client("alex").play(apply, {name: PRECEDENCE[4]} if PRECEDENCE[4] in levels else None)
    assert lab.control(f"jobs/{apply}/start")["variables"][name] == given


def test_what_a_play_sets_cannot_change_the_environment_but_who_played(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    given = {"CI_ENVIRONMENT_NAME": "elsewhere", "GITLAB_USER_LOGIN": "sam"}
    lab.client("alex").play(apply, given)
    variables = lab.control(f"jobs/{apply}/start")["variables"]
    assert (variables["CI_ENVIRONMENT_NAME"], variables["GITLAB_USER_LOGIN"]) == ("production/access", "sam")
    assert variables["CI_JOB_MANUAL"] == "true"


def test_a_job_knows_its_branch_and_the_default_one_of_gitlab_and_not_of_its_clone(lab: RunningGitLab) -> None:
    _, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    variables = lab.control(f"jobs/{apply}/start")["variables"]
    assert (variables["CI_COMMIT_BRANCH"], variables["CI_DEFAULT_BRANCH"]) == ("main", "main")


def test_variables_are_refused_on_play_for_everybody_where_nobody_may_give_them(lab: RunningGitLab) -> None:
    lab.control("settings", ci_pipeline_variables_minimum_override_role="no_one_allowed")
    _, apply = lab.pipeline_before_apply()
    with pytest.raises(GitLabRefusalError, match="403 Forbidden"):
        lab.client("alex").play(apply, {"RUNBOOK_REASON": "no"})
    assert lab.client("alex").play(apply).status == "pending"


@pytest.mark.parametrize(
    ("public", "asked", "found"),
    [
        ("sam@public.example", "sam@public.example", ["sam"]),
        ("sam@public.example", "SAM@public.example", ["sam"]),
        ("sam@public.example", "public.example", []),
        ("sam@public.example", "sam@public", []),
        ("", "sam@example.com", []),
        ("", "sam second", ["sam"]),
    ],
)
def test_a_user_is_found_by_the_whole_public_address_and_by_no_other(
    lab: RunningGitLab, public: str, asked: str, found: list[str]
) -> None:
    lab.control("users/sam", public_email=public)
    listed = lab.call("GET", "/api/v4/users", "riley", params={"search": asked}).json()
    assert [user["username"] for user in listed] == found


def in_order(lab: RunningGitLab, path: str, **query: str) -> list[int]:
    return [int(item["id"]) for item in lab.call("GET", path, "alex", params=query).json()]


def make_several(lab: RunningGitLab) -> None:
    for _ in range(3):
        lab.pipeline("alex")
        lab.control("deployments", environment="production/access", sha=lab.push())
        lab.call("POST", f"{PROJECT}/issues", "riley", json={"title": "Drift"})


LISTS = {
    "/api/v4/users": "desc",
    f"{PROJECT}/pipelines": "desc",
    f"{PROJECT}/jobs": "desc",
    f"{PROJECT}/issues": "desc",
    f"{PROJECT}/deployments": "asc",
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_begins_where_gitlabs_does(lab: RunningGitLab, path: str) -> None:
    make_several(lab)
    found = in_order(lab, path, per_page="100")
    assert len(found) >= 3
    assert found == sorted(found, reverse=LISTS[path] == "desc")


# What is asked, and whether GitLab takes it.
FILTERS = [
    ("/deployments", {"order_by": "finished_at", "status": "success"}, 400),
    ("/deployments", {"finished_after": "2020-01-01", "status": "success"}, 400),
    ("/deployments", {"order_by": "finished_at", "finished_after": "2020-01-01"}, 400),
    ("/deployments", {"order_by": "finished_at", "finished_after": "2020-01-01", "status": "success"}, 200),
    ("/deployments", {"order_by": "updated_at", "updated_after": "2020-01-01", "finished_after": "2020-01-01"}, 400),
    ("/deployments", {"order_by": "updated_at", "updated_after": "2020-01-01"}, 200),
    ("/deployments", {"status": "applied"}, 400),
    ("/deployments", {"order_by": "status"}, 400),
    ("/deployments", {"sort": "up"}, 400),
    ("/pipelines", {"status": "applied"}, 400),
    ("/pipelines", {"status": "waiting_for_resource"}, 200),
    ("/pipelines", {"order_by": "created_at"}, 400),
    ("/pipelines", {"order_by": "updated_at", "sort": "asc"}, 200),
    ("/jobs", {"scope[]": "waiting_for_resource"}, 200),
    ("/jobs", {"scope[]": "applied"}, 400),
]


@pytest.mark.parametrize(("path", "query", "status"), FILTERS)
def test_a_filter_is_taken_or_refused_as_gitlab_does(
    lab: RunningGitLab, path: str, query: dict[str, str], status: int
) -> None:
    make_several(lab)
    assert lab.call("GET", f"{PROJECT}{path}", "alex", params=query).status_code == status


def test_deployments_are_found_by_when_they_changed(lab: RunningGitLab) -> None:
    make_several(lab)
    query = {"order_by": "updated_at", "sort": "desc"}
    assert in_order(lab, f"{PROJECT}/deployments", **query, updated_after="2199-01-01T00:00:00Z") == []
    assert len(in_order(lab, f"{PROJECT}/deployments", **query, updated_after="2020-01-01T00:00:00Z")) == 6


def test_a_member_is_found_by_a_piece_of_the_login_and_the_client_takes_the_very_one(lab: RunningGitLab) -> None:
    members = lab.call("GET", f"{PROJECT}/members/all", "riley", params={"query": "a"}).json()
    assert {"alex", "sam"} <= {member["username"] for member in members}
    assert lab.call("GET", f"{PROJECT}/members/all", "riley", params={"query": "nobody"}).json() == []
    client = lab.client("riley")
    assert (client.role("alex"), client.role("ale"), client.role("casey")) == (40, 0, 0)


def merged(lab: RunningGitLab, method: str) -> tuple[str, str, dict[str, Any]]:
    lab.push()
    sha = lab.push(ref="topic")
    iid = lab.control("merge_requests", author="riley", sha=sha)["iid"]
    lab.call("POST", f"{PROJECT}/merge_requests/{iid}/approve", "alex").raise_for_status()
    on_main = str(lab.control(f"merge_requests/{iid}/merge", user="sam", method=method)["sha"])
    return sha, on_main, lab.call("GET", f"{PROJECT}/merge_requests/{iid}", "riley").json()


@pytest.mark.parametrize("method", ["merge", "squash", "fast_forward"])
def test_a_merged_request_tells_who_merged_it_and_into_which_commits(lab: RunningGitLab, method: str) -> None:
    sha, on_main, found = merged(lab, method)
    assert (found["state"], found["sha"], found["merged_by"]["username"]) == ("merged", sha, "sam")
    assert found["merge_commit_sha"] == (None if method == "fast_forward" else on_main)
    assert bool(found["squash_commit_sha"]) is (method == "squash")
    assert (sha == on_main) is (method == "fast_forward")
    for commit in {sha, on_main, found["squash_commit_sha"] or sha}:
        listed = lab.call("GET", f"{PROJECT}/repository/commits/{commit}/merge_requests", "riley").json()
        assert [request["iid"] for request in listed] == [found["iid"]]


@pytest.mark.parametrize("method", ["merge", "squash"])
def test_approvals_of_a_merge_request_are_not_those_of_the_commit_that_merged_it(
    lab: RunningGitLab, method: str
) -> None:
    sha, on_main, _ = merged(lab, method)
    client = lab.client("riley")
    (found,) = client.merge_requests_of(on_main)
    assert [one.user for one in client.approvals_of(found)] == ["alex"]
    assert (found.sha, found.brought(on_main, "main"), found.brought(sha, "other")) == (sha, True, False)


def test_a_merged_request_takes_no_approval_any_more(lab: RunningGitLab) -> None:
    _, _, found = merged(lab, "merge")
    address = f"{PROJECT}/merge_requests/{found['iid']}"
    assert lab.call("POST", f"{address}/approve", "sam").status_code == 401
    assert lab.call("GET", f"{address}/approvals", "sam").json()["user_can_approve"] is False
    assert lab.call("POST", f"{address}/unapprove", "sam").status_code == 404


def two_that_share(lab: RunningGitLab) -> tuple[int, int, int, int]:
    jobs = [{"name": "apply", "stage": "deploy", "when": "manual", "resource_group": "production/$RUNBOOK_STACK"}]
    pipelines = [lab.pipeline(jobs=jobs) for _ in range(2)]
    first, second = (lab.job(pipeline, "apply") for pipeline in pipelines)
    return pipelines[0], pipelines[1], first, second


def test_the_second_of_two_jobs_that_share_a_resource_waits_for_it(lab: RunningGitLab) -> None:
    _, later, first, second = two_that_share(lab)
    client = lab.client("alex")
    assert client.play(first).status == "pending"
    assert client.play(second).status == "waiting_for_resource"
    assert lab.pipeline_status(later) == "waiting_for_resource"
    lab.run(first)
    assert client.job(second).status == "pending"
    lab.run(second)
    assert lab.pipeline_status(later) == "success"


@pytest.mark.parametrize("how", ["cancel", "fail"])
def test_a_resource_is_free_again_however_its_job_ended(lab: RunningGitLab, how: str) -> None:
    _, _, first, second = two_that_share(lab)
    client = lab.client("alex")
    client.play(first)
    client.play(second)
    if how == "cancel":
        lab.call("POST", f"{PROJECT}/jobs/{first}/cancel", "alex").raise_for_status()
    else:
        lab.run(first, "failed")
    assert client.job(second).status == "pending"


def test_a_play_whose_answer_was_lost_counts_while_the_job_waits_for_its_resource(lab: RunningGitLab) -> None:
    _, _, first, second = two_that_share(lab)
    lab.client("alex").play(first)
    lab.control("faults", method="POST", path="/play$", status=503, after=True)
    assert lab.client("alex").play(second).status == "waiting_for_resource"


def test_a_trigger_job_is_a_bridge_and_no_job_of_the_pipeline(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    for name in ("apply", "verification"):
        lab.run(lab.job(pipeline, name))
    names = [job.name for job in lab.client("riley").pipeline_jobs(pipeline)]
    assert "service_tests" not in names
    bridge = lab.job(pipeline, "service_tests")
    assert lab.call("GET", f"{PROJECT}/jobs/{bridge}", "riley").status_code == 404
    started = lab.control(f"jobs/{bridge}/start")
    (found,) = lab.call("GET", f"{PROJECT}/pipelines/{pipeline}/bridges", "riley").json()
    child = found["downstream_pipeline"]["id"]
    assert lab.client("riley").started_by(pipeline) == (child,)
    assert [job.id for job in lab.client("riley").pipeline_jobs(child)] == [started["id"]]
    mine = lab.call("GET", "/api/v4/job", headers={"JOB-TOKEN": started["token"]}).json()
    assert (mine["id"], mine["pipeline"]["id"]) == (started["id"], child)
    listed = in_order(lab, f"{PROJECT}/pipelines")
    assert (pipeline in listed, child in listed) == (True, False)
    assert in_order(lab, f"{PROJECT}/pipelines", source="parent_pipeline") == [child]
    lab.control(f"jobs/{bridge}/finish", status="failed")
    assert (lab.pipeline_status(child), lab.pipeline_status(pipeline)) == ("failed", "running")


def state(serial: int) -> dict[str, Any]:
    return {"version": 4, "serial": serial, "lineage": "0e6e2f42-lineage", "resources": []}


CALLS: list[Callable[[RunningGitLab], int]] = [
    lambda lab: lab.call("GET", STATE, "alex").status_code,
    lambda lab: lab.call("POST", STATE, "alex", json=state(2)).status_code,
    lambda lab: lab.call("DELETE", STATE, "alex").status_code,
    lambda lab: lab.call("POST", f"{STATE}/lock", "alex", json=LOCK | {"ID": "a"}).status_code,
    lambda lab: lab.call("DELETE", f"{STATE}/lock", "alex").status_code,
]


def test_a_deleted_state_takes_no_call_until_it_is_gone() -> None:
    now = [datetime(2026, 11, 5, 12, 0, tzinfo=UTC)]
    config = replace(default_config(), deleting_seconds=60, clock=lambda: now[0])
    with running_gitlab(config) as lab:
        lab.call("POST", STATE, "alex", json=state(1)).raise_for_status()
        assert lab.call("DELETE", STATE, "alex").status_code == 200
        assert [call(lab) for call in CALLS] == [422] * len(CALLS)
        with pytest.raises(GitLabRefusalError, match="422"):
            lab.client("alex").state("access")
        now[0] = datetime(2026, 11, 5, 12, 1, tzinfo=UTC)
        assert lab.client("alex").state("access") is None


def test_a_locked_state_is_not_deleted_though_gitlab_says_it_is(lab: RunningGitLab) -> None:
    lab.call("POST", STATE, "alex", json=state(1)).raise_for_status()
    lab.call("POST", f"{STATE}/lock", "sam", json=LOCK | {"ID": "a"}).raise_for_status()
    assert lab.call("DELETE", STATE, "alex").status_code == 200
    assert lab.call("GET", STATE, "alex").json() == state(1)


@pytest.mark.parametrize(("version", "status"), [("now", 500), ("before", 409)])
def test_a_write_under_somebody_elses_lock_fails_as_in_that_version(version: str, status: int) -> None:
    config = default_config() if version == "now" else replace(default_config(), locked_status=409)
    with running_gitlab(config) as lab:
        lab.call("POST", f"{STATE}/lock", "sam", json=LOCK | {"ID": "a"}).raise_for_status()
        assert lab.call("POST", f"{STATE}?ID=b", "alex", json=state(1)).status_code == status
        assert lab.call("GET", STATE, "alex").status_code == 204
