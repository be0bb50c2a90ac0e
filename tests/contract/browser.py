"""Chromium for the tests of pages, and what is asked of every page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
# No background traffic: the tests reach loopback alone.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
WIDTHS = (390, 768, 1440)
POLICY = '<meta http-equiv="Content-Security-Policy"'


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, each with the first place."""
    page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} {_why(one)}" for one in found]


def _why(violation: dict[str, Any]) -> str:
    node = violation["nodes"][0]
    return json.dumps([one["data"] for one in (*node["any"], *node["all"])])[:300]


def wider_than_the_window(page: Page) -> int:
    """By how many pixels the page must be moved sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def cut_off(page: Page) -> list[str]:
    """Elements that don't show all they hold: hidden by a fold, or over an edge that is fixed on paper."""
    return list(page.evaluate(CUT_OFF))


CUT_OFF = """() => [...document.querySelectorAll("main *")].filter((one) => {
    if (one.closest("table.wide thead") || !one.textContent.trim()) return false;
    const clips = getComputedStyle(one).overflowX !== "visible" && one.clientWidth;
    if (clips && one.scrollWidth > one.clientWidth + 1) return true;
    return !one.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true});
}).map((one) => one.outerHTML.slice(0, 120))"""
