"""What a mask must leave whole: code that is executed in place, pictures, pages, JSON, widgets."""

from __future__ import annotations

import json
import signal
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from runbook_lib.domain.redaction import MASK

from .conftest import Papermill, make_notebook, wait_for

PASSWORD = "correct horse/battery"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CELLS = [
    "import os\nfrom IPython.display import HTML, JSON, display\nsecret = os.environ['PLANTED_PASSWORD']",
    f"display({{'image/png': '{PNG}'}}, raw=True)",
    """page = '<p title="{0}">a <b>password</b> = <i>"hunter22"</i> &lt;x&gt; '
page += '<input type="password" value="swordfish"></p>'
display(HTML(page.format(secret)))""",
    "display(JSON({'a': [1, None, 2.5], 'note': secret, 'token': 'apple', 'db': {'password': 'swordfish'}}))",
    """spec = {'$schema': 'https://vega.github.io/schema/vega-lite/v5.json', 'mark': 'bar',
 'data': {'values': [{'token': 'the', 'n': 3}, {'token': 'fox', 'n': 1}]}}
display({'application/vnd.vegalite.v5+json': spec, 'text/plain': 'chart'}, raw=True)""",
    'display({\'application/json\': \'{"name": "DB_PASSWORD", "value": "swordfish"}\'}, raw=True)',
    "import ipywidgets\nipywidgets.Password(description='Database', value='swordfish')",
    "display({'text/plain': \"'swordfish'\"}, metadata={'scrapbook': {'name': 'db_password'}}, raw=True)",
    "print('\\n'.join(['{', '  \"name\": \"DB_PASSWORD\",', '  \"value\": \"swordfish\"', '}']))",
    "print('\\n'.join(['{', '  \"value\": \"swordfish\",', '  \"name\": \"DB_PASSWORD\"', '}']))",
    "print('machine gitlab.example.com login me password swordfish')\nprint(\"pad_token='[PAD]'\", 'test postgres')",
    "raise ValueError(f\"wrong password 'swordfish' for {secret}\")",
]


class WellFormed(HTMLParser):
    """Counts tags that are opened and closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said = ""
        self.attributes: dict[str, str | None] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= dict(attrs)
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def text_of(value: Any) -> str:
    return "".join(value)


def test_outputs_stay_what_they_are_without_their_secrets(papermill: Papermill, tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "in.ipynb", *CELLS)
    done = papermill.run(path, environ={"PLANTED_PASSWORD": PASSWORD, "TEST_TOKEN": "test", "PG_PASSWORD": "postgres"})
    assert done.status == 1, done.text
    whole = done.path.read_text()
    nbformat.validate(nbformat.reads(whole, as_version=4))
    assert PASSWORD not in whole
    assert PASSWORD not in done.text
    shown = json.dumps([cell["outputs"] for cell in done.cells]) + json.dumps(done.notebook["metadata"])
    assert "swordfish" not in shown
    assert "hunter22" not in shown
    data = [output.get("data", {}) for cell in done.cells for output in cell["outputs"]]
    assert text_of(data[0]["image/png"]) == PNG
    page = WellFormed(text_of(data[1]["text/html"]))
    assert page.open == []
    assert page.said == f'a password = "{MASK}" <x> '
    assert page.attributes["title"] == page.attributes["value"] == MASK
    assert data[2]["application/json"] == {
        "a": [1, None, 2.5],
        "note": MASK,
        "token": "apple",
        "db": {"password": MASK},
    }
    assert data[3]["application/vnd.vegalite.v5+json"]["data"]["values"][0] == {"token": "the", "n": 3}
    assert json.loads(text_of(data[4]["application/json"])) == {"name": "DB_PASSWORD", "value": MASK}
    states = done.notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert MASK in [state["state"].get("value") for state in states]
    assert text_of(data[6]["text/plain"]) == MASK
    assert "pad_token='[PAD]' test postgres" in done.output(10)


def test_the_sources_of_a_notebook_that_is_executed_in_place_stay(papermill: Papermill, tmp_path: Path) -> None:
    cells = [
        "pad_token = '[PAD]'\npassword = 'hunter22'\nprint(pad_token, password)",
        new_markdown_cell("The password = 'hunter22'", attachments={"a.png": {"image/png": PNG}}),
        new_code_cell("token = 'glpat-abcdefghij0123456789'"),
    ]
    path = make_notebook(tmp_path / "in.ipynb", *cells, parameters="note: str = ''\napi_token: str = ''")
    before = [cell["source"] for cell in nbformat.read(path, as_version=4).cells]
    link = tmp_path / "same.ipynb"
    link.symlink_to(path)
    for output in (path, Path("in.ipynb"), link):
        done = papermill.run_to(path, output, "-p", "api_token", "s3cret-of-a-person")
        assert done.status == 0, done.text
        after = nbformat.read(path, as_version=4).cells
        mine = [cell for cell in after if "injected-parameters" not in cell.metadata.get("tags", [])]
        assert [cell["source"] for cell in mine] == before
        assert mine[2].attachments == {"a.png": {"image/png": PNG}}
        assert text_of(mine[1].outputs[0].text).startswith("[PAD] ")
        assert "s3cret-of-a-person" not in path.read_text()


def test_the_sources_of_a_copy_are_masked(papermill: Papermill, tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "in.ipynb", "password = 'hunter22'")
    done = papermill.run(path)
    assert done.status == 0, done.text
    assert "hunter22" not in done.path.read_text()


HOSTILE = """
while True:
    for text in ('password=', '{"token": "', 'eyJ', 'a\\\\', '://a:', 'token="a\\\\"'):
        print(text * (1_000_000 // len(text)))
"""


def test_a_flood_of_hostile_text_ends_and_a_signal_and_a_time_out_are_obeyed_meanwhile(
    papermill: Papermill, tmp_path: Path
) -> None:
    path = make_notebook(tmp_path / "in.ipynb", HOSTILE)
    process = papermill.start(path, "--no-progress-bar", environ={"RUNBOOK_GRACE": "2"})
    wait_for(lambda: any(tmp_path.glob("*output-001*")), process)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert papermill.finish(process, path).status != 0
    assert time.monotonic() - began < 100
    began = time.monotonic()
    assert papermill.run(path, "--execution-timeout", "2", environ={"RUNBOOK_GRACE": "2"}).status != 0
    assert time.monotonic() - began < 150
