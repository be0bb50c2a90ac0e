"""The apply step: every check of the approval once more, then that saved plan and nothing else."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..adapters.aws import live_client
from ..adapters.store import sha256_file
from ..adapters.terraform import Completed
from ..adapters.terraform_errors import map_failure
from ..adapters.terraform_folder import ensure_initialised
from ..domain.named_values import mask_event, mask_named, named_secrets_in
from ..domain.redaction import strings_in
from ..errors import ApprovalError, RunbookError
from ..models.approval import DecisionRecord
from ..models.base import Outcome
from ..report.result_view import ResultView
from ..wording import NO_CHANGE
from ..workspace.asked import as_gitlab_says, check_own_pipeline
from ..workspace.clients import terraform_client
from ..workspace.context import StepContext, describe, open_step, recorded
from ..workspace.decisions import collect, facts_now, plan_digest, write_record
from ..workspace.kept import keep_answer, keeping_answers
from ..workspace.once import begin, outdated, refuse_odd_files, refuse_used, uncommitted_in_ci
from ..workspace.plan_check import find_plan, problems_of, refuse_changed_inputs
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.project_settings import check_project
from ..workspace.records import plan_file, read_request, steps_before
from ..workspace.slack_thread import Teller
from ..workspace.states import holder_named, learn, read_state

__all__ = ["Applied", "apply_plan", "check_ready", "confirm_approval", "decide", "start"]

AWS = "hashicorp/aws"


@dataclass(frozen=True)
class Applied:
    """What Terraform did: counts, and each resource with its action and seconds."""

    added: int
    changed: int
    destroyed: int
    resources: tuple[dict[str, Any], ...]
    outputs: dict[str, Any]


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step; refused, and nothing of the first one's record touched, where it was carried out already."""
    return open_step("apply", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for the plan, the request and Terraform."""
    return preflight(
        context,
        Check("project settings", lambda: check_project(context.settings, context.run.stack)),
        Check("plan", lambda: plan_digest(context.store)[:12]),
        Check("request", lambda: f"asked by {read_request(context.store).requester}"),
        Check("steps before", lambda: _all_passed(context)),
    )


def _all_passed(context: StepContext) -> str:
    # In a pipeline a job that failed stops those after it; whoever applies by hand must not pass over a no either.
    own = {step.name for step in context.settings.config.all_steps if not step.decides}
    for step in steps_before(context.store, context.step.name):
        result = context.store.read_result(step.name)
        if result and result.outcome.stops:
            raise ApprovalError(f"the step {step.name} {result.outcome}: {result.summary}", f"Run {step.name} again.")
        if result is None and step.name in own:
            raise ApprovalError(f"the step {step.name} has not been executed", f"Run {step.name} first.")
    return "none of them said no"


@recorded
def confirm_approval(context: StepContext) -> DecisionRecord:
    """Collect the decisions and check all of them against the plan and the state as they are now."""
    refuse_odd_files(context.store)
    check_own_pipeline(context.settings)
    refuse_used(context.settings, context.store, context.run)
    context.uses(context.store.path(plan_file(context.store)))
    found = find_plan(context, backend=True)
    with keeping_answers(context, "gitlab"):
        request = as_gitlab_says(context, read_request(context.store))
        print(f"Stack {request.stack}, plan {request.plan_sha256}: {request.exposure.sentence or NO_CHANGE}")  # noqa: T201
        problems = (
            *problems_of(context, request, found),
            *uncommitted_in_ci(context.settings, context.run.stack),
            *outdated(context.settings, context.run),
        )
        record = collect(context, request, replace(facts_now(context, request, found.sha256), problems=problems))
    write_record(context.store, record, context.step.name)
    Teller(context.settings, context.store, context.run).tell_decision(record)
    if not record.approved:
        # Each reason says what to do about it.
        raise ApprovalError(" ".join(record.reasons))
    context.metrics["approved"] = True
    return record


@recorded
def apply_plan(context: StepContext, record: DecisionRecord) -> Applied:
    """Apply the approved plan file; what Terraform said is kept in apply.jsonl and apply.txt whatever happens."""
    # The private copy that was shown, judged and digested: what lies in the run folder since then is not looked at.
    path = find_plan(context, backend=True).path
    if not record.approved or sha256_file(path) != record.plan_sha256:
        raise ApprovalError("the plan file is not the one that was approved", "Run the plan step again.")
    done = _carry_out(context, path, record)
    if done.status:
        with holder_named(context.settings, context.run.stack):
            raise _failure(done, _kept_state(context))
    with contextlib.suppress(RunbookError):
        # Nothing of the new state is needed, but what it calls sensitive must not be shown by a later cell either.
        read_state(context.settings, context.run.stack)
    applied = _applied(done)
    context.store.write_json(context.file("outputs.json"), applied.outputs)
    return applied


@recorded
def decide(context: StepContext, applied: Applied) -> ResultView:
    """End the step with what was done."""
    counts = {"added": applied.added, "changed": applied.changed, "destroyed": applied.destroyed}
    context.metrics |= counts
    return context.finish(Outcome.PASSED, f"Applied: {describe(counts) or 'nothing to change'}.")


def _carry_out(context: StepContext, plan: Path, record: DecisionRecord) -> Completed:
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        _print_event(context, line)

    on_aws = AWS in find_plan(context, backend=True).inputs.providers
    ask = partial(_keep_caller, context) if on_aws else _ask_nobody
    terraform = terraform_client(context.settings, context.run.stack, hear, ask)
    ensure_initialised(terraform)
    heard.clear()
    refuse_changed_inputs(context, terraform)
    begin(context, record)
    config, began = context.settings.config.terraform, time.time()
    try:
        done = terraform.apply(plan, f"-lock-timeout={config.lock_timeout}", f"-parallelism={config.parallelism}")
    except KeyboardInterrupt:
        # Terraform has ended all the same, and what it did counts.
        _keep(context, Completed(130, "\n".join(heard), ""), began)
        raise
    _keep(context, done, began)
    return done


def _ask_nobody() -> None:
    """Nobody but AWS is asked who we are."""


def _keep_caller(context: StepContext) -> None:
    """Who AWS says that we are, asked while Terraform works; without an answer why there is none."""
    with keeping_answers(context, "aws"):
        try:
            live_client().identity()
        except RunbookError as error:
            keep_answer(context, "aws", {"error": error.message})


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _print_event(context: StepContext, line: str) -> None:
    mask = context.settings.redactor
    for event in _events(line):
        # The engine is told of them later: this is another thread than the kernel's own.
        if secrets := named_secrets_in(event):
            mask.add(secrets)
        print(mask.mask(str(mask_event(event).get("@message", ""))))  # noqa: T201 - its progress, one line an event


def _masked(line: str) -> str:
    """A line of Terraform's events as it was, but for the values of names that secrets bear."""
    for event in _events(line):
        masked = mask_event(event)
        return line if masked == event else json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
    return line


def _keep(context: StepContext, done: Completed, began: float) -> None:
    sensitive = [output.get("value") for output in _outputs(done).values() if output.get("sensitive")]
    named = (secret for event in _events(done.stdout) for secret in named_secrets_in(event))
    learn(context.settings, strings_in(sensitive).union(named))
    said = "\n".join(map(_masked, done.stdout.split("\n")))
    context.store.write_text(context.file("apply.jsonl"), said)
    messages = [str(event.get("@message", "")) for event in _events(said)]
    context.store.write_text(context.file("apply.txt"), "\n".join([*messages, done.stderr]).strip() + "\n")
    # A state that could not be uploaded is the only copy: it is kept with the evidence, and said.
    left = context.stack_dir / "errored.tfstate"
    if left.is_file() and left.stat().st_mtime >= began - 1:
        context.store.write_bytes(context.file("errored.tfstate"), left.read_bytes())
        context.metrics["errored_state"] = context.file("errored.tfstate")


def _kept_state(context: StepContext) -> str:
    """What to do about a state that could not be uploaded; empty if there is none."""
    kept = context.metrics.get("errored_state")
    if not kept:
        return ""
    return (
        f"{kept} is the only copy of the new state. Upload it:"
        f" `runbook state push --stack {context.run.stack} {context.run.run_id}/{kept}`, then make a new plan."
    )


def _failure(done: Completed, remedy: str = "") -> RunbookError:
    errors = [event for event in _events(done.stdout) if event.get("@level") == "error"]
    applied = sum(1 for event in _events(done.stdout) if event.get("type") == "apply_complete")
    if not errors:
        return map_failure("apply", done.status, done.stderr)
    diagnostic = errors[0].get("diagnostic") or {}
    text = f"Error: {diagnostic.get('summary') or errors[0].get('@message')}\n\n{diagnostic.get('detail') or ''}"
    error = map_failure("apply", done.status, text)
    if not applied:
        return error
    half = f"{error.message}; {applied} {'resource was' if applied == 1 else 'resources were'} changed before it"
    return type(error)(half, remedy or f"{error.remedy} Then run from the plan step: the state has moved.")


def _applied(done: Completed) -> Applied:
    events = list(_events(done.stdout))
    changes: dict[str, Any] = next((e["changes"] for e in reversed(events) if e.get("type") == "change_summary"), {})
    hooks = [event["hook"] for event in events if event.get("type") == "apply_complete"]
    resources = tuple(
        {"address": hook["resource"]["addr"], "action": hook["action"], "seconds": hook.get("elapsed_seconds", 0)}
        for hook in hooks
    )
    added, changed, destroyed = (int(changes.get(name, 0)) for name in ("add", "change", "remove"))
    return Applied(added, changed, destroyed, resources, _public(_outputs(done)))


def _outputs(done: Completed) -> dict[str, Any]:
    found: list[dict[str, Any]] = [event["outputs"] for event in _events(done.stdout) if event.get("type") == "outputs"]
    return found[-1] if found else {}


def _public(outputs: dict[str, Any]) -> dict[str, Any]:
    shown = mask_named(outputs)
    return {name: "(sensitive)" if item.get("sensitive") else item.get("value") for name, item in shown.items()}
