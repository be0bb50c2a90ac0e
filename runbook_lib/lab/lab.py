"""The whole lab: every server made, wired to the others, started and stopped in order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from . import control as control_app
from .aws import Aws
from .clients import AwsClients
from .edge import Edge
from .faults import Faults
from .front import Front, front_app
from .gitlab import app as gitlab_app
from .gitlab.config import MAINTAINER, GitLabWorld, LabUser, default_world
from .rules import SecurityGroups
from .servers import HttpServer
from .slack import app as slack_app
from .slack.config import SlackLabConfig
from .statefile import process_id, write_world
from .world import CHANNEL, PROJECT_ID, Credentials, ProcessId, World

__all__ = ["Lab"]


class Lab:
    """A lab in this process; `builder` is the process that brings the base up."""

    def __init__(self, folder: Path, root: Path, builder: ProcessId | None) -> None:
        self.faults = Faults()
        self._aws = Aws(self.faults)
        self._servers = {name: HttpServer(name) for name in ("gitlab", "slack", "control", "front")}
        self.world = World(
            process=process_id(),
            builder=builder,
            started_at=datetime.now(UTC),
            folder=folder,
            root=root,
            aws_url=self._aws.url,
            gitlab_url=self._servers["gitlab"].url,
            slack_url=self._servers["slack"].url,
            control_url=self._servers["control"].url,
            credentials=Credentials.make(),
        )
        self._clients = AwsClients(self.world.aws_url, self.world.credentials)
        self._front = Front(self._clients)
        self._edge = Edge(SecurityGroups(self._clients), self._served_by)

    def start(self) -> None:
        """Start every server, then write state.json: who finds it may call them all."""
        self._aws.start()
        self._servers["gitlab"].start(gitlab_app.create_app(_gitlab_world(self.world)))
        self._servers["slack"].start(slack_app.create_app(_slack_config(self.world)))
        routes = control_app.Control(self.faults, self._front, lambda: self.world, self._ready)
        self._servers["control"].start(control_app.create_app(routes))
        picture_url = f"{self.world.control_url}/lab/picture.png"
        self._servers["front"].start(front_app(self.world.root, picture_url))
        self._edge.start()
        write_world(self.world)
        threading.Thread(target=self._clients.warm, name="warm", daemon=True).start()

    def stop(self) -> None:
        """Stop every server, whatever one of them says."""
        servers = self._servers.values()
        stops: list[Callable[[], None]] = [self._edge.stop, *(s.finish for s in servers), *(s.stop for s in servers)]
        with contextlib.ExitStack() as stack:
            for stop in reversed([*stops, self._aws.stop]):
                stack.callback(stop)

    def _ready(self, tied: bool) -> World:
        ports = self._edge.refresh()
        address = self._front.address()
        self.world = self.world.model_copy(
            update={
                "phase": "ready",
                "builder": self.world.builder if tied else None,
                "front_url": f"http://127.0.0.1:{ports[address, 80]}/" if (address, 80) in ports else "",
                "connect_to": ",".join(f"{ip}:{port}:127.0.0.1:{local}" for (ip, port), local in ports.items()),
            }
        )
        write_world(self.world)
        return self.world

    def _served_by(self, address: str, port: int) -> int | None:
        served = port == 80 and not self.faults.web_down and address == self._front.address()
        return self._servers["front"].port if served else None


def _gitlab_world(world: World) -> GitLabWorld:
    tokens = world.credentials.gitlab
    usual = default_world(tokens)
    bot = LabUser(199, "terraform-bot", "Terraform state", tokens["terraform-bot"], MAINTAINER)
    return GitLabWorld(users=(*usual.users, bot), page_url=world.slack_url)


def _slack_config(world: World) -> SlackLabConfig:
    credentials = world.credentials
    return SlackLabConfig(
        bot_token=credentials.slack_bot,
        app_token=credentials.slack_app,
        channel=CHANNEL.removeprefix("#"),
        gitlab_url=world.gitlab_url,
        gitlab_project=PROJECT_ID,
        approver="alex",
        approver_token=credentials.gitlab["alex"],
    )
