"""What the notebooks over all runs ask, and the notebooks themselves executed on made runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.made_history import MadeHistory, entry
from runbook_lib.adapters.history_file import HistoryFile
from runbook_lib.errors import UsageError
from runbook_lib.models.exposure import Exposure
from runbook_lib.runner import explore
from runbook_lib.runner.history import renew_history

ROOT = Path(__file__).parents[3]


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    found = MadeHistory(tmp_path / "outputs", page=200)
    created = {"address": "aws_instance.a", "mode": "managed", "type": "aws_instance", "name": "a",
               "change": {"actions": ["create"], "before": None, "after": {}}}  # fmt: skip
    plan = json.dumps({"format_version": "1.2", "resource_changes": [created]}).encode()
    found.make(0, exposure=Exposure(opened=(entry(22),)), findings=())
    found.make(3, exposure=Exposure(opened=(entry(80),)), plan=plan, failing=True)
    return found


@pytest.fixture
def history(made: MadeHistory) -> HistoryFile:
    return HistoryFile.read(renew_history(made.outputs).path)


def test_who_reaches_what_is_a_row_each_with_its_run(history: HistoryFile) -> None:
    found = explore.reached_now(history)
    assert list(found["on"]) == ["tcp 22", "tcp 80"]
    assert list(found.run_id) == ["1000", "1003"]
    assert list(found.columns)[:3] == ["stack", "who", "reaches"]
    assert explore.reached_now(history, "billing").empty


def test_two_runs_are_compared_in_plan_exposure_findings_and_services(history: HistoryFile) -> None:
    found = explore.compare_runs(history)
    assert (found.first.run_id, found.second.run_id) == ("1000", "1003")
    assert list(found.plans.iloc[0]) == ["aws_instance.a", "", "create"]
    assert [tuple(row) for row in found.exposures[["from_port", "in"]].to_numpy()] == [(22, "first"), (80, "second")]
    assert set(found.findings["in"]) == {"second"}
    failed = found.services[found.services.passed_second == 0]
    assert list(failed.address) == ["198.51.100.7"]
    assert found.runs.loc["requester"].tolist() == ["riley", "casey"]
    told = dict(found.decide().rows[2:])  # type: ignore[arg-type]
    assert told == {
        "resources planned otherwise": 1,
        "exposures of one alone": 2,
        "findings of one alone": len(found.findings),
        "services with another verdict": 1,
    }


def test_a_run_compared_with_itself_differs_in_nothing(history: HistoryFile) -> None:
    found = explore.compare_runs(history, "1003", "1003")
    assert found.runs.empty
    assert found.plans.empty
    assert found.exposures.empty
    assert found.findings.empty
    assert (found.services.slower == 0).all()


def test_runs_that_are_not_there_are_said(history: HistoryFile) -> None:
    with pytest.raises(UsageError, match="there is no run '7'"):
        explore.compare_runs(history, "7", "1000")
    with pytest.raises(UsageError, match="of two runs to compare 0"):
        explore.compare_runs(history, stack="network")
    assert explore.compare_runs(history, "1003").second.run_id == "1000"
    assert explore.compare_runs(history, second="1003").first.run_id == "1000"


def test_what_needs_a_person_is_said_and_what_does_not_is_not(made: MadeHistory, history: HistoryFile) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    waivers = explore.decide(history, now=now).rows
    assert [str(row[0]) for row in waivers] == ["waiver"]
    assert explore.decide(history, now=datetime(2026, 1, 6, tzinfo=UTC)).rows == []
    (made.outputs / "1000/run.json").write_text("{}")
    changed = HistoryFile.read(renew_history(made.outputs).path)
    rows = explore.decide(changed, now=now).rows
    assert [(str(row[0]), row[1]) for row in rows] == [("changed", "1000"), ("open", "1000"), ("waiver", "1003")]
    assert rows[1][2] == "what this run opened can't be read, by an unproven run"
    # Nobody can say of which stack that is: it is of any.
    assert explore.reached_now(changed, "network")["run_id"].tolist() == ["1000"]


@pytest.mark.parametrize("name", ["explore_history.ipynb", "compare_runs.ipynb"])
def test_the_notebook_s_cells_run_one_after_the_other(
    made: MadeHistory, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    cells = json.loads((ROOT / "notebooks" / name).read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    exec(code[0], names)
    names["outputs"] = str(made.outputs)
    for cell in code[1:]:
        exec(cell, names)
    # With one stack asked for as with all.
    exec(code[0], names)
    names |= {"outputs": str(made.outputs), "stack": "access"}
    for cell in code[1:]:
        exec(cell, names)
