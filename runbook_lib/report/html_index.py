"""The run on one page: outcome board, who, what it exposes, findings, approval, and every file with its digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Outcome
from ..models.evidence import ManifestFile
from ..models.exposure import Exposure, ExposureEntry
from ..models.findings import Action, Finding, Verdict
from ..models.results import StepResult
from ..models.run import Run
from ..wording import effect, opening, party_in_full, said_by
from .html import TEMPLATES, page_style

__all__ = ["IndexPage", "render_index"]


@dataclass(frozen=True)
class IndexPage:
    """All that the page shows. Whatever a run has not come to is None or empty."""

    run: Run
    results: tuple[StepResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    exposure: Exposure | None = None
    request: ApprovalRequest | None = None
    decision: DecisionRecord | None = None
    files: tuple[ManifestFile, ...] = ()
    signed: bool = False
    pages: frozenset[str] = field(default_factory=frozenset)

    @property
    def outcome(self) -> Outcome | None:
        """The worst outcome so far; None before the first result."""
        order = (Outcome.INTERRUPTED, Outcome.ERRORED, Outcome.BLOCKED, Outcome.WARNED, Outcome.PASSED, Outcome.SKIPPED)
        found = {result.outcome for result in self.results}
        return next((outcome for outcome in order if outcome in found), None)

    @property
    def judged(self) -> bool:
        """Whether a verdict was reached at all: no findings of a step that failed mean nothing."""
        reached = {Outcome.PASSED, Outcome.WARNED, Outcome.BLOCKED}
        return any(result.outcome in reached for result in self.results)


def render_index(page: IndexPage) -> str:
    """The page's HTML: self-contained, every text escaped, no script."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"clock": _clock, "size": _size, "party": _party, "opening": opening, "said_by": said_by}
    environment.filters |= {"colour": _colour, "does": _does}
    by_step = {result.step: result for result in page.results}
    return environment.get_template("index.html.j2").render(
        page=page, run=page.run, steps=[(step, by_step.get(step.name)) for step in page.run.steps], style=page_style()
    )


def _clock(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S UTC")


def _party(entry: ExposureEntry, end: str) -> str:
    return party_in_full(getattr(entry, end), getattr(entry, f"{end}_kind"))


def _does(finding: Finding) -> str:
    return effect(finding.action)


def _colour(finding: Finding) -> str:
    if finding.verdict is Verdict.WAIVED:
        return "skipped"
    return "blocked" if finding.action is Action.BLOCK else "warned"


def _size(value: int) -> str:
    return (
        f"{value} B" if value < 10_000 else f"{value / 1000:.0f} kB" if value < 10_000_000 else f"{value / 1e6:.0f} MB"
    )
