"""`runbook check --self-test`: the tests of the policies, and their examples, which are tests as well."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from ..adapters.hcl import read_hcl
from ..adapters.policies import check_policy_ids, load_policies, load_policy_tests
from ..domain.compliance import judge
from ..domain.plan import parse_plan
from ..domain.rules import ResourceView, RuleChanges, hcl_changes, rules_from_plan
from ..errors import RunbookError
from ..models.compliance import JudgeOptions, Policy, Scope
from ..models.findings import Verdict
from ..models.policies import Expected, PolicyTest
from ..workspace.policy_gate import PolicyFiles
from .inputs import read_bounded

__all__ = ["run_policy_tests"]


def run_policy_tests(files: PolicyFiles) -> tuple[str, bool]:
    """One line a test and a summary, and whether all passed."""
    policies = load_policies(files.policies)
    results = [*_examples(policies), *_files(files.policies / "tests", policies)]
    lines = [
        f"{'failed' if problems else 'passed'}  {name}" + "".join(f"\n    {p}" for p in problems)
        for name, problems in results
    ]
    failures = sum(bool(problems) for _, problems in results)
    lines.append(f"{len(results) - failures} of {len(results)} policy tests passed.")
    return "\n".join(lines) + "\n", failures == 0


def _examples(policies: tuple[Policy, ...]) -> Iterator[tuple[str, list[str]]]:
    for policy in policies:
        if policy.examples is None:
            yield f"{policy.id}: examples", ["the policy has no examples"]
            continue
        given = policy.examples
        bad, good = (
            _verdicts(_acting(_from_text(text), given.action), policy, today=given.today)
            for text in (given.bad, given.good)
        )
        yield f"{policy.id}: the bad example fails", [] if Verdict.FAILED in bad.values() else ["it does not fail"]
        yield f"{policy.id}: the good example passes", [f"{place} is {verdict}" for place, verdict in good.items()]


def _files(folder: Path, policies: tuple[Policy, ...]) -> Iterator[tuple[str, list[str]]]:
    known = {policy.id: policy for policy in policies}
    for path, tests in load_policy_tests(folder):
        for test in tests:
            check_policy_ids(test.expect, policies, f"{path}: {test.name}")
            changes = _changes(test, folder)
            problems = [
                p for name, expected in test.expect.items() for p in _compare(changes, known[name], test, expected)
            ]
            yield f"{path.name}: {test.name}", problems


def _changes(test: PolicyTest, folder: Path) -> RuleChanges:
    if test.hcl:
        return _from_text(test.hcl)
    return rules_from_plan(parse_plan(read_bounded(folder / test.plan)))


def _from_text(text: str) -> RuleChanges:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "example.tf").write_text(text, encoding="utf-8")
        return hcl_changes(read_hcl(Path(folder), base=Path(folder)))


def _acting(changes: RuleChanges, action: str) -> RuleChanges:
    """The same where this is done to every resource."""
    if action == "create":
        return changes

    def views(types: Collection[str]) -> Iterator[ResourceView]:
        return (replace(view, action=action) for view in changes.resources_of(types))

    return replace(changes, resources_of=views)


def _compare(changes: RuleChanges, policy: Policy, test: PolicyTest, expected: Expected) -> Iterator[str]:
    found = _verdicts(changes, policy, Scope(test.scope), test.today)
    wanted = {**dict.fromkeys(expected.unknown, Verdict.UNKNOWN), **dict.fromkeys(expected.failed, Verdict.FAILED)}
    for address in sorted(found.keys() | wanted.keys()):
        is_, should = found.get(address, Verdict.PASSED), wanted.get(address, Verdict.PASSED)
        if is_ is not should:
            yield f"{policy.id} at {address}: {is_}, and should be {should}"


def _verdicts(
    changes: RuleChanges, policy: Policy, scope: Scope = Scope.CHANGED, today: date | None = None
) -> dict[str, Verdict]:
    """The worst verdict at each address."""
    found: dict[str, Verdict] = {}
    try:
        report = judge(changes, (policy,), options=JudgeOptions(scope=scope), today=today)
    except RunbookError as error:
        raise type(error)(f"{policy.id}: {error.message}", error.remedy) from error
    for finding in report.findings:
        if finding.policy == policy.id and found.get(finding.address) is not Verdict.FAILED:
            found[finding.address] = finding.verdict
    return found
