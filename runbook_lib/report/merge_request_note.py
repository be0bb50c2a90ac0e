"""The note on a merge request: what its plan would do to a stack, in the order in which a reviewer thinks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..models.base import Outcome
from ..models.exposure import Exposure, ExposureEntry
from ..models.findings import Action, Finding, Severity, Verdict
from ..models.plan import PlanSummary
from ..models.results import StepResult
from ..wording import NO_CHANGE, opening, party_in_full, rare_counts
from .gitlab_text import code, line, word

__all__ = ["Noted", "note_body", "noted_by"]

_MARK: Final = re.compile(r"\A<!-- runbook note ([\w-]+) pipeline (\d{1,18}) -->\n")
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
class Noted:
    """What there is to say of a stack: the steps' results, and what the plan came to where there is one.

    `page` leads to what the plan left, `pipeline_url` to the pipeline; both are GitLab's own words.
    """

    stack: str
    pipeline: int
    commit: str
    results: tuple[StepResult, ...] = ()
    summary: PlanSummary | None = None
    exposure: Exposure | None = None
    page: str = ""
    pipeline_url: str = ""


def note_body(noted: Noted) -> str:
    """The whole note; its first line, which GitLab does not show, is what it is found again by."""
    last = noted.results[-1] if noted.results else None
    sign = _SIGNS[last.outcome] if last else "❌"
    parts = [
        f"<!-- runbook note {word(noted.stack)} pipeline {noted.pipeline} -->",
        f"### {sign} Runbook: stack {code(noted.stack)}",
        *_exposed(noted.exposure),
        *_counted(noted.summary),
        *_found(_findings(noted.results)),
        *_steps(noted.results),
        _ways(noted),
    ]
    return "\n\n".join(parts) + "\n"


def noted_by(body: str, stack: str) -> int:
    """The pipeline whose word a note is; 0 if it is none of ours on this stack."""
    match = _MARK.match(body)
    return int(match[2]) if match and match[1] == word(stack) else 0


def _exposed(exposure: Exposure | None) -> list[str]:
    if exposure is None:
        return []
    groups = (("opens", exposure.opened), ("may open", exposure.unknown), ("closes", exposure.closed))
    listed = [f"- {verb} {_entry(entry)}" for verb, entries in groups for entry in entries]
    said = f"**What becomes reachable**\n\n{code(exposure.sentence or NO_CHANGE)}"
    return [said, *_bullets(listed)]


def _entry(entry: ExposureEntry) -> str:
    source, target = party_in_full(entry.source, entry.source_kind), party_in_full(entry.target, entry.target_kind)
    return f"{code(source)} → {code(target)} on {code(opening(entry))}"


def _counted(summary: PlanSummary | None) -> list[str]:
    if summary is None:
        return []
    counts = {"to add": summary.create, "to change": summary.update, "to destroy": summary.delete}
    shown = {**counts, "of them replaced": summary.replace, **rare_counts(summary)}
    always = set(counts)
    said = ", ".join(f"{count} {words}" for words, count in shown.items() if count or words in always)
    listed = [f"- {code(action)} {code(address)}" for action, found in summary.addresses.items() for address in found]
    checks = [f"- a check of Terraform's does not hold: {code(check)}" for check in summary.checks]
    return [f"**What changes**: {said}", *_bullets([*checks, *listed])]


def _findings(results: Iterable[StepResult]) -> list[Finding]:
    # The plan's verdict is the one that counts; the files' is all that there is before.
    judged = [result for result in results if result.findings or result.step == "plan"]
    found = [one for one in (judged[-1].findings if judged else ()) if one.verdict is not Verdict.PASSED]
    order = list(Severity)
    return sorted(found, key=lambda one: (not _blocks(one), order.index(one.severity), one.policy, one.address))


def _blocks(finding: Finding) -> bool:
    return finding.action is Action.BLOCK and finding.verdict in {Verdict.FAILED, Verdict.UNKNOWN}


def _found(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return ["**Findings**: none"]
    stops = sum(map(_blocks, findings))
    said = f"**Findings**: {len(findings)}" + (f", {stops} blocking" if stops else "")
    return [said, *_bullets([f"- {_finding(one)}" for one in findings])]


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
    small = f"Commit {code(noted.commit[:12])}. Each push renews this note. Who approves is asked after the merge."
    return f"{links}\n\n<sub>{small}</sub>" if links else f"<sub>{small}</sub>"


def _is_link(url: str) -> bool:
    return bool(re.fullmatch(r"https?://[^\s()<>\[\]]+", line(url)))
