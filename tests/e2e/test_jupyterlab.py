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
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import requests
from desk import Desk, eventually, visible_errors
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Page, expect, sync_playwright

from runbook_lib.models.steps import BUILT_IN
from runbook_lib.workspace.records import read_request

# What a page shows is waited for, however busy the machine is.
expect.set_options(timeout=120_000)
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
    with serving(desk, tmp_path, "riley") as url:
        yield url


@contextmanager
def serving(desk: Desk, tmp_path: Path, user: str) -> Iterator[str]:
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
    environment = desk.environment(user) | {name: str(path) for name, path in own.items()}
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
    page.goto(f"{url}/lab/tree/{notebook}?reset")
    page.wait_for_function(KERNEL_IDLE, timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def approve_when_asked(desk: Desk) -> None:
    request = f"*/{'03_approval'}/request.json"
    (found,) = eventually(lambda: list(desk.outputs.glob(request)), "approval is asked for")
    assert desk.runbook("approve", found.parent.parent.name, user="alex").returncode == 0


def test_each_notebook_runs_by_hand_to_its_decision(jupyterlab: str, page: Page, desk: Desk, tmp_path: Path) -> None:
    for step in BUILT_IN:
        run_all_cells(page, jupyterlab, f"notebooks/{step.notebook}")
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
    for notebook in ("explore_history.ipynb", "compare_runs.ipynb"):
        run_all_cells(page, jupyterlab, f"notebooks/{notebook}")
        cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")
        decision = cells.last.locator(".jp-OutputArea-output")
        expect(decision).to_contain_text(re.compile("needs you|to look at|evidence"), timeout=120_000)
        # All that was done by hand above is in the tables, and nothing went wrong on the way.
        expect(cells.nth(1).locator("table.dataframe")).to_be_visible()
        page.screenshot(path=tmp_path / f"{notebook}.png")
        expect(page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) [data-mime-type*='stderr']")).to_have_count(0)
    results = {path.parent.name: json.loads(path.read_text()) for path in desk.outputs.glob("*/*/result.json")}
    outcomes = {name: result["outcome"] for name, result in sorted(results.items())}
    assert list(outcomes) == [step.folder for step in BUILT_IN]
    assert set(outcomes.values()) <= {"passed", "warned"}
    # Service tests may be all that a project has: opened by hand they begin a run of their own.
    assert len({result["run_id"] for name, result in results.items() if "service_tests" not in name}) == 1


def said_of(desk: Desk, commit: str) -> list[tuple[str, str]]:
    """What GitLab has as said of a commit: who, and what."""
    path = f"{desk.lab.gitlab_api}/projects/42/repository/commits/{commit}/discussions"
    token = {"PRIVATE-TOKEN": desk.lab.credentials.gitlab["terraform-bot"]}
    answer = requests.get(path, headers=token, timeout=30)
    answer.raise_for_status()
    return [(note["author"]["username"], note["body"]) for one in answer.json() for note in one["notes"]]


def test_whoever_opened_the_form_approves_by_it_and_rejects_with_a_reason(
    page: Page, desk: Desk, tmp_path: Path
) -> None:
    asked = desk.run("plan", "approval", "-p", "approval.wait=false")
    assert asked.returncode == 0, asked.stderr
    request = read_request(desk.store)
    cells = [new_code_cell(f"from runbook_lib.notebook import approval_form\napproval_form({desk.run_id!r})")]
    # Beside what a change is judged by: this is nobody's but the approver's.
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (desk.root / "form.ipynb").write_text(nbformat.writes(new_notebook(cells=cells, metadata=kernel)))
    plan = request.plan_sha256[:12]
    with serving(desk, tmp_path, "alex") as url:
        run_all_cells(page, url, "form.ipynb")
        form = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output").last
        expect(form).to_contain_text(request.plan_sha256, timeout=120_000)
        expect(form).to_contain_text(request.exposure.sentence)
        yes, no = (form.get_by_role("button", name=name) for name in ("Approve", "Reject"))
        # A no without a reason is none, and a yes needs none.
        no.click()
        expect(form).to_contain_text("The reason is empty", timeout=60_000)
        assert not [body for user, body in said_of(desk, request.commit) if user == "alex"]
        yes.click()
        expect(form).to_contain_text(f"alex approved plan {plan} of run {desk.run_id}.", timeout=60_000)
        expect(yes).to_be_disabled()
        page.screenshot(path=tmp_path / "approved.png")
        assert len([body for user, body in said_of(desk, request.commit) if user == "alex"]) == 1
        run_all_cells(page, url, "form.ipynb")
        expect(no).to_be_enabled(timeout=120_000)
        form.get_by_placeholder("Why; a rejection needs it").fill("Not during the <b>sale</b>.")
        no.click()
        expect(form).to_contain_text(f"alex rejected plan {plan} of run {desk.run_id}.", timeout=60_000)
        page.screenshot(path=tmp_path / "rejected.png")
    (_, last) = [body for user, body in said_of(desk, request.commit) if user == "alex"]
    assert "Not during the <b>sale</b>." in last
    # It is the no that counts from then on.
    answered = desk.run("approval", "-p", "approval.wait=false")
    assert answered.returncode == 1
    assert "alex rejected" in visible_errors(answered)["error"]
