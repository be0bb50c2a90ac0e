"""Messages on their way: kept in the run folder until Slack has them, and where those are that it has."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import ChatError, MessageRefusedError
from ..models.messages import Message, MessageFile, OutboxEntry, Reference, Thread
from .store import RunStore

__all__ = ["Delivery", "Messenger", "Outbox"]

LEDGER = "slack.json"
FOLDER = "outbox"
REFUSED = "outbox/refused"


class Messenger(Protocol):
    """What the outbox needs of a chat: `Slack` is one. What fails is a ChatError."""

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        """Post a message; the same key twice makes one message."""

    def update(self, reference: Reference, message: Message) -> Reference:
        """Replace a message's content."""

    def upload(self, name: str, content: str, title: str = "", thread_ts: str | None = None) -> None:
        """Put a text into the thread as a file."""

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        """The message that was posted with this key."""

    def has_file(self, name: str, thread_ts: str | None = None) -> bool:
        """Whether a file of this name is in the thread."""


@dataclass(frozen=True)
class Delivery:
    """What one delivery did: keys sent, keys still waiting, keys that Slack will never take, and what went wrong."""

    sent: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    error: ChatError | None = None


class Outbox:
    """The outgoing messages of one run, oldest first: outbox/ holds what waits, slack.json says where the rest is.

    Nothing is lost: what Slack did not take stays a file, in outbox/refused/ if it never will. Nothing is sent twice
    either: Slack is given each entry's own id and, where the end of an earlier attempt is not known, asked for it.
    Only an incoming webhook, which can't be asked, may show a message again after a crash.

    With a `credential`, the one by which the chat is told, each file bears a mark that only its holder can make: what
    somebody else put there is set aside, and never sent.
    """

    def __init__(self, store: RunStore, credential: str = "") -> None:
        self._store = store
        self._credential = credential.encode()

    @property
    def references(self) -> dict[str, Reference]:
        """Where the messages that were sent are, by key."""
        ledger = self._store.read_model(LEDGER, Thread) if self._store.exists(LEDGER) else Thread()
        return dict(ledger.messages) if self._is_ours(ledger) else {}

    @property
    def waiting(self) -> tuple[OutboxEntry, ...]:
        """What Slack does not have yet, oldest first."""
        return tuple(self._read(relative) for relative in self._queue())

    def add(self, key: str, message: Message, thread: str = "", broadcast: bool = False) -> None:
        """Queue a message for the thread of the key `thread`, and its files; nothing happens for a key known."""
        plain = message.model_copy(update={"files": ()})
        if not self._known(key, "post"):
            self._write(OutboxEntry(key=key, kind="post", message=plain, thread=thread, broadcast=broadcast))
        for file in message.files:
            self.add_file(f"{key}/{file.name}", file, thread or key)

    def add_file(self, key: str, file: MessageFile, thread: str) -> None:
        """Queue a file for a thread; nothing happens for a key known."""
        if not self._known(key, "file"):
            self._write(OutboxEntry(key=key, kind="file", file=file, thread=thread))

    def add_update(self, key: str, message: Message) -> None:
        """Queue new content for the message of this key; it takes the place of an update that still waits."""
        entry = OutboxEntry(key=key, kind="update", message=message.model_copy(update={"files": ()}))
        self._write(entry, self._find(key, "update"))

    def deliver(self, slack: Messenger | None) -> Delivery:
        """Send what waits, oldest first, until a message fails; without Slack, everything goes on waiting."""
        sent: list[str] = []
        refused: list[str] = []
        error: ChatError | None = None
        for relative in self._queue() if slack else ():
            entry = self._read(relative)
            if not self._is_ours(entry):
                error = error or MessageRefusedError(
                    f"{relative} was put there by nobody who may tell {self._store.run_id}'s channel, and was not sent",
                    "Find out which job left it.",
                )
                refused.append(entry.key)
                self._set_aside(relative)
                continue
            try:
                self._send(slack, relative, entry)
                sent.append(entry.key)
            except MessageRefusedError as refusal:
                error = error or refusal
                refused.append(entry.key)
                self._set_aside(relative)
            except ChatError as failure:
                error = error or failure
                if entry.kind == "post":
                    break
                # A file or a renewed board may wait; what is told after it must not.
        return Delivery(tuple(sent), tuple(entry.key for entry in self.waiting), tuple(refused), error)

    def _send(self, slack: Messenger | None, relative: str, entry: OutboxEntry) -> None:
        if slack is None:
            return
        if entry.kind == "update":
            self._update(slack, entry)
        elif entry.key not in self.references:
            parent = self._parent(entry)
            reference = _arrived(slack, entry, parent) if entry.tried else None
            if reference is None:
                self._keep(relative, entry.model_copy(update={"tried": True}))
                reference = _hand_over(slack, entry, parent)
            self._keep(LEDGER, Thread(messages=self.references | {entry.key: reference}))
        self._store.path(relative).unlink(missing_ok=True)

    def _update(self, slack: Messenger, entry: OutboxEntry) -> None:
        reference = self.references.get(entry.key)
        if reference and entry.message:
            slack.update(reference, entry.message)

    def _parent(self, entry: OutboxEntry) -> str | None:
        reference = self.references.get(entry.thread) if entry.thread else None
        return (reference.ts or None) if reference else None

    def _set_aside(self, relative: str) -> None:
        path = self._store.path(relative)
        target = self._store.path(f"{REFUSED}/{path.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)

    def _known(self, key: str, kind: str) -> bool:
        return key in self.references or bool(self._find(key, kind))

    def _find(self, key: str, kind: str) -> str:
        for relative in self._queue():
            entry = self._read(relative)
            if (entry.key, entry.kind) == (key, kind) and self._is_ours(entry):
                return relative
        return ""

    def _write(self, entry: OutboxEntry, relative: str = "") -> None:
        if not relative:
            # Those set aside count too: no file ever takes the name of another.
            taken = [int(path.name[:6]) for path in self._folder().rglob("[0-9]*.json")]
            name = re.sub(r"[^A-Za-z0-9]+", "-", entry.key)[:40].strip("-")
            relative = f"{FOLDER}/{max(taken, default=0) + 1:06d}-{name}-{entry.kind}.json"
        self._keep(relative, entry)

    def _keep(self, relative: str, model: OutboxEntry | Thread) -> None:
        self._store.write_json(relative, model)
        if self._credential:
            # Of what lies there, with its secrets masked.
            kept = self._store.read_model(relative, type(model))
            self._store.write_json(relative, kept.model_copy(update={"mark": self._mark(kept)}))

    def _mark(self, model: OutboxEntry | Thread) -> str:
        text = f"{self._store.run_id}\n{model.model_copy(update={'mark': ''}).model_dump_json()}"
        return hmac.new(self._credential, text.encode(), "sha256").hexdigest()

    def _is_ours(self, model: OutboxEntry | Thread) -> bool:
        return not self._credential or hmac.compare_digest(model.mark, self._mark(model))

    def _read(self, relative: str) -> OutboxEntry:
        return self._store.read_model(relative, OutboxEntry)

    def _folder(self) -> Path:
        return self._store.path(FOLDER)

    def _queue(self) -> list[str]:
        return [f"{FOLDER}/{path.name}" for path in sorted(self._folder().glob("[0-9]*.json"))]


def _arrived(slack: Messenger, entry: OutboxEntry, parent: str | None) -> Reference | None:
    if entry.file:
        return Reference() if slack.has_file(entry.file.name, parent) else None
    return slack.find(entry.id, parent)


def _hand_over(slack: Messenger, entry: OutboxEntry, parent: str | None) -> Reference:
    if entry.file:
        slack.upload(entry.file.name, entry.file.content, entry.file.title, parent)
        return Reference()
    message = entry.message or Message(text=entry.key)
    try:
        return slack.post(message, parent, entry.broadcast, entry.id)
    except MessageRefusedError as refusal:
        if refusal.code == "thread_not_found":
            # Somebody deleted the thread; its news must still be read.
            return slack.post(message, None, False, entry.id)
        if refusal.code in {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}:
            return slack.post(Message(text=message.text), parent, entry.broadcast, entry.id)
        raise
