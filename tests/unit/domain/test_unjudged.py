"""What was not read or not judged is told, and never passed."""

from __future__ import annotations

import pytest
from compliance_samples import ROOT, judged, plan_of

from runbook_lib.domain.compliance.unjudged import (
    doubtful_files,
    reaches_the_network,
    unjudged_types,
    unread_modules,
)
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Scope
from runbook_lib.models.findings import Action, Finding, Severity, Verdict

assert ROOT


@pytest.mark.parametrize(
    "kind",
    [
        "aws_network_acl_rule", "aws_lb_listener", "aws_db_instance", "aws_rds_cluster", "aws_eks_cluster",
        "aws_lightsail_instance_public_ports", "aws_vpn_connection", "awscc_ec2_security_group",
        "azurerm_network_security_rule", "google_compute_firewall",
    ],
)  # fmt: skip
def test_what_reaches_the_network_is_known_by_its_type(kind: str) -> None:
    assert reaches_the_network(kind)
    (found,) = unjudged_types([(f"{kind}.a", kind)], ())
    assert (found.policy, found.address, str(found.verdict), str(found.action)) == (
        "type-not-judged",
        kind,
        "unknown",
        "warn",
    )
    assert list(unjudged_types([(f"{kind}.a", kind)], {kind})) == []


@pytest.mark.parametrize(
    "kind", ["aws_instance", "aws_subnet", "aws_lb_target_group", "aws_iam_policy_attachment", "awscc_logs_log_group"]
)
def test_what_opens_nothing_by_itself_is_not_told(kind: str) -> None:
    assert list(unjudged_types([(f"{kind}.a", kind)], ())) == []


def test_many_of_a_type_are_one_finding() -> None:
    (found,) = unjudged_types([(f"aws_db_instance.d[{number}]", "aws_db_instance") for number in range(9)], ())
    assert "aws_db_instance.d[0], aws_db_instance.d[1], aws_db_instance.d[2] and 6 more" in found.message


def test_each_module_that_is_not_here_is_a_finding() -> None:
    assert [found.address for found in unread_modules(["module.a", "module.b.module.c"])] == [
        "module.a",
        "module.b.module.c",
    ]


def test_a_plan_of_which_nothing_is_judged_is_not_passed_and_counts_nothing() -> None:
    def entry(address: str, actions: list[str]) -> dict[str, object]:
        kind, name = address.split(".")
        change = {"actions": actions, "before": None, "after": {}, "after_unknown": {}}
        return {"address": address, "mode": "managed", "type": kind, "name": name, "change": change}

    plan = plan_of(entry("aws_vpn_connection.open", ["create"]), entry("aws_lb.old", ["no-op"]))
    report = judged(rules_from_plan(parse_plan(plan)), Scope.CHANGED)
    assert (report.outcome, report.checked.resources) == (Outcome.WARNED, 0)
    assert [(found.policy, found.address) for found in report.findings] == [("type-not-judged", "aws_vpn_connection")]
    everything = judged(rules_from_plan(parse_plan(plan)), Scope.ALL)
    assert [found.address for found in everything.findings] == ["aws_lb", "aws_vpn_connection"]


def unsaid(policy: str, address: str, message: str, remedy: str) -> Finding:
    return Finding(
        policy=policy, verdict=Verdict.UNKNOWN, severity=Severity.LOW, address=address, message=message, remedy=remedy,
        action=Action.WARN,
    )  # fmt: skip


def test_what_is_not_judged_is_said_with_what_to_do_about_it() -> None:
    touched = [("aws_lb.b", "aws_lb"), ("aws_db_instance.d", "aws_db_instance"), ("aws_lb.a", "aws_lb"),
               ("aws_lb.c", "aws_lb")]  # fmt: skip
    own = "Look at it yourself, or write a policy for this type: docs/policies.md."
    assert list(unjudged_types(touched, ())) == [
        unsaid("type-not-judged", "aws_db_instance",
               "No policy looks at aws_db_instance, which reaches the network: aws_db_instance.d", own),
        unsaid("type-not-judged", "aws_lb",
               "No policy looks at aws_lb, which reaches the network: aws_lb.b, aws_lb.a, aws_lb.c", own),
    ]  # fmt: skip
    assert list(unread_modules(["module.a"])) == [
        unsaid("module-not-read", "module.a", "What module.a declares is not known: its files are not here",
               "Run terraform init, which lays it down, or judge a plan."),
    ]  # fmt: skip
    assert list(doubtful_files(["main.tofu"])) == [
        unsaid("file-in-doubt", "main.tofu",
               "OpenTofu reads main.tofu in place of what Terraform reads, and which of them will run is not known"
               " here",
               "Keep one of the two, or judge a plan."),
    ]  # fmt: skip
