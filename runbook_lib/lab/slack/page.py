"""The lab's page, and the JSON behind it: what a person sees and does, and what a test asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from .config import BOT_USER
from .faults import Fault, Faults
from .pipeline import Answer, approve, read_pipelines
from .sockets import Click, Sockets, Submission
from .workspace import Channel, Json, Workspace

__all__ = ["ChannelChange", "Page"]

STATIC = Path(__file__).parent / "static"
# Texts come from outside: should the page's escaping ever fail, the browser still runs no script but ours.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class ChannelChange(BaseModel):
    """What becomes of a channel; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    is_archived: bool | None = None
    is_private: bool | None = None
    is_member: bool | None = None


@dataclass(frozen=True)
class Page:
    """The routes of the page over one workspace."""

    workspace: Workspace
    faults: Faults
    sockets: Sockets

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route("/", self.index, methods=["GET"])
        router.add_api_route("/static/{name}", self.static, methods=["GET"])
        router.add_api_route("/lab/slack/messages", self.messages, methods=["GET"])
        router.add_api_route("/lab/slack/messages/{ts}", self.delete, methods=["DELETE"])
        router.add_api_route("/lab/slack/channels/{channel}", self.change_channel, methods=["POST"])
        router.add_api_route("/lab/slack/view", self.view, methods=["GET"])
        router.add_api_route("/lab/slack/files/{file_id}", self.file, methods=["GET"])
        router.add_api_route("/lab/slack/faults", self.add_fault, methods=["POST"])
        router.add_api_route("/lab/slack/faults", self.list_faults, methods=["GET"])
        router.add_api_route("/lab/slack/faults", self.clear_faults, methods=["DELETE"])
        router.add_api_route("/lab/slack/click", self.click, methods=["POST"])
        router.add_api_route("/lab/slack/submit", self.submit, methods=["POST"])
        router.add_api_route("/lab/slack/shown/{user}", self.shown, methods=["GET"])
        router.add_api_route("/lab/approve", self.approve, methods=["POST"])
        return router

    async def index(self) -> Response:
        """The page."""
        return FileResponse(STATIC / "page.html", headers=HEADERS)

    async def static(self, name: str) -> Response:
        """Scripts and styles."""
        known = {path.name: path for path in STATIC.iterdir()}
        if name not in known:
            raise HTTPException(404)
        return FileResponse(known[name], headers=HEADERS)

    async def messages(self, channel: str = "") -> Json:
        """The messages of a channel, threads folded into `replies`, oldest first."""
        self.workspace.settle()
        found = self._channel(channel or self.workspace.home.id)
        parents = [m for m in found.messages if m.get("thread_ts", m["ts"]) == m["ts"]]
        threads = [{**parent, "replies": found.replies(parent["ts"])} for parent in parents]
        return {"channel": {"id": found.id, "name": found.name}, "messages": threads}

    async def delete(self, ts: str) -> Json:
        """Delete a message of the home channel, as somebody may in Slack."""
        if not self.workspace.home.delete(ts):
            raise HTTPException(404)
        return {"deleted": ts}

    async def change_channel(self, channel: str, change: ChannelChange) -> Json:
        """Give a channel a new name, archive it, make it private, put the app in or out; made if there is none."""
        channels = self.workspace.channels
        found = channels.setdefault(channel, Channel(channel, channel.lower(), is_member=False))
        for name, value in change.model_dump(exclude_none=True).items():
            setattr(found, name, value)
        return {"id": found.id, "name": found.name, **change.model_dump()}

    def _channel(self, given: str) -> Channel:
        found = [c for c in self.workspace.channels.values() if given.removeprefix("#") in {c.id, c.name}]
        if not found:
            raise HTTPException(404)
        return found[0]

    async def view(self) -> Json:
        """All that the page shows, in one answer."""
        config = self.workspace.config
        users = {user.id: {"name": user.name, "real_name": user.real_name} for user in config.users}
        users[BOT_USER] = {"name": "runbook", "real_name": "Runbook"}
        names = [channel.name for channel in self.workspace.channels.values()]
        about = {"users": users, "channels": names, "approver": config.approver if config.approver_token else ""}
        return {**await self.messages(), **about, **await read_pipelines(config)}

    async def file(self, file_id: str) -> Response:
        """The whole text of an uploaded file."""
        found = self.workspace.files.get(file_id)
        if found is None:
            raise HTTPException(404)
        return Response(found.content or b"", media_type="text/plain; charset=utf-8", headers=HEADERS)

    async def add_fault(self, fault: Fault) -> Json:
        """Order a failure."""
        self.faults.waiting.append(fault)
        return {"waiting": len(self.faults.waiting)}

    async def list_faults(self) -> Json:
        """The failures that have not struck yet."""
        return {"faults": [fault.model_dump() for fault in self.faults.waiting]}

    async def clear_faults(self) -> Json:
        """Forget the failures that have not struck yet."""
        self.faults.waiting.clear()
        return {"faults": []}

    async def click(self, click: Click) -> Json:
        """A click on a message's button: whether the app acknowledged it in time."""
        done = await self.sockets.click(click)
        if done is None:
            raise HTTPException(404, "no such button or person")
        return {"acknowledged": done}

    async def submit(self, submission: Submission) -> Json:
        """A dialog that somebody has filled in: whether the app acknowledged it in time."""
        done = await self.sockets.submit(submission)
        if done is None:
            raise HTTPException(404, "no dialog is open, or it is not filled in")
        return {"acknowledged": done}

    async def shown(self, user: str) -> Json:
        """What one person alone was shown: the dialog, and the messages to them."""
        whispers = [whisper["text"] for whisper in self.sockets.whispers if whisper["user"] == user]
        return {"dialog": self.sockets.dialogs.get(user), "messages": whispers}

    async def approve(self, answer: Answer) -> Response:
        """The page's approve and reject buttons: the approver's own call of GitLab's API."""
        status, body = await asyncio.wait_for(approve(self.workspace.config, answer), timeout=15)
        return JSONResponse(body, status_code=status)
