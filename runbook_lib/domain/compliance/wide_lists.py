"""What a change adds to managed prefix lists: rules of any stack may name them, and let in whoever is added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from runbook_lib.models.base import Unknown

from ..intervals import size
from ..rules import ListView, RuleChanges
from ..rules.addresses import parse_address
from .logic import Truth
from .networks import WORLD, public_parts, read_networks

__all__ = ["widened_lists"]

# As where rules add up: in a list of which not all is known a network counts that is at least this part of what makes a
# world; in one that is a world already it needs less.
_SHARE: Final = 16
_NARROW: Final = 64


def widened_lists(changes: RuleChanges, *, everything: bool) -> Iterator[tuple[str, Truth, str]]:
    """Address of each resource that makes a list the world, or may; what is known of it, and the networks it brings.

    The networks of a list add up, those that were in it before as well. With `everything` all of them count as added.
    """
    told: set[str] = set()
    for name, after in changes.lists_after.items():
        if after.name in told or parse_address(after.name).base.startswith("data."):
            continue
        told.add(after.name)
        before = None if everything else changes.lists_before.get(name)
        yield from _of_list(after, before)


def _of_list(after: ListView, before: ListView | None) -> Iterator[tuple[str, Truth, str]]:
    old = set(before.networks) if before else set()
    added: dict[str, list[str]] = defaultdict(list)
    for network, address in after.networks.items():
        if network not in old:
            added[address].append(network)
    for address, networks in added.items():
        truth = _widens(networks, after, old)
        if truth is not False:
            yield address, truth, ", ".join(networks)
    for address in after.unknown:
        if before is None or address not in before.unknown:
            yield address, None, "a network that is not known yet"


def _widens(added: Iterable[str], after: ListView, old: Iterable[str]) -> Truth:
    own, whole, earlier = (read_networks(tuple(texts)) for texts in (added, after.networks, old))
    if isinstance(own, Unknown):
        return None
    result: Truth = False
    for version in (4, 6):
        limit, addresses = WORLD[version], size(public_parts(own, version))
        if not addresses:
            continue
        unsure = after.more or isinstance(whole, Unknown)
        total = addresses if isinstance(whole, Unknown) else size(public_parts(whole, version))
        stood = 0 if isinstance(earlier, Unknown) else size(public_parts(earlier, version))
        if total > limit and (stood <= limit or addresses * _NARROW >= limit):
            return True
        if unsure and addresses * _SHARE > limit:
            result = None
    return result
