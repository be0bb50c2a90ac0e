"""The approval request, in the order in which an approver thinks, and the answer to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from ...models.approval import ApprovalRequest, Decision, DecisionRecord
from ...models.findings import Finding, Verdict
from ...models.messages import Message
from ...models.risk import Risk, RiskLevel
from ...models.slack_answer import Asked
from ...wording import DRIFT, NO_CHANGE, join, needed, risk_in_words, said_by
from .blocks import Block, actions, answer_button, bullets, compose, context, fields, header, link, section
from .exposure import changes, counts, drift, exposure_blocks
from .text import code, line, moment, plural, spoken
from .words import attached, finding_line, merged_findings, sorted_findings, waiver_line

__all__ = ["apply_began", "approval_request", "decision", "request_closed", "request_superseded"]

_ENDS = {"approved": ":white_check_mark:", "nobody need approve": ":white_check_mark:", "expired": ":hourglass:"}
_MEMBER = re.compile(r"[UW][A-Z0-9]{2,20}")
MOST_REASONS = 5
MOST_FINDINGS = 6
MOST_SENTENCES = 6
_RISKS = {
    RiskLevel.NONE: ":white_circle:",
    RiskLevel.LOW: ":large_green_circle:",
    RiskLevel.MEDIUM: ":large_yellow_circle:",
    RiskLevel.HIGH: ":large_orange_circle:",
    RiskLevel.CRITICAL: ":red_circle:",
}


def approval_request(
    request: ApprovalRequest,
    texts: Mapping[str, str] | None = None,
    plan_url: str = "",
    *,
    answered: bool = False,
    mentions: Iterable[str] = (),
) -> Message:
    """Ask for a decision: what becomes reachable, the counts, findings and waivers, who asks, until when, and where.

    `texts` are long texts by path to upload beside it; `plan_url` leads to the plan where GitLab keeps it.
    With `answered` there is a listener, and the message has buttons beside its links. `mentions` are Slack's ids of
    those whose answer is asked for.
    """
    sentence = request.exposure.sentence or NO_CHANGE
    body = [
        # A phone's first screen: what it opens, how risky it is, how much, who asks, until when, and where to answer.
        header(f":lock: {line(request.stack, 80)}: approval needed"),
        section(f"*{line(sentence, 900)}*"),
        section(_risk(request.risk)),
        section(f"{counts(request.summary)}\n{_asks(request)}"),
        *_mentioned(mentions),
        *(_buttons(request) if answered else ()),
        *_links(request, plan_url),
        *exposure_blocks(request.exposure),
        *changes(request.summary),
        *_temporary(request.summary.temporary),
        *drift(request.summary),
        *_warnings(request),
        *_earlier(request.earlier),
        *_governance(request.governance),
        *_code(request.code),
        *_findings(request.findings),
        fields(_people(request)),
    ]
    digest = f"Approving lets this very plan be applied, and nothing else: sha256 {code(request.plan_sha256[:16], 16)}"
    tail = [context(digest, f"Run {code(request.run_id, 100)}")]
    return compose(_spoken(request, sentence, plan_url), body, tail, attached(texts))


def _asks(request: ApprovalRequest) -> str:
    return f"Asked by *{line(request.requester, 80) or 'unknown'}*, until {moment(request.expires_at)}"


def _spoken(request: ApprovalRequest, sentence: str, plan_url: str) -> str:
    """All of it as a text, which is all that a screen reader reads: each part has its room, whatever the others say."""
    summary = request.summary
    gone = [*summary.addresses.get("delete", ()), *summary.addresses.get("replace", ())]
    outside = summary.addresses.get(DRIFT, ())
    found = merged_findings(f for f in request.findings if f.verdict is not Verdict.PASSED)
    parts = [
        (f"{request.stack}: approval needed: {sentence}", 500),
        (f"Risk: {risk_in_words(request.risk)}.", 280),
        (f"The plan: {counts(summary, '')}.", 150),
        (f"Destroyed or replaced: {join(gone)}." if gone else "", 250),
        (f"For a time: {join(summary.temporary)}." if summary.temporary else "", 150),
        (f"Changed outside of Terraform: {join(outside)}." if outside else "", 120),
        (_sentences(_doubts(request)), 250),
        (f"Before this: {_sentences(request.earlier)}" if request.earlier else "", 150),
        (f"Findings: {join([_named(f, many) for f, many in found])}." if found else "", 200),
        (_sentences(request.governance), 200),
        (_sentences(request.code), 200),
        (f"Asked by {request.requester}.", 80),
        (f"Expires {request.expires_at:%Y-%m-%d %H:%M} UTC.", 40),
        (f"May approve: {needed(request, most=20)}.", 150),
    ]
    said = [spoken(text, room) for text, room in parts]
    plan = plan_url if plan_url != request.url else ""
    leads = (("Approve", request.url), ("Reject", request.reject_url), ("The plan", plan))
    return " ".join([text for text in said if text] + [f"{word}: {url}" for word, url in leads if url])


def _sentences(texts: Iterable[str]) -> str:
    return " ".join(f"{text.rstrip('.')}." for text in texts)


def _named(finding: Finding, many: int) -> str:
    times = f", {many} times" if many > 1 else ""
    return f"{finding.policy} ({finding.severity}, {finding.verdict}{times})"


def request_closed(request: ApprovalRequest, how: str, decisions: Iterable[Decision] = ()) -> Message:
    """What takes the request's place once nobody can answer it any more: how it ended, by whom, and of what it was.

    It has neither buttons nor links to decide by.
    """
    sentence, sign = request.exposure.sentence or NO_CHANGE, _ENDS.get(how, ":no_entry:")
    told = [_decision_line(one) for one in decisions if one.counts is not False]
    body = [
        header(f"{sign} {line(request.stack, 60)}: {line(how, 60)}"),
        *([section(bullets(told, 10))] if told else []),
        section(f"*What was asked*\n{line(sentence, 900)}\n{counts(request.summary)}"),
        section(f"*Risk: {request.risk.level}*. Asked by {line(request.requester, 80)}, {moment(request.created_at)}."),
    ]
    small = context(f"Plan sha256 {code(request.plan_sha256[:16], 16)}", f"Run {code(request.run_id, 100)}")
    return compose(f"{request.stack}: {how}: {sentence} (run {request.run_id})", body, [small])


def request_superseded(run_id: str) -> Message:
    """What takes the place of a request of this run that was asked anew."""
    return compose(
        f"This request was asked anew (run {run_id}).",
        [
            section(
                ":leftwards_arrow_with_hook: *This request was asked anew.* The one below it is the one that counts."
            )
        ],
        [context(f"Run {code(run_id, 100)}")],
    )


def _buttons(request: ApprovalRequest) -> list[Block]:
    """Buttons that the listener answers; none where what they are about can't be said to it."""
    try:
        asked = Asked(
            run_id=request.run_id, stack=request.stack, commit=request.commit, plan_sha256=request.plan_sha256
        )
    except ValidationError:
        return []
    value = asked.model_dump_json()
    return actions(
        answer_button("Approve…", "decide-approve", value, "primary"),
        answer_button("Reject…", "decide-reject", value, "danger"),
    )


def _links(request: ApprovalRequest, plan_url: str) -> list[Block]:
    # In a text: a button that only leads somewhere shows a warning in an app that answers none.
    links = (
        link("Approve in GitLab", request.url),
        link("Reject in GitLab", request.reject_url),
        link("See the plan", plan_url if plan_url != request.url else ""),
    )
    said = " · ".join(f"*{one}*" for one in links if one)
    return [section(said)] if said else []


def _risk(risk: Risk) -> str:
    reasons = [f"• {line(reason.text, 300)}" for reason in risk.reasons]
    said = f"{_RISKS[risk.level]} *Risk: {risk.level}*"
    return f"{said}\n{bullets(reasons, MOST_REASONS)}" if reasons else said


def apply_began(record: DecisionRecord) -> Message:
    """The approval is used: Terraform begins."""
    who = ", ".join(record.approved_by) or "nobody"
    unasked = f", as nobody had to: {line(record.unasked, 300)}" if record.unasked else ""
    told = f"Approved by {line(who, 300)}{unasked}. The approval is used up by this."
    body = [section(f":arrow_forward: *Apply begins*\n{told}")]
    small = context(f"Plan sha256 {code(record.plan_sha256[:16], 16)}")
    return compose(f"Apply begins, approved by {who} (run {record.run_id})", body, [small])


def _doubts(request: ApprovalRequest) -> list[str]:
    told = []
    if request.dirty:
        told.append("Files differ from the commit: what is planned is in no repository as it is.")
    if not request.complete:
        told.append("The plan is not of the whole stack: it leaves resources out.")
    return [*told, *(f"A check of Terraform's does not hold: {check}" for check in request.summary.checks)]


def _warnings(request: ApprovalRequest) -> list[Block]:
    told = [f":warning: {line(doubt, 338)}" for doubt in _doubts(request)]
    return [section(bullets(told, MOST_SENTENCES))] if told else []


def _mentioned(ids: Iterable[str]) -> list[Block]:
    named = " ".join(f"<@{one}>" for one in ids if _MEMBER.fullmatch(one))
    return [section(f"{named}: your answer is asked for.")] if named else []


def _temporary(sentences: Iterable[str]) -> list[Block]:
    told = [f"• {line(sentence, 300)}" for sentence in sentences]
    return [section(f":hourglass: *For a time*\n{bullets(told, MOST_SENTENCES)}")] if told else []


def _earlier(sentences: Iterable[str]) -> list[Block]:
    told = [f"• {line(sentence, 400)}" for sentence in sentences]
    return [section(f":warning: *Before this*\n{bullets(told, MOST_SENTENCES)}")] if told else []


def _governance(sentences: Iterable[str]) -> list[Block]:
    told = [f"• {line(sentence, 400)}" for sentence in sentences]
    return [section(f":warning: *Who and what judges it*\n{bullets(told, MOST_SENTENCES)}")] if told else []


def _code(sentences: Iterable[str]) -> list[Block]:
    told = [f"• {line(sentence, 400)}" for sentence in sentences]
    return [section(f":warning: *Code that will run*\n{bullets(told, MOST_SENTENCES)}")] if told else []


def _findings(findings: Iterable[Finding]) -> list[Block]:
    listed = sorted_findings(f for f in findings if f.verdict is not Verdict.PASSED)
    waived = [waiver_line(f) for f in listed if f.verdict is Verdict.WAIVED]
    others = [f for f in listed if f.verdict is not Verdict.WAIVED]
    found = [finding_line(f, many) for f, many in merged_findings(others)]
    said = f"*{plural(len(others), 'finding')}*\n{bullets(found, MOST_FINDINGS)}" if found else "*No findings*"
    blocks = [section(said)]
    if waived:
        blocks.append(section(f"*{plural(len(waived), 'waiver')} in force*\n{bullets(waived, MOST_FINDINGS)}"))
    return blocks


def _people(request: ApprovalRequest) -> list[tuple[str, str]]:
    pairs = []
    wrote = ", ".join([*request.authors, *request.unknown_authors]) or request.author
    if wrote and wrote != request.requester:
        pairs.append(("Commits by", line(wrote, 200)))
    more = " and one more, as not every author is known" if request.unknown_authors else ""
    pairs.append(("May approve", f"{needed(request, lambda name: line(name, 40), 20)}{more}"))
    serial = "none yet" if request.state_serial is None else str(request.state_serial)
    pairs += [("Commit", code(request.commit[:8], 8) or "none"), ("State serial", serial)]
    return pairs


def decision(record: DecisionRecord) -> Message:
    """What was decided, by whom, and what does not count."""
    sign, word = _verdict(record)
    body = [section(f"{sign} *{word}*\n{bullets([_decision_line(one) for one in record.decisions], 10)}")]
    # A rejection's reasons are the decisions themselves.
    if record.reasons and not record.rejected:
        body.append(section("*Why the plan is not approved*\n" + bullets([f"• {line(r)}" for r in record.reasons], 8)))
    who = ", ".join(record.rejected_by if record.rejected else record.approved_by)
    by = f" by {who}" if who and (record.approved or record.rejected) else ""
    small = context(f"Plan sha256 {code(record.plan_sha256[:16], 16)}", f"checked {moment(record.checked_at)}")
    return compose(f"{word}{by} (run {record.run_id})", body, [small])


def _verdict(record: DecisionRecord) -> tuple[str, str]:
    if record.broken_by:
        return ":rotating_light:", "Approved by one alone, in an emergency (break glass)"
    if record.unasked:
        return ":white_check_mark:", "Nobody need approve"
    if record.approved:
        return ":white_check_mark:", "Approved"
    return (":no_entry:", "Rejected") if record.rejected else (":hourglass_flowing_sand:", "Not approved")


def _decision_line(one: Decision) -> str:
    said = "approved" if one.approved else "rejected"
    # On one line: a second one could read like another person's answer.
    reason = f": {line(one.reason, 500)}" if one.reason else ""
    idle = f" It does not count: {line(one.why_not, 300)}" if one.counts is False else ""
    return f"*{line(one.user, 80)}* {said} {moment(one.at)} ({line(said_by(one.source), 60)}){reason}{idle}"
