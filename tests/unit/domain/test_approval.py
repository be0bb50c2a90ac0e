"""Who may approve what, until when, and what is said if it does not count."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from runbook_lib.domain.approval import ApplyFacts, RequestFacts, judge_decisions, make_request
from runbook_lib.errors import InputError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
from runbook_lib.models.config import ApprovalConfig
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.run import Run

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
DIGEST = "d" * 64
RUN = Run(
    run_id="1001",
    stack="access",
    commit="c" * 40,
    requester="riley",
    author="robin",
    created_at=NOW - timedelta(minutes=5),
    pipeline_url="https://gitlab.example.com/p/-/pipelines/1001",
)
SUMMARY = PlanSummary(create=1, plan_sha256=DIGEST, state_lineage="lineage", state_serial=7)
CONFIG = ApprovalConfig(approvers=("alex", "sam", "Kim"), quorum=1, expires_after=timedelta(hours=4))
FACTS = ApplyFacts(DIGEST, "lineage", 7, commit="c" * 40, policy_sha256="p" * 64)


def _request(config: ApprovalConfig = CONFIG, **run: Any) -> ApprovalRequest:
    facts = RequestFacts(RUN.model_copy(update=run), SUMMARY, Exposure(), "p" * 64)
    return make_request(facts, config, NOW)


def _says(user: str, approved: bool = True, minutes: float = 5, **more: Any) -> Decision:
    at = NOW + timedelta(minutes=minutes)
    fields: dict[str, Any] = {"source": "test", "plan_sha256": DIGEST} | more
    return Decision(user=user, approved=approved, at=at, **fields)


def _judge(
    *decisions: Decision, request: ApprovalRequest | None = None, facts: ApplyFacts = FACTS, minutes: float = 10
) -> DecisionRecord:
    return judge_decisions(request or _request(), decisions, facts, NOW + timedelta(minutes=minutes))


def test_a_request_carries_the_plan_the_people_and_its_end() -> None:
    request = _request()
    assert (request.plan_sha256, request.state_lineage, request.state_serial) == (DIGEST, "lineage", 7)
    assert (request.requester, request.author, request.approvers) == ("riley", "robin", ("alex", "sam", "Kim"))
    assert request.expires_at - request.created_at == timedelta(hours=4)
    assert request.url == RUN.pipeline_url


def test_a_request_carries_the_code_that_will_run() -> None:
    facts = RequestFacts(RUN, SUMMARY, Exposure(), "p" * 64, code=("data.external.a runs a",))
    assert make_request(facts, CONFIG, NOW).code == ("data.external.a runs a",)


def test_a_request_carries_each_thing_by_which_its_plan_is_known_again() -> None:
    facts = RequestFacts(
        RUN.model_copy(update={"dirty": True}), SUMMARY, Exposure(), "p" * 64, inputs_sha256="i" * 64,
        config_sha256="r" * 64, complete=False, reject_url="https://gitlab.example.com/p/-/jobs/8",
    )  # fmt: skip
    request = make_request(facts, CONFIG, NOW)
    digests = (request.inputs_sha256, request.config_sha256, request.policy_sha256)
    assert digests == ("i" * 64, "r" * 64, "p" * 64)
    assert (request.dirty, request.complete, request.reject_url) == (True, False, facts.reject_url)
    assert (_request().dirty, _request().complete) == (False, True)


def test_a_time_of_another_zone_is_the_same_moment_and_one_of_none_is_utc() -> None:
    east = datetime(2026, 11, 5, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    facts = RequestFacts(RUN, SUMMARY, Exposure(), "p" * 64)
    for now in (east, NOW.replace(tzinfo=None)):
        request = make_request(facts, CONFIG, now)
        assert (request.created_at, request.expires_at) == (NOW, NOW + timedelta(hours=4))
    assert judge_decisions(_request(), [_says("alex")], FACTS, east + timedelta(minutes=10)).checked_at == (
        NOW + timedelta(minutes=10)
    )


def test_a_time_without_a_zone_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        request = make_request(RequestFacts(RUN, SUMMARY, Exposure(), ""), CONFIG, NOW.replace(tzinfo=None))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert request.created_at == NOW


def test_whose_first_answer_does_not_count_may_give_another() -> None:
    other, same = _says("alex", plan_sha256="e" * 64), _says("alex", minutes=6)
    record = _judge(other, same)
    assert [each.counts for each in record.decisions] == [False, True]
    assert record.approved
    assert [each.why_not for each in _judge(same, same).decisions] == ["", "alex approved already."]


def test_a_group_of_nobody_is_named_as_what_is_lacking() -> None:
    need = Requirement(needs=1, approvers=(), group="security", why="it opens to the internet")
    said = _judge(_says("alex"), facts=replace(FACTS, requirements=(need,))).reasons[0]
    assert said == "Nobody is named who may approve for security. Name the approvers in runbook.yml, under approval."


def test_a_request_points_to_the_job_where_one_decides() -> None:
    facts = RequestFacts(RUN, SUMMARY, Exposure(), "p" * 64, url="https://gitlab.example.com/p/-/jobs/7")
    assert make_request(facts, CONFIG, NOW).url == "https://gitlab.example.com/p/-/jobs/7"


def test_a_plan_without_a_digest_cant_be_put_to_approval() -> None:
    with pytest.raises(InputError, match="no digest"):
        make_request(RequestFacts(RUN, PlanSummary(), Exposure(), ""), CONFIG, NOW)


def test_one_approver_is_enough_when_one_is_asked_for() -> None:
    record = _judge(_says("alex"))
    assert (record.approved, record.rejected, record.reasons) == (True, False, ())
    assert (record.plan_sha256, record.checked_at) == (DIGEST, NOW + timedelta(minutes=10))


@pytest.mark.parametrize("name", ["ALEX", "Alex", "@alex", " alex "])
def test_a_login_counts_whatever_its_case(name: str) -> None:
    assert _judge(_says(name)).approved


def test_nobody_having_decided_is_not_approved_and_says_whom_to_ask() -> None:
    record = _judge()
    assert not record.approved
    assert record.reasons == ("1 approval is needed and 0 given (none). Ask: alex, sam, Kim.",)


def _reason(*decisions: Decision, **options: Any) -> str:
    record = _judge(*decisions, **options)
    assert not record.approved
    assert all(reason.endswith(".") for reason in record.reasons)
    return record.reasons[0]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (ApplyFacts("e" * 64, "lineage", 7), "The plan file is not the one"),
        (ApplyFacts(DIGEST, "other", 7), "lineage differs"),
        (ApplyFacts(DIGEST, "lineage", 8), "serial 8, not 7"),
        (ApplyFacts(DIGEST, "lineage", None), "serial None, not 7"),
        (ApplyFacts(DIGEST, "lineage", 7, commit="e" * 40), "The commit is eeeeeeeeeeee"),
        (ApplyFacts(DIGEST, "lineage", 7, policy_sha256="q" * 64), "The policies changed"),
    ],
)
def test_what_changed_since_the_request_takes_the_approval_away(facts: ApplyFacts, said: str) -> None:
    reason = _reason(_says("alex"), facts=facts)
    assert said in reason
    assert "Run the plan step again" in reason


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (_says("riley"), "riley asked for the change"),
        (_says("Riley"), "Riley asked for the change"),
        (_says("robin"), "robin wrote a commit of it"),
        (_says("casey"), "casey is none of the approvers"),
        (_says(""), "none of the approvers"),
        (_says("local:alex"), "local:alex is none of the approvers"),
        (_says("alex", plan_sha256="e" * 64), "given for another plan"),
        (_says("alex", minutes=-1), "before the request was made"),
        (_says("alex", minutes=13), "dated in the future"),
    ],
)
def test_an_approval_that_does_not_count_says_why(decision: Decision, said: str) -> None:
    assert said in _reason(decision)


def test_a_request_that_is_over_is_over_though_it_was_approved_in_time() -> None:
    assert _judge(_says("alex"), minutes=239).approved
    assert "expired at 2026-11-05 14:00 UTC" in _reason(_says("alex"), minutes=240)


def test_clocks_that_differ_a_little_do_no_harm() -> None:
    assert _judge(_says("alex", minutes=11)).approved


def test_an_approver_who_asked_for_the_change_does_not_count() -> None:
    request = _request(requester="alex")
    assert "alex asked for the change" in _reason(_says("alex"), request=request)
    assert _judge(_says("sam"), request=request).approved


@pytest.mark.parametrize("author", ["alex", "Alex", "@alex"])
def test_an_approver_who_wrote_the_commit_does_not_count(author: str) -> None:
    assert "alex wrote a commit of it" in _reason(_says("alex"), request=_request(author=author))
    several = _request().model_copy(update={"authors": ("robin", author)})
    assert "alex wrote a commit of it" in _reason(_says("alex"), request=several)
    assert _judge(_says("sam"), request=several).approved


@pytest.mark.parametrize(
    "unknown",
    [
        {"unknown_authors": ("sam@example.org",)},
        {"authors": ("robin",), "unknown_authors": ("who wrote it",)},
        {"author": "alex@example.com"},
        {"requester": "local:alex"},
    ],
)
def test_an_author_whom_nobody_knows_takes_one_approver_more_whatever_the_address_says(unknown: dict[str, Any]) -> None:
    request = _request().model_copy(update=unknown)
    reason = _reason(_says("alex"), request=request)
    assert reason.startswith("2 approvals are needed and 1 given (alex). One of them is needed because it is not known")
    assert "Ask: sam, Kim." in reason
    assert _judge(_says("alex"), _says("sam"), request=request).approved


def test_a_name_of_this_machine_is_nobody_beside_names_of_gitlab_s() -> None:
    request = _request(ApprovalConfig(approvers=("root", "local:root"), quorum=2))
    record = _judge(_says("root"), _says("local:root"), request=request)
    assert not record.approved
    assert [(one.user, one.counts) for one in record.decisions] == [("root", True), ("local:root", False)]
    assert record.decisions[1].why_not == "only this machine says who local:root is. Decide in GitLab."


def test_every_decision_says_whether_it_counts_and_why_not() -> None:
    said = (_says("riley"), _says("alex"), _says("ALEX", minutes=6), _says("casey", approved=False))
    record = _judge(*said)
    assert record.approved
    assert [(one.user, one.counts) for one in record.decisions] == [
        ("riley", False),
        ("alex", True),
        ("ALEX", False),
        ("casey", False),
    ]
    assert [one.why_not for one in record.decisions][:3] == [
        "riley asked for the change. Another approver must decide.",
        "",
        "ALEX approved already.",
    ]
    assert "casey is none of the approvers" in record.decisions[3].why_not
    assert (record.approved_by, record.rejected_by) == (("alex",), ())


@pytest.mark.parametrize("source", ["gitlab_job", "gitlab_reject_job", "gitlab_deployment"])
def test_a_no_in_the_pipeline_is_a_no_whoever_says_it_and_whenever(source: str) -> None:
    no = _says("casey", approved=False, minutes=-30, source=source)
    assert _judge(_says("alex"), no).rejected


def test_a_skew_of_the_clocks_is_named_where_an_approval_is_missing() -> None:
    def reasons(skew: timedelta) -> tuple[str, ...]:
        return judge_decisions(_request(), (), FACTS, NOW, skew).reasons

    assert reasons(timedelta(minutes=-10))[-1] == (
        "This machine's clock is 10 minutes behind GitLab's, by which is judged. Set it right."
    )
    assert len(reasons(timedelta(minutes=2))) == 1


def test_two_of_two_must_be_two_people() -> None:
    request = _request(CONFIG.model_copy(update={"quorum": 2}))
    assert "2 approvals are needed and 1 given (alex). Ask: sam, Kim." in _reason(
        _says("alex"), _says("ALEX", minutes=6, source="other"), request=request
    )
    assert _judge(_says("alex"), _says("kim"), request=request).approved


def test_one_rejection_outweighs_every_approval() -> None:
    record = _judge(_says("alex"), _says("sam", approved=False, reason="too wide"), _says("kim"))
    assert (record.approved, record.rejected) == (False, True)
    assert record.reasons[0] == "sam rejected the change: too wide. Correct it and run the plan step again."


def test_a_later_rejection_revokes_ones_own_approval() -> None:
    record = _judge(_says("alex"), _says("alex", approved=False, minutes=6))
    assert (record.approved, record.rejected) == (False, True)


def test_a_rejection_is_not_undone_by_a_later_approval() -> None:
    assert _judge(_says("alex", approved=False), _says("alex", minutes=6)).rejected


def test_the_requester_can_withdraw_the_change() -> None:
    assert _judge(_says("alex"), _says("riley", approved=False)).rejected


@pytest.mark.parametrize(
    "decision",
    [
        _says("casey", approved=False),
        _says("sam", approved=False, plan_sha256="e" * 64),
        _says("sam", approved=False, minutes=-1),
    ],
)
def test_a_rejection_by_a_stranger_or_of_another_plan_rejects_nothing(decision: Decision) -> None:
    assert _judge(_says("alex"), decision).approved


def test_without_approvers_nothing_is_ever_approved() -> None:
    request = _request(ApprovalConfig())
    assert "Nobody is named who may approve" in _reason(_says("alex"), request=request)


def test_a_quorum_that_can_not_be_reached_is_said_at_once() -> None:
    request = _request(ApprovalConfig(approvers=("alex", "riley"), quorum=2))
    assert "2 approvals are needed, but only 1 of the approvers" in _reason(_says("alex"), request=request)


def test_who_is_taken_out_of_runbook_yml_no_longer_counts() -> None:
    facts = ApplyFacts(DIGEST, "lineage", 7, approvers=("sam",))
    assert "alex is no approver any more" in _reason(_says("alex"), facts=facts)
    assert _judge(_says("sam"), facts=facts).approved


def test_who_was_put_into_runbook_yml_after_the_request_does_not_count_either() -> None:
    facts = ApplyFacts(DIGEST, "lineage", 7, approvers=("alex", "casey"))
    assert "casey is none of the approvers" in _reason(_says("casey"), facts=facts)


def test_a_quorum_raised_after_the_request_holds() -> None:
    two = Requirement(needs=2, approvers=CONFIG.approvers)
    facts = ApplyFacts(DIGEST, "lineage", 7, approvers=CONFIG.approvers, requirements=(two,))
    assert "2 approvals are needed and 1 given" in _reason(_says("alex"), facts=facts)


def test_a_local_login_counts_only_where_runbook_yml_names_it_so() -> None:
    request = _request(ApprovalConfig(approvers=("local:root",)), requester="local:riley")
    assert _judge(_says("local:root"), request=request).approved
    assert "root is none of the approvers" in _reason(_says("root"), request=request)


def test_a_local_user_cant_approve_his_own_change() -> None:
    request = _request(ApprovalConfig(approvers=("local:root",)), requester="local:root")
    assert "neither asked for the change nor wrote a commit of it" in _reason(_says("local:root"), request=request)


@pytest.mark.parametrize(("field", "said"), [("requester", "who asked for the change"), ("author", "who wrote")])
def test_a_change_of_unknown_origin_cant_be_approved(field: str, said: str) -> None:
    assert said in _reason(_says("alex"), request=_request(**{field: ""}))


def test_a_first_plan_has_no_state_to_compare_and_is_approved_all_the_same() -> None:
    first = _request().model_copy(update={"state_lineage": "", "state_serial": None})
    assert _judge(_says("alex"), request=first, facts=ApplyFacts(DIGEST, "", None)).approved
    assert "lineage differs" in _reason(_says("alex"), request=first)


def test_times_without_a_zone_are_utc() -> None:
    naive = _says("alex").model_copy(update={"at": datetime(2026, 11, 5, 10, 5)})
    assert _judge(naive).approved


AGAIN = "Run the plan step again and have the new plan approved."


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            replace(FACTS, plan_sha256="e" * 64),
            f"The plan file is not the one that was shown to the approvers. {AGAIN}",
        ),
        (
            replace(FACTS, state_lineage="other", state_serial=9),
            f"The state is another one than at plan time (its lineage differs). {AGAIN}",
        ),
        (replace(FACTS, state_serial=8), f"The state changed since the plan: serial 8, not 7. {AGAIN}"),
        (replace(FACTS, commit="d" * 40), f"The commit is {'d' * 12}, but {'c' * 12} was shown. {AGAIN}"),
        (replace(FACTS, policy_sha256="q" * 64), f"The policies changed since the plan was judged. {AGAIN}"),
    ],
)
def test_each_change_since_the_request_is_told_in_one_sentence(facts: ApplyFacts, reason: str) -> None:
    assert _judge(_says("alex"), facts=facts).reasons == (reason,)


def test_all_that_changed_is_told_together() -> None:
    assert (
        len(_judge(_says("alex"), facts=ApplyFacts("e" * 64, "o", 1, commit="d" * 40, policy_sha256="q")).reasons) == 4
    )


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (_says("", minutes=5), "The approval of nobody does not count:  is none of the approvers in runbook.yml."),
        (_says("alex", minutes=240), "it was given after the request expired. Run the approval step again."),
        (_says("alex", minutes=-0.1), "it was given before the request was made. Ask again."),
        (_says("alex", minutes=12.5), "it is dated in the future. Set the clocks right and ask again."),
    ],
)
def test_an_approval_counts_only_from_the_request_to_its_end(decision: Decision, reason: str) -> None:
    found = _judge(decision)
    assert not found.approved
    assert reason in found.reasons[0]


def test_an_approval_at_the_very_moment_of_the_request_and_just_before_its_end_counts() -> None:
    assert _judge(_says("alex", minutes=0)).approved
    assert _judge(_says("alex", minutes=239.9), minutes=239.95).approved


def test_a_request_is_over_at_its_very_end() -> None:
    late = _judge(_says("alex"), minutes=240)
    assert late.reasons == ("The request expired at 2026-11-05 14:00 UTC. Run the approval step again.",)


def test_a_rejection_at_the_very_moment_of_the_request_rejects() -> None:
    assert _judge(_says("alex", approved=False, minutes=0)).rejected
    assert not _judge(_says("alex", approved=False, minutes=-0.1)).rejected


def test_a_rejection_says_why_where_its_author_did() -> None:
    bare, reasoned = _says("alex", approved=False), _says("sam", approved=False, reason="Too wide")
    sentence = _says("kim", approved=False, reason="Not on a Friday.")
    assert _judge(bare, reasoned, sentence).reasons[:3] == (
        "alex rejected the change. Correct it and run the plan step again.",
        "sam rejected the change: Too wide. Correct it and run the plan step again.",
        "kim rejected the change: Not on a Friday. Correct it and run the plan step again.",
    )


def test_who_is_still_to_be_asked_leaves_out_who_has_approved_and_who_may_not() -> None:
    two = CONFIG.model_copy(update={"quorum": 2, "approvers": ("alex", "sam", "Kim", "riley")})
    assert _judge(_says("alex"), request=_request(two)).reasons == (
        "2 approvals are needed and 1 given (alex). Ask: sam, Kim.",
    )


def test_where_nobody_is_left_to_be_asked_that_is_said() -> None:
    one = CONFIG.model_copy(update={"approvers": ("riley",)})
    assert _judge(request=_request(one)).reasons == (
        (
            "1 approval is needed, but only 0 of the approvers neither asked for the change nor wrote a commit of it."
            " Name more approvers in runbook.yml."
        ),
        "1 approval is needed and 0 given (none). Ask: nobody left.",
    )
