"""Who can newly reach what through a change, and who no longer can."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource, Reachable
from runbook_lib.models.network import Networks
from runbook_lib.models.rules import Direction, Rule, SourceKind

from .gains import Opening, as_written, kind_of, left_open, openings
from .group_verdicts import GroupJudge
from .half_paths import whole_paths
from .intervals import network_interval
from .reach import Reach, known_entries, reaches
from .sentence import sentence
from .things import Gained, Things
from .unseen import unseen
from .verdicts import MOST, Judge, Judged

__all__ = ["exposure"]

_Key = tuple[str, str]  # direction and group
_Labels = Callable[[str], str]
_NAMES: Final = 3


def exposure(
    before: Iterable[Rule],
    after: Iterable[Rule],
    names: Mapping[str, str] | None = None,
    groups: Collection[str] = (),
    networks: Networks | None = None,
) -> Exposure:
    """Compare all rules before and after a change; `names` gives a group's name by id or address.

    `groups` are those of which every rule is there: out of another one nobody reaches more of them than they let in.
    With `networks` each opening says which interfaces it reaches, and what else the change opens of them is there too:
    a group attached, a public address, a route, a network ACL; what the networks don't know of that is unknown, with
    `why`. Without, what rules open is told, and no more.

    Exact on ports and networks, with two things said as people say them: whoever gains most of the internet through
    rules that span all addresses is the internet, even if some network had access before; and a group is taken to
    reach what all of IPv4 reaches. For an egress rule the group is the source and the other end the target. What a
    rule leaves unknown is listed apart: it opens at least nothing, and `closed` does not count on it.
    """
    old, new = tuple(before), tuple(after)
    entries = known_entries((*old, *new))
    called = {**(networks.before.names if networks else {}), **(names or {})}
    label = _labels((*old, *new), {key: name for key, name in called.items() if name})
    was, was_unknown = _by_target(old, entries)
    now, now_unknown = _by_target(new, entries)
    paths = whole_paths(was, was_unknown, groups), whole_paths(now, now_unknown, groups)
    judges = (
        (GroupJudge(networks.before, networks.after, label), GroupJudge(networks.after, networks.before, label))
        if networks
        else None
    )
    opened, gained = _gained(paths[0], paths[1], label, judges[0] if judges else None)
    closed, lost = _gained(paths[1], paths[0], label, None, closing=True)
    if judges:
        opened += _half_paths((was, now), paths, judges[0])
        opened += _of_things(judges[0], gained)
        closed += [entry for entry in _of_things(judges[1], lost) if entry.reachable is Reachable.REACHABLE]
    known_before = {_unknown_entry(rule, label) for rule in was_unknown}
    unknown = dict.fromkeys(_unknown_entry(rule, label) for rule in now_unknown)
    elsewhere = unseen(networks) if networks else ()
    found = Exposure(
        opened=tuple(sorted(opened, key=_aside_from_internet)),
        closed=tuple(sorted(closed, key=_aside_from_internet)),
        unknown=(*sorted((e for e in unknown if e not in known_before), key=_aside_from_internet), *elsewhere),
    )
    digest = _digest((sorted(gained.items()), sorted(lost.items()), sorted(map(repr, now_unknown))))
    return found.model_copy(update={"sentence": sentence(found), "rules_sha256": digest if networks else ""})


def _digest(of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


def _aside_from_internet(entry: ExposureEntry) -> tuple[bool, bool, int]:
    # The internet comes first: it is what an approver looks for, above all where it gets in, and what it reaches.
    internet = ExposureSource.INTERNET.value
    inward = str(entry.source_kind) == internet
    idle = entry.reachable.rank > Reachable.UNKNOWN.rank
    return idle, not (inward or entry.target_kind == internet), not inward


def _gained(
    earlier: Mapping[_Key, list[Reach]],
    later: Mapping[_Key, list[Reach]],
    label: _Labels,
    judge: GroupJudge | None,
    *,
    closing: bool = False,
) -> tuple[list[ExposureEntry], dict[_Key, list[Opening]]]:
    """What is reached later and was not earlier: as entries, and by group as what is told of its members with it."""
    found: list[ExposureEntry] = []
    raw: dict[_Key, list[Opening]] = {}
    for key in sorted(set(earlier) | set(later), key=lambda key: (label(key[1]), key)):
        was, now = earlier.get(key, []), later.get(key, [])
        if Counter(was) == Counter(now):
            continue
        raw[key] = list(openings(now, was))
        kept = left_open(raw[key], was) if closing else {}
        for opening in raw[key]:
            for judged in judge.of_group(key, opening) if judge else (Judged(opening),):
                found += _entries(key, judged, label, kept.get(opening, ()))
    return found, raw


def _half_paths(
    sides: tuple[dict[_Key, list[Reach]], dict[_Key, list[Reach]]],
    paths: tuple[dict[_Key, list[Reach]], dict[_Key, list[Reach]]],
    judge: GroupJudge,
) -> Iterator[ExposureEntry]:
    """What a group's rules newly let out to a group that does not let it in, unless some member's other group does."""
    for key, now in sides[1].items():
        if Counter(now) == Counter(paths[1].get(key, [])):
            continue
        known = [*sides[0].get(key, ()), *paths[1].get(key, ())]
        for opening in openings(now, known):
            half = Judged(opening, Reachable.HALF_PATH, f"{judge.label(opening.party.source)} does not let it in")
            found = list(judge.of_group(key, opening))
            reached = [each for each in found if each.reachable is Reachable.REACHABLE]
            for each in reached if len(reached) == len(found) else (*reached, half):
                yield from _entries(key, each, judge.label)


def _of_things(judge: Judge, gained: Mapping[_Key, list[Opening]]) -> Iterator[ExposureEntry]:
    """What is opened of interfaces that carry other groups now, or stand elsewhere; apart from what rules open."""
    for each in Things(judge, gained).all():
        yield from _thing_entries(each)


def _thing_entries(each: Gained) -> Iterator[ExposureEntry]:
    for low, high in as_written(each.opening.protocol, *each.opening.ports):
        party = each.opening.party
        ends = ((party.source if each.party_name is None else each.party_name), party.kind.value)
        own = (_called([one.name for one in each.interfaces]), ExposureSource.INTERFACE.value)
        source, target = (own, ends) if each.egress else (ends, own)
        yield ExposureEntry(
            source=source[0],
            source_kind=ExposureSource(source[1]),
            target=target[0],
            target_kind=target[1],
            protocol=each.opening.protocol,
            from_port=low,
            to_port=high,
            interfaces=each.interfaces[:MOST],
            more_interfaces=max(0, len(each.interfaces) - MOST),
            reachable=each.reachable,
            why=each.why,
        )


def _called(names: Sequence[str]) -> str:
    listed = list(dict.fromkeys(names))
    return ", ".join(listed) if len(listed) <= _NAMES else f"{', '.join(listed[:2])} and {len(listed) - 2} more"


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


def _entries(key: _Key, judged: Judged, label: _Labels, kept: tuple[str, ...] = ()) -> Iterator[ExposureEntry]:
    direction, group = key
    opening = judged.opening
    other_end, kind = label(opening.party.source), opening.party.kind
    outward = direction == Direction.EGRESS
    far = opening.party.source if kind is ExposureSource.GROUP else ""
    for low, high in as_written(opening.protocol, *opening.ports):
        yield ExposureEntry(
            source=label(group) if outward else other_end,
            source_kind=ExposureSource.GROUP if outward else kind,
            target=other_end if outward else label(group),
            target_kind=kind.value if outward else ExposureSource.GROUP.value,
            protocol=opening.protocol,
            from_port=low,
            to_port=high,
            interfaces=judged.interfaces,
            more_interfaces=max(0, judged.members - len(judged.interfaces)),
            reachable=judged.reachable,
            why=judged.why,
            target_id=far if outward else group,
            left_open=kept,
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
    return kind_of(version, (addresses,))
