"""Changes made by hand in AWS, each alone, on one stack written in several ways: verification must name each, no more.

Three ways to write rules; the groups in one stack and their rules in another; a public module; a state kept in S3. All
of them lie in two regions. Prints a line a change and style. Exit status 1 says that one was not found, was named
otherwise than it should be, or that something else was said beside it. The stacks live on the lab, with the real
Terraform; each change is taken back by another hand or by Terraform before the next.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from runbook_lib.adapters.terraform_folder import ensure_initialised
from runbook_lib.cli.lab_base import lab_down, lab_up
from runbook_lib.cli.working_copy import point_at_lab
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client
from runbook_lib.workspace.comparison import compare_places, gather_places

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "tests/fixtures/stacks/public_module/modules/security-group"
BUCKET = "trial-states"
COMMON = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  default_tags {
    tags = { Team = "trial" }
  }
}
provider "aws" {
  alias  = "far"
  region = "us-east-1"
}
resource "aws_vpc" "main" {
  cidr_block = "10.40.0.0/16"
  tags       = { Name = "trial" }
}
resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.40.1.0/24"
}
resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id
}
resource "aws_security_group" "bare" {
  name   = "trial-bare"
  vpc_id = aws_vpc.main.id
}
resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "trial-offices"
  address_family = "IPv4"
  max_entries    = 5
}
resource "aws_ec2_managed_prefix_list_entry" "main" {
  prefix_list_id = aws_ec2_managed_prefix_list.offices.id
  cidr           = "192.0.2.0/24"
  description    = "Office"
}
resource "aws_network_interface" "main" {
  subnet_id       = aws_subnet.main.id
  security_groups = [GROUP]
}
resource "aws_s3_bucket" "main" {
  bucket = "trial-of-changes"
}
resource "aws_s3_bucket_public_access_block" "main" {
  bucket                  = aws_s3_bucket.main.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_vpc" "far" {
  provider   = aws.far
  cidr_block = "10.41.0.0/16"
}
resource "aws_security_group" "far" {
  provider = aws.far
  name     = "trial-far"
  vpc_id   = aws_vpc.far.id
}
"""
WORKER = """
resource "aws_security_group" "worker" {
  name   = "trial-worker"
  vpc_id = aws_vpc.main.id
  tags   = { Role = "worker" }
}
"""
SEPARATE = """
resource "aws_vpc_security_group_ingress_rule" "metrics" {
  security_group_id = aws_security_group.worker.id
  ip_protocol       = "tcp"
  from_port         = 9100
  to_port           = 9103
  cidr_ipv4         = "10.0.0.0/8"
  description       = "Metrics"
}
resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.worker.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "10.0.0.0/8"
  description       = "Updates"
}
"""
CLASSIC = """
resource "aws_security_group_rule" "metrics" {
  type              = "ingress"
  security_group_id = aws_security_group.worker.id
  protocol          = "tcp"
  from_port         = 9100
  to_port           = 9103
  cidr_blocks       = ["10.0.0.0/8"]
  description       = "Metrics"
}
resource "aws_security_group_rule" "out" {
  type              = "egress"
  security_group_id = aws_security_group.worker.id
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_blocks       = ["10.0.0.0/8"]
  description       = "Updates"
}
"""
INLINE = """
resource "aws_security_group" "worker" {
  name   = "trial-worker"
  vpc_id = aws_vpc.main.id
  tags   = { Role = "worker" }
  ingress {
    protocol    = "tcp"
    from_port   = 9100
    to_port     = 9103
    cidr_blocks = ["10.0.0.0/8"]
    description = "Metrics"
  }
  egress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["10.0.0.0/8"]
    description = "Updates"
  }
}
"""
PUBLIC = """
module "worker" {
  source = "./security-group"

  name            = "trial-worker"
  use_name_prefix = false
  vpc_id          = aws_vpc.main.id
  tags            = { Role = "worker" }
  rules           = { updates = [443, 443, "tcp", "Updates"], _ = ["", "", ""] }

  ingress_with_cidr_blocks = [
    { from_port = 9100, to_port = 9103, protocol = "tcp", description = "Metrics", cidr_blocks = "10.0.0.0/8" },
  ]
  egress_rules       = ["updates"]
  egress_cidr_blocks = ["10.0.0.0/8"]
}
"""
LATER = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
data "aws_security_group" "worker" {
  name = "trial-worker"
}
"""
IN_GITLAB = """
terraform {
  backend "http" {}
}
"""
IN_S3 = """
terraform {
  backend "s3" {
    bucket         = "trial-states"
    key            = "trial/terraform.tfstate"
    region         = "eu-west-1"
    use_path_style = true
  }
}
"""


@dataclass(frozen=True)
class Style:
    """A way to write it: the files of each stack, in the order in which they are applied, and the rules' own style."""

    rules: str
    stacks: dict[str, str]

    def kept(self, name: str) -> str:
        """What runbook.yml says of a stack whose state GitLab keeps; of others it needs to say nothing."""
        return f", state: {name}" if IN_GITLAB in self.stacks[name] else ""


def first(text: str, group: str = "aws_security_group.worker.id") -> str:
    return COMMON.replace("GROUP", group) + text


STYLES = {
    "separate": Style("separate", {"trial": first(WORKER + SEPARATE)}),
    "classic": Style("classic", {"trial": first(WORKER + CLASSIC)}),
    "inline": Style("inline", {"trial": first(INLINE)}),
    "pair": Style(
        "separate",
        {
            "trial": first(WORKER) + IN_GITLAB,
            "rules": LATER
            + IN_GITLAB
            + SEPARATE.replace("aws_security_group.worker", "data.aws_security_group.worker"),
        },
    ),
    "module": Style("classic", {"trial": first(PUBLIC, "module.worker.security_group_id")}),
    "s3": Style("separate", {"trial": first(WORKER + SEPARATE) + IN_S3}),
}
WORLD = "0.0.0.0/0"
Undo = Callable[[], object]


class Hand:
    """Whoever changes things in AWS beside Terraform."""

    def __init__(self, lab: LabAddresses) -> None:
        self._lab = lab
        self.ec2 = self.client("ec2", lab.environment().get("AWS_REGION", "eu-west-1"))
        self.far = self.client("ec2", "us-east-1")

    def client(self, service: str, region: str) -> Any:
        """Make AWS's client of a service."""
        held = self._lab.credentials
        return boto3.client(
            service, endpoint_url=self._lab.aws_url, region_name=region,
            aws_access_key_id=held.aws_key, aws_secret_access_key=held.aws_secret,
        )  # fmt: skip

    def group(self, name: str, ec2: Any = None) -> str:
        """Find a group of the stack."""
        filters = [{"Name": "group-name", "Values": [f"trial-{name}"]}]
        return str((ec2 or self.ec2).describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])

    @property
    def vpc(self) -> str:
        """Find the stack's network."""
        return str(self.ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["trial"]}])["Vpcs"][0]["VpcId"])

    @property
    def default(self) -> str:
        """Find the network's default group."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "group-name", "Values": ["default"]}]
        return str(self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])

    @property
    def subnet(self) -> str:
        """Find the subnet."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}]
        return str(self.ec2.describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"])

    @property
    def interface(self) -> str:
        """Find the stack's interface."""
        filters = [{"Name": "group-id", "Values": [self.group("worker")]}]
        return str(self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"][0]["NetworkInterfaceId"])

    @property
    def offices(self) -> dict[str, Any]:
        """Find the prefix list."""
        lists = self.ec2.describe_managed_prefix_lists()["PrefixLists"]
        return next(dict(each) for each in lists if each["PrefixListName"] == "trial-offices")

    def add(self, group: str, ec2: Any = None, *, egress: bool = False, **permission: Any) -> None:
        """Add a rule."""
        client = ec2 or self.ec2
        call = client.authorize_security_group_egress if egress else client.authorize_security_group_ingress
        call(GroupId=group, IpPermissions=[permission])

    def take(self, group: str, *, egress: bool = False, **permission: Any) -> None:
        """Take a rule away."""
        client = self.ec2
        call = client.revoke_security_group_egress if egress else client.revoke_security_group_ingress
        call(GroupId=group, IpPermissions=[permission])


def tcp(low: int, high: int | None = None, network: str = WORLD, text: str = "") -> dict[str, Any]:
    described = {"Description": text} if text else {}
    ports = {"FromPort": low, "ToPort": low if high is None else high}
    return {"IpProtocol": "tcp", **ports, "IpRanges": [{"CidrIp": network, **described}]}


METRICS = tcp(9100, 9103, "10.0.0.0/8", "Metrics")
UPDATES = tcp(443, 443, "10.0.0.0/8", "Updates")


@dataclass(frozen=True)
class Change:
    """One change by hand, and what verification must say of it: kinds and, in each, a word that has to be there.

    `except_in` are styles in which it is something else, by what must be said there.
    """

    name: str
    do: Callable[[Hand], object]
    said: tuple[tuple[str, str], ...]
    outcome: str = "blocked"
    except_in: dict[str, tuple[str, tuple[tuple[str, str], ...]]] | None = None

    def expected(self, style: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What should be said in a style."""
        return (self.except_in or {}).get(style, (self.outcome, self.said))


def swap(old: dict[str, Any], *new: dict[str, Any], egress: bool = False) -> Callable[[Hand], object]:
    def do(hand: Hand) -> None:
        group = hand.group("worker")
        hand.take(group, egress=egress, **old)
        for each in new:
            hand.add(group, egress=egress, **each)

    return do


def entry(hand: Hand, **change: Any) -> object:
    offices = hand.offices
    return hand.ec2.modify_managed_prefix_list(
        PrefixListId=offices["PrefixListId"], CurrentVersion=offices["Version"], **change
    )


def instance(hand: Hand, groups: list[str]) -> object:
    image = hand.ec2.describe_images()["Images"][0]["ImageId"]
    made = hand.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=hand.subnet, SecurityGroupIds=groups)
    return made["Instances"][0]["InstanceId"]


UNMANAGED, MISSING, CHANGED, DRIFTED = "unmanaged", "missing", "changed", "drifted"
CHANGES = (
    Change("SSH for the world", lambda h: h.add(h.group("worker"), **tcp(22)), ((UNMANAGED, "tcp 22"),)),
    Change("SSH for the world in a group without rules", lambda h: h.add(h.group("bare"), **tcp(22)),
           ((UNMANAGED, "tcp 22"),)),
    Change("all egress in a group without rules",
           lambda h: h.add(h.group("bare"), egress=True, IpProtocol="-1", IpRanges=[{"CidrIp": WORLD}]),
           ((UNMANAGED, "egress"),)),
    Change("all egress in a group with egress",
           lambda h: h.add(h.group("worker"), egress=True, IpProtocol="-1", IpRanges=[{"CidrIp": WORLD}]),
           ((UNMANAGED, "egress"),)),
    Change("IPv6 for the world",
           lambda h: h.add(h.group("worker"), IpProtocol="tcp", FromPort=22, ToPort=22,
                           Ipv6Ranges=[{"CidrIpv6": "::/0"}]),
           ((UNMANAGED, "::/0"),)),
    Change("from another group",
           lambda h: h.add(h.group("worker"), IpProtocol="tcp", FromPort=22, ToPort=22,
                           UserIdGroupPairs=[{"GroupId": h.group("bare")}]), ((UNMANAGED, "tcp 22"),)),
    Change("from itself",
           lambda h: h.add(h.group("worker"), IpProtocol="tcp", FromPort=22, ToPort=22,
                           UserIdGroupPairs=[{"GroupId": h.group("worker")}]), ((UNMANAGED, "itself"),)),
    Change("from a prefix list",
           lambda h: h.add(h.group("worker"), IpProtocol="tcp", FromPort=22, ToPort=22,
                           PrefixListIds=[{"PrefixListId": h.offices["PrefixListId"]}]), ((UNMANAGED, "tcp 22"),)),
    Change("ping", lambda h: h.add(h.group("worker"), IpProtocol="icmp", FromPort=8, ToPort=-1,
                                   IpRanges=[{"CidrIp": WORLD}]), ((UNMANAGED, "icmp"),)),
    Change("everything", lambda h: h.add(h.group("worker"), IpProtocol="-1", IpRanges=[{"CidrIp": WORLD}]),
           ((UNMANAGED, "all"),)),
    Change("UDP on the same port", lambda h: h.add(h.group("worker"), **{**METRICS, "IpProtocol": "udp"}),
           ((UNMANAGED, "udp"),)),
    Change("two rules at once", lambda h: (h.add(h.group("worker"), **tcp(22)), h.add(h.group("bare"), **tcp(23))),
           ((UNMANAGED, "tcp 22"), (UNMANAGED, "tcp 23"))),
    Change("the ingress rule taken away", swap(METRICS), ((MISSING, "9100"),)),
    Change("the egress rule taken away", swap(UPDATES, egress=True), ((MISSING, "443"),)),
    Change("another port", swap(METRICS, tcp(9200, 9203, "10.0.0.0/8", "Metrics")), ((CHANGED, "9200"),)),
    Change("more ports", swap(METRICS, tcp(9100, 9200, "10.0.0.0/8", "Metrics")), ((CHANGED, "9200"),)),
    Change("a wider network", swap(METRICS, tcp(9100, 9103, WORLD, "Metrics")), ((CHANGED, WORLD),)),
    Change("a narrower network", swap(METRICS, tcp(9100, 9103, "10.0.0.0/16", "Metrics")), ((CHANGED, "/16"),)),
    Change("another description", swap(METRICS, tcp(9100, 9103, "10.0.0.0/8", "Nobody's")), ((CHANGED, "Nobody's"),)),
    Change("another protocol", swap(METRICS, {**METRICS, "IpProtocol": "udp"}), ((CHANGED, "udp"),)),
    Change("a wider egress", swap(UPDATES, tcp(443, 443, WORLD, "Updates"), egress=True), ((CHANGED, WORLD),)),
    Change("ports split in two rules",
           swap(METRICS, tcp(9100, 9101, "10.0.0.0/8", "Metrics"), tcp(9102, 9103, "10.0.0.0/8", "Metrics")),
           ((CHANGED, "Same access"), (UNMANAGED, "Same access")), "warned"),
    Change("a network split in two rules",
           swap(METRICS, tcp(9100, 9103, "10.0.0.0/9", "Metrics"), tcp(9100, 9103, "10.128.0.0/9", "Metrics")),
           ((CHANGED, "Same access"), (UNMANAGED, "Same access")), "warned"),
    Change("the same rule made anew", swap(METRICS, METRICS), (), "passed",
           {"separate": ("warned", ((DRIFTED, "same content"),))}),
    Change("an added rule that lets nothing more in",
           lambda h: h.add(h.group("worker"), **tcp(9101, 9101, "10.1.0.0/16")),
           ((UNMANAGED, "Same access"),), "warned"),
    Change("the group's tag changed",
           lambda h: h.ec2.create_tags(Resources=[h.group("worker")], Tags=[{"Key": "Role", "Value": "x"}]),
           ((DRIFTED, "tags"),)),
    Change("the group's tag taken away",
           lambda h: h.ec2.delete_tags(Resources=[h.group("worker")], Tags=[{"Key": "Role"}]), ((DRIFTED, "tags"),)),
    Change("a rule in the second region", lambda h: h.add(h.group("far", h.far), h.far, **tcp(22)),
           ((UNMANAGED, "tcp 22"),)),
    Change("a rule in the default group", lambda h: h.add(h.default, **tcp(22)), ((UNMANAGED, "tcp 22"),)),
    Change("a group without rules deleted", lambda h: h.ec2.delete_security_group(GroupId=h.group("bare")),
           ((MISSING, "the group itself"),)),
    Change("an entry added to the prefix list", lambda h: entry(h, AddEntries=[{"Cidr": WORLD}]),
           ((UNMANAGED, WORLD),)),
    Change("the entry of the prefix list taken away", lambda h: entry(h, RemoveEntries=[{"Cidr": "192.0.2.0/24"}]),
           ((DRIFTED, "prefix_list_entry"),)),
    Change("the group on an instance of nobody", lambda h: instance(h, [h.group("worker")]),
           ((UNMANAGED, "carries the group"),), "warned"),
    Change("the group on an interface of nobody",
           lambda h: h.ec2.create_network_interface(SubnetId=h.subnet, Groups=[h.group("bare")]),
           ((UNMANAGED, "carries the group"),), "warned"),
    Change("the group taken off its interface",
           lambda h: h.ec2.modify_network_interface_attribute(NetworkInterfaceId=h.interface, Groups=[h.group("bare")]),
           ((DRIFTED, "security_groups"),)),
    Change("a second group on the interface",
           lambda h: h.ec2.modify_network_interface_attribute(
               NetworkInterfaceId=h.interface, Groups=[h.group("worker"), h.group("bare")]),
           ((DRIFTED, "security_groups"),)),
    Change("the network's tag changed",
           lambda h: h.ec2.create_tags(Resources=[h.subnet], Tags=[{"Key": "Team", "Value": "x"}]),
           ((DRIFTED, "tags"),)),
    Change("public addresses by default in the subnet",
           lambda h: h.ec2.modify_subnet_attribute(SubnetId=h.subnet, MapPublicIpOnLaunch={"Value": True}),
           ((DRIFTED, "map_public_ip_on_launch"),)),
    Change("the bucket opened",
           lambda h: h.client("s3", "eu-west-1").delete_public_access_block(Bucket="trial-of-changes"),
           ((DRIFTED, "public_access_block"),)),
)  # fmt: skip


def text_of(difference: Difference) -> str:
    from runbook_lib.report import tables

    one = Verification(outcome="blocked", in_sync=0, differences=(difference,))  # type: ignore[arg-type]
    return " ".join(str(cell) for row in tables.differences(one).rows for cell in row)


def wrong(found: tuple[str, list[tuple[str, str]]], outcome: str, said: tuple[tuple[str, str], ...]) -> str:
    """What verification said otherwise than it should; empty if nothing."""
    ended, left = found
    for kind, word in said:
        hit = next((each for each in left if each[0] == kind and word in each[1]), None)
        if hit is None:
            return f"no {kind} with {word!r} in {ended}: {left}"
        left.remove(hit)
    if left:
        return f"said besides: {left}"
    return "" if ended == outcome else f"{ended}, and should be {outcome}"


class Trial:
    """The stacks of a style on the lab, verified in this process."""

    def __init__(self, folder: Path, lab: LabAddresses, style: Style) -> None:
        for name, files in style.stacks.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "main.tf").write_text(files)
        shutil.copytree(MODULE, folder / "trial/security-group")
        stacks = "".join(f"  {name}: {{path: {name}{style.kept(name)}}}\n" for name in style.stacks)
        (folder / "runbook.yml").write_text(f"version: 1\nstacks:\n{stacks}")
        point_at_lab(folder / "runbook.yml", lab)
        os.environ.update({**lab.environment(), "RUNBOOK_ROOT": str(folder), "RUNBOOK_OUTPUTS": str(folder / "out")})
        self.settings = Settings.load(folder)
        self.stacks = {name: terraform_client(self.settings, name) for name in style.stacks}

    def apply(self) -> None:
        """Let Terraform make everything as the files want it."""
        for terraform in self.stacks.values():
            ensure_initialised(terraform)
            terraform.run("apply", "-auto-approve", "-input=false", "-no-color")

    def known(self) -> set[object]:
        """The ids of all that stands in a state."""
        states = [terraform.state_pull() for terraform in self.stacks.values()]
        resources = [each for state in states for each in state["resources"]]
        return {one["attributes"].get("id") for each in resources for one in each["instances"]}

    def verify(self) -> tuple[str, list[tuple[str, str]]]:
        """Compare the three places of each stack: the worst outcome, and what is said; of what two say alike, one.

        Whose group it is tells of an unknown rule in it; whose rule it was tells that it is another one now.
        """
        found = [compare_places(gather_places(self.settings, name, lambda line: None)) for name in self.stacks]
        every = [(place, each) for place, one in enumerate(found) for each in one.differences]
        alone = [
            (each.kind.value, text_of(each))
            for place, each in every
            if not any(is_told(each, other, earlier=at < place) for at, other in every if at != place)
        ]
        worst = max((one.outcome.value for one in found), key=("passed", "warned", "blocked").index)
        return worst, alone


def is_told(one: Difference, other: Difference, *, earlier: bool) -> bool:
    """Whether another stack's difference says the same: of two of a kind the earlier one stays."""
    if (one.kind, one.group, one.rule, one.same_access) == (other.kind, other.group, other.rule, other.same_access):
        return earlier
    if one.kind is not DifferenceKind.UNMANAGED or other.kind is not DifferenceKind.CHANGED or one.rule is None:
        return False
    differing = all(value.get("aws") == getattr(one.rule, name) for name, value in other.fields.items())
    return one.group == other.group and bool(other.fields) and differing


Described = dict[tuple[object, ...], tuple[Any, dict[str, Any]]]


def described(hand: Hand) -> Described:
    """AWS's rules by what they let through, with the client of their region."""
    found = {}
    for ec2 in (hand.ec2, hand.far):
        for page in ec2.get_paginator("describe_security_group_rules").paginate():
            for item in page["SecurityGroupRules"]:
                key = tuple(str(value) for name, value in sorted(item.items()) if name not in {"SecurityGroupRuleId",
                            "SecurityGroupRuleArn", "Tags"})  # fmt: skip
                found[key] = (ec2, item)
    return found


def clean(hand: Hand, trial: Trial, before: Described) -> Described:
    """Take back what Terraform does not: whatever stands in no state, and was not there `before`. What stands then."""
    for reservation in hand.ec2.describe_instances(Filters=[{"Name": "vpc-id", "Values": [hand.vpc]}])["Reservations"]:
        for each in reservation["Instances"]:
            hand.ec2.terminate_instances(InstanceIds=[each["InstanceId"]])
    known = trial.known()
    filters = [{"Name": "vpc-id", "Values": [hand.vpc]}]
    for each in hand.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]:
        if each["NetworkInterfaceId"] not in known:
            hand.ec2.delete_network_interface(NetworkInterfaceId=each["NetworkInterfaceId"])
    for key, (ec2, item) in described(hand).items():
        # The same rule made anew has another id, and Terraform could not make its own beside it.
        if key not in before or item["SecurityGroupRuleId"] != before[key][1]["SecurityGroupRuleId"]:
            call = ec2.revoke_security_group_egress if item["IsEgress"] else ec2.revoke_security_group_ingress
            call(GroupId=item["GroupId"], SecurityGroupRuleIds=[item["SecurityGroupRuleId"]])
    entries = hand.ec2.get_managed_prefix_list_entries(PrefixListId=hand.offices["PrefixListId"])["Entries"]
    foreign = [{"Cidr": each["Cidr"]} for each in entries if each["Cidr"] != "192.0.2.0/24"]
    if foreign:
        entry(hand, RemoveEntries=foreign)
    trial.apply()
    return described(hand)


def try_style(style: str, only: str) -> tuple[int, int]:
    """On a lab of its own: how many changes were tried, and how many were not told as they should be."""
    settings, outside = Settings.load(ROOT), dict(os.environ)
    bad = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_up(settings, Path(folder) / "lab", lambda line: print(f"lab: {line}", file=sys.stderr))
        try:
            trial, hand = Trial(Path(folder) / style, lab, STYLES[style]), Hand(lab)
            hand.client("s3", "eu-west-1").create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
            trial.apply()
            before = described(hand)
            said = wrong(trial.verify(), "passed", ())
            print(f"{style}: nothing was changed: {said or 'right'}", flush=True)
            bad += bool(said)
            for change in (change for change in CHANGES if only in change.name):
                began = time.monotonic()
                change.do(hand)
                said = wrong(trial.verify(), *change.expected(STYLES[style].rules))
                print(f"{style}: {change.name}: {said or 'right'} ({time.monotonic() - began:.1f} s)", flush=True)
                tried, bad = tried + 1, bad + bool(said)
                before = clean(hand, trial, before)
        finally:
            lab_down(lab.folder)
            # The next style has a lab of its own, and is nothing of this one's.
            os.environ.clear()
            os.environ.update(outside)
    return tried, bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", choices=STYLES, action="append")
    parser.add_argument("--only", default="", help="changes whose name has this in it")
    arguments = parser.parse_args()
    found = [try_style(style, arguments.only) for style in arguments.style or STYLES]
    tried, bad = (sum(each[position] for each in found) for position in (0, 1))
    print(f"{tried} changes by hand, {bad} not told as they should be")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
