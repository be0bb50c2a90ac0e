"""Socket Mode: how clicks and dialogs reach an app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from dataclasses import dataclass, field

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict

from .config import TEAM, SlackUser
from .errors import SlackRefusal
from .workspace import Json, Workspace

__all__ = ["Click", "Sockets", "Submission"]

ACKNOWLEDGE_WITHIN = 3.0
TRIGGER_LASTS = 3.0
APP = "A0RUNBOOK"


class Click(BaseModel):
    """A click on a button of a message, by a person of the workspace; `again` delivers it a second time."""

    model_config = ConfigDict(extra="forbid")

    message_ts: str
    action_id: str
    user: str
    again: bool = False


class Submission(BaseModel):
    """What a person fills into the dialog that they were shown last; `again` delivers it a second time."""

    model_config = ConfigDict(extra="forbid")

    user: str
    values: dict[str, str] = {}
    again: bool = False


@dataclass
class Sockets:
    """The Socket Mode connections, and the dialogs that are open. A ticket opens one connection, once."""

    workspace: Workspace
    tickets: set[str] = field(default_factory=set)
    connections: list[WebSocket] = field(default_factory=list)
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)
    triggers: dict[str, tuple[str, float]] = field(default_factory=dict)
    dialogs: dict[str, Json] = field(default_factory=dict)
    whispers: list[Json] = field(default_factory=list)

    def open(self, base: str) -> Json:
        """apps.connections.open."""
        ticket = secrets.token_urlsafe(16)
        self.tickets.add(ticket)
        return {"ok": True, "url": f"{base.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={APP}"}

    async def serve(self, socket: WebSocket) -> None:
        """One connection: hello, then acknowledgements until it closes."""
        ticket = socket.query_params.get("ticket", "")
        if ticket not in self.tickets:
            await socket.close(code=1008)
            return
        self.tickets.discard(ticket)
        await socket.accept()
        self.connections.append(socket)
        hello = {"type": "hello", "num_connections": len(self.connections), "connection_info": {"app_id": APP}}
        with contextlib.suppress(WebSocketDisconnect):
            await socket.send_json(hello)
            while True:
                answer = json.loads(await socket.receive_text())
                future = self.waiting.pop(str(answer.get("envelope_id")), None)
                if future and not future.done():
                    future.set_result(answer.get("payload") or {})
        self.connections.remove(socket)

    async def deliver(self, payload: Json) -> bool:
        """Send one payload to the newest connection; whether there is one, and it acknowledged in time."""
        return await self._answered(payload) is not None

    async def _answered(self, payload: Json) -> Json | None:
        """The same, with what was said to it; None where nobody said anything."""
        if not self.connections:
            return None
        envelope_id = secrets.token_hex(16)
        answered: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.waiting[envelope_id] = answered
        envelope = {"envelope_id": envelope_id, "type": "interactive", "accepts_response_payload": True}
        await self.connections[-1].send_json({**envelope, "payload": payload})
        try:
            return await asyncio.wait_for(answered, ACKNOWLEDGE_WITHIN)
        except TimeoutError:
            self.waiting.pop(envelope_id, None)
            return None

    async def click(self, click: Click) -> bool | None:
        """Deliver a click; None where there is no such button or person."""
        user, message = self._user(click.user), self.workspace.home.find(click.message_ts)
        button = next((b for b in _buttons(message or {}) if b.get("action_id") == click.action_id), None)
        if user is None or message is None or button is None:
            return None
        config = self.workspace.config
        payload = self._payload("block_actions", user) | {
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": config.channel_id},
            "channel": {"id": config.channel_id, "name": config.channel},
            "message": message,
            "state": {"values": {}},
            "response_url": "https://hooks.slack.invalid/actions/none",
            "actions": [{**button, "action_ts": self.workspace.next_ts()}],
        }
        done = await self.deliver(payload)
        return await self.deliver(payload) if click.again else done

    async def submit(self, submission: Submission) -> bool | None:
        """Deliver what somebody filled in; None where they were shown no dialog, or left out what it asks for.

        The app says what becomes of the dialog: it closes, shows something else, or stays open with what is wrong. It
        stays open too where nobody answers.
        """
        user = self._user(submission.user)
        view = self.dialogs.get(user.id) if user else None
        if user is None or view is None or not view.get("submit"):
            return None
        inputs = [block for block in view["blocks"] if block["type"] == "input"]
        if any(not block.get("optional") and not submission.values.get(block["block_id"]) for block in inputs):
            # Slack itself keeps the dialog open.
            return None
        values = {
            block["block_id"]: {
                block["element"]["action_id"]: {
                    "type": "plain_text_input",
                    "value": submission.values.get(block["block_id"]),
                }
            }
            for block in inputs
        }
        payload = self._payload("view_submission", user) | {
            "view": {**view, "state": {"values": values}},
            "response_urls": [],
        }
        said = await self._answered(payload)
        if submission.again:
            said = await self._answered(payload)
        if said is None:
            return False
        action = said.get("response_action")
        if action == "update":
            self.dialogs[user.id] = _shown(said["view"], str(view["id"]))
        elif action == "errors":
            self.dialogs[user.id] = {**view, "errors": said["errors"]}
        else:
            self.dialogs.pop(user.id, None)
        return True

    def open_view(self, trigger: str, view: Json) -> Json:
        """views.open: the dialog of who clicked, while the click is young."""
        user, until = self.triggers.pop(trigger, ("", 0.0))
        if not user:
            raise SlackRefusal("invalid_trigger_id")
        if self.workspace.clock() > until:
            raise SlackRefusal("expired_trigger_id")
        made = _shown(view, f"V{secrets.token_hex(5).upper()}")
        self.dialogs[user] = made
        return {"ok": True, "view": made}

    def update_view(self, number: str, view: Json) -> Json:
        """views.update: something else in a dialog that is open."""
        user = next((user for user, shown in self.dialogs.items() if shown["id"] == number), None)
        if user is None:
            raise SlackRefusal("not_found")
        made = self.dialogs[user] = _shown(view, number)
        return {"ok": True, "view": made}

    def whisper(self, channel: str, user: str, text: str) -> Json:
        """chat.postEphemeral: what one person alone is shown."""
        if not text.strip():
            raise SlackRefusal("no_text")
        if self._user(user) is None:
            raise SlackRefusal("user_not_in_channel")
        self.whispers.append({"channel": channel, "user": user, "text": text})
        return {"ok": True, "message_ts": self.workspace.next_ts()}

    def _user(self, given: str) -> SlackUser | None:
        return next((user for user in self.workspace.config.users if given in {user.id, user.name}), None)

    def _payload(self, kind: str, user: SlackUser) -> Json:
        trigger = secrets.token_hex(12)
        self.triggers[trigger] = (user.id, self.workspace.clock() + TRIGGER_LASTS)
        return {
            "type": kind,
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": TEAM},
            "team": {"id": TEAM, "domain": "runbook"},
            "api_app_id": APP,
            "token": "unused",
            "trigger_id": trigger,
            "enterprise": None,
            "is_enterprise_install": False,
        }


def _shown(view: Json, number: str) -> Json:
    """The dialog that Slack shows, if it takes it: what asks for something needs a button to give it."""
    title, submit, blocks = (view.get(name) or {} for name in ("title", "submit", "blocks"))
    labels = [title.get("text", ""), *([submit.get("text", "")] if submit else [])]
    asks = any(block.get("type") == "input" for block in blocks)
    if view.get("type") != "modal" or any(not 0 < len(label) < 25 for label in labels) or (asks and not submit):
        raise SlackRefusal("invalid_arguments")
    if len(view.get("private_metadata", "")) > 3000 or not 0 < len(blocks) <= 100:
        raise SlackRefusal("invalid_arguments")
    return {"id": number, "team_id": TEAM, "hash": secrets.token_hex(8), **view}


def _buttons(message: Json) -> list[Json]:
    blocks = [block for block in message.get("blocks", []) if block["type"] == "actions"]
    return [{**element, "block_id": block["block_id"]} for block in blocks for element in block["elements"]]
