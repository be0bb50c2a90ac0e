"""The listener: answers from Slack's buttons, signed with the key that runbook.yml pins, and kept in GitLab."""

from __future__ import annotations

import threading

from ..adapters.approvals.slack_answer import project_address, say_signed
from ..adapters.gitlab import GitLab
from ..adapters.gitlab_http import GitLabRefusalError
from ..adapters.signing import signer_id
from ..adapters.slack_listener import Listener, Said, Tokens
from ..errors import ConfigError, GitLabError
from ..models.approval_config import SlackApprovals
from ..models.slack_answer import SlackAnswer
from ..settings import Settings
from .clients import gitlab_client

__all__ = ["Answers", "open_listener"]

_SERVER = 500  # from this HTTP status on it is the server that failed, maybe after it had kept what it was given


class Answers:
    """What becomes of what is said. `key` signs; each dialog is answered once."""

    def __init__(self, gitlab: GitLab, config: SlackApprovals, key: str) -> None:
        self._gitlab = gitlab
        self._config = config
        self._key = key
        self._done: dict[str, str] = {}
        # Slack may deliver one dialog twice, and each delivery is handled in a thread of its own.
        self._one_at_a_time = threading.Lock()

    def why_not(self, user: str) -> str:
        """Why a Slack user may not answer; empty if they may. Whether it counts is judged when apply starts."""
        if user in self._config.users:
            return ""
        return "You are none of those who may answer here: approval.slack.users in runbook.yml names them by their id."

    def take(self, said: Said) -> str:
        """Sign an answer and keep it; what to tell who gave it."""
        with self._one_at_a_time:
            if said.click not in self._done:
                self._done[said.click] = self._taken(said)
            return self._done[said.click]

    def _taken(self, said: Said) -> str:
        word = "approved" if said.approved else "rejected"
        if not said.approved and not said.reason:
            return "Nothing was taken down: a rejection needs a reason."
        answer = SlackAnswer(
            project=project_address(self._gitlab),
            asked=said.asked,
            user=said.user,
            approved=said.approved,
            reason=said.reason,
            at=self._gitlab.now(),
            message=said.message,
        )
        try:
            say_signed(self._gitlab, answer, self._key)
        except GitLabError as error:
            if isinstance(error, GitLabRefusalError) and error.status < _SERVER:
                raise
            # It may have been kept before the answer was lost: who was told otherwise would not look.
            return (
                f"Nobody knows whether it was taken down that you {word} this plan: {error.message}. Look at the"
                f" comments of commit {said.asked.commit[:12]} in GitLab, and answer again if yours is not there."
            )
        return (
            f"You {word} plan {said.asked.plan_sha256[:12]} of run {said.asked.run_id}. Apply judges whether it counts."
        )


def open_listener(settings: Settings) -> Listener:
    """The listener of this environment; ConfigError naming what is missing or does not fit."""
    config, environment = settings.config.approval.slack, settings.environment
    if config is None:
        raise ConfigError("runbook.yml does not say who is who in Slack", "Fill in approval.slack: users and key.")
    key = environment.listener_key.get_secret_value()
    app, bot = environment.slack_app_token.get_secret_value(), environment.slack_token.get_secret_value()
    for name, value in (("RUNBOOK_LISTENER_KEY", key), ("SLACK_APP_TOKEN", app), ("SLACK_BOT_TOKEN", bot)):
        if not value:
            raise ConfigError(f"{name} is not set", "docs/slack.md says what a listener needs.")
    if signer_id(key) != signer_id(config.key):
        raise ConfigError(
            f"RUNBOOK_LISTENER_KEY is the key {signer_id(key)[:16]}, and approval.slack.key in runbook.yml another",
            "Listen with the key whose public half is pinned there.",
        )
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError("there is no GITLAB_TOKEN to keep answers with", "Set one of a bot's, with the scope api.")
    answers = Answers(gitlab, config, key)
    return Listener(Tokens(app, bot, settings.config.slack.api_url), answers.why_not, answers.take)
