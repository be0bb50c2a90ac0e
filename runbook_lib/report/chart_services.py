"""How long each service took to answer, and which did not answer as it should."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ..models.services import ServiceReport, ServiceResult
from .picture import INK, PALETTE, Picture, canvas, clip, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["services"]

_MOST: Final = 25
_WIDTH, _LEFT, _RIGHT = 9.0, 3.1, 2.3
_ROW, _TOP = 0.34, 0.3


def services(given: ServiceReport | Iterable[ServiceResult]) -> Picture:
    """A bar a test, failing ones first, then the slowest; the bar is the time of the last attempt."""
    results = given.results if isinstance(given, ServiceReport) else tuple(given)
    if not results:
        return Picture("", "No service test was carried out.")
    ordered = sorted(results, key=lambda r: (r.passed, -r.seconds, r.test.name, r.test.address))
    shown = ordered[:_MOST]
    more = len(ordered) - len(shown)
    height = _TOP + _ROW * len(shown) + (0.55 if more else 0.25)
    figure, axes = canvas(_WIDTH, height)
    longest = max(0.001, *(result.seconds for result in shown))
    for position, result in enumerate(shown):
        _draw(axes, result, _TOP + _ROW * (position + 0.5), result.seconds / longest)
    failing = sum(not result.passed for result in results)
    axes.text(0.15, _TOP / 2, f"{len(results) - failing:,} passed, {failing:,} failed", va="center", fontsize=9,
              color="#57606a", fontweight="bold")  # fmt: skip
    if more:
        axes.text(0.15, height - 0.25, f"and {more:,} more that passed faster" if failing <= _MOST else
                  f"and {more:,} more", va="center", fontsize=9, color="#57606a")  # fmt: skip
    return finish(figure, f"{len(results) - failing} of {len(results)} service tests passed.")


def _draw(axes: Axes, result: ServiceResult, y: float, share: float) -> None:
    from matplotlib.patches import Rectangle

    room = _WIDTH - _LEFT - _RIGHT
    colour = PALETTE["good"] if result.passed else PALETTE["bad"]
    label = f"{clip(result.test.name, 18)}  {clip(result.test.address, 20)}"
    axes.text(_LEFT - 0.12, y, label, ha="right", va="center", fontsize=9.5, color=INK)
    axes.add_patch(Rectangle((_LEFT, y - 0.11), room, 0.22, fc=PALETTE["ground"], ec="none"))
    axes.add_patch(Rectangle((_LEFT, y - 0.11), max(room * share, 0.02), 0.22, fc=colour, ec="none"))
    said = f"{1000 * result.seconds:,.0f} ms"
    if not result.passed:
        said += f"  {result.error.partition(':')[0]}"
    tries = f"  ({result.attempts} attempts)" if result.attempts > 1 else ""
    axes.text(_WIDTH - _RIGHT + 0.12, y, said + tries, ha="left", va="center", fontsize=9,
              color=INK if result.passed else PALETTE["bad"])  # fmt: skip
