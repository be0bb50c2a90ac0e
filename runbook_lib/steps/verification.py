"""The verification step: repository files against managed state against what AWS really has."""

from __future__ import annotations

from ..adapters.aws import Aws
from ..models.verification import Verification
from ..report.csv_formats import differences_csv
from ..report.result_view import ResultView
from ..workspace.clients import terraform_client
from ..workspace.comparison import compare_places, gather_places
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.kept import keeping_answers
from ..workspace.preflight import Check, CheckResult, preflight

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
    """End the step: blocked by any difference."""
    context.metrics |= {"in_sync": found.in_sync, "differences": len(found.differences)}
    if not found.differences:
        line = f"Repository, state and AWS agree on {found.in_sync} rules."
        line = line if found.in_sync else "Nothing to compare: the stack has no security-group rules."
        if found.other_stacks:
            line += f" {found.other_stacks} more in the same groups are other stacks'."
        return context.finish(found.outcome, line)
    kinds = sorted({difference.kind.value.replace("_", " ") for difference in found.differences})
    line = f"{len(found.differences)} rules differ ({', '.join(kinds)}), {found.in_sync} agree."
    return context.finish(found.outcome, line)
