"""The plan step: what Terraform would do, judged again with everything resolved, and whom it exposes."""

from __future__ import annotations

import io
import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..adapters.store import sha256_file
from ..adapters.terraform_folder import ensure_initialised
from ..domain.exposure import exposure
from ..domain.group_names import group_names
from ..domain.plan import parse_plan, summarise
from ..domain.rules import rules_from_plan
from ..domain.sensitive import mask_plan, plan_secrets
from ..errors import InputError
from ..models.base import Outcome
from ..models.compliance import ComplianceReport
from ..models.exposure import Exposure
from ..models.plan import Plan, PlanSummary
from ..report.result_view import ResultView
from ..workspace.clients import terraform_client
from ..workspace.context import StepContext, describe, open_step, recorded
from ..workspace.policy_gate import PolicyGate
from ..workspace.policy_reports import judge_changes, open_gate, write_reports
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.records import plan_file
from ..workspace.states import holder_named, learn

__all__ = ["Planned", "check_ready", "decide", "make_plan", "read_lineage", "start"]

# What Terraform says while it looks around: of no use to who reads the plan, and of a length with the stack.
NOISE = re.compile(r"^.*: (?:Reading\.\.\.|Read complete after|Still reading|Refreshing state\.\.\.).*\n", re.MULTILINE)


@dataclass(frozen=True)
class Planned:
    """A plan and all that was found out about it."""

    plan: Plan
    summary: PlanSummary
    report: ComplianceReport
    exposure: Exposure


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("plan", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for Terraform, its state and AWS credentials."""
    return preflight(context, Check("terraform", lambda: _terraform_version(context)))


@recorded
def make_plan(context: StepContext, *, lock: bool = True, scope: str = "changed") -> Planned:
    """Plan, keep the file and its text, judge it, and write summary.json, exposure.json and gl-terraform.json."""
    context.uses_repository()
    terraform = terraform_client(context.settings, context.run.stack, print, context.import_later)
    path = context.store.path(plan_file(context.store))
    ensure_initialised(terraform)
    with ThreadPoolExecutor(max_workers=1) as pool, holder_named(context.settings, context.stack.state):
        # The policies are read while Terraform is at work.
        reading = pool.submit(open_gate, context)
        text = terraform.plan(path, *_options(context, lock))
    context.store.write_text(context.file("plan.txt"), NOISE.sub("", text).lstrip("\n"))
    document = json.loads(terraform.show_plan(path))
    learn(context.settings, plan_secrets(document))
    context.store.write_json(context.file("plan.json"), mask_plan(document))
    return _judge(context, parse_plan(document), reading.result(), scope)


@recorded
def decide(context: StepContext, change: Planned) -> ResultView:
    """End the step: blocked by the judgement, or passed with what the plan would do."""
    summary = change.summary
    counts = {"to add": summary.create, "to change": summary.update, "to destroy": summary.delete}
    what = describe({**counts, "to forget": summary.forget, "to import": summary.import_}) or "nothing to change"
    context.metrics |= {"create": summary.create, "update": summary.update, "delete": summary.delete}
    context.metrics |= {"plan_sha256": summary.plan_sha256, "exposure": change.exposure.sentence}
    outcome = change.report.outcome
    line = f"Plan: {what}. {change.exposure.sentence}"
    if outcome is Outcome.BLOCKED:
        line = f"{change.report.sentence} Plan: {what}."
    return context.finish(outcome, line.strip(), change.report.findings)


def read_lineage(plan: bytes) -> tuple[str, int | None]:
    """Lineage and serial of the state that a plan file was made against (the file is a zip that holds it)."""
    try:
        with zipfile.ZipFile(io.BytesIO(plan)) as archive:
            state = json.loads(archive.read("tfstate"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"the plan file can't be read: {error}", "Run the plan step again.") from error
    lineage = str(state.get("lineage", ""))
    # Terraform writes serial 0 and a lineage of its own where there was no state yet.
    return lineage, int(state.get("serial", 0))


def _judge(context: StepContext, plan: Plan, gate: PolicyGate, scope: str) -> Planned:
    changes = rules_from_plan(plan)
    report = judge_changes(context, gate, changes, scope)
    write_reports(context, report)
    exposed = exposure(changes.before, changes.after, group_names(plan))
    path = context.store.path(plan_file(context.store))
    lineage, serial = read_lineage(path.read_bytes())
    summary = summarise(plan).model_copy(
        update={"plan_sha256": sha256_file(path), "state_lineage": lineage, "state_serial": serial}
    )
    context.store.write_json(context.file("summary.json"), summary)
    context.store.write_json(context.file("exposure.json"), exposed)
    counts = {"create": summary.create, "update": summary.update, "delete": summary.delete}
    context.store.write_json(context.file("gl-terraform.json"), counts)
    return Planned(plan, summary, report, exposed)


def _terraform_version(context: StepContext) -> str:
    binary = terraform_client(context.settings, context.run.stack).binary
    return f"{binary.product} {binary.version}"


def _options(context: StepContext, lock: bool) -> tuple[str, ...]:
    terraform = context.settings.config.terraform
    timeout = (f"-lock-timeout={terraform.lock_timeout}",) if lock else ()
    parallel = f"-parallelism={terraform.parallelism}"
    return f"-lock={str(lock).lower()}", *timeout, parallel, *context.stack.plan_options
