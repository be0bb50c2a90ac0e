"""At a desk: what its files say of people counts for nothing, and what GitLab says of them for all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from base import Base
from desk import TIMEOUT, Desk, eventually, visible_errors

from runbook_lib.cli.demo_repository import REQUESTER
from runbook_lib.models.approval import DecisionRecord
from runbook_lib.settings import Settings
from runbook_lib.workspace.records import read_request

RUN = "of-riley"
PARTNER = """  {
    group       = "web"
    protocol    = "tcp"
    from_port   = 8443
    to_port     = 8443
    cidr_ipv4   = "10.30.0.0/16"
    description = "The test of a partner"
  },
"""


@pytest.fixture(scope="module")
def asked(session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Riley's run, asked for and answered by nobody who counts."""
    session_base.restore()
    desk = Desk(session_base.lab, settings, tmp_path_factory.mktemp("asked"), RUN)
    desk.commit = desk.repository.commit_change(None)
    ended = desk.run("compliance", "plan", "approval", "-p", "approval.wait=false")
    assert ended.returncode == 0, ended.stderr
    return desk


@pytest.fixture
def copy(asked: Desk, session_base: Base, tmp_path: Path) -> Iterator[Desk]:
    """A copy of the run folder for a test to spoil; AWS is as it was, afterwards."""
    before = session_base._described()
    shutil.copytree(asked.outputs, tmp_path / "outputs")
    made = replace(asked, outputs=tmp_path / "outputs")
    made.repository.check_out(made.commit)
    made.store.dir.joinpath("03_approval").mkdir(exist_ok=True)
    yield made
    assert session_base._described() == before


def refused(desk: Desk) -> str:
    """Why apply is refused, with the exit status of a gate that said no."""
    ended = desk.run("apply")
    assert ended.returncode == 1, ended.stderr
    assert not desk.store.exists("04_apply/apply.jsonl")
    return visible_errors(ended)["error"]


def write(desk: Desk, name: str, **changes: Any) -> None:
    """Change fields of a JSON file in the run folder."""
    path = desk.store.dir / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def api(desk: Desk, user: str, method: str, path: str, body: Any = None) -> Any:
    """Call the project's API as a user."""
    url = f"{desk.lab.gitlab_api}/projects/42/repository/commits/{read_request(desk.store).commit}/{path}"
    token = {"PRIVATE-TOKEN": desk.lab.credentials.gitlab[user]}
    answer = requests.request(method, url, json=body, headers=token, timeout=30)
    answer.raise_for_status()
    return answer.json()


def test_a_decision_file_of_somebody_else_counts_for_nothing(copy: Desk) -> None:
    digest, now = read_request(copy.store).plan_sha256, datetime.now(UTC).isoformat()
    decision = {"source": "terminal", "user": "alex", "approved": True, "at": now, "plan_sha256": digest}
    folder = copy.store.dir / "03_approval/decisions"
    folder.mkdir()
    (folder / "20261123T090000-alex.json").write_text(json.dumps(decision))
    (folder / "20261123T090001-root.json").write_text(json.dumps({**decision, "user": "local:root"}))
    refused(copy)


def test_a_comment_that_somebody_else_made_an_approval_counts_for_nothing(copy: Desk) -> None:
    request = read_request(copy.store)
    said = api(copy, "alex", "POST", "discussions", {"body": "Looks interesting."})["notes"][0]
    yes = f"runbook: approved plan {request.plan_sha256} of run {request.run_id}"
    api(copy, "sam", "PUT", f"discussions/x/notes/{said['id']}", {"body": yes})
    assert "1 approval is needed and 0 given (none). Ask: alex, sam." in refused(copy)


def test_who_asked_can_not_approve_whatever_the_files_say(copy: Desk) -> None:
    own = copy.runbook("approve", RUN)
    assert own.returncode == 1
    assert visible_errors(own) == {
        "error": "riley asked for the change: it was recorded and does not count",
        "hint": "Approvers are alex, sam.",
    }
    assert "The approval of riley does not count: riley asked for the change." in refused(copy)
    for name in ("run.json", "03_approval/request.json"):
        write(copy, name, requester="casey", author="casey")
    refused(copy)
    record = copy.store.read_model("03_approval/decision.json", DecisionRecord)
    assert (record.approved, record.approved_by) == (False, ())


def test_a_run_of_a_commit_that_was_not_pushed_can_not_be_asked_for(copy: Desk) -> None:
    desk = replace(copy, run_id="unpushed")
    identity = ("-c", "user.name=Riley", "-c", "user.email=riley@example.com")
    desk.repository._git(*identity, "commit", "--quiet", "--allow-empty", "--message", "Not pushed")
    try:
        ended = desk.run("compliance", "plan", "approval", "-p", "approval.wait=false")
    finally:
        desk.repository.push()
    assert ended.returncode == 2
    assert "GitLab does not know the commit" in visible_errors(ended)["error"]
    assert "git push" in ended.stderr


def test_where_the_terminal_is_off_no_yes_counts_that_was_given_there(copy: Desk) -> None:
    said = copy.runbook("approve", RUN, user="alex")
    assert said.returncode == 0, said.stderr
    copy.edit("runbook.yml", "  terminal: true\n", "  terminal: false\n")
    try:
        assert "0 given (none)" in refused(copy)
        later = copy.runbook("approve", RUN, user="sam")
        assert later.returncode == 1
        assert "approvals at a terminal do not count here" in visible_errors(later)["error"]
    finally:
        copy.edit("runbook.yml", "  terminal: false\n", "  terminal: true\n")


def test_the_run_that_all_this_was_tried_on_is_applied_when_an_approver_says_so(
    asked: Desk, session_base: Base
) -> None:
    # Alex said yes in the test before; a no by anybody who may would have been final.
    ended = asked.run("apply")
    assert ended.returncode == 0, ended.stderr
    record = asked.store.read_model("04_apply/decision.json", DecisionRecord)
    assert record.approved_by == ("alex",)
    counts = {one.user: one.counts for one in record.decisions}
    assert counts == {"riley": False, "alex": True}
    assert asked.result("apply").metrics["approved"]


def test_who_opened_this_is_answered_by_the_run_that_did_and_by_aws(asked: Desk, tmp_path: Path) -> None:
    assert asked.result("apply").metrics["approved"]
    told = asked.runbook("blame", "--group", "network-access-web", "--port", "80", "--format", "json")
    assert told.returncode == 0, told.stderr
    opened = json.loads(told.stdout)["found"][0]
    assert (opened["kind"], opened["run_id"], opened["live"]) == ("opened", RUN, "there")
    assert (opened["requester"], opened["approvers"], opened["commit"]) == ("riley", "alex", asked.commit)
    (listed,) = json.loads(asked.runbook("history", "--person", "alex", "--format", "json").stdout)
    assert (listed["run_id"], listed["applied"], listed["evidence"]) == (RUN, "yes", "intact")
    page = (asked.outputs / "index.html").read_text()
    assert '<td data-name="Who">the internet (0.0.0.0/0)</td>' in page
    archive = tmp_path / "run.zip"
    done = asked.runbook("evidence", "export", RUN, "-o", str(archive))
    assert done.returncode == 0, done.stderr
    verified = asked.runbook("evidence", "verify", str(archive))
    assert (verified.returncode, verified.stdout.splitlines()[0].partition(":")[0]) == (0, "INTACT, not proven")


def test_undoing_it_starts_a_run_that_no_gate_lets_by_because_of_what_it_takes_back(
    asked: Desk, session_base: Base
) -> None:
    assert asked.result("apply").metrics["approved"]
    asked.repository.check_out(asked.commit)
    for name, value in zip(("user.name", "user.email"), REQUESTER, strict=True):
        git(asked, "config", name, value)
    applied = session_base._described()
    ended = asked.runbook("undo", RUN, "--run")
    assert f"takes back what run {RUN} changed in access:\n  terraform/access/rules.auto.tfvars\n" in ended.stdout
    assert git(asked, "rev-parse", "--abbrev-ref", "HEAD") == f"undo/{RUN}"
    (made,) = asked.outputs.glob("2*Z-*")
    undoing = replace(asked, run_id=made.name)
    # Planned on the state as it is now, and judged: what was wrong before is wrong again, and its end is the run's own.
    plan = undoing.result("plan")
    assert (plan.metrics["create"], plan.metrics["delete"], ended.returncode) == (1, 1, 1), ended.stderr
    assert "(198.51.100.10) on tcp 8000" in plan.metrics["exposure"]
    assert undoing.outcomes() == {"compliance": "passed", "plan": "blocked"}
    assert session_base._described() == applied


def test_an_undo_that_closes_again_is_pushed_approved_applied_and_verified(
    asked: Desk, session_base: Base, tmp_path: Path
) -> None:
    asked.repository.check_out(asked.commit)
    asked.repository.deployed("What the run before applied")
    before = session_base._described()
    rules = asked.root / "terraform/access/rules.auto.tfvars"
    rules.write_text(f"{rules.read_text().rstrip().removesuffix(']')}{PARTNER}]\n")
    opening = replace(asked, run_id="opening", commit=asked.repository.commit_change(None))
    ended = opening.run("compliance", "plan", "approval", "-p", "approval.wait=false")
    assert (ended.returncode, opening.runbook("approve", "opening", user="alex").returncode) == (0, 0), ended.stderr
    ended = opening.run("apply")
    assert ended.returncode == 0, ended.stderr
    assert len(session_base._described()) == len(before) + 1

    origin = tmp_path / "origin.git"
    git(asked, "init", "--quiet", "--bare", str(origin))
    git(asked, "remote", "add", "origin", str(origin))
    told = f"{sys.executable} -m runbook_lib.cli lab push --dir {asked.lab.folder}"
    hook = origin / "hooks/post-receive"
    hook.write_text(f"#!/bin/sh\nunset GIT_DIR\ncd '{asked.root}' && exec {told}\n")
    hook.chmod(0o755)
    there = set(asked.outputs.iterdir())
    with asked.start("undo", "opening", "--run") as process:
        made = eventually(lambda: [p for p in set(asked.outputs.glob("2*Z-*")) - there if p.is_dir()], "the run")
        undoing = replace(asked, run_id=made[0].name)
        eventually(
            lambda: undoing.store.exists("03_approval/request.json") or process.poll() is not None, "the request"
        )
        said = undoing.runbook("approve", undoing.run_id, user="alex")
        out, err = process.communicate(timeout=TIMEOUT)
    assert (said.returncode, process.returncode) == (0, 0), said.stderr + out[-2000:] + err[-2000:]
    assert "undo/opening is checked out and pushed to origin; its run begins." in err
    assert undoing.result("apply").metrics["destroyed"] == 1
    assert undoing.outcomes()["verification"] == "passed"
    assert session_base._described().keys() == before.keys()


def git(desk: Desk, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(desk.root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
