"""AWS as the verification and the service tests see it: rules, members, identity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from ..errors import AwsError
from ..models.services import Member
from ..models.verification import Carrier
from .aws_tagged import tagged_by_name
from .heard import hear

__all__ = ["Aws", "assume_role", "live_client", "map_error", "mapped"]

_CALLER: Final = "GetCallerIdentity"
_FILTER_VALUES: Final = 200  # the most that AWS takes in one filter
_NO_LIST: Final = "pl-00000000000000000"
_LIST_GONE: Final = "InvalidPrefixListID.NotFound"
# What a network is made of, and the call that tells it.
_DESCRIBED: Final = {
    "vpcs": ("describe_vpcs", "Vpcs"),
    "subnets": ("describe_subnets", "Subnets"),
    "tables": ("describe_route_tables", "RouteTables"),
    "acls": ("describe_network_acls", "NetworkAcls"),
    "groups": ("describe_security_groups", "SecurityGroups"),
    "interfaces": ("describe_network_interfaces", "NetworkInterfaces"),
}
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


def assume_role(arn: str, external_id: str = "") -> dict[str, str]:
    """The keys of a role, for an hour, by the names of the variables that hold such."""
    more = {"ExternalId": external_id} if external_id else {}
    with mapped(f"taking on the role {arn}"):
        held = _client("sts").assume_role(RoleArn=arn, RoleSessionName="runbook", **more)["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": str(held["AccessKeyId"]),
        "AWS_SECRET_ACCESS_KEY": str(held["SecretAccessKey"]),
        "AWS_SESSION_TOKEN": str(held["SessionToken"]),
    }


# What is asked for the VPC that something is in, by what its id begins with.
_PLACED: Final = {
    "sg": ("describe_security_groups", "SecurityGroups", "group-id"),
    "rtb": ("describe_route_tables", "RouteTables", "route-table-id"),
    # Of one that no subnet has nobody is let through.
    "acl": ("describe_network_acls", "NetworkAcls", "association.network-acl-id"),
    "subnet": ("describe_subnets", "Subnets", "subnet-id"),
    "eni": ("describe_network_interfaces", "NetworkInterfaces", "network-interface-id"),
    "i": ("describe_network_interfaces", "NetworkInterfaces", "attachment.instance-id"),
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

    def account(self) -> str:
        """The account that the credentials are of."""
        with mapped("asking who we are"):
            return str(self._client("sts").get_caller_identity()["Account"])

    def try_reading(self) -> None:
        """Make each call of exposure and verification, on nothing; the AwsError names the one that is refused."""
        from botocore.exceptions import ClientError

        client = self._client("ec2")
        with mapped("a call that verification needs"):
            for call in (client.describe_security_group_rules, client.describe_security_groups,
                         client.describe_network_interfaces, client.describe_instances, client.describe_vpcs,
                         client.describe_subnets, client.describe_route_tables,
                         client.describe_network_acls):  # fmt: skip
                call(MaxResults=5)
            try:
                client.get_managed_prefix_list_entries(PrefixListId=_NO_LIST, DryRun=True)
            except ClientError as error:
                # Whoever may ask is told that this was no question, or that there is no such list.
                if error.response["Error"]["Code"] in _DENIED:
                    raise

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

    def carriers(self, group_ids: Iterable[str]) -> tuple[Carrier, ...]:
        """Every interface that carries one of these groups, one entry a group of it."""
        wanted = frozenset(group_ids)
        interfaces = self._interfaces(sorted(wanted))
        found = (carrier for item in interfaces for carrier in _carriers(item) if carrier.group in wanted)
        return tuple(sorted(set(found), key=lambda carrier: (carrier.group, carrier.id)))

    def network(self, vpcs: Iterable[str], things: Iterable[str] = ()) -> dict[str, Any]:
        """All that decides who gets through in these VPCs, and in those of these things, as AWS describes it.

        The things are ids of groups, route tables, network ACLs, subnets, interfaces and instances.

        Few calls, and none for each interface: `vpcs`, `subnets`, `tables`, `acls`, `groups`, `interfaces`
        (with `Owner` and `Kind`), `names` of instances by id, and `lists`, the networks of each prefix list that a rule
        names.
        """
        known, named = set(vpcs), sorted(set(things))
        with mapped("finding the VPC of what changes"):
            for kind, (operation, key, name) in _PLACED.items():
                for chunk in _chunks([each for each in named if each.partition("-")[0] == kind]):
                    found = self._pages(operation, key, Filters=[{"Name": name, "Values": chunk}])
                    known |= {str(each["VpcId"]) for each in found if each.get("VpcId")}
        if not known:
            return {}
        described: dict[str, Any] = {name: [] for name in _DESCRIBED}
        with mapped("reading the network"):
            for chunk in _chunks(sorted(known)):
                for name, (operation, key) in _DESCRIBED.items():
                    filters = [{"Name": "vpc-id", "Values": chunk}]
                    described[name] += self._pages(operation, key, Filters=filters)
        for item in described["interfaces"]:
            item["Owner"], item["Kind"] = _owner(item)
        instances = {item["Owner"] for item in described["interfaces"] if item["Kind"] == "instance"}
        described["names"] = {key: name for key, name in self._instance_names(instances).items() if name}
        described["lists"] = {each: tuple(self.list_entries(each)) for each in _lists(described["groups"])}
        return described

    def list_entries(self, list_id: str) -> dict[str, str]:
        """The descriptions of a managed prefix list's entries, by network; of a list that is gone there are none."""
        from botocore.exceptions import ClientError

        with mapped("reading the entries of a prefix list"):
            try:
                pages = list(self._pages("get_managed_prefix_list_entries", "Entries", PrefixListId=list_id))
            except ClientError as error:
                if error.response["Error"]["Code"] != _LIST_GONE:
                    raise
                pages = []
        return {str(entry["Cidr"]): str(entry.get("Description") or "") for entry in pages}

    def members(self, group_id: str) -> tuple[Member, ...]:
        """Everything with a network interface in the group, one entry an address."""
        return self._named(self._interfaces([group_id]))

    def tagged(self, tags: Mapping[str, str]) -> tuple[Member, ...]:
        """The running instances, other interfaces, load balancers and databases that bear all these tags.

        One entry an address; load balancers and databases have their names as addresses.
        """
        filters = [{"Name": f"tag:{name}", "Values": [value]} for name, value in sorted(tags.items())]
        running = [*filters, {"Name": "instance-state-name", "Values": ["running"]}]
        with mapped("finding what bears tags"):
            found = list(self._pages("describe_network_interfaces", "NetworkInterfaces", Filters=filters))
            reservations = self._pages("describe_instances", "Reservations", Filters=running)
            ids = sorted(str(one["InstanceId"]) for each in reservations for one in each["Instances"])
            for chunk in _chunks(ids):
                of_them = [{"Name": "attachment.instance-id", "Values": chunk}]
                found += self._pages("describe_network_interfaces", "NetworkInterfaces", Filters=of_them)
            by_name = tagged_by_name(self._client, tags)
        interfaces = {str(item["NetworkInterfaceId"]): item for item in found}
        return (*self._named(list(interfaces.values())), *sorted(by_name, key=lambda member: (member.kind, member.id)))

    def _named(self, interfaces: Sequence[dict[str, Any]]) -> tuple[Member, ...]:
        names = self._instance_names({_owner(item)[0] for item in interfaces if _owner(item)[1] == "instance"})
        members = (member for item in interfaces for member in _members(item, names))
        return tuple(sorted(members, key=lambda member: (member.id, member.address, member.private_address)))

    def _interfaces(self, group_ids: Sequence[str]) -> list[dict[str, Any]]:
        # describe_instances filtered by group misses load balancers, endpoints and functions.
        found: list[dict[str, Any]] = []
        with mapped("reading the members of security groups"):
            for chunk in _chunks(group_ids):
                filters = [{"Name": "group-id", "Values": chunk}]
                found += self._pages("describe_network_interfaces", "NetworkInterfaces", Filters=filters)
        return found

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


def live_client(region: str = "", keys: Mapping[str, str] | None = None) -> Aws:
    """What the comparison asks for what there is, in this region and with these keys or with the environment's."""
    return Aws(lambda service: _client(service, region, keys or {}))


def _client(service: str, region: str = "", keys: Mapping[str, str] = MappingProxyType({})) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
    # Of all that AWS makes boto3 alone looks for AWS_DEFAULT_REGION only; Terraform, in the same job, for AWS_REGION.
    where = region or os.environ.get("AWS_REGION") or None
    given = {f"aws_{name.removeprefix('AWS_').lower()}": value for name, value in keys.items()}
    client = boto3.session.Session(region_name=where, **given).client(service, config=config)
    client.meta.events.register(f"after-call.{service}", _hear_call)
    return client


def _hear_call(parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Tell by which id AWS itself knows a call, and of the caller's identity all that it said."""
    meta = parsed.get("ResponseMetadata") or {}
    known = {"request_id": meta.get("RequestId"), "date": (meta.get("HTTPHeaders") or {}).get("date")}
    said = {name: parsed.get(name) for name in ("Account", "Arn", "UserId")} if model.name == _CALLER else {}
    hear(f"{model.service_model.service_name}:{model.name} {known['request_id']}", {**said, **known})


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _FILTER_VALUES):
        yield list(values[start : start + _FILTER_VALUES])


def _lists(groups: Iterable[dict[str, Any]]) -> list[str]:
    """The prefix lists that rules of these groups name."""
    ways = ("IpPermissions", "IpPermissionsEgress")
    permissions = (rule for group in groups for way in ways for rule in group.get(way) or ())
    return sorted({str(each["PrefixListId"]) for rule in permissions for each in rule.get("PrefixListIds") or ()})


def _members(interface: dict[str, Any], names: dict[str, str]) -> Iterator[Member]:
    identity, kind = _owner(interface)
    name = names.get(identity) or _name(interface.get("TagSet")) or ""
    addresses = interface.get("PrivateIpAddresses") or [{"PrivateIpAddress": interface.get("PrivateIpAddress", "")}]
    # moto tells a public address on the interface alone, AWS on each of its private addresses too.
    outer = interface.get("Association") or {}
    six = tuple(str(item.get("Ipv6Address")) for item in interface.get("Ipv6Addresses") or () if item)
    for position, private in enumerate(addresses):
        association = private.get("Association") or (outer if position == 0 else {})
        yield Member(
            id=identity,
            kind=kind,
            address=str(association.get("PublicIp") or ""),
            private_address=str(private.get("PrivateIpAddress") or ""),
            ipv6=six if position == 0 else (),
            name=name,
        )


def _carriers(interface: dict[str, Any]) -> Iterator[Carrier]:
    owner, kind = _owner(interface)
    own = str(interface["NetworkInterfaceId"])
    attachment = interface.get("Attachment") or {}
    # A balancer's interface has the end of its ARN in the description; its state has the ARN's end as well.
    ids = {own, owner, str(attachment.get("AttachmentId") or own)}
    service = str(interface.get("InterfaceType") or "interface") != "interface" or kind == "load balancer"
    service = service or bool(interface.get("RequesterManaged"))
    service = service or str(attachment.get("InstanceOwnerId") or "").startswith("amazon-")
    for group in interface.get("Groups") or ():
        yield Carrier(
            group=str(group.get("GroupId")),
            id=own if owner == own or kind != "instance" else owner,
            kind=kind,
            name=_name(interface.get("TagSet")),
            ids=frozenset(ids),
            by_service=service,
        )


def _owner(interface: dict[str, Any]) -> tuple[str, str]:
    instance = (interface.get("Attachment") or {}).get("InstanceId")
    if instance:
        return str(instance), "instance"
    description = str(interface.get("Description") or "")
    if description == "RDSNetworkInterface":
        return str(interface["NetworkInterfaceId"]), "database"
    if description.startswith("ELB "):  # how AWS marks the interfaces of classic and application load balancers
        return description.removeprefix("ELB "), "load balancer"
    return str(interface["NetworkInterfaceId"]), _KINDS.get(str(interface.get("InterfaceType")), "interface")


def _name(tags: object) -> str:
    entries = tags if isinstance(tags, list) else []
    return next((str(tag.get("Value", "")) for tag in entries if tag.get("Key") == "Name"), "")


# By class name, so that a look at this table costs no import of botocore; the first match along the class's bases wins.
_REMEDIES: Final = {
    "NoCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with your AWS profile.",
    "PartialCredentialsError": "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "CredentialRetrievalError": "Check how this machine gets its AWS credentials: profile, role or web identity.",
    "NoAuthTokenError": "Log in again: aws sso login.",
    "TokenRetrievalError": "Log in again: aws sso login.",
    "SSOError": "Log in again: aws sso login.",
    "LoginError": "Log in again: aws login.",
    "RefreshWithMFAUnsupportedError": "Get a session with MFA first, then export its keys.",
    "MetadataRetrievalError": "Check the role of this machine, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "ProfileNotFound": "Correct AWS_PROFILE, or unset it.",
    "ConfigParseError": "Correct ~/.aws/config, or the file that AWS_CONFIG_FILE names.",
    "ConfigNotFound": "Correct AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.",
    "NoRegionError": "Set AWS_REGION.",
    "InvalidRegionError": "Correct AWS_REGION.",
    "UnknownRegionError": "Correct AWS_REGION.",
    "UnknownEndpointError": "Correct AWS_REGION.",
    "EndpointResolutionError": "Correct AWS_REGION and AWS_ENDPOINT_URL.",
    "EndpointConnectionError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "ConnectTimeoutError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "ReadTimeoutError": "AWS is slow; run it again.",
    "ProxyConnectionError": "Correct HTTPS_PROXY, or add AWS to NO_PROXY.",
    "SSLError": "Check AWS_CA_BUNDLE and the certificates of a proxy in between.",
    "ConnectionError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "HTTPClientError": "Check the network, and AWS_ENDPOINT_URL if it is set.",
    "ResponseParserError": "Check AWS_ENDPOINT_URL, AWS_REGION and HTTPS_PROXY: what answers there is not AWS.",
    "InvalidConfigError": "Correct the AWS profile in ~/.aws/config.",
    "InvalidRetryConfigurationError": "Correct AWS_RETRY_MODE and AWS_MAX_ATTEMPTS.",
    "MissingDependencyException": "Install what botocore asks for, or choose another way to authenticate.",
}
_CODES: Final = {
    "ExpiredToken": "The session has expired: get new AWS credentials.",
    "ExpiredTokenException": "The session has expired: get new AWS credentials.",
    "RequestExpired": "The session has expired, or this machine's clock is wrong.",
    "AuthFailure": "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and this machine's clock.",
    "InvalidClientTokenId": "Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.",
    "UnrecognizedClientException": "Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.",
    "SignatureDoesNotMatch": "Check AWS_SECRET_ACCESS_KEY.",
    "OptInRequired": "Enable this region, or correct AWS_REGION.",
    "InvalidGroup.NotFound": "The group is gone: run the plan step again.",
    "InvalidGroupId.Malformed": "Correct the group's id in runbook.yml.",
    _LIST_GONE: "The prefix list is gone: run the plan step again.",
}
_TRUST: Final = "with the audience and the subject of this job's token, as docs/gitlab.md shows."
_TOKEN: Final = {
    "InvalidIdentityToken": "Add GitLab to the account as an OpenID Connect provider, with this token's audience.",
    "ExpiredTokenException": "The job's token has expired: run the job again.",
    "IDPCommunicationError": "AWS can't reach GitLab to see whether the token is its own; run it again.",
    "MalformedPolicyDocument": "Correct the role's trust policy.",
}
_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation"}
# What IAM calls the service of a call, where it is not EC2.
_PREFIXES: Final = {
    _CALLER: "sts",
    "GetResources": "tag",
    "DescribeLoadBalancers": "elasticloadbalancing",
    "DescribeDBInstances": "rds",
    "DescribeDBClusters": "rds",
}
_THROTTLED: Final = {
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown",
    "RequestThrottled", "RequestThrottledException", "EC2ThrottledException", "BandwidthLimitExceeded",
}  # fmt: skip
_ELSE: Final = "Look at the message of AWS, and run it again with --debug."


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Turn whatever botocore raises while doing `what` into an AwsError."""
    from botocore.exceptions import BotoCoreError, ClientError, EventStreamError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (BotoCoreError, ClientError, EventStreamError, ResponseParserError) as error:
        raise map_error(what, error) from error


def map_error(what: str, error: Exception) -> AwsError:
    """The AwsError for one exception of botocore: what failed, why, and what to do."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return _refusal(what, response.get("Error") or {}, str(getattr(error, "operation_name", "")))
    names = [base.__name__ for base in type(error).__mro__]
    remedy = next((_REMEDIES[name] for name in names if name in _REMEDIES), _ELSE)
    return AwsError(f"AWS: {what} failed: {_first_line(str(error))}", remedy)


def _refusal(what: str, error: dict[str, Any], operation: str) -> AwsError:
    code = str(error.get("Code") or "no error code")
    message = _first_line(str(error.get("Message") or "no message"))
    if operation == "AssumeRoleWithWebIdentity":
        # A job's token is exchanged for the role at the first call, whatever that was to do.
        trust = f"Let the role's trust policy name GitLab as its provider, {_TRUST}"
        return AwsError(f"AWS refused the job's token for its role: {code}: {message}", _TOKEN.get(code, trust))
    if code in _DENIED and operation == "AssumeRole":
        both = "Allow sts:AssumeRole on it to who runs this, and name them in the role's trust policy."
        return AwsError(f"AWS refused {what}: {message}", f"Correct stacks.<name>.roles in runbook.yml, or: {both}")
    if code in _DENIED:
        action = f"{_PREFIXES.get(operation, 'ec2')}:{operation}" if operation else "this action"
        return AwsError(f"AWS refused {what}: {message}", f"Allow {action} to the role that runs this.")
    if code in _THROTTLED:
        return AwsError(f"AWS throttled {what}, after retries: {code}", "Wait a minute and run it again.")
    if (code.isdigit() and code.startswith("5")) or code in {"InternalError", "Unavailable", "ServiceUnavailable"}:
        return AwsError(f"AWS failed at {what}: {code} {message}", "AWS has a problem of its own; run it again.")
    return AwsError(f"AWS refused {what}: {code}: {message}", _CODES.get(code, _ELSE))


def _first_line(text: str) -> str:
    return " ".join(text.split())[:400]
