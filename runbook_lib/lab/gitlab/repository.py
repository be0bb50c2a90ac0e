"""The project, its settings, branches and environments, and the commits with what was said of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, Developer, JobReader, Known, Maintainer, Reporter
from .config import DEVELOPER, MAINTAINER
from .data import Commit, GitLabData, Note
from .errors import ApiError
from .http import base_url, body_of, page_of, required
from .views import commit_view, note_view, project_view

__all__ = ["find_commit", "router"]

router = APIRouter(prefix="/api/v4")
_ROLES = {0: "No one", DEVELOPER: "Developers + Maintainers", MAINTAINER: "Maintainers"}


@router.get("/projects/{project_id}")
async def project(project_id: str, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Answer the project; who may give variables to pipelines only a Maintainer sees."""
    view = project_view(data.config, base_url(request)) | data.rules.access
    if caller.user.access_level < MAINTAINER:
        return view
    return view | {
        "restrict_user_defined_variables": data.rules.restrict_variables,
        "ci_pipeline_variables_minimum_override_role": data.rules.variables_role,
    }


@router.get("/version")
async def version(_: Known) -> dict[str, str]:
    """Say what this would be."""
    return {"version": "18.0.0", "revision": "lab"}


def find_commit(data: GitLabData, sha: str) -> Commit:
    """A commit by its full or short id, or by a branch."""
    known = data.commits.get(data.refs.get(sha, sha))
    known = known or next((c for c in data.commits.values() if len(sha) >= 7 and c.sha.startswith(sha)), None)
    if known is None:
        raise ApiError.not_found("Commit")
    return known


@router.get("/projects/{project_id}/repository/commits/{sha}")
async def commit(project_id: str, sha: str, _: Reporter, data: Data) -> dict[str, Any]:
    """Answer a commit, by its full or short id or by a branch."""
    return commit_view(find_commit(data, sha))


@router.get("/projects/{project_id}/repository/compare")
async def compare(project_id: str, _: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """List the commits that `to` has and `from` has not, the oldest first; its differences the lab does not know."""
    old, new = (_reference(request, data, name) for name in ("from", "to"))
    before = {found.sha for found in data.history(old.sha)}
    commits = [commit_view(found) for found in reversed(data.history(new.sha)) if found.sha not in before]
    return {
        "commit": commits[-1] if commits else None,
        "commits": commits,
        "diffs": [],
        "compare_timeout": False,
        "compare_same_ref": old.sha == new.sha,
        "web_url": f"{base_url(request)}/{data.config.project.path}/-/compare/{old.sha}...{new.sha}",
    }


def _reference(request: Request, data: GitLabData, name: str) -> Commit:
    value = request.query_params.get(name, "")
    if not value:
        raise ApiError.missing(name)
    try:
        return find_commit(data, value)
    except ApiError as error:
        raise ApiError.not_found("Ref") from error


@router.get("/projects/{project_id}/repository/commits/{sha}/discussions")
async def discussions(project_id: str, sha: str, _: Reporter, request: Request, data: Data) -> Response:
    """List what was said of a commit, each comment in a discussion of its own."""
    notes = find_commit(data, sha).notes
    return page_of(request, [_discussion(note, base_url(request)) for note in notes])


@router.post("/projects/{project_id}/repository/commits/{sha}/discussions", status_code=201)
async def comment(project_id: str, sha: str, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Say something of a commit."""
    found, body, now = find_commit(data, sha), required(await body_of(request), "body"), data.now()
    note = Note(data.new_id(), caller.user, body, now, now)
    found.notes.append(note)
    return _discussion(note, base_url(request))


@router.put("/projects/{project_id}/repository/commits/{sha}/discussions/{discussion_id}/notes/{note_id}")
async def edit(project_id: str, caller: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Say something else instead: the writer may, and a Maintainer."""
    sha, number = request.path_params["sha"], request.path_params["note_id"]
    note = next((n for n in find_commit(data, sha).notes if str(n.id) == number), None)
    if note is None:
        raise ApiError.not_found("Note")
    if caller.user != note.author and caller.user.access_level < MAINTAINER:
        raise ApiError.forbidden()
    note.body, note.updated_at = required(await body_of(request), "body"), data.now()
    return note_view(note, base_url(request))


def _discussion(note: Note, base: str) -> dict[str, Any]:
    return {"id": f"{note.id:040x}", "individual_note": True, "notes": [note_view(note, base)]}


@router.get("/projects/{project_id}/repository/branches/{name:path}")
async def branch(project_id: str, name: str, _: Reporter, data: Data) -> dict[str, Any]:
    """Answer a branch: its head, and who may change it."""
    if name not in data.refs:
        raise ApiError.not_found("Branch")
    rule = data.rules.branches.get(name)
    return {
        "name": name,
        "merged": False,
        "protected": rule is not None,
        "default": name == data.config.project.branch,
        "developers_can_push": rule is None or 0 < rule["push"] <= DEVELOPER,
        "developers_can_merge": rule is None or 0 < rule["merge"] <= DEVELOPER,
        "commit": commit_view(data.commits[data.refs[name]]),
    }


def _levels(level: int) -> list[dict[str, Any]]:
    return [{"id": level + 1, "access_level": level, "access_level_description": _ROLES.get(level, str(level))}]


@router.get("/projects/{project_id}/protected_branches")
async def protected_branches(project_id: str, _: Maintainer, request: Request, data: Data) -> Response:
    """List the protected branches, with who may push to them and merge into them."""
    found = [
        {
            "id": number,
            "name": name,
            "push_access_levels": _levels(rule["push"]),
            "merge_access_levels": _levels(rule["merge"]),
            "allow_force_push": False,
        }
        for number, (name, rule) in enumerate(data.rules.branches.items(), start=1)
    ]
    return page_of(request, found)


@router.get("/projects/{project_id}/protected_environments/{name:path}")
async def protected_environment(project_id: str, name: str, _: Maintainer, data: Data) -> dict[str, Any]:
    """Say who may deploy to a protected environment; 404 for one that is not protected, as without Premium."""
    level = data.rules.environments.get(name)
    if level is None:
        raise ApiError.not_found()
    count = data.config.required_approvals
    return {"name": name, "deploy_access_levels": _levels(level), "required_approval_count": count}


@router.get("/projects/{project_id}/environments")
async def environments(project_id: str, _: JobReader, request: Request, data: Data) -> Response:
    """List the environments that were deployed to."""
    names = dict.fromkeys(d.environment for d in data.deployments.values())
    found = [{"id": n, "name": name, "state": "available"} for n, name in enumerate(names, start=1)]
    wanted = request.query_params.get("name")
    return page_of(request, [e for e in found if wanted in {None, e["name"]}])
