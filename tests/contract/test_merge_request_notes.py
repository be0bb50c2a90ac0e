"""One note a stack on a merge request, by the real client on the lab: renewed by later pushes, never repeated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gitlab_lab import PROJECT, RunningGitLab, running_gitlab

from runbook_lib.errors import ConfigError, GitLabError, UsageError
from runbook_lib.lab.gitlab.config import REPORTER, LabUser, default_config
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace.merge_request import write_note

NOTES = "/api/v4/projects/42/merge_requests/1/notes"
CONFIG = """
version: 1
stacks: {{web: {{path: web, state: web}}, db: {{path: db, state: db}}}}
gitlab: {{url: {url}, project: {project}}}
"""


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    config = default_config()
    bot = LabUser(201, "notes_bot", "notes", "glpat-notes", REPORTER, ("api",))
    with running_gitlab(dataclasses.replace(config, users=(*config.users, bot))) as running:
        running.control("merge_requests", author="riley", sha=running.push())
        yield running


@pytest.fixture
def noting(lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`runbook note` in a pipeline of the merge request, with a token."""
    (tmp_path / "runbook.yml").write_text(CONFIG.format(url=lab.url, project=PROJECT))

    def note(pipeline: int, stack: str = "web", *, user: str = "notes_bot", iid: str = "1") -> str:
        for field in Environment.model_fields.values():
            for name in getattr(field.validation_alias, "choices", ()):
                monkeypatch.delenv(name, raising=False)
        given = {"CI_PIPELINE_ID": str(pipeline), "CI_MERGE_REQUEST_IID": iid, "CI_COMMIT_SHA": "4dc7a7"}
        given |= {"GITLAB_TOKEN": lab.token(user)} if user else {"CI_JOB_TOKEN": "x"}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("RUNBOOK_OUTPUTS", str(tmp_path / "outputs"))
        return write_note(Settings.load(tmp_path, checked=False), "", stack)

    return note


def notes(lab: RunningGitLab) -> list[dict[str, Any]]:
    return list(lab.call("GET", f"{NOTES}?sort=asc", "riley").json())


def test_a_later_push_renews_the_note_and_an_earlier_one_that_ends_late_does_not(
    lab: RunningGitLab, noting: Callable[..., str]
) -> None:
    assert noting(100) == "Noted on merge request 1."
    assert noting(102) == "Noted on merge request 1, in place of what was noted before."
    assert noting(101) == "A later pipeline has noted already what it found in merge request 1."
    # The same pipeline once more: its job was retried.
    noting(102)
    (only,) = notes(lab)
    assert only["author"]["username"] == "notes_bot"
    assert "pipeline 102 -->" in only["body"]


def test_each_stack_has_a_note_of_its_own(lab: RunningGitLab, noting: Callable[..., str]) -> None:
    for pipeline, stack in ((100, "web"), (101, "db"), (102, "web")):
        noting(pipeline, stack)
    assert [note["body"].split(" -->")[0].split("note ")[1] for note in notes(lab)] == [
        "web pipeline 102",
        "db pipeline 101",
    ]


def test_what_others_wrote_is_neither_changed_nor_believed(lab: RunningGitLab, noting: Callable[..., str]) -> None:
    forged = "<!-- runbook note web pipeline 999 -->\nAll is well."
    assert lab.call("POST", NOTES, "riley", json={"body": forged}).status_code == 201
    assert noting(100) == "Noted on merge request 1."
    theirs, ours = notes(lab)
    assert (theirs["body"], theirs["author"]["username"]) == (forged, "riley")
    assert "pipeline 100 -->" in ours["body"]


def test_a_reporter_may_note_and_edit_its_own_and_no_one_elses(lab: RunningGitLab) -> None:
    own = lab.call("POST", NOTES, "notes_bot", json={"body": "x"}).json()["id"]
    assert lab.call("PUT", f"{NOTES}/{own}", "notes_bot", json={"body": "y"}).status_code == 200
    other = lab.call("POST", NOTES, "riley", json={"body": "x"}).json()["id"]
    assert lab.call("PUT", f"{NOTES}/{other}", "notes_bot", json={"body": "y"}).status_code == 403
    # And nothing that changes anything.
    pipeline, apply = lab.pipeline_before_apply()
    assert lab.call("POST", f"/api/v4/projects/42/jobs/{apply}/play", "notes_bot", json={}).status_code == 403
    assert lab.call("POST", "/api/v4/projects/42/pipeline", "notes_bot", json={"ref": "main"}).status_code == 403
    assert lab.call("POST", f"/api/v4/projects/42/pipelines/{pipeline}/cancel", "notes_bot").status_code == 403


def test_a_token_that_may_not_note_is_told_what_to_do(lab: RunningGitLab, noting: Callable[..., str]) -> None:
    with pytest.raises(GitLabError, match="could not write a note on merge request 1"):
        noting(100, user="project_42_bot")
    with pytest.raises(ConfigError) as caught:
        noting(100, user="")
    assert "role Reporter, scope api" in caught.value.remedy
    with pytest.raises(GitLabError, match="merge request 7"):
        noting(100, iid="7")
    for iid in ("", "1/../2", "-1"):
        with pytest.raises(UsageError, match="no pipeline of a merge request"):
            noting(100, iid=iid)
    assert notes(lab) == []


def test_what_an_earlier_job_left_is_a_strangers_word(
    lab: RunningGitLab, noting: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "outputs/100"
    (folder / "02_plan").mkdir(parents=True)
    (folder / "02_plan/result.json").write_text('{"outcome": ["/merge"]}')
    (folder / "02_plan/summary.json").write_text("\x00")
    (folder / "run.json").write_text("[" * 100_000)
    noting(100)
    assert "There is no plan: the pipeline failed before." in notes(lab)[0]["body"]
