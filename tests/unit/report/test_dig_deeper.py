"""The cell at the end of each notebook, which a run skips, executed on samples: a broken one would go unnoticed."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from message_samples import DECISION, DIGEST, EXPOSURE, REQUEST, START, SUMMARY
from table_samples import ANSWERED, FINDINGS, PLAN, REFUSED, RESOURCES, SERVICES, UNSURE, VERIFICATION

from runbook_lib.domain.rules import RuleChanges
from runbook_lib.models.approval import Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComplianceReport
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.services import ServiceReport
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.models.verification import Verification
from runbook_lib.report import decision_tables, tables
from runbook_lib.steps.apply import Applied
from runbook_lib.steps.compliance import Files
from runbook_lib.steps.plan import Planned

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
JUDGED = ComplianceReport(outcome=Outcome.BLOCKED, checked=Checked(), findings=FINDINGS)
CLEAN = ComplianceReport(outcome=Outcome.PASSED, checked=Checked())
NO_ANSWER = DecisionRecord(run_id="1008", plan_sha256=DIGEST, approved=False, checked_at=START)


def dig(step: str, **names: object) -> pd.DataFrame:
    """What the last cell of the step's notebook shows, with these names as the cells before left them."""
    notebook = next(built_in.notebook for built_in in BUILT_IN if built_in.name == step)
    cell = json.loads((NOTEBOOKS / notebook).read_text())["cells"][-1]
    *statements, shown = ast.parse("".join(cell["source"])).body
    assert isinstance(shown, ast.Expr)
    space: dict[str, Any] = {"tables": tables, "decision_tables": decision_tables, **names}
    exec(compile(ast.Module(statements, []), notebook, "exec"), space)
    result = eval(compile(ast.Expression(shown.value), notebook, "eval"), space)
    assert isinstance(result, pd.DataFrame)
    return result


def planned(exposure: Exposure) -> Planned:
    return Planned(PLAN, SUMMARY, CLEAN, exposure)


def applied(*resources: dict[str, object]) -> Applied:
    return Applied(1, 0, 1, resources, {})


def answer(user: str, minutes: int) -> Decision:
    return Decision(source="terminal", user=user, approved=True, at=START + timedelta(minutes=minutes),
                    plan_sha256=DIGEST)  # fmt: skip


def test_compliance_counts_findings_by_policy_and_severity() -> None:
    shown = dig("compliance", files=Files(FINDINGS[:1], RuleChanges()), report=JUDGED)
    counted = shown.set_index(["policy", "severity"])["count"].to_dict()
    assert counted == {("sg-world-ssh", "critical"): 2, ("sg-egress-open", "low"): 1}


def test_plan_shows_what_it_opens_to_the_internet_and_nothing_else() -> None:
    private = EXPOSURE.opened[0].model_copy(update={"source": "10.0.0.0/8", "source_kind": "private"})
    exposure = EXPOSURE.model_copy(update={"opened": (private, *EXPOSURE.opened), "unknown": UNSURE.unknown})
    shown = dig("plan", change=planned(exposure))
    assert shown[["source", "from_port"]].to_numpy().tolist() == [["0.0.0.0/0", 80]]


def test_approval_says_how_long_each_answer_took() -> None:
    record = DECISION.model_copy(update={"decisions": (answer("alex", 7), answer("sam", 90))})
    shown = dig("approval", record=record, request=REQUEST)
    assert shown.set_index("user")["after"].to_dict() == {"alex": timedelta(minutes=7), "sam": timedelta(minutes=90)}


def test_apply_shows_the_slowest_resource_first() -> None:
    quick, slow = sorted(RESOURCES, key=lambda each: float(str(each["seconds"])))
    shown = dig("apply", applied=applied(quick, slow))
    assert shown["address"].tolist() == [slow["address"], quick["address"]]


def test_verification_counts_differences_by_group_and_kind() -> None:
    twice = VERIFICATION.model_copy(update={"differences": VERIFICATION.differences[:1] * 2})
    shown = dig("verification", found=twice)
    assert shown.to_dict("records") == [{"group": "sg-1", "kind": "changed", "count": 2}]


def test_service_tests_show_the_three_slowest_answers_of_each_service() -> None:
    answers = [ANSWERED.model_copy(update={"seconds": seconds}) for seconds in (0.1, 0.4, 0.2, 0.3)]
    api = ANSWERED.model_copy(update={"test": ANSWERED.test.model_copy(update={"name": "api"}), "seconds": 0.05})
    report = SERVICES.model_copy(update={"results": (*answers, REFUSED, api)})
    shown = dig("service_tests", report=report)
    assert shown.groupby("name")["seconds"].apply(list).to_dict() == {"web": [0.4, 0.3, 0.2], "api": [0.05]}


@pytest.mark.parametrize(
    ("step", "names"),
    [
        ("compliance", {"files": Files((), RuleChanges()), "report": CLEAN}),
        ("plan", {"change": planned(Exposure())}),
        ("approval", {"record": NO_ANSWER, "request": REQUEST}),
        ("apply", {"applied": applied()}),
        ("verification", {"found": Verification(outcome=Outcome.PASSED, in_sync=4)}),
        ("service_tests", {"report": ServiceReport(outcome=Outcome.BLOCKED, summary="")}),
    ],
    ids=[step.name for step in BUILT_IN],
)
def test_where_nothing_was_found_it_shows_columns_without_rows(step: str, names: dict[str, object]) -> None:
    shown = dig(step, **names)
    assert len(shown) == 0
    assert len(shown.columns) >= 3
