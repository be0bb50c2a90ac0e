"""A plugin of pytest's for `benchmarks.conformance`: this engine in the place of stock, and a report of outcomes.

The tests are other people's and stay as they are. What they take for stock is replaced from outside: papermill's
default engine, the engine of the papermill commands that they start, and nbclient's client.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPORT, OURS = "CONFORMANCE_REPORT", "CONFORMANCE_OURS"
outcomes: dict[str, str] = {}


class EngineClient:
    """What nbclient's tests call a NotebookClient, with this engine behind it."""

    def __init__(self, nb: Any, kernel_name: str, **options: Any) -> None:
        self._nb, self._kernel_name, self._options = nb, kernel_name, options

    def execute(self) -> Any:
        """Execute the notebook in place."""
        from runbook_lib.engine.papermill_engine import RunbookEngine

        return RunbookEngine.execute_notebook(self._nb, self._kernel_name, progress_bar=False, **self._options)

    async def async_execute(self) -> Any:
        """Execute the notebook while others do so."""
        return await asyncio.to_thread(self.execute)


def with_engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """The tests' function that starts papermill, naming the engine."""
    return lambda arguments=None, **options: command([*(arguments or ()), "--engine", "runbook"], **options)


def pytest_configure(config: pytest.Config) -> None:
    """Make this engine papermill's default one."""
    config.addinivalue_line("markers", "flaky: what nbclient's tests call some of theirs")
    if os.environ.get(OURS):
        from papermill.engines import papermill_engines

        from runbook_lib.engine.papermill_engine import RunbookEngine

        papermill_engines.register(None, RunbookEngine)
        papermill_engines.register("runbook", RunbookEngine)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Put this engine where a module of tests would take stock."""
    for module in {item.module for item in items} if os.environ.get(OURS) else ():
        if module.__name__.startswith("papermill.") and hasattr(module, "papermill_cli"):
            module.papermill_cli = with_engine(module.papermill_cli)
        if module.__name__ == "tests.test_client":
            module.NotebookClient = EngineClient


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    """Note how a test ended: the worst of its phases counts."""
    report = yield
    name = f"{item.module.__name__.rpartition('.')[2]}::{item.nodeid.partition('::')[2]}"
    if report.outcome != "passed" or report.when == "setup":
        outcomes[name] = report.outcome
    return report


def pytest_sessionfinish() -> None:
    """Write the report."""
    Path(os.environ[REPORT]).write_text(json.dumps(outcomes))
