"""Parameters: what a notebook declares, and what may be given."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runbook_lib.engine.parameters import (
    Given,
    MissingParameterError,
    check_parameters,
    collect_parameters,
    declared_parameters,
    fit_text,
    fit_value,
    retype,
)
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.compliance import Scope

ROOT = Path(__file__).resolve().parents[3]
SOURCE = """\
# where to look
region: str = "eu-west-1"
retries: int = 3  # how often
ratio: float = 0.5
dry: bool = False
ports: list[int] = [80, 443]
labels: dict[str, str] = {}
account: str  # the account's number
free = None
"""


def make(source: str, language: str = "python") -> Any:
    cell = new_code_cell(source, metadata={"tags": ["parameters"]})
    return new_notebook(cells=[cell], metadata={"kernelspec": {"name": "x", "display_name": "x", "language": language}})


def test_declared_parameters_have_types_defaults_and_meaning() -> None:
    declared = declared_parameters(make(SOURCE))
    assert declared is not None
    assert list(declared) == ["region", "retries", "ratio", "dry", "ports", "labels", "account", "free"]
    assert declared["region"].meaning == "where to look"
    assert declared["retries"].meaning == "how often"
    assert declared["ports"].type == "list[int]"
    assert declared["account"].required
    assert not declared["region"].required


def test_magics_in_the_parameters_cell_are_passed_over() -> None:
    assert list(declared_parameters(make("%matplotlib inline\nx: int = 1\n!ls")) or {}) == ["x"]


def test_broken_parameters_cell_is_said_with_its_line() -> None:
    with pytest.raises(ConfigError, match="line 2"):
        declared_parameters(make("x = 1\ny = = 2"))


def test_notebook_in_another_language_declares_nothing_that_could_be_checked() -> None:
    assert declared_parameters(make("x <- 1", "R")) is None


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("007", "str", "007"),
        ("1e5", "str", "1e5"),
        ("true", "str", "true"),
        ("007", "int", 7),
        ("1e5", "float", 100_000.0),
        ("3", "float", 3.0),
        ("yes", "bool", True),
        ("False", "bool", False),
        ("[80, 443]", "list[int]", [80, 443]),
        ("[007, a]", "list[str]", None),
        ("{a: b}", "dict[str, str]", {"a": "b"}),
        ("", "int | None", None),
        ("5", "int | None", 5),
        ("5", "Optional[int]", 5),
        ("5", "str | None", "5"),
        ("5", "", 5),
        ("inf", "float", math.inf),
        ("-Infinity", "float", -math.inf),
        ("~", "Path", "~"),
        ("#tag", "pathlib.Path", "#tag"),
        ("/data/in: set A", "Path", "/data/in: set A"),
        ("007", "Path", "007"),
        ("2024-01-31", "datetime.date", "2024-01-31"),
        ("", "Path | None", None),
        ("x", "Optional[Path]", "x"),
        ("5", "Path | int", 5),
        ("5", "Union[int, str]", "5"),
        ("5", "Union[int, float]", 5),
        ("5", "Annotated[int, 'how often']", 5),
        ("[1, 2]", "Sequence[int]", "[1, 2]"),
    ],
)
def test_text_becomes_what_is_declared(text: str, annotation: str, value: Any) -> None:
    if value is None and annotation == "list[str]":
        with pytest.raises(UsageError):
            fit_text("p", text, annotation)
        return
    fitted = fit_text("p", text, annotation)
    assert fitted == value
    assert type(fitted) is type(value)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (7, "str"),
        ("7", "int"),
        (True, "int"),
        (1.0, "int"),
        (1, "bool"),
        ("80", "list[int]"),
        (["80"], "list[int]"),
        ({"a": 1}, "dict[str, str]"),
        (None, "str"),
    ],
)
def test_value_of_another_type_is_refused(value: Any, annotation: str) -> None:
    with pytest.raises(UsageError, match="declared"):
        fit_value("p", value, annotation)


@pytest.mark.parametrize(
    ("text", "annotation"), [("x", "int"), ("1.5", "int"), ("maybe", "bool"), ("123e4567", "float")]
)
def test_text_that_does_not_fit_is_refused(text: str, annotation: str) -> None:
    with pytest.raises(UsageError, match="declared"):
        fit_text("p", text, annotation)


@pytest.mark.parametrize(
    ("source", "typed", "made", "value"),
    [
        ("x: Path = Path('.')", "007", 7, "007"),
        ("x: PositiveInt = 1", "7", 7, 7),
        ("x: Any = None", "~", "~", "~"),
        ("x = ''", "007", 7, "007"),
        ("x = ''", "None", None, None),
        ("x: str = ''", "None", None, "None"),
        ("x = 1", "2", 2, 2),
        ("x = 1.0", "123e4567", math.inf, math.inf),
        ("x, y = 'a', 2", "007", 7, "007"),
        ("x = y = 'a'", "007", 7, "007"),
        ("if y:\n    x = 'a'\nelse:\n    x = 'b'", "5", 5, 5),
    ],
)
def test_typed_text_is_what_papermill_makes_of_it_unless_the_declaration_says_more(
    source: str, typed: str, made: Any, value: Any
) -> None:
    declared = declared_parameters(make(source))
    assert declared is not None
    assert retype(declared["x"], typed, made) == value


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x, y = 1, 2", ["x", "y"]),
        ("(x, [y, *z]) = f()", ["x", "y", "z"]),
        ("x = y = 1", ["x", "y"]),
        ("if a:\n    x = 1\nelif b:\n    y: int = 2\nelse:\n    z += 1", ["x", "y", "z"]),
        ("try:\n    import a\n    x = 1\nexcept ImportError:\n    x = 2", ["x"]),
        ("with open('a') as x:\n    y = x.read()", ["x", "y"]),
        ("for x in y:\n    pass", ["x"]),
        ("def f():\n    no = 1\nclass C:\n    no = 1\n[no for no in y]\nx = 1", ["x"]),
        ("a.b = 1\na[0] = 2\nx = 1", ["x"]),
    ],
)
def test_whatever_the_cell_assigns_is_a_parameter(source: str, names: list[str]) -> None:
    assert list(declared_parameters(make(source)) or {}) == names


def test_names_of_a_tuple_have_their_own_defaults() -> None:
    declared = declared_parameters(make("x, y = 1, 'two'  # both")) or {}
    assert [(declared[name].default, declared[name].meaning) for name in "xy"] == [("1", "both"), ("'two'", "both")]
    assert not any(parameter.required for parameter in declared.values())


def test_names_of_a_condition_have_no_default_and_are_not_required() -> None:
    declared = declared_parameters(make("if a:\n    x: int = 1")) or {}
    assert (declared["x"].default, declared["x"].type, declared["x"].required) == ("", "", False)


@pytest.mark.parametrize(
    "line", ["found = !ls", "home = %env HOME", "len?", "%matplotlib inline", "!ls {x}", "%time y = 2"]
)
def test_ipython_in_the_parameters_cell_is_read_as_the_kernel_reads_it(line: str) -> None:
    declared = declared_parameters(make(f"{line}\nx: int = 1  # how many")) or {}
    assert (declared["x"].default, declared["x"].meaning) == ("1", "how many")


def test_cell_magic_on_the_parameters_cell_declares_nothing_that_is_known() -> None:
    assert declared_parameters(make("%%time\nx = 1")) is None


def test_text_that_looks_like_a_magic_stays_in_its_default() -> None:
    source = 'x = """\n%d of\n!"""'
    assert (declared_parameters(make(source)) or {})["x"].default == '"""\n%d of\n!"""'


@pytest.mark.parametrize("value", [None, 5, ["a"]])
def test_only_an_annotation_makes_a_type_wrong(value: Any) -> None:
    assert check_parameters(make("x = ''"), {"x": value}) == {"x": value}
    with pytest.raises(UsageError, match="declared str"):
        check_parameters(make("x: str = ''"), {"x": value})


def test_numbers_that_are_none_are_taken_where_a_number_is_declared() -> None:
    assert fit_value("p", math.inf, "float") == math.inf
    assert math.isnan(fit_value("p", math.nan, "float"))


def test_unknown_name_is_taken_by_the_option() -> None:
    given = {"account": "1", "regon": "x"}
    assert check_parameters(make(SOURCE), given, unknown=True) == given


def test_unknown_name_is_refused_with_the_likely_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'region'"):
        check_parameters(make(SOURCE), {"account": "1", "regon": "x"})


def test_missing_required_parameter_is_refused_with_its_meaning() -> None:
    with pytest.raises(MissingParameterError, match="needs the parameter 'account'") as caught:
        check_parameters(make(SOURCE), {})
    assert caught.value.remedy == "the account's number"


@pytest.fixture
def notebooks(tmp_path: Path) -> dict[str, Path]:
    paths = {step: tmp_path / f"{step}.ipynb" for step in STEPS}
    for path in paths.values():
        nbformat.write(make('name: str = "default"\ncount: int = 1'), path)
    return paths


STEPS = ("plan", "service_tests")


def test_command_line_wins_over_environment_over_file(notebooks: dict[str, Path]) -> None:
    document = {"plan": {"name": "001", "count": 1}, "service_tests": {"count": 5}}
    environ = {"RUNBOOK_PARAM_PLAN_NAME": "002", "RUNBOOK_PARAM_SERVICE_TESTS_NAME": "x"}
    found = collect_parameters(notebooks, STEPS, Given(["plan.count=3"], document, "p.yml", environ))
    assert found.values == {
        "plan": {"name": "002", "count": 3},
        "service_tests": {"name": "x", "count": 5},
    }
    assert found.sources["plan"] == {"name": "environment", "count": "command line"}
    assert found.sources["service_tests"] == {"name": "environment", "count": "file"}


@pytest.mark.parametrize(
    ("assignments", "environ", "said"),
    [
        (["plan.nam=1"], {}, "did you mean 'name'"),
        (["plam.name=1"], {}, "did you mean 'plan'"),
        (["name=1"], {}, "is not STEP.NAME=VALUE"),
        (["plan.count=x"], {}, "declared int"),
        ([], {"RUNBOOK_PARAM_PLAN_NAMES": "1"}, "did you mean 'name'"),
        ([], {"RUNBOOK_PARAM_NAME": "1"}, "names no step"),
    ],
)
def test_wrong_assignment_is_refused(
    notebooks: dict[str, Path], assignments: list[str], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        collect_parameters(notebooks, STEPS, Given(assignments, environ=environ))


def test_parameter_for_a_step_that_is_not_run_is_checked_and_left_out(notebooks: dict[str, Path]) -> None:
    assert collect_parameters(notebooks, ["plan"], Given(["service_tests.count=2"], environ={})).values == {"plan": {}}


CHOICE = 'scope: str = "changed"  # one of changed, all: changed blocks only by the change\nlock: bool = True\n'


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (Given(assignments=["plan.scope=al"], environ={}), "; did you mean 'all'?"),
        (Given(environ={"RUNBOOK_PARAM_PLAN_SCOPE": "everything"}), ""),
        (Given(document={"plan": {"scope": "ALL"}}, what="given.yml", environ={}), ""),
    ],
)
def test_a_value_that_is_none_of_those_allowed_is_refused_with_those(tmp_path: Path, given: Given, hint: str) -> None:
    path = tmp_path / "plan.ipynb"
    nbformat.write(make(CHOICE), path)
    with pytest.raises(UsageError) as caught:
        collect_parameters({"plan": path}, ["plan"], given)
    assert caught.value.message.startswith("parameter 'scope' can't be ")
    assert caught.value.message.endswith(hint)
    assert caught.value.remedy == "It takes changed or all."


def test_a_value_that_is_allowed_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "plan.ipynb"
    nbformat.write(make(CHOICE), path)
    found = collect_parameters({"plan": path}, ["plan"], Given(assignments=["plan.scope=all"], environ={}))
    assert found.values["plan"] == {"scope": "all"}


@pytest.mark.parametrize(
    ("comment", "default", "choices"),
    [
        ("one of changed, all: what is judged", '"changed"', ("changed", "all")),
        ("one of 1, 2, 3", "2", ("1", "2", "3")),
        ("one of eu-west-1, us-east-1. Others cost more", '"eu-west-1"', ("eu-west-1", "us-east-1")),
        ("one of the stacks, as runbook.yml has them", '"access"', ()),
        ("one of changed, all", '"other"', ()),
        ("the stack; one of changed, all", '"changed"', ()),
    ],
)
def test_a_comment_names_what_is_allowed_if_it_begins_so_and_holds_the_default(
    comment: str, default: str, choices: tuple[str, ...]
) -> None:
    declared = declared_parameters(make(f"value = {default}  # {comment}"))
    assert declared is not None
    assert declared["value"].choices == choices


@pytest.mark.parametrize("step", ["01_compliance", "02_plan"])
def test_the_built_in_scope_takes_two_words(step: str) -> None:
    declared = declared_parameters(nbformat.read(ROOT / "notebooks" / f"{step}.ipynb", 4))
    assert declared is not None
    assert declared["scope"].choices == tuple(Scope)
