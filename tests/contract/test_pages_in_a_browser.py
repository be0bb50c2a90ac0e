"""A run's pages for everybody: at any width, in the dark, by keys, on paper, and for who can't see them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import WIDTHS, chromium, cut_off, violations, wider_than_the_window
from page_samples import index_page, notebook
from playwright.sync_api import Browser, Page

from runbook_lib.report.html import notebook_html
from runbook_lib.report.html_index import render_index

PAPER = 794  # A4 in CSS pixels
# How the findings of a fold are said to act, the gravest first.
EFFECTS = ("blocks", "needs the approver's eye", "warns", "waived")
KINDS = ("index", "many findings", "notebook", "long notebook")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The address of each kind of page."""
    texts = {
        "index": render_index(index_page()),
        "many findings": render_index(index_page(findings=500)),
        "notebook": notebook_html(json.dumps(notebook()), "02_plan"),
        "long notebook": notebook_html(json.dumps(notebook(findings=500)), "02_plan"),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: (folder / f"{name}.html").as_uri() for name in texts}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # Scripts of the test are let in: those of the page are told from the policy being there.
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, pages: dict[str, str], kind: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(pages[kind])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, violations(page)) == (width, [])


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_is_wider_than_its_window(page: Page, pages: dict[str, str], kind: str) -> None:
    page.goto(pages[kind])
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    for width in (320, *WIDTHS):
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, wider_than_the_window(page)) == (width, 0)


BROKEN_WORDS = """[...document.querySelectorAll(".output_html td")].flatMap((cell) => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [];
    while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/[a-z]{4,}/gi)) {
        if (texts.currentNode.parentElement.closest("code")) continue;
        const range = document.createRange();
        range.setStart(texts.currentNode, word.index);
        range.setEnd(texts.currentNode, word.index + word[0].length);
        if (range.getClientRects().length > 1) broken.push(word[0]);
    }
    return broken;
})"""


@pytest.mark.parametrize("kind", ["notebook", "long notebook"])
def test_on_a_phone_a_table_s_words_stay_whole(page: Page, pages: dict[str, str], kind: str) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(pages[kind])
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert page.locator(".output_html td").count() > 5
    assert page.evaluate(BROKEN_WORDS) == []


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_all_folds_are_open_and_nothing_is_cut(page: Page, pages: dict[str, str], kind: str) -> None:
    page.set_viewport_size({"width": PAPER, "height": 1123})
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(pages[kind])
    assert page.locator("details:not([open])").count() > 0
    assert cut_off(page) == []
    assert wider_than_the_window(page) == 0
    # Ink is dark on white, however the screen was.
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_fold_s_text_is_hidden_on_screen_or_the_print_test_would_prove_nothing(
    page: Page, pages: dict[str, str]
) -> None:
    page.goto(pages["notebook"])
    assert cut_off(page) != []


def test_the_dark_page_is_dark(page: Page, pages: dict[str, str]) -> None:
    page.emulate_media(color_scheme="dark")
    for kind in ("index", "notebook"):
        page.goto(pages[kind])
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"


REACHABLE = """[...document.querySelectorAll("a[href], summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility({contentVisibilityAuto: true})).length"""
FOCUSED = """[[...document.querySelectorAll("*")].indexOf(document.activeElement),
    document.activeElement.outerHTML.slice(0, 90), getComputedStyle(document.activeElement).outlineWidth]"""


def test_the_keyboard_reaches_every_link_fold_and_what_is_moved_sideways(page: Page, pages: dict[str, str]) -> None:
    for kind in ("index", "notebook"):
        page.goto(pages[kind])
        wanted = page.evaluate(REACHABLE)
        seen = set()
        for _ in range(wanted):
            page.keyboard.press("Tab")
            number, what, outline = page.evaluate(FOCUSED)
            assert (what, outline) == (what, "2px")
            seen.add(number)
        assert len(seen) == wanted > 3


def test_enter_unfolds_a_policy_s_findings(page: Page, pages: dict[str, str]) -> None:
    page.goto(pages["many findings"])
    fold = page.locator("details.group").first
    assert fold.get_attribute("open") is None
    fold.locator("summary").press("Enter")
    assert fold.locator("tbody tr").first.is_visible()


def test_five_hundred_findings_are_a_few_folds_those_that_block_first(page: Page, pages: dict[str, str]) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(pages["many findings"])
    findings = page.locator("h2:has-text('Findings') ~ details.group:has(.outcome)")
    shown = findings.locator("> summary").all_inner_texts()
    assert len(shown) <= 12
    effects = [text.split(" \u00b7 ")[0].lower().split(", ")[-1] for text in shown]
    assert set(effects) == set(EFFECTS)
    assert effects == sorted(effects, key=EFFECTS.index)
    assert page.get_by_text("501 findings of 4 policies").is_visible()
    assert sum(findings.nth(number).locator("tbody tr").count() for number in range(len(shown))) == 501
    page.goto(pages["long notebook"])
    assert page.locator(".output_html details").count() <= 12
    assert page.locator(".output_html details tbody tr").count() == 500


def test_pictures_are_said_in_words(page: Page, pages: dict[str, str]) -> None:
    page.goto(pages["notebook"])
    texts = [image.get_attribute("alt") for image in page.locator("img").all()]
    assert len(texts) == 3
    assert all(texts)


def test_a_long_output_is_folded_and_says_how_long_it_is(page: Page, pages: dict[str, str]) -> None:
    page.goto(pages["notebook"])
    long = page.locator("details.long")
    assert long.locator("summary").all_inner_texts() == ["printed: 500 lines, 18 kB"]
    assert not long.locator("pre").is_visible()


def test_the_samples_carry_the_policy_that_these_tests_go_around(pages: dict[str, str]) -> None:
    for address in pages.values():
        assert "default-src 'none'" in Path(address.removeprefix("file://").replace("%20", " ")).read_text()
