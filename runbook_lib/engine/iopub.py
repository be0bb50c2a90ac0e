"""Reading a kernel's output channel in batches: twenty thousand prints are twenty thousand messages."""

from __future__ import annotations

import hmac
import json
from collections import deque
from typing import Any, cast

import zmq
import zmq.asyncio
from jupyter_client.session import Session

__all__ = ["OutputReader"]

BATCH = 500
# Of these only header, parent and content are looked at; most of unpacking is reading dates.
LIGHT = {"stream", "status", "execute_input"}


class OutputReader:
    """Takes what lies in the socket at once, and unpacks of the frequent messages only what is needed."""

    def __init__(self, socket: zmq.asyncio.Socket, session: Session) -> None:
        self._socket = socket
        self._direct: zmq.Socket[bytes] = zmq.Socket.shadow(socket.underlying)
        self._session = session
        self._waiting: deque[dict[str, Any]] = deque()

    async def next(self) -> dict[str, Any]:
        """The next message, in jupyter_client's form; the light ones have header, parent and content alone."""
        while not self._waiting:
            await self._socket.poll()
            self._receive()
        return self._waiting.popleft()

    def _receive(self) -> None:
        for _ in range(BATCH):
            try:
                frames: list[bytes] = self._direct.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            parts = cast("list[bytes]", self._session.feed_identities(frames)[1])
            self._waiting.append(self._light(parts) or self._session.deserialize(parts))

    def _light(self, parts: list[bytes]) -> dict[str, Any] | None:
        header = _read(parts[1])
        kind = header["msg_type"]
        if kind not in LIGHT:
            return None
        if self._session.auth is not None and not hmac.compare_digest(parts[0], self._session.sign(parts[1:5])):
            return None  # deserialize says what is wrong with it
        return {"header": header, "msg_type": kind, "parent_header": _read(parts[2]), "content": _read(parts[4])}


def _read(part: bytes) -> Any:
    # A file's name may hold bytes that are no text; a kernel that prints it sends them as they are.
    return json.loads(part.decode("utf-8", "replace"))
