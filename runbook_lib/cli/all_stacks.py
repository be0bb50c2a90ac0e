"""What `--all` is: a command's work for every stack of runbook.yml, none of them seeing what another one set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.base import Outcome
from ..models.compliance import Checked, ComplianceReport, WaiverState, WaiverStatus
from ..models.config import RunbookConfig

if TYPE_CHECKING:
    from ..models.compliance import Scope
    from ..workspace.policy_gate import PolicyGate

__all__ = ["apart", "judge_all"]

_WORST = (Outcome.BLOCKED, Outcome.WARNED, Outcome.PASSED)


@contextmanager
def apart() -> Iterator[None]:
    """Take back what is set in the environment inside: a stack's region, role and variables are its own."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def judge_all(gate: PolicyGate, root: Path, config: RunbookConfig, scope: Scope) -> ComplianceReport:
    """The verdict on the files of all stacks; each finding's address begins with its stack."""
    from ..adapters.hcl import read_hcl
    from ..domain.rules import hcl_changes

    reports = []
    for name, stack in config.stacks.items():
        folder = root / stack.path
        module = read_hcl(folder, var_files=[folder / file for file in stack.var_files], base=root)
        report = gate.judge(hcl_changes(module), scope, (folder,), early=True)
        found = (one.model_copy(update={"address": f"{name}: {one.address}"}) for one in report.findings)
        reports.append(report.model_copy(update={"findings": tuple(found)}))
    return _together(reports)


def _together(reports: list[ComplianceReport]) -> ComplianceReport:
    outcomes = {report.outcome for report in reports}
    checked = [report.checked for report in reports]
    return ComplianceReport(
        outcome=next((one for one in _WORST if one in outcomes), Outcome.PASSED),
        checked=Checked(
            resources=sum(one.resources for one in checked),
            rules=sum(one.rules for one in checked),
            policies=max((one.policies for one in checked), default=0),
        ),
        findings=tuple(finding for report in reports for finding in report.findings),
        waivers=tuple(_waivers(report.waivers for report in reports)),
    )


def _waivers(judged: Iterable[tuple[WaiverStatus, ...]]) -> Iterator[WaiverStatus]:
    # Each stack is judged by the same waivers: one is unused where no stack uses it.
    for same in zip(*judged, strict=True):
        states = {status.state for status in same}
        used = next((state for state in (WaiverState.EXPIRED, WaiverState.IN_FORCE) if state in states), same[0].state)
        yield same[0].model_copy(update={"state": used, "findings": sum(status.findings for status in same)})
