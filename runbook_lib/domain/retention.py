"""Which run folders the terms of runbook.yml let go, and why the others are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..models.evidence_config import RetentionConfig
from ..models.history import UNFINISHED, Applied, EvidenceVerdict, RunRow
from .history import newest_first
from .open_exposures import Reckoning, is_believed

__all__ = ["Kept", "Retention", "retain"]

# Whatever is wrong with a folder may be the trace of somebody's work, and is for a person to look at.
_FIT = {EvidenceVerdict.PROVEN, EvidenceVerdict.INTACT}


@dataclass(frozen=True)
class Kept:
    """A run that is old enough to go, and is kept all the same."""

    run: RunRow
    why: str


@dataclass(frozen=True)
class Retention:
    """What may go, the oldest first, and what is kept although its term is over."""

    go: tuple[RunRow, ...] = ()
    kept: tuple[Kept, ...] = ()


def retain(
    runs: Iterable[RunRow],
    terms: RetentionConfig,
    reckoning: Reckoning,
    now: datetime,
    only_copies: Mapping[str, str] | None = None,
) -> Retention:
    """Judge all runs. `only_copies` says of runs that hold what is nowhere else what that is.

    Never goes the last proof of what is open, nor a run without which something that was closed would look open.
    """
    ordered, seen = newest_first(runs), Counter[str]()
    go: dict[str, RunRow] = {}
    kept: list[Kept] = []
    for run in ordered:
        # What anybody may have put there moves none of the others out of the newest.
        seen[run.stack] += is_believed(run)
        if not _is_over(run, terms, now):
            continue
        why = _why_kept(run, reckoning, only_copies or {}) or (
            f"it is among the newest {terms.newest} of its stack" if seen[run.stack] <= terms.newest else ""
        )
        if why:
            kept.append(Kept(run, why))
        else:
            go[run.run_id] = run
    kept += _closers(go, reckoning)
    return Retention(tuple(reversed(go.values())), tuple(kept))


def _is_over(run: RunRow, terms: RetentionConfig, now: datetime) -> bool:
    term = terms.others if run.applied == Applied.NO else terms.applied
    ended = run.ended_at or run.created_at
    return term is not None and bool(ended) and _age(ended, now) > term


def _age(moment: str, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(moment)


def _why_kept(run: RunRow, reckoning: Reckoning, only_copies: Mapping[str, str]) -> str:
    if run.run_id in reckoning.proofs:
        return "it is the last proof of an exposure that is open"
    if run.run_id in only_copies:
        return only_copies[run.run_id]
    if run.evidence not in _FIT or (run.key and run.evidence != EvidenceVerdict.PROVEN):
        return f"its evidence is {run.evidence}: look at it first"
    return "it has not come to its end" if run.outcome in {UNFINISHED, ""} else ""


def _closers(go: dict[str, RunRow], reckoning: Reckoning) -> list[Kept]:
    """Take out of `go` what closed an exposure that a kept run opened, until nothing changes."""
    found: list[Kept] = []
    again = True
    while again:
        again = False
        for run_id, opened_by in reckoning.closes.items():
            if run_id in go and not opened_by <= go.keys():
                found.append(Kept(go.pop(run_id), "it closed an exposure whose run is kept"))
                again = True
    return found
