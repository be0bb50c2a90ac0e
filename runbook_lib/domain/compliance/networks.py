"""What the other end of a rule is: the world, a wide public network, or nobody knows."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.policies import Width
from runbook_lib.models.rules import Rule, SourceKind

from ..intervals import PRIVATE, PUBLIC, Interval, Intervals, contains, network_interval, size, subtract, union
from .logic import Truth, any_of

__all__ = [
    "WORLD",
    "Network",
    "hold_world",
    "is_outside",
    "is_public",
    "is_unknown",
    "is_wide",
    "is_world",
    "networks_of",
    "public_parts",
    "read_networks",
]

Network = tuple[int, Interval, int]
"""IP version, first and last address, prefix length."""

# Whoever lets in more public addresses than these lets in the world: as many as a /8, which is a 256th of IPv4, or a
# /32 of IPv6. Nobody means one organisation by more, and nobody gets around it by leaving a few out.
WORLD: Final = {4: 2**24, 6: 2**96}
# Multicast and reserved addresses never are a source on the internet.
_SILENT: Final[dict[int, Intervals]] = {
    version: union((*PRIVATE[version], *(network_interval(text)[1] for text in texts)))
    for version, texts in {4: ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4"), 6: ("ff00::/8",)}.items()
}


# AWS refuses an address without a prefix, and whoever wrote one of these may have meant the whole world.
_MEANT_AS_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104
_MAPPED: Final = 0xFFFF << 32


@lru_cache(maxsize=65536)
def _network(text: str) -> Network | None:
    try:
        version, (low, high) = network_interval(text)
    except ValueError:
        return None
    if text.strip() in _MEANT_AS_ANY:
        return None
    if version == 6 and low >= _MAPPED and high <= _MAPPED + 0xFFFF_FFFF:
        # ::ffff:0:0/96 and its parts are IPv4 in another spelling.
        version, low, high = 4, low - _MAPPED, high - _MAPPED
    bits = 32 if version == 4 else 128
    return version, (low, high), bits - (high - low + 1).bit_length() + 1


def networks_of(rule: Rule) -> tuple[Network, ...] | Unknown:
    """The networks at the other end: none for a group; UNKNOWN if any is not known or can't be read."""
    if rule.source_kind in {SourceKind.GROUP, SourceKind.SELF}:
        return ()
    if rule.source_kind is SourceKind.UNKNOWN:
        return UNKNOWN
    texts = (rule.source,) if rule.source_kind is SourceKind.NETWORK else rule.entries
    if not isinstance(texts, tuple):
        return UNKNOWN
    return read_networks(texts)


@lru_cache(maxsize=65536)
def read_networks(texts: tuple[str | Unknown, ...]) -> tuple[Network, ...] | Unknown:
    """These networks; UNKNOWN if any is not known or can't be read."""
    found = [None if isinstance(text, Unknown) else _network(text) for text in texts]
    known = tuple(network for network in found if network is not None)
    return known if len(known) == len(found) else UNKNOWN


@lru_cache(maxsize=65536)
def public_parts(networks: tuple[Network, ...], version: int) -> Intervals:
    """The public addresses of one family that the networks hold."""
    held = union(interval for found, interval, _ in networks if found == version)
    return subtract(held, subtract(held, PUBLIC[version])) if held else ()


def is_world(rule: Rule) -> Truth:
    """Whether the source holds more of the public addresses of one family than `WORLD` allows."""
    networks = networks_of(rule)
    if isinstance(networks, Unknown):
        return None
    return hold_world(networks)


@lru_cache(maxsize=65536)
def hold_world(networks: tuple[Network, ...]) -> bool:
    """Whether these hold, together, more of the public addresses of one family than `WORLD` allows."""
    return any(size(public_parts(networks, version)) > WORLD[version] for version in (4, 6))


def is_public(network: Network) -> bool:
    """Whether some address of the network is not private, multicast or reserved."""
    version, interval, _ = network
    return not contains(_SILENT[version], (interval,))


def is_wide(rule: Rule, width: Width) -> Truth:
    """Whether the source holds a network that is public and wider than `width`."""
    networks = networks_of(rule)
    if isinstance(networks, Unknown):
        return None
    limits = {4: width.ipv4, 6: width.ipv6}
    return any(prefix < limits[version] and is_public((version, span, prefix)) for version, span, prefix in networks)


def is_outside(rule: Rule, allowed: tuple[str, ...]) -> Truth:
    """Whether some address of the source is in none of the `allowed` networks."""
    networks = networks_of(rule)
    if isinstance(networks, Unknown):
        return None
    permitted = [network for network in map(_network, allowed) if network is not None]
    held = {version: union(span for found, span, _ in permitted if found == version) for version in (4, 6)}
    return any_of(not contains(held[version], (span,)) for version, span, _ in networks)


def is_unknown(rule: Rule) -> bool:
    """Whether nobody can say before apply whom the rule lets in; a group is known to be one, whichever it is."""
    if rule.source_kind in {SourceKind.GROUP, SourceKind.SELF}:
        return False
    if rule.source_kind is SourceKind.PREFIX_LIST:
        return not isinstance(rule.entries, tuple)
    return rule.source is UNKNOWN
