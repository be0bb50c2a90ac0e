"""A repository and a run of it, with nothing outside: no GitLab, a Slack that remembers, no Terraform."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from step_fakes import NOW, FakeSlack

from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.domain.surroundings import refused_variables
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.settings import Environment, Settings

ROOT = Path(__file__).parents[2]
PLAN = b"a plan"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the machine that runs the tests has set says nothing here.
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    for name in ("CI_SERVER_URL", "CI_API_V4_URL", "CI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    for refused in refused_variables(os.environ, (), in_ci=True):
        monkeypatch.delenv(refused.name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the repository's policies, stacks and runbook.yml."""
    folder = tmp_path / "repository"
    ignored = shutil.ignore_patterns(".terraform*", "tests")
    for name in ("policies", "terraform"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copyfile(ROOT / "runbook.yml", folder / "runbook.yml")
    return folder


@pytest.fixture
def load(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings with these variables, and with a GitLab that runbook.yml names."""

    def _load(*, project: str = "", url: str = "", **variables: str) -> Settings:
        monkeypatch.setenv("RUNBOOK_ROOT", str(root))
        # A job may not be led elsewhere than where it is.
        monkeypatch.chdir(root)
        path = root / "runbook.yml"
        if project or url:
            text = (ROOT / "runbook.yml").read_text().replace("https://gitlab.com", url or "https://gitlab.com")
            path.write_text(text.replace('project: ""', f'project: "{project}"'))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Settings.load()

    return _load


@pytest.fixture
def settings(load: Callable[..., Settings]) -> Settings:
    return load()


@pytest.fixture
def run() -> Run:
    return Run(run_id="7", stack="access", commit="4dc7a7", requester="riley", author="riley", created_at=NOW)


@pytest.fixture
def store(settings: Settings, run: Run) -> RunStore:
    """The folder of a run that has begun."""
    made = RunStore(settings.outputs, run.run_id, settings.redactor.mask)
    made.write_json("run.json", run)
    return made


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> FakeSlack:
    """The Slack that all steps tell."""
    fake = FakeSlack()

    def client(settings: Settings, stack: str) -> FakeSlack:
        assert stack in settings.config.stacks
        return fake

    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", client)
    return fake


@pytest.fixture
def result() -> Callable[..., StepResult]:
    """A step's result."""

    def make(step: str = "plan", outcome: Outcome = Outcome.PASSED, error: ErrorInfo | None = None) -> StepResult:
        later = NOW + timedelta(minutes=[known.name for known in BUILT_IN].index(step))
        return StepResult(
            run_id="7",
            step=step,
            stack="access",
            outcome=outcome,
            summary=error.message if error else f"{step} it is",
            started_at=later,
            finished_at=later + timedelta(seconds=5),
            error=error,
        )

    return make


@pytest.fixture
def request_(store: RunStore) -> ApprovalRequest:
    """A request that stands for the plan in the run folder, for four hours from NOW on."""
    path = store.write_bytes("02_plan/plan.tfplan", PLAN)
    summary = PlanSummary(create=1, plan_sha256=sha256_file(path), state_lineage="l", state_serial=3)
    store.write_json("02_plan/summary.json", summary)
    made = ApprovalRequest(
        run_id="7",
        stack="access",
        plan_sha256=summary.plan_sha256,
        commit="4dc7a7",
        state_lineage="l",
        state_serial=3,
        policy_sha256="p",
        summary=summary,
        exposure=Exposure(sentence="The internet can newly reach web on tcp 80."),
        requester="riley",
        author="riley",
        approvers=("alex", "sam"),
        quorum=1,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=4),
    )
    store.write_json("03_approval/request.json", made)
    return made
