"""Decisions recorded in the run folder by `runbook approve` and `runbook reject`, where there is no GitLab."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from datetime import datetime

from ...models.approval import ApprovalRequest, Decision
from ..store import RunStore

__all__ = ["Terminal", "record_decision"]


class Terminal:
    """The files in the approval step's decisions/. Whoever can write there can decide: not a source for a pipeline."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """All that were recorded, also those for an earlier plan of this run; InputError for a file that is none."""
        folder = self._store.file("approval", "decisions")
        files = sorted((self._store.dir / folder).glob("*.json"))
        found = [self._store.read_model(f"{folder}/{file.name}", Decision) for file in files]
        return tuple(sorted(found, key=lambda decision: decision.at))


def record_decision(store: RunStore, request: ApprovalRequest, answer: tuple[bool, str], now: datetime) -> Decision:
    """Write down the answer (whether approved, and why) of the person at this terminal, and give it back.

    Where there is no GitLab to say who that is, it is the system's user as `local:name`, which counts only where
    runbook.yml names an approver exactly so.
    """
    user = f"local:{getpass.getuser()}"
    approved, reason = answer
    decision = Decision(
        source="terminal",
        user=user,
        approved=approved,
        at=now,
        plan_sha256=request.plan_sha256,
        reason=reason,
        reference="runbook approve" if approved else "runbook reject",
    )
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{now:%Y%m%dT%H%M%S%f}-{user}")
    store.write_json(store.file("approval", f"decisions/{name}.json"), decision)
    return decision
