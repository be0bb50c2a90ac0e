"""The AWS adapter against moto, in the ways that moto is known to differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from runbook_lib.adapters.aws import Aws
from runbook_lib.domain.rules.aws import rules_from_aws

WORLD = "0.0.0.0/0"


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("ec2")
    yield client
    server.stop()


def group(ec2: Any) -> tuple[str, str]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"], subnet


def test_rules_of_a_group_come_back_normalised(ec2: Any) -> None:
    web, _ = group(ec2)
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": WORLD}]}
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission])
    aws = Aws()
    found = rules_from_aws(aws.rules([web]))
    assert {(rule.direction.value, rule.protocol, rule.from_port, rule.source, rule.group) for rule in found} == {
        ("egress", "all", None, WORLD, web),
        ("ingress", "tcp", 80, WORLD, web),
    }
    assert aws.group_names([web, "sg-00000000"]) == {web: "web"}


def test_a_members_public_address_is_found(ec2: Any) -> None:
    web, subnet = group(ec2)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-front"}]}]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[web],
                             TagSpecifications=tags)  # fmt: skip
    instance = made["Instances"][0]["InstanceId"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
    members = Aws().members(web)
    assert [(m.id, m.kind, m.name, m.address) for m in members] == [
        (instance, "instance", "web-front", address["PublicIp"])
    ]


def test_the_identity_is_an_arn(ec2: Any) -> None:
    assert Aws().identity().startswith("arn:aws:sts::")
