"""Going on with a run: whether its plan is still of the state that is there, and what an apply left that began."""

from __future__ import annotations

import json

from ..adapters.store import RunStore
from ..domain.carried_out import in_full
from ..errors import ApprovalError, GitLabError, InputError
from ..models.base import Outcome
from ..models.run import Run
from ..models.steps import find_step
from ..settings import Settings
from .clients import stack_config
from .earlier import far_of_killed
from .records import began_file, read_resources, read_summary
from .states import keeper

__all__ = ["apply_left", "state_moved"]


def apply_left(settings: Settings, store: RunStore, run: Run) -> str:
    """How an apply of the run ended that began and did not end well; empty where none did.

    ApprovalError in a pipeline, whose run can't be followed by another one.
    """
    if not (find_step(run.steps, "apply") and store.exists(began_file(store))):
        return ""
    result = store.read_result("apply")
    if result and result.outcome is Outcome.PASSED:
        return ""
    said = f"its apply began and did not end well ({_far(store)})"
    if settings.environment.pipeline_id:
        raise ApprovalError(
            f"run {run.run_id} is not gone on with: {said}", "Start a new pipeline: its plan shows what is left to do."
        )
    return said


def _far(store: RunStore) -> str:
    try:
        return in_full(read_resources(store)) or "nothing was to be changed"
    except InputError:
        return far_of_killed(store)


def state_moved(settings: Settings, store: RunStore, run: Run) -> str | None:
    """How the state differs from the one that the run's plan was made on; empty where it does not, or there is no plan.

    None where nobody here can tell.
    """
    plan = store.read_result("plan") if find_step(run.steps, "plan") else None
    if plan is None or plan.outcome.stops:
        return ""
    try:
        summary, client = read_summary(store), keeper(settings, run.stack)
        if client is None:
            return None
        state = json.loads(client.state(stack_config(settings, run.stack).state) or b"{}")
        lineage, serial = str(state.get("lineage") or summary.state_lineage), int(state.get("serial") or 0)
    except (InputError, GitLabError, ValueError, AttributeError):
        return None
    if (lineage, serial) == (summary.state_lineage, summary.state_serial):
        return ""
    return f"the state has serial {serial} now, and the plan was made on serial {summary.state_serial}"
