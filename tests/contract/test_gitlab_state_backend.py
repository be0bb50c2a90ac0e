"""The Terraform state backend: the calls as GitLab answers them, and the real Terraform on top."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from gitlab_lab import PROJECT, RunningGitLab, running_gitlab

from runbook_lib.adapters.gitlab import state_address
from runbook_lib.lab.gitlab.config import default_config

STATE = "/api/v4/projects/42/terraform/state/access"
MAIN = 'terraform {\n  backend "http" {}\n}\nresource "terraform_data" "rule" {\n  input = "80"\n}\n'
Terraform = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningGitLab]:
    with running_gitlab(replace(default_config(), max_state_bytes=1000)) as running:
        yield running


@pytest.fixture
def lab(shared: RunningGitLab) -> RunningGitLab:
    # What is locked is not deleted.
    shared.call("DELETE", f"{STATE}/lock", "alex")
    shared.call("DELETE", STATE, "alex")
    return shared


def _lock(lock_id: str) -> dict[str, str]:
    rest = {"Info": "", "Who": "someone@host", "Version": "1.11.4", "Created": "2026-11-05T10:00:00Z", "Path": ""}
    return {"ID": lock_id, "Operation": "OperationTypeApply", **rest}


def _state(serial: int) -> dict[str, object]:
    return {"version": 4, "serial": serial, "lineage": "0e6e2f42-lineage", "resources": []}


def test_reading_goes_from_404_over_204_to_the_state(lab: RunningGitLab) -> None:
    assert lab.call("GET", STATE, "riley").status_code == 404
    lab.call("POST", f"{STATE}/lock", "alex", json=_lock("a"))
    assert lab.call("GET", STATE, "riley").status_code == 204
    assert lab.call("POST", f"{STATE}?ID=a", "alex", json=_state(1)).status_code == 200
    assert lab.call("GET", STATE, "riley").json() == _state(1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 204),
        (b"not JSON", 422),
        (b"[]", 422),
        (b'{"version": 4}', 422),
        (json.dumps(_state(1)).encode(), 200),
        (b" " * 1001, 413),
    ],
)
def test_writing_answers_by_what_is_written(lab: RunningGitLab, body: bytes, status: int) -> None:
    assert lab.call("POST", STATE, "alex", data=body).status_code == status


def test_a_serial_can_be_written_once(lab: RunningGitLab) -> None:
    assert lab.call("POST", STATE, "alex", json=_state(1)).status_code == 200
    assert lab.call("POST", STATE, "alex", json=_state(1)).status_code == 422


def test_every_version_stays_readable_by_its_serial(lab: RunningGitLab) -> None:
    for serial in (1, 2):
        lab.call("POST", STATE, "alex", json=_state(serial))
    assert lab.call("GET", f"{STATE}/versions/1", "riley").json()["serial"] == 1
    assert lab.call("GET", STATE, "riley").json()["serial"] == 2
    assert lab.call("DELETE", f"{STATE}/versions/2", "alex").status_code == 204
    assert lab.call("GET", f"{STATE}/versions/2", "riley").status_code == 404
    assert lab.call("GET", STATE, "riley").json()["serial"] == 1


def test_the_second_to_lock_is_told_who_was_first(lab: RunningGitLab) -> None:
    first = lab.call("POST", f"{STATE}/lock", "alex", json=_lock("first"))
    second = lab.call("POST", f"{STATE}/lock", "sam", json=_lock("second"))
    assert (first.status_code, second.status_code) == (200, 409)
    assert (second.json()["ID"], second.json()["Who"]) == ("first", "alex")


@pytest.mark.parametrize("query", ["", "?ID=other"])
def test_a_locked_state_takes_nothing_but_the_holders_write(lab: RunningGitLab, query: str) -> None:
    lab.call("POST", f"{STATE}/lock", "alex", json=_lock("mine"))
    assert lab.call("POST", f"{STATE}{query}", "alex", json=_state(1)).status_code == 500
    assert lab.call("POST", f"{STATE}?ID=mine", "alex", json=_state(1)).status_code == 200


def test_unlocking_asks_for_the_lock_or_for_no_id_at_all(lab: RunningGitLab) -> None:
    lab.call("POST", f"{STATE}/lock", "alex", json=_lock("mine"))
    assert lab.call("DELETE", f"{STATE}/lock", "sam", json=_lock("other")).status_code == 409
    assert lab.call("DELETE", f"{STATE}/lock?ID=other", "sam").status_code == 409
    assert lab.call("DELETE", f"{STATE}/lock", "alex", json=_lock("mine")).status_code == 200
    lab.call("POST", f"{STATE}/lock", "alex", json=_lock("again"))
    assert lab.call("DELETE", f"{STATE}/lock", "sam").status_code == 200


def test_a_lock_without_its_fields_is_refused_by_the_first_missing(lab: RunningGitLab) -> None:
    answer = lab.call("POST", f"{STATE}/lock", "alex", json={"ID": "a"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Operation is missing"})


@pytest.mark.parametrize(
    ("method", "path"), [("POST", STATE), ("DELETE", STATE), ("POST", f"{STATE}/lock"), ("DELETE", f"{STATE}/lock")]
)
def test_a_developer_reads_and_only_a_maintainer_writes_and_locks(lab: RunningGitLab, method: str, path: str) -> None:
    assert lab.call(method, path, "riley", json=_state(1)).status_code == 403


def test_a_job_token_works_by_http_basic_and_ends_with_its_job(lab: RunningGitLab) -> None:
    pipeline = lab.pipeline("alex")
    job = lab.job(pipeline, "prepare")
    basic = ("gitlab-ci-token", lab.start(job))
    assert lab.call("POST", STATE, auth=basic, json=_state(1)).status_code == 200
    # GitLab takes a job's token for the state by basic authentication alone.
    assert lab.call("GET", STATE, headers={"JOB-TOKEN": basic[1]}).status_code == 401
    lab.control(f"jobs/{job}/finish", status="success")
    assert lab.call("GET", STATE, auth=basic).status_code == 401


def test_of_many_who_lock_at_once_one_wins(lab: RunningGitLab) -> None:
    def lock(number: int) -> int:
        return lab.call("POST", f"{STATE}/lock", "alex", json=_lock(str(number))).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lock, range(24)))
    assert sorted(statuses) == [200, *[409] * 23]


@pytest.fixture
def terraform(shared: RunningGitLab, tmp_path: Path) -> Terraform:
    binary = shutil.which("terraform") or shutil.which("tofu")
    assert binary, "Terraform or OpenTofu must be on PATH"
    requests.delete(f"{shared.url}{STATE}/lock", headers={"PRIVATE-TOKEN": shared.token("alex")}, timeout=60)
    requests.delete(f"{shared.url}{STATE}", headers={"PRIVATE-TOKEN": shared.token("alex")}, timeout=60)

    def run(*arguments: str, user: str = "alex", folder: str = "a") -> subprocess.CompletedProcess[str]:
        directory = tmp_path / folder
        directory.mkdir(exist_ok=True)
        (directory / "main.tf").write_text(MAIN)
        (tmp_path / "cli.tfrc").write_text("")
        environment = {
            **os.environ,
            **state_address(f"{shared.url}/api/v4", PROJECT, "access"),
            "TF_HTTP_USERNAME": user,
            "TF_HTTP_PASSWORD": shared.token(user),
            "TF_HTTP_RETRY_MAX": "0",
            "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.tfrc"),
            "CHECKPOINT_DISABLE": "1",
        }
        command = [binary, *arguments, "-no-color"]
        return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)

    assert run("init").returncode == 0
    return run


def test_terraform_applies_through_the_backend_and_plans_clean(lab: RunningGitLab, terraform: Terraform) -> None:
    assert terraform("apply", "-auto-approve").returncode == 0
    assert terraform("plan", "-detailed-exitcode").returncode == 0
    state = json.loads(lab.client("riley").state("access") or b"")
    assert (state["serial"], state["resources"][0]["type"]) == (1, "terraform_data")
    assert lab.client("riley").state_lock("access") is None


def test_terraform_stops_at_a_held_lock_until_it_is_forced(lab: RunningGitLab, terraform: Terraform) -> None:
    lab.call("POST", f"{STATE}/lock", "sam", json=_lock("held-by-sam"))
    stopped = terraform("apply", "-auto-approve")
    assert stopped.returncode == 1
    assert "already locked: ID=held-by-sam" in stopped.stderr
    holder = lab.client("riley").state_lock("access")
    assert holder is not None
    assert holder.user == "sam"
    assert terraform("force-unlock", "-force", "held-by-sam").returncode == 0
    assert terraform("apply", "-auto-approve").returncode == 0


def test_of_two_terraforms_at_once_one_applies_and_neither_breaks_the_state(
    lab: RunningGitLab, terraform: Terraform
) -> None:
    assert terraform("init", folder="b").returncode == 0
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda folder: terraform("apply", "-auto-approve", folder=folder), ("a", "b")))
    failures = [run.stderr for run in done if run.returncode]
    assert len(failures) < 2
    assert all("Error acquiring the state lock" in text for text in failures)
    assert terraform("plan", "-detailed-exitcode").returncode == 0
    assert lab.client("riley").state_lock("access") is None


def test_a_developers_terraform_plans_without_a_lock_and_not_with_one(lab: RunningGitLab, terraform: Terraform) -> None:
    assert terraform("apply", "-auto-approve").returncode == 0
    assert terraform("plan", "-lock=false", user="riley").returncode == 0
    refused = terraform("plan", user="riley")
    assert refused.returncode == 1
    assert "invalid auth" in refused.stderr


def test_a_plan_made_before_another_apply_is_stale(lab: RunningGitLab, terraform: Terraform) -> None:
    assert terraform("plan", "-out=plan.tfplan").returncode == 0
    assert terraform("init", folder="b").returncode == 0
    assert terraform("apply", "-auto-approve", folder="b").returncode == 0
    stale = terraform("apply", "plan.tfplan")
    assert stale.returncode == 1
    assert "stale" in stale.stderr
