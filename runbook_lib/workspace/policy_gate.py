"""The policy gate: one judgement for `runbook check`, for the compliance step's files and for the plan step's plan."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ..adapters.policies import check_policy_ids, load_policies, load_waivers, policy_sha256
from ..domain.compliance import combine, findings_from_sarif, judge, lines_found, locate, named_below, stricter
from ..domain.governance import common_waivers
from ..domain.rules import RuleChanges
from ..errors import InputError
from ..models.compliance import ComplianceReport, JudgeOptions, Policy, Scope, Waiver
from ..models.config import ComplianceConfig
from ..models.findings import Source
from ..packaged import packaged
from ..repository import checkout_root

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
        """Those that runbook.yml names, or the pack of this version where that folder is not there.

        A file of waivers need not be there.
        """
        waivers, policies = root / config.waivers, root / config.policies
        own = policies.is_dir() or config.policies != ComplianceConfig().policies
        return cls(policies if own else packaged("policies"), waivers if waivers.is_file() else None, config, root)

    @property
    def digest(self) -> str:
        """The digest of the policies and waivers in force, and of what runbook.yml decides about them."""
        files = policy_sha256(self.policies, self.waivers or self.root / self.config.waivers)
        return hashlib.sha256(f"{files}\0{self.config.model_dump_json()}".encode()).hexdigest()


@dataclass(frozen=True)
class PolicyGate:
    """Policies and waivers that were read and found right.

    With `before`, those that stood before the change, what blocks by either of them blocks.
    """

    files: PolicyFiles
    policies: tuple[Policy, ...]
    waivers: tuple[Waiver, ...]
    today: date
    before: PolicyGate | None = None

    @classmethod
    def open(cls, files: PolicyFiles, today: date) -> PolicyGate:
        """Read them; ConfigError if one of them, or what runbook.yml says of them, is wrong."""
        config = files.config
        policies = load_policies(files.policies)
        for field, names in (
            ("enable", config.enable),
            ("severities", config.severities),
            ("actions", config.actions),
        ):
            check_policy_ids(names, policies, f"runbook.yml: compliance.{field}")
        waivers = (
            load_waivers(files.waivers, policies, today, config.max_waiver_days) if files.waivers is not None else ()
        )
        judging = tuple(policy for policy in policies if not policy.optional or policy.id in config.enable)
        return cls(files, judging, waivers, today)

    def after(self, before: PolicyGate | None) -> PolicyGate:
        """The gate together with the one that stood before the change: a waiver counts that both have."""
        if before is None:
            return self
        waivers = common_waivers(before.waivers, self.waivers)
        return replace(self, waivers=waivers, before=replace(before, waivers=waivers))

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
        if self.before is not None:
            report = stricter(report, self.before.judge(changes, scope, (), early=early))
        return locate(report, self._lines(report, changes, folders)) if report.findings else report

    def with_scanner(self, report: ComplianceReport, sarif: str | bytes, name: str) -> ComplianceReport:
        """The report with what another tool found."""
        others = findings_from_sarif(sarif, name, self.files.config.scanners)
        top = checkout_root(self.files.root) or self.files.root
        found = combine(report, (named_below(finding, top) for finding in others), self.waivers, self.today)
        return found if self.before is None else stricter(found, self.before.with_scanner(report, sarif, name))

    def _lines(
        self, report: ComplianceReport, changes: RuleChanges, folders: Iterable[Path]
    ) -> Mapping[tuple[tuple[str, ...], str], Source]:
        """The lines of the one stack that this is about: the one of these folders that writes the most of it."""
        from ..adapters.hcl_index import index_blocks

        indexes = []
        for folder in folders:
            # To say where something stands is no reason to fail: what is wrong in the files is told elsewhere.
            with contextlib.suppress(InputError):
                indexes.append(index_blocks(folder, checkout_root(folder) or self.files.root, changes.product))
        if len(indexes) < 2:
            return indexes[0] if indexes else {}
        named = (*(finding.address for finding in report.findings), *(each[0] for each in changes.standing()))
        addresses = list(dict.fromkeys(named))
        counts = [lines_found(addresses, index) for index in indexes]
        # Of two that could be meant none is: no line is better than one in another stack's file.
        return indexes[counts.index(max(counts))] if counts.count(max(counts)) == 1 else {}
