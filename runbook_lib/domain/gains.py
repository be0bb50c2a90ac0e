"""Who gains what by some rules over others, as parties and intervals of ports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from runbook_lib.models.exposure import ExposureSource
from runbook_lib.models.rules import SourceKind

from .intervals import (
    PRIVATE,
    PUBLIC,
    WHOLE,
    Interval,
    Intervals,
    contains,
    intersect,
    network_interval,
    networks,
    size,
    subtract,
    union,
)
from .reach import ALL_PORTS, NAMED_PROTOCOLS, Reach

__all__ = ["OTHER", "Opening", "Party", "as_written", "kind_of", "left_open", "openings", "protocols_of"]

# In an opening, every protocol that no rule names: what is left of `all` when some were open before.
OTHER: Final = "other"
_PROTOCOL_ORDER: Final = {name: rank for rank, name in enumerate(("all", *NAMED_PROTOCOLS))}
_ALL_ADDRESSES: Final = {4: "0.0.0.0/0", 6: "::/0"}
# More networks than anybody reads are told as all of them.
_NETWORKS: Final = 50


class Party(NamedTuple):
    """Somebody who gains or loses; sorts the internet first, then networks by address, then lists and groups."""

    rank: int
    version: int
    first: int
    source: str
    kind: ExposureSource


class Opening(NamedTuple):
    """One party, one protocol, one interval of ports; of `all` protocols, and of those without ports, all of them.

    Ports of ICMP are types by 256 and codes by one, as in a Reach.
    """

    party: Party
    protocol: str
    ports: Interval


def openings(winners: list[Reach], losers: list[Reach]) -> Iterator[Opening]:
    """What each party can reach by `winners` and could not by `losers`."""
    found: dict[Party, dict[str, Intervals]] = {}
    protocols = protocols_of((*winners, *losers))
    for protocol in protocols:
        gaining = [reach for reach in winners if reach.protocol in {protocol, "all"}]
        losing = [reach for reach in losers if reach.protocol in {protocol, "all"}]
        for party, ports in _gains(gaining, losing).items():
            found.setdefault(party, {})[protocol] = ports
    for party in sorted(found):
        by_protocol = found[party]
        if OTHER in by_protocol and all(by_protocol.get(name) == (ALL_PORTS,) for name in protocols):
            yield Opening(party, "all", ALL_PORTS)
        else:
            yield from (Opening(party, name, ports) for name, held in by_protocol.items() for ports in held)


def left_open(closed: Iterable[Opening], by: Collection[Reach]) -> dict[Opening, tuple[str, ...]]:
    """Of each that tells of the internet: the networks that some rules let in still, and prefix lists by their ids.

    Whoever loses most of the internet is told as the internet, so others may keep what it loses.
    """
    apart: dict[tuple[str, int], list[Opening]] = {}
    for opening in closed:
        if opening.party.source in _ALL_ADDRESSES.values():
            apart.setdefault((opening.protocol, opening.party.version), []).append(opening)
    found: dict[Opening, set[str]] = {}
    for (protocol, version), lost in apart.items():
        lost.sort(key=lambda opening: opening.ports)
        first = 0
        for ports, active, _ in _slabs([reach for reach in by if reach.protocol in {protocol, "all"}], []):
            while first < len(lost) and lost[first].ports[1] < ports[0]:
                first += 1
            at, let_in = first, None
            while at < len(lost) and lost[at].ports[0] <= ports[1]:
                let_in = _let_in(active, version) if let_in is None else let_in
                found.setdefault(lost[at], set()).update(let_in)
                at += 1
    return {opening: _bounded(opening.party.version, let_in) for opening, let_in in found.items()}


def _let_in(active: Iterable[Reach], version: int) -> tuple[str, ...]:
    let_in = list(active)
    lists = {reach.token for reach in let_in if not reach.version and reach.kind is SourceKind.PREFIX_LIST}
    addresses = _addresses(let_in, version)
    # Each interval is one network at least.
    told = networks(version, addresses) if len(addresses) <= _NETWORKS else (_ALL_ADDRESSES[version],)
    return _bounded(version, {*told, *lists})


def _bounded(version: int, let_in: set[str]) -> tuple[str, ...]:
    everybody = _ALL_ADDRESSES[version]
    return (everybody,) if everybody in let_in or len(let_in) > _NETWORKS else tuple(sorted(let_in))


def as_written(protocol: str, low: int, high: int) -> Iterator[tuple[int | None, int | None]]:
    """The interval as a rule would write it: no ports for all of them, type and code for ICMP."""
    if protocol not in NAMED_PROTOCOLS:
        yield None, None
    elif protocol in {"tcp", "udp"}:
        yield (None, None) if (low, high) == ALL_PORTS else (low, high)
    elif (low, high) == ALL_PORTS:
        yield -1, -1
    else:
        while low <= high:
            whole_type = low % 256 == 0 and low + 255 <= high
            yield (low // 256, -1) if whole_type else divmod(low, 256)
            low += 256 if whole_type else 1


def protocols_of(rules: Iterable[Reach]) -> list[str]:
    """Every protocol that has to be looked at by itself."""
    named = {reach.protocol for reach in rules}
    if "all" in named:
        named = (named - {"all"}) | {*NAMED_PROTOCOLS, OTHER}
    return sorted(named, key=lambda name: (_PROTOCOL_ORDER.get(name, 9), name.zfill(5)))


def _gains(winners: Iterable[Reach], losers: Iterable[Reach]) -> dict[Party, Intervals]:
    """The ports that each party can reach by `winners` and could not by `losers`; all of one protocol."""
    found: dict[Party, list[Interval]] = {}
    for ports, winning, losing in _slabs(list(winners), list(losers)):
        for party in _parties(winning, losing):
            found.setdefault(party, []).append(ports)
    return {party: union(ports) for party, ports in found.items()}


def kind_of(version: int, addresses: Intervals) -> ExposureSource:
    """Whether these addresses are the internet (all of it), private (nothing else), or some network."""
    if contains(addresses, PUBLIC[version]):
        return ExposureSource.INTERNET
    return ExposureSource.PRIVATE if contains(PRIVATE[version], addresses) else ExposureSource.NETWORK


def _slabs(winners: list[Reach], losers: list[Reach]) -> Iterator[tuple[Interval, list[Reach], list[Reach]]]:
    # Between two neighbouring cuts the same rules hold for every port, so each stretch is judged once.
    events: dict[int, list[tuple[bool, int, int]]] = {}
    for side, group in enumerate((winners, losers)):
        for index, reach in enumerate(group):
            events.setdefault(reach.ports[0], []).append((True, side, index))
            events.setdefault(reach.ports[1] + 1, []).append((False, side, index))
    active: tuple[dict[int, Reach], dict[int, Reach]] = ({}, {})
    cuts = sorted(events)
    for low, following in pairwise(cuts):
        for starts, side, index in events[low]:
            if starts:
                active[side][index] = (winners, losers)[side][index]
            else:
                del active[side][index]
        if active[0]:
            yield (low, following - 1), list(active[0].values()), list(active[1].values())


def _parties(winning: list[Reach], losing: list[Reach]) -> Iterator[Party]:
    before = {version: _addresses(losing, version) for version in WHOLE}
    for version in WHOLE:
        after = _addresses(winning, version)
        fresh = subtract(after, before[version])
        if fresh:
            yield from _address_parties(version, fresh, after, winning)
    # A member of any group has an IPv4 address, so whoever let in all of IPv4 let in the group; the addresses of
    # an unresolved prefix list may be of either version.
    covered = {reach.token for reach in losing}
    open_4, open_6 = (before[version] == (WHOLE[version],) for version in WHOLE)
    for reach in winning:
        if reach.version or reach.token in covered:
            continue
        if not (open_4 and (open_6 or reach.kind is SourceKind.GROUP)):
            yield _token_party(reach)


def _addresses(reaches: list[Reach], version: int) -> Intervals:
    return union(span for reach in reaches if reach.version == version for span in reach.addresses)


def _address_parties(version: int, fresh: Intervals, after: Intervals, winning: list[Reach]) -> Iterator[Party]:
    if after == (WHOLE[version],) and _most_of_the_internet(version, fresh):
        yield Party(0, version, 0, _ALL_ADDRESSES[version], ExposureSource.INTERNET)
        return
    rest = fresh
    for reach in winning:
        if reach.version == version and reach.token and contains(fresh, reach.addresses):
            internet = kind_of(version, reach.addresses) is ExposureSource.INTERNET
            yield Party(0, version, 1, reach.token, ExposureSource.INTERNET) if internet else _token_party(reach)
            rest = subtract(rest, reach.addresses)
    internet = contains(rest, PUBLIC[version])
    for span in rest:
        yield from _network_parties(version, span, internet)


@lru_cache(maxsize=65536)
def _network_parties(version: int, span: Interval, internet: bool) -> tuple[Party, ...]:
    # The same addresses come back stretch after stretch of ports.
    found = ((network, network_interval(network)[1]) for network in networks(version, (span,)))
    return tuple(
        Party(1, version, own[0], network, ExposureSource.INTERNET if internet else kind_of(version, (own,)))
        for network, own in found
    )


def _most_of_the_internet(version: int, fresh: Intervals) -> bool:
    # The complement of an office network is twenty networks that nobody would recognise as the internet.
    return 2 * size(intersect(fresh, PUBLIC[version])) > size(PUBLIC[version])


def _token_party(reach: Reach) -> Party:
    if reach.kind is SourceKind.PREFIX_LIST:
        return Party(2, 0, 0, reach.token, ExposureSource.PREFIX_LIST)
    return Party(3, 0, 0, reach.token, ExposureSource.GROUP)
