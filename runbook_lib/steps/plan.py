"""The plan step: what Terraform would do, judged again with everything resolved, and whom it exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..adapters.age import encrypt
from ..adapters.private_copy import PrivateFolder
from ..adapters.terraform_folder import ensure_initialised
from ..domain.fingerprint import fingerprint
from ..domain.plan import parse_plan, why_incomplete
from ..domain.risk import RiskFacts, assess_risk
from ..domain.sensitive import masked_plan
from ..domain.strict_json import read_shown
from ..models.base import Outcome
from ..models.compliance import ComplianceReport
from ..models.exposure import Exposure
from ..models.plan import Plan, PlanSummary
from ..report.result_view import ResultView
from ..wording import NOTHING_TO_DO, rare_counts
from ..workspace.clients import terraform_client
from ..workspace.context import StepContext, describe, open_step, recorded
from ..workspace.earlier import unfinished_applies
from ..workspace.kept import keep_governing
from ..workspace.plan_check import judge_plan, plan_inputs
from ..workspace.policy_gate import PolicyGate
from ..workspace.policy_reports import open_gate, write_reports
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.records import ENCRYPTED, inputs_file
from ..workspace.states import holder_named, learn

__all__ = ["Planned", "check_ready", "decide", "make_plan", "start"]

# What Terraform says while it looks around: of no use to who reads the plan, and of a length with the stack.
NOISE = re.compile(r"^.*: (?:Reading\.\.\.|Read complete after|Still reading|Refreshing state\.\.\.).*\n", re.MULTILINE)


@dataclass(frozen=True)
class Planned:
    """A plan and all that was found out about it."""

    plan: Plan
    summary: PlanSummary
    report: ComplianceReport
    exposure: Exposure


class _Told:
    """Prints what Terraform says; the plan's own text waits until its secrets are known, whatever comes between."""

    def __init__(self) -> None:
        self._waiting: list[str] | None = None

    def __call__(self, line: str) -> None:
        if self._waiting is None or NOISE.match(f"{line}\n"):
            print(line)  # noqa: T201 - the notebook's own progress
        else:
            self._waiting.append(line)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep back all but the progress until the end of this, however it ends."""
        waiting: list[str] = []
        self._waiting = waiting
        try:
            yield
        finally:
            self._waiting = None
            for line in waiting:
                self(line)


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("plan", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for Terraform, its state and AWS credentials."""
    return preflight(context, Check("terraform", lambda: _terraform_version(context)))


@recorded
def make_plan(context: StepContext, *, lock: bool = True, scope: str = "changed") -> Planned:
    """Plan, keep the file and its text, judge it, and write what it comes to: counts, exposure and risk."""
    context.uses_repository()
    told = _Told()
    terraform = terraform_client(context.settings, context.run.stack, told, context.import_later)
    folder = PrivateFolder()
    path = folder.path("plan.tfplan")
    ensure_initialised(terraform)
    # Before it is made: what changes while Terraform reads it must not look as if it had been read.
    inputs = plan_inputs(context, terraform)
    with told.held():
        with ThreadPoolExecutor(max_workers=1) as pool, holder_named(context.settings, context.run.stack):
            # The policies are read while Terraform is at work.
            reading = pool.submit(open_gate, context)
            text = terraform.plan(path, *_options(context, lock))
        document = read_shown(terraform.show_plan(path), "the plan")
        masked, secrets = masked_plan(document)
        learn(context.settings, secrets)
    context.store.write_json(inputs_file(context.store), inputs)
    context.store.write_text(context.file("plan.txt"), NOISE.sub("", text).lstrip("\n"))
    _keep(context, path, masked)
    return _judge(context, (document, inputs.files), (reading.result(), scope), path)


@recorded
def decide(context: StepContext, change: Planned) -> ResultView:
    """End the step: blocked by the judgement, or passed with what the plan would do."""
    keep_governing(context)
    summary = change.summary
    counts = {"to add": summary.create, "to change": summary.update, "to destroy": summary.delete}
    outputs = "output to change" if summary.outputs == 1 else "outputs to change"
    what = describe({**counts, **rare_counts(summary), outputs: summary.outputs}) or "nothing to change"
    context.metrics |= {"create": summary.create, "update": summary.update, "delete": summary.delete}
    context.metrics |= {"plan_sha256": summary.plan_sha256, "exposure": change.exposure.sentence}
    outcome = change.report.outcome
    line = f"Plan: {what}. {change.exposure.sentence}"
    if outcome is Outcome.BLOCKED:
        line = f"{change.report.sentence} Plan: {what}."
    if not change.plan.complete:
        # Shown all the same, for whoever must find out why.
        outcome = Outcome.BLOCKED
        line = f"The plan is not of the whole stack: {why_incomplete(change.plan)}. Plan: {what}."
    ends = summary.empty and not outcome.stops
    if ends:
        # Nobody is asked, and so no request says it either.
        line = " ".join((f"Plan: {what}. {NOTHING_TO_DO}", *unfinished_applies(context.settings, context.run)))
    return context.finish(outcome, line.strip(), change.report.findings, ends=ends)


def _keep(context: StepContext, path: Path, masked: dict[str, Any]) -> None:
    """Keep the plan file and its JSON, in no other form than runbook.yml wants: both hold what nobody else may read."""
    recipients = context.settings.config.terraform.encrypt_to
    kept = {"plan.tfplan": path.read_bytes()}
    for name in ("plan.tfplan", "plan.json"):
        for earlier in (context.file(name), context.file(f"{name}{ENCRYPTED}")):
            context.store.path(earlier).unlink(missing_ok=True)
    if not recipients:
        context.store.write_bytes(context.file("plan.tfplan"), kept["plan.tfplan"])
        context.store.write_json(context.file("plan.json"), masked)
        return
    kept["plan.json"] = context.settings.redactor.mask(json.dumps(masked)).encode()
    for name, data in kept.items():
        context.store.write_bytes(context.file(f"{name}{ENCRYPTED}"), encrypt(data, recipients))


def _judge(
    context: StepContext, planned: tuple[dict[str, Any], dict[str, str]], by: tuple[PolicyGate, str], path: Path
) -> Planned:
    (document, files), (gate, scope) = planned, by
    plan = parse_plan(document)
    judged = judge_plan(context, gate, plan, path, scope).with_fingerprint(fingerprint(document, files))
    summary = judged.summary
    write_reports(context, judged.report)
    context.store.write_json(context.file("summary.json"), summary)
    context.store.write_json(context.file("exposure.json"), judged.exposure)
    risk = assess_risk(RiskFacts(plan, judged.exposure, judged.report.findings))
    context.store.write_json(context.file("risk.json"), risk)
    counts = {"create": summary.create, "update": summary.update, "delete": summary.delete}
    context.store.write_json(context.file("gl-terraform.json"), counts)
    return Planned(plan, summary, judged.report, judged.exposure)


def _terraform_version(context: StepContext) -> str:
    binary = terraform_client(context.settings, context.run.stack).binary
    return f"{binary.product} {binary.version}"


def _options(context: StepContext, lock: bool) -> tuple[str, ...]:
    terraform = context.settings.config.terraform
    timeout = (f"-lock-timeout={terraform.lock_timeout}",) if lock else ()
    parallel = f"-parallelism={terraform.parallelism}"
    return f"-lock={str(lock).lower()}", *timeout, parallel, *context.stack.plan_options
