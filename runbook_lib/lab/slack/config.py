"""What the lab's Slack is started with."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BOT_ID", "BOT_USER", "SCOPES", "TEAM", "SlackLabConfig", "SlackUser"]

TEAM = "T0RUNBOOK"
BOT_ID = "B0RUNBOOK"
BOT_USER = "U0RUNBOOK"
SCOPES = (
    "chat:write",
    "files:write",
    "files:read",
    "channels:read",
    "channels:history",
    "groups:read",
    "groups:history",
)


@dataclass(frozen=True)
class SlackUser:
    """A person of the workspace; `name` is the login, the same as in the lab's GitLab."""

    id: str
    name: str
    real_name: str


_PEOPLE = (
    SlackUser("U0RILEY", "riley", "Riley Requester"),
    SlackUser("U0ALEX", "alex", "Alex Approver"),
    SlackUser("U0SAM", "sam", "Sam Second"),
)


@dataclass(frozen=True)
class SlackLabConfig:
    """Tokens, people and channel of the workspace, and the GitLab on which the page's buttons act as `approver`.

    `webhook_path` is the secret path of the incoming webhook, below the server's address. `burst` messages
    may come at once to a channel before the limit of one a second holds. A file is shared `share_delay` seconds after
    Slack has said that it is.
    """

    bot_token: str = field(default="xoxb-lab-bot", repr=False)
    app_token: str = field(default="xapp-lab-app", repr=False)
    webhook_path: str = field(default=f"/services/{TEAM}/{BOT_ID}/lab-webhook", repr=False)
    channel: str = "infra-changes"
    channel_id: str = "C0INFRA"
    users: tuple[SlackUser, ...] = _PEOPLE
    scopes: tuple[str, ...] = SCOPES
    burst: int = 20
    share_delay: float = 0.2
    gitlab_url: str = ""
    gitlab_project: int = 42
    approver: str = "alex"
    approver_token: str = field(default="", repr=False)
