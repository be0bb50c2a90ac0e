"""POST /api/<method>, uploads and incoming webhooks: what a program calls."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from . import chat, conversations, files
from .call import Call, read_arguments
from .errors import RateLimitedError, SlackRefusal
from .faults import Fault, Faults
from .limits import check_blocks
from .sockets import Sockets
from .workspace import File, Json, Workspace

__all__ = ["WebApi"]

Method = Callable[[Call], Json]
METHODS: dict[str, tuple[str, Method]] = {
    "auth.test": ("", conversations.auth_test),
    "chat.postMessage": ("chat:write", chat.post_message),
    "chat.update": ("chat:write", chat.update),
    "conversations.history": ("", conversations.history),
    "conversations.info": ("", conversations.describe_channel),
    "conversations.list": ("", conversations.list_channels),
    "conversations.replies": ("", conversations.replies),
    "files.completeUploadExternal": ("files:write", files.complete_upload),
    "files.getUploadURLExternal": ("files:write", files.get_upload_url),
    "files.info": ("files:read", files.file_info),
    "users.conversations": ("", conversations.list_own_channels),
}
# What an incoming webhook answers in, by the word; 400 for the others.
WEBHOOK_STATUS = {
    "action_prohibited": 403,
    "invalid_token": 403,
    "posting_to_general_channel_denied": 403,
    "team_disabled": 403,
    "channel_not_found": 404,
    "no_active_hooks": 404,
    "no_service": 404,
    "no_service_id": 404,
    "no_team": 404,
    "channel_is_archived": 410,
    "rollup_error": 500,
}


@dataclass(frozen=True)
class WebApi:
    """The routes of the Web API over one workspace."""

    workspace: Workspace
    faults: Faults
    sockets: Sockets

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_api_route("/api/{method}", self.call, methods=["GET", "POST"])
        router.add_api_route("/upload/v1/{ticket}", self.upload, methods=["POST"])
        router.add_api_route("/services/{secret:path}", self.webhook, methods=["POST"])
        return router

    async def call(self, method: str, request: Request) -> Response:
        """One method of the Web API."""
        headers = {"x-oauth-scopes": ",".join(self.workspace.config.scopes), "x-slack-req-id": secrets.token_hex(16)}
        fault = self.faults.take(method)
        if fault and not fault.after:
            return _struck(fault, headers)
        self.workspace.settle()
        try:
            body = self._carry_out(method, await read_arguments(request), request)
        except SlackRefusal as refusal:
            body = refusal.body
        except RateLimitedError as limited:
            return _too_many(limited.retry_after, headers)
        return _struck(fault, headers) if fault else JSONResponse(body, headers=headers)

    def _carry_out(self, method: str, arguments: Json, request: Request) -> Json:
        base = str(request.base_url).rstrip("/")
        token = _bearer(request) or str(arguments.pop("token", ""))
        self._authenticate(token, app_level=method == "apps.connections.open")
        if method == "apps.connections.open":
            return self.sockets.open(base)
        if method in {"views.open", "views.update", "chat.postEphemeral"}:
            return self._to_one(method, Call(self.workspace, arguments, base))
        if method not in METHODS:
            raise SlackRefusal("unknown_method", req_method=method)
        scope, carry_out = METHODS[method]
        call = Call(self.workspace, arguments, base)
        if scope:
            call.needs(scope)
        if carry_out is files.complete_upload:
            return files.complete_upload(call, lost=self.faults.take("share", exactly=True) is not None)
        return carry_out(call)

    def _to_one(self, method: str, call: Call) -> Json:
        """What one person is shown."""
        if method == "chat.postEphemeral":
            call.needs("chat:write")
            channel = self.workspace.channel(call.need("channel", "channel_not_found"))
            return self.sockets.whisper(channel.id, call.need("user"), str(call.get("text")))
        try:
            given = call.get("view")
            view = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            raise SlackRefusal("invalid_arguments") from None
        if not isinstance(view, dict):
            raise SlackRefusal("invalid_arguments")
        if method == "views.update":
            return self.sockets.update_view(call.need("view_id"), view)
        return self.sockets.open_view(call.need("trigger_id"), view)

    def _authenticate(self, token: str, *, app_level: bool) -> None:
        config = self.workspace.config
        if not token:
            raise SlackRefusal("not_authed")
        if not _same(token, config.app_token if app_level else config.bot_token):
            known = _same(token, config.bot_token) or _same(token, config.app_token)
            raise SlackRefusal("not_allowed_token_type" if known else "invalid_auth")

    async def upload(self, ticket: str, request: Request) -> Response:
        """The bytes of a file; its secret address is the right to send them, so a token has no business here."""
        fault = self.faults.take("upload")
        if fault and not fault.after:
            return _struck(fault, {})
        file = next((f for f in self.workspace.files.values() if _same(f.ticket, ticket)), None)
        if file is None or request.headers.get("authorization"):
            return PlainTextResponse("invalid_upload_url", status_code=403)
        return await _received(file, request)

    async def webhook(self, secret: str, request: Request) -> Response:
        """An incoming webhook: answers in plain text, posts to the one channel."""
        fault = self.faults.take("webhook")
        if fault and not fault.after:
            return _struck(fault, {}, plain=True)
        if not _same(f"/services/{secret}", self.workspace.config.webhook_path):
            return _said("no_service")
        try:
            self._from_webhook(await request.body())
        except SlackRefusal as refusal:
            return _said(refusal.code)
        except RateLimitedError as limited:
            return _too_many(limited.retry_after, {})
        return _struck(fault, {}, plain=True) if fault else PlainTextResponse("ok")

    def _from_webhook(self, body: bytes) -> None:
        try:
            payload: Any = json.loads(body)
        except ValueError:
            raise SlackRefusal("invalid_payload") from None
        if not isinstance(payload, dict):
            raise SlackRefusal("invalid_payload")
        if self.workspace.home.is_archived:
            raise SlackRefusal("channel_is_archived")
        blocks = check_blocks(payload.get("blocks") or [])
        text = str(payload.get("text") or "")
        if not text.strip() and not blocks:
            raise SlackRefusal("no_text")
        self.workspace.admit(self.workspace.home)
        content = {"text": text, "subtype": "bot_message"} | ({"blocks": blocks} if blocks else {})
        self.workspace.post(self.workspace.home, content)


def _same(one: str, other: str) -> bool:
    return bool(one) and secrets.compare_digest(one.encode(), other.encode())


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def _received(file: File, request: Request) -> Response:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        parts = [part for part in (await request.form()).values() if not isinstance(part, str)]
        content = await parts[0].read() if parts else b""
    else:
        content = await request.body()
    if len(content) != file.length:
        return PlainTextResponse("length mismatch", status_code=400)
    file.content = content
    return PlainTextResponse(f"OK - {len(content)}")


def _struck(fault: Fault, headers: dict[str, str], *, plain: bool = False) -> Response:
    if fault.status == 429:
        return _too_many(fault.retry_after, headers)
    if fault.status != 200:
        return PlainTextResponse("upstream failure", status_code=fault.status, headers=headers)
    if plain:
        return _said(fault.error)
    needed = {"needed": fault.needed, "provided": ""} if fault.needed else {}
    return JSONResponse({"ok": False, "error": fault.error or "internal_error", **needed}, headers=headers)


def _said(word: str) -> Response:
    return PlainTextResponse(word, status_code=WEBHOOK_STATUS.get(word, 400))


def _too_many(retry_after: int, headers: dict[str, str]) -> Response:
    body = {"ok": False, "error": "ratelimited"}
    return JSONResponse(body, status_code=429, headers={"Retry-After": str(retry_after), **headers})
