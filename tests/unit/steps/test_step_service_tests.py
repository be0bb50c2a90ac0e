"""The service tests' step: whom it asks, what it keeps, and what it says of services that nobody was asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from xml.etree import ElementTree

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.connect_to import ConnectTo
from runbook_lib.adapters.http import HttpOptions
from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.services import judge_answer
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import GroupReference, ServiceConfig
from runbook_lib.models.run import Run
from runbook_lib.models.services import Member, ServiceReport, ServiceResult, ServiceTest
from runbook_lib.settings import Settings
from runbook_lib.steps import service_tests
from runbook_lib.workspace.context import StepContext

WEB = ServiceConfig(name="web", group=GroupReference(id="sg-web"))
API = ServiceConfig(name="api", group=GroupReference(id="sg-api"), url="http://{address}:8080/")
MEMBERS = {
    "sg-web": (
        Member(id="i-1", kind="instance", address="203.0.113.1"),
        Member(id="i-2", kind="instance", address="203.0.113.2"),
    ),
    "sg-api": (Member(id="i-3", kind="instance"),),
}


def with_services(settings: Settings, *services: ServiceConfig) -> Settings:
    config = settings.config
    stack = config.stacks["access"].model_copy(update={"services": services})
    settings.config = config.model_copy(update={"stacks": {**config.stacks, "access": stack}})
    return settings


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> StepContext:
    return StepContext(built_in("service_tests"), with_services(settings, WEB, API), store, run, NOW, clock=lambda: NOW)


@pytest.fixture(autouse=True)
def _members(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeAws:
        def members(self, group: str) -> tuple[Member, ...]:
            return MEMBERS[group]

    monkeypatch.setattr(service_tests, "Aws", FakeAws)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers by address, an error where there is one; and how it was asked."""
    seen: dict[str, Any] = {"errors": {}}

    def run_tests(tests: Iterable[ServiceTest], judge: object, options: HttpOptions) -> tuple[ServiceResult, ...]:
        assert judge is judge_answer
        seen["options"] = options
        given = [(test, seen["errors"].get(test.address, "")) for test in tests]
        return tuple(ServiceResult(test=test, passed=not error, error=error, at=NOW) for test, error in given)

    monkeypatch.setattr(service_tests, "run_tests", run_tests)
    return seen


def addresses(tests: Iterable[ServiceTest]) -> list[str]:
    return [test.address for test in tests]


def test_the_services_are_named_before_anything_is_asked(context: StepContext) -> None:
    found = [(result.name, result.found) for result in service_tests.check_ready(context)]
    assert found == [("run", "7 of stack access"), ("services", "web, api")]


def test_a_stack_may_say_that_it_has_no_service(context: StepContext) -> None:
    with_services(context.settings)
    assert service_tests.check_ready(context)[1].found == "none, as runbook.yml says of the stack access"


def test_services_that_nobody_described_are_asked_for(context: StepContext) -> None:
    config = context.settings.config
    stack = config.stacks["access"].model_copy(update={"services": None})
    context.settings.config = config.model_copy(update={"services": (), "stacks": {**config.stacks, "access": stack}})
    with pytest.raises(ConfigError, match=r"runbook\.yml names no service") as caught:
        service_tests.check_ready(context)
    assert caught.value.remedy == (
        "Describe at least one under services, or write `services: []` in the stack access if it has none."
    )


def test_every_public_address_is_asked_and_who_has_none_is_named(context: StepContext) -> None:
    asked = service_tests.find_tests(context)
    assert addresses(asked.tests) == ["203.0.113.1", "203.0.113.2"]
    assert asked.untested == {"api": "none of the 1 members of its group has a public address"}
    assert asked.elsewhere == ()


def test_a_shard_has_its_share_and_knows_of_the_rest(context: StepContext) -> None:
    asked = service_tests.find_tests(context, "2/2")
    assert addresses(asked.tests) == ["203.0.113.2"]
    assert addresses(asked.elsewhere) == ["203.0.113.1"]


def test_what_was_answered_is_kept_in_three_forms(context: StepContext, wire: dict[str, Any]) -> None:
    wire["errors"] = {"203.0.113.2": "status: 502 instead of 200"}
    found = service_tests.test_services(context, service_tests.find_tests(context))
    assert found.outcome is Outcome.BLOCKED
    assert context.store.read_model("06_service_tests/results.json", ServiceReport) == found
    assert "203.0.113.1" in context.store.read_text("06_service_tests/results.csv")
    junit = ElementTree.fromstring(context.store.read_text("06_service_tests/junit.xml"))
    assert (junit.get("tests"), junit.get("failures"), junit.get("errors")) == ("3", "1", "1")


def test_connections_go_where_they_are_told_and_each_answer_is_told(
    context: StepContext, wire: dict[str, Any], load: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    context.settings = with_services(load(RUNBOOK_CONNECT_TO="203.0.113.1:80:127.0.0.1:8080"), WEB)
    asked = service_tests.find_tests(context)
    (good, bad) = service_tests.ask_services(context.settings, asked).results
    options: HttpOptions = wire["options"]
    assert options.connect_to == (ConnectTo("203.0.113.1", 80, "127.0.0.1", 8080),)
    assert options.on_result is not None
    options.on_result(good, 1, 2)
    options.on_result(bad.model_copy(update={"passed": False, "error": "refused"}), 2, 2)
    assert capsys.readouterr().out == (
        "[1/2] web http://203.0.113.1/: passed\n[2/2] web http://203.0.113.2/: refused\n"
    )


def test_against_a_baseline_only_what_got_worse_blocks(context: StepContext, wire: dict[str, Any]) -> None:
    wire["errors"] = {"203.0.113.2": "refused"}
    asked = service_tests.plan_tests(with_services(context.settings, WEB), "access")
    first = service_tests.ask_services(context.settings, asked)
    again = service_tests.ask_services(context.settings, asked, first.results)
    assert (first.outcome, again.outcome) == (Outcome.BLOCKED, Outcome.WARNED)


def test_a_shard_without_a_test_is_skipped(context: StepContext, wire: dict[str, Any]) -> None:
    with_services(context.settings, WEB)
    found = service_tests.test_services(context, service_tests.find_tests(context, "3/3"))
    assert found.outcome is Outcome.SKIPPED


def test_a_service_that_nobody_was_asked_of_blocks(context: StepContext, wire: dict[str, Any]) -> None:
    found = service_tests.test_services(context, service_tests.find_tests(context))
    result = service_tests.decide(context, found).result
    assert (result.outcome, result.summary) == (Outcome.BLOCKED, found.summary)
    assert result.metrics == {"passed": 2, "failed": 0, "untested": 1}


def test_the_end_counts_what_failed(context: StepContext, wire: dict[str, Any]) -> None:
    wire["errors"] = {"203.0.113.2": "refused"}
    found = service_tests.test_services(context, service_tests.find_tests(context))
    assert service_tests.decide(context, found).result.metrics == {"passed": 1, "failed": 1, "untested": 1}


def test_a_stack_without_services_has_passed(context: StepContext, wire: dict[str, Any]) -> None:
    with_services(context.settings)
    found = service_tests.test_services(context, service_tests.find_tests(context))
    result = service_tests.decide(context, found).result
    assert (result.outcome, result.summary) == (Outcome.PASSED, "The stack access has no service to test.")
