"""The page's other half: GitLab's pipelines as they are, and the approver's answer to them."""

from __future__ import annotations

from typing import Any, Literal

import aiohttp
from pydantic import BaseModel, ConfigDict

from .config import SlackLabConfig
from .workspace import Json

__all__ = ["Answer", "approve", "read_pipelines"]

TIMEOUT = aiohttp.ClientTimeout(total=10)


class Answer(BaseModel):
    """What the approver does with a manual job."""

    model_config = ConfigDict(extra="forbid")

    job_id: int
    decision: Literal["approve", "reject"] = "approve"
    reason: str = ""


async def read_pipelines(config: SlackLabConfig) -> Json:
    """`{"pipelines": […]}`, or what keeps GitLab from telling, in `pipelines_error`."""
    if not config.gitlab_url:
        return {"pipelines": []}
    try:
        url = f"{config.gitlab_url.rstrip('/')}/lab/gitlab/pipelines"
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, session.get(url) as answer:
            content = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return {"pipelines": [], "pipelines_error": f"GitLab does not answer ({type(error).__name__})"}
    return {"pipelines": content if isinstance(content, list) else content.get("pipelines", [])}


async def approve(config: SlackLabConfig, answer: Answer) -> tuple[int, Json]:
    """Play the manual job as the approver; GitLab's status and a body for the page."""
    if not config.gitlab_url or not config.approver_token:
        return 409, {"error": "The lab has no GitLab, or no approver, to answer with."}
    url = f"{config.gitlab_url.rstrip('/')}/api/v4/projects/{config.gitlab_project}/jobs/{answer.job_id}/play"
    headers = {"PRIVATE-TOKEN": config.approver_token}
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, headers=headers) as session,
            session.post(url, json=_variables(answer)) as response,
        ):
            body: Any = await response.json(content_type=None)
            status = response.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return 502, {"error": f"GitLab does not answer ({type(error).__name__})"}
    if status >= 400:
        return status, {"error": str(body.get("message") or body.get("error") or body)}
    return 200, {"job": body, "decision": answer.decision}


def _variables(answer: Answer) -> Json:
    # A manual job can only be played. So a rejection is played too, and says so to the job in a variable.
    if answer.decision == "approve":
        return {}
    told = {"RUNBOOK_DECISION": "reject", "RUNBOOK_REASON": answer.reason}
    return {"job_variables_attributes": [{"key": key, "value": value} for key, value in told.items() if value]}
