"""One thread a run: each thing told once, nothing lost when Slack fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from step_fakes import NOW, FakeSlack

from runbook_lib.adapters.outbox import Delivery, Outbox
from runbook_lib.adapters.slack_errors import refused
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ChatError, ConfigError, SlackError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.messages import Message, Reference
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.slack_thread import Teller, failed_result

DOWN = SlackError("Slack can't be reached", "Check the network.")
Results = Callable[..., StepResult]


def waiting(store: RunStore) -> list[str]:
    return [path.name for path in sorted((store.dir / "outbox").glob("*.json"))]


def test_a_result_is_told_once_however_often_it_is_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    for _ in range(2):
        Teller(settings, store, run).tell_step(result())
    assert [text.split(" (")[0] for text, _ in slack.posts[1:]] == ["access: plan passed: plan it is"]


def test_a_step_that_was_repeated_is_told_again(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    teller = Teller(settings, store, run)
    teller.tell_step(result())
    teller.tell_step(result().model_copy(update={"started_at": NOW}))
    assert len(slack.posts) == 3


def test_the_board_is_renewed_with_each_result(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    for step in ("compliance", "plan"):
        store.write_result(result(step, Outcome.PASSED if step == "compliance" else Outcome.BLOCKED))
        Teller(settings, store, run).tell_step(result(step))
    assert "blocked at plan" in slack.boards[-1]
    assert "blocked" not in slack.boards[0]


def test_what_slack_does_not_take_goes_out_with_the_next_thing_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    slack.error = DOWN
    teller = Teller(settings, store, run)
    delivery = teller.tell_step(result("compliance"))
    assert delivery.error is DOWN
    assert slack.posts == []
    assert len(waiting(store)) == 3
    slack.error = None
    Teller(settings, store, run).tell_step(result("plan"))
    assert [text.split(":")[1].split()[0] for text, _ in slack.posts[1:]] == ["compliance", "plan"]
    assert waiting(store) == []


def test_without_slack_every_message_is_kept_in_the_run_folder(
    settings: Settings, store: RunStore, run: Run, result: Results
) -> None:
    delivery = Teller(settings, store, run).tell_step(result())
    assert (delivery.error, delivery.sent) == (None, ())
    assert len(waiting(store)) == 3


def test_the_compliance_report_goes_up_as_a_file(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    store.write_text("01_compliance/compliance.txt", "All is well.\n")
    Teller(settings, store, run).tell_step(result("compliance"))
    assert slack.files == ["01_compliance-compliance.txt"]


def test_a_request_is_shown_to_the_channel_and_not_asked_twice(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    for _ in range(2):
        Teller(settings, store, run).ask_approval(request_)
    (asked,) = [(text, broadcast) for text, broadcast in slack.posts if "approval needed" in text]
    assert asked[1] is True
    assert "The internet can newly reach web on tcp 80." in asked[0]


def test_a_request_that_reached_nobody_is_an_error_and_is_kept(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    slack.error = DOWN
    with pytest.raises(ChatError, match="the approval request reached nobody: Slack can't be reached") as caught:
        Teller(settings, store, run).ask_approval(request_)
    assert caught.value.remedy == "Check the network."
    slack.error = None
    Teller(settings, store, run).ask_approval(request_)
    assert len([text for text, _ in slack.posts if "approval needed" in text]) == 1


def test_in_a_pipeline_a_request_without_slack_is_an_error(
    load: Callable[..., Settings], store: RunStore, run: Run, request_: ApprovalRequest
) -> None:
    with pytest.raises(ConfigError, match="reached nobody: Slack is not configured") as caught:
        Teller(load(project="42", GITLAB_CI="true"), store, run).ask_approval(request_)
    assert "SLACK_BOT_TOKEN" in caught.value.remedy


def test_at_a_terminal_a_request_without_slack_is_none(
    settings: Settings, store: RunStore, run: Run, request_: ApprovalRequest
) -> None:
    assert Teller(settings, store, run).ask_approval(request_).error is None


def test_a_decision_is_told_again_only_when_it_changed(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack
) -> None:
    record = DecisionRecord(run_id="7", plan_sha256="d", approved=False, reasons=("Nobody said yes.",), checked_at=NOW)
    for approved in (False, False, True):
        Teller(settings, store, run).tell_decision(record.model_copy(update={"approved": approved}))
    assert len(slack.posts) == 2


def test_a_failure_is_told_to_the_channel_beside_the_step_s_own_message(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    stopped = result("plan", Outcome.BLOCKED)
    teller = Teller(settings, store, run)
    teller.tell_step(stopped)
    teller.tell_failure(stopped)
    teller.tell_failure(stopped)
    assert [broadcast for _, broadcast in slack.posts] == [False, False, True]


def test_the_thread_is_known_once_slack_has_it(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> None:
    assert Teller(settings, store, run).thread is None
    Teller(settings, store, run).start()
    thread = Teller(settings, store, run).thread
    assert thread is not None
    assert thread.channel == "C1"


def test_the_result_that_stopped_a_run_is_the_last_that_stops(result: Results) -> None:
    passed, blocked = result("compliance"), result("plan", Outcome.BLOCKED)
    assert failed_result([passed, blocked]) is blocked
    assert failed_result([passed]) is None


def test_a_request_that_waits_for_what_came_before_says_how_to_send_it(
    settings: Settings, store: RunStore, run: Run, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", lambda settings, stack: FakeSlack())
    monkeypatch.setattr(Outbox, "deliver", lambda outbox, client: Delivery())
    with pytest.raises(ChatError) as caught:
        Teller(settings, store, run).ask_approval(request_)
    assert caught.value.message == "the approval request reached nobody: it waits in outbox/"
    assert caught.value.remedy == "Run the approval step again."


def test_a_request_goes_with_the_texts_that_an_approver_reads_and_leads_to_the_plan(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    store.write_text("02_plan/plan.txt", "+ create")
    store.write_text("02_plan/compliance.txt", "All is well.")
    shown: list[Message] = []
    post = slack.post

    def keep(message: Message, *given: Any, **named: Any) -> Any:
        shown.append(message)
        return post(message, *given, **named)

    slack.post = keep  # type: ignore[method-assign]
    Teller(settings, store, run).ask_approval(request_, "https://gitlab.example/plan")
    assert slack.files == ["02_plan-compliance.txt", "02_plan-plan.txt"]
    assert "https://gitlab.example/plan" in str(shown[-1].blocks)


def test_a_later_request_for_the_same_plan_is_asked_again(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    later = request_.model_copy(update={"created_at": NOW + timedelta(hours=5)})
    for request in (request_, later):
        Teller(settings, store, run).ask_approval(request)
    assert len([text for text, _ in slack.posts if "approval needed" in text]) == 2


def test_a_request_that_waited_while_a_later_one_was_asked_is_nothing_to_answer_once_it_is_sent(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    slack.error = DOWN
    with pytest.raises(ChatError):
        Teller(settings, store, run).ask_approval(request_)
    slack.error = None
    later = {"plan_sha256": "e" * 64, "created_at": NOW + timedelta(hours=1)}
    Teller(settings, store, run).ask_approval(request_.model_copy(update=later))
    assert len([text for text, _ in slack.posts if "approval needed" in text]) == 2
    assert slack.boards[-1] == f"This request was asked anew (run {run.run_id})."


def test_a_request_that_waited_until_nobody_could_answer_it_any_more_says_so_once_it_is_sent(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    slack.error = DOWN
    with pytest.raises(ChatError):
        Teller(settings, store, run).ask_approval(request_)
    Teller(settings, store, run).tell_over(request_)
    slack.error = None
    Teller(settings, store, run).deliver()
    assert "expired: The internet can newly reach web on tcp 80." in slack.boards[-1]


def test_of_a_request_that_was_never_asked_no_end_is_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    assert Teller(settings, store, run).tell_over(request_) == Delivery()
    assert (slack.posts, slack.boards) == ([], [])


def test_each_person_s_decision_is_told(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> None:
    def said(*users: str) -> DecisionRecord:
        decisions = tuple(
            Decision(source="terminal", user=user, approved=True, at=NOW, plan_sha256="d") for user in users
        )
        return DecisionRecord(run_id="7", plan_sha256="d", approved=True, decisions=decisions, checked_at=NOW)

    for record in (said("alex"), said("alex", "sam"), said("alex", "sam")):
        Teller(settings, store, run).tell_decision(record)
    assert [text for text, _ in slack.posts] == [
        "Approved by alex (run 7)",
        "Approved by alex, sam (run 7)",
    ]


def test_a_result_of_a_step_that_nobody_described_has_no_files(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    Teller(settings, store, run).tell_step(result().model_copy(update={"step": "cost"}))
    assert slack.files == []


def test_a_run_is_told_in_its_own_stack_s_channel(
    settings: Settings, store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", lambda *given: asked.append(given))
    Teller(settings, store, run)
    assert asked == [(settings, "access")]


@pytest.mark.parametrize("code", ["no_text", "is_archived", "brand_new_code"])
def test_a_request_that_slack_refuses_in_any_way_reached_nobody(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest, *, code: str
) -> None:
    slack.error = refused(code, "#infra-changes")
    for _ in range(2):
        with pytest.raises(ChatError, match=f"the approval request reached nobody: .*{code}") as caught:
            Teller(settings, store, run).ask_approval(request_)
        assert caught.value.remedy


def posted(monkeypatch: pytest.MonkeyPatch, slack: FakeSlack) -> list[Message]:
    """The whole messages that Slack takes from now on."""
    taken: list[Message] = []
    take = slack.post

    def post(message: Message, *given: Any, **more: Any) -> Reference:
        taken.append(message)
        return take(message, *given, **more)

    monkeypatch.setattr(slack, "post", post)
    return taken


@pytest.mark.parametrize("step", ["apply", "verification"])
@pytest.mark.parametrize("outcome", [Outcome.ERRORED, Outcome.PASSED])
def test_what_became_of_the_resources_is_told_of_an_apply_that_stopped_and_of_nothing_else(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, *, result: Results,
    monkeypatch: pytest.MonkeyPatch, step: str, outcome: Outcome,
) -> None:  # fmt: skip
    taken = posted(monkeypatch, slack)
    store.write_json("04_apply/resources.json", [{"address": "aws_x.broken", "action": "create", "status": "failed"}])
    ended = result(step, outcome)
    Teller(settings, store, run).tell_step(ended)
    Teller(settings, store, run).tell_failure(ended)
    board, *told = taken
    assert "aws_x.broken" not in str(board.blocks)
    shown = step == "apply" and outcome is Outcome.ERRORED
    assert ["aws_x.broken" in str(message.blocks) for message in told] == [shown, shown]


def test_of_an_apply_that_says_nothing_of_its_resources_the_rest_is_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    store.write_json("04_apply/resources.json", {"no": "list"})
    Teller(settings, store, run).tell_step(result("apply", Outcome.ERRORED))
    assert [text.split(" (")[0] for text, _ in slack.posts[1:]] == ["access: apply errored: apply it is"]


def test_in_a_pipeline_a_step_tells_also_what_those_before_it_could_not(
    load: Callable[..., Settings], store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    settings = load(project="42", GITLAB_CI="true", CI_PIPELINE_ID="7")
    for step in ("compliance", "plan"):
        store.write_result(result(step))
    # The plan was repeated: what it left before is told by nobody.
    again = result("plan", Outcome.BLOCKED)
    Teller(settings, store, run).tell_step(again)
    assert [text.split(" (")[0] for text, _ in slack.posts[1:]] == [
        "access: compliance passed: compliance it is",
        "access: plan blocked: plan it is",
    ]


def test_whatever_is_told_is_known_by_a_key_of_its_own_and_goes_to_the_thread_or_to_the_channel(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, *, result: Results, request_: ApprovalRequest
) -> None:
    planned, stopped = result("plan"), result("apply", Outcome.ERRORED)
    digest = request_.plan_sha256
    yes = Decision(source="terminal", user="alex", approved=True, at=NOW, plan_sha256=digest)
    record = DecisionRecord(run_id="7", plan_sha256=digest, approved=True, decisions=(yes,), checked_at=NOW)
    glass = yes.model_copy(update={"break_glass": True, "counts": True, "at": NOW + timedelta(minutes=1)})
    alone = record.model_copy(update={"decisions": (glass,)})
    teller = Teller(settings, store, run)
    for tell in (
        teller.start,
        lambda: teller.tell_step(planned),
        lambda: teller.ask_approval(request_),
        lambda: teller.tell_decision(record),
        lambda: teller.tell_began(record),
        lambda: teller.tell_failure(stopped),
    ):
        assert tell().error is None
    at = NOW.isoformat()
    # A later job, and a later version, know by these what was told before them.
    assert list(Outbox(store).references) == [
        "board",
        f"plan:{planned.started_at.isoformat()}",
        f"request:{digest[:16]}:{at}",
        f"decision:{digest[:16]}:True:alex@{at}",
        f"began:{digest[:16]}",
        f"failure:apply:{stopped.started_at.isoformat()}",
    ]
    assert [broadcast for _, broadcast in slack.posts] == [False, False, True, False, False, True]
    # What one person approved alone is for everybody to hear.
    teller.tell_decision(alone)
    assert slack.posts[-1][1] is True


def test_in_a_pipeline_without_slack_nothing_is_left_for_a_job_that_has_it(
    load: Callable[..., Settings], store: RunStore, run: Run, result: Results, request_: ApprovalRequest
) -> None:
    teller = Teller(load(project="42", GITLAB_CI="true"), store, run)
    record = DecisionRecord(run_id="7", plan_sha256="d", approved=False, rejected=True, checked_at=NOW)
    told = (
        teller.start(),
        teller.tell_step(result()),
        teller.tell_decision(record),
        teller.tell_over(request_),
        teller.tell_began(record),
        teller.tell_failure(result()),
    )
    assert set(told) == {Delivery()}
    assert not (store.dir / "outbox").exists()


@pytest.mark.parametrize(
    ("variables", "credential"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1-bot", "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/1"}, "xoxb-1-bot"),
        ({"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/1"}, "https://hooks.slack.com/services/1"),
        ({}, ""),
    ],
)
def test_what_waits_bears_the_mark_of_what_slack_is_told_by(
    load: Callable[..., Settings], store: RunStore, run: Run, slack: FakeSlack, *,
    variables: dict[str, str], credential: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.Outbox", lambda *given: made.append(given))
    Teller(load(**variables), store, run)
    assert made == [(store, credential, "")]


def test_whose_request_reached_nobody_is_told_what_to_set(
    load: Callable[..., Settings], store: RunStore, run: Run, request_: ApprovalRequest
) -> None:
    with pytest.raises(ConfigError) as caught:
        Teller(load(project="42", GITLAB_CI="true"), store, run).ask_approval(request_)
    assert (caught.value.message, caught.value.remedy) == (
        "the approval request reached nobody: Slack is not configured",
        "Set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL.",
    )
