"""What an approver was shown of a plan against what the plan file itself says now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..models.approval import ApprovalRequest
from ..models.exposure import Exposure
from ..models.findings import Finding
from ..models.plan import PlanInputs, PlanSummary

__all__ = ["changed_inputs", "shown_otherwise"]

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
    if request.exposure != exposure:
        said, found = request.exposure.sentence or "nothing", exposure.sentence or "nothing"
        yield f"The request says of who can newly reach what: {said} The plan file says: {found} {_AGAIN}"
    for sentence in code:
        if sentence not in request.code:
            yield f"Code that will run was not shown to the approvers: {sentence}. {_AGAIN}"
    shown = {_key(finding): finding for finding in request.findings}
    for finding in findings:
        known = shown.get(_key(finding))
        if known is None:
            where = finding.address or "the plan"
            yield f"{finding.policy} at {where} was not shown to the approvers: {finding.message} {_AGAIN}"
        elif known.waiver and not finding.waiver:
            yield (
                f"The waiver of {finding.policy} at {finding.address} by {known.waiver.owner}, until"
                f" {known.waiver.expires}, holds no more. {_AGAIN}"
            )
        elif _weight(known) != _weight(finding):
            yield f"{finding.policy} at {finding.address} weighs otherwise than it was shown to the approvers. {_AGAIN}"


def changed_inputs(planned: PlanInputs, now: PlanInputs) -> Iterator[str]:
    """A sentence for every input of the plan that is another one now, with what to do."""
    if (planned.product, planned.terraform_version) != (now.product, now.terraform_version):
        yield (
            f"The plan was made by {planned.product} {planned.terraform_version}, and here is {now.product}"
            f" {now.terraform_version}. Give both jobs the same one, or run the plan step again."
        )
    elif planned.terraform_sha256 != now.terraform_sha256:
        yield f"The {now.product} program is not the one that made the plan. Give both jobs the same one."
    for name in sorted({*planned.providers, *now.providers}):
        was, is_ = planned.providers.get(name, "none"), now.providers.get(name, "none")
        if was != is_:
            yield (
                f"The plan was made with {name} {was}, and here is {is_}. Commit .terraform.lock.hcl, so that both jobs"
                " use the same one, and run the plan step again."
            )
    if planned.providers == now.providers and planned.lock_sha256 != now.lock_sha256:
        yield f".terraform.lock.hcl changed since the plan. {_AGAIN}"
    changed = sorted(name for name in {*planned.files, *now.files} if planned.files.get(name) != now.files.get(name))
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        yield f"Files that the plan was made from changed since: {', '.join(changed[:_NAMED])}{more}. {_AGAIN}"


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
