"""Many run folders of a team's year, sealed and signed, made in a second or two a hundred: nothing is executed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runbook_lib.adapters.signing import generate_key, public_key, sign_statement, signer_id
from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.evidence import add_seal, new_manifest
from runbook_lib.domain.statement import manifest_bytes, statement
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import ManifestFile
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource
from runbook_lib.models.findings import Action, Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.risk import Risk, RiskLevel
from runbook_lib.models.run import Run
from runbook_lib.models.services import ServiceReport, ServiceResult, ServiceTest
from runbook_lib.models.steps import BUILT_IN, Step
from runbook_lib.models.verification import Difference, DifferenceKind, Verification

__all__ = ["MadeHistory", "entry"]

PEOPLE = ("riley", "alex", "sam", "casey", "kim")
POLICIES = ("sg-world-ssh", "sg-world-rdp", "sg-no-description", "s3-public")
BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def entry(port: int, source: str = "0.0.0.0/0", target: str = "web") -> ExposureEntry:
    """Who reaches what on a TCP port."""
    kind = ExposureSource.INTERNET if source == "0.0.0.0/0" else ExposureSource.NETWORK
    return ExposureEntry(
        source=source, source_kind=kind, target=target, target_kind="group", protocol="tcp", from_port=port,
        to_port=port,
    )  # fmt: skip


@dataclass
class MadeHistory:
    """Makes run folders below `outputs`; what each is like follows from its number alone.

    `page` is the size of each step's page in bytes. `key` signs, unless it is empty.
    """

    outputs: Path
    key: str = field(default_factory=lambda: generate_key()[0])
    page: int = 20_000
    begin: datetime = BEGIN

    @property
    def public(self) -> str:
        """The public half of the key, as PEM text."""
        return public_key(self.key)

    def make(self, number: int, **changes: Any) -> Path:
        """One folder, named by its number; `changes` replace what it is like."""
        like = _Like(number, self.begin + timedelta(hours=3 * number))
        for name, value in changes.items():
            setattr(like, name, value)
        store = RunStore(self.outputs, like.run_id)
        _Folder(store, like, self).write()
        return store.dir


@dataclass
class _Like:
    """What a run is like: a fifth are blocked, a tenth find drift, ports open and close in turn."""

    number: int
    at: datetime
    run_id: str = ""
    stack: str = ""
    exposure: Exposure | None = None
    blocked: bool | None = None
    findings: tuple[Finding, ...] | None = None
    plan: bytes = b'{"format_version": "1.2", "resource_changes": []}'
    failing: bool | None = None
    drifted: bool | None = None
    alone: bool = False

    def __post_init__(self) -> None:
        n = self.number
        self.run_id = self.run_id or str(1000 + n)
        self.stack = self.stack or ("access", "network", "billing")[n % 3]
        self.requester, self.approver = PEOPLE[n % 5], PEOPLE[(n + 1) % 5]

    def settle(self) -> None:
        """Decide what was left open."""
        n = self.number
        self.blocked = n % 5 == 4 if self.blocked is None else self.blocked
        self.failing = n % 7 == 3 if self.failing is None else self.failing
        self.drifted = n % 10 == 6 if self.drifted is None else self.drifted
        port = 1024 + n // 6 * 2
        if self.exposure is None:
            change = {"closed" if n % 6 >= 3 else "opened": (entry(port),)}
            self.exposure = Exposure(**change, sentence=f"The internet reaches web on tcp {port}.")
        if self.findings is None:
            self.findings = tuple(_finding(n, index, self) for index in range(n % 4))


def _finding(number: int, index: int, like: _Like) -> Finding:
    waived = index == 2
    ends = (like.at + timedelta(days=60)).date().isoformat()
    return Finding(
        policy=POLICIES[(number + index) % len(POLICIES)],
        verdict=Verdict.WAIVED if waived else Verdict.FAILED,
        severity=Severity.HIGH,
        address=f'module.network.aws_vpc_security_group_ingress_rule.rule["{number}-{index}"]',
        message="SSH is open to the whole world.",
        remedy="Name the networks that may log in.",
        action=Action.BLOCK if like.blocked or waived else Action.WARN,
        waiver=WaiverReference(owner="sam", reason="a migration", expires=ends) if waived else None,
    )


class _Folder:
    def __init__(self, store: RunStore, like: _Like, made: MadeHistory) -> None:
        like.settle()
        self.store, self.like, self.made = store, like, made
        self.files: dict[str, ManifestFile] = {}
        self.plan = hashlib.sha256(like.run_id.encode()).hexdigest()

    def put(self, path: str, content: BaseModel | bytes) -> None:
        data = content if isinstance(content, bytes) else content.model_dump_json(indent=2).encode()
        target = self.store.dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not by the store: what is generated need not outlast the machine's power.
        target.write_bytes(data)
        self.files[path] = ManifestFile(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))

    def write(self) -> None:
        like, steps = self.like, list(BUILT_IN)
        run = Run(
            run_id=like.run_id, stack=like.stack, commit=self.plan[:40], ref="main", requester=like.requester,
            author=like.requester, created_at=like.at, project="platform/access",
            pipeline_url=f"https://gitlab.example/platform/access/-/pipelines/{like.run_id}",
        )  # fmt: skip
        self.put("run.json", run)
        manifest = new_manifest(like.run_id, self.files.values(), like.at)
        signed = {"key": signer_id(self.made.key)} if self.made.key else {}
        for index, step in enumerate(steps[:2] if like.blocked else steps):
            self.files = {}
            at = like.at + timedelta(minutes=4 * index)
            outcome = self.step(step, at)
            sealed = at + timedelta(minutes=3)
            manifest = add_seal(
                manifest, (step.name, outcome, self.files.values()), sealed, [step.name for step in steps]
            )
        manifest = manifest.model_copy(update={"steps": tuple(s.model_copy(update=signed) for s in manifest.steps)})
        if self.made.key:
            manifest = manifest.model_copy(update={"keys": {signed["key"]: self.made.public}})
        self.files = {}
        self.put("index.html", b"<!doctype html><title>run</title>")
        manifest = manifest.model_copy(update={"page": self.files["index.html"]})
        self.put("manifest.json", manifest_bytes(manifest))
        if self.made.key:
            self.put("manifest.dsse.json", sign_statement(statement(manifest, run), self.made.key))

    def step(self, step: Step, at: datetime) -> Outcome:
        like, folder = self.like, step.folder
        getattr(self, f"_{step.name}")(folder, at)
        line = f"<p>{like.run_id} {step.name}</p>\n"
        self.put(f"{folder}/notebook.ipynb", json.dumps({"cells": [], "of": like.run_id, "at": step.name}).encode())
        self.put(f"{folder}/notebook.html", (line * (self.made.page // len(line))).encode())
        outcome = Outcome.BLOCKED if like.blocked and step.name == "plan" else Outcome.PASSED
        outcome = Outcome.WARNED if step.name == "verification" and like.drifted else outcome
        judged = step.name in {"compliance", "plan"}
        result = StepResult(
            run_id=like.run_id, step=step.name, stack=like.stack, outcome=outcome,
            summary=f"{step.title} of {like.run_id}.", started_at=at, finished_at=at + timedelta(minutes=2),
            findings=(like.findings or ()) if judged and (step.name == "plan" or not like.blocked) else (),
        )  # fmt: skip
        self.put(f"{folder}/result.json", result)
        return outcome

    def _compliance(self, folder: str, at: datetime) -> None:
        self.put(f"{folder}/compliance.txt", f"Judged at {at}.\n".encode())

    def _plan(self, folder: str, at: datetime) -> None:
        like = self.like
        self.plan = hashlib.sha256(plan := f"a plan of {like.run_id} at {at}".encode()).hexdigest()
        self.put(f"{folder}/plan.tfplan", plan)
        self.summary = PlanSummary(create=1, plan_sha256=self.plan, state_lineage="lineage", state_serial=like.number)
        self.put(f"{folder}/summary.json", self.summary)
        self.put(f"{folder}/exposure.json", like.exposure or Exposure())
        self.put(f"{folder}/plan.json", like.plan)
        self.put(f"{folder}/plan.txt", b"Plan: 1 to add.\n" * 50)
        for name in POLICIES:
            self.put(f"{folder}/governed_by/policies/{name}.yml", f"# {name}\n".encode() * 100)

    def _approval(self, folder: str, at: datetime) -> None:
        like = self.like
        request = ApprovalRequest(
            run_id=like.run_id, stack=like.stack, plan_sha256=self.plan, commit=self.plan[:40], summary=self.summary,
            state_lineage="lineage", state_serial=like.number, policy_sha256="p", exposure=like.exposure or Exposure(),
            requester=like.requester, author=like.requester, approvers=PEOPLE, quorum=1, created_at=at,
            expires_at=at + timedelta(hours=4), risk=Risk(level=list(RiskLevel)[like.number % 5]),
            break_glass=(like.approver,) if like.alone else (),
        )  # fmt: skip
        self.put(f"{folder}/request.json", request)
        self.put(f"{folder}/decision.json", self.decision(at + timedelta(minutes=1)))

    def decision(self, at: datetime) -> DecisionRecord:
        like = self.like
        given = Decision(
            source="gitlab_job", user=like.approver, approved=True, plan_sha256=self.plan, counts=True,
            at=like.at + timedelta(minutes=9), break_glass=like.alone,
        )  # fmt: skip
        return DecisionRecord(
            run_id=like.run_id, plan_sha256=self.plan, decisions=(given,), approved=True, checked_at=at
        )

    def _apply(self, folder: str, at: datetime) -> None:
        self.put(f"{folder}/decision.json", self.decision(at + timedelta(seconds=30)))
        self.put(f"{folder}/apply.jsonl", b'{"type": "apply_complete"}\n' * 20)
        self.put(f"{folder}/apply.txt", b"Apply complete.\n")

    def _verification(self, folder: str, at: datetime) -> None:
        drift = (Difference(kind=DifferenceKind.UNMANAGED, group="sg-1", rule=None, blocks=False),)
        found = drift if self.like.drifted else ()
        outcome = Outcome.WARNED if found else Outcome.PASSED
        self.put(f"{folder}/verification.json", Verification(outcome=outcome, in_sync=4, differences=found))

    def _service_tests(self, folder: str, at: datetime) -> None:
        results = tuple(
            ServiceResult(
                test=ServiceTest(name="web front", address=address, url=f"http://{address}/"), at=at,
                passed=not (self.like.failing and index == 0), status=200, seconds=0.1 + index / 10,
                error="timed out" if self.like.failing and index == 0 else "",
            )
            for index, address in enumerate(("198.51.100.7", "198.51.100.8", "198.51.100.9"))
        )  # fmt: skip
        report = ServiceReport(outcome=Outcome.PASSED, summary="3 asked.", results=results)
        self.put(f"{folder}/results.json", report)
