from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from runbook_lib.adapters.aws import Aws, map_error, mapped
from runbook_lib.errors import AwsError

RULE = {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IpProtocol": "tcp"}


@pytest.fixture
def ec2() -> Any:
    return boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")


@pytest.fixture
def stub(ec2: Any) -> Iterator[Stubber]:
    with Stubber(ec2) as stubber:
        yield stubber


@pytest.fixture
def aws(ec2: Any) -> Aws:
    return Aws(lambda service: ec2)


def group_filter(*ids: str) -> list[dict[str, object]]:
    return [{"Name": "group-id", "Values": list(ids)}]


def every_botocore_error() -> list[type[Exception]]:
    classes = [cls for _, cls in inspect.getmembers(botocore.exceptions, inspect.isclass)]
    foreign = {"MissingServiceIdError", "UndefinedModelAttributeError"}  # both for whoever builds SDK models
    return [
        cls
        for cls in classes
        if issubclass(cls, Exception) and not issubclass(cls, Warning) and cls.__name__ not in foreign
    ]


@pytest.mark.parametrize("cls", every_botocore_error(), ids=lambda cls: cls.__name__)
def test_no_error_of_botocore_gets_past_the_adapter(cls: type[Exception]) -> None:
    error = cls.__new__(cls)
    Exception.__init__(error, "as botocore says it")
    with pytest.raises(AwsError) as caught, mapped("asking"):
        raise error
    assert caught.value.remedy
    assert caught.value.__cause__ is error


def refused(code: str, message: str = "no", operation: str = "DescribeSecurityGroupRules") -> AwsError:
    answer: Any = {"Error": {"Code": code, "Message": message}}
    return map_error("reading rules", botocore.exceptions.ClientError(answer, operation))


def test_a_refusal_names_the_missing_action() -> None:
    error = refused("UnauthorizedOperation", "You are not authorized")
    assert error.message == "AWS refused reading rules: You are not authorized"
    assert error.remedy == "Allow ec2:DescribeSecurityGroupRules to the role that runs this."


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("GetResources", "tag:GetResources"),
        ("DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("DescribeDBInstances", "rds:DescribeDBInstances"),
        ("DescribeDBClusters", "rds:DescribeDBClusters"),
    ],
)
def test_a_refusal_of_another_service_than_ec2_names_it(operation: str, action: str) -> None:
    assert f"Allow {action} to the role" in refused("AccessDeniedException", operation=operation).remedy


@pytest.mark.parametrize(
    ("operation", "code", "remedy"),
    [
        (
            "AssumeRole",
            "AccessDenied",
            "Allow sts:AssumeRole on it to who runs this, and name them in the role's trust",
        ),
        ("AssumeRoleWithWebIdentity", "AccessDenied", "Let the role's trust policy name GitLab as its provider"),
        (
            "AssumeRoleWithWebIdentity",
            "InvalidIdentityToken",
            "Add GitLab to the account as an OpenID Connect provider",
        ),
        ("AssumeRoleWithWebIdentity", "ExpiredTokenException", "The job's token has expired"),
        ("GetCallerIdentity", "AccessDenied", "Allow sts:GetCallerIdentity to the role that runs this."),
    ],
)
def test_a_role_that_is_not_given_says_whose_trust_is_missing(operation: str, code: str, remedy: str) -> None:
    assert remedy in refused(code, operation=operation).remedy


def test_missing_credentials_say_which_variables_to_set() -> None:
    error = map_error("reading rules", botocore.exceptions.NoCredentialsError())
    assert "AWS_ACCESS_KEY_ID" in error.remedy


def test_a_missing_region_says_which_variable_to_set() -> None:
    assert map_error("x", botocore.exceptions.NoRegionError()).remedy == "Set AWS_REGION."


def test_an_unreachable_endpoint_names_it() -> None:
    error = map_error("x", botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1/"))
    assert "http://127.0.0.1:1/" in error.message


@pytest.mark.parametrize(
    ("code", "word"),
    [("RequestLimitExceeded", "throttled"), ("ExpiredToken", "expired"), ("500", "failed"), ("Weird", "Weird")],
)
def test_other_refusals_say_what_they_are(code: str, word: str) -> None:
    error = refused(code)
    assert word in error.message + error.remedy


def test_what_answers_and_is_not_aws_is_an_aws_error() -> None:
    with pytest.raises(AwsError, match="asking failed: no XML") as caught, mapped("asking"):
        raise ResponseParserError("no XML")
    assert "AWS_ENDPOINT_URL" in caught.value.remedy


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
    ],
)
def test_the_region_is_the_one_that_terraform_takes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.setenv(name, variables.get(name, ""))
        if name not in variables:
            monkeypatch.delenv(name)
    assert Aws()._client("ec2").meta.region_name == region


def test_an_unset_profile_is_an_aws_error_and_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(AwsError, match="no-such-profile"):
        Aws().identity()


def test_rules_are_read_page_after_page(aws: Aws, stub: Stubber) -> None:
    wanted = {"Filters": group_filter("sg-1", "sg-2")}
    operation = "describe_security_group_rules"
    stub.add_response(operation, {"SecurityGroupRules": [RULE], "NextToken": "more"}, wanted)
    stub.add_response(operation, {"SecurityGroupRules": [RULE]}, wanted | {"NextToken": "more"})
    assert aws.rules(["sg-2", "sg-1", "sg-2"]) == [RULE, RULE]


def test_more_groups_than_a_filter_takes_are_asked_in_parts(aws: Aws, stub: Stubber) -> None:
    ids = [f"sg-{number:03}" for number in range(201)]
    operation = "describe_security_group_rules"
    stub.add_response(operation, {"SecurityGroupRules": [RULE]}, {"Filters": group_filter(*ids[:200])})
    stub.add_response(operation, {"SecurityGroupRules": []}, {"Filters": group_filter(ids[200])})
    assert aws.rules(ids) == [RULE]


def test_no_groups_ask_nothing_and_certainly_not_for_all_rules(aws: Aws, stub: Stubber) -> None:
    assert aws.rules([]) == []


INSTANCE = {
    "NetworkInterfaceId": "eni-1",
    "Attachment": {"InstanceId": "i-1"},
    "PrivateIpAddresses": [
        {"PrivateIpAddress": "10.0.0.4", "Association": {"PublicIp": "203.0.113.4"}},
        {"PrivateIpAddress": "10.0.0.5", "Association": {"PublicIp": "203.0.113.5"}},
    ],
    "Association": {"PublicIp": "203.0.113.4"},
}
BALANCER = {
    "NetworkInterfaceId": "eni-2",
    "Description": "ELB app/front/123",
    "InterfaceType": "interface",
    "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.9"}],
    "Association": {"PublicIp": "203.0.113.9"},
}
INNER = {"NetworkInterfaceId": "eni-3", "InterfaceType": "lambda", "PrivateIpAddress": "10.0.0.7"}


def members(aws: Aws, stub: Stubber, *interfaces: object) -> list[tuple[str, str, str, str]]:
    wanted = {"Filters": group_filter("sg-1")}
    stub.add_response("describe_network_interfaces", {"NetworkInterfaces": list(interfaces)}, wanted)
    if INSTANCE in interfaces:
        named = {"InstanceId": "i-1", "Tags": [{"Key": "Name", "Value": "web-front"}]}
        stub.add_response("describe_instances", {"Reservations": [{"Instances": [named]}]}, {"InstanceIds": ["i-1"]})
    return [(m.id, m.kind, m.name, m.address) for m in aws.members("sg-1")]


def test_members_are_instances_balancers_and_functions_one_entry_an_address(aws: Aws, stub: Stubber) -> None:
    assert members(aws, stub, INSTANCE, BALANCER, INNER) == [
        ("app/front/123", "load balancer", "", "203.0.113.9"),
        ("eni-3", "function", "", ""),
        ("i-1", "instance", "web-front", "203.0.113.4"),
        ("i-1", "instance", "web-front", "203.0.113.5"),
    ]


def test_a_role_that_may_not_read_names_still_finds_the_members(aws: Aws, stub: Stubber) -> None:
    stub.add_response("describe_network_interfaces", {"NetworkInterfaces": [INSTANCE]})
    stub.add_client_error("describe_instances", "UnauthorizedOperation")
    assert [(m.name, m.address) for m in aws.members("sg-1")] == [("", "203.0.113.4"), ("", "203.0.113.5")]


def test_a_group_without_members_has_none(aws: Aws, stub: Stubber) -> None:
    assert members(aws, stub) == []


def test_groups_that_are_gone_have_no_name(aws: Aws, stub: Stubber) -> None:
    groups = {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}]}
    stub.add_response("describe_security_groups", groups, {"Filters": group_filter("sg-1", "sg-2")})
    assert aws.group_names(["sg-1", "sg-2"]) == {"sg-1": "web"}
