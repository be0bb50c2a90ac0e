"""Stacks as other teams write them, carried through the whole runbook, and then changed by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from base import Base
from desk import Desk, eventually

from runbook_lib.adapters.terraform import Terraform
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client

pytestmark = pytest.mark.timeout(900)

STACKS = Path(__file__).parents[1] / "fixtures/stacks"
UNASKED = ("-auto-approve", "-input=false", "-no-color")
BUCKET = "states-of-ledger"
SHARED = "arn:aws:iam::222222222222:role/edge-deploy"
# The rules of each stack as verification counts them: one a port, direction and source.
RULES = {"public_module": 10, "registry": 9, "cdktf": 5}
# Groups into which somebody opens a port by hand, each where it is: here, in another region, in another account.
GROUPS = {
    "public_module": [("here", "shop-store")],
    "registry": [("here", "eg-prod-ledger-sg")],
    "cdktf": [("far", "edge-far"), ("shared", "edge-shared")],
}
OPENED = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@dataclass
class Team:
    """A team's stack in a working copy of its own, as it is after a change that was approved and applied."""

    name: str
    desk: Desk

    def terraform(self) -> Terraform:
        with self.desk.inside():
            return terraform_client(Settings.load(self.desk.root), self.name)

    def build(self) -> None:
        """Make what the stack has by Terraform alone, as it was before the team had a runbook."""
        self.terraform().init()
        self.terraform().run("apply", *UNASKED)

    def carry(self, run_id: str) -> dict[str, Any]:
        """Run the runbook to its end; what the verification found.

        Two approve: nobody knows who wrote what stands in a stack of which GitLab knows no deployment.
        """
        self.desk.run_id = run_id
        store = self.desk.outputs / run_id
        with self.desk.start("run", "--stack", self.name, "--run-id", run_id) as process:
            asked = store / "03_approval/request.json"
            eventually(lambda: asked.is_file() or process.poll() is not None, "the request")
            answered = [self.desk.runbook("approve", run_id, user=user) for user in ("alex", "sam")]
            if any(each.returncode for each in answered):
                process.kill()
            out, err = process.communicate(timeout=300)
        said = [out[-3000:], err[-3000:], *(each.stderr for each in answered)]
        assert [process.returncode, *(each.returncode for each in answered)] == [0, 0, 0], "\n".join(said)
        return dict(json.loads((store / "05_verification/verification.json").read_text()))

    def verify(self) -> tuple[int, dict[str, Any]]:
        ended = self.desk.runbook("verify", "--stack", self.name, "--format", "json")
        assert ended.returncode in {0, 1}, ended.stderr
        return ended.returncode, json.loads(ended.stdout)

    def ec2(self, place: str) -> Any:
        credentials = self.desk.lab.credentials
        keys = {"aws_access_key_id": credentials.aws_key, "aws_secret_access_key": credentials.aws_secret}
        if place == "shared":
            sts = boto3.client("sts", endpoint_url=self.desk.lab.aws_url, region_name="eu-west-1", **keys)
            held = sts.assume_role(RoleArn=SHARED, RoleSessionName="somebody")["Credentials"]
            keys = {
                "aws_access_key_id": held["AccessKeyId"],
                "aws_secret_access_key": held["SecretAccessKey"],
                "aws_session_token": held["SessionToken"],
            }
        region = "us-east-1" if place == "far" else "eu-west-1"
        return boto3.client("ec2", endpoint_url=self.desk.lab.aws_url, region_name=region, **keys)


@pytest.fixture(scope="module", params=list(RULES))
def team(
    request: pytest.FixtureRequest, session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    session_base.restore()
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    desk = Desk(session_base.lab, settings, folder / "outputs")
    stack = desk.root / "stacks" / name
    if name == "registry":
        shutil.copytree(STACKS / "registry/stack", stack)
        text = (stack / "main.tf").read_text()
        (stack / "main.tf").write_text(text.replace("MODULES", str(published(folder / "module"))))
        boto3.client(
            "s3",
            endpoint_url=desk.lab.aws_url,
            region_name="eu-west-1",
            aws_access_key_id=desk.lab.credentials.aws_key,
            aws_secret_access_key=desk.lab.credentials.aws_secret,
        ).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    else:
        shutil.copytree(STACKS / name, stack)
    line = f"stacks:\n  {name}: {{path: stacks/{name}, state: {name}, without: [service_tests]}}\n"
    desk.edit("runbook.yml", "stacks:\n", line)
    desk.repository.deployed("Govern one more stack")
    made = Team(name, desk)
    if name == "registry":
        # From nothing, and a second time: a state that GitLab does not keep is told of the first change by nobody.
        made.carry("first")
    else:
        made.build()
    desk.edit(f"stacks/{name}/cache.auto.tfvars", "6379", "6380")
    desk.repository.commit_change(None)
    made.carry("change")
    yield made
    made.terraform().run("destroy", *UNASKED)


def published(folder: Path) -> Path:
    """A git repository with the module that the stack takes from elsewhere."""
    shutil.copytree(STACKS / "registry/module", folder)
    identity = ("-c", "user.name=Module", "-c", "user.email=module@example.com")
    for command in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "First"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_after_the_change_the_three_places_agree(team: Team) -> None:
    found = json.loads((team.desk.outputs / "change/05_verification/verification.json").read_text())
    assert (found["differences"], found["in_sync"]) == ([], RULES[team.name])
    exposure = json.loads((team.desk.outputs / "change/02_plan/exposure.json").read_text())
    assert {entry["from_port"] for entry in exposure["opened"]} == {6380}
    assert {entry["from_port"] for entry in exposure["closed"]} == {6379}


def test_what_somebody_opens_by_hand_is_told_with_its_group_and_nothing_else_is(team: Team) -> None:
    for place, name in GROUPS[team.name]:
        ec2 = team.ec2(place)
        filters = [{"Name": "group-name", "Values": [name]}]
        (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[OPENED])
    status, found = team.verify()
    told = sorted((each["kind"], each["name"], each["rule"]["from_port"]) for each in found["differences"])
    assert (status, told) == (1, sorted(("unmanaged", name, 22) for _, name in GROUPS[team.name]))
