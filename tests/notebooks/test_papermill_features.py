"""papermill's own features, run through this engine."""

from __future__ import annotations

import json
import threading
import time
import tomllib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import papermill.engines  # before the engine's own module: it registers it
import pytest
from nbformat.v4 import new_code_cell
from papermill import execute_notebook
from papermill.exceptions import PapermillExecutionError

from runbook_lib.engine.client import OutputReader
from runbook_lib.engine.papermill_engine import RunbookEngine

from .conftest import ROOT, Papermill

Make = Callable[..., Path]
PARAMETERS = "text: str = 'x'\nnumber: float = 1.0\nports: list[int] = [1]\nkept: str = 'default'"


@pytest.fixture(autouse=True)
def _engine() -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)


def execute(path: Path, **options: Any) -> nbformat.NotebookNode:
    """In this process: a tenth of a command's time."""
    return execute_notebook(
        str(path), str(path.with_suffix(".out.ipynb")), engine_name="runbook", progress_bar=False, **options
    )


def said(nb: nbformat.NotebookNode, index: int = -1) -> str:
    return "".join(output.get("text", "") for output in nb.cells[index].outputs)


def test_entry_point_names_the_engine() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["papermill.engine"]["runbook"].partition(":")
    assert getattr(import_module(module), name) is RunbookEngine


def test_parameters_from_every_source_keep_their_types(papermill: Papermill, notebook: Make, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("ports: [80, 443]\nkept: from file\n")
    path = notebook("print(repr([text, number, ports, kept]), PAPERMILL_INPUT_PATH)", parameters=PARAMETERS)
    done = papermill.run(path, "-f", "p.yml", "-y", "{kept: from yaml}", "-p", "text", "007", "-p", "number", "3",
                         "--inject-paths")  # fmt: skip
    assert done.status == 0
    assert done.output(2).startswith("['007', 3.0, [80, 443], 'from yaml'] ")
    assert done.about["parameters"]["text"] == "007"


def test_what_is_typed_is_read_in_its_declared_type(papermill: Papermill, notebook: Make) -> None:
    parameters = "flag: bool = False\nports: list[int] = [1]\nlimit: int | None = 3\ntext: str = 'x'"
    typed = ("-p", "flag", "true", "-p", "ports", "[80, 443]", "-p", "limit", "null", "-p", "text", "[1, 'a']")
    done = papermill.run(notebook("print(repr([flag, ports, limit, text]))", parameters=parameters), *typed)
    assert done.output(2) == """[True, [80, 443], None, "[1, 'a']"]\n"""


@pytest.mark.parametrize(
    ("options", "said"),
    [(("-p", "numbr", "3"), "did you mean 'number'"), (("-p", "ports", "80"), "declared list[int]"),
     (("-r", "number", "3"), "declared float")],
)  # fmt: skip
def test_wrong_parameters_are_errors_before_a_kernel_starts(
    papermill: Papermill, notebook: Make, options: tuple[str, ...], said: str
) -> None:
    done = papermill.run(notebook("print(1)", parameters=PARAMETERS), *options)
    assert done.status == 2
    assert said in done.text
    assert not done.path.exists()


def test_notebook_without_a_parameters_cell_takes_anything_on_top(notebook: Make) -> None:
    nb = execute(notebook("print(x)"), parameters={"x": 5})
    assert nb.cells[0].metadata.tags == ["injected-parameters"]
    assert said(nb) == "5\n"


def test_report_mode_hides_the_sources(notebook: Make) -> None:
    nb = execute(notebook("print(1)", parameters=PARAMETERS), report_mode=True, parameters={"text": "a"})
    assert all(cell.metadata.jupyter.source_hidden for cell in nb.cells if cell.cell_type == "code")


def test_tags_skip_a_cell_or_allow_its_error(notebook: Make) -> None:
    allowed = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    skipped = new_code_cell("print('no')", metadata={"tags": ["skip-execution"]})
    path = notebook(allowed, skipped, "print('on')")
    with pytest.raises(PapermillExecutionError):
        # papermill itself ends so with any engine, but only after the last cell.
        execute(path)
    cells = [
        cell
        for cell in json.loads(path.with_suffix(".out.ipynb").read_text())["cells"]
        if cell["metadata"].get("papermill")
    ]
    assert [cell["metadata"]["papermill"]["status"] for cell in cells] == ["completed", "not_run", "completed"]
    assert cells[2]["outputs"][0]["text"] == ["on\n"]


def test_magics_work(notebook: Make) -> None:
    nb = execute(
        notebook("%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']", "%%bash\necho from bash")
    )
    assert said(nb) == "from bash\n"


def test_kernel_is_chosen_by_name(notebook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    folder = tmp_path / "share" / "kernels" / "other"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Other", "language": "python", "env": {"WHICH": "the other one"},
    }  # fmt: skip
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    assert said(execute(notebook("import os; print(os.environ['WHICH'])"), kernel_name="other")) == "the other one\n"


def test_exception_is_papermills_own_and_marks_the_place(notebook: Make) -> None:
    path = notebook("print(1)", "1 / 0")
    with pytest.raises(PapermillExecutionError, match="division by zero") as caught:
        execute(path)
    assert caught.value.exec_count == 2
    nb = nbformat.read(path.with_suffix(".out.ipynb"), as_version=4)
    assert "papermill-error-cell" in nb.cells[0].source


def test_output_files_and_log_get_the_text(papermill: Papermill, notebook: Make, tmp_path: Path) -> None:
    path = notebook("import sys\nprint('to out')\nprint('to err', file=sys.stderr)\n40 + 2")
    done = papermill.run(path, "--stdout-file", "o.txt", "--stderr-file", "e.txt", "--log-output")
    assert (tmp_path / "o.txt").read_text() == "to out\n"
    assert (tmp_path / "e.txt").read_text() == "to err\n"
    assert "to out" in done.text
    assert "42" in done.text


def test_notebook_in_another_folder_leaves_everything_where_papermill_was_called(
    papermill: Papermill, notebook: Make, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    notebook("import os\nprint(os.getcwd())", "print('x' * 300_000)")
    # A relative output path, as a person would write it.
    done = papermill.run(Path("in.ipynb"), "--cwd", "other")
    assert done.status == 0
    assert json.loads((tmp_path / "in.out.ipynb").read_text())["cells"][0]["outputs"][0]["text"] == [
        f"{tmp_path}/other\n"
    ]
    assert (tmp_path / "in.out-output-002-stdout.txt").exists()
    assert list((tmp_path / "other").iterdir()) == []


def test_remote_output_goes_through_papermills_handlers(notebook: Make) -> None:
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/out.ipynb"
        execute_notebook(str(notebook("print(1)")), address, engine_name="runbook", progress_bar=False)
    finally:
        server.shutdown()
    last = json.loads(received[-1])
    assert last["metadata"]["papermill"]["outcome"] == "completed"
    assert last["metadata"]["papermill"]["output_path"] == address


def test_display_that_updates_itself_shows_its_last_state(notebook: Make) -> None:
    nb = execute(notebook("h = display('first', display_id=True)\nprint('between')\nh.update('last')"))
    assert [output.get("text") or output.data["text/plain"] for output in nb.cells[0].outputs] == [
        "'last'",
        "between\n",
    ]


def test_cleared_output_is_gone(notebook: Make) -> None:
    clear = "from IPython.display import clear_output\n"
    code = "print('old')\nclear_output()\nprint('new')\nclear_output(wait=True)\nprint('newest')"
    assert said(execute(notebook(clear + code))) == "newest\n"


def test_flood_of_prints_is_one_output_and_whole_beside_the_notebook(notebook: Make, tmp_path: Path) -> None:
    code = (
        "import sys\nfor n in range(20_000):\n    print('line', n, 'x' * 20, flush=True)\nprint('bad', file=sys.stderr)"
    )
    nb = execute(notebook(code))
    out, err = nb.cells[0].outputs
    assert (out.name, err.name) == ("stdout", "stderr")
    assert out.text.startswith("line 0 x")
    assert out.text.endswith(f"line 19999 {'x' * 20}\n")
    assert len(out.text) < 300_000
    assert "whole in in.out-output-001-stdout.txt" in out.text
    whole = (tmp_path / "in.out-output-001-stdout.txt").read_text()
    assert whole == "".join(f"line {n} {'x' * 20}\n" for n in range(20_000))


def test_twenty_megabytes_shown_at_once_stay_bounded(notebook: Make, tmp_path: Path) -> None:
    plain, html = "'text/plain': 'p' * 20_000_000", "'text/html': '<b>' + 'h' * 20_000_000"
    code = f"display({{{plain}}}, raw=True)\ndisplay({{{html}}}, raw=True)"
    path = notebook(code)
    nb = execute(path)
    assert path.with_suffix(".out.ipynb").stat().st_size < 3_000_000
    assert "left out here" in nb.cells[0].outputs[0].data["text/plain"]
    sizes = sorted(file.stat().st_size for file in tmp_path.glob("in.out-output-*"))
    assert sizes == [20_000_000, 20_000_003]


def test_thousands_of_displays_are_bounded(notebook: Make, tmp_path: Path) -> None:
    nb = execute(notebook("for n in range(2_000):\n    display(n)"))
    assert len(nb.cells[0].outputs) == 501
    kept = (tmp_path / "in.out-output-001-outputs.jsonl").read_text().splitlines()
    assert [json.loads(line)["data"]["text/plain"] for line in kept] == [str(n) for n in range(500, 2_000)]


def test_no_message_is_lost_while_the_reader_is_busy(notebook: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, calls = OutputReader._receive, []

    def busy(reader: OutputReader) -> None:
        calls.append(reader)
        if len(calls) == 3:
            # Far more comes meanwhile than two sockets keep by themselves.
            time.sleep(3)
        plain(reader)

    monkeypatch.setattr(OutputReader, "_receive", busy)
    nb = execute(notebook("for n in range(5_000):\n    display(n)\nprint('last')", "print('after')"))
    assert [output.output_type for output in nb.cells[0].outputs].count("display_data") == 500
    assert said(nb, 1) == "after\n"


def test_progress_bar_leaves_no_debris(notebook: Make) -> None:
    code = "for n in range(5):\n    print(f'\\r{n * 25}%', end='')\nprint()\nprint('ab\\b\\bc')"
    assert said(execute(notebook(code))) == "100%\ncb\n"
