"""What answers in place of another team's services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from runbook_lib.lab.servers import HttpServer
from runbook_lib.lab.stand_in import StandIn, stand_in_app

KNOWN = (
    StandIn(port=8081, path="/health", text='"ok"'),
    StandIn(port=8081, path="/health", text='"version"'),
    StandIn(port=80, path="/", status=204),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HttpServer("stand-in")
    server.start(stand_in_app(lambda: KNOWN))
    yield server.url
    server.stop()


def ask(url: str, host: str, path: str, method: str = "GET") -> requests.Response:
    return requests.request(method, f"{url}{path}", headers={"Host": host}, timeout=60)


def test_it_answers_what_every_service_of_that_port_and_path_expects(url: str) -> None:
    answer = ask(url, "198.51.100.10:8081", "/health")
    assert answer.status_code == 200
    assert '"ok"' in answer.text
    assert '"version"' in answer.text


def test_the_usual_port_is_the_one_that_a_host_does_not_name(url: str) -> None:
    assert ask(url, "198.51.100.10", "/").status_code == 204


@pytest.mark.parametrize(("host", "path"), [("198.51.100.10", "/health"), ("198.51.100.10:8081", "/")])
def test_what_no_service_is_asked_is_not_there(url: str, host: str, path: str) -> None:
    assert ask(url, host, path).status_code == 404
