"""A run is made once, says who asked for it, and is found again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from step_fakes import NOW, FakeGitLab

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import InputError, UsageError
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.runs import Asked, latest_run_id, load_run, new_run_id, open_run, run_store


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> FakeGitLab:
    fake = FakeGitLab("riley")
    monkeypatch.setattr("runbook_lib.workspace.runs.gitlab_client", lambda settings: fake)
    return fake


def begun(settings: Settings, run: Run, **changes: object) -> None:
    changed = run.model_copy(update=changes)
    RunStore(settings.outputs, changed.run_id).write_json("run.json", changed)


def test_a_run_by_hand_is_named_by_its_utc_time(settings: Settings) -> None:
    names = {new_run_id(settings, NOW) for _ in range(20)}
    assert len(names) > 1
    assert all(name.startswith("20261123T090000Z-") for name in names)


def test_a_pipeline_s_run_has_its_id(load: Callable[..., Settings]) -> None:
    assert new_run_id(load(CI_PIPELINE_ID="1001"), NOW) == "1001"


def test_without_gitlab_the_requester_is_a_local_user_whom_no_system_vouches_for(settings: Settings) -> None:
    _, run = open_run(settings, Asked("9"))
    assert run.requester.startswith("local:")
    assert (run.stack, run.commit, run.pipeline_url) == ("access", "", "")


def test_by_hand_the_requester_is_whose_token_it_is(settings: Settings, gitlab: FakeGitLab) -> None:
    assert open_run(settings, Asked("9"))[1].requester == "riley"
    assert gitlab.asked_pipelines == []


def test_in_a_pipeline_the_requester_is_who_started_it_whatever_the_token(
    load: Callable[..., Settings], gitlab: FakeGitLab
) -> None:
    settings = load(CI_PIPELINE_ID="1001", CI_SERVER_URL="https://g.example", CI_PROJECT_PATH="a/b", CI_COMMIT_SHA="c0")
    _, run = open_run(settings, Asked(""))
    assert (run.run_id, run.requester, gitlab.asked_pipelines) == ("1001", "riley", [1001])
    assert run.pipeline_url == "https://g.example/a/b/-/pipelines/1001"
    assert run.commit == "c0"


def test_a_run_that_was_made_is_found_again_unchanged(settings: Settings, gitlab: FakeGitLab) -> None:
    _, made = open_run(settings, Asked("9", "access", parameters={"plan": {"lock": False}}))
    gitlab.user = "somebody else"
    store, found = open_run(settings, Asked("9", "", parameters={"plan": {"lock": True}}))
    assert found == made == load_run(store)
    assert found.parameters == {"plan": {"lock": False}}


def test_a_run_of_one_stack_is_not_gone_on_with_for_another(settings: Settings) -> None:
    open_run(settings, Asked("9", "access"))
    with pytest.raises(UsageError, match="run 9 is of stack 'access', not 'network'"):
        open_run(settings, Asked("9", "network"))


def test_an_unknown_stack_is_refused_before_anything_is_written(settings: Settings) -> None:
    with pytest.raises(UsageError, match="unknown stack 'acess'") as caught:
        open_run(settings, Asked("9", "acess"))
    assert "access" in caught.value.remedy
    assert not settings.outputs.exists()


def test_the_newest_run_of_a_stack_is_the_one_to_go_on_with(settings: Settings, run: Run) -> None:
    begun(settings, run, run_id="old")
    begun(settings, run, run_id="new", created_at=NOW + timedelta(hours=1))
    begun(settings, run, run_id="newest-of-all", stack="network", created_at=NOW + timedelta(hours=2))
    assert latest_run_id(settings, "access") == "new"
    assert latest_run_id(settings, "network") == "newest-of-all"
    # What is not asked for is the default stack: a run of another one is never picked silently.
    assert latest_run_id(settings, "") == "new"


def test_in_a_pipeline_the_newest_run_is_the_pipeline_s(load: Callable[..., Settings], run: Run) -> None:
    settings = load(CI_PIPELINE_ID="1001")
    begun(settings, run, run_id="other", created_at=NOW + timedelta(days=900))
    assert latest_run_id(settings, "") == "1001"


def test_where_there_is_no_run_it_says_how_to_start_one(settings: Settings) -> None:
    with pytest.raises(InputError, match="there is no run of stack access yet") as caught:
        latest_run_id(settings, "")
    assert "runbook run" in caught.value.remedy


def test_what_a_run_writes_is_masked(load: Callable[..., Settings]) -> None:
    settings = load(GITLAB_TOKEN="glpat-0123456789abcdefghij")
    store = run_store(settings, "9")
    store.write_text("a.txt", "The token is glpat-0123456789abcdefghij.")
    assert "0123456789" not in store.read_text("a.txt")


def test_the_tools_of_a_run_are_written_down(settings: Settings) -> None:
    tools = open_run(settings, Asked("9"))[1].tools
    assert {"python", "papermill", "boto3"} <= set(tools)


def test_a_run_folder_can_not_be_named_out_of_the_outputs(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't name a folder"):
        open_run(settings, Asked("../9"))
