"""Shards made one report, and what the last runs say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook_lib.domain.service_history import merge_reports, remember, with_history
from runbook_lib.domain.services import Listed, report
from runbook_lib.errors import InputError
from runbook_lib.models.base import Outcome
from runbook_lib.models.services import ServiceHistory, ServiceReport, ServiceResult, ServiceTest

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def result(number: int, error: str = "", cause: str = "status") -> ServiceResult:
    test = ServiceTest(name="web", address=f"203.0.113.{number}", url="http://x/")
    return ServiceResult(test=test, passed=not error, error=error, cause=cause if error else "", at=NOW)


def part(which: str, *results: ServiceResult, **more: object) -> ServiceReport:
    others = () if results else (result(9).test,)
    return report(results, listed=Listed(part=which, elsewhere=others, **more))  # type: ignore[arg-type]


def test_all_shards_are_the_report_that_one_run_would_have_made() -> None:
    found = merge_reports([part("2/2", result(2, "no")), part("1/2", result(1), untested={"api": "gone"})])
    assert (found.outcome, found.part, [r.test.address for r in found.results]) == (
        "blocked", "", ["203.0.113.1", "203.0.113.2"],
    )  # fmt: skip
    assert found.summary == "1 of 2 service tests passed. web on 203.0.113.2: no; api: gone."
    assert merge_reports([part("1/1", result(1))]).outcome == "passed"


def test_what_two_shards_have_asked_has_failed_if_it_failed_in_either() -> None:
    for one, two in (("", "no"), ("no", "")):
        found = merge_reports([part("1/2", result(1, one)), part("2/2", result(1, two))])
        assert (found.outcome, [each.passed for each in found.results]) == ("blocked", [False])


def test_a_shard_without_tests_takes_nothing_from_the_others() -> None:
    assert merge_reports([part("1/2", result(1)), part("2/2")]).outcome == "passed"


def test_a_shard_that_is_missing_is_untested_and_blocks() -> None:
    found = merge_reports([part("1/3", result(1)), part("3/3", result(3))])
    assert (found.outcome, found.untested) == ("blocked", {"shard 2/3": "its results are not there"})


def test_what_a_shard_judged_against_a_baseline_holds_for_the_whole() -> None:
    before = [result(1, "no")]
    one = report([result(1, "no")], baseline=before, listed=Listed(part="1/2"))
    found = merge_reports([one, part("2/2", result(2))])
    assert (one.outcome, found.outcome, found.still_failing) == ("warned", "warned", ("web 203.0.113.1",))


def test_an_interrupted_shard_interrupts_the_whole() -> None:
    found = merge_reports([part("1/2", result(1)), part("2/2", result(2, "stopped", "interrupted"))])
    assert (found.outcome, found.complete) == ("interrupted", False)


@pytest.mark.parametrize("parts", [("1/2", "1/3"), ("", "1/2"), ("", "")])
def test_what_are_no_shards_of_one_whole_is_refused(parts: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="not the shards of one run") as caught:
        merge_reports([part(which, result(number)) for number, which in enumerate(parts)])
    assert caught.value.remedy == "Give the results.json of all its shards."


def test_a_shard_that_is_there_twice_is_refused_unless_it_says_the_same() -> None:
    failed, passed, other = part("1/2", result(1, "no")), part("1/2", result(1)), part("2/2", result(2))
    for twice in ((failed, passed), (passed, failed)):
        with pytest.raises(InputError, match="there are two different results of shard 1/2") as caught:
            merge_reports([*twice, other])
        assert caught.value.remedy == "Give those that count alone."
    assert merge_reports([failed, other, failed]).outcome == "blocked"
    assert merge_reports([passed, other, passed]).outcome == "passed"


def test_the_trend_counts_failures_and_names_what_comes_and_goes() -> None:
    history = ServiceHistory()
    for verdicts in ("", "12", "1", "12", "1"):
        found = report([result(n, "no" if str(n) in verdicts else "") for n in (1, 2, 3)])
        history = remember(history, found, NOW)
    told = with_history(found, history)
    assert (told.trend, told.flapping) == ((0, 2, 1, 2, 1), ("web 203.0.113.2",))
    assert told.summary == (
        f"{found.summary} Failures in the last 5 runs: 0, 2, 1, 2, 1. They come and go: web 203.0.113.2."
    )
    assert with_history(found, remember(ServiceHistory(), found, NOW)).summary == found.summary


def test_thirty_runs_are_remembered_and_ten_of_them_told() -> None:
    history = ServiceHistory()
    for _ in range(40):
        history = remember(history, report([result(1, "no")]), NOW)
    assert (len(history.runs), len(with_history(report([result(1)]), history).trend)) == (30, 10)


def test_what_was_not_finished_says_nothing_of_who_fails() -> None:
    assert remember(ServiceHistory(), report([result(1, "x", "deadline")]), NOW).runs[0].failing == ()


def test_whatever_the_shards_say_of_a_baseline_is_said_of_the_whole() -> None:
    none = "there is no run before"
    one = part("1/2", result(1)).model_copy(
        update={"regressions": ("b", "c"), "fixed": ("f",), "still_failing": ("s",), "still_passing": 2, "gone": ("g",),
                "unknowable": {"x": "closed"}, "outcome": "warned"}
    )  # fmt: skip
    two = part("2/2", result(2)).model_copy(
        update={"regressions": ("a", "b"), "fixed": ("e",), "still_failing": ("r",), "still_passing": 3, "gone": ("h",),
                "unknowable": {"y": "private"}, "no_baseline": none}
    )  # fmt: skip
    for shards in ([one, two], [two, one]):
        found = merge_reports(shards)
        assert found == ServiceReport(
            outcome=Outcome.WARNED, summary=found.summary, results=(result(1), result(2)), regressions=("a", "b", "c"),
            fixed=("e", "f"), still_failing=("r", "s"), still_passing=5, gone=("g", "h"),
            unknowable={"x": "closed", "y": "private"}, no_baseline=none,
        )  # fmt: skip
