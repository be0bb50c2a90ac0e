"""Answers from Slack: who may give one, what is kept of it, and a listener that is not set up says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, FakeGitLab, answering

from runbook_lib.adapters.approvals.slack_answer import SlackAnswers
from runbook_lib.adapters.gitlab_http import GitLabRefusalError
from runbook_lib.adapters.signing import generate_key, signer_id
from runbook_lib.adapters.slack_listener import Said
from runbook_lib.errors import ConfigError, GitLabError
from runbook_lib.models.approval import ApprovalRequest, Decision
from runbook_lib.models.approval_config import SlackApprovals
from runbook_lib.models.slack_answer import Asked
from runbook_lib.settings import Settings
from runbook_lib.workspace import listening as module
from runbook_lib.workspace.listening import Answers, open_listener

COMMIT, PLAN = "4" * 40, "ab" * 32
PRIVATE, PUBLIC = generate_key()
CONFIG = SlackApprovals(users={"U01ALEX": "alex"}, key=PUBLIC)


class GitLab(FakeGitLab):
    has_token = True
    url, project = "https://g.example", "platform/access"


def said(**changed: Any) -> Said:
    asked = Asked(run_id="7", stack="access", commit=COMMIT, plan_sha256=PLAN)
    given: dict[str, Any] = {
        "asked": asked, "user": "U01ALEX", "approved": True, "reason": "", "message": "12.3", "click": "V1",
    }  # fmt: skip
    return Said(**given | changed)


@pytest.fixture
def gitlab() -> GitLab:
    return GitLab("listener")


@pytest.fixture
def answers(gitlab: GitLab) -> Answers:
    return Answers(gitlab, CONFIG, PRIVATE)  # type: ignore[arg-type]  # as far as it is asked


def decisions(gitlab: GitLab, request: ApprovalRequest) -> list[Decision]:
    """What apply reads of it later."""
    given = request.model_copy(update={"commit": COMMIT})
    return list(SlackAnswers(gitlab, CONFIG).decisions(given))  # type: ignore[arg-type]  # as far as it is asked


def test_only_whom_runbook_yml_names_may_answer(answers: Answers) -> None:
    assert answers.why_not("U01ALEX") == ""
    assert answers.why_not("alex") == (
        "You are none of those who may answer here: approval.slack.users in runbook.yml names them by their id."
    )


@pytest.mark.parametrize(("approved", "word"), [(True, "approved"), (False, "rejected")])
def test_an_answer_is_read_again_as_it_was_given(
    answers: Answers, gitlab: GitLab, request_: ApprovalRequest, approved: bool, word: str
) -> None:
    told = answers.take(said(approved=approved, reason="As agreed."))
    assert told == f"You {word} plan {PLAN[:12]} of run 7. Apply judges whether it counts."
    (found,) = decisions(gitlab, request_)
    assert (found.user, found.approved, found.reason, found.doubt) == ("alex", approved, "As agreed.", "")
    assert (found.source, found.at, found.plan_sha256) == ("slack", NOW, PLAN)


def test_a_rejection_needs_a_reason_and_an_approval_none(answers: Answers, gitlab: GitLab) -> None:
    assert answers.take(said(approved=False)) == "Nothing was taken down: a rejection needs a reason."
    assert gitlab.notes == []
    assert answers.take(said(click="V2")).startswith("You approved plan ")
    assert len(gitlab.notes) == 1


def test_a_dialog_that_slack_delivers_twice_is_answered_once(answers: Answers, gitlab: GitLab) -> None:
    first = answers.take(said())
    assert answers.take(said()) == first
    assert len(gitlab.notes) == 1
    answers.take(said(click="V2"))
    assert len(gitlab.notes) == 2


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (GitLabError("could not write: GitLab did not answer in time", "Try again."), False),
        (GitLabRefusalError(502, "could not write: Bad Gateway", "Try again."), False),
        (GitLabRefusalError(403, "could not write: Forbidden", "Give the role."), True),
    ],
)
def test_of_an_answer_that_gitlab_may_have_kept_nobody_is_told_that_it_was_not(
    answers: Answers, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, error: GitLabError, known: bool
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, "say_signed", fails)
    if known:
        with pytest.raises(GitLabRefusalError):
            answers.take(said(approved=False, reason="Not tonight."))
        return
    told = answers.take(said(approved=False, reason="Not tonight."))
    assert told.startswith(f"Nobody knows whether it was taken down that you rejected this plan: {error.message}.")
    assert f"comments of commit {COMMIT[:12]} in GitLab" in told


Open = Callable[..., Any]


@pytest.fixture
def opened(load: Callable[..., Settings], gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> Open:
    """The listener that is opened with these variables, beside those that it needs."""
    monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
    monkeypatch.setattr(
        module, "Listener", lambda tokens, allowed, take: SimpleNamespace(tokens=tokens, allowed=allowed, take=take)
    )

    def listener(config: SlackApprovals | None = CONFIG, **changed: str) -> Any:
        variables = {"RUNBOOK_LISTENER_KEY": PRIVATE, "SLACK_APP_TOKEN": "xapp-1", "SLACK_BOT_TOKEN": "xoxb-1"}
        settings = load(**variables | changed)
        approval = settings.config.approval.model_copy(update={"slack": config})
        settings.config = settings.config.model_copy(update={"approval": approval})
        return open_listener(settings)

    return listener


def test_a_listener_listens_with_its_tokens_and_keeps_what_is_said(opened: Open, gitlab: GitLab) -> None:
    listener = opened()
    assert (listener.tokens.app, listener.tokens.bot) == ("xapp-1", "xoxb-1")
    assert listener.tokens.api_url.startswith("https://slack.com/")
    assert listener.allowed("U01ALEX") == ""
    listener.take(said())
    assert len(gitlab.notes) == 1


@pytest.mark.parametrize("name", ["RUNBOOK_LISTENER_KEY", "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"])
def test_what_a_listener_lacks_is_named(opened: Open, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(**{name: ""})
    assert caught.value.message == f"{name} is not set"
    assert caught.value.remedy == "docs/slack.md says what a listener needs."


def test_without_anybody_named_there_is_nobody_to_listen_to(opened: Open) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(None)
    assert caught.value.message == "runbook.yml does not say who is who in Slack"
    assert caught.value.remedy == "Fill in approval.slack: users and key."


def test_another_key_than_the_pinned_one_signs_nothing(opened: Open) -> None:
    other, _ = generate_key()
    with pytest.raises(ConfigError) as caught:
        opened(RUNBOOK_LISTENER_KEY=other)
    assert caught.value.message == (
        f"RUNBOOK_LISTENER_KEY is the key {signer_id(other)[:16]}, and approval.slack.key in runbook.yml another"
    )
    assert caught.value.remedy == "Listen with the key whose public half is pinned there."


def test_without_a_token_there_is_nowhere_to_keep_answers(
    opened: Open, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitlab, "has_token", False)
    with pytest.raises(ConfigError) as caught:
        opened()
    assert caught.value.message == "there is no GITLAB_TOKEN to keep answers with"
    assert caught.value.remedy == "Set one of a bot's, with the scope api."
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    with pytest.raises(ConfigError, match="no GITLAB_TOKEN to keep answers with"):
        opened()
