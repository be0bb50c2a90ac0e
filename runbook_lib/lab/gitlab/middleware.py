"""Before routing: project paths written as one segment, and the faults that were asked for."""

from __future__ import annotations

import json
import re
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .data import GitLabData

__all__ = ["Faults", "ProjectPaths", "ServerDate"]

_PROJECT = re.compile(r"^(/api/v4/projects/)([^/]+)(.*)$")


class ProjectPaths:
    """Let `/projects/platform%2Fnetwork-access/…` mean the project: the server has unquoted the slash already."""

    def __init__(self, app: ASGIApp, data: GitLabData) -> None:
        self.app = app
        self.data = data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path, then go on."""
        if scope["type"] == "http":
            found = _PROJECT.match(scope.get("raw_path", b"").decode("latin-1").partition("?")[0])
            if found and "/" in unquote(found[2]):
                project = self.data.config.project
                # 0 is the id of no project: one that isn't there and one that isn't seen get the same answer.
                number = project.id if unquote(found[2]) == project.path else 0
                scope["path"] = f"{found[1]}{number}{unquote(found[3])}"
        await self.app(scope, receive, send)


class ServerDate:
    """Date every answer by GitLab's own clock, which need not be this machine's."""

    def __init__(self, app: ASGIApp, data: GitLabData) -> None:
        self.app = app
        self.data = data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, and add the header to what comes back."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self.data.now(), usegmt=True).encode()
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"date"]
                message["headers"] = [*kept, (b"date", date)]
            await send(message)

        await self.app(scope, receive, dated)


class Faults:
    """Fail the next calls as `/lab/gitlab/faults` was told."""

    def __init__(self, app: ASGIApp, data: GitLabData) -> None:
        self.app = app
        self.data = data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fail if a fault fits this call, else go on."""
        fault = self._next(scope) if scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
            return
        if fault["after"]:
            await self.app(scope, receive, _swallow)
        await send({"type": "http.response.start", "status": fault["status"], "headers": _headers(fault)})
        # A body shorter than was announced makes the server break the connection.
        await send({"type": "http.response.body", "body": b"" if fault["drop"] else _body(fault)})

    def _next(self, scope: Scope) -> dict[str, Any] | None:
        if scope["path"].startswith("/lab/"):
            return None
        for fault in self.data.faults:
            if fault["method"] in {"", scope["method"]} and re.search(str(fault["path"]), scope["path"]):
                fault["count"] -= 1
                if fault["count"] <= 0:
                    self.data.faults.remove(fault)
                return fault
        return None


async def _swallow(_: Any) -> None:
    """The answer that the client will never see."""


_TEXTS = {429: b"Retry later\n", 502: b"<html><body>GitLab is not responding</body></html>"}


def _body(fault: dict[str, Any]) -> bytes:
    status = int(fault["status"])
    return _TEXTS.get(status) or json.dumps({"message": f"{status} Internal Server Error"}).encode()


def _headers(fault: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    kind = b"text/html" if fault["status"] in _TEXTS else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(_body(fault))).encode())]
    if "retry_after" in fault:
        headers.append((b"retry-after", str(fault["retry_after"]).encode()))
    return headers
