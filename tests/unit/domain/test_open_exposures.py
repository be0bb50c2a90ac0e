"""What is still open: in doubt more than less, and each with the run that proves it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.open_exposures import Reckoning, reckon
from runbook_lib.models.history import ExposureRow, RunRow

WORLD = "0.0.0.0/0"


def run(number: int, **changes: str) -> RunRow:
    """A proven run of the stack `access`, applied in the order of its number."""
    usual = {"evidence": "proven", "key": "k", "stack": "access", "applied": "yes"}
    usual |= {"applied_at": f"2026-01-{number:02d}T00:00:00Z", "approvers": "alex"}
    return RunRow(run_id=str(number), **(usual | changes))  # type: ignore[arg-type]


def row(number: int, change: str, port: int | None, last: int | None = None, **changes: object) -> ExposureRow:
    usual: dict[str, object] = {"source": WORLD, "source_kind": "internet", "target": "web", "target_kind": "group"}
    usual |= {"protocol": "tcp", "from_port": port, "to_port": last if last is not None else port}
    return ExposureRow(run_id=str(number), change=change, **(usual | changes))  # type: ignore[arg-type]


def reckoned(runs: list[RunRow], *rows: ExposureRow) -> Reckoning:
    by_run: dict[str, list[ExposureRow]] = {}
    for one in rows:
        by_run.setdefault(one.run_id, []).append(one)
    return reckon(runs, by_run)


def said(found: Reckoning) -> list[tuple[str, str, str]]:
    return [(one.run.run_id, one.who, one.ports) for one in found.still_open]


def test_what_was_opened_is_open_until_a_later_run_closes_it() -> None:
    runs = [run(1), run(2), run(3)]
    rows = (row(1, "opened", 22), row(1, "opened", 80), row(3, "closed", 22))
    assert said(reckoned(runs[:2], *rows[:2])) == [("1", WORLD, "tcp 22"), ("1", WORLD, "tcp 80")]
    found = reckoned(runs, *rows)
    assert said(found) == [("1", WORLD, "tcp 80")]
    assert found.proofs == {"1"}
    assert found.closes == {"3": {"1"}}


def test_a_part_of_a_port_range_is_closed() -> None:
    found = reckoned([run(1), run(2)], row(1, "opened", 80, 90), row(2, "closed", 83, 85))
    assert said(found) == [("1", WORLD, "tcp 80-82"), ("1", WORLD, "tcp 86-90")]


def test_what_is_opened_again_is_proven_by_the_run_that_did_so_last() -> None:
    found = reckoned([run(1), run(2)], row(1, "opened", 22), row(2, "opened", 22))
    assert said(found) == [("2", WORLD, "tcp 22")]
    assert found.still_open[0].openers == {"1", "2"}
    again = reckoned([run(1), run(2), run(3)], row(1, "opened", 22), row(2, "opened", 22), row(3, "closed", 22))
    assert again.closes == {"3": {"1", "2"}}


def test_a_run_that_nobody_need_believe_closes_nothing_and_opens_all_the_same() -> None:
    opened, closed = row(1, "opened", 22), row(2, "closed", 22)
    for changes in (
        {"evidence": "intact"},
        {"evidence": "changed"},
        {"evidence": "unsigned"},
        {"applied": "perhaps"},
        {"applied_at": ""},
    ):
        assert said(reckoned([run(1), run(2, **changes)], opened, closed)) == [("1", WORLD, "tcp 22")], changes
        assert said(reckoned([run(1, **changes)], opened)) == [("1", WORLD, "tcp 22")], changes
    # Where no key is expected, intact is all that there can be.
    assert said(reckoned([run(1), run(2, evidence="intact", key="")], opened, closed)) == []


def test_a_run_that_was_not_applied_changes_nothing() -> None:
    assert said(reckoned([run(1, applied="no")], row(1, "opened", 22))) == []
    assert said(reckoned([run(1), run(2, applied="no")], row(1, "opened", 22), row(2, "closed", 22))) == [
        ("1", WORLD, "tcp 22")
    ]


def test_a_claim_of_an_unproven_run_does_not_take_the_proof_of_a_proven_one() -> None:
    found = reckoned([run(1), run(2, evidence="changed")], row(1, "opened", 22), row(2, "opened", 22))
    assert {one.run.run_id for one in found.still_open} == {"1", "2"}


def test_order_is_that_of_apply_and_what_has_no_time_comes_last() -> None:
    early, late = run(1, applied_at="2026-05-01T00:00:00Z"), run(2, applied_at="2026-04-01T00:00:00Z")
    rows = (row(1, "opened", 22), row(2, "closed", 22))
    assert said(reckoned([early, late], *rows)) == [("1", WORLD, "tcp 22")]
    undated = run(1, applied_at="", ended_at="")
    assert said(reckoned([undated, run(2)], *rows)) == [("1", WORLD, "tcp 22")]


def test_another_stack_s_web_is_another_group() -> None:
    found = reckoned([run(1), run(2, stack="billing")], row(1, "opened", 22), row(2, "closed", 22))
    assert said(found) == [("1", WORLD, "tcp 22")]


def test_a_group_that_a_plan_made_is_the_same_one_later() -> None:
    opened = row(1, "opened", 22, source="app (new)", source_kind="group", target="web (new)")
    closed = row(2, "closed", 22, source="app", source_kind="group")
    assert said(reckoned([run(1)], opened)) == [("1", "app", "tcp 22")]
    assert said(reckoned([run(1), run(2)], opened, closed)) == []


def test_all_protocols_are_closed_one_by_one_or_together() -> None:
    opened = row(1, "opened", None, protocol="all")
    both = [run(1), run(2)]
    assert said(reckoned(both, opened, row(2, "closed", None, protocol="all"))) == []
    left = said(reckoned(both, opened, row(2, "closed", 22)))
    assert ("1", WORLD, "tcp 0-21") in left
    assert ("1", WORLD, "tcp 23-65535") in left
    assert ("1", WORLD, "all udp") in left
    numbered = row(1, "opened", None, protocol="47")
    assert said(reckoned(both, numbered, row(2, "closed", None, protocol="all"))) == []
    assert said(reckoned(both, numbered, row(2, "closed", None, protocol="other"))) == [("1", WORLD, "47")]


def test_icmp_types_are_no_ports() -> None:
    both = [run(1), run(2)]
    opened = row(1, "opened", 8, -1, protocol="icmp")
    assert said(reckoned(both, opened, row(2, "closed", 0, -1, protocol="icmp"))) == [("1", WORLD, "icmp type 8")]
    assert said(reckoned(both, opened, row(2, "closed", 8, -1, protocol="icmp"))) == []
    assert said(reckoned(both, opened, row(2, "closed", -1, -1, protocol="icmp"))) == []


def network(number: int, change: str, source: str, kind: str = "private") -> ExposureRow:
    return row(number, change, 22, source=source, source_kind=kind)


def test_a_part_of_a_network_is_closed() -> None:
    found = reckoned([run(1), run(2)], network(1, "opened", "10.0.0.0/8"), network(2, "closed", "10.128.0.0/9"))
    assert said(found) == [("1", "10.0.0.0/9 (of 10.0.0.0/8)", "tcp 22")]


def test_the_internet_that_is_closed_may_leave_a_network_in_by_another_rule() -> None:
    runs = [run(1), run(2), run(3)]
    rows = (network(1, "opened", "203.0.113.0/24", "network"), network(2, "opened", WORLD, "internet"))
    found = reckoned(runs, *rows, network(3, "closed", WORLD, "internet"))
    assert said(found) == [("1", "203.0.113.0/24", "tcp 22")]


def test_what_was_unknown_before_apply_stays_listed_as_such() -> None:
    found = reckoned([run(1)], row(1, "unknown", None, source="unknown", source_kind="unknown"))
    assert [(one.who, one.certain) for one in found.still_open] == [("unknown", False)]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 60), st.sampled_from(["proven", "changed"])),
        max_size=8,
    )
)
def test_ports_are_reckoned_as_a_set_would_be(steps: list[tuple[bool, int, int, str]]) -> None:
    runs, rows, wanted = [], [], set[int]()
    for number, (opens, one, other, evidence) in enumerate(steps, start=1):
        low, high = sorted((one, other))
        runs.append(run(number, evidence=evidence))
        rows.append(row(number, "opened" if opens else "closed", low, high))
        ports = set(range(low, high + 1))
        wanted = wanted | ports if opens else wanted - ports if evidence == "proven" else wanted
    found = reckoned(runs, *rows)
    held = [port for one in found.still_open for port in range(one.first, one.last + 1)]
    assert set(held) == wanted
    if all(evidence == "proven" for *_, evidence in steps):
        assert len(held) == len(set(held))
