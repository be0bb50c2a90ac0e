"""The files of other runs of the service tests: the shards of this one, and what is remembered of the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..adapters.atomic import write_atomic
from ..domain.service_history import remember, with_history
from ..errors import InputError
from ..models.services import ServiceHistory, ServiceReport
from .services import Asked

__all__ = ["merged", "read_reports", "told_of"]

_LARGEST = 200_000_000


def merged(folder: str) -> Asked:
    """What the shards have asked whose results lie in a folder; InputError if there is none."""
    reports = read_reports(sorted(Path(folder).glob("**/*.json")))
    if not reports:
        raise InputError(f"{folder} holds no results of shards", "Name the folder with their results.json files.")
    tests = tuple(result.test for one in reports for result in one.results)
    return Asked(tests, {}, reports=reports)


def read_reports(paths: Sequence[Path]) -> tuple[ServiceReport, ...]:
    """The reports in these files; InputError naming the one that is none."""
    found = []
    for path in paths:
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError("too large")
            found.append(ServiceReport.model_validate_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            remedy = "Give the results.json of an earlier run, or what `runbook services --format json` wrote."
            raise InputError(f"{path} is no result of service tests", remedy) from error
    return tuple(found)


def told_of(path: Path, found: ServiceReport, at: datetime) -> ServiceReport:
    """The report with the trend, and this run added to the file; one that can't be read begins anew."""
    try:
        history = ServiceHistory.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        history = ServiceHistory()
    history = remember(history, found, at)
    write_atomic(path, history.model_dump_json().encode())
    return with_history(found, history)
