"""One cell's outputs: streams coalesced, everything masked, nothing without bounds."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, Protocol

from ..domain.redaction import ANSI, MASK, Redactor
from ..domain.secret_names import names_secret
from .options import EngineOptions
from .streams import BoundedStream

__all__ = ["LONGEST_MESSAGE", "CellOutputs", "OutputListener", "SideFiles", "shortened", "told"]


SUFFIX = {
    "application/pdf": "pdf",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "text/html": "html",
    "text/latex": "tex",
    "text/markdown": "md",
}
BINARY = {"application/pdf", "image/gif", "image/jpeg", "image/png"}
# Characters of an exception's message.
LONGEST_MESSAGE = 10_000
# Seconds for all that a cell still writes when it is told to stop.
HURRY = 1.0


class SideFiles(Protocol):
    """Files beside the notebook for what is too long for it."""

    def open(self, name: str) -> tuple[str, IO[str]] | None:
        """The name to tell a reader and the open file; None where there is no place for one."""

    def refer(self, text: str) -> set[str]:
        """The names of such files that a text tells."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove those of them that this execution has opened."""

    def adopt_earlier(self) -> None:
        """Count as our own what an earlier execution has left."""

    def settle(self, outputs: Sequence[Mapping[str, Any]]) -> None:
        """Remove what these, all outputs that are left, do not name."""


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
        self._spilled = False
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
            return True
        self._mask(output)
        self._listener.text("result", str(output["data"].get("text/plain", ""))[: self._options.output_limit] + "\n")
        if len(outputs) >= self._options.outputs_per_cell:
            self._drop(outputs, output)
            return False
        output["data"] = self._bounded(output["data"])
        return True

    def clear(self, outputs: list[Any]) -> None:
        """The cell clears its output: what streams held is gone too, and files that nothing names any more."""
        self.finish()
        self.forget(outputs)

    def forget(self, outputs: Sequence[Any]) -> None:
        """These outputs, or displays, are shown no more: nor are the files needed that only they name."""
        if self._side is not None and self._spilled:
            self._side.remove(self._side.refer(told(outputs)))

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
        self._mask(display)
        display["data"] = self._bounded(display["data"])

    def _mask(self, display: dict[str, Any]) -> None:
        metadata = display.get("metadata", {})
        display["metadata"] = self._redactor.mask_tree(metadata)
        if _named_as_secret(metadata):
            display["data"] = {"text/plain": MASK}
        else:
            mask = self._redactor.mask_output
            display["data"] = {mime: mask(mime, value) for mime, value in display["data"].items()}

    def _close_streams(self) -> None:
        for stream, output in self._open.values():
            stream.finish()
            self._closed.append((stream, output))
        self._open.clear()

    def _clean_error(self, output: Any) -> None:
        mask = self._redactor.mask
        output["ename"], output["evalue"] = mask(output["ename"]), shortened(mask(output["evalue"]), LONGEST_MESSAGE)
        joined = mask("\n".join(output["traceback"]))
        if len(joined) > self._options.output_limit:
            output["traceback"] = self._cut("traceback", joined).split("\n")
        else:
            output["traceback"] = _parted(joined, output["traceback"])
        self._listener.text("stderr", ANSI.sub("", f"{output['ename']}: {output['evalue']}") + "\n")

    def _bounded(self, data: dict[str, Any]) -> dict[str, Any]:
        # What is left out becomes a line of text: half a picture, or a page in a comment, nobody can read.
        kept: dict[str, Any] = {}
        notes = []
        for mime, value in data.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if len(text) > self._options.output_limit:
                if mime == "text/plain":
                    kept[mime] = self._cut(mime, text)
                else:
                    notes.append(self._left_out(mime, text))
            elif mime in BINARY and _decoded(text) is None:
                notes.append(self._left_out(mime, text))
            else:
                kept[mime] = value
        if notes:
            kept["text/plain"] = "\n".join([*filter(None, [kept.get("text/plain")]), *notes])
        return kept

    def _cut(self, what: str, text: str) -> str:
        quarter = self._options.output_limit // 4
        return f"{text[:quarter]}\n{self._left_out(what, text)}\n{text[-quarter:]}"

    def _left_out(self, what: str, text: str) -> str:
        content = _decoded(text) if what in BINARY else None
        known = SUFFIX.get(what, "json" if what.endswith("json") else "txt")
        opened = self._spill("data", known if content or what not in BINARY else "txt")
        if opened is None:
            return f"[… {what} of {len(text):,} characters left out here; not kept …]"
        name, file = opened
        with file:
            if content is None:
                file.write(text)
            else:
                file.buffer.write(content)  # type: ignore[attr-defined]
        return f"[… {what} of {len(text):,} characters left out here; whole in {name} …]"

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
        self._spilled = True
        number = f"-{self._files}" if self._files > 1 else ""
        return self._side.open(f"output-{self._cell + 1:03d}-{kind}{number}.{suffix}")


def told(outputs: Sequence[Mapping[str, Any]]) -> str:
    """Where outputs say what was left out of them: what streams hold, plain texts and tracebacks."""
    parts = [part for output in outputs for part in (output.get("text"), (output.get("data") or {}).get("text/plain"))]
    parts += [output.get("traceback") for output in outputs]
    return "\n".join("".join(part) for part in parts if part)


def shortened(text: str, limit: int) -> str:
    """The beginning and the end of a long text."""
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[: limit // 2]} [… {left_out:,} characters …] {text[-limit // 2 :]}"


def _decoded(text: str) -> bytes | None:
    # None for what is no base64: who reads the notebook could not either.
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


def _parted(masked: str, parts: list[str]) -> list[str]:
    """A masked traceback in the parts that the kernel sent; in lines, where a secret went over the end of one."""
    lines = masked.split("\n")
    lengths = [part.count("\n") + 1 for part in parts]
    if len(lines) != sum(lengths):
        return lines if parts else []
    ends = list(itertools.accumulate(lengths))
    return ["\n".join(lines[end - length : end]) for length, end in zip(lengths, ends, strict=True)]


def _named_as_secret(metadata: Any) -> bool:
    # Kept under a name, as scrapbook does it.
    about = [metadata, *metadata.values()] if isinstance(metadata, dict) else []
    names = [part.get("name") for part in about if isinstance(part, dict)]
    return any(isinstance(name, str) and names_secret(name) for name in names)
