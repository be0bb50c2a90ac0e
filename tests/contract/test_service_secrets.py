"""What a service is sent in secret: no part of it is told, and none goes to another origin."""

from __future__ import annotations

import html
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hostile_endpoints import listen, page

from runbook_lib.adapters.probes.run import ProbeOptions, run_tests
from runbook_lib.domain.services import judge_answer, make_test
from runbook_lib.models.service_config import ServiceConfig
from runbook_lib.models.services import ServiceResult


def ask(options: ProbeOptions | None = None, address: str = "127.0.0.1", **asked: Any) -> ServiceResult:
    given = {"name": "s", "targets": ["a.example"], "timeout": "2s", "attempts": 1, **asked}
    return run_tests([make_test(ServiceConfig.model_validate(given), address)], judge_answer, options)[0]


@pytest.fixture
def serve() -> Iterator[Callable[[Any], int]]:
    with ExitStack() as stack:
        yield lambda handle: stack.enter_context(listen(handle)).getsockname()[1]


def echoing(form: Callable[[str], bytes], head: bytes = b"200 OK\r\n") -> Callable[[socket.socket], None]:
    """Sends back the key that it was sent, in another form."""

    def handle(connection: socket.socket) -> None:
        key = connection.recv(65536).partition(b"X-Key: ")[2].partition(b"\r\n")[0].decode()
        body = form(key)
        connection.sendall(
            b"HTTP/1.1 " + head.replace(b"KEY", body) + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    return handle


KEY = 's3cr3t/"' + "K" * 40
WITH_KEY: dict[str, Any] = {"headers": {"X-Key": {"variable": "KEY"}}}


# The key stands where the text is cut, after 120 or 200 characters.
@pytest.mark.parametrize(
    ("handle", "asked", "cause"),
    [
        (echoing(lambda key: json.dumps({"pad": "x" * 60, "key": key}).encode()), {"jsonpath": {"$": 1}}, "content"),
        (
            echoing(lambda key: json.dumps(["x" * 90, key]).replace("/", "\\/").encode()), {"jsonpath": {"$": 1}},
            "content",
        ),
        (
            echoing(lambda key: key.encode(), b"200 OK\r\nX-Said: " + b"x" * 100 + b"KEY\r\n"),
            {"response_headers": {"X-Said": "fine"}}, "header",
        ),
        (
            echoing(lambda key: quote(key).encode(), b"302 Found\r\nLocation: /" + b"x" * 150 + b"KEY\r\n"),
            {"redirect": "forbidden"}, "redirect",
        ),
        (echoing(lambda key: key.encode(), b"302 Found\r\nLocation: about:" + b"x" * 170 + b"KEY\r\n"), {}, "redirect"),
        (
            echoing(lambda key: b"x", b"200 OK\r\nContent-Encoding: " + b"x" * 30 + b"s3cr3t/\"KK" + b"\r\n"),
            {"contains": "y"}, "encoding",
        ),
    ],
)  # fmt: skip
def test_no_part_of_a_secret_that_comes_back_is_told(
    handle: Callable[[socket.socket], None], asked: dict[str, Any], cause: str, serve: Callable[[Any], int]
) -> None:
    key = 's3cr3t/"KK' if cause == "encoding" else KEY
    options = ProbeOptions(secrets={"KEY": key}.get)
    found = ask(options, url=f"http://{{address}}:{serve(handle)}/", **WITH_KEY, **asked)
    assert found.cause == cause
    assert "***" in found.error
    assert "s3c" not in found.error


# Other writers leave other letters as they are: a URL's path and query, a form, HTML.
@pytest.mark.parametrize(
    ("form", "head", "asked"),
    [
        (str, b"302 Found\r\nLocation: /login?t=KEY\r\n", {"redirect": "forbidden"}),
        (str, b"302 Found\r\nLocation: /t/KEY\r\n", {"redirect": "forbidden"}),
        (quote_plus, b"302 Found\r\nLocation: /login?t=KEY\r\n", {"redirect": "forbidden"}),
        (lambda key: json.dumps(html.escape(key)), b"200 OK\r\n", {"jsonpath": {"$": 1}}),
    ],
)
def test_a_secret_is_known_in_whatever_way_each_of_its_letters_comes_back(
    form: Callable[[str], str], head: bytes, asked: dict[str, Any], serve: Callable[[Any], int]
) -> None:
    key = "p@ss/w\"o'r d&<+=ü"
    handle = echoing(lambda key: form(key).encode(), head)
    found = ask(ProbeOptions(secrets={"KEY": key}.get), url=f"http://{{address}}:{serve(handle)}/", **WITH_KEY, **asked)
    assert found.cause in {"redirect", "content"}
    assert "***" in found.error
    assert "ss" not in found.error


def test_what_is_masked_in_the_words_is_judged_as_it_came(serve: Callable[[Any], int]) -> None:
    options = ProbeOptions(secrets={"KEY": "fine"}.get)
    port = serve(echoing(lambda key: b'{"is": "%s"}' % key.encode()))
    found = ask(options, url=f"http://{{address}}:{port}/", **WITH_KEY, jsonpath={"$.is": "fine"}, contains="fine")
    assert found.error == ""


@pytest.mark.parametrize(
    ("body", "status", "cause", "heard"),
    [
        ({"variable": "KEY", "text": "key={value}"}, b"307 Temporary Redirect", "redirect", None),
        ({"variable": "KEY", "text": "key={value}"}, b"308 Permanent Redirect", "redirect", None),
        # Of what is asked by GET nothing is sent.
        ({"variable": "KEY", "text": "key={value}"}, b"303 See Other", "", b""),
        ("key=none", b"307 Temporary Redirect", "", b"key=none"),
    ],
)
def test_a_body_with_a_secret_is_not_sent_to_another_origin(
    body: object, status: bytes, cause: str, heard: bytes | None, serve: Callable[[Any], int]
) -> None:
    bodies: list[bytes] = []

    def other(connection: socket.socket) -> None:
        bodies.append(connection.recv(65536).partition(b"\r\n\r\n")[2])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    origin = f"http://localhost:{serve(other)}"
    port = serve(page(b"", b"Location: %s/\r\n" % origin.encode(), status))
    found = ask(
        ProbeOptions(secrets={"KEY": KEY}.get), url=f"http://{{address}}:{port}/", method="POST", body=body,
        redirects_to=[origin],
    )  # fmt: skip
    assert (found.cause, bodies) == (cause, [] if heard is None else [heard])
    if cause:
        assert "to another host, localhost, and the body with its secret is not for that one" in found.error
