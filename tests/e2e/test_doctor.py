"""`runbook doctor` on the lab: all well, and each thing that can be missing or wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import requests
from desk import Desk

from runbook_lib.lab.addresses import LabAddresses

NAMES = [
    "runbook.yml", "notebooks", "git", "policies", "signing key", "encryption", "terraform", "backend",
    "provider", "state", "gitlab", "protection", "clock", "approvers", "slack", "aws",
]  # fmt: skip


def doctor(lab: LabAddresses, user: str = "sam", **changes: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit status, and by name the level and all that is said."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RUNBOOK_", "CI_"))}
    environment = {**inherited, **lab.environment(user), "RUNBOOK_ROOT": str(lab.repository), **changes}
    command = [sys.executable, "-m", "runbook_lib.cli", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found: dict[str, tuple[str, str]] = {}
    name = ""
    for line in done.stdout.splitlines():
        if line.startswith(" "):
            found[name] = (found[name][0], f"{found[name][1]} {line.strip()}")
        else:
            name = line[9:22].strip()
            found[name] = (line[:8].strip(), line[23:])
    return done.returncode, found


pytestmark = pytest.mark.usefixtures("desk")  # the lab's repository as its requester has it


def test_all_is_well_for_a_maintainer_of_the_lab(lab: LabAddresses) -> None:
    status, found = doctor(lab)
    assert status == 0
    assert list(found) == NAMES
    assert {level for level, _ in found.values()} == {"ok", "warning"}
    assert found["gitlab"][1] == "platform/network-access as sam, Maintainer, scopes api"
    assert found["provider"][1].startswith("hashicorp/aws 5.")
    assert found["state"][1].startswith("access, serial ")
    assert "#infra-changes" in found["slack"][1]


def test_a_developer_is_told_how_to_plan(lab: LabAddresses) -> None:
    status, found = doctor(lab, "riley")
    assert status == 0
    assert found["gitlab"][0] == "warning"
    assert "plan.lock=false" in found["gitlab"][1]


def test_each_system_that_refuses_is_named_with_a_remedy(lab: LabAddresses) -> None:
    status, found = doctor(lab, SLACK_CHANNEL="#nowhere", GITLAB_TOKEN="glpat-wrong", SLACK_APP_TOKEN="")
    assert status == 3
    failed = {name: said for name, (level, said) in found.items() if level == "failed"}
    assert set(failed) == {"state", "gitlab", "clock", "approvers", "slack"}
    assert all("hint: " in said for said in failed.values())
    assert "channel_not_found" in failed["slack"]


def test_what_is_needed_and_not_there_is_exit_status_2(lab: LabAddresses, desk: Desk) -> None:
    desk.edit("runbook.yml", "project: platform/network-access", 'project: ""')
    said = dict.fromkeys(("CI_PROJECT_ID", "CI_PROJECT_PATH", "SLACK_BOT_TOKEN"), "")
    status, found = doctor(lab, **said)
    assert status == 2
    assert found["backend"][0] == "missing"
    assert found["slack"][0] == "warning"


def test_who_holds_the_lock_is_said(lab: LabAddresses) -> None:
    lock = f"{lab.gitlab_api}/projects/42/terraform/state/access/lock"
    body = dict.fromkeys(("Operation", "Info", "Version", "Path"), "") | {"ID": "1111", "Who": "alex@laptop"}
    body["Created"] = "2026-01-01T00:00:00Z"
    credentials = ("alex", lab.credentials.gitlab["alex"])
    requests.post(lock, json=body, auth=credentials, timeout=30).raise_for_status()
    status, found = doctor(lab)
    assert status == 0
    assert found["state"][0] == "warning"
    assert "locked by alex since" in found["state"][1]
