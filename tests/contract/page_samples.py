"""A run's pages with something in every place, so that each place can be looked at, and made hostile."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import ManifestFile
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource
from runbook_lib.models.findings import Action, Finding, Severity, Source, Verdict, WaiverReference
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.report import charts, tables
from runbook_lib.report.html_index import IndexPage
from runbook_lib.report.result_view import ResultView

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICIES = (
    ("sg-world-ssh", Severity.CRITICAL, Action.BLOCK),
    ("sg-world-db", Severity.HIGH, Action.BLOCK),
    ("sg-egress-open", Severity.LOW, Action.WARN),
    ("sg-wide-list", Severity.MEDIUM, Action.APPROVE),
)
Text = Callable[[str], str]


def plain(place: str) -> str:
    return f"the {place}"


def finding(number: int = 0, say: Text = plain, waived: bool = False) -> Finding:
    policy, severity, action = POLICIES[number % len(POLICIES)]
    return Finding(
        policy=f"{policy} {say('policy')}" if say is not plain else policy,
        verdict=Verdict.WAIVED if waived else Verdict.FAILED if number % 3 else Verdict.UNKNOWN,
        severity=severity,
        action=action,
        address=f'module.network.aws_vpc_security_group_ingress_rule.this["{number} {say("address")}"]',
        message=f"SSH is open to the whole world. {say('message')}",
        remedy=f"Name the networks that may log in. {say('remedy')} {number if number % 4 == 2 else ''}",
        source=Source(file=f"terraform/access/{say('file')}.tf", line=number),
        waiver=WaiverReference(owner=say("owner"), reason=say("reason"), expires=say("expiry")) if waived else None,
    )


def entry(say: Text = plain, number: int = 0) -> ExposureEntry:
    return ExposureEntry(
        source=f"198.51.100.{number} {say('source')}", source_kind=ExposureSource.INTERNET, target=say("target"),
        target_kind="group", protocol=say("protocol") if say is not plain else "tcp", from_port=80, to_port=80,
        why=say("why nobody knows whether it is reached"),
    )  # fmt: skip


def step_result(step: str, outcome: Outcome, say: Text = plain) -> StepResult:
    return StepResult(
        run_id="r1", step=step, stack="main", outcome=outcome, summary=say("summary"), started_at=NOW,
        finished_at=NOW + timedelta(seconds=2), metrics={"compared_with": say("commit compared with")},
        error=ErrorInfo(type=say("type"), message=say("error"), remedy=say("error's remedy")),
    )  # fmt: skip


def index_page(say: Text = plain, findings: int = 8) -> IndexPage:
    steps = tuple(step.recorded.model_copy(update={"title": say("title")}) for step in BUILT_IN)
    request = ApprovalRequest(
        run_id="r1", stack="main", plan_sha256=say("digest of the plan"), commit="abc", state_lineage="l", quorum=1,
        state_serial=1, policy_sha256="p", summary=PlanSummary(create=1), exposure=Exposure(), requester="riley",
        approvers=(say("approver"), "sam"), created_at=NOW, expires_at=NOW, code=(say("code"),),
        governance=(say("governance"),),
        risk=Risk(level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text=say("why it is risky")),)),
    )  # fmt: skip
    answer = Decision(
        source=say("vouching system"), user=say("user"), approved=True, at=NOW, plan_sha256="b" * 64,
        reason=say("reason of the decision"), counts=False, why_not=say("why not"),
    )  # fmt: skip
    return IndexPage(
        run=Run(
            run_id=say("run"), stack=say("stack"), created_at=NOW, requester=say("requester"), commit=say("commit"),
            ref=say("ref"), author=say("author"), dirty=True, steps=steps,
            pipeline_url=f"https://gitlab.example.com/{say('pipeline')}",
        ),
        results=(step_result("compliance", Outcome.WARNED, say), step_result("plan", Outcome.ERRORED, say)),
        findings=(*(finding(number, say) for number in range(findings)), finding(1, say, waived=True)),
        exposure=Exposure(
            opened=(entry(say),), closed=(entry(say),), unknown=(entry(say),), sentence=say("sentence")
        ),
        request=request,
        decision=DecisionRecord(
            run_id="r1", plan_sha256="b" * 64, decisions=(answer,), approved=False, reasons=(say("reason"),),
            checked_at=NOW,
        ),
        files=(
            ManifestFile(path="run.json", sha256="a" * 64, bytes=12),
            ManifestFile(path=f"{say('folder')}/{say('path')}", sha256=say("digest"), bytes=12),
        ),
        signed=True,
        resources=({name: say(f"resource's {name}") for name in ("status", "action", "address", "next")},),
        pages=frozenset({"01_compliance/notebook.html", "01_compliance/notebook.ipynb"}),
    )  # fmt: skip


def notebook(findings: int = 8) -> dict[str, Any]:
    """A notebook as JSON with a cell and an output of each kind, as ours and a team's own make them."""
    flow = Exposure(opened=(entry(),), closed=(entry(number=1),), sentence="The internet can newly reach web.")
    shown = [
        tables.findings(finding(number) for number in range(findings)),
        tables.findings([]),
        tables.exposure(flow),
        charts.exposure(flow),
        ResultView(step_result("plan", Outcome.BLOCKED)),
    ]
    wide = "".join(f"<th>column {number}</th>" for number in range(30))
    outputs = [
        *(new_output("display_data", data=dict(one._repr_mimebundle_())) for one in shown),
        new_output("display_data", data={"text/html": f"<table><thead><tr>{wide}</tr></thead></table>"}),
        new_output("display_data", data={"text/html": "<b>bold</b>"}, metadata={"text/html": {"isolated": True}}),
        new_output("display_data", data={"text/markdown": "a *word* | b"}),
        new_output("display_data", data={"text/latex": "$x$"}),
        new_output(
            "display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"},
            metadata={"image/png": {"width": "400", "height": "300", "alt": "alt"}, "filenames": {"image/png": "name"}},
        ),
        new_output("display_data", data={"image/jpeg": "iVBORw0KGgo="}, metadata={"width": "400"}),
        new_output("display_data", data={"application/javascript": "ran('javascript')", "application/x": "y"}),
        new_output("execute_result", data={"text/plain": "'text'"}, execution_count=3),
        new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m \x1b[1;32mgreen\x1b[0m \x1b[43mground\x1b[0m"),
        new_output("stream", name="stdout", text="aws_instance.a: Refreshing state...\n" * 500),
        new_output("stream", name="stderr", text="a warning " + "x" * 300),
        new_output("error", ename="AwsError", evalue="no", traceback=["\x1b[0;31mAwsError\x1b[0m: no"]),
    ]  # fmt: skip
    code = "# why\nimport os\nstep = plan.start(run_id, 'stack', 7, None)\n@property\ndef x(): return f'{step!r}'"
    cell = new_code_cell(code, outputs=outputs, execution_count=3)
    cell.metadata.update(papermill={"status": "completed", "duration": 0.25}, tags=["parameters"], alt="alt")
    table = "| left | right |\n|---|---|\n| `aws_vpc_security_group_ingress_rule.rule` | text |"
    cells = [
        new_markdown_cell("# Plan\n\nWhat Terraform *would* do: [the text](plan.txt), `code`."),
        new_markdown_cell(f"## Ready?\n\n{table}\n\n    indented code\n\n```python\nx = 1\n```"),
        cell,
        new_code_cell("later()", metadata={"papermill": {"status": "not_run", "duration": None}}),
        new_raw_cell("raw", metadata={"raw_mimetype": "text/html"}),
    ]
    found = new_notebook(cells=cells)
    found.metadata.papermill = {
        "outcome": "completed", "start_time": NOW.isoformat(), "duration": 1.0,
        "error": {"type": "AwsError", "message": "no rights"},
    }  # fmt: skip
    found.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
    return dict(json.loads(json.dumps(found)))
