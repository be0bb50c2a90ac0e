"""The lab as a whole, its base built by the real Terraform."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.lab.process import give_faults

ROOT = Path(__file__).parents[2]


def runbook(lab: LabAddresses, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RUNBOOK_LAB_DIR": str(lab.folder), "RUNBOOK_ROOT": str(ROOT)}
    command = [sys.executable, "-m", "runbook_lib.cli", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def aws(lab: LabAddresses, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=lab.aws_url,
        region_name="eu-west-1",
        aws_access_key_id=lab.credentials.aws_key,
        aws_secret_access_key=lab.credentials.aws_secret,
    )


def status_of(url: str) -> int | None:
    try:
        return requests.get(url, timeout=60).status_code
    except requests.ConnectionError:
        return None


@contextmanager
def port_80_open(lab: LabAddresses) -> Iterator[None]:
    ec2 = aws(lab, "ec2")
    group = ec2.describe_security_groups(Filters=[{"Name": "tag:Role", "Values": ["web"]}])["SecurityGroups"][0]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made = ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission])
    yield
    rules = [rule["SecurityGroupRuleId"] for rule in made["SecurityGroupRules"]]
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], SecurityGroupRuleIds=rules)


def test_the_page_is_reached_only_while_port_80_is_open(lab: LabAddresses) -> None:
    seen = [status_of(lab.front_url)]
    with port_80_open(lab):
        seen.append(status_of(lab.front_url))
        picture = requests.get(f"{lab.front_url}picture.png", timeout=60)
    seen.append(status_of(lab.front_url))
    assert seen == [None, 200, None]
    assert picture.content == (ROOT / "terraform/network/picture.png").read_bytes()


def test_the_base_opens_port_8000_where_nothing_is_served(lab: LabAddresses) -> None:
    rules = aws(lab, "ec2").describe_security_group_rules()["SecurityGroupRules"]
    world_in = [r["FromPort"] for r in rules if not r["IsEgress"] and r.get("CidrIpv4") == "0.0.0.0/0"]
    assert world_in == [8000]
    places = dict(part.rsplit(":127.0.0.1:", 1) for part in lab.connect_to.split(","))
    (local,) = [port for place, port in places.items() if place.endswith(":8000")]
    assert status_of(f"http://127.0.0.1:{local}/") is None


def test_the_picture_is_for_the_front_alone(lab: LabAddresses) -> None:
    s3 = aws(lab, "s3")
    # Other tests' stacks may have buckets of their own in the same lab.
    (bucket,) = [found["Name"] for found in s3.list_buckets()["Buckets"] if "-picture-" in found["Name"]]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    front = lab.connect_to.split(":", 1)[0]
    assert f"{front}/32" in policy
    with port_80_open(lab):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy.replace(front, "192.0.2.1"))
        refused = status_of(f"{lab.front_url}picture.png")
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        assert (refused, status_of(f"{lab.front_url}picture.png")) == (502, 200)


def test_a_front_that_is_down_answers_nobody_until_it_is_healed(lab: LabAddresses) -> None:
    with port_80_open(lab):
        give_faults(lab, {"web": "down"})
        down = status_of(lab.front_url)
        give_faults(lab, {"web": None})
        assert (down, status_of(lab.front_url)) == (None, 200)


def test_both_states_are_in_gitlab_and_nobody_holds_a_lock(lab: LabAddresses) -> None:
    states = requests.get(f"{lab.gitlab_url}/lab/gitlab/states", timeout=60).json()
    assert {"network", "access"} <= states.keys()
    assert {(bool(state["serials"]), state["lock"]) for state in states.values()} == {(True, None)}


def test_the_credentials_of_the_state_are_in_no_state(lab: LabAddresses) -> None:
    for name in ("network", "access"):
        url = f"{lab.gitlab_api}/projects/42/terraform/state/{name}"
        token = lab.credentials.gitlab["terraform-bot"]
        text = requests.get(url, auth=("terraform-bot", token), timeout=60).text
        assert '"resources"' in text
        assert not [secret for secret in lab.credentials.gitlab.values() if secret in text]


def test_a_second_up_names_the_one_that_runs_and_does_nothing(lab: LabAddresses) -> None:
    done = runbook(lab, "lab", "up")
    assert done.returncode == 2
    assert f"a lab is already running in {lab.folder}: process {lab.process.pid}" in done.stderr
    assert "hint:" in done.stderr
    assert done.stdout == ""
    assert status_of(lab.slack_url) == 200


def test_status_shows_every_address(lab: LabAddresses) -> None:
    done = runbook(lab, "lab", "status")
    assert done.returncode == 0
    urls = [lab.slack_url, lab.front_url.rstrip("/"), lab.gitlab_url, lab.aws_url, lab.control_url]
    assert all(url in done.stdout for url in urls)
    assert "down" not in done.stdout


def test_a_shell_takes_the_environment_as_it_is_printed(lab: LabAddresses) -> None:
    exports = runbook(lab, "lab", "env").stdout
    shown = subprocess.run(["sh", "-c", f"{exports}\nenv -0"], env={}, capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in shown.stdout.split("\0") if line)
    assert {name: seen[name] for name in lab.environment()} == lab.environment()


@pytest.mark.parametrize("command", ["status", "env"])
def test_asking_a_lab_that_is_not_there_is_an_error_with_a_remedy(
    lab: LabAddresses, tmp_path: Path, command: str
) -> None:
    done = runbook(lab, "lab", command, "--dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no lab is running" in done.stderr
    assert "runbook lab up" in done.stderr
