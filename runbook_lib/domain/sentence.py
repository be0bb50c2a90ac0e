"""An exposure in plain English, for an approver who has two minutes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource, Reachable
from runbook_lib.wording import INTERNET, NO_CHANGE, begun, join, keeps_out, openings, party, says_whom, things

__all__ = ["sentence"]

_MOST: Final = 3
_NOT_KNOWN: Final = re.compile(r",? (?:is|are) not known(?=,|$)")
_Ends = Callable[[ExposureEntry], tuple[str, str]]


def sentence(exposure: Exposure) -> str:
    """Say it all, as in `The internet can newly reach web on tcp 80; nobody loses access.`, or the gist of much."""
    gained = [entry for entry in exposure.opened if entry.reachable.rank <= Reachable.UNKNOWN.rank]
    idle = [entry for entry in exposure.opened if entry.reachable.rank > Reachable.UNKNOWN.rank]
    opened = _statements(gained, "can newly reach", _things)
    if idle:
        opened = f"{opened}; {_idle(idle)}" if opened else f"O{_idle(idle)[1:]}"
    closed = _statements(exposure.closed, "can no longer reach", _parties)
    doubts = _doubts([*gained, *exposure.unknown])
    if exposure.unknown:
        # What is not known can't be denied: no word on who gains or loses nothing.
        unnamed = [entry for entry in exposure.unknown if says_whom(entry)]
        ways = _statements(unnamed, "may newly reach", _parties)
        left = sum(1 for entry in exposure.unknown if not entry.why) - len(unnamed)
        first = (
            (ways, opened)
            if ways.startswith("The internet") and not opened.startswith("The internet")
            else (opened, ways)
        )
        told = (first[0], first[1], closed) if first[0] is ways else (opened, closed, ways)
        return " ".join(f"{text}." for text in (*told, _unknown(left) if left else "", doubts) if text)
    end = f" {doubts}." if doubts else ""
    if opened and closed:
        return f"{opened}. {closed}.{end}"
    if opened:
        return f"{opened}; nobody loses access.{end}"
    return f"{closed}; nobody gains access." if closed else NO_CHANGE


def _parties(entry: ExposureEntry) -> tuple[str, str]:
    source, target = party(entry.source, entry.source_kind), party(entry.target, entry.target_kind)
    return source, "itself" if source == target else target


def _things(entry: ExposureEntry) -> tuple[str, str]:
    """The ends, with the interfaces themselves in the place of the group that they carry, where they are known."""
    source, target = _parties(entry)
    reached = things(entry) if entry.reachable is Reachable.REACHABLE else ""
    own = {ExposureSource.GROUP.value, ExposureSource.INTERFACE.value}
    if not reached:
        return source, target
    if str(entry.source_kind) in own and entry.target_kind not in own:
        return reached.partition(" (")[0], target
    return source, reached if target != "itself" else target


def _statements(entries: Iterable[ExposureEntry], verb: str, ends: _Ends) -> str:
    pairs: dict[tuple[str, str], list[ExposureEntry]] = {}
    for entry in entries:
        pairs.setdefault(ends(entry), []).append(entry)
    sources: dict[tuple[str, str], list[str]] = {}
    for (source, target), held in pairs.items():
        sources.setdefault((target, openings(held)), []).append(source)
    ordered = sorted(sources.items(), key=lambda item: (INTERNET not in item[1], item[0][0] != INTERNET))
    said = [f"{join(group)} {verb} {target} on {texts}" for (target, texts), group in ordered]
    if len(said) > _MOST:
        said = [*said[: _MOST - 1], f"{len(said) - _MOST + 1} more such changes"]
    return begun("; ".join(said))


def _idle(entries: Iterable[ExposureEntry]) -> str:
    """What is opened and nothing newly comes through: `opens tcp 9100 of db to 10.0.0.0/8, which has no member`."""
    held: dict[tuple[str, str, str], list[ExposureEntry]] = {}
    for entry in entries:
        source, target = _parties(entry)
        inward = entry.target_kind in {"group", "interface"}
        whose, whom = (source if target == "itself" else target, source) if inward else (source, target)
        held.setdefault((whose, whom, keeps_out(entry)), []).append(entry)
    alike: dict[tuple[str, str, str], list[str]] = {}
    for (whose, whom, why), group in held.items():
        alike.setdefault((openings(group), whom, why), []).append(whose)
    said = [f"opens {ports} of {join(those)} to {whom}, {why}" for (ports, whom, why), those in alike.items()]
    if len(said) > _MOST:
        said = [*said[: _MOST - 1], f"{len(said) - _MOST + 1} more openings that nothing newly comes through"]
    return "; ".join(said)


def _doubts(entries: Iterable[ExposureEntry]) -> str:
    """What is not known of what may be reached, as a sentence."""
    whys = (entry.why for entry in entries if entry.reachable is Reachable.UNKNOWN and entry.why)
    # Each says by itself that it is not known, as it does in a table.
    told = list(dict.fromkeys(_NOT_KNOWN.sub("", why) for why in whys))
    if not told:
        return ""
    said = "; ".join(told if len(told) <= _MOST else [*told[: _MOST - 1], f"{len(told) - _MOST + 1} more such doubts"])
    return f"Not known: {said}"


def _unknown(count: int) -> str:
    return f"Whom {count} rule{'s let' if count > 1 else ' lets'} in is known only after apply"
