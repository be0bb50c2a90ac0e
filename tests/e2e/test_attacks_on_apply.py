"""Who may write to a run folder, and seal it anew with the desk's key, against an apply that believes none of it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
from base import Base
from desk import Desk, ask, eventually, seal_anew, slack_threads, visible_errors

from runbook_lib.adapters.age import decrypt, encrypt
from runbook_lib.adapters.outbox import Outbox
from runbook_lib.adapters.store import sha256_file
from runbook_lib.cli.demo_repository import WHOLE_WORLD_SSH
from runbook_lib.models.messages import Message
from runbook_lib.runner.folder import ENVELOPE, MANIFEST
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client
from runbook_lib.workspace.plan_check import inputs_digest
from runbook_lib.workspace.records import read_inputs

NOT_WAITING = ("-p", "approval.wait=false")
PLAN, REQUEST, INPUTS = "02_plan/plan.tfplan", "03_approval/request.json", "02_plan/inputs.json"


@pytest.fixture(scope="module")
def approved(session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A run by riley at a desk, whose plan alex approved."""
    session_base.restore()
    desk = Desk(session_base.lab, settings, tmp_path_factory.mktemp("approved"))
    desk.commit = desk.repository.commit_change(None)
    asked = desk.run("compliance", "plan", "approval", *NOT_WAITING)
    assert asked.returncode == 0, asked.stderr
    assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
    return desk


@pytest.fixture(scope="module")
def forbidden(approved: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A run of riley's whose plan would open SSH to the world, and is blocked."""
    desk = replace(approved, outputs=tmp_path_factory.mktemp("forbidden"), run_id="forbidden")
    rules = desk.root / "terraform/access/rules.auto.tfvars"
    rules.write_text(rules.read_text().rstrip().removesuffix("]") + WHOLE_WORLD_SSH)
    planned = desk.run("plan")
    assert planned.returncode == 1, planned.stderr
    assert desk.store.exists(PLAN)
    return desk


@pytest.fixture
def desk(approved: Desk, session_base: Base, tmp_path: Path) -> Iterator[Desk]:
    """A copy of the approved run for riley to forge; afterwards AWS and the state are as they were."""
    shutil.copytree(approved.outputs, tmp_path / "outputs")
    copy = replace(approved, outputs=tmp_path / "outputs")
    copy.repository.check_out(copy.commit)
    before = (session_base._described(), ask(f"{copy.lab.gitlab_url}/lab/gitlab/states")["access"]["serials"])
    yield copy
    assert (session_base._described(), ask(f"{copy.lab.gitlab_url}/lab/gitlab/states")["access"]["serials"]) == before
    assert not list(copy.outputs.glob("*/04_apply/apply.jsonl"))


def write(desk: Desk, name: str, **fields: Any) -> None:
    """Change fields of a JSON file of the run."""
    path = desk.store.dir / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def read(desk: Desk, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((desk.store.dir / name).read_text())
    return found


def refused(desk: Desk, *, run_id: str = "", status: int = 1) -> str:
    """Why apply is refused."""
    ended = replace(desk, run_id=run_id or desk.run_id).run("apply")
    assert ended.returncode == status, ended.stderr
    errors = visible_errors(ended)
    return f"{errors['error']} {errors.get('hint', '')}"


def papers_of(desk: Desk, other: Desk) -> None:
    """Let the run have the other's plan, and all its papers say that it is this one that was shown."""
    shutil.rmtree(desk.store.dir / "02_plan")
    shutil.copytree(other.store.dir / "02_plan", desk.store.dir / "02_plan")
    write(desk, "02_plan/result.json", run_id=desk.run_id, outcome="passed")
    summary, exposure = read(desk, "02_plan/summary.json"), read(desk, "02_plan/exposure.json")
    digest = sha256_file(desk.store.dir / PLAN)
    assert summary["plan_sha256"] == digest
    inputs = inputs_digest(read_inputs(desk.store))
    write(desk, REQUEST, plan_sha256=digest, summary=summary, exposure=exposure, findings=[], inputs_sha256=inputs)
    decision = read(desk, "03_approval/decision.json")
    given = [{**one, "plan_sha256": digest} for one in decision["decisions"]]
    write(desk, "03_approval/decision.json", plan_sha256=digest, decisions=given)


def test_a_plan_that_policies_blocked_is_not_applied_though_all_its_papers_are_forged(
    desk: Desk, forbidden: Desk
) -> None:
    papers_of(desk, forbidden)
    seal_anew(desk)
    said = refused(desk)
    assert f"GitLab knows of no such request for plan {sha256_file(desk.store.dir / PLAN)[:12]}" in said


def test_such_a_plan_can_not_even_be_asked_for(desk: Desk, forbidden: Desk) -> None:
    papers_of(desk, forbidden)
    seal_anew(desk)
    asked = desk.run("approval", *NOT_WAITING)
    assert asked.returncode == 1
    assert "The plan is refused as it is judged now. Compliance blocked" in visible_errors(asked)["error"]


@pytest.mark.parametrize(
    "said",
    [
        {"exposure": {"opened": [], "closed": [], "unknown": [], "sentence": ""}},
        {"quorum": 0, "approvers": ["riley", "alex"]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_request_that_says_anything_else_than_was_asked_is_none(desk: Desk, said: dict[str, Any]) -> None:
    request = read(desk, REQUEST)
    assert {**request, **said} != request
    write(desk, REQUEST, **said)
    seal_anew(desk)
    assert "GitLab knows of no such request" in refused(desk)


def test_what_the_plan_reads_can_not_be_changed_after_the_approval(desk: Desk) -> None:
    planted = desk.root / "terraform/access/notes.txt"
    planted.write_text("what a file() of the stack may read\n")
    try:
        assert "Files that the plan was made from changed since: terraform/access/notes.txt" in refused(desk)
    finally:
        planted.unlink()


def test_nor_with_the_list_of_what_it_reads(desk: Desk) -> None:
    planted = desk.root / "terraform/access/notes.txt"
    planted.write_text("what a file() of the stack may read\n")
    try:
        inputs = read(desk, INPUTS)
        files = {**inputs["files"], "terraform/access/notes.txt": sha256_file(planted)}
        write(desk, INPUTS, files=files)
        write(desk, REQUEST, inputs_sha256=inputs_digest(read_inputs(desk.store)))
        seal_anew(desk)
        assert "GitLab knows of no such request" in refused(desk)
    finally:
        planted.unlink()


def test_runbook_yml_can_not_be_changed_after_the_approval(desk: Desk) -> None:
    desk.edit("runbook.yml", "max_waiver_days: 90", "max_waiver_days: 90\n  actions: {sg-world-ssh: warn}")
    assert "What runbook.yml decides changed since the request" in refused(desk)


def test_an_approved_run_under_another_name_is_no_second_approval(desk: Desk) -> None:
    shutil.copytree(desk.store.dir, desk.outputs / "twin")
    twin = replace(desk, run_id="twin")
    assert f"the manifest is of run {desk.run_id}" in refused(twin)
    for path in twin.store.dir.rglob("*.json"):
        if path.name not in {MANIFEST, ENVELOPE}:
            path.write_text(path.read_text().replace(f'"run_id": "{desk.run_id}"', '"run_id": "twin"'))
    seal_anew(twin)
    assert "GitLab knows of no such request" in refused(twin)


def test_the_papers_of_another_run_are_refused(desk: Desk) -> None:
    own = read(desk, "run.json")
    shutil.copytree(desk.store.dir, desk.outputs / "heir")
    heir = replace(desk, run_id="heir")
    write(heir, "run.json", **{**own, "run_id": "heir"})
    seal_anew(heir)
    assert f"The request is of run {desk.run_id}, not of heir" in refused(heir)


def test_a_link_in_the_place_of_what_apply_will_write_is_refused_before_anything_is_done(
    desk: Desk, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("not to be overwritten\n")
    (desk.store.dir / "04_apply").mkdir()
    (desk.store.dir / "04_apply/apply.txt").symlink_to(elsewhere)
    assert "04_apply/apply.txt" in refused(desk)
    assert elsewhere.read_text() == "not to be overwritten\n"


@pytest.mark.parametrize("name", ["02_plan/note.txt", "03_approval/decisions/sam.json", "04_apply/outputs.json"])
def test_a_file_planted_into_a_step_s_folder_is_refused_by_name(desk: Desk, name: str) -> None:
    path = desk.store.dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}\n")
    assert f"{name} was added" in refused(desk)


def test_a_message_planted_in_the_outbox_is_never_sent(desk: Desk) -> None:
    before = json.dumps(slack_threads(desk.lab))
    waiting = sorted(approved_message(desk))
    assert waiting
    ended = desk.run("approval", *NOT_WAITING)
    assert ended.returncode == 0, ended.stderr
    after = json.dumps(slack_threads(desk.lab))
    assert "Planted: approved by sam" not in after
    assert len(after) > len(before)
    assert any(name in ended.stderr for name in waiting), ended.stderr


def approved_message(desk: Desk) -> list[str]:
    """Put a message into the outbox as the run would; the names of the files."""
    outbox = Outbox(desk.store)
    outbox.add("planted", Message(text="Planted: approved by sam"))
    return [path.name for path in (desk.store.dir / "outbox").glob("*.json")]


def test_another_terraform_than_the_one_that_planned_applies_nothing(desk: Desk, tmp_path: Path) -> None:
    with desk.inside():
        binary = terraform_client(Settings.load(desk.root), "access").binary
    other = tmp_path / "terraform"
    if len(binary.command) == 1:
        other.write_bytes(Path(binary.command[0]).read_bytes() + b"\n")
    else:
        command = " ".join(map(shlex.quote, binary.command))
        other.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    other.chmod(0o755)
    again = replace(desk, variables={"RUNBOOK_TERRAFORM": str(other)})
    assert "The Terraform program is not the one that made the plan." in refused(again)


def test_plan_and_apply_of_one_run_are_not_carried_out_at_once(desk: Desk) -> None:
    process = desk.start("run", "plan", "--run-id", desk.run_id)
    eventually(lambda: list(desk.outputs.glob(f".{desk.run_id}.lock")), "the run is carried out")
    try:
        assert f"run {desk.run_id} is being carried out by process {process.pid}" in refused(desk, status=2)
    finally:
        process.terminate()
        process.communicate(timeout=120)


def test_a_run_goes_on_with_its_own_commit_alone(desk: Desk) -> None:
    desk.repository.commit_change(None)
    assert desk.commit[:12] in refused(desk, status=2)


def test_a_plan_of_a_part_of_the_stack_is_not_put_to_approval(desk: Desk) -> None:
    with desk.inside():
        settings = Settings.load(desk.root)
        terraform = terraform_client(settings, "access")
        terraform.run(
            "plan", "-input=false", "-no-color", "-target=aws_vpc_security_group_ingress_rule.nothing",
            f"-out={desk.store.dir / PLAN}",
        )  # fmt: skip
    write(desk, "02_plan/summary.json", plan_sha256=sha256_file(desk.store.dir / PLAN))
    seal_anew(desk)
    asked = desk.run("approval", *NOT_WAITING)
    assert asked.returncode == 1
    assert "The plan leaves resources out (-target" in visible_errors(asked)["error"]


def test_an_encrypted_plan_is_approved_and_applied_by_who_has_its_key_and_read_by_nobody_else(
    approved: Desk, session_base: Base, tmp_path: Path
) -> None:
    key = pyrage.x25519.Identity.generate()
    approved.repository.check_out(approved.commit)
    approved.edit("runbook.yml", "terraform:\n", f"terraform:\n  encrypt_to: [{key.to_public()}]\n")
    desk = replace(approved, outputs=tmp_path / "outputs", run_id="encrypted")
    desk.commit = desk.repository.commit_change(None)
    assert desk.run("plan").returncode == 0
    assert sorted(path.name for path in desk.store.dir.glob("02_plan/plan.*")) == [
        "plan.json.age",
        "plan.tfplan.age",
        "plan.txt",
    ]
    without = desk.run("approval", *NOT_WAITING)
    assert without.returncode == 2
    assert "plan.tfplan.age is encrypted, and there is no key here" in visible_errors(without)["error"]
    desk.variables = {"RUNBOOK_AGE_KEY": str(key)}
    assert desk.run("approval", *NOT_WAITING).returncode == 0
    assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
    # Whoever knows for whom it is encrypted may encrypt another plan, and is held to the digest.
    honest = (desk.store.dir / f"{PLAN}.age").read_bytes()
    another = decrypt(honest, str(key), "the plan") + b"\n"
    (desk.store.dir / f"{PLAN}.age").write_bytes(encrypt(another, [str(key.to_public())]))
    seal_anew(desk)
    assert "The plan file is not the one that was shown to the approvers." in refused(desk)
    (desk.store.dir / f"{PLAN}.age").write_bytes(honest)
    shutil.rmtree(desk.store.dir / "04_apply")
    seal_anew(desk)
    before = session_base._described()
    applied = desk.run("apply")
    assert applied.returncode == 0, applied.stderr
    assert session_base._described() != before
    files = [path.read_bytes() for path in desk.store.dir.rglob("*") if path.is_file()]
    assert not any(str(key).encode() in data for data in files)


def test_an_approval_is_used_once_though_the_folder_of_before_is_put_back(
    approved: Desk, session_base: Base, tmp_path: Path
) -> None:
    session_base.restore()
    approved.repository.check_out(approved.commit)
    desk = replace(approved, outputs=tmp_path / "outputs", run_id="once", variables={})
    desk.commit = desk.repository.commit_change(None)
    assert desk.run("plan", "approval", *NOT_WAITING).returncode == 0
    assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
    shutil.copytree(desk.outputs, tmp_path / "before")
    applied = desk.run("apply")
    assert applied.returncode == 0, applied.stderr
    # The world as it was: whoever may do that by hand would have the approved plan applied to it once more.
    session_base.restore()
    desk.repository.check_out(desk.commit)
    again = replace(desk, outputs=tmp_path / "before")
    before = session_base._described()
    assert f"apply of run {desk.run_id} was begun before, by riley" in refused(again)
    assert session_base._described() == before
