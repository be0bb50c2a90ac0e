"""What is asked of an approver, and what the approver answered."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from .base import Model
from .exposure import Exposure
from .findings import Finding
from .plan import PlanSummary
from .risk import Risk

__all__ = ["ApprovalRequest", "Decision", "DecisionRecord", "Requirement"]

_ASKED_ANEW = {"requester", "author", "authors", "unknown_authors", "created_at", "expires_at"}


class Requirement(Model):
    """Approvals without which the plan is not applied: how many, of whom, and why if not for the quorum alone."""

    needs: int
    approvers: tuple[str, ...]
    group: str = ""
    why: str = ""


class ApprovalRequest(Model):
    """One plan file, and all that an approver must know of it: the model of request.json.

    `authors` are the logins of all who made a commit since the one that was applied last; `unknown_authors` the
    addresses of which nobody can tell whose they are. `author` is the last commit's.
    `inputs_sha256` and `config_sha256` are digests of what the plan was made from and of what runbook.yml decides about
    it; `dirty` says that files differ from the commit, `complete` that the plan is of the whole stack.
    `governance` says, one sentence each, what the change does to who and what judges it; `earlier` what became of the
    stack before and is not settled; `code` what the plan, or its making, runs besides providers that are locked.
    `risk` is what all of it comes to, `requirements` who must approve because of it, the quorum included; `approvers`
    are all who may answer, `break_glass` who may alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/approval-request/v1"] = Field(default="runbook/approval-request/v1", alias="schema")
    run_id: str
    stack: str
    plan_sha256: str
    commit: str
    state_lineage: str
    state_serial: int | None
    policy_sha256: str
    summary: PlanSummary
    exposure: Exposure
    findings: tuple[Finding, ...] = ()
    requester: str
    author: str = ""
    authors: tuple[str, ...] = ()
    unknown_authors: tuple[str, ...] = ()
    approvers: tuple[str, ...]
    quorum: int
    created_at: datetime
    expires_at: datetime
    url: str = ""
    reject_url: str = ""
    governance: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    inputs_sha256: str = ""
    config_sha256: str = ""
    dirty: bool = False
    complete: bool = True
    risk: Risk = Field(default_factory=Risk)
    requirements: tuple[Requirement, ...] = ()
    break_glass: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[Requirement, ...]:
        """Who must approve; of a request of an earlier version the quorum of the approvers."""
        return self.requirements or (Requirement(needs=max(1, self.quorum), approvers=self.approvers),)

    @property
    def unasked(self) -> bool:
        """Whether nobody has to approve."""
        return all(not need.needs for need in self.needed)

    @property
    def digest(self) -> str:
        """A digest of all that the request says but who asked, who wrote, and when, of which GitLab is asked anew."""
        said = self.model_dump(mode="json", exclude=_ASKED_ANEW)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class Decision(Model):
    """One person's answer. `source` is the system that vouches for `user`; `plan_sha256` is what was answered.

    `counts` says whether it was taken into account when it was judged, and `why_not` what spoke against it; None is
    not said: it was not judged yet, or by an earlier version. `break_glass` is an approval by one alone, in an
    emergency. `doubt` is what its own source says against it; `fingerprint` stands for what a plan does where it was
    answered before this very plan was made.
    """

    source: str
    user: str
    approved: bool
    at: datetime
    plan_sha256: str
    reason: str = ""
    reference: str = ""
    counts: bool | None = None
    why_not: str = ""
    break_glass: bool = False
    fingerprint: str = ""
    doubt: str = ""


class DecisionRecord(Model):
    """The model of decision.json: every decision seen, whether they suffice, and the reasons if not.

    `unasked` says why nobody had to approve, where that is so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/decision/v1"] = Field(default="runbook/decision/v1", alias="schema")
    run_id: str
    plan_sha256: str
    decisions: tuple[Decision, ...] = ()
    approved: bool
    rejected: bool = False
    reasons: tuple[str, ...] = ()
    checked_at: datetime
    unasked: str = ""

    @property
    def broken_by(self) -> str:
        """Who approved it alone, in an emergency; empty where enough others did, or nobody broke the glass."""
        return next((one.user for one in self.decisions if one.break_glass and one.counts and self.approved), "")

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who approved, each once: only those whose approval counts."""
        return tuple(dict.fromkeys(one.user for one in self.decisions if one.approved and one.counts is not False))

    @property
    def rejected_by(self) -> tuple[str, ...]:
        """Who rejected, each once: only those whose rejection counts."""
        return tuple(dict.fromkeys(one.user for one in self.decisions if not one.approved and one.counts is not False))
