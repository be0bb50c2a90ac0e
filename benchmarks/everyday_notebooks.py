"""Everyday notebooks through papermill's own engine and through this one: outputs cell by cell, times side by side.

The notebooks are the files of tests/fixtures/everyday, one each: cells begin with `# %%`, and lines above the first say
with which kernel and parameters it is executed and in which cells (counted from 1) it differs, by which of DIFFERENCES.
Fails where a cell differs that should not, and where one does not that should.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests/fixtures/everyday"
ENGINES = {"papermill": None, "runbook": "runbook"}
# What docs/engine.md says of how this engine differs, where a notebook shows it.
DIFFERENCES = {
    "failing-commands": "a command that fails is an error, and cells after it are not run",
    "shown-errors": "an error that is shown ends the notebook, whatever the kernel replies",
    "hidden-errors": "an error that the kernel only replies with is shown",
    "good-exit": "sys.exit(0) is a good end, and no error is shown",
    "bounded": "of a stream of more than 256 KiB head and tail are kept",
}
COMMAND = """
import sys
from papermill.engines import papermill_engines
from runbook_lib.engine.papermill_engine import RunbookEngine
papermill_engines.register("runbook", RunbookEngine)
from papermill.cli import papermill
papermill()
"""


@dataclass(frozen=True)
class Everyday:
    """One notebook, and what is known of it."""

    name: str
    cells: tuple[Any, ...]
    kernel: str = "python3"
    parameters: dict[str, Any] = field(default_factory=dict)
    differs: dict[int, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """As the notebook that papermill takes."""
        languages = {"shell": "bash", "calculator": "sums"}
        language = languages.get(self.kernel, "python")
        kernel = {"name": self.kernel, "display_name": self.kernel, "language": language}
        metadata = {"kernelspec": kernel, "language_info": {"name": language}}
        nbformat.write(new_notebook(cells=list(self.cells), metadata=metadata), path)
        return path


def notebooks() -> list[Everyday]:
    """All of them, in the order of their names."""
    return [_read(path) for path in sorted(FOLDER.glob("*.ipy"))]


def _read(path: Path) -> Everyday:
    head, *parts = re.split(r"(?m)^# %%(.*)\n", path.read_text(encoding="utf-8"))
    about = dict(line.removeprefix("# ").split(": ", 1) for line in head.splitlines())
    cells = []
    for kind, text in zip(parts[::2], parts[1::2], strict=True):
        if "[markdown]" in kind:
            cells.append(new_markdown_cell(text.strip("\n")))
        else:
            tags = kind.partition("tags: ")[2].split()
            cells.append(new_code_cell(text.rstrip("\n"), metadata={"tags": tags} if tags else {}))
    why, _, numbers = about.get("differs", "").partition(": ")
    if why and why not in DIFFERENCES:
        raise ValueError(f"{path.name}: no difference is named {why!r}")
    return Everyday(
        path.stem,
        tuple(cells),
        about.get("kernel", "python3"),
        json.loads(about.get("parameters", "{}")),
        {int(number): why for number in numbers.split(",") if number},
    )


def write_kernels(folder: Path) -> Path:
    """Descriptions of the kernels that come with the notebooks; gives what JUPYTER_PATH needs."""
    commands: dict[str, list[str]] = {name: [str(FOLDER / f"kernels/{name}.py")] for name in ("shell", "calculator")}
    commands["analysis"] = ["-B", "-m", "ipykernel_launcher"]
    for name, command in commands.items():
        spec = folder / "kernels" / name / "kernel.json"
        spec.parent.mkdir(parents=True)
        argv = [sys.executable, *command, "-f", "{connection_file}"]
        about = {"argv": argv, "display_name": name, "language": "python", "env": {"TEAM": "networks"}}
        spec.write_text(json.dumps(about))
    return folder


# What differs from one execution to the next, whoever executes.
VOLATILE = [
    (re.compile(r"\b(0x|at )[0-9a-f]{6,16}\b"), "0x…"),
    (re.compile(r"ipykernel_\d+[\\/]\d+\.py"), "ipykernel/cell.py"),
    (re.compile(r"/[^ \n'\"]*?/(everyday-[a-z]+)/"), "/…/"),
]
NUMBER = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


@dataclass(frozen=True)
class Executed:
    """What an execution has left, in a form in which two can be compared."""

    notebook: dict[str, Any]
    seconds: float
    end: str

    def cells(self) -> list[dict[str, Any]]:
        """Each cell that a person or a parameter wrote, its outputs as a reader sees them."""
        order: dict[str, str] = {}

        def steady(text: str) -> str:
            for pattern, instead in VOLATILE:
                text = pattern.sub(instead, text)
            return NUMBER.sub(lambda found: order.setdefault(found[0], f"id {len(order)}"), text)

        found = []
        for cell in self.notebook["cells"]:
            if "papermill-error-cell-tag" in cell["metadata"].get("tags", []):
                continue
            seen = {name: cell.get(name) for name in ("cell_type", "source", "execution_count")}
            seen["outputs"] = [json.loads(steady(json.dumps(output))) for output in _outputs(cell)]
            found.append(seen)
        return found

    def widgets(self) -> list[str]:
        """The kept states of widgets, without the numbers by which they know each other."""
        kinds = self.notebook["metadata"].get("widgets", {}).values()
        states = [state for kind in kinds for state in kind.get("state", {}).values()]
        return sorted(NUMBER.sub("id", json.dumps(state, sort_keys=True)) for state in states)


def _outputs(cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A cell's outputs. What came to each stream between two other outputs is one text: pieces are chance."""
    streams: dict[str, str] = {}
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + "".join(output["text"])
            continue
        yield from _texts(streams)
        streams = {}
        yield {name: value for name, value in output.items() if name != "transient"}
    yield from _texts(streams)


def _texts(streams: dict[str, str]) -> Iterator[dict[str, Any]]:
    for name in sorted(streams, reverse=True):
        yield {"output_type": "stream", "name": name, "text": _on_terminal(streams[name])}


def _on_terminal(text: str) -> str:
    """The text as a terminal leaves it: what comes after a carriage return overwrites."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for piece in line.split("\r"):
            shown = piece + shown[len(piece) :]
        lines.append(shown)
    return "\n".join(lines)


def execute(notebook: Everyday, engine: str, folder: Path) -> Executed:
    """In this process, in a folder of its own.

    papermill's own engine now and then waits for ever for a message that does not come: then it is asked once more.
    """
    from nbclient.exceptions import CellTimeoutError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    path, out = notebook.write(folder / "in.ipynb"), folder / "out.ipynb"
    options = {"engine_name": ENGINES[engine], "parameters": notebook.parameters, "cwd": str(folder)}
    for bound in (60, None) if engine == "papermill" else (None,):
        began, end = time.perf_counter(), ""
        try:
            execute_notebook(str(path), str(out), progress_bar=False, execution_timeout=bound, **options)
        except PapermillExecutionError as error:
            end = f"{error.ename}: {error.evalue}"
        except CellTimeoutError:
            continue
        break
    return Executed(json.loads(out.read_text()), time.perf_counter() - began, end)


def command(notebook: Everyday, engine: str, folder: Path, environment: dict[str, str]) -> Executed:
    """As a command, in a folder of its own."""
    path, out = notebook.write(folder / "in.ipynb"), folder / "out.ipynb"
    options = ["--no-progress-bar", "--log-level", "ERROR", "-y", json.dumps(notebook.parameters)]
    options += ["--engine", engine] if ENGINES[engine] else []
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(path), str(out), *options],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    return Executed(json.loads(out.read_text()), seconds, f"status {done.returncode}")


def compare(notebook: Everyday, theirs: Executed, ours: Executed) -> list[str]:
    """What differs and should not, and what should and does not, each in a line."""
    found = []
    if len(theirs.cells()) != len(ours.cells()):
        return [f"{len(theirs.cells())} cells against {len(ours.cells())}"]
    for number, (one, other) in enumerate(zip(theirs.cells(), ours.cells(), strict=True), start=1):
        if number in notebook.differs:
            if one == other:
                found.append(f"cell {number}: equal, though it is said to differ ({notebook.differs[number]})")
        elif one != other:
            found.append(f"cell {number}: {_first_difference(one, other)}")
    if not notebook.differs and theirs.end != ours.end:
        found.append(f"ends with {theirs.end!r} against {ours.end!r}")
    if theirs.widgets() != ours.widgets():
        found.append(f"{len(theirs.widgets())} states of widgets against {len(ours.widgets())}, or others")
    return found


def _first_difference(one: Any, other: Any, where: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(_first_difference(one[key], other[key], f"{where}.{key}") for key in one if one[key] != other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(_first_difference(a, b, f"{where}[{n}]") for n, (a, b) in pairs if a != b)
    return f"{where}: {str(one)[:300]!r} against {str(other)[:300]!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="notebooks whose name holds this")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is executed; the best time counts")
    options = parser.parse_args()
    chosen = [notebook for notebook in notebooks() if options.only in notebook.name]
    wrong, sums = 0, dict.fromkeys(ENGINES, 0.0)
    with tempfile.TemporaryDirectory(prefix="bench-notebooks-") as folder:
        kernels = write_kernels(Path(folder) / "jupyter")
        environment = {**os.environ, "JUPYTER_PATH": str(kernels)}
        print(f"{'':4} {'notebook':<26} {'papermill':>10} {'runbook':>10} {'ratio':>6}", flush=True)
        for notebook in chosen:
            runs: dict[str, list[Executed]] = {engine: [] for engine in ENGINES}
            for turn in range(options.rounds):
                for engine in ENGINES:
                    own = Path(folder) / f"{notebook.name}-{engine}-{turn}" / "everyday-one"
                    own.mkdir(parents=True)
                    runs[engine].append(command(notebook, engine, own, environment))
            found = compare(notebook, runs["papermill"][0], runs["runbook"][0])
            best = {engine: min(run.seconds for run in done) for engine, done in runs.items()}
            sums = {engine: sums[engine] + best[engine] for engine in ENGINES}
            wrong += bool(found)
            ratio = best["runbook"] / best["papermill"]
            say = f"{notebook.name:<26} {best['papermill']:8.2f} s {best['runbook']:8.2f} s {ratio:6.2f}"
            print(f"{'FAIL' if found else 'ok  '} {say}", flush=True)
            for line in found:
                print(f"       {line}")
    total = f"{'together':<26} {sums['papermill']:8.2f} s {sums['runbook']:8.2f} s"
    print(f"     {total} {sums['runbook'] / max(sums['papermill'], 0.001):6.2f}")
    print(f"{len(chosen) - wrong} of {len(chosen)} notebooks have the same outputs, cell by cell")
    for why in sorted({why for notebook in chosen for why in notebook.differs.values()}):
        print(f"     documented: {why}: {DIFFERENCES[why]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
