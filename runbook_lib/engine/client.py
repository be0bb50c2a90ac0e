"""nbclient's client with outputs that are masked and bounded as they arrive."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

import zmq
import zmq.asyncio
from jupyter_client.session import Session
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_output, output_from_msg

from ..adapters.kernel import TARGET
from .endings import left_well
from .kernels import Kernel
from .last_words import STREAMS
from .outputs import CellOutputs
from .plain_data import plain

__all__ = ["CellClient", "OutputReader"]


# What nbclient has to say is said by the ending.
QUIET = logging.getLogger("runbook.nbclient")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
# Characters of a stream that are masked at once, and seconds after which others have their turn.
LONGEST_PIECE = 65_536
LONGEST_BUSY = 0.05
DISPLAYS = {"display_data", "execute_result", "update_display_data"}


class CellClient(NotebookClient):
    """Executes single cells on a kernel that is there already."""

    def __init__(
        self,
        nb: NotebookNode,
        kernel: Kernel,
        outputs: CellOutputs,
        learn: Callable[[list[str]], None],
        touch: Callable[[int], None],
    ) -> None:
        super().__init__(nb, km=kernel.manager, record_timing=False)
        self.kc = kernel.client
        self.log = QUIET
        self.outputs = outputs
        self._learn = learn
        self._touch = touch
        # The outputs that show a display, by its id, with the cell that each is in.
        self._displays: dict[str, list[tuple[int, NotebookNode]]] = {}
        # The errors that the running cell has shown, wherever: in a widget too, and what it has cleared since.
        self._errors: list[dict[str, Any]] = []
        self._words = kernel.words
        self._request = ""
        # How far the running cell's streams have been heard, as the kernel counts; and how many messages.
        self._positions: dict[str, int] = {}
        self.heard = 0
        self._reader = OutputReader(kernel.client.iopub_channel.socket, kernel.client.session)

    async def run_cell(self, cell: NotebookNode, cell_index: int) -> None:
        """Execute one cell; raises nbclient's CellExecutionError. Nobody here looks whether the kernel is alive.

        nbclient's own way starts three tasks a cell to do the same.
        """
        assert self.kc is not None  # noqa: S101  for the type checker: it is set above
        allowed = self._allows(cell)
        cell.outputs = []
        self._errors = []
        self.clear_before_next_output = False
        self._positions = {}
        request = self._request = self.kc.execute(cell.source, store_history=True, stop_on_error=not allowed)
        await self._until_idle(request, cell, cell_index)
        reply = await self._reply(request)
        error = self._error(reply["content"])
        if error is None:
            return
        self._keep_error(cell.outputs, error)
        if not allowed and not self._allows_name(error["ename"]):
            raise CellExecutionError.from_cell_and_msg(cell, error)

    def _allows(self, cell: NotebookNode) -> bool:
        tagged = "raises-exception" in cell.metadata.get("tags", [])
        return (self.allow_errors or tagged) and not self.force_raise_errors

    def _allows_name(self, name: str) -> bool:
        return name in self.allow_error_names and not self.force_raise_errors

    async def _until_idle(self, request: str, cell: NotebookNode, cell_index: int) -> None:
        looked = time.monotonic()
        while True:
            message = await self._reader.next()
            self.heard += 1
            if self._announced(message) or message["parent_header"].get("msg_id") != request:
                continue
            for piece in _pieces(message):
                self.heard += 1
                try:
                    self.process_message(piece, cell, cell_index)
                except CellExecutionComplete:
                    return
                if time.monotonic() - looked > LONGEST_BUSY:
                    # Signals and time-outs wait for this while a flood of output is masked.
                    await asyncio.sleep(0.001)
                    looked = time.monotonic()
            if "position" in message["content"]:
                self._positions[message["content"]["name"]] = message["content"]["position"]

    def hear_last_words(self, cell: NotebookNode, cell_index: int) -> None:
        """Take what a kernel that has died had flushed in this cell, and could not send."""
        if self._words is None or not self._request:
            return
        for name in STREAMS:
            text = self._words.after(name, self._request, self._positions.get(name, 0))
            message = {"msg_type": "stream", "parent_header": {"msg_id": self._request}}
            for piece in _pieces({**message, "content": {"name": name, "text": text}}) if text else ():
                self.process_message(piece, cell, cell_index)

    def _announced(self, message: dict[str, Any]) -> bool:
        # A step tells what must not be shown, perhaps from a thread of an earlier cell; it is kept nowhere.
        if message["msg_type"] != "comm_open" or message["content"].get("target_name") != TARGET:
            return False
        self._learn([str(value) for value in message["content"]["data"].get("values", [])])
        return True

    def _error(self, reply: dict[str, Any]) -> dict[str, Any] | None:
        # What the cell failed with. A kernel shows an error of `%run` or `%%capture`, and replies that all is well.
        said = _errors_of(reply)
        # Of one that came up while a value was shown IPython's reply knows no more than that it was there.
        nameless = any(error["ename"] == "NoneType" for error in said)
        errors = [*self._errors, *said] if nameless else [*said, *self._errors]
        bad = (error for error in errors if not left_well(error["ename"], error["evalue"]))
        return next(bad, errors[0] if errors else None)

    def _keep_error(self, outputs: list[NotebookNode], error: dict[str, Any]) -> None:
        # Who shows tracebacks in a way of their own (rich does) leaves none, nor does one in a widget, or one that was
        # cleared: the record must say what went wrong.
        if any(output["output_type"] == "error" for output in outputs):
            return
        output = new_output("error", **error)
        self.outputs.accept(outputs, output)
        outputs.append(output)

    async def _reply(self, request: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self.kc.shell_channel.get_msg()  # type: ignore[union-attr]
            if message["parent_header"].get("msg_id") == request:
                return message

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take one message of the kernel; raises nbclient's CellExecutionComplete at the cell's end."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream" and not self.clear_before_next_output and not self._hooked(msg):
            return self.outputs.stream(cell.outputs, content["name"], content["text"])  # the fast path
        if kind == "status":
            if content["execution_state"] == "idle":
                raise CellExecutionComplete
            return None
        if "data" in content and kind in DISPLAYS:
            content["data"] = {mime: _shown(mime, value) for mime, value in content["data"].items()}
            self._show_anew(content)
        if kind == "error":
            named = _named(content)
            self._errors.append(named)
            # As the kernel shows it, without a name too; whoever reads the notebook needs all three.
            content.update({key: value for key, value in named.items() if content.get(key) is None})
        return super().process_message(msg, cell, cell_index)

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Take one output that is no plain stream."""
        if self._hooked(msg):
            return super().output(outs, msg, display_id, cell_index)
        if self.clear_before_next_output:
            self.outputs.clear(outs)
            outs[:] = []
            self.clear_before_next_output = False
        if msg["msg_type"] == "stream":
            return self.outputs.stream(outs, msg["content"]["name"], msg["content"]["text"])
        try:
            out: NotebookNode = output_from_msg(msg)
        except ValueError:
            return None
        if not self.outputs.accept(outs, out):
            return None
        if display_id:
            self._displays.setdefault(display_id, []).append((cell_index, out))
        outs.append(out)
        return out

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """The kernel clears the cell's output."""
        if not self._hooked(msg) and not msg["content"].get("wait"):
            self.outputs.clear(outs)
        super().clear_output(outs, msg, cell_index)

    def _show_anew(self, content: dict[str, Any]) -> None:
        if not (display_id := (content.get("transient") or {}).get("display_id")):
            return
        self.outputs.clean_display(content)
        for cell_index, output in self._displays.get(display_id, ()):
            self.outputs.forget([output])
            output["data"], output["metadata"] = content["data"], content["metadata"]
            self._touch(cell_index)

    def _hooked(self, msg: dict[str, Any]) -> bool:
        return bool(self.output_hook_stack.get(msg["parent_header"].get("msg_id", "")))


def _errors_of(reply: dict[str, Any]) -> list[dict[str, Any]]:
    # Anything but `ok` is a failure, `aborted` too.
    status = reply.get("status")
    # An error with a name may well be without words, as `sys.exit()` is.
    words = reply.get("evalue") or ("" if reply.get("ename") else status)
    return [] if status == "ok" else [_named({**reply, "evalue": words})]


def _named(error: dict[str, Any]) -> dict[str, Any]:
    # Some kernels give no name to what went wrong.
    name, value = str(error.get("ename") or "Error"), str(error.get("evalue") or "")
    traceback = [str(line) for line in error.get("traceback") or ()] or [f"{name}: {value}"]
    return {"ename": name, "evalue": value, "traceback": traceback}


def _pieces(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message; one with very much text of a stream as several."""
    text = message["content"].get("text") if message["msg_type"] == "stream" else None
    if not isinstance(text, str) or len(text) <= LONGEST_PIECE:
        yield message
        return
    for start in range(0, len(text), LONGEST_PIECE):
        yield {**message, "content": {**message["content"], "text": text[start : start + LONGEST_PIECE]}}


def _shown(mime: str, value: Any) -> Any:
    # What a cell may show is text, or JSON where its kind says so; a notebook's format knows nothing else.
    if mime.endswith("json"):
        return plain(value)
    lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return value if isinstance(value, str) or lines else str(value)


BATCH = 500
LONGEST_BATCH = 1_000_000
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
        size = 0
        for _ in range(BATCH):
            # Large ones wait in the socket: to read them all would take longer than a signal may wait.
            if size > LONGEST_BATCH:
                return
            try:
                frames: list[bytes] = self._direct.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            size += sum(map(len, frames))
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
