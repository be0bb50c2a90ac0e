"""The package's modules can be read one at a time: no import circle, no long file, nothing private lent out."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = 450
# Modules that are longer, each with the reason why it holds one idea all the same.
LONGER: dict[str, str] = {}


def modules(root: Path) -> dict[str, Path]:
    """Every module under the package `root`, by its dotted name."""
    found = {path: path.relative_to(root.parent).with_suffix("").parts for path in sorted(root.rglob("*.py"))}
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in found.items()}


def imported(name: str, path: Path, statement: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of each import; the name is empty for `import module`."""
    if isinstance(statement, ast.Import):
        yield from ((alias.name, "") for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        base = package[: len(package) - statement.level + 1] if statement.level else []
        source = ".".join([*base, *([statement.module] if statement.module else [])])
        yield from ((source, alias.name) for alias in statement.names)


def import_graph(root: Path) -> dict[str, set[str]]:
    """For each module, the modules of the package that it imports: at once, for its types, or when it is called."""
    known = modules(root)
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for statement in ast.walk(ast.parse(path.read_text())):
            for source, member in imported(name, path, statement):
                target = f"{source}.{member}" if f"{source}.{member}" in known else source
                if target in known:
                    graph[name].add(target)
    return graph


def circle(root: Path) -> list[str]:
    """One import circle of the package, its first module named again at the end; empty if there is none."""
    try:
        TopologicalSorter(import_graph(root)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def private_imports(root: Path) -> list[str]:
    """Every import of a name with an underscore from another module of the package, as `importer: module._name`."""
    known = modules(root)
    return [
        f"{name}: {source}.{member}"
        for name, path in known.items()
        for statement in ast.walk(ast.parse(path.read_text()))
        for source, member in imported(name, path, statement)
        if source in known and member.startswith("_") and not member.startswith("__")
    ]


def longer(root: Path) -> set[str]:
    return {name for name, path in modules(root).items() if len(path.read_text().splitlines()) > LINES}


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(ROOT / "runbook_lib") == []


def test_what_a_module_keeps_to_itself_is_imported_by_no_other() -> None:
    assert private_imports(ROOT / "runbook_lib") == []


def test_a_module_over_the_limit_is_listed_with_its_reason() -> None:
    assert longer(ROOT / "runbook_lib") == set(LONGER)
    assert all(LONGER.values())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in which `first` uses `second`, and nothing else happens."""
    root = tmp_path / "sample"
    (root / "part").mkdir(parents=True)
    for name in ("__init__", "part/__init__"):
        (root / f"{name}.py").write_text("")
    (root / "first.py").write_text("from .part import second\n")
    (root / "part/second.py").write_text("import sys\n")
    return root


@pytest.mark.parametrize(
    "closing",
    [
        "from ..first import name\n",
        "from .. import first\n",
        "import sample.first\n",
        "if TYPE_CHECKING:\n    from ..first import name\n",
        "def late():\n    from ..first import name\n",
    ],
)
def test_a_circle_is_seen_however_it_is_closed(package: Path, closing: str) -> None:
    assert circle(package) == []
    (package / "part/second.py").write_text(closing)
    assert set(circle(package)) == {"sample.first", "sample.part.second"}


def test_a_private_name_is_seen_wherever_it_is_imported(package: Path) -> None:
    (package / "first.py").write_text("def late():\n    from .part.second import _hidden\n")
    assert private_imports(package) == ["sample.first: sample.part.second._hidden"]


def test_a_long_module_is_seen_from_the_first_line_over_the_limit(package: Path) -> None:
    (package / "first.py").write_text("pass\n" * LINES)
    (package / "part/second.py").write_text("pass\n" * (LINES + 1))
    assert longer(package) == {"sample.part.second"}


def test_mutants_are_tried_in_a_copy_of_all_that_lies_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["also_copy"]
    assert {name.partition("/")[0] for name in listed.splitlines()} - {"outputs"} == {
        *("pyproject.toml", "runbook_lib", "tests"),
        *told,
    }
