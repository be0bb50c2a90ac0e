"""The exact messages of the story, and what each must say first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from message_samples import (
    BLOCKED,
    COMPLIANCE,
    DECISION,
    ERRORED,
    PLAN,
    REJECTION,
    REQUEST,
    RUN,
    WORLD_SSH,
    entry,
    result,
)
from syrupy.assertion import SnapshotAssertion

from runbook_lib.models.approval import DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Severity
from runbook_lib.models.messages import Message
from runbook_lib.report.messages import approval_request, decision, failure, status_board, step_result

ASKED = result("approval", summary="Asked alex and sam; the request expires at 13:00 UTC.", seconds=2).model_copy(
    update={"metrics": {"approved": False}}
)
DONE = [COMPLIANCE, PLAN, ASKED, *(result(step) for step in ("apply", "verification", "service_tests"))]
UNDECIDED = DecisionRecord(
    run_id="1008",
    plan_sha256=REQUEST.plan_sha256,
    approved=False,
    reasons=("riley may not approve their own change. Ask alex or sam.",),
    checked_at=REQUEST.created_at,
)
MESSAGES: dict[str, Callable[[], Message]] = {
    "board at the start": lambda: status_board(RUN, []),
    "board that waits for approval": lambda: status_board(RUN, [COMPLIANCE, PLAN, ASKED]),
    "board of a run that was stopped": lambda: status_board(RUN, [BLOCKED]),
    "board at the end": lambda: status_board(RUN, DONE),
    "compliance passed": lambda: step_result(RUN, COMPLIANCE),
    "compliance blocked": lambda: step_result(RUN, BLOCKED),
    "plan with its text as a file": lambda: step_result(RUN, PLAN, {"02_plan/plan.txt": "+ create"}),
    "approval request": lambda: approval_request(REQUEST, plan_url="https://gitlab.example.com/-/jobs/7"),
    "approved": lambda: decision(DECISION),
    "rejected": lambda: decision(REJECTION),
    "not approved": lambda: decision(UNDECIDED),
    "failure by a finding": lambda: failure(RUN, BLOCKED),
    "failure of apply": lambda: failure(RUN, ERRORED),
}


def texts(message: Message) -> str:
    """All that the message shows, block after block."""
    return json.dumps(message.blocks, ensure_ascii=False)


def places(message: Message, *parts: str) -> list[int]:
    return [texts(message).index(part) for part in parts]


def buttons(message: Message) -> list[dict[str, Any]]:
    return [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]


@pytest.mark.parametrize("name", MESSAGES)
def test_payload_is_exactly_this(name: str, snapshot: SnapshotAssertion) -> None:
    assert MESSAGES[name]().model_dump(mode="json") == snapshot


def test_request_says_first_what_becomes_reachable_and_last_where_to_approve() -> None:
    request = REQUEST.model_copy(update={"findings": (*REQUEST.findings, WORLD_SSH)})
    order = places(
        approval_request(request),
        "What becomes reachable",
        REQUEST.exposure.sentence,
        "opens",
        "closes",
        "*1* to add",
        "1 finding",
        "1 waiver in force",
        "Asked by",
        "Expires",
        "Approve in GitLab",
    )
    assert order == sorted(order)


def test_request_leads_to_the_decision_and_to_the_plan() -> None:
    made = buttons(approval_request(REQUEST, plan_url="https://gitlab.example.com/plan"))
    assert [button["url"] for button in made] == [REQUEST.url, "https://gitlab.example.com/plan"]
    assert made[0]["style"] == "primary"


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "https://" + "x" * 3_000, "https://a b", "http://<a>"])
def test_address_that_slack_would_refuse_makes_no_button(url: str) -> None:
    assert buttons(failure(RUN.model_copy(update={"pipeline_url": url}), ERRORED)) == []


def test_failure_says_what_why_what_to_do_and_where() -> None:
    order = places(
        failure(RUN, ERRORED), ERRORED.summary, "UnauthorizedOperation", "Give the deploying role", RUN.pipeline_url
    )
    assert order == sorted(order)


def test_finding_that_blocks_comes_before_a_worse_one_that_only_warns() -> None:
    warns = WORLD_SSH.model_copy(update={"policy": "sg-warns", "action": Action.WARN})
    blocks = WORLD_SSH.model_copy(update={"policy": "sg-blocks", "severity": Severity.LOW})
    message = step_result(RUN, BLOCKED.model_copy(update={"findings": (warns, blocks)}))
    assert places(message, "sg-blocks", "sg-warns") == sorted(places(message, "sg-blocks", "sg-warns"))
    assert "2 findings, 1 blocking" in texts(message)


def test_what_does_not_fit_is_counted() -> None:
    many = tuple(WORLD_SSH.model_copy(update={"address": f"rule.n{number}"}) for number in range(500))
    assert "… and 492 more" in texts(step_result(RUN, BLOCKED.model_copy(update={"findings": many})))
    opened = tuple(entry(port) for port in range(100))
    request = REQUEST.model_copy(update={"exposure": Exposure(opened=opened, sentence="Much.")})
    assert "… and 92 more" in texts(approval_request(request))


def test_warned_run_ends_with_a_warning() -> None:
    warned = result("service_tests", Outcome.WARNED)
    assert "done, with warnings" in status_board(RUN, [*DONE[:-1], warned]).text


def test_times_are_shown_in_the_readers_own_zone() -> None:
    seconds = int(REQUEST.expires_at.timestamp())
    assert f"<!date^{seconds}^{{date_short_pretty}} {{time}}|2026-11-23 13:00 UTC>" in texts(approval_request(REQUEST))


def test_files_of_two_steps_have_different_names() -> None:
    made = approval_request(REQUEST, {"01_compliance/compliance.txt": "a", "02_plan/compliance.txt": "b", "e.txt": ""})
    assert [(file.name, file.title) for file in made.files] == [
        ("01_compliance-compliance.txt", "Compliance report"),
        ("02_plan-compliance.txt", "Compliance report"),
    ]
