"""The service tests' step: whom it asks, what it keeps, and what it says of services that nobody was asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.connect_to import ConnectTo
from runbook_lib.adapters.probes.run import ProbeOptions
from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.services import judge_answer, report
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import GroupReference, ServiceConfig
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource, Reachable
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.services import Member, ServiceHistory, ServiceReport, ServiceResult, ServiceTest
from runbook_lib.settings import Settings
from runbook_lib.steps import service_tests
from runbook_lib.workspace import services
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

    monkeypatch.setattr(services, "Aws", FakeAws)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers by address, an error where there is one; and how it was asked."""
    seen: dict[str, Any] = {"errors": {}}

    def run_tests(tests: Iterable[ServiceTest], judge: object, options: ProbeOptions) -> tuple[ServiceResult, ...]:
        assert judge is judge_answer
        seen["options"] = options
        given = [(test, seen["errors"].get(test.address, "")) for test in tests]
        return tuple(ServiceResult(test=test, passed=not error, error=error, at=NOW) for test, error in given)

    monkeypatch.setattr(services, "run_tests", run_tests)
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
    kept = context.store.read_model("06_service_tests/results.json", ServiceReport)
    assert kept.model_dump() == found.model_dump()
    assert "203.0.113.1" in context.store.read_text("06_service_tests/results.csv")
    junit = ElementTree.fromstring(context.store.read_text("06_service_tests/junit.xml"))
    assert (junit.get("tests"), junit.get("failures"), junit.get("errors")) == ("3", "1", "1")


def test_connections_go_where_they_are_told_and_each_answer_is_told(
    context: StepContext, wire: dict[str, Any], load: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    context.settings = with_services(load(RUNBOOK_CONNECT_TO="203.0.113.1:80:127.0.0.1:8080"), WEB)
    asked = service_tests.find_tests(context)
    (good, bad) = service_tests.ask_services(context.settings, asked).results
    options: ProbeOptions = wire["options"]
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
    asked = [service_tests.find_tests(context, f"{part}/3") for part in (1, 2, 3)]
    empty = next(one for one in asked if not one.tests)
    assert service_tests.test_services(context, empty).outcome is Outcome.SKIPPED


def test_a_service_that_nobody_was_asked_of_blocks(context: StepContext, wire: dict[str, Any]) -> None:
    found = service_tests.test_services(context, service_tests.find_tests(context))
    result = service_tests.decide(context, found).result
    assert (result.outcome, result.summary) == (Outcome.BLOCKED, found.summary)
    assert result.metrics == {"passed": 2, "failed": 0, "untested": 1}


def test_the_end_counts_what_failed(context: StepContext, wire: dict[str, Any]) -> None:
    wire["errors"] = {"203.0.113.2": "refused"}
    found = service_tests.test_services(context, service_tests.find_tests(context))
    assert service_tests.decide(context, found).result.metrics == {"passed": 1, "failed": 1, "untested": 1}


def test_the_end_counts_what_changed_since_the_baseline_and_nothing_that_did_not(context: StepContext) -> None:
    found = ServiceReport(
        outcome=Outcome.BLOCKED,
        summary="Worse.",
        regressions=("web 203.0.113.1",),
        fixed=("web 203.0.113.2", "web 203.0.113.3"),
        still_failing=("api 203.0.113.4", "api 203.0.113.5", "api 203.0.113.6"),
    )
    none = {"passed": 0, "failed": 0, "untested": 0}
    ended = service_tests.decide(context, found).result
    assert (ended.outcome, ended.summary) == (Outcome.BLOCKED, "Worse.")
    assert ended.metrics == {**none, "regressions": 1, "repaired": 2, "still_failing": 3}
    context.metrics.clear()
    same = found.model_copy(update={"regressions": (), "still_failing": ()})
    assert service_tests.decide(context, same).result.metrics == {**none, "repaired": 2}


def test_a_stack_without_services_is_held_to_what_its_change_was_tried_for(
    context: StepContext, wire: dict[str, Any]
) -> None:
    found = service_tests.test_services(context, service_tests.find_tests(context))
    with_services(context.settings)
    assert service_tests.decide(context, found).result.summary == found.summary


def interrupted_after(monkeypatch: pytest.MonkeyPatch, address: str, error: str) -> None:
    """Let whoever is asked be interrupted when this address has answered with this error."""

    def run_tests(tests: Iterable[ServiceTest], judge: object, options: ProbeOptions) -> tuple[ServiceResult, ...]:
        test = next(test for test in tests if test.address == address)
        assert options.on_interrupt is not None
        options.on_interrupt((ServiceResult(test=test, passed=False, error=error, at=NOW),))
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "run_tests", run_tests)


def failed_before(context: StepContext, wire: dict[str, Any], address: str) -> ServiceReport:
    """What was answered before the change: this address failed, and the other one did not."""
    wire["errors"] = {address: "refused"}
    return service_tests.ask_services(context.settings, service_tests.plan_tests(context.settings, "access"))


def test_what_was_answered_before_an_interrupt_is_kept_beside_the_baseline(
    context: StepContext, wire: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    context.store.write_json("04_apply/baseline.json", failed_before(context, wire, "203.0.113.1"))
    context.store.write_result(
        StepResult(
            run_id="7", step="apply", stack="access", outcome=Outcome.PASSED, summary="s", started_at=NOW,
            finished_at=NOW,
        )
    )  # fmt: skip
    interrupted_after(monkeypatch, "203.0.113.1", "refused")
    with pytest.raises(KeyboardInterrupt):
        service_tests.test_services(context, service_tests.find_tests(context, "1/1"))
    kept = context.store.read_model("06_service_tests/results.json", ServiceReport)
    assert [(one.test.address, one.before) for one in kept.results] == [("203.0.113.1", "failed")]
    assert kept.still_failing == ("web 203.0.113.1",)
    assert kept.untested == {"api": "none of the 1 members of its group has a public address"}
    assert "203.0.113.1" in context.store.read_text("06_service_tests/results.csv")
    assert "203.0.113.1" in context.store.read_text("06_service_tests/junit.xml")


def test_whoever_asks_beside_a_run_hears_of_what_was_answered_before_an_interrupt(
    context: StepContext, wire: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = failed_before(context, wire, "203.0.113.2").results
    interrupted_after(monkeypatch, "203.0.113.2", "refused")
    asked = service_tests.plan_tests(context.settings, "access", "2/2")
    heard: list[ServiceReport] = []
    with pytest.raises(KeyboardInterrupt):
        service_tests.ask_services(context.settings, asked, before, heard.append)
    (found,) = heard
    assert (found.part, found.still_failing) == ("2/2", ("web 203.0.113.2",))
    # The other shard asks the other address: it is not gone.
    assert found.gone == ()
    with pytest.raises(KeyboardInterrupt):
        service_tests.ask_services(context.settings, asked, before)


@pytest.mark.parametrize(("still_failing", "outcome"), [("warn", Outcome.WARNED), ("block", Outcome.BLOCKED)])
def test_what_failed_before_the_change_as_well_warns_unless_runbook_yml_is_strict(
    context: StepContext, wire: dict[str, Any], still_failing: str, outcome: Outcome
) -> None:
    with_services(context.settings, WEB)
    config = context.settings.config
    tests = config.service_tests.model_copy(update={"still_failing": still_failing})
    context.settings.config = config.model_copy(update={"service_tests": tests})
    context.store.write_json("04_apply/baseline.json", failed_before(context, wire, "203.0.113.1"))
    context.store.write_result(
        StepResult(
            run_id="7", step="apply", stack="access", outcome=Outcome.PASSED, summary="s", started_at=NOW,
            finished_at=NOW,
        )
    )  # fmt: skip
    assert service_tests.test_services(context, service_tests.find_tests(context)).outcome is outcome


def test_a_baseline_that_could_not_be_taken_is_told_with_its_reason(context: StepContext, wire: dict[str, Any]) -> None:
    context.store.write_result(
        StepResult(
            run_id="7", step="apply", stack="access", outcome=Outcome.PASSED, summary="s", started_at=NOW,
            finished_at=NOW, metrics={"no_baseline": "AWS said no"},
        )
    )  # fmt: skip
    found = service_tests.test_services(context, service_tests.find_tests(context))
    assert (found.no_baseline, found.still_failing) == ("AWS said no", ())


def test_the_results_of_shards_are_read_from_their_folder_and_nobody_is_asked_again(
    context: StepContext, wire: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_services(context.settings, WEB)
    wire["errors"] = {"203.0.113.2": "refused"}
    for part in ("1/2", "2/2"):
        asked = service_tests.plan_tests(context.settings, "access", part)
        path = tmp_path / "shards" / part.replace("/", "_") / "results.json"
        path.parent.mkdir(parents=True)
        path.write_text(service_tests.ask_services(context.settings, asked).model_dump_json())
    monkeypatch.delattr(services, "run_tests")
    remembered = tmp_path / "history.json"
    asked = service_tests.find_tests(context, merge=f"{tmp_path}/shards", history=f"{remembered}")
    found = service_tests.test_services(context, asked)
    assert [(one.test.address, one.passed) for one in found.results] == [("203.0.113.1", True), ("203.0.113.2", False)]
    # One run is remembered, and how many failed of it.
    assert found.trend == (1,)
    (once,) = ServiceHistory.model_validate_json(remembered.read_bytes()).runs
    assert (once.at, once.tests, once.failed, once.failing) == (NOW, 2, 1, ("web 203.0.113.2",))


def test_a_stack_without_services_has_passed(context: StepContext, wire: dict[str, Any]) -> None:
    with_services(context.settings)
    found = service_tests.test_services(context, service_tests.find_tests(context))
    result = service_tests.decide(context, found).result
    assert (result.outcome, result.summary) == (Outcome.PASSED, "The stack access has no service to test.")


def test_a_stack_without_services_has_not_passed_where_nobody_knows_what_its_change_did(context: StepContext) -> None:
    with_services(context.settings)
    found = report((), {"shard 2/2": "its results are not there"})
    assert service_tests.decide(context, found).result.outcome is Outcome.BLOCKED


@pytest.mark.parametrize(
    ("outcome", "opened"),
    [
        (Outcome.PASSED, ["opened: web (sg-web) tcp 443"]),
        (Outcome.WARNED, ["opened: web (sg-web) tcp 443"]),
        (Outcome.ERRORED, []),
        (None, []),
    ],
)
def test_what_the_change_opened_is_tried_once_it_was_applied_and_never_before(
    context: StepContext, store: RunStore, outcome: Outcome | None, opened: list[str]
) -> None:
    entry = ExposureEntry(
        source="0.0.0.0/0", source_kind=ExposureSource.INTERNET, target="web (sg-web)", target_kind="group",
        protocol="tcp", from_port=443, to_port=443, reachable=Reachable.REACHABLE,
        target_id="sg-web",
    )  # fmt: skip
    store.write_json("02_plan/exposure.json", Exposure(opened=(entry,)))
    if outcome:
        store.write_result(
            StepResult(
                run_id="7", step="apply", stack="access", outcome=outcome, summary="s", started_at=NOW, finished_at=NOW
            )
        )
    asked = service_tests.find_tests(context)
    assert list(dict.fromkeys(test.name for test in asked.tests if test.name.startswith("opened"))) == opened


def test_a_report_says_of_which_shard_it_is(context: StepContext, wire: dict[str, Any]) -> None:
    asked = service_tests.find_tests(context, "2/2")
    assert service_tests.ask_services(context.settings, asked).part == "2/2"
    assert service_tests.test_services(context, asked).part == "2/2"
