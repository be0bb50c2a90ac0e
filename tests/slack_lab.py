"""A lab Slack on a loopback port, for tests that hold the real SDK against it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import uvicorn

from runbook_lib.lab.slack import SlackLabConfig, create_app


@dataclass(frozen=True)
class RunningSlack:
    url: str
    config: SlackLabConfig

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def webhook(self) -> str:
        return self.url + self.config.webhook_path

    def fault(self, **fault: Any) -> None:
        answer = requests.post(f"{self.url}/lab/slack/faults", json=fault, timeout=60)
        answer.raise_for_status()

    def change_channel(self, channel: str = "C0INFRA", **change: Any) -> None:
        requests.post(f"{self.url}/lab/slack/channels/{channel}", json=change, timeout=60).raise_for_status()

    def delete(self, ts: str) -> None:
        requests.delete(f"{self.url}/lab/slack/messages/{ts}", timeout=60).raise_for_status()

    def messages(self, channel: str = "") -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/lab/slack/messages", params={"channel": channel}, timeout=60)
        return list(answer.json()["messages"])


@contextmanager
def running_slack(config: SlackLabConfig, clock: Callable[[], float] = time.time) -> Iterator[RunningSlack]:
    app = create_app(config, clock)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    ready = threading.Event()
    startup = server.startup

    async def started(sockets: Any = None) -> None:
        await startup(sockets)
        ready.set()

    server.startup = started  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(120)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield RunningSlack(f"http://127.0.0.1:{port}", config)
    finally:
        server.should_exit = True
        thread.join(10)
