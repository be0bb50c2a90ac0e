"""Runs as a table, as JSON and as CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields

from ..models.history import RunRow
from .table import Badge, Table

__all__ = ["runs_csv", "runs_json", "runs_table"]

# How far the folder was read is nobody's business but the index's.
_TOLD = tuple(one.name for one in fields(RunRow) if one.name != "stamp")
_LONGEST = 60
_TONES = {"passed": "good", "warned": "warn", "blocked": "bad", "errored": "error", "proven": "good", "intact": "warn"}


def runs_table(runs: Sequence[RunRow]) -> Table:
    """What a person looks for: when, what, who, how it ended, and whether that is proven."""
    columns = ("run", "begun", "stack", "outcome", "asked by", "approved by", "risk", "evidence", "what")
    return Table(columns, [_row(run) for run in runs], empty="No run is kept here that you asked for.")


def _row(run: RunRow) -> list[object]:
    what = run.why if run.stopped_by else run.sentence or run.problems.partition("\n")[0]
    what = what if len(what) <= _LONGEST else f"{what[: _LONGEST - 1]}…"
    tones = [Badge(text, _TONES.get(text, "quiet")) for text in (run.outcome, run.evidence)]
    begun = run.created_at[:16].replace("T", " ")
    name = run.run_id if len(run.run_id) <= _LONGEST else f"{run.run_id[: _LONGEST - 1]}…"
    return [name, begun, run.stack, tones[0], run.requester, run.approvers, run.risk, tones[1], what]


def runs_json(runs: Sequence[RunRow]) -> str:
    """All that is kept of each run."""
    told = [{name: value for name, value in asdict(run).items() if name in _TOLD} for run in runs]
    return json.dumps(told, indent=2) + "\n"


def runs_csv(runs: Sequence[RunRow]) -> str:
    """The same, a line each."""
    return Table(_TOLD, [[getattr(run, name) for name in _TOLD] for run in runs]).csv()
