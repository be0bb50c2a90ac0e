"""What the steps of a run leave for those after them: the one place that knows which file holds what."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..adapters.age import decrypt
from ..adapters.store import RunStore
from ..domain.evidence import REJECTION
from ..domain.plan import parse_plan
from ..errors import InputError
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.exposure import Exposure
from ..models.findings import Finding
from ..models.plan import Plan, PlanInputs, PlanSummary
from ..models.results import StepResult
from ..models.risk import Risk
from ..models.services import ServiceReport
from ..models.steps import RunStep, find_step
from ..models.verification import Verification

__all__ = [
    "OUTCOME_FILE",
    "began_file",
    "decision_file",
    "drop_progress",
    "findings_that_count",
    "inputs_file",
    "keep_progress",
    "last_decision",
    "plan_file",
    "plan_text_files",
    "read_decision",
    "read_exposure",
    "read_inputs",
    "read_plan",
    "read_plan_result",
    "read_progress",
    "read_request",
    "read_resources",
    "read_risk",
    "read_services",
    "read_summary",
    "read_verification",
    "rejected_by",
    "request_file",
    "resources_file",
    "steps_before",
]

COMPLIANCE, PLAN, APPROVAL, APPLY, VERIFICATION, SERVICE_TESTS = (
    "compliance",
    "plan",
    "approval",
    "apply",
    "verification",
    "service_tests",
)

# How a team's own step ended, as its notebook says it in any language.
ENCRYPTED = ".age"
OUTCOME_FILE = "outcome.json"


def plan_file(store: RunStore) -> str:
    """The path of the plan that is approved and applied, inside the run folder: the encrypted one, if there is one."""
    return _maybe_encrypted(store, "plan.tfplan")


def plan_json_file(store: RunStore) -> str:
    """The path of what Terraform says of the plan, inside the run folder: the encrypted one, if there is one."""
    return _maybe_encrypted(store, "plan.json")


def _maybe_encrypted(store: RunStore, name: str) -> str:
    plain = store.file(PLAN, name)
    return f"{plain}{ENCRYPTED}" if store.exists(f"{plain}{ENCRYPTED}") else plain


def inputs_file(store: RunStore) -> str:
    """The path of what the plan was made from, inside the run folder."""
    return store.file(PLAN, "inputs.json")


def read_inputs(store: RunStore) -> PlanInputs:
    """What the plan was made with and from; InputError if that is not there."""
    return store.read_model(inputs_file(store), PlanInputs)


def began_file(store: RunStore) -> str:
    """The path of the word that apply began, inside the run folder: from then on the approval is used up."""
    return store.file(APPLY, "began.json")


def resources_file(store: RunStore) -> str:
    """The path of what became of each resource that the plan changes, inside the run folder."""
    return store.file(APPLY, "resources.json")


def read_resources(store: RunStore) -> tuple[dict[str, str], ...]:
    """What became of each resource that the plan changes; InputError if nothing was applied, or the file is no list."""
    found = store.read_json(resources_file(store))
    if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
        raise InputError(f"run {store.run_id}: {resources_file(store)} is no list of resources", "Begin a new run.")
    return tuple({str(key): str(value) for key, value in one.items()} for one in found)


def keep_progress(store: RunStore, events: Iterable[Mapping[str, Any]]) -> None:
    """Note that resources were begun or ended, as it happens: all that there is of an apply whose process is killed."""
    store.append_lines(_progress_file(store), (json.dumps(event) for event in events))


def drop_progress(store: RunStore) -> None:
    """Take the notes away where what became of each resource is written down."""
    store.path(_progress_file(store)).unlink(missing_ok=True)


def read_progress(store: RunStore) -> tuple[dict[str, Any], ...]:
    """The events that were noted; a line that was half written when the process was killed is none."""
    found, path = [], _progress_file(store)
    for line in store.read_text(path).splitlines() if store.exists(path) else ():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            found += [event] if isinstance(event, dict) else []
    return tuple(found)


def _progress_file(store: RunStore) -> str:
    return store.file(APPLY, "progress.jsonl")


def plan_text_files(store: RunStore) -> tuple[str, ...]:
    """The texts that an approver reads: the verdict on the plan, and the plan."""
    return store.file(PLAN, "compliance.txt"), store.file(PLAN, "plan.txt")


def request_file(store: RunStore) -> str:
    """The path of the approval request, inside the run folder."""
    return store.file(APPROVAL, "request.json")


def decision_file(store: RunStore, step: str = APPROVAL) -> str:
    """The path of what was decided when this step judged it, inside the run folder."""
    return store.file(step, "decision.json")


def read_plan(store: RunStore, age_key: str = "") -> Plan:
    """Terraform's plan, sensitive values masked; InputError if there is none, ConfigError without the key to it."""
    name = plan_json_file(store)
    if not name.endswith(ENCRYPTED):
        return parse_plan(store.read_text(name).encode())
    return parse_plan(decrypt(store.path(name).read_bytes(), age_key, name))


def read_summary(store: RunStore) -> PlanSummary:
    """The plan's counts and digest; InputError if there are none."""
    return store.read_model(store.file(PLAN, "summary.json"), PlanSummary)


def read_exposure(store: RunStore) -> Exposure:
    """Who can newly reach what by the plan; InputError if nothing was planned."""
    return store.read_model(store.file(PLAN, "exposure.json"), Exposure)


def read_risk(store: RunStore) -> Risk:
    """How risky the plan is by itself; InputError if nothing was planned."""
    return store.read_model(store.file(PLAN, "risk.json"), Risk)


def read_plan_result(store: RunStore) -> StepResult:
    """The result of a plan that may be approved; InputError if there is none."""
    result = store.read_result(PLAN)
    if result is None or result.outcome.stops:
        raise InputError(f"run {store.run_id} has no plan that may be approved", "Run the plan step first.")
    return result


def read_request(store: RunStore) -> ApprovalRequest:
    """The request that the approval step wrote; InputError if it did not."""
    return store.read_model(request_file(store), ApprovalRequest)


def read_decision(store: RunStore) -> DecisionRecord:
    """What was decided, as apply found it if it came to that; InputError if nothing was."""
    judged = [step.name for step in store.steps if step.name in {APPROVAL, APPLY}]
    last = next((name for name in reversed(judged) if store.exists(decision_file(store, name))), APPROVAL)
    return store.read_model(decision_file(store, last), DecisionRecord)


def last_decision(store: RunStore) -> DecisionRecord:
    """The same, or the no of the pipeline's own job for it, which comes after the approval step was sealed."""
    applied = find_step(store.steps, APPLY) and store.exists(decision_file(store, APPLY))
    if store.exists(REJECTION) and not applied:
        return store.read_model(REJECTION, DecisionRecord)
    return read_decision(store)


def rejected_by(store: RunStore) -> tuple[str, ...]:
    """Who rejected the plan that the run has now; nobody where nothing was decided."""
    if not find_step(store.steps, PLAN) or not store.exists(store.file(PLAN, "summary.json")):
        return ()
    try:
        record, plan = last_decision(store), read_summary(store)
    except InputError:
        return ()
    return record.rejected_by if record.rejected and record.plan_sha256 == plan.plan_sha256 else ()


def read_verification(store: RunStore) -> Verification:
    """What the verification found; InputError if there was none."""
    return store.read_model(store.file(VERIFICATION, "verification.json"), Verification)


def read_services(store: RunStore) -> ServiceReport:
    """What the service tests found; InputError if there were none."""
    return store.read_model(store.file(SERVICE_TESTS, "results.json"), ServiceReport)


def steps_before(store: RunStore, name: str) -> tuple[RunStep, ...]:
    """The run's steps that stand before this one."""
    names = [step.name for step in store.steps]
    return store.steps[: names.index(name)] if name in names else store.steps


def findings_that_count(results: Iterable[StepResult]) -> tuple[Finding, ...]:
    """The findings of all steps; the plan's judgement, with everything resolved, takes the place of the files'."""
    given = tuple(results)
    planned = any(result.step == PLAN and not _failed(result) for result in given)
    counting = (result for result in given if not (planned and result.step == COMPLIANCE))
    return tuple(finding for result in counting for finding in result.findings)


def _failed(result: StepResult) -> bool:
    # A plan step that an error ended has judged nothing.
    return result.error is not None
