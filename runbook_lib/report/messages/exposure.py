"""What becomes reachable, and what changes, in the fewest lines and what matters first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ...models.exposure import Exposure, ExposureEntry, Reachable
from ...models.plan import PlanSummary
from ...wording import (
    DRIFT,
    INTERNET,
    changed,
    join,
    keeps_out,
    openings,
    party_in_full,
    rare_counts,
    says_whom,
    things,
)
from .blocks import Block, bullets, section
from .text import code, line

__all__ = ["changes", "counts", "drift", "exposure_blocks"]

MOST_LINES = 8
MOST_ADDRESSES = 8

_Line = tuple[str, str, str, str]  # sign, whom, what and what is said besides


def exposure_blocks(exposure: Exposure) -> list[Block]:
    """Openings to the internet first, then others, what nothing comes through, and what is not known."""
    unnamed = [entry for entry in exposure.unknown if says_whom(entry)]
    others = [entry for entry in exposure.unknown if not says_whom(entry)]
    open_ = [entry for entry in exposure.opened if entry.reachable.lets_through]
    idle = [entry for entry in exposure.opened if not entry.reachable.lets_through]
    told = [
        *_lines(":unlock: opens", (*open_, *unnamed)),
        *_lines(":unlock: opens, not reached,", idle),
        *_lines(":question: may open", others),
    ]
    told.sort(key=lambda each: INTERNET not in each[1] or not each[0].startswith(":unlock: opens"))
    closed = [_said(each) for each in _lines(":lock: closes", exposure.closed)]
    parts = (([_said(each) for each in told], MOST_LINES), (closed, MOST_LINES // 2 if told else MOST_LINES))
    return [section(bullets(lines, most)) for lines, most in parts if lines]


def counts(summary: PlanSummary, mark: str = "*") -> str:
    """How much is added, changed and destroyed, in words."""
    shown = [(summary.create, "to add"), (summary.update, "to change"), (summary.delete, "to destroy")]
    parts = [f"{mark}{count}{mark} {words}" for count, words in shown]
    parts += [f"{mark}{summary.replace}{mark} of them replaced"] if summary.replace else []
    rare = {words: count for words, count in rare_counts(summary).items() if count}
    return ", ".join([*parts, *(f"{mark}{count}{mark} {words}" for words, count in rare.items())])


def changes(summary: PlanSummary) -> list[Block]:
    """The addresses of what changes: what is destroyed and replaced first."""
    listed = [f"• {line(action, 30)} {code(address)}" for action, address in changed(summary)]
    return [section(f"*What changes*\n{bullets(listed, MOST_ADDRESSES)}")] if listed else []


def drift(summary: PlanSummary) -> list[Block]:
    """What was changed by hand, apart from what the plan does."""
    found = [f"• {code(address)}" for address in summary.addresses.get(DRIFT, ())]
    return [section(f":warning: *Changed outside of Terraform*\n{bullets(found, MOST_ADDRESSES)}")] if found else []


def _lines(sign: str, entries: Iterable[ExposureEntry]) -> list[_Line]:
    """A line for each set of parties that gain the same of the same: ports, then sources, then targets are merged."""
    by_pair: dict[tuple[str, str, str], list[ExposureEntry]] = {}
    for entry in entries:
        key = (party_in_full(entry.source, entry.source_kind), _target(entry), keeps_out(entry))
        by_pair.setdefault(key, []).append(entry)
    rows = [(source, target, why, openings(held)) for (source, target, why), held in by_pair.items()]
    sources = _merged(rows, lambda row: row[1:], lambda row: row[0])
    targets = _merged(
        [(join(found), *row) for row, found in sources.items()], lambda row: (row[0], *row[2:]), lambda row: row[1]
    )
    return [
        (sign, f"*{line(source, 160)}*", f"{code(join(found), 200)} on {line(ports, 90)}", line(why, 160))
        for (source, why, ports), found in targets.items()
    ]


def _merged(
    rows: Sequence[tuple[str, ...]],
    key: Callable[[tuple[str, ...]], tuple[str, ...]],
    value: Callable[[tuple[str, ...]], str],
) -> Mapping[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(value(row))
    return found


def _target(entry: ExposureEntry) -> str:
    """The group with the interfaces that are reached through it; as a source they are told with the group alone."""
    name = party_in_full(entry.target, entry.target_kind)
    reached = things(entry) if entry.reachable is Reachable.REACHABLE else ""
    inward = entry.target_kind == "group" and str(entry.source_kind) not in {"group", "interface"}
    return f"{name}: {reached}" if reached and inward else name


def _said(each: _Line) -> str:
    sign, who, what, why = each
    return f"{sign} {who} → {what}" + (f", {why}" if why else "")
