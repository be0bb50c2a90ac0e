"""The lab's GitLab against GitLab's own description of its API: paths, methods, statuses, shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.routing import APIRoute
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.lab.gitlab.app import create_app
from runbook_lib.lab.gitlab.config import default_config

# GitLab's OpenAPI description, 18.4: the statuses it gives for each call that the lab answers.
DOCUMENTED = {
    "GET /user": {200, 401},
    "GET /personal_access_tokens/self": {200, 401, 404},
    "GET /users": {200, 401},
    "GET /users/{id}": {200, 401, 404},
    "GET /version": {200, 401},
    "GET /job": {200, 400, 401, 404},
    "GET /projects/{id}": {200, 401, 404},
    "GET /projects/{id}/members": {200, 401, 404},
    "GET /projects/{id}/members/all": {200, 401, 404},
    "GET /projects/{id}/repository/commits/{id}": {200, 401, 404},
    "GET /projects/{id}/repository/commits/{id}/merge_requests": {200, 401, 404},
    "GET /projects/{id}/repository/commits/{id}/discussions": {200, 401, 404},
    "POST /projects/{id}/repository/commits/{id}/discussions": {201, 400, 401, 403, 404},
    "PUT /projects/{id}/repository/commits/{id}/discussions/{id}/notes/{id}": {200, 400, 401, 403, 404},
    "GET /projects/{id}/repository/compare": {200, 400, 401, 404},
    "GET /projects/{id}/repository/branches/{id}": {200, 401, 404},
    "GET /projects/{id}/protected_branches": {200, 401, 403, 404},
    "GET /projects/{id}/protected_environments/{id}": {200, 401, 403, 404},
    "GET /projects/{id}/environments": {200, 401, 403, 404},
    "POST /projects/{id}/merge_requests": {201, 400, 401, 403, 404, 409},
    "GET /projects/{id}/merge_requests/{id}": {200, 401, 404},
    "GET /projects/{id}/merge_requests/{id}/approvals": {200, 401, 404},
    "GET /projects/{id}/merge_requests/{id}/versions": {200, 401, 404},
    "POST /projects/{id}/merge_requests/{id}/approve": {201, 401, 404, 409},
    "POST /projects/{id}/merge_requests/{id}/unapprove": {201, 401, 404},
    "GET /projects/{id}/merge_requests/{id}/notes": {200, 401, 404},
    "POST /projects/{id}/merge_requests/{id}/notes": {201, 400, 401, 403, 404},
    "PUT /projects/{id}/merge_requests/{id}/notes/{id}": {200, 400, 401, 403, 404},
    "GET /projects/{id}/issues": {200, 401, 404},
    "POST /projects/{id}/issues": {201, 400, 401, 403, 404},
    "PUT /projects/{id}/issues/{id}": {200, 400, 401, 403, 404},
    "GET /projects/{id}/issues/{id}/notes": {200, 401, 404},
    "POST /projects/{id}/issues/{id}/notes": {201, 400, 401, 403, 404},
    "POST /projects/{id}/pipeline": {201, 400, 401, 403, 404},
    "GET /projects/{id}/pipelines": {200, 401, 403, 404},
    "GET /projects/{id}/pipelines/latest": {200, 401, 403, 404},
    "GET /projects/{id}/pipelines/{id}": {200, 401, 403, 404},
    "GET /projects/{id}/pipelines/{id}/variables": {200, 401, 403, 404},
    "GET /projects/{id}/pipelines/{id}/jobs": {200, 400, 401, 403, 404},
    "GET /projects/{id}/pipelines/{id}/bridges": {200, 400, 401, 403, 404},
    "POST /projects/{id}/pipelines/{id}/cancel": {201, 401, 403, 404},
    "POST /projects/{id}/pipelines/{id}/retry": {201, 401, 403, 404},
    "GET /projects/{id}/jobs": {200, 400, 401, 403, 404},
    "GET /projects/{id}/jobs/{id}": {200, 401, 403, 404},
    "GET /projects/{id}/jobs/{id}/artifacts": {200, 401, 403, 404},
    "GET /projects/{id}/jobs/{id}/artifacts/{id}": {200, 401, 403, 404},
    "GET /projects/{id}/jobs/{id}/trace": {200, 401, 403, 404},
    "POST /projects/{id}/jobs/{id}/play": {200, 400, 401, 403, 404},
    "POST /projects/{id}/jobs/{id}/cancel": {201, 401, 403, 404},
    "POST /projects/{id}/jobs/{id}/retry": {201, 401, 403, 404},
    "GET /projects/{id}/deployments": {200, 400, 401, 404},
    "GET /projects/{id}/deployments/{id}": {200, 401, 404},
    "POST /projects/{id}/deployments/{id}/approval": {201, 400, 401, 403, 404},
    "GET /projects/{id}/terraform/state/{id}": {200, 204, 401, 403, 404, 422},
    "POST /projects/{id}/terraform/state/{id}": {200, 204, 401, 403, 409, 413, 422, 500},
    # The description says 204 of both; the source says 200, and for the lock Terraform takes nothing else.
    "DELETE /projects/{id}/terraform/state/{id}": {200, 401, 403, 404, 422},
    "DELETE /projects/{id}/terraform/state/{id}/lock": {200, 401, 403, 404, 409, 422},
    "POST /projects/{id}/terraform/state/{id}/lock": {200, 400, 401, 403, 404, 409, 422},
    "GET /projects/{id}/terraform/state/{id}/versions/{id}": {200, 401, 403, 404},
    "DELETE /projects/{id}/terraform/state/{id}/versions/{id}": {204, 401, 403, 404},
}

# Method, path, who asks, body, status: J is the apply job (waiting to be played), P its pipeline, F a failed job.
CALLS: list[tuple[str, str, str, Any, int]] = [
    ("GET", "/user", "", None, 401),
    ("GET", "/user", "riley", None, 200),
    ("GET", "/personal_access_tokens/self", "", None, 401),
    ("GET", "/personal_access_tokens/self", "riley", None, 200),
    ("GET", "/users?username=alex", "riley", None, 200),
    ("GET", "/users/102", "riley", None, 200),
    ("GET", "/users/7", "riley", None, 404),
    ("GET", "/version", "", None, 401),
    ("GET", "/version", "riley", None, 200),
    ("GET", "/projects/42/repository/compare?from=main", "riley", None, 400),
    ("GET", "/projects/42/repository/compare?from=main&to=main", "riley", None, 200),
    ("GET", "/projects/42/repository/compare?from=none&to=main", "riley", None, 404),
    ("GET", "/projects/42/repository/branches/none", "riley", None, 404),
    ("GET", "/projects/42/repository/branches/main", "casey", None, 404),
    ("GET", "/projects/42/protected_branches", "riley", None, 403),
    ("GET", "/projects/42/protected_branches", "alex", None, 200),
    ("GET", "/projects/42/protected_environments/none", "alex", None, 404),
    ("GET", "/projects/42/environments", "riley", None, 200),
    ("POST", "/projects/42/repository/commits/main/discussions", "riley", {}, 400),
    ("POST", "/projects/42/repository/commits/main/discussions", "riley", {"body": "Why?"}, 201),
    ("GET", "/projects/42/repository/commits/none/discussions", "riley", None, 404),
    ("GET", "/job", "riley", None, 404),
    ("GET", "/job", "", None, 401),
    ("GET", "/projects/42", "riley", None, 200),
    ("GET", "/projects/42", "", None, 401),
    ("GET", "/projects/42", "casey", None, 404),
    ("GET", "/projects/43", "riley", None, 404),
    ("GET", "/projects/platform%2Fnetwork-access", "riley", None, 200),
    ("GET", "/projects/platform%2fnetwork-access/pipelines/P/jobs", "riley", None, 200),
    ("GET", "/projects/platform%2Fother", "riley", None, 404),
    ("GET", "/projects/42/members", "riley", None, 200),
    ("GET", "/projects/42/repository/commits/main", "riley", None, 200),
    ("GET", "/projects/42/repository/commits/0123456789", "riley", None, 404),
    ("POST", "/projects/42/pipeline", "riley", {"ref": "main"}, 201),
    ("POST", "/projects/42/pipeline", "riley", {"ref": "nowhere"}, 400),
    ("POST", "/projects/42/pipeline", "riley", {}, 400),
    ("POST", "/projects/42/pipeline", "project_42_bot", {"ref": "main"}, 403),
    ("GET", "/projects/42/pipelines", "project_42_bot", None, 200),
    ("GET", "/projects/42/pipelines/latest?ref=nowhere", "riley", None, 404),
    ("GET", "/projects/42/pipelines/P", "riley", None, 200),
    ("GET", "/projects/42/pipelines/1", "riley", None, 404),
    ("GET", "/projects/42/pipelines/P/variables", "riley", None, 200),
    ("GET", "/projects/42/pipelines/P/jobs?scope[]=manual", "riley", None, 200),
    ("GET", "/projects/42/pipelines/P/jobs?scope[]=idle", "riley", None, 400),
    ("GET", "/projects/42/jobs", "riley", None, 200),
    ("GET", "/projects/42/jobs/J", "riley", None, 200),
    ("GET", "/projects/42/jobs/1", "riley", None, 404),
    ("GET", "/projects/42/jobs/J/artifacts", "riley", None, 404),
    ("GET", "/projects/42/jobs/J/artifacts/nothing.json", "riley", None, 404),
    ("GET", "/projects/42/jobs/J/trace", "riley", None, 200),
    ("GET", "/projects/42/jobs/J/trace", "casey", None, 404),
    ("GET", "/projects/42/jobs/1/trace", "riley", None, 404),
    ("POST", "/projects/42/jobs/J/retry", "riley", None, 403),
    ("POST", "/projects/42/jobs/J/play", "project_42_bot", None, 403),
    ("POST", "/projects/42/jobs/J/play", "casey", None, 404),
    ("POST", "/projects/42/jobs/J/play", "", None, 401),
    ("POST", "/projects/42/jobs/J/play", "alex", {"job_variables_attributes": [{"key": "A", "value": "b"}]}, 200),
    ("POST", "/projects/42/jobs/J/play", "sam", None, 400),
    ("POST", "/projects/42/jobs/J/cancel", "alex", None, 201),
    ("POST", "/projects/42/jobs/J/retry", "alex", None, 201),
    ("POST", "/projects/42/pipelines/P/cancel", "alex", None, 201),
    ("POST", "/projects/42/pipelines/P/retry", "alex", None, 201),
    ("GET", "/projects/42/deployments?sort=desc", "riley", None, 200),
    ("GET", "/projects/42/deployments/1", "riley", None, 404),
    ("POST", "/projects/42/merge_requests", "riley", {}, 400),
    ("POST", "/projects/42/merge_requests", "project_42_bot", {}, 403),
    ("GET", "/projects/42/merge_requests/7", "riley", None, 404),
    ("GET", "/projects/42/merge_requests/7/notes", "riley", None, 404),
    ("GET", "/projects/42/merge_requests/7/versions", "riley", None, 404),
    ("POST", "/projects/42/merge_requests/7/notes", "riley", {"body": "more"}, 404),
    ("POST", "/projects/42/merge_requests/7/notes", "project_42_bot", {"body": "more"}, 403),
    ("PUT", "/projects/42/merge_requests/7/notes/1", "riley", {"body": "more"}, 404),
    ("POST", "/projects/42/issues", "riley", {}, 400),
    ("POST", "/projects/42/issues", "riley", {"title": "Drift"}, 201),
    ("GET", "/projects/42/issues?state=opened", "riley", None, 200),
    ("PUT", "/projects/42/issues/1", "riley", {"description": "more"}, 200),
    ("PUT", "/projects/42/issues/9", "riley", {}, 404),
    ("POST", "/projects/42/issues/1/notes", "riley", {"body": "more"}, 201),
    ("GET", "/projects/42/issues/1/notes", "riley", None, 200),
    ("GET", "/projects/42/terraform/state/none", "riley", None, 404),
    ("DELETE", "/projects/42/terraform/state/none", "alex", None, 404),
]


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


def _documented(method: str, path: str) -> set[int]:
    plain = path.partition("?")[0]
    known = (
        (pattern, statuses)
        for call, statuses in DOCUMENTED.items()
        for verb, _, pattern in [call.partition(" ")]
        if verb == method
    )
    for pattern, statuses in known:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), plain):
            return statuses
    raise AssertionError(f"{method} {plain} is no call of GitLab's")


def test_every_call_gets_the_status_that_gitlab_gives(lab: RunningGitLab) -> None:
    pipeline, job = lab.pipeline_before_apply()
    seen = {}
    for method, template, user, body, _ in CALLS:
        path = template.replace("/J", f"/{job}").replace("/P", f"/{pipeline}")
        seen[(method, template, user, str(body))] = lab.call(method, f"/api/v4{path}", user, json=body).status_code
    assert seen == {(m, p, u, str(b)): status for m, p, u, b, status in CALLS}


@pytest.mark.parametrize(("method", "path", "status"), [(m, p, s) for m, p, _, _, s in CALLS])
def test_every_expected_status_is_one_that_gitlab_documents(method: str, path: str, status: int) -> None:
    assert status in _documented(method, path)


def _endpoints() -> Iterator[tuple[str, str]]:
    app = create_app(default_config())
    pending: list[Any] = list(app.routes)
    while pending:
        route = pending.pop()
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in route.methods or () if route.path.startswith("/api/v4/"))
        else:
            included = getattr(route, "original_router", None)
            pending += included.routes if included else []


def test_the_lab_has_no_endpoint_that_gitlab_has_not() -> None:
    endpoints = list(_endpoints())
    known = {re.sub(r"\{\w+\}", "{}", call) for call in DOCUMENTED}
    assert len(endpoints) == len(DOCUMENTED)
    for method, path in endpoints:
        assert re.sub(r"\{\w+(:path)?\}", "{}", f"{method} {path.removeprefix('/api/v4')}") in known


def test_lists_come_in_pages_with_the_way_to_the_next(lab: RunningGitLab) -> None:
    lab.pipeline()
    first = lab.call("GET", "/api/v4/projects/42/jobs?per_page=5", "riley")
    assert (first.headers["X-Next-Page"], first.headers["X-Total"], len(first.json())) == ("2", "8", 5)
    second = lab.call("GET", first.links["next"]["url"].removeprefix(lab.url), "riley")
    assert (second.headers["X-Next-Page"], len(second.json())) == ("", 3)
    assert "next" not in second.links


def test_a_token_past_its_date_is_told_so() -> None:
    config = default_config()
    riley = replace(config.users[0], expired=True)
    with running_gitlab(replace(config, users=(riley, *config.users[1:]))) as lab:
        answer = lab.call("GET", "/api/v4/user", "riley")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"


def test_a_bearer_token_is_as_good_as_a_private_one(lab: RunningGitLab) -> None:
    answer = lab.call("GET", "/api/v4/user", headers={"Authorization": f"Bearer {lab.token('sam')}"})
    assert answer.json()["username"] == "sam"


def test_http_basic_opens_the_state_and_nothing_else(lab: RunningGitLab) -> None:
    basic = ("alex", lab.token("alex"))
    assert lab.call("GET", "/api/v4/projects/42", auth=basic).status_code == 401
    assert lab.call("GET", "/api/v4/projects/42/terraform/state/none", auth=basic).status_code == 404


def test_a_failed_job_skips_what_follows_and_starts_the_failure_job(lab: RunningGitLab) -> None:
    pipeline = lab.pipeline()
    lab.run(lab.job(pipeline, "prepare"))
    lab.run(lab.job(pipeline, "compliance"), "failed")
    jobs = {job.name: job.status for job in lab.client("riley").pipeline_jobs(pipeline)}
    assert jobs == {
        "prepare": "success",
        "compliance": "failed",
        "plan": "skipped",
        "approval": "skipped",
        "apply": "skipped",
        "reject": "skipped",
        "verification": "skipped",
        "failure": "pending",
    }


def test_a_manual_job_that_must_not_fail_holds_the_pipeline(lab: RunningGitLab) -> None:
    pipeline, _ = lab.pipeline_before_apply()
    client = lab.client("riley")
    assert lab.pipeline_status(pipeline) == "manual"
    assert client.job(lab.job(pipeline, "verification")).status == "created"


def test_the_pipeline_succeeds_when_every_job_has(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    for name in ("apply", "verification", "service_tests"):
        lab.run(lab.job(pipeline, name))
    client = lab.client("riley")
    assert lab.pipeline_status(pipeline) == "success"
    assert client.job(lab.job(pipeline, "failure")).status == "skipped"


def test_a_retried_job_is_a_new_one_of_who_retried_it(lab: RunningGitLab) -> None:
    pipeline = lab.pipeline()
    first = lab.job(pipeline, "prepare")
    lab.run(first, "failed")
    assert lab.call("POST", f"/api/v4/projects/42/jobs/{first}/retry", "sam").status_code == 201
    again = lab.client("riley").job(lab.job(pipeline, "prepare"))
    assert (again.id != first, again.user, again.status) == (True, "sam", "pending")
    assert lab.client("riley").job(lab.job(pipeline, "plan")).status == "created"
