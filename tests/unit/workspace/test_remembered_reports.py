"""Results of other runs: read or refused by name, and remembered from run to run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from step_fakes import NOW

from runbook_lib.errors import InputError
from runbook_lib.models.base import Outcome
from runbook_lib.models.services import ServiceHistory, ServiceReport, ServiceResult, ServiceTest
from runbook_lib.workspace import service_history as module
from runbook_lib.workspace.service_history import merged, read_reports, told_of


def result(name: str, *, passed: bool = True) -> ServiceResult:
    test = ServiceTest(name=name, address="192.0.2.1", url="http://192.0.2.1/")
    return ServiceResult(test=test, passed=passed, at=NOW)


def report(*results: ServiceResult, part: str = "") -> ServiceReport:
    return ServiceReport(outcome=Outcome.PASSED, summary="It is said.", results=results, part=part)


def written(path: Path, found: ServiceReport) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(found.model_dump_json())
    return path


def test_the_shards_of_a_folder_are_one_run(tmp_path: Path) -> None:
    # By their names, wherever below it they lie: each job has uploaded a folder of its own.
    second = report(result("db"), part="2/2")
    first = report(result("web"), result("mail"), part="1/2")
    written(tmp_path / "b/results.json", second)
    written(tmp_path / "a/06_service_tests/results.json", first)
    (tmp_path / "a/notes.txt").write_text("no result")
    found = merged(str(tmp_path))
    assert [test.name for test in found.tests] == ["web", "mail", "db"]
    assert found.reports == (first, second)
    assert found.untested == {}


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        merged(str(tmp_path))
    assert caught.value.message == f"{tmp_path} holds no results of shards"
    assert caught.value.remedy == "Name the folder with their results.json files."


@pytest.mark.parametrize("content", ["no JSON", "{}", "[]"])
def test_a_file_that_is_no_result_is_named_among_those_that_are(tmp_path: Path, content: str) -> None:
    good, other = written(tmp_path / "a.json", report()), tmp_path / "b.json"
    other.write_text(content)
    with pytest.raises(InputError) as caught:
        read_reports([good, other])
    assert caught.value.message == f"{other} is no result of service tests"
    assert caught.value.remedy == (
        "Give the results.json of an earlier run, or what `runbook services --format json` wrote."
    )


def test_a_file_that_is_missing_or_too_large_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"gone\.json is no result"):
        read_reports([tmp_path / "gone.json"])
    path = written(tmp_path / "large.json", report())
    size = path.stat().st_size
    monkeypatch.setattr(module, "_LARGEST", size)
    assert read_reports([path]) == (report(),)
    monkeypatch.setattr(module, "_LARGEST", size - 1)
    with pytest.raises(InputError, match=r"large\.json is no result"):
        read_reports([path])


def test_each_run_is_added_to_what_the_file_remembers_and_told(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    first = told_of(path, report(result("web", passed=False), result("db", passed=False)), NOW)
    assert (first.trend, first.summary) == ((2,), "It is said.")
    second = told_of(path, report(result("web", passed=False), result("db")), NOW + timedelta(hours=1))
    assert second.trend == (2, 1)
    assert second.summary == "It is said. Failures in the last 2 runs: 2, 1."
    kept = ServiceHistory.model_validate_json(path.read_bytes())
    assert [(run.at, run.tests, run.failed) for run in kept.runs] == [(NOW, 2, 2), (NOW + timedelta(hours=1), 2, 1)]
    assert kept.runs[1].failing == ("web 192.0.2.1",)


@pytest.mark.parametrize("content", ["no JSON", '{"schema": "another/v9"}'])
def test_a_memory_that_can_not_be_read_begins_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "history.json"
    path.write_text(content)
    assert told_of(path, report(result("web", passed=False)), NOW).trend == (1,)
    assert len(ServiceHistory.model_validate_json(path.read_bytes()).runs) == 1
