"""The run on one page: outcome board, who, what it exposes, findings, approval, and every file with its digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Outcome
from ..models.evidence import ManifestFile
from ..models.exposure import Exposure, ExposureEntry
from ..models.findings import Action, Finding, Severity, Verdict
from ..models.results import StepResult
from ..models.run import Run
from ..wording import effect, needed, opening, party_in_full, reaches, risk_in_words, said_by
from .html import TEMPLATES, page_style
from .table import FEW

__all__ = ["IndexPage", "render_index"]


@dataclass(frozen=True)
class IndexPage:
    """All that the page shows. Whatever a run has not come to is None or empty.

    `resources` are what became of those that an apply, which did not carry all of them out, was to change.
    """

    run: Run
    results: tuple[StepResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    exposure: Exposure | None = None
    request: ApprovalRequest | None = None
    decision: DecisionRecord | None = None
    files: tuple[ManifestFile, ...] = ()
    signed: bool = False
    pages: frozenset[str] = field(default_factory=frozenset)
    resources: tuple[Mapping[str, str], ...] = ()

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
    environment.filters |= {"colour": _colour, "does": _does, "needed": needed, "tone": _tone}
    environment.filters |= {"reaches": reaches, "risk": risk_in_words}
    by_step = {result.step: result for result in page.results}
    groups = _groups(page.findings)
    return environment.get_template("index.html.j2").render(
        page=page,
        run=page.run,
        steps=[(step, by_step.get(step.name)) for step in page.run.steps],
        groups=groups,
        counted=_counted(groups),
        unfolded=len(page.findings) <= FEW,
        folders=_folders(page.files),
        style=page_style(),
    )


@dataclass(frozen=True)
class _Group:
    """Findings of one policy with one verdict and effect; message and remedy are what all of them say, if they do."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def message(self) -> str:
        return _same(finding.message for finding in self.findings) if len(self.findings) > 1 else ""

    @property
    def remedy(self) -> str:
        return "" if self.first.waiver else _same(finding.remedy for finding in self.findings)


def _same(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _groups(findings: tuple[Finding, ...]) -> list[_Group]:
    # What stops the run first, what was waived last; within, the order that the steps left them in.
    gathered: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        waived = finding.verdict is Verdict.WAIVED
        rank = (waived, list(Action).index(finding.action), list(Severity).index(finding.severity))
        gathered.setdefault((*rank, finding.policy, finding.verdict), []).append(finding)
    return [_Group(tuple(gathered[key])) for key in sorted(gathered, key=lambda key: key[:3])]


def _counted(groups: list[_Group]) -> str:
    counts: dict[str, int] = {}
    for group in groups:
        word = "waived" if group.first.verdict is Verdict.WAIVED else effect(group.first.action)
        counts[word] = counts.get(word, 0) + len(group.findings)
    policies = len({group.first.policy for group in groups})
    said = ", ".join(f"{word}: {count:,}" for word, count in counts.items())
    return f"{_number(sum(counts.values()), 'finding')} of {_number(policies, 'policy', 'policies')} ({said})."


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _folders(files: tuple[ManifestFile, ...]) -> list[tuple[str, list[ManifestFile]]]:
    found: dict[str, list[ManifestFile]] = {}
    for file in files:
        found.setdefault(file.path.partition("/")[0] if "/" in file.path else "the run", []).append(file)
    return sorted(found.items())


def _clock(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S UTC")


def _party(entry: ExposureEntry, end: str) -> str:
    return party_in_full(getattr(entry, end), getattr(entry, f"{end}_kind"))


def _does(finding: Finding) -> str:
    return effect(finding.action)


def _tone(status: str) -> str:
    return {"done": "passed", "not begun": "skipped", "failed": "blocked"}.get(status, "errored")


def _colour(finding: Finding) -> str:
    if finding.verdict is Verdict.WAIVED:
        return "skipped"
    return "blocked" if finding.action is Action.BLOCK else "warned"


def _size(value: int) -> str:
    return (
        f"{value} B" if value < 10_000 else f"{value / 1000:.0f} kB" if value < 10_000_000 else f"{value / 1e6:.0f} MB"
    )
