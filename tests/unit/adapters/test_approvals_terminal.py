"""Decisions that people record at the terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_lib.adapters.approvals.terminal import Terminal, record_decision
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import InputError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
REQUEST = ApprovalRequest(
    run_id="1",
    stack="access",
    plan_sha256="d" * 64,
    commit="",
    state_lineage="",
    state_serial=None,
    policy_sha256="",
    summary=PlanSummary(),
    exposure=Exposure(),
    requester="riley",
    approvers=("alex",),
    quorum=1,
    created_at=NOW,
    expires_at=NOW + timedelta(hours=4),
)


@pytest.fixture(autouse=True)
def _alex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alex")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path, "1")


def test_nothing_is_decided_before_somebody_does(store: RunStore) -> None:
    assert Terminal(store).decisions(REQUEST) == ()


def test_what_is_recorded_is_read_again_in_the_order_of_time(store: RunStore) -> None:
    late = record_decision(store, REQUEST, (False, "too wide"), NOW + timedelta(minutes=2))
    early = record_decision(store, REQUEST, (True, ""), NOW + timedelta(minutes=1))
    assert Terminal(store).decisions(REQUEST) == (early, late)
    assert (early.user, early.approved, early.plan_sha256) == ("local:alex", True, REQUEST.plan_sha256)
    assert (late.user, late.approved, late.reason) == ("local:alex", False, "too wide")


def test_the_name_says_that_nobody_vouches_for_it(store: RunStore) -> None:
    assert record_decision(store, REQUEST, (True, ""), NOW).user == "local:alex"


def test_two_decisions_at_different_moments_do_not_overwrite_each_other(store: RunStore) -> None:
    record_decision(store, REQUEST, (True, ""), NOW)
    record_decision(store, REQUEST, (True, ""), NOW + timedelta(microseconds=1))
    assert len(Terminal(store).decisions(REQUEST)) == 2


def test_a_name_can_not_leave_the_folder(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "../../evil")
    record_decision(store, REQUEST, (True, ""), NOW)
    written = [path.relative_to(store.dir).parts for path in store.dir.rglob("*.json")]
    assert [parts[:2] for parts in written] == [("03_approval", "decisions")]


def test_a_file_that_is_no_decision_is_an_error_that_names_it(store: RunStore) -> None:
    store.write_text("03_approval/decisions/forged.json", json.dumps({"user": "alex"}))
    with pytest.raises(InputError, match=r"forged\.json"):
        Terminal(store).decisions(REQUEST)
