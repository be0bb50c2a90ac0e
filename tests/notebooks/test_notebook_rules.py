"""The rules of a notebook, read off the files: a reader who knows one of them knows them all."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from runbook_lib import notebook as promised
from runbook_lib.models.steps import BUILT_IN

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
PLAIN_TYPES = {"str", "int", "float", "bool"}
PARAMETER = re.compile(r"(?P<name>[a-z_]+): (?P<type>\w+) = (?P<default>.+?)  # (?P<comment>\S.*)")
# They belong to no run, and are opened by hand alone.
EXPLORING = ("compare_runs.ipynb", "explore_history.ipynb")
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Try, ast.With, ast.For, ast.While)

Cell = dict[str, Any]


@pytest.fixture(params=BUILT_IN)
def cells(request: pytest.FixtureRequest) -> list[Cell]:
    return list(json.loads((NOTEBOOKS / request.param.notebook).read_text())["cells"])


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def code(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def is_parameters(cell: Cell) -> bool:
    return "parameters" in cell["metadata"].get("tags", [])


def is_skipped(cell: Cell) -> bool:
    return "skip-execution" in cell["metadata"].get("tags", [])


def test_there_is_one_notebook_a_step_and_two_that_look_at_all_runs() -> None:
    names = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    assert names == [*(step.notebook for step in BUILT_IN), *EXPLORING]


def test_it_begins_with_a_title_and_one_line_of_purpose(cells: list[Cell]) -> None:
    assert cells[0]["cell_type"] == "markdown"
    assert re.fullmatch(r"# \w[^\n]*\n\n\w[^\n]*[.?]\n?", source(cells[0]))


def test_it_has_exactly_one_parameters_cell_before_all_other_code(cells: list[Cell]) -> None:
    assert [is_parameters(cell) for cell in code(cells)] == [True] + [False] * (len(code(cells)) - 1)


def test_each_parameter_is_a_plain_typed_name_with_a_comment(cells: list[Cell]) -> None:
    lines = source(code(cells)[0]).splitlines()
    found = [PARAMETER.fullmatch(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    assert {match["type"] for match in found if match} <= PLAIN_TYPES
    assert all(type(ast.literal_eval(match["default"])).__name__ == match["type"] for match in found if match)


def test_each_parameters_cell_begins_with_run_and_stack(cells: list[Cell]) -> None:
    names = [line.partition(":")[0] for line in source(code(cells)[0]).splitlines()]
    assert names[:2] == ["run_id", "stack"]


def test_prose_stands_before_each_code_cell(cells: list[Cell]) -> None:
    before = [cells[index - 1] for index, cell in enumerate(cells) if cell["cell_type"] == "code" and index]
    assert len(before) == len(code(cells))
    assert all(cell["cell_type"] == "markdown" and source(cell).strip() for cell in before)


def test_code_cells_are_short(cells: list[Cell]) -> None:
    lengths = [len([line for line in source(cell).splitlines() if line.strip()]) for cell in code(cells)]
    assert all(1 <= length <= 15 for length in lengths), lengths
    assert all(length <= 5 for cell, length in zip(code(cells), lengths, strict=True) if not is_parameters(cell))


def test_a_cell_calls_and_shows_and_does_nothing_else(cells: list[Cell]) -> None:
    nodes = [node for cell in code(cells) for node in ast.walk(ast.parse(source(cell)))]
    assert not [type(node).__name__ for node in nodes if isinstance(node, FORBIDDEN)]


def test_it_imports_the_library_alone(cells: list[Cell]) -> None:
    nodes = [node for cell in code(cells) for node in ast.walk(ast.parse(source(cell)))]
    assert not [node for node in nodes if isinstance(node, ast.Import)]
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert modules == {"runbook_lib.report", "runbook_lib.steps"}


def test_it_holds_no_outputs(cells: list[Cell]) -> None:
    assert [(cell["outputs"], cell["execution_count"]) for cell in code(cells)] == [([], None)] * len(code(cells))


def test_the_last_cell_that_is_executed_is_the_decision(cells: list[Cell]) -> None:
    executed = [index for index, cell in enumerate(cells) if cell["cell_type"] == "code" and not is_skipped(cell)]
    assert source(cells[executed[-1] - 1]).startswith("## Decision\n")
    assert len(ast.parse(source(cells[executed[-1]])).body) == 1
    assert re.fullmatch(r"\w+\.decide\(.*\)", source(cells[executed[-1]]).strip())


def test_after_the_decision_one_skipped_cell_digs_deeper_in_a_frame(cells: list[Cell]) -> None:
    assert [index for index, cell in enumerate(cells) if is_skipped(cell)] == [len(cells) - 1]
    assert re.fullmatch(r"## Dig deeper\n\n\w[^\n]*by hand[^\n]*\?", source(cells[-2]))
    attributes = [node.attr for node in ast.walk(ast.parse(source(cells[-1]))) if isinstance(node, ast.Attribute)]
    assert "frame" in attributes
    assert ".decide(" in source(cells[-3])


def test_what_digs_deeper_uses_names_of_the_cells_before(cells: list[Cell]) -> None:
    *before, last = [ast.parse(source(cell)) for cell in code(cells)]
    imported = {alias.name for tree in before for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                for alias in node.names}  # fmt: skip
    known = imported.union(*map(names_stored, before), names_stored(last))
    used = {node.id for node in ast.walk(last) if isinstance(node, ast.Name)}
    assert used - known == set()


def names_stored(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


OWN = (*sorted((NOTEBOOKS / "examples").glob("*.ipynb")), ROOT / "runbook_lib/cli/own_step.ipynb")


@pytest.fixture(params=OWN, ids=lambda path: path.name)
def own(request: pytest.FixtureRequest) -> list[Cell]:
    return list(json.loads(request.param.read_text())["cells"])


def test_an_example_of_one_s_own_reads_as_ours_do(own: list[Cell]) -> None:
    assert re.fullmatch(r"# \S[^\n]*\n\n\w[^\n]*[.?]\n?", source(own[0]))
    assert [is_parameters(cell) for cell in code(own)] == [True] + [False] * (len(code(own)) - 1)
    assert [line.partition(":")[0] for line in source(code(own)[0]).splitlines()][:2] == ["run_id", "stack"]
    assert all(len(source(cell).splitlines()) <= 5 for cell in code(own))
    assert re.match(r"step\.finish\(", source(own[-3]))


def test_an_example_of_one_s_own_imports_only_what_is_promised(own: list[Cell]) -> None:
    nodes = [node for cell in code(own) for node in ast.walk(ast.parse(source(cell)))]
    assert not [type(node).__name__ for node in nodes if isinstance(node, (*FORBIDDEN, ast.Import))]
    imported = {(node.module, alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {name for module, name in imported if module == "runbook_lib.notebook"} <= set(promised.__all__)
    assert {module for module, _ in imported} <= {"runbook_lib.notebook", "runbook_lib.report"}
    assert {name for module, name in imported if module == "runbook_lib.report"} <= {"tables", "charts"}


@pytest.fixture(params=EXPLORING)
def exploring(request: pytest.FixtureRequest) -> list[Cell]:
    return list(json.loads((NOTEBOOKS / request.param).read_text())["cells"])


def test_a_notebook_over_all_runs_keeps_the_same_rules(exploring: list[Cell]) -> None:
    test_it_begins_with_a_title_and_one_line_of_purpose(exploring)
    test_it_has_exactly_one_parameters_cell_before_all_other_code(exploring)
    test_each_parameter_is_a_plain_typed_name_with_a_comment(exploring)
    test_prose_stands_before_each_code_cell(exploring)
    test_code_cells_are_short(exploring)
    test_a_cell_calls_and_shows_and_does_nothing_else(exploring)
    test_it_holds_no_outputs(exploring)
    assert source(exploring[-2]).startswith("## Decision\n")
    assert re.fullmatch(r"\w+\.decide\(.*\)", source(exploring[-1]).strip())


def test_a_notebook_over_all_runs_imports_what_asks_them_alone(exploring: list[Cell]) -> None:
    nodes = [node for cell in code(exploring) for node in ast.walk(ast.parse(source(cell)))]
    imported = {(node.module, alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == {("runbook_lib.runner", "explore")}
    assert not [node for node in nodes if isinstance(node, ast.Import)]
