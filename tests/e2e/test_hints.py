"""What an error tells a person to do is done, as it is printed, and helps."""

from __future__ import annotations

import os
import re
import shlex
import signal
from pathlib import Path

import psutil
import pytest
import requests
from desk import Desk, Ended, ask, eventually, visible_errors

from runbook_lib.lab.addresses import LabAddresses

NOT_WAITING = ("-p", "approval.wait=false")


def printed_command(ended: Ended, command: str) -> list[str]:
    """The arguments of the `runbook …` command that the hint names."""
    hint = visible_errors(ended)["hint"]
    found = re.search(rf"`runbook ({command}[^`]*)`", hint)
    assert found, hint
    return shlex.split(found[1])


def do(desk: Desk, arguments: list[str], answer: str = "", user: str = "riley") -> Ended:
    """Run a printed command, with this answer to its question."""
    with desk.start(*arguments, *(["--yes"] if not answer else []), user=user) as process:
        out, err = process.communicate(timeout=120)
    return Ended(arguments, process.returncode, out, err)


def approved(desk: Desk) -> None:
    asked = desk.run("compliance", "plan", "approval", *NOT_WAITING)
    assert asked.returncode == 0, asked.stderr
    answered = desk.runbook("approve", desk.run_id, user="alex")
    assert answered.returncode == 0, answered.stderr


def states(lab: LabAddresses) -> dict[str, object]:
    return dict(ask(f"{lab.gitlab_url}/lab/gitlab/states")["access"])


def kill_terraform(desk: Desk) -> None:
    for process in psutil.process_iter(["name", "cwd"]):
        if "terraform" in process.info["name"] and str(process.info["cwd"]).startswith(str(desk.root)):
            process.kill()


def test_the_lock_of_a_killed_apply_is_named_and_the_printed_command_takes_it_away(
    desk: Desk, lab: LabAddresses
) -> None:
    approved(desk)
    running = desk.start("run", "apply", "--run-id", desk.run_id)
    eventually(lambda: states(lab)["lock"], "the apply holds the lock")
    held = dict(states(lab)["lock"])  # type: ignore[call-overload]
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
    assert f"locked by {held['Who']}" in visible_errors_of(again)
    command = hint_of(again, "state unlock")
    assert command == ["state", "unlock", "--stack", "access", held["ID"]]
    wrong = do(desk, ["state", "unlock", "--stack", "access", "another"])
    assert (wrong.returncode, states(lab)["lock"] is None) == (2, False)
    assert f"that is {held['ID']}, of {held['Who']}" in wrong.stderr
    done = do(desk, command)
    assert (done.returncode, states(lab)["lock"]) == (0, None), done.stderr
    assert f"locked by {held['Who']} since" in done.stderr
    assert desk.runbook("run", "plan", "--run-id", "again").returncode == 0


def visible_errors_of(ended: Ended) -> str:
    return ended.stdout + ended.stderr


def hint_of(ended: Ended, command: str) -> list[str]:
    found = re.search(rf"`runbook ({command}[^`]*)`", ended.stdout + ended.stderr)
    assert found, ended.stdout + ended.stderr
    return shlex.split(found[1])


def test_a_state_that_could_not_be_uploaded_is_pushed_by_the_printed_command(desk: Desk, lab: LabAddresses) -> None:
    approved(desk)
    before = states(lab)["serials"]
    faults = f"{lab.gitlab_url}/lab/gitlab/faults"
    order = {"status": 403, "method": "POST", "path": "/terraform/state/access$", "count": 99}
    requests.post(faults, json=order, timeout=30).raise_for_status()
    # The lock is a POST as well: only the state's own address fails.
    failed = desk.run("apply")
    requests.delete(faults, timeout=30).raise_for_status()
    assert failed.returncode == 3, failed.stderr
    assert states(lab)["serials"] == before
    command = hint_of(failed, "state push")
    pushed = do(desk, command)
    assert pushed.returncode == 0, pushed.stderr
    assert len(states(lab)["serials"]) > len(before)  # type: ignore[arg-type]
    assert desk.runbook("verify", "--stack", "access").returncode == 0


def test_a_plan_that_another_apply_made_stale_is_said_to_be_so(desk: Desk, tmp_path: Path) -> None:
    from runbook_lib.errors import TerraformError
    from runbook_lib.settings import Settings
    from runbook_lib.workspace.clients import terraform_client

    with desk.inside():
        settings = Settings.load()
        terraform = terraform_client(settings, "access")
        terraform.plan(tmp_path / "one")
        terraform.run("apply", "-input=false", str(tmp_path / "one"))
        with pytest.raises(TerraformError) as stale:
            terraform.run("apply", "-input=false", "-no-color", str(tmp_path / "one"))
    assert "Saved plan is stale" in stale.value.message
    assert "`runbook run`, or a new pipeline" in stale.value.remedy
