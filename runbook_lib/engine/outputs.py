"""One cell's outputs: streams coalesced, everything masked, nothing without bounds."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import IO, Any, Protocol

from ..domain.redaction import ANSI, MASK, Redactor
from ..domain.secret_names import names_secret
from .options import EngineOptions

__all__ = ["BoundedStream", "CellOutputs", "OutputListener", "SideFiles", "collapse"]


SUFFIX = {
    "text/plain": "txt",
    "text/html": "html",
    "image/svg+xml": "svg",
    "image/png": "png",
    "application/json": "json",
}
BINARY = ("image/png", "image/jpeg", "application/pdf")


class OutputListener(Protocol):
    """Hears what a cell writes, masked, as it comes."""

    def text(self, stream: str, text: str) -> None:
        """A piece of `stdout` or `stderr`, or of a shown result (`result`)."""


class CellOutputs:
    """Keeps `outputs`, the list that nbclient knows as the cell's, small and clean."""

    def __init__(self, redactor: Redactor, options: EngineOptions, listener: OutputListener) -> None:
        self._redactor = redactor
        self._options = options
        self._listener = listener
        self._side: SideFiles | None = None
        self._cell = 0
        self._open: dict[str, tuple[BoundedStream, Any]] = {}
        self._closed: list[tuple[BoundedStream, Any]] = []
        self._files = 0
        self._dropped: IO[str] | None = None
        self._changed = False

    def begin(self, cell_index: int, side: SideFiles | None) -> None:
        """Start with a new cell."""
        self.finish()
        self._cell, self._side, self._files = cell_index, side, 0
        self._dropped = None

    def hurry(self) -> None:
        """The cell is being stopped: what still comes is masked for a moment, and then withheld."""
        self._redactor = self._redactor.hurried(HURRY)
        for stream, _ in self._open.values():
            stream.hurry(self._redactor)

    def stream(self, outputs: list[Any], name: str, text: str) -> Any | None:
        """Take a piece of a stream; gives the new output, or None if it went into one that is there."""
        self._changed = True
        if name in self._open:
            self._open[name][0].feed(text)
            return None
        stream = BoundedStream(
            self._redactor,
            self._options.stream_limit,
            lambda piece: self._listener.text(name, piece),
            lambda: self._spill(name, "txt"),
        )
        from nbformat.v4 import new_output

        output = new_output("stream", name=name, text="")
        self._open[name] = (stream, output)
        stream.feed(text)
        if name == "stdout" and outputs and outputs[-1] is self._open.get("stderr", (None, None))[1]:
            # The two arrive in no certain order: the same run shall leave the same notebook.
            outputs.insert(len(outputs) - 1, output)
        else:
            outputs.append(output)
        return output

    def accept(self, outputs: list[Any], output: Any) -> bool:
        """Clean another output in place; False if there are too many and it went to the side file."""
        self._changed = True
        self._close_streams()
        if output["output_type"] == "error":
            self._clean_error(output)
        else:
            self.clean_display(output)
            self._listener.text("result", str(output["data"].get("text/plain", "")) + "\n")
        if len(outputs) < self._options.outputs_per_cell or output["output_type"] == "error":
            return True
        self._drop(outputs, output)
        return False

    def clear(self) -> None:
        """The cell cleared its output: what streams held is gone too."""
        self.pump()
        for stream, _ in self._open.values():
            stream.finish()
        self._open.clear()
        self._closed.clear()

    def pump(self) -> None:
        """Pass on what streams hold."""
        for stream, _ in self._open.values():
            stream.pump()

    def render(self) -> bool:
        """Write the streams' present text into their outputs; whether anything came since the last time."""
        self.pump()
        for stream, output in (*self._closed, *self._open.values()):
            output["text"] = stream.text()
        self._closed.clear()
        changed, self._changed = self._changed, False
        return changed

    def finish(self) -> None:
        """The cell has ended."""
        self._close_streams()
        self.render()
        if self._dropped is not None:
            self._dropped.close()
            self._dropped = None

    def clean_display(self, display: dict[str, Any]) -> None:
        """Mask a display's data and metadata in place, and bound them."""
        self._changed = True
        metadata = display.get("metadata", {})
        display["metadata"] = self._redactor.mask_tree(metadata)
        if _named_as_secret(metadata):
            display["data"] = {"text/plain": MASK}
        else:
            display["data"] = {mime: self._clean(mime, value) for mime, value in display["data"].items()}

    def _close_streams(self) -> None:
        for stream, output in self._open.values():
            stream.finish()
            self._closed.append((stream, output))
        self._open.clear()

    def _clean_error(self, output: Any) -> None:
        mask = self._redactor.mask
        output["ename"], output["evalue"] = mask(output["ename"]), mask(output["evalue"])
        joined = "\n".join(output["traceback"])
        if (masked := mask(joined)) != joined:
            output["traceback"] = masked.split("\n")
        self._listener.text("stderr", ANSI.sub("", f"{output['ename']}: {output['evalue']}") + "\n")

    def _clean(self, mime: str, value: Any) -> Any:
        return self._bound(mime, self._redactor.mask_output(mime, value))

    def _bound(self, mime: str, value: Any) -> Any:
        limit = self._options.output_limit
        if not isinstance(value, str) or len(value) <= limit:
            return value
        opened = self._spill("data", SUFFIX.get(mime, "txt"))
        where = "not kept"
        if opened:
            name, file = opened
            with file:
                if mime in BINARY:
                    file.buffer.write(base64.b64decode(value))  # type: ignore[attr-defined]
                else:
                    file.write(value)
            where = f"whole in {name}"
        note = f"[… {mime} of {len(value):,} characters left out here; {where} …]"
        quarter = limit // 4
        return f"{value[:quarter]}\n{note}\n{value[-quarter:]}" if mime == "text/plain" else f"<!-- {note} -->"

    def _drop(self, outputs: list[Any], output: Any) -> None:
        if self._dropped is None:
            opened = self._spill("outputs", "jsonl")
            where = f"whole in {opened[0]}" if opened else "not kept"
            self._dropped = opened[1] if opened else None
            from nbformat.v4 import new_output

            outputs.append(new_output("stream", name="stderr", text=f"[… further outputs left out here; {where} …]\n"))
        if self._dropped is not None:
            self._dropped.write(json.dumps(output, ensure_ascii=False) + "\n")

    def _spill(self, kind: str, suffix: str) -> tuple[str, IO[str]] | None:
        if self._side is None:
            return None
        self._files += 1
        number = f"-{self._files}" if self._files > 1 else ""
        return self._side.open(f"output-{self._cell + 1:03d}-{kind}{number}.{suffix}")


def _named_as_secret(metadata: Any) -> bool:
    # Kept under a name, as scrapbook does it.
    about = [metadata, *metadata.values()] if isinstance(metadata, dict) else []
    names = [part.get("name") for part in about if isinstance(part, dict)]
    return any(isinstance(name, str) and names_secret(name) for name in names)


BATCH = 65_536
# Seconds for all that a cell still writes when it is told to stop.
HURRY = 1.0


class SideFiles(Protocol):
    """Opens files beside the notebook for what is too long for it."""

    def open(self, name: str) -> tuple[str, IO[str]] | None:
        """The name to tell a reader and the open file; None where there is no place for one."""


class BoundedStream:
    """Collects text; up to `limit` characters stay whole, else head and tail with a line that says so.

    `tell` gets the masked text as it becomes certain. Text leaves in batches: twenty thousand small writes cost twenty
    thousand list appends.
    """

    def __init__(
        self, redactor: Redactor, limit: int, tell: Callable[[str], None], spill: Callable[[], object]
    ) -> None:
        self._redactor = redactor
        self._mask = redactor.stream()
        self._limit = limit
        self._tell = tell
        self._spill = spill
        self._pending: list[str] = []
        self._pending_size = 0
        self._head = ""
        self._tail = ""
        self._size = 0
        self._lines = 0
        self._file: IO[str] | None = None
        self._file_name = ""

    def feed(self, text: str) -> None:
        """Take a piece as the kernel sent it."""
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size > BATCH:
            self.pump()

    def hurry(self, redactor: Redactor) -> None:
        """From now on mask with this one."""
        self._mask.hurry(redactor)

    def pump(self) -> None:
        """Pass on what is certain."""
        if self._pending:
            text = "".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
            self._take(self._mask.feed(text))

    def finish(self) -> None:
        """Pass on everything: the cell has ended, or something else was shown in between."""
        self.pump()
        self._take(self._mask.flush())
        if self._file is not None:
            self._file.close()
            self._file = None

    def text(self) -> str:
        """What stands in the notebook."""
        if self._size <= self._limit:
            return self._shown(self._head + self._mask.peek())
        left_out = self._size - len(self._head) - len(self._tail)
        where = f"whole in {self._file_name}" if self._file_name else "not kept"
        note = (
            f"\n[… {left_out:,} of {self._size:,} characters left out here ({self._lines:,} lines in all); {where} …]\n"
        )
        return self._shown(self._head) + note + self._shown(self._tail.partition("\n")[2] or self._tail)

    def _shown(self, text: str) -> str:
        collapsed = collapse(text)
        # A backspace may have kept the parts of a secret asunder.
        return self._redactor.mask(collapsed) if "\b" in text else collapsed

    def _take(self, text: str) -> None:
        if not text:
            return
        self._tell(text)
        before, self._size = self._size, self._size + len(text)
        self._lines += text.count("\n")
        if self._size <= self._limit:
            self._head += text
            return
        if before <= self._limit:
            self._overflow(self._head + text)
            return
        if self._file is not None:
            self._file.write(text)
        self._tail = (self._tail + text)[-self._limit // 2 :]

    def _overflow(self, text: str) -> None:
        opened = self._spill()
        if isinstance(opened, tuple):
            self._file_name, self._file = opened
            self._file.write(text)
        half = self._limit // 2
        self._head, self._tail = text[:half], text[half:][-half:]


def collapse(text: str) -> str:
    """The text as a terminal would leave it: carriage returns and backspaces carried out."""
    if "\b" in text:
        text = _erase(text)
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _erase(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
