"""How the lab's GitLab is set up differently: settings, addresses, its clock, what was deployed before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request

from .auth import Data
from .config import JobSpec
from .data import Deployment, GitLabData, Job, Pipeline
from .errors import ApiError
from .http import body_of, required

__all__ = ["router"]

router = APIRouter(prefix="/lab/gitlab")


@router.post("/settings")
async def settings(request: Request, data: Data) -> dict[str, Any]:
    """Change the project's settings; what is not named stays, and the answer has all.

    `restrict_user_defined_variables`, `ci_pipeline_variables_minimum_override_role`, `protected_branches` (a name's
    `{"push": level, "merge": level}`) and `protected_environments` (a name's level); null takes the protection away, as
    it does one of the project's `variables`. `access` is who can open the project (`visibility`) and its pages.
    """
    body, rules = await body_of(request), data.rules
    rules.restrict_variables = bool(body.get("restrict_user_defined_variables", rules.restrict_variables))
    rules.variables_role = str(body.get("ci_pipeline_variables_minimum_override_role", rules.variables_role))
    _put(rules.branches, body.get("protected_branches") or {})
    _put(rules.environments, body.get("protected_environments") or {})
    _put(rules.variables, body.get("variables") or {})
    _put(rules.access, body.get("access") or {})
    return {
        "restrict_user_defined_variables": rules.restrict_variables,
        "ci_pipeline_variables_minimum_override_role": rules.variables_role,
        "protected_branches": rules.branches,
        "protected_environments": rules.environments,
        "variables": rules.variables,
        "access": rules.access,
    }


def _put(known: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            known.pop(name, None)
        else:
            known[name] = value


@router.post("/users/{username}")
async def user(username: str, request: Request, data: Data) -> dict[str, str]:
    """Change what address a user lets others see: `public_email`, empty for none."""
    if username not in data.public_emails:
        raise ApiError.not_found("User")
    data.public_emails[username] = str((await body_of(request)).get("public_email") or "")
    return {"username": username, "public_email": data.public_emails[username]}


@router.post("/clock")
async def clock(request: Request, data: Data) -> dict[str, float]:
    """Let GitLab's clock be ahead of this machine's by `ahead_seconds`, or behind by a negative number."""
    data.ahead = timedelta(seconds=float((await body_of(request)).get("ahead_seconds") or 0))
    return {"ahead_seconds": data.ahead.total_seconds()}


@router.post("/deployments", status_code=201)
async def deployed(request: Request, data: Data) -> dict[str, Any]:
    """Let a commit have been deployed by an earlier pipeline: `environment`, `sha`, and `user`, `ref`, `job`."""
    body = await body_of(request)
    found = _deployment(data, body, required(body, "environment"), required(body, "sha"))
    data.deployments[found.id] = found
    return {"id": found.id}


def _deployment(data: GitLabData, body: dict[str, Any], environment: str, sha: str) -> Deployment:
    who = data.config.user(str(body.get("user") or "alex"))
    if who is None:
        raise ApiError.bad_request(f"no user {body.get('user')}")
    now, ref = data.now(), str(body.get("ref") or data.config.project.branch)
    pipeline = Pipeline(data.new_id(), sha, ref, who, now, now)
    spec = JobSpec(str(body.get("job") or "apply"), "deploy", when="manual", environment=environment)
    job = Job(data.new_id(), pipeline, spec, who, now, str(body.get("status") or "success"), now, now, now)
    return Deployment(data.new_id(), job, environment, now)
