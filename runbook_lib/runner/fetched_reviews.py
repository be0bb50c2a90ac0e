"""The reviews of what one person approved alone: as GitLab tells of them, kept beside the runs that were fetched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..adapters.atomic import write_atomic
from ..errors import GitLabError
from ..models.history import ReviewState, RunRow
from ..settings import Settings
from ..workspace.reviews import all_reviews

__all__ = ["fetch_reviews", "review_states"]

_REVIEWS: Final = ".reviews.json"


def fetch_reviews(settings: Settings, outputs: Path) -> Iterator[str]:
    """Keep what GitLab knows of reviews, open and closed; a sentence if it does not tell, and then the last is kept."""
    try:
        found = all_reviews(settings)
    except GitLabError as error:
        # A project may do without issues where nobody approves alone.
        if settings.config.approval.break_glass:
            yield f"what two others must look at is not known anew: {error.message}"
        return
    told = [
        {"run_id": one.run_id, "plan_sha256": one.plan_sha256, "user": one.user, "open": still_open}
        for one, still_open in found
    ]
    write_atomic(outputs / _REVIEWS, json.dumps(told, indent=2).encode())


def review_states(outputs: Path, runs: Iterable[RunRow]) -> dict[str, str]:
    """By run the state of its review; `runs` are those that one person approved alone.

    One is closed by the review that this very person opened of this very plan; a run without any is open.
    """
    try:
        told = json.loads((outputs / _REVIEWS).read_bytes())
        closed = {(one["run_id"], one["plan_sha256"], one["user"]) for one in told if one["open"] is False}
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {run.run_id: ReviewState.UNKNOWN for run in runs}
    return {
        run.run_id: ReviewState.CLOSED if (run.run_id, run.plan_sha256, run.alone) in closed else ReviewState.OPEN
        for run in runs
    }
