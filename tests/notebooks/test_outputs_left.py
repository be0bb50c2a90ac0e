"""What is left of outputs: written over as on a terminal, bounded, readable for others, whole up to a crash."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import papermill.engines  # before the engine's own module: it registers it
import pytest
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter, MarkdownExporter
from papermill.exceptions import PapermillExecutionError

from runbook_lib.engine.display import LineDisplay
from runbook_lib.engine.last_words import ROOM, LastWords
from runbook_lib.engine.papermill_engine import RunbookEngine

from .conftest import Papermill
from .test_papermill_features import execute, said

Make = Callable[..., Path]
OWN = "in.out-output-*"


@pytest.fixture(autouse=True)
def _engine() -> None:
    papermill.engines.papermill_engines.register("runbook", RunbookEngine)


def left(path: Path) -> list[dict[str, Any]]:
    """All outputs, as they are saved."""
    cells = json.loads(path.with_suffix(".out.ipynb").read_text())["cells"]
    return [output for cell in cells for output in cell.get("outputs", ())]


def stream(path: Path, name: str = "stdout") -> str:
    return "".join("".join(output["text"]) for output in left(path) if output.get("name") == name)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("print('abcdefgh\\rXY')", "XYcdefgh\n"),
        ("print('12345678\\b\\b\\bXY')", "12345XY8\n"),
        ("print('OK', end='\\r')\nprint('FAIL')", "FAIL\n"),
        ("print('42 in all\\r\\n', end='')\nprint('50%\\r', end='')\nprint('17\\r', end='')", "42 in all\n17%"),
        # Lines that end so, not one that was written over.
        ("print('region,sales\\rnorth,100\\rsouth,200\\reast,300')", "region,sales\nnorth,100\nsouth,200\neast,300\n"),
        ("print('1,2\\r3,4\\r5,6\\r')", "1,2\n3,4\n5,6\n\n"),
        ("print('name\\rvalue\\r')", "name\nvalue\n\n"),
        ("get_ipython().system(\"printf 'name\\\\rone\\\\rtwo\\\\r'\")", "name\none\ntwo\n"),
        # One after the other, though written at once.
        ("print('step 1\\rstep 2\\rstep 3')", "step 3\n"),
        ("print('\\rone  \\rtwo  \\rthree')", "three\n"),
        ("print('Size\\n  1%\\r 50%\\r100%')", "Size\n100%\n"),
        ("print('3\\r2\\r1')", "1\n"),
    ],
)  # fmt: skip
def test_stream_is_left_as_on_a_terminal(notebook: Make, source: str, text: str) -> None:
    assert said(execute(notebook(source))) == text


def test_bar_of_four_thousand_steps_is_one_line_and_needs_no_file(notebook: Make, tmp_path: Path) -> None:
    bar = "for n in range(4_001):\n    print(f'\\rstep {n:4} {\"#\" * 90}', end='')\nprint(' done')"
    assert said(execute(notebook(bar))) == f"step 4000 {'#' * 90} done\n"
    assert list(tmp_path.glob(OWN)) == []


def test_bound_counts_what_is_left(notebook: Make, tmp_path: Path) -> None:
    lines = "for n in range(200):\n    print('gone' * 100 + '\\r' + f'{n:05}' * 80)"
    path = notebook(lines)
    execute(path, stream_limit=90_000)
    assert stream(path) == "".join(f"{n:05}" * 80 + "\n" for n in range(200))
    execute(path, stream_limit=40_000)
    assert "of 80,200 characters left out here (200 lines in all)" in stream(path)
    (file,) = tmp_path.glob(OWN)
    assert file.read_text() == "".join(f"{n:05}" * 80 + "\n" for n in range(200))


def test_secret_that_comes_together_by_writing_over_is_masked(notebook: Make) -> None:
    code = "token = 'ghp_' + 'a1B2' * 9\nprint('....' + token[4:] + '\\rghp_')\nprint(token[:9] + '!\\b' + token[9:])"
    assert said(execute(notebook(code))) == "[MASKED]\n[MASKED]\n"


def test_log_shows_lines_as_they_are_left() -> None:
    out = io.StringIO()
    display = LineDisplay(out)
    display.text("stdout", "abcdefgh\rXY\n 10%\r100%\nab\bc\n")
    assert [line.partition("│ ")[2] for line in out.getvalue().splitlines()] == ["XYcdefgh", "100%", "ac"]


PNG = """import struct, zlib
def part(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
import base64, random
rows = b''.join(b'\\0' + random.Random(n).randbytes(3000) for n in range(1000))
png = b'\\x89PNG\\r\\n\\x1a\\n' + part(b'IHDR', struct.pack('>IIBBBBB', 1000, 1000, 8, 2, 0, 0, 0))
png += part(b'IDAT', zlib.compress(rows, 0)) + part(b'IEND', b'')
display({'image/png': base64.b64encode(png).decode(), 'text/plain': '<Figure>'}, raw=True)"""
SHOWN = [
    PNG,
    "from IPython.display import HTML\ndisplay(HTML('<script>' + 'x=1;' * 1_000_000 + '</script>'))",
    "display({'application/vnd.plotly.v1+json': {'x': list(range(700_000))}, 'text/html': '<p>small'}, raw=True)",
    "display({'image/png': 'none at all', 'image/jpeg': 'é', 'application/pdf': '=', 'text/plain': 'x'}, raw=True)",
    "display({'image/svg+xml': 'no picture <', 'application/json': 'text', 'text/html': ''}, raw=True)",
    "display({}, raw=True)",
    "display({'text/latex': '$x$' * 800_000, 'image/svg+xml': '<svg>' + '<g/>' * 700_000 + '</svg>'}, raw=True)",
    "print('\\x1b[31mred\\x1b[', 'abc\\rd\\x00\\x0c')",
    "'p' * 3_000_000",
    "raise ValueError('x' * 3_000_000)",
]


@pytest.mark.filterwarnings("ignore:Your element with mimetype")
def test_whatever_is_left_out_leaves_a_notebook_that_others_read(notebook: Make, tmp_path: Path) -> None:
    path = notebook(*SHOWN)
    with pytest.raises(PapermillExecutionError):
        execute(path)
    out = path.with_suffix(".out.ipynb")
    assert out.stat().st_size < 3_000_000
    data = [output["data"] for output in left(path) if "data" in output]
    note = "[… image/png of 4,001,732 characters left out here; whole in in.out-output-001-data.png …]"
    assert data[0] == {"text/plain": ["<Figure>\n", note]}
    assert "whole in in.out-output-002-data.html" in data[1]["text/plain"][1]
    assert list(data[2]) == ["text/html", "text/plain"]
    assert list(data[3]) == ["text/plain"]
    picture = (tmp_path / "in.out-output-001-data.png").read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (1000, 1000)
    assert json.loads((tmp_path / "in.out-output-003-data.json").read_text())["x"][-1] == 699_999
    for exporter in (MarkdownExporter, HTMLExporter):
        page, _ = exporter().from_filename(str(out))
        assert note in page
        assert "no picture" in page or exporter is MarkdownExporter


@pytest.mark.parametrize("kind", ["html", "markdown"])
def test_command_of_nbconvert_reads_it(notebook: Make, tmp_path: Path, kind: str) -> None:
    execute(notebook(PNG, "print('end')"))
    command = [sys.executable, "-m", "nbconvert", "--to", kind, "in.out.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "left out here" in next(path for path in tmp_path.glob("in.out.*") if path.suffix != ".ipynb").read_text()


def test_message_of_an_error_is_bounded_everywhere(notebook: Make) -> None:
    path = notebook("raise ValueError('x' * 3_000_000)")
    with pytest.raises(PapermillExecutionError):
        execute(path)
    out = path.with_suffix(".out.ipynb")
    assert out.stat().st_size < 1_200_000
    assert len(json.loads(out.read_text())["metadata"]["papermill"]["error"]["message"]) < 11_000


LONG = "print('y' * 300_000)"
BIG = "HTML('z' * 2_100_000)"
SHOW = f"display({BIG}, display_id=True)"
MANY = "for n in range(510):\n    display(n)"
CLEAR = "from IPython.display import HTML, clear_output\n"


@pytest.mark.parametrize(
    ("source", "files"),
    [
        (f"{LONG}\nclear_output()\nprint('left')", []),
        (f"{LONG}\nclear_output(wait=True)\nprint('left')", []),
        (f"display({BIG})\nclear_output()\n{LONG}", ["in.out-output-001-stdout-2.txt"]),
        (f"{MANY}\nclear_output()\n{MANY}", ["in.out-output-001-outputs-2.jsonl"]),
        (f"h = {SHOW}\nfor n in range(3):\n    h.update({BIG})", ["in.out-output-001-data-4.html"]),
        (f"h = {SHOW}\nh.update('small')", []),
    ],
)
def test_file_goes_with_the_output_that_names_it(notebook: Make, tmp_path: Path, source: str, files: list[str]) -> None:
    path = notebook(CLEAR + source)
    execute(path)
    assert sorted(file.name for file in tmp_path.glob(OWN)) == files
    assert all(name in str(left(path)) for name in files)


@pytest.mark.parametrize(
    ("source", "files"),
    [
        (f"h = {SHOW}\nfor n in range(4):\n    h.update({BIG})", 1),
        (f"for n in range(4):\n    clear_output()\n    display({BIG})", 1),
        (f"for n in range(4):\n    {LONG}\n    clear_output(wait=True)\nprint()", 0),
    ],
)
def test_files_do_not_pile_up_while_a_cell_shows_something_anew(
    notebook: Make, tmp_path: Path, source: str, files: int
) -> None:
    count = f"import glob\nprint(len(glob.glob({str(tmp_path / OWN)!r})))"
    assert said(execute(notebook(CLEAR + source, count))) == f"{files}\n"


def test_files_of_the_last_execution_go_and_those_of_others_stay(notebook: Make, tmp_path: Path) -> None:
    theirs = tmp_path / "in.out-output-007-stdout.txt"
    theirs.write_text("named by no notebook")
    execute(notebook(LONG, "print('in.out-output-notes.txt')"))
    other = tmp_path / "other-output-001-stdout.txt"
    other.write_text("of another notebook")
    assert (tmp_path / "in.out-output-001-stdout.txt").exists()
    execute(notebook("print('short')", LONG))
    assert sorted(path.name for path in tmp_path.glob("*output*")) == [
        "in.out-output-002-stdout.txt", theirs.name, other.name,
    ]  # fmt: skip


DEATHS = {
    "os._exit": "import os\nos._exit(1)",
    "SIGKILL": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "SIGSEGV": "import ctypes\nctypes.string_at(0)",
}
FLUSHED = """import sys
for n in range(3_000):
    print('epoch', n, flush=True)
print('warned', file=sys.stderr, flush=True)
print('about to call the library', flush=True)
"""


@pytest.mark.parametrize("death", DEATHS)
def test_all_that_was_flushed_before_a_crash_is_there(notebook: Make, death: str) -> None:
    path = notebook(FLUSHED + DEATHS[death])
    with pytest.raises(DeadKernelError):
        execute(path)
    assert stream(path) == "".join(f"epoch {n}\n" for n in range(3_000)) + "about to call the library\n"
    assert stream(path, "stderr") == "warned\n"


def test_flushed_secret_is_masked_though_the_kernel_could_not_send_it(notebook: Make) -> None:
    path = notebook(f"{FLUSHED}print('password=hunter2222', flush=True)\n{DEATHS['os._exit']}")
    with pytest.raises(DeadKernelError):
        execute(path)
    assert stream(path).endswith("about to call the library\npassword=[MASKED]\n")


def test_end_of_a_flood_is_there_and_what_is_missing_is_said(notebook: Make, tmp_path: Path) -> None:
    # In the time of one pause between messages, far more than is kept.
    flood = "for n in range(600):\n    print(end='x', flush=True)\ntext = 'y' * 100_000\n"
    path = notebook(f"{flood}for n in range(20):\n    print(text, n, flush=True)\n{DEATHS['SIGKILL']}")
    with pytest.raises(DeadKernelError):
        execute(path)
    assert stream(path).endswith(f"{'y' * 1000} 19\n")
    file = tmp_path / "in.out-output-001-stdout.txt"
    whole = file.read_text() if file.exists() else stream(path)
    assert whole.count("y") == 2_000_000 or "characters were lost with the kernel" in whole


def test_kernel_that_had_to_be_killed_leaves_its_last_words(papermill: Papermill, notebook: Make) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    stuck = "import ctypes\nctypes.PyDLL(None).sleep(60)"
    done = papermill.run(
        notebook(f"{deaf}{FLUSHED}{stuck}"), "--execution-timeout", "10", environ={"RUNBOOK_GRACE": "1"}
    )
    assert done.status == 124
    assert done.output(0).endswith("epoch 2999\nabout to call the library\nwarned\n")


def test_children_neither_repeat_nor_count_what_their_kernel_has_flushed(notebook: Make) -> None:
    fork = """import os
if not os.fork():
    print('child', flush=True)
    os._exit(0)
os.wait()
import time
time.sleep(3)
print('parent', flush=True)
"""
    path = notebook(FLUSHED + fork + DEATHS["SIGKILL"])
    with pytest.raises(DeadKernelError):
        execute(path)
    lines = stream(path).splitlines()
    # What a child says goes another way, and may come before what its parent said earlier.
    assert {"child", "parent"} <= set(lines)
    assert len(lines) == len(set(lines)) == 3_003


def test_what_is_flushed_lies_in_no_file_that_others_can_open(notebook: Make) -> None:
    look = "import ipykernel, os\nprint(sorted(os.listdir(os.path.dirname(ipykernel.get_connection_file()))))"
    shown = said(execute(notebook(look)))
    assert "k.json" in shown
    assert "words" not in shown


def test_ring_gives_the_last_characters_and_counts_those_it_has_not(tmp_path: Path) -> None:
    words = LastWords(tmp_path)
    with words.path.open("r+b") as file:
        file.write(f"{ROOM + 5} cell-1\n".encode())
        file.seek(512)
        file.write("fghi\ud800".encode("utf-32-le", "surrogatepass"))
        file.seek(512 + 4 * (ROOM - 2))
        file.write("de".encode("utf-32-le"))
    words.hide()
    assert not words.path.exists()
    assert words.after("stdout", "cell-1", ROOM - 2) == "defghi\ufffd"
    assert words.after("stdout", "cell-1", ROOM + 5) == ""
    assert words.after("stdout", "cell-2", 0) == ""
    assert words.after("stderr", "cell-1", 0) == ""
    assert words.after("stdout", "cell-1", 0).startswith("\n[… 5 characters were lost with the kernel …]\n")
    words.close()
