"""A table of each kind with something in it, and without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from message_samples import DECISION, EXPOSURE, REQUEST, START, WAIVED_EGRESS, WORLD_SSH

from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Source
from runbook_lib.models.plan import Plan, ResourceChange
from runbook_lib.models.rules import Rule
from runbook_lib.models.services import ServiceReport, ServiceResult, ServiceTest
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.report import decision_tables, tables
from runbook_lib.report.table import Table


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    found: str
    error: Exception | None = None


RULE = Rule.model_validate(
    {"direction": "ingress", "protocol": "tcp", "from_port": 80, "to_port": 90, "source": "0.0.0.0/0", "group": "sg-1"}
)
EVERY_PORT = RULE.model_copy(update={"from_port": None, "to_port": None})
NO_PORT_YET = RULE.model_copy(update={"from_port": UNKNOWN, "to_port": UNKNOWN, "description": UNKNOWN})
EVERY_ICMP = RULE.model_copy(update={"protocol": "icmp", "from_port": -1, "to_port": -1})

CHECKS = (Check("aws", True, "123456789012"), Check("token", False, "no token", ConfigError("no token", "Set it.")))
LOCATED = WORLD_SSH.model_copy(update={"source": Source(file="terraform/stacks/access/main.tf", line=12)})
FINDINGS = (LOCATED, WAIVED_EGRESS)
PLAN = Plan(
    changes=(
        ResourceChange(address="a.b", type="a", name="b", actions=("delete", "create")),
        ResourceChange(address="a.c", type="a", name="c", actions=("no-op",)),
        ResourceChange(address="a.d", type="a", name="d", actions=("update",), previous_address="a.old"),
    ),
)
UNSURE = Exposure(unknown=(EXPOSURE.opened[0].model_copy(update={"source": UNKNOWN, "source_kind": UNKNOWN}),))
VERIFICATION = Verification(
    outcome=Outcome.BLOCKED,
    in_sync=3,
    differences=(
        Difference(
            kind=DifferenceKind.CHANGED,
            group="sg-1",
            rule=RULE,
            fields={"from_port": {"state": 80, "aws": 8080}},
        ),
        Difference(kind=DifferenceKind.UNMANAGED, group="sg-2", rule=None),
    ),
)
TEST = ServiceTest(name="web", address="203.0.113.1", url="http://203.0.113.1/", member="i-1", timeout=2.5)
ANSWERED = ServiceResult(test=TEST, passed=True, status=200, seconds=0.12, at=START)
REFUSED = ServiceResult(test=TEST, passed=False, seconds=0.5, attempts=3, error="refused", at=START)
SERVICES = ServiceReport(
    outcome=Outcome.BLOCKED,
    summary="",
    results=(ANSWERED, REFUSED.model_copy(update={"at": START + timedelta(seconds=3)})),
    untested={"api": "its group has no members"},
)
RESOURCES = (
    {"action": "create", "address": "a.b", "seconds": 2},
    {"action": "delete", "address": "a.c", "seconds": 1},
)
CARRIED_OUT = (
    {"status": "done", "action": "create", "address": "a.b", "next": ""},
    {"status": "failed", "action": "delete", "address": "a.c", "next": "Plan again."},
)

# What a request asks is never nothing.
FILLED: dict[str, Table] = {
    "tables.checks": tables.checks(CHECKS),
    "tables.findings": tables.findings(FINDINGS),
    "tables.rules": tables.rules([RULE, EVERY_PORT, NO_PORT_YET, EVERY_ICMP]),
    "tables.plan_changes": tables.plan_changes(PLAN),
    "tables.exposure": tables.exposure(EXPOSURE.model_copy(update={"unknown": UNSURE.unknown})),
    "tables.differences": tables.differences(VERIFICATION),
    "tables.services": tables.services(SERVICES),
    "decision_tables.request": decision_tables.request(REQUEST),
    "decision_tables.decisions": decision_tables.decisions(DECISION),
    "decision_tables.applied": decision_tables.applied(RESOURCES),
    "decision_tables.carried_out": decision_tables.carried_out(CARRIED_OUT),
    "decision_tables.service_tests": decision_tables.service_tests([TEST]),
}
EMPTY: dict[str, Table] = {
    "tables.checks": tables.checks([]),
    "tables.findings": tables.findings([]),
    "tables.rules": tables.rules([]),
    "tables.plan_changes": tables.plan_changes(Plan()),
    "tables.exposure": tables.exposure(Exposure()),
    "tables.differences": tables.differences(Verification(outcome=Outcome.PASSED, in_sync=0)),
    "tables.services": tables.services([]),
    "decision_tables.decisions": decision_tables.decisions(DECISION.model_copy(update={"decisions": ()})),
    "decision_tables.applied": decision_tables.applied([]),
    "decision_tables.carried_out": decision_tables.carried_out([]),
    "decision_tables.service_tests": decision_tables.service_tests([]),
}
