"""The tables of what was asked of an approver, what was answered, and what was then done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.services import ServiceTest
from ..wording import NO_CHANGE, said_by
from .table import Badge, Code, Table

__all__ = ["applied", "decisions", "request", "service_tests"]

_ACTIONS = {"create": "good", "update": "warn", "delete": "bad"}


def request(asked: ApprovalRequest) -> Table:
    """What an approver is asked, a line a fact."""
    until = f"{asked.expires_at:%Y-%m-%d %H:%M} UTC"
    counts = asked.summary
    rows: list[tuple[object, ...]] = [
        ("What becomes reachable", asked.exposure.sentence or NO_CHANGE),
        ("Changes", f"{counts.create} to add, {counts.update} to change, {counts.delete} to destroy"),
        ("Findings", str(len(asked.findings)) if asked.findings else "none"),
        ("Asked by", asked.requester),
        ("May approve", f"{asked.quorum} of {', '.join(asked.approvers)}"),
        ("Expires", until),
        ("Plan", Code(asked.plan_sha256)),
        ("State", Code(f"{asked.state_lineage} serial {asked.state_serial}")),
        ("Commit", Code(asked.commit or "none")),
        ("Where", asked.url or f"runbook approve {asked.run_id}"),
    ]
    return Table(("", ""), rows, empty="Nothing is asked.")


def decisions(record: DecisionRecord) -> Table:
    """Every answer seen, and why they do not suffice where they do not."""
    rows: list[tuple[object, ...]] = [
        (
            Badge("approved", "good") if decision.approved else Badge("rejected", "bad"),
            decision.user,
            f"{decision.at:%Y-%m-%d %H:%M:%S} UTC",
            said_by(decision.source),
            Code(decision.plan_sha256[:16]),
            decision.reason,
        )
        for decision in record.decisions
    ]
    verdict = "This plan is approved." if record.approved else " ".join(record.reasons) or "Not approved."
    return Table(("", "Who", "When", "Said by", "Plan", "Why"), rows, caption=verdict, empty=verdict)


def applied(resources: Iterable[Mapping[str, Any]]) -> Table:
    """What Terraform did to each resource."""
    rows = [
        (Badge(str(item["action"]), _ACTIONS.get(str(item["action"]), "info")), Code(str(item["address"])),
         f"{item['seconds']} s")
        for item in resources
    ]  # fmt: skip
    return Table(("Action", "Resource", "Time"), rows, empty="There was nothing to change.")


def service_tests(tests: Iterable[ServiceTest]) -> Table:
    """What will be asked."""
    rows = [
        (
            test.name,
            Code(f"{test.method} {test.url}"),
            test.member,
            f"{test.status}",
            test.contains,
            f"{test.timeout:g} s",
        )
        for test in tests
    ]
    columns = ("Service", "Request", "Member", "Wanted status", "Wanted text", "Within")
    return Table(columns, rows, empty="Nobody can be asked.")
