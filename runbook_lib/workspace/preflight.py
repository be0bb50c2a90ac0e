"""What a step needs, checked before it does anything, each with a remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import RunbookError
from .context import StepContext, recorded

__all__ = ["Check", "CheckResult", "preflight", "run_checks"]


@dataclass(frozen=True)
class Check:
    """One question: `ask` answers with what it found, or raises a RunbookError."""

    name: str
    ask: Callable[[], str]


@dataclass(frozen=True)
class CheckResult:
    """What a check found."""

    name: str
    passed: bool
    found: str
    error: RunbookError | None = None


def run_checks(checks: Sequence[Check]) -> tuple[CheckResult, ...]:
    """Ask every question, also after one failed: a person wants to hear of all that is missing at once."""
    results = []
    for check in checks:
        try:
            results.append(CheckResult(check.name, True, check.ask()))
        except RunbookError as error:
            results.append(CheckResult(check.name, False, error.message, error))
    return tuple(results)


@recorded
def preflight(context: StepContext, *checks: Check) -> tuple[CheckResult, ...]:
    """Ask a step's questions; raises the first failure after all have been asked."""
    results = run_checks((Check("run", lambda: f"{context.run.run_id} of stack {context.run.stack}"), *checks))
    failed = [result.error for result in results if result.error]
    if failed:
        raise failed[0]
    return results
