"""AWS as the verification and the service tests see it: rules, members, identity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from ..errors import AwsError
from ..models.services import Member
from .aws_errors import mapped

__all__ = ["Aws", "assume_role", "live_client"]

_FILTER_VALUES: Final = 200  # the most that AWS takes in one filter
_KINDS: Final = {
    "interface": "interface",
    "network_load_balancer": "load balancer",
    "gateway_load_balancer": "load balancer",
    "gateway_load_balancer_endpoint": "endpoint",
    "vpc_endpoint": "endpoint",
    "lambda": "function",
    "nat_gateway": "NAT gateway",
    "natGateway": "NAT gateway",
}


def assume_role(arn: str) -> dict[str, str]:
    """The keys of a role, for an hour, by the names of the variables that hold such."""
    with mapped("taking on a role"):
        held = _client("sts").assume_role(RoleArn=arn, RoleSessionName="runbook")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": str(held["AccessKeyId"]),
        "AWS_SECRET_ACCESS_KEY": str(held["SecretAccessKey"]),
        "AWS_SESSION_TOKEN": str(held["SessionToken"]),
    }


class Aws:
    """Reads from AWS with credentials, region and endpoint of the environment; every failure is an AwsError.

    `client` makes the SDK's client of a service, for tests.
    """

    def __init__(self, client: Callable[[str], Any] | None = None) -> None:
        self._make = client or _client
        self._clients: dict[str, Any] = {}

    def identity(self) -> str:
        """The ARN that the credentials stand for."""
        with mapped("asking who we are"):
            return str(self._client("sts").get_caller_identity()["Arn"])

    def rules(self, group_ids: Iterable[str]) -> list[dict[str, Any]]:
        """All rules of these groups, as describe_security_group_rules tells them."""
        found: list[dict[str, Any]] = []
        ids = sorted(set(group_ids))
        with mapped("reading the rules of security groups"):
            for chunk in _chunks(ids):
                filters = [{"Name": "group-id", "Values": chunk}]
                found += self._pages("describe_security_group_rules", "SecurityGroupRules", Filters=filters)
        return found

    def group_names(self, group_ids: Iterable[str]) -> dict[str, str]:
        """The names of those groups that exist, by id: a group that is not in it is gone."""
        found: dict[str, str] = {}
        with mapped("reading security groups"):
            for chunk in _chunks(sorted(set(group_ids))):
                filters = [{"Name": "group-id", "Values": chunk}]
                pages = self._pages("describe_security_groups", "SecurityGroups", Filters=filters)
                found |= {str(group["GroupId"]): str(group["GroupName"]) for group in pages}
        return found

    def members(self, group_id: str) -> tuple[Member, ...]:
        """Everything with a network interface in the group, one entry an address."""
        # describe_instances filtered by group misses load balancers, endpoints and functions.
        with mapped("reading the members of a security group"):
            filters = [{"Name": "group-id", "Values": [group_id]}]
            interfaces = list(self._pages("describe_network_interfaces", "NetworkInterfaces", Filters=filters))
        names = self._instance_names({_owner(item)[0] for item in interfaces if _owner(item)[1] == "instance"})
        members = (member for item in interfaces for member in _members(item, names))
        return tuple(sorted(members, key=lambda member: (member.id, member.address, member.private_address)))

    def _instance_names(self, ids: set[str]) -> dict[str, str]:
        names: dict[str, str] = {}
        try:
            with mapped("reading the names of instances"):
                for chunk in _chunks(sorted(ids)):
                    for reservation in self._pages("describe_instances", "Reservations", InstanceIds=chunk):
                        for instance in reservation["Instances"]:
                            names[str(instance["InstanceId"])] = _name(instance.get("Tags"))
        except AwsError:
            return {}  # a name is a comfort: not worth a permission more, nor a failed test
        return names

    def _pages(self, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        for page in self._client("ec2").get_paginator(operation).paginate(**arguments):
            yield from page.get(key) or ()

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]


def live_client() -> Aws:
    """What the comparison asks for the rules that there are."""
    return Aws()


def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    # Of all that AWS makes boto3 alone looks for AWS_DEFAULT_REGION only; Terraform, in the same job, for AWS_REGION.
    region = os.environ.get("AWS_REGION") or None
    return boto3.session.Session(region_name=region).client(service, config=config)


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _FILTER_VALUES):
        yield list(values[start : start + _FILTER_VALUES])


def _members(interface: dict[str, Any], names: dict[str, str]) -> Iterator[Member]:
    identity, kind = _owner(interface)
    name = names.get(identity) or _name(interface.get("TagSet")) or ""
    addresses = interface.get("PrivateIpAddresses") or [{"PrivateIpAddress": interface.get("PrivateIpAddress", "")}]
    # moto tells a public address on the interface alone, AWS on each of its private addresses too.
    outer = interface.get("Association") or {}
    for position, private in enumerate(addresses):
        association = private.get("Association") or (outer if position == 0 else {})
        yield Member(
            id=identity,
            kind=kind,
            address=str(association.get("PublicIp") or ""),
            private_address=str(private.get("PrivateIpAddress") or ""),
            name=name,
        )


def _owner(interface: dict[str, Any]) -> tuple[str, str]:
    instance = (interface.get("Attachment") or {}).get("InstanceId")
    if instance:
        return str(instance), "instance"
    description = str(interface.get("Description") or "")
    if description.startswith("ELB "):  # how AWS marks the interfaces of classic and application load balancers
        return description.removeprefix("ELB "), "load balancer"
    return str(interface["NetworkInterfaceId"]), _KINDS.get(str(interface.get("InterfaceType")), "interface")


def _name(tags: object) -> str:
    entries = tags if isinstance(tags, list) else []
    return next((str(tag.get("Value", "")) for tag in entries if tag.get("Key") == "Name"), "")
