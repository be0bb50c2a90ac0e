"""A lab GitLab on a loopback port, for tests that hold the real clients against it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import uvicorn

from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.lab.gitlab.app import create_app
from runbook_lib.lab.gitlab.config import GitLabLabConfig

PROJECT = "platform/network-access"
BEFORE_APPLY = ("prepare", "compliance", "plan", "approval")


@dataclass(frozen=True)
class RunningGitLab:
    url: str
    config: GitLabLabConfig

    def token(self, user: str) -> str:
        found = self.config.user(user)
        assert found
        return found.token

    def client(self, user: str, project: str = PROJECT, **options: Any) -> GitLab:
        return GitLab(f"{self.url}/api/v4", self.token(user), project, **options)

    def call(self, method: str, path: str, user: str = "", **options: Any) -> requests.Response:
        headers = {"PRIVATE-TOKEN": self.token(user)} if user else {}
        headers |= options.pop("headers", {})
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=10, **options)

    def control(self, path: str, /, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}/lab/gitlab/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def push(self, author: str = "riley", **more: Any) -> str:
        return str(self.control("commits", author=author, **more)["sha"])

    def pipeline(self, user: str = "riley", **pushed: Any) -> int:
        self.push(**pushed)
        answer = self.call("POST", "/api/v4/projects/42/pipeline", user, json={"ref": "main"})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def pipeline_status(self, pipeline: int) -> str:
        return str(self.call("GET", f"/api/v4/projects/42/pipelines/{pipeline}", "riley").json()["status"])

    def job(self, pipeline: int, name: str) -> int:
        jobs = [
            job
            for kind in ("jobs", "bridges")
            for job in self.call("GET", f"/api/v4/projects/42/pipelines/{pipeline}/{kind}?per_page=100", "riley").json()
        ]
        return next(int(job["id"]) for job in jobs if job["name"] == name)

    def start(self, job: int) -> str:
        return str(self.control(f"jobs/{job}/start")["token"])

    def run(self, job: int, status: str = "success") -> None:
        self.start(job)
        self.control(f"jobs/{job}/finish", status=status)

    def pipeline_before_apply(self) -> tuple[int, int]:
        """A pipeline whose apply job waits to be played, and that job."""
        pipeline = self.pipeline()
        for name in BEFORE_APPLY:
            self.run(self.job(pipeline, name))
        return pipeline, self.job(pipeline, "apply")


@contextmanager
def running_gitlab(config: GitLabLabConfig) -> Iterator[RunningGitLab]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), host="127.0.0.1", port=0, log_level="critical", date_header=False)
    )
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
        yield RunningGitLab(f"http://127.0.0.1:{port}", config)
    finally:
        server.should_exit = True
        thread.join(10)
