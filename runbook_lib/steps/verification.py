"""The verification step: repository files against managed state against what AWS really has."""

from __future__ import annotations

from collections.abc import Sequence

from ..adapters.aws import Aws
from ..models.verification import Difference, DifferenceKind, Verification
from ..report.csv_formats import differences_csv
from ..report.result_view import ResultView
from ..workspace.clients import terraform_client
from ..workspace.comparison import compare_places, gather_places
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.kept import keeping_answers
from ..workspace.preflight import Check, CheckResult, preflight

_NAMED = 3
__all__ = ["check_ready", "compare_all", "decide", "start"]


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("verification", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for Terraform and for AWS."""
    with keeping_answers(context, "caller"):
        return preflight(
            context,
            Check("terraform", lambda: terraform_client(context.settings, context.run.stack).binary.version),
            Check("aws", lambda: Aws().identity()),
        )


@recorded
def compare_all(context: StepContext) -> Verification:
    """Compare the three, and write verification.json and verification.csv."""
    with keeping_answers(context, "aws"):
        found = compare_places(gather_places(context.settings, context.run.stack, print, context.import_later))
    context.store.write_json(context.file("verification.json"), found)
    context.store.write_text(context.file("verification.csv"), differences_csv(found))
    return found


@recorded
def decide(context: StepContext, found: Verification) -> ResultView:
    """End the step: blocked by any difference, and by whatever else Terraform still wants to change."""
    told = [difference for difference in found.differences if difference.accepted is None]
    drifted = [difference for difference in told if difference.kind is DifferenceKind.DRIFTED]
    rules = [difference for difference in told if difference.kind is not DifferenceKind.DRIFTED]
    accepted = len(found.differences) - len(told)
    context.metrics |= {"in_sync": found.in_sync, "differences": len(rules), "drifted": len(drifted)}
    line = _agreement(found, [difference for difference in rules if not difference.subject])
    wanted = [difference.address for difference in drifted if difference.wanted]
    outside = [difference.address for difference in drifted if not difference.wanted]
    beside = [difference.subject for difference in rules if difference.subject]
    for said, what in (
        ("Unknown to the state", beside),
        ("Terraform still wants to change", wanted),
        ("Changed outside of Terraform", outside),
    ):
        if what:
            more = f" and {len(what) - _NAMED} more" if len(what) > _NAMED else ""
            line += f" {said}: {', '.join(what[:_NAMED])}{more}."
    line += f" Differences that somebody answers for: {accepted}." if accepted else ""
    if found.checks:
        line += f" Terraform's own checks do not all hold: {found.checks[0]}."
    return context.finish(found.outcome, line)


def _agreement(found: Verification, rules: Sequence[Difference]) -> str:
    if rules:
        kinds = sorted({difference.kind.words for difference in rules})
        same = all(difference.same_access for difference in rules)
        nevertheless = " They let the same through as the repository's." if same else ""
        number = f"{len(rules)} rules differ" if len(rules) != 1 else "1 rule differs"
        return f"{number} ({', '.join(kinds)}), {found.in_sync} agree.{nevertheless}"
    line = f"Repository, state and AWS agree on {found.in_sync} rules."
    line = line if found.in_sync else "Nothing to compare: the stack has no security-group rules."
    return line + (f" {found.other_stacks} more in the same groups are other stacks'." if found.other_stacks else "")
