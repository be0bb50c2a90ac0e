"""A merge request is planned, noted, approved and merged: its pipeline applies without being asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from base import Base
from desk import Desk
from test_people_of_a_pipeline import Pipeline

from runbook_lib.adapters.store import RunStore
from runbook_lib.models.base import Outcome
from runbook_lib.settings import Settings


class Merged(Pipeline):
    """The pipeline of after the merge, up to its approval job; `plan` goes on from there by itself."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sha = desk.repository.commit_change(None)
        self.iid = self.tell("merge_requests", author="riley", sha=self.sha)["iid"]
        self.note()
        self.as_user("alex", "POST", f"merge_requests/{self.iid}/approve")
        self.tell(f"merge_requests/{self.iid}/merge", user="sam", method="fast_forward")
        self.id = int(self.as_user("riley", "POST", "pipeline", {"ref": "main"})["id"])
        desk.run_id = str(self.id)
        desk.store = RunStore(desk.outputs, desk.run_id)
        self.variables: dict[str, str] = {}
        for name in ("prepare", "compliance", "plan"):
            self.carry_out(name)

    def note(self) -> None:
        """What the merge request's own pipeline does: its plan, without a lock, and the note."""
        desk = self.desk
        desk.run_id = "1"
        for steps in (("compliance",), ("plan", "-p", "plan.lock=false")):
            ended = desk.run(*steps)
            assert ended.returncode == 0, ended.stderr
        ended = desk.runbook("note", "--run-id", "1", CI_PIPELINE_ID="1", CI_MERGE_REQUEST_IID=str(self.iid))
        assert ended.returncode == 0, ended.stderr

    def carry_out(self, name: str) -> None:
        with self.job(name):
            ended = self.desk.run(name, **self.variables) if name != "prepare" else None
        assert ended is None or ended.returncode == 0, ended.stderr

    def notes(self) -> list[dict[str, Any]]:
        """What stands on the merge request's page."""
        return list(self.as_user("riley", "GET", f"merge_requests/{self.iid}/notes"))


@pytest.fixture
def merged(session_base: Base, settings: Settings, tmp_path: Path) -> Merged:
    session_base.restore()
    return Merged(Desk(session_base.lab, settings, tmp_path / "outputs"))


def test_who_approved_the_merge_request_has_approved_the_plan_of_after_the_merge(merged: Merged) -> None:
    desk = merged.desk
    (note,) = merged.notes()
    fingerprint = RunStore(desk.outputs, "1").read_json("02_plan/summary.json")["fingerprint"]
    assert f"Fingerprint of the plan: `{fingerprint}`" in note["body"]
    assert desk.store.read_json("02_plan/summary.json")["fingerprint"] == fingerprint
    merged.carry_out("approval")
    assert desk.result("approval").summary.startswith("Approved by alex")
    # Who asked may play the job: it is approved already.
    merged.play("apply", "riley")
    merged.variables = merged.start("apply")
    ended = merged.apply()
    assert ended.returncode == 0, ended.stderr
    assert desk.result("apply").outcome is Outcome.PASSED
    (counted,) = [one for one in desk.store.read_json("04_apply/decision.json")["decisions"] if one["counts"]]
    assert (counted["user"], counted["source"], counted["fingerprint"]) == ("alex", "gitlab_merge_request", fingerprint)
