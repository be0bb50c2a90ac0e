"""The page over all runs, from the index."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from ..adapters.atomic import write_atomic
from ..adapters.history_file import HistoryFile
from ..domain.history import (
    OpenWaiver,
    drift_by_stack,
    flapping,
    lead_times,
    newest_first,
    open_waivers,
    why_stopped,
)
from ..domain.open_exposures import OpenExposure, Reckoning, is_believed, reckon
from ..models.history import Applied, ExposureRow, FileRow, FindingRow, RunRow, ServiceRow
from ..report.html_history import Ended, HistoryPage, Looks, Opened, render_history
from ..wording import party_in_full

__all__ = ["HISTORY_PAGE", "is_current", "page_of_history", "reckoned", "write_history_page"]

HISTORY_PAGE = "index.html"


class _OfRun(Protocol):
    @property
    def run_id(self) -> str: ...


RowT = TypeVar("RowT", bound=_OfRun)


def write_history_page(history: HistoryFile, folder: Path, *, linked: bool = True) -> Path:
    """Write the page into a folder; `linked` leads to the runs' own pages, where they lie beside it."""
    path = folder / HISTORY_PAGE
    page = page_of_history(history, datetime.now(UTC), linked=linked)
    write_atomic(path, render_history(page).encode("utf-8", "replace"))
    return path


def is_current(page: Path, index: Path) -> bool:
    """Whether a page says what the index says: made since that changed, and today, for waivers end by the day."""
    try:
        made, changed = page.stat().st_mtime, index.stat().st_mtime
    except OSError:
        return False
    return made > changed and datetime.fromtimestamp(made, UTC).date() == datetime.now(UTC).date()


def reckoned(history: HistoryFile, runs: Iterable[RunRow]) -> Reckoning:
    """What is open by these runs."""
    applied = "run_id IN (SELECT run_id FROM runs WHERE applied <> ?)"
    return reckon(runs, by_run(history.rows(ExposureRow, applied, (Applied.NO.value,))))


def by_run(rows: Iterable[RowT]) -> dict[str, list[RowT]]:
    """Rows by the run that they belong to."""
    found: dict[str, list[RowT]] = {}
    for row in rows:
        found.setdefault(row.run_id, []).append(row)
    return found


def page_of_history(history: HistoryFile, now: datetime, *, linked: bool = True) -> HistoryPage:
    """All that the page shows."""
    runs = newest_first(history.rows(RunRow))
    findings = list(history.rows(FindingRow, "verdict = 'waived' OR action = 'block'"))
    lead, stops = lead_times(runs), why_stopped(runs, findings)
    return HistoryPage(
        made_at=now.isoformat(),
        runs=runs,
        opened=[
            Opened(_who(one), one.target, one.ports, one.run, one.certain)
            for one in reckoned(history, runs).still_open
        ],
        lead=lead.runs,
        median=lead.median,
        blocked=stops.blocked,
        steps=stops.steps,
        policies=stops.policies,
        waivers=[_waiver(one) for one in open_waivers(runs, findings, f"{now:%Y-%m-%d}")],
        drift=[Looks(one.stack, one.looks) for one in drift_by_stack(runs)],
        flaps=[
            Ended((one.stack, one.name, one.address, str(one.changes), f"{one.failed} of {one.runs} runs",
                   "answers" if one.last_passed else "fails"))
            for one in flapping(runs, by_run(history.rows(ServiceRow)))
        ],
        key=next((run.key for run in runs if run.key), ""),
        linked=_linked(history, runs) if linked else frozenset(),
    )  # fmt: skip


def _who(one: OpenExposure) -> str:
    return party_in_full(one.source, one.source_kind) if one.who == one.source else one.who


def _waiver(one: OpenWaiver) -> Ended:
    return Ended((one.expires, one.stack, one.policy, one.address, one.owner, one.reason, one.run_id))


def _linked(history: HistoryFile, runs: Iterable[RunRow]) -> frozenset[str]:
    # A page of a folder that was changed may hold whatever its changer wants whoever opens it to run.
    believed = {run.run_id for run in runs if is_believed(run)}
    return frozenset(row.run_id for row in history.rows(FileRow, "path = 'index.html'")) & believed
