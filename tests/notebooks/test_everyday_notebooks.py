"""Notebooks as people write them leave the same outputs, cell by cell, as with papermill's own engine."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import papermill.engines  # before the engine's own module: it registers it
import pytest

from benchmarks.everyday_notebooks import ENGINES, Everyday, Executed, compare, execute, notebooks, write_kernels
from runbook_lib.engine.papermill_engine import RunbookEngine

ALL = {notebook.name: notebook for notebook in notebooks()}
# All are executed by `make conformance-notebooks`; these take a second or two each.
QUICK = (
    "allowed_errors", "calculator", "cell_magics", "commands", "coroutines", "displays", "exception", "exits_well",
    "failing_command", "history", "long_output", "own_reprs", "parameters", "process_pools", "processes",
    "scripts", "shell", "streams", "threads", "widgets",
)  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_outputs_are_those_of_papermills_own_engine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)
    monkeypatch.setenv("JUPYTER_PATH", str(write_kernels(tmp_path / "jupyter")))
    done = {}
    for engine in ENGINES:
        folder = tmp_path / engine / "everyday-one"
        folder.mkdir(parents=True)
        done[engine] = execute(ALL[name], engine, folder)
    assert compare(ALL[name], done["papermill"], done["runbook"]) == []


def executed(*outputs: dict[str, Any], end: str = "", widgets: dict[str, Any] | None = None) -> Executed:
    cell = {"cell_type": "code", "source": "print(1)", "execution_count": 1, "metadata": {}, "outputs": list(outputs)}
    metadata = {"widgets": {"state": {"state": widgets}}} if widgets else {}
    return Executed({"cells": [copy.deepcopy(cell)], "metadata": metadata}, 1.0, end)


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(text: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}


PLAIN = Everyday("plain", ())
BOUNDED = Everyday("bounded", (), differs={1: "bounded"})


def test_there_are_thirty_at_least_and_more_than_one_kernel() -> None:
    assert len(ALL) >= 30
    assert len({notebook.kernel for notebook in ALL.values()}) >= 4
    assert set(QUICK) < set(ALL)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ((stream("a"), stream("b")), (stream("ab"),)),
        ((stream("e", "stderr"), stream("o")), (stream("o"), stream("e", "stderr"))),
        ((stream("12%\r34%"),), (stream("34%"),)),
        ((shown("<A at 0x7f1234567890>"),), (shown("<A at 0x7f9876543210>"),)),
    ],
    ids=["pieces", "order of streams", "terminal", "addresses"],
)
def test_what_is_chance_is_no_difference(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> None:
    assert compare(PLAIN, executed(*theirs), executed(*ours)) == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (executed(stream("a")), executed(stream("b"))),
        (executed(stream("a")), executed()),
        (executed(stream("a")), executed(stream("a", "stderr"))),
        (executed(stream("a"), shown("b")), executed(shown("b"), stream("a"))),
        (executed(shown("a")), executed(shown("a"), shown("a"))),
        (executed(end="KeyError: 1"), executed(end="KeyError: 2")),
        (executed(widgets={"1": {"value": 1}}), executed(widgets={"1": {"value": 2}})),
    ],
    ids=["text", "nothing", "stream", "order", "twice", "end", "widgets"],
)
def test_a_difference_is_one(theirs: Executed, ours: Executed) -> None:
    assert len(compare(PLAIN, theirs, ours)) == 1


def test_a_documented_difference_may_be_and_must_be() -> None:
    assert compare(BOUNDED, executed(stream("a")), executed(stream("b"))) == []
    (said,) = compare(BOUNDED, executed(stream("a")), executed(stream("a")))
    assert "is said to differ" in said
