"""What a team's own notebook is promised: few names, typed values, a folder of its own, and a decision."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from domain.compliance_samples import change, plan_of, values
from step_fakes import NOW, FakeSlack

from runbook_lib import notebook
from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.errors import InputError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.results import GivenOutcome, StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.services import ServiceReport
from runbook_lib.models.verification import Verification
from runbook_lib.notebook import OwnStep, open_own_step
from runbook_lib.report.result_view import ResultView
from runbook_lib.runner.evidence import prove_folder, seal
from runbook_lib.settings import Settings

ROOT = Path(__file__).parents[2]
PROMISED = {
    "Exposure", "Finding", "Outcome", "OwnStep", "Plan", "Run", "ServiceReport", "Severity", "StepResult",
    "Verification", "approval_form", "open_own_step",
}  # fmt: skip
STEPS = "compliance, plan, verification, service_tests, cost"
SECRET = "glpat-abcdefghij0123456789"


@pytest.fixture
def sample(root: Path, load: Callable[..., Settings], slack: FakeSlack) -> RunStore:
    """A run whose steps before `cost` have left what they leave."""
    with (root / "runbook.yml").open("a") as stream:
        stream.write(f"runbooks:\n  change:\n    steps: [{STEPS}]\n")
    settings = load(RUNBOOK_REASON="", SLACK_BOT_TOKEN=SECRET)
    steps = tuple(step.recorded for step in settings.runbook("", "access"))
    store = RunStore(settings.outputs, "7")
    store.write_json("run.json", Run(run_id="7", stack="access", steps=steps, requester="riley", created_at=NOW))
    store.write_json("02_plan/plan.json", plan_of(change(["create"], None, values())))
    store.write_json("02_plan/exposure.json", Exposure(sentence="The internet can newly reach web."))
    store.write_json("03_verification/verification.json", Verification(outcome=Outcome.PASSED, in_sync=5))
    report = ServiceReport(outcome=Outcome.PASSED, summary="1 of 1 passed")
    store.write_json("04_service_tests/results.json", report)
    for name in ("compliance", "plan"):
        store.write_result(warned(name))
    return store


def warned(name: str) -> StepResult:
    finding = Finding(
        policy=f"{name}-says", verdict=Verdict.FAILED, severity=Severity.HIGH, address="aws_lb.web", message="no",
        remedy="", action=Action.WARN, tool="runbook",
    )  # fmt: skip
    return StepResult(
        run_id="7", step=name, stack="access", outcome=Outcome.WARNED, summary=name, started_at=NOW, finished_at=NOW,
        findings=(finding,),
    )  # fmt: skip


@pytest.fixture
def step(sample: RunStore) -> OwnStep:
    return open_own_step("cost", "7")


def result_of(store: RunStore) -> StepResult:
    found = store.read_result("cost")
    assert found
    return found


def members() -> dict[str, Callable[..., Any]]:
    found = {name: value for name, value in vars(OwnStep).items() if not name.startswith("_")}
    return {name: value.fget if isinstance(value, property) else value for name, value in found.items()}


def test_the_promise_is_these_names_and_no_more() -> None:
    assert set(notebook.__all__) == PROMISED
    assert len(PROMISED) <= 12


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_each_promised_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(notebook, name))


def parts(hint: Any) -> set[Any]:
    return {part for argument in get_args(hint) for part in parts(argument)} or {hint}


@pytest.mark.parametrize("name", [*members(), "open_own_step"])
def test_each_use_is_documented_and_speaks_in_promised_types_alone(name: str) -> None:
    function = members().get(name) or open_own_step
    assert inspect.getdoc(function)
    hints = get_type_hints(function)
    assert set(hints) == {*inspect.signature(function).parameters, "return"} - {"self"}
    spoken = {part for hint in hints.values() for part in parts(hint)}
    # What finishing gives is shown, and nothing else is done with it.
    plain = {str, float, bool, Path, ResultView, types.NoneType, Ellipsis}
    assert {part.__name__ for part in spoken - plain} <= PROMISED


def test_what_earlier_steps_left_is_read_as_typed_values(step: OwnStep) -> None:
    assert step.run.requester == "riley"
    assert [found.actions for found in step.plan.changes] == [("create",)]
    assert step.exposure == Exposure(sentence="The internet can newly reach web.")
    assert step.verification.in_sync == 5
    assert step.services.summary == "1 of 1 passed"
    assert step.results == (warned("compliance"), warned("plan"))


def test_of_two_judgements_on_one_change_only_the_plan_s_counts(step: OwnStep) -> None:
    assert step.findings == warned("plan").findings


@pytest.mark.parametrize(
    ("name", "path", "earlier"),
    [
        ("plan", "02_plan/plan.json", "plan"),
        ("exposure", "02_plan/exposure.json", "plan"),
        ("verification", "03_verification/verification.json", "verification"),
        ("services", "04_service_tests/results.json", "service_tests"),
    ],
)
def test_what_an_earlier_step_did_not_leave_is_an_error_that_says_which_to_run(
    sample: RunStore, step: OwnStep, name: str, path: str, earlier: str
) -> None:
    sample.path(path).unlink()
    with pytest.raises(InputError, match="run 7 has no") as caught:
        getattr(step, name)
    assert caught.value.remedy == f"Run the step {earlier} first."


@pytest.mark.parametrize(
    ("read", "files"),
    [
        ("plan", {"02_plan/plan.json"}),
        ("exposure", {"02_plan/exposure.json"}),
        ("findings", {"01_compliance/result.json", "02_plan/result.json"}),
        ("verification", {"03_verification/verification.json"}),
        ("services", {"04_service_tests/results.json"}),
        ("run", set()),
    ],
)
def test_what_was_read_is_remembered_as_input(sample: RunStore, step: OwnStep, read: str, files: set[str]) -> None:
    getattr(step, read)
    step.finish()
    assert {file.path: file.sha256 for file in result_of(sample).inputs} == {
        name: sha256_file(sample.path(name)) for name in files
    }


def test_a_text_is_kept_in_the_step_s_folder_masked_and_as_evidence(sample: RunStore, step: OwnStep) -> None:
    path = step.write("tables/prices.txt", f"by {SECRET}")
    assert path == sample.dir / "05_cost/tables/prices.txt"
    assert SECRET not in path.read_text()
    step.finish()
    assert [artifact.path for artifact in result_of(sample).artifacts] == ["05_cost/tables/prices.txt"]


@pytest.mark.parametrize(
    "name",
    [
        "../02_plan/plan.txt", "a/../../run.json", "/tmp/prices.txt", "", ".", "notebook.ipynb", "notebook.html",
        "result.json", "./result.json", "outcome.json", "tables/result.json",
    ],
)  # fmt: skip
def test_a_file_that_is_not_the_step_s_own_is_refused(sample: RunStore, step: OwnStep, name: str) -> None:
    before = sorted(sample.dir.rglob("*"))
    with pytest.raises(UsageError, match="is no file of this step's own"):
        step.write(name, "x")
    assert sorted(sample.dir.rglob("*")) == before


@pytest.mark.parametrize("target", ["..", "../02_plan"])
def test_a_link_in_the_step_s_folder_leads_no_text_out_of_it(sample: RunStore, step: OwnStep, target: str) -> None:
    (sample.dir / "05_cost/out").symlink_to(target)
    with pytest.raises(UsageError, match="is no file of this step's own"):
        step.write("out/prices.txt", "x")


def test_a_hidden_file_of_a_step_is_evidence_like_any_other(sample: RunStore, step: OwnStep) -> None:
    step.write(".prices", "a,1")
    step.finish()
    seal(Settings.load(), sample)
    assert prove_folder(sample.dir).problems == ()
    sample.path("05_cost/.prices").write_text("a,2")
    assert prove_folder(sample.dir).problems == ("05_cost/.prices was changed",)


def nothing(step: OwnStep) -> None:
    step.measure("usd", 3)


def warn(step: OwnStep) -> None:
    step.warn("rather dear", remedy="Ask finance.", address="aws_lb.web")


def block(step: OwnStep) -> None:
    warn(step)
    step.block("too dear", severity=Severity.CRITICAL)


@pytest.mark.parametrize(
    ("say", "outcome", "said"),
    [
        (nothing, Outcome.PASSED, []),
        (warn, Outcome.WARNED, [(Action.WARN, Severity.MEDIUM)]),
        (block, Outcome.BLOCKED, [(Action.WARN, Severity.MEDIUM), (Action.BLOCK, Severity.CRITICAL)]),
    ],
)
def test_a_step_ends_by_the_worst_that_it_said(
    sample: RunStore, step: OwnStep, say: Callable[[OwnStep], None], outcome: Outcome, said: list[Any]
) -> None:
    say(step)
    view = step.finish("Reckoned\nonce.")
    result = result_of(sample)
    assert view.result == result
    assert (result.outcome, result.summary) == (outcome, "Reckoned once.")
    assert [(found.action, found.severity) for found in result.findings] == said
    assert {(found.policy, found.tool) for found in result.findings} <= {("cost", "cost")}


def test_an_objection_says_where_and_what_to_do(sample: RunStore, step: OwnStep) -> None:
    warn(step)
    step.finish()
    finding = result_of(sample).findings[0]
    assert (finding.message, finding.remedy, finding.address) == ("rather dear", "Ask finance.", "aws_lb.web")


def test_a_figure_is_in_the_result(sample: RunStore, step: OwnStep) -> None:
    nothing(step)
    step.finish()
    assert result_of(sample).metrics == {"usd": 3}


@pytest.mark.parametrize(
    ("say", "summary"),
    [
        (nothing, "Cost: nothing to object to."),
        (warn, "Cost: rather dear"),
        (block, "Cost: rather dear (and 1 more)"),
    ],
)
def test_without_a_word_the_summary_says_what_was_found(
    sample: RunStore, step: OwnStep, say: Callable[[OwnStep], None], summary: str
) -> None:
    say(step)
    step.finish()
    assert result_of(sample).summary == summary


def test_an_objection_is_on_disk_before_the_step_is_finished(sample: RunStore, step: OwnStep) -> None:
    block(step)
    kept = GivenOutcome.model_validate_json(sample.read_text("05_cost/outcome.json"))
    assert kept.decided is Outcome.BLOCKED
    assert [found.message for found in kept.findings] == ["rather dear", "too dear"]


def test_by_hand_it_opens_in_the_stack_s_newest_run(sample: RunStore) -> None:
    assert open_own_step("cost").run.run_id == "7"


@pytest.mark.parametrize(
    ("name", "said"),
    [("plan", "plan is a built-in step"), ("costs", "unknown step 'costs'"), ("../plan", "unknown step")],
)
def test_only_an_own_step_is_opened_and_another_s_result_stays(sample: RunStore, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_own_step(name, "7")
    assert sample.read_result("plan") == warned("plan")


DOCS = (ROOT / "docs/notebooks.md").read_text()


@pytest.mark.parametrize("name", sorted(PROMISED | {f"OwnStep.{member}" for member in members()}))
def test_what_is_promised_is_in_the_documentation(name: str) -> None:
    table = DOCS[DOCS.index("| name in `runbook_lib.notebook`") : DOCS.index("What an earlier step did not leave")]
    written = re.sub(r"`OwnStep\.(\w+).*?`, `\.", r"`OwnStep.\1`, `OwnStep.", table)
    assert re.search(rf"`{re.escape(name)}\b", written)


def test_the_documented_answer_in_another_language_is_one() -> None:
    example = re.search(r"^    \{.*?\}\}$", DOCS, re.MULTILINE | re.DOTALL)
    assert example
    given = GivenOutcome.model_validate_json(example[0])
    assert (given.decided, given.said("Cost")) == (Outcome.BLOCKED, "The change freeze lasts until Monday.")


def imported(path: Path) -> set[str]:
    sources = ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    lines = [line for source in sources for line in source.splitlines() if line.startswith("from runbook_lib")]
    return {line.removeprefix("from ") for line in lines}


@pytest.mark.parametrize("path", ["notebooks/examples/cost.ipynb", "runbook_lib/cli/own_step.ipynb"])
def test_the_notebooks_to_begin_with_use_what_is_promised_and_no_more(path: str) -> None:
    promised = {"runbook_lib.notebook import open_own_step", "runbook_lib.report import tables"}
    assert imported(ROOT / path) == promised
