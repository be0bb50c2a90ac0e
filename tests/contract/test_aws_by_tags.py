"""What bears tags, and what is named so, asked of the lab's AWS with the real SDK."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from lab_aws import running_aws

from runbook_lib.adapters.aws import Aws
from runbook_lib.domain.services import expand
from runbook_lib.errors import AwsError
from runbook_lib.models.config import ServiceConfig
from runbook_lib.models.services import Member
from runbook_lib.settings import Settings
from runbook_lib.workspace.services import plan_tests

# As docs/service-tests.md says.
ACTIONS = (
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeInstances",
    "tag:GetResources",
    "elasticloadbalancing:DescribeLoadBalancers",
    "rds:DescribeDBInstances",
    "rds:DescribeDBClusters",
)
SECRET = "a-password-of-tests"


@dataclass(frozen=True)
class World:
    """What there is: `role` is a tag's value that no other test uses."""

    role: str
    ids: dict[str, str]

    @property
    def tags(self) -> dict[str, str]:
        return {"Role": self.role, "Tier": "front"}

    def bears(self, tier: str = "front", **more: str) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in {"Role": self.role, "Tier": tier, **more}.items()]


@pytest.fixture(scope="module")
def aws_variables() -> Iterator[None]:
    with running_aws() as lab, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": str(lab.ec2.meta.endpoint_url),
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def world(aws_variables: None) -> World:
    made = World(f"web-{uuid.uuid4()}", {})
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    made.ids["group"] = ec2.create_security_group(GroupName=made.role, Description="d", VpcId=vpc)["GroupId"]
    instances(ec2, made, subnets[0])
    alone = ec2.create_network_interface(
        SubnetId=subnets[0], Groups=[made.ids["group"]], Ipv6Addresses=[{"Ipv6Address": "2001:db8::66"}],
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": made.bears(Name="six")}],
    )["NetworkInterface"]  # fmt: skip
    made.ids["six"] = alone["NetworkInterfaceId"]
    balancers(made, subnets)
    databases(made)
    return made


def instances(ec2: Any, made: World, subnet: str) -> None:
    image = ec2.describe_images()["Images"][0]["ImageId"]
    for name, tier in {"web-1": "front", "stopped": "front", "elsewhere": "back"}.items():
        ran = ec2.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[made.ids["group"]],
            TagSpecifications=[{"ResourceType": "instance", "Tags": made.bears(tier, Name=name)}],
        )["Instances"][0]  # fmt: skip
        made.ids[name] = ran["InstanceId"]
    ec2.stop_instances(InstanceIds=[made.ids["stopped"]])
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=made.ids["web-1"])
    made.ids["address"] = address["PublicIp"]


def balancers(made: World, subnets: list[str]) -> None:
    newer = boto3.client("elbv2")
    for name, scheme, tier in (
        ("front", "internet-facing", "front"), ("inner", "internal", "front"), ("other", "internet-facing", "back"),
    ):  # fmt: skip
        full = f"{name}-{made.role[4:12]}"
        given = newer.create_load_balancer(Name=full, Subnets=subnets, Scheme=scheme, Tags=made.bears(tier))
        made.ids[name] = given["LoadBalancers"][0]["LoadBalancerArn"].partition(":loadbalancer/")[2]
        made.ids[f"{name} host"] = given["LoadBalancers"][0]["DNSName"]
    listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}
    made.ids["classic"] = f"old-{made.role[4:12]}"
    made.ids["classic host"] = boto3.client("elb").create_load_balancer(
        LoadBalancerName=made.ids["classic"], Subnets=[subnets[0]], Listeners=[listener], Tags=made.bears()
    )["DNSName"]


def databases(made: World) -> None:
    rds = boto3.client("rds")
    login = {"MasterUsername": "u", "MasterUserPassword": SECRET}
    for name, public, tier in (("orders", True, "front"), ("ledger", False, "front"), ("spare", True, "back")):
        identity = made.ids[name] = f"{name}-{made.role[4:12]}"
        given = rds.create_db_instance(
            DBInstanceIdentifier=identity, DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
            PubliclyAccessible=public, Tags=made.bears(tier), **login,
        )["DBInstance"]  # fmt: skip
        made.ids[f"{name} host"] = given["Endpoint"]["Address"]
    identity = made.ids["cluster"] = f"cluster-{made.role[4:12]}"
    given = rds.create_db_cluster(
        DBClusterIdentifier=identity, Engine="aurora-postgresql", Tags=made.bears(Name="the books"), **login
    )["DBCluster"]
    made.ids["cluster host"] = given["Endpoint"]


def test_all_that_bears_the_tags_is_found_and_nothing_else(world: World) -> None:
    found = {member.id: member for member in Aws().tagged(world.tags)}
    ids = world.ids
    wanted = ["web-1", "six", "front", "inner", "classic", "orders", "ledger", "cluster"]
    assert set(found) == {ids[name] for name in wanted}
    assert {name: found[ids[name]].kind for name in wanted} == {
        "web-1": "instance", "six": "interface", "front": "load balancer", "inner": "load balancer",
        "classic": "load balancer", "orders": "database", "ledger": "database", "cluster": "database",
    }  # fmt: skip
    public = {name: found[ids[name]].address for name in wanted}
    assert public == {
        "web-1": ids["address"], "six": "", "front": ids["front host"], "inner": "", "classic": ids["classic host"],
        "orders": ids["orders host"], "ledger": "", "cluster": "",
    }  # fmt: skip
    assert found[ids["inner"]].private_address == ids["inner host"]
    assert found[ids["ledger"]].private_address == ids["ledger host"]
    assert found[ids["cluster"]].private_address == ids["cluster host"]
    assert found[ids["six"]].ipv6 == ("2001:db8::66",)
    assert [found[ids[name]].name for name in ("web-1", "six", "cluster")] == ["web-1", "six", "the books"]


def test_a_service_is_asked_at_the_public_names_and_addresses_of_what_bears_tags(world: World) -> None:
    given = {"name": "web", "tags": world.tags, "kind": "tcp", "port": 443}
    members = Aws().tagged(world.tags)
    ids = world.ids

    def asked(**more: str) -> set[str]:
        return {test.address for test in expand(ServiceConfig.model_validate(given | more), members)}

    names = {ids["front host"], ids["classic host"], ids["orders host"]}
    assert asked() == {*names, ids["address"], "2001:db8::66"}
    assert asked(family="ipv4") == {*names, ids["address"]}
    inside = asked(interface="private")
    assert inside >= {ids["inner host"], ids["orders host"], ids["ledger host"], ids["cluster host"]}
    assert not inside & {ids["front host"], ids["classic host"]}


def test_more_than_a_page_of_what_bears_tags_is_found(aws_variables: None) -> None:
    many = World(f"many-{uuid.uuid4()}", {})
    rds = boto3.client("rds")
    for number in range(105):
        rds.create_db_instance(
            DBInstanceIdentifier=f"d{number}-{many.role[5:13]}", DBInstanceClass="db.t3.micro", Engine="postgres",
            PubliclyAccessible=True, MasterUsername="u", MasterUserPassword=SECRET, AllocatedStorage=20,
            Tags=many.bears(),
        )  # fmt: skip
    # One page of the tags holds 100 at most, and one of the databases as many.
    first = boto3.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "Role", "Values": [many.role]}])
    assert len(first["ResourceTagMappingList"]) < 105
    assert first["PaginationToken"]
    found = Aws().tagged(many.tags)
    assert len({member.address for member in found}) == 105


def test_what_bears_no_such_tags_is_nobody(world: World) -> None:
    assert Aws().tagged({"Role": world.role, "Tier": "nowhere"}) == ()


@pytest.fixture
def allowed(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Let moto hold us to a list of actions, as AWS would."""
    iam, address = boto3.client("iam"), f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"

    def only(actions: tuple[str, ...]) -> None:
        user = f"reader-{uuid.uuid4()}"
        # moto has a name of its own for the service of tags.
        named = [action.replace("tag:", "tagging:") for action in actions]
        statement = {"Effect": "Allow", "Action": named, "Resource": "*"}
        iam.create_user(UserName=user)
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=user, PolicyName="reader", PolicyDocument=document)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        requests.post(address, data=b"0", timeout=60).raise_for_status()

    yield only
    requests.post(address, data=b"inf", timeout=60).raise_for_status()


def test_what_is_documented_is_enough(world: World, allowed: Any) -> None:
    told = (Path(__file__).parents[2] / "docs/service-tests.md").read_text()
    assert [action for action in ACTIONS if f"`{action}`" not in told] == []
    allowed(ACTIONS)
    assert len(Aws().tagged(world.tags)) == 8


# The lack of the third is told in AWS's words in the adapter's own tests: moto's are none that the SDK can read.
@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "tag:GetResources"])
def test_each_permission_is_needed_and_its_lack_is_named(world: World, allowed: Any, action: str) -> None:
    allowed(tuple(one for one in ACTIONS if one != action))
    with pytest.raises(AwsError) as caught:
        Aws().tagged(world.tags)
    assert action in caught.value.remedy


def test_who_may_not_ask_by_tags_has_that_service_untested_and_the_others_tested(
    world: World, allowed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [{"name": "by tags", "tags": world.tags}, {"name": "by group", "group": {"id": world.ids["group"]}}]
    (tmp_path / "services.yml").write_text(json.dumps({"services": listed}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBOOK_ROOT", str(tmp_path))
    allowed(tuple(one for one in ACTIONS if one != "rds:DescribeDBClusters"))
    found = plan_tests(Settings.load(), "services")
    assert {test.name for test in found.tests} == {"by group"}
    assert "Allow rds:DescribeDBClusters to the role that runs this" in found.untested["by tags"]


def test_an_interface_with_an_ipv6_address_alone_is_asked_there(world: World) -> None:
    members = Aws().members(world.ids["group"])
    six = next(member for member in members if member.id == world.ids["six"])
    assert (six.address, six.ipv6) == ("", ("2001:db8::66",))
    service = ServiceConfig(name="web", group={"id": world.ids["group"]})
    assert [test.url for test in expand(service, [six])] == ["http://[2001:db8::66]/"]


def test_one_entry_an_address_of_a_member(world: World) -> None:
    found = [member for member in Aws().members(world.ids["group"]) if member.id == world.ids["web-1"]]
    assert [type(member) for member in found] == [Member]
