"""What applied runs have opened and no later one has closed, and which run proves each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..models.history import Applied, EvidenceVerdict, ExposureRow, RunRow
from .intervals import Intervals, network_interval, networks, subtract

__all__ = ["UNREAD", "OpenExposure", "Reckoning", "in_order", "is_believed", "reckon"]

# The source of the one row of a run that was carried out, and whose exposure can't be read.
UNREAD: Final = "what this run opened can't be read"
_WHOLE: Final = (0, 65535)
_BUCKETS: Final = ("tcp", "udp", "icmp", "icmpv6", "other")
_ICMP: Final = ("icmp", "icmpv6")
_NEW: Final = " (new)"
# Behind every time that is known: what can't be dated is closed by nothing.
_UNDATED: Final = "~"
_FEW: Final = 3

_Place = tuple[str, str]  # stack and target


@dataclass(frozen=True)
class OpenExposure:
    """One party that can reach one target, as far as run folders know; `certain` is false for what was not known then.

    `first` and `last` are ports, or ICMP types and codes as one number; `addresses` is what is left of a network's,
    after its IP version. `openers` are all runs that opened it, `run` the one that proves it.
    """

    run: RunRow
    source: str
    source_kind: str
    target: str
    protocol: str
    first: int
    last: int
    certain: bool = True
    addresses: tuple[int, Intervals] | None = None
    openers: frozenset[str] = frozenset()

    @property
    def who(self) -> str:
        """The source, and what is left of it where later runs closed a part."""
        whole = _addresses(self.source)
        if self.addresses is None or self.addresses == whole:
            return self.source
        left = networks(*self.addresses)
        more = f" and {len(left) - _FEW} more" if len(left) > _FEW else ""
        return f"{', '.join(left[:_FEW])}{more} (of {self.source})"

    @property
    def ports(self) -> str:
        """`tcp 80`, `all udp`, `icmp`: in a table's cell."""
        if self.protocol not in {"tcp", "udp"}:
            whole = (self.first, self.last) == _WHOLE or self.protocol not in _ICMP
            return self.protocol if whole else f"{self.protocol} type {self.first // 256}"
        if (self.first, self.last) == _WHOLE:
            return f"all {self.protocol}"
        return f"{self.protocol} {self.first}" + (f"-{self.last}" if self.last != self.first else "")

    @property
    def said(self) -> str:
        """`10.0.0.0/8 reaches web on tcp 80`: in a sentence."""
        return UNREAD if self.source == UNREAD else f"{self.who} reaches {self.target} on {self.ports}"


@dataclass
class Reckoning:
    """`still_open`, and for each run that closed something the runs that had opened it."""

    still_open: list[OpenExposure] = field(default_factory=list)
    closes: dict[str, set[str]] = field(default_factory=dict)

    @property
    def proofs(self) -> frozenset[str]:
        """The runs without which nobody could say who approved what is open."""
        return frozenset(one.run.run_id for one in self.still_open)


def is_believed(run: RunRow) -> bool:
    """Whether what a folder says may make something look closed: proven, or intact where no key is expected."""
    return run.evidence == EvidenceVerdict.PROVEN or (run.evidence == EvidenceVerdict.INTACT and not run.key)


def in_order(runs: Iterable[RunRow]) -> list[RunRow]:
    """The runs whose change was, or may have been, carried out, as one came after the other."""
    applied = [run for run in runs if run.applied != Applied.NO]
    return sorted(applied, key=lambda run: (run.applied_at or run.ended_at or _UNDATED, run.run_id))


def reckon(runs: Iterable[RunRow], exposures: Mapping[str, Iterable[ExposureRow]]) -> Reckoning:
    """Go through what applied runs opened and closed, in order; `exposures` are theirs by run.

    In doubt something is open: only a run that is believed, and that was carried out to its end, closes anything.
    """
    held: dict[_Place, list[OpenExposure]] = {}
    found = Reckoning()
    for run in in_order(runs):
        sure = is_believed(run) and run.applied == Applied.YES and bool(run.applied_at)
        rows = list(exposures.get(run.run_id, ()))
        for row in rows if sure else ():
            if row.change == "closed":
                closed = _without_row(held, run, row, exactly=False)
                if closed:
                    found.closes.setdefault(run.run_id, set()).update(closed)
        for row in rows:
            if row.change != "closed":
                _open(held, run, row, sure)
    found.still_open = [one for place in sorted(held) for one in held[place]]
    return found


def _place(run: RunRow, row: ExposureRow) -> _Place:
    # A group that a plan made is called so in that plan alone.
    return run.stack, row.target.removesuffix(_NEW)


def _addresses(source: str) -> tuple[int, Intervals] | None:
    try:
        version, span = network_interval(source)
    except ValueError:
        return None
    return version, (span,)


def _open(held: dict[_Place, list[OpenExposure]], run: RunRow, row: ExposureRow, sure: bool) -> None:
    source, target = row.source.removesuffix(_NEW), row.target.removesuffix(_NEW)
    before: frozenset[str] = frozenset()
    if sure and row.change == "opened":
        # What was open by an earlier run is open by this one now; its word is the last.
        before = frozenset(_without_row(held, run, row, exactly=True))
    for protocol, first, last in _spans(row):
        opened = OpenExposure(
            run, source, row.source_kind, target, protocol, first, last, row.change == "opened", _addresses(source)
        )
        held.setdefault(_place(run, row), []).append(replace(opened, openers=before | {run.run_id}))


def _without_row(held: dict[_Place, list[OpenExposure]], run: RunRow, row: ExposureRow, *, exactly: bool) -> set[str]:
    """Take what a row speaks of from what is open; whose it was. `exactly`: of the very same source alone."""
    place, openers = _place(run, row), set[str]()
    for span in _spans(row):
        kept: list[OpenExposure] = []
        for one in held.get(place, []):
            left = _left(one, row, span) if not exactly or _same_source(one, row) else [one]
            openers |= set() if left == [one] else one.openers
            kept += left
        held[place] = kept
    return openers


def _spans(row: ExposureRow) -> Iterable[tuple[str, int, int]]:
    for protocol in _BUCKETS if row.protocol == "all" else (row.protocol,):
        if row.protocol == "all" or row.from_port is None or row.from_port < 0:
            yield protocol, *_WHOLE
        elif protocol in _ICMP:
            code = row.to_port if row.to_port is not None and row.to_port >= 0 else None
            first = row.from_port * 256 + (code or 0)
            yield protocol, first, first + 255 if code is None else first
        else:
            yield protocol, row.from_port, row.from_port if row.to_port is None else row.to_port


def _left(one: OpenExposure, row: ExposureRow, span: tuple[str, int, int]) -> list[OpenExposure]:
    protocol, first, last = span
    # All protocols closed are those with a number, too.
    same = one.protocol == protocol or (row.protocol == "all" and one.protocol not in _BUCKETS)
    if not same or last < one.first or first > one.last:
        return [one]
    rest = _source_left(one, row)
    if rest is one:
        return [one]
    below = [replace(one, last=first - 1)] if one.first < first else []
    above = [replace(one, first=last + 1)] if last < one.last else []
    inside = [replace(rest, first=max(first, one.first), last=min(last, one.last))] if rest else []
    return below + inside + above


def _source_left(one: OpenExposure, row: ExposureRow) -> OpenExposure | None:
    """What is left of the source: the same one if nothing was taken, None if all was."""
    if _same_source(one, row):
        return None
    mine, closed = one.addresses, _addresses(row.source)
    # An entry says the internet where most of it lost access: some network may have kept it, by another rule.
    if mine is None or closed is None or mine[0] != closed[0] or row.source_kind == "internet":
        return one
    rest = subtract(mine[1], closed[1])
    if rest == mine[1]:
        return one
    return replace(one, addresses=(mine[0], rest)) if rest else None


def _same_source(one: OpenExposure, row: ExposureRow) -> bool:
    return (one.source, one.source_kind) == (row.source.removesuffix(_NEW), row.source_kind)
