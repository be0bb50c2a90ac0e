"""How `make conformance` judges what other people's tests have said."""

from __future__ import annotations

import pytest

from benchmarks.conformance import CHOICES, GROUPS, Choice, counted, judge, locked, passed

LISTED = Choice("test_cli::test_listed", "because")
BY_OPTION = Choice("test_cli::test_option", "because", {"RUNBOOK_X": "1"})
STOCK = {"test_cli::test_plain": "passed", "test_cli::test_listed": "passed", "test_cli::test_option": "passed"}
OURS = {"test_cli::test_plain": "passed", "test_cli::test_listed": "failed", "test_cli::test_option": "failed"}
OPTION = {"test_cli::test_option": "passed"}
CHOSEN = (LISTED, BY_OPTION)


def test_listed_failures_are_no_error() -> None:
    assert judge(STOCK, OURS, OPTION, CHOSEN) == []


@pytest.mark.parametrize(
    ("stock", "ours", "option", "said"),
    [
        ({}, {"test_cli::test_plain": "failed"}, {}, "test_plain: failed, and not listed"),
        ({"test_cli::test_plain": "failed"}, {"test_cli::test_plain": "failed"}, {}, "test_plain: failed, and not"),
        ({}, {"test_cli::test_plain": "skipped"}, {}, "test_plain: skipped, and not listed"),
        ({}, {"test_cli::test_listed": "passed"}, {}, "test_listed: passes, though it is listed"),
        ({}, {"test_cli::test_option": "passed"}, {}, "test_option: passes, though it is listed"),
        ({}, {}, {"test_cli::test_option": "failed"}, "test_option: does not pass with RUNBOOK_X=1 either"),
        ({"test_cli::test_more": "passed"}, {}, {}, "test_more: run with one of the two engines only"),
        ({}, {"test_cli::test_more": "passed"}, {}, "test_more: run with one of the two engines only"),
    ],
)
def test_what_differs_otherwise_is_an_error(
    stock: dict[str, str], ours: dict[str, str], option: dict[str, str], said: str
) -> None:
    wrong = judge({**STOCK, **stock}, {**OURS, **ours}, {**OPTION, **option}, CHOSEN)
    assert len(wrong) == 1
    assert said in wrong[0]


def test_listed_test_that_is_gone_is_an_error() -> None:
    ours = {test: outcome for test, outcome in OURS.items() if test != LISTED.test}
    stock = {test: outcome for test, outcome in STOCK.items() if test != LISTED.test}
    assert judge(stock, ours, OPTION, CHOSEN) == [f"{LISTED.test}: listed as a choice, and not among the tests"]


def test_both_engines_may_skip_a_test() -> None:
    skipped = {"test_cli::test_plain": "skipped"}
    assert judge({**STOCK, **skipped}, {**OURS, **skipped}, OPTION, CHOSEN) == []


def test_what_passes_by_its_option_is_counted() -> None:
    group = GROUPS[0]
    other = {"test_utils::test_other": "passed"}
    assert counted({**OURS, **other}, group) == 3
    assert passed({**OURS, **other}, OPTION, group) == 2
    assert passed(OURS, {**OPTION, LISTED.test: "failed"}, group) == 2


def test_lists_hold_together() -> None:
    modules = [module for group in GROUPS for module in group.modules]
    assert len(modules) == len(set(modules))
    assert all(choice.test.partition("::")[0].removeprefix("test_") in modules for choice in CHOICES)
    assert len({choice.test for choice in CHOICES}) == len(CHOICES)


def test_source_distribution_is_pinned_by_the_locks_hashes() -> None:
    lock = (
        "nbclient==0.11.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nnbconvert==7.0 \\\n    --hash=sha256:cc\n"
    )
    assert locked("nbclient-0.11.0", lock) == lock.partition("nbconvert")[0]
    with pytest.raises(SystemExit, match=r"does not pin nbclient 0\.12"):
        locked("nbclient-0.12", lock)
