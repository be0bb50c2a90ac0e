"""Cells that do what nobody expects: the record stays true, and what they wrote is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import papermill.engines  # before the engine's own module: it registers it
import pytest
from papermill import execute_notebook
from papermill.exceptions import PapermillExecutionError

from runbook_lib.domain.redaction import Redactor
from runbook_lib.engine.display import CiDisplay
from runbook_lib.engine.execution import Execution
from runbook_lib.engine.papermill_engine import RunbookEngine
from runbook_lib.runner.pages import Pages

from .conftest import Papermill
from .test_papermill_features import execute, said

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def _engine() -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)


def written(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.with_suffix(".out.ipynb").read_text()))


def test_input_fails_at_once_and_says_why(notebook: Make) -> None:
    with pytest.raises(PapermillExecutionError, match="does not support input"):
        execute(notebook("input('name? ')"))


def test_file_names_that_are_no_text_can_be_printed_and_shown(notebook: Make) -> None:
    nb = execute(notebook("print('a\\udcffb')\nprint('after')", "display({'text/plain': 'a\\udcffb'}, raw=True)"))
    assert said(nb, 0) == "a\ufffdb\nafter\n"
    assert nb.cells[1].outputs[0].data["text/plain"] == "a\ufffdb"


def test_what_is_shown_in_no_notebooks_form_becomes_text(notebook: Make) -> None:
    data = "{'text/plain': 5, 'text/html': {'a': 1}, 'application/json': {'b': [2]}}"
    nb = execute(notebook(f"display({data}, raw=True)"))
    shown = nb.cells[0].outputs[0].data
    assert shown == {"text/plain": "5", "text/html": "{'a': 1}", "application/json": {"b": [2]}}


def test_error_is_kept_where_the_cell_shows_its_tracebacks_itself(notebook: Make) -> None:
    path = notebook("get_ipython().showtraceback = lambda *args, **more: print('something happened')", "1 / 0")
    with pytest.raises(PapermillExecutionError, match="division by zero"):
        execute(path)
    outputs = written(path)["cells"][-1]["outputs"]
    assert [output["output_type"] for output in outputs] == ["stream", "error"]
    assert outputs[1]["ename"] == "ZeroDivisionError"


def test_kernel_that_becomes_another_program_has_died_and_the_program_is_asked_to_end(
    papermill: Papermill, notebook: Make, tmp_path: Path
) -> None:
    program = "trap 'touch asked; exit' INT; while :; do sleep 0.1; done"
    # What is sent is on its way in another thread, which ends with the program: give it time.
    said = "print('last', flush=True)\ntime.sleep(3)"
    path = notebook(f"import os, time\n{said}\nos.execvp('bash', ['bash', '-c', {program!r}])")
    done = papermill.run(path)
    assert done.status == 138
    assert "replaced itself by another program" in done.about["error"]["message"]
    assert (done.statuses, done.output(0)) == (["failed"], "last\n")
    assert (tmp_path / "asked").exists()


@pytest.mark.parametrize(("value", "status"), [("256", 1), ("'²'", 1), ("10**400", 1), ("-1", 255)])
def test_leaving_with_anything_but_zero_is_no_good_end(
    papermill: Papermill, notebook: Make, value: str, status: int
) -> None:
    path = notebook(f"raise SystemExit({value})")
    assert papermill.run(path).status == status
    assert written(path)["metadata"]["papermill"]["outcome"] == "failed"


def test_long_output_goes_beside_the_notebook_though_the_cell_has_removed_the_folder(
    notebook: Make, tmp_path: Path
) -> None:
    out = tmp_path / "gone" / "out.ipynb"
    out.parent.mkdir()
    remove = f"import shutil\nshutil.rmtree({str(out.parent)!r})\nprint('y' * 300_000)"
    execute_notebook(str(notebook(remove)), str(out), engine_name="runbook", progress_bar=False)
    assert (out.parent / "out-output-001-stdout.txt").read_text() == "y" * 300_000 + "\n"
    text = "".join(json.loads(out.read_text())["cells"][0]["outputs"][0]["text"])
    assert text.startswith("y" * 1000)
    assert text.endswith("y" * 1000 + "\n")


def test_output_widget_gets_what_is_printed_into_it(notebook: Make) -> None:
    nb = execute(notebook("import ipywidgets\nbox = ipywidgets.Output()\nwith box:\n    print('inside')\nprint('out')"))
    assert said(nb) == "out\n"
    states = nb.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert "inside" in str(list(states))


def test_display_updated_by_a_later_cell_is_saved_as_it_is_then(notebook: Make, tmp_path: Path) -> None:
    # The engine's own save, not papermill's last one: what a run folder gets.
    look = f"""import json, pathlib, time
saved = pathlib.Path({str(tmp_path / "in.out.ipynb")!r})
for _ in range(600):
    if "second" in str(json.loads(saved.read_text())["cells"][0]["outputs"]):
        print("seen")
        break
    time.sleep(0.1)"""
    cells = (
        "h = display('first', display_id=True)",
        "h.update('second')",
        look,
    )
    assert said(execute(notebook(*cells), save_every=0.1)) == "seen\n"


def test_engines_own_failure_is_written_down(notebook: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Execution, error: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(Execution, "_raised", fail)
    path = notebook("1 / 0", "print(2)")
    with pytest.raises(PapermillExecutionError):
        execute(path)
    about = written(path)["metadata"]["papermill"]
    assert (about["outcome"], about["error"]["message"]) == ("failed", "nobody thought of this")
    assert list(path.parent.glob(".*reserve")) == []


def test_children_write_into_the_notebook_and_nowhere_else(
    papermill: Papermill, notebook: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst = "import os\n_ = os.system(\"head -c 60000 /dev/zero | tr '\\\\0' x; echo past the mask\")"
    given = "import subprocess, sys\n_ = subprocess.run(['echo', 'to a file'], stdout=sys.stdout)"
    files = "[os.readlink(f'/proc/self/fd/{n}') for n in (1, 2, sys.stdout._original_stdstream_copy)]"
    assert "past the mask" not in papermill.run(notebook(burst)).text
    # ipykernel leaves its children's output alone where it believes that it is tested itself.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    done = papermill.run(notebook(*[burst] * 5, given, files.replace("stdout", "stderr")))
    assert [done.output(index) for index in range(5)] == ["x" * 60_000 + "past the mask\n"] * 5
    assert done.output(5) == "to a file\n"
    assert "/dev/null" in str(done.cells[6]["outputs"])
    assert "/stderr" not in str(done.cells[6]["outputs"])
    assert "past the mask" not in done.text
    assert "to a file" not in done.text


def test_reader_of_the_log_that_goes_away_does_not_end_the_run() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    out = os.fdopen(writing, "w")
    display = CiDisplay(out)
    display.started("plan", "02_plan")
    display.text("stdout", "more\n")
    display.ended("PASSED: done")
    with pytest.raises(BrokenPipeError):
        out.close()


def test_notebook_of_which_no_page_can_be_made_is_no_reason_to_end_the_run(tmp_path: Path) -> None:
    text = json.dumps({"cells": "none", "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (tmp_path / "notebook.ipynb").write_text(text)
    with Pages(Redactor()) as pages:
        pages.add(tmp_path)
        pages.finish()
    assert "No page could be made of notebook.ipynb" in (tmp_path / "notebook.html").read_text()
