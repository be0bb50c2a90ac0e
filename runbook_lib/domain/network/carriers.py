"""What carries security groups in a plan: instances, interfaces, load balancers, databases, functions, endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.network import NEW_ADDRESS, Interface, Subnet

from ..rules import GROUP_TYPES, RULE_TYPES
from ..rules.changes import GROUP_LISTS
from .resources import Resource, Stage

__all__ = ["interfaces_elsewhere", "interfaces_of"]

_SUBNETS: Final = ("aws_subnet", "aws_default_subnet")
_ADDRESSES: Final = ("aws_eip", "aws_eip_association")
_BALANCERS: Final = ("aws_lb", "aws_alb", "aws_elb")
_ACCELERATED: Final = "aws_globalaccelerator_endpoint_group"
# What gives a group to something, by the attribute that says to what.
_GIVEN: Final = {
    "aws_network_interface_sg_attachment": ("network_interface_id", ("aws_network_interface", "aws_instance")),
    "aws_vpc_endpoint_security_group_association": ("vpc_endpoint_id", ("aws_vpc_endpoint",)),
}
_NAMES_GROUPS: Final = {"aws_vpc_security_group_rules_exclusive", "aws_vpc_security_group_vpc_association"}
_OTHERS_GROUPS: Final = ("source_", "referenced_")
_OF_CLUSTER: Final = "aws_rds_cluster_instance"
# What says, in whatever is not read, that it gets a public address, or may; and as which value.
_SAYS_PUBLIC: Final = frozenset({"publicly_accessible", "associate_public_ip_address", "assign_public_ip"})
_YES: Final = (True, "true", "SERVICE_PROVIDED_EIPS", UNKNOWN)


@dataclass(frozen=True)
class _Kind:
    """How to read a type: where its groups and subnets stand, by a path of blocks, and what makes it public.

    `public` is the attribute that says so; empty for what never has a public address.
    """

    kind: str
    groups: str
    subnets: str = ""
    public: str = ""
    # The subnets stand in a subnet group of this type, which this attribute names.
    group_type: str = ""
    named_by: str = ""
    # Instances of this type, each with its cluster's identifier, have the attribute, and not the cluster itself.
    members: str = ""


_KINDS: Final = {
    "aws_db_instance": _Kind("database", "vpc_security_group_ids", "db_subnet_group_name", "publicly_accessible",
                             "aws_db_subnet_group", "identifier"),
    "aws_rds_cluster": _Kind("database", "vpc_security_group_ids", "db_subnet_group_name", "publicly_accessible",
                             "aws_db_subnet_group", "cluster_identifier", _OF_CLUSTER),
    "aws_redshift_cluster": _Kind("database", "vpc_security_group_ids", "cluster_subnet_group_name",
                                  "publicly_accessible", "aws_redshift_subnet_group", "cluster_identifier"),
    "aws_elasticache_cluster": _Kind("cache", "security_group_ids", named_by="cluster_id"),
    "aws_elasticache_replication_group": _Kind("cache", "security_group_ids", named_by="replication_group_id"),
    "aws_docdb_cluster": _Kind("database", "vpc_security_group_ids", named_by="cluster_identifier"),
    "aws_efs_mount_target": _Kind("file system", "security_groups", "subnet_id"),
    "aws_lambda_function": _Kind("function", "vpc_config.security_group_ids", "vpc_config.subnet_ids",
                                 named_by="function_name"),
    "aws_vpc_endpoint": _Kind("endpoint", "security_group_ids", "subnet_ids"),
    "aws_ecs_service": _Kind("service", "network_configuration.security_groups", "network_configuration.subnets",
                             "network_configuration.assign_public_ip", named_by="name"),
    **dict.fromkeys(_BALANCERS, _Kind("load balancer", "security_groups", "subnets", "!internal", named_by="name")),
}  # fmt: skip
# What names a group without carrying it: rules and groups, and what is read with what it belongs to.
_NO_CARRIERS: Final = RULE_TYPES | GROUP_TYPES | {*_GIVEN, *_NAMES_GROUPS, *_ADDRESSES}


@dataclass
class _Elastic:
    """The elastic addresses by what holds them; `unsure` where one may be anybody's."""

    held: dict[str, list[str]] = field(default_factory=dict)
    unsure: bool = False


def interfaces_of(stage: Stage, subnets: Iterable[Subnet]) -> Iterator[Interface]:
    """Everything that carries a group."""
    by_id = {subnet.id: subnet for subnet in subnets}
    elastic, added = _elastic(stage), _attached(stage)
    names = _names_of_owners(stage)
    for resource in stage.resources:
        made = None
        if resource.type == "aws_instance":
            made = _instance(stage, resource, by_id, elastic)
        elif resource.type == "aws_network_interface":
            made = _own_interface(stage, resource, by_id, elastic, names)
        elif resource.type in _KINDS:
            made = _of_kind(stage, resource, by_id)
        elif resource.type == _ACCELERATED:
            # Its endpoints may be in any VPC, and have no public address of their own.
            made = Interface(id=resource.id, name=_called(resource), kind="accelerator", forwards=True)
        elif resource.type not in _NO_CARRIERS and resource.managed:
            made = _other(stage, resource)
        if made is not None:
            more = added.get(made.id, ())
            groups, unsure = filter(None, (*made.groups, *more)), {"groups"} if "" in more else set()
            yield made.model_copy(update={"groups": tuple(dict.fromkeys(groups)), "unsure": made.unsure | unsure})


def interfaces_elsewhere(stage: Stage) -> dict[str, Interface]:
    """By id what is given a group or an elastic address by its id alone, whatever it is: the stack's own as well.

    Something that nobody knows yet has the address of what gives it in the place of its id.
    """
    added, held = _attached(stage), _elastic(stage).held
    return {
        each: Interface(
            id=each, owner=each, groups=tuple(dict.fromkeys(filter(None, added.get(each, ())))),
            public=tuple(dict.fromkeys(held.get(each, ()))),
            unsure=frozenset({"groups", "subnets", "public", "addresses"}),
        )
        for each in (*added, *held)
    }  # fmt: skip


def _elastic(stage: Stage) -> _Elastic:
    found = _Elastic()
    addresses = {each.id: each.text("public_ip") or NEW_ADDRESS for each in stage.of("aws_eip")}
    for each in stage.of(*_ADDRESSES):
        address = each.text("public_ip") or NEW_ADDRESS
        if each.type == "aws_eip_association":
            allocation, _ = stage.one(each, "allocation_id", ("aws_eip",))
            address = addresses.get(allocation, address)
        for attribute, kind in (("instance", "aws_instance"), ("instance_id", "aws_instance"),
                                ("network_interface", "aws_network_interface"),
                                ("network_interface_id", "aws_network_interface")):  # fmt: skip
            holder, unsure = stage.one(each, attribute, (kind, "aws_instance"))
            # The provider computes the one from the other: what is not written is no unknown holder.
            written = stage.configuration.written(each.address, attribute)
            found.unsure |= unsure and written
            if holder:
                found.held.setdefault(holder, []).append(address)
    return found


def _attached(stage: Stage) -> dict[str, list[str]]:
    """The groups that something is given by resources of their own; an empty one where nobody knows which."""
    found: dict[str, list[str]] = {}
    for kind, (attribute, types) in _GIVEN.items():
        for each in stage.of(kind):
            holder, _ = stage.one(each, attribute, types)
            group, _ = stage.one(each, "security_group_id", GROUP_TYPES)
            found.setdefault(holder or f"{each.address}.{attribute}", []).append(group)
    for instance in stage.of("aws_instance"):
        # An instance whose interface has no id yet is known by its own.
        if instance.id in found and instance.text("primary_network_interface_id"):
            found.setdefault(instance.text("primary_network_interface_id"), []).extend(found[instance.id])
    return found


def _names_of_owners(stage: Stage) -> dict[str, str]:
    names: dict[str, str] = {}
    for instance in stage.of("aws_instance"):
        for attribute in ("network_interface", "primary_network_interface"):
            blocks = instance.values.get(attribute)
            for block in blocks if isinstance(blocks, list | tuple) else ():
                if isinstance(block, Mapping):
                    found, _ = stage.meant(instance, attribute, block.get("network_interface_id"),
                                           ("aws_network_interface",))  # fmt: skip
                    names |= dict.fromkeys(found, instance.name or instance.id)
    return names


def _instance(stage: Stage, resource: Resource, subnets: Mapping[str, Subnet], elastic: _Elastic) -> Interface | None:
    blocks = resource.values.get("network_interface")
    if isinstance(blocks, list | tuple) and blocks:
        return None  # its groups are those of the interfaces that it is given
    groups, any_group = stage.meant(resource, "vpc_security_group_ids", resource.values.get("vpc_security_group_ids"),
                                    GROUP_TYPES)  # fmt: skip
    subnet, unsure_subnet = stage.one(resource, "subnet_id", _SUBNETS)
    own = resource.text("primary_network_interface_id")
    public, unsure_public = _public_of(resource, subnets.get(subnet), [resource.id, own], elastic)
    addresses, unsure_address = _private(resource, "private_ip", "ipv6_addresses")
    unsure = {"groups": any_group, "subnets": unsure_subnet or not subnet, "public": unsure_public,
              "addresses": unsure_address}  # fmt: skip
    return Interface(
        id=own or resource.id,
        name=resource.name or _called(resource),
        kind="instance",
        owner=resource.id,
        vpc=subnets[subnet].vpc if subnet in subnets else "",
        subnets=(subnet,) if subnet else (),
        groups=tuple(groups),
        addresses=addresses,
        public=public,
        unsure=_true(unsure),
    )


def _public_of(
    resource: Resource, subnet: Subnet | None, holders: list[str], elastic: _Elastic
) -> tuple[tuple[str, ...], bool]:
    held = [address for holder in dict.fromkeys(holders) if holder for address in elastic.held.get(holder, ())]
    given, told = resource.values.get("associate_public_ip_address"), resource.values.get("public_ip")
    if isinstance(told, str) and not resource.made:
        every = {address for addresses in elastic.held.values() for address in addresses}
        # What Terraform saw of an address that is taken away is told as if it were still there.
        own = [told] if told and (told in held or (given is True and told not in every)) else []
        return tuple(dict.fromkeys((*held, *own))), elastic.unsure or bool(told and not held and not own)
    automatic = given if given is not None and given is not UNKNOWN else subnet.gives_public if subnet else None
    public = (*held, *([NEW_ADDRESS] if automatic and not held else []))
    return public, not public and (automatic is None or elastic.unsure)


def _own_interface(
    stage: Stage, resource: Resource, subnets: Mapping[str, Subnet], elastic: _Elastic, names: Mapping[str, str]
) -> Interface:
    groups, any_group = stage.meant(resource, "security_groups", resource.values.get("security_groups"), GROUP_TYPES)
    subnet, unsure_subnet = stage.one(resource, "subnet_id", _SUBNETS)
    addresses, unsure_address = _private(resource, "private_ips", "ipv6_addresses")
    unsure = {"groups": any_group, "subnets": unsure_subnet or not subnet, "addresses": unsure_address,
              "public": elastic.unsure}  # fmt: skip
    return Interface(
        id=resource.id,
        name=names.get(resource.id) or resource.name or _called(resource),
        kind="instance" if resource.id in names else "interface",
        owner=resource.id,
        vpc=subnets[subnet].vpc if subnet in subnets else "",
        subnets=(subnet,) if subnet else (),
        groups=tuple(groups),
        addresses=addresses,
        public=tuple(elastic.held.get(resource.id, ())),
        unsure=_true(unsure),
    )


def _of_kind(stage: Stage, resource: Resource, subnets: Mapping[str, Subnet]) -> Interface | None:
    how = _KINDS[resource.type]
    groups, any_group = stage.meant(
        resource, how.groups.partition(".")[0], _at(resource.values, how.groups), GROUP_TYPES
    )
    if not groups and not any_group and how.kind in {"function", "endpoint", "service"}:
        return None  # not in a VPC at all
    places, unsure_places = _places(stage, resource, how)
    public, unsure_public = _of_members(stage, resource, how) if how.members else _is_public(resource, how)
    vpcs = {subnets[place].vpc for place in places if place in subnets}
    unsure = {"groups": any_group, "subnets": unsure_places or not places, "addresses": True, "public": unsure_public}
    return Interface(
        id=resource.id,
        name=resource.text(how.named_by) or resource.name or _called(resource),
        kind=how.kind,
        owner=resource.text("arn_suffix") or resource.id,
        vpc=vpcs.pop() if len(vpcs) == 1 else "",
        subnets=tuple(places),
        groups=tuple(groups),
        public=public,
        forwards=_forwards(resource) and bool(public or unsure_public),
        unsure=_true(unsure),
    )


def _forwards(resource: Resource) -> bool:
    return resource.type in _BALANCERS and resource.values.get("load_balancer_type") in {"network", "gateway", UNKNOWN}


def _places(stage: Stage, resource: Resource, how: _Kind) -> tuple[list[str], bool]:
    if how.group_type:
        name = resource.text(how.subnets)
        group = next((g for g in stage.of(how.group_type) if name in {g.text("name"), g.id}), None)
        if group is None:
            found, _ = stage.meant(resource, how.subnets, resource.values.get(how.subnets), (how.group_type,))
            group = next((g for g in stage.of(how.group_type) if g.id in found), None)
        return stage.meant(group, "subnet_ids", group.values.get("subnet_ids"), _SUBNETS) if group else ([], True)
    if not how.subnets:
        return [], True
    found, unsure = stage.meant(resource, how.subnets.partition(".")[0], _at(resource.values, how.subnets), _SUBNETS)
    if not found and resource.type in _BALANCERS:
        mapped = _at(resource.values, "subnet_mapping.subnet_id")
        return stage.meant(resource, "subnet_mapping", mapped, _SUBNETS)
    return found, unsure


def _is_public(resource: Resource, how: _Kind) -> tuple[tuple[str, ...], bool]:
    if not how.public:
        return (), False
    said = _at(resource.values, how.public.removeprefix("!"))
    said = said[0] if isinstance(said, list) and len(said) == 1 else said
    if said is UNKNOWN:
        return (), True
    public = bool(said) and said != []
    if how.public.startswith("!"):
        public = not public
    name = resource.text("dns_name") or resource.text("address") or NEW_ADDRESS
    return ((name,) if public else ()), False


def _named(value: Any, name: str) -> Iterator[Any]:
    """The groups that attributes hold which are no such lists, at any depth: one, several in a text, or an ARN."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _named(part, key)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _named(part, name)
    elif "security_group" in name and not name.startswith(_OTHERS_GROUPS):
        texts = value.split(",") if isinstance(value, str) else []
        groups = (text.strip().rpartition("/")[2] for text in texts)
        yield from [UNKNOWN] if value is UNKNOWN else (group for group in groups if group.startswith("sg-"))


def _of_members(stage: Stage, cluster: Resource, how: _Kind) -> tuple[tuple[str, ...], bool]:
    """Whether any instance of the cluster is public; another stack's instances may be besides."""
    own = [
        each.values.get(how.public)
        for each in stage.of(how.members)
        if stage.one(each, "cluster_identifier", (cluster.type,))[0] in {cluster.id, cluster.text(how.named_by)}
    ]
    return ((NEW_ADDRESS,) if True in own else ()), not own or UNKNOWN in own


def _other(stage: Stage, resource: Resource) -> Interface | None:
    """What carries groups in a way that is not read: of it nothing is certain but that."""
    groups: list[str] = []
    unsure = False
    for attribute, value in resource.values.items():
        found, more = stage.meant(resource, attribute, _lists(value, attribute), GROUP_TYPES)
        groups += found
        unsure |= more
        # Of another name nothing is certain but which groups it names.
        groups += stage.meant(resource, attribute, list(_named(value, attribute)), GROUP_TYPES)[0]
    if not groups and not unsure:
        return None
    return Interface(
        id=resource.id,
        name=resource.name or _called(resource),
        kind=resource.type.removeprefix("aws_").replace("_", " "),
        owner=resource.id,
        groups=tuple(dict.fromkeys(groups)),
        public=(NEW_ADDRESS,) if _says_public(resource.values) else (),
        unsure=frozenset({"subnets", "addresses", "public", *(["groups"] if unsure else [])}),
    )


def _lists(value: Any, name: str) -> list[Any]:
    """The values of all attributes, at any depth, that hold groups by their name."""
    if name.endswith(GROUP_LISTS):
        return list(value) if isinstance(value, list | tuple) else [value] if value is UNKNOWN else []
    if isinstance(value, Mapping):
        return [found for key, part in value.items() for found in _lists(part, key)]
    if isinstance(value, list | tuple):
        return [found for part in value for found in _lists(part, "")]
    return []


def _says_public(value: Any, name: str = "") -> bool:
    """Whether anything in it says, at any depth, that it gets a public address, or may."""
    if isinstance(value, Mapping):
        # The brokers of a cluster of MSK: connectivity_info.public_access.type.
        inner = "publicly_accessible" if name == "public_access" else ""
        return any(_says_public(part, inner or key) for key, part in value.items())
    if isinstance(value, list | tuple):
        return any(_says_public(part, name) for part in value)
    return name in _SAYS_PUBLIC and value in _YES


def _at(values: Any, path: str) -> Any:
    """What stands at the path, through blocks: a list of what stands in each."""
    head, _, rest = path.partition(".")
    found = values.get(head) if isinstance(values, Mapping) else values
    if not rest or found is UNKNOWN:
        return found
    parts = [_at(block, rest) for block in found] if isinstance(found, list | tuple) else []
    return [each for part in parts for each in (part if isinstance(part, list | tuple) else [part])]


def _private(resource: Resource, name: str, ipv6: str) -> tuple[tuple[str, ...], bool]:
    given, others = resource.values.get(name), resource.values.get(ipv6)
    texts = [given] if not isinstance(given, list | tuple) else [*given]
    six = [*others] if isinstance(others, list | tuple) else []
    known = tuple(each for each in (*texts, *six) if isinstance(each, str) and each)
    return known, not any("." in each for each in known) or others is UNKNOWN


def _called(resource: Resource) -> str:
    return f"{resource.address} (new)" if resource.made else resource.address


def _true(unsure: Mapping[str, bool]) -> frozenset[str]:
    return frozenset(name for name, is_so in unsure.items() if is_so)
