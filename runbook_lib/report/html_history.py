"""All runs on one page: what is open, who approved it, how long changes take, what stops them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from ..models.history import EvidenceVerdict, RunRow
from ..wording import said_by
from .bars import bars
from .html import TEMPLATES, page_style

__all__ = ["HistoryPage", "render_history"]

_CHOICES = ("stack", "outcome", "risk", "runbook", "evidence", "review")
_TONES = {
    EvidenceVerdict.PROVEN: "passed",
    EvidenceVerdict.INTACT: "warned",
    EvidenceVerdict.UNSEALED: "warned",
    EvidenceVerdict.UNREADABLE: "errored",
}


@dataclass(frozen=True)
class Opened:
    """An exposure that is open: who reaches what, on which ports, by which run; `certain` if that was known then."""

    who: str
    target: str
    ports: str
    run: RunRow
    certain: bool


@dataclass(frozen=True)
class Ended:
    """A line of a table of the page: texts under the table's columns."""

    cells: tuple[str, ...]


@dataclass(frozen=True)
class Looks:
    """What differed at each look at a stack: time, run and count, the oldest first."""

    stack: str
    looks: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class HistoryPage:
    """All that the page shows. `linked` are runs whose own page lies beside it and may be opened.

    `lead` has a day and seconds for each run that came to verified, the oldest first; `policies` and `steps` say what
    stopped how many runs; `waivers` and `flaps` are rows of their tables.
    """

    made_at: str
    runs: Sequence[RunRow]
    opened: Sequence[Opened] = ()
    lead: Sequence[tuple[str, float]] = ()
    median: float | None = None
    blocked: int = 0
    steps: Sequence[tuple[str, int]] = ()
    policies: Sequence[tuple[str, int]] = ()
    waivers: Sequence[Ended] = ()
    drift: Sequence[Looks] = ()
    flaps: Sequence[Ended] = ()
    key: str = ""
    linked: frozenset[str] = field(default_factory=frozenset)


def render_history(page: HistoryPage) -> str:
    """The page's HTML: self-contained, every text escaped, one script that only filters, nothing from a network."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"clock": _clock, "span": _span, "tone": _tone, "share": _share, "said_by": said_by}
    return environment.get_template("history.html.j2").render(
        page=page,
        choices={name: sorted({getattr(run, name) for run in page.runs} - {""}) for name in _CHOICES},
        broken=[run for run in page.runs if run.problems],
        lead_bars=bars([seconds for _, seconds in page.lead[-_MOST:]], "seconds from begun to verified"),
        drift_bars=[(looks, bars([count for *_, count in looks.looks], "differences")) for looks in page.drift],
        shown=min(len(page.lead), _MOST),
        style=page_style() + _own("history.css"),
        script=_own("history.js"),
        script_hash=_hash(_own("history.js")),
    )


_MOST = 60


@cache
def _own(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _hash(script: str) -> str:
    # The one script that the page's policy lets run is this one, to the letter.
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _clock(value: str) -> str:
    return value[:16].replace("T", " ")


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _tone(verdict: str) -> str:
    return _TONES.get(EvidenceVerdict(verdict), "blocked")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"
