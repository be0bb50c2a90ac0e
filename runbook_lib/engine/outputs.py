"""One cell's outputs: streams coalesced, everything masked, nothing without bounds."""

from __future__ import annotations

import base64
import json
import re
from typing import IO, Any, Protocol

from ..domain.redaction import ANSI, Redactor
from .options import EngineOptions
from .streams import BoundedStream, SideFiles

__all__ = ["CellOutputs", "OutputListener"]

SUFFIX = {
    "text/plain": "txt",
    "text/html": "html",
    "image/svg+xml": "svg",
    "image/png": "png",
    "application/json": "json",
}
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
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
        display["metadata"] = self._redactor.mask_tree(display.get("metadata", {}))
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
        output["traceback"] = mask(joined).split("\n") if joined else []
        self._listener.text("stderr", ANSI.sub("", f"{output['ename']}: {output['evalue']}") + "\n")

    def _clean(self, mime: str, value: Any) -> Any:
        if mime in BINARY and isinstance(value, str) and BASE64.fullmatch(value):
            return self._bound(mime, value)
        if not isinstance(value, str):
            return self._redactor.mask_tree(value)
        return self._bound(mime, self._redactor.mask(value))

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
