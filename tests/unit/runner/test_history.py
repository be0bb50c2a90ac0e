"""The index of run folders: made from them, renewed where one changed, and never believed beyond their seals."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made_history import MadeHistory, entry
from benchmarks.made_runs import MadeRun, settings_for
from runbook_lib.adapters.history_file import HistoryFile
from runbook_lib.errors import InputError
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.history import (
    TABLES,
    DecisionRow,
    ExposureRow,
    FileRow,
    FindingRow,
    RunRow,
    ServiceRow,
    StepRow,
)
from runbook_lib.report.html_history import render_history
from runbook_lib.runner import history as renewing
from runbook_lib.runner.history import Renewed, renew_history
from runbook_lib.runner.history_page import page_of_history, reckoned

FIXTURES = Path(__file__).parents[2] / "fixtures/runs"


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    return MadeHistory(tmp_path / "outputs", page=500)


@pytest.fixture
def key(made: MadeHistory, tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(made.public)
    return path


def rows(renewed: Renewed) -> dict[str, RunRow]:
    with HistoryFile.read(renewed.path) as history:
        return {row.run_id: row for row in history.rows(RunRow)}


def all_rows(path: Path) -> dict[str, list[object]]:
    with HistoryFile.read(path) as history:
        return {name: sorted(map(repr, history.rows(kind))) for name, kind in TABLES.items()}


def test_a_run_is_kept_with_all_that_it_says_and_the_verdict_on_its_seals(made: MadeHistory, key: Path) -> None:
    made.make(3)
    renewed = renew_history(made.outputs, key=key)
    (row,) = rows(renewed).values()
    assert (row.run_id, row.stack, row.outcome, row.evidence) == ("1003", "access", "passed", "proven")
    assert (row.requester, row.approvers, row.applied, row.problems) == ("casey", "kim", "yes", "")
    assert (row.created_at, row.approved_at) == ("2026-01-05T17:00:00Z", "2026-01-05T17:09:00Z")
    # The fifth step begins 16 minutes after the run, and takes two.
    assert (row.verified_at, row.lead_seconds, row.wait_seconds) == ("2026-01-05T17:18:00Z", 18 * 60, 60)
    with HistoryFile.read(renewed.path) as history:
        assert [row.step for row in history.rows(StepRow)] == [
            "compliance", "plan", "approval", "apply", "verification", "service_tests",
        ]  # fmt: skip
        assert [(row.user, row.approved, row.counts) for row in history.rows(DecisionRow)] == [("kim", 1, 1)]
        assert [(row.change, row.source, row.from_port) for row in history.rows(ExposureRow)] == [
            ("closed", "0.0.0.0/0", 1024)
        ]
        assert [row.passed for row in history.rows(ServiceRow)] == [0, 1, 1]
        waived = [row for row in history.rows(FindingRow) if row.verdict == "waived"]
        assert [(row.waiver_owner, row.waiver_reason, row.step) for row in waived] == [("sam", "a migration", "plan")]
        files = {row.path: row for row in history.rows(FileRow)}
    assert len(files["run.json"].sha256) == 64
    assert files["manifest.json"].sha256 == ""


@pytest.mark.parametrize(
    ("harm", "verdict", "problem"),
    [
        (lambda folder: (folder / "02_plan/plan.txt").write_text("other"), "changed", "02_plan/plan.txt was changed"),
        (lambda folder: (folder / "02_plan/more").write_text("x"), "changed", "02_plan/more was added"),
        (lambda folder: (folder / "manifest.json").unlink(), "unsealed", "it has no seals"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "changed", "is no manifest"),
        (lambda folder: (folder / "run.json").unlink(), "changed", "there is no run.json"),
        (lambda folder: (folder / "run.json").write_text('{"schema": '), "changed", "run.json: is no JSON"),
        (lambda folder: (folder / "manifest.dsse.json").unlink(), "unsigned", "the signature was removed"),
        (lambda folder: (folder / "02_plan/result.json").write_text("[]"), "changed", "02_plan/result.json"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_and_ends_nothing(
    made: MadeHistory, key: Path, harm: object, verdict: str, problem: str
) -> None:
    harm(made.make(0))  # type: ignore[operator]
    made.make(1)
    found = rows(renew_history(made.outputs, key=key))
    assert found["1000"].evidence == verdict
    assert problem in found["1000"].problems
    assert found["1001"].evidence == "proven"


def test_without_a_key_nothing_is_proven(made: MadeHistory, tmp_path: Path) -> None:
    made.make(0)
    assert rows(renew_history(made.outputs))["1000"].evidence == "intact"
    other = tmp_path / "other.pub"
    other.write_text(MadeHistory(tmp_path).public)
    # The index was made for no key: for another one all is read again.
    renewed = renew_history(made.outputs, key=other)
    assert renewed.read == 1
    assert rows(renewed)["1000"].evidence == "unsigned"


def test_the_key_that_runbook_yml_pins_counts_where_none_is_given(made: MadeHistory) -> None:
    made.make(0)
    found = rows(renew_history(made.outputs, settings_for(pinned=made.public)))["1000"]
    assert (found.evidence, len(found.key)) == ("proven", 64)


def test_a_run_that_the_real_sealer_sealed_is_read_as_well(tmp_path: Path) -> None:
    MadeRun(tmp_path, "7", settings_for()).play("compliance", "plan")
    found = rows(renew_history(tmp_path))["7"]
    assert (found.evidence, found.outcome, found.applied) == ("intact", "unfinished", "no")
    MadeRun(tmp_path, "8", settings_for()).play("compliance").play("plan", outcome=Outcome.BLOCKED)
    found = rows(renew_history(tmp_path))["8"]
    assert (found.outcome, found.stopped_by, found.why) == ("blocked", "plan", "plan of 8")


def test_a_folder_of_an_earlier_version_is_listed_with_its_verdict(tmp_path: Path) -> None:
    run_id = json.loads((FIXTURES / "before-steps/run.json").read_text())["run_id"]
    shutil.copytree(FIXTURES / "before-steps", tmp_path / run_id)
    found = rows(renew_history(tmp_path, key=FIXTURES / "before-steps.pub"))[run_id]
    assert (found.evidence, found.applied, found.problems) == ("proven", "yes", "")


def test_only_what_changed_is_read_again(made: MadeHistory, key: Path) -> None:
    for number in range(4):
        made.make(number)
    assert renew_history(made.outputs, key=key).read == 4
    assert not renew_history(made.outputs, key=key).changed
    made.make(4)
    shutil.rmtree(made.outputs / "1001")
    renewed = renew_history(made.outputs, key=key)
    assert (renewed.runs, renewed.read, renewed.gone) == (4, 1, 1)
    assert sorted(rows(renewed)) == ["1000", "1002", "1003", "1004"]
    assert all_rows(renewed.path) == all_rows(renew_history(made.outputs, key=key, rebuild=True).path)


def test_a_file_that_is_changed_in_place_and_dated_back_is_seen(made: MadeHistory, key: Path) -> None:
    path = made.make(0) / "04_apply/apply.txt"
    before = path.stat()
    renew_history(made.outputs, key=key)
    path.write_text("Apply complete!\n")
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rows(renew_history(made.outputs, key=key))["1000"].evidence == "changed"


@pytest.mark.parametrize("spoil", ["text", "other tables", "a trigger", "a link"])
def test_a_file_that_is_no_index_of_ours_is_made_anew(made: MadeHistory, tmp_path: Path, spoil: str) -> None:
    made.make(0)
    path = renew_history(made.outputs).path
    wanted, mine = all_rows(path), tmp_path / "mine"
    if spoil == "a trigger":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TRIGGER evil AFTER INSERT ON runs BEGIN DELETE FROM runs; END")
    else:
        path.unlink()
        mine.write_text("keep me")
        if spoil == "a link":
            path.symlink_to(mine)
        elif spoil == "text":
            path.write_text("no database")
        else:
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE runs (run_id, stamp)")
    assert renew_history(made.outputs).read == 1
    assert all_rows(path) == wanted
    assert not path.is_symlink()
    assert spoil == "a trigger" or mine.read_text() == "keep me"


def test_an_index_that_is_not_there_or_none_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no") as raised:
        HistoryFile.read(tmp_path / "history.sqlite")
    assert "runbook history" in raised.value.remedy
    (tmp_path / "history.sqlite").write_text("text")
    with pytest.raises(InputError, match="can't be read"):
        HistoryFile.read(tmp_path / "history.sqlite")


def test_a_query_can_change_nothing(made: MadeHistory) -> None:
    made.make(0)
    with HistoryFile.read(renew_history(made.outputs).path) as history:
        assert list(history.frame("SELECT run_id FROM runs WHERE stack = :stack", stack="access").run_id) == ["1000"]
        with pytest.raises(Exception, match="readonly"):
            history.frame("DELETE FROM runs")


def test_a_renewal_that_is_stopped_half_way_leaves_what_was_there(made: MadeHistory) -> None:
    made.make(0)
    path = renew_history(made.outputs).path
    with HistoryFile.read(path) as history:
        (held,) = history.rows(RunRow)

    def broken() -> Iterator[object]:
        from runbook_lib.models.history import RunRows

        yield RunRows(replace(held, run_id="new"))
        raise KeyboardInterrupt

    file, new = HistoryFile.write(path, "")
    assert not new
    with file, pytest.raises(KeyboardInterrupt):
        file.renew({"1000"}, broken())  # type: ignore[arg-type]
    with HistoryFile.read(path) as history:
        assert [row.run_id for row in history.rows(RunRow)] == ["1000"]


def test_while_an_index_is_made_anew_the_old_one_answers_and_nobody_else_makes_one(
    made: MadeHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.make(0)
    made.make(1)
    path = renew_history(made.outputs).path
    answered, read_one = [], renewing._read_one

    def asked_meanwhile(asked: Any) -> object:
        with HistoryFile.read(path) as history:
            answered.append(sorted(row.run_id for row in history.rows(RunRow)))
        with path.with_name(".history.sqlite.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return read_one(asked)

    monkeypatch.setattr(renewing, "_read_one", asked_meanwhile)
    assert renew_history(made.outputs, rebuild=True).read == 2
    assert answered == [["1000", "1001"]] * 2
    assert sorted(row.name for row in made.outputs.iterdir()) == [
        ".history.sqlite.lock", "1000", "1001", "history.sqlite"
    ]  # fmt: skip


def test_an_index_that_is_made_anew_and_stopped_half_way_leaves_the_old_one(made: MadeHistory) -> None:
    made.make(0)
    path = renew_history(made.outputs).path
    before = all_rows(path)
    # As a process that was killed while it wrote leaves it.
    path.with_name(".history.sqlite.new").write_text("half a database")
    file, new = HistoryFile.write(path, "", anew=True)
    assert new
    file.close()
    assert all_rows(path) == before
    assert not path.with_name(".history.sqlite.new").exists()


def test_an_index_of_which_a_part_is_spoiled_says_how_to_make_it_anew(made: MadeHistory) -> None:
    made.make(0)
    path = renew_history(made.outputs).path
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    path.write_bytes(content)
    with pytest.raises(InputError, match="can't answer") as raised:
        renew_history(made.outputs)
    assert "--rebuild" in raised.value.remedy
    assert sorted(rows(renew_history(made.outputs, rebuild=True))) == ["1000"]


def test_who_approved_alone_is_listed_and_the_review_is_unknown_until_somebody_asked(
    made: MadeHistory, key: Path
) -> None:
    made.make(0, alone=True)
    made.make(1)
    renewed = renew_history(made.outputs, key=key)
    found = rows(renewed)
    assert [(one.alone, one.review, one.evidence) for one in found.values()] == [
        ("alex", "unknown", "proven"), ("", "", "proven"),
    ]  # fmt: skip
    with HistoryFile.read(renewed.path) as history:
        page = render_history(page_of_history(history, datetime.now(UTC)))
    assert page.count('alex <span class="dim">(alone, in an emergency; the review is unknown)</span>') >= 1
    assert '<select name="review"><option value="">all</option><option>unknown</option></select>' in page
    assert 'data-review="unknown"' in page


@pytest.mark.parametrize("text", ["", "[", "[[]]", '[{"run_id": []}]', "7", "[" * 100_000])
def test_what_is_no_list_of_reviews_says_nothing_of_them(made: MadeHistory, text: str) -> None:
    made.make(0, alone=True)
    (made.outputs / ".reviews.json").write_text(text)
    assert rows(renew_history(made.outputs))["1000"].review == "unknown"


EVIL = "<script>alert(1)</script>\x1b[2J\u202e'\"; DROP TABLE runs; --"


def hostile(made: MadeHistory, number: int, **changes: object) -> Path:
    """A folder whose run.json says something else than it should."""
    folder = made.make(number)
    content = json.loads((folder / "run.json").read_text()) | changes
    (folder / "run.json").write_text(json.dumps(content))
    return folder


def test_a_hostile_folder_is_kept_short_and_in_one_line(made: MadeHistory, key: Path) -> None:
    hostile(made, 0, requester=EVIL, stack="x" * 1_000_000, ref="a\nb\0c", pipeline_url="javascript:alert(1)")
    renewed = renew_history(made.outputs, key=key)
    found = rows(renewed)["1000"]
    assert found.evidence == "changed"
    assert (len(found.stack), found.ref) == (500, "a b\\0c")
    assert found.requester == EVIL
    assert renewed.path.stat().st_size < 500_000


@pytest.mark.parametrize(
    "moment", ["2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-05T08:00:00"]
)
def test_a_time_that_can_t_be_true_is_no_time(made: MadeHistory, key: Path, moment: str) -> None:
    hostile(made, 0, created_at=moment)
    found = rows(renew_history(made.outputs, key=key))["1000"]
    assert (found.created_at, found.lead_seconds) == ("", None)
    assert "which can't be true" in found.problems


def test_numbers_that_no_table_holds_are_left_out(made: MadeHistory, key: Path) -> None:
    folder = made.make(0)
    path = folder / "02_plan/exposure.json"
    content = json.loads(path.read_text())
    content["opened"][0] |= {"from_port": 10**30, "to_port": -(10**30)}
    path.write_text(json.dumps(content))
    with HistoryFile.read(renew_history(made.outputs, key=key).path) as history:
        opened = [(row.from_port, row.to_port) for row in history.rows(ExposureRow, "change = 'opened'")]
    assert opened == [(None, None)]


LOST = ("what this run opened can't be read", "unknown", "1000", False)
TCP_22 = ("0.0.0.0/0", "tcp 22", "1000", True)


def emptied(folder: Path) -> None:
    path = folder / "02_plan/exposure.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"opened": []}))


def begun_and_gone(folder: Path) -> None:
    """Apply was killed, and what it left is gone: nothing but the word of the manifest that it began."""
    content = json.loads((folder / "manifest.json").read_text())
    content["steps"] = [seal for seal in content["steps"] if seal["step"] in {"compliance", "plan", "approval"}]
    content["begun"] = [{"step": "apply", "at": content["created_at"]}]
    (folder / "manifest.json").write_text(json.dumps(content))
    for name in ("04_apply", "05_verification", "06_service_tests"):
        shutil.rmtree(folder / name)


@pytest.mark.parametrize(
    ("harm", "applied", "opened"),
    [
        (lambda folder: None, "yes", [TCP_22]),
        (lambda folder: (folder / "02_plan/exposure.json").unlink(), "yes", [LOST]),
        (lambda folder: (folder / "02_plan/exposure.json").write_text("{"), "yes", [LOST]),
        (emptied, "yes", [LOST]),
        (lambda folder: (folder / "run.json").unlink(), "perhaps", [LOST]),
        (lambda folder: (folder / "run.json").write_text('{"schema": '), "perhaps", [LOST]),
        (lambda folder: shutil.rmtree(folder / "04_apply"), "perhaps", [TCP_22]),
        (lambda folder: [shutil.rmtree(folder / "04_apply"), (folder / "run.json").unlink()], "perhaps", [LOST]),
        (lambda folder: [(folder / name).unlink() for name in ("run.json", "manifest.json")], "perhaps", [LOST]),
        (begun_and_gone, "perhaps", [TCP_22]),
    ],
)
def test_what_a_damaged_folder_opened_is_open_still(
    made: MadeHistory, key: Path, harm: Callable[[Path], object], applied: str, opened: list[object]
) -> None:
    exposure = Exposure(opened=(entry(22),), sentence="The internet reaches web on tcp 22.")
    harm(made.make(0, exposure=exposure, findings=(), blocked=False))
    renewed = renew_history(made.outputs, key=key)
    assert rows(renewed)["1000"].applied == applied
    with HistoryFile.read(renewed.path) as history:
        found = reckoned(history, history.rows(RunRow))
        page = page_of_history(history, datetime.now(UTC))
    assert [(one.source, one.ports, one.run.run_id, one.certain) for one in found.still_open] == opened
    assert found.proofs == {"1000"}
    assert [(one.ports, one.run.run_id) for one in page.opened] == [(ports, run) for _, ports, run, _ in opened]


def test_what_a_folder_opened_that_is_not_read_at_all_is_open_still(made: MadeHistory, key: Path) -> None:
    opened = Exposure(opened=(entry(22),), sentence="The internet reaches web on tcp 22.")
    made.make(0, exposure=opened, findings=(), blocked=False).rename(made.outputs / "no id")
    made.make(1, blocked=True).rename(made.outputs / "no id either")
    with HistoryFile.read(renew_history(made.outputs, key=key).path) as history:
        found = reckoned(history, history.rows(RunRow))
    assert [(one.source, one.run.run_id) for one in found.still_open] == [(LOST[0], "'no id'")]


def test_a_run_that_was_not_applied_opened_nothing_however_damaged(made: MadeHistory, key: Path) -> None:
    (made.make(0, blocked=True) / "02_plan/exposure.json").unlink()
    (made.make(1, blocked=True) / "run.json").unlink()
    renewed = renew_history(made.outputs, key=key)
    assert {row.applied for row in rows(renewed).values()} == {"no"}
    with HistoryFile.read(renewed.path) as history:
        assert reckoned(history, history.rows(RunRow)).still_open == []


def test_of_more_entries_than_are_kept_the_rest_is_open_too(made: MadeHistory, key: Path) -> None:
    exposure = Exposure(opened=tuple(entry(port) for port in range(1, 5_002)), sentence="All of it.")
    made.make(0, exposure=exposure, findings=(), blocked=False)
    with HistoryFile.read(renew_history(made.outputs, key=key).path) as history:
        found = reckoned(history, history.rows(RunRow)).still_open
    assert len(found) == 5_001
    assert [one.source for one in found if not one.certain] == [LOST[0]]


def test_links_pipes_and_names_that_are_no_ids_are_listed_and_not_opened(
    made: MadeHistory, key: Path, tmp_path: Path
) -> None:
    folder = made.make(0)
    secret = tmp_path / "secret"
    secret.write_text('{"requester": "a secret"}')
    (folder / "run.json").unlink()
    (folder / "run.json").symlink_to(secret)
    os.mkfifo(made.make(1) / "02_plan/more")
    pipe = made.make(2)
    (pipe / "manifest.json").unlink()
    os.mkfifo(pipe / "manifest.json")
    (made.outputs / "linked").symlink_to(made.outputs / "1001")
    (made.outputs / "<script>alert(1)<").mkdir()
    (made.outputs / os.fsdecode(b"\xff\xfe")).mkdir()
    (made.outputs / "half").mkdir()
    (made.outputs / ".hidden").mkdir()
    renewed = renew_history(made.outputs, key=key)
    found = {name: (row.evidence, row.problems) for name, row in rows(renewed).items()}
    assert found.pop("1000")[0] == "changed"
    assert found.pop("1001") == ("changed", "02_plan/more is no plain file")
    assert found.pop("1002") == ("changed", "manifest.json is no plain file")
    assert found.pop("linked") == ("unreadable", "it is no folder, but a link or a device")
    assert found.pop("half") == ("unreadable", "it has no seals\nthere is no run.json")
    assert sorted(found) == ["'<script>alert(1)<'", r"'\udcff\udcfe'"]
    assert {problem for _, problem in found.values()} == {"its name is no run's id"}
    assert b"a secret" not in renewed.path.read_bytes()
    assert not renew_history(made.outputs, key=key).changed


def test_a_folder_that_is_another_run_s_says_so(made: MadeHistory, key: Path) -> None:
    shutil.copytree(made.make(0), made.outputs / "other")
    found = rows(renew_history(made.outputs, key=key))["other"]
    assert found.evidence == "changed"
    assert "its run.json is that of run 1000" in found.problems


def test_an_unreadable_folder_is_listed(made: MadeHistory, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made.make(0)
    whole = os.scandir

    def scandir(path: object) -> object:
        if Path(str(path)) == folder:
            raise PermissionError(13, "Permission denied")
        return whole(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)
    found = rows(renew_history(made.outputs, key=key))["1000"]
    assert (found.evidence, found.problems) == ("unreadable", "it can't be read: Permission denied: it was not read")


def test_no_folder_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        renew_history(tmp_path / "nowhere")


def test_the_index_is_a_plain_file_beside_the_folders(made: MadeHistory) -> None:
    made.make(0)
    path = renew_history(made.outputs).path
    assert path == made.outputs / "history.sqlite"
    assert stat.S_ISREG(path.lstat().st_mode)


def test_what_was_fetched_lies_apart_and_is_no_run_of_this_desk(made: MadeHistory) -> None:
    made.make(0)
    MadeHistory(made.outputs / "fetched", made.key, 200).make(1)
    assert sorted(rows(renew_history(made.outputs))) == ["1000"]
    assert sorted(rows(renew_history(made.outputs / "fetched"))) == ["1001"]
