"""What the engine says for a notebook that could not say it itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from runbook_lib.adapters.store import RunStore
from runbook_lib.engine.endings import Ending, EndingKind
from runbook_lib.models.base import Outcome
from runbook_lib.runner.sequence import result_of_ending


def test_an_exception_names_the_notebook_that_holds_its_traceback_and_asks_for_no_second_try(tmp_path: Path) -> None:
    ending = Ending(EndingKind.EXCEPTION, "ValueError", "odd", cell_index=2)
    result = result_of_ending(RunStore(tmp_path, "7"), "plan", "access", datetime.now(UTC), ending)
    assert result.outcome is Outcome.ERRORED
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("ValueError", "odd")
    assert "in 7/02_plan/notebook.ipynb;" in result.error.remedy
    assert str(tmp_path) not in result.error.remedy
    assert "again" not in result.error.remedy
