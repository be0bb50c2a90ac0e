"""Markup in every place that a page prints stays text, in a browser that would run it: the content policy is off."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import POLICY, chromium
from nbformat.validator import NotebookValidationError
from page_samples import index_page, notebook
from playwright.sync_api import Browser

from runbook_lib.report import html, html_index
from runbook_lib.report.html import notebook_html
from runbook_lib.report.html_index import render_index

# Ends a value without quotes, one in any quotes, a tag, and elements whose content is no markup; runs without a click.
IMAGE = "<img src=data:, onerror=ran(1)>"
BREAKOUT = f"\"'> x onerror=ran(1) {IMAGE} </title></style></textarea></pre>{IMAGE}<script>ran(1)</script>"
LINK = "javascript:ran(1)"
HEARD = "window.heard = 0; window.ran = () => { window.heard += 1; };"
LINKS = """[...document.querySelectorAll("*")].flatMap((one) => [...one.attributes])
    .filter((one) => /^\\s*javascript:/i.test(one.value) && one.name !== "alt").length"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def runs(browser: Browser) -> Callable[[str], int]:
    """How many scripts run, and links would, when a page is opened without its policy."""
    page = browser.new_page()
    page.add_init_script(HEARD)
    page.route("**/*", lambda route: route.abort())

    def count(text: str) -> int:
        assert text.count(POLICY) == 1
        page.goto("about:blank")
        page.set_content(re.sub(f"{POLICY}[^>]*>", "", text), wait_until="load")
        return int(page.evaluate("window.heard")) + int(page.evaluate(LINKS))

    return count


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document holds texts and numbers."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))
    else:
        yield path


def put(document: dict[str, Any], path: tuple[Any, ...], text: str) -> dict[str, Any]:
    made = copy.deepcopy(document)
    inner: Any = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = text
    return made


def page_of(document: dict[str, Any], title: str = "02_plan") -> str:
    try:
        return notebook_html(json.dumps(document), title)
    except NotebookValidationError:
        # Then the page says that there is none, and nothing of the notebook.
        return f"<head>{POLICY}></head>"


# What is no notebook any more, or has no such output: nbformat and the template read these as what they are.
FIXED = {"cell_type", "output_type", "nbformat", "nbformat_minor", "isolated"}


def test_no_place_of_a_notebook_brings_a_script_to_its_page(runs: Callable[[str], int]) -> None:
    document = notebook(findings=1)
    every = [path for path in places(document) if path[-1] not in FIXED]
    assert len(every) > 50
    assert {path: ran for path in every if (ran := runs(page_of(put(document, path, BREAKOUT))))} == {}


@pytest.mark.parametrize("text", [BREAKOUT, LINK, f"[x]({LINK})", f"<a href='{LINK}'>x</a><b onclick=ran(1)>x</b>"])
def test_a_notebook_that_is_hostile_everywhere_brings_no_script(runs: Callable[[str], int], text: str) -> None:
    document = notebook(findings=1)
    for path in list(places(document)):
        # Of some form, or there would be no page.
        if path[-1] not in FIXED | {"id", "name", "execution_count"}:
            document = put(document, path, text)
    assert text == BREAKOUT or "ran(1)" in page_of(document)
    assert runs(page_of(document, text)) == 0


@pytest.mark.parametrize("text", [BREAKOUT, LINK])
def test_no_name_or_text_of_a_run_brings_a_script_to_its_page(runs: Callable[[str], int], text: str) -> None:
    assert runs(render_index(index_page(lambda place: text))) == 0
    link = index_page()
    assert runs(render_index(replace(link, run=link.run.model_copy(update={"pipeline_url": LINK})))) == 0


# Of these the model, or the program, lets nothing but a word of a list, a number, a time or a step's name be there.
HARMLESS = re.compile(
    r"page\.outcome|result\.outcome|\| (clock|size|does|colour|tone|urlencode)$|total_seconds|\| length|counted"
    r"|step\.folder|request\.summary|request\.quorum|first\.(verdict|severity)|source\.line|word|colour"
    r"|^'|counts is false|style"
)


def test_every_escape_of_a_run_s_page_is_needed_and_there(
    runs: Callable[[str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where an expression is printed as it is, a script runs: so each place was reached, and its escape is what holds.
    source = (html.TEMPLATES / "index.html.j2").read_text()
    printed = [found for found in re.finditer(r"\{\{ (.+?) \}\}", source) if not HARMLESS.search(found[1])]
    assert len(printed) > 30
    monkeypatch.setattr(html_index, "TEMPLATES", tmp_path)
    sample = index_page(lambda place: BREAKOUT, findings=24)
    quiet = []
    for found in printed:
        raw = f"{source[: found.start()]}{{{{ ({found[1]}) | safe }}}}{source[found.end() :]}"
        (tmp_path / "index.html.j2").write_text(raw)
        if not runs(render_index(sample)):
            quiet.append(found[1])
    assert quiet == []


def test_every_escape_of_a_notebook_s_page_is_needed_and_there(
    runs: Callable[[str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (html.TEMPLATES / "notebook/index.html.j2").read_text()
    escapes = list(re.finditer(r" \| escape_html\b", source))
    assert len(escapes) >= 8
    document = notebook(findings=1)
    document["metadata"]["papermill"]["outcome"] = BREAKOUT
    document["metadata"]["papermill"]["error"] = {"type": BREAKOUT, "message": BREAKOUT}
    document["cells"][2]["metadata"]["papermill"]["status"] = BREAKOUT
    for output in document["cells"][2]["outputs"]:
        if "text/plain" in output.get("data", {}):
            output["data"]["text/plain"] = BREAKOUT
    decided = copy.deepcopy(document)
    decided["metadata"]["papermill"]["outcome"] = "completed"
    for output in decided["cells"][2]["outputs"]:
        for mime, value in output.get("data", {}).items():
            if mime.startswith("application/vnd"):
                value["summary"] = BREAKOUT
    monkeypatch.setattr(html, "TEMPLATES", tmp_path)
    (tmp_path / "notebook").mkdir()
    for name in ("page.css", "notebook/conf.json"):
        (tmp_path / name).write_text((Path(html.__file__).parent / "templates" / name).read_text())
    quiet = []
    for found in escapes:
        (tmp_path / "notebook/index.html.j2").write_text(source[: found.start()] + source[found.end() :])
        html._exporter.cache_clear()
        if not any(runs(notebook_html(json.dumps(one), BREAKOUT)) for one in (document, decided)):
            quiet.append(source[found.start() - 60 : found.start()])
    html._exporter.cache_clear()
    assert quiet == []
