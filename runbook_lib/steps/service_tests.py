"""The service tests: every service is asked from outside, and what the change opened and closed is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..domain.service_history import merge_reports
from ..domain.services import Listed, report
from ..errors import ConfigError, InputError
from ..models.base import Outcome
from ..models.exposure import Exposure
from ..models.services import ServiceReport, ServiceResult
from ..report.csv_formats import services_csv
from ..report.result_view import ResultView
from ..report.service_formats import services_junit
from ..settings import Settings
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.service_baseline import read_baseline
from ..workspace.service_history import merged, told_of
from ..workspace.services import Asked, ask, part_of, plan_tests

__all__ = ["Asked", "ask_services", "check_ready", "decide", "find_tests", "plan_tests", "start", "test_services"]


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("service_tests", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for services to test."""
    return preflight(context, Check("services", lambda: _services(context)))


@recorded
def find_tests(context: StepContext, shard_text: str = "", merge: str = "", history: str = "") -> Asked:
    """Ask states and AWS whom the services name, as they are now, and the plan for what the change does.

    With `merge`, the folder of the shards' results, nobody is asked. `history` is the file that remembers other runs.
    """
    if merge:
        return replace(merged(merge), history=history)
    asked = plan_tests(context.settings, context.run.stack, shard_text, _exposure(context))
    return replace(asked, history=history)


@recorded
def test_services(context: StepContext, asked: Asked) -> ServiceReport:
    """Carry out the tests, and write results.json, results.csv and junit.xml, also when it is interrupted."""
    baseline, none = read_baseline(context)
    lenient = context.settings.config.service_tests.still_failing == "warn"
    listed = Listed(asked.untested, asked.elsewhere, asked.unknowable, part_of(asked.part), none, lenient)

    def write(found: ServiceReport) -> ServiceReport:
        context.store.write_json(context.file("results.json"), found)
        context.store.write_text(context.file("results.csv"), services_csv(found))
        context.store.write_text(context.file("junit.xml"), services_junit(found))
        return found

    if asked.reports:
        found = merge_reports(asked.reports)
    else:
        judged = partial(report, baseline=baseline, listed=listed)
        found = judged(ask(context.settings, asked.tests, _tell, lambda results: write(judged(results))))
    return write(told_of(Path(asked.history), found, context.clock()) if asked.history else found)


@recorded
def decide(context: StepContext, found: ServiceReport) -> ResultView:
    """End the step: blocked by any service that does not answer as it should, or of which nothing could be asked."""
    nothing = not (found.results or found.untested)
    if nothing and not context.settings.config.services_of(context.run.stack):
        return context.finish(Outcome.PASSED, f"The stack {context.run.stack} has no service to test.")
    passed = sum(result.passed for result in found.results)
    context.metrics |= {"passed": passed, "failed": len(found.results) - passed, "untested": len(found.untested)}
    compared = {
        "regressions": len(found.regressions),
        "repaired": len(found.fixed),
        "still_failing": len(found.still_failing),
    }
    context.metrics |= {name: count for name, count in compared.items() if count}
    return context.finish(found.outcome, found.summary)


def ask_services(
    settings: Settings,
    asked: Asked,
    baseline: tuple[ServiceResult, ...] | None = None,
    on_interrupt: Callable[[ServiceReport], None] | None = None,
) -> ServiceReport:
    """Ask, and judge the answers, against a baseline if there is one."""
    listed = Listed(asked.untested, asked.elsewhere, asked.unknowable, part_of(asked.part))

    def interrupted(results: tuple[ServiceResult, ...]) -> None:
        if on_interrupt:
            on_interrupt(report(results, baseline=baseline, listed=listed))

    return report(ask(settings, asked.tests, _tell, interrupted), baseline=baseline, listed=listed)


def _exposure(context: StepContext) -> Exposure | None:
    """What the run's change does, if the run is one that applied a change."""
    applied = context.store.read_result("apply")
    if applied is None or applied.outcome.stops:
        return None
    try:
        path = context.store.file("plan", "exposure.json")
        found = context.store.read_model(path, Exposure)
    except InputError:
        return None
    context.uses(context.store.path(path))
    return found


def _services(context: StepContext) -> str:
    config, stack = context.settings.config, context.run.stack
    names = [service.name for service in config.services_of(stack)]
    if not names and config.stacks[stack].services is None:
        raise ConfigError(
            "runbook.yml names no service",
            f"Describe at least one under services, or write `services: []` in the stack {stack} if it has none.",
        )
    return ", ".join(names) or f"none, as runbook.yml says of the stack {stack}"


def _tell(result: ServiceResult, done: int, total: int) -> None:
    word = "passed" if result.passed else result.error
    print(f"[{done}/{total}] {result.test.name} {result.test.url}: {word}")  # noqa: T201 - the notebook's progress
