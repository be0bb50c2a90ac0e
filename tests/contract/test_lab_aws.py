"""The lab's AWS where it must differ from plain moto."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http.client import HTTPConnection
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.httpsession import URLLib3Session
from lab_aws import LabAws, client_of, running_aws

from runbook_lib.lab.faults import AwsFault, FaultOrder


@pytest.fixture(scope="module")
def aws() -> Iterator[LabAws]:
    with running_aws() as running:
        yield running


@pytest.fixture(autouse=True)
def healed(aws: LabAws) -> Iterator[None]:
    yield
    aws.faults.give(FaultOrder(aws=None, web=None))


def break_aws(aws: LabAws, how: Any) -> None:
    aws.faults.give(FaultOrder.model_validate({"aws": how}))


def test_public_addresses_are_from_the_range_for_examples(aws: LabAws) -> None:
    addresses = [aws.ec2.allocate_address(Domain="vpc")["PublicIp"] for _ in range(3)]
    assert len(set(addresses)) == 3
    assert all(ip_address(address) in ip_network("198.51.100.0/24") for address in addresses)


def test_a_rule_that_refers_to_a_group_keeps_its_description(aws: LabAws) -> None:
    group = aws.front().group
    rule = aws.allow(group, "tcp", 8080, UserIdGroupPairs=[{"GroupId": group, "Description": "among themselves"}])
    found = aws.ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    assert [item.get("Description") for item in found] == ["among themselves"]


def test_a_refusal_is_what_boto3_takes_for_one(aws: LabAws) -> None:
    break_aws(aws, "deny")
    with pytest.raises(ClientError) as caught:
        aws.ec2.describe_vpcs()
    error = caught.value.response["Error"]
    assert error["Code"] == "UnauthorizedOperation"
    assert "not authorized to perform: ec2:DescribeVpcs" in error["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_the_labs_own_calls_are_spared(aws: LabAws) -> None:
    break_aws(aws, "deny")
    assert aws.clients.ec2.describe_vpcs()["Vpcs"]


def test_half_way_through_means_that_the_first_change_is_there_and_the_second_is_not(aws: LabAws) -> None:
    group = aws.front().group
    break_aws(aws, "fail_after")
    first = aws.allow(group, "tcp", 80, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        aws.forbid(group, first)
    found = aws.ec2.describe_security_group_rules(SecurityGroupRuleIds=[first])["SecurityGroupRules"]
    assert len(found) == 1
    break_aws(aws, None)
    aws.forbid(group, first)


def test_a_server_error_on_order_looks_like_one_of_awss(aws: LabAws) -> None:
    break_aws(aws, {"actions": ["DescribeVpcs"], "code": "InternalError", "status": 500})
    with pytest.raises(ClientError) as caught:
        aws.ec2.describe_vpcs()
    assert caught.value.response["Error"]["Code"] == "InternalError"


def test_a_connection_is_kept_so_that_no_answer_is_lost_behind_its_closing(aws: LabAws) -> None:
    place = urlsplit(aws.ec2.meta.endpoint_url)
    body = "Action=DescribeVpcs&Version=2016-11-15"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/ec2/aws4_request, Signature=none",
    }
    connection = HTTPConnection(str(place.hostname), place.port, timeout=60)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            assert (answer.status, b"DescribeVpcsResponse" in answer.read()) == (200, True)
            assert connection.sock is not None, "the server closes the connection behind its answer"


def test_an_object_keeps_its_key_and_the_names_of_its_metadata(aws: LabAws) -> None:
    s3 = aws.clients.s3
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = "a folder/100%/ä+b//c.txt"
    s3.put_object(Bucket="kept", Key=key, Body=b"x" * 3_000_000, Metadata={"made_by": "terraform", "cost-centre": "7"})
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="kept")["Contents"]] == [key]
    found = s3.get_object(Bucket="kept", Key=key)
    assert found["Metadata"] == {"made_by": "terraform", "cost-centre": "7"}
    assert len(found["Body"].read()) == 3_000_000


def test_a_change_whose_answer_is_lost_and_that_is_asked_for_again_is_made_once(aws: LabAws) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    lost: list[str] = []

    def lose(request: Any, **_: Any) -> None:
        if not lost:
            lost.append(URLLib3Session().send(request).text)
            raise ConnectionClosedError(endpoint_url=request.url)

    client = client_of(aws.ec2.meta.endpoint_url, attempts=2)
    client.meta.events.register("before-send.ec2.CreateSecurityGroup", lose)
    aws.faults.give(FaultOrder(aws=AwsFault(actions=("CreateSecurityGroup",), after=1)))
    given = {"GroupName": "once", "Description": "once", "VpcId": vpc}
    made = client.create_security_group(**given)
    assert made["ResponseMetadata"]["RetryAttempts"] == 1
    assert f"<groupId>{made['GroupId']}</groupId>" in lost[0]
    break_aws(aws, None)
    with pytest.raises(ClientError, match="Duplicate"):  # another call is another matter
        client.create_security_group(**given)
