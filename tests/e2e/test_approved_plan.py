"""From an approved plan to its apply: what keeps it from being applied, and what happens when that is interrupted."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from base import Base
from desk import Desk, Ended, ask, eventually, slack_threads, visible_errors

from runbook_lib.errors import TerraformError
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.models.base import Outcome
from runbook_lib.runner.evidence import prove_folder
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client
from runbook_lib.workspace.records import plan_file, read_request

NOT_WAITING = ("-p", "approval.wait=false")


@pytest.fixture(scope="module")
def original(session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A run by hand whose plan is made, shown and approved by alex."""
    session_base.restore()
    desk = Desk(session_base.lab, settings, tmp_path_factory.mktemp("original"))
    desk.commit = desk.repository.commit_change(None)
    asked = desk.run("compliance", "plan", "approval", *NOT_WAITING)
    assert asked.returncode == 0, asked.stderr
    answered = desk.runbook("approve", desk.run_id, user="alex")
    assert answered.returncode == 0, answered.stderr
    return desk


@pytest.fixture(scope="module")
def plan_made(original: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Another run of the same commit, whose plan nobody has seen."""
    desk = replace(original, outputs=tmp_path_factory.mktemp("plan_made"), run_id="unseen")
    desk.repository.check_out(desk.commit)
    made = desk.run("compliance", "plan")
    assert made.returncode == 0, made.stderr
    return desk


@pytest.fixture
def unseen(plan_made: Desk, lab: LabAddresses, tmp_path: Path) -> Desk:
    """A copy of the run whose plan nobody has seen, for a test alone."""
    return copied(plan_made, tmp_path)


@pytest.fixture
def desk(original: Desk, lab: LabAddresses, tmp_path: Path) -> Desk:
    """A copy of the approved run, on a working copy with the change, for a test alone."""
    return copied(original, tmp_path)


def copied(desk: Desk, folder: Path) -> Desk:
    shutil.copytree(desk.outputs, folder / "outputs")
    copy = replace(desk, outputs=folder / "outputs")
    copy.repository.check_out(copy.commit)
    return copy


def fresh(original: Desk, run_id: str) -> Desk:
    """Another run, on the state as it is now, approved as well."""
    desk = replace(original, run_id=run_id)
    desk.commit = desk.repository.commit_change(None)
    assert desk.run("plan", "approval", *NOT_WAITING).returncode == 0
    assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
    return desk


def states(desk: Desk) -> dict[str, Any]:
    return dict(ask(f"{desk.lab.gitlab_url}/lab/gitlab/states")["access"])


def do(desk: Desk, arguments: list[str], answer: str = "", user: str = "riley") -> Ended:
    """Run a printed command, with this answer to its question."""
    with desk.start(*arguments, *(["--yes"] if not answer else []), user=user) as process:
        out, err = process.communicate(timeout=120)
    return Ended(arguments, process.returncode, out, err)


def kill_terraform(desk: Desk) -> None:
    for process in psutil.process_iter(["name", "cwd"]):
        if "terraform" in process.info["name"] and str(process.info["cwd"]).startswith(str(desk.root)):
            process.kill()


def hint_of(ended: Ended, command: str) -> list[str]:
    found = re.search(rf"`runbook ({command}[^`]*)`", ended.stdout + ended.stderr)
    assert found, ended.stdout + ended.stderr
    return shlex.split(found[1])


def state_serial(desk: Desk) -> int:
    return int(states(desk)["serials"][-1])


def lock_of(desk: Desk) -> dict[str, str] | None:
    found: dict[str, str] | None = states(desk)["lock"]
    return found


def terraform_processes(desk: Desk) -> Iterator[int]:
    for process in psutil.process_iter(["name", "cwd", "status"]):
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if alive and "terraform" in process.info["name"] and str(process.info["cwd"]).startswith(str(desk.root)):
            yield process.pid


def assert_blocked(desk: Desk, reason: str) -> None:
    """Apply is refused for this reason, and nothing was done."""
    before = state_serial(desk)
    ended = desk.run("apply")
    assert ended.returncode == 1
    assert reason in visible_errors(ended)["error"]
    assert desk.result("apply").outcome is Outcome.BLOCKED
    assert not desk.store.exists("04_apply/apply.jsonl")
    assert state_serial(desk) == before


def test_a_plan_made_again_after_the_approval_is_not_applied(desk: Desk) -> None:
    approved = read_request(desk.store).plan_sha256
    assert desk.run("plan").returncode == 0
    assert desk.result("plan").metrics["plan_sha256"] != approved
    assert_blocked(desk, "The plan file is not the one that was shown to the approvers.")


def test_a_plan_file_that_was_changed_is_not_applied(desk: Desk) -> None:
    path = desk.store.path(plan_file(desk.store))
    path.write_bytes(path.read_bytes() + b"\n")
    serial, ended = state_serial(desk), desk.run("apply")
    assert ended.returncode == 1
    assert "apply was not begun: 02_plan/plan.tfplan was changed" in visible_errors(ended)["error"]
    assert not desk.store.exists("04_apply/result.json")
    assert state_serial(desk) == serial
    assert not prove_folder(desk.store.dir).valid


def test_who_is_no_approver_is_told_so(desk: Desk) -> None:
    other = desk.runbook("approve", desk.run_id, user="terraform-bot")
    assert other.returncode == 1
    assert "terraform-bot is no approver" in visible_errors(other)["error"]


def test_an_approval_that_expired_in_the_meantime_does_not_count(desk: Desk) -> None:
    ask(f"{desk.lab.gitlab_url}/lab/gitlab/clock", "POST", {"ahead_seconds": 4 * 3600})
    assert_blocked(desk, "The request expired at")
    decision = json.loads(desk.store.read_text("04_apply/decision.json"))
    assert not decision["approved"]
    assert "alex" in [found["user"] for found in decision["decisions"]]


def test_a_request_that_nobody_answers_ends_the_run_when_it_expires(unseen: Desk) -> None:
    desk = unseen
    desk.edit("runbook.yml", "expires_after: 4h", "expires_after: 1s")
    ended = desk.runbook("run", "--from", "approval", "--run-id", desk.run_id)
    assert ended.returncode == 1
    assert "The request expired at" in visible_errors(ended)["error"]
    assert desk.outcomes() == {"compliance": "passed", "plan": "passed", "approval": "blocked"}


def test_a_state_that_moved_since_the_plan_keeps_it_from_being_applied(desk: Desk) -> None:
    url = f"{desk.lab.gitlab_api}/projects/42/terraform/state/access"
    bot = ("terraform-bot", desk.lab.credentials.gitlab["terraform-bot"])
    document = requests.get(url, auth=bot, timeout=30).json()
    document["serial"] += 1
    requests.post(url, auth=bot, json=document, timeout=30).raise_for_status()
    try:
        assert_blocked(desk, f"The state changed since the plan: serial {document['serial']}")
    finally:
        requests.delete(f"{url}/versions/{document['serial']}", auth=bot, timeout=30).raise_for_status()


@pytest.mark.parametrize(
    ("variables", "fault", "reason"),
    [
        ({"SLACK_CHANNEL": "#nowhere"}, None, "there is no channel #nowhere for this token (channel_not_found)"),
        ({}, {"method": "chat.postMessage", "status": 429, "retry_after": 3600, "times": 9}, "Slack asks to wait"),
    ],
)
def test_a_request_that_slack_does_not_take_is_an_error_and_goes_out_when_it_does(
    unseen: Desk, variables: dict[str, str], fault: dict[str, object] | None, reason: str
) -> None:
    desk = unseen
    if fault:
        ask(f"{desk.lab.slack_url}/lab/slack/faults", "POST", fault)
    ended = desk.run("approval", *NOT_WAITING, **variables)
    assert ended.returncode == 3
    assert (
        f"the approval request reached nobody: Slack: {reason}".replace("Slack: Slack", "Slack")
        in (visible_errors(ended)["error"])
    )
    assert list(desk.store.dir.glob("outbox/*request*.json"))
    if fault:
        requests.delete(f"{desk.lab.slack_url}/lab/slack/faults", timeout=30).raise_for_status()
    assert desk.run("approval", *NOT_WAITING).returncode == 0
    assert list(desk.store.dir.glob("outbox/*.json")) == []


def test_resuming_repeats_no_step_whose_inputs_are_the_same_and_every_other(desk: Desk) -> None:
    steps = ("compliance", "plan", "approval")
    before = [desk.result(step) for step in steps]
    ended = desk.run(*steps, "--resume", *NOT_WAITING)
    assert ended.returncode == 0
    assert [ended.stderr.count(f"{step} │ {word}") for step in steps for word in ("started", "WARNED", "PASSED")] == [
        0, 0, 1, 0, 0, 1, 0, 0, 1,
    ]  # fmt: skip
    assert [desk.result(step) for step in steps] == before
    desk.edit("terraform/access/rules.auto.tfvars", "Visitors of the web front", "Visitors")
    assert desk.run("compliance", "--resume").returncode == 0
    assert desk.result("compliance").started_at > before[0].started_at


def test_a_plan_that_is_stopped_by_a_signal_gives_the_lock_back_and_leaves_evidence(desk: Desk) -> None:
    before = [each["text"] for each in slack_threads(desk.lab)]
    process = desk.start("run", "plan", "--run-id", desk.run_id)
    eventually(lambda: lock_of(desk), "Terraform takes the lock")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert "error: step plan interrupted" in err
    assert (lock_of(desk), list(terraform_processes(desk))) == (None, [])
    assert desk.result("plan").outcome is Outcome.INTERRUPTED
    assert prove_folder(desk.store.dir).valid
    after = [each["text"] for each in slack_threads(desk.lab)]
    (told,) = [text for was, text in zip(before, after, strict=True) if was != text]
    assert "interrupted at plan" in told


def test_an_approved_plan_is_applied_once(lab: LabAddresses, original: Desk) -> None:
    desk = fresh(original, "applied")
    assert desk.run("apply").returncode == 0
    result, serial = desk.result("apply"), state_serial(desk)
    assert result.metrics.items() >= {"approved": True, "added": 1, "changed": 0, "destroyed": 1}.items()
    resumed = desk.run("apply", "--resume")
    assert resumed.returncode == 0
    assert "apply │ started" not in resumed.stderr
    assert desk.result("apply") == result
    again = desk.run("apply")
    assert again.returncode == 1
    assert "an approval is used once" in visible_errors(again)["error"]
    assert desk.result("apply") == result
    assert state_serial(desk) == serial
    assert prove_folder(desk.store.dir).valid


def test_a_state_that_can_not_be_uploaded_after_apply_is_kept_and_the_printed_command_pushes_it(
    lab: LabAddresses, original: Desk
) -> None:
    desk = fresh(original, "upload")
    before = states(desk)["serials"]
    # The lock is a POST as well: only the state's own address fails.
    fault = {"method": "POST", "path": "terraform/state/access$", "status": 403, "count": 99}
    ask(f"{lab.gitlab_url}/lab/gitlab/faults", "POST", fault)
    ended = desk.run("apply")
    requests.delete(f"{lab.gitlab_url}/lab/gitlab/faults", timeout=30).raise_for_status()
    assert ended.returncode == 3
    assert "Failed to save state" in visible_errors(ended)["error"]
    assert "errored.tfstate" in visible_errors(ended)["hint"]
    left = json.loads(desk.store.read_text("04_apply/errored.tfstate"))
    assert left["serial"] > state_serial(desk)
    assert states(desk)["serials"] == before
    assert prove_folder(desk.store.dir).valid
    pushed = do(desk, hint_of(ended, "state push"))
    assert pushed.returncode == 0, pushed.stderr
    assert len(states(desk)["serials"]) > len(before)
    assert desk.runbook("verify", "--stack", "access").returncode == 0


def test_an_apply_whose_run_is_killed_is_finished_by_terraform_and_never_repeated(
    lab: LabAddresses, original: Desk
) -> None:
    desk = fresh(original, "killed")
    serial = state_serial(desk)
    process = desk.start("run", "apply", "--run-id", desk.run_id)
    eventually(lambda: lock_of(desk), "Terraform takes the lock")
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: not lock_of(desk), "Terraform ends by itself and gives the lock back")
    assert state_serial(desk) > serial
    resumed = desk.runbook("run", "--from", "apply", "--resume", "--run-id", desk.run_id)
    assert resumed.returncode == 1
    assert "an approval is used once" in visible_errors(resumed)["error"]
    # Resumed from its beginning it is another run, which says what was half done and plans what is left: nothing.
    ended = desk.runbook("run", "--resume", "--run-id", desk.run_id)
    assert ended.returncode == 0, ended.stderr
    anew = re.search(
        rf"{desk.run_id}: its apply began and did not end well .* Run (\S+) plans what is left", ended.stderr
    )
    assert anew, ended.stderr
    after = replace(desk, run_id=anew[1])
    summary = after.result("plan").summary
    assert "Plan: nothing to change. Nobody is asked, and nothing is applied." in summary
    assert f"The apply of run {desk.run_id} was ended from outside, and until then: " in summary
    assert list(after.outcomes()) == ["compliance", "plan"]
    # Each by itself, as the jobs of a pipeline are.
    for step in ("approval", "apply"):
        assert after.run(step).returncode == 0
        assert not after.store.exists(after.store.file(step, "result.json"))
    assert prove_folder(after.store.dir).valid


def test_the_lock_of_a_killed_apply_is_named_and_the_printed_command_takes_it_away(
    lab: LabAddresses, original: Desk
) -> None:
    desk = fresh(original, "locked")
    running = desk.start("run", "apply", "--run-id", desk.run_id)
    eventually(lambda: states(desk)["lock"], "the apply holds the lock")
    held = dict(states(desk)["lock"])
    while_alive = do(desk, ["state", "unlock", "--stack", "access"])
    assert while_alive.returncode == 2
    assert f"run {desk.run_id} of access is being carried out here" in while_alive.stderr
    os.kill(running.pid, signal.SIGSTOP)
    kill_terraform(desk)
    running.kill()
    running.communicate()
    kill_terraform(desk)
    again = desk.runbook("run", "plan", "--run-id", "again", RUNBOOK_PARAM_PLAN_LOCK="true")
    assert again.returncode == 3
    assert f"locked by {held['Who']}" in again.stdout + again.stderr
    command = hint_of(again, "state unlock")
    assert command == ["state", "unlock", "--stack", "access", held["ID"]]
    wrong = do(desk, ["state", "unlock", "--stack", "access", "another"])
    assert (wrong.returncode, states(desk)["lock"] is None) == (2, False)
    assert f"that is {held['ID']}, of {held['Who']}" in wrong.stderr
    done = do(desk, command)
    assert (done.returncode, states(desk)["lock"]) == (0, None), done.stderr
    assert f"locked by {held['Who']} since" in done.stderr
    assert desk.runbook("run", "plan", "--run-id", "again").returncode == 0


def test_a_plan_that_another_apply_made_stale_is_said_to_be_so(
    lab: LabAddresses, original: Desk, tmp_path: Path
) -> None:
    desk = original
    desk.repository.check_out(desk.commit)
    with desk.inside():
        settings = Settings.load()
        terraform = terraform_client(settings, "access")
        terraform.plan(tmp_path / "one")
        terraform.run("apply", "-input=false", str(tmp_path / "one"))
        with pytest.raises(TerraformError) as stale:
            terraform.run("apply", "-input=false", "-no-color", str(tmp_path / "one"))
    assert "Saved plan is stale" in stale.value.message
    assert "`runbook run`, or a new pipeline" in stale.value.remedy
