"""Every notebook opened by hand: JupyterLab in a browser, all cells run, the decision seen."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, eventually
from playwright.sync_api import Browser, Page, expect, sync_playwright

from runbook_lib.models.steps import BUILT_IN

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# All cells are kept in the page, also those that are out of sight; nothing is asked of the network.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
KERNEL_IDLE = """() => {
    const widget = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    return widget?.sessionContext?.session?.kernel?.status === 'idle';
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def jupyterlab(desk: Desk, tmp_path: Path) -> Iterator[str]:
    """JupyterLab on the working copy, started as riley starts it but with settings of its own; its address."""
    folder, port = tmp_path / "jupyter", free_port()
    for name, content in SETTINGS.items():
        path = folder / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", f"--ServerApp.root_dir={desk.root}",
    ]  # fmt: skip
    own = {
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
    }
    environment = desk.environment() | {name: str(path) for name, path in own.items()}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: answers(f"{url}/api/status"), f"JupyterLab starts; its log is {folder / 'log'}")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert binary, "Chromium is not installed: make tools"
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=binary, args=CHROMIUM_OPTIONS)
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        yield context.new_page()
        browser.close()


def run_all_cells(page: Page, url: str, notebook: str) -> None:
    page.goto(f"{url}/lab/tree/notebooks/{notebook}?reset")
    page.wait_for_function(KERNEL_IDLE, timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def approve_when_asked(desk: Desk) -> None:
    request = f"*/{'03_approval'}/request.json"
    (found,) = eventually(lambda: list(desk.outputs.glob(request)), "approval is asked for")
    assert desk.runbook("approve", found.parent.parent.name, user="alex").returncode == 0


def test_each_notebook_runs_by_hand_to_its_decision(jupyterlab: str, page: Page, desk: Desk, tmp_path: Path) -> None:
    for step in BUILT_IN:
        run_all_cells(page, jupyterlab, step.notebook)
        if step.name == "approval":
            approve_when_asked(desk)
        cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")
        decision = cells.filter(has=page.locator(".cm-content", has_text=re.compile(r"\.decide\(")))
        expect(decision.locator(".jp-OutputArea-output")).to_contain_text(re.compile("PASSED|WARNED"), timeout=180_000)
        # By hand all cells are run, also the one that a run leaves out.
        expect(cells.last.locator("table.dataframe")).to_be_visible(timeout=60_000)
        decision.scroll_into_view_if_needed()
        page.screenshot(path=tmp_path / f"{step.folder}.png")
        expect(page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) [data-mime-type*='stderr']")).to_have_count(0)
    results = {path.parent.name: json.loads(path.read_text()) for path in desk.outputs.glob("*/*/result.json")}
    outcomes = {name: result["outcome"] for name, result in sorted(results.items())}
    assert list(outcomes) == [step.folder for step in BUILT_IN]
    assert set(outcomes.values()) <= {"passed", "warned"}
    # Service tests may be all that a project has: opened by hand they begin a run of their own.
    assert len({result["run_id"] for name, result in results.items() if "service_tests" not in name}) == 1
