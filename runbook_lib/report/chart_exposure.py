"""Who gains access to what, and who loses it, as arrows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..models.exposure import Exposure, ExposureEntry, ExposureSource
from ..wording import INTERNET, NO_CHANGE, openings, party
from .picture import INK, PALETTE, Picture, canvas, clip, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["exposure"]

_MOST: Final = 14
_WIDTH: Final = 9.0
_ROW: Final = 0.62
_TOP: Final = 0.5
_BOX: Final = (2.75, 0.4)
_LEFT, _RIGHT = 0.15, _WIDTH - 0.15 - _BOX[0]
_LOOKS: Final = {
    "opens": (PALETTE["bad"], "solid", 2.4),
    "idle": (PALETTE["bad"], "solid", 0.9),
    "closes": (PALETTE["quiet"], (0, (5, 3)), 1.6),
    "unknown": (PALETTE["warn"], (0, (1.2, 2.4)), 2.2),
}
_WORDS: Final = {
    "opens": "newly reaches",
    "idle": "let in, not reached",
    "closes": "no longer reaches",
    "unknown": "known only after apply",
}


@dataclass(frozen=True)
class _Flow:
    """One arrow: what happens, from whom, to what, and on which ports."""

    kind: str
    source: str
    target: str
    on: str


def exposure(found: Exposure) -> Picture:
    """One arrow for each pair of parties: what opens in red, what closes dashed, what is not known yet dotted.

    The arrow is thin where nobody newly gets through what is opened.
    """
    opened, unknown = (
        sorted(entries, key=lambda entry: entry.source_kind is not ExposureSource.INTERNET)
        for entries in (found.opened, found.unknown)
    )
    flows = [
        *_flows("opens", [entry for entry in opened if entry.reachable.lets_through]),
        *_flows("unknown", unknown),
        *_flows("idle", [entry for entry in opened if not entry.reachable.lets_through]),
        *_flows("closes", found.closed),
    ]
    if not flows:
        return Picture("", found.sentence or NO_CHANGE)
    shown = flows[:_MOST]
    more = len(flows) - len(shown)
    height = _TOP + _ROW * len(shown) + (0.3 if more else 0.0) + 0.45
    figure, axes = canvas(_WIDTH, height)
    _heading(axes)
    for position, flow in enumerate(shown):
        _draw(axes, flow, _TOP + _ROW * (position + 0.5))
    if more:
        text = f"and {more} more, in the table"
        axes.text(_WIDTH / 2, height - 0.55, text, ha="center", va="center", fontsize=9, color="#57606a")
    _legend(axes, [kind for kind in _LOOKS if any(flow.kind == kind for flow in shown)], height - 0.22)
    return finish(figure, found.sentence)


def _flows(kind: str, entries: Iterable[ExposureEntry]) -> list[_Flow]:
    held: dict[tuple[str, str], list[ExposureEntry]] = {}
    for entry in entries:
        pair = party(entry.source, entry.source_kind), party(entry.target, entry.target_kind)
        held.setdefault(pair, []).append(entry)
    return [_Flow(kind, source, target, openings(group)) for (source, target), group in held.items()]


def _heading(axes: Axes) -> None:
    for x, text in ((_LEFT + _BOX[0] / 2, "WHO"), (_WIDTH / 2, "ON"), (_RIGHT + _BOX[0] / 2, "REACHES")):
        axes.text(x, _TOP / 2, text, ha="center", va="center", fontsize=8, color="#57606a", fontweight="bold")


def _draw(axes: Axes, flow: _Flow, y: float) -> None:
    from matplotlib.patches import Polygon

    colour, line, width = _LOOKS[flow.kind]
    start, end = _LEFT + _BOX[0] + 0.06, _RIGHT - 0.06
    axes.plot([start, end - 0.12], [y, y], color=colour, lw=width, ls=line, solid_capstyle="butt")
    axes.add_patch(Polygon([(end, y), (end - 0.15, y - 0.08), (end - 0.15, y + 0.08)], fc=colour, ec="none"))
    _box(axes, (_LEFT, y), flow.source, flow)
    _box(axes, (_RIGHT, y), flow.target, flow)
    label = {"facecolor": "white", "edgecolor": "none", "pad": 2.5}
    strong = "bold" if flow.kind == "opens" else "normal"
    on = textwrap.fill(clip(flow.on, 66), 34)
    axes.text(_WIDTH / 2, y, on, ha="center", va="center", fontsize=9.5, fontweight=strong,
              color=INK if flow.kind != "closes" else "#57606a", bbox=label)  # fmt: skip


def _box(axes: Axes, left: tuple[float, float], text: str, flow: _Flow) -> None:
    from matplotlib.patches import FancyBboxPatch

    # The internet stands out where it gains: that is what an approver must not overlook.
    alarm = text == INTERNET and flow.kind == "opens"
    edge = PALETTE["bad"] if alarm else PALETTE["line"]
    ground = PALETTE["bad"] if alarm else PALETTE["ground"]
    corner = (left[0], left[1] - _BOX[1] / 2)
    axes.add_patch(FancyBboxPatch(corner, *_BOX, boxstyle="round,pad=0,rounding_size=0.08", fc=ground, ec=edge, lw=1.1))
    axes.text(left[0] + _BOX[0] / 2, left[1], clip(text, 30), ha="center", va="center", fontsize=10,
              color="white" if alarm else INK, fontweight="bold" if alarm else "normal")  # fmt: skip


def _legend(axes: Axes, kinds: list[str], y: float) -> None:
    x = _LEFT
    for kind in kinds:
        colour, line, width = _LOOKS[kind]
        axes.plot([x, x + 0.45], [y, y], color=colour, ls=line, lw=width)
        axes.text(x + 0.55, y, _WORDS[kind], ha="left", va="center", fontsize=8.5, color="#57606a")
        x += 2.2
