"""Errors that a kernel shows and then replies that all is well: the record and the exit status say the same of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import papermill.engines  # before the engine's own module: it registers it
import pytest
from papermill.exceptions import PapermillExecutionError

from runbook_lib.engine.papermill_engine import RunbookEngine
from runbook_lib.models.base import Outcome

from .conftest import Papermill
from .test_papermill_features import execute
from .test_sequence import Sequences

Make = Callable[..., Path]
CLEAR = "from IPython.display import clear_output\nclear_output()"
AFTER = "open('went on', 'w').close()"


@pytest.fixture(autouse=True)
def _engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raises.py").write_text("print('began')\n1 / 0\n")
    (tmp_path / "raises.ipy").write_text("!exit 3\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(4)\n")
    (tmp_path / "leaves_well.py").write_text("import sys\nsys.exit(0)\n")


def left(path: Path) -> tuple[dict[str, Any], list[str]]:
    nb = json.loads(path.with_suffix(".out.ipynb").read_text())
    cells = [cell["metadata"]["papermill"] for cell in nb["cells"] if "papermill" in cell["metadata"]]
    return nb["metadata"]["papermill"], [cell["status"] for cell in cells]


@pytest.mark.parametrize(
    ("source", "kind", "error"),
    [
        ("%run raises.py", "exception", "ZeroDivisionError"),
        ("%run raises.ipy", "command_failed", "CalledProcessError"),
        ("%%capture kept\n1 / 0", "exception", "ZeroDivisionError"),
        ("%%capture\n!exit 3", "command_failed", "CalledProcessError"),
        ("%%capture\n%run raises.py", "exception", "ZeroDivisionError"),
        ("get_ipython().run_cell('1 / 0')\nprint('and on')", "exception", "ZeroDivisionError"),
        ("get_ipython().run_cell('1 +')\nprint('and on')", "exception", "SyntaxError"),
        ("%%capture\n%no_such_magic", "exception", "UsageError"),
        ("%no_such_magic", "exception", "UsageError"),
        ("%run no_such_file.py", "exception", "Exception"),
        ("get_ipython().run_cell('1 / 0')\nimport sys\nsys.exit(0)", "exception", "ZeroDivisionError"),
        (f"get_ipython().run_cell('1 / 0')\n{CLEAR}", "exception", "ZeroDivisionError"),
        ("import ipywidgets\nwith ipywidgets.Output():\n    1 / 0", "exception", "ZeroDivisionError"),
        ("import ipywidgets\nipywidgets.interact(lambda x: 1 / x, x=(0, 0))", "exception", "ZeroDivisionError"),
        ("%cd /no/such/folder", "exception", "FileNotFoundError"),
        ("%%capture\n%pushd /no/such/folder", "exception", "FileNotFoundError"),
        ("%%capture\n%timeit -n1 -r1 1 / 0", "exception", "ZeroDivisionError"),
    ],
)
def test_error_that_was_shown_fails_the_cell(
    notebook: Make, tmp_path: Path, source: str, kind: str, error: str
) -> None:
    path = notebook("'before'", source, AFTER)
    with pytest.raises(PapermillExecutionError) as caught:
        execute(path)
    assert caught.value.ename == error
    about, statuses = left(path)
    assert statuses == ["completed", "failed", "not_run"]
    assert (about["outcome"], about["ending"], about["error"]["type"]) == ("failed", kind, error)
    assert not (tmp_path / "went on").exists()


SHOWN = "class Shown:\n    def __repr__(self):\n        raise ValueError('no such thing')\n\nShown()"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("assert 1 == 2", "AssertionError", "AssertionError"),
        ("raise KeyError", "KeyError", "KeyError"),
        (SHOWN, "ValueError", "no such thing"),
        (SHOWN.replace("__repr__", "_repr_html_"), "ValueError", "no such thing"),
    ],
)
def test_record_names_the_error_however_little_is_said_of_it(
    notebook: Make, source: str, error: str, message: str
) -> None:
    path = notebook(source, AFTER)
    with pytest.raises(PapermillExecutionError) as caught:
        execute(path)
    assert caught.value.ename == error
    about, statuses = left(path)
    assert about["error"] == {"type": error, "message": message}
    assert statuses == ["failed", "not_run"]


def test_step_that_fails_by_an_assert_says_so(tmp_path: Path) -> None:
    sequences = Sequences(tmp_path)
    sequences.step("compliance", "assert 1 == 2")
    [result] = sequences.run().results
    assert result.error
    assert (result.outcome, result.error.type, result.error.message) == (
        Outcome.ERRORED,
        "AssertionError",
        "AssertionError",
    )
    assert result.summary == "AssertionError"


@pytest.mark.parametrize(
    "source",
    [
        "%run leaves.py",
        "%%capture\n%run leaves.py",
        "%%capture\nimport sys\nsys.exit(4)",
        "%time raise SystemExit(4)",
        "exit(4)",
        "%%capture\nquit(4)",
        "get_ipython().run_cell('exit(4)')",
        "get_ipython().run_cell('raise SystemExit(4)')",
        "import ipywidgets\nwith ipywidgets.Output():\n    raise SystemExit(4)",
        f"get_ipython().run_cell('raise SystemExit(4)')\n{CLEAR}",
    ],
)
def test_leaving_within_something_leaves_the_notebook(notebook: Make, source: str) -> None:
    path = notebook(source, AFTER)
    with pytest.raises(PapermillExecutionError) as caught:
        execute(path)
    assert (caught.value.ename, caught.value.evalue) == ("SystemExit", "4")
    about, statuses = left(path)
    assert (about["ending"], statuses) == ("system_exit", ["failed", "not_run"])


@pytest.mark.parametrize(
    "source",
    [
        "%%capture\nimport sys\nsys.exit(0)",
        "import sys\nsys.exit(False)",
        "get_ipython().run_cell('raise SystemExit')",
        "exit()",
        "quit",
        "import ipywidgets\nwith ipywidgets.Output():\n    raise SystemExit(0)",
    ],
)
def test_leaving_well_within_something_is_a_good_end(notebook: Make, source: str) -> None:
    path = notebook(source, AFTER)
    execute(path)
    about, statuses = left(path)
    assert (about["outcome"], statuses) == ("completed", ["completed", "not_run"])


def test_folder_that_is_there_is_gone_into(notebook: Make, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    nb = execute(notebook("%cd -q below\n%pushd ..\n%popd", "%pwd"))
    assert nb.cells[1].outputs[0].data["text/plain"] == repr(str(tmp_path / "below"))


def test_script_that_leaves_well_lets_the_notebook_go_on(notebook: Make, tmp_path: Path) -> None:
    path = notebook("%run leaves_well.py", AFTER)
    execute(path)
    assert left(path)[1] == ["completed", "completed"]
    assert (tmp_path / "went on").exists()


def test_exit_status_of_the_command_is_that_of_the_record(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("%run raises.py", AFTER))
    assert done.status == 1
    assert done.statuses == ["failed", "not_run"]


SPEAKING = """
import sys
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Speaking(Kernel):
    implementation = banner = "speaking"
    implementation_version = language_version = "1"
    language_info = {"name": "speaking", "mimetype": "text/plain", "file_extension": ".txt"}

    async def do_execute(self, code, silent, *more, **options):
        self.send_response(self.iopub_socket, "stream", {"name": "stderr", "text": "no such command\\n"})
        if code == "well":
            return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}
        names = {"ename": "", "evalue": "127", "traceback": []} if code == "nameless" else {}
        return {"status": "aborted" if code == "aborted" else "error", "execution_count": 1, **names}

IPKernelApp.launch_instance(kernel_class=Speaking)
"""


@pytest.mark.parametrize("source", ["nameless", "bare", "aborted"])
def test_kernel_that_speaks_only_on_stderr_fails_its_cell(
    notebook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    folder = tmp_path / "jupyter/kernels/speaking"
    folder.mkdir(parents=True)
    (folder / "kernel.py").write_text(SPEAKING)
    command = [sys.executable, str(folder / "kernel.py"), "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Speaking", "language": "speaking"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    path = notebook("well", source, "well")
    with pytest.raises(PapermillExecutionError) as caught:
        execute(path, kernel_name="speaking", language="speaking")
    assert caught.value.ename
    about, statuses = left(path)
    assert statuses == ["completed", "failed", "not_run"]
    assert about["error"]["type"] == caught.value.ename


@pytest.mark.parametrize("source", ["%%capture\n1 / 0", "%%capture\nimport sys\nsys.exit(1)"])
def test_step_that_shows_an_error_before_its_result_is_not_passed(tmp_path: Path, source: str) -> None:
    sequences = Sequences(tmp_path)
    sequences.step("compliance", source)
    sequences.step("plan")
    summary = sequences.run()
    assert [result.outcome for result in summary.results] == [Outcome.ERRORED]
    assert summary.exit_status == 3
    assert sequences.notebook("compliance")["cells"][-1]["metadata"]["papermill"]["status"] == "not_run"


@pytest.mark.parametrize(
    "source", ["%%capture\n1 / 0", "get_ipython().run_cell('1 / 0')", "%cd /no/such/folder", "raise SystemExit(4)"]
)
def test_step_that_shows_an_error_behind_its_result_is_not_passed(tmp_path: Path, source: str) -> None:
    sequences = Sequences(tmp_path)
    sequences.step("compliance")
    path = tmp_path / "01_compliance.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"].append({**nb["cells"][-1], "id": "late", "source": source})
    path.write_text(json.dumps(nb))
    sequences.step("plan")
    summary = sequences.run()
    assert [result.outcome for result in summary.results] == [Outcome.ERRORED]
    assert json.loads(sequences.file("compliance", "result.json").read_text())["outcome"] == "errored"
