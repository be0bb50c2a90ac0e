"""The tables of what was asked of an approver, what was answered, and what was then done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.services import ServiceTest
from ..wording import NO_CHANGE, needed, rare_counts, risk_in_words, said_by
from .records import FLAG, INTEGER, NUMBER, TEXT, TIME, Record, Schema, record
from .table import Badge, Code, Table

__all__ = ["applied", "carried_out", "decisions", "request", "service_tests"]

_ACTIONS: Final = {"create": "good", "update": "warn", "delete": "bad", "replace": "bad"}
_STATUSES: Final = {"failed": "bad", "in hand": "error", "half done": "error", "not known": "error", "done": "good"}
_REQUEST: Final[Schema] = {
    "run_id": TEXT,
    "stack": TEXT,
    "requester": TEXT,
    "author": TEXT,
    "approvers": TEXT,
    "quorum": INTEGER,
    "create": INTEGER,
    "update": INTEGER,
    "delete": INTEGER,
    "findings": INTEGER,
    "exposure": TEXT,
    "risk": TEXT,
    "created_at": TIME,
    "expires_at": TIME,
    "plan_sha256": TEXT,
    "state_lineage": TEXT,
    "state_serial": INTEGER,
    "commit": TEXT,
    "url": TEXT,
    "governance": TEXT,
    "code": TEXT,
}
_DECISION: Final[Schema] = {
    "user": TEXT,
    "approved": FLAG,
    "at": TIME,
    "source": TEXT,
    "plan_sha256": TEXT,
    "reason": TEXT,
    "reference": TEXT,
    "counts": FLAG,
    "why_not": TEXT,
}
_APPLIED: Final[Schema] = {"action": TEXT, "address": TEXT, "seconds": NUMBER}
_CARRIED_OUT: Final[Schema] = {"status": TEXT, "action": TEXT, "address": TEXT, "next": TEXT}
_TEST: Final[Schema] = {
    "name": TEXT,
    "address": TEXT,
    "url": TEXT,
    "member": TEXT,
    "method": TEXT,
    "status": INTEGER,
    "contains": TEXT,
    "timeout": NUMBER,
    "attempts": INTEGER,
}


def request(asked: ApprovalRequest) -> Table:
    """What an approver is asked, a line a fact."""
    until = f"{asked.expires_at:%Y-%m-%d %H:%M} UTC"
    counts = asked.summary
    told = {"to add": counts.create, "to change": counts.update, "to destroy": counts.delete}
    told |= {words: count for words, count in rare_counts(counts).items() if count}
    rows: list[tuple[object, ...]] = [
        ("What becomes reachable", asked.exposure.sentence or NO_CHANGE),
        ("Risk", risk_in_words(asked.risk)),
        ("Changes", ", ".join(f"{count} {words}" for words, count in told.items())),
        *(("For a time", sentence) for sentence in counts.temporary),
        *(("Does not hold", check) for check in counts.checks),
        ("Findings", str(len(asked.findings)) if asked.findings else "none"),
        *(("Before this", sentence) for sentence in asked.earlier),
        *(("Judged by", sentence) for sentence in asked.governance),
        *(("Code that will run", sentence) for sentence in asked.code),
        ("Asked by", asked.requester),
        ("Written by", ", ".join([*asked.authors, *asked.unknown_authors]) or asked.author),
        ("May approve", needed(asked)),
        ("Expires", until),
        ("Plan", Code(asked.plan_sha256)),
        ("State", Code(f"{asked.state_lineage} serial {asked.state_serial}")),
        ("Commit", Code(asked.commit or "none")),
        ("Where", asked.url or f"runbook approve {asked.run_id}"),
    ]
    return Table(("", ""), rows, empty="Nothing is asked.", records=[_request_record(asked)], schema=_REQUEST)


def _request_record(asked: ApprovalRequest) -> Record:
    return record(
        asked,
        _REQUEST,
        approvers=" ".join(asked.approvers),
        governance=" ".join(asked.governance),
        code=" ".join(f"{sentence}." for sentence in asked.code),
        findings=len(asked.findings),
        exposure=asked.exposure.sentence,
        risk=risk_in_words(asked.risk),
        **asked.summary.model_dump(include={"create", "update", "delete"}),
    )


def decisions(answered: DecisionRecord) -> Table:
    """Every answer seen, and why they do not suffice where they do not."""
    rows: list[tuple[object, ...]] = [
        (
            Badge("approved", "good") if decision.approved else Badge("rejected", "bad"),
            decision.user,
            f"{decision.at:%Y-%m-%d %H:%M:%S} UTC",
            said_by(decision.source),
            Code(decision.plan_sha256[:16]),
            decision.reason,
            decision.why_not or ("counts" if decision.counts else ""),
        )
        for decision in answered.decisions
    ]
    verdict = "This plan is approved." if answered.approved else " ".join(answered.reasons) or "Not approved."
    records = [record(decision, _DECISION) for decision in answered.decisions]
    return Table(("", "Who", "When", "Said by", "Plan", "Why", "Counts"), rows, caption=verdict, empty=verdict,
                 records=records, schema=_DECISION)  # fmt: skip


def applied(resources: Iterable[Mapping[str, Any]]) -> Table:
    """What Terraform did to each resource."""
    records = [{column: item[column] for column in _APPLIED} for item in resources]
    rows = [
        (Badge(str(item["action"]), _ACTIONS.get(str(item["action"]), "info")), Code(str(item["address"])),
         f"{item['seconds']} s")
        for item in records
    ]  # fmt: skip
    return Table(("Action", "Resource", "Time"), rows, empty="There was nothing to change.",
                 records=records, schema=_APPLIED)  # fmt: skip


def carried_out(resources: Iterable[Mapping[str, str]]) -> Table:
    """How far an apply came: what became of each resource that the plan changes, and what to do about it."""
    records = [{column: item[column] for column in _CARRIED_OUT} for item in resources]
    rows = [
        (Badge(item["status"], _STATUSES.get(item["status"], "quiet")), Badge(item["action"], _ACTIONS[item["action"]]),
         Code(item["address"]), item["next"])
        for item in records
    ]  # fmt: skip
    counts = Counter(item["status"] for item in records)
    caption = "How far it came: " + ", ".join(f"{count} {status}" for status, count in counts.items())
    return Table(("Status", "Action", "Resource", "What to do"), rows, caption=caption if rows else "",
                 empty="How far it came: nothing was to be changed.", records=records, schema=_CARRIED_OUT)  # fmt: skip


def service_tests(tests: Iterable[ServiceTest]) -> Table:
    """What will be asked."""
    listed = tuple(tests)
    rows = [
        (
            test.name,
            Code(f"{test.method} {test.url}"),
            test.member,
            _wanted(test),
            test.contains,
            f"{test.timeout:g} s",
        )
        for test in listed
    ]
    columns = ("Service", "Request", "Member", "Wanted status", "Wanted text", "Within")
    records = [record(test, _TEST, status=_one_status(test)) for test in listed]
    return Table(columns, rows, empty="Nobody can be asked.", records=records, schema=_TEST)


def _wanted(test: ServiceTest) -> str:
    if test.expect != "answer":
        return test.expect
    return str(test.status) if test.kind == "http" else ""


def _one_status(test: ServiceTest) -> int | None:
    return test.status if isinstance(test.status, int) and test.kind == "http" else None
