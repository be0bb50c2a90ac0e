"""How risky a change is: a table of what makes it so, and that nothing of it is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from runbook_lib.domain.risk import ADMIN_PORTS, DATA_STORES, RiskFacts, assess_risk
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import Exposure, ExposureEntry, Reachable
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import CheckStatus, Plan, ResourceChange
from runbook_lib.models.risk import RiskLevel
from runbook_lib.models.windows import ChangeWindow

POLICIES = Path(__file__).parents[3] / "policies"
NONE, LOW, MEDIUM, HIGH, CRITICAL = RiskLevel


def entry(protocol: str = "tcp", low: Any = 443, high: Any = None, **given: Any) -> ExposureEntry:
    told = {"source": "0.0.0.0/0", "source_kind": "internet", "target": "web", "target_kind": "group", **given}
    return ExposureEntry(protocol=protocol, from_port=low, to_port=low if high is None else high, **told)


def opens(*entries: ExposureEntry) -> RiskFacts:
    return RiskFacts(Plan(), Exposure(opened=entries))


def plans(kind: str, *actions: str, drifted: bool = False, mode: str = "managed") -> RiskFacts:
    change = ResourceChange(address=f"{kind}.a", type=kind, name="a", actions=actions, mode=mode)
    return RiskFacts(Plan(changes=(change,), drift=(change,) if drifted else ()), Exposure())


def found(verdict: Verdict, severity: Severity = Severity.MEDIUM) -> RiskFacts:
    finding = Finding(policy="sg-one", verdict=verdict, severity=severity, address="a.b", message="It is so.")
    return RiskFacts(Plan(), Exposure(), findings=(finding,))


def inside(source: str, kind: str, **given: Any) -> ExposureEntry:
    return entry(source=source, source_kind=kind, **given)


FRIDAY_NIGHT = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)
OFFICE = ChangeWindow(days=("mon", "tue", "wed", "thu", "fri"), begins="08:00", ends="16:00")
CALM = RiskFacts(Plan(), Exposure())


@pytest.mark.parametrize(
    ("facts", "level", "said"),
    [
        (CALM, NONE, None),
        (opens(entry(low=443)), MEDIUM, "opens tcp 443 of web to or from the internet"),
        (opens(entry(low=80)), MEDIUM, "opens tcp 80 of web to or from the internet"),
        (opens(entry(low=8443)), HIGH, "opens tcp 8443 of web to or from the internet"),
        (opens(entry("udp", 443)), HIGH, "opens udp 443 of web to or from the internet"),
        (opens(entry(low=22)), CRITICAL, "opens tcp 22 (SSH) of web to or from the internet"),
        (opens(entry(low=20, high=22)), CRITICAL, "opens tcp 20-22 (SSH) of web to or from the internet"),
        (opens(entry(low=8000, high=8004)), CRITICAL, "opens tcp 8000-8004 of web to or from the internet"),
        (opens(entry(low=8000, high=8003)), HIGH, "opens tcp 8000-8003 of web to or from the internet"),
        (opens(entry("all", None)), CRITICAL, "opens all ports and protocols of web to or from the internet"),
        (opens(entry("tcp", -1)), CRITICAL, "opens all tcp of web to or from the internet"),
        (opens(entry("tcp", UNKNOWN)), CRITICAL, "opens an unknown tcp port of web to or from the internet"),
        (opens(entry("47", None)), CRITICAL, "opens protocol 47 (GRE) of web to or from the internet"),
        (opens(entry("icmp", 8, 0)), LOW, "opens icmp type 8 code 0 of web to or from the internet"),
        (
            opens(entry(source="web", source_kind="group", target="0.0.0.0/0", target_kind="internet")),
            LOW,
            "opens tcp 443 of web to or from the internet",
        ),
        (opens(inside("10.0.0.0/8", "private", low=5432)), MEDIUM, "opens tcp 5432 (PostgreSQL) of web inside"),
        (opens(inside("10.0.0.0/8", "private", low=8080)), LOW, "opens tcp 8080 of web inside"),
        (opens(inside("198.51.100.0/24", "network", low=8080)), MEDIUM, "opens tcp 8080 of web inside"),
        (opens(inside("app", "group", low=8080)), LOW, "opens tcp 8080 of web inside"),
        (
            RiskFacts(Plan(), Exposure(unknown=(entry(source=UNKNOWN, source_kind=UNKNOWN),))),
            HIGH,
            "an opening of which nobody knows yet to whom, to what or how wide",
        ),
        (RiskFacts(Plan(), Exposure(closed=(entry(low=22),))), NONE, None),
        (plans("aws_s3_bucket", "delete"), CRITICAL, "destroys aws_s3_bucket.a, with all that is stored there"),
        (
            plans("aws_db_instance", "delete", "create"),
            CRITICAL,
            "replaces aws_db_instance.a, with all that is stored there",
        ),
        (
            plans("aws_db_instance", "create", "delete"),
            CRITICAL,
            "replaces aws_db_instance.a, with all that is stored there",
        ),
        (plans("aws_instance", "delete"), MEDIUM, "destroys aws_instance.a"),
        (plans("aws_instance", "delete", "create"), MEDIUM, "replaces aws_instance.a"),
        (plans("aws_s3_bucket", "forget"), LOW, "changes what runs"),
        (plans("aws_vpc_security_group_ingress_rule", "delete"), LOW, "changes what runs"),
        (plans("aws_instance", "update"), LOW, "changes what runs"),
        (plans("aws_instance", "no-op"), NONE, None),
        (plans("aws_ami", "read", mode="data"), NONE, None),
        (plans("aws_instance", "update", drifted=True), MEDIUM, "overwrites what was changed by hand: aws_instance.a"),
        (plans("aws_instance", "no-op", drifted=True), NONE, None),
        (RiskFacts(Plan(outputs=("id",)), Exposure()), LOW, "changes outputs, which other stacks may read"),
        (found(Verdict.WAIVED), MEDIUM, "goes by a waiver of sg-one"),
        (found(Verdict.UNKNOWN), MEDIUM, "could not be judged by sg-one"),
        (found(Verdict.FAILED, Severity.LOW), LOW, "fails sg-one"),
        (found(Verdict.FAILED, Severity.HIGH), HIGH, "fails sg-one"),
        (found(Verdict.FAILED, Severity.CRITICAL), CRITICAL, "fails sg-one"),
        (
            RiskFacts(Plan(checks=(CheckStatus(address="check.health", status="fail"),)), Exposure()),
            HIGH,
            "Terraform's check check.health does not hold",
        ),
        (
            RiskFacts(Plan(checks=(CheckStatus(address="check.health", status="unknown"),)), Exposure()),
            LOW,
            "Terraform's check check.health is known only after apply",
        ),
        (RiskFacts(Plan(checks=(CheckStatus(address="check.health", status="pass"),)), Exposure()), NONE, None),
        (
            replace(CALM, windows=(OFFICE,), now=FRIDAY_NIGHT),
            HIGH,
            "is outside of the change window (mon, tue, wed, thu, fri 08:00-16:00 UTC)",
        ),
        (replace(CALM, windows=(OFFICE,), now=datetime(2026, 11, 27, 9, tzinfo=UTC)), NONE, None),
        (replace(CALM, now=FRIDAY_NIGHT), NONE, None),
        (replace(CALM, first=True), MEDIUM, "is the first run on this stack that is known"),
        (replace(CALM, dirty=True), HIGH, "is of files that are in no commit"),
        (replace(CALM, plan=Plan(complete=False)), HIGH, "leaves resources of the stack out"),
        (replace(CALM, governance=("This change also …",)), HIGH, "changes who or what judges it"),
        (replace(CALM, code=("runs a script",)), HIGH, "runs code that is no locked provider's"),
    ],
)
def test_what_makes_a_change_risky(facts: RiskFacts, level: RiskLevel, said: str | None) -> None:
    risk = assess_risk(facts)
    assert risk.level is level
    assert [(reason.level, reason.text) for reason in risk.reasons] == ([] if said is None else [(level, said)])


IDLE, WAITS, ALREADY, HALF = (
    entry(low=22, reachable=verdict)
    for verdict in (Reachable.OPEN_BUT_NOT_REACHABLE, Reachable.NO_MEMBER, Reachable.ALREADY_OPEN, Reachable.HALF_PATH)
)
OUTWARD = entry(source="app", source_kind="group", target="0.0.0.0/0", target_kind="internet")


def deleted(*kinds: str, actions: tuple[str, ...] = ("delete",), mode: str = "managed") -> RiskFacts:
    changes = (ResourceChange(address=f"{kind}.a", type=kind, name="a", actions=actions, mode=mode) for kind in kinds)
    return RiskFacts(Plan(changes=tuple(changes)), Exposure())


def judged(*verdicts: tuple[str, Verdict, Severity]) -> RiskFacts:
    findings = (Finding(policy=name, verdict=verdict, severity=severity, address="a.b", message="It is so.")
                for name, verdict, severity in verdicts)  # fmt: skip
    return RiskFacts(Plan(), Exposure(), findings=tuple(findings))


def checks(*states: tuple[str, str]) -> RiskFacts:
    return RiskFacts(Plan(checks=tuple(CheckStatus(address=a, status=status) for a, status in states)), Exposure())


NOT_YET = "opens tcp 22 (SSH) of web to or from the internet, of which nothing is reached yet"
UNKNOWN_GROUP = entry(low=22, target=UNKNOWN)
WHOLLY_UNKNOWN = entry(source=UNKNOWN, source_kind=UNKNOWN)
NIGHT = ChangeWindow(days=("sat",), begins="01:00", ends="02:00")


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        (opens(IDLE), [(MEDIUM, NOT_YET)]),
        (opens(WAITS, IDLE), [(MEDIUM, NOT_YET)]),
        (opens(ALREADY, HALF), []),
        # Inside, what is not reached is not told.
        (opens(inside("10.0.0.0/8", "private", low=22, reachable=Reachable.NO_MEMBER)), []),
        (opens(entry(low=443), IDLE, OUTWARD),
         [(MEDIUM, "opens tcp 443 of web to or from the internet"), (MEDIUM, NOT_YET),
          (LOW, "opens tcp 443 of app to or from the internet")]),
        (opens(entry("icmp", 8, 0), entry(low=80, high=443), inside("app", "group", protocol="icmp", low=22, high=0)),
         [(CRITICAL, "opens tcp 80-443 of web to or from the internet"),
          (LOW, "opens icmp type 8 code 0 of web to or from the internet"),
          (LOW, "opens icmp type 22 code 0 of web inside")]),
        (opens(inside("10.0.0.0/8", "private", low=22), inside("app", "group", low=8080, target="db")),
         [(MEDIUM, "opens tcp 22 (SSH) of web inside"), (LOW, "opens tcp 8080 of db inside")]),
        # Whom it lets in is told, though not into which group.
        (RiskFacts(Plan(), Exposure(unknown=(UNKNOWN_GROUP,))),
         [(CRITICAL, "opens tcp 22 (SSH) of an unknown group to or from the internet")]),
        (RiskFacts(Plan(), Exposure(unknown=(WHOLLY_UNKNOWN, WHOLLY_UNKNOWN))),
         [(HIGH, "2 openings of which nobody knows yet to whom, to what or how wide")]),
        (deleted("aws_instance", "aws_s3_bucket", "aws_lb", "aws_db_instance", "aws_security_group_rule"),
         [(CRITICAL, "destroys aws_s3_bucket.a and aws_db_instance.a, with all that is stored there"),
          (MEDIUM, "destroys aws_instance.a and aws_lb.a")]),
        (deleted("aws_s3_bucket", mode="data"), [(LOW, "changes what runs")]),
        (deleted("aws_s3_bucket", actions=("delete", "create"), mode="data"), [(LOW, "changes what runs")]),
        (judged(("b", Verdict.WAIVED, Severity.LOW), ("a", Verdict.WAIVED, Severity.HIGH),
                ("a", Verdict.WAIVED, Severity.HIGH), ("d", Verdict.UNKNOWN, Severity.LOW),
                ("c", Verdict.UNKNOWN, Severity.LOW), ("f", Verdict.FAILED, Severity.MEDIUM),
                ("e", Verdict.FAILED, Severity.MEDIUM), ("g", Verdict.FAILED, Severity.LOW)),
         [(MEDIUM, "goes by a waiver of a and b"), (MEDIUM, "could not be judged by c and d"),
          (MEDIUM, "fails e and f"), (LOW, "fails g")]),
        (checks(("check.a", "error"), ("check.b", "fail"), ("check.c", "unknown"), ("check.d", "unknown")),
         [(HIGH, "Terraform's check check.a and check.b does not hold"),
          (LOW, "Terraform's check check.c and check.d is known only after apply")]),
        (replace(CALM, windows=(OFFICE, NIGHT), now=FRIDAY_NIGHT),
         [(HIGH, f"is outside of the change window ({OFFICE} and sat 01:00-02:00 UTC)")]),
        (replace(CALM, windows=(NIGHT, OFFICE), now=datetime(2026, 11, 27, 9, tzinfo=UTC)), []),
        # On the first run all of governance is new.
        (replace(CALM, first=True, governance=("This change also …",)),
         [(MEDIUM, "is the first run on this stack that is known")]),
        # What the change overwrites is said of what it touches, and of no more.
        (replace(plans("aws_instance", "update", drifted=True), exposure=Exposure(opened=(entry(low=22),))),
         [(CRITICAL, "opens tcp 22 (SSH) of web to or from the internet"),
          (MEDIUM, "overwrites what was changed by hand: aws_instance.a")]),
        (replace(plans("aws_instance", "create"), plan=Plan(
            changes=plans("aws_instance", "create").plan.changes, outputs=("id",))), [(LOW, "changes what runs")]),
    ],
)  # fmt: skip
def test_every_reason_is_told_once_by_its_level_with_all_that_it_is_of(
    facts: RiskFacts, reasons: list[tuple[RiskLevel, str]]
) -> None:
    assert [(reason.level, reason.text) for reason in assess_risk(facts).reasons] == reasons


def test_the_worst_reason_decides_and_comes_first() -> None:
    facts = replace(
        plans("aws_instance", "update"), exposure=Exposure(opened=(entry(low=443), entry(low=22))), first=True
    )
    risk = assess_risk(facts)
    assert [reason.level for reason in risk.reasons] == [CRITICAL, MEDIUM, MEDIUM]
    assert risk.level is CRITICAL


def test_openings_of_one_level_are_one_reason() -> None:
    risk = assess_risk(opens(entry(low=22), entry(low=3389, target="desktop")))
    assert [reason.text for reason in risk.reasons] == [
        "opens tcp 22 (SSH) of web and tcp 3389 (RDP) of desktop to or from the internet"
    ]


@pytest.mark.parametrize(
    ("low", "high", "level"),
    [(UNKNOWN, 3, HIGH), (UNKNOWN, 4, CRITICAL), (65532, UNKNOWN, HIGH), (65531, UNKNOWN, CRITICAL)],
)
def test_a_port_that_is_not_known_may_be_the_first_or_the_last_of_all(low: Any, high: Any, level: RiskLevel) -> None:
    assert assess_risk(opens(entry(low=low, high=high))).level is level


@pytest.mark.parametrize("port", sorted(ADMIN_PORTS))
def test_every_admin_port_is_critical_from_the_internet_alone_and_in_a_range(port: int) -> None:
    assert assess_risk(opens(entry(low=port))).level is CRITICAL
    assert assess_risk(opens(entry(low=port - 1, high=port))).level is CRITICAL


def test_data_stores_are_those_of_the_policy() -> None:
    (policy,) = YAML(typ="safe").load((POLICIES / "delete-stateful.yml").read_text())["policies"]
    assert set(policy["resource"]["types"]) == DATA_STORES
