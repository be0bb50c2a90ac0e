"""What a team's own notebook may use: open the step, read what earlier steps left, object, finish.

These names are promised, as are `runbook_lib.report.tables` and `charts`, which show what is read here. Everything else
in the package may change between versions. docs/notebooks.md has an example of each.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from .errors import UsageError
from .models.base import Outcome
from .models.exposure import Exposure
from .models.findings import Finding, Severity
from .models.plan import Plan
from .models.results import GivenFinding, GivenOutcome, StepResult
from .models.run import Run
from .models.services import ServiceReport
from .models.steps import BUILT_IN, find_step
from .models.verification import Verification
from .report.result_view import ResultView
from .workspace import records
from .workspace.approval_form import approval_form
from .workspace.context import StepContext, open_step

__all__ = [
    "Exposure",
    "Finding",
    "Outcome",
    "OwnStep",
    "Plan",
    "Run",
    "ServiceReport",
    "Severity",
    "StepResult",
    "Verification",
    "approval_form",
    "open_own_step",
]


class OwnStep:
    """A team's own step at work, made by `open_own_step`.

    What a step before it did not leave is an InputError that says which step to run. Whatever is read is remembered:
    `runbook run --resume` repeats this step when it changes.
    """

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._findings: list[GivenFinding] = []

    @property
    def run(self) -> Run:
        """The run: its id, stack, commit, requester and steps."""
        return self._context.run

    @property
    def results(self) -> tuple[StepResult, ...]:
        """The results of the steps before this one, in their order."""
        store = self._context.store
        names = [step.name for step in records.steps_before(store, self._context.step.name)]
        self._reads(*(store.file(name, "result.json") for name in names))
        return tuple(result for name in names if (result := store.read_result(name)))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the steps before this one objected to; of compliance and plan only the plan's verdict, which counts."""
        return records.findings_that_count(self.results)

    @property
    def plan(self) -> Plan:
        """Terraform's plan, its sensitive values masked."""
        key = self._context.settings.environment.age_key.get_secret_value()
        self._reads(records.plan_json_file(self._context.store))
        return records.read_plan(self._context.store, key)

    @property
    def exposure(self) -> Exposure:
        """Who can newly reach what by the plan, and who no longer can."""
        self._reads(self._context.store.file("plan", "exposure.json"))
        return records.read_exposure(self._context.store)

    @property
    def verification(self) -> Verification:
        """The comparison of repository, state and AWS."""
        self._reads(self._context.store.file("verification", "verification.json"))
        return records.read_verification(self._context.store)

    @property
    def services(self) -> ServiceReport:
        """What the service tests found."""
        self._reads(self._context.store.file("service_tests", "results.json"))
        return records.read_services(self._context.store)

    def write(self, name: str, text: str) -> Path:
        """Keep a text as a file of this step, secrets masked, as evidence; UsageError outside its folder."""
        path = PurePosixPath(name)
        folder = self._context.store.path(self._context.step.folder)
        inside = (folder / path).resolve().is_relative_to(folder)
        if not inside or ".." in path.parts or not path.name or path.name in _OURS:
            raise UsageError(f"{name!r} is no file of this step's own", "Name one that lies in the step's folder.")
        return self._context.store.write_text(self._context.file(name), text)

    def measure(self, name: str, value: float | str) -> None:
        """A figure for the result and for Slack."""
        self._context.metrics[name] = value

    def block(self, message: str, *, address: str = "", remedy: str = "", severity: Severity = Severity.HIGH) -> None:
        """Object: the run stops when this step finishes. `address` is Terraform's, where it is about one resource."""
        self._object(message, address, remedy, severity, blocks=True)

    def warn(self, message: str, *, address: str = "", remedy: str = "", severity: Severity = Severity.MEDIUM) -> None:
        """Have people look: the approver sees it beside the plan's own findings."""
        self._object(message, address, remedy, severity, blocks=False)

    def finish(self, summary: str = "") -> ResultView:
        """End the step: blocked if something blocks, warned if something warns, else passed. Show what it gives."""
        given = GivenOutcome(summary=summary, findings=tuple(self._findings))
        step = self._context.step
        findings = tuple(finding.finding(step.name) for finding in given.findings)
        return self._context.finish(given.decided, given.said(step.title), findings)

    def _object(self, message: str, address: str, remedy: str, severity: Severity, *, blocks: bool) -> None:
        given = GivenFinding(message=message, blocks=blocks, severity=severity, address=address, remedy=remedy)
        self._findings.append(given)
        # Also a notebook that never finishes has objected, and one that goes on after it finished has not finished.
        self._context.store.path(self._context.file("result.json")).unlink(missing_ok=True)
        outcome = GivenOutcome(findings=tuple(self._findings), metrics=self._context.metrics)
        self._context.store.write_json(self._context.file(records.OUTCOME_FILE), outcome)

    def _reads(self, *names: str) -> None:
        self._context.uses(*(self._context.store.path(name) for name in names))


# What the engine, or finishing, writes into the step's folder.
_OURS = {"notebook.ipynb", "notebook.html", "result.json", records.OUTCOME_FILE}


def open_own_step(name: str, run_id: str = "", stack: str = "") -> OwnStep:
    """Begin the step that runbook.yml lists under this name. By hand, without a run's id, in the stack's newest run."""
    # Asked first: to open a step takes its old result away.
    if find_step(BUILT_IN, name):
        raise UsageError(f"{name} is a built-in step", "Name the one of your own that runbook.yml lists.")
    return OwnStep(open_step(name, run_id, stack))
