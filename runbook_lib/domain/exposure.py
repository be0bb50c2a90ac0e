"""Who can newly reach what through a change of rules, and who no longer can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource
from runbook_lib.models.rules import Direction, Rule, SourceKind

from .half_paths import whole_paths
from .intervals import (
    PRIVATE,
    PUBLIC,
    WHOLE,
    Interval,
    Intervals,
    contains,
    network_interval,
    networks,
    size,
    subtract,
    union,
)
from .reach import ALL_PORTS, NAMED_PROTOCOLS, Reach, known_entries, reaches
from .sentence import sentence

__all__ = ["exposure"]

# In an entry, every protocol that no rule of the group names: what is left of `all` when some were open before.
_OTHER: Final = "other"
_PROTOCOL_ORDER: Final = {name: rank for rank, name in enumerate(("all", *NAMED_PROTOCOLS))}
_ALL_ADDRESSES: Final = {4: "0.0.0.0/0", 6: "::/0"}

_Key = tuple[str, str]  # direction and group
_Labels = Callable[[str], str]


class _Party(NamedTuple):
    """Somebody who gains or loses; sorts the internet first, then networks by address, then lists and groups."""

    rank: int
    version: int
    first: int
    source: str
    kind: ExposureSource


def exposure(
    before: Iterable[Rule],
    after: Iterable[Rule],
    names: Mapping[str, str] | None = None,
    groups: Collection[str] = (),
) -> Exposure:
    """Compare all rules before and after a change; `names` gives a group's name by id or address.

    `groups` are those of which every rule is there: out of another one nobody reaches more of them than they let in.

    Exact on ports and networks, with two things said as people say them: whoever gains most of the internet through
    rules that span all addresses is the internet, even if some network had access before; and a group is taken to
    reach what all of IPv4 reaches. For an egress rule the group is the source and the other end the target. What a
    rule leaves unknown is listed apart: it opens at least nothing, and `closed` does not count on it.
    """
    old, new = tuple(before), tuple(after)
    entries = known_entries((*old, *new))
    label = _labels((*old, *new), names or {})
    was, was_unknown = _by_target(old, entries)
    now, now_unknown = _by_target(new, entries)
    was, now = whole_paths(was, was_unknown, groups), whole_paths(now, now_unknown, groups)
    opened: list[ExposureEntry] = []
    closed: list[ExposureEntry] = []
    for key in sorted(set(was) | set(now), key=lambda key: (label(key[1]), key)):
        earlier, later = was.get(key, []), now.get(key, [])
        if Counter(earlier) != Counter(later):
            opened += _entries(key, later, earlier, label)
            closed += _entries(key, earlier, later, label)
    known_before = {_unknown_entry(rule, label) for rule in was_unknown}
    unknown = dict.fromkeys(_unknown_entry(rule, label) for rule in now_unknown)
    found = Exposure(
        opened=tuple(sorted(opened, key=_aside_from_internet)),
        closed=tuple(sorted(closed, key=_aside_from_internet)),
        unknown=tuple(entry for entry in unknown if entry not in known_before),
    )
    return found.model_copy(update={"sentence": sentence(found)})


def _aside_from_internet(entry: ExposureEntry) -> tuple[bool, bool]:
    # The internet comes first: it is what an approver looks for, above all where it gets in.
    internet = ExposureSource.INTERNET.value
    return str(entry.source_kind) != internet, entry.target_kind != internet


def _by_target(
    rules: Iterable[Rule], entries: Mapping[str, tuple[str, ...]]
) -> tuple[dict[_Key, list[Reach]], list[Rule]]:
    known: dict[_Key, list[Reach]] = {}
    unknown: list[Rule] = []
    for rule in rules:
        found = reaches(rule, entries)
        if found is None:
            unknown.append(rule)
        else:
            known.setdefault((str(rule.direction), str(rule.group)), []).extend(found)
    return known, unknown


def _labels(rules: Iterable[Rule], names: Mapping[str, str]) -> _Labels:
    # Two groups of one name would read as one: then the id is said too.
    ids = {str(rule.group) for rule in rules} | {str(rule.source) for rule in rules}
    count = Counter(names[identity] for identity in ids if identity in names)

    def label(identity: str) -> str:
        if identity.endswith("[*]"):  # one of several, which a reader can't tell apart by where a `[*]` stands
            return " or ".join(label(one) for one in identity.removesuffix("[*]").split(" or "))
        name = names.get(identity, "")
        return f"{name} ({identity})" if name and count[name] > 1 else name or identity

    return label


def _entries(key: _Key, winners: list[Reach], losers: list[Reach], label: _Labels) -> list[ExposureEntry]:
    found: dict[_Party, dict[str, Intervals]] = {}
    protocols = _protocols((*winners, *losers))
    for protocol in protocols:
        gaining = [reach for reach in winners if reach.protocol in {protocol, "all"}]
        losing = [reach for reach in losers if reach.protocol in {protocol, "all"}]
        for party, ports in _gains(gaining, losing).items():
            found.setdefault(party, {})[protocol] = ports
    return [
        _entry(key, party, (protocol, ports), label)
        for party in sorted(found)
        for protocol, ports in _intervals(found[party], protocols)
    ]


def _protocols(rules: Iterable[Reach]) -> list[str]:
    named = {reach.protocol for reach in rules}
    if "all" in named:
        named = (named - {"all"}) | {*NAMED_PROTOCOLS, _OTHER}
    return sorted(named, key=lambda name: (_PROTOCOL_ORDER.get(name, 9), name.zfill(5)))


def _intervals(
    by_protocol: Mapping[str, Intervals], protocols: Iterable[str]
) -> Iterator[tuple[str, tuple[int | None, int | None]]]:
    if _OTHER in by_protocol and all(by_protocol.get(name) == (ALL_PORTS,) for name in protocols):
        yield "all", (None, None)
        return
    for protocol, intervals in by_protocol.items():
        for low, high in intervals:
            for ports in _as_written(protocol, low, high):
                yield protocol, ports


def _as_written(protocol: str, low: int, high: int) -> Iterator[tuple[int | None, int | None]]:
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


def _entry(key: _Key, party: _Party, what: tuple[str, tuple[int | None, int | None]], label: _Labels) -> ExposureEntry:
    direction, group = key
    other_end, kind = label(party.source), party.kind
    protocol, (from_port, to_port) = what
    outward = direction == Direction.EGRESS
    return ExposureEntry(
        source=label(group) if outward else other_end,
        source_kind=ExposureSource.GROUP if outward else kind,
        target=other_end if outward else label(group),
        target_kind=kind.value if outward else ExposureSource.GROUP.value,
        protocol=protocol,
        from_port=from_port,
        to_port=to_port,
    )


def _unknown_entry(rule: Rule, label: _Labels) -> ExposureEntry:
    group: str | Unknown = UNKNOWN if rule.group is UNKNOWN else label(str(rule.group))
    other_end: str | Unknown = UNKNOWN if rule.source is UNKNOWN else label(str(rule.source))
    if rule.source_kind is SourceKind.SELF:
        other_end = group
    kind = _unknown_kind(rule)
    outward = rule.direction is Direction.EGRESS
    return ExposureEntry(
        source=group if outward else other_end,
        source_kind=ExposureSource.GROUP if outward else kind,
        target=other_end if outward else group,
        target_kind=(str(kind) if outward else ExposureSource.GROUP.value),
        protocol=rule.protocol,
        from_port=rule.from_port,
        to_port=rule.to_port,
    )


def _unknown_kind(rule: Rule) -> ExposureSource | Unknown:
    if rule.source_kind is SourceKind.PREFIX_LIST:
        return ExposureSource.PREFIX_LIST
    if rule.source_kind in {SourceKind.GROUP, SourceKind.SELF}:
        return ExposureSource.GROUP
    if rule.source is UNKNOWN or rule.source_kind is SourceKind.UNKNOWN:
        return UNKNOWN
    try:
        version, addresses = network_interval(str(rule.source))
    except ValueError:
        return UNKNOWN
    return _kind_of(version, (addresses,))


def _gains(winners: Iterable[Reach], losers: Iterable[Reach]) -> dict[_Party, Intervals]:
    """The ports that each party can reach by `winners` and could not by `losers`; all of one protocol."""
    found: dict[_Party, list[Interval]] = {}
    for ports, winning, losing in _slabs(list(winners), list(losers)):
        for party in _parties(winning, losing):
            found.setdefault(party, []).append(ports)
    return {party: union(ports) for party, ports in found.items()}


def _kind_of(version: int, addresses: Intervals) -> ExposureSource:
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


def _parties(winning: list[Reach], losing: list[Reach]) -> Iterator[_Party]:
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


def _address_parties(version: int, fresh: Intervals, after: Intervals, winning: list[Reach]) -> Iterator[_Party]:
    if after == (WHOLE[version],) and _most_of_the_internet(version, fresh):
        yield _Party(0, version, 0, _ALL_ADDRESSES[version], ExposureSource.INTERNET)
        return
    rest = fresh
    for reach in winning:
        if reach.version == version and reach.token and contains(fresh, reach.addresses):
            internet = _kind_of(version, reach.addresses) is ExposureSource.INTERNET
            yield _Party(0, version, 1, reach.token, ExposureSource.INTERNET) if internet else _token_party(reach)
            rest = subtract(rest, reach.addresses)
    internet = contains(rest, PUBLIC[version])
    for span in rest:
        yield from _network_parties(version, span, internet)


@lru_cache(maxsize=65536)
def _network_parties(version: int, span: Interval, internet: bool) -> tuple[_Party, ...]:
    # The same addresses come back stretch after stretch of ports.
    found = ((network, network_interval(network)[1]) for network in networks(version, (span,)))
    return tuple(
        _Party(1, version, own[0], network, ExposureSource.INTERNET if internet else _kind_of(version, (own,)))
        for network, own in found
    )


def _most_of_the_internet(version: int, fresh: Intervals) -> bool:
    # The complement of an office network is twenty networks that nobody would recognise as the internet.
    return 2 * size(_common(fresh, PUBLIC[version])) > size(PUBLIC[version])


def _common(points: Intervals, others: Intervals) -> Intervals:
    return subtract(points, subtract(points, others))


def _token_party(reach: Reach) -> _Party:
    if reach.kind is SourceKind.PREFIX_LIST:
        return _Party(2, 0, 0, reach.token, ExposureSource.PREFIX_LIST)
    return _Party(3, 0, 0, reach.token, ExposureSource.GROUP)
