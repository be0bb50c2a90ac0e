"""A cloud that nobody has heard of goes through plan, policy, exposure and comparison once it is in the table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from step_fakes import answering

from runbook_lib.domain.exposure import exposure
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import CLOUDS, Cloud, readers, rules_from_plan
from runbook_lib.domain.rules.declaration import Declaration, Surroundings
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Scope
from runbook_lib.models.plan import Plan
from runbook_lib.models.rules import Direction, Rule
from runbook_lib.models.verification import DifferenceKind
from runbook_lib.settings import Settings
from runbook_lib.workspace import comparison
from runbook_lib.workspace.comparison import compare_places, gather_places
from runbook_lib.workspace.policy_gate import PolicyFiles, PolicyGate

ADMIN = {"fence": "fence-7", "port": 22, "from": "0.0.0.0/0", "why": "Administration"}


def gate(values: Mapping[str, Any], address: str = "") -> Rule:
    return Rule(
        direction=Direction.INGRESS, protocol="tcp", from_port=values["port"], to_port=values["port"],
        source=values["from"], description=values["why"], group=values["fence"], address=address,
    )  # fmt: skip


def read(declaration: Declaration, around: Surroundings) -> Iterator[Rule]:
    yield gate(declaration.values, declaration.address)


ACME = Cloud(
    name="acme",
    readers={"acme_gate": read},
    live_rules=lambda found: tuple(gate(item) for item in found),
    ids=("fence-",),
)


class Acme:
    """Has these gates."""

    def __init__(self) -> None:
        self.gates: list[dict[str, Any]] = []

    def account(self) -> str:
        return ""

    def rules(self, group_ids: Iterable[str]) -> list[dict[str, Any]]:
        return [gate for gate in self.gates if gate["fence"] in set(group_ids)]


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Acme:
    """The cloud, known to the program, and its adapter."""
    monkeypatch.setitem(CLOUDS, "acme", ACME)
    monkeypatch.setitem(readers._READERS, "acme_gate", read)
    adapter, client = ModuleType("acme"), Acme()
    vars(adapter)["live_client"] = lambda region: client
    monkeypatch.setitem(sys.modules, "runbook_lib.adapters.acme", adapter)
    return client


@pytest.fixture
def stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stack's state holds the gate, the plan is empty, and AWS must not be asked."""
    resource = {"mode": "managed", "type": "acme_gate", "name": "admin", "instances": [{"attributes": ADMIN}]}
    document = {"version": 4, "serial": 1, "lineage": "l", "resources": [resource]}
    monkeypatch.setattr(comparison, "fetch_state", answering(document))
    monkeypatch.setattr(comparison, "terraform_client", lambda *given: SimpleNamespace(directory=tmp_path))
    monkeypatch.setattr(comparison, "ensure_initialised", lambda terraform: False)
    monkeypatch.setattr(comparison, "_planned", lambda *given: (None, Plan()))
    monkeypatch.delattr("runbook_lib.adapters.aws.live_client")


def planned() -> dict[str, Any]:
    change = {"actions": ["create"], "before": None, "after": ADMIN, "after_unknown": {}}
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": [
            {"address": "acme_gate.admin", "mode": "managed", "type": "acme_gate", "name": "admin", "change": change}
        ],
        "configuration": {},
    }


def test_its_rules_are_read_from_a_plan_and_judged_by_the_policies(acme: Acme, settings: Settings) -> None:
    changes = rules_from_plan(parse_plan(planned()))
    files = PolicyFiles.of_repository(settings.root, settings.config.compliance)
    report = PolicyGate.open(files, datetime(2026, 11, 23, tzinfo=UTC).date()).judge(changes, Scope.CHANGED, ())
    assert changes.after == (gate(ADMIN, "acme_gate.admin"),)
    assert report.outcome is Outcome.BLOCKED
    assert ("sg-world-ssh", "acme_gate.admin") in {(finding.policy, finding.address) for finding in report.findings}


def test_its_rules_expose_like_any_others(acme: Acme) -> None:
    changes = rules_from_plan(parse_plan(planned()))
    (opened,) = exposure(changes.before, changes.after).opened
    assert (str(opened.source_kind), opened.target, opened.from_port) == ("internet", "fence-7", 22)


@pytest.mark.usefixtures("stands")
def test_it_is_asked_what_is_there_and_aws_is_not(acme: Acme, settings: Settings) -> None:
    acme.gates = [ADMIN]
    found = compare_places(gather_places(settings, "access", print))
    assert (found.outcome, found.in_sync) == (Outcome.PASSED, 1)


@pytest.mark.usefixtures("stands")
def test_a_rule_that_somebody_added_there_is_unmanaged(acme: Acme, settings: Settings) -> None:
    acme.gates = [ADMIN, {**ADMIN, "port": 3389}]
    found = compare_places(gather_places(settings, "access", print))
    assert [difference.kind for difference in found.differences] == [DifferenceKind.UNMANAGED]


def test_every_cloud_has_an_adapter_that_makes_a_client() -> None:
    for name in CLOUDS:
        assert callable(import_module(f"runbook_lib.adapters.{name}").live_client().carriers)
