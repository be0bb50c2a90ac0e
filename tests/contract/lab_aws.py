"""The lab's AWS, for tests that hold boto3 and the edge against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from runbook_lib.lab.addresses import Credentials
from runbook_lib.lab.aws import Aws
from runbook_lib.lab.clients import AwsClients
from runbook_lib.lab.faults import Faults

WORLD = "0.0.0.0/0"


@dataclass(frozen=True)
class Front:
    """An instance with a public address, and the one group that it is in."""

    address: str
    group: str
    subnet: str = ""
    table: str = ""
    vpc: str = ""


@dataclass(frozen=True)
class LabAws:
    ec2: Any
    clients: AwsClients
    faults: Faults
    image: str

    def front(self) -> Front:
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=WORLD, GatewayId=gateway)
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        group = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        ran = self.ec2.run_instances(
            ImageId=self.image,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[group],
            InstanceType="t3.micro",
        )
        eip = self.ec2.allocate_address(Domain="vpc")
        self.ec2.associate_address(AllocationId=eip["AllocationId"], InstanceId=ran["Instances"][0]["InstanceId"])
        return Front(eip["PublicIp"], group, subnet, table, vpc)

    def allow(self, group: str, protocol: str, port: int, **source: Any) -> str:
        permission = {"IpProtocol": protocol, "FromPort": port, "ToPort": port, **source}
        made = self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def forbid(self, group: str, rule: str) -> None:
        self.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])


def client_of(url: str, attempts: int) -> Any:
    return boto3.client(
        "ec2",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": attempts}),
    )


@contextmanager
def running_aws() -> Iterator[LabAws]:
    faults = Faults()
    aws = Aws(faults)
    aws.start()
    ec2 = client_of(aws.url, attempts=1)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    yield LabAws(ec2, AwsClients(aws.url, Credentials.make()), faults, image)
    aws.stop()
