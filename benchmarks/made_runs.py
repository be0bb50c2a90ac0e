"""Whole run folders, made by the code that seals them, without Terraform or any system outside."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.models.verification import Verification
from runbook_lib.repository import Repository
from runbook_lib.runner.sealing import Sealer
from runbook_lib.runner.signer import Signer
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace.records import request_file

ROOT = Path(__file__).resolve().parent.parent
STEPS = tuple(step.name for step in BUILT_IN)


def settings_for(key: str = "", *, pinned: str = "", in_ci: bool = False) -> Settings:
    """Settings of this repository, whatever the machine's variables say."""
    config = Repository(ROOT, ROOT / "runbook.yml").load()
    evidence = config.evidence.model_copy(update={"key": pinned})
    environment = Environment(RUNBOOK_SIGNING_KEY=key, GITLAB_CI=in_ci)
    return Settings(environment, ROOT, config.model_copy(update={"evidence": evidence}))


@dataclass
class MadeRun:
    """A run whose steps are played one after the other, each as a process of its own."""

    outputs: Path
    run_id: str
    settings: Settings
    requester: str = "riley"
    attempt: int = field(default=0)

    def __post_init__(self) -> None:
        self.store = RunStore(self.outputs, self.run_id)
        if not self.store.exists("run.json"):
            run = Run(
                run_id=self.run_id, stack="access", commit="4dc7a7", requester=self.requester, author="riley",
                created_at=datetime.now(UTC),
            )  # fmt: skip
            self.store.write_json("run.json", run)

    def sealer(self) -> Sealer:
        """What seals the next step."""
        return Sealer(self.settings, self.store, Signer.of(self.settings))

    def play(self, *steps: str, outcome: Outcome = Outcome.PASSED) -> MadeRun:
        """Execute these steps, each sealed as it ends."""
        for step in steps:
            sealer, started = self.sealer(), datetime.now(UTC)
            sealer.open(step)
            sealer.begin(step)
            result = self.leave(step, started, outcome)
            sealer.ended(result)
            self.store.write_text(self.store.file(step, "notebook.html"), f"<p>{step} of {self.run_id}</p>\n")
            sealer.page_made(step)
            sealer.close()
        return self

    def leave(self, step: str, started: datetime, outcome: Outcome = Outcome.PASSED) -> StepResult:
        """Write what the step leaves, and give its result."""
        self.attempt += 1
        cell = {"cell_type": "code", "source": f"# {step} of {self.run_id}, {self.attempt}", "metadata": {}}
        cell |= {"outputs": [], "execution_count": 1}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.store.write_text(self.store.file(step, "notebook.ipynb"), json.dumps(notebook))
        getattr(self, f"_{step}")()
        result = StepResult(
            run_id=self.run_id, step=step, stack="access", outcome=outcome, summary=f"{step} of {self.run_id}",
            started_at=started, finished_at=datetime.now(UTC), artifacts=self.store.artifacts(step),
        )  # fmt: skip
        self.store.write_result(result)
        return result

    def copy_to(self, outputs: Path) -> MadeRun:
        """The same run in another place, as an artifact travels."""
        shutil.copytree(self.store.dir, outputs / self.run_id, symlinks=True)
        return MadeRun(outputs, self.run_id, self.settings, self.requester, self.attempt)

    def _compliance(self) -> None:
        self.store.write_text("01_compliance/compliance.txt", f"All is well with {self.run_id}.\n")
        self.store.write_json("01_compliance/findings.json", {"outcome": "passed", "run": self.run_id})

    def _plan(self) -> None:
        plan = self.store.write_bytes("02_plan/plan.tfplan", f"a plan of {self.run_id}, {self.attempt}".encode())
        summary = PlanSummary(create=1, plan_sha256=sha256_file(plan), state_lineage=self.run_id, state_serial=3)
        self.store.write_json("02_plan/summary.json", summary)
        self.store.write_json("02_plan/exposure.json", Exposure(sentence=f"{self.run_id} opens tcp 80."))
        self.store.write_json("02_plan/plan.json", {"run": self.run_id})
        self.store.write_text("02_plan/plan.txt", f"Plan of {self.run_id}: 1 to add.\n")
        for path in sorted((ROOT / "policies").glob("*.yml")):
            self.store.write_bytes(f"02_plan/governed_by/policies/{path.name}", path.read_bytes())

    def _approval(self) -> None:
        summary = PlanSummary.model_validate_json(self.store.read_text("02_plan/summary.json"))
        now = datetime.now(UTC)
        request = ApprovalRequest(
            run_id=self.run_id, stack="access", plan_sha256=summary.plan_sha256, commit="4dc7a7", summary=summary,
            state_lineage=self.run_id, state_serial=3, policy_sha256="p", exposure=Exposure(), requester=self.requester,
            author="riley", approvers=("alex", "sam"), quorum=1, created_at=now, expires_at=now + timedelta(hours=4),
        )  # fmt: skip
        self.store.write_json(request_file(self.store), request)
        self.store.write_json("03_approval/decision.json", self.decision())
        self.store.write_json("03_approval/vouched/note.json", {"author": "alex", "body": request.plan_sha256})

    def decision(self, user: str = "alex", *, approved: bool = True) -> DecisionRecord:
        """What one person decided about the plan."""
        summary = PlanSummary.model_validate_json(self.store.read_text("02_plan/summary.json"))
        now = datetime.now(UTC)
        given = Decision(source="gitlab", user=user, approved=approved, at=now, plan_sha256=summary.plan_sha256)
        return DecisionRecord(
            run_id=self.run_id, plan_sha256=summary.plan_sha256, decisions=(given,), approved=approved, checked_at=now
        )

    def _apply(self) -> None:
        self.store.write_json("04_apply/decision.json", self.decision())
        self.store.write_text("04_apply/apply.jsonl", json.dumps({"type": "apply_complete", "run": self.run_id}) + "\n")
        self.store.write_text("04_apply/apply.txt", f"Apply complete of {self.run_id}.\n")
        self.store.write_json("04_apply/outputs.json", {"run": self.run_id})

    def _verification(self) -> None:
        found = Verification(outcome=Outcome.PASSED, in_sync=4)
        self.store.write_json("05_verification/verification.json", found)
        self.store.write_text("05_verification/verification.csv", f"group,rule\n{self.run_id},1\n")

    def _service_tests(self) -> None:
        self.store.write_text("06_service_tests/results.csv", f"service,answer\n{self.run_id},200\n")
        self.store.write_text("06_service_tests/junit.xml", f"<testsuite name='{self.run_id}'/>\n")
