"""A team's own notebooks as steps of a runbook, on real kernels: how they decide, and what they may not do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runbook_lib.adapters.store import RunStore
from runbook_lib.cli import new
from runbook_lib.errors import ConfigError, InputError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.runner import run
from runbook_lib.runner.evidence import prove_folder
from runbook_lib.runner.run import RunRequest, execute
from runbook_lib.runner.sequence import Summary
from runbook_lib.settings import Environment, Settings

from .conftest import make_notebook

CONFIG = """version: 1
stacks: {{main: {{path: terraform, state: main}}}}
runbooks:
  change:
    steps: [compliance, plan, {cost}, approval, apply]
steps: {{approval: {{own_notebook: true}}, apply: {{own_notebook: true}}}}
"""
PARAMETERS = "run_id: str = ''\nstack: str = ''"
# What the built-in notebooks do here: their part in the run, and nothing of Terraform.
BUILT_IN = """
from runbook_lib.models.base import Outcome
from runbook_lib.workspace.context import open_step
step = open_step({name!r}, run_id, stack)
for name in ("{name}.tfplan", "exposure.json"):
    step.store.write_text(step.file(name), "as it was made")
step.store.write_json(step.file("plan.json"), {{"format_version": "1.2", "resource_changes": []}})
step.finish(Outcome.PASSED, "as it should be")
"""
OPEN = "from runbook_lib.notebook import open_own_step\nstep = open_own_step('cost', run_id, stack)"
HERE = "import json, os, pathlib\nfolder, run = (pathlib.Path(os.environ[f'RUNBOOK_{n}_DIR']) for n in ('STEP', 'RUN'))"
# A notebook that answers nobody: its step has passed when it was executed.
SILENT = "print('looked')"


class Team:
    """A repository with an own step `cost` in its runbook, and one run of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.describe("cost")
        for number, name in enumerate(("compliance", "plan", "approval", "apply"), start=1):
            path = root / f"notebooks/{number:02d}_{name}.ipynb"
            make_notebook(path, BUILT_IN.format(name=name), parameters=PARAMETERS)
        self.store = RunStore(root / "outputs", "r1")

    def describe(self, cost: str) -> None:
        """What runbook.yml says of the step."""
        (self.root / "runbook.yml").write_text(CONFIG.format(cost=cost))

    def cost(self, *cells: str, parameters: str = "") -> None:
        """The step's notebook."""
        make_notebook(self.root / "notebooks/cost.ipynb", *cells, parameters=parameters)

    def run(self, *names: str, **request: Any) -> Summary:
        """Run steps; plan and cost if none is named."""
        chosen = {} if "start" in request else {"names": names or ("plan", "cost")}
        return execute(RunRequest(run_id="r1", **chosen, **request), Settings.load(self.root))

    def result(self, step: str = "cost") -> StepResult:
        """What the step left."""
        found = self.store.read_result(step)
        assert found
        return found

    def output(self, step: str = "cost") -> str:
        """All that the step's cells wrote."""
        nb = json.loads((self.store.dir / self.store.file(step, "notebook.ipynb")).read_text())
        return "".join("".join(output.get("text", "")) for cell in nb["cells"] for output in cell.get("outputs", []))


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    # No Terraform is here that has a state: without an answer every plan is made again.
    monkeypatch.setattr(run, "state_moved", lambda *asked: "")
    return Team(tmp_path)


def test_a_notebook_that_decides_nothing_has_passed_when_it_was_executed(team: Team) -> None:
    team.cost(HERE, SILENT, "_ = (folder / 'prices.csv').write_text('a,1')")
    summary = team.run("compliance", "plan", "cost")
    assert (summary.outcome, summary.exit_status) == (Outcome.PASSED, 0)
    result = team.result()
    assert (result.outcome, result.summary, result.stack) == (Outcome.PASSED, "Cost: nothing to object to.", "main")
    assert [artifact.path for artifact in result.artifacts] == ["03_cost/prices.csv"]
    assert "looked" in (team.store.dir / "03_cost/notebook.html").read_text()
    assert prove_folder(team.store.dir).valid


def test_a_run_goes_on_from_an_own_step_to_its_end(team: Team) -> None:
    team.cost(SILENT)
    team.run("compliance", "plan")
    summary = team.run(start="cost")
    assert [result.step for result in summary.results] == ["cost", "approval", "apply"]
    assert summary.exit_status == 0


def test_a_new_notebook_runs_as_the_step_that_it_says_how_to_list(
    team: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(team.root)
    new.notebook("cost")
    said = capsys.readouterr()
    assert said.out == f"{team.root / 'notebooks/cost.ipynb'}\n"
    assert "steps: [compliance, plan, cost, approval, apply]\n" in said.err
    assert team.run().exit_status == 0
    assert team.result().summary == "Cost: 0 changes looked at."
    with pytest.raises(UsageError, match="is there already"):
        new.notebook("cost")


def test_no_notebook_is_written_where_runbook_yml_is_wrong(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(team.root)
    with (team.root / "runbook.yml").open("a") as file:
        file.write("chanel: x\n")
    with pytest.raises(ConfigError, match="chanel"):
        new.notebook("rather_dear")
    assert not (team.root / "notebooks/rather_dear.ipynb").exists()


def test_a_notebook_that_decides_nothing_and_raises_is_an_error_and_ends_the_run(team: Team) -> None:
    team.cost("raise LookupError('no prices today')")
    summary = team.run("plan", "cost", "approval")
    assert summary.exit_status == 3
    assert [result.step for result in summary.results] == ["plan", "cost"]
    error = team.result().error
    assert error
    assert (error.type, error.message) == ("LookupError", "no prices today")


@pytest.mark.parametrize(
    ("said", "outcome", "status", "goes_on"),
    [
        ("step.block('too dear', address='aws_lb.web')", Outcome.BLOCKED, 1, False),
        ("step.warn('rather dear', remedy='Ask finance.')", Outcome.WARNED, 0, True),
        ("step.measure('usd', 3)", Outcome.PASSED, 0, True),
    ],
)
def test_a_notebook_blocks_warns_or_passes_by_what_it_says(
    team: Team, said: str, outcome: Outcome, status: int, goes_on: bool
) -> None:
    team.cost(OPEN, said, "step.finish('Reckoned.')", parameters=PARAMETERS)
    summary = team.run("plan", "cost", "approval")
    assert (team.result().outcome, team.result().summary, summary.exit_status) == (outcome, "Reckoned.", status)
    assert (team.store.read_result("approval") is not None) is goes_on


def test_what_a_notebook_objects_to_is_found_under_its_step_s_name(team: Team) -> None:
    team.cost(OPEN, "step.block('too dear', address='aws_lb.web')", "step.finish()", parameters=PARAMETERS)
    team.run()
    finding = team.result().findings[0]
    assert (finding.policy, finding.tool, finding.address, finding.message, finding.action) == (
        "cost", "cost", "aws_lb.web", "too dear", "block",
    )  # fmt: skip


@pytest.mark.parametrize("cells", [("step.block('too dear')",), ("step.finish()", "step.block('too dear')")])
def test_who_objects_and_does_not_finish_after_it_has_not_objected_in_vain(team: Team, cells: tuple[str, ...]) -> None:
    team.cost(OPEN, *cells, parameters=PARAMETERS)
    assert team.run().exit_status == 1
    assert [finding.message for finding in team.result().findings] == ["too dear"]


def test_a_notebook_finds_run_and_folder_by_its_environment_alone(team: Team) -> None:
    team.cost(HERE, "print(os.environ['RUNBOOK_STEP'], run.name, folder.name, os.getcwd())")
    team.run()
    assert team.output() == f"cost r1 03_cost {team.root}\n"


SH_KERNEL = """
import subprocess
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Sh(Kernel):
    implementation = banner = "sh"
    implementation_version = "1"
    language_info = {"name": "sh", "mimetype": "text/x-sh", "file_extension": ".sh"}

    def do_execute(self, code, silent, *more, **options):
        done = subprocess.run(["/bin/sh", "-c", code], capture_output=True, text=True)
        self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": done.stdout + done.stderr})
        status = {"execution_count": self.execution_count}
        if not done.returncode:
            return status | {"status": "ok", "payload": [], "user_expressions": {}}
        error = {"ename": "sh", "evalue": f"status {done.returncode}", "traceback": []}
        self.send_response(self.iopub_socket, "error", error)
        return status | error | {"status": "error"}

IPKernelApp.launch_instance(kernel_class=Sh)
"""


@pytest.fixture
def sh(team: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The team, whose step is a notebook in another language than Python."""
    spec = team.root / "jupyter/kernels/sh/kernel.json"
    spec.parent.mkdir(parents=True)
    program = spec.with_name("kernel.py")
    program.write_text(SH_KERNEL)
    argv = [sys.executable, str(program), "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "language": "sh", "display_name": "sh"}))
    monkeypatch.setenv("JUPYTER_PATH", str(team.root / "jupyter"))
    return team


def in_sh(team: Team, *cells: str) -> None:
    metadata = {"kernelspec": {"name": "sh", "display_name": "sh", "language": "sh"}}
    nb = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=metadata)
    nbformat.write(nb, team.root / "notebooks/cost.ipynb")


ANSWER = "cat > \"$RUNBOOK_OUTCOME_FILE\" <<'END'\n{}\nEND"


@pytest.mark.parametrize(
    ("answer", "outcome", "summary"),
    [
        ('{"outcome": "warned", "summary": "rather dear", "metrics": {"usd": 12}}', Outcome.WARNED, "rather dear"),
        ('{"findings": [{"message": "too dear", "blocks": true}]}', Outcome.BLOCKED, "Cost: too dear"),
        # A finding that blocks is never passed over.
        ('{"outcome": "passed", "summary": "ok", "findings": [{"message": "no", "blocks": true}]}', "blocked", "ok"),
        ("{}", Outcome.PASSED, "Cost: nothing to object to."),
    ],
)
def test_a_notebook_in_another_language_decides_by_a_file(
    sh: Team, answer: str, outcome: Outcome, summary: str
) -> None:
    in_sh(sh, 'echo "in sh: $RUNBOOK_STEP"', ANSWER.format(answer))
    done = sh.run()
    assert "in sh: cost" in sh.output()
    assert (sh.result().outcome, sh.result().summary) == (outcome, summary)
    assert done.exit_status == (1 if outcome == "blocked" else 0)
    assert [artifact.path for artifact in sh.result().artifacts] == ["03_cost/outcome.json"]


def test_a_notebook_in_another_language_that_answers_nobody_has_passed(sh: Team) -> None:
    in_sh(sh, "ls")
    assert sh.run().exit_status == 0
    assert sh.result().outcome is Outcome.PASSED


def test_a_command_that_fails_in_another_language_is_an_error_whatever_its_file_says(sh: Team) -> None:
    in_sh(sh, ANSWER.format('{"outcome": "passed"}'), "exit 3")
    assert sh.run().exit_status == 3
    assert (sh.result().outcome, sh.result().summary) == (Outcome.ERRORED, "status 3")


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [("no json", "is no JSON"), ('{"outcome": "fine"}', "outcome"), ('{"verdict": "passed"}', "verdict")],
)
def test_a_file_that_is_no_answer_is_an_error_that_says_what_is_wrong(team: Team, answer: str, wrong: str) -> None:
    team.cost(HERE, f"_ = (folder / 'outcome.json').write_text({answer!r})")
    assert team.run().exit_status == 2
    error = team.result().error
    assert error
    assert wrong in error.message
    assert "03_cost/outcome.json" in error.message


def test_an_answer_of_an_earlier_execution_does_not_speak_for_this_one(team: Team) -> None:
    team.cost(HERE, "_ = (folder / 'outcome.json').write_text('{\"outcome\": \"blocked\"}')")
    assert team.run().exit_status == 1
    team.cost(SILENT)
    assert team.run().exit_status == 0


TRESPASSES = {
    "02_plan/plan.tfplan": "(run / '02_plan/plan.tfplan').write_text('another plan')",
    "02_plan/more.txt": "(run / '02_plan/more.txt').write_text('I was always here')",
    "02_plan/.more": "(run / '02_plan/.more').write_text('nor could you see me')",
    "02_plan/exposure.json": "(run / '02_plan/exposure.json').unlink()",
    "run.json": "(run / 'run.json').write_text((run / 'run.json').read_text() + ' ')",
    "04_approval/decision.json": "(run / '04_approval').mkdir(), (run / '04_approval/decision.json').write_text('{}')",
    "02_plan/notebook.html": "(run / '02_plan/notebook.html').write_text('all is well')",
}


@pytest.mark.parametrize("name", TRESPASSES)
def test_a_step_that_writes_where_others_wrote_ends_the_run_and_names_the_file(team: Team, name: str) -> None:
    team.cost(HERE, f"_ = {TRESPASSES[name]}", "_ = (folder / 'own.txt').write_text('mine')")
    summary = team.run(start="plan")
    assert summary.exit_status == 1
    assert [result.step for result in summary.results] == ["plan", "cost"]
    assert team.result().outcome is Outcome.BLOCKED
    assert team.result().summary == f"The step cost changed what is not its own: {name}."
    assert team.store.read_result("apply") is None


def test_a_step_that_spoilt_a_run_can_not_be_executed_again_as_if_nothing_had_happened(team: Team) -> None:
    team.cost(HERE, f"_ = {TRESPASSES['02_plan/exposure.json']}")
    team.run()
    team.cost(SILENT)
    for request in ({"resume": True}, {"start": "approval"}):
        with pytest.raises(UsageError, match="cost changed what is not its own") as caught:
            team.run(**request)
        assert caught.value.remedy == "Begin a new run."


def test_an_own_step_s_objection_stands_also_when_its_step_reached_into_others(team: Team) -> None:
    said = '{"findings": [{"message": "too dear"}]}'
    team.cost(HERE, f"_ = (folder / 'outcome.json').write_text({said!r})", f"_ = {TRESPASSES['run.json']}")
    team.run()
    assert [finding.message for finding in team.result().findings] == ["too dear"]


FLAKY = """
tries = pathlib.Path('tries')
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
if len(tries.read_text()) < {times}:
    raise ConnectionError("the price list is not there")
"""


@pytest.mark.parametrize(("retries", "status", "tries"), [(0, 3, "x"), (1, 0, "xx")])
def test_an_own_step_that_fails_is_tried_again_as_often_as_runbook_yml_says(
    team: Team, retries: int, status: int, tries: str
) -> None:
    team.describe(f"{{name: cost, retries: {retries}}}")
    team.cost(HERE, FLAKY.format(times=2))
    assert team.run("cost").exit_status == status
    assert (team.root / "tries").read_text() == tries


def test_a_no_is_not_asked_for_again(team: Team) -> None:
    team.describe("{name: cost, retries: 2}")
    tries = FLAKY.format(times=0)
    team.cost(HERE, tries, "_ = (folder / 'outcome.json').write_text('{\"outcome\": \"blocked\"}')")
    assert team.run("cost").exit_status == 1
    assert (team.root / "tries").read_text() == "x"


def test_an_own_step_takes_no_longer_than_runbook_yml_says(team: Team) -> None:
    team.describe("{name: cost, timeout: 1s}")
    team.cost("import time", "time.sleep(60)")
    assert team.run("cost").exit_status == 3
    assert team.result().summary == "the notebook took longer than 1 s"


@pytest.mark.parametrize("cells", [(SILENT,), (OPEN, "step.results, step.finish()")], ids=["silent", "asking"])
def test_resume_repeats_an_own_step_only_when_something_before_it_is_new(team: Team, cells: tuple[str, ...]) -> None:
    team.cost(*cells, parameters=PARAMETERS)
    assert team.run().resumed == frozenset()
    assert team.run(resume=True).resumed == {"plan", "cost"}
    assert team.run("plan").resumed == frozenset()
    assert team.run(resume=True).resumed == {"plan"}
    team.cost("print('new')", *cells, parameters=PARAMETERS)
    assert team.run(resume=True).resumed == {"plan"}


def test_resume_repeats_an_own_step_that_objected_until_it_does_not(team: Team) -> None:
    team.cost(HERE, "_ = (folder / 'outcome.json').write_text('{\"outcome\": \"blocked\"}')")
    team.run()
    assert team.run(resume=True).resumed == {"plan"}


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        ("plan", "the step 'plan' stands there twice"),
        ("../cost", "String should match pattern"),
        ("Cost", "String should match pattern"),
        ("1cost", "String should match pattern"),
        ("cost-of-it", "String should match pattern"),
        ("{name: cost, notebook: ../elsewhere/cost.ipynb}", "is no notebook"),
        ("{name: cost, notebook: /tmp/cost.ipynb}", "is no notebook"),
        ("{name: cost, notebook: notebooks/cost.py}", "is no notebook"),
        ("{name: cost, retries: 9}", "less than or equal to 5"),
        ("{name: cost, timeout: soon}", "timeout"),
    ],
)
def test_a_step_that_can_not_be_one_is_refused_with_its_line(team: Team, step: str, wrong: str) -> None:
    team.describe(step)
    with pytest.raises(ConfigError, match=r"runbook\.yml, line 5") as caught:
        team.run()
    assert wrong in caught.value.message


def test_a_missing_notebook_is_an_error_before_anything_is_executed(team: Team) -> None:
    with pytest.raises(InputError, match=r"there is no notebook cost\.ipynb"):
        team.run()
    assert not team.store.dir.exists()


BUDGET = "budget: float = 100.0  # USD a month"


@pytest.mark.parametrize(
    ("variable", "options", "seen"),
    [("", (), "100.0"), ("250", (), "250.0"), ("250", ("cost.budget=300",), "300.0")],
)
def test_an_own_step_s_parameters_are_set_as_those_of_any_other(
    team: Team, monkeypatch: pytest.MonkeyPatch, variable: str, options: tuple[str, ...], seen: str
) -> None:
    team.cost("print(budget)", parameters=BUDGET)
    if variable:
        monkeypatch.setenv("RUNBOOK_PARAM_COST_BUDGET", variable)
    assert team.run("cost", assignments=options).exit_status == 0
    assert team.output() == f"{seen}\n"


def test_a_parameter_that_an_own_step_does_not_take_is_an_error_before_anything_is_executed(team: Team) -> None:
    team.cost(SILENT, parameters=BUDGET)
    with pytest.raises(UsageError, match="did you mean 'budget'"):
        team.run("cost", assignments=("cost.buget=1",))
    assert not team.store.dir.exists()
