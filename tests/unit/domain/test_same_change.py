"""What does the same for several stacks is what an approver would be shown the same of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runbook_lib.domain.same_change import together
from runbook_lib.models.approval import ApprovalRequest, Requirement
from runbook_lib.models.exposure import Exposure, ExposureEntry
from runbook_lib.models.findings import Action, Finding, Severity, Source, Verdict, WaiverReference
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.risk import Risk, RiskLevel

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def finding(file: str = "a/main.tf", **changed: Any) -> Finding:
    said = {"policy": "p", "verdict": Verdict.FAILED, "severity": Severity.LOW, "address": "x.y", "message": "m"}
    return Finding(**{**said, "source": Source(file=file, line=1), **changed})


def request(stack: str, fingerprint: str = "f", **changed: Any) -> ApprovalRequest:
    """One stack's; what differs between stacks that do the same differs here."""
    asked: dict[str, Any] = {
        "run_id": f"run of {stack}", "stack": stack, "plan_sha256": f"plan of {stack}", "commit": "c",
        "state_lineage": stack, "state_serial": len(stack), "policy_sha256": "p",
        "summary": PlanSummary(create=1, fingerprint=fingerprint, state_lineage=stack), "exposure": Exposure(),
        "findings": (finding(f"{stack}/main.tf"),), "requester": "riley", "approvers": ("alex",), "quorum": 1,
        "created_at": NOW, "expires_at": NOW, "url": f"https://gitlab/{stack}",
    }  # fmt: skip
    return ApprovalRequest(**asked | changed)


def stacks(*requests: ApprovalRequest) -> list[list[str]]:
    return [[one.stack for one in group] for group in together(requests)]


def test_stacks_whose_plans_do_the_same_are_one_group_and_the_largest_comes_first() -> None:
    assert stacks(request("other", "g"), request("web"), request("shop")) == [["web", "shop"], ["other"]]


@pytest.mark.parametrize(
    "changed",
    [
        {"exposure": Exposure(sentence="The internet can newly reach web.")},
        {"findings": ()},
        {"findings": (finding(message="another"),)},
        {"risk": Risk(level=RiskLevel.HIGH)},
        {"governance": ("changes who approves",)},
        {"code": ("runs a program",)},
        {"complete": False},
        {"dirty": True},
        {"policy_sha256": "q"},
        {"break_glass": ("sam",)},
        {"unknown_authors": ("kim@elsewhere.example",)},
        {"earlier": ("An apply of this stack began, and nobody heard of its end.",)},
        {"summary": PlanSummary(create=1, fingerprint="f", checks=("check.alive",))},
        {"summary": PlanSummary(create=1, fingerprint="f", temporary=("web from 10.0.0.1 stands until tomorrow.",))},
        {"requirements": (Requirement(needs=1, approvers=("alex",)),)},
        *(
            {"findings": (finding(**otherwise),)}
            for otherwise in (
                {"policy": "q"},
                {"verdict": Verdict.WAIVED},
                {"severity": Severity.HIGH},
                {"address": "x.z"},
                {"action": Action.WARN},
                {"tool": "trivy"},
                {"waiver": WaiverReference(owner="sam", reason="agreed", expires="2026-12-31")},
            )
        ),
    ],
)
def test_whatever_an_approver_is_shown_otherwise_is_not_the_same(changed: dict[str, Any]) -> None:
    assert stacks(request("web"), request("shop", **changed)) == [["web"], ["shop"]]


def test_each_stack_s_own_group_is_no_difference() -> None:
    said: dict[str, Any] = {"source": "0.0.0.0/0", "source_kind": "internet", "target": "web", "target_kind": "group"}
    entry = ExposureEntry(**said, protocol="tcp", from_port=80, to_port=80)
    opens = {
        stack: Exposure(**{kind: (entry.model_copy(update={"target_id": f"sg-{stack}"}),)})
        for kind, stack in (("opened", "web"), ("opened", "shop"), ("closed", "blog"), ("closed", "wiki"))
    }
    assert stacks(*(request(stack, exposure=found) for stack, found in opens.items())) == [
        ["web", "shop"],
        ["blog", "wiki"],
    ]


def test_a_request_without_a_fingerprint_is_the_same_as_no_other() -> None:
    assert stacks(request("web", ""), request("shop", "")) == [["web"], ["shop"]]
    # Neither as another stack's of the same run, nor as one of the same stack of another run.
    assert stacks(request("web", "", run_id="7"), request("shop", "", run_id="7")) == [["web"], ["shop"]]
    assert stacks(request("web", "", run_id="7"), request("web", "", run_id="8")) == [["web"], ["web"]]


def test_the_largest_group_comes_first_and_all_else_as_it_came() -> None:
    given = [request(*each) for each in ("ah", "bf", "cg", "df", "eg", "fi", "gf")]
    assert stacks(*given) == [["b", "d", "g"], ["c", "e"], ["a"], ["f"]]
    assert together([]) == ()


def test_findings_in_another_order_are_the_same_findings() -> None:
    two = (finding(), finding(address="x.z"))
    assert len(together([request("web", findings=two), request("shop", findings=two[::-1])])) == 1
