"""A change that brings its own judges: what stood before it decides, and whoever approves is told."""

from __future__ import annotations

import json

from desk import Desk, ask

from runbook_lib.workspace.records import read_request

NOT_WAITING = ("-p", "approval.wait=false")


def serials(desk: Desk) -> list[int]:
    return list(ask(f"{desk.lab.gitlab_url}/lab/gitlab/states")["access"]["serials"])


def test_approvers_waivers_and_notebooks_of_the_same_change_decide_nothing(desk: Desk) -> None:
    before = serials(desk)
    desk.edit("runbook.yml", "approvers: [alex, sam]", "approvers: [alex, sam, casey]")
    desk.edit("runbook.yml", "max_waiver_days: 90", "max_waiver_days: 900")
    path = desk.root / "notebooks/04_apply.ipynb"
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[2]["source"] = "record = None"
    path.write_text(json.dumps(notebook))
    hostile = desk.root / "boto3.py"
    hostile.write_text("raise SystemExit('imported from the repository')\n")
    try:
        asked = desk.run("compliance", "plan", "approval", *NOT_WAITING)
        assert asked.returncode == 0, asked.stderr
        request = read_request(desk.store)
        assert request.approvers == ("alex", "sam")
        told = " ".join(request.governance)
        assert "adds casey as approver, who does not count yet" in told
        assert "compliance.max_waiver_days in runbook.yml from 90 to 900" in told
        assert "replaces the notebook of apply, notebooks/04_apply.ipynb" in told
        page = (desk.store.dir / "index.html").read_text()
        assert "adds casey as approver" in page
        assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
        applied = desk.run("apply")
        assert applied.returncode == 1
        assert "notebooks/04_apply.ipynb is not the notebook of this version" in applied.stderr
        assert serials(desk) == before
        assert not desk.store.exists("04_apply/apply.jsonl")
    finally:
        hostile.unlink()


def test_ssh_for_the_world_stays_blocked_though_its_policy_was_weakened_and_waived_beside_it(desk: Desk) -> None:
    rules = desk.root / "terraform/access/rules.auto.tfvars"
    from runbook_lib.cli.demo_repository import WHOLE_WORLD_SSH

    rules.write_text(rules.read_text().rstrip().removesuffix("]") + WHOLE_WORLD_SSH)
    desk.edit("runbook.yml", "max_waiver_days: 90", "max_waiver_days: 90\n  actions: {sg-world-ssh: warn}")
    (desk.root / "policies/waivers.yml").write_text(
        "waivers:\n  - {policy: sg-world-ssh, address: '*', owner: riley, reason: none, expires: 2026-12-31}\n"
    )
    ended = desk.run("compliance", RUNBOOK_BASE_COMMIT="HEAD", CI_COMMIT_BEFORE_SHA="0" * 40)
    assert ended.returncode == 1, ended.stderr
    (found,) = [finding for finding in desk.result("compliance").findings if finding.policy == "sg-world-ssh"]
    assert (found.action, found.verdict, found.waiver) == ("block", "failed", None)
    assert "in force before this change" in found.remedy
