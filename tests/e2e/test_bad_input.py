"""What a person can get wrong, and what outside systems can: a clear line, a remedy, and nothing half done."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from desk import Desk, Ended, ask, visible_errors

from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.lab.process import give_faults
from runbook_lib.models.base import Outcome

NO_CREDENTIALS = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ""),
    **dict.fromkeys(("HOME", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"), "/nowhere"),
}


def assert_refused(ended: Ended, desk: Desk, error: str, hint: str) -> None:
    """Nothing was done: exit status 2, and not even a run folder."""
    assert (ended.returncode, ended.stdout) == (2, "")
    said = visible_errors(ended)
    assert re.search(error, said["error"])
    assert re.search(hint, said["hint"])
    assert not desk.store.dir.exists()


def assert_failed(ended: Ended, desk: Desk, error: str, hint: str, status: int = 3) -> None:
    """An outside system failed: exit status 3; no lock is left, and the state is as it was."""
    said = visible_errors(ended)
    assert re.search(error, said["error"]), ended.stderr
    assert re.search(hint, said["hint"]), ended.stderr
    assert ended.returncode == status
    state = ask(f"{desk.lab.gitlab_url}/lab/gitlab/states")["access"]
    assert state["lock"] is None


def fail_gitlab(lab: LabAddresses, **fault: object) -> None:
    requests.post(f"{lab.gitlab_url}/lab/gitlab/faults", json=fault, timeout=30).raise_for_status()


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["-p", "plan.lokc=true"], "unknown parameter 'lokc' of step plan; did you mean 'lock'", "Known: .*lock"),
        (["-p", "plan.lock=maybe"], "parameter 'lock' .*'maybe'", "bool"),
        (["-p", "plna.lock=true"], "plna", "plan"),
        (["-p", "lock"], "'lock' is not STEP.NAME=VALUE", "-p plan.lock=false"),
        (["pln"], "unknown step 'pln'", "Did you mean 'plan'"),
        (["--from", "aply"], "unknown step 'aply'", "Did you mean 'apply'"),
        (["plan", "--from", "apply"], "exclude each other", "Name the steps"),
        (["--stack", "acess"], "unknown stack 'acess'", "network, access"),
        (["-f", "nowhere.yml"], "nowhere.yml", "."),
    ],
)
def test_a_wrong_word_on_the_command_line_is_refused_before_a_run_is_made(
    desk: Desk, arguments: list[str], error: str, hint: str
) -> None:
    assert_refused(desk.run(*arguments), desk, error, hint)


def test_a_run_id_that_can_name_no_folder_is_refused(desk: Desk) -> None:
    ended = desk.runbook("run", "--run-id", "../elsewhere")
    assert ended.returncode == 2
    assert "'../elsewhere' can't name a folder" in visible_errors(ended)["error"]
    assert not (desk.outputs.parent / "elsewhere").exists()


def test_a_step_of_a_run_that_was_never_begun_says_which_step_comes_first(desk: Desk) -> None:
    ended = desk.runbook("run", "apply")
    assert ended.returncode == 2
    assert visible_errors(ended)["error"] == "there is no run of stack access yet"


@pytest.mark.parametrize(
    ("old", "new", "error", "hint"),
    [
        ("quorum: 1", "quorum: none", r"runbook\.yml, line \d+: approval\.quorum: ", "."),
        ("quorum: 1", "qorum: 1", r"runbook\.yml, line \d+: approval\.qorum", "quorum"),
        ("version: 1", "version: [1", r"runbook\.yml, line \d+", "."),
        ("default_stack: access", "default_stack: acess", r"runbook\.yml, line \d+: .*acess", "."),
        ("expires_after: 4h", "expires_after: soon", r"runbook\.yml, line \d+: approval\.expires_after", "."),
    ],
)
def test_a_runbook_yml_that_can_not_be_read_names_line_and_field(
    desk: Desk, old: str, new: str, error: str, hint: str
) -> None:
    desk.edit("runbook.yml", old, new)
    line = next(n for n, text in enumerate((desk.root / "runbook.yml").read_text().splitlines(), 1) if new in text)
    ended = desk.run("compliance")
    assert_refused(ended, desk, error, hint)
    if "default_stack" not in new and "[" not in new:
        assert f"line {line}:" in ended.stderr


def test_without_a_runbook_yml_it_says_where_it_looked(desk: Desk, tmp_path: Path) -> None:
    ended = desk.run("compliance", RUNBOOK_ROOT=str(tmp_path))
    assert_refused(ended, desk, "runbook.yml", ".")


def old_terraform(folder: Path) -> str:
    path = folder / "terraform"
    path.write_text("""#!/bin/sh\necho '{"terraform_version": "1.3.9"}'\n""")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("binary", "error", "status"),
    [
        (lambda folder: str(folder / "nowhere"), "the Terraform binary .* is not there", 2),
        (old_terraform, r"Terraform 1\.3\.9 is too old: 1\.5\.0 or later", 3),
    ],
)
def test_terraform_missing_or_too_old_is_said_by_the_first_step(
    desk: Desk, tmp_path: Path, binary: Callable[[Path], str], error: str, status: int
) -> None:
    ended = desk.run(RUNBOOK_TERRAFORM=binary(tmp_path))
    assert_failed(ended, desk, error, "RUNBOOK_TERRAFORM", status)
    assert desk.outcomes() == {"compliance": Outcome.ERRORED}
    assert re.search(error, desk.result("compliance").summary)


def test_a_provider_that_no_mirror_has_and_no_registry_gives_is_an_error(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mirror/registry.terraform.io").mkdir(parents=True)
    nobody = "http://127.0.0.1:1"
    ended = desk.run(
        "compliance", RUNBOOK_PROVIDER_MIRROR=str(tmp_path / "mirror"), HTTPS_PROXY=nobody, https_proxy=nobody
    )
    assert_failed(ended, desk, "hashicorp/aws", "RUNBOOK_PROVIDER_MIRROR")


def test_a_missing_variable_is_named_with_where_to_give_it(desk: Desk) -> None:
    (desk.root / "terraform/access/rules.auto.tfvars").unlink()
    ended = desk.run("plan")
    assert ended.returncode == 2
    assert "rules" in visible_errors(ended)["error"]
    assert "tfvars" in visible_errors(ended)["hint"]
    assert not desk.store.exists("02_plan/plan.tfplan")


def test_a_locked_state_names_who_holds_it_and_since_when(desk: Desk) -> None:
    desk.edit("runbook.yml", 'minimum: "1.5.0"', 'minimum: "1.5.0"\n  lock_timeout: 0s')
    url = f"{desk.lab.gitlab_api}/projects/42/terraform/state/access/lock"
    fields = ("ID", "Operation", "Info", "Who", "Version", "Created", "Path")
    lock = dict.fromkeys(fields, "") | {"ID": "a1"}
    sam = ("sam", desk.lab.credentials.gitlab["sam"])
    requests.post(url, auth=sam, json=lock, timeout=30).raise_for_status()
    ended = desk.run("plan")
    assert ended.returncode == 3
    assert re.search(
        r"the state access is locked by sam since \d{4}-\d\d-\d\d \d\d:\d\d UTC", visible_errors(ended)["error"]
    )
    assert "runbook state unlock --stack access" in visible_errors(ended)["hint"]
    assert ask(f"{desk.lab.gitlab_url}/lab/gitlab/states")["access"]["lock"]["Who"] == "sam"


@pytest.mark.parametrize(
    ("variables", "error", "hint"),
    [
        ({}, "DescribeNetworkInterfaces", "ec2:DescribeNetworkInterfaces"),
        (NO_CREDENTIALS, "[Cc]redentials", "AWS_"),
    ],
)
def test_aws_that_refuses_is_an_error_of_the_step_that_asked(
    desk: Desk, variables: dict[str, str], error: str, hint: str
) -> None:
    give_faults(desk.lab, {"aws": "deny"})
    ended = desk.run("service_tests", **variables)
    assert_failed(ended, desk, error, hint)
    assert desk.outcomes() == {"service_tests": Outcome.ERRORED}


@pytest.mark.parametrize(
    ("variables", "error", "hint"),
    [
        ({"GITLAB_TOKEN": "glpat-wrong"}, "GitLab answered 401", "GITLAB_TOKEN is wrong, has expired or was revoked"),
    ],
)
def test_a_gitlab_that_refuses_ends_it_before_a_run_is_made(
    desk: Desk, variables: dict[str, str], error: str, hint: str
) -> None:
    ended = desk.run("compliance", **variables)
    assert_failed(ended, desk, error, hint)
    assert not desk.store.dir.exists()


def test_a_gitlab_that_fails_is_asked_again_before_it_is_an_error(desk: Desk) -> None:
    fail_gitlab(desk.lab, status=503, count=2)
    whole = desk.runbook("approve", "nothing")
    assert "there is no run nothing" in visible_errors(whole)["error"]
    fail_gitlab(desk.lab, status=502, count=50)
    ended = desk.run("compliance")
    assert_failed(ended, desk, "GitLab answered 502", "GitLab itself failed, also when asked again")
    assert not desk.store.dir.exists()


def test_a_state_that_gitlab_does_not_give_is_an_error_of_the_plan(desk: Desk) -> None:
    ended = desk.run("plan", TF_HTTP_PASSWORD="wrong")
    assert_failed(ended, desk, "requires auth|401", "TF_HTTP_PASSWORD")
    assert desk.outcomes() == {"plan": Outcome.ERRORED}
