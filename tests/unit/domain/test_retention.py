"""Which folders may go: those whose term is over, and none that is still needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from test_open_exposures import reckoned, row, run

from runbook_lib.domain.open_exposures import Reckoning
from runbook_lib.domain.retention import Retention, retain
from runbook_lib.models.evidence_config import RetentionConfig
from runbook_lib.models.history import RunRow

NOW = datetime(2026, 12, 31, tzinfo=UTC)
TERMS = RetentionConfig(applied=timedelta(days=30), others=timedelta(days=7), newest=1)


def ended(number: int, **changes: str) -> RunRow:
    return run(number, **({"outcome": "passed", "ended_at": f"2026-01-{number:02d}T00:00:00Z"} | changes))


def judged(runs: list[RunRow], reckoning: Reckoning | None = None, terms: RetentionConfig = TERMS) -> Retention:
    return retain(runs, terms, reckoning or Reckoning(), NOW, {"5": "it holds errored.tfstate"})


def ids(found: Retention) -> list[str]:
    return [one.run_id for one in found.go]


def test_what_is_older_than_its_term_goes_the_oldest_first() -> None:
    runs = [ended(2), ended(1), ended(3), ended(9, ended_at="2026-12-20T00:00:00Z")]
    assert ids(judged(runs)) == ["1", "2", "3"]


def test_a_folder_that_nobody_need_believe_moves_no_other_out_of_the_newest() -> None:
    runs = [ended(1), ended(2), ended(8, evidence="unsealed"), ended(9, evidence="changed")]
    found = judged(runs)
    assert ids(found) == ["1"]
    assert [one.run.run_id for one in found.kept] == ["9", "8", "2"]


def test_without_a_term_nothing_goes() -> None:
    assert judged([ended(1), ended(2)], terms=RetentionConfig(newest=1)) == Retention()
    only = RetentionConfig(others=timedelta(days=7), newest=1)
    assert ids(judged([ended(1), ended(2, applied="no"), ended(3)], terms=only)) == ["2"]


def test_a_change_that_may_have_been_applied_has_the_longer_term() -> None:
    recent = (NOW - timedelta(days=10)).isoformat()
    runs = [ended(1, applied="no", ended_at=recent), ended(2, applied="perhaps", ended_at=recent), ended(3)]
    assert ids(judged([*runs, ended(4, ended_at=NOW.isoformat())])) == ["3", "1"]


def test_the_last_proof_of_what_is_open_stays_whatever_its_age() -> None:
    runs = [ended(1), ended(2), ended(9)]
    found = judged(runs, reckoned(runs, row(1, "opened", 22)))
    assert ids(found) == ["2"]
    assert ("1", "it is the last proof of an exposure that is open") in [(k.run.run_id, k.why) for k in found.kept]


def test_what_closed_an_exposure_stays_as_long_as_what_opened_it() -> None:
    # The run that opened it is kept for another reason: without the second it would look open.
    runs = [ended(1, evidence="changed"), ended(2), ended(3), ended(9)]
    found = judged(runs, reckoned(runs, row(1, "opened", 22), row(2, "closed", 22)))
    assert ids(found) == ["3"]
    runs[0] = ended(1)
    assert ids(judged(runs, reckoned(runs, row(1, "opened", 22), row(2, "closed", 22)))) == ["1", "2", "3"]


def test_a_chain_of_closings_is_kept_to_its_end() -> None:
    runs = [ended(1, evidence="changed"), *(ended(number) for number in (2, 3, 4, 9))]
    rows = (row(1, "opened", 22), row(2, "closed", 22), row(2, "opened", 80), row(3, "closed", 80), row(4, "opened", 1))
    found = judged(runs, reckoned(runs, *rows))
    assert ids(found) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"evidence": "changed"}, "its evidence is changed"),
        ({"evidence": "unsealed"}, "its evidence is unsealed"),
        ({"evidence": "unreadable"}, "its evidence is unreadable"),
        ({"evidence": "intact"}, "its evidence is intact"),
        ({"outcome": "unfinished"}, "it has not come to its end"),
        ({"outcome": ""}, "it has not come to its end"),
    ],
)
def test_what_a_person_should_look_at_first_stays(changes: dict[str, str], why: str) -> None:
    found = judged([ended(1, **changes), ended(9)])
    assert ids(found) == []
    assert found.kept[1].why.startswith(why)


def test_the_only_copy_of_a_state_stays() -> None:
    found = judged([ended(5), ended(9)])
    assert [one.why for one in found.kept if one.run.run_id == "5"] == ["it holds errored.tfstate"]


def test_the_newest_of_each_stack_stay() -> None:
    runs = [*(ended(number) for number in range(1, 6)), ended(6, stack="billing")]
    found = judged(runs, terms=RetentionConfig(applied=timedelta(days=1), newest=2))
    assert ids(found) == ["1", "2", "3"]


def test_an_unknown_end_is_no_age() -> None:
    assert ids(judged([ended(1, ended_at=""), ended(9)])) == []


def test_a_term_is_a_time_and_at_least_one_run_is_kept() -> None:
    assert RetentionConfig.model_validate({"applied": "365d"}).applied == timedelta(days=365)
    with pytest.raises(ValidationError):
        RetentionConfig.model_validate({"newest": 0})
