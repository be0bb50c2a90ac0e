"""Every policy against every rule and resource of a change, and what comes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Literal

from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.compliance import Checked, ComplianceReport, JudgeOptions, Scope, Waiver
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.policies import Policy
from runbook_lib.models.rules import UNKNOWABLE_FIELDS, Rule
from runbook_lib.wording import describe_rule

from ..rules import LIST_TYPES, RULE_TYPES, RuleChanges
from ..waivers import apply_waivers
from .expression import Prepared, compile_expression
from .logic import Truth
from .match import Matcher, Verdicts
from .quotas import Excess, crowded_groups, crowded_interfaces
from .together import world_together
from .uncovered import uncovered
from .unjudged import doubtful_files, unjudged_types, unread_modules
from .wide_lists import widened_lists

__all__ = ["combine", "judge", "outcome_of"]

_ORDER = list(Severity)


def judge(
    changes: RuleChanges,
    policies: Sequence[Policy],
    waivers: Sequence[Waiver] = (),
    options: JudgeOptions | None = None,
    today: date | None = None,
) -> ComplianceReport:
    """Judge what a change adds or alters, or with `Scope.ALL` all that stands after it.

    Waivers count on `today`, and what ends soon or late is so from that day; without one neither is known.
    """
    options = options or JudgeOptions()
    everything = options.scope is Scope.ALL
    indexes = range(len(changes.after)) if everything else sorted(changes.touched | uncovered(changes))
    looked_at = _looked_at(policies)
    standing = [(address, kind) for address, kind, touched in changes.standing() if touched or everything]
    findings = [
        *_rule_findings(changes, indexes, policies, options, today),
        *_resource_findings(changes, policies, options),
        *_list_findings(changes, policies, options),
        *_quota_findings(changes, policies, options),
        *unjudged_types(standing, looked_at),
        *unread_modules(changes.unread),
        *doubtful_files(changes.doubtful),
    ]
    findings.sort(key=lambda f: (_ORDER.index(f.severity), f.verdict is not Verdict.FAILED, f.address, f.policy))
    judged = sum(1 for _, kind in standing if kind in looked_at)
    checked = Checked(resources=judged, rules=len(indexes), policies=len(policies))
    found, states = apply_waivers(findings, waivers, today or date.min)
    return ComplianceReport(outcome=outcome_of(found), checked=checked, findings=found, waivers=states)


def _looked_at(policies: Sequence[Policy]) -> frozenset[str]:
    """The types of resources of which some policy judges what they are; whether they may go is another matter."""
    kinds = {kind for p in policies if p.resource and "values" in p.resource.when for kind in p.resource.types}
    rules = RULE_TYPES | LIST_TYPES if any(policy.rule for policy in policies) else frozenset()
    return frozenset(kinds | rules)


def combine(
    report: ComplianceReport, others: Iterable[Finding], waivers: Sequence[Waiver], today: date
) -> ComplianceReport:
    """The report with what other tools found; a waiver may name `tool:rule` as its policy."""
    foreign, states = apply_waivers(list(others), waivers, today)
    used = {state.waiver: state for state in states if state.findings}
    merged = tuple(s if s.findings else used.get(s.waiver, s) for s in report.waivers)
    findings = (*report.findings, *foreign)
    return report.model_copy(update={"findings": findings, "outcome": outcome_of(findings), "waivers": merged})


def outcome_of(findings: Iterable[Finding]) -> Literal[Outcome.PASSED, Outcome.WARNED, Outcome.BLOCKED]:
    """Blocked by one finding that blocks, warned by any other that no waiver hides."""
    actions = {finding.action for finding in findings if finding.verdict is not Verdict.WAIVED}
    if Action.BLOCK in actions:
        return Outcome.BLOCKED
    return Outcome.WARNED if actions else Outcome.PASSED


def _rule_findings(
    changes: RuleChanges,
    indexes: Sequence[int],
    policies: Sequence[Policy],
    options: JudgeOptions,
    today: date | None,
) -> Iterator[Finding]:
    groups, perhaps = changes.default_groups, changes.perhaps_default
    matchers = [(p, Matcher.of(p.rule, groups, today, perhaps)) for p in policies if p.rule is not None]
    slices = world_together(changes.after) if any(matcher.world for _, matcher in matchers) else {}
    alone = Verdicts([matcher for _, matcher in matchers], groups, perhaps)
    for index in indexes:
        rule, parts = changes.after[index], slices.get(index)
        if not parts:
            for number, truth in alone(rule):
                yield _finding(matchers[number][0], truth, rule, options, together=False)
            continue
        for policy, matcher in matchers:
            truth = matcher(rule, parts)
            if truth is not False:
                together = matcher.world and matcher(rule, ()) is not truth
                yield _finding(policy, truth, rule, options, together=together)


def _finding(policy: Policy, truth: Truth, rule: Rule, options: JudgeOptions, *, together: bool) -> Finding:
    message = _message(policy, rule, certain=truth is True, together=together)
    return _made(policy, truth, options, (rule.address, rule, message))


def _resource_findings(changes: RuleChanges, policies: Sequence[Policy], options: JudgeOptions) -> Iterator[Finding]:
    by_type: dict[str, list[Policy]] = defaultdict(list)
    for policy in policies:
        for kind in policy.resource.types if policy.resource else ():
            by_type[kind].append(policy)
    if not by_type:
        return
    texts = {p.id: p.resource.when for p in policies if p.resource}
    compiled = {text: compile_expression(text) for text in set(texts.values())}
    programs = {name: compiled[text] for name, text in texts.items()}
    acting = any(program.acts for program in programs.values())
    standing = ((view, False) for view in changes.resources_of(by_type.keys()))
    leaving = ((view, True) for view in (changes.leaving_of(by_type.keys()) if acting else ()))
    for view, leaves in chain(standing, leaving):
        if not view.touched and options.scope is not Scope.ALL:
            continue
        prepared = Prepared(view)
        for policy in by_type[view.type]:
            if leaves and not programs[policy.id].acts:
                continue
            truth = prepared.answer(programs[policy.id])
            if truth is not False:
                message = _message(policy, None, certain=truth is True)
                yield _made(policy, truth, options, (view.address, None, message))


def _list_findings(changes: RuleChanges, policies: Sequence[Policy], options: JudgeOptions) -> Iterator[Finding]:
    asking = [policy for policy in policies if policy.prefix_list]
    if not asking:
        return
    for address, truth, networks in widened_lists(changes, everything=options.scope is Scope.ALL):
        for policy in asking:
            message = f"{_message(policy, None, certain=truth is True)}: {networks}"
            yield _made(policy, truth, options, (address, None, message))


def _quota_findings(changes: RuleChanges, policies: Sequence[Policy], options: JudgeOptions) -> Iterator[Finding]:
    everything = options.scope is Scope.ALL
    for policy in policies:
        found: list[Excess] = []
        if policy.quota and policy.quota.rules_per_group:
            found += crowded_groups(changes, policy.quota.rules_per_group, everything=everything)
        if policy.quota and policy.quota.groups_per_interface:
            found += crowded_interfaces(changes, policy.quota.groups_per_interface, everything=everything)
        for excess in found:
            message = f"{_message(policy, None, certain=excess.truth is True)}: {excess.told}"
            yield _made(policy, excess.truth, options, (excess.address, None, message))


def _made(policy: Policy, truth: Truth, options: JudgeOptions, what: tuple[str, Rule | None, str]) -> Finding:
    action = options.actions.get(policy.id, policy.action) if truth else policy.on_unknown
    if truth is None and options.early:
        action = Action.WARN
    address, rule, message = what
    return Finding.trusted(
        policy=policy.id,
        verdict=Verdict.FAILED if truth else Verdict.UNKNOWN,
        severity=options.severities.get(policy.id, policy.severity),
        address=address,
        rule=rule,
        message=message,
        remedy=policy.remedy,
        controls=policy.controls,
        source=None,
        waiver=None,
        action=action,
        tool="runbook",
    )


def _message(policy: Policy, rule: Rule | None, *, certain: bool, together: bool = False) -> str:
    title = policy.title if certain else f"It can't be told whether this holds: {policy.title}"
    if rule is None:
        return title
    ending = ", which is the world together with other rules of the group" if together else ""
    unknown = "" if certain else _unknown_fields(rule)
    return f"{title}: {describe_rule(rule)}{ending}{unknown}"


def _unknown_fields(rule: Rule) -> str:
    missing = [name for name in UNKNOWABLE_FIELDS if getattr(rule, name) is UNKNOWN]
    return f" (not known before apply: {', '.join(missing)})" if missing else ""
