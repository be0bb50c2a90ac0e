"""Notebooks made for one test, and papermill run on them as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

# What the entry point does where the package is installed.
PAPERMILL = (
    "from papermill.engines import papermill_engines as engines;"
    "from runbook_lib.engine.papermill_engine import RunbookEngine;"
    "engines.register('runbook', RunbookEngine);"
    "from papermill.cli import papermill; papermill()"
)
ROOT = Path(__file__).parents[2]
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}


def make_notebook(path: Path, *cells: Any, parameters: str = "") -> Path:
    """Write a notebook: a text is a code cell, one that begins with `#` and a space a markdown cell."""
    nodes = [new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    for cell in cells:
        if isinstance(cell, str):
            nodes.append(new_markdown_cell(cell) if cell.startswith("# ") else new_code_cell(cell))
        else:
            nodes.append(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=nodes, metadata=METADATA), path)
    return path


@dataclass
class Executed:
    """A papermill command that ended, and what it left."""

    status: int
    text: str
    path: Path

    @property
    def notebook(self) -> dict[str, Any]:
        return dict(json.loads(self.path.read_text()))

    @property
    def about(self) -> dict[str, Any]:
        return dict(self.notebook["metadata"]["papermill"])

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells that were written by a person: not the markers that papermill adds."""
        return [cell for cell in self.notebook["cells"] if "papermill" in cell["metadata"]]

    @property
    def statuses(self) -> list[str]:
        return [cell["metadata"]["papermill"]["status"] for cell in self.cells]

    def output(self, index: int) -> str:
        return "".join("".join(output.get("text", "")) for output in self.cells[index]["outputs"])


class Papermill:
    """Starts the papermill command with this engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(
        self, notebook: Path, *options: str, environ: dict[str, str] | None = None, out: Path | None = None, **more: Any
    ) -> Any:
        """The process, running; its output goes to a file, so that nothing waits for its reader."""
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        out = out or notebook.with_suffix(".out.ipynb")
        with (self.folder / "said").open("w") as said:
            return subprocess.Popen(
                [sys.executable, "-c", PAPERMILL, "--engine", "runbook", str(notebook), str(out), *options],
                env={**os.environ, "PYTHONPATH": path, **(environ or {})},
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **more,
            )

    def finish(self, process: Any, notebook: Path) -> Executed:
        process.wait(timeout=120)
        return Executed(process.returncode, (self.folder / "said").read_text(), notebook.with_suffix(".out.ipynb"))

    def run(self, notebook: Path, *options: str, environ: dict[str, str] | None = None, **more: Any) -> Executed:
        if "--progress-bar" not in options:
            options = (*options, "--no-progress-bar")
        return self.finish(self.start(notebook, *options, environ=environ, **more), notebook)

    def run_to(self, notebook: Path, out: Path, *options: str) -> Executed:
        """Execute it and write it there, perhaps over itself."""
        return self.finish(self.start(notebook, "--no-progress-bar", *options, out=out), notebook)


@pytest.fixture
def papermill(tmp_path: Path) -> Papermill:
    return Papermill(tmp_path)


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    def make(*cells: Any, parameters: str = "", name: str = "in.ipynb") -> Path:
        return make_notebook(tmp_path / name, *cells, parameters=parameters)

    return make


def wait_for(happened: Callable[[], bool], process: Any = None, limit: float = 120) -> None:
    """Wait until something has happened in another process; fail if it ends before that, or never does it."""
    deadline = time.monotonic() + limit
    while not happened():
        if process is not None and process.poll() is not None:
            pytest.fail(f"the process ended with {process.returncode} before it happened")
        if time.monotonic() > deadline:
            pytest.fail("it never happened")
        time.sleep(0.02)
