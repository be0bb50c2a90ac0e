"""Messages on their way: one file each in the run folder, until Slack has them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from ..errors import StoreError
from ..models.messages import Message, OutboxEntry, Reference
from .slack_errors import SlackMessageError
from .store import write_atomic

__all__ = ["Messenger", "Outbox"]


class Messenger(Protocol):
    """What the outbox needs of Slack."""

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        """Post a message; the same key twice makes one message."""

    def upload(self, name: str, content: str, title: str = "", thread_ts: str | None = None) -> None:
        """Put a text into the thread as a file."""

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        """The message that was posted with this key."""

    def has_file(self, name: str, thread_ts: str | None = None) -> bool:
        """Whether a file of this name is in the thread."""


class Outbox:
    """The outgoing messages of one run, oldest first. Nothing is lost: what Slack did not take stays a file.

    Nothing is sent twice either: Slack is given each entry's own id and, where the end of an earlier attempt is not
    known, asked for it. Only an incoming webhook, which can't be asked, may show a message again after a crash.
    `mask` removes secrets from what is written.
    """

    def __init__(self, folder: Path, mask: Callable[[str], str] | None = None) -> None:
        self._folder = folder
        self._mask = mask or (lambda text: text)

    def put(self, key: str, message: Message, *, broadcast: bool = False) -> None:
        """Queue a message, and each of its files after it; nothing happens for a key that is queued."""
        if any(entry.key == key and entry.message for entry in self.waiting()):
            return
        plain = message.model_copy(update={"files": ()})
        entries = [OutboxEntry(key=key, id=_fresh(), message=plain, broadcast=broadcast)]
        entries += [OutboxEntry(key=key, id=_fresh(), file=file) for file in message.files]
        first = max((int(path.name[:6]) for path in self._paths()), default=0) + 1
        # The message comes last: its presence says that all of it is queued.
        for number, entry in reversed(list(enumerate(entries, start=first))):
            self._write(self._folder / f"{number:06d}-{_slug(key)}.json", entry)

    def discard(self, key: str) -> None:
        """Forget a message that nobody will ever send, and its files."""
        for path, entry in self._entries():
            if entry.key == key:
                path.unlink(missing_ok=True)

    def waiting(self) -> tuple[OutboxEntry, ...]:
        """What Slack does not have yet, oldest first."""
        return tuple(entry for _, entry in self._entries())

    def deliver(self, slack: Messenger, thread_ts: str = "") -> Iterator[tuple[str, Reference]]:
        """Send what waits into the thread; give each message's key and place once it is there.

        Without a thread the first message opens one. The file goes only when the caller comes back for more, so what
        the caller notes of a message is noted before. SlackError at the first failure; a message that Slack refuses
        for its content stays, and is told only after the ones behind it went out.
        """
        refusal: SlackMessageError | None = None
        for path, entry in self._entries():
            try:
                reference = self._send(slack, path, entry, thread_ts)
            except SlackMessageError as error:
                refusal = refusal or error
                continue
            thread_ts = thread_ts or reference.ts
            if entry.message:
                yield entry.key, reference
            path.unlink(missing_ok=True)
        if refusal:
            raise refusal

    def _send(self, slack: Messenger, path: Path, entry: OutboxEntry, thread_ts: str) -> Reference:
        thread = thread_ts or None
        if entry.tried:
            found = self._arrived(slack, entry, thread)
            if found:
                return found
        self._write(path, entry.model_copy(update={"tried": True}))
        if entry.file:
            slack.upload(entry.file.name, entry.file.content, entry.file.title, thread)
            return Reference()
        return _post(slack, entry, thread)

    def _arrived(self, slack: Messenger, entry: OutboxEntry, thread: str | None) -> Reference | None:
        if entry.file:
            return Reference() if slack.has_file(entry.file.name, thread) else None
        return slack.find(entry.id, thread)

    def _write(self, path: Path, entry: OutboxEntry) -> None:
        write_atomic(path, self._mask(entry.model_dump_json(indent=2)).encode())

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.json")) if self._folder.is_dir() else []

    def _entries(self) -> list[tuple[Path, OutboxEntry]]:
        return [(path, _read(path)) for path in self._paths()]


def _fresh() -> str:
    return str(uuid.uuid4())


def _slug(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", key)[:40].strip("-")


def _read(path: Path) -> OutboxEntry:
    try:
        return OutboxEntry.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path}: is no message of the outbox", "Restore it, or move it out of outbox/.") from error


def _post(slack: Messenger, entry: OutboxEntry, thread: str | None) -> Reference:
    message = entry.message or Message(text=entry.key)
    try:
        return slack.post(message, thread, entry.broadcast, entry.id)
    except SlackMessageError as refusal:
        if refusal.code == "thread_not_found":
            # Somebody deleted the thread; its news must still be read.
            return slack.post(message, None, False, entry.id)
        if message.blocks and refusal.code != "duplicate_message_not_found":
            return slack.post(Message(text=message.text), thread, entry.broadcast, entry.id)
        raise
