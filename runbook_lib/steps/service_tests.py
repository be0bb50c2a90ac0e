"""The service tests: every member of the public group is asked over HTTP, from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..adapters.connect_to import parse_connect_to
from ..adapters.http import HttpOptions, run_tests
from ..domain.services import expand, judge_answer, parse_shard, report, shard, untested
from ..errors import ConfigError
from ..models.base import Step
from ..models.services import ServiceReport, ServiceResult, ServiceTest
from ..report.csv_formats import services_csv
from ..report.result_view import ResultView
from ..report.service_formats import services_junit
from ..settings import Settings
from ..workspace.comparison import gather_members
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.preflight import Check, CheckResult, preflight

__all__ = ["Asked", "ask_services", "check_ready", "decide", "find_tests", "plan_tests", "start", "test_services"]


@dataclass(frozen=True)
class Asked:
    """Whom to ask, the services for which there is nobody, with the reason, and the tests of other shards."""

    tests: tuple[ServiceTest, ...]
    untested: Mapping[str, str]
    elsewhere: tuple[ServiceTest, ...] = ()


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step(Step.SERVICE_TESTS, run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for services to test."""
    return preflight(context, Check("services", lambda: _services(context.settings)))


@recorded
def find_tests(context: StepContext, shard_text: str = "") -> Asked:
    """Ask the state for the group and AWS for its members, as they are now."""
    return plan_tests(context.settings, shard_text)


@recorded
def test_services(context: StepContext, asked: Asked) -> ServiceReport:
    """Carry out the tests, and write results.json, results.csv and junit.xml."""
    found = ask_services(context.settings, asked)
    context.store.write_json(context.file("results.json"), found)
    context.store.write_text(context.file("results.csv"), services_csv(found))
    context.store.write_text(context.file("junit.xml"), services_junit(found))
    return found


@recorded
def decide(context: StepContext, found: ServiceReport) -> ResultView:
    """End the step: blocked by any service that does not answer as it should, or of which nothing could be asked."""
    passed = sum(result.passed for result in found.results)
    context.metrics |= {"passed": passed, "failed": len(found.results) - passed, "untested": len(found.untested)}
    return context.finish(found.outcome, found.summary)


def plan_tests(settings: Settings, shard_text: str = "") -> Asked:
    """All tests of runbook.yml's services, or this shard's."""
    part = parse_shard(shard_text) if shard_text else (1, 1)
    tests: list[ServiceTest] = []
    nobody: dict[str, str] = {}
    for service in settings.config.services:
        members = gather_members(settings, service.group)
        tests += expand(service, members)
        reason = untested(service, members)
        if reason:
            nobody[service.name] = reason
    mine = shard(tests, *part)
    return Asked(mine, nobody, tuple(set(tests) - set(mine)))


def ask_services(settings: Settings, asked: Asked, baseline: tuple[ServiceResult, ...] | None = None) -> ServiceReport:
    """Ask, and judge the answers, against a baseline if there is one."""
    options = HttpOptions(connect_to=parse_connect_to(settings.environment.connect_to), on_result=_tell)
    results = run_tests(asked.tests, judge_answer, options)
    return report(results, asked.untested, baseline, asked.elsewhere)


def _services(settings: Settings) -> str:
    names = [service.name for service in settings.config.services]
    if not names:
        raise ConfigError("runbook.yml names no service", "Describe at least one under services.")
    return ", ".join(names)


def _tell(result: ServiceResult, done: int, total: int) -> None:
    word = "passed" if result.passed else result.error
    print(f"[{done}/{total}] {result.test.name} {result.test.url}: {word}")  # noqa: T201 - the notebook's progress
