"""Messages on their way: kept in the run folder until Slack has them, and where those are that it has."""

from __future__ import annotations

import contextlib
import hmac
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import ChatError, ChatSilentError, InputError, MessageDoubtedError, MessageRefusedError, UsageError
from ..models.messages import Message, MessageFile, OutboxEntry, Reference, Thread
from .store import RunStore

__all__ = ["Delivery", "Messenger", "Outbox"]

LEDGER = "slack.json"
FOLDER = "outbox"
REFUSED = "outbox/refused"
_NUMBER = "[0-9]" * 6
_NOBODY = "nobody"  # no mark that is ever made


class Messenger(Protocol):
    """What the outbox needs of a chat: `Slack` is one. What fails is a ChatError.

    `channel` is where the settings send messages to.
    """

    channel: str

    def resume(self, thread: Thread) -> None:
        """Go on where the run's last delivery ended."""

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        """Post a message, with a key by which it can be found; the reference says whether it became a reply."""

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

    A message that was deleted, as a thread's parent may be, is posted anew when it is to change; a reply to it becomes
    a message of the channel's own, and the next message of the parent's key begins another thread.

    With a `credential`, the one by which the chat is told, each file bears a mark that only its holder can make: what
    somebody else put there is set aside, and never sent. So is what is no message at all, with or without a credential.

    With a `source`, a name of the run's that no other run has, the chat is asked for each message before it is sent:
    for who tells a run of which no later process sees the folder, and may have told it before.
    """

    def __init__(self, store: RunStore, credential: str = "", source: str = "") -> None:
        self._store = store
        self._credential = credential.encode()
        self._source = source

    @property
    def references(self) -> dict[str, Reference]:
        """Where the messages that were sent are, by key."""
        return dict(self._ledger().messages)

    def _ledger(self) -> Thread:
        try:
            ledger = self._store.read_model(LEDGER, Thread)
        except (InputError, UsageError):
            return Thread()  # none yet, or nothing that we wrote
        return ledger if self._is_ours(ledger) else Thread()

    @property
    def waiting(self) -> tuple[OutboxEntry, ...]:
        """What Slack does not have yet, oldest first."""
        return tuple(self._read(relative) for relative in self._queue())

    @property
    def known(self) -> tuple[str, ...]:
        """The keys of the messages that were sent, and of those that still wait to be."""
        waiting = (entry.key for entry in self.waiting if entry.kind == "post" and self._is_ours(entry))
        return tuple(dict.fromkeys((*self.references, *waiting)))

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
        """Send what waits, oldest first, until a message fails; without Slack, everything goes on waiting.

        What Slack refuses for good is set aside, and what waits behind it goes on. So is what it refuses a second time
        in a word that nobody explained.
        """
        sent: list[str] = []
        refused: list[str] = []
        error: ChatError | None = None
        if slack:
            slack.resume(self._ledger())
        for relative in self._queue() if slack else ():
            entry = self._read(relative)
            if not self._at(relative).exists():
                continue  # another process has sent it meanwhile
            try:
                self._check(relative, entry)
                self._send(slack, relative, entry)
                sent.append(entry.key)
            except (MessageRefusedError, MessageDoubtedError) as refusal:
                error = error or refusal
                if isinstance(refusal, MessageDoubtedError) and not entry.doubted:
                    self._keep(relative, self._read(relative).model_copy(update={"doubted": True}))
                    if entry.kind == "post" and not entry.thread:
                        break
                    continue
                refused.append(entry.key)
                self._set_aside(relative)
            except ChatError as failure:
                error = error or failure
                if isinstance(failure, ChatSilentError):
                    self._keep(LEDGER, self._ledger().model_copy(update={"silent": True}))
                    break
                if entry.kind == "post":
                    break
                # A file or a renewed board may wait; what is told after it must not.
        return Delivery(tuple(sent), tuple(entry.key for entry in self.waiting), tuple(refused), error)

    def _check(self, relative: str, entry: OutboxEntry) -> None:
        if not self._is_ours(entry):
            raise MessageRefusedError(
                f"{relative} was put there by nobody who may tell {self._store.run_id}'s channel, and was not sent",
                "Find out which job left it.",
            )

    def _send(self, slack: Messenger | None, relative: str, entry: OutboxEntry) -> None:
        if slack is None:
            return
        done = self._update(slack, entry) if entry.kind == "update" else entry.key in self.references
        if not done:
            self._send_new(slack, relative, entry)
        self._at(relative).unlink(missing_ok=True)

    def _send_new(self, slack: Messenger, relative: str, entry: OutboxEntry) -> None:
        parent = self._parent(entry)
        reference, lost = (_arrived(slack, entry, parent) if entry.tried else None), False
        if reference is None:
            self._keep(relative, entry.model_copy(update={"tried": True}))
            reference, lost = _hand_over(slack, entry, parent)
        ledger = self._ledger()
        messages = {**ledger.messages, entry.key: reference}
        if lost:
            messages.pop(entry.thread, None)
        changed: dict[str, object] = {"messages": messages}
        if reference.channel:
            changed |= {"channel": reference.channel, "named": slack.channel}
        self._keep(LEDGER, ledger.model_copy(update=changed))

    def _update(self, slack: Messenger, entry: OutboxEntry) -> bool:
        reference = self.references.get(entry.key)
        if not (reference and entry.message):
            return False
        try:
            slack.update(reference, entry.message)
        except MessageRefusedError as refusal:
            if refusal.instead == "text" and entry.message.blocks:
                slack.update(reference, Message(text=entry.message.text))
            elif refusal.instead in {"anew", "thread"}:
                return False
            else:
                raise
        return True

    def _parent(self, entry: OutboxEntry) -> str | None:
        reference = self.references.get(entry.thread) if entry.thread else None
        return (reference.ts or None) if reference else None

    def _set_aside(self, relative: str) -> None:
        path = self._at(relative)
        target = self._at(f"{REFUSED}/{path.name}")
        # What can't be moved, where somebody has built something in the way, is refused each time.
        with contextlib.suppress(OSError):
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
        if self._source:
            # The same each time that it is told.
            again = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._source} {entry.key}")), "tried": True}
            entry = entry.model_copy(update=again)
        if not relative:
            # Those set aside count too: no file ever takes the name of another.
            taken = [int(path.name[:6]) for path in self._folder().rglob(f"{_NUMBER}*.json")]
            name = re.sub(r"[^A-Za-z0-9]+", "-", entry.key)[:40].strip("-")
            relative = f"{FOLDER}/{max(taken, default=0) + 1:06d}-{name}-{entry.kind}.json"
        self._keep(relative, entry)

    def _keep(self, relative: str, model: OutboxEntry | Thread) -> None:
        if self._credential:
            # Of what will lie there, with its secrets masked; in one write, as what lies there without is nobody's.
            kept = self._store.masked(model)
            model = kept.model_copy(update={"mark": self._mark(kept)})
        self._store.write_json(relative, model)

    def _mark(self, model: OutboxEntry | Thread) -> str:
        text = f"{self._store.run_id}\n{model.model_copy(update={'mark': ''}).model_dump_json()}"
        return hmac.new(self._credential, text.encode(), "sha256").hexdigest()

    def _is_ours(self, model: OutboxEntry | Thread) -> bool:
        if not self._credential:
            return model.mark != _NOBODY
        return hmac.compare_digest(model.mark.encode(), self._mark(model).encode())

    def _read(self, relative: str) -> OutboxEntry:
        try:
            return self._store.read_model(relative, OutboxEntry)
        except (InputError, UsageError):
            # An earlier job may leave anything here: it must keep no later one from being told of.
            return OutboxEntry(key=Path(relative).name, kind="post", mark=_NOBODY)

    def _at(self, relative: str) -> Path:
        """Where it lies itself: a link is not followed."""
        return self._store.dir / relative

    def _folder(self) -> Path:
        return self._store.path(FOLDER)

    def _queue(self) -> list[str]:
        return [f"{FOLDER}/{path.name}" for path in sorted(self._folder().glob(f"{_NUMBER}*.json"))]


def _arrived(slack: Messenger, entry: OutboxEntry, parent: str | None) -> Reference | None:
    if entry.file:
        return Reference() if slack.has_file(entry.file.name, parent) else None
    return slack.find(entry.id, parent)


def _hand_over(slack: Messenger, entry: OutboxEntry, parent: str | None) -> tuple[Reference, bool]:
    """Where the message went, in whatever form the chat takes it, and whether its thread is at an end."""
    message, key, lost = entry.message or Message(text=entry.key), entry.id, False
    while True:
        try:
            if entry.file:
                slack.upload(entry.file.name, entry.file.content, entry.file.title, parent)
                return Reference(), lost
            reference = slack.post(message, parent, entry.broadcast and bool(parent), key)
            return reference, lost or bool(parent and reference.ts and not reference.thread)
        except MessageRefusedError as refusal:
            # Each change is made once: what is refused all the same is refused for good.
            if refusal.instead == "text" and message.blocks:
                message = Message(text=message.text)
            elif refusal.instead == "unmarked" and key:
                key = ""
            elif refusal.instead in {"channel", "thread"} and parent:
                parent, lost = None, refusal.instead == "thread"
            else:
                raise
