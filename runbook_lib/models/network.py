"""The network around security groups: what carries them, and what else lets a packet through or keeps it out."""

from __future__ import annotations

from enum import StrEnum

from .base import Model
from .rules import Rule

__all__ = [
    "NEW_ADDRESS",
    "AclEntry",
    "Interface",
    "Network",
    "NetworkAcl",
    "Networks",
    "Route",
    "RouteTable",
    "RouteTarget",
    "Subnet",
    "Vpc",
]

# A public address that is certain, and that only apply tells.
NEW_ADDRESS = "a new address"


class Interface(Model):
    """One network interface, or something of which a plan tells no more than that it has some.

    `id` is AWS's, or Terraform's address of what has none yet. `owner` is what it belongs to, as AWS names it. A load
    balancer that a plan makes is one interface in several `subnets`. `addresses` are private ones and those of IPv6,
    `public` those of IPv4. What `forwards` hands the internet's connections on to others of its VPC, which see who
    called: a network load balancer, or an accelerator; to which others is not read. `unsure` are the fields of which
    more may be than is said: groups, subnets, public, addresses.
    """

    id: str
    name: str = ""
    kind: str = "interface"
    owner: str = ""
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    forwards: bool = False
    unsure: frozenset[str] = frozenset()


class RouteTarget(StrEnum):
    """Where a route leads, as far as it decides who gets in or out."""

    INTERNET = "internet"
    LOCAL = "local"
    NAT = "nat"
    BEYOND = "beyond"
    NOWHERE = "nowhere"
    UNKNOWN = "unknown"


class Route(Model):
    """One route; `network` is empty where it is not known. BEYOND is a VPN, a peering, a transit gateway."""

    network: str
    target: RouteTarget
    via: str = ""


class RouteTable(Model):
    """A route table, with the routes inside its VPC left out. `unsure` says that it may have others besides."""

    id: str
    vpc: str = ""
    routes: tuple[Route, ...] = ()
    main: bool = False
    unsure: bool = False


class AclEntry(Model):
    """One entry of a network ACL; ports are None for all of them, type and code for ICMP."""

    number: int
    egress: bool
    allow: bool
    protocol: str
    network: str
    from_port: int | None = None
    to_port: int | None = None


class NetworkAcl(Model):
    """A network ACL; what no entry names is denied. `unsure` says that it may have others besides."""

    id: str
    vpc: str = ""
    entries: tuple[AclEntry, ...] = ()
    default: bool = False
    unsure: bool = False


class Subnet(Model):
    """A subnet; `table` and `acl` are empty where it has its VPC's own. `unsure` are those fields that may differ."""

    id: str
    vpc: str = ""
    networks: tuple[str, ...] = ()
    table: str = ""
    acl: str = ""
    gives_public: bool | None = False
    unsure: frozenset[str] = frozenset()


class Vpc(Model):
    """A VPC with its networks. `unsure` says that it may have others besides."""

    id: str
    networks: tuple[str, ...] = ()
    unsure: bool = False


class Network(Model):
    """All of it at one time.

    `rules` are those of every group that is known, `ruled` the groups of which every rule is among them, and `peopled`
    those of which every member is. `complete` says that no interface of these VPCs is missing. `names` are what people
    call groups, by id.
    """

    vpcs: tuple[Vpc, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    tables: tuple[RouteTable, ...] = ()
    acls: tuple[NetworkAcl, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    rules: tuple[Rule, ...] = ()
    ruled: frozenset[str] = frozenset()
    peopled: frozenset[str] = frozenset()
    complete: bool = False
    names: dict[str, str] = {}


class Networks(Model):
    """The network before a change and after it."""

    before: Network
    after: Network
