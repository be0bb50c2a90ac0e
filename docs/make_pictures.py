"""Takes the README's pictures from a real run: the lab's Slack thread, and an executed notebook (`make pictures`)."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from runbook_lib.cli.demo_story import Story
from runbook_lib.cli.lab_base import lab_down, lab_up
from runbook_lib.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def tell(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr)  # noqa: T201 - the progress of a command


def main() -> None:
    """Tell the story on a lab of its own, look at it, and end the lab."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RUNBOOK_OUTPUTS"] = f"{folder}/outputs"
        settings = Settings.load(ROOT)
        lab = lab_up(settings, Path(folder) / "lab", tell, tied=True)
        try:
            # What was asked is told as decided once it is, so it is looked at while it waits.
            story = Story(
                settings, keep=True, broken=None, tell=tell, before_approval=lambda: picture_request(lab.slack_url)
            )
            if story.tell_on(lab):
                raise SystemExit("the demo did not pass: no pictures")
            picture_notebook((settings.outputs / story.run_id / "02_plan" / "notebook.html").as_uri())
        finally:
            lab_down(lab.folder)


def picture_request(slack: str) -> None:
    """Picture the channel as it asks for the approval."""
    with opened(slack, 1280) as page:
        scroll(page, page.get_by_text("Approving lets this very plan be applied").last, "end")
        picture(page, "slack-thread.png")


def picture_notebook(address: str) -> None:
    """Picture the plan's page where it says who can newly reach what."""
    with opened(address, 1000) as page:
        scroll(page, page.get_by_role("heading", name="Who can newly reach what?"), "start")
        picture(page, "plan-notebook.png")


@contextlib.contextmanager
def opened(address: str, width: int) -> Iterator[Page]:
    """A page in a browser of its own: a thread can't use another's."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not binary:
        raise SystemExit("Chromium is not installed: make tools")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=OPTIONS)
        page = browser.new_page(viewport={"width": width, "height": 1000})
        page.goto(address)
        yield page
        browser.close()


def scroll(page: Page, place: Locator, edge: str) -> None:
    """Bring a place of the page to its upper (`start`) or lower (`end`) edge, once it is there and at rest."""
    place.wait_for()
    page.wait_for_timeout(1_000)
    place.evaluate("(element, edge) => element.scrollIntoView({block: edge})", edge)
    page.wait_for_timeout(1_000)


def picture(page: Page, name: str) -> None:
    """Take what is to be seen now."""
    page.screenshot(path=IMAGES / name)
    tell(f"docs/images/{name}")


if __name__ == "__main__":
    main()
