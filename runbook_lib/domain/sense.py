"""Whether what a run folder says can be true: one part of it against the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.evidence import Manifest, ManifestStep, Seal, SealedFiles
from runbook_lib.models.findings import Action, Verdict
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN, find_step

from .evidence import covered, superseded
from .people import named

__all__ = ["Record", "began_to_apply", "carried_out", "contradictions", "remarks"]

# Jobs run on several machines, and GitLab has a clock of its own.
_SKEW = timedelta(minutes=5)
_NAMED = 5
APPLIES = tuple(step.name for step in BUILT_IN if step.applies)
# What is there from the moment on at which Terraform was begun.
_LEFT = {"began.json", "apply.jsonl", "outputs.json", "errored.tfstate"}
_STARTS = {step.name for step in BUILT_IN if step.starts_run}


@dataclass(frozen=True)
class Record:
    """What a run folder holds, as far as it can be read. `decision` is the one that apply went by."""

    run: Run
    manifest: Manifest | SealedFiles
    results: Mapping[str, StepResult] = field(default_factory=dict)
    request: ApprovalRequest | None = None
    decision: DecisionRecord | None = None
    planned_sha256: str = ""

    @property
    def sealed(self) -> dict[str, ManifestStep]:
        """The last seal of each step."""
        return {step.step: step for step in self.manifest.steps}


def carried_out(step: ManifestStep) -> bool:
    """Whether an apply, by what it left, came to Terraform."""
    return not step.outcome.stops or any(file.path.rpartition("/")[2] in _LEFT for file in step.files)


def began_to_apply(paths: Iterable[str], manifest: Manifest | SealedFiles | None) -> bool:
    """Whether a run folder shows that apply came, or may have come, to Terraform: by its files or by its seals."""
    seals = () if manifest is None else manifest.seals if isinstance(manifest, Manifest) else manifest.steps
    mine = [path.rpartition("/") for path in paths if _step_of(path) in APPLIES]
    # Whoever was killed in it has sealed nothing, and what it left may be gone since.
    begun = not mine and isinstance(manifest, Manifest) and any(one.step in APPLIES for one in manifest.begun)
    left = any("/" not in folder and name in _LEFT for folder, _, name in mine)
    return left or begun or any(seal.step in APPLIES and carried_out(seal) for seal in seals)


def _step_of(path: str) -> str:
    return path.partition("/")[0].partition("_")[2]


def contradictions(record: Record) -> tuple[str, ...]:
    """What can't be true, a sentence each."""
    return (
        *_other_run(record),
        *_missing_steps(record),
        *_results(record),
        *_times(record),
        *_approval(record),
        *_history(record),
    )


def remarks(record: Record) -> tuple[str, ...]:
    """What is no contradiction, and worth knowing."""
    sealed, said = record.sealed, []
    skipped = [step.name for step in record.run.steps if step.name not in sealed]
    if skipped:
        said.append(f"not executed: {', '.join(skipped)}")
    if record.run.dirty:
        said.append("the working tree held changes that are in no commit")
    if isinstance(record.manifest, Manifest):
        said += [
            f"{seal.step} was tried before: seal {seal.number}, {seal.outcome}" for seal in record.manifest.earlier
        ]
        said += [f"{b.step} began at {b.at:%Y-%m-%d %H:%M:%S} UTC and has no seal" for b in record.manifest.begun]
        old = superseded(record.manifest, record.run.steps)
        said += [f"{step} is older than a step before it, which was made anew" for step in old]
    return tuple(said)


def _other_run(record: Record) -> Iterator[str]:
    if record.run.run_id != record.manifest.run_id:
        yield f"run.json is of run {record.run.run_id}, the manifest of run {record.manifest.run_id}"
    known = {step.name for step in record.run.steps}
    yield from (f"the run has no step {name}, which is sealed" for name in record.sealed if name not in known)


def _missing_steps(record: Record) -> Iterator[str]:
    names = [step.name for step in record.run.steps]
    there = [name for name in names if name in record.sealed]
    for name in names:
        after = [later for later in there if names.index(later) > names.index(name)]
        before = [earlier for earlier in there if names.index(earlier) < names.index(name)]
        if name in record.sealed or not after:
            continue
        needed = [later for later in after if name in (getattr(find_step(BUILT_IN, later), "needs", ()))]
        if needed or (before and after[0] not in _STARTS):
            yield f"{name} is missing, though {(needed or after)[0]} was carried out"


def _results(record: Record) -> Iterator[str]:
    for name, seal in record.sealed.items():
        result = record.results.get(name)
        if result is None:
            if not seal.outcome.stops:
                yield f"{name} {seal.outcome} without a result"
            continue
        if result.run_id != record.run.run_id or result.step != name or result.stack != record.run.stack:
            yield f"the result of {name} is that of step {result.step} of run {result.run_id} on {result.stack}"
        if result.outcome is not seal.outcome:
            yield f"{name} was sealed as {seal.outcome}, its result says {result.outcome}"
        blocking = [f for f in result.findings if f.action is Action.BLOCK and f.verdict is not Verdict.WAIVED]
        if blocking and not result.outcome.stops:
            yield f"{name} {result.outcome} with a finding that blocks: {blocking[0].policy}"


def _times(record: Record) -> Iterator[str]:
    before, named = record.run.created_at, "the run"
    for name in _in_order(record):
        result, seal = record.results.get(name), record.sealed[name]
        if result is None:
            continue
        if result.finished_at < result.started_at:
            yield f"{name} ended before it began"
        if result.started_at + _SKEW < before:
            yield f"{name} began before {named} ended" if named != "the run" else f"{name} began before the run"
        if isinstance(seal, Seal) and seal.sealed_at + _SKEW < result.finished_at:
            yield f"{name} was sealed before it ended"
        before, named = result.finished_at, name


def _in_order(record: Record) -> list[str]:
    seals = [seal for seal in record.manifest.steps if not (isinstance(seal, Seal) and seal.taken_over)]
    if isinstance(record.manifest, Manifest):
        return [seal.step for seal in sorted(seals, key=lambda seal: getattr(seal, "number", 0))]
    return [seal.step for seal in seals]


def _approval(record: Record) -> Iterator[str]:
    applied = next((record.sealed[name] for name in APPLIES if name in record.sealed), None)
    if applied is None or not carried_out(applied):
        return
    if record.request is None or record.decision is None:
        yield f"{applied.step} was carried out without {'a request' if record.request is None else 'a decision'}"
        return
    yield from _digests(record, record.request, record.decision)
    yield from _deciders(record, record.request, record.decision)
    for name in (step.name for step in record.run.steps):
        if name == applied.step:
            break
        if name in record.sealed and record.sealed[name].outcome.stops:
            yield f"{applied.step} was carried out though {name} {record.sealed[name].outcome}"


def _digests(record: Record, request: ApprovalRequest, decision: DecisionRecord) -> Iterator[str]:
    # By its whole path: another step, or a folder within, may hold a file of that name.
    step, files = find_step(record.run.steps, "plan"), covered(record.manifest)
    plan = f"{step.folder}/plan.tfplan" if step else ""
    digests = {"the plan file": files.get(plan, ""), "the plan's summary": record.planned_sha256}
    digests |= {"the request": request.plan_sha256}
    cut_down = isinstance(record.manifest, SealedFiles)  # to what is read
    if not digests["the plan file"] and (cut_down or f"{plan}.age" in files):
        del digests["the plan file"]
    yield from (
        f"{name} is of another plan than the decision" for name, d in digests.items() if d != decision.plan_sha256
    )
    if request.run_id != record.run.run_id or decision.run_id != record.run.run_id:
        yield "the request or the decision is another run's"


def _deciders(record: Record, request: ApprovalRequest, decision: DecisionRecord) -> Iterator[str]:
    counting = [given for given in decision.decisions if given.approved and _counts(given, request, record.run)]
    if not decision.approved or decision.rejected:
        yield "apply was carried out though the decision is no approval"
    if not named(decision.broken_by, request.break_glass):
        yield from _too_few(counting, request)
    late = [given for given in counting if given.at > request.expires_at + _SKEW or _early(given, request)]
    yield from (f"the approval of {given.user} is from before the request or after its end" for given in late)
    if request.created_at + _SKEW < record.run.created_at:
        yield "the request is older than the run"
    applied = next((record.results[name] for name in APPLIES if name in record.results), None)
    if applied and not applied.started_at - _SKEW <= decision.checked_at <= applied.finished_at + _SKEW:
        yield "the decision was not checked while apply ran"


def _early(given: Decision, request: ApprovalRequest) -> bool:
    # One from before the request is of a plan that does the same, which a merge request showed.
    same = given.fingerprint and given.fingerprint == request.summary.fingerprint
    return not same and given.at + _SKEW < request.created_at


def _too_few(counting: Iterable[Decision], request: ApprovalRequest) -> Iterator[str]:
    for need in request.needed:
        people = {given.user.casefold() for given in counting if named(given.user, need.approvers)}
        if len(people) < need.needs:
            yield f"{len(people)} of {need.needs} approvals{f' of {need.group}' if need.group else ''} count"


def _counts(given: Decision, request: ApprovalRequest, run: Run) -> bool:
    own = named(given.user, (request.requester, run.requester, request.author, run.author, *request.authors))
    may = named(given.user, request.approvers)
    return not own and may and given.plan_sha256 == request.plan_sha256 and getattr(given, "counts", True) is not False


def _history(record: Record) -> Iterator[str]:
    if not isinstance(record.manifest, Manifest):
        return
    for seal in record.manifest.seals:
        if seal.found:
            paths = [file.path for file in seal.files]
            named = ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")
            yield f"nobody sealed what {seal.step} left when it was written, it was found later: {named}"
    applied = next((seal for seal in record.manifest.steps if seal.step in APPLIES and carried_out(seal)), None)
    if applied:
        old = superseded(record.manifest, record.run.steps)
        yield from (
            f"{applied.step} was carried out on an outdated step {step}" for step in old if _before(record, step)
        )


def _before(record: Record, step: str) -> bool:
    names = [each.name for each in record.run.steps]
    return any(names.index(step) <= names.index(name) for name in APPLIES if name in names)
