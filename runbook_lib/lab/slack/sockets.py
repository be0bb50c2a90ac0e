"""Socket Mode and interactivity: how clicks reach an app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
from fastapi import WebSocket, WebSocketDisconnect
from slack_sdk.signature import SignatureVerifier

from .config import SlackLabConfig
from .workspace import Json

__all__ = ["ACKNOWLEDGE_WITHIN", "Sockets", "send_signed"]

ACKNOWLEDGE_WITHIN = 3.0


@dataclass
class Sockets:
    """The Socket Mode connections. A ticket opens one of them, once."""

    tickets: set[str] = field(default_factory=set)
    connections: list[WebSocket] = field(default_factory=list)
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)

    def open(self, base: str) -> Json:
        """apps.connections.open."""
        ticket = secrets.token_urlsafe(16)
        self.tickets.add(ticket)
        return {"ok": True, "url": f"{base.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id=A0RUNBOOK"}

    async def serve(self, socket: WebSocket) -> None:
        """One connection: hello, then acknowledgements until it closes."""
        ticket = socket.query_params.get("ticket", "")
        if ticket not in self.tickets:
            await socket.close(code=1008)
            return
        self.tickets.discard(ticket)
        await socket.accept()
        self.connections.append(socket)
        hello = {"type": "hello", "num_connections": len(self.connections), "connection_info": {"app_id": "A0RUNBOOK"}}
        with contextlib.suppress(WebSocketDisconnect):
            await socket.send_json(hello)
            await self._acknowledgements(socket)
        self.connections.remove(socket)

    async def _acknowledgements(self, socket: WebSocket) -> None:
        while True:
            answer = json.loads(await socket.receive_text())
            future = self.waiting.pop(str(answer.get("envelope_id")), None)
            if future and not future.done():
                future.set_result(answer)

    async def deliver(self, payload: Json) -> bool:
        """Send one interaction to the newest connection; whether it was acknowledged in time."""
        envelope_id = secrets.token_hex(16)
        answered: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.waiting[envelope_id] = answered
        envelope = {"envelope_id": envelope_id, "type": "interactive", "accepts_response_payload": False}
        await self.connections[-1].send_json({**envelope, "payload": payload})
        try:
            await asyncio.wait_for(answered, ACKNOWLEDGE_WITHIN)
        except TimeoutError:
            self.waiting.pop(envelope_id, None)
            return False
        return True


async def send_signed(config: SlackLabConfig, payload: Json) -> bool:
    """POST one interaction to the app's address, signed as Slack signs it; whether it answered 200 in time."""
    body = urlencode({"payload": json.dumps(payload)})
    stamp = str(int(time.time()))
    signature = SignatureVerifier(config.signing_secret).generate_signature(timestamp=stamp, body=body) or ""
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    limit = aiohttp.ClientTimeout(total=ACKNOWLEDGE_WITHIN)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            session.post(config.interactivity_url, data=body) as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
