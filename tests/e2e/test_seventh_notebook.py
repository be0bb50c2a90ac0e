"""A team's own notebook as the runbook's seventh step, on the lab: two lines in runbook.yml, and all that follows."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from base import Base
from desk import Desk, Ended, eventually, slack_threads, visible_errors
from local_runner import ROOT, LocalRunner, add_pipeline_files, succeed

from runbook_lib.adapters.signing import generate_key
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.models.base import Outcome
from runbook_lib.settings import Settings

RUNBOOKS = """
runbooks:
  change: {steps: [compliance, plan, cost, approval, apply, verification, service_tests]}
  drift: {steps: [verification]}
"""
NUMBERED = [
    "01_compliance", "02_plan", "03_cost", "04_approval", "05_apply", "06_verification", "07_service_tests",
]  # fmt: skip
OFFICE = """  {
    group       = "admin"
    protocol    = "tcp"
    from_port   = 9443
    to_port     = 9443
    cidr_ipv4   = "10.30.0.0/16"
    description = "The console from the second office"
  },
]
"""
# Of the change's three rules one replaces another, and one is new: that one costs.
PRICES = ("-p", "cost.prices={aws_vpc_security_group_ingress_rule: 60}")
NOT_WAITING = ("-p", "approval.wait=false")


@dataclass
class Finished:
    """A whole run, what it printed, and who must have signed it."""

    desk: Desk
    ended: Ended
    key: Path
    threads_before: int
    asked: list[str]


def with_cost(desk: Desk) -> Desk:
    """The desk, where the team has added its notebook and its lines, and asks for the change."""
    shutil.copyfile(desk.root / "notebooks/examples/cost.ipynb", desk.root / "notebooks/cost.ipynb")
    with (desk.root / "runbook.yml").open("a") as stream:
        stream.write(RUNBOOKS)
    rules = desk.root / "terraform/access/rules.auto.tfvars"
    rules.write_text(rules.read_text().rstrip().removesuffix("]") + OFFICE)
    desk.repository.commit_change(None)
    return desk


@pytest.fixture(scope="module")
def finished(session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`runbook run` from its first step to its last, approved by alex in between."""
    session_base.restore()
    folder = tmp_path_factory.mktemp("seventh")
    private, public = generate_key()
    (folder / "key.pub").write_text(public)
    variables = {"RUNBOOK_SIGNING_KEY": private}
    desk = with_cost(Desk(session_base.lab, settings, folder / "outputs", variables=variables))
    before = len(slack_threads(desk.lab))
    with desk.start("run", "--run-id", desk.run_id, *PRICES) as process:
        eventually(lambda: asking(desk, before) or process.poll() is not None, "the request")
        asked = asking(desk, before)
        answered = desk.runbook("approve", desk.run_id, user="alex")
        out, err = process.communicate(timeout=240)
    assert answered.returncode == 0, answered.stderr + err
    return Finished(desk, Ended(process.args, process.returncode, out, err), folder / "key.pub", before, asked)


def asking(desk: Desk, before: int) -> list[str]:
    """What of the run's thread asks for the approval: once it is given, what was asked is told instead."""
    threads = slack_threads(desk.lab, before)
    texts = [
        json.dumps(reply.get("blocks"), ensure_ascii=False) for reply in (threads[0]["replies"] if threads else ())
    ]
    return [text for text in texts if "approval needed" in text]


@pytest.fixture
def desk(lab: LabAddresses, settings: Settings, tmp_path: Path) -> Desk:
    return with_cost(Desk(lab, settings, tmp_path / "outputs"))


def folders(desk: Desk, run_id: str) -> list[str]:
    return sorted(path.name for path in (desk.outputs / run_id).iterdir() if (path / "result.json").is_file())


def test_the_run_has_seven_steps_in_the_order_of_runbook_yml(finished: Finished) -> None:
    assert finished.ended.returncode == 0, finished.ended.stderr[-3000:]
    assert folders(finished.desk, "e2e") == NUMBERED
    run = json.loads(finished.desk.store.read_text("run.json"))
    assert [f"{step['number']:02d}_{step['name']}" for step in run["steps"]] == NUMBERED
    assert set(finished.desk.outcomes().values()) <= {Outcome.PASSED, Outcome.WARNED}
    decision = json.loads(finished.desk.store.read_text("04_approval/decision.json"))
    assert [(found["user"], found["approved"]) for found in decision["decisions"]] == [("alex", True)]


def test_what_it_reckoned_is_in_its_result(finished: Finished) -> None:
    result = finished.desk.result("cost")
    assert (result.outcome, result.summary) == (Outcome.WARNED, "This change adds 60 USD a month.")
    assert result.metrics == {"usd_a_month": 60.0}
    assert [file.path for file in result.inputs] == ["02_plan/plan.json"]


def test_the_approver_sees_its_warning_beside_the_plan_s_findings(finished: Finished) -> None:
    request = json.loads(finished.desk.store.read_text("04_approval/request.json"))
    said = {finding["policy"]: finding["message"] for finding in request["findings"]}
    assert said["cost"] == "60 USD a month more than now"
    assert len(finished.asked) == 1
    assert "60 USD a month more than now" in finished.asked[0]


def shown(finished: Finished) -> list[str]:
    """The texts of the run's thread: the board's first, then the replies'."""
    thread = slack_threads(finished.desk.lab, finished.threads_before)[0]
    return [json.dumps(message.get("blocks"), ensure_ascii=False) for message in (thread, *thread["replies"])]


def test_the_board_has_a_line_for_it_in_its_place_and_the_thread_its_reply(finished: Finished) -> None:
    board, *replies = shown(finished)
    titles = re.findall(r"\*([A-Z][a-z ]+)\* (?:passed|warned)", board)
    assert titles == ["Compliance", "Plan", "Cost", "Approval", "Apply", "Verification", "Service tests"]
    assert "*Cost* warned: This change adds 60 USD a month." in board
    assert len([text for text in replies if "*Cost warned*" in text]) == 1


def test_the_run_s_page_lists_it_with_its_own_page(finished: Finished) -> None:
    page = finished.desk.store.read_text("index.html")
    assert re.findall(r"<td>(\d\d_\w+)</td>", page) == NUMBERED
    assert 'href="03_cost/notebook.html"' in page
    assert "60 USD a month" in finished.desk.store.read_text("03_cost/notebook.html")


def test_the_evidence_verifies_with_the_step_in_its_place(finished: Finished) -> None:
    desk = finished.desk
    ended = desk.runbook("evidence", "verify", str(desk.store.dir), "--key", str(finished.key))
    assert (ended.returncode, ended.stdout[:5]) == (0, "VALID")
    assert "Signed with the key" in ended.stdout
    manifest = json.loads(desk.store.read_text("manifest.json"))
    assert [step["step"] for step in manifest["steps"]] == [name[3:] for name in NUMBERED]
    cost = manifest["steps"][2]
    assert cost["outcome"] == "warned"
    assert {file["path"] for file in cost["files"]} >= {"03_cost/notebook.ipynb", "03_cost/result.json"}


def test_resume_repeats_nothing(finished: Finished) -> None:
    desk = finished.desk
    before = {name: desk.store.read_text(f"{name}/result.json") for name in NUMBERED}
    ended = desk.runbook("run", "--run-id", desk.run_id, "--resume", *PRICES)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert re.findall(r"^(\w+) .* unchanged ", ended.stdout, re.MULTILINE) == [name[3:] for name in NUMBERED]
    assert {name: desk.store.read_text(f"{name}/result.json") for name in NUMBERED} == before


def test_doctor_names_the_runbooks_and_misses_a_notebook(desk: Desk) -> None:
    assert "change has 7 steps, drift has 1 step" in desk.runbook("doctor", user="sam").stdout
    (desk.root / "notebooks/cost.ipynb").unlink()
    ended = desk.runbook("doctor", user="sam")
    assert ended.returncode == 2
    assert "not there: cost.ipynb of step cost" in ended.stdout


def test_its_parameters_are_listed_with_the_ways_to_set_them(desk: Desk) -> None:
    listed = {line["name"]: line for line in json.loads(desk.runbook("params", "cost", "--format", "json").stdout)}
    assert listed["budget"] == {
        "name": "budget",
        "type": "float",
        "default": "100.0",
        "required": False,
        "meaning": "USD a month that this change may add; more blocks",
        "option": "-p cost.budget=…",
        "variable": "RUNBOOK_PARAM_COST_BUDGET",
    }
    assert "RUNBOOK_PARAM_COST_BUDGET" in desk.runbook("params", "cost").stdout


def test_a_notebook_that_blocks_ends_the_run_before_anybody_is_asked(desk: Desk) -> None:
    ended = desk.run("plan", "cost", "approval", *PRICES, *NOT_WAITING, RUNBOOK_PARAM_COST_BUDGET="50")
    assert ended.returncode == 1
    assert visible_errors(ended)["error"] == "step cost blocked: This change adds 60 USD a month."
    assert desk.outcomes() == {"plan": Outcome.PASSED, "cost": Outcome.BLOCKED}
    assert not desk.store.exists("04_approval/request.json")


def test_another_runbook_makes_a_run_of_its_own(desk: Desk) -> None:
    ended = desk.runbook("run", "--runbook", "drift", "--run-id", "drift")
    assert folders(desk, "drift") == ["01_verification"], ended.stderr[-3000:]
    run: dict[str, Any] = json.loads((desk.outputs / "drift/run.json").read_text())
    assert (run["runbook"], [step["name"] for step in run["steps"]]) == ("drift", ["verification"])


def documented_job() -> str:
    """The job that docs/gitlab.md gives a team's own step, and what it says of the one after it."""
    text = (ROOT / "docs/gitlab.md").read_text()
    return dedent(re.search(r"^    cost:\n(?:    .*\n)+", text, re.MULTILINE)[0])  # type: ignore[index]


@pytest.fixture
def pipeline(desk: Desk) -> LocalRunner:
    """The change's pipeline with a job for the step, as far as the approver is asked."""
    add_pipeline_files(desk.root)
    prices = "  variables: {RUNBOOK_PARAM_COST_PRICES: '{aws_vpc_security_group_ingress_rule: 60}'}\n"
    with (desk.root / ".gitlab-ci.yml").open("a") as stream:
        stream.write("\n" + documented_job().replace("approval:\n", f"{prices}approval:\n"))
    runner = LocalRunner(desk.lab, desk.root).begin(desk.repository.commit_change(None))
    for name in ("prepare", "compliance", "plan", "cost", "approval"):
        succeed(runner, name)
    return runner


def test_in_a_pipeline_its_job_stands_between_those_of_plan_and_approval(pipeline: LocalRunner) -> None:
    states = {job["name"]: job["status"] for job in pipeline.jobs()}
    assert list(states)[2:6] == ["plan", "cost", "approval", "apply"]
    assert (states["cost"], states["approval"], states["apply"]) == ("success", "success", "manual")
    folder = pipeline.artifacts("approval") / "outputs" / str(pipeline.pipeline)
    outcomes = {path.parent.name: json.loads(path.read_text())["outcome"] for path in folder.glob("*/result.json")}
    assert sorted(outcomes) == NUMBERED[:4]
    assert (outcomes["03_cost"], outcomes["04_approval"]) == ("warned", "passed")
    request = json.loads((folder / "04_approval/request.json").read_text())
    assert "60 USD a month more than now" in [finding["message"] for finding in request["findings"]]
