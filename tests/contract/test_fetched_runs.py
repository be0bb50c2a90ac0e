"""Run folders out of GitLab's artifacts: page by page, from where it was left, and only what belongs to a pipeline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gitlab_lab import PROJECT, RunningGitLab, running_gitlab

from benchmarks.made_history import MadeHistory
from benchmarks.made_runs import MadeRun, settings_for
from runbook_lib.adapters import gitlab_archive, gitlab_http
from runbook_lib.adapters.approvals.gitlab_review import open_review, say_reviewed
from runbook_lib.adapters.history_file import HistoryFile
from runbook_lib.adapters.signing import generate_key
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import BlockedError, ConfigError, GitLabError, InputError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.history import RunRow
from runbook_lib.runner.evidence import prove_folder, sign_folder
from runbook_lib.runner.fetched_runs import fetch_runs
from runbook_lib.runner.history import renew_history
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace.members_only import hold_pages_to_members
from runbook_lib.workspace.records import read_request


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    return MadeHistory(tmp_path / "made", page=200)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def settings(lab: RunningGitLab, user: str = "riley") -> Settings:
    base = settings_for()
    gitlab = base.config.gitlab.model_copy(update={"url": lab.url, "project": PROJECT})
    environment = Environment(GITLAB_TOKEN=lab.token(user) if user else "")
    return Settings(environment, base.root, base.config.model_copy(update={"gitlab": gitlab}))


def artifacts(folder: Path, name: str = "") -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {f"outputs/{name or folder.name}/{p.relative_to(folder).as_posix()}": p.read_text() for p in files}


def upload(lab: RunningGitLab, pipeline: int, files: dict[str, str], job: str = "prepare") -> None:
    number = lab.job(pipeline, job)
    lab.start(number)
    lab.control(f"jobs/{number}/finish", status="success", artifacts=files)


def pipeline_with_run(lab: RunningGitLab, made: MadeHistory, number: int = 0) -> int:
    pipeline = lab.pipeline()
    upload(lab, pipeline, artifacts(made.make(number, run_id=str(pipeline))))
    return pipeline


def test_each_pipeline_s_folder_comes_as_it_was_sealed(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path
) -> None:
    runs = [pipeline_with_run(lab, made, number) for number in range(2)]
    empty = lab.pipeline()
    assert list(fetch_runs(settings(lab), outputs)) == ["2 run folders fetched from GitLab"]
    key = tmp_path / "key.pub"
    key.write_text(made.public)
    assert all(prove_folder(outputs / str(run), key).proven for run in runs)
    assert not (outputs / str(empty)).exists()
    assert sorted(path.name for path in outputs.iterdir()) == sorted([".fetched", ".reviews.json", *map(str, runs)])


def test_a_second_time_only_what_changed_is_asked_for(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline_with_run(lab, made)
    list(fetch_runs(settings(lab), outputs))
    new = pipeline_with_run(lab, made, 1)
    asked = []
    uploads = gitlab_archive.GitLabArchive.uploads
    monkeypatch.setattr(
        gitlab_archive.GitLabArchive, "uploads", lambda self, number: asked.append(number) or uploads(self, number)
    )
    assert list(fetch_runs(settings(lab), outputs)) == ["1 run folder fetched from GitLab"]
    assert asked == [new]


def test_it_goes_on_where_it_was_stopped(lab: RunningGitLab, made: MadeHistory, outputs: Path) -> None:
    runs = [pipeline_with_run(lab, made, number) for number in range(3)]
    lab.control("faults", path=f"/jobs/{lab.job(runs[1], 'prepare')}/artifacts$", count=20, status=500)
    with pytest.raises(GitLabError, match="500"):
        list(fetch_runs(settings(lab), outputs))
    assert [run for run in runs if (outputs / str(run)).exists()] == runs[:1]
    assert not list(outputs.glob(".fetching-*"))
    # Half a line, as a machine that died leaves it.
    with (outputs / ".fetched").open("a") as record:
        record.write(f"{runs[1]} 20")
    lab.call("DELETE", "/lab/gitlab/faults")
    assert list(fetch_runs(settings(lab), outputs)) == ["2 run folders fetched from GitLab"]


def test_a_job_whose_artifacts_may_not_be_read_holds_up_no_other(
    lab: RunningGitLab, made: MadeHistory, outputs: Path
) -> None:
    runs = [pipeline_with_run(lab, made, number) for number in range(2)]
    upload(lab, runs[0], {"report.txt": "x"}, "compliance")
    kept = lab.job(runs[0], "compliance")
    lab.control("faults", path=f"/jobs/{kept}/artifacts", count=1, status=403)
    (told, count) = fetch_runs(settings(lab), outputs)
    assert told.startswith("the artifacts of 1 job may not be read with this token: could not read outputs/")
    assert f"of job {kept}: GitLab answered 403" in told
    assert count == "2 run folders fetched from GitLab"
    # It is asked again, and may be read by then.
    assert list(fetch_runs(settings(lab), outputs)) == ["0 run folders fetched from GitLab"]
    assert (outputs / ".fetched").read_text().count("\n") == 2


def test_a_token_that_may_read_no_artifacts_is_an_error(lab: RunningGitLab, made: MadeHistory, outputs: Path) -> None:
    pipeline_with_run(lab, made)
    lab.control("faults", path="/artifacts", count=20, status=403)
    with pytest.raises(GitLabError, match="403") as raised:
        list(fetch_runs(settings(lab), outputs))
    assert "GITLAB_TOKEN may not do this" in raised.value.remedy
    lab.call("DELETE", "/lab/gitlab/faults")
    assert list(fetch_runs(settings(lab), outputs)) == ["1 run folder fetched from GitLab"]


def test_a_manifest_of_any_size_is_not_read_into_memory(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitlab_archive, "_LARGEST", 100_000)
    pipeline = pipeline_with_run(lab, made)
    upload(lab, pipeline, {f"outputs/{pipeline}/manifest.json": " " * 100_001}, "compliance")
    with pytest.raises(InputError, match=r"manifest\.json of job \d+ has more than 0 MB"):
        lab.client("riley").archive.file(lab.job(pipeline, "compliance"), f"outputs/{pipeline}/manifest.json")
    assert list(fetch_runs(settings(lab), outputs)) == ["1 run folder fetched from GitLab"]
    assert (outputs / str(pipeline) / "06_service_tests").is_dir()


def test_lists_of_many_pages_are_read_to_their_end(lab: RunningGitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        lab.pipeline()
    archive = lab.client("riley").archive
    whole = [pipeline.id for pipeline in archive.pipelines()]
    monkeypatch.setattr(gitlab_http, "PAGE", 1)
    assert [pipeline.id for pipeline in archive.pipelines()] == whole
    assert len(whole) == 3
    assert list(archive.pipelines("2999-01-01")) == []


def test_the_folder_with_most_seals_is_taken_whichever_job_left_it(
    lab: RunningGitLab, made: MadeHistory, outputs: Path
) -> None:
    pipeline = lab.pipeline()
    whole = artifacts(made.make(0, run_id=str(pipeline)))
    upload(lab, pipeline, whole)
    blocked = MadeHistory(made.outputs.parent / "other", made.key, 200).make(0, run_id=str(pipeline), blocked=True)
    upload(lab, pipeline, artifacts(blocked), "compliance")
    list(fetch_runs(settings(lab), outputs))
    assert (outputs / str(pipeline) / "06_service_tests").is_dir()


@pytest.mark.parametrize("forger", ["nobody", "another key"])
def test_a_job_that_claims_more_seals_than_the_signed_folder_has_does_not_hide_it(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path, forger: str
) -> None:
    pipeline, (key, public) = lab.pipeline(), generate_key()
    run = MadeRun(made.outputs, str(pipeline), settings_for(key)).play("compliance")
    other = settings_for(generate_key()[0]) if forger == "another key" else settings_for()
    forged = MadeRun(tmp_path / "forged", str(pipeline), other).play("compliance", "plan")
    upload(lab, pipeline, artifacts(run.store.dir))
    upload(lab, pipeline, artifacts(forged.store.dir), "compliance")
    (tmp_path / "key.pub").write_text(public)
    pinned = settings(lab)
    evidence = pinned.config.evidence.model_copy(update={"key": public})
    pinned.config = pinned.config.model_copy(update={"evidence": evidence})
    assert list(fetch_runs(pinned, outputs)) == ["1 run folder fetched from GitLab"]
    assert prove_folder(outputs / str(pipeline), tmp_path / "key.pub").proven
    assert sorted(path.name for path in outputs.iterdir()) == [".fetched", ".reviews.json", str(pipeline)]


def test_no_job_can_bring_another_pipeline_s_folder(lab: RunningGitLab, made: MadeHistory, outputs: Path) -> None:
    mine = pipeline_with_run(lab, made)
    list(fetch_runs(settings(lab), outputs))
    before = {path: path.read_bytes() for path in (outputs / str(mine)).rglob("*") if path.is_file()}
    evil = lab.pipeline()
    forged = made.make(1, run_id="forged")
    upload(lab, evil, artifacts(forged, str(mine)) | artifacts(forged, "../../evil") | {"history.sqlite": "x"})
    assert list(fetch_runs(settings(lab), outputs)) == ["0 run folders fetched from GitLab"]
    assert {path: path.read_bytes() for path in (outputs / str(mine)).rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in outputs.iterdir()) == [".fetched", ".reviews.json", str(mine)]


def test_a_folder_that_is_here_gives_way_only_to_one_that_goes_on_from_it(
    lab: RunningGitLab, made: MadeHistory, outputs: Path
) -> None:
    pipeline = lab.pipeline()
    here = MadeHistory(outputs, made.key, 200).make(0, run_id=str(pipeline))
    other = made.make(0, run_id=str(pipeline), failing=True)
    upload(lab, pipeline, artifacts(other))
    before = (here / "manifest.json").read_bytes()
    (told, count) = fetch_runs(settings(lab), outputs)
    assert told == (
        f"pipeline {pipeline}: the folder that is here says otherwise than GitLab's artifacts: it was left as it is"
    )
    assert count == "0 run folders fetched from GitLab"
    assert (here / "manifest.json").read_bytes() == before
    # The later attempt of the same run has the seals of the first, and one more.
    short = lab.pipeline()
    run = MadeRun(outputs, str(short), settings_for()).play("compliance")
    longer = run.copy_to(made.outputs).play("plan")
    upload(lab, short, artifacts(longer.store.dir))
    assert list(fetch_runs(settings(lab), outputs))[-1] == "1 run folder fetched from GitLab"
    assert (outputs / str(short) / "02_plan").is_dir()


def claimed(folder: Path) -> dict[str, str]:
    """Artifacts whose manifest repeats the chain of another, holds none of its files, and claims a seal more."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for seal in manifest["steps"]:
        seal["files"] = []
    last = max(manifest["steps"], key=lambda seal: seal["number"])
    manifest["earlier"] = [last | {"number": last["number"] + 1, "chain": "0" * 64}]
    manifest |= {"keys": {}, "page": None}
    return {f"outputs/{folder.name}/manifest.json": json.dumps(manifest), f"outputs/{folder.name}/run.json": "{}"}


def test_a_proven_folder_does_not_give_way_to_one_that_repeats_its_chain_alone(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path
) -> None:
    pipeline = lab.pipeline()
    here = MadeHistory(outputs, made.key, 200).make(0, run_id=str(pipeline))
    upload(lab, pipeline, claimed(here))
    (told, count) = fetch_runs(settings(lab), outputs)
    assert "it was left as it is" in told
    assert count == "0 run folders fetched from GitLab"
    (tmp_path / "key.pub").write_text(made.public)
    assert prove_folder(here, tmp_path / "key.pub").proven


def test_a_manifest_whose_chain_is_broken_is_not_taken_for_the_longest(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path
) -> None:
    pipeline = lab.pipeline()
    whole = made.make(0, run_id=str(pipeline))
    upload(lab, pipeline, artifacts(whole))
    upload(lab, pipeline, claimed(whole), "compliance")
    assert list(fetch_runs(settings(lab), outputs)) == ["1 run folder fetched from GitLab"]
    (tmp_path / "key.pub").write_text(made.public)
    assert prove_folder(outputs / str(pipeline), tmp_path / "key.pub").proven


@pytest.mark.parametrize("how", ["a file changed", "a seal changed", "another key", "no key"])
def test_what_goes_on_from_a_signed_folder_is_as_it_was_sealed_and_signed_with_its_key(
    how: str, lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path
) -> None:
    pipeline, (key, public) = lab.pipeline(), generate_key()
    run = MadeRun(outputs, str(pipeline), settings_for(key)).play("compliance")
    longer = run.copy_to(made.outputs)
    if how in {"another key", "no key"}:
        # Whoever has no key takes the signature off, and goes on as if there had been none.
        manifest = json.loads((longer.store.dir / "manifest.json").read_text())
        manifest |= {"keys": {}, "steps": [seal | {"key": ""} for seal in manifest["steps"]]}
        (longer.store.dir / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        (longer.store.dir / "manifest.dsse.json").unlink()
        longer.settings = settings_for()
    longer.play("plan")
    if how == "another key":
        sign_folder(settings_for(generate_key()[0]), longer.store.dir)
    if how == "a file changed":
        (longer.store.dir / "02_plan/plan.txt").write_text("no changes")
    if how == "a seal changed":
        text = (longer.store.dir / "manifest.json").read_text()
        (longer.store.dir / "manifest.json").write_text(text.replace('"passed"', '"warned"', 1))
    upload(lab, pipeline, artifacts(longer.store.dir))
    (told, _) = fetch_runs(settings(lab), outputs)
    assert "it was left as it is" in told
    (tmp_path / "key.pub").write_text(public)
    assert prove_folder(run.store.dir, tmp_path / "key.pub").proven


def test_a_signature_that_was_put_under_a_folder_since_is_fetched(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path
) -> None:
    pipeline, (key, public) = lab.pipeline(), generate_key()
    run = MadeRun(outputs, str(pipeline), settings_for()).play("compliance", "plan")
    signed = run.copy_to(made.outputs).store.dir
    sign_folder(settings_for(key), signed)
    upload(lab, pipeline, artifacts(signed))
    assert list(fetch_runs(settings(lab), outputs)) == ["1 run folder fetched from GitLab"]
    (tmp_path / "key.pub").write_text(public)
    assert prove_folder(run.store.dir, tmp_path / "key.pub").proven


def test_a_link_in_the_place_of_a_folder_is_left_alone(
    lab: RunningGitLab, made: MadeHistory, outputs: Path, tmp_path: Path
) -> None:
    pipeline = pipeline_with_run(lab, made)
    outputs.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (outputs / str(pipeline)).symlink_to(tmp_path / "elsewhere")
    (told, _) = fetch_runs(settings(lab), outputs)
    assert "is no folder" in told
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_one_person_approved_alone_is_listed_with_its_review(
    lab: RunningGitLab, made: MadeHistory, outputs: Path
) -> None:
    pipeline, base = lab.pipeline(), settings(lab)
    approval = base.config.approval.model_copy(update={"approvers": ("alex", "sam", "riley"), "break_glass": ("alex",)})
    held = Settings(base.environment, base.root, base.config.model_copy(update={"approval": approval}))
    run = made.make(0, run_id=str(pipeline), alone=True)  # alex did
    upload(lab, pipeline, artifacts(run))
    request = read_request(RunStore(made.outputs, str(pipeline)))

    def listed() -> tuple[str, str]:
        with HistoryFile.read(renew_history(outputs).path) as history:
            (row,) = history.rows(RunRow)
        return row.alone, row.review

    # Nobody asked GitLab yet, and then there is no review, which somebody has to open.
    outputs.mkdir()
    shutil.copytree(run, outputs / run.name)
    assert listed() == ("alex", "unknown")
    assert list(fetch_runs(held, outputs)) == ["0 run folders fetched from GitLab"]
    assert listed() == ("alex", "open")
    # That of somebody else, and that of another plan, are none of it.
    of_another = request.model_copy(update={"plan_sha256": "0" * 64})
    others = [open_review(lab.client("sam"), request, "mine"), open_review(lab.client("alex"), of_another, "other")]
    its = open_review(lab.client("alex"), request, "the site is down")
    for review in others:
        for name in ("riley", "sam", "alex"):
            say_reviewed(lab.client(name), review, "")
    say_reviewed(lab.client("sam"), its, "")
    list(fetch_runs(held, outputs))
    assert listed() == ("alex", "open")
    say_reviewed(lab.client("riley"), its, "")
    list(fetch_runs(held, outputs))
    assert listed() == ("alex", "closed")
    # As GitLab told last: it does not tell now.
    lab.control("faults", path="/issues", count=20, status=403)
    assert list(fetch_runs(base, outputs)) == ["0 run folders fetched from GitLab"]
    told = list(fetch_runs(held, outputs))
    assert told[0].startswith("what two others must look at is not known anew: ")
    assert listed() == ("alex", "closed")


def test_without_a_token_nothing_is_fetched(lab: RunningGitLab, outputs: Path) -> None:
    with pytest.raises(ConfigError, match="GITLAB_TOKEN"):
        list(fetch_runs(settings(lab, ""), outputs))


def test_a_page_for_members_is_held_to_what_gitlab_says(lab: RunningGitLab) -> None:
    hold_pages_to_members(settings(lab))
    for access in ({"pages_access_level": "public"}, {"pages_access_level": ""}, {"pages_access_level": "enabled"}):
        lab.control("settings", access=access | {"visibility": "internal"})
        with pytest.raises(BlockedError, match="not only members"):
            hold_pages_to_members(settings(lab))
    lab.control("settings", access={"pages_access_level": "enabled", "visibility": "private"})
    hold_pages_to_members(settings(lab))
    with pytest.raises(ConfigError, match="GITLAB_TOKEN"):
        hold_pages_to_members(settings(lab, ""))


def test_the_job_s_command_fetches_proves_and_publishes_the_page_alone(
    lab: RunningGitLab, made: MadeHistory, tmp_path: Path
) -> None:
    run, root = pipeline_with_run(lab, made), tmp_path / "repository"
    root.mkdir()
    (root / "key.pub").write_text(made.public)
    text = (Path(__file__).parents[2] / "runbook.yml").read_text() + "evidence: {key: key.pub}\n"
    text = text.replace("https://gitlab.com", lab.url).replace('project: ""', f'project: "{PROJECT}"')
    (root / "runbook.yml").write_text(text)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "runbook_lib.cli", "history", "--fetch", "--rebuild", "--publish", "public"]

    def done() -> subprocess.CompletedProcess[str]:
        given = {**environment, "GITLAB_TOKEN": lab.token("riley")}
        return subprocess.run(command, cwd=root, env=given, capture_output=True, text=True, check=False)

    first = done()
    assert first.returncode == 0, first.stderr
    assert f"{run}  2026-01-05 08:00  access  passed" in first.stdout
    assert "proven" in first.stdout
    assert "1 run folder fetched from GitLab" in first.stderr
    # The folder that is published holds the page and nothing else, and leads nowhere.
    assert [path.relative_to(root / "public").as_posix() for path in (root / "public").rglob("*")] == ["index.html"]
    assert f"{run}/index.html" not in (root / "public/index.html").read_text()
    assert f'href="{run}/index.html"' in (root / "outputs/fetched/index.html").read_text()
    lab.control("settings", access={"pages_access_level": "public"})
    (root / "public/index.html").unlink()
    refused = done()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "error: not only members can open GitLab Pages" in refused.stderr
    assert not (root / "public/index.html").exists()
