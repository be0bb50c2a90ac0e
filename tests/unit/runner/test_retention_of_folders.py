"""Run folders whose term is over, judged by what lies in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.made_history import MadeHistory
from benchmarks.made_runs import settings_for
from runbook_lib.models.evidence_config import RetentionConfig
from runbook_lib.models.exposure import Exposure
from runbook_lib.runner import history_rows
from runbook_lib.runner.retention import judge_terms
from runbook_lib.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def settings() -> Settings:
    base = settings_for()
    terms = RetentionConfig(applied=timedelta(days=30), others=timedelta(days=30), newest=1)
    evidence = base.config.evidence.model_copy(update={"retention": terms})
    return Settings(base.environment, base.root, base.config.model_copy(update={"evidence": evidence}))


def test_a_folder_that_holds_a_state_stays_however_many_files_lie_before_it(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The index lists so many files of a folder, in the order of their names.
    monkeypatch.setattr(history_rows, "_MOST_ROWS", 10)
    made = MadeHistory(tmp_path / "outputs", page=100, begin=datetime(2026, 1, 1, tzinfo=UTC))
    folders = [made.make(n, stack="access", exposure=Exposure(), findings=(), blocked=False) for n in range(3)]
    (folders[0] / "outbox").mkdir()
    (folders[0] / "outbox/errored.tfstate").write_text("{}")
    found = judge_terms(made.outputs, settings, NOW)
    assert [run.run_id for run in found.go] == ["1001"]
    assert [(kept.run.run_id, kept.why) for kept in found.kept] == [
        ("1002", "it is among the newest 1 of its stack"),
        ("1000", "it holds outbox/errored.tfstate, which may be the only copy of a state"),
    ]
