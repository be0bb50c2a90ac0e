"""What bears tags in AWS and has its address by a name: load balancers and databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..models.services import Member

__all__ = ["tagged_by_name"]

Client = Callable[[str], Any]


def tagged_by_name(client: Client, tags: Mapping[str, str]) -> list[Member]:
    """The load balancers, databases and clusters of databases that bear all these tags, one entry a name.

    Their network interfaces bear no tags of theirs. `client` makes the SDK's client of a service, whose exceptions
    come through.
    """
    wanted = [{"Key": name, "Values": [value]} for name, value in sorted(tags.items())]
    found = _pages(client("resourcegroupstaggingapi"), "get_resources", "ResourceTagMappingList", TagFilters=wanted)
    names = {str(each["ResourceARN"]): _name(each.get("Tags")) for each in found}
    balancers = {arn: name for arn, name in names.items() if ":loadbalancer/" in arn}
    # The end of a classic one's ARN is its name; that of another says its type first.
    classic = {arn.partition(":loadbalancer/")[2]: name for arn, name in balancers.items() if arn.count("/") == 1}
    newer = {arn: name for arn, name in balancers.items() if arn.count("/") > 1}
    members = [*_newer(client, newer), *_classic(client, classic)]
    return [*members, *_databases(client, {arn: name for arn, name in names.items() if ":rds:" in arn})]


def _newer(client: Client, names: Mapping[str, str]) -> Iterator[Member]:
    # All are asked for: of one that is gone meanwhile by its ARN AWS would say an error, and nothing of the others.
    pages = _pages(client("elbv2"), "describe_load_balancers", "LoadBalancers") if names else ()
    for each in pages:
        arn = str(each["LoadBalancerArn"])
        if arn in names:
            identity = arn.partition(":loadbalancer/")[2]
            yield _balancer(identity, names[arn] or str(each["LoadBalancerName"]), each)


def _classic(client: Client, names: Mapping[str, str]) -> Iterator[Member]:
    pages = _pages(client("elb"), "describe_load_balancers", "LoadBalancerDescriptions") if names else ()
    for each in pages:
        identity = str(each["LoadBalancerName"])
        if identity in names:
            yield _balancer(identity, names[identity] or identity, each)


def _balancer(identity: str, name: str, described: Mapping[str, Any]) -> Member:
    # Its name leads to its public addresses or to its private ones, never to both.
    inner, host = described.get("Scheme") == "internal", str(described.get("DNSName") or "")
    return Member(
        id=identity,
        kind="load balancer",
        name=name,
        address="" if inner else host,
        private_address=host if inner else "",
    )


def _databases(client: Client, names: Mapping[str, str]) -> Iterator[Member]:
    if not names:
        return
    public: set[str] = set()
    for each in _pages(client("rds"), "describe_db_instances", "DBInstances"):
        shown = bool(each.get("PubliclyAccessible"))
        public |= {str(each.get("DBClusterIdentifier"))} if shown else set()
        arn, identity = str(each["DBInstanceArn"]), str(each["DBInstanceIdentifier"])
        if arn in names:
            address = (each.get("Endpoint") or {}).get("Address")
            yield _database(identity, names[arn] or identity, address, public=shown)
    if not any(":cluster:" in arn for arn in names):
        return
    for each in _pages(client("rds"), "describe_db_clusters", "DBClusters"):
        arn, identity = str(each["DBClusterArn"]), str(each["DBClusterIdentifier"])
        if arn in names:
            shown = bool(each.get("PubliclyAccessible")) or identity in public
            yield _database(identity, names[arn] or identity, each.get("Endpoint"), public=shown)


def _database(identity: str, name: str, host: str | None, *, public: bool) -> Member:
    # Inside its network even a public one's name leads to its private address.
    address = str(host or "")
    return Member(
        id=identity, kind="database", name=name, address=address if public else "", private_address=address
    )  # fmt: skip


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key) or ()


def _name(tags: object) -> str:
    entries = tags if isinstance(tags, list) else []
    return next((str(tag.get("Value", "")) for tag in entries if tag.get("Key") == "Name"), "")
