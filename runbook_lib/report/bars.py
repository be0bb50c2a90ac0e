"""A row of bars as inline SVG, coloured by the page that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["bars"]

_HEIGHT: Final = 60
_WIDTH: Final = 10


def bars(values: Sequence[float], what: str) -> Markup:
    """A bar a value, the oldest on the left; `what` they are is said to who can't see them. Nothing without values."""
    from markupsafe import Markup

    if not values:
        return Markup("")
    top = max([*values, 1.0])
    drawn = "".join(
        f'<rect x="{index * _WIDTH + 1}" y="{_HEIGHT - tall:.1f}" width="{_WIDTH - 2}" height="{tall:.1f}"/>'
        for index, tall in ((index, max(_HEIGHT * value / top, 1.0)) for index, value in enumerate(values))
    )
    said = f"{len(values)} bars: {what}; the highest is {max(values):g}, the last {values[-1]:g}"
    # Every text in it is escaped here.
    return Markup(  # noqa: S704
        f'<svg class="bars" role="img" aria-label="{escape(said)}" viewBox="0 0 {len(values) * _WIDTH} {_HEIGHT}" '
        f'preserveAspectRatio="none">{drawn}</svg>'
    )
