"""Where papermill is told to write stays what it is, and nothing else is left there, however the run ends."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill.engines  # before the engine's own module: it registers it
import pytest
from papermill import execute_notebook
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import papermill_io

from runbook_lib.adapters.named_file import write_output
from runbook_lib.engine import destination
from runbook_lib.engine.papermill_engine import RunbookEngine
from runbook_lib.engine.papermill_errors import NotebookStoppedError
from runbook_lib.engine.saving import FolderSide, NamedFile
from runbook_lib.errors import StoreError

from .conftest import Papermill, wait_for

Make = Callable[..., Path]
LONG = "print('x' * 300_000)"
SLEEP = "import pathlib, time\nprint('began', flush=True)\npathlib.Path('began').touch()\ntime.sleep(120)"


@pytest.fixture(autouse=True)
def _engine() -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)


def execute(path: Path, out: Path | str, **options: Any) -> None:
    options = {"engine_name": "runbook", "progress_bar": False, "save_every": 0.05, **options}
    execute_notebook(str(path), str(out), **options)


def outcome(text: str | bytes) -> str:
    return str(json.loads(text)["metadata"]["papermill"]["outcome"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Reader(threading.Thread):
    """Reads all that comes through a pipe until its writers are gone."""

    def __init__(self, pipe: Path) -> None:
        super().__init__(daemon=True)
        os.mkfifo(pipe)
        self._pipe = pipe
        self._got = b""
        self.start()

    def run(self) -> None:
        self._got = self._pipe.read_bytes()

    def got(self) -> bytes:
        self.join(60)
        return self._got


def test_a_link_stays_one(notebook: Make, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "out.ipynb"
    out.symlink_to("elsewhere/real.ipynb")
    execute(notebook("import time; time.sleep(0.2)", LONG), out)
    assert out.is_symlink()
    assert outcome((tmp_path / "elsewhere/real.ipynb").read_text()) == "completed"
    assert names(tmp_path / "elsewhere") == ["real-output-002-stdout.txt", "real.ipynb"]


def test_a_link_that_leads_back_to_itself_is_told_in_one_line(notebook: Make, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    out.symlink_to("out.ipynb")
    with pytest.raises(NotebookStoppedError, match=r"out\.ipynb: can't be written: "):
        execute(notebook("1"), out)
    assert out.is_symlink()


def test_a_file_keeps_its_mode(notebook: Make, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    out.touch(0o600)
    out.chmod(0o600)
    execute(notebook("print(1)"), out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_file_keeps_all_its_names_and_is_executed_in_place_by_each(notebook: Make, tmp_path: Path) -> None:
    path = notebook("pad_token = 'hunter2-and-more'")
    (tmp_path / "second.ipynb").hardlink_to(path)
    execute(path, tmp_path / "second.ipynb")
    assert path.samefile(tmp_path / "second.ipynb")
    assert nbformat.read(path, as_version=4).cells[0].source == "pad_token = 'hunter2-and-more'"


@pytest.mark.parametrize("source", ["print(1)", "1 / 0"])
def test_a_pipe_gets_one_whole_notebook(notebook: Make, tmp_path: Path, source: str) -> None:
    reader = Reader(tmp_path / "out.ipynb")
    path = notebook("import time; time.sleep(0.2)", LONG, source)
    if source == "1 / 0":
        with pytest.raises(papermill.exceptions.PapermillExecutionError):
            execute(path, tmp_path / "out.ipynb")
    else:
        execute(path, tmp_path / "out.ipynb")
    assert outcome(reader.got()) == ("failed" if source == "1 / 0" else "completed")
    assert names(tmp_path) == ["in.ipynb", "out.ipynb"]


def test_a_pipe_gets_the_interrupted_notebook_too(papermill: Papermill, notebook: Make, tmp_path: Path) -> None:
    path = notebook(SLEEP)
    reader = Reader(path.with_suffix(".out.ipynb"))
    process = papermill.start(path, "--no-progress-bar", environ={"RUNBOOK_SAVE_EVERY": "0.1"})
    wait_for((tmp_path / "began").exists, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert outcome(reader.got()) == "interrupted"


@pytest.mark.parametrize("out", ["/dev/stdout", "/dev/fd/1", "-"])
def test_standard_output_gets_one_whole_notebook(
    notebook: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str], out: str
) -> None:
    execute(notebook("import time; time.sleep(0.2)", "print(1)"), out)
    assert outcome(capfd.readouterr().out) == "completed"
    assert names(tmp_path) == ["in.ipynb"]


def test_a_device_stays_one(notebook: Make, tmp_path: Path) -> None:
    before = names(Path("/dev"))
    execute(notebook(LONG), "/dev/null")
    assert Path("/dev/null").is_char_device()
    assert names(Path("/dev")) == before


ENDINGS = {
    "good": ("print(1)", {}),
    "exception": ("1 / 0", {}),
    "left": ("import sys; sys.exit(3)", {}),
    "time-out": ("import time; time.sleep(60)", {"execution_timeout": 0.3}),
    "dead kernel": ("import os; os._exit(1)", {}),
    "unknown kernel": ("print(1)", {"kernel_name": "no-such-kernel"}),
    "unknown parameter": ("print(1)", {"parameters": {"missing": 1}}),
    "no JSON": ("print(1)", {"parameters": {"x": object()}}),
    "no place": ("print(1)", {"out": "file/out.ipynb"}),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_beside_nor_in_papermill_however_it_ends(notebook: Make, tmp_path: Path, ending: str) -> None:
    source, options = ENDINGS[ending]
    (tmp_path / "file").touch()
    path = notebook(source, parameters="x = 1")
    handlers = list(papermill_io._handlers)
    try:
        execute(
            path, tmp_path / str(options.get("out", "out.ipynb")), **{k: v for k, v in options.items() if k != "out"}
        )
    except (Exception, SystemExit):  # noqa: BLE001  which one is for other tests to say
        assert ending != "good"
    assert set(names(tmp_path)) <= {"file", "in.ipynb", "out.ipynb"}
    assert papermill_io._handlers == handlers


def refused(*arguments: object, **options: object) -> Any:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_in_a_folder_that_takes_no_new_files_a_file_is_written_without_a_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    file = NamedFile(tmp_path / "out.ipynb")
    with pytest.raises(StoreError):
        file.open()
    file.path.touch()
    file.open()
    file.write(b"new")
    file.close()
    assert file.path.read_bytes() == b"new"


def test_in_a_folder_that_takes_no_new_files_long_outputs_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", refused)
    assert FolderSide(tmp_path).open("output-001-stdout.txt") is None


@pytest.mark.parametrize(("source", "times"), [("'well'", 0), ("1 / 0", 1)])
def test_what_papermill_writes_last_is_written_if_it_differs(
    notebook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, times: int
) -> None:
    written = []

    def write(path: Path, data: bytes) -> None:
        written.append(data)
        write_output(path, data)

    monkeypatch.setattr(destination, "write_output", write)
    out = tmp_path / "out.ipynb"
    with contextlib.suppress(PapermillExecutionError):
        execute(notebook(source), out)
    assert len(written) == times
    nb = nbformat.read(out, as_version=4)
    nbformat.validate(nb)
    assert ("papermill-error-cell" in out.read_text()) is bool(times)
    out.write_text("{}")
    with contextlib.suppress(PapermillExecutionError):
        execute(notebook(source), out)
    assert outcome(out.read_text()) == ("completed" if not times else "failed")
