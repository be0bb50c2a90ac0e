"""Pictures as SVG: the same bytes for the same data, on whatever day and machine of the same matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["INK", "PALETTE", "Picture", "canvas", "clip", "finish"]

INK: Final = "#24292f"
PALETTE: Final = {
    "good": "#2da44e",
    "warn": "#d4a72c",
    "bad": "#cf222e",
    "quiet": "#8c959f",
    "ground": "#f6f8fa",
    "line": "#d0d7de",
    "info": "#0969da",
}
_STYLE: Final[Any] = {
    "svg.hashsalt": "runbook",
    # Letters as outlines: a label fits its box on every reader's machine, whatever fonts are there.
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
}


@dataclass(frozen=True)
class Picture:
    """An SVG, and the same in words for who can't see it."""

    svg: str
    words: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mapping[str, Any]:
        return {"image/svg+xml": self.svg, "text/plain": self.words} if self.svg else {"text/plain": self.words}


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one bare axis, in inches too, its origin at the top left."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as NewFigure

    # Not pyplot: that would keep every figure, and choose a window system.
    figure = NewFigure(figsize=(width, height), facecolor="white")
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return figure, axes


def finish(figure: Figure, words: str) -> Picture:
    """The figure as a picture."""
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(stream.getvalue(), words)


def clip(text: str, most: int) -> str:
    """The text, its middle left out if it is too long: ends of addresses and names tell them apart."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
