"""The networks that a customer-managed prefix list holds, at one time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Unknown

from .declaration import Declaration

__all__ = ["LIST_TYPES", "ListView", "PrefixLists"]

LIST_TYPES: Final = frozenset({"aws_ec2_managed_prefix_list", "aws_ec2_managed_prefix_list_entry", "aws_prefix_list"})


@dataclass(frozen=True, slots=True)
class ListView:
    """A prefix list at one time: each known network with the address of the resource that brings it.

    `unknown` are the addresses of those that bring others, `more` says that there may be any besides. `most` is its
    max_entries and `family` IPv4 or IPv6, UNKNOWN for a list that was never seen.
    """

    name: str
    networks: Mapping[str, str]
    unknown: tuple[str, ...]
    more: bool
    most: int | Unknown = UNKNOWN
    family: str | Unknown = UNKNOWN


@dataclass
class _List:
    name: str
    networks: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    unknown: dict[str, None] = field(default_factory=dict)
    more: bool = False
    computed: bool = False
    most: int | Unknown = UNKNOWN
    family: str | Unknown = UNKNOWN

    def brought_by(self) -> set[str]:
        """The addresses of the resources that bring its networks."""
        return {self.name, *self.networks.values(), *self.unknown}


class PrefixLists:
    """Entries by id and by Terraform address; whoever asks for a list that was never seen gets UNKNOWN."""

    def __init__(self) -> None:
        self._lists: dict[str, _List] = {}
        # What goes into a list of which nobody knows which it is.
        self._somewhere = _List("", more=True)

    def add(self, declaration: Declaration, entries_written: bool) -> None:
        """Take a prefix list, as a resource or as a data source."""
        values = declaration.values
        found = _List(declaration.address)
        most, family = values.get("max_entries"), values.get("address_family")
        found.most = most if isinstance(most, int) and not isinstance(most, bool) else UNKNOWN
        found.family = family if isinstance(family, str) else UNKNOWN
        entries = values.get("entry", values.get("entries"))
        if declaration.type == "aws_prefix_list":
            networks = values.get("cidr_blocks")
            entries = networks if networks is UNKNOWN else [{"cidr": network} for network in networks or ()]
        if not isinstance(entries, list | tuple | None):
            entries = UNKNOWN
        if entries is UNKNOWN:
            found.more = entries_written
            found.computed = not entries_written
            if entries_written:
                found.unknown[declaration.address] = None
        for entry in entries if isinstance(entries, list | tuple) else ():
            _take(found, entry, declaration.address)
        self._lists[declaration.address] = found
        if isinstance(values.get("id"), str):
            self._lists[values["id"]] = found

    def mark_new(self, before: PrefixLists) -> None:
        """Take what lists hold now, and did not before, as what they write themselves: call it before entries come."""
        for name, found in self._lists.items():
            stood = before._lists.get(name)
            found.own = set(found.networks).difference(stood.networks if stood else ())

    def add_entry(self, prefix_list: str | Unknown, network: Any, address: str = "") -> None:
        """Take one separate aws_ec2_managed_prefix_list_entry."""
        for found in self._matching(prefix_list) or (self._somewhere,):
            _take(found, {"cidr": network}, address)

    def remove_entry(self, prefix_list: str | Unknown, network: Any) -> None:
        """Forget an entry that the change removes, but for one that the list newly writes itself."""
        for found in self._matching(prefix_list):
            if network not in found.own:
                found.networks.pop(network, None)

    def names(self, addresses: Collection[str]) -> frozenset[str]:
        """The ids and addresses of the lists that these resources bring something to."""
        return frozenset(name for name, found in self._lists.items() if not found.brought_by().isdisjoint(addresses))

    def views(self, blind: Collection[str] = ()) -> dict[str, ListView]:
        """Every list that was seen or spoken of, by id and by address; under no name what goes into an unknown one.

        What `blind` resources bring that is not known is left out: who compares must not take it for the same.
        """
        made: dict[int, ListView] = {}
        every = {
            **self._lists,
            **({"": self._somewhere} if self._somewhere.networks or self._somewhere.unknown else {}),
        }
        for found in every.values():
            # Blocks that can't be told yet: a list that stays empty looks the same.
            unseen = found.computed and not found.networks
            known = (each for each in found.unknown if each not in blind)
            unknown, more = (*known, *((found.name,) if unseen else ())), found.more or unseen
            made[id(found)] = ListView(found.name, found.networks, unknown, more, found.most, found.family)
        return {name: made[id(found)] for name, found in every.items()}

    def entries(self, prefix_list: str | Unknown) -> tuple[tuple[str, ...] | Unknown, ...]:
        """The networks, and UNKNOWN besides if there may be more."""
        found = self._lists.get(prefix_list) if isinstance(prefix_list, str) else None
        if found is None:
            return (UNKNOWN,)
        known: tuple[tuple[str, ...] | Unknown, ...] = (tuple(sorted(found.networks)),)
        # A list that the configuration gives no entries is empty, or its dynamic blocks can't be told yet: the plan
        # shows both alike. Where other resources bring the entries, it is plain that there are no such blocks.
        if found.more or (found.computed and not found.networks):
            return (*known, UNKNOWN) if found.networks else (UNKNOWN,)
        return known

    def _matching(self, prefix_list: str | Unknown) -> Iterable[_List]:
        if isinstance(prefix_list, str) and prefix_list in self._lists:
            return (self._lists[prefix_list],)
        if isinstance(prefix_list, str) and not prefix_list.endswith("[*]"):
            # A list of another stack: what this one adds is known, and what else it holds is not.
            self._lists[prefix_list] = _List(prefix_list, more=True)
            return (self._lists[prefix_list],)
        # It may go into any list: then no list is known for certain any more.
        for found in self._lists.values():
            found.more = True
        return ()


def _take(found: _List, entry: Any, address: str) -> None:
    network = entry.get("cidr") if isinstance(entry, Mapping) else UNKNOWN
    if isinstance(network, str):
        found.networks[network] = address
    else:
        found.more = True
        found.unknown[address] = None
