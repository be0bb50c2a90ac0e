"""The tables that notebooks and commands show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from ..models.expiry import EXPIRES, is_temporary
from ..models.exposure import Exposure, ExposureEntry, Reachable
from ..models.findings import Action, Finding, Severity, Verdict
from ..models.plan import Plan, ResourceChange
from ..models.rules import Rule
from ..models.services import UNFINISHED, ServiceReport, ServiceResult
from ..models.verification import Difference, DifferenceKind, Verification
from ..wording import FINAL, NO_CHANGE, describe_rule, effect, opening, other_end, party_in_full, reaches, until
from .records import FLAG, INTEGER, NUMBER, TEXT, TIME, Record, Schema, ports_of, record
from .table import Badge, Code, Table

__all__ = [
    "checks",
    "differences",
    "exposure",
    "findings",
    "plan_changes",
    "rules",
    "services",
]

_SEVERITIES: Final = {
    Severity.CRITICAL: "bad",
    Severity.HIGH: "bad",
    Severity.MEDIUM: "warn",
    Severity.LOW: "quiet",
}
_VERDICTS: Final = {Verdict.FAILED: "bad", Verdict.UNKNOWN: "warn", Verdict.WAIVED: "quiet", Verdict.PASSED: "good"}
_ACTIONS: Final = {
    "create": "good",
    "update": "warn",
    "delete": "bad",
    "replace": "bad",
    "forget": "quiet",
    "check": "bad",
}
_ASIDES: Final = {"invoke": "invoke", "remove": "remove", "drift": "changed outside", "check": "check"}
_KINDS: Final = {
    DifferenceKind.CHANGED: ("changed", "bad", "not as the others have it"),
    DifferenceKind.MISSING: ("missing", "bad", "in the state, gone from AWS"),
    DifferenceKind.UNMANAGED: ("unmanaged", "bad", "in AWS, unknown to the state"),
    DifferenceKind.STATE_ONLY: ("state only", "warn", "gone from the repository, not destroyed yet"),
    DifferenceKind.REPOSITORY_ONLY: ("repository only", "warn", "written, never applied"),
    DifferenceKind.DRIFTED: ("drifted", "bad", "Terraform wants to change it"),
    DifferenceKind.EXPIRED: ("expired", "bad", "expired, still open"),
}

_CHECK: Final[Schema] = {"name": TEXT, "passed": FLAG, "found": TEXT, "remedy": TEXT}
_FINDING: Final[Schema] = {
    "policy": TEXT,
    "verdict": TEXT,
    "severity": TEXT,
    "action": TEXT,
    "address": TEXT,
    "message": TEXT,
    "remedy": TEXT,
    "tool": TEXT,
    "file": TEXT,
    "line": INTEGER,
    "waiver_owner": TEXT,
    "waiver_reason": TEXT,
    "waiver_expires": TIME,
}
_PORTS: Final[Schema] = {"protocol": TEXT, "from_port": INTEGER, "to_port": INTEGER, "ports_unknown": FLAG}
_RULE: Final[Schema] = {
    "group": TEXT,
    "direction": TEXT,
    **_PORTS,
    "source": TEXT,
    "source_kind": TEXT,
    "description": TEXT,
    "expires": TEXT,
    "address": TEXT,
}
_CHANGE: Final[Schema] = {
    "action": TEXT,
    "address": TEXT,
    "type": TEXT,
    "name": TEXT,
    "previous_address": TEXT,
    "importing": FLAG,
    "note": TEXT,
}
_EXPOSURE: Final[Schema] = {
    "change": TEXT,
    "source": TEXT,
    "source_kind": TEXT,
    "target": TEXT,
    "target_kind": TEXT,
    **_PORTS,
    "reachable": TEXT,
    "why": TEXT,
}
_DIFFERENCE: Final[Schema] = {
    "kind": TEXT,
    **_RULE,
    "fields": TEXT,
    "subject": TEXT,
    "blocks": FLAG,
    "same_access": FLAG,
    "accepted_by": TEXT,
}
_SERVICE: Final[Schema] = {
    "name": TEXT,
    "address": TEXT,
    "url": TEXT,
    "member": TEXT,
    "method": TEXT,
    "passed": FLAG,
    "status": INTEGER,
    "seconds": NUMBER,
    "attempts": INTEGER,
    "error": TEXT,
    "at": TIME,
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


def checks(results: Iterable[CheckLike]) -> Table:
    """A step's preflight: what was asked, what was found, what to do."""
    records: list[Record] = [
        {
            "name": check.name,
            "passed": check.passed,
            "found": check.found,
            "remedy": getattr(check.error, "remedy", "") if check.error else "",
        }
        for check in results
    ]
    rows = [
        (
            Badge("ok", "good") if each["passed"] else Badge("missing", "bad"),
            each["name"],
            each["found"],
            each["remedy"],
        )
        for each in records
    ]
    return Table(("", "Check", "Found", "What to do"), rows, empty="Nothing was checked.",
                 records=records, schema=_CHECK)  # fmt: skip


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
    records = [_finding_record(finding) for finding in ordered]
    by = ("Severity", "Verdict", "Policy", "Effect")
    return Table(columns, rows, empty="No findings.", group_by=by, records=records, schema=_FINDING)


def _finding_record(finding: Finding) -> Record:
    source, waiver = finding.source, finding.waiver
    return record(
        finding,
        _FINDING,
        file=source.file if source else None,
        line=source.line if source else None,
        waiver_owner=waiver.owner if waiver else None,
        waiver_reason=waiver.reason if waiver else None,
        waiver_expires=waiver.expires if waiver else None,
    )


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
    listed = tuple(given)
    rows = [
        (
            str(rule.direction),
            other_end(rule),
            opening(rule),
            Code(str(rule.group)),
            "" if rule.description is None else str(rule.description),
            until(rule.expires),
            Code(rule.address),
        )
        for rule in listed
    ]
    columns = ("Direction", "Other end", "Protocol and ports", "Group", "Description", "Ends", "Resource")
    return Table(columns, rows,
                 empty="No security-group rules.", records=[_rule_record(rule) for rule in listed],
                 schema=_RULE)  # fmt: skip


def _rule_record(rule: Rule) -> Record:
    # That there is no description, or no end, is known; <NA> is for what is not.
    absent = {name: "" for name in ("description", "expires") if getattr(rule, name) is None}
    return record(rule, _RULE, **ports_of(rule), **absent)


def plan_changes(plan: Plan) -> Table:
    """What the plan does to each resource that it touches, what can't be taken back first."""
    touched = sorted(_touched(plan), key=lambda one: one[0] not in FINAL)
    rows = [
        (Badge(action, _ACTIONS.get(action, "info")), Code(change.address), _moved(change))
        for action, change in touched
    ]
    rows += [
        (Badge(_ASIDES[aside.action], _ACTIONS.get(aside.action, "warn")), Code(aside.address), aside.note)
        for aside in plan.asides
    ]
    records = [record(change, _CHANGE, action=action, note=_moved(change)) for action, change in touched]
    records += [record(aside, _CHANGE, previous_address="", importing=False) for aside in plan.asides]
    return Table(("Action", "Resource", ""), rows, empty="The plan changes nothing.", records=records, schema=_CHANGE)


def _touched(plan: Plan) -> Iterator[tuple[str, ResourceChange]]:
    for change in plan.changes:
        action = "replace" if {"create", "delete"} <= set(change.actions) else "/".join(change.actions)
        if change.deferred:
            yield "defer", change
        elif action not in {"no-op", "read", ""}:
            yield action, change
        elif change.importing:
            yield "import", change
        elif _previous(change):
            yield "move", change


def exposure(found: Exposure) -> Table:
    """Who gains access, who loses it, and what is known only after apply."""
    parts = (
        ("opened", found.opened, "opens", "bad"),
        ("closed", found.closed, "closes", "good"),
        ("unknown", found.unknown, "unknown", "warn"),
    )
    rows = [
        (*_badge(entry, word, tone), party_in_full(entry.source, entry.source_kind), "→",
         party_in_full(entry.target, entry.target_kind), opening(entry), reaches(entry))
        for _, entries, word, tone in parts
        for entry in entries
    ]  # fmt: skip
    records = [
        record(entry, _EXPOSURE, **ports_of(entry), change=change) for change, entries, *_ in parts for entry in entries
    ]
    return Table(("", "Who", "", "What", "On", "Reaches"), rows, caption=found.sentence, empty=NO_CHANGE,
                 records=records, schema=_EXPOSURE)  # fmt: skip


def _badge(entry: ExposureEntry, word: str, tone: str) -> tuple[Badge]:
    """Red is for what is reached, or may be: what nothing comes through stands back."""
    idle = word == "opens" and entry.reachable.rank > Reachable.UNKNOWN.rank
    return (Badge("not reached" if idle else word, "quiet" if idle else tone),)


def differences(verification: Verification) -> Table:
    """Where repository, state and AWS do not agree."""
    rows = []
    for difference in verification.differences:
        word, tone, meaning = _KINDS[difference.kind]
        badge = Badge(word, tone if difference.blocks else "quiet" if difference.accepted else "warn")
        said = _what_differs(difference, meaning)
        if difference.kind is DifferenceKind.DRIFTED:
            rows.append((badge, Code(difference.address), difference.action, said))
            continue
        subject = describe_rule(difference.rule) if difference.rule else difference.subject or "the group itself"
        name = f"{difference.name} ({difference.group})" if difference.name else difference.group
        rows.append((badge, Code(name), subject, said))
    accepted = sum(1 for difference in verification.differences if difference.accepted)
    caption = f"In sync: {verification.in_sync}. Different: {len(verification.differences)}."
    caption += f" Accepted: {accepted}." if accepted else ""
    caption += f" Of other stacks: {verification.other_stacks}." if verification.other_stacks else ""
    records = [_difference_record(difference) for difference in verification.differences]
    caption += "".join(f" {sentence}." for sentence in verification.checks)
    columns = ("", "Group or resource", "Rule or action", "What differs")
    return Table(columns, rows, caption, "Repository, state and AWS agree.", records=records, schema=_DIFFERENCE)


def _what_differs(difference: Difference, meaning: str) -> str:
    values = "" if difference.subject else _values(difference)
    said = [values or meaning]
    if difference.same_access:
        said.append("Same access: other rules in AWS let the same through.")
    said.append(difference.hint)
    if difference.accepted:
        by = difference.accepted
        said.append(f"Accepted by {by.owner} until {by.expires}: {by.reason}")
    return ". ".join(part.rstrip(".") for part in said if part)


def _difference_record(difference: Difference) -> Record:
    shown = difference.model_dump(mode="json")
    nothing = dict.fromkeys(_RULE) | {"group": difference.group}
    rule = {**(_rule_record(difference.rule) if difference.rule else nothing)}
    if difference.address:
        rule["address"] = difference.address
    rest = {name: shown[name] for name in ("subject", "blocks", "same_access")}
    rest["accepted_by"] = (shown["accepted"] or {}).get("owner", "")
    return {"kind": shown["kind"], **rule, "fields": json.dumps(shown["fields"], sort_keys=True), **rest}


def services(report: ServiceReport | Iterable[ServiceResult]) -> Table:
    """Each service test's verdict; failing ones first."""
    given = report.results if isinstance(report, ServiceReport) else tuple(report)
    untested = report.untested.items() if isinstance(report, ServiceReport) else ()
    ordered = sorted(given, key=lambda r: (r.passed, r.test.name, r.test.address))
    rows: list[tuple[object, ...]] = [
        (Badge("untested", "bad"), name, "", "", None, "", 0, why) for name, why in untested
    ]
    rows += [
        (
            _verdict(result),
            result.test.name,
            Code(result.test.url),
            result.test.member,
            result.status,
            f"{1000 * result.seconds:.0f} ms",
            result.attempts,
            result.error,
        )
        for result in ordered
    ]
    columns = ("", "Service", "Asked", "Member", "Status", "Time", "Attempts", "What is wrong")
    records = [*(_untested_record(*each) for each in untested), *map(_service_record, ordered)]
    return Table(columns, rows, empty="No service test was carried out.", records=records, schema=_SERVICE)


def _verdict(result: ServiceResult) -> Badge:
    """How a test did, and where there is a baseline beside how it did before."""
    if result.passed:
        return Badge("repaired" if result.before == "failed" else "passed", "good")
    if result.cause in UNFINISHED:
        return Badge("unfinished", "warn")
    said = {"passed": "regression", "failed": "still failing"}
    return Badge(said.get(result.before, "failed"), "bad")


def _service_record(result: ServiceResult) -> Record:
    test = result.test
    asked = {"name": test.name, "address": test.address, "url": test.url, "member": test.member, "method": test.method}
    return record(result, _SERVICE, **asked)


def _untested_record(name: str, reason: str) -> Record:
    return dict.fromkeys(_SERVICE) | {"name": name, "passed": False, "attempts": 0, "error": reason}


def _remedy(finding: Finding) -> str:
    if finding.waiver:
        return f"waived by {finding.waiver.owner} until {finding.waiver.expires}: {finding.waiver.reason}"
    return finding.remedy


def _values(difference: Difference) -> str:
    return "; ".join(
        f"{field}: " + ", ".join(f"{value} ({place})" for place, value in values.items())
        for field, values in difference.fields.items()
    )


def _moved(change: ResourceChange) -> str:
    tags = (change.after or change.before or {}).get("tags_all")
    end = tags.get(EXPIRES) if isinstance(tags, dict) else None
    told = [until(end)] if is_temporary(end) else []
    told += [f"moved from {_previous(change)}"] if _previous(change) else []
    told += ["imported"] if change.importing else []
    told += [f"left for a later plan: {change.deferred.replace('_', ' ')}"] if change.deferred else []
    return ", ".join(told)


def _previous(change: ResourceChange) -> str:
    return change.previous_address if change.previous_address != change.address else ""
