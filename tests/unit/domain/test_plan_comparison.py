"""What the approvers were shown against what is found out anew: each way in which it may differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.plan_comparison import changed_inputs, other_folder, shown_otherwise
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import ExposedInterface, Exposure, ExposureEntry, Reachable
from runbook_lib.models.findings import Action, Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.plan import PlanInputs, PlanSummary

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SUMMARY = PlanSummary(create=1, addresses={"create": ("a.b",)}, plan_sha256="0" * 64)
EXPOSURE = Exposure(sentence="The internet can newly reach web on tcp 80.")
WAIVER = WaiverReference(owner="sam", reason="until the move", expires="2026-11-30")
INPUTS = PlanInputs(
    product="Terraform",
    terraform_version="1.11.4",
    terraform_sha256="1" * 64,
    platform="linux_amd64",
    path="terraform/access",
    folder="/builds/platform/network-access/terraform/access",
    providers={"hashicorp/aws": "6.0.0"},
    lock_sha256="2" * 64,
    files={"terraform/access/main.tf": "3" * 64, "terraform/access/page.html": "4" * 64},
)


def finding(verdict: Verdict = Verdict.FAILED, action: Action = Action.WARN, waiver: bool = False) -> Finding:
    return Finding(
        policy="sg-world-ssh",
        address="a.b",
        severity=Severity.HIGH,
        action=action,
        verdict=verdict,
        message="SSH is open to the world.",
        waiver=WAIVER if waiver else None,
    )


def request(*findings: Finding, code: tuple[str, ...] = ()) -> ApprovalRequest:
    return ApprovalRequest(
        run_id="7",
        stack="access",
        plan_sha256=SUMMARY.plan_sha256,
        commit="4dc7a7",
        state_lineage="l",
        state_serial=3,
        policy_sha256="p",
        summary=SUMMARY,
        exposure=EXPOSURE,
        findings=findings,
        code=code,
        requester="riley",
        approvers=("alex",),
        quorum=1,
        created_at=NOW,
        expires_at=NOW,
    )


def test_what_is_as_it_was_shown_is_no_problem() -> None:
    assert list(shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [finding()])) == []


def test_a_finding_that_is_none_any_more_is_no_problem() -> None:
    assert list(shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [])) == []


@pytest.mark.parametrize(
    ("summary", "exposure", "now", "said"),
    [
        (SUMMARY.model_copy(update={"delete": 4}), EXPOSURE, [], "delete 0, not 4"),
        (SUMMARY.model_copy(update={"addresses": {"create": ("a.c",)}}), EXPOSURE, [], "(addresses)"),
        (SUMMARY, Exposure(sentence="The internet can newly reach db."), [], "can newly reach db."),
        (SUMMARY, EXPOSURE, [finding()], "sg-world-ssh at a.b was not shown to the approvers: SSH is open"),
    ],
)
def test_what_was_shown_otherwise_or_not_at_all_is_told(
    summary: PlanSummary, exposure: Exposure, now: list[Finding], said: str
) -> None:
    (told,) = shown_otherwise(request(), summary, exposure, now)
    assert said in told


AGAIN = "Run the plan step again and have the new plan approved."


@pytest.mark.parametrize(
    ("shown", "found", "said"),
    [
        (Exposure(), Exposure(sentence="Somebody can."), "nothing. The plan file says: Somebody can."),
        (Exposure(sentence="Somebody can."), Exposure(), "Somebody can. The plan file says: nothing."),
        (
            Exposure(sentence="One.", rules_sha256="1" * 64),
            Exposure(sentence="Other.", rules_sha256="2" * 64),
            "One. The plan file says: Other.",
        ),
    ],
)
def test_who_can_newly_reach_what_is_said_as_it_was_shown_and_as_it_is(
    shown: Exposure, found: Exposure, said: str
) -> None:
    asked = request().model_copy(update={"exposure": shown})
    assert list(shown_otherwise(asked, SUMMARY, found, ())) == [
        f"The request says of who can newly reach what: {said} {AGAIN}"
    ]


def opened(reachable: Reachable = Reachable.REACHABLE, **fields: Any) -> ExposureEntry:
    ends = {"source": "10.0.0.0/8", "source_kind": "private", "target": "web", "target_kind": "group"}
    ports = {"protocol": "tcp", "from_port": 80, "to_port": 89}
    return ExposureEntry.model_validate({**ends, **ports, "reachable": reachable, **fields})


def interfaces(*ids: str) -> tuple[ExposedInterface, ...]:
    return tuple(
        ExposedInterface(id=one, name=f"host-{one}", kind="instance", reachable=Reachable.REACHABLE) for one in ids
    )


def reached(shown: ExposureEntry, found: ExposureEntry) -> list[str]:
    # The rules are the same; the sentence tells who is reached, which AWS may say otherwise every hour.
    before, now = (
        Exposure(opened=(one,), sentence=str(one.reachable), rules_sha256="1" * 64) for one in (shown, found)
    )
    return list(shown_otherwise(request().model_copy(update={"exposure": before}), SUMMARY, now, ()))


@pytest.mark.parametrize(
    ("shown", "found", "known"),
    [
        (opened(), opened(), True),
        (opened(Reachable.UNKNOWN), opened(), True),
        (opened(Reachable.ALREADY_OPEN), opened(), False),
        (opened(Reachable.NO_MEMBER), opened(), False),
        # Nobody is reached now, whatever was shown.
        (opened(Reachable.NO_MEMBER), opened(Reachable.UNKNOWN), True),
        (opened(), opened(from_port=81, to_port=81), True),
        (opened(), opened(from_port=79), False),
        (opened(), opened(to_port=90), False),
        (opened(), opened(from_port=79, to_port=90), False),
        (opened(from_port=None, to_port=None), opened(), True),
        (opened(protocol="icmp", from_port=-1, to_port=-1), opened(protocol="icmp", from_port=8, to_port=0), True),
        (opened(), opened(from_port=None, to_port=None), False),
        (opened(), opened(protocol="udp"), False),
        (opened(protocol="all", from_port=None, to_port=None), opened(protocol="udp"), True),
        (opened(), opened(source="10.0.0.0/9"), False),
        (opened(), opened(source_kind="network"), False),
        (opened(), opened(target="db"), False),
        (opened(), opened(target_kind="interface"), False),
        # The same interface by another group, for the same party.
        (opened(interfaces=interfaces("1", "2")), opened(target="db", interfaces=interfaces("2", "3")), True),
        (opened(interfaces=interfaces("1")), opened(target="db", interfaces=interfaces("2")), False),
    ],
)
def test_whoever_is_reached_was_shown_with_both_ends_and_all_ports(
    shown: ExposureEntry, found: ExposureEntry, known: bool
) -> None:
    told = reached(shown, found)
    assert len(told) == (not known)
    assert all(sentence.endswith(f", which was not shown to the approvers. {AGAIN}") for sentence in told)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (opened(), "10.0.0.0/8 can now reach web on tcp 80-89"),
        (opened(interfaces=interfaces("7")), "10.0.0.0/8 can now reach host-7 on tcp 80-89"),
        (
            opened(source="pl-1", source_kind="prefix_list", to_port=80),
            "Prefix list pl-1 can now reach web on tcp 80",
        ),
    ],
)
def test_who_was_not_shown_is_named_with_what_they_reach(found: ExposureEntry, said: str) -> None:
    elsewhere = opened(target="elsewhere")
    assert reached(elsewhere, found) == [f"{said}, which was not shown to the approvers. {AGAIN}"]


def test_findings_of_one_policy_are_told_apart_by_the_rule_and_one_of_a_plan_says_so() -> None:
    one, other = (finding().model_copy(update={"rule": network_rule(from_port=port)}) for port in (22, 23))
    assert list(shown_otherwise(request(one, other), SUMMARY, EXPOSURE, [one, other])) == []
    (told,) = shown_otherwise(request(one), SUMMARY, EXPOSURE, [one, other])
    assert told == f"sg-world-ssh at a.b was not shown to the approvers: SSH is open to the world. {AGAIN}"
    assert len(list(shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [one]))) == 1
    (told,) = shown_otherwise(request(), SUMMARY, EXPOSURE, [finding().model_copy(update={"address": ""})])
    assert told.startswith("sg-world-ssh at the plan was not shown to the approvers: ")


def test_a_waiver_that_ended_between_the_request_and_apply_is_named() -> None:
    waived = finding(Verdict.WAIVED, waiver=True)
    (told,) = shown_otherwise(request(waived), SUMMARY, EXPOSURE, [finding(Verdict.FAILED)])
    assert "was not shown" in told
    (told,) = shown_otherwise(request(waived), SUMMARY, EXPOSURE, [finding(Verdict.WAIVED)])
    assert "The waiver of sg-world-ssh at a.b by sam, until 2026-11-30, holds no more." in told


def test_a_finding_that_weighs_otherwise_is_told() -> None:
    (told,) = shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [finding(action=Action.BLOCK)])
    assert "weighs otherwise" in told


def test_the_same_inputs_are_no_problem() -> None:
    assert list(changed_inputs(INPUTS, INPUTS)) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"terraform_version": "1.12.0"}, "made by Terraform 1.11.4, and here is Terraform 1.12.0. Give both jobs"),
        ({"product": "OpenTofu"}, "made by Terraform 1.11.4, and here is OpenTofu 1.11.4."),
        ({"product": "OpenTofu", "terraform_sha256": "9" * 64}, "and here is OpenTofu 1.11.4."),
        ({"platform": "linux_arm64"}, "made on linux_amd64, and here is linux_arm64. Run both jobs on the same"),
        ({"platform": "", "terraform_sha256": "9" * 64}, "made on linux_amd64, and here is one that is not told."),
        ({"path": "terraform/other"}, "of the folder terraform/access, and here is terraform/other."),
        ({"terraform_sha256": "9" * 64}, "The Terraform program is not the one that made the plan."),
        ({"providers": {"hashicorp/aws": "6.1.0"}}, "made with hashicorp/aws 6.0.0, and here is 6.1.0. Commit"),
        ({"providers": {}}, "made with hashicorp/aws 6.0.0, and here is none."),
        ({"lock_sha256": "9" * 64}, ".terraform.lock.hcl changed since the plan."),
        (
            {"files": {**INPUTS.files, "terraform/access/page.html": "9" * 64}},
            "changed since: terraform/access/page.html.",
        ),
        ({"files": {**INPUTS.files, "x.auto.tfvars": "9" * 64}}, "changed since: x.auto.tfvars."),
        ({"files": {}}, "changed since: terraform/access/main.tf, terraform/access/page.html."),
        ({"files": {str(n): "" for n in range(9)}}, "0, 1, 2, 3, 4 and 6 more."),
    ],
)
def test_whatever_the_plan_was_made_with_is_named_when_it_is_another(now: dict[str, object], said: str) -> None:
    (told,) = changed_inputs(INPUTS, INPUTS.model_copy(update=now))
    assert said in told


def test_another_folder_of_the_machine_is_named_with_the_one_of_the_plan() -> None:
    assert other_folder(INPUTS, INPUTS) == ""
    elsewhere = other_folder(INPUTS, INPUTS.model_copy(update={"folder": "/elsewhere"}))
    assert "made in /builds/platform/network-access/terraform/access, and here is /elsewhere." in elsewhere


def test_code_that_was_not_shown_is_a_problem_and_code_that_runs_no_more_is_none() -> None:
    shown = request(code=("data.external.a runs a", "data.external.b runs b"))
    assert list(shown_otherwise(shown, SUMMARY, EXPOSURE, (), ["data.external.a runs a"])) == []
    (said,) = shown_otherwise(shown, SUMMARY, EXPOSURE, (), ["data.external.a runs c"])
    assert said.startswith("Code that will run was not shown to the approvers: data.external.a runs c. ")
