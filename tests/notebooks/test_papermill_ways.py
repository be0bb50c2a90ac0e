"""What papermill's and nbclient's users know, kept by this engine: their options, their exceptions, their signals."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import papermill.engines  # before the engine's own module: it registers it
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError, PapermillMissingParameterException

from runbook_lib.engine.endings import Ending, EndingKind
from runbook_lib.engine.papermill_engine import RunbookEngine
from runbook_lib.engine.papermill_errors import NotebookStoppedError, stopped

from .conftest import ROOT, Papermill, wait_for
from .test_papermill_features import execute, said

Make = Callable[..., Path]
SLEEP = "import time\ntime.sleep(60)"
CATCHES = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('caught')"


@pytest.fixture(autouse=True)
def _engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)
    monkeypatch.chdir(tmp_path)


def written(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    return dict(json.loads(path.with_suffix(".out.ipynb").read_text(), parse_constant=refuse))


def left(path: Path) -> tuple[dict[str, Any], list[str], list[str]]:
    nb = written(path)
    cells = [cell for cell in nb["cells"] if "papermill" in cell["metadata"]]
    texts = ["".join("".join(output.get("text", "")) for output in cell.get("outputs", ())) for cell in cells]
    return nb["metadata"]["papermill"], [cell["metadata"]["papermill"]["status"] for cell in cells], texts


def test_allowed_errors_let_the_notebook_go_on(notebook: Make) -> None:
    path = notebook("1 / 0", "print('on')")
    with pytest.raises(PapermillExecutionError, match="division by zero"):
        # As with any engine: papermill reads the outputs when all is over.
        execute(path, allow_errors=True)
    assert left(path)[1:] == (["completed", "completed"], ["", "on\n"])


def test_errors_of_some_names_may_be_allowed(notebook: Make) -> None:
    path = notebook("1 / 0", "{}['a']", "print('on')")
    with pytest.raises(PapermillExecutionError, match="KeyError"):
        execute(path, allow_error_names=["ZeroDivisionError"])
    assert left(path)[1] == ["completed", "failed", "not_run"]


def test_no_error_is_allowed_where_all_are_to_be_raised(notebook: Make) -> None:
    path = notebook("1 / 0", "print('on')")
    with pytest.raises(PapermillExecutionError):
        execute(path, allow_errors=True, force_raise_errors=True)
    assert left(path)[1] == ["failed", "not_run"]


def test_interrupt_at_the_time_out_lets_a_cell_go_on_that_catches_it(notebook: Make) -> None:
    path = notebook(CATCHES, "print('on')")
    execute(path, execution_timeout=5, interrupt_on_timeout=True)
    about, statuses, texts = left(path)
    assert (about["outcome"], statuses, texts) == ("completed", ["completed"] * 2, ["caught\n", "on\n"])


@pytest.mark.parametrize("allowed", [False, True])
def test_interrupt_at_the_time_out_is_the_cells_exception(notebook: Make, allowed: bool) -> None:
    path = notebook(SLEEP, "print('on')")
    with pytest.raises(PapermillExecutionError, match="KeyboardInterrupt"):
        execute(path, execution_timeout=5, interrupt_on_timeout=True, allow_errors=allowed)
    about, statuses, _ = left(path)
    assert statuses == (["completed", "completed"] if allowed else ["failed", "not_run"])
    assert about["ending"] == ("completed" if allowed else "exception")
    if not allowed:
        assert about["error"] == {"type": "KeyboardInterrupt", "message": "the cell took longer than 5 s"}


def test_time_out_may_be_asked_for_cell_by_cell_and_no_number_below_zero_is_one(notebook: Make) -> None:
    path = notebook("import time\ntime.sleep(0.2)", "time.sleep(60)")
    with pytest.raises(CellTimeoutError, match=r"longer than 0\.5 s"):
        execute(path, timeout=-1, timeout_func=lambda cell: 0.5 if "60" in cell.source else None)
    assert left(path)[1] == ["completed", "interrupted"]


def test_cells_are_passed_over_by_another_tag(notebook: Make) -> None:
    from nbformat.v4 import new_code_cell

    path = notebook(new_code_cell("1 / 0", metadata={"tags": ["later"]}), "print('on')")
    execute(path, skip_cells_with_tag="later")
    assert left(path)[1] == ["not_run", "completed"]


def test_kernel_starts_where_nbclients_resources_say(notebook: Make, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    nb = execute(notebook("import os\nprint(os.getcwd())"), resources={"metadata": {"path": str(tmp_path / "there")}})
    assert said(nb) == f"{tmp_path / 'there'}\n"


def test_option_that_is_not_known_is_named(notebook: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "papermill"):
        execute(notebook("print(1)"), on_cell_start=print, allow_errors=False, autosave_cell_every=30)
    assert [record.getMessage() for record in caplog.records if "does not know" in record.getMessage()] == [
        "The engine runbook does not know the option on_cell_start: it is ignored"
    ]


@pytest.mark.parametrize(
    ("source", "options", "kinds"),
    [
        (SLEEP, {"execution_timeout": 0.5}, (CellTimeoutError, TimeoutError)),
        (SLEEP, {"notebook_timeout": 3}, (CellTimeoutError, TimeoutError)),
        ("import os\nos._exit(3)", {}, (DeadKernelError, RuntimeError)),
        ("print(1)", {"kernel_name": "no-such-kernel"}, (RuntimeError,)),
        ("print(1)", {"parameters": {"unknown": 1, "needed": 2}}, (ValueError,)),
        ("print(1)", {"parameters": {"needed": "text"}}, (ValueError,)),
        ("print(1)", {}, (ValueError, PapermillMissingParameterException)),
    ],
)  # fmt: skip
def test_every_other_ending_is_an_exception_of_papermills_kind(
    notebook: Make, source: str, options: dict[str, Any], kinds: tuple[type[Exception], ...]
) -> None:
    needed = source == "print(1)" and "kernel_name" not in options
    path = notebook(source, parameters="needed: int" if needed else "")
    with pytest.raises(PapermillException) as caught:
        execute(path, **options)
    assert isinstance(caught.value, NotebookStoppedError)
    assert all(isinstance(caught.value, kind) for kind in kinds)
    assert str(caught.value) == caught.value.ending.message != ""


@pytest.mark.parametrize("kind", [kind for kind in EndingKind if kind is not EndingKind.COMPLETED])
def test_exceptions_survive_the_way_to_another_process(kind: EndingKind) -> None:
    error = stopped(Ending(kind, "Error", "what happened", 3, 1))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.ending) == (type(error), "what happened", error.ending)
    assert isinstance(error, Exception)


@pytest.mark.parametrize("source", ["import sys\nsys.exit(3)", "raise SystemExit('no')"])
def test_status_that_a_notebook_leaves_with_is_an_exception_with_papermills_marks(notebook: Make, source: str) -> None:
    path = notebook(source, "print('on')")
    with pytest.raises(PapermillExecutionError) as caught:
        execute(path)
    assert caught.value.ename == "SystemExit"
    assert "papermill-error-cell" in "".join(written(path)["cells"][0]["source"])
    assert left(path)[1] == ["failed", "not_run"]


@pytest.mark.parametrize("value", ["", "0", "None"])
def test_good_leave_is_none_for_papermill_either(notebook: Make, value: str) -> None:
    path = notebook(f"import sys\nsys.exit({value})", "print('on')")
    execute(path)
    assert left(path)[1] == ["completed", "not_run"]


CALLER = """
import pathlib, signal, sys
from papermill.engines import papermill_engines
from papermill import execute_notebook
from runbook_lib.engine.papermill_engine import RunbookEngine
papermill_engines.register('runbook', RunbookEngine)
if 'handle' in sys.argv:
    signal.signal(signal.SIGTERM, lambda number, frame: print('handled', number))
try:
    execute_notebook('in.ipynb', 'in.out.ipynb', engine_name='runbook', progress_bar=False)
except Exception as error:
    print('caught', type(error).__name__, error)
except KeyboardInterrupt:
    print('interrupted')
print('went on')
"""


SIGNALS = [
    (signal.SIGINT, [], 0, "interrupted\nwent on\n"),
    (signal.SIGTERM, [], -signal.SIGTERM, ""),
    (signal.SIGTERM, ["handle"], 0, "handled 15\ncaught NotebookStoppedError stopped by SIGTERM\nwent on\n"),
]


@pytest.mark.parametrize("case", SIGNALS)
def test_signal_does_to_the_caller_what_it_does_with_any_engine_once_all_is_written(
    notebook: Make, tmp_path: Path, case: tuple[signal.Signals, list[str], int, str]
) -> None:
    number, arguments, status, printed = case
    path = notebook(f"open('began', 'w').close()\n{SLEEP}", "print('on')")
    (tmp_path / "caller.py").write_text(CALLER)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "caller.py", *arguments], env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE
    )
    wait_for((tmp_path / "began").exists, process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.decode()) == (status, printed)
    about, statuses, _ = left(path)
    assert (about["ending"], statuses) == ("signal", ["interrupted", "not_run"])


def count_saves(path: Path, **options: Any) -> list[str]:
    """What each save by papermill's own function held as the first cell's status."""
    saved: list[str] = []

    def write(nb: Any, address: str) -> None:
        assert address == str(path.with_suffix(".out.ipynb"))
        saved.append(nb.cells[0].metadata.papermill.status)

    with patch.object(papermill.engines, "write_ipynb", write):
        execute(path, **options)
    return saved


def test_autosave_within_a_cell_comes_as_often_as_it_is_asked_for(notebook: Make) -> None:
    path = notebook("import time\nfor n in range(15):\n    time.sleep(0.1)\n    print(n)")
    assert count_saves(path, autosave_cell_every=0) == ["pending", "completed"]
    within = count_saves(path, autosave_cell_every=0.5)
    assert set(within[1:-1]) == {"running"}


def test_saves_without_autosave_come_between_cells_by_time(notebook: Make) -> None:
    path = notebook("import time\ntime.sleep(1.2)", "time.sleep(1.2)")
    assert count_saves(path, autosave_cell_every=0, save_every=1) == ["pending", "completed", "completed"]


WATCHES = """
import pathlib, time
for _ in range({times}):
    print('.', flush=True)
    time.sleep(0.1)
    if pathlib.Path('in.out.ipynb').read_text().count('.\\\\n') > 2:
        break
else:
    raise TimeoutError
"""


def test_commands_own_number_is_nobodys_wish(papermill: Papermill, notebook: Make) -> None:
    every = {"RUNBOOK_SAVE_EVERY": "0.2"}
    assert papermill.run(notebook(WATCHES.format(times=600)), environ=every).status == 0
    assert papermill.run(notebook(WATCHES.format(times=30)), "--autosave-cell-every", "30", environ=every).status == 1


def test_log_has_the_output_while_the_cell_runs(notebook: Make, tmp_path: Path) -> None:
    source = "import pathlib, time\nprint('began')\nwhile not pathlib.Path('seen').exists():\n    time.sleep(0.02)"
    seen: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            if record.getMessage() == "began":
                (tmp_path / "seen").touch()

    logger, handler = logging.getLogger("papermill"), Handler()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        execute(notebook(source, "'end'"), log_output=True, execution_timeout=60)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    wanted = ["Executing notebook with kernel: python3", "Executing Cell 1", "began", "Ending Cell 1",
              "Executing Cell 2", "'end'", "Ending Cell 2"]  # fmt: skip
    assert [message.rstrip("-") for message in seen if message.rstrip("-") in wanted] == wanted


CASES = [
    ("from pathlib import Path\nx: Path = Path('.')", {"x": Path("/data")}, "'/data'", "/data"),
    ("import datetime\nx: datetime.date = datetime.date.today()", {"x": date(2024, 1, 31)},
     "'2024-01-31'", "2024-01-31"),
    ("x: float = 1.0", {"x": float("nan")}, "nan", "nan"),
    ("x = [1.0]", {"x": [float("inf"), -float("inf")]}, "[inf, -inf]", ["inf", "-inf"]),
    ("x = ''", {"x": None}, "None", None),
    ("x = {}", {"x": {1: "a", "b": (1, 2)}}, "", {"1": "a", "b": [1, 2]}),
    ("x, y = 1, 2", {"x": 5}, "5", 5),
    ("found = !echo 7\nx = found[0]", {"x": 5}, "5", 5),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "given", "printed", "recorded"), CASES)
def test_parameters_of_every_kind_reach_the_notebook_and_its_file_is_json(
    notebook: Make, declared: str, given: dict[str, Any], printed: str, recorded: Any
) -> None:
    path = notebook("print(repr(x))", parameters=declared)
    nb = execute(path, parameters=given)
    assert written(path)["metadata"]["papermill"]["parameters"] == {"x": recorded}
    assert not printed or said(nb) == f"{printed}\n"


def test_numbers_that_json_does_not_know_are_text_in_outputs_and_metadata(notebook: Make) -> None:
    from nbformat.v4 import new_code_cell

    cell = new_code_cell("display({'application/json': {'a': float('nan')}}, raw=True)", metadata={"b": float("inf")})
    path = notebook(cell)
    execute(path)
    found = written(path)["cells"][0]
    assert (found["outputs"][0]["data"]["application/json"], found["metadata"]["b"]) == ({"a": "nan"}, "inf")


def test_parameters_cell_that_is_no_python_is_the_kernels_to_refuse(notebook: Make) -> None:
    path = notebook("print(x)", parameters="x = = 1")
    with pytest.raises(PapermillExecutionError, match="SyntaxError"):
        execute(path, parameters={"x": 1})
    assert left(path)[1] == ["failed", "not_run", "not_run"]


def test_unknown_parameter_is_taken_by_option_or_by_variable(notebook: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = notebook("print(x, z)", parameters="x = 1")
    assert said(execute(path, parameters={"z": 3}, unknown_parameters="warn")) == "1 3\n"
    monkeypatch.setenv("RUNBOOK_UNKNOWN_PARAMETERS", "warn")
    assert said(execute(path, parameters={"z": 3})) == "1 3\n"
    with pytest.raises(ValueError, match="neither error nor warn"):
        execute(path, unknown_parameters="yes")


def test_what_papermill_is_given_by_a_caller_is_not_read_from_that_callers_own_command_line(
    notebook: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["caller", "-p", "x", "007"])
    assert said(execute(notebook("print(repr(x))", parameters="x = ''"), parameters={"x": 7})) == "7\n"


def test_traceback_keeps_the_parts_in_which_the_kernel_sent_it(notebook: Make) -> None:
    with pytest.raises(PapermillExecutionError) as caught:
        execute(notebook("token = 'ghp_' + 'a1B2' * 9\nraise ValueError(token)"))
    parts = caught.value.traceback
    assert "[MASKED]" in parts[-1]
    assert parts[2].count("\n") > 1
