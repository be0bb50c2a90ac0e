from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.errors import InputError, StoreError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def result(step: str) -> StepResult:
    return StepResult(
        run_id="r1", step=step, stack="access", outcome=Outcome.PASSED, summary="ok", started_at=NOW, finished_at=NOW
    )


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "a b", "x" * 101, "a\n"])
def test_run_id_that_could_leave_the_folder_is_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="can't name a folder"):
        RunStore(tmp_path, run_id)


@pytest.mark.parametrize("path", ["../other/run.json", "/etc/passwd", "01_compliance/../../x"])
def test_file_outside_the_run_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match="outside the run folder"):
        RunStore(tmp_path, "r1").write_text(path, "x")


def test_text_is_masked_and_bytes_are_not(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "r1", lambda text: text.replace("hunter2", "***"))
    store.write_text("a.txt", "password hunter2")
    store.write_json("b.json", {"password": "hunter2"})
    store.write_bytes("c.bin", b"hunter2")
    assert store.read_text("a.txt") == "password ***"
    assert store.read_json("b.json") == {"password": "***"}
    assert store.path("c.bin").read_bytes() == b"hunter2"


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(tmp_path, "r1")
    store.write_text("a.txt", "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.write_text("a.txt", "new")
    assert store.read_text("a.txt") == "old"
    assert [path.name for path in store.dir.iterdir()] == ["a.txt"]


def test_missing_file_of_a_step_names_the_step_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        RunStore(tmp_path, "r1").read_text("02_plan/summary.json")
    assert caught.value.remedy == "Run the step plan first."


def test_a_pipe_and_a_folder_in_the_place_of_a_file_are_not_read(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "r1")
    store.write_text("run.json", "{}")
    os.mkfifo(store.dir / "pipe.json")
    (store.dir / "folder.json").mkdir()
    for name in ("pipe.json", "folder.json"):
        with pytest.raises(InputError, match=f"{name}: is no plain file"):
            store.read_json(name)


def test_half_written_json_is_an_input_error(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "r1")
    store.write_bytes("run.json", b'{"schema": "runbook/run/v1", "run_id"')
    with pytest.raises(InputError, match=r"run\.json"):
        store.read_model("run.json", Run)


def test_result_reads_back_as_it_was_written(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "r1")
    store.write_result(result("plan"))
    assert store.read_result("plan") == result("plan")
    assert store.read_result("apply") is None
    assert store.read_json("02_plan/result.json")["schema"] == "runbook/step-result/v1"


def test_a_result_is_parsed_again_only_where_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, parsed = RunStore(tmp_path, "r1"), []
    validate = StepResult.model_validate_json

    def count(text: str) -> StepResult:
        parsed.append(text)
        return validate(text)

    monkeypatch.setattr(StepResult, "model_validate_json", count)
    for step in ("plan", "compliance"):
        store.write_result(result(step))
    for _ in range(5):
        store.results()
    assert store.results() == (result("compliance"), result("plan"))
    assert len(parsed) == 2
    changed = result("plan").model_copy(update={"summary": "another"})
    path = store.write_result(changed)
    assert (store.read_result("plan"), len(parsed)) == (changed, 3)
    path.unlink()
    assert store.read_result("plan") is None
    path.write_text("{")
    with pytest.raises(InputError):
        store.read_result("plan")


def test_results_come_in_the_order_of_the_steps(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "r1")
    for step in ("apply", "compliance"):
        store.write_result(result(step))
    assert [found.step for found in store.results()] == ["compliance", "apply"]


def test_artifacts_are_the_steps_files_with_their_digests(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "r1")
    store.write_text("02_plan/plan.txt", "No changes.")
    store.write_text("02_plan/notebook.ipynb", "{}")
    (found,) = store.artifacts("plan")
    assert (found.path, found.bytes, found.media_type) == ("02_plan/plan.txt", 11, "text/plain")
    assert found.sha256 == sha256_file(store.path("02_plan/plan.txt"))


def test_written_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = RunStore(tmp_path, "r1").write_text("a.txt", "x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_result_that_is_taken_away_while_it_is_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(tmp_path, "r1")
    monkeypatch.setattr(RunStore, "exists", lambda store, relative: True)
    assert store.read_result("plan") is None
    assert store.results() == ()


@pytest.mark.parametrize(
    ("name", "content", "said", "remedy"),
    [
        ("run.json", '{"x": ', "run.json: is no JSON", "begin a new run"),
        ("run.json", "", "run.json: is no JSON", "begin a new run"),
        ("run.json", "{}", "run.json: run_id: Field required", "begin a new run"),
        ("02_plan/result.json", "[]", "result.json: Input should be an object", "or run the step plan again"),
    ],
)
def test_a_broken_file_names_itself_and_the_way_on(
    tmp_path: Path, name: str, content: str, said: str, remedy: str
) -> None:
    store = RunStore(tmp_path, "r1")
    store.write_bytes(name, content.encode())
    with pytest.raises(InputError) as caught:
        store.read_model(name, Run if name == "run.json" else StepResult)
    assert said in caught.value.message
    assert "restore it from the artifacts" in caught.value.remedy.lower()
    assert remedy in caught.value.remedy
