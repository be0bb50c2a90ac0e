"""A step of a runbook as a value: what the list of steps is made of, and what a run remembers of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import Field

from .base import Model

__all__ = ["ALWAYS", "BUILT_IN", "CHANGE", "DRIFT", "EXPIRED", "STEP_NAME", "RunStep", "Step", "find_step"]

STEP_NAME = r"^[a-z][a-z0-9_]{0,39}$"
# The runbook that there is without a word in runbook.yml.
CHANGE = "change"
DRIFT = "drift"
# A change like any other, but for the one thing that it may do: to remove rules whose end has come.
EXPIRED = "expired"


class RunStep(Model):
    """A step as a run has it: run.json keeps it, so that a run keeps its numbers when the runbook changes later."""

    name: str = Field(pattern=STEP_NAME)
    number: int = Field(ge=1, le=99)
    title: str
    notebook: str

    @property
    def folder(self) -> str:
        """The step's folder inside the run folder, as `02_plan`."""
        return f"{self.number:02d}_{self.name}"


class Step(RunStep):
    """All that is known of a step.

    `notebook` is a path below the repository; a bare file name lies in the folder of notebooks. `timeout` is in
    seconds, None is no limit. `retries` is how often a `repeatable` step is carried out again when an outside system
    failed. `starts_run`: by hand, without a run's id, it begins a run. `speaks`: it tells Slack about itself while it
    works. `decides`: its notebook must come to a decision; one that need not has passed when it was executed.
    `applies`: it changes what is outside, so what follows is never taken over from an earlier execution.
    `own_pipeline`: under GitLab it runs in a child pipeline, whose results don't come back. `needs` are steps that must
    stand before it in a runbook, `uploads` files of its folder that go to Slack, `preload` modules that its kernel
    imports early, `later` those that it needs once Terraform has answered: a started kernel imports them meanwhile.
    """

    timeout: float | None = 3600
    retries: int = Field(default=0, ge=0, le=5)
    repeatable: bool = True
    starts_run: bool = False
    speaks: bool = False
    decides: bool = False
    applies: bool = False
    own_pipeline: bool = False
    needs: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    later: tuple[str, ...] = ()

    @property
    def recorded(self) -> RunStep:
        """What a run remembers of it."""
        return RunStep.model_construct(name=self.name, number=self.number, title=self.title, notebook=self.notebook)


StepT = TypeVar("StepT", bound=RunStep)


def find_step(steps: Iterable[StepT], name: str) -> StepT | None:
    """The step of this name, None if there is none."""
    return next((step for step in steps if step.name == name), None)


_SHOWING = ("runbook_lib.report.tables", "runbook_lib.report.decision_tables", "ruamel.yaml")
_ASKING = ("gitlab", "slack_sdk")
_DRAWING = ("runbook_lib.report.charts", "matplotlib.figure", "matplotlib.backends.backend_svg", "matplotlib.patches")


def _built_in(number: int, name: str, title: str, preload: Sequence[str], **more: Any) -> Step:
    modules = (f"runbook_lib.steps.{name}", *_SHOWING, *preload)
    notebook = f"{number:02d}_{name}.ipynb"
    # Not validated: every process would build the model for these alone.
    given: dict[str, Any] = {"name": name, "number": number, "title": title, "notebook": notebook}
    return Step.model_construct(**given, preload=modules, decides=True, **more)


BUILT_IN: tuple[Step, ...] = (
    _built_in(1, "compliance", "Compliance", ("hcl2",), timeout=900, starts_run=True, uploads=("compliance.txt",)),
    _built_in(2, "plan", "Plan", (), later=("hcl2", *_DRAWING)),
    # It waits for people, and must not be cut short.
    _built_in(3, "approval", "Approval", _ASKING, timeout=None, repeatable=False, speaks=True, needs=("plan",)),
    _built_in(
        4, "apply", "Apply", _ASKING, timeout=None, repeatable=False, speaks=True, applies=True,
        needs=("plan", "approval"), uploads=("apply.txt",),
    ),
    _built_in(5, "verification", "Verification", ("boto3",), timeout=1800, later=_DRAWING),
    _built_in(
        6, "service_tests", "Service tests", ("boto3", "aiohttp", *_DRAWING), starts_run=True, own_pipeline=True,
    ),
)  # fmt: skip

# The runbooks that are there though runbook.yml says nothing of them.
ALWAYS: dict[str, tuple[Step, ...]] = {
    CHANGE: BUILT_IN,
    EXPIRED: BUILT_IN,
    DRIFT: tuple(step.model_copy(update={"number": 1}) for step in BUILT_IN if step.name == "verification"),
}
