"""The sequence runner: order, stop, resume, results, exit status."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.engine.display import CiDisplay, LineDisplay, Quiet
from runbook_lib.errors import InputError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.models.steps import BUILT_IN, Step
from runbook_lib.runner.sequence import Job, Summary, run_sequence, summary_text

from .conftest import ROOT, make_notebook, wait_for

PARAMETERS = "run_id: str = ''\nstack: str = ''\ncount: int = 0"
RESULT = """
import datetime, hashlib, json, pathlib
here = pathlib.Path({folder!r}) / run_id
now = datetime.datetime.now(datetime.timezone.utc).isoformat()
inputs = [dict(path=p, sha256=hashlib.sha256(f.read_bytes()).hexdigest()) for p, f in {inputs}]
result = dict(run_id=run_id, step={step!r}, stack=stack, outcome={outcome!r}, summary="said by the notebook",
              started_at=now, finished_at=now, inputs=inputs)
result |= {more!r}
_ = (here / {step_folder!r} / "result.json").write_text(json.dumps(result))
"""


class Recorder:
    """Hooks that remember."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.resumed: list[str] = []
        self.pages: list[str] = []

    def step_started(self, step: Step) -> None:
        self.told.append(f"started {step.name}")

    def step_ended(self, result: StepResult) -> None:
        self.told.append(f"ended {result.step} {result.outcome}")

    def step_resumed(self, step: Step) -> None:
        self.resumed.append(step.name)

    def page_made(self, step: Step) -> None:
        self.pages.append(step.name)

    def run_ended(self, results: tuple[StepResult, ...]) -> None:
        self.told.append(f"run ended {len(results)}")


def known(name: str) -> Step:
    return next(step for step in BUILT_IN if step.name == name)


class Sequences:
    """Notebooks of steps, and a job on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hooks = Recorder()
        self.job = Job(folder / "outputs" / "r1", (), {}, "main", folder, display=Quiet())

    def step(self, step: str, *cells: str, outcome: str = "passed", inputs: str = "[]", **more: Any) -> None:
        result = RESULT.format(
            folder=str(self.folder / "outputs"),
            step=step,
            step_folder=known(step).folder,
            outcome=outcome,
            inputs=inputs,
            more=more,
        )
        self.add(known(step), *cells, *([result] if outcome else []))

    def add(self, step: Step, *cells: str) -> None:
        """A step with this notebook."""
        path = make_notebook(self.folder / step.notebook, *cells, parameters=PARAMETERS)
        notebooks = {**self.job.notebooks, step.name: path}
        bare = step.model_copy(update={"preload": (), "later": ()})
        self.job = replace(self.job, steps=(*self.job.steps, bare), notebooks=notebooks)

    def run(self, preload: Mapping[str, tuple[str, ...]] | None = None, **changes: Any) -> Summary:
        job = replace(self.job, **changes)
        if preload is not None:
            steps = (step.model_copy(update={"preload": preload.get(step.name, ())}) for step in job.steps)
            job = replace(job, steps=tuple(steps))
        return run_sequence(job, self.hooks)

    def file(self, step: str, name: str) -> Path:
        return self.job.run_dir / known(step).folder / name

    def notebook(self, step: str) -> Mapping[str, Any]:
        return dict(json.loads(self.file(step, "notebook.ipynb").read_text()))


@pytest.fixture
def sequences(tmp_path: Path) -> Sequences:
    return Sequences(tmp_path)


def test_steps_run_in_order_with_run_and_stack_and_leave_pages(sequences: Sequences) -> None:
    sequences.step("compliance", "print(run_id, stack, count)")
    sequences.step("plan", outcome="warned")
    summary = sequences.run(parameters={"compliance": {"count": 7}})
    assert summary.exit_status == 0
    assert summary.outcome is Outcome.WARNED
    assert [result.step for result in summary.results] == ["compliance", "plan"]
    assert sequences.hooks.told == [
        "started compliance", "ended compliance passed", "started plan", "ended plan warned", "run ended 2",
    ]  # fmt: skip
    assert sequences.notebook("compliance")["cells"][2]["outputs"][0]["text"] == ["r1 main 7\n"]
    assert "r1 main 7" in sequences.file("compliance", "notebook.html").read_text()
    assert sequences.file("plan", "notebook.html").exists()
    assert "plan           WARNED" in summary_text(summary)


@pytest.mark.parametrize(("outcome", "status"), [("blocked", 1), ("errored", 3)])
def test_sequence_stops_at_the_first_step_that_is_blocked_or_fails(
    sequences: Sequences, outcome: str, status: int
) -> None:
    sequences.step("compliance", outcome=outcome)
    sequences.step("plan")
    summary = sequences.run()
    assert summary.exit_status == status
    assert [result.outcome for result in summary.results] == [outcome]
    assert sequences.hooks.told[-1] == "run ended 1"
    assert not sequences.file("plan", "notebook.ipynb").exists()


def test_a_step_that_leaves_nothing_to_do_ends_the_run_as_good(sequences: Sequences) -> None:
    sequences.step("compliance", outcome="warned")
    sequences.step("plan", ends=True)
    sequences.step("apply")
    summary = sequences.run()
    assert (summary.exit_status, summary.outcome) == (0, Outcome.WARNED)
    assert [result.step for result in summary.results] == ["compliance", "plan"]
    assert not sequences.file("apply", "notebook.ipynb").exists()
    # Gone on with, it is at its end as well.
    assert [result.step for result in sequences.run(resume=True).results] == ["compliance", "plan"]


def test_usage_error_of_a_step_leaves_with_2(sequences: Sequences) -> None:
    error = {"type": "ConfigError", "message": "no such stack", "remedy": "Name another."}
    sequences.step("compliance", outcome="errored", error=error)
    assert sequences.run().exit_status == 2


def test_exception_without_a_result_gets_one_from_the_engine(sequences: Sequences) -> None:
    sequences.step("compliance", "1 / 0")
    summary = sequences.run()
    result = summary.results[0]
    assert summary.exit_status == 3
    assert result.outcome is Outcome.ERRORED
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("ZeroDivisionError", "division by zero")
    written = json.loads(sequences.file("compliance", "result.json").read_text())
    assert written["outcome"] == "errored"


def test_old_result_does_not_speak_for_a_notebook_that_failed(sequences: Sequences) -> None:
    sequences.step("compliance")
    assert sequences.run().exit_status == 0
    sequences.job = replace(sequences.job, steps=())
    sequences.step("compliance", "raise ValueError('now')")
    summary = sequences.run()
    assert summary.results[0].outcome is Outcome.ERRORED
    assert summary.exit_status == 3


def test_notebook_that_fails_after_its_result_has_not_passed(sequences: Sequences) -> None:
    sequences.step("compliance")
    path = sequences.folder / "01_compliance.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"].append({**nb["cells"][-1], "id": "late", "source": "1 / 0"})
    path.write_text(json.dumps(nb))
    assert sequences.run().results[0].outcome is Outcome.ERRORED


def test_notebook_without_a_decision_is_an_error(sequences: Sequences) -> None:
    sequences.step("compliance", "print(1)", outcome="")
    summary = sequences.run()
    assert summary.exit_status == 3
    assert summary.results[0].summary == "the notebook ended without a result"


def test_wrong_parameter_is_an_error_before_any_kernel_starts(sequences: Sequences) -> None:
    sequences.step("compliance")
    sequences.step("plan")
    with pytest.raises(UsageError, match="did you mean 'count'"):
        sequences.run(parameters={"plan": {"cout": 1}})
    assert sequences.hooks.told == []
    assert not sequences.job.run_dir.exists()


def test_missing_notebook_is_an_error_before_anything_runs(sequences: Sequences) -> None:
    sequences.step("compliance")
    with pytest.raises(InputError, match=r"02_plan\.ipynb"):
        sequences.run(
            steps=(known("compliance"), known("plan")),
            notebooks={name: sequences.folder / known(name).notebook for name in ("compliance", "plan")},
        )
    assert sequences.hooks.told == []


def test_step_timeout_is_an_error_that_says_so(sequences: Sequences) -> None:
    sequences.step("compliance", "import time; time.sleep(60)")
    summary = sequences.run(steps=(known("compliance").model_copy(update={"timeout": 5}),))
    assert summary.exit_status == 3
    assert "longer than 5 s" in summary.results[0].summary
    statuses = [cell["metadata"]["papermill"]["status"] for cell in sequences.notebook("compliance")["cells"]]
    assert statuses == ["completed", "completed", "interrupted", "not_run"]


INPUT = "[('repo:rules.tf', pathlib.Path({!r}))]"


def test_resume_repeats_only_what_has_changed(sequences: Sequences) -> None:
    rules = sequences.folder / "rules.tf"
    rules.write_text("one")
    log = f"open({str(sequences.folder / 'log')!r}, 'a').write(stack[0])"
    sequences.step("compliance", log, inputs=INPUT.format(str(rules)))
    sequences.step("plan", log)
    ran = sequences.folder / "log"
    assert sequences.run().resumed == frozenset()
    assert sequences.run(resume=True).resumed == {"compliance", "plan"}
    assert ran.read_text() == "mm"
    rules.write_text("two")
    assert sequences.run(resume=True).resumed == {"plan"}
    assert ran.read_text() == "mmm"
    summary = sequences.run(resume=True, parameters={"plan": {"count": 2}})
    assert summary.resumed == {"compliance"}
    assert ran.read_text() == "mmmm"
    assert [result.outcome for result in summary.results] == ["passed", "passed"]


def test_resume_repeats_what_follows_an_apply(sequences: Sequences) -> None:
    sequences.step("apply")
    sequences.step("verification")
    sequences.run()
    sequences.file("apply", "result.json").unlink()
    assert sequences.run(resume=True).resumed == frozenset()


def test_resume_repeats_a_step_whose_notebook_has_changed(sequences: Sequences) -> None:
    sequences.step("compliance")
    sequences.run()
    sequences.job = replace(sequences.job, steps=())
    sequences.step("compliance", "print('new')")
    assert sequences.run(resume=True).resumed == frozenset()


FLAKY = """
import pathlib
tries = pathlib.Path({path!r})
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
"""


@pytest.mark.parametrize(("step", "tries"), [("verification", "xx"), ("apply", "x")])
def test_failing_outside_system_is_asked_again_but_never_to_apply(sequences: Sequences, step: str, tries: str) -> None:
    path = sequences.folder / "tries"
    error = {"type": "AwsError", "message": "throttled"}
    sequences.step(step, FLAKY.format(path=str(path)), outcome="errored", error=error)
    summary = sequences.run(steps=tuple(step.model_copy(update={"retries": 1}) for step in sequences.job.steps))
    assert path.read_text() == tries
    assert summary.exit_status == 3


def test_ci_log_has_a_section_a_step_and_a_prefix_a_line(sequences: Sequences) -> None:
    sequences.step("compliance", "print('one'); print('10%\\r100%'); print('tail', end='')")
    out = io.StringIO()
    sequences.run(display=CiDisplay(out))
    lines = out.getvalue().split("\n")
    assert lines[0].startswith("\x1b[0Ksection_start:")
    assert lines[0].endswith(":step_compliance\r\x1b[0K\x1b[1m01_compliance\x1b[0m")
    assert lines[1:4] == ["compliance │ one", "compliance │ 100%", "compliance │ tail"]
    assert lines[4].startswith("\x1b[0Ksection_end:")
    assert lines[5] == "compliance │ PASSED: said by the notebook"


def test_plain_log_has_no_escape_sequences(sequences: Sequences) -> None:
    sequences.step("compliance", "print('one')")
    out = io.StringIO()
    sequences.run(display=LineDisplay(out))
    assert "\x1b" not in out.getvalue()
    assert "compliance │ one\n" in out.getvalue()


RUN = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from runbook_lib.engine.display import Quiet
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner.sequence import Job, run_sequence
class Hooks:
    def step_started(self, step): pass
    def step_ended(self, result): print(result.step, result.outcome, flush=True)
    def step_resumed(self, step): pass
    def page_made(self, step): pass
    def run_ended(self, results): print("sealed", flush=True)
folder = Path({folder!r})
steps = BUILT_IN[:2]
notebooks = {{step.name: folder / step.notebook for step in steps}}
job = Job(folder / "outputs" / "r1", steps, notebooks, "main", folder, display=Quiet())
sys.exit(run_sequence(job, Hooks()).exit_status)
"""


def test_cancelled_run_writes_its_result_and_seals_before_it_leaves(sequences: Sequences, tmp_path: Path) -> None:
    marker = tmp_path / "began"
    sequences.step("compliance", f"open({str(marker)!r}, 'w').close()\nimport time; time.sleep(60)")
    sequences.step("plan")
    code = RUN.format(root=str(ROOT), folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    wait_for(marker.exists, process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 143
    assert said.splitlines() == ["compliance interrupted", "sealed"]
    result = json.loads(sequences.file("compliance", "result.json").read_text())
    assert (result["outcome"], result["error"]["type"]) == ("interrupted", "SIGTERM")
    assert sequences.file("compliance", "notebook.html").exists()
    assert not sequences.file("plan", "notebook.ipynb").exists()


def test_fingerprint_is_no_secret(sequences: Sequences) -> None:
    sequences.step("compliance")
    sequences.run()
    fingerprint = sequences.notebook("compliance")["metadata"]["runbook"]["fingerprint"]
    assert len(fingerprint) == len(hashlib.sha256().hexdigest())
