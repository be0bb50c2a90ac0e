"""Repository, state and AWS side by side: where each rule is, and where it is missing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ..models.verification import DifferenceKind, Verification
from .picture import INK, PALETTE, Picture, canvas, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["verification"]

_WIDTH: Final = 9.0
_LEFT, _BAR, _GAP, _TOP = 1.15, 0.42, 0.14, 0.62
_PLACES: Final = ("repository", "state", "AWS")
# Which of the three have the rule; None where either may be.
_HAVE: Final[dict[DifferenceKind, tuple[bool | None, ...]]] = {
    DifferenceKind.CHANGED: (True, True, True),
    DifferenceKind.MISSING: (True, True, False),
    DifferenceKind.UNMANAGED: (False, False, True),
    DifferenceKind.STATE_ONLY: (False, True, None),
    DifferenceKind.REPOSITORY_ONLY: (True, False, False),
    DifferenceKind.EXPIRED: (None, None, True),
}
_COLOURS: Final = {DifferenceKind.CHANGED: PALETTE["warn"]}


def verification(found: Verification) -> Picture:
    """Three bars of the same groups of rules, not to scale; a place that lacks a group shows a dashed gap."""
    kinds = Counter(difference.kind for difference in found.differences)
    drifted = kinds.pop(DifferenceKind.DRIFTED, 0)
    words = f"In sync in repository, state and AWS: {found.in_sync}. Different: {sum(kinds.values())}."
    words += f" Other resources that drifted: {drifted}." if drifted else ""
    groups: list[tuple[str, int, tuple[bool | None, ...], str]] = []
    if found.in_sync:
        groups.append(("in sync", found.in_sync, (True, True, True), PALETTE["good"]))
    for kind, have in _HAVE.items():
        if kinds[kind]:
            colour = _COLOURS.get(kind, PALETTE["bad"])
            groups.append((kind.value.replace("_", " "), kinds[kind], have, colour))
    if not groups:
        return Picture("", "There is no rule to compare." if not drifted else words)
    figure, axes = canvas(_WIDTH, _TOP + 3 * (_BAR + _GAP) + 0.1)
    for row, place in enumerate(_PLACES):
        y = _TOP + row * (_BAR + _GAP) + _BAR / 2
        axes.text(_LEFT - 0.12, y, place, ha="right", va="center", fontsize=10.5)
    x = _LEFT
    for (name, count, have, colour), width in zip(groups, _widths([group[1] for group in groups]), strict=True):
        axes.text(x + width / 2, _TOP - 0.18, f"{name}: {count:,}", ha="center", va="center", fontsize=9.5, color=INK)
        for row, there in enumerate(have):
            _segment(axes, (x, _TOP + row * (_BAR + _GAP)), width - 0.05, colour, there)
        x += width
    return finish(figure, words)


def _widths(counts: list[int]) -> list[float]:
    # One rule out of ten thousand must be seen: every group gets enough room for its name.
    room = _WIDTH - _LEFT - 0.15
    least = min(1.75, room / len(counts))
    spare = room - least * len(counts)
    return [least + spare * count / sum(counts) for count in counts]


def _segment(axes: Axes, corner: tuple[float, float], width: float, colour: str, there: bool | None) -> None:
    from matplotlib.patches import Rectangle

    if there:
        axes.add_patch(Rectangle(corner, width, _BAR, fc=colour, ec="none"))
        return
    axes.add_patch(Rectangle(corner, width, _BAR, fc="white", ec=PALETTE["quiet"], lw=1.2, ls=(0, (4, 3))))
    x, y = corner[0] + width / 2, corner[1] + _BAR / 2
    text = "maybe" if there is None else "not here"
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, color="#57606a")
