"""What an approver was shown of a plan against what the plan file itself says now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..models.approval import ApprovalRequest
from ..models.exposure import Exposure, ExposureEntry, Reachable
from ..models.findings import Finding
from ..models.plan import PlanInputs, PlanSummary
from ..wording import begun, opening, party, things

__all__ = ["changed_inputs", "other_folder", "other_providers", "other_terraform", "shown_otherwise"]

_AGAIN = "Run the plan step again and have the new plan approved."
_NAMED = 5


def shown_otherwise(
    request: ApprovalRequest,
    summary: PlanSummary,
    exposure: Exposure,
    findings: Iterable[Finding],
    code: Iterable[str] = (),
) -> Iterator[str]:
    """A sentence for everything that the request does not show as the plan file has it.

    A finding that was shown and is none any more is no harm, and code that runs no more is none; what was not shown is.
    """
    if request.summary != summary:
        differing = _differing(request.summary, summary)
        yield f"What the request counts and names is not what the plan file does ({differing}). {_AGAIN}"
    yield from _exposed_otherwise(request.exposure, exposure)
    for sentence in code:
        if sentence not in request.code:
            yield f"Code that will run was not shown to the approvers: {sentence}. {_AGAIN}"
    shown = {_key(finding): finding for finding in request.findings}
    for finding in findings:
        known, where = shown.get(_key(finding)), finding.address or "the plan"
        if known is None:
            yield f"{finding.policy} at {where} was not shown to the approvers: {finding.message} {_AGAIN}"
        elif known.waiver and not finding.waiver:
            yield (
                f"The waiver of {finding.policy} at {where} by {known.waiver.owner}, until"
                f" {known.waiver.expires}, holds no more. {_AGAIN}"
            )
        elif _weight(known) != _weight(finding):
            yield f"{finding.policy} at {where} weighs otherwise than it was shown to the approvers. {_AGAIN}"


def _exposed_otherwise(shown: Exposure, found: Exposure) -> Iterator[str]:
    """What rules open must be the same; of who is reached, which others change every hour, nothing may have come on."""
    if shown.rules_sha256 != found.rules_sha256 or (not found.rules_sha256 and shown != found):
        said, says = shown.sentence or "nothing.", found.sentence or "nothing."
        yield f"The request says of who can newly reach what: {said} The plan file says: {says} {_AGAIN}"
        return
    told = [entry for entry in shown.opened if entry.reachable.rank <= Reachable.UNKNOWN.rank]
    for entry in found.opened:
        if entry.reachable is Reachable.REACHABLE and not any(_covers(one, entry) for one in told):
            who, target = party(entry.source, entry.source_kind), things(entry) or str(entry.target)
            yield (
                f"{begun(who)} can now reach {target} on {opening(entry)}, which was not"
                f" shown to the approvers. {_AGAIN}"
            )


def _covers(shown: ExposureEntry, found: ExposureEntry) -> bool:
    """Whether whoever was shown the one has seen the other: its ends, and all of its ports."""
    ends = [(str(one.source), str(one.source_kind), str(one.target), one.target_kind) for one in (shown, found)]
    ids = [{each.id for each in one.interfaces} for one in (shown, found)]
    same = ends[0] == ends[1] or (bool(ids[0] & ids[1]) and bool(set(ends[0]) & set(ends[1])))
    if not same or str(shown.protocol) not in {"all", str(found.protocol)}:
        return False
    if shown.from_port in {None, -1}:
        return True
    ports = (shown.from_port, found.from_port, found.to_port, shown.to_port)
    return all(isinstance(port, int) for port in ports) and list(ports) == sorted(
        ports, key=lambda port: int(str(port))
    )


def changed_inputs(planned: PlanInputs, now: PlanInputs) -> Iterator[str]:
    """A sentence for every input of the plan that is another one now, with what to do."""
    yield from other_terraform(planned, now)
    same = (planned.product, planned.terraform_version, planned.platform)
    if same == (now.product, now.terraform_version, now.platform) and planned.terraform_sha256 != now.terraform_sha256:
        yield f"The {now.product} program is not the one that made the plan. Give both jobs the same one."
    yield from other_providers(planned, now)
    if planned.providers == now.providers and planned.lock_sha256 != now.lock_sha256:
        yield f".terraform.lock.hcl changed since the plan. {_AGAIN}"
    if planned.path != now.path:
        yield f"The plan is of the folder {planned.path or 'of nobody knows what'}, and here is {now.path}. {_AGAIN}"
    changed = sorted(name for name in {*planned.files, *now.files} if planned.files.get(name) != now.files.get(name))
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        yield f"Files that the plan was made from changed since: {', '.join(changed[:_NAMED])}{more}. {_AGAIN}"


def other_terraform(planned: PlanInputs, now: PlanInputs) -> Iterator[str]:
    """A sentence where what would read the plan is another program, or for another platform, than what made it."""
    made, here = (f"{one.product} {one.terraform_version}" for one in (planned, now))
    if made != here:
        yield (
            f"The plan was made by {made}, and here is {here}. Give both jobs the same one, or run the plan step again."
        )
    if planned.platform != now.platform:
        made, here = planned.platform or "a platform that nobody noted", now.platform or "one that is not told"
        yield f"The plan was made on {made}, and here is {here}. Run both jobs on the same, or run the plan step again."


def other_providers(planned: PlanInputs, now: PlanInputs) -> Iterator[str]:
    """A sentence for every provider that is of another version than it was when the plan was made."""
    for name in sorted({*planned.providers, *now.providers}):
        was, is_ = planned.providers.get(name, "none"), now.providers.get(name, "none")
        if was != is_:
            yield (
                f"The plan was made with {name} {was}, and here is {is_}. Commit .terraform.lock.hcl, so that both jobs"
                " use the same one, and run the plan step again."
            )


def other_folder(planned: PlanInputs, now: PlanInputs) -> str:
    """A sentence where the stack's folder lies elsewhere on the machine; empty if it does not."""
    if planned.folder == now.folder:
        return ""
    made = planned.folder or "a folder that nobody noted"
    return (
        f"The plan was made in {made}, and here is {now.folder}. Give both the same folder (a runner's GIT_CLONE_PATH),"
        " or run the plan step again."
    )


def _key(finding: Finding) -> tuple[str, str, str, str]:
    rule = finding.rule.model_dump_json() if finding.rule else ""
    return finding.policy, finding.address, str(finding.verdict), rule


def _weight(finding: Finding) -> tuple[str, str]:
    return str(finding.severity), str(finding.action)


def _differing(shown: PlanSummary, found: PlanSummary) -> str:
    one, other = shown.model_dump(), found.model_dump()
    return ", ".join(_pair(name, one, other) for name in one if one[name] != other[name])


def _pair(name: str, one: Mapping[str, object], other: Mapping[str, object]) -> str:
    return name if name == "addresses" else f"{name} {one[name]}, not {other[name]}"
