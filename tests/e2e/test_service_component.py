"""The component `service-tests`, by its version, in a repository with nothing else of ours: alone, and in shards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from foreign import git, unpacked_wheel, wheel_of
from foreign_pipeline import path_without_runbook, program, tag_toolkit
from local_runner import OPTIONS, VARIABLES, gitlab_ci_local
from slack_lab import RunningSlack, running_slack

from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.services import ServiceReport

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
COMPONENT = "gitlab.example.com/platform/runbook/service-tests@v1.2.3"
# GitLab is not asked for anything.
NOWHERE = "http://127.0.0.1:1"


class Shop(BaseHTTPRequestHandler):
    """Answers `ok`, but for the paths that are down."""

    server: ShopServer

    def do_GET(self) -> None:
        up = self.path not in self.server.down
        self.send_response(200 if up else 503)
        self.end_headers()
        self.wfile.write(b"ok" if up else b"no")

    def log_message(self, *given: object) -> None:
        pass


class ShopServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, down: set[str]) -> None:
        super().__init__((host, port), Shop)
        self.down = down


@dataclass
class Project:
    """A repository with a pipeline file and services.yml, the shop that it tests, and its Slack."""

    root: Path
    package: Path
    slack: RunningSlack
    down: set[str]

    def run(self, pipeline: int, *jobs: str, image: bool = True, file: str = ".gitlab-ci.yml") -> Any:
        """Run jobs as one pipeline; with `image`, theirs has runbook in it."""
        given = self.root / VARIABLES
        given.parent.mkdir(exist_ok=True)
        told = {"GITLAB_CI": "true", "CI_SERVER_URL": NOWHERE, "CI_PIPELINE_SOURCE": "push"}
        told |= {"CI_PIPELINE_ID": str(pipeline), "SLACK_BOT_TOKEN": self.slack.config.bot_token}
        given.write_text(json.dumps(told))
        command = [gitlab_ci_local(), *OPTIONS, "--no-artifacts-to-source", "--file", file]
        command += ["--home", str(self.root.parent), "--variables-file", VARIABLES, *jobs]
        return subprocess.run(
            command, cwd=self.root, env=self._environment(image=image), capture_output=True, text=True, check=False
        )

    def _environment(self, *, image: bool) -> dict[str, str]:
        folder = self.root.parent
        path = path_without_runbook(folder)
        if image:
            (folder / "image").mkdir(exist_ok=True)
            line = f'PYTHONPATH="{self.package}" exec "{sys.executable}" -P -m runbook_lib.cli "$@"'
            program(folder / "image/runbook", line)
            path = os.pathsep.join([str(folder / "image"), path])
        # Of the machine's own variables those by which packages are found, and no others.
        outside = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
        return {**outside, "PATH": path, "HOME": str(folder / "home")}

    def report(self, pipeline: int) -> ServiceReport:
        """The results of a pipeline's run, of all shards together."""
        found = list(self.root.glob(f".gitlab-ci-local/artifacts/*/outputs/{pipeline}/06_service_tests/results.json"))
        (path,) = found
        return ServiceReport.model_validate_json(path.read_bytes())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    down: set[str] = set()
    first = ShopServer(HOSTS[0], 0, down)
    servers = [first, *(ShopServer(host, first.server_port, down) for host in HOSTS[1:])]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("shop")
    tag_toolkit(folder / "gitlab", "v1.2.3")
    # The runner's git takes a repository on the disk for the host of the remote, which is out of reach.
    (folder / "home").mkdir()
    instead = f'[url "file://{folder}/gitlab/"]\ninsteadOf = https://gitlab.example.com:443/\n'
    (folder / "home/.gitconfig").write_text(f"{instead}[uploadpack]\nallowFilter = true\n")
    with running_slack(SlackLabConfig(channel="shop-watch")) as slack:
        made = Project(folder / "project", unpacked_wheel(folder / "wheel"), slack, down)
        write(made, first.server_port)
        yield made
    for server in servers:
        server.shutdown()


def write(made: Project, port: int) -> None:
    root = made.root
    root.mkdir()
    services = [
        {"name": name, "targets": HOSTS, "url": f"http://{{address}}:{port}/{name}", "contains": "ok", "attempts": 1}
        for name in ("cart", "search")
    ]
    slack = {"channel": "#shop-watch", "api_url": made.slack.api_url}
    told = {
        "services": services,
        "slack": slack,
        "gitlab": {"url": NOWHERE, "project": "shop/web"},
        "environment": {"accept": ["PYTHONPATH"]},  # by which the image has runbook
    }
    (root / "services.yml").write_text(json.dumps(told))
    for name, inputs in {
        ".gitlab-ci.yml": {"package": str(wheel_of(made.package))},
        ".three.yml": {"shards": 3},
    }.items():
        (root / name).write_text(json.dumps({"include": [{"component": COMPONENT, "inputs": inputs}]}))
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "remote.origin.url", "https://gitlab.example.com/shop/web.git")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=Begin")
    with (root / ".git/info/exclude").open("a") as excluded:
        excluded.write(".gitlab-ci-local/\n")


def said(done: Any) -> str:
    return str(done.stdout[-4000:] + done.stderr[-3000:])


def of_channel(project: Project) -> list[str]:
    """What stands in the channel itself: replies in threads do not."""
    return [each["text"] for each in project.slack.messages() if each.get("thread_ts", each["ts"]) == each["ts"]]


def test_alone_it_installs_what_is_named_and_tests_what_services_yml_says(project: Project) -> None:
    assert sorted(path.name for path in project.root.iterdir() if path.name[:4] != ".git") == [
        ".three.yml", "services.yml",
    ]  # fmt: skip
    done = project.run(1, "service_tests", image=False)
    assert done.returncode == 0, said(done)
    found = project.report(1)
    assert (found.outcome, len(found.results), found.part) == ("passed", 6, "")
    assert of_channel(project) == ["services: done (run 1)"]


def test_three_shards_are_one_report_with_one_message_and_the_cache_tells_the_trend(project: Project) -> None:
    project.down.add("/cart")
    done = project.run(2, file=".three.yml")
    assert done.returncode != 0, said(done)
    found = project.report(2)
    assert (found.outcome, len(found.results), found.untested) == ("blocked", 6, {})
    assert {result.test.name for result in found.results if not result.passed} == {"cart"}
    assert of_channel(project)[1:] == ["services: blocked at service tests (run 2)"]
    # The job alone, before, has left its run in the same cache.
    assert found.trend == (0, 3)
