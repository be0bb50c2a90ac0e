"""How the services did before a change: asked once, kept with the apply step, and no reason to stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from step_fakes import NOW, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import AwsError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.services import ServiceReport, ServiceResult, ServiceTest
from runbook_lib.settings import Settings
from runbook_lib.workspace import service_baseline as module
from runbook_lib.workspace import services
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.service_baseline import read_baseline, take_baseline
from runbook_lib.workspace.services import Asked, ask

KEPT = "04_apply/baseline.json"


def asking(name: str) -> ServiceTest:
    return ServiceTest(name=name, address="192.0.2.1", url="http://192.0.2.1/", attempts=3)


def answered(test: ServiceTest, *, passed: bool = True) -> ServiceResult:
    return ServiceResult(test=test, passed=passed, at=NOW)


class Services:
    """Those that there are to ask; `web` answers, and nothing else does."""

    def __init__(self, *names: str, untested: dict[str, str] | None = None) -> None:
        self.names, self.untested = names, untested or {}
        self.error: AwsError | None = None
        self.asked: list[tuple[str, int, float]] = []

    def plan_tests(self, settings: Settings, stack: str) -> Asked:
        assert stack in settings.config.stacks
        if self.error:
            raise self.error
        return Asked(tuple(asking(name) for name in self.names), self.untested)

    def ask(self, settings: Settings, tests: Sequence[ServiceTest], deadline: float) -> tuple[ServiceResult, ...]:
        self.asked += [(test.name, test.attempts, deadline) for test in tests]
        return tuple(answered(test, passed=test.name == "web") for test in tests)


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run) -> StepContext:
    return StepContext(built_in("apply"), settings, store, run, NOW)


Use = Callable[..., Services]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    def install(*names: str, **more: Any) -> Services:
        fake = Services(*names, **more)
        monkeypatch.setattr(module, "plan_tests", fake.plan_tests)
        monkeypatch.setattr(module, "ask", fake.ask)
        return fake

    return install


def test_each_service_is_asked_once_within_a_minute_and_the_answers_are_kept(
    context: StepContext, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    there = use("web", "db", untested={"mail": "nobody is in the group"})
    take_baseline(context)
    assert there.asked == [("web", 1, 60.0), ("db", 1, 60.0)]
    kept = context.store.read_model(KEPT, ServiceReport)
    assert {result.test.name: result.passed for result in kept.results} == {"web": True, "db": False}
    assert kept.untested == {"mail": "nobody is in the group"}
    assert "no_baseline" not in context.metrics
    assert capsys.readouterr().out == "Before the change 1 of 2 service tests pass.\n"


def test_that_nobody_could_be_asked_stops_no_change_and_is_said_after_it(
    context: StepContext, use: Use, result: Callable[..., StepResult]
) -> None:
    use("web").error = AwsError("AWS refused it")
    take_baseline(context)
    assert not context.store.exists(KEPT)
    assert context.metrics["no_baseline"] == "AWS refused it"
    applied = result("apply").model_copy(update={"metrics": dict(context.metrics)})
    context.store.write_json("04_apply/result.json", applied)
    assert read_baseline(context) == (None, "AWS refused it")


def test_a_run_or_a_stack_without_service_tests_asks_nobody(
    context: StepContext, store: RunStore, run: Run, use: Use
) -> None:
    there = use("web")
    services_of_none = context.settings.config.model_copy(update={"services": ()})
    with_services, context.settings.config = context.settings.config, services_of_none
    take_baseline(context)
    context.settings.config = with_services
    steps = tuple(step for step in run.steps if step.name != "service_tests")
    store.write_json("run.json", run.model_copy(update={"steps": steps}))
    take_baseline(StepContext(built_in("apply"), context.settings, RunStore(store.dir.parent, "7"), run, NOW))
    assert there.asked == []


def test_what_was_kept_is_read_once_something_was_applied(
    context: StepContext, result: Callable[..., StepResult]
) -> None:
    found = ServiceReport(outcome=Outcome.PASSED, summary="Well.", results=(answered(asking("web")),))
    context.store.write_json(KEPT, found)
    assert read_baseline(context) == (None, "")
    context.store.write_json("04_apply/result.json", result("apply"))
    assert read_baseline(context) == (found.results, "")


def test_a_baseline_that_is_missing_or_broken_is_none_with_the_reason(
    context: StepContext, result: Callable[..., StepResult]
) -> None:
    context.store.write_json("04_apply/result.json", result("apply"))
    assert read_baseline(context) == (None, "")
    context.store.write_text(KEPT, "{")
    results, why = read_baseline(context)
    assert results is None
    assert KEPT in why


def test_services_are_asked_within_the_bounds_of_runbook_yml_and_heard_of_as_they_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def run_tests(tests: Sequence[ServiceTest], judge: object, options: Any) -> tuple[ServiceResult, ...]:
        given.append(options)
        return tuple(answered(test) for test in tests)

    monkeypatch.setattr(services, "run_tests", run_tests)
    heard: list[Any] = []

    def on_result(found: ServiceResult, done: int, of: int) -> None:
        heard.append((found, done, of))

    tests, whole = [asking("web")], settings.config.service_tests.deadline.total_seconds()
    assert ask(settings, tests, on_result, heard.append) == (answered(tests[0]),)
    for deadline in (whole - 1, whole + 1, None):
        ask(settings, tests, deadline=deadline)
    first, *others = given
    assert [options.deadline for options in given] == [whole, whole - 1, whole, whole]
    assert first.concurrency == settings.config.service_tests.concurrency
    assert (first.on_result, first.on_interrupt) == (on_result, heard.append)
    assert all((options.on_result, options.on_interrupt) == (None, None) for options in others)
