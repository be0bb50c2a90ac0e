"""The page over all runs for everybody: any width, dark, by keys, on paper; and inert, whoever made a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import WIDTHS, chromium, cut_off, violations, wider_than_the_window
from history_samples import EVIL, history_html, history_page
from playwright.sync_api import Browser, Page

from runbook_lib.adapters.history_file import HistoryFile
from runbook_lib.report.html_archive import render_archive_page
from runbook_lib.runner.evidence import prove_folder
from runbook_lib.runner.history import renew_history
from runbook_lib.runner.history_page import write_history_page

PAPER = 794  # A4 in CSS pixels


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("history")
    texts = {"history": history_html(folder)}
    report = prove_folder(folder / "outputs/1000")
    texts["archive"] = render_archive_page("1000", report, keyed=True, files=["statement.json"])
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.fixture
def as_it_is(browser: Browser) -> Iterator[Page]:
    """Without a way around the page's own policy."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("kind", ["history", "archive"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    page: Page, pages: dict[str, str], kind: str, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(pages[kind])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, violations(page)) == (width, [])
        assert (width, wider_than_the_window(page)) == (width, 0)
    wanted = "rgb(13, 17, 23)" if scheme == "dark" else "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == wanted


@pytest.mark.parametrize("kind", ["history", "archive"])
def test_on_paper_nothing_is_cut_and_nothing_asks_for_a_key(page: Page, pages: dict[str, str], kind: str) -> None:
    page.set_viewport_size({"width": PAPER, "height": 1123})
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(pages[kind])
    page.evaluate("document.querySelectorAll('form, nav').forEach((one) => { if (!one.offsetParent) one.remove(); })")
    assert page.locator("form, nav").count() == 0
    assert cut_off(page) == []
    assert wider_than_the_window(page) == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def shown(page: Page) -> list[str]:
    return page.locator("#runs > tbody > tr:visible > td:first-child").all_inner_texts()


def test_runs_are_found_with_keys_alone(as_it_is: Page, pages: dict[str, str]) -> None:
    page = as_it_is
    page.goto(pages["history"])
    assert len(shown(page)) == 40
    page.keyboard.press("/")
    page.keyboard.type("casey blocked")
    assert page.locator("#count").inner_text() == "0 of 40 runs"
    page.keyboard.press("Escape")
    assert page.locator("#count").inner_text() == "40 of 40 runs"
    page.keyboard.type("KIM")
    page.keyboard.press("Tab")
    page.keyboard.type("net")
    assert page.evaluate("document.activeElement.name") == "stack"
    found = shown(page)
    assert found
    rows = page.locator("#runs > tbody > tr:visible")
    assert {row.get_attribute("data-stack") for row in rows.all()} == {"network"}
    assert all("kim" in row.inner_text() for row in rows.all())
    assert page.locator("#count").inner_text() == f"{len(found)} of 40 runs"
    # Where letters are typed a slash is a letter.
    page.locator("[name=search]").press("/")
    assert page.locator("[name=search]").input_value() == "/KIM"


def test_every_field_and_link_is_reached_by_the_tabulator_and_is_seen_to_be(page: Page, pages: dict[str, str]) -> None:
    page.goto(pages["history"])
    wanted = page.locator("a[href]:visible, main input:visible, main select:visible, main button:visible").count()
    seen = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "2px"
    assert len(seen) == wanted > 40


def test_without_scripts_all_runs_are_there_and_no_field_that_does_nothing(
    browser: Browser, pages: dict[str, str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["history"])
    assert page.locator("#runs > tbody > tr").count() == 40
    assert not page.locator("#filters").is_visible()
    context.close()


def test_it_says_what_is_open_by_whom_and_what_is_not_to_be_believed(page: Page, pages: dict[str, str]) -> None:
    page.goto(pages["history"])
    section = page.locator("#open + table > tbody > tr")
    told = [row.inner_text().split("\t") for row in section.all()]
    assert ["the internet (0.0.0.0/0)", "web", "tcp 1000"] in [row[1:4] for row in told]
    by = next(row for row in told if row[3] == "tcp 1001")
    assert by[-1].lower() == "changed"
    # The page of a folder that was changed may be its changer's.
    assert page.locator("a[href='1000/index.html']").count() > 0
    assert page.locator("a[href='1001/index.html']").count() == 0
    wrong = page.locator("#wrong + table").inner_text()
    assert "04_apply/apply.txt was changed" in wrong


def test_a_folder_of_whoever_means_ill_is_shown_and_does_nothing(browser: Browser, tmp_path: Path) -> None:
    _, made = history_page(tmp_path, 3)
    for name, value in (("1000", EVIL), ("1002", "x" * 1_000_000)):
        path = made.outputs / name / "run.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | dict.fromkeys(("requester", "stack", "ref", "runbook"), value)))
    (made.outputs / "<img src=x onerror=window.ran=1>").mkdir()
    with HistoryFile.read(renew_history(made.outputs).path) as history:
        address = write_history_page(history, made.outputs).as_uri()
    # The policy is off: what is inert is inert without it.
    context = browser.new_context(bypass_csp=True)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("window.ran") is None
    assert asked == [address]
    assert "<script>window.ran = 1</script>" in (page.locator("#runs").text_content() or "")
    assert wider_than_the_window(page) == 0
    assert violations(page) == []
    assert Path(made.outputs / "index.html").stat().st_size < 100_000
    context.close()
