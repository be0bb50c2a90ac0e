"""What is kept of run folders to ask across them: one value a row of the index, one class a table."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

__all__ = [
    "TABLES",
    "UNFINISHED",
    "Applied",
    "DecisionRow",
    "DifferenceRow",
    "EvidenceVerdict",
    "ExposureRow",
    "FileRow",
    "FindingRow",
    "ReviewState",
    "RunRow",
    "RunRows",
    "ServiceRow",
    "StepRow",
    "about",
]

# The outcome of a run that nothing stopped and that has not come to its end.
UNFINISHED: Final = "unfinished"


class EvidenceVerdict(StrEnum):
    """What the seals of a run folder came to; what a folder says is only its own word where this is not `proven`."""

    PROVEN = "proven"
    INTACT = "intact"
    UNSIGNED = "unsigned"
    CONTRADICTORY = "contradictory"
    CHANGED = "changed"
    UNSEALED = "unsealed"
    UNREADABLE = "unreadable"


class Applied(StrEnum):
    """Whether a run's change was carried out; `perhaps` where apply began and did not end well."""

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


class ReviewState(StrEnum):
    """Whether two others have looked at what one person approved alone; unknown where nobody asked GitLab."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


def _column(about: str, default: Any = MISSING) -> Any:
    return field(metadata={"about": about}) if default is MISSING else field(default=default, metadata={"about": about})


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run folder. Times are UTC in ISO 8601, and empty where they are not known or can't be true."""

    run_id: str = _column("the folder's name")
    evidence: str = _column("`proven`, `intact`, `unsigned`, `contradictory`, `changed`, `unsealed` or `unreadable`")
    problems: str = _column("what is wrong with the folder, a line each", "")
    signed_by: str = _column("the id of the key that its signature names", "")
    key: str = _column("the id of the key that it was held to; empty for none", "")
    stack: str = _column("the stack of runbook.yml", "")
    runbook: str = _column("the runbook", "")
    outcome: str = _column("the gravest outcome of its steps, `unfinished`, or empty where nothing ran", "")
    stopped_by: str = _column("the step that stopped it", "")
    why: str = _column("that step's summary", "")
    requester: str = _column("who asked", "")
    author: str = _column("who wrote the commit", "")
    approvers: str = _column("whose approval counted, separated by commas", "")
    alone: str = _column("who approved it alone, in an emergency", "")
    review: str = _column("whether two others have looked since: `open`, `closed`, or `unknown` where not fetched", "")
    commit_sha: str = _column("the commit", "")
    ref: str = _column("its branch or tag", "")
    project: str = _column("the project in GitLab", "")
    pipeline_url: str = _column("the pipeline's page", "")
    risk: str = _column("the word for how risky the change is", "")
    sentence: str = _column("what the change exposes, in a sentence", "")
    plan_sha256: str = _column("the plan's digest", "")
    to_create: int | None = _column("resources that the plan creates", None)
    to_update: int | None = _column("resources that it changes", None)
    to_delete: int | None = _column("resources that it destroys", None)
    applied: str = _column("`yes`, `no`, or `perhaps` where apply began and did not end well", Applied.NO.value)
    differences: int | None = _column("what verification found to differ; null where there was none", None)
    created_at: str = _column("when the run began", "")
    requested_at: str = _column("when its approval was asked for", "")
    approved_at: str = _column("when the last approval that counted was given", "")
    applied_at: str = _column("when apply ended", "")
    verified_at: str = _column("when verification ended well", "")
    ended_at: str = _column("when the last step ended", "")
    lead_seconds: float | None = _column("from the run's beginning to verified", None)
    wait_seconds: float | None = _column("from the request to the approval", None)
    stamp: str = _column("the folder's state when it was read: another one is read again", "")


@dataclass(frozen=True, slots=True)
class StepRow:
    """The result of a step."""

    run_id: str = _column("the run")
    number: int = _column("its number in the run")
    step: str = _column("its name")
    outcome: str = _column("how it ended")
    summary: str = _column("in one line")
    started_at: str = _column("when it began")
    finished_at: str = _column("when it ended")
    seconds: float | None = _column("how long it took", None)
    error: str = _column("the error that ended it", "")


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding that counts: the plan's judgement where there is one."""

    run_id: str = _column("the run")
    step: str = _column("the step that found it")
    policy: str = _column("the policy's id")
    verdict: str = _column("`failed`, `unknown` or `waived`")
    severity: str = _column("how bad it is")
    action: str = _column("`block`, `approve` or `warn`")
    address: str = _column("Terraform's address")
    message: str = _column("what it says")
    waiver_owner: str = _column("who answers for it", "")
    waiver_reason: str = _column("why", "")
    waiver_expires: str = _column("until which day", "")


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """One party that gains or loses access by the run's plan."""

    run_id: str = _column("the run")
    change: str = _column("`opened`, `closed` or `unknown`")
    source: str = _column("who")
    source_kind: str = _column("what kind of party that is")
    target: str = _column("what is reached")
    target_kind: str = _column("what kind of thing that is")
    protocol: str = _column("`tcp`, `udp`, …, `all`, or `other`: all that no rule names")
    from_port: int | None = _column("the first port or the ICMP type; null for all, or unknown", None)
    to_port: int | None = _column("the last port or the ICMP code", None)


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One person's answer."""

    run_id: str = _column("the run")
    user: str = _column("who")
    approved: int = _column("1 for a yes, 0 for a no")
    counts: int | None = _column("whether it counted; null where nothing says so", None)
    source: str = _column("the system that vouches for the person", "")
    at: str = _column("when", "")
    reason: str = _column("the reason given", "")
    why_not: str = _column("what spoke against counting it", "")


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """What a service test found."""

    run_id: str = _column("the run")
    name: str = _column("the service")
    address: str = _column("the address asked")
    url: str = _column("the URL asked")
    passed: int = _column("1 or 0")
    status: int | None = _column("the HTTP status", None)
    seconds: float | None = _column("how long the last attempt took", None)
    attempts: int | None = _column("how many attempts it took", None)
    error: str = _column("why it failed", "")
    at: str = _column("when", "")


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One thing on which repository, state and cloud did not agree."""

    run_id: str = _column("the run")
    kind: str = _column("`changed`, `missing`, `unmanaged`, `state_only`, `repository_only`, `drifted` or `expired`")
    where: str = _column("the group, or Terraform's address")
    what: str = _column("the rule or other thing")
    blocks: int = _column("1 if it stops a run, 0 if it only warns")


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the folder."""

    run_id: str = _column("the run")
    path: str = _column("its path inside the folder")
    bytes: int = _column("its size")
    sha256: str = _column("its digest as it was sealed; empty if no seal speaks of it", "")


@dataclass(frozen=True)
class RunRows:
    """All that is kept of one folder."""

    run: RunRow
    steps: tuple[StepRow, ...] = ()
    findings: tuple[FindingRow, ...] = ()
    exposures: tuple[ExposureRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    services: tuple[ServiceRow, ...] = ()
    differences: tuple[DifferenceRow, ...] = ()
    files: tuple[FileRow, ...] = ()


# The tables by name; `runs` is the one that the others belong to.
TABLES: Final[dict[str, type]] = {
    "runs": RunRow,
    "steps": StepRow,
    "findings": FindingRow,
    "exposures": ExposureRow,
    "decisions": DecisionRow,
    "services": ServiceRow,
    "differences": DifferenceRow,
    "files": FileRow,
}


def about(row: type) -> dict[str, str]:
    """What each column of a table holds."""
    return {one.name: str(one.metadata["about"]) for one in fields(row)}
