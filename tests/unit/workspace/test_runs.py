"""A run is made once, says who asked for it, and is found again."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from importlib.metadata import version
from pathlib import Path

import pytest
from step_fakes import NOW, FakeGitLab, answering

from runbook_lib.adapters.git import Commit
from runbook_lib.adapters.run_lock import carries_out
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, InputError, UsageError
from runbook_lib.models.config import RunbookEntry, StepEntry
from runbook_lib.models.run import Run
from runbook_lib.models.steps import RunStep
from runbook_lib.settings import Settings
from runbook_lib.workspace.runs import (
    Asked,
    latest_run_id,
    living_run,
    load_run,
    new_run_id,
    open_run,
    refuse_second,
    run_store,
    runbook_with,
    step_of,
)


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> FakeGitLab:
    fake = FakeGitLab("riley")
    monkeypatch.setattr("runbook_lib.workspace.runs.gitlab_client", answering(fake))
    return fake


def begun(settings: Settings, run: Run, **changes: object) -> None:
    changed = run.model_copy(update=changes)
    RunStore(settings.outputs, changed.run_id).write_json("run.json", changed)


def test_a_run_by_hand_is_named_by_its_utc_time(settings: Settings) -> None:
    names = {new_run_id(settings, NOW) for _ in range(20)}
    assert len(names) > 1
    assert all(re.fullmatch("20261123T090000Z-[0-9a-f]{4}", name) for name in names)


def test_it_is_named_by_the_time_in_utc_wherever_it_is_begun(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        """Here, two hours east, it is later."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return NOW.astimezone(tz or timezone(timedelta(hours=2)))

    monkeypatch.setattr("runbook_lib.workspace.runs.datetime", Clock)
    assert new_run_id(settings).startswith("20261123T090000Z-")


def test_a_pipeline_s_run_has_its_id(load: Callable[..., Settings]) -> None:
    assert new_run_id(load(CI_PIPELINE_ID="1001"), NOW) == "1001"


def test_without_gitlab_the_requester_is_a_local_user_whom_no_system_vouches_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "riley")
    _, run = open_run(settings, Asked("9"))
    assert run.requester == "local:riley"
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


def test_somebody_s_copy_of_a_run_s_folder_is_none(settings: Settings, run: Run) -> None:
    begun(settings, run, run_id="old")
    copy = settings.outputs / "copy of old"
    copy.mkdir()
    (copy / "run.json").write_text("{}")
    assert latest_run_id(settings, "access") == "old"


def test_a_folder_that_nobody_carries_out_need_not_be_readable_to_tell_who_does(settings: Settings, run: Run) -> None:
    begun(settings, run, run_id="living")
    for name in ("copy of living", "broken"):
        (settings.outputs / name).mkdir()
        (settings.outputs / name / "run.json").write_text("{")
    assert living_run(settings, "access") == ""
    with carries_out(settings.outputs, "living"):
        assert living_run(settings, "access") == "living"
    # Of which stack this one is nobody knows.
    with carries_out(settings.outputs, "broken"), pytest.raises(InputError, match=r"broken/run\.json"):
        living_run(settings, "access")


def test_in_a_pipeline_the_newest_run_is_the_pipeline_s(load: Callable[..., Settings], run: Run) -> None:
    settings = load(CI_PIPELINE_ID="1001")
    begun(settings, run, run_id="other", created_at=NOW + timedelta(days=900))
    assert latest_run_id(settings, "") == "1001"


def test_where_there_is_no_run_it_says_how_to_start_one(settings: Settings) -> None:
    with pytest.raises(InputError) as caught:
        latest_run_id(settings, "")
    assert (caught.value.message, caught.value.remedy) == (
        "there is no run of stack access yet",
        "Start one with the compliance notebook, or with `runbook run`.",
    )


def test_a_look_at_the_drift_is_no_run_to_go_on_with(settings: Settings, run: Run) -> None:
    begun(settings, run, run_id="change")
    begun(settings, run, run_id="look", runbook="drift", created_at=NOW + timedelta(hours=1))
    assert latest_run_id(settings, "access") == "change"


def test_the_run_that_is_carried_out_now_is_found_by_its_stack(settings: Settings, run: Run) -> None:
    begun(settings, run, run_id="ended")
    begun(settings, run, run_id="living", created_at=NOW - timedelta(hours=1))
    begun(settings, run, run_id="other", stack="network")
    assert living_run(settings, "access") == ""
    with carries_out(settings.outputs, "living"), carries_out(settings.outputs, "other"):
        assert living_run(settings, "access") == "living"
        assert living_run(settings, "network") == "other"
    assert living_run(settings, "access") == ""


def test_an_approval_is_used_once(store: RunStore) -> None:
    refuse_second(store)
    store.write_json("04_apply/began.json", {})
    with pytest.raises(ApprovalError) as caught:
        refuse_second(store)
    assert caught.value.message == "run 7 was applied, or its apply began: an approval is used once"
    assert caught.value.remedy == "Begin a new run: it plans what is left to do."


def test_what_a_run_writes_is_masked(load: Callable[..., Settings]) -> None:
    settings = load(GITLAB_TOKEN="glpat-0123456789abcdefghij")
    store = run_store(settings, "9")
    store.write_text("a.txt", "The token is glpat-0123456789abcdefghij.")
    assert "0123456789" not in store.read_text("a.txt")


def test_the_tools_of_a_run_are_written_down(settings: Settings) -> None:
    tools = open_run(settings, Asked("9"))[1].tools
    assert {"python", "papermill", "boto3"} <= set(tools)
    assert (tools["python"], tools["boto3"]) == (platform.python_version(), version("boto3"))


def test_a_tool_that_is_not_there_is_left_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook_lib.workspace.runs.TOOLS", ("pydantic", "no-such-tool"))
    assert set(open_run(settings, Asked("9"))[1].tools) == {"python", "pydantic"}


def test_a_run_folder_can_not_be_named_out_of_the_outputs(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't name a folder"):
        open_run(settings, Asked("../9"))


def checked_out(monkeypatch: pytest.MonkeyPatch, root: Path, commit: Commit) -> None:
    """Let this commit be the one that is checked out in the repository, of which alone it is asked."""

    def read(directory: Path) -> Commit:
        assert directory == root
        return commit

    monkeypatch.setattr("runbook_lib.workspace.runs.read_commit", read)


@pytest.fixture
def commit(root: Path, monkeypatch: pytest.MonkeyPatch) -> Commit:
    found = Commit("4dc7a709", "open-http", "riley@example.org", dirty=True)
    checked_out(monkeypatch, root, found)
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
    asked: list[tuple[str, str]] = []

    def author(sha: str, fallback: str = "") -> str:
        asked.append((sha, fallback))
        return "robin"

    gitlab.commit_author = author  # type: ignore[method-assign]
    variables = {"CI_COMMIT_SHA": "c0ffee", "CI_COMMIT_REF_NAME": "main", "project": "42"}
    _, run = open_run(load(**variables), Asked("9"))
    assert (run.commit, run.ref, run.project) == ("c0ffee", "main", "42")
    # Of that very commit GitLab is asked who wrote it; what git says is for where it can't tell.
    assert (run.author, asked) == ("robin", [("c0ffee", "riley@example.org")])


def test_a_project_s_path_stands_before_its_number(load: Callable[..., Settings], gitlab: FakeGitLab) -> None:
    settings = load(CI_PIPELINE_ID="1001", CI_PROJECT_PATH="group/infra", url="https://g.example", project="42")
    _, run = open_run(settings, Asked(""))
    assert (run.project, run.pipeline_url) == ("group/infra", "https://g.example/group/infra/-/pipelines/1001")


def test_a_pipeline_s_own_address_is_taken_as_it_is(load: Callable[..., Settings], gitlab: FakeGitLab) -> None:
    settings = load(CI_PIPELINE_ID="1001", CI_PIPELINE_URL="https://g.example/p/1001", project="a/b")
    _, run = open_run(settings, Asked(""))
    assert (run.pipeline_url, run.project) == ("https://g.example/p/1001", "a/b")


def test_a_run_of_one_runbook_is_not_gone_on_with_as_another(settings: Settings) -> None:
    open_run(settings, Asked("9"))
    assert open_run(settings, Asked("9", runbook="change"))[1].runbook == "change"
    with pytest.raises(UsageError) as caught:
        open_run(settings, Asked("9", runbook="costs"))
    assert (caught.value.message, caught.value.remedy) == (
        "run 9 is of runbook 'change', not 'costs'",
        "Leave --runbook away.",
    )


def test_a_run_has_the_steps_of_the_runbook_that_was_asked_for(settings: Settings) -> None:
    entry = RunbookEntry(steps=(StepEntry(name="cost", notebook="notebooks/cost.ipynb"), StepEntry(name="compliance")))
    settings.config = settings.config.model_copy(update={"runbooks": {"costs": entry}})
    with pytest.raises(UsageError, match="unknown runbook 'cost'"):
        open_run(settings, Asked("8", runbook="cost"))
    assert not settings.outputs.exists()
    _, run = open_run(settings, Asked("9", runbook="costs"))
    assert (run.runbook, [(step.number, step.name) for step in run.steps]) == (
        "costs",
        [(1, "cost"), (2, "compliance")],
    )


def test_a_run_lacks_the_steps_that_its_own_stack_leaves_out(settings: Settings) -> None:
    stacks = settings.config.stacks
    less = stacks["network"].model_copy(update={"without": ("verification", "service_tests")})
    settings.config = settings.config.model_copy(update={"stacks": {**stacks, "network": less}})
    left = {stack: [step.name for step in open_run(settings, Asked(stack, stack))[1].steps] for stack in stacks}
    assert left["network"] == ["compliance", "plan", "approval", "apply"]
    assert left["access"] == [*left["network"], "verification", "service_tests"]


def test_a_run_of_another_stack_says_what_to_leave_away(settings: Settings) -> None:
    open_run(settings, Asked("9"))
    with pytest.raises(UsageError) as caught:
        open_run(settings, Asked("9", "network"))
    assert (caught.value.message, caught.value.remedy) == (
        "run 9 is of stack 'access', not 'network'",
        "Leave --stack away.",
    )


def test_a_step_has_the_number_and_title_that_the_run_gave_it(settings: Settings, run: Run) -> None:
    steps = tuple(
        step.model_copy(update={"number": step.number + 10, "title": step.title.upper()}) for step in run.steps
    )
    found = step_of(settings, run.model_copy(update={"steps": steps, "runbook": "renamed"}), "plan")
    assert (found.name, found.number, found.title, found.decides) == ("plan", 12, "PLAN", True)


def test_a_step_that_the_run_does_not_have_is_asked_back(settings: Settings, run: Run) -> None:
    steps = "The steps of run 7 are compliance, plan, approval, apply, verification, service_tests."
    # A part of a long name is enough to know it by.
    for name, hint in (
        ("plam", "Did you mean 'plan'? "),
        ("tests", "Did you mean 'service_tests'? "),
        ("zzz", ""),
    ):
        with pytest.raises(UsageError) as caught:
            step_of(settings, run, name)
        assert (caught.value.message, caught.value.remedy) == (f"unknown step {name!r}", f"{hint}{steps}")


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
    with pytest.raises(UsageError, match="unknown step 'zzz'") as caught:
        runbook_with(settings, "zzz")
    # Each once, whichever runbook has it.
    known = "cost, compliance, plan, approval, apply, verification, service_tests"
    assert caught.value.remedy == f"The steps of runbook.yml are {known}."


def test_a_step_of_two_runbooks_is_the_one_of_the_run_s_own(settings: Settings, run: Run) -> None:
    def entry(notebook: str) -> RunbookEntry:
        return RunbookEntry(steps=(StepEntry(name="cost", notebook=f"notebooks/{notebook}.ipynb"),))

    entries = {"first": entry("one"), "second": entry("two")}
    settings.config = settings.config.model_copy(update={"runbooks": entries})
    steps = (RunStep(name="cost", number=1, title="Cost", notebook="notebooks/two.ipynb"),)
    found = {
        name: step_of(settings, run.model_copy(update={"steps": steps, "runbook": name}), "cost").notebook
        for name in ("first", "second", "renamed")
    }
    assert found == {
        "first": "notebooks/one.ipynb",
        "second": "notebooks/two.ipynb",
        # Which it was nobody can tell: the first that has it.
        "renamed": "notebooks/one.ipynb",
    }


def test_a_run_of_another_commit_than_is_checked_out_is_not_gone_on_with(
    settings: Settings, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(commit, sha="4dc7a709fedcba98")
    checked_out(monkeypatch, settings.root, first)
    made = open_run(settings, Asked("9"))[1]
    assert open_run(settings, Asked("9"))[1] == made
    other = replace(commit, sha="0123456789abcdef")
    checked_out(monkeypatch, settings.root, other)
    with pytest.raises(UsageError) as caught:
        open_run(settings, Asked("9"))
    assert (caught.value.message, caught.value.remedy) == (
        "run 9 is of commit 4dc7a709fedc, and 0123456789ab is checked out",
        "Check out 4dc7a709fedc, or begin a new run.",
    )
    # Where nothing is checked out, as in a job that only has the run's folder, there is nothing to hold it to.
    checked_out(monkeypatch, settings.root, Commit())
    assert open_run(settings, Asked("9"))[1] == made


def test_a_run_that_names_no_commit_is_not_gone_on_with_on_one(settings: Settings, run: Run, commit: Commit) -> None:
    begun(settings, run, run_id="9", commit="")
    with pytest.raises(UsageError, match=r"^run 9 is of no commit, and 4dc7a709 is checked out$") as caught:
        open_run(settings, Asked("9"))
    assert caught.value.remedy == "Begin a new run."


def test_what_is_not_asked_for_is_told_by_nobody(settings: Settings, gitlab: FakeGitLab) -> None:
    def author(sha: str, fallback: str = "") -> str:
        raise AssertionError("GitLab is asked for the author of no commit")

    gitlab.commit_author = author  # type: ignore[method-assign]
    # No commit is checked out: whoever wrote it is not known either.
    assert open_run(settings, Asked("9"))[1].author == ""


def test_a_run_that_applies_nothing_is_never_applied_a_second_time(store: RunStore, run: Run) -> None:
    store.write_json("04_apply/began.json", {})
    steps = tuple(step for step in run.steps if step.name != "apply")
    store.write_json("run.json", run.model_copy(update={"steps": steps}))
    refuse_second(RunStore(store.dir.parent, "7"))
