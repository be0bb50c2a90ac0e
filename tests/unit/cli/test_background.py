"""Work in a second thread."""

from __future__ import annotations

import threading

import pytest

from runbook_lib.cli.background import Background


def test_the_end_is_told_and_the_result_waited_for() -> None:
    done: list[str] = []
    work = Background(lambda: done.append("worked"), lambda: done.append("ended"))
    work.start()
    work.result()
    assert done == ["worked", "ended"]


def test_what_the_work_raises_is_raised_by_its_result_and_the_end_told_all_the_same() -> None:
    ended = threading.Event()

    def fail() -> None:
        raise ValueError("no")

    work = Background(fail, ended.set)
    work.start()
    with pytest.raises(ValueError, match="no"):
        work.result()
    assert ended.is_set()


def test_giving_up_ends_what_the_work_waits_for_however_late_it_began_to_wait() -> None:
    calls: list[int] = []
    late = threading.Event()

    def end() -> None:
        # The first call comes too early, as if nothing had been there yet to be ended.
        calls.append(1)
        if len(calls) > 1:
            late.set()

    work = Background(lambda: late.wait(60), lambda: None)
    work.start()
    work.give_up(end)
    assert not work.is_alive()
    assert len(calls) >= 2


def test_work_that_was_given_up_before_it_began_is_never_done() -> None:
    done: list[str] = []
    work = Background(lambda: done.append("worked"), lambda: None)
    work.give_up(lambda: None)
    work.start()
    work.result()
    assert done == []
