"""The whole lab: every server made, wired to the others, started and stopped in order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from . import control as control_app
from .addresses import CHANNEL, PROJECT_ID, REGION, Credentials, LabAddresses, ProcessId, World
from .aws import Aws
from .clients import AwsClients
from .edge import Edge
from .faults import Faults
from .front import Front, front_app
from .gitlab import app as gitlab_app
from .gitlab.config import MAINTAINER, GitLabLabConfig, LabUser, default_config
from .rules import SecurityGroups
from .servers import HttpServer
from .slack import app as slack_app
from .slack.config import SlackLabConfig
from .stand_in import StandIn, stand_in_app
from .statefile import process_id, write_addresses, write_profiles

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["Lab"]


class Lab:
    """A lab in this process; `builder` is the process that brings the base up, `world` another one than the story's."""

    def __init__(self, folder: Path, root: Path, builder: ProcessId | None, world: World | None = None) -> None:
        self._world = world
        self._stand_ins: tuple[StandIn, ...] = ()
        self.faults = Faults()
        self._aws = Aws(self.faults)
        self._servers = {name: HttpServer(name) for name in ("gitlab", "slack", "control", "front")}
        self.addresses = LabAddresses(
            process=process_id(),
            builder=builder,
            started_at=datetime.now(UTC),
            folder=folder,
            root=root,
            aws_url=self._aws.url,
            gitlab_url=self._servers["gitlab"].url,
            slack_url=self._servers["slack"].url,
            control_url=self._servers["control"].url,
            credentials=Credentials.make(world.people if world else ()),
        )
        self._clients = AwsClients(self.addresses.aws_url, self.addresses.credentials)
        self._front = Front(self._clients)
        self._edge = Edge(SecurityGroups(self._clients), self._served_by)

    def start(self) -> None:
        """Start every server, then write state.json: who finds it may call them all."""
        # What can be missing comes first: a server that has begun to speak would have the log's last word.
        front = self._front_app()
        write_profiles(self.addresses)
        self._aws.start()
        self._servers["gitlab"].start(gitlab_app.create_app(_gitlab_config(self.addresses, self._world)))
        self._servers["slack"].start(slack_app.create_app(_slack_config(self.addresses)))
        routes = control_app.Control(self.faults, self._front, lambda: self.addresses, self._ready)
        self._servers["control"].start(control_app.create_app(routes))
        self._servers["front"].start(front)
        self._edge.start()
        write_addresses(self.addresses)
        threading.Thread(target=self._clients.warm, name="warm", daemon=True).start()

    def stop(self) -> None:
        """Stop every server, whatever one of them says."""
        servers = self._servers.values()
        stops: list[Callable[[], None]] = [self._edge.stop, *(s.finish for s in servers), *(s.stop for s in servers)]
        with contextlib.ExitStack() as stack:
            for stop in reversed([*stops, self._aws.stop]):
                stack.callback(stop)

    def _front_app(self) -> FastAPI:
        if self._world is not None:
            return stand_in_app(lambda: self._stand_ins)
        return front_app(self.addresses.root, f"{self.addresses.control_url}/lab/picture.png")

    def _ready(self, order: control_app.Ready) -> LabAddresses:
        self._stand_ins = order.stand_ins
        self._edge.groups = SecurityGroups(self._clients, tuple(dict.fromkeys([*order.regions, REGION])))
        ports = self._edge.refresh({stand_in.port for stand_in in order.stand_ins}, spare=bool(self._world))
        address = "" if self._world else self._front.address()
        self.addresses = self.addresses.model_copy(
            update={
                "phase": "ready",
                "builder": self.addresses.builder if order.tied else None,
                "front_url": f"http://127.0.0.1:{ports[address, 80]}/" if (address, 80) in ports else "",
                "connect_to": ",".join(f"{ip}:{port}:127.0.0.1:{local}" for (ip, port), local in ports.items()),
            }
        )
        write_addresses(self.addresses)
        return self.addresses

    def _served_by(self, address: str, port: int) -> int | None:
        if self._world is not None:
            served = any(port == stand_in.port for stand_in in self._stand_ins)
        else:
            served = port == 80 and address == self._front.address()
        served = served and not self.faults.web_down
        return self._servers["front"].port if served else None


def _gitlab_config(addresses: LabAddresses, world: World | None) -> GitLabLabConfig:
    tokens = addresses.credentials.gitlab
    usual = default_config(tokens)
    bot = LabUser(199, "terraform-bot", "Terraform state", tokens["terraform-bot"], MAINTAINER)
    known = {user.username for user in usual.users} | {bot.username}
    people = tuple(
        LabUser(number, name, name, tokens[name], MAINTAINER)
        for number, name in enumerate(sorted(set(world.people if world else ()) - known), start=201)
    )
    found = GitLabLabConfig(users=(*usual.users, bot, *people), page_url=addresses.slack_url)
    return replace(found, environments=world.environments) if world else found


def _slack_config(addresses: LabAddresses) -> SlackLabConfig:
    credentials = addresses.credentials
    return SlackLabConfig(
        bot_token=credentials.slack_bot,
        app_token=credentials.slack_app,
        channel=CHANNEL.removeprefix("#"),
        gitlab_url=addresses.gitlab_url,
        gitlab_project=PROJECT_ID,
        approver="alex",
        approver_token=credentials.gitlab["alex"],
    )
