"""The service tests: every member of the public group is asked over HTTP, from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..adapters.aws import Aws
from ..adapters.connect_to import parse_connect_to
from ..adapters.http import HttpOptions, run_tests
from ..domain.services import expand, judge_answer, parse_shard, report, shard, untested
from ..errors import ConfigError, InputError
from ..models.base import Outcome
from ..models.config import GroupReference
from ..models.services import Member, ServiceReport, ServiceResult, ServiceTest
from ..report.csv_formats import services_csv
from ..report.result_view import ResultView
from ..report.service_formats import services_junit
from ..settings import Settings
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.states import read_state

__all__ = ["Asked", "ask_services", "check_ready", "decide", "find_tests", "plan_tests", "start", "test_services"]


@dataclass(frozen=True)
class Asked:
    """Whom to ask, the services for which there is nobody, with the reason, and the tests of other shards."""

    tests: tuple[ServiceTest, ...]
    untested: Mapping[str, str]
    elsewhere: tuple[ServiceTest, ...] = ()


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("service_tests", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for services to test."""
    return preflight(context, Check("services", lambda: _services(context)))


@recorded
def find_tests(context: StepContext, shard_text: str = "") -> Asked:
    """Ask the state for the group and AWS for its members, as they are now."""
    return plan_tests(context.settings, context.run.stack, shard_text)


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
    if not context.settings.config.services_of(context.run.stack):
        return context.finish(Outcome.PASSED, f"The stack {context.run.stack} has no service to test.")
    passed = sum(result.passed for result in found.results)
    context.metrics |= {"passed": passed, "failed": len(found.results) - passed, "untested": len(found.untested)}
    return context.finish(found.outcome, found.summary)


def plan_tests(settings: Settings, stack: str, shard_text: str = "") -> Asked:
    """All tests of the stack's services, or this shard's."""
    part = parse_shard(shard_text) if shard_text else (1, 1)
    tests: list[ServiceTest] = []
    nobody: dict[str, str] = {}
    for service in settings.config.services_of(stack):
        members = members_of(settings, service.group)
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


def members_of(settings: Settings, group: GroupReference) -> tuple[Member, ...]:
    """Everything in AWS that has an interface in the group now."""
    if group.id:
        return Aws().members(group.id)
    state = read_state(settings, group.stack)
    return Aws().members(_group_of(state, group))


def _group_of(state: dict[str, Any], group: GroupReference) -> str:
    if not state:
        raise InputError(f"the state of stack {group.stack} is empty", f"Apply the stack {group.stack} first.")
    outputs = state.get("outputs") or {}
    value = (outputs.get(group.output) or {}).get("value")
    if not isinstance(value, str) or not value.startswith("sg-"):
        known = ", ".join(sorted(outputs)) or "none"
        raise InputError(
            f"the state of stack {group.stack} has no output {group.output!r} that is a group's id",
            f"Correct services in runbook.yml; the outputs are: {known}.",
        )
    return value


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
