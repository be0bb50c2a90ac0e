"""The tables that notebooks and commands show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from ..models.base import Outcome
from ..models.exposure import Exposure
from ..models.findings import Action, Finding, Severity, Verdict
from ..models.plan import Plan
from ..models.results import Artifact, StepResult
from ..models.rules import Rule
from ..models.services import ServiceReport, ServiceResult
from ..models.verification import Difference, DifferenceKind, Verification
from ..wording import NO_CHANGE, describe_rule, effect, opening, other_end, party_in_full
from .table import Badge, Code, Table

__all__ = [
    "artifacts",
    "checks",
    "differences",
    "exposure",
    "findings",
    "outcome_badge",
    "plan_changes",
    "rules",
    "services",
    "steps",
]

_OUTCOMES: Final = {
    Outcome.PASSED: "good",
    Outcome.WARNED: "warn",
    Outcome.BLOCKED: "bad",
    Outcome.ERRORED: "error",
    Outcome.SKIPPED: "quiet",
    Outcome.INTERRUPTED: "quiet",
}
_SEVERITIES: Final = {
    Severity.CRITICAL: "bad",
    Severity.HIGH: "bad",
    Severity.MEDIUM: "warn",
    Severity.LOW: "quiet",
}
_VERDICTS: Final = {Verdict.FAILED: "bad", Verdict.UNKNOWN: "warn", Verdict.WAIVED: "quiet", Verdict.PASSED: "good"}
_ACTIONS: Final = {"create": "good", "update": "warn", "delete": "bad", "replace": "bad", "forget": "quiet"}
_KINDS: Final = {
    DifferenceKind.CHANGED: ("changed", "bad", "not as the others have it"),
    DifferenceKind.MISSING: ("missing", "bad", "in the state, gone from AWS"),
    DifferenceKind.UNMANAGED: ("unmanaged", "bad", "in AWS, unknown to the state"),
    DifferenceKind.STATE_ONLY: ("state only", "warn", "gone from the repository, not destroyed yet"),
    DifferenceKind.REPOSITORY_ONLY: ("repository only", "warn", "written, never applied"),
}


class CheckLike(Protocol):
    """A preflight check's result."""

    @property
    def name(self) -> str: ...
    @property
    def passed(self) -> bool: ...
    @property
    def found(self) -> str: ...
    @property
    def error(self) -> Exception | None: ...


def outcome_badge(outcome: Outcome) -> Badge:
    """The outcome in its colour."""
    return Badge(outcome.value, _OUTCOMES[outcome])


def checks(results: Iterable[CheckLike]) -> Table:
    """A step's preflight: what was asked, what was found, what to do."""
    rows = [
        (
            Badge("ok", "good") if check.passed else Badge("missing", "bad"),
            check.name,
            check.found,
            getattr(check.error, "remedy", "") if check.error else "",
        )
        for check in results
    ]
    return Table(("", "Check", "Found", "What to do"), rows, empty="Nothing was checked.")


def findings(found: Iterable[Finding]) -> Table:
    """Findings, those that stop the run first."""
    ordered = sorted(found, key=_urgency)
    rows = [
        (
            Badge(finding.severity.value, _SEVERITIES[finding.severity]),
            Badge(finding.verdict.value, _verdict_tone(finding)),
            Code(finding.policy),
            Code(finding.address),
            finding.message,
            _remedy(finding),
            "" if finding.verdict is Verdict.WAIVED else effect(finding.action),
        )
        for finding in ordered
    ]
    columns = ("Severity", "Verdict", "Policy", "Resource", "What is wrong", "What to do", "Effect")
    return Table(columns, rows, empty="No findings.")


def _urgency(finding: Finding) -> tuple[object, ...]:
    actions, severities = list(Action), list(Severity)
    waived = finding.verdict is Verdict.WAIVED
    rank = (actions.index(finding.action), severities.index(finding.severity))
    return (waived, *rank, finding.policy, finding.address)


def _verdict_tone(finding: Finding) -> str:
    # Red is for what stops the run.
    failed = finding.verdict is Verdict.FAILED
    return "warn" if failed and finding.action is not Action.BLOCK else _VERDICTS[finding.verdict]


def rules(given: Iterable[Rule]) -> Table:
    """Normalised rules."""
    rows = [
        (
            str(rule.direction),
            other_end(rule),
            opening(rule),
            Code(str(rule.group)),
            "" if rule.description is None else str(rule.description),
            Code(rule.address),
        )
        for rule in given
    ]
    return Table(("Direction", "Other end", "Protocol and ports", "Group", "Description", "Resource"), rows,
                 empty="No security-group rules.")  # fmt: skip


def plan_changes(plan: Plan) -> Table:
    """What the plan does to each resource that it touches."""
    rows = []
    for change in plan.changes:
        action = "replace" if {"create", "delete"} <= set(change.actions) else "/".join(change.actions)
        if action not in {"no-op", "read", ""}:
            rows.append((Badge(action, _ACTIONS.get(action, "info")), Code(change.address), _moved(change)))
    return Table(("Action", "Resource", ""), rows, empty="The plan changes nothing.")


def exposure(found: Exposure) -> Table:
    """Who gains access, who loses it, and what is known only after apply."""
    parts = ((found.opened, "opens", "bad"), (found.closed, "closes", "good"), (found.unknown, "unknown", "warn"))
    rows = [
        (Badge(word, tone), party_in_full(entry.source, entry.source_kind), "→",
         party_in_full(entry.target, entry.target_kind), opening(entry))
        for entries, word, tone in parts
        for entry in entries
    ]  # fmt: skip
    return Table(("", "Who", "", "What", "On"), rows, caption=found.sentence, empty=NO_CHANGE)


def differences(verification: Verification) -> Table:
    """Where repository, state and AWS do not agree."""
    rows = []
    for difference in verification.differences:
        word, tone, meaning = _KINDS[difference.kind]
        rule = describe_rule(difference.rule) if difference.rule else ""
        rows.append((Badge(word, tone), Code(difference.group), rule, _values(difference) or meaning))
    caption = f"In sync: {verification.in_sync}. Different: {len(verification.differences)}."
    return Table(("", "Group", "Rule", "What differs"), rows, caption, "Repository, state and AWS agree.")


def services(report: ServiceReport | Iterable[ServiceResult]) -> Table:
    """Each service test's verdict; failing ones first."""
    given = report.results if isinstance(report, ServiceReport) else tuple(report)
    rows: list[tuple[object, ...]] = [
        (
            Badge("passed", "good") if result.passed else Badge("failed", "bad"),
            result.test.name,
            Code(result.test.url),
            result.test.member,
            result.status,
            f"{1000 * result.seconds:.0f} ms",
            result.attempts,
            result.error,
        )
        for result in sorted(given, key=lambda r: (r.passed, r.test.name, r.test.address))
    ]
    if isinstance(report, ServiceReport):
        untested = report.untested.items()
        rows = [(Badge("untested", "bad"), name, "", "", None, "", 0, why) for name, why in untested] + rows
    columns = ("", "Service", "Asked", "Member", "Status", "Time", "Attempts", "What is wrong")
    return Table(columns, rows, empty="No service test was carried out.")


def artifacts(given: Iterable[Artifact]) -> Table:
    """Files that a step left, with their digests."""
    rows = [(Code(item.path), f"{item.bytes:,}", item.media_type, Code(item.sha256[:16] + "…")) for item in given]
    return Table(("File", "Bytes", "Type", "SHA-256"), rows, empty="No files.")


def steps(results: Iterable[StepResult]) -> Table:
    """The run's steps, one line each."""
    rows = [
        (result.step, outcome_badge(result.outcome), result.summary,
         f"{(result.finished_at - result.started_at).total_seconds():.1f} s")
        for result in results
    ]  # fmt: skip
    return Table(("Step", "Outcome", "Summary", "Time"), rows, empty="No step has ended yet.")


def _remedy(finding: Finding) -> str:
    if finding.waiver:
        return f"waived by {finding.waiver.owner} until {finding.waiver.expires}: {finding.waiver.reason}"
    return finding.remedy


def _values(difference: Difference) -> str:
    return "; ".join(
        f"{field}: " + ", ".join(f"{value} ({place})" for place, value in values.items())
        for field, values in difference.fields.items()
    )


def _moved(change: object) -> str:
    previous = getattr(change, "previous_address", "")
    return f"moved from {previous}" if previous else "imported" if getattr(change, "importing", False) else ""
