"""Several reports of service tests as one, and what the last runs say: the trend, and who fails now and then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from runbook_lib.errors import InputError
from runbook_lib.models.base import Outcome
from runbook_lib.models.services import UNFINISHED, ServiceHistory, ServiceReport, ServiceResult, ServiceRun

from .services import Listed, parse_shard, report

__all__ = ["merge_reports", "remember", "with_history"]

_RUNS: Final = 30
# A test that changed its verdict so often in so many runs comes and goes.
_CHANGES, _LOOKED_AT = 3, 10
_NAMED: Final = 1000
_TOLD: Final = 3
# From the mildest on.
_GRAVITY: Final = (
    Outcome.SKIPPED, Outcome.PASSED, Outcome.WARNED, Outcome.BLOCKED, Outcome.ERRORED, Outcome.INTERRUPTED,
)  # fmt: skip


def merge_reports(reports: Sequence[ServiceReport]) -> ServiceReport:
    """The shards' reports as the one that a single run would have made; a shard that is missing is untested.

    InputError if they are not shards of one whole, or if one is there twice with other results.
    """
    wholes = {parse_shard(one.part)[1] for one in reports if one.part}
    if len(wholes) > 1 or (wholes and not all(one.part for one in reports)) or (len(reports) > 1 and not wholes):
        raise InputError("these results are not the shards of one run", "Give the results.json of all its shards.")
    by_part = {one.part or "1/1": one for one in reports}
    for one in reports:
        if by_part[one.part or "1/1"] != one:
            raise InputError(f"there are two different results of shard {one.part}", "Give those that count alone.")
    parts = [f"{number}/{whole}" for whole in wholes or {1} for number in range(1, whole + 1)]
    untested = {f"shard {part}": "its results are not there" for part in parts if part not in by_part}
    results: dict[tuple[str, str], ServiceResult] = {}
    for one in by_part.values():
        for result in one.results:
            known = results.get((result.test.name, result.test.address))
            if known is None or known.passed:
                results[result.test.name, result.test.address] = result
        untested |= one.untested
    lists = [*by_part.values()]
    unknowable = {name: reason for one in lists for name, reason in one.unknowable.items()}
    given = Listed(untested, unknowable=unknowable)
    found = report(results.values(), listed=given)
    # Each shard has judged its own against the baseline, which the whole is not held to a second time.
    outcomes = [one.outcome for one in lists] + ([Outcome.BLOCKED] if untested else [])
    return found.model_copy(
        update={
            "outcome": max(outcomes, key=_GRAVITY.index),
            "regressions": _joined(one.regressions for one in lists),
            "fixed": _joined(one.fixed for one in lists),
            "still_failing": _joined(one.still_failing for one in lists),
            "still_passing": sum(one.still_passing for one in lists),
            "gone": _joined(one.gone for one in lists),
            "no_baseline": next((one.no_baseline for one in lists if one.no_baseline), ""),
        }
    )


def remember(history: ServiceHistory, found: ServiceReport, at: datetime) -> ServiceHistory:
    """The history with this run at its end. What was not finished says nothing of who flaps."""
    failing = [_key(result) for result in found.results if not result.passed and result.cause not in UNFINISHED]
    run = ServiceRun(at=at, tests=len(found.results), failed=len(failing), failing=tuple(sorted(failing)[:_NAMED]))
    return ServiceHistory(runs=(*history.runs, run)[-_RUNS:])


def with_history(found: ServiceReport, history: ServiceHistory) -> ServiceReport:
    """The report with the failures of the last runs, its own last, and the tests that come and go."""
    last = history.runs[-_LOOKED_AT:]
    names = {name for run in last for name in run.failing}
    flapping = tuple(sorted(name for name in names if _changes(name, last) >= _CHANGES))
    trend = tuple(run.failed for run in last)
    said = f" Failures in the last {len(trend)} runs: {', '.join(map(str, trend))}." if any(trend[:-1]) else ""
    if flapping:
        more = f" and {len(flapping) - _TOLD} more" if len(flapping) > _TOLD else ""
        said += f" They come and go: {', '.join(flapping[:_TOLD])}{more}."
    return found.model_copy(update={"trend": trend, "flapping": flapping, "summary": found.summary + said})


def _changes(name: str, runs: Sequence[ServiceRun]) -> int:
    return sum((name in one.failing) != (name in other.failing) for one, other in pairwise(runs))


def _joined(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for one in lists for name in one}))


def _key(result: ServiceResult) -> str:
    return f"{result.test.name} {result.test.address}".strip()
