"""The AWS adapter against moto, in the ways that moto is known to differ."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from runbook_lib.adapters.aws import Aws
from runbook_lib.domain.rules.aws import rules_from_aws
from runbook_lib.errors import AwsError

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


POLICY = Path(__file__).parents[2] / "docs/iam/verification.json"


def use_policy(monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]) -> None:
    """Let moto hold us to this policy alone, as AWS would."""
    iam = boto3.client("iam")
    user = f"reader-{uuid.uuid4()}"  # moto remembers those of other tests
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="reader", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"0", timeout=60).raise_for_status()


@pytest.fixture
def enforced(ec2: Any) -> Iterator[Any]:
    yield ec2
    requests.post(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth", data=b"inf", timeout=60)


def ask_everything(web: str, prefix_list: str) -> None:
    aws = Aws()
    aws.identity()
    aws.try_reading()
    aws.rules([web])
    aws.group_names([web])
    aws.carriers([web])
    aws.list_entries(prefix_list)
    described = aws.network([], [web])
    assert [each["Kind"] for each in described["interfaces"]] == ["instance"]
    assert list(described["names"].values()) == ["web-front"]
    (member,) = aws.members(web)
    assert member.name == "web-front", "without the permission names would be left out in silence"


def world(ec2: Any) -> tuple[str, str]:
    web, subnet = group(ec2)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-front"}]}]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[web],
                      TagSpecifications=tags)  # fmt: skip
    made = ec2.create_managed_prefix_list(PrefixListName="x", MaxEntries=1, AddressFamily="IPv4")
    return web, made["PrefixList"]["PrefixListId"]


def test_what_is_documented_is_enough(enforced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    web, prefix_list = world(enforced)
    use_policy(monkeypatch, json.loads(POLICY.read_text()))
    ask_everything(web, prefix_list)


@pytest.mark.parametrize("action", json.loads(POLICY.read_text())["Statement"][0]["Action"])
def test_each_permission_is_needed_and_its_lack_is_named(
    enforced: Any, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    web, prefix_list = world(enforced)
    document = json.loads(POLICY.read_text())
    document["Statement"][0]["Action"].remove(action)
    use_policy(monkeypatch, document)
    with pytest.raises(AwsError) as caught:
        ask_everything(web, prefix_list)
    assert action in caught.value.remedy


def test_the_network_is_that_of_whatever_is_named(ec2: Any) -> None:
    web, subnet = group(ec2)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[web])
    (host,) = made["Instances"]
    inside = [{"Name": "vpc-id", "Values": [host["VpcId"]]}]
    table = ec2.describe_route_tables(Filters=inside)["RouteTables"][0]["RouteTableId"]
    acl = ec2.describe_network_acls(Filters=inside)["NetworkAcls"][0]["NetworkAclId"]
    interface = host["NetworkInterfaces"][0]["NetworkInterfaceId"]
    for one in (web, subnet, table, acl, interface, host["InstanceId"]):
        found = Aws().network([], [one])
        assert ([each["VpcId"] for each in found["vpcs"]], one) == ([host["VpcId"]], one)
        assert interface in [each["NetworkInterfaceId"] for each in found["interfaces"]]
    assert Aws().network([], ["igw-1", "pl-1"]) == {}


def test_who_carries_a_group_is_told_with_all_its_ids(ec2: Any) -> None:
    web, subnet = group(ec2)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[web])
    instance = made["Instances"][0]["InstanceId"]
    alone = ec2.create_network_interface(SubnetId=subnet, Groups=[web])["NetworkInterface"]["NetworkInterfaceId"]
    found = {carrier.id: carrier for carrier in Aws().carriers([web])}
    assert set(found) == {instance, alone}
    assert (found[instance].kind, found[alone].kind) == ("instance", "interface")
    assert instance in found[instance].ids
    assert any(identity.startswith("eni-") for identity in found[instance].ids)
    assert not any(carrier.by_service for carrier in found.values())


def test_the_entries_of_a_prefix_list_are_told_and_of_one_that_is_gone_there_are_none(ec2: Any) -> None:
    entries = [{"Cidr": "10.0.0.0/8", "Description": "office"}, {"Cidr": "10.1.0.0/16"}]
    made = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=entries
    )["PrefixList"]["PrefixListId"]
    assert Aws().list_entries(made) == {"10.0.0.0/8": "office", "10.1.0.0/16": ""}
    assert Aws().account() == "123456789012"
