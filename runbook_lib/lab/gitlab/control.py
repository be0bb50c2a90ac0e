"""What a person or the demo does behind the API's back: push commits, be the runner, break things."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from .auth import Data
from .config import JobSpec, LabUser
from .data import Commit, GitLabData, Job, MergeRequest, Version
from .errors import ApiError
from .flow import finish_job, start_job
from .http import base_url, body_of, required
from .jobs import find_job
from .views import job_view, pipeline_view

__all__ = ["router"]

router = APIRouter(prefix="/lab/gitlab")


def _user(data: GitLabData, name: str) -> LabUser:
    user = data.config.user(name)
    if user is None:
        raise ApiError.bad_request(f"no user {name}")
    return user


@router.get("/pipelines")
async def pipelines(request: Request, data: Data) -> list[dict[str, Any]]:
    """List all pipelines, newest first, each with its jobs in order: what the lab's page shows."""
    base = base_url(request)
    return [
        pipeline_view(p, data.config, base) | {"jobs": [job_view(j, data.config, base) for j in p.current]}
        for p in sorted(data.pipelines.values(), key=lambda p: -p.id)
    ]


@router.get("/states")
async def states(data: Data) -> dict[str, Any]:
    """Tell every state's serials and who holds its lock."""
    return {s.name: {"serials": sorted(s.versions), "lock": s.lock} for s in data.states.values()}


@router.post("/commits", status_code=201)
async def push(request: Request, data: Data) -> dict[str, str]:
    """Push a commit: `author`, `committer` and `co_authors` (users or addresses), `ref` (default branch) and more.

    `sha`, `title` or the whole `message`, `parents` (what was the branch's head) and `jobs` may be given. `jobs`, in
    their order, are those of its pipelines: objects with the fields of JobSpec. Without them they are the usual ones.
    """
    body = await body_of(request)
    ref = str(body.get("ref") or data.config.project.branch)
    commit = _commit(data, body, data.refs.get(ref, ""))
    data.push(ref, commit)
    return {"sha": commit.sha, "ref": ref}


def _commit(data: GitLabData, body: dict[str, Any], head: str) -> Commit:
    message = str(body.get("message") or body.get("title") or "A change")
    trailers = ["Co-authored-by: {} <{}>".format(*_person(data, who)) for who in body.get("co_authors") or ()]
    message = "\n\n".join([message, *filter(None, ["\n".join(trailers)])])
    # A commit's id is its digest in git too; SHA-1 because git says so, not for safety.
    made = hashlib.sha1(f"{message}{len(data.commits)}".encode(), usedforsecurity=False).hexdigest()
    sha = str(body.get("sha") or made)
    name, address = _person(data, required(body, "author"))
    by, by_address = _person(data, str(body.get("committer") or required(body, "author")))
    parents = body.get("parents")
    known = data.commits.get(sha)
    if parents is None:
        parents = known.parents if known else [head]
    before = tuple(str(one) for one in parents if one)
    jobs = _specs(body.get("jobs") or [])
    return Commit(sha, message, name, address, data.now(), jobs, by, by_address, before)


def _person(data: GitLabData, who: str) -> tuple[str, str]:
    # An address is one that git was told, whoever it may belong to.
    if "@" in who:
        return who.partition("@")[0], who
    user = _user(data, who)
    return user.name, user.email


def _specs(jobs: list[dict[str, Any]]) -> tuple[JobSpec, ...]:
    try:
        return tuple(JobSpec(**job) for job in jobs)
    except TypeError as error:
        raise ApiError.bad_request(f"jobs: {error}") from error


@router.post("/merge_requests", status_code=201)
async def open_merge_request(request: Request, data: Data) -> dict[str, Any]:
    """Open a merge request: `author` and `sha`, into the default branch or another `target`."""
    body = await body_of(request)
    iid = len(data.merge_requests) + 1
    author, sha = _user(data, required(body, "author")), required(body, "sha")
    made = MergeRequest(iid, sha, author, str(body.get("title") or "A change"), data.now())
    made.target = str(body.get("target") or data.config.project.branch)
    made.versions.append(Version(sha, data.now(), sha))
    data.merge_requests[iid] = made
    return {"iid": iid}


@router.post("/merge_requests/{iid}/push")
async def push_to_merge_request(iid: int, request: Request, data: Data) -> dict[str, Any]:
    """Give a merge request another head, `sha`: by a `rebase`, which keeps the difference, or another one.

    Another `target` may be given, too: GitLab makes a version of that as well.
    """
    body = await body_of(request)
    found = data.merge_requests.get(iid)
    if found is None or found.merged_at:
        raise ApiError.not_found()
    patch = found.versions[-1].patch_id if body.get("rebase") else required(body, "sha")
    found.sha, found.target = required(body, "sha"), str(body.get("target") or found.target)
    # GitLab keeps approvals over a push unless a project's settings say otherwise.
    found.versions.append(Version(found.sha, data.now(), patch))
    return {"sha": found.sha}


@router.post("/merge_requests/{iid}/merge")
async def merge(iid: int, request: Request, data: Data) -> dict[str, Any]:
    """Merge a merge request as `user`, by `method`: merge (the default), squash or fast_forward."""
    body = await body_of(request)
    found, user = data.merge_requests.get(iid), _user(data, required(body, "user"))
    if found is None or found.merged_at:
        raise ApiError(405, {"message": "405 Method Not Allowed"})
    method, ref = str(body.get("method") or "merge"), data.config.project.branch
    head, source = data.refs.get(ref, ""), data.commits[found.sha]
    found.merged_by, found.merged_at = user, data.now()
    if method == "fast_forward":
        data.refs[ref] = found.sha
        return {"sha": found.sha}
    if method == "squash":
        squashed = _commit(data, {"author": found.author.username, "title": found.title, "parents": [head]}, head)
        data.commits[squashed.sha] = squashed
        found.squash_commit_sha = squashed.sha
    title = f"Merge branch into '{ref}'"
    parents = [head, found.squash_commit_sha or source.sha]
    merged = _commit(data, {"author": user.username, "title": title, "parents": parents}, head)
    found.merge_commit_sha = merged.sha
    data.push(ref, merged)
    return {"sha": merged.sha}


@router.post("/jobs/{job_id}/start")
async def start(job_id: int, request: Request, data: Data) -> dict[str, Any]:
    """Pick a pending job up, as a runner: answers its token and the variables of its environment."""
    job = find_job(data, job_id)
    started = start_job(data, job)
    # A trigger job hands its variables on: to what runs in its pipeline they are those of the parent.
    given = _variables(data, job, base_url(request), started.token)
    return {"id": started.id, "token": started.token, "variables": given}


def _variables(data: GitLabData, job: Job, base: str, token: str) -> dict[str, str]:
    project, pipeline = data.config.project, job.pipeline
    own = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": base,
        "CI_API_V4_URL": f"{base}/api/v4",
        "CI_PROJECT_ID": str(project.id),
        "CI_PROJECT_PATH": project.path,
        "CI_PIPELINE_ID": str(pipeline.id),
        "CI_PIPELINE_URL": f"{base}/{project.path}/-/pipelines/{pipeline.id}",
        "CI_JOB_ID": str(job.id),
        "CI_JOB_NAME": job.spec.name,
        "CI_JOB_STAGE": job.spec.stage,
        "CI_JOB_TOKEN": token,
        "CI_JOB_URL": f"{base}/{project.path}/-/jobs/{job.id}",
        "CI_COMMIT_SHA": pipeline.sha,
        "CI_COMMIT_REF_NAME": pipeline.ref,
        "CI_COMMIT_BRANCH": pipeline.ref,  # no pipeline here is a tag's or a merge request's
        "CI_DEFAULT_BRANCH": project.branch,
    }
    if job.spec.when == "manual":
        own["CI_JOB_MANUAL"] = "true"
    user = {"GITLAB_USER_LOGIN": job.user.username, "GITLAB_USER_NAME": job.user.name}
    deployment = next((d for d in data.deployments.values() if d.job is job), None)
    environment = {"CI_ENVIRONMENT_NAME": deployment.environment} if deployment else {}
    # In GitLab's own order, the later ones win: who starts a pipeline or plays a job may override nearly all.
    return own | {**job.spec.variables} | user | data.rules.variables | pipeline.variables | job.variables | environment


@router.post("/jobs/{job_id}/finish")
async def finish(job_id: int, request: Request, data: Data) -> dict[str, Any]:
    """End a running job: `status` success or failed; `failure_reason`, `artifacts` (by path), `log`, if wanted."""
    job, body = find_job(data, job_id), await body_of(request)
    status = required(body, "status")
    if status not in {"success", "failed", "canceled"}:
        raise ApiError.bad_request(f"status {status} is none a job ends with")
    if job.status != "running":
        raise ApiError(409, {"message": f"409 Conflict - job is {job.status}, not running"})
    job.artifacts = {str(path): str(text) for path, text in (body.get("artifacts") or {}).items()}
    job.log = str(body.get("log") or "")
    finish_job(data, job, status, str(body.get("failure_reason") or ""))
    return job_view(job, data.config, base_url(request))


@router.get("/faults")
async def faults(data: Data) -> list[dict[str, Any]]:
    """List the faults that are still to come."""
    return data.faults


@router.post("/faults", status_code=201)
async def add_fault(request: Request, data: Data) -> dict[str, Any]:
    """Let the next `count` calls fail with `status`, those whose method and path (a regular expression) fit.

    `retry_after` (seconds) becomes the header; `after` true does the work and then loses the answer; `drop` true
    breaks the connection.
    """
    fault = {"status": 503, "count": 1, "method": "", "path": "", "after": False, "drop": False} | await body_of(
        request
    )
    data.faults.append(fault)
    return fault


@router.delete("/faults")
async def clear_faults(data: Data) -> Response:
    """Forget every fault that has not happened yet."""
    data.faults.clear()
    return JSONResponse([])
