"""The pipeline's last word: what stopped the run is told once, also when nothing of it is left to tell it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from step_fakes import FakeSlack

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ChatError, SlackError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.slack_thread import Teller, tell_stopped

Results = Callable[..., StepResult]


def test_the_result_that_stopped_the_run_is_told(
    settings: Settings, store: RunStore, slack: FakeSlack, result: Results
) -> None:
    store.write_result(result("compliance"))
    store.write_result(result("plan", Outcome.ERRORED, ErrorInfo(type="TerraformError", message="AWS said no.")))
    assert tell_stopped(settings, "7", "") == "Run 7 stopped at plan: AWS said no."
    assert [text for text, broadcast in slack.posts if broadcast] == ["access: plan errored: AWS said no. (run 7)"]


def test_a_failure_that_the_run_told_itself_is_not_told_again(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    stopped = result("plan", Outcome.BLOCKED)
    store.write_result(stopped)
    Teller(settings, store, run).tell_failure(stopped)
    tell_stopped(settings, "7", "")
    assert len([text for text, broadcast in slack.posts if broadcast]) == 1


def test_a_job_that_left_no_result_is_told_as_lost_and_once(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack, result: Results
) -> None:
    store.write_result(result("compliance"))
    for _ in range(2):
        said = tell_stopped(load(CI_PIPELINE_ID="7"), "7", "")
    assert said.startswith("Run 7 stopped at plan: The job of step plan ended without a result")
    assert len([text for text, broadcast in slack.posts if broadcast]) == 1


def test_by_hand_no_failure_is_made_up_for_a_run_that_did_not_stop(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    slack.error = SlackError("Slack can't be reached")
    store.write_result(result("compliance"))
    Teller(settings, store, run).tell_step(result("compliance"))
    slack.error = None
    assert tell_stopped(settings, "7", "") == "Run 7 did not stop at any step."
    assert [text for text, broadcast in slack.posts if broadcast] == []
    assert list(store.dir.glob("outbox/*.json")) == []


def test_a_pipeline_whose_first_job_never_began_is_told_too(load: Callable[..., Settings], slack: FakeSlack) -> None:
    assert tell_stopped(load(CI_PIPELINE_ID="1001"), "", "").startswith("Run 1001 stopped at compliance")
    assert len(slack.posts) == 2


def test_it_is_an_error_when_nobody_could_be_told_and_the_message_waits(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack
) -> None:
    slack.error = SlackError("Slack can't be reached", "Check the network.")
    with pytest.raises(ChatError, match="can't be reached"):
        tell_stopped(load(CI_PIPELINE_ID="7"), "7", "")
    assert [path.name for path in store.dir.glob("outbox/*failure*")]


def test_what_still_waited_goes_out_first(
    load: Callable[..., Settings], store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    slack.error = SlackError("Slack can't be reached")
    settings = load(CI_PIPELINE_ID="7")
    Teller(settings, store, run).tell_step(result("compliance"))
    slack.error = None
    tell_stopped(settings, "7", "")
    assert [text.split(":")[1].split()[0] for text, _ in slack.posts[1:]] == ["compliance", "compliance"]
    assert list(store.dir.glob("outbox/*.json")) == []
