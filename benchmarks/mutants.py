"""`make mutants`: whether the unit tests notice when the code that judges, words and compares is changed.

    python benchmarks/mutants.py [--seed 1] [--count 300] [--workers 2]

A sample of mutmut's mutants is run, each against the tests that reach the function it is in; the same seed gives the
same sample. Killed is what a test fails on or what no longer ends; what no test reaches has survived. Exit status 1 if
fewer than 9 in 10 are killed.

What is mutated, and what is left out, is mutmut's to say, with [tool.mutmut] in pyproject.toml: bodies and
plain default values of functions; never a docstring, an annotation, the condition of an `isinstance` or a `len`, or
anything outside of a function, so neither `__all__` nor a constant. No mutant is taken out by hand.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import get_mutant_name, orig_function_and_class_names_from_key

ROOT = Path(__file__).resolve().parent.parent
# What mutmut takes from there by itself.
PARTS = ("pyproject.toml", "runbook_lib", "tests")
LEAST = 0.9
# mutmut calls a segfault what was ended by a signal: what did not heed its time limit, or took all memory.
NOTICED = {"killed", "timeout", "segfault"}


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed: where it is, what it changed, and whether any test came by."""

    path: Path
    line: int
    status: str
    diff: str


def copy_project(folder: Path) -> None:
    """What the unit tests need, with every function in the form in which mutmut mutates it."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["also_copy"]
    for name in (*PARTS, *told):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform", "__pycache__"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    for path in (folder / "runbook_lib").rglob("*.py"):
        path.write_text(undecorate(path.read_text()))


def undecorate(source: str) -> str:
    """`f = decorator(f)` after a function of the module instead of `@decorator` before it: that mutmut passes by."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and len(node.decorator_list) == 1:
            (decorator,) = node.decorator_list
            lines.insert(node.end_lineno or 0, f"{node.name} = ({ast.unparse(decorator)})({node.name})\n")
            del lines[decorator.lineno - 1 : node.lineno - 1]
    return "".join(lines)


def population() -> dict[str, Path]:
    """Every mutant by name, and the file it is in."""
    return {
        get_mutant_name(path, name): path
        for path in sorted(walk_mutatable_files())
        for name in mutate_file_contents(str(path), path.read_text()).mutant_names
    }


def run(names: list[str], workers: int) -> None:
    """Have mutmut try these mutants; what it prints is kept apart, and shown if it fails."""
    command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", str(workers), *names]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mutmut ended with {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}")


def survivors(sample: dict[str, Path]) -> list[Survivor]:
    """Those of the sample that are not killed."""
    found = []
    for name, path in sample.items():
        data = SourceFileMutationData(path=path)
        data.load()
        status = status_by_exit_code[data.exit_code_by_key[name]]
        if status not in NOTICED:
            diff = get_diff_for_mutant(name, path=path)
            found.append(Survivor(path, line_of(name, path, diff), status, diff))
    return sorted(found, key=lambda survivor: (survivor.path, survivor.line))


def line_of(name: str, path: Path, diff: str) -> int:
    """The line in the file of the first line that the mutant changes."""
    source = (ROOT / path).read_text()
    function, parent = orig_function_and_class_names_from_key(name)
    body = ast.parse(source).body
    if parent:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == parent)
    start = next(node.lineno for node in body if isinstance(node, ast.FunctionDef) and node.name == function)
    removed = next(line for line in diff.splitlines()[3:] if line.startswith("-"))[1:].strip()
    lines = source.splitlines()
    return next((at for at in range(start, len(lines) + 1) if lines[at - 1].strip() == removed), start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        os.chdir(folder)
        every = population()
        chosen = random.Random(options.seed).sample(sorted(every), min(options.count, len(every)))
        print(f"{len(chosen)} of {len(every)} mutants, seed {options.seed}", flush=True)
        run(chosen, options.workers)
        survived = survivors({name: every[name] for name in chosen})
        os.chdir(ROOT)
    for survivor in survived:
        print(f"\n{survivor.path}:{survivor.line}: {survivor.status}\n{survivor.diff}")
    killed = len(chosen) - len(survived)
    print(f"\n{killed} killed, {len(survived)} survived: {killed / len(chosen):.1%}")
    return int(killed < LEAST * len(chosen))


if __name__ == "__main__":
    raise SystemExit(main())
