"""The apply step: every check of the approval once more, then that saved plan and nothing else."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..adapters.aws import live_client
from ..adapters.store import sha256_file
from ..adapters.terraform import Completed
from ..adapters.terraform_errors import map_failure
from ..adapters.terraform_folder import ensure_initialised
from ..domain.carried_out import how_far, in_words, progress_of
from ..domain.named_values import mask_event, mask_named, named_secrets_in
from ..domain.redaction import strings_in
from ..errors import ApprovalError, RunbookError, TerraformError
from ..models.approval import DecisionRecord
from ..models.base import Outcome
from ..report.decision_tables import carried_out
from ..report.result_view import ResultView
from ..report.table import Table
from ..wording import NO_CHANGE
from ..workspace.asked import as_gitlab_says, check_own_pipeline, clock_of
from ..workspace.clients import terraform_client
from ..workspace.context import StepContext, describe, open_step, recorded
from ..workspace.decisions import collect, facts_now, plan_digest, write_record
from ..workspace.kept import keep_answer, keeping_answers
from ..workspace.once import begin, outdated, refuse_odd_files, refuse_used, uncommitted_in_ci
from ..workspace.plan_check import find_plan, problems_of, refuse_changed_inputs
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.project_settings import check_project
from ..workspace.records import drop_progress, keep_progress, plan_file, read_request, resources_file, steps_before
from ..workspace.runs import refuse_second
from ..workspace.service_baseline import take_baseline
from ..workspace.slack_thread import Teller
from ..workspace.state_push import ERRORED, keep_errored
from ..workspace.states import holder_named, learn, read_state

__all__ = ["Applied", "apply_plan", "check_ready", "confirm_approval", "decide", "start"]

P = ParamSpec("P")
T = TypeVar("T")
AWS = "hashicorp/aws"
# For so long a judgement is one of the moment at which Terraform begins.
_FRESH = timedelta(minutes=1)


@dataclass(frozen=True)
class Applied:
    """What Terraform did: counts, and each resource with its action and seconds."""

    added: int
    changed: int
    destroyed: int
    resources: tuple[dict[str, Any], ...]
    outputs: dict[str, Any]


def _once(
    function: Callable[Concatenate[StepContext, P], T],
) -> Callable[Concatenate[StepContext, P], T]:
    """Decorate a function of the step: by hand its cell may be executed again, also after Terraform has begun.

    Then it is refused, and not even its refusal is written over what the first one left.
    """

    @functools.wraps(function)
    def wrapper(context: StepContext, /, *args: P.args, **kwargs: P.kwargs) -> T:
        refuse_second(context.store)
        return function(context, *args, **kwargs)

    return wrapper


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step; refused, and nothing of the first one's record touched, where it was carried out already."""
    return open_step("apply", run_id, stack)


@_once
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


@_once
@recorded
def confirm_approval(context: StepContext) -> DecisionRecord:
    """Collect the decisions and check all of them against the plan and the state as they are now."""
    return _judge(context)


def _judge(context: StepContext) -> DecisionRecord:
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
        record = collect(context, request, replace(facts_now(context, request, found), problems=problems))
    write_record(context.store, record, context.step.name)
    Teller(context.settings, context.store, context.run).tell_decision(record)
    if not record.approved:
        # Each reason says what to do about it.
        raise ApprovalError(" ".join(record.reasons))
    context.metrics["approved"] = True
    return record


@_once
@recorded
def apply_plan(context: StepContext, record: DecisionRecord) -> Applied:
    """Apply the approved plan file; what Terraform said is kept in apply.jsonl and apply.txt whatever happens."""
    # The private copy that was shown, judged and digested: what lies in the run folder since then is not looked at.
    path = find_plan(context, backend=True).path
    if not record.approved or sha256_file(path) != record.plan_sha256:
        raise ApprovalError("the plan file is not the one that was approved", "Run the plan step again.")
    take_baseline(context)
    done = _carry_out(context, path, record)
    far = _keep_how_far(context, done)
    if done.status:
        with holder_named(context.settings, context.run.stack):
            raise _failure(done, context.run.stack, _kept_state(context), in_words(far))
    with contextlib.suppress(RunbookError):
        # Nothing of the new state is needed, but what it calls sensitive must not be shown by a later cell either.
        read_state(context.settings, context.run.stack)
    applied = _applied(done)
    if any(one["status"] != "done" for one in far):
        # What was not carried out whole is no success, whatever Terraform's status says.
        raise TerraformError(
            f"Terraform ended well, though of what the plan changes {in_words(far)}",
            "Read apply.jsonl in the run folder, then begin a new run: it plans what is left to do.",
        )
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
        with contextlib.suppress(RunbookError):
            # A full disk must not keep the progress from being shown.
            keep_progress(context.store, filter(None, map(progress_of, _events(line))))
        _print_event(context, line)

    on_aws = AWS in find_plan(context, backend=True).inputs.providers
    ask = partial(_keep_caller, context) if on_aws else _ask_nobody
    terraform = terraform_client(context.settings, context.run.stack, hear, ask)
    ensure_initialised(terraform)
    heard.clear()
    refuse_changed_inputs(context, terraform)
    if clock_of(context.settings, context.clock()) - record.checked_at > _FRESH:
        # By hand days may lie between two cells, and a baseline can take its time: somebody may have said no.
        record = _judge(context)
    begin(context, record)
    config, before = context.settings.config.terraform, _state_left(context)
    try:
        done = terraform.apply(plan, f"-lock-timeout={config.lock_timeout}", f"-parallelism={config.parallelism}")
    except KeyboardInterrupt:
        # Terraform has ended all the same, and what it did counts.
        stopped = Completed(130, "\n".join(heard), "")
        _keep(context, stopped, before)
        _keep_how_far(context, stopped)
        raise
    _keep(context, done, before)
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


def _state_left(context: StepContext) -> tuple[int, ...]:
    """What tells a state that could not be uploaded from an older one; no clock, which may not be the file system's."""
    try:
        found = (context.stack_dir / ERRORED).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _keep(context: StepContext, done: Completed, before: tuple[int, ...]) -> None:
    try:
        # A state that could not be uploaded is the only copy: it is kept with the evidence before all else, and said.
        if _state_left(context) not in {(), before}:
            left = context.stack_dir / ERRORED
            context.metrics["errored_state"] = keep_errored(context.settings, context.store, context.run.stack, left)
    finally:
        _keep_said(context, done)


def _keep_said(context: StepContext, done: Completed) -> None:
    sensitive = [output.get("value") for output in _outputs(done).values() if output.get("sensitive")]
    named = (secret for event in _events(done.stdout) for secret in named_secrets_in(event))
    learn(context.settings, strings_in(sensitive).union(named))
    said = "\n".join(map(_masked, done.stdout.split("\n")))
    context.store.write_text(context.file("apply.jsonl"), said)
    messages = [str(event.get("@message", "")) for event in _events(said)]
    context.store.write_text(context.file("apply.txt"), "\n".join([*messages, done.stderr]).strip() + "\n")


def _keep_how_far(context: StepContext, done: Completed) -> tuple[dict[str, str], ...]:
    """Keep, and where it did not end well show, what became of each resource that the plan changes."""
    changes, left = find_plan(context, backend=True).plan.changes, bool(context.metrics.get("errored_state"))
    well = not done.status and any(event.get("type") == "change_summary" for event in _events(done.stdout))
    far = how_far(changes, _events(done.stdout), state_left=left, ended_well=well)
    context.store.write_json(resources_file(context.store), list(far))
    drop_progress(context.store)
    if any(one["status"] != "done" for one in far) or done.status:
        context.metrics["carried_out"] = in_words(far)
        _show(carried_out(far))
    return far


def _show(table: Table) -> None:
    """Show a table before the error that follows it: of a cell that fails nothing else is shown."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

    if InteractiveShell.initialized():
        display(table)  # type: ignore[no-untyped-call]
    else:
        print(f"{table.caption}\n{table.text()}".strip())  # noqa: T201 - as a kernel shows it


def _kept_state(context: StepContext) -> str:
    """What to do about a state that could not be uploaded; empty if there is none."""
    kept = context.metrics.get("errored_state")
    if not kept:
        return ""
    return (
        f"{kept} is the only copy of the new state. Upload it:"
        f" `runbook state push --stack {context.run.stack} {context.run.run_id}/{kept}`, then make a new plan."
    )


def _failure(done: Completed, stack: str, remedy: str = "", far: str = "") -> RunbookError:
    errors = [event for event in _events(done.stdout) if event.get("@level") == "error"]
    applied = sum(1 for event in _events(done.stdout) if event.get("type") == "apply_complete")
    text = done.stderr
    if errors:
        diagnostic = errors[0].get("diagnostic") or {}
        text = f"Error: {diagnostic.get('summary') or errors[0].get('@message')}\n\n{diagnostic.get('detail') or ''}"
    error = map_failure("apply", done.status, text, stack)
    if not applied:
        return type(error)(error.message, remedy) if remedy else error
    half = f"{error.message}; {applied} {'resource was' if applied == 1 else 'resources were'} changed before it"
    half += f" ({far}; resources.json names each)" if far else ""
    return type(error)(half, remedy or f"{error.remedy} Then begin a new run: the state has moved.")


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
