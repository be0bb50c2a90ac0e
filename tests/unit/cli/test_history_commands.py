"""`runbook history`, `evidence export` and `prune`: what they answer, and with which exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.made_history import MadeHistory, entry
from runbook_lib.cli.main import app
from runbook_lib.errors import RunbookError
from runbook_lib.models.exposure import Exposure

ROOT = Path(__file__).parents[3]
TERMS = """evidence:
  key: key.pub
  retention:
    applied: 30d
    others: 7d
    newest: 1
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose runbook.yml pins the key of the runs below outputs/."""
    folder = tmp_path / "repository"
    folder.mkdir()
    made = MadeHistory(folder / "outputs", page=200)
    for number in range(6):
        made.make(number, exposure=Exposure(opened=(entry(22),)) if number == 0 else Exposure())
    (folder / "key.pub").write_text(made.public)
    (folder / "runbook.yml").write_text((ROOT / "runbook.yml").read_text() + TERMS)
    (folder / "key.pem").write_text(made.key)
    return folder


def runbook(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    command = [sys.executable, "-m", "runbook_lib.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def ids(text: str) -> list[str]:
    return [row["run_id"] for row in csv.DictReader(io.StringIO(text))]


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Commands in the repository that are no process of their own."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("HOME", str(repository))
    return CliRunner()


def test_all_runs_are_listed_newest_first_and_page_and_index_are_made(repository: Path) -> None:
    done = runbook(repository, "history")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["run", "begun", "stack", "outcome", "asked", "by", "approved", "by", "risk",
                                "evidence", "what"]  # fmt: skip
    assert [line.split()[0] for line in lines[2:]] == ["1005", "1004", "1003", "1002", "1001", "1000"]
    assert "6 of 6 folders read" in done.stderr
    assert "<h1>Runs</h1>" in (repository / "outputs/index.html").read_text()
    assert runbook(repository, "history").stderr == ""
    found = json.loads(runbook(repository, "history", "--format", "json").stdout)
    assert {run["evidence"] for run in found} == {"proven"}
    assert "stamp" not in found[0]


def test_the_page_says_what_the_index_says_whoever_renewed_it_last(repository: Path) -> None:
    page = repository / "outputs/index.html"
    assert runbook(repository, "history").returncode == 0
    (repository / "outputs/1000").rename(repository / "elsewhere")
    # It renews the index, and writes no page.
    runbook(repository, "blame", "--group", "web", "--no-aws")
    assert "5 of 5" not in (again := runbook(repository, "history")).stderr
    assert (again.returncode, "<strong>5</strong> runs" in page.read_text()) == (0, True)
    # Nothing changed, and a day has gone by, on which a waiver may have ended.
    yesterday = page.stat().st_mtime - 86_400
    page.write_text("old")
    os.utime(page, (yesterday, yesterday))
    os.utime(page.with_name("history.sqlite"), (yesterday - 1, yesterday - 1))
    assert runbook(repository, "history").returncode == 0
    assert "<strong>5</strong> runs" in page.read_text()


def test_filters_let_through_what_is_meant(repository: Path, here: CliRunner) -> None:
    def listed(*filters: str) -> list[str]:
        done = here.invoke(app, ["history", "--format", "csv", *filters])
        assert done.exit_code == 0, done.output
        return ids(done.stdout)

    assert listed("--stack", "access") == ["1003", "1000"]
    assert listed("--outcome", "blocked") == ["1004"]
    assert listed("--person", "KIM") == ["1004", "1003"]
    assert listed("--risk", "low") == ["1001"]
    assert listed("--runbook", "other") == []
    assert listed("--review", "open") == []
    assert listed("--since", "2026-01-05") == ["1005", "1004", "1003", "1002", "1001", "1000"]
    assert listed("--since", "2026-01-05T18:00") == ["1005", "1004"]
    assert listed("--since", "2026-01-05T21:00+01:00") == ["1005", "1004"]
    assert listed("--since", "2026-01-05T21:01+01:00") == ["1005"]
    assert listed("--stack", "access", "--person", "riley") == ["1000"]


def test_what_can_t_be_asked_is_said_and_nothing_is_done(repository: Path, here: CliRunner) -> None:
    for arguments, message in (
        (("--outcome", "good"), "no run ends as 'good'"),
        (("--review", "done"), "no review is 'done'"),
        (("--since", "yesterday"), "--since 'yesterday' is no day"),
        (("--since", "0001-01-01T00:00+14:00"), "--since '0001-01-01T00:00+14:00' is no day"),
        (("--outputs", "nowhere"), "there is no folder nowhere"),
        (("--fetch",), "there is no GITLAB_TOKEN"),
        (("--publish", "public"), "there is no GITLAB_TOKEN"),
        (("--key", "nowhere.pub"), "the key nowhere.pub can't be read"),
    ):
        done = here.invoke(app, ["history", *arguments])
        assert isinstance(done.exception, RunbookError), arguments
        assert (done.exception.exit_status, done.stdout) == (2, ""), arguments
        assert message in done.exception.message
        assert done.exception.remedy
    assert not (repository / "public").exists()


def test_folders_are_listed_where_there_is_no_repository(repository: Path, tmp_path: Path) -> None:
    done = runbook(tmp_path, "history", "--outputs", str(repository / "outputs"), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert {run["evidence"] for run in json.loads(done.stdout)} == {"intact"}


def test_an_archive_is_written_and_verified_by_the_key_that_is_pinned(repository: Path, tmp_path: Path) -> None:
    done = runbook(repository, "evidence", "export", "1000")
    assert (done.returncode, done.stdout) == (0, "1000.evidence.zip\n"), done.stderr
    archive = repository / "1000.evidence.zip"
    done = runbook(tmp_path, "evidence", "verify", str(archive), "--key", str(repository / "key.pub"))
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "VALID: 37 files")
    done = runbook(tmp_path, "evidence", "verify", str(archive))
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "INTACT, not proven: 37 files")
    (repository / "outputs/1001/more").write_text("x")
    done = runbook(repository, "evidence", "export", "1001", "-o", str(tmp_path / "x.zip"))
    assert done.returncode == 1
    assert "1001 does not verify: more was added" in done.stderr
    assert runbook(repository, "evidence", "export", "nowhere").returncode == 2


def test_nothing_is_removed_unless_that_is_asked_for(repository: Path) -> None:
    done = runbook(repository, "evidence", "prune")
    # 1000 proves an exposure that is open; 1003, 1004 and 1005 are the newest of their stacks.
    assert done.stdout == "would remove 1001\nwould remove 1002\n"
    assert "kept 1000: it is the last proof of an exposure that is open" in done.stderr
    assert "Nothing was removed" in done.stderr
    assert len(list((repository / "outputs").glob("1*"))) == 6


def test_what_the_terms_let_go_is_removed_and_noted(repository: Path) -> None:
    done = runbook(repository, "evidence", "prune", "--no-dry-run")
    assert (done.returncode, done.stdout) == (0, "removed 1001\nremoved 1002\n"), done.stderr
    outputs = repository / "outputs"
    assert sorted(path.name for path in outputs.iterdir()) == [
        ".history.sqlite.lock", "1000", "1003", "1004", "1005", "history.sqlite", "index.html", "removed.jsonl",
    ]  # fmt: skip
    noted = [json.loads(line) for line in (outputs / "removed.jsonl").read_text().splitlines()]
    assert [(one["run_id"], one["stack"], len(one["plan_sha256"])) for one in noted] == [
        ("1001", "network", 64), ("1002", "billing", 64),
    ]  # fmt: skip
    assert ids(runbook(repository, "history", "--format", "csv").stdout) == ["1005", "1004", "1003", "1000"]


def test_without_terms_nothing_would_go(repository: Path) -> None:
    (repository / "runbook.yml").write_text((ROOT / "runbook.yml").read_text())
    done = runbook(repository, "evidence", "prune", "--no-dry-run")
    assert (done.returncode, done.stdout) == (0, "")
    assert len(list((repository / "outputs").glob("1*"))) == 6


def test_a_run_that_is_recent_by_its_own_word_stays(repository: Path) -> None:
    made = MadeHistory(repository / "outputs", (repository / "key.pem").read_text(), 200)
    made.begin = datetime.now(UTC) - timedelta(days=1)
    made.make(0, run_id="recent", stack="network", exposure=Exposure())
    done = runbook(repository, "evidence", "prune")
    # Now another run is the newest of the stack network.
    assert done.stdout.splitlines() == ["would remove 1001", "would remove 1002", "would remove 1004"]


def test_a_removal_that_was_cut_short_leaves_nothing_that_a_command_takes_for_a_run(repository: Path) -> None:
    outputs = repository / "outputs"
    (outputs / ".removed").mkdir()
    (outputs / "1002").rename(outputs / ".removed/1002")
    assert ids(runbook(repository, "history", "--format", "csv").stdout) == ["1005", "1004", "1003", "1001", "1000"]
    # The next removal takes away what the last one left.
    assert runbook(repository, "evidence", "prune", "--no-dry-run").stdout == "removed 1001\n"
    assert not (outputs / ".removed").exists()
