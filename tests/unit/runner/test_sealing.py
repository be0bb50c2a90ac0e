"""What one step left is sealed when it ends; whoever changes it afterwards stops the next step, and stays told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fuzz_runs import World, attack, whole
from benchmarks.made_runs import STEPS, MadeRun, settings_for
from runbook_lib.adapters.signing import generate_key, signer_id
from runbook_lib.errors import BlockedError, ConfigError, EvidenceError, UsageError
from runbook_lib.models.approval import Decision
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import EvidenceReport, Manifest
from runbook_lib.runner.evidence import prove_folder, sign_folder

PRIVATE, PUBLIC = generate_key()
OTHER, _ = generate_key()
Make = Callable[..., MadeRun]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(PUBLIC)
    return path


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """A run up to a step, signed unless it is said otherwise."""

    def make(upto: str = "approval", key: str = PRIVATE, **more: Any) -> MadeRun:
        run = MadeRun(tmp_path / "outputs", "run-1", settings_for(key, **more))
        return run.play(*STEPS[: STEPS.index(upto) + 1])

    return make


def manifest_of(run: MadeRun) -> Manifest:
    return Manifest.model_validate_json((run.store.dir / "manifest.json").read_bytes())


def rewrite(run: MadeRun, relative: str, **fields: Any) -> None:
    path = run.store.dir / relative
    path.write_text(json.dumps(json.loads(path.read_text()) | fields, indent=2) + "\n")


def answers(report: EvidenceReport) -> tuple[bool | None, bool | None, bool | None]:
    return report.intact.holds, report.signed.holds, report.consistent.holds


def test_a_run_whose_jobs_each_sealed_their_step_is_proven_whole(made: Make, key: Path) -> None:
    run = made("service_tests")
    report = prove_folder(run.store.dir, key)
    assert (report.valid, report.proven, report.problems, answers(report)) == (True, True, (), (True, True, True))
    assert [seal.step for seal in manifest_of(run).seals] == list(STEPS)


def test_without_a_key_it_is_intact_and_not_proven(made: Make) -> None:
    report = prove_folder(made("service_tests").store.dir)
    assert (report.valid, report.proven, answers(report)) == (True, False, (True, None, True))


def test_what_a_later_job_seals_leaves_the_earlier_seals_to_the_letter(made: Make) -> None:
    run = made("plan")
    before = manifest_of(run).steps
    run.play("approval", "apply")
    assert manifest_of(run).steps[:2] == before


# Attacks between two jobs: the artifact of the earlier one is changed before the later one begins.


def test_a_file_changed_between_two_jobs_stops_the_next_and_stays_told_when_put_back(made: Make, key: Path) -> None:
    run = made("approval")
    path = run.store.dir / "02_plan/plan.txt"
    original = path.read_bytes()
    path.write_text("nothing to see here\n")
    with pytest.raises(EvidenceError, match=r"apply was not begun: 02_plan/plan\.txt was changed") as stopped:
        run.play("apply")
    assert stopped.value.exit_status == 1
    assert not (run.store.dir / "04_apply").exists()
    assert "02_plan/plan.txt was changed" in prove_folder(run.store.dir, key).problems
    path.write_bytes(original)
    report = prove_folder(run.store.dir, key)
    (problem,) = report.problems
    assert problem.startswith("when apply was to begin at ")
    assert problem.endswith("02_plan/plan.txt was changed")
    with pytest.raises(EvidenceError, match=r"02_plan/plan\.txt was changed"):
        run.play("apply")


@pytest.mark.parametrize("name", ["03_approval/decision.json", "run.json", "02_plan/governed_by/policies/sources.yml"])
def test_no_later_seal_takes_in_what_was_changed(made: Make, name: str) -> None:
    run = made("approval", key="")
    path = run.store.dir / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(EvidenceError, match=f"{name} was changed"):
        run.play("apply")
    assert f"{name} was changed" in prove_folder(run.store.dir).problems


def test_a_file_planted_into_the_next_step_s_folder_is_refused_by_name(made: Make) -> None:
    run = made("approval", in_ci=True)
    run.store.write_text("04_apply/apply.txt", "Apply complete! Resources: 0 changed.")
    with pytest.raises(EvidenceError, match=r"04_apply/apply\.txt was added"):
        run.play("apply")


def test_a_step_of_another_run_is_refused(made: Make, tmp_path: Path) -> None:
    other = MadeRun(tmp_path / "elsewhere", "run-2", settings_for(PRIVATE)).play(*STEPS[:3])
    run = made("approval")
    shutil.rmtree(run.store.dir / "03_approval")
    shutil.copytree(other.store.dir / "03_approval", run.store.dir / "03_approval")
    with pytest.raises(EvidenceError, match=r"03_approval/decision\.json was changed"):
        run.play("apply")


def test_a_whole_folder_of_another_run_under_this_run_s_name_is_refused(made: Make, tmp_path: Path, key: Path) -> None:
    other = MadeRun(tmp_path / "elsewhere", "run-2", settings_for(PRIVATE)).play(*STEPS[:3])
    run = made("approval")
    shutil.rmtree(run.store.dir)
    shutil.copytree(other.store.dir, run.store.dir)
    with pytest.raises(EvidenceError, match="the manifest is of run run-2"):
        run.play("apply")
    assert "the folder is named run-1, and the manifest is of run run-2" in prove_folder(run.store.dir, key).problems


def test_a_manifest_sealed_anew_with_another_key_is_refused(made: Make, tmp_path: Path, key: Path) -> None:
    run = made("approval")
    forged = MadeRun(tmp_path / "forged", "run-1", settings_for(OTHER)).play(*STEPS[:3])
    shutil.rmtree(run.store.dir)
    shutil.copytree(forged.store.dir, run.store.dir)
    with pytest.raises(EvidenceError, match="the signature does not verify with the key"):
        run.play("apply")
    assert answers(prove_folder(run.store.dir, key)) == (True, False, True)


def test_a_run_sealed_anew_without_any_key_is_refused_where_there_is_one(made: Make, key: Path) -> None:
    run = made("approval", key="")
    run.settings = settings_for(PRIVATE)
    with pytest.raises(EvidenceError, match=r"the signature manifest\.dsse\.json is missing"):
        run.play("apply")
    assert prove_folder(run.store.dir, key).problems == ("there is no signature",)


def test_a_signature_taken_away_is_told_to_who_has_no_key_as_well(made: Make) -> None:
    run = made("service_tests")
    (run.store.dir / "manifest.dsse.json").unlink()
    report = prove_folder(run.store.dir)
    assert (report.valid, report.problems) == (False, ("the signature was removed",))


def test_steps_cut_off_are_missed(made: Make) -> None:
    run = made("service_tests", key="")
    manifest = manifest_of(run)
    shutil.rmtree(run.store.dir / "03_approval")
    kept = tuple(seal for seal in manifest.steps if seal.step != "approval")
    (run.store.dir / "manifest.json").write_text(manifest.model_copy(update={"steps": kept}).model_dump_json(indent=2))
    problems = prove_folder(run.store.dir).problems
    assert "the seal before that of step apply is missing" in problems
    assert "approval is missing, though apply was carried out" in problems


@pytest.mark.parametrize("steps", ["steps", "earlier"])
def test_an_empty_manifest_is_no_proof(made: Make, steps: str) -> None:
    run = made("plan", key="")
    empty = {"steps": [], "files": [], "page": None} if steps == "steps" else {"steps": []}
    rewrite(run, "manifest.json", **empty)
    report = prove_folder(run.store.dir)
    assert not report.valid
    assert "the manifest seals no step" in report.problems


def test_a_renamed_folder_is_told(made: Make, key: Path) -> None:
    run = made("plan")
    renamed = run.store.dir.with_name("run-9")
    run.store.dir.rename(renamed)
    assert "the folder is named run-9, and the manifest is of run run-1" in prove_folder(renamed, key).problems


def test_the_page_is_covered_and_one_that_another_version_made_is_told_from_a_forged_one(made: Make, key: Path) -> None:
    run = made("service_tests")
    page = run.store.dir / "index.html"
    page.write_text(page.read_text().replace("PASSED", "BLOCKED") + "<!-- -->")
    assert prove_folder(run.store.dir, key).problems == ("index.html was changed",)
    page.unlink()
    assert prove_folder(run.store.dir, key).problems == ("index.html is missing",)


def test_messages_planted_are_told_as_not_covered(made: Make, key: Path) -> None:
    run = made("approval")
    run.store.write_text("outbox/000001-post.json", "{}")
    report = prove_folder(run.store.dir, key)
    assert (report.proven, report.not_covered) == (True, ("outbox/000001-post.json",))


def test_a_link_in_place_of_a_sealed_file_stops_the_next_step(made: Make, tmp_path: Path) -> None:
    run = made("plan")
    path = run.store.dir / "02_plan/plan.txt"
    shutil.copyfile(path, tmp_path / "same")
    path.unlink()
    path.symlink_to(tmp_path / "same")
    with pytest.raises(EvidenceError, match=r"02_plan/plan\.txt is no plain file"):
        run.play("approval")


def test_a_file_changed_while_the_steps_of_one_process_run_stops_the_next_of_them(made: Make) -> None:
    run = made("compliance")
    sealer = run.sealer()
    sealer.open("plan")
    sealer.begin("plan")
    sealer.ended(run.leave("plan", datetime.now(UTC)))
    run.store.write_text("02_plan/plan.txt", "another")  # the page is still being made
    with pytest.raises(EvidenceError, match=r"02_plan/plan\.txt was changed"):
        sealer.begin("approval")


def test_a_file_that_is_renamed_while_the_folder_is_looked_at_is_no_difference(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made("plan")
    waiting = run.store.dir / "outbox/.1-post.json.x.tmp"
    waiting.parent.mkdir()
    waiting.write_text("{}")
    real = Path.lstat

    def lstat(path: Path) -> Any:
        if path == waiting:
            waiting.unlink(missing_ok=True)  # Slack's thread was quicker
        return real(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    run.play("approval")


# What is no attack.


def test_a_step_that_is_repeated_keeps_the_seal_of_its_earlier_attempt(made: Make, key: Path) -> None:
    run = made("approval").play("plan")
    manifest = manifest_of(run)
    assert [(seal.step, seal.number) for seal in manifest.earlier] == [("plan", 2)]
    report = prove_folder(run.store.dir, key)
    assert report.proven
    assert "approval is older than a step before it, which was made anew" in report.notes
    assert "plan was tried before: seal 2, passed" in report.notes


def test_a_step_that_still_stands_is_sealed_again_as_it_was(made: Make, key: Path) -> None:
    run = made("approval").play("compliance")
    sealer = run.sealer()
    sealer.open("plan")
    for step in ("plan", "approval"):
        sealer.resumed(step)
    sealer.close()
    manifest = manifest_of(run)
    assert [(seal.step, seal.number, seal.taken_over) for seal in manifest.steps] == [
        ("compliance", 4, False), ("plan", 5, True), ("approval", 6, True),
    ]  # fmt: skip
    assert prove_folder(run.store.dir, key).proven
    assert not [note for note in prove_folder(run.store.dir, key).notes if "older" in note]


@pytest.mark.parametrize("step", ["compliance", "plan", "approval", "apply"])
def test_nothing_up_to_apply_is_executed_again_once_it_was_carried_out(made: Make, step: str) -> None:
    run = made("apply")
    with pytest.raises(BlockedError, match=f"run run-1 was applied at .*: {step} is not executed again"):
        run.play(step)
    run.play("verification")


def test_an_apply_that_was_refused_may_be_tried_again(made: Make, key: Path) -> None:
    run = made("approval")
    sealer, started = run.sealer(), datetime.now(UTC)
    sealer.open("apply")
    sealer.begin("apply")
    result = run.leave("apply", started, Outcome.BLOCKED)
    for name in ("apply.jsonl", "outputs.json"):
        (run.store.dir / "04_apply" / name).unlink()
    sealer.ended(result)
    sealer.close()
    assert prove_folder(run.store.dir, key).proven
    run.play("apply")
    assert prove_folder(run.store.dir, key).proven


def test_what_a_killed_step_left_is_sealed_as_found_and_told_for_ever(made: Make, key: Path) -> None:
    run = made("approval", in_ci=True)
    sealer = run.sealer()
    sealer.open("apply")
    sealer.begin("apply")
    run.store.write_text("04_apply/apply.jsonl", "{}\n")  # and then it is killed
    assert "04_apply/apply.jsonl was added" in prove_folder(run.store.dir, key).problems
    run.play("verification")
    report = prove_folder(run.store.dir, key)
    assert (report.intact.holds, report.consistent.holds) == (True, False)
    assert any(problem.startswith("nobody sealed what apply left when it was written") for problem in report.problems)


def test_work_by_hand_is_taken_in_at_a_desk_and_told_and_refused_in_a_pipeline(made: Make, tmp_path: Path) -> None:
    run = made("compliance", key="")
    run.leave("plan", datetime.now(UTC))
    (run.store.dir / "02_plan/notebook.ipynb").unlink()  # JupyterLab keeps it elsewhere
    in_ci = run.copy_to(tmp_path / "ci")
    in_ci.settings = settings_for(in_ci=True)
    with pytest.raises(EvidenceError, match=r"02_plan/exposure\.json was added"):
        in_ci.play("approval")
    run.play("approval")
    report = prove_folder(run.store.dir)
    assert (report.intact.holds, report.consistent.holds) == (True, False)


@pytest.mark.parametrize(("plan", "taken"), [("", True), ("0" * 64, False)])
def test_an_answer_at_a_terminal_after_the_request_is_sealed_with_the_next_step(
    made: Make, plan: str, taken: bool
) -> None:
    run = made("approval", key="")
    decision = run.decision().decisions[0]
    given = Decision.model_validate(decision.model_dump() | ({"plan_sha256": plan} if plan else {}))
    run.store.write_json("03_approval/decisions/1-alex.json", given)
    if not taken:
        with pytest.raises(EvidenceError, match=r"03_approval/decisions/1-alex\.json was added"):
            run.play("apply")
        return
    run.play("apply")
    assert prove_folder(run.store.dir).valid
    in_apply = next(seal for seal in manifest_of(run).steps if seal.step == "apply").files
    assert "03_approval/decisions/1-alex.json" in [file.path for file in in_apply]


def test_an_answer_in_a_file_is_refused_in_a_pipeline(made: Make) -> None:
    run = made("approval", in_ci=True)
    run.store.write_json("03_approval/decisions/1-alex.json", run.decision().decisions[0])
    with pytest.raises(EvidenceError, match=r"03_approval/decisions/1-alex\.json was added"):
        run.play("apply")


# The key.


def test_a_key_that_can_not_be_read_stops_before_anything_is_done(made: Make) -> None:
    run = made("plan", key="")
    run.settings = settings_for("/nowhere/key.pem")
    with pytest.raises(ConfigError) as stopped:
        run.sealer()
    assert stopped.value.exit_status == 2


def test_a_signed_run_is_not_continued_without_its_key(made: Make) -> None:
    run = made("plan")
    run.settings = settings_for()
    with pytest.raises(ConfigError, match="run run-1 is signed, and there is no key here"):
        run.play("approval")


def test_another_key_than_the_pinned_one_signs_nothing(made: Make) -> None:
    run = made("plan", key="")
    run.settings = settings_for(OTHER, pinned=PUBLIC)
    with pytest.raises(ConfigError, match=r"runbook\.yml pins another one"):
        run.sealer()


@pytest.mark.parametrize("form", ["{pem}", "{id}", "sha256:{id}"])
def test_the_pinned_key_proves_as_one_that_is_given(made: Make, form: str) -> None:
    run = made("service_tests")
    settings = settings_for(pinned=form.format(pem=PUBLIC, id=signer_id(PUBLIC)))
    assert prove_folder(run.store.dir, settings=settings).proven
    forged = made("service_tests", key="").store.dir if not run.store.dir.exists() else run.store.dir
    shutil.rmtree(forged)
    other = MadeRun(forged.parent, "run-1", settings_for(OTHER)).play(*STEPS)
    report = prove_folder(other.store.dir, settings=settings)
    assert (report.valid, report.intact.holds, report.signed.holds) == (False, True, False)


def test_a_key_that_is_given_wins_over_the_pinned_one(made: Make, key: Path) -> None:
    run = made("service_tests")
    assert prove_folder(run.store.dir, key, settings_for(pinned=signer_id(OTHER))).proven


def test_signing_can_be_a_job_of_its_own(made: Make, key: Path) -> None:
    run = made("service_tests", key="")
    assert prove_folder(run.store.dir, key).problems == ("there is no signature",)
    signed = sign_folder(settings_for(PRIVATE), run.store.dir)
    assert signed.signed_by == signer_id(PUBLIC)
    assert prove_folder(run.store.dir, key).proven


def test_what_does_not_verify_is_not_signed(made: Make) -> None:
    run = made("service_tests", key="")
    run.store.write_text("04_apply/apply.txt", "another")
    with pytest.raises(EvidenceError, match=r"04_apply/apply\.txt was changed"):
        sign_folder(settings_for(PRIVATE), run.store.dir)
    assert not (run.store.dir / "manifest.dsse.json").exists()
    with pytest.raises(UsageError, match="no key to sign with"):
        sign_folder(settings_for(), run.store.dir)


# Many more of them: `make fuzz`.


@pytest.mark.parametrize("in_ci", [True, False])
def test_no_change_to_a_run_folder_goes_unnoticed(tmp_path: Path, in_ci: bool) -> None:
    import random

    world = World.make(tmp_path, in_ci=in_ci)
    whole(world)
    seen, unnoticed = attack(world, 46, random.Random(11))
    assert unnoticed == []
    assert seen["start"] > seen["verify"] > 0
