"""An exposure in plain English, for an approver who has two minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import Exposure, ExposureEntry
from runbook_lib.wording import INTERNET, NO_CHANGE, join, openings, party

__all__ = ["sentence"]

_MOST: Final = 3


def sentence(exposure: Exposure) -> str:
    """Say it all, as in `The internet can newly reach web on tcp 80; nobody loses access.`, or the gist of much."""
    opened = _statements(exposure.opened, "can newly reach")
    closed = _statements(exposure.closed, "can no longer reach")
    if exposure.unknown:
        # What is not known can't be denied: no word on who gains or loses nothing.
        unnamed = [entry for entry in exposure.unknown if _says_whom(entry)]
        ways = _statements(unnamed, "may newly reach")
        left = len(exposure.unknown) - len(unnamed)
        return " ".join(f"{text}." for text in (opened, closed, ways, _unknown(left) if left else "") if text)
    if opened and closed:
        return f"{opened}. {closed}."
    if opened:
        return f"{opened}; nobody loses access."
    return f"{closed}; nobody gains access." if closed else NO_CHANGE


def _statements(entries: Iterable[ExposureEntry], verb: str) -> str:
    pairs: dict[tuple[str, str], list[ExposureEntry]] = {}
    for entry in entries:
        source, target = party(entry.source, entry.source_kind), party(entry.target, entry.target_kind)
        pairs.setdefault((source, "itself" if source == target else target), []).append(entry)
    sources: dict[tuple[str, str], list[str]] = {}
    for (source, target), held in pairs.items():
        sources.setdefault((target, openings(held)), []).append(source)
    ordered = sorted(sources.items(), key=lambda item: (INTERNET not in item[1], item[0][0] != INTERNET))
    said = [f"{join(group)} {verb} {target} on {texts}" for (target, texts), group in ordered]
    if len(said) > _MOST:
        said = [*said[: _MOST - 1], f"{len(said) - _MOST + 1} more such changes"]
    text = "; ".join(said)
    # A group's name keeps its spelling; only our own words start with a capital.
    return f"T{text[1:]}" if text.startswith(INTERNET) else text


def _says_whom(entry: ExposureEntry) -> bool:
    """Whether nothing but the target's name is missing: who gains access, and on what, is known all the same."""
    known = (entry.source, entry.source_kind, entry.protocol, entry.from_port, entry.to_port)
    return entry.target is UNKNOWN and UNKNOWN not in known


def _unknown(count: int) -> str:
    return f"Whom {count} rule{'s let' if count > 1 else ' lets'} in is known only after apply"
