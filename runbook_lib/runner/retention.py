"""Run folders whose term is over, looked at and removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..adapters.history_file import HistoryFile
from ..domain.retention import Retention, retain
from ..errors import StoreError
from ..models.evidence_config import RetentionConfig
from ..models.history import RunRow
from ..settings import Settings
from .history import renew_history
from .history_page import reckoned, write_history_page
from .history_values import look

__all__ = ["REMOVED", "judge_terms", "remove_runs"]

# What was removed, a line each: that there was such a run, and by which term it went.
REMOVED: Final = "removed.jsonl"
_NOTED: Final = (
    "run_id", "stack", "outcome", "applied", "requester", "approvers", "commit_sha", "plan_sha256", "created_at"
)  # fmt: skip
_GOING: Final = ".removed"
_ONLY_COPY: Final = "errored.tfstate"


def judge_terms(outputs: Path, settings: Settings, now: datetime | None = None) -> Retention:
    """What the terms of runbook.yml let go, by every folder read anew."""
    # Nothing is removed by what an index says that may be older, or somebody else's.
    path = renew_history(outputs, settings, rebuild=True).path
    with HistoryFile.read(path) as history:
        runs = list(history.rows(RunRow))
        return retain(
            runs, settings.config.evidence.retention, reckoned(history, runs), now or datetime.now(UTC),
            dict(_only_copies(outputs, runs)),
        )  # fmt: skip


def _only_copies(outputs: Path, runs: Iterable[RunRow]) -> Iterator[tuple[str, str]]:
    # By the folders themselves: of many files the index lists the first.
    for run in runs:
        try:
            held = look(outputs / run.run_id)
        except OSError:
            continue  # nothing of it could be read, and it is kept for that
        for path in (path for path in (*held.files, *held.odd) if _ONLY_COPY in path):
            yield run.run_id, f"it holds {path}, which may be the only copy of a state"


def remove_runs(outputs: Path, settings: Settings, found: Retention) -> Iterator[RunRow]:
    """Remove the folders that may go, one after the other, each noted first; then renew index and page."""
    for run in found.go:
        folder, gone = outputs / run.run_id, outputs / _GOING / run.run_id
        try:
            _note(outputs / REMOVED, run, settings.config.evidence.retention)
            # From this moment it is no run folder any more, wherever a crash leaves it.
            gone.parent.mkdir(exist_ok=True)
            folder.rename(gone)
            shutil.rmtree(gone.parent)
        except OSError as error:
            raise StoreError(f"{folder}: can't be removed: {error.strerror}", "Check the folder's rights.") from error
        yield run
    path = renew_history(outputs, settings).path
    with HistoryFile.read(path) as history:
        write_history_page(history, outputs)


def _note(path: Path, run: RunRow, terms: RetentionConfig) -> None:
    told = (
        "run_id",
        "stack",
        "outcome",
        "applied",
        "requester",
        "approvers",
        "commit_sha",
        "plan_sha256",
        "created_at",
    )
    line = {name: getattr(run, name) for name in told}
    line |= {"removed_at": datetime.now(UTC).isoformat(timespec="seconds"), "terms": terms.model_dump(mode="json")}
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
