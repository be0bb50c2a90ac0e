"""A run folder that was sealed, and every way in which somebody might change it afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from step_fakes import FakeSlack, built_in

from runbook_lib.adapters.signing import generate_key
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import EvidenceError, InputError, RunbookError, SlackError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.runner.evidence import prove_folder, seal
from runbook_lib.runner.lifecycle import Lifecycle
from runbook_lib.settings import Settings

PRIVATE, PUBLIC = generate_key()
_, OTHER_PUBLIC = generate_key()
Results = Callable[..., StepResult]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(PUBLIC)
    return path


@pytest.fixture
def sealed(load: Callable[..., Settings], store: RunStore, result: Results) -> Path:
    store.write_result(result("compliance"))
    store.write_text("01_compliance/compliance.txt", "All is well.\n")
    store.write_result(result("plan", Outcome.BLOCKED))
    seal(load(RUNBOOK_SIGNING_KEY=PRIVATE), store)
    return store.dir


def test_a_sealed_folder_proves_whole_and_says_who_signed_it(sealed: Path, key: Path) -> None:
    report = prove_folder(sealed, key)
    assert (report.valid, report.problems, report.files) == (True, (), 4)
    assert report.signed_by


def test_the_manifest_holds_each_step_s_outcome(sealed: Path) -> None:
    manifest = json.loads((sealed / "manifest.json").read_text())
    assert {step["step"]: step["outcome"] for step in manifest["steps"]} == {"compliance": "passed", "plan": "blocked"}


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00", "9999-12-31T23:59:59Z"])
def test_times_that_can_t_be_compared_are_a_contradiction_and_no_defect(sealed: Path, key: Path, moment: str) -> None:
    path = sealed / "01_compliance/result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started_at": moment, "finished_at": moment}))
    report = prove_folder(sealed, key)
    assert report.consistent.holds is False
    assert "times can't be compared" in report.consistent.reasons[0]


def change_a_byte(folder: Path) -> None:
    path = folder / "01_compliance/compliance.txt"
    path.write_bytes(path.read_bytes().replace(b"well", b"wall"))


def add_a_file(folder: Path) -> None:
    (folder / "02_plan/extra.txt").write_text("I was always here.")


def remove_a_file(folder: Path) -> None:
    (folder / "run.json").unlink()


def rewrite_the_manifest(folder: Path) -> None:
    change_a_byte(folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["created_at"] = "2026-01-01T00:00:00Z"
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("meddle", "problem"),
    [
        (change_a_byte, "01_compliance/compliance.txt was changed"),
        (add_a_file, "02_plan/extra.txt was added"),
        (remove_a_file, "run.json is missing"),
        (rewrite_the_manifest, "the signature is for another manifest"),
    ],
)
def test_whatever_was_changed_is_named(sealed: Path, key: Path, meddle: Callable[[Path], None], problem: str) -> None:
    meddle(sealed)
    report = prove_folder(sealed, key)
    assert not report.valid
    assert problem in report.problems


def link_a_file(folder: Path) -> None:
    listed = folder / "run.json"
    listed.rename(folder.parent / "elsewhere.json")
    listed.symlink_to(folder.parent / "elsewhere.json")


def link_a_folder(folder: Path) -> None:
    (folder / "run.json.d").symlink_to("/", target_is_directory=True)


def link_to_nothing(folder: Path) -> None:
    (folder / "later").symlink_to(folder.parent / "not-there-yet")


def add_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def pipe_for(name: str) -> Callable[[Path], None]:
    def meddle(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return meddle


def test_a_pipe_in_the_place_of_the_manifest_is_not_waited_for(sealed: Path, key: Path) -> None:
    pipe_for("manifest.json")(sealed)
    with pytest.raises(EvidenceError, match=r"manifest\.json is no plain file"):
        prove_folder(sealed, key)


@pytest.mark.parametrize(
    ("meddle", "problem"),
    [
        (link_a_file, "run.json is no plain file"),
        (link_a_folder, "run.json.d is no plain file"),
        (link_to_nothing, "later is no plain file"),
        (add_a_pipe, "pipe is no plain file"),
        (pipe_for("run.json"), "run.json is no plain file"),
        (pipe_for("02_plan/result.json"), "02_plan/result.json is no plain file"),
        (pipe_for("manifest.dsse.json"), "manifest.dsse.json is no plain file"),
    ],
)
def test_what_is_no_plain_file_proves_nothing(
    sealed: Path, key: Path, meddle: Callable[[Path], None], problem: str
) -> None:
    meddle(sealed)
    report = prove_folder(sealed, key)
    assert not report.valid
    assert problem in report.problems


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"a\nVALID: 40 files", "a\\nVALID: 40 files was added"),
        (b"a\x1b[2K", "a\\x1b[2K was added"),
        (b"a\xff", "a\\udcff was added"),
    ],
)
def test_a_file_s_name_makes_no_line_of_the_answer(sealed: Path, name: bytes, said: str) -> None:
    Path(os.fsdecode(bytes(sealed) + b"/" + name)).touch()
    report = prove_folder(sealed)
    assert report.problems == (said,)
    assert json.loads(report.model_dump_json())["problems"] == [said]


def test_another_key_s_signature_proves_nothing(sealed: Path, key: Path) -> None:
    key.write_text(OTHER_PUBLIC)
    report = prove_folder(sealed, key)
    assert (report.valid, report.signed_by) == (False, "")
    assert "the signature does not verify with the key" in report.problems[0]


def test_a_signature_that_was_taken_away_is_missed_by_who_has_the_key(sealed: Path, key: Path) -> None:
    (sealed / "manifest.dsse.json").unlink()
    assert prove_folder(sealed, key).problems == ("the signature was removed", "there is no signature")
    assert prove_folder(sealed).problems == ("the signature was removed",)


def test_what_is_sent_after_the_seal_is_no_evidence_and_said_to_be_none(sealed: Path, key: Path) -> None:
    (sealed / "index.html").write_text("<p>The run</p>")
    (sealed / "slack.json").write_text("{}")
    (sealed / "outbox").mkdir()
    (sealed / "outbox/000001-late-post.json").write_text("{}")
    report = prove_folder(sealed, key)
    assert report.valid
    assert report.not_covered == ("index.html", "outbox/000001-late-post.json", "slack.json")


@pytest.mark.parametrize(("text", "kind"), [(None, InputError), ("{}", EvidenceError), ("no json", EvidenceError)])
def test_without_a_manifest_that_can_be_read_it_is_an_error(
    sealed: Path, text: str | None, kind: type[RunbookError]
) -> None:
    path = sealed / "manifest.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(kind):
        prove_folder(sealed)


def ended(lifecycle: Lifecycle, result: StepResult) -> Lifecycle:
    """A run whose step has ended, and left its result."""
    lifecycle._sealer._store.write_result(result)
    lifecycle._sealer.ended(result)
    return lifecycle


def test_a_run_is_sealed_also_when_its_failure_could_not_be_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    stopped = result("plan", Outcome.BLOCKED)
    store.write_result(stopped)
    slack.error = SlackError("Slack can't be reached")
    ended(Lifecycle(settings, store, run), stopped).run_ended([stopped])
    assert prove_folder(store.dir).valid
    assert [path.name for path in store.dir.glob("outbox/*failure*")]


def test_a_run_is_sealed_also_when_telling_breaks_altogether(
    settings: Settings, store: RunStore, run: Run, result: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: Settings, stack: str) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", broken)
    with pytest.raises(RuntimeError):
        ended(Lifecycle(settings, store, run), stopped := result("plan", Outcome.BLOCKED)).run_ended([stopped])
    assert prove_folder(store.dir).valid


def test_a_run_that_went_well_is_sealed_and_no_failure_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    store.write_result(result())
    lifecycle = Lifecycle(settings, store, run)
    lifecycle.step_ended(result())
    lifecycle.run_ended([result()])
    assert [post for post, _ in slack.posts if "stopped" in post] == []
    assert prove_folder(store.dir).valid


def test_a_result_that_is_heard_of_twice_is_told_once_and_before_the_run_ends(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    lifecycle = Lifecycle(settings, store, run)
    lifecycle.step_started(built_in("plan"))
    for _ in range(2):
        lifecycle.step_ended(result())
    lifecycle.run_ended([result()])
    assert len(slack.posts) == 2


def test_the_channel_hears_of_a_run_as_it_begins_and_once(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack
) -> None:
    for _ in range(2):  # in a pipeline each job begins anew
        lifecycle = Lifecycle(settings, store, run)
        lifecycle.step_started(built_in("compliance"))
        lifecycle.step_started(built_in("approval"))
    assert slack.posts == [("access: in progress (run 7)", False)]


def test_a_step_that_speaks_for_itself_begins_when_all_before_it_was_told(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    lifecycle = Lifecycle(settings, store, run)
    lifecycle.step_ended(result("plan"))
    lifecycle.step_started(built_in("approval"))
    assert len(slack.posts) == 2
