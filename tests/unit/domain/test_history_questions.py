"""Questions across runs, on rows as the index has them."""

from __future__ import annotations

import pytest

from runbook_lib.domain.history import (
    Filters,
    OpenWaiver,
    drift_by_stack,
    ended,
    flapping,
    lead_times,
    newest_first,
    open_waivers,
    seconds_between,
    why_stopped,
    worst,
)
from runbook_lib.models.base import Outcome
from runbook_lib.models.history import FindingRow, RunRow, ServiceRow


def run(number: int, **changes: object) -> RunRow:
    usual: dict[str, object] = {
        "evidence": "proven",
        "stack": "access",
        "created_at": f"2026-01-{number:02d}T00:00:00Z",
    }
    return RunRow(run_id=str(number), **(usual | changes))  # type: ignore[arg-type]


def finding(number: int, policy: str = "ssh", **changes: str) -> FindingRow:
    usual = {"step": "plan", "verdict": "failed", "severity": "high", "action": "block", "address": "a", "message": "m"}
    return FindingRow(run_id=str(number), policy=policy, **(usual | changes))


def service(number: int, passed: bool, address: str = "198.51.100.7") -> ServiceRow:
    return ServiceRow(str(number), "web", address, f"http://{address}/", int(passed))


@pytest.mark.parametrize(
    ("outcomes", "gravest"),
    [
        ((), None),
        (("passed", "skipped"), "passed"),
        (("passed", "warned"), "warned"),
        (("warned", "blocked", "passed"), "blocked"),
        (("blocked", "errored"), "errored"),
        (("interrupted", "errored"), "interrupted"),
    ],
)
def test_the_gravest_outcome_is_the_run_s(outcomes: tuple[str, ...], gravest: str | None) -> None:
    assert worst(map(Outcome, outcomes)) == gravest


def test_times_in_the_wrong_order_are_no_duration() -> None:
    assert seconds_between("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z") == 60
    assert seconds_between("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z") == 0
    assert seconds_between("2026-01-01T00:01:00Z", "2026-01-01T00:00:00Z") is None
    assert seconds_between("", "2026-01-01T00:00:00Z") is None
    assert seconds_between("2026-01-01T00:00:00Z", "") is None


def test_a_person_is_who_asked_wrote_or_approved_whatever_the_case() -> None:
    found = run(1, requester="riley", author="local:kim", approvers="alex, sam")
    for name in ("riley", "RILEY", "kim", "local:kim", "alex", "Sam"):
        assert Filters(person=name).keeps(found), name
    for name in ("ril", "alex, sam", "nobody"):
        assert not Filters(person=name).keeps(found), name
    assert Filters().keeps(found)


FIRST = run(5, outcome="blocked", runbook="apply", risk="high", requester="kim")


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({"stack": "access"}, True),
        ({"stack": "acces"}, False),
        ({"outcome": "blocked"}, True),
        ({"outcome": "passed"}, False),
        ({"runbook": "apply"}, True),
        ({"runbook": "verify"}, False),
        ({"risk": "high"}, True),
        ({"risk": "low"}, False),
        # All that is asked must be so.
        ({"stack": "access", "risk": "high", "person": "kim", "since": "2026-01-05"}, True),
        ({"stack": "access", "risk": "low"}, False),
        ({"stack": "access", "person": "sam"}, False),
        ({"stack": "billing", "person": "kim"}, False),
        ({"since": "2026-01-05T00:00:00Z"}, True),
        ({"since": "2026-01-05T00:00:01Z"}, False),
        ({"since": "2026-01-06", "person": "kim"}, False),
    ],
)
def test_a_run_is_meant_if_all_that_is_asked_is_so_of_it(wanted: dict[str, str], kept: bool) -> None:
    assert Filters(**wanted).keeps(FIRST) is kept


def test_a_run_whose_beginning_is_not_known_is_of_the_time_of_its_end() -> None:
    late = run(1, created_at="", ended_at="2026-01-03T12:00:00Z")
    assert Filters(since="2026-01-03").keeps(late)
    assert not Filters(since="2026-01-04").keeps(late)
    assert [one.run_id for one in newest_first([run(3), late, run(4)])] == ["4", "1", "3"]
    # Of one time, the order is by their ids.
    same = [run(number, created_at="2026-01-01T00:00:00Z") for number in (2, 3, 1)]
    assert [one.run_id for one in newest_first(same)] == ["3", "2", "1"]


def test_runs_come_newest_first_and_those_without_a_time_last() -> None:
    runs = [run(1), run(3), run(2), run(9, created_at="", ended_at="")]
    assert [one.run_id for one in newest_first(runs)] == ["3", "2", "1", "9"]


def test_lead_times_are_in_order_with_their_median() -> None:
    runs = [run(2, lead_seconds=60.0), run(1, lead_seconds=20.0), run(3, lead_seconds=None), run(4, lead_seconds=30.0)]
    found = lead_times(runs)
    assert found.runs == (
        ("2026-01-01T00:00:00Z", 20), ("2026-01-02T00:00:00Z", 60), ("2026-01-04T00:00:00Z", 30),
    )  # fmt: skip
    assert found.median == 30
    assert lead_times([]).median is None


def test_blocked_runs_are_counted_by_step_and_each_policy_once_a_run() -> None:
    runs = [run(1, outcome="blocked", stopped_by="plan"), run(2, outcome="blocked", stopped_by="approval"), run(3)]
    findings = [
        finding(1),
        finding(1, address="b"),
        finding(1, policy="s3"),
        finding(1, policy="waived", verdict="waived"),
        finding(1, policy="warns", action="warn"),
        finding(2),
        finding(3, policy="of a run that passed"),
    ]
    found = why_stopped(runs, findings)
    assert (found.runs, found.blocked) == (3, 2)
    assert found.steps == (("approval", 1), ("plan", 1))
    assert found.policies == (("ssh", 2), ("s3", 1))


def test_what_stopped_most_comes_first_and_what_nobody_knows_is_said_so() -> None:
    runs = [run(1, outcome="blocked", stopped_by="plan"), *(run(n, outcome="blocked", stopped_by="") for n in (2, 3))]
    found = why_stopped(runs, [finding(2, policy="b"), finding(1, policy="a"), finding(3, policy="c"), finding(3, "b")])
    assert (found.steps, found.policies) == ((("unknown", 2), ("plan", 1)), (("b", 2), ("a", 1), ("c", 1)))
    nothing = why_stopped([], [])
    assert (nothing.runs, nothing.blocked, nothing.steps, nothing.policies) == (0, 0, (), ())


def waived(number: int, expires: str, **changes: str) -> FindingRow:
    held = {"verdict": "waived", "waiver_owner": "sam", "waiver_reason": "why", "waiver_expires": expires}
    return finding(number, **(held | changes))


def test_open_waivers_are_those_that_the_last_run_met_and_that_have_not_ended() -> None:
    runs = [run(1), run(2), run(3, stack="billing")]
    findings = [
        waived(1, "2026-03-01", waiver_owner="old"),
        waived(2, "2026-04-01"),
        waived(1, "2026-01-31", policy="over"),
        waived(1, "2026-02-01", policy="ends today"),
        waived(3, "2026-03-15"),
    ]
    found = open_waivers(runs, findings, "2026-02-01")
    assert [(one.expires, one.stack, one.policy, one.owner, one.run_id) for one in found] == [
        ("2026-02-01", "access", "ends today", "sam", "1"),
        ("2026-03-15", "billing", "ssh", "sam", "3"),
        ("2026-04-01", "access", "ssh", "sam", "2"),
    ]


def test_a_run_that_nobody_need_believe_ends_no_waiver_of_another() -> None:
    runs = [run(1), run(2, evidence="unsealed")]
    found = open_waivers(runs, [waived(1, "2026-03-01"), waived(2, "2026-01-01")], "2026-02-01")
    assert [(one.expires, one.run_id) for one in found] == [("2026-03-01", "1")]
    found = open_waivers(runs, [waived(2, "2026-03-01")], "2026-02-01")
    assert [(one.expires, one.run_id) for one in found] == [("2026-03-01", "2")]


def test_a_service_flaps_whose_verdict_changed_more_than_once() -> None:
    runs = [run(number) for number in range(1, 5)]
    verdicts = {1: True, 2: False, 3: True, 4: True}
    services = {
        str(n): [service(n, v), service(n, n > 2, "198.51.100.8"), service(n, True, "198.51.100.9")]
        for n, v in verdicts.items()
    }
    (found,) = flapping(runs, services)
    assert (found.address, found.changes, found.failed, found.runs, found.last_passed) == (
        "198.51.100.7", 2, 1, 4, True,
    )  # fmt: skip
    assert flapping(runs, services, last=2) == []


def test_an_open_waiver_bears_all_that_was_said_of_it_and_those_of_one_day_are_in_order() -> None:
    runs = [run(1), run(2, stack="billing"), run(3)]
    findings = [waived(2, "2026-03-01"), waived(1, "2026-03-01", policy="z"), waived(1, "2026-03-01", address="b"),
                waived(1, "2026-03-01"), finding(1, policy="not waived")]  # fmt: skip
    found = open_waivers(runs, findings, "2026-02-01")
    assert [(one.stack, one.policy, one.address) for one in found] == [
        ("access", "ssh", "a"), ("access", "ssh", "b"), ("access", "z", "a"), ("billing", "ssh", "a"),
    ]  # fmt: skip
    assert found[0] == OpenWaiver("access", "ssh", "a", "sam", "why", "2026-03-01", "1")


def test_of_services_that_flap_those_that_changed_most_come_first_and_of_each_its_last_thirty_runs_count() -> None:
    def at(number: int, name: str, passed: bool) -> ServiceRow:
        return ServiceRow(str(number), name, "a", "http://a/", int(passed))

    runs = [run(n, created_at=f"2026-01-01T00:{n:02d}:00Z") for n in range(1, 34)]
    services = {
        str(n): [
            at(n, "steady", n != 33),
            at(n, "twice", n != 20),
            at(n, "often", n not in {10, 20}),
            # Of the last thirty, 4 to 33, one change alone is left.
            at(n, "long ago", n not in {2, 33}),
            at(n, "also twice", n != 20),
        ]
        for n in range(1, 34)
    }
    assert [(one.name, one.changes, one.runs, one.failed, one.last_passed) for one in flapping(runs, services)] == [
        ("often", 4, 30, 2, True), ("also twice", 2, 30, 1, True), ("twice", 2, 30, 1, True),
    ]  # fmt: skip
    # The services of one stack are no other's.
    apart = [run(1), run(2, stack="billing"), run(3)]
    assert flapping(apart, {f"{n}": [at(n, "web", n != 2)] for n in (1, 2, 3)}) == []


def test_drift_is_of_the_last_sixty_looks_that_have_a_time() -> None:
    runs = [run(n, created_at=f"2026-01-01T{n // 60:02d}:{n % 60:02d}:00Z", differences=n) for n in range(62)]
    (found,) = drift_by_stack([*runs, run(9, created_at="", differences=5)])
    assert [count for *_, count in found.looks] == list(range(2, 62))


def test_drift_is_told_by_stack_the_oldest_first() -> None:
    runs = [run(2, differences=0), run(1, differences=3), run(3), run(4, differences=1, stack="billing")]
    found = drift_by_stack(runs)
    assert [(one.stack, [count for *_, count in one.looks]) for one in found] == [("access", [3, 0]), ("billing", [1])]
    assert found[0].looks[0][:2] == ("2026-01-01T00:00:00Z", "1")
    assert len(drift_by_stack(runs, last=1)[0].looks) == 1


def test_a_run_is_at_its_end_when_every_step_has_a_result_or_one_says_so() -> None:
    from datetime import UTC, datetime

    from runbook_lib.models.results import StepResult
    from runbook_lib.models.run import Run

    now = datetime(2026, 1, 1, tzinfo=UTC)
    begun = Run(run_id="1", stack="access", created_at=now)

    def result(step: str, *, ends: bool = False) -> StepResult:
        return StepResult(
            run_id="1", step=step, stack="access", outcome=Outcome.PASSED, summary="", started_at=now, finished_at=now,
            ends=ends,
        )  # fmt: skip

    results = [result(step.name) for step in begun.steps]
    assert ended(begun, results)
    assert not ended(begun, results[:-1])
    assert ended(begun, [*results[:1], result("plan", ends=True)])
