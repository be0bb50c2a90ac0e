"""The policy gate: one judgement for `runbook check`, for the compliance step's files and for the plan step's plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ..adapters.policies import check_policy_ids, load_policies, load_waivers, policy_sha256
from ..domain.compliance import combine, findings_from_sarif, judge, locate
from ..domain.rules import RuleChanges
from ..models.compliance import ComplianceReport, JudgeOptions, Policy, Scope, Waiver
from ..models.config import ComplianceConfig

__all__ = ["PolicyFiles", "PolicyGate"]


@dataclass(frozen=True)
class PolicyFiles:
    """Where policies and waivers lie, and what runbook.yml decides about them. `root` is the repository."""

    policies: Path
    waivers: Path | None
    config: ComplianceConfig
    root: Path

    @classmethod
    def of_repository(cls, root: Path, config: ComplianceConfig) -> PolicyFiles:
        """Those that runbook.yml names; a file of waivers need not be there."""
        waivers = root / config.waivers
        return cls(root / config.policies, waivers if waivers.is_file() else None, config, root)

    @property
    def digest(self) -> str:
        """The digest of the policies and waivers in force."""
        return policy_sha256(self.policies, self.waivers or self.root / self.config.waivers)


@dataclass(frozen=True)
class PolicyGate:
    """Policies and waivers that were read and found right."""

    files: PolicyFiles
    policies: tuple[Policy, ...]
    waivers: tuple[Waiver, ...]
    today: date

    @classmethod
    def open(cls, files: PolicyFiles, today: date) -> PolicyGate:
        """Read them; ConfigError if one of them, or what runbook.yml says of them, is wrong."""
        config = files.config
        policies = load_policies(files.policies)
        for field, names in (("severities", config.severities), ("actions", config.actions)):
            check_policy_ids(names, policies, f"runbook.yml: compliance.{field}")
        waivers = (
            load_waivers(files.waivers, policies, today, config.max_waiver_days) if files.waivers is not None else ()
        )
        return cls(files, policies, waivers, today)

    def __str__(self) -> str:
        return f"{len(self.policies)} policies, {len(self.waivers)} waivers"

    def judge(
        self, changes: RuleChanges, scope: Scope, folders: Iterable[Path], *, early: bool = False
    ) -> ComplianceReport:
        """The verdict, each finding with its line where `folders` of Terraform files have one.

        `early` where Terraform has resolved nothing yet.
        """
        config = self.files.config
        options = JudgeOptions(scope=scope, severities=config.severities, actions=config.actions, early=early)
        report = judge(changes, self.policies, self.waivers, options, self.today)
        if not report.findings:
            return report
        from ..adapters.hcl_blocks import index_blocks

        for folder in folders:
            if folder.is_dir():
                report = locate(report, index_blocks(folder, self.files.root))
        return report

    def with_scanner(self, report: ComplianceReport, sarif: str | bytes, name: str) -> ComplianceReport:
        """The report with what another tool found."""
        found = findings_from_sarif(sarif, name, self.files.config.scanners)
        return combine(report, found, self.waivers, self.today)
