"""Every notebook opened by hand: JupyterLab in a browser, all cells run, the decision seen."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from runbook_lib.cli.demo_repository import Repository
from runbook_lib.lab.world import World
from runbook_lib.models.base import Step
from runbook_lib.settings import Settings

pytestmark = pytest.mark.xdist_group("lab")

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# All cells are kept in the page, also those that are out of sight.
TRACKER = "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def working_copy(lab_at_base: World, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    repository = Repository(settings, lab_at_base)
    repository.commit_change(None)
    environment = {**os.environ, **repository.environment(0)}
    # By hand there is no pipeline: the answer comes from a terminal.
    del environment["CI_PIPELINE_ID"]
    environment["RUNBOOK_OUTPUTS"] = str(tmp_path_factory.mktemp("outputs"))
    return environment


@pytest.fixture(scope="module")
def jupyterlab(working_copy: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("jupyter"), free_port()
    for name, content in ((TRACKER, {"windowingMode": "none"}),):
        path = folder / "settings" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--ServerApp.root_dir={working_copy['RUNBOOK_ROOT']}",
    ]  # fmt: skip
    environment = {
        **working_copy,
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(f"http://127.0.0.1:{port}/api/status", folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(url: str, log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert binary, "Chromium is not installed: make browser"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=binary, args=CHROMIUM_OPTIONS)
        yield launched
        launched.close()


def approve_when_asked(environment: dict[str, str], lab: World) -> None:
    outputs = Path(environment["RUNBOOK_OUTPUTS"])
    for _ in range(600):
        found = list(outputs.glob(f"*/{Step.APPROVAL.folder}/request.json"))
        if found:
            run_id = found[0].parent.parent.name
            own = {**environment, "GITLAB_TOKEN": lab.credentials.gitlab["alex"]}
            subprocess.run([sys.executable, "-m", "runbook_lib.cli", "approve", run_id], env=own, check=True)
            return
        time.sleep(0.1)
    pytest.fail("no approval was asked for")


def run_all_cells(page: Page, url: str, notebook: str) -> None:
    page.goto(f"{url}/lab/tree/notebooks/{notebook}?reset")
    page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=60_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")


@pytest.mark.timeout(300)
def test_each_notebook_runs_by_hand_to_its_decision(
    jupyterlab: str, browser: Browser, working_copy: dict[str, str], lab_at_base: World, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    for step in Step:
        run_all_cells(page, jupyterlab, step.notebook)
        if step is Step.APPROVAL:
            approve_when_asked(working_copy, lab_at_base)
        decision = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output strong", has_text="PASSED")
        expect(decision.last).to_be_visible(timeout=90_000)
        page.screenshot(path=tmp_path / f"{step.folder}.png")
    results = sorted(Path(working_copy["RUNBOOK_OUTPUTS"]).glob("*/*/result.json"))
    assert [path.parent.name for path in results] == [step.folder for step in Step]
    assert {json.loads(path.read_text())["outcome"] for path in results} == {"passed"}
