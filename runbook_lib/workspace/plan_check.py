"""The plan, found out anew from its file: nothing that was written about it in between is believed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..adapters.age import decrypt
from ..adapters.plan_config import local_references, removed_provisioners
from ..adapters.plan_files import files_of_plan
from ..adapters.private_copy import PrivateFolder
from ..adapters.store import sha256_file
from ..adapters.terraform import Terraform
from ..adapters.terraform_folder import ensure_initialised, locked_providers, provider_versions
from ..domain.expired import expired_openings
from ..domain.exposure import exposure
from ..domain.fingerprint import fingerprint
from ..domain.group_names import group_names
from ..domain.plan import parse_plan, summarise
from ..domain.plan_code import LOCK_FILE, code_of_plan
from ..domain.plan_comparison import (
    changed_inputs,
    other_folder,
    other_providers,
    other_terraform,
    shown_otherwise,
)
from ..domain.redaction import strings_in
from ..domain.requirements import removes_expired_alone
from ..domain.rules import rules_from_plan
from ..domain.sensitive import plan_secrets
from ..domain.strict_json import read_shown
from ..errors import ApprovalError, InputError
from ..models.approval import ApprovalRequest
from ..models.compliance import ComplianceReport
from ..models.exposure import Exposure, Reachable
from ..models.plan import Plan, PlanInputs, PlanSummary
from ..models.steps import EXPIRED
from ..settings import Settings
from .asked import clock_of
from .clients import terraform_client
from .context import StepContext
from .network import networks_of
from .policy_gate import PolicyGate
from .policy_reports import judge_changes, open_gate
from .records import ENCRYPTED, inputs_file, plan_file, read_inputs
from .states import learn

__all__ = [
    "FoundPlan",
    "Judged",
    "config_digest",
    "find_plan",
    "inputs_digest",
    "judge_plan",
    "plan_inputs",
    "problems_of",
    "read_lineage",
    "refuse_changed_inputs",
]

# What runbook.yml decides about a change besides whom it tells.
_DECIDING = {"stacks", "approval", "compliance", "terraform", "gitlab", "runbooks", "steps"}
_FOUND = "found plan"
# Without AWS's own words, which differ each time: whoever approved a plan by one sentence must find the same again.
_NOT_ASKED = "AWS could not be asked: runbook doctor says why."


@dataclass(frozen=True)
class Judged:
    """What a plan comes to: its counts and digest, the verdict, and whom it exposes."""

    summary: PlanSummary
    report: ComplianceReport
    exposure: Exposure

    def with_fingerprint(self, found: str) -> Judged:
        """The same, told what the plan's fingerprint is."""
        return replace(self, summary=self.summary.model_copy(update={"fingerprint": found}))


@dataclass(frozen=True)
class FoundPlan:
    """A private copy of the plan file, and all that was found out from it. The copy goes with `folder`.

    `misplaced` says that it was made in another folder, where that counts.
    """

    folder: PrivateFolder
    path: Path
    plan: Plan
    judged: Judged
    inputs: PlanInputs
    code: tuple[str, ...] = ()
    misplaced: str = ""

    @property
    def sha256(self) -> str:
        """The copy's digest."""
        return self.judged.summary.plan_sha256


def find_plan(context: StepContext, *, backend: bool) -> FoundPlan:
    """Copy the plan file to a private place, show it by Terraform, judge it by what counts now; once a step.

    With `backend` the folder is made ready to apply, for which its credentials are needed.
    """
    if _FOUND not in context.known:
        folder = PrivateFolder()
        # Not by the store's path, which follows links.
        path = _plain(context, folder.copy(context.store.dir / plan_file(context.store)))
        terraform = terraform_client(context.settings, context.run.stack)
        # Before another Terraform reads anything, or fails at a plan that it can't read, and says less of it.
        _refuse(context, other_terraform, lambda: _program(terraform))
        ensure_initialised(terraform, backend=backend)
        inputs = plan_inputs(context, terraform)
        _refuse(context, other_providers, lambda: inputs)
        document = read_shown(terraform.show_plan(path), "the plan")
        learn(context.settings, plan_secrets(document))
        plan = parse_plan(document)
        judged = judge_plan(context, open_gate(context), plan, path)
        judged = judged.with_fingerprint(fingerprint(document, inputs.files))
        # Masked as the request is when it is written, with which it is compared.
        locked, mask = locked_providers(terraform.directory), context.settings.redactor.mask
        code = code_of_plan(plan, locked, mask, removed_provisioners(path.read_bytes()))
        misplaced = _misplaced(context, inputs, document)
        context.known[_FOUND] = FoundPlan(folder, path, plan, judged, inputs, code, misplaced)
    found: FoundPlan = context.known[_FOUND]
    return found


def _refuse(
    context: StepContext, differ: Callable[[PlanInputs, PlanInputs], Iterable[str]], now: Callable[[], PlanInputs]
) -> None:
    """ApprovalError for what differs from what the plan was made with, if that is known at all."""
    noted = context.store.exists(inputs_file(context.store))
    if problems := tuple(differ(read_inputs(context.store), now())) if noted else ():
        raise ApprovalError(" ".join(problems), "Begin at the plan step: runbook run --from plan.")


def _misplaced(context: StepContext, now: PlanInputs, document: object) -> str:
    """Why the plan is not one of this folder: a runner may have several, of which a plan may know nothing."""
    if not context.store.exists(inputs_file(context.store)):
        return ""
    planned, mask = read_inputs(context.store), context.settings.redactor.mask
    # Masked as it was when it was noted.
    said = other_folder(planned, now.model_copy(update={"folder": mask(now.folder)}))
    if not said or not context.settings.environment.in_ci or not planned.folder:
        return said
    bound = any(planned.folder in text or text == "path.cwd" for text in strings_in(document))
    return said if bound else ""


def _plain(context: StepContext, path: Path) -> Path:
    """The copy itself or, if it is encrypted, what is in it: the digest that is approved is always the plan's."""
    if path.suffix != ENCRYPTED:
        return path
    key = context.settings.environment.age_key.get_secret_value()
    plain = path.with_suffix("")
    plain.write_bytes(decrypt(path.read_bytes(), key, path.name))
    return plain


def judge_plan(context: StepContext, gate: PolicyGate, plan: Plan, path: Path, scope: str = "changed") -> Judged:
    """The verdict on a plan and its exposure; `path` is its file."""
    changes = rules_from_plan(plan.model_copy(update={"local_values": local_references(path.read_bytes())}))
    report = judge_changes(context, gate, changes, scope)
    networks, unasked = networks_of(plan, changes)
    exposed = exposure(changes.before, changes.after, group_names(plan), changes.whole_groups, networks)
    doubtful = (*exposed.opened, *(entry for entry in exposed.unknown if entry.why))
    if unasked is not None and any(entry.reachable is Reachable.UNKNOWN for entry in doubtful):
        exposed = exposed.model_copy(update={"sentence": f"{exposed.sentence} {_NOT_ASKED}"})
    lineage, serial = read_lineage(path.read_bytes())
    summary = summarise(plan).model_copy(
        update={"plan_sha256": sha256_file(path), "state_lineage": lineage, "state_serial": serial}
    )
    return Judged(summary, report, exposed)


def plan_inputs(context: StepContext, terraform: Terraform) -> PlanInputs:
    """What a plan of the run's stack is made with and from, as it is now; the folder must be initialised."""
    lock = terraform.directory / LOCK_FILE
    made_by = _program(terraform)
    digest = sha256_file(terraform.binary.program)
    var_files = (terraform.directory / name for name in context.stack.var_files)
    root = context.settings.root
    files = files_of_plan(terraform.directory, root)
    files |= {_name(path, root): sha256_file(path) for path in var_files if path.is_file()}
    return made_by.model_copy(
        update={
            "terraform_sha256": digest,
            "path": _name(terraform.directory, root),
            "folder": str(terraform.directory.resolve()),
            # By the lock file's checksums Terraform itself starts no other programs for them.
            "providers": dict(provider_versions(terraform.directory)),
            "lock_sha256": sha256_file(lock) if lock.is_file() else "",
            "files": files,
        }
    )


def _program(terraform: Terraform) -> PlanInputs:
    binary = terraform.binary
    return PlanInputs(product=binary.product, terraform_version=binary.version, platform=binary.platform)


def inputs_digest(inputs: PlanInputs) -> str:
    """One digest over all of it but where the folder lay: each of a runner's jobs may have another."""
    return _digest(inputs.model_dump(mode="json", exclude={"folder"}))


def config_digest(settings: Settings) -> str:
    """A digest of what runbook.yml decides about a change."""
    return _digest(settings.config.model_dump(mode="json", include=_DECIDING))


def problems_of(context: StepContext, request: ApprovalRequest, found: FoundPlan) -> tuple[str, ...]:
    """A sentence for everything in which plan, inputs and judges are not as they were shown to the approvers."""
    judged = found.judged
    problems = [
        *shown_otherwise(request, judged.summary, judged.exposure, judged.report.findings, found.code),
        *_changed_inputs(context, request, found),
    ]
    if not found.plan.complete:
        problems.append("The plan leaves resources out (-target, or deferred changes). Plan the whole stack.")
    if judged.report.outcome.stops:
        problems.append(f"The plan is refused as it is judged now. {judged.report.sentence}")
    if request.config_sha256 != config_digest(context.settings):
        problems.append("What runbook.yml decides changed since the request. Run the approval step again.")
    return (*problems, *_ended(context, found))


def _ended(context: StepContext, found: FoundPlan) -> Iterator[str]:
    """What may not be opened as its end has come, and what a run does that is to remove such rules alone."""
    now = clock_of(context.settings, context.clock())
    yield from expired_openings(found.plan, now)
    if context.run.runbook == EXPIRED and not removes_expired_alone(found.plan, found.judged.exposure, now):
        yield (
            f"The runbook {EXPIRED} removes rules that have expired and nothing else, and this plan does something else"
            f" as well. Have it carried out by a run of its own: runbook run --stack {context.run.stack}."
        )


def refuse_changed_inputs(context: StepContext, terraform: Terraform) -> None:
    """ApprovalError where Terraform would read other files, or be another one, than what was checked in this step.

    And where a rule's end came in between.
    """
    found, now = find_plan(context, backend=True), clock_of(context.settings, context.clock())
    problems = (*changed_inputs(found.inputs, plan_inputs(context, terraform)), *expired_openings(found.plan, now))
    if problems:
        raise ApprovalError(" ".join(problems), "Begin at the plan step: runbook run --from plan.")


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


def _changed_inputs(context: StepContext, request: ApprovalRequest, found: FoundPlan) -> Iterator[str]:
    if not context.store.exists(inputs_file(context.store)):
        yield "It is not known what the plan was made from. Run the plan step again."
        return
    planned = read_inputs(context.store)
    if inputs_digest(planned) != request.inputs_sha256:
        yield "What the plan was made from is not what it was at the request. Run the plan step again."
    yield from changed_inputs(planned, found.inputs)
    if found.misplaced:
        yield found.misplaced


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
