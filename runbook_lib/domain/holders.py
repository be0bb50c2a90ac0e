"""Who carries a group, and what is in a prefix list, as AWS has it: what of that no state accounts for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runbook_lib.models.verification import Carrier, Difference, DifferenceKind

from .rules import GROUP_TYPES, RULE_TYPES, Written
from .rules.addresses import parse_address

__all__ = [
    "LIST_TYPE",
    "Holder",
    "OwnedList",
    "entries_elsewhere",
    "foreign_entries",
    "holders",
    "managed_ids",
    "owned_lists",
    "strange_carriers",
]

# What is an interface itself, or says by id which one it is of.
_NAMED: Final = frozenset(
    {"aws_instance", "aws_network_interface", "aws_network_interface_sg_attachment", "aws_network_interface_attachment"}
)
# What starts instances whose ids no state knows.
_STARTS_INSTANCES: Final = frozenset(
    {
        "aws_autoscaling_group",
        "aws_batch_compute_environment",
        "aws_ec2_fleet",
        "aws_eks_cluster",
        "aws_eks_node_group",
        "aws_elastic_beanstalk_environment",
        "aws_emr_cluster",
        "aws_emr_instance_group",
        "aws_imagebuilder_infrastructure_configuration",
        "aws_launch_configuration",
        "aws_launch_template",
        "aws_opsworks_stack",
        "aws_spot_fleet_request",
        "aws_spot_instance_request",
    }
)
LIST_TYPE: Final = "aws_ec2_managed_prefix_list"
_ENTRY: Final = "aws_ec2_managed_prefix_list_entry"


@dataclass(frozen=True)
class Holder:
    """A resource of a state that carries groups: its type, and every text in it, ids and groups among them."""

    type: str
    texts: frozenset[str]


@dataclass(frozen=True)
class OwnedList:
    """A managed prefix list of a state: where it is, and the networks that separate resources put in."""

    id: str
    address: str
    region: str
    account: str
    networks: frozenset[str]


def holders(document: Mapping[str, Any], groups: Collection[str]) -> tuple[Holder, ...]:
    """Every managed resource of the state in which the id of one of these groups stands, but groups and rules."""
    wanted = frozenset(groups)
    found = []
    for resource, values in _managed(document):
        if resource["type"] not in RULE_TYPES | GROUP_TYPES:
            texts = frozenset(_texts(values))
            if texts & wanted:
                found.append(Holder(str(resource["type"]), texts))
    return tuple(found)


def managed_ids(document: Mapping[str, Any]) -> frozenset[str]:
    """The ids of all that the state manages."""
    return frozenset(str(values["id"]) for _, values in _managed(document) if values.get("id"))


def strange_carriers(
    carriers: Iterable[Carrier], known: Collection[Holder], own: Collection[str] = ()
) -> Iterator[Difference]:
    """A difference for each interface in a group that no resource in a state gave it, as far as states can tell.

    A balancer's or a function's interfaces, and instances that a template starts, have ids that no state knows: where a
    state has something that makes such with this group, they are taken to be its. What is among the stack's `own` ids
    Terraform itself compares.
    """
    for carrier in carriers:
        if not carrier.ids.isdisjoint(own):
            continue
        of_group = [holder for holder in known if carrier.group in holder.texts]
        if not any(_accounts_for(holder, carrier) for holder in of_group):
            subject = f"{carrier.kind} {carrier.name or carrier.id}" + (f" ({carrier.id})" if carrier.name else "")
            yield Difference(
                kind=DifferenceKind.UNMANAGED,
                group=carrier.group,
                rule=None,
                subject=f"{subject} carries the group",
                fields={"member": {"aws": carrier.id}},
                # Whoever may use a group may be of a repository that is not known here.
                blocks=False,
            )


def owned_lists(document: Mapping[str, Any], written: Written) -> tuple[OwnedList, ...]:
    """The state's own prefix lists that write no entries of their own: other resources put them in, if any do."""
    entries: dict[str, set[str]] = {}
    for resource, values in _managed(document):
        if resource["type"] == _ENTRY:
            entries.setdefault(str(values.get("prefix_list_id")), set()).add(str(values.get("cidr")))
    found = []
    for resource, values in _managed(document):
        address, identity = _address(resource), str(values.get("id") or "")
        if resource["type"] == LIST_TYPE and identity and not written(*_written_at(address), "entry"):
            arn = [*str(values.get("arn") or "").split(":"), "", "", "", "", ""]
            region, account = str(values.get("region") or arn[3]), str(values.get("owner_id") or arn[4])
            found.append(OwnedList(identity, address, region, account, frozenset(entries.get(identity, ()))))
    return tuple(found)


def entries_elsewhere(document: Mapping[str, Any], prefix_list: str) -> frozenset[str]:
    """The networks that another stack's state puts into this list."""
    entries = (values for resource, values in _managed(document) if resource["type"] == _ENTRY)
    return frozenset(str(values.get("cidr")) for values in entries if values.get("prefix_list_id") == prefix_list)


def foreign_entries(
    owned: OwnedList, there: Mapping[str, str], elsewhere: Collection[str] = ()
) -> Iterator[Difference]:
    """A difference for each network that AWS has in the list and neither this state nor another put there.

    `there` are the descriptions by network. What is lacking in AWS Terraform itself wants to put back.
    """
    for network in sorted(set(there) - owned.networks - set(elsewhere)):
        yield Difference(
            kind=DifferenceKind.UNMANAGED,
            group=owned.id,
            rule=None,
            subject=f"entry {network} of the prefix list {owned.address}",
            fields={"entry": {"aws": f"{network} ({there[network]})" if there[network] else network}},
        )


def _accounts_for(holder: Holder, carrier: Carrier) -> bool:
    if holder.texts & carrier.ids:
        return True
    if carrier.by_service:
        return holder.type not in _NAMED | _STARTS_INSTANCES or holder.type.startswith("aws_eks_")
    return carrier.kind == "instance" and holder.type in _STARTS_INSTANCES


def _managed(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    resources = document.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        if isinstance(resource, Mapping) and resource.get("mode") == "managed":
            instances = resource.get("instances")
            for instance in instances if isinstance(instances, list) else ():
                values = instance.get("attributes") if isinstance(instance, Mapping) else None
                if isinstance(values, Mapping):
                    yield resource, values


def _address(resource: Mapping[str, Any]) -> str:
    module = f"{resource['module']}." if resource.get("module") else ""
    return f"{module}{resource.get('type')}.{resource.get('name')}"


def _written_at(address: str) -> tuple[tuple[str, ...], str]:
    parsed = parse_address(address)
    return parsed.path, parsed.base


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, Mapping):
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
