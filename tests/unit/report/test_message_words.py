"""Each part of a message by itself, for what the story's own messages do not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from message_samples import BLOCKED, COMPLIANCE, DECISION, ERRORED, PLAN, REQUEST, RUN, WAIVED_EGRESS, WORLD_SSH, result

from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.messages import Message, MessageFile
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.report.messages import (
    Told,
    apply_began,
    approval_request,
    decision,
    failure,
    request_closed,
    request_superseded,
    status_board,
    step_result,
)
from runbook_lib.report.messages.blocks import (
    actions,
    answer_button,
    bullets,
    compose,
    context,
    fields,
    header,
    link,
    link_button,
    section,
)
from runbook_lib.report.messages.text import clean, clip, code, duration, line, moment, plural, prose
from runbook_lib.report.messages.words import attached, blocking, finding_line, sorted_findings, waiver_line


def words(message: Message) -> list[str]:
    """The text of each block, its fields and elements one a line."""

    def of(block: dict[str, Any]) -> str:
        if "text" in block:
            return str(block["text"]["text"])
        return "\n".join(part["text"] if part["type"] == "mrkdwn" else part["text"]["text"] for part in parts(block))

    def parts(block: dict[str, Any]) -> list[dict[str, Any]]:
        return list(block.get("fields") or block["elements"])

    return [of(block) for block in message.blocks]


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.6, "1 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3600, "1 h 0 min"),
        (7805, "2 h 10 min"),
    ],
)
def test_a_span_is_told_as_a_person_says_it(span: float, said: str) -> None:
    assert duration(timedelta(seconds=span)) == said


def test_a_time_is_the_same_moment_wherever_it_was_written() -> None:
    written = "<!date^1795424400^{date_short_pretty} {time}|2026-11-23 09:00 UTC>"
    assert moment(datetime(2026, 11, 23, 9, 0, tzinfo=UTC)) == written
    assert moment(datetime(2026, 11, 23, 11, 0, tzinfo=timezone(timedelta(hours=2)))) == written
    assert moment(datetime(2026, 11, 23, 9, 0)) == written


@pytest.mark.parametrize(("count", "said"), [(0, "0 rules"), (1, "1 rule"), (2, "2 rules")])
def test_a_count_has_its_noun(count: int, said: str) -> None:
    assert plural(count, "rule") == said


def test_a_text_is_cut_only_when_it_is_too_long_and_never_inside_an_entity() -> None:
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"
    assert clip("abc  defg", 6) == "abc…"
    assert clip("abc &amp; d", 8) == "abc…"
    assert clip("abc <!date^1^x|y> d", 10) == "abc…"


def test_a_text_keeps_its_lines_and_loses_what_could_deceive() -> None:
    assert clean("a\r\nb\x00c\u202ed\tf\ud800") == "a\nb cd\tf?"
    assert prose("  <@U1> & \n b ") == "&lt;@U1&gt; &amp; \n b"
    assert line(" a \n\t b ") == "a b"
    assert code("") == ""
    assert code("a`b") == "`a'b`"
    assert (len(prose("x" * 2_000)), len(line("x" * 2_000)), len(code("x" * 2_000))) == (1_500, 300, 152)


def test_a_block_is_cut_to_what_slack_takes() -> None:
    long = "x" * 5_000
    assert len(header(long)["text"]["text"]) == 148
    assert len(section(long)["text"]["text"]) == 2_900
    assert len(context(long)["elements"][0]["text"]) == 500
    assert len(fields([("a", long)])["fields"][0]["text"]) == 1_900


def test_an_empty_block_is_still_one_that_slack_takes() -> None:
    assert header("") == {"type": "header", "text": {"type": "plain_text", "text": "-", "emoji": True}}
    assert section("") == {"type": "section", "text": {"type": "mrkdwn", "text": " ", "verbatim": True}}


def test_small_print_and_columns_hold_ten_pieces_and_no_empty_one() -> None:
    assert [element["text"] for element in context("", *"abcdefghijk")["elements"]] == list("abcdefghij")
    pairs = fields([(letter, "v") for letter in "abcdefghijk"])["fields"]
    assert [pair["text"] for pair in pairs] == [f"*{letter}*\nv" for letter in "abcdefghij"]


def test_a_button_is_named_by_what_it_does() -> None:
    assert link_button("Open the pipeline!", "https://gitlab.example/1") == {
        "type": "button",
        "text": {"type": "plain_text", "text": "Open the pipeline!", "emoji": True},
        "url": "https://gitlab.example/1",
        "action_id": "open-open-the-pipeline",
    }
    styled = link_button("x" * 100, "http://a/" + "b" * 2_991, "danger")
    assert styled is not None
    assert (styled["style"], len(styled["text"]["text"]), len(styled["action_id"])) == ("danger", 75, 45)


def test_a_button_that_is_answered_says_by_whom_it_is_heard_and_what_it_stands_for() -> None:
    assert answer_button("Approve", "approve", "7 ab12", "primary") == {
        "type": "button",
        "text": {"type": "plain_text", "text": "Approve", "emoji": True},
        "action_id": "approve",
        "value": "7 ab12",
        "style": "primary",
    }
    assert len(answer_button("x" * 100, "a", "b", "danger")["text"]["text"]) == 75


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://gitlab.example/1", True), ("http://a/" + "b" * 2_991, True), ("http://a/" + "b" * 2_992, False),
        ("ftp://gitlab.example/1", False), ("https://a/|b", False), ("", False),
    ],
    ids=["secure", "longest", "too long", "no page", "a bar", "none"],
)  # fmt: skip
def test_an_address_that_slack_would_not_take_leads_nowhere(url: str, taken: bool) -> None:
    button = link_button("Open", url)
    assert link("the plan", url) == (f"<{url}|the plan>" if taken else "")
    assert actions(None, button) == ([{"type": "actions", "elements": [button]}] if taken else [])


def test_a_list_says_how_many_more_there_are_and_only_then() -> None:
    assert bullets(["a", "b"], 2) == "a\nb"
    assert bullets(["a", "b", "c"], 2) == "a\nb\n… and 1 more"
    assert bullets(["x" * 1_349, "y" * 1_349, "z"], 3) == f"{'x' * 1_349}\n{'y' * 1_349}\n… and 1 more"
    assert bullets([], 2) == ""


def test_a_message_that_is_too_long_says_how_many_parts_did_not_fit_and_keeps_its_end() -> None:
    made = compose("a\n b", [section("x" * 2_800) for _ in range(6)], [context("the end")])
    assert made.text == "a b"
    said = words(made)
    assert said[-1] == "the end"
    assert said[-2] == f"… {6 - (len(said) - 2)} more parts did not fit; the run folder has them."
    assert len(said) == 6
    assert len(compose("x" * 4_000, []).text) == 3_000
    assert len(compose("", [section("a")] * 100, [context("b")]).blocks) == 46


def finding(**changes: Any) -> Finding:
    return WORLD_SSH.model_copy(update=changes)


@pytest.mark.parametrize(
    ("action", "verdict", "stops"),
    [
        (Action.BLOCK, Verdict.FAILED, True),
        (Action.BLOCK, Verdict.UNKNOWN, True),
        (Action.BLOCK, Verdict.WAIVED, False),
        (Action.BLOCK, Verdict.PASSED, False),
        (Action.APPROVE, Verdict.FAILED, False),
        (Action.WARN, Verdict.UNKNOWN, False),
    ],
)
def test_only_what_may_block_and_is_not_accepted_stops_a_run(action: Action, verdict: Verdict, stops: bool) -> None:
    assert blocking(finding(action=action, verdict=verdict)) is stops


def test_findings_stand_by_what_they_stop_then_by_how_bad_then_by_name() -> None:
    low = finding(severity=Severity.LOW)
    given = [
        finding(action=Action.WARN),
        low,
        finding(policy="b"),
        finding(policy="a", address="z"),
        finding(policy="a", address="y"),
    ]
    assert sorted_findings(given) == [given[4], given[3], given[2], low, given[0]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"address": "rule.ssh"},
            (
                ":no_entry: *critical* `sg-world-ssh` in `rule.ssh`: SSH is open to the whole world."
                " _Name the networks that may log in._"
            ),
        ),
        (
            {"address": "", "remedy": "", "action": Action.APPROVE, "severity": Severity.LOW},
            ":lock: *low* `sg-world-ssh`: SSH is open to the whole world.",
        ),
        (
            {"address": "a", "remedy": "", "action": Action.WARN, "verdict": Verdict.UNKNOWN},
            ":warning: *critical* `sg-world-ssh` in `a`: SSH is open to the whole world. (can't be told before apply)",
        ),
    ],
)
def test_a_finding_is_one_line_with_its_remedy(changes: dict[str, Any], said: str) -> None:
    assert finding_line(finding(**changes)) == said


def test_an_accepted_finding_says_who_answers_for_it() -> None:
    assert waiver_line(WAIVED_EGRESS) == (
        ":busts_in_silhouette: `sg-egress-open` in `aws_security_group.web`, accepted by sam until 2027-01-31:"
        " Packages come from the internet"
    )
    assert waiver_line(WAIVED_EGRESS.model_copy(update={"waiver": None})).endswith(", accepted by nobody")


def test_a_file_is_named_by_its_path_and_titled_by_what_it_is() -> None:
    assert attached({"02_plan/plan.txt": "+ a\r\n", "04_apply/apply.txt": "b", "x/own.txt": "c", "e.txt": " \n"}) == [
        MessageFile(name="02_plan-plan.txt", title="Terraform plan", content="+ a\n"),
        MessageFile(name="04_apply-apply.txt", title="Terraform apply", content="b"),
        MessageFile(name="x-own.txt", title="own.txt", content="c"),
    ]
    assert attached(None) == []


def request_words(**changes: Any) -> list[str]:
    return words(approval_request(REQUEST.model_copy(update=changes)))


ASKED = "Asked by *riley*, until <!date^1795438800^{date_short_pretty} {time}|2026-11-23 13:00 UTC>"


def test_a_request_counts_everything_that_the_plan_does() -> None:
    addresses = {"create": ("a.b",), "forget": ("c.d", "e.f")}
    summary = PlanSummary(create=1, update=2, delete=3, replace=4, forget=5, import_=6, move=7, addresses=addresses)
    said = request_words(summary=summary)
    assert said[3] == (
        "*1* to add, *2* to change, *3* to destroy, *4* of them replaced, *5* to forget, *6* to import, *7* to move\n"
        f"{ASKED}"
    )
    assert said[7] == "*What changes*\n• forget `c.d`\n• forget `e.f`\n• create `a.b`"
    rare = PlanSummary(invoke=1, defer=2, remove=3, drift=4, addresses={"invoke": ("action.aws_x.y",)})
    said = request_words(summary=rare)
    assert said[3] == (
        "*0* to add, *0* to change, *0* to destroy, *2* left for later, *1* action to run,"
        f" *3* unlisted rules to remove, *4* changed outside\n{ASKED}"
    )
    assert said[7] == "*What changes*\n• invoke `action.aws_x.y`"
    nothing = request_words(summary=PlanSummary())
    assert nothing[3] == f"*0* to add, *0* to change, *0* to destroy\n{ASKED}"
    assert "*What changes*" not in "".join(nothing)


def test_a_request_tells_of_checks_that_do_not_hold() -> None:
    said = request_words(summary=PlanSummary(checks=("check.health: fail: down",)))
    assert ":warning: A check of Terraform's does not hold: check.health: fail: down" in said


def test_a_request_that_changes_no_access_says_so() -> None:
    said = request_words(exposure=Exposure())
    assert said[1] == "*Nobody gains or loses access.*"
    assert said[2] == ":white_circle: *Risk: none*"
    assert said[5].startswith("*What changes*")


def test_a_request_says_how_risky_the_change_is_and_why() -> None:
    reasons = [RiskReason(level=RiskLevel.HIGH, text=f"opens tcp {port} of <!here>") for port in range(7)]
    said = request_words(risk=Risk(level=RiskLevel.HIGH, reasons=tuple(reasons)))
    assert said[2].startswith(":large_orange_circle: *Risk: high*\n• opens tcp 0 of &lt;!here&gt;\n")
    assert "opens tcp 4" in said[2]
    assert "opens tcp 5" not in said[2]
    assert "2 more" in said[2]


def test_a_request_shows_the_code_that_will_run_and_says_how_much_more_there_is() -> None:
    code = tuple(f"data.external.x{number} runs <!here> {'y' * 600}" for number in range(9))
    (said,) = [text for text in request_words(code=code) if "*Code that will run*" in text]
    assert said.startswith(":warning: *Code that will run*\n• data.external.x0 runs &lt;!here&gt; yy")
    assert "data.external.x5" in said
    assert "data.external.x6" not in said
    assert "3 more" in said
    assert not [text for text in request_words() if "Code that will run" in text]


def test_what_may_open_is_told_apart_from_what_opens() -> None:
    (opened,) = REQUEST.exposure.opened
    said = request_words(exposure=Exposure(unknown=(opened,), sentence="Who knows."))
    assert said[5] == ":question: may open *the internet (0.0.0.0/0)* → `aws_security_group.web` on tcp 80"


def test_a_request_says_who_asks_who_may_approve_and_of_what() -> None:
    said = request_words(author="robin", state_serial=None, commit="", requester="", approvers=(), quorum=2)
    assert said[3].endswith(ASKED.replace("riley", "unknown"))
    assert said[-2] == (
        "*Commits by*\nrobin\n*May approve*\n2 of nobody is named\n*Commit*\nnone\n*State serial*\nnone yet"
    )


def test_a_request_says_that_one_more_is_needed_where_an_author_is_unknown() -> None:
    said = request_words(authors=("robin",), unknown_authors=("x@example.com",))
    assert "*Commits by*\nrobin, x@example.com" in said[-2]
    assert "*May approve*\n1 of alex, sam and one more, as not every author is known" in said[-2]
    assert "one more" not in request_words(authors=("robin",))[-2]


def test_a_request_that_was_asked_anew_says_so_of_which_run() -> None:
    made = request_superseded("r1")
    assert made.text == "This request was asked anew (run r1)."
    assert words(made) == [
        ":leftwards_arrow_with_hook: *This request was asked anew.* The one below it is the one that counts.",
        "Run `r1`",
    ]


@pytest.mark.parametrize(
    ("how", "sign"),
    [
        ("approved", ":white_check_mark:"),
        ("nobody need approve", ":white_check_mark:"),
        ("expired", ":hourglass:"),
        ("rejected by <!here>", ":no_entry:"),
    ],
)
def test_a_request_that_is_over_says_how_by_whom_and_of_what_it_was(how: str, sign: str) -> None:
    yes = DECISION.decisions[0]
    no = yes.model_copy(update={"user": "sam", "approved": False, "counts": True})
    idle = yes.model_copy(update={"user": "riley", "counts": False})
    made = request_closed(REQUEST, how, (yes, no, idle))
    at = "<!date^1795424820^{date_short_pretty} {time}|2026-11-23 09:07 UTC>"
    shown = how.replace("<!here>", "&lt;!here&gt;")
    sentence = REQUEST.exposure.sentence
    of_what = [
        f"*What was asked*\n{sentence}\n*1* to add, *0* to change, *1* to destroy",
        ("*Risk: none*. Asked by riley, <!date^1795424400^{date_short_pretty} {time}|2026-11-23 09:00 UTC>."),
        "Plan sha256 `9f2c1d7a4be05f33`\nRun `1008`",
    ]
    assert words(made) == [
        f"{sign} access: {shown}",
        f"*alex* approved {at} (gitlab job)\n*sam* rejected {at} (gitlab job)",
        *of_what,
    ]
    assert made.text == f"access: {how}: {sentence} (run 1008)"
    # Nobody's answer counted: there is none to tell.
    silent = request_closed(REQUEST.model_copy(update={"exposure": Exposure()}), how, (idle,))
    assert words(silent)[1].startswith("*What was asked*\nNobody gains or loses access.\n")
    assert silent.text == f"access: {how}: Nobody gains or loses access. (run 1008)"


@pytest.mark.parametrize(
    ("changes", "told", "said"),
    [
        ({}, "Approved by alex.", "alex"),
        ({"decisions": DECISION.decisions * 2}, "Approved by alex.", "alex"),
        (
            {"decisions": (), "unasked": "no <rule> changes"},
            "Approved by nobody, as nobody had to: no &lt;rule&gt; changes.",
            "nobody",
        ),
    ],
)
def test_the_beginning_of_apply_uses_the_approval_up(changes: dict[str, Any], told: str, said: str) -> None:
    made = apply_began(DECISION.model_copy(update=changes))
    assert words(made) == [
        f":arrow_forward: *Apply begins*\n{told} The approval is used up by this.",
        "Plan sha256 `9f2c1d7a4be05f33`",
    ]
    assert made.text == f"Apply begins, approved by {said} (run 1008)"


WARNING: dict[str, tuple[dict[str, Any], str]] = {
    "dirty": ({"dirty": True}, ":warning: Files differ from the commit: what is planned is in no repository as it is."),
    "partial": ({"complete": False}, ":warning: The plan is not of the whole stack: it leaves resources out."),
    "earlier": ({"earlier": ("a <b", "c")}, ":warning: *Before this*\n• a &lt;b\n• c"),
    "governance": ({"governance": ("a <b", "c")}, ":warning: *Who and what judges it*\n• a &lt;b\n• c"),
    "code": ({"code": ("a <b", "c")}, ":warning: *Code that will run*\n• a &lt;b\n• c"),
}


@pytest.mark.parametrize("name", WARNING)
def test_a_request_warns_of_what_an_approver_has_to_know(name: str) -> None:
    changes, told = WARNING[name]
    assert [text for text in request_words(**changes) if text not in request_words()] == [told]


def test_a_request_names_everything_at_once_to_whom_it_is_read_out() -> None:
    gone = {"delete": ("a.one",), "replace": ("a.two",), "create": ("a.new",)}
    summary = PlanSummary(delete=1, replace=1, addresses=gone, temporary=("It stands until Friday",))
    request = REQUEST.model_copy(
        update={
            "summary": summary,
            "findings": (finding(), finding(address="z"), finding(verdict=Verdict.PASSED, policy="no"), WAIVED_EGRESS),
            "governance": ("Policies changed",), "code": ("local-exec runs",),
            "risk": Risk(level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text="opens tcp 22"),)),
        }
    )  # fmt: skip
    assert approval_request(request).text == (
        f"access: approval needed: {REQUEST.exposure.sentence} Risk: high: opens tcp 22."
        " The plan: 0 to add, 0 to change, 1 to destroy, 1 of them replaced."
        " Destroyed or replaced: a.one and a.two. For a time: It stands until Friday."
        " Findings: sg-world-ssh (critical, failed, 2 times) and sg-egress-open (low, waived)."
        " Policies changed. local-exec runs. Asked by riley. Expires 2026-11-23 13:00 UTC."
        f" May approve: 1 of alex, sam. Approve: {REQUEST.url}"
    )


def test_what_a_request_warns_of_and_where_to_say_no_is_read_out_as_well() -> None:
    summary = PlanSummary(checks=("Not x",), addresses={"drift": ("a.hand",)})
    request = REQUEST.model_copy(
        update={
            "summary": summary, "findings": (), "dirty": True, "complete": False,
            "earlier": ("Apply 7 failed.", "Redo"),
            "reject_url": "https://gitlab.example.com/no",
        }
    )  # fmt: skip
    assert approval_request(request, {}, "https://gitlab.example.com/plan").text == (
        f"access: approval needed: {REQUEST.exposure.sentence} Risk: none."
        " The plan: 0 to add, 0 to change, 0 to destroy. Changed outside of Terraform: a.hand."
        " Files differ from the commit: what is planned is in no repository as it is."
        " The plan is not of the whole stack: it leaves resources out. A check of Terraform's does not hold: Not x."
        " Before this: Apply 7 failed. Redo. Asked by riley. Expires 2026-11-23 13:00 UTC. May approve: 1 of alex, sam."
        f" Approve: {REQUEST.url} Reject: https://gitlab.example.com/no The plan: https://gitlab.example.com/plan"
    )


def test_a_decision_without_one_who_may_says_so_and_one_alone_is_told_as_an_emergency() -> None:
    unasked = decision(DECISION.model_copy(update={"decisions": (), "unasked": "no rule changes"}))
    assert words(unasked)[0].startswith(":white_check_mark: *Nobody need approve*\n")
    assert unasked.text.startswith(f"Nobody need approve (run {DECISION.run_id})")
    alone = DECISION.decisions[0].model_copy(update={"break_glass": True, "counts": True})
    broken = decision(DECISION.model_copy(update={"decisions": (alone,)}))
    assert words(broken)[0].startswith(
        ":rotating_light: *Approved by one alone, in an emergency (break glass)*\n*alex* approved "
    )
    assert broken.text == "Approved by one alone, in an emergency (break glass) by alex (run 1008)"


def test_what_is_found_and_what_is_accepted_are_counted_apart() -> None:
    passed = finding(verdict=Verdict.PASSED)
    said = request_words(findings=(WAIVED_EGRESS, passed, finding(), finding(policy="other")))
    assert said[8].startswith("*2 findings*\n:no_entry: *critical* `other`")
    assert said[9].startswith("*1 waiver in force*\n:busts_in_silhouette: `sg-egress-open`")


def test_a_plan_that_has_no_page_of_its_own_has_no_second_link() -> None:
    same = approval_request(REQUEST, plan_url=REQUEST.url)
    assert words(same)[4] == f"*<{REQUEST.url}|Approve in GitLab>*"
    assert same.text == (
        f"access: approval needed: {REQUEST.exposure.sentence} Risk: none. The plan: 1 to add, 0 to change, 1 to"
        ' destroy. Destroyed or replaced: aws_vpc_security_group_ingress_rule.this["web-8000"].'
        " Findings: sg-egress-open (low,"
        f" waived). Asked by riley. Expires 2026-11-23 13:00 UTC. May approve: 1 of alex, sam. Approve: {REQUEST.url}"
    )


def test_a_decision_says_who_decided_what_and_why_it_does_not_count() -> None:
    no = DECISION.decisions[0].model_copy(update={"approved": False, "reason": "Not <now>.", "user": "sam"})
    own = DECISION.decisions[0].model_copy(
        update={"user": "riley", "counts": False, "why_not": "riley asked for the change."}
    )
    record = DECISION.model_copy(
        update={"decisions": (*DECISION.decisions, no, own), "approved": False, "reasons": ("One is too few.", "b")}
    )
    made = decision(record)
    at = "<!date^1795424820^{date_short_pretty} {time}|2026-11-23 09:07 UTC>"
    assert words(made)[:2] == [
        (
            ":hourglass_flowing_sand: *Not approved*\n"
            f"*alex* approved {at} (gitlab job)\n*sam* rejected {at} (gitlab job): Not &lt;now&gt;.\n"
            f"*riley* approved {at} (gitlab job) It does not count: riley asked for the change."
        ),
        "*Why the plan is not approved*\n• One is too few.\n• b",
    ]
    assert made.text == "Not approved (run 1008)"
    # Whoever was refused is named as nobody's approver.
    assert decision(record.model_copy(update={"approved": True})).text == "Approved by alex (run 1008)"
    rejected = decision(record.model_copy(update={"rejected": True, "decisions": ()}))
    assert words(rejected)[0] == ":no_entry: *Rejected*\n"
    assert len(rejected.blocks) == 2
    assert rejected.text == "Rejected (run 1008)"


def test_the_board_says_of_every_step_where_it_stands() -> None:
    stopped = words(status_board(RUN, [COMPLIANCE, result("plan", Outcome.BLOCKED, "No.", 61)]))
    assert stopped[0] == ":no_entry: access: blocked at plan"
    assert stopped[1].split("\n") == [
        ":white_check_mark: *Compliance* passed: 11 policies on 3 rules: nothing found. (9 s)",
        ":no_entry: *Plan* blocked: No. (1 min 1 s)",
        ":white_circle: *Approval* not run",
        ":white_circle: *Apply* not run",
        ":white_circle: *Verification* not run",
        ":white_circle: *Service tests* not run",
    ]
    begun = words(status_board(RUN, [COMPLIANCE]))
    assert begun[0] == ":hourglass_flowing_sand: access: in progress"
    assert begun[1].split("\n")[1] == ":white_circle: *Plan*"


def test_the_board_of_a_plan_without_a_change_is_done() -> None:
    board = words(status_board(RUN, [COMPLIANCE, PLAN.model_copy(update={"ends": True})]))
    assert board[0] == ":white_check_mark: access: done"
    assert board[1].split("\n")[2:] == [
        f":white_circle: *{title}* not needed" for title in ("Approval", "Apply", "Verification", "Service tests")
    ]


def test_the_board_of_the_last_step_alone_is_done_or_says_where_it_stopped() -> None:
    board = words(status_board(RUN, [result("service_tests")]))
    assert board[0] == ":white_check_mark: access: done"
    assert board[1].split("\n")[0] == ":white_circle: *Compliance* not run"
    blocked = words(status_board(RUN, [result("service_tests", Outcome.BLOCKED)]))
    assert blocked[0].endswith("blocked at service tests")


@pytest.mark.parametrize("warned", ["compliance", "plan"])
def test_a_board_that_is_done_says_that_a_step_warned(warned: str) -> None:
    results = (
        result(name, Outcome.WARNED if name == warned else Outcome.PASSED).model_copy(update={"ends": name == "plan"})
        for name in ("compliance", "plan")
    )
    made = status_board(RUN, results)
    assert words(made)[0] == ":warning: access: done, with warnings"
    assert made.text == "access: done, with warnings (run 1008)"


@pytest.mark.parametrize(
    ("told", "last", "title"),
    [
        (Told(rejected_by=("alex", "<sam>")), None, ":no_entry: access: rejected by alex, &lt;sam&gt;"),
        (Told(rejected_by=("alex",)), result("approval", Outcome.BLOCKED), ":no_entry: access: rejected by alex"),
        # What broke is told before who said no, and so is what a step itself left before what was heard of it.
        (Told(rejected_by=("alex",)), result("approval", Outcome.ERRORED), ":x: access: errored at approval"),
        (Told(stopped=ERRORED), None, ":x: access: errored at apply"),
        (Told(stopped=ERRORED), result("approval", Outcome.BLOCKED), ":no_entry: access: blocked at approval"),
        (
            Told(stopped=result("approval", Outcome.INTERRUPTED)),
            None,
            ":octagonal_sign: access: interrupted at approval",
        ),
    ],
)
def test_a_board_says_who_rejected_the_plan_or_what_stopped_the_run(
    told: Told, last: StepResult | None, title: str
) -> None:
    board = words(status_board(RUN, [COMPLIANCE, PLAN, *([last] if last else [])], told))
    assert board[0] == title
    assert board[1].split("\n")[-3:] == [
        f":white_circle: *{step}* not run" for step in ("Apply", "Verification", "Service tests")
    ]


def test_only_the_next_step_waits_for_the_decision() -> None:
    asked = result("approval").model_copy(update={"metrics": {"approved": False}})
    board = words(status_board(RUN, [COMPLIANCE, PLAN, asked]))
    assert board[0] == ":lock: access: waiting for approval"
    assert board[1].split("\n")[3:] == [
        ":lock: *Apply* waits for the decision",
        ":white_circle: *Verification*",
        ":white_circle: *Service tests*",
    ]
    given = asked.model_copy(update={"metrics": {"approved": True}})
    assert words(status_board(RUN, [COMPLIANCE, PLAN, given]))[0] == ":hourglass_flowing_sand: access: in progress"


def test_the_small_print_says_whose_run_it_is_and_on_what() -> None:
    started = "started <!date^1795424400^{date_short_pretty} {time}|2026-11-23 09:00 UTC>"
    dirty = RUN.model_copy(update={"dirty": True})
    assert words(status_board(dirty, []))[-1].split("\n") == [
        "Run `1008`",
        "asked by *riley*",
        "commit `4dc7a709` with local changes on `open-http`",
        started,
    ]
    assert words(status_board(RUN, []))[-1].split("\n")[2] == "commit `4dc7a709` on `open-http`"
    bare = RUN.model_copy(update={"requester": "", "commit": "", "ref": "", "pipeline_url": ""})
    board = status_board(bare, [])
    assert words(board)[-1].split("\n") == ["Run `1008`", started]
    assert len(board.blocks) == 3
    assert board.text == "access: in progress (run 1008)"


def test_a_step_s_figures_are_told_unless_its_summary_says_them() -> None:
    metrics = {
        "in_sync": 4, "share": 0.25, "approved": True, "locked": False, "plan_sha256": "9f2c1d7a4be05f33", "note": "",
        "rules": 11, "names": ["a"],
    }  # fmt: skip
    made = step_result(RUN, result("plan", summary="11 rules.").model_copy(update={"metrics": metrics}))
    assert words(made)[-1].split("\n") == [
        "Took 9 s",
        "in sync: 4",
        "share: 0.25",
        "approved: yes",
        "locked: no",
        "plan sha256: `9f2c1d7a4be0`",
    ]
    assert words(made)[0] == ":white_check_mark: *Plan passed*\n11 rules."
    assert made.text == "access: plan passed: 11 rules. (run 1008)"


def test_a_step_that_found_something_counts_what_blocks() -> None:
    warns = finding(action=Action.WARN)
    both = words(step_result(RUN, BLOCKED.model_copy(update={"findings": (finding(), warns, WAIVED_EGRESS)})))
    assert both[1].startswith("*2 findings, 1 blocking*\n:no_entry:")
    assert both[2].startswith("*1 waiver in force*\n")
    one = words(step_result(RUN, BLOCKED.model_copy(update={"findings": (warns,)})))
    assert one[1].startswith("*1 finding*\n:warning:")
    assert words(step_result(RUN, BLOCKED.model_copy(update={"findings": (finding(verdict=Verdict.PASSED),)})))[1:] == [
        "Took 9 s"
    ]


def test_a_failure_does_not_say_the_same_twice() -> None:
    assert ERRORED.error is not None
    said = words(failure(RUN, ERRORED))
    assert said[:4] == [
        ":x: access: apply errored",
        "*What happened*\nTerraform could not apply the plan.",
        f"*Why*\n{ERRORED.error.message}",
        f"*What to do*\n{ERRORED.error.remedy}",
    ]
    same = ERRORED.error.model_copy(update={"message": ERRORED.summary, "remedy": ""})
    assert len(words(failure(RUN, ERRORED.model_copy(update={"error": same})))) == 4


def test_a_name_takes_no_more_room_than_it_should() -> None:
    long = "x" * 500
    decided = DECISION.decisions[0].model_copy(update={"user": long, "source": long, "reason": long + long})
    said = words(decision(DECISION.model_copy(update={"decisions": (decided,)})))[0]
    assert f"*{'x' * 79}…* approved" in said
    assert f"({'x' * 59}…): {'x' * 499}…" in said
    metrics = step_result(RUN, result("plan").model_copy(update={"metrics": {long: 7, "note": long}}))
    assert words(metrics)[-1].split("\n")[1:] == [f"{'x' * 39}…: 7", f"note: `{'x' * 79}…`"]


def test_no_more_figures_are_told_than_fit() -> None:
    many = step_result(
        RUN, result("plan").model_copy(update={"metrics": {f"m{number}": number for number in range(20)}})
    )
    assert len(words(many)[-1].split("\n")) == 9
