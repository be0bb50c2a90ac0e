"""A request that nobody can answer any more says so in its own place, and leads nowhere to decide."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from step_fakes import NOW, FakeSlack

from runbook_lib.adapters.store import RunStore
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
from runbook_lib.models.approval_config import SlackApprovals
from runbook_lib.models.messages import Message, Reference
from runbook_lib.models.run import Run
from runbook_lib.report.messages import approval_request, request_closed
from runbook_lib.settings import Settings
from runbook_lib.workspace.slack_thread import Teller


@pytest.fixture
def renewed(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What the request's own message was renewed with; the board is another."""
    found: list[Message] = []

    def update(reference: Reference, message: Message) -> Reference:
        if "What was asked" in json.dumps(message.blocks) or "asked anew" in message.text:
            found.append(message)
        return reference

    monkeypatch.setattr(slack, "update", update)
    return found


@pytest.fixture
def teller(settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest) -> Teller:
    store.write_json("03_approval/request.json", request_)
    made = Teller(settings, store, run)
    made.ask_approval(request_)
    return made


def record(
    request: ApprovalRequest, *said: tuple[str, bool], after: timedelta = timedelta(minutes=9)
) -> DecisionRecord:
    decisions = tuple(
        Decision(
            source="gitlab_job",
            user=user,
            approved=yes,
            at=request.created_at + timedelta(minutes=5),
            plan_sha256=request.plan_sha256,
            counts=True,
        )
        for user, yes in said
    )
    return DecisionRecord(
        run_id=request.run_id,
        plan_sha256=request.plan_sha256,
        decisions=decisions,
        approved=bool(said) and all(yes for _, yes in said),
        rejected=not all(yes for _, yes in said),
        checked_at=request.created_at + after,
    )


@pytest.mark.parametrize(("yes", "how"), [(True, "approved"), (False, "rejected")])
def test_after_the_decision_it_says_who_when_and_what(
    teller: Teller, request_: ApprovalRequest, renewed: list[Message], yes: bool, how: str
) -> None:
    teller.tell_decision(record(request_, ("alex", yes)))
    (message,) = renewed
    assert message.text.startswith(f"access: {how}: ")
    said = json.dumps(message.blocks, ensure_ascii=False)
    assert f"*alex* {how}" in said
    assert request_.plan_sha256[:16] in said


def test_while_more_must_approve_it_stands(teller: Teller, request_: ApprovalRequest, renewed: list[Message]) -> None:
    waiting = record(request_, ("alex", True)).model_copy(update={"approved": False})
    teller.tell_decision(waiting)
    assert renewed == []


def test_when_it_expired_it_says_so(teller: Teller, request_: ApprovalRequest, renewed: list[Message]) -> None:
    teller.tell_decision(record(request_, after=timedelta(days=1)))
    teller.tell_over(request_)
    assert [message.text.split(":")[1] for message in renewed] == [" expired", " expired"]


def test_a_decision_on_another_plan_renews_nothing(
    teller: Teller, request_: ApprovalRequest, renewed: list[Message]
) -> None:
    teller.tell_decision(record(request_, ("alex", True)).model_copy(update={"plan_sha256": "0" * 64}))
    assert renewed == []


def test_what_was_asked_anew_leads_to_the_newer_request(
    teller: Teller, request_: ApprovalRequest, renewed: list[Message]
) -> None:
    teller.ask_approval(request_.model_copy(update={"created_at": NOW + timedelta(hours=5)}))
    assert [message.text for message in renewed] == [f"This request was asked anew (run {request_.run_id})."]


def test_nothing_in_it_can_be_clicked_to_decide(request_: ApprovalRequest) -> None:
    request = request_.model_copy(update={"url": "https://gl/-/jobs/1", "reject_url": "https://gl/-/jobs/2"})
    assert "https://gl/-/jobs/1" in json.dumps(approval_request(request).blocks)
    closed = request_closed(request, "approved", record(request, ("alex", True)).decisions)
    assert "https://gl/" not in json.dumps(closed.blocks)
    assert not [block for block in closed.blocks if block["type"] == "actions"]


def test_those_who_may_answer_and_did_not_make_the_change_are_mentioned(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    users = {"U0ALEX": "alex", "U0SAM": "sam", "U0OTHER": "casey"}
    given = SlackApprovals.model_construct(users=users, key="")
    approval = settings.config.approval.model_copy(update={"slack": given})
    settings.config = settings.config.model_copy(update={"approval": approval})
    teller = Teller(settings, store, run)
    assert teller._mentions(request_.model_copy(update={"authors": ("sam",)})) == ("U0ALEX",)
    free = (Requirement(needs=0, approvers=("alex",)),)
    assert teller._mentions(request_.model_copy(update={"requirements": free})) == ()


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        # To the second at which it ends it stands; from then on nobody can answer it.
        ({"checked_at": NOW + timedelta(hours=4, seconds=-1)}, None),
        ({"checked_at": NOW + timedelta(hours=4)}, "expired"),
        ({"approved": True}, "approved"),
        ({"approved": True, "unasked": "the plan changes nothing"}, "nobody need approve"),
        ({"rejected": True}, "rejected"),
        # What was decided in time is no less decided after it.
        ({"approved": True, "checked_at": NOW + timedelta(days=1)}, "approved"),
        # A no outlasts a yes.
        ({"approved": True, "rejected": True}, "rejected"),
    ],
)
def test_a_request_ends_as_it_was_decided_or_when_its_time_is_over(
    teller: Teller, request_: ApprovalRequest, renewed: list[Message], changed: dict[str, object], how: str | None
) -> None:
    open_ = DecisionRecord(run_id="7", plan_sha256=request_.plan_sha256, approved=False, checked_at=NOW)
    teller.tell_decision(open_.model_copy(update=changed))
    sentence = "The internet can newly reach web on tcp 80."
    assert [message.text for message in renewed] == ([f"access: {how}: {sentence} (run 7)"] if how else [])


def test_whoever_answered_before_it_expired_is_named_in_it(
    teller: Teller, request_: ApprovalRequest, renewed: list[Message]
) -> None:
    waiting = record(request_, ("alex", True), after=timedelta(hours=4)).model_copy(update={"approved": False})
    teller.tell_decision(waiting)
    assert [("expired" in message.text, "*alex* approved" in str(message.blocks)) for message in renewed] == [
        (True, True)
    ]


@pytest.mark.parametrize(
    ("how", "said"), [("rejected", "rejected"), ("cancelled", "cancelled"), (None, "expired")], ids=str
)
def test_one_that_is_over_for_another_reason_says_which(
    teller: Teller, request_: ApprovalRequest, renewed: list[Message], how: str | None, said: str
) -> None:
    delivery = teller.tell_over(request_, how) if how else teller.tell_over(request_)
    assert delivery.error is None
    assert [message.text.split(": ")[:2] for message in renewed] == [["access", said]]


def test_of_a_request_that_was_never_sent_nothing_is_renewed(
    settings: Settings, store: RunStore, run: Run, request_: ApprovalRequest, *, renewed: list[Message]
) -> None:
    told = Teller(settings, store, run)
    told.tell_over(request_)
    told.tell_decision(record(request_, ("alex", True)))
    # Nor is there one where a rejection came before anybody was asked.
    store.path("03_approval/request.json").unlink()
    told.tell_decision(record(request_, ("alex", False)))
    assert renewed == []
    assert list(store.dir.glob("outbox/*.json")) == []


def test_what_a_webhook_posted_can_t_be_renewed_and_nothing_waits_to_be(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, *,
    request_: ApprovalRequest, renewed: list[Message], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # A webhook says of no message where it is.
    monkeypatch.setattr(slack, "_take", lambda thread_ts=None: Reference(channel="", ts=""))
    made = Teller(settings, store, run)
    made.ask_approval(request_)
    delivery = made.tell_over(request_)
    assert (delivery.sent, delivery.waiting, renewed) == ((), (), [])


@pytest.mark.parametrize("answered", [True, False])
def test_a_request_has_buttons_and_names_whom_it_asks_only_where_slack_s_answers_count(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, *,
    request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, answered: bool,
) -> None:  # fmt: skip
    taken: list[Message] = []
    take = slack.post

    def post(message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        taken.append(message)
        return take(message, thread_ts, broadcast, key)

    monkeypatch.setattr(slack, "post", post)
    given = SlackApprovals.model_construct(users={"U0ALEX": "Alex", "U0CASEY": "casey", "U0SAM": "sam"}, key="")
    approval = settings.config.approval.model_copy(update={"slack": given if answered else None})
    settings.config = settings.config.model_copy(update={"approval": approval})
    asked = request_.model_copy(update={"commit": "4dc7a7" + "0" * 34, "requester": "sam"})
    Teller(settings, store, run).ask_approval(asked)
    said = str(taken[-1].blocks)
    # Sam asked for the change, and casey is no approver.
    assert ["<@U0ALEX>: your answer is asked for." in said, "decide-approve" in said] == [answered, answered]
    assert "U0CASEY" not in said
    assert "U0SAM" not in said
