"""Who and where everything is in a running lab: the model of its state.json."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..models.base import Model

__all__ = [
    "CHANNEL",
    "NOT_OURS",
    "PROJECT_ID",
    "PROJECT_PATH",
    "REGION",
    "REPOSITORY",
    "USERS",
    "Credentials",
    "LabAddresses",
    "ProcessId",
    "World",
]

PROJECT_ID = 42
PROJECT_PATH = "platform/network-access"
CHANNEL = "#infra-changes"
REGION = "eu-west-1"
REPOSITORY = "repository"

# Riley asks for changes; alex and sam approve them; the bot is the project access token that writes the state, for
# which GitLab wants a Maintainer.
USERS = ("riley", "alex", "sam", "terraform-bot")


# What a shell may have set, and what would lead AWS's libraries past the lab's keys and address.
NOT_OURS = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS"),
)


class World(Model):
    """What another team's repository has in place of the story's: its approvers, and the environments of its stacks."""

    people: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


class ProcessId(Model):
    """A process, told apart from a later one that was given the same number."""

    pid: int
    create_time: float


class Credentials(Model):
    """Everybody's tokens, made anew for each lab."""

    gitlab: dict[str, str] = Field(repr=False)
    slack_bot: str = Field(repr=False)
    slack_app: str = Field(repr=False)
    aws_key: str = Field(repr=False)
    aws_secret: str = Field(repr=False)

    @classmethod
    def make(cls, others: Iterable[str] = ()) -> Credentials:
        """Random ones, in the shapes that the real systems give, for the usual people and these."""
        return cls(
            gitlab={name: f"glpat-{secrets.token_urlsafe(15)}" for name in (*USERS, *others)},
            slack_bot=f"xoxb-{secrets.randbelow(10**12):012d}-{secrets.token_hex(12)}",
            slack_app=f"xapp-1-A0RUNBOOK-{secrets.token_hex(16)}",
            aws_key="AKIA" + secrets.token_hex(8).upper(),
            aws_secret=secrets.token_urlsafe(30),
        )


class LabAddresses(Model):
    """A lab that is up. `connect_to` maps the instances' public addresses to the edge, as curl's --connect-to does.

    `builder` is the process without which the lab is not kept: the `up` that still builds the base, or the demo.
    """

    process: ProcessId
    builder: ProcessId | None = None
    started_at: datetime
    phase: Literal["building", "ready"] = "building"
    folder: Path
    root: Path
    aws_url: str
    gitlab_url: str
    slack_url: str
    control_url: str
    front_url: str = ""
    connect_to: str = ""
    credentials: Credentials = Field(repr=False)

    @property
    def gitlab_api(self) -> str:
        """The address of GitLab's REST API."""
        return f"{self.gitlab_url}/api/v4"

    @property
    def repository(self) -> Path:
        """The lab's own copy of the repository's Terraform stacks, from which it builds the base."""
        return self.folder / REPOSITORY

    def environment(self, user: str = "riley") -> dict[str, str]:
        """The variables that point a shell at this lab, as `user`."""
        return {
            **self.aws_environment(),
            "CI_SERVER_URL": self.gitlab_url,
            "CI_API_V4_URL": self.gitlab_api,
            "CI_PROJECT_ID": str(PROJECT_ID),
            "CI_PROJECT_PATH": PROJECT_PATH,
            "GITLAB_TOKEN": self.credentials.gitlab[user],
            "TF_HTTP_USERNAME": "terraform-bot",
            "TF_HTTP_PASSWORD": self.credentials.gitlab["terraform-bot"],
            "SLACK_BOT_TOKEN": self.credentials.slack_bot,
            "SLACK_APP_TOKEN": self.credentials.slack_app,
            "SLACK_API_URL": f"{self.slack_url}/api/",
            "SLACK_CHANNEL": CHANNEL,
            "RUNBOOK_CONNECT_TO": self.connect_to,
            "RUNBOOK_CONNECT_ONLY": "1",
            "NO_PROXY": _without_proxy(),
        }

    def aws_environment(self) -> dict[str, str]:
        """The variables that point Terraform and boto3 at the lab's AWS."""
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": self.credentials.aws_key,
            "AWS_SECRET_ACCESS_KEY": self.credentials.aws_secret,
            "AWS_SESSION_TOKEN": "",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # The person's own may hold real keys, or another address.
            "AWS_CONFIG_FILE": str(self.folder / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "aws-credentials"),
        }


def _without_proxy() -> str:
    # A proxy for the outside must not be asked for loopback addresses.
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    return ",".join(dict.fromkeys([*filter(None, known.split(",")), "127.0.0.1", "localhost"]))
