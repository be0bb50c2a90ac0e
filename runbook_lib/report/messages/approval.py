"""The approval request, in the order in which an approver thinks, and the answer to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...models.approval import ApprovalRequest, Decision, DecisionRecord
from ...models.exposure import Exposure, ExposureEntry
from ...models.findings import Finding, Verdict
from ...models.messages import Message
from ...models.plan import PlanSummary
from ...models.risk import Risk, RiskLevel
from ...wording import NO_CHANGE, opening, party_in_full, rare_counts, said_by
from .blocks import Block, actions, bullets, compose, context, fields, header, link_button, section
from .text import code, line, moment, plural
from .words import attached, finding_line, sorted_findings, waiver_line

__all__ = ["apply_began", "approval_request", "decision"]

MOST_ENTRIES = 8
MOST_REASONS = 5
MOST_FINDINGS = 6
MOST_SENTENCES = 6
MOST_ADDRESSES = 8
_RISKS = {
    RiskLevel.NONE: ":white_circle:",
    RiskLevel.LOW: ":large_green_circle:",
    RiskLevel.MEDIUM: ":large_yellow_circle:",
    RiskLevel.HIGH: ":large_orange_circle:",
    RiskLevel.CRITICAL: ":red_circle:",
}


def approval_request(request: ApprovalRequest, texts: Mapping[str, str] | None = None, plan_url: str = "") -> Message:
    """Ask for a decision: what becomes reachable, the counts, findings and waivers, who asks, until when, and where.

    `texts` are long texts by path to upload beside it; `plan_url` leads to the plan where GitLab keeps it.
    """
    sentence = request.exposure.sentence or NO_CHANGE
    body = [
        header(f":lock: {line(request.stack, 80)}: approval needed"),
        section(f"*What becomes reachable*\n*{line(sentence, 900)}*"),
        section(_risk(request.risk)),
        *_exposure(request.exposure),
        section(f"*What changes*\n{_counts(request.summary)}"),
        *_warnings(request),
        *_governance(request.governance),
        *_code(request.code),
        *_findings(request.findings),
        fields(_people(request)),
    ]
    buttons = actions(
        link_button("Approve in GitLab", request.url, "primary"),
        link_button("Reject", request.reject_url, "danger"),
        link_button("See the plan", plan_url if plan_url != request.url else ""),
    )
    digest = f"Approving lets this very plan be applied, and nothing else: sha256 {code(request.plan_sha256[:16], 16)}"
    tail = [*buttons, context(digest, f"Run {code(request.run_id, 100)}")]
    text = (
        f"{request.stack}: approval needed: {sentence} Risk: {request.risk.level}. Asked by {request.requester}."
        f" {request.url}"
    )
    return compose(text, body, tail, attached(texts))


def _risk(risk: Risk) -> str:
    reasons = [f"• {line(reason.text, 300)}" for reason in risk.reasons]
    said = f"{_RISKS[risk.level]} *Risk: {risk.level}*"
    return f"{said}\n{bullets(reasons, MOST_REASONS)}" if reasons else said


def apply_began(record: DecisionRecord) -> Message:
    """The approval is used: Terraform begins."""
    who = ", ".join(record.approved_by) or "nobody"
    body = [section(f":arrow_forward: *Apply begins*\nApproved by {line(who, 300)}. The approval is used up by this.")]
    small = context(f"Plan sha256 {code(record.plan_sha256[:16], 16)}")
    return compose(f"Apply begins, approved by {who} (run {record.run_id})", body, [small])


def _warnings(request: ApprovalRequest) -> list[Block]:
    told = []
    if request.dirty:
        told.append(":warning: Files differ from the commit: what is planned is in no repository as it is.")
    told += [
        f":warning: A check of Terraform's does not hold: {line(check, 300)}" for check in request.summary.checks[:4]
    ]
    if not request.complete:
        told.append(":warning: The plan is not of the whole stack: it leaves resources out.")
    return [section("\n".join(told))] if told else []


def _governance(sentences: Iterable[str]) -> list[Block]:
    told = [f"• {line(sentence, 400)}" for sentence in sentences]
    return [section(f":warning: *Who and what judges it*\n{bullets(told, MOST_SENTENCES)}")] if told else []


def _code(sentences: Iterable[str]) -> list[Block]:
    told = [f"• {line(sentence, 400)}" for sentence in sentences]
    return [section(f":warning: *Code that will run*\n{bullets(told, MOST_SENTENCES)}")] if told else []


def _exposure(exposure: Exposure) -> list[Block]:
    groups = (
        (":unlock: opens", exposure.opened),
        (":question: may open", exposure.unknown),
        (":lock: closes", exposure.closed),
    )
    return [
        section(bullets([f"{sign} {_entry(entry)}" for entry in entries], MOST_ENTRIES))
        for sign, entries in groups
        if entries
    ]


def _entry(entry: ExposureEntry) -> str:
    source = party_in_full(entry.source, entry.source_kind)
    target = party_in_full(entry.target, entry.target_kind)
    return f"*{line(source, 120)}* → {code(target, 120)} on {line(opening(entry), 60)}"


def _counts(summary: PlanSummary) -> str:
    parts = [f"*{summary.create}* to add", f"*{summary.update}* to change", f"*{summary.delete}* to destroy"]
    parts += [f"*{summary.replace}* of them replaced"] if summary.replace else []
    parts += [f"*{count}* {words}" for words, count in rare_counts(summary).items() if count]
    listed = [f"• {line(action, 30)} {code(a)}" for action, found in summary.addresses.items() for a in found]
    return ", ".join(parts) + ("\n" + bullets(listed, MOST_ADDRESSES) if listed else "")


def _findings(findings: Iterable[Finding]) -> list[Block]:
    listed = sorted_findings(f for f in findings if f.verdict is not Verdict.PASSED)
    waived = [waiver_line(f) for f in listed if f.verdict is Verdict.WAIVED]
    found = [finding_line(f) for f in listed if f.verdict is not Verdict.WAIVED]
    said = f"*{plural(len(found), 'finding')}*\n{bullets(found, MOST_FINDINGS)}" if found else "*No findings*"
    blocks = [section(said)]
    if waived:
        blocks.append(section(f"*{plural(len(waived), 'waiver')} in force*\n{bullets(waived, MOST_FINDINGS)}"))
    return blocks


def _people(request: ApprovalRequest) -> list[tuple[str, str]]:
    approvers = ", ".join(line(name, 40) for name in request.approvers[:20]) or "nobody is named"
    pairs = [("Asked by", line(request.requester, 80) or "unknown"), ("Expires", moment(request.expires_at))]
    wrote = ", ".join([*request.authors, *request.unknown_authors]) or request.author
    if wrote and wrote != request.requester:
        pairs.append(("Commits by", line(wrote, 200)))
    more = " and one more, as not every author is known" if request.unknown_authors else ""
    pairs.append(("May approve", f"{request.quorum} of {approvers}{more}"))
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
    who = ", ".join(record.rejected_by if record.rejected else record.approved_by) or "nobody"
    by = f" by {who}" if record.approved or record.rejected else ""
    small = context(f"Plan sha256 {code(record.plan_sha256[:16], 16)}", f"checked {moment(record.checked_at)}")
    return compose(f"{word}{by} (run {record.run_id})", body, [small])


def _verdict(record: DecisionRecord) -> tuple[str, str]:
    if record.approved:
        return ":white_check_mark:", "Approved"
    return (":no_entry:", "Rejected") if record.rejected else (":hourglass_flowing_sand:", "Not approved")


def _decision_line(one: Decision) -> str:
    said = "approved" if one.approved else "rejected"
    # On one line: a second one could read like another person's answer.
    reason = f": {line(one.reason, 500)}" if one.reason else ""
    idle = f" It does not count: {line(one.why_not, 300)}" if one.counts is False else ""
    return f"*{line(one.user, 80)}* {said} {moment(one.at)} ({line(said_by(one.source), 60)}){reason}{idle}"
