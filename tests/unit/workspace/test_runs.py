"""A run is made once, says who asked for it, and is found again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from step_fakes import NOW, FakeGitLab

from runbook_lib.adapters.git import Commit
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import InputError, UsageError
from runbook_lib.models.config import RunbookEntry, StepEntry
from runbook_lib.models.run import Run
from runbook_lib.models.steps import RunStep
from runbook_lib.settings import Settings
from runbook_lib.workspace.runs import (
    Asked,
    latest_run_id,
    load_run,
    new_run_id,
    open_run,
    run_store,
    runbook_with,
    step_of,
)


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
    settings = load(CI_PIPELINE_ID="1001", url="https://g.example", project="a/b", CI_COMMIT_SHA="c0")
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


@pytest.fixture
def commit(monkeypatch: pytest.MonkeyPatch) -> Commit:
    found = Commit("4dc7a709", "open-http", "riley@example.org", dirty=True)
    monkeypatch.setattr("runbook_lib.workspace.runs.read_commit", lambda root: found)
    return found


def test_a_run_at_a_desk_says_what_it_was_made_from(settings: Settings, gitlab: FakeGitLab, commit: Commit) -> None:
    _, run = open_run(settings, Asked("9", runbook="change"))
    assert (run.commit, run.ref, run.dirty, run.author) == ("4dc7a709", "open-http", True, "riley")
    assert (run.runbook, run.project) == ("change", "")
    assert [(step.number, step.name) for step in run.steps] == [
        (1, "compliance"),
        (2, "plan"),
        (3, "approval"),
        (4, "apply"),
        (5, "verification"),
        (6, "service_tests"),
    ]
    assert timedelta(0) <= datetime.now(UTC) - run.created_at < timedelta(minutes=1)


def test_without_gitlab_the_author_is_whom_git_names(settings: Settings, commit: Commit) -> None:
    assert open_run(settings, Asked("9"))[1].author == "riley@example.org"


def test_a_job_s_commit_and_branch_win_over_what_is_checked_out(
    load: Callable[..., Settings], gitlab: FakeGitLab, commit: Commit
) -> None:
    variables = {"CI_COMMIT_SHA": "c0ffee", "CI_COMMIT_REF_NAME": "main", "project": "42"}
    _, run = open_run(load(**variables), Asked("9"))
    assert (run.commit, run.ref, run.project) == ("c0ffee", "main", "42")


def test_a_pipeline_s_own_address_is_taken_as_it_is(load: Callable[..., Settings], gitlab: FakeGitLab) -> None:
    settings = load(CI_PIPELINE_ID="1001", CI_PIPELINE_URL="https://g.example/p/1001", project="a/b")
    _, run = open_run(settings, Asked(""))
    assert (run.pipeline_url, run.project) == ("https://g.example/p/1001", "a/b")


def test_a_run_of_one_runbook_is_not_gone_on_with_as_another(settings: Settings) -> None:
    open_run(settings, Asked("9"))
    assert open_run(settings, Asked("9", runbook="change"))[1].runbook == "change"
    with pytest.raises(UsageError, match="run 9 is of runbook 'change', not 'costs'") as caught:
        open_run(settings, Asked("9", runbook="costs"))
    assert caught.value.remedy == "Leave --runbook away."


def test_a_run_of_another_stack_says_what_to_leave_away(settings: Settings) -> None:
    open_run(settings, Asked("9"))
    with pytest.raises(UsageError) as caught:
        open_run(settings, Asked("9", "network"))
    assert caught.value.remedy == "Leave --stack away."


def test_a_step_has_the_number_and_title_that_the_run_gave_it(settings: Settings, run: Run) -> None:
    steps = tuple(
        step.model_copy(update={"number": step.number + 10, "title": step.title.upper()}) for step in run.steps
    )
    found = step_of(settings, run.model_copy(update={"steps": steps, "runbook": "renamed"}), "plan")
    assert (found.name, found.number, found.title, found.decides) == ("plan", 12, "PLAN", True)


def test_a_step_that_the_run_does_not_have_is_asked_back(settings: Settings, run: Run) -> None:
    with pytest.raises(UsageError, match="unknown step 'plam'") as caught:
        step_of(settings, run, "plam")
    assert caught.value.remedy == (
        "Did you mean 'plan'? The steps of run 7 are compliance, plan, approval, apply, verification, service_tests."
    )
    with pytest.raises(UsageError) as caught:
        step_of(settings, run, "zzz")
    assert caught.value.remedy.startswith("The steps of run 7 are compliance, ")


def test_a_step_that_runbook_yml_no_longer_has_is_told(settings: Settings, run: Run) -> None:
    own = RunStep(name="cost", number=7, title="Cost", notebook="notebooks/cost.ipynb")
    with pytest.raises(UsageError) as caught:
        step_of(settings, run.model_copy(update={"steps": (*run.steps, own)}), "cost")
    assert caught.value.message == "runbook.yml has no step 'cost' any more"
    assert caught.value.remedy == "Put it back, or begin a new run."


def test_the_runbook_of_a_step_is_the_first_that_has_it(settings: Settings) -> None:
    entry = RunbookEntry(steps=(StepEntry(name="cost", notebook="notebooks/cost.ipynb"), StepEntry(name="compliance")))
    settings.config = settings.config.model_copy(update={"runbooks": {"costs": entry}})
    assert runbook_with(settings, "cost") == "costs"
    assert runbook_with(settings, "compliance") == "change"
    with pytest.raises(UsageError, match="unknown step 'nothing'") as caught:
        runbook_with(settings, "nothing")
    assert "The steps of runbook.yml are " in caught.value.remedy
