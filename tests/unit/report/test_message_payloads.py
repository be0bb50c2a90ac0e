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
from runbook_lib.models.slack_answer import Asked
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


def test_request_says_first_what_becomes_reachable_and_where_to_approve_and_then_the_details() -> None:
    request = REQUEST.model_copy(update={"findings": (*REQUEST.findings, WORLD_SSH)})
    order = places(
        approval_request(request),
        f"*{REQUEST.exposure.sentence}*",
        "*Risk:",
        "*1* to add",
        "Asked by",
        "until",
        "Approve in GitLab",
        "opens",
        "closes",
        "*What changes*",
        "1 finding",
        "1 waiver in force",
        "*May approve*",
    )
    assert order == sorted(order)


def test_request_leads_to_the_decision_and_to_the_plan() -> None:
    request = REQUEST.model_copy(update={"reject_url": "https://gitlab.example.com/reject"})
    made = approval_request(request, plan_url="https://gitlab.example.com/plan")
    assert made.blocks[4]["text"]["text"] == (
        f"*<{REQUEST.url}|Approve in GitLab>* · *<https://gitlab.example.com/reject|Reject in GitLab>*"
        " · *<https://gitlab.example.com/plan|See the plan>*"
    )


def test_without_a_listener_there_is_no_dead_button_and_with_one_each_names_the_very_plan() -> None:
    request = REQUEST.model_copy(update={"commit": "c" * 40, "plan_sha256": "d" * 64})
    assert buttons(approval_request(request)) == []
    made = buttons(approval_request(request, answered=True))
    assert [(one["action_id"], one["style"]) for one in made] == [
        ("decide-approve", "primary"),
        ("decide-reject", "danger"),
    ]
    for one in made:
        asked = Asked(run_id=request.run_id, stack=request.stack, commit="c" * 40, plan_sha256="d" * 64)
        assert Asked.model_validate_json(one["value"]) == asked
    assert buttons(approval_request(request.model_copy(update={"commit": ""}), answered=True)) == []


def test_whose_answer_is_asked_for_is_mentioned_by_slack_s_id_and_nobody_else() -> None:
    made = approval_request(REQUEST, mentions=("U0ALEX", "<!channel>", "W0SAM"))
    (section,) = [block for block in made.blocks if "<@" in str(block)]
    assert section["text"]["text"] == "<@U0ALEX> <@W0SAM>: your answer is asked for."
    assert "<@" not in str(approval_request(REQUEST).blocks)


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
    opened = tuple(entry(port).model_copy(update={"target": f"web-{port}"}) for port in range(100))
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


FAR = (
    {"status": "failed", "action": "create", "address": "aws_x.<bad>", "next": "Read its error."},
    *({"status": "done", "action": "delete", "address": f"aws_x.n{number}", "next": "Nothing."} for number in range(7)),
)


@pytest.mark.parametrize("make", [lambda: failure(RUN, ERRORED, FAR), lambda: step_result(RUN, ERRORED, None, FAR)])
def test_how_far_a_failed_apply_came_is_told_with_what_to_do(make: Callable[[], Message]) -> None:
    made = make()
    (block,) = [one for one in made.blocks if "How far it came" in json.dumps(one)]
    head, failed, todo, done, nothing = block["text"]["text"].splitlines()
    assert head == "*How far it came*"
    assert (failed, todo.strip()) == ("• 1 failed: `aws_x.&lt;bad&gt;` (create)", "Read its error.")
    assert (done.split(":")[0], done.split(" ")[-3:], nothing.strip()) == ("• 7 done", ["and", "2", "more"], "Nothing.")


def test_of_an_apply_that_ended_well_nothing_of_that_is_told() -> None:
    assert "How far" not in texts(step_result(RUN, DONE[3], None, FAR))
