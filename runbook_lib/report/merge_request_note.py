"""The note on a merge request: what its plan would do to a stack, in the order in which a reviewer thinks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..models.base import Outcome
from ..models.exposure import Exposure, ExposureEntry, ExposureSource
from ..models.findings import Action, Finding, Severity, Verdict
from ..models.plan import PlanSummary
from ..models.results import StepResult
from ..models.risk import Risk
from ..wording import DRIFT, NO_CHANGE, changed, keeps_out, opening, party_in_full, rare_counts, things
from .gitlab_text import code, line, word

__all__ = ["Noted", "NotedPlan", "note_body", "noted_by", "noted_otherwise"]

_MARK: Final = re.compile(r"\A<!-- runbook note ([\w-]+) pipeline (\d{1,18}) -->\n")
_FINGERPRINT: Final = re.compile(r"^Fingerprint of the plan: `([0-9a-f]{64})`$", re.MULTILINE)
_MOST: Final = 10
_SIGNS: Final = {
    Outcome.PASSED: "✅",
    Outcome.WARNED: "⚠️",
    Outcome.BLOCKED: "⛔",
    Outcome.ERRORED: "❌",
    Outcome.SKIPPED: "⏭️",
    Outcome.INTERRUPTED: "🛑",
}


@dataclass(frozen=True)
class NotedPlan:
    """What a plan comes to by itself, wherever it was made: what a reviewer approves."""

    summary: PlanSummary
    exposure: Exposure
    risk: Risk
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Noted:
    """What there is to say of a stack: the steps' results, and what the plan came to where there is one.

    `page` leads to what the plan left, `pipeline_url` to the pipeline; both are GitLab's own words.
    """

    stack: str
    pipeline: int
    commit: str
    results: tuple[StepResult, ...] = ()
    plan: NotedPlan | None = None
    page: str = ""
    pipeline_url: str = ""


def note_body(noted: Noted) -> str:
    """The whole note; its first line, which GitLab does not show, is what it is found again by."""
    last = noted.results[-1] if noted.results else None
    sign = _SIGNS[last.outcome] if last else "❌"
    judged = [result.findings for result in noted.results if result.findings]
    parts = [
        f"<!-- runbook note {word(noted.stack)} pipeline {noted.pipeline} -->",
        f"### {sign} Runbook: stack {code(noted.stack)}",
        # Right after the title, whose every sign is known: nothing that comes before can hide it.
        _effect(noted.plan) if noted.plan else _found(judged[-1] if judged else ()),
        *_steps(noted.results),
        _ways(noted),
    ]
    return "\n\n".join(parts) + "\n"


def noted_by(body: str, stack: str) -> int:
    """The pipeline whose word a note is; 0 if it is none of ours on this stack."""
    match = _MARK.match(body)
    return int(match[2]) if match and match[1] == word(stack) else 0


def noted_otherwise(body: str, stack: str, plan: NotedPlan, mask: Callable[[str], str] = str) -> str | None:
    """In what a note differs from this plan, empty if in nothing; None for what is no note of ours on this stack."""
    if not noted_by(body, stack):
        return None
    titles = (f"\n### {sign} Runbook: stack {code(stack)}\n\n" for sign in _SIGNS.values())
    rest = body.partition("\n")[2]
    if any(rest.startswith(mask(f"{title}{_effect(plan)}\n\n")) for title in titles):
        return ""
    said = _FINGERPRINT.search(rest)
    if said and said[1] != plan.summary.fingerprint:
        return f"it showed a plan with the fingerprint {said[1][:12]}, and this one has {plan.summary.fingerprint[:12]}"
    return "it showed another risk, exposure, change or finding than this plan has"


def _effect(plan: NotedPlan) -> str:
    shown = [one for one in plan.findings if one.verdict is not Verdict.PASSED]
    parts = [*_exposed(plan.exposure), _risky(plan.risk), *_counted(plan.summary), _found(shown)]
    return "\n\n".join([*parts, f"Fingerprint of the plan: {code(plan.summary.fingerprint or 'none')}"])


def _risky(risk: Risk) -> str:
    return "\n\n".join([f"**Risk**: {risk.level}", *_bullets([f"- {code(reason.text)}" for reason in risk.reasons])])


def _exposed(exposure: Exposure) -> list[str]:
    groups = (("opens", exposure.opened), ("may open", exposure.unknown), ("closes", exposure.closed))
    entries = [(verb, entry) for verb, held in groups for entry in held]
    entries.sort(key=_weight)
    listed = [f"- {verb} {_entry(entry)}" for verb, entry in entries]
    said = f"**What becomes reachable**\n\n{code(exposure.sentence or NO_CHANGE)}"
    return [said, *_bullets(listed)]


def _weight(listed: tuple[str, ExposureEntry]) -> tuple[bool, bool, bool]:
    """What the internet can newly reach comes first, and what closes last."""
    verb, entry = listed
    return verb == "closes", not entry.reachable.lets_through, entry.source_kind is not ExposureSource.INTERNET


def _entry(entry: ExposureEntry) -> str:
    source, target = party_in_full(entry.source, entry.source_kind), party_in_full(entry.target, entry.target_kind)
    reached, idle = things(entry), keeps_out(entry)
    said = f": {code(reached)}" if reached else f", {code(idle)}" if idle else ""
    return f"{code(source)} → {code(target)} on {code(opening(entry))}{said}"


def _counted(summary: PlanSummary) -> list[str]:
    counts = {"to add": summary.create, "to change": summary.update, "to destroy": summary.delete}
    shown = {**counts, "of them replaced": summary.replace, **rare_counts(summary)}
    always = set(counts)
    said = ", ".join(f"{count} {words}" for words, count in shown.items() if count or words in always)
    outside = ((DRIFT, address) for address in summary.addresses.get(DRIFT, ()))
    listed = [f"- {code(action)} {code(address)}" for action, address in (*changed(summary), *outside)]
    checks = [f"- a check of Terraform's does not hold: {code(check)}" for check in summary.checks]
    ends = _bullets([f"- {code(sentence)}" for sentence in summary.temporary])
    temporary = ["**For a time**", *ends] if ends else []
    return [f"**What changes**: {said}", *_bullets([*checks, *listed]), *temporary]


def _blocks(finding: Finding) -> bool:
    return finding.action is Action.BLOCK and finding.verdict in {Verdict.FAILED, Verdict.UNKNOWN}


def _found(findings: Iterable[Finding]) -> str:
    order = list(Severity)
    shown = sorted(
        (one for one in findings if one.verdict is not Verdict.PASSED),
        key=lambda one: (not _blocks(one), order.index(one.severity), one.policy, one.address, one.message),
    )
    if not shown:
        return "**Findings**: none"
    stops = sum(map(_blocks, shown))
    said = f"**Findings**: {len(shown)}" + (f", {stops} blocking" if stops else "")
    return "\n\n".join([said, *_bullets([f"- {_finding(one)}" for one in shown])])


def _finding(finding: Finding) -> str:
    verdict = " (waived)" if finding.verdict is Verdict.WAIVED else ""
    remedy = f" {code(finding.remedy)}" if finding.remedy else ""
    where = f" in {code(finding.address)}" if finding.address else ""
    return f"**{finding.severity.value}**{verdict} {code(finding.policy)}{where}: {code(finding.message)}{remedy}"


def _steps(results: Sequence[StepResult]) -> list[str]:
    if not results:
        return ["There is no plan: the pipeline failed before. Its jobs say why."]
    listed = []
    for result in results:
        remedy = f" {code(result.error.remedy)}" if result.error and result.error.remedy else ""
        listed.append(
            f"- {_SIGNS[result.outcome]} {code(result.step)} {result.outcome.value}: {code(result.summary)}{remedy}"
        )
    return ["**Steps**", *_bullets(listed)]


def _bullets(lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"- … and {len(lines) - _MOST} more; the notebook has them."] if len(lines) > _MOST else []
    return ["\n".join([*lines[:_MOST], *more])]


def _ways(noted: Noted) -> str:
    ways = [("The executed notebook of the plan", noted.page), ("the pipeline", noted.pipeline_url)]
    links = " · ".join(f"[{name}]({url})" for name, url in ways if _is_link(url))
    small = (
        f"Commit {code(noted.commit[:12])}. Each push renews this note. Approvals given now count after the merge if"
        " nobody pushes and the plan is the same then; else who approves is asked anew."
    )
    return f"{links}\n\n<sub>{small}</sub>" if links else f"<sub>{small}</sub>"


def _is_link(url: str) -> bool:
    return bool(re.fullmatch(r"https?://[^\s()<>\[\]]+", line(url)))
