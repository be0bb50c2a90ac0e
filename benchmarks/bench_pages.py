"""How long the page of a large plan takes to make and to open, and whether its decision is what is seen first.

`make bench-pages`, or `python -m benchmarks.bench_pages --megabytes 10 --findings 500`. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, sync_playwright

from runbook_lib.domain.redaction import Redactor
from runbook_lib.models.base import Outcome
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.plan import Plan, ResourceChange
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.report import tables
from runbook_lib.report.html import notebook_html
from runbook_lib.report.html_index import IndexPage, render_index
from runbook_lib.report.result_view import ResultView

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LINE = '  \x1b[32m+\x1b[0m resource "aws_vpc_security_group_ingress_rule" "rule_{}" {{ cidr_ipv4 = "198.51.100.0/24" }}'
# Since the page was asked for: when the decision was painted, and when all was there.
TIMES = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done({
    first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now(),
    loaded: performance.timing.loadEventEnd - performance.timing.navigationStart, drawn: performance.now(),
    banner: document.querySelector(".banner").getBoundingClientRect().bottom}))))"""


def main() -> None:
    """Make both pages, open each some times in a browser of its own, and print the medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=float, default=10)
    arguments.add_argument("--findings", type=int, default=500)
    arguments.add_argument("--times", type=int, default=5)
    given = arguments.parse_args()
    began = time.perf_counter()
    notebook = notebook_html(json.dumps(plan_notebook(given.megabytes, given.findings)), "02_plan")
    made = time.perf_counter()
    Redactor().mask_markup(notebook)
    masked = time.perf_counter()
    index = render_index(index_page(given.findings))
    print(f"notebook.html: {len(notebook) / 1e6:.1f} MB, made in {made - began:.1f} s, masked in {masked - made:.1f} s")
    print(f"index.html: {len(index) / 1e6:.2f} MB, made in {time.perf_counter() - masked:.2f} s")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for name, text in (("notebook", notebook), ("index", index)):
            page = Path(folder) / f"{name}.html"
            page.write_text(text)
            found = [opened(playwright.chromium, page.as_uri()) for _ in range(given.times)]
            median = {key: statistics.median(one[key] for one in found) for key in found[0]}
            print(
                f"{name}.html opened: decision painted after {median['first'] / 1000:.2f} s, all drawn after "
                f"{median['drawn'] / 1000:.2f} s; the decision ends {median['banner']:.0f} px below the top"
            )


def opened(chromium: Any, address: str) -> dict[str, float]:
    """One opening, on a phone's width, nothing cached."""
    browser: Browser = chromium.launch(
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    )
    page = browser.new_context(bypass_csp=True, viewport={"width": 390, "height": 844}).new_page()
    page.goto(address)
    found: dict[str, float] = page.evaluate(TIMES)
    browser.close()
    return found


def plan_notebook(megabytes: float, findings: int) -> dict[str, Any]:
    """A plan's notebook whose output is so long."""
    lines = int(megabytes * 1e6 / len(LINE))
    changes = tuple(
        ResourceChange(address=f"aws_instance.this[{number}]", type="aws_instance", name="this", actions=("create",))
        for number in range(10_000)
    )
    shown = (tables.plan_changes(Plan(changes=changes)), tables.findings(found(findings)), ResultView(result()))
    cell = new_code_cell(
        "change = plan.make_plan(step)",
        outputs=[
            new_output("stream", name="stdout", text="".join(LINE.format(number) + "\n" for number in range(lines))),
            *(new_output("display_data", data=dict(one._repr_mimebundle_())) for one in shown),
        ],
        execution_count=1,
        metadata={"papermill": {"status": "completed", "duration": 1.0}},
    )
    notebook = new_notebook(cells=[new_markdown_cell("# Plan"), cell])
    notebook.metadata.papermill = {"outcome": "completed", "start_time": NOW.isoformat(), "duration": 1.0}
    return dict(notebook)


def index_page(findings: int) -> IndexPage:
    """A run's page with so many findings."""
    run = Run(run_id="bench", stack="main", created_at=NOW)
    return IndexPage(run=run, results=(result(),), findings=found(findings))


def found(count: int) -> tuple[Finding, ...]:
    """Findings of ten policies."""
    return tuple(
        Finding(
            policy=f"policy-{number % 10}",
            verdict=Verdict.FAILED,
            severity=Severity.HIGH,
            action=Action.BLOCK if number % 10 else Action.WARN,
            address=f'module.network.aws_security_group.this["{number}"]',
            message="SSH is open to the whole world.",
            remedy="Name the networks that may log in.",
        )
        for number in range(count)
    )


def result() -> StepResult:
    """What the plan came to."""
    return StepResult(
        run_id="bench",
        step="plan",
        stack="main",
        outcome=Outcome.BLOCKED,
        summary="Plan: 10000 to add. 500 findings block.",
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=60),
    )


if __name__ == "__main__":
    main()
