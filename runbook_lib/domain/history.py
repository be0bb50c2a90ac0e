"""Questions across runs: which are meant, how long they took, why they were stopped, what flaps, what is waived."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from ..models.base import Outcome
from ..models.history import FindingRow, RunRow, ServiceRow
from ..models.results import StepResult
from ..models.run import Run
from .open_exposures import is_believed

__all__ = [
    "DriftLook",
    "Filters",
    "Flap",
    "LeadTimes",
    "OpenWaiver",
    "Stops",
    "drift_by_stack",
    "ended",
    "flapping",
    "lead_times",
    "newest_first",
    "open_waivers",
    "seconds_between",
    "why_stopped",
    "worst",
]

_ORDER = (Outcome.INTERRUPTED, Outcome.ERRORED, Outcome.BLOCKED, Outcome.WARNED, Outcome.PASSED, Outcome.SKIPPED)


def worst(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The gravest of them; None without any."""
    found = set(outcomes)
    return next((outcome for outcome in _ORDER if outcome in found), None)


def ended(run: Run, results: Sequence[StepResult]) -> bool:
    """Whether nothing is left to do: every step has a result, or one said that this is the end."""
    return any(result.ends for result in results) or {result.step for result in results} >= {s.name for s in run.steps}


def seconds_between(begin: str, end: str) -> float | None:
    """How long it is from one time to the other; None where one is not known, or they are in the wrong order."""
    if not (begin and end):
        return None
    found = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    return found if found >= 0 else None


@dataclass(frozen=True)
class Filters:
    """Which runs are meant; an empty one lets all through. `since` is a day or a time in ISO 8601."""

    stack: str = ""
    person: str = ""
    outcome: str = ""
    runbook: str = ""
    risk: str = ""
    since: str = ""
    review: str = ""

    def keeps(self, run: RunRow) -> bool:
        """Whether a run is meant. A person is who asked, wrote or approved."""
        people = {run.requester, run.author, *run.approvers.split(", ")}
        known = {name.casefold() for who in people for name in (who, who.removeprefix("local:"))}
        return (
            all(not wanted or wanted == getattr(run, name) for name, wanted in self._same.items())
            and (not self.person or self.person.casefold() in known)
            and (not self.since or (run.created_at or run.ended_at) >= self.since)
        )

    @property
    def _same(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("stack", "outcome", "runbook", "risk", "review")}


def newest_first(runs: Iterable[RunRow]) -> list[RunRow]:
    """By when they began; those of which that is not known come last."""
    return sorted(runs, key=lambda run: (run.created_at or run.ended_at, run.run_id), reverse=True)


@dataclass(frozen=True)
class LeadTimes:
    """Seconds from a run's beginning to verified: of each such run with its day, the oldest first, and the median."""

    runs: tuple[tuple[str, float], ...] = ()

    @property
    def median(self) -> float | None:
        """Half of them took no longer."""
        return statistics.median(seconds for _, seconds in self.runs) if self.runs else None


def lead_times(runs: Iterable[RunRow]) -> LeadTimes:
    """How long it took from the run's beginning to verified, where both are known."""
    found = [(run.created_at, run.lead_seconds) for run in runs if run.lead_seconds is not None]
    return LeadTimes(tuple(sorted(found)))


@dataclass(frozen=True)
class Stops:
    """How many runs there are, how many a gate stopped, by which step, and by which policies' findings."""

    runs: int = 0
    blocked: int = 0
    steps: tuple[tuple[str, int], ...] = ()
    policies: tuple[tuple[str, int], ...] = ()


def why_stopped(runs: Sequence[RunRow], findings: Iterable[FindingRow]) -> Stops:
    """The share that was blocked, and why: of the findings those that block count, each policy once a run."""
    blocked = {run.run_id: run for run in runs if run.outcome == Outcome.BLOCKED}
    policies = {
        (one.run_id, one.policy)
        for one in findings
        if one.run_id in blocked and one.action == "block" and one.verdict != "waived"
    }
    return Stops(
        len(runs),
        len(blocked),
        tuple(_counted(run.stopped_by or "unknown" for run in blocked.values())),
        tuple(_counted(policy for _, policy in policies)),
    )


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))


@dataclass(frozen=True)
class OpenWaiver:
    """A finding that somebody answers for, as the last run that met it says. `run_id` is that run."""

    stack: str
    policy: str
    address: str
    owner: str
    reason: str
    expires: str
    run_id: str


def open_waivers(runs: Iterable[RunRow], findings: Iterable[FindingRow], today: str) -> list[OpenWaiver]:
    """The waivers that have not ended, those that end first at the head.

    A run that nobody need believe has the word only where no other has it.
    """
    waived: dict[str, list[FindingRow]] = {}
    for one in findings:
        if one.verdict == "waived":
            waived.setdefault(one.run_id, []).append(one)
    found: dict[tuple[str, str, str], OpenWaiver] = {}
    oldest_first = newest_first(runs)[::-1]
    for run in sorted(oldest_first, key=is_believed):
        for one in waived.get(run.run_id, ()):
            found[run.stack, one.policy, one.address] = OpenWaiver(
                run.stack, one.policy, one.address, one.waiver_owner, one.waiver_reason, one.waiver_expires, run.run_id
            )
    kept = (one for one in found.values() if one.expires >= today)
    return sorted(kept, key=lambda one: (one.expires, one.stack, one.policy, one.address))


@dataclass(frozen=True)
class Flap:
    """A service whose verdict changed more than once: how often, in how many runs, and how many of these failed."""

    stack: str
    name: str
    address: str
    changes: int
    runs: int
    failed: int
    last_passed: bool


def flapping(runs: Iterable[RunRow], services: Mapping[str, Iterable[ServiceRow]], last: int = 30) -> list[Flap]:
    """Services that failed and answered in turn, within their last runs; those that changed most come first."""
    seen: dict[tuple[str, str, str], list[bool]] = {}
    for run in reversed(newest_first(runs)):
        for one in services.get(run.run_id, ()):
            seen.setdefault((run.stack, one.name, one.address), []).append(bool(one.passed))
    found = []
    for (stack, name, address), verdicts in seen.items():
        recent = verdicts[-last:]
        changes = sum(one != other for one, other in pairwise(recent))
        if changes > 1:
            found.append(Flap(stack, name, address, changes, len(recent), recent.count(False), recent[-1]))
    return sorted(found, key=lambda one: (-one.changes, one.stack, one.name, one.address))


@dataclass(frozen=True)
class DriftLook:
    """What the verifications of a stack found, the oldest first: each with its time, its run and how much differed."""

    stack: str
    looks: tuple[tuple[str, str, int], ...] = field(default=())


def drift_by_stack(runs: Iterable[RunRow], last: int = 60) -> list[DriftLook]:
    """How much differed at each look at a stack, the last ones."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for run in reversed(newest_first(runs)):
        if run.differences is not None and run.created_at:
            found.setdefault(run.stack, []).append((run.created_at, run.run_id, run.differences))
    return [DriftLook(stack, tuple(looks[-last:])) for stack, looks in sorted(found.items())]
