"""Run folders that earlier versions made: proved and shown as they are, whatever runbooks have become since."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.cli import evidence

RUNS = Path(__file__).parents[2] / "fixtures/runs"
SIX = ["01_compliance", "02_plan", "03_approval", "04_apply", "05_verification", "06_service_tests"]


def command(*arguments: str | Path) -> str:
    app = typer.Typer()
    evidence.register(app)
    app.callback()(lambda: None)
    done = CliRunner().invoke(app, ["evidence", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was made before run.json held its steps; a copy, as the page is written into it."""
    return Path(shutil.copytree(RUNS / "before-steps", tmp_path / "before-steps"))


def test_it_says_nothing_of_steps_or_a_runbook(folder: Path) -> None:
    assert not {"steps", "runbook"} & set(json.loads((folder / "run.json").read_text()))


def test_it_still_verifies_with_the_key_of_its_time(folder: Path) -> None:
    lines = command("verify", folder, "--key", RUNS / "before-steps.pub").splitlines()
    assert lines[0] == "VALID: 18 files"
    assert lines[1].startswith("Signed with the key ")


def test_its_page_is_written_again_with_its_steps_under_their_numbers(folder: Path) -> None:
    assert command("index", folder).splitlines() == [str(folder / "index.html")]
    page = (folder / "index.html").read_text()
    assert re.findall(r"<td>(\d\d_\w+)</td>", page) == SIX
    for step in SIX:
        summary = json.loads((folder / step / "result.json").read_text())["summary"]
        assert f"<td>{summary}</td>" in unescape(page)
    assert 'href="04_apply/notebook.html"' in page


def test_to_read_it_changes_nothing_that_was_sealed(folder: Path) -> None:
    command("index", folder)
    assert command("verify", folder, "--key", RUNS / "before-steps.pub").startswith("VALID")
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == SIX
