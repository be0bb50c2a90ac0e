"""The notebook as evidence: what is true of each cell, and the bytes that are saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ..domain.redaction import Redactor
from .endings import CellStatus, Ending
from .plain_data import plain

__all__ = ["NotebookRecord"]

JSON_MIMES = ("application/json", "+json")


class NotebookRecord:
    """Keeps status and times where papermill keeps them, and renders only the cells that have changed."""

    def __init__(self, nb: NotebookNode, redactor: Redactor, *, in_place: bool = False) -> None:
        self.nb = nb
        self._in_place = in_place
        self._redactor = redactor
        self._rendered: list[str | None] = [None] * len(nb.cells)
        self.changed = True
        self.nb.metadata.setdefault("papermill", NotebookNode())

    def begin(self) -> None:
        """Clear what an earlier execution left, and what must not be in evidence."""
        about = self.nb.metadata.papermill
        about.update(start_time=_now(), end_time=None, duration=None, exception=None, outcome="running")
        for name in ("input_path", "output_path"):
            about[name] = _relative(about.get(name))
        for cell in self.nb.cells:
            cell.metadata = _node(plain(cell.metadata))
            cell.metadata["papermill"] = NotebookNode(
                exception=None, start_time=None, end_time=None, duration=None, status=CellStatus.PENDING.value
            )
            if cell.cell_type == "code":
                cell.execution_count = None
                cell.outputs = []
        self.clean_metadata()

    def clean_metadata(self) -> None:
        """Mask the notebook's metadata, parameters by their names too; call it again when a secret was learnt."""
        about = self.nb.metadata.papermill
        parameters = about.get("parameters") or {}
        about["parameters"] = {name: self._redactor.mask_name(name, value) for name, value in parameters.items()}
        for name, value in list(self.nb.metadata.items()):
            self.nb.metadata[name] = self._clean(value)
        self._rendered = [None] * len(self.nb.cells)
        self.changed = True

    def cell_started(self, index: int) -> None:
        """The cell is about to be executed."""
        self.nb.cells[index].metadata["papermill"].update(
            status=CellStatus.RUNNING.value, start_time=_now(), exception=False
        )
        self.touch(index)

    def cell_ended(self, index: int, status: CellStatus) -> None:
        """The cell has ended in this way."""
        cell = self.nb.cells[index]
        about, end = cell.metadata["papermill"], _now()
        started = about["start_time"] or end
        about.update(status=status.value, start_time=started, end_time=end, duration=_seconds(started, end))
        about["exception"] = status in {CellStatus.FAILED, CellStatus.INTERRUPTED}
        cell.source = self._source(cell)
        self.touch(index)

    def cell_skipped(self, index: int) -> None:
        """The cell is tagged to be passed over: it did not run."""
        self.nb.cells[index].metadata["papermill"].update(status=CellStatus.NOT_RUN.value)
        self.touch(index)

    def end(self, ending: Ending) -> None:
        """The execution has ended: say how, and that the rest did not run."""
        about, end = self.nb.metadata.papermill, _now()
        about.update(end_time=end, duration=_seconds(about["start_time"], end), outcome=ending.outcome)
        about.update(exception=None if ending.good else True, ending=ending.kind.value)
        if ending.message:
            about["error"] = NotebookNode(
                type=self._redactor.mask(ending.error_type), message=self._redactor.mask(ending.message)
            )
        for index, cell in enumerate(self.nb.cells):
            if cell.metadata["papermill"]["status"] in {CellStatus.PENDING.value, CellStatus.RUNNING.value}:
                cell.metadata["papermill"].update(status=CellStatus.NOT_RUN.value, start_time=None, exception=None)
                self.touch(index)
            self._clean_cell(cell)
        # papermill writes what is in memory once more.
        for name, value in list(self.nb.metadata.items()):
            self.nb.metadata[name] = self._clean(value)
        self.changed = True

    def _clean_cell(self, cell: NotebookNode) -> None:
        cell.source = self._source(cell)
        cell.metadata = self._clean(cell.metadata)
        if "attachments" in cell:
            cell.attachments = _node(self._attachments(cell))

    def _clean(self, value: Any) -> Any:
        return _node(self._redactor.mask_tree(plain(value)))

    def _source(self, cell: Mapping[str, Any]) -> str:
        # What is executed in place is what a person wrote and will execute again; what was injected is no source.
        mine = self._in_place and "injected-parameters" not in (cell["metadata"].get("tags") or ())
        return str(cell["source"]) if mine else self._redactor.mask(cell["source"])

    def _attachments(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        files = cell["attachments"]
        if self._in_place:
            return dict(files)
        mask = self._redactor.mask_output
        return {name: {mime: mask(mime, value) for mime, value in file.items()} for name, file in files.items()}

    def shrink(self, limit: int = 2_000) -> None:
        """Leave out the outputs of cells with much of it: there is no room on the disk."""
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code" and len(json.dumps(cell.outputs)) > limit:
                note = "[… outputs left out: there was no room on the disk …]\n"
                cell.outputs = [NotebookNode(output_type="stream", name="stderr", text=note)]
                self.touch(index)

    def touch(self, index: int) -> None:
        """The cell has changed since it was rendered."""
        self._rendered[index] = None
        self.changed = True

    def render(self) -> bytes:
        """The notebook's file, every text in it masked."""
        parts = [self._cell(index) for index in range(len(self.nb.cells))]
        rest = {name: value for name, value in self.nb.items() if name != "cells"}
        tail = json.dumps(self._redactor.mask_tree(rest), indent=1, sort_keys=True, ensure_ascii=False)
        cells = ",\n  ".join(parts)
        text = f'{{\n "cells": [\n  {cells}\n ],\n{tail[2:]}\n' if parts else f'{{\n "cells": [],\n{tail[2:]}\n'
        return text.encode("utf-8", "replace")

    def _cell(self, index: int) -> str:
        rendered = self._rendered[index]
        if rendered is None:
            cell = self.nb.cells[index]
            # Outputs were masked as they came; the source of a cell still to run must stay as it is in memory.
            copy = {**cell, "source": _lines(self._source(cell)), "metadata": self._redactor.mask_tree(cell.metadata)}
            if "attachments" in cell:
                copy["attachments"] = self._attachments(cell)
            if cell.cell_type == "code":
                copy["outputs"] = [_output(output) for output in cell.outputs]
            text = json.dumps(copy, indent=1, sort_keys=True, ensure_ascii=False)
            rendered = self._rendered[index] = text.replace("\n", "\n  ")
        return rendered


def _output(output: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(output)
    if "text" in copy:
        copy["text"] = _lines(copy["text"])
    if "data" in copy:
        copy["data"] = {
            mime: _lines(value) if isinstance(value, str) and not mime.endswith(JSON_MIMES) else value
            for mime, value in copy["data"].items()
        }
    return copy


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _node(value: Any) -> Any:
    from nbformat import from_dict

    return from_dict(value)


def _relative(path: object) -> object:
    # An absolute path names machines and people. What lies elsewhere keeps its name alone; addresses stay.
    if not isinstance(path, str) or "://" in path or not Path(path).is_absolute():
        return path if isinstance(path, str) else None
    here = Path.cwd()
    return Path(path).relative_to(here).as_posix() if Path(path).is_relative_to(here) else Path(path).name


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
