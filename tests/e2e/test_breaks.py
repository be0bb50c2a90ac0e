"""Each way in which a run can be made to stop: its exit status, its messages, its evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from desk import slack_threads

from runbook_lib.adapters.store import RunStore
from runbook_lib.cli.demo_breaks import Break
from runbook_lib.cli.demo_story import Story
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.models.base import Outcome
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner.evidence import prove_folder
from runbook_lib.settings import Settings

NAMES = [step.name for step in BUILT_IN]


@dataclass(frozen=True)
class Stop:
    """How a broken run is to end: exit status, the step that stopped, its outcome, words of its summary."""

    status: int
    step: str
    outcome: Outcome
    words: str


STOPS = {
    Break.COMPLIANCE: Stop(1, "compliance", Outcome.BLOCKED, "blocked"),
    Break.PLAN: Stop(3, "plan", Outcome.ERRORED, "UnauthorizedOperation"),
    Break.APPROVAL: Stop(1, "approval", Outcome.BLOCKED, "alex rejected the change: Not during the sale."),
    Break.APPLY: Stop(3, "apply", Outcome.ERRORED, "1 resource was changed before it"),
    Break.VERIFICATION: Stop(1, "verification", Outcome.BLOCKED, "unmanaged"),
    Break.SERVICES: Stop(1, "service_tests", Outcome.BLOCKED, "1 of 3 service tests passed"),
}


@pytest.mark.parametrize("broken", list(Break))
def test_a_broken_run_stops_where_it_is_broken_and_says_so_to_everybody(
    broken: Break, lab: LabAddresses, settings: Settings
) -> None:
    stop, before = STOPS[broken], len(slack_threads(lab))
    story = Story(settings, keep=False, broken=broken, tell=print)
    assert story.tell_on(lab) == stop.status
    store = RunStore(settings.outputs, story.run_id)
    results = store.results()
    assert [result.step for result in results] == NAMES[: NAMES.index(stop.step) + 1]
    assert not [result for result in results[:-1] if result.outcome.stops]
    assert results[-1].outcome is stop.outcome
    assert stop.words in results[-1].summary
    (thread,) = slack_threads(lab, before)
    check_thread(thread, stop)
    check_failure(thread["replies"], stop)
    assert list(store.dir.glob("outbox/*.json")) == []
    check_evidence(store.dir, settings.outputs / f"{store.run_id}.pub")
    assert f"exit status {stop.status}" in story.summary()
    if broken is Break.APPLY:
        check_how_far(store, thread["replies"])


def check_how_far(store: RunStore, replies: list[dict[str, Any]]) -> None:
    """What became of each resource, and what to do: in the notebook, on its page, on the run's, and in the channel."""
    far = {one["status"]: one for one in store.read_json("04_apply/resources.json")}
    assert set(far) == {"failed", "done"}
    notebook = json.loads(store.read_text("04_apply/notebook.ipynb"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    shown = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    (table,) = [html for html in shown if "How far it came: 1 failed, 1 done" in html]
    pages = [store.read_text(name) for name in ("04_apply/notebook.html", "index.html")]
    for text in (table, *pages, json.dumps(replies, ensure_ascii=False)):
        # In JSON a quotation mark has a backslash, in HTML a name.
        plain = unescape(text).replace('\\"', "").replace('"', "")
        for one in far.values():
            assert one["next"] in plain
            assert one["address"].replace('"', "") in plain


def check_thread(thread: dict[str, Any], stop: Stop) -> None:
    """The board shows the end; each step that ran has replied, the last one to the channel as well, and no other."""
    ended = "rejected by alex" if stop.step == "approval" else f"{stop.outcome} at {words(stop.step)}"
    assert thread["text"].startswith(f"access: {ended} ")
    told = [
        step for reply in thread["replies"] for step in NAMES if reply["text"].startswith(f"access: {words(step)} ")
    ]
    asked = ["approval"] if "approval needed" in json.dumps(thread["replies"]) else []
    assert sorted(told) == sorted([*NAMES[: NAMES.index(stop.step) + 1], stop.step, *asked])


def words(step: str) -> str:
    return step.replace("_", " ")


def check_failure(replies: list[dict[str, Any]], stop: Stop) -> None:
    """The channel itself is told once, with the link to the pipeline."""
    (failure,) = [reply for reply in replies if "Open the pipeline" in json.dumps(reply)]
    assert failure["subtype"] == "thread_broadcast"
    assert f"{words(stop.step)} {stop.outcome}" in failure["text"]
    assert stop.words in json.dumps(failure)
    (url,) = [e["url"] for b in failure["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert "/platform/network-access/-/pipelines/" in url


def check_evidence(folder: Path, key: Path) -> None:
    """What is left is whole and signed."""
    report = prove_folder(folder, key)
    assert (report.valid, report.problems) == (True, ())
    assert report.signed_by
    assert (folder / "index.html").is_file()
