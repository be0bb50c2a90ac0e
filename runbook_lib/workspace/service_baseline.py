"""How the services did before a change was applied, so that what it broke is told from what was broken already."""

from __future__ import annotations

from ..domain.services import Listed, report
from ..errors import InputError, RunbookError
from ..models.services import ServiceReport, ServiceResult
from .context import StepContext
from .services import ask, plan_tests

__all__ = ["BASELINE", "read_baseline", "take_baseline"]

BASELINE = "baseline.json"
# Seconds; the change waits for it.
_LONGEST = 60.0
_STEP = "service_tests"
_APPLY = "apply"


def take_baseline(context: StepContext) -> None:
    """Ask the services once, before anything changes, and keep what they answered with the apply step.

    It decides nothing. That it can't be taken stops no change: what is missing then is said after it.
    """
    config = context.settings.config
    tested = any(step.name == _STEP for step in context.store.steps)
    if not tested or not config.services_of(context.run.stack):
        return
    try:
        asked = plan_tests(context.settings, context.run.stack)
        once = [test.model_copy(update={"attempts": 1}) for test in asked.tests]
        results = ask(context.settings, once, deadline=_LONGEST)
        found = report(results, listed=Listed(asked.untested))
        context.store.write_json(context.file(BASELINE), found)
    except RunbookError as error:
        context.metrics["no_baseline"] = error.message
    else:
        failing = sum(not result.passed for result in found.results)
        print(f"Before the change {len(found.results) - failing} of {len(found.results)} service tests pass.")  # noqa: T201


def read_baseline(context: StepContext) -> tuple[tuple[ServiceResult, ...] | None, str]:
    """What was answered before the change, or None and why there is no such thing where it should be."""
    result = context.store.read_result(_APPLY)
    if result is None:
        return None, ""
    path = context.store.file(_APPLY, BASELINE)
    if not context.store.exists(path):
        return None, str(result.metrics.get("no_baseline") or "")
    context.uses(context.store.path(path))
    try:
        return context.store.read_model(path, ServiceReport).results, ""
    except InputError as error:
        return None, error.message
