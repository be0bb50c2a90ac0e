"""The documentation as a web site: built strictly, code as it was written, and no page wider than a phone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import ROOT, chromium, wider_than_the_window
from bs4 import BeautifulSoup
from playwright.sync_api import Browser

FENCE = re.compile(r"^(?P<indent> *)```\w*[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
# An indented block, after an empty line; within a list it is a paragraph of the list's.
INDENTED = re.compile(r"(?:\A|\n\n)((?: {4}[^\n]*\n)+)")
LIST = re.compile(r"^ *(?:\d+\.|-) ", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


def page_of(site: Path, source: Path) -> Path:
    place = site / source.relative_to(ROOT / "docs").with_suffix("")
    return (place.parent if source.stem in {"index", "README"} else place) / "index.html"


def written(source: Path) -> list[str]:
    """The code that a page holds, each block as it stands there."""
    text = source.read_text()
    blocks = [re.sub(f"^{one['indent']}", "", one["text"], flags=re.MULTILINE) for one in FENCE.finditer(text)]
    outside = FENCE.sub("", text)
    # What is indented below a point of a list is the point's text.
    blocks += [
        re.sub(r"^ {4}", "", one[1], flags=re.MULTILINE)
        for one in INDENTED.finditer(outside)
        if not LIST.search(outside[: one.start()].rpartition("\n\n")[2] or "- ")
    ]
    return [block.strip() for block in blocks]


def test_every_block_of_code_is_code_on_its_page_too(site: Path) -> None:
    lost = {}
    for source in sorted((ROOT / "docs").glob("**/*.md")):
        shown = [one.get_text().strip() for one in read(page_of(site, source)).find_all("pre")]
        missing = [block for block in written(source) if block not in shown]
        if missing:
            lost[str(source.relative_to(ROOT))] = missing[0]
    assert lost == {}


def test_a_numbered_list_keeps_its_points_and_their_numbers(site: Path) -> None:
    broken = {}
    for source in sorted((ROOT / "docs").glob("**/*.md")):
        numbers = re.findall(r"^ *(\d+)\. ", FENCE.sub("", source.read_text()), re.MULTILINE)
        lists = read(page_of(site, source)).select("article ol")
        shown = [str(number) for one in lists for number, _ in enumerate(one.find_all("li", recursive=False), 1)]
        if shown != numbers:
            broken[source.name] = (numbers, shown)
    assert broken == {}


def test_every_page_is_in_the_navigation_with_install_before_all_else(site: Path) -> None:
    found = read(site / "index.html").select("nav.md-nav--primary a[href]")
    links = [str(link["href"]).partition("#")[0] for link in found]
    pages = [link for link in dict.fromkeys(links) if link not in {"", ".", "index.html"}]
    assert pages[:3] == ["install/", "tutorial/", "lab/"]
    assert len(pages) == len(list((ROOT / "docs").glob("**/*.md"))) - 1


def test_no_page_is_wider_than_a_phone(site: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.route("http**", lambda route: route.abort())
    wide = {}
    for path in sorted(site.glob("**/index.html")):
        page.goto(path.as_uri())
        if over := wider_than_the_window(page):
            wide[str(path.relative_to(site))] = over
    assert wide == {}


def test_the_site_asks_no_network_for_anything(site: Path) -> None:
    for path in site.glob("**/index.html"):
        found = read(path).select("script[src], link[rel=stylesheet], img[src]")
        assets = [str(one.get("src") or one.get("href")) for one in found]
        assert assets
        assert [found for found in assets if "//" in found] == []
