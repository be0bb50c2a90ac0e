"""What a change may open of things that nobody has seen: whoever stands in another stack's network, and its groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import ExposureEntry, ExposureSource
from runbook_lib.models.network import Interface, Network, NetworkAcl, Networks, Route, RouteTable, RouteTarget, Subnet
from runbook_lib.wording import join

__all__ = ["unseen"]

_LEADS_IN: Final = frozenset({RouteTarget.INTERNET, RouteTarget.BEYOND, RouteTarget.UNKNOWN})
_NOT_KNOWN: Final = "is not known"
_Told = tuple[str, str]  # what it is about, and why nobody knows


def unseen(networks: Networks) -> tuple[ExposureEntry, ...]:
    """An entry for each thing that lets more through than before, to whom or from whom nobody knows.

    Nothing of a VPC of which every interface is known, and nothing of what the plan makes: there it is known who it is.
    """
    before, after = networks.before, networks.after
    whole = {each.id for each in after.vpcs} if after.complete else set()
    told = [
        *_of_tables(_there(before.tables, whole), _there(after.tables, whole)),
        *_of_acls(_there(before.acls, whole), _there(after.acls, whole)),
        *_of_subnets(_there(before.subnets, whole), _there(after.subnets, whole)),
        *_of_interfaces(before, after, whole),
    ]
    return tuple(_entry(target, why) for target, why in dict.fromkeys(told))


def _there(things: Iterable[Any], whole: Collection[str]) -> dict[str, Any]:
    return {each.id: each for each in things if each.vpc not in whole and _is_aws_s(each.id)}


def _is_aws_s(name: str) -> bool:
    return "." not in name  # as every address of Terraform's has one


def _of_tables(before: Mapping[str, RouteTable], after: Mapping[str, RouteTable]) -> Iterator[_Told]:
    for name, table in after.items():
        was = before.get(name, RouteTable(id=name))
        newly_main = table.main and not was.main
        new = [route for route in _ways_in(table) if newly_main or route not in was.routes]
        ways = list(dict.fromkeys(route.via or route.network or "somewhere" for route in new))
        if ways or (newly_main and table.unsure):
            how = f"newly leads to {join(ways)}" if ways else "becomes a VPC's main one"
            yield name, f"what stands behind {name}, which {how}, {_NOT_KNOWN}"


def _ways_in(table: RouteTable) -> Iterator[Route]:
    return (route for route in table.routes if route.target in _LEADS_IN)


def _of_acls(before: Mapping[str, NetworkAcl], after: Mapping[str, NetworkAcl]) -> Iterator[_Told]:
    # Another stack's is there no more in the plan once nothing more is added to it.
    for name in (*after, *(each for each, acl in before.items() if acl.unsure and each not in after)):
        was, now = (set(side[name].entries) if name in side else set() for side in (before, after))
        if any(entry.allow for entry in now - was) or any(not entry.allow for entry in was - now):
            yield name, f"what stands behind {name}, which newly lets more through, {_NOT_KNOWN}"


def _of_subnets(before: Mapping[str, Subnet], after: Mapping[str, Subnet]) -> Iterator[_Told]:
    for name, subnet in after.items():
        was = before.get(name)
        for what, old, new in (
            ("route table", was and was.table, subnet.table),
            ("network ACL", was and was.acl, subnet.acl),
        ):
            if was is not None and old != new:
                yield name, f"what stands in {name}, which gets another {what}, {_NOT_KNOWN}"


def _of_interfaces(before: Network, after: Network, whole: Collection[str]) -> Iterator[_Told]:
    earlier = {each.id: each for each in before.interfaces}
    for each in after.interfaces:
        was, name = earlier.get(each.id, Interface(id=each.id)), each.name or each.id
        for group in each.groups:
            if group not in was.groups and group not in after.ruled and _is_aws_s(group):
                yield name, f"whom {after.names.get(group, group)}, which {name} gets, lets in {_NOT_KNOWN}"
        if each.id in earlier and "groups" in each.unsure and set(each.public) - set(was.public):
            yield name, f"whom the groups of {name}, which gets a public address, let in {_NOT_KNOWN}"
        if each.forwards and not was.forwards and each.vpc not in whole and _is_aws_s(each.vpc):
            yield name, f"to whom {name} hands connections on {_NOT_KNOWN}"


def _entry(target: str, why: str) -> ExposureEntry:
    return ExposureEntry(
        source=UNKNOWN, source_kind=UNKNOWN, target=target, target_kind=ExposureSource.INTERFACE.value,
        protocol=UNKNOWN, from_port=UNKNOWN, to_port=UNKNOWN, why=why,
    )  # fmt: skip
