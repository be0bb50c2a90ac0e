"""Each way in which a run can be made to stop: its exit status, its messages, its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from desk import slack_texts

from runbook_lib.adapters.store import RunStore
from runbook_lib.cli.demo import Break
from runbook_lib.cli.demo_story import Story
from runbook_lib.lab.world import World
from runbook_lib.models.base import Outcome, Step
from runbook_lib.settings import Settings
from runbook_lib.steps.proving import prove_folder


@dataclass(frozen=True)
class Stop:
    """How a broken run is to end: exit status, the step that stopped, its outcome, words of its summary."""

    status: int
    step: Step
    outcome: Outcome
    words: str


STOPS = {
    Break.COMPLIANCE: Stop(1, Step.COMPLIANCE, Outcome.BLOCKED, "blocked"),
    Break.PLAN: Stop(3, Step.PLAN, Outcome.ERRORED, "UnauthorizedOperation"),
    Break.APPROVAL: Stop(1, Step.APPROVAL, Outcome.BLOCKED, "alex rejected the change: Not during the sale."),
    Break.APPLY: Stop(3, Step.APPLY, Outcome.ERRORED, "1 resources were changed before it"),
    Break.VERIFICATION: Stop(1, Step.VERIFICATION, Outcome.BLOCKED, "unmanaged"),
    Break.SERVICES: Stop(1, Step.SERVICE_TESTS, Outcome.BLOCKED, "0 of 1"),
}


@pytest.mark.parametrize("broken", list(Break))
def test_a_broken_run_stops_where_it_is_broken_and_says_so_to_everybody(
    broken: Break, lab: World, settings: Settings
) -> None:
    stop, before = STOPS[broken], len(slack_texts(lab))
    story = Story(settings, keep=False, broken=broken, tell=print)
    assert story.tell_on(lab) == stop.status
    store = RunStore(settings.outputs, story.run_id)
    results = store.results()
    assert [result.step for result in results] == list(Step)[: list(Step).index(stop.step) + 1]
    assert results[-1].outcome is stop.outcome
    assert stop.words in results[-1].summary
    assert not [result for result in results[:-1] if result.outcome.stops]
    assert not (store.dir / "outbox").exists() or not list((store.dir / "outbox").glob("*.json"))
    check_messages(slack_texts(lab, before), story.run_id, stop, results[-1].summary)
    check_evidence(store.dir, settings.outputs / "demo-signing-key.pub")
    assert f"exit status {stop.status}" in story.summary()
    assert "files verify, signed by" in story.summary()


def check_messages(threads: list[str], run_id: str, stop: Stop, summary: str) -> None:
    pass


def check_evidence(folder: Path, key: Path) -> None:
    report = prove_folder(folder, key)
    assert (report.valid, report.problems) == (True, ())
    assert report.signed_by
    assert (folder / "index.html").is_file()
