from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from runbook_lib.adapters.connect_to import ConnectTo, parse_connect_to, redirect
from runbook_lib.adapters.probes.connect import has_way
from runbook_lib.adapters.probes.run import ProbeOptions, run_tests
from runbook_lib.domain.services import judge_answer
from runbook_lib.errors import ConfigError
from runbook_lib.models.services import ServiceResult, ServiceTest

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def probe(url: str, **fields: object) -> ServiceTest:
    known = {"name": "web", "address": "127.0.0.1", "url": url, "timeout": 5.0, "attempts": 1}
    return ServiceTest.model_validate(known | fields)


def ask(url: str, options: ProbeOptions | None = None, **fields: object) -> ServiceResult:
    return run_tests([probe(url, **fields)], judge_answer, replace(options or ProbeOptions(), pauses=(0,)))[0]


@pytest.fixture
def unused() -> Iterator[int]:
    """A port that is taken, so that nobody else listens there, and that refuses whoever comes."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that treats each connection as it is told, for what no HTTP server does."""
    served: list[tuple[socket.socket, threading.Thread]] = []

    def serve(handle: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def loop() -> None:
            while True:
                try:
                    handle(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        served.append((listener, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    for listener, thread in served:
        # Closed while a thread still waits for it, its number would stand for another file to that thread.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def test_a_good_answer_passes(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("<img src='picture.png'>")
    result = ask(httpserver.url_for("/"), ProbeOptions(clock=lambda: NOW), contains="<img")
    assert (result.passed, result.status, result.attempts, result.error, result.at) == (True, 200, 1, "", NOW)
    assert result.seconds > 0


def test_another_status_fails_and_is_told(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("gone", status=404)
    result = ask(httpserver.url_for("/"))
    assert (result.passed, result.status, result.error) == (False, 404, "status: 404 instead of 200")


def test_missing_content_fails_and_is_told(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("hello")
    assert ask(httpserver.url_for("/"), contains="<img").error == "content: the body did not contain '<img'"


def test_a_refused_connection_says_refused(unused: int) -> None:
    result = ask(f"http://127.0.0.1:{unused}/")
    assert (result.error, result.status) == (f"refused: nothing listens on 127.0.0.1:{unused}", None)


def test_a_name_without_an_address_says_dns() -> None:
    assert ask("http://no-such-host.invalid/").error == "DNS: no address for no-such-host.invalid:80"


def test_a_server_that_never_answers_says_timeout(raw: Callable[..., str]) -> None:
    held: list[socket.socket] = []
    error = ask(raw(held.append), timeout=2).error
    assert error.startswith("timeout: ")
    assert error.endswith("took the connection but did not answer within 2 s")


def test_a_connection_that_is_dropped_on_the_way_says_so() -> None:
    # A listener whose queue is full takes no further connection and refuses none: like a security group.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        error = ask(f"http://127.0.0.1:{address[1]}/", timeout=0.3).error
        for sock in waiting:
            sock.close()
    assert error.startswith(f"timeout: no connection to 127.0.0.1:{address[1]} within 0.3 s")


def test_a_reset_connection_says_reset(raw: Callable[..., str]) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    assert ask(raw(reset)).error.startswith("reset: 127.0.0.1:")


def test_a_closed_connection_says_reset(raw: Callable[..., str]) -> None:
    def close(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.close()

    assert ask(raw(close)).error.endswith("closed the connection before an answer")


def test_an_answer_that_breaks_off_says_so(raw: Callable[..., str]) -> None:
    def half(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.close()

    assert ask(raw(half)).error.endswith("broke off in the middle of the answer")


def test_an_answer_that_is_no_http_says_so(raw: Callable[..., str]) -> None:
    def ssh(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.close()

    assert ask(raw(ssh)).error.endswith("answered with something that is not HTTP")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http:///", "http://127.0.0.1:99999/", ""])
def test_a_url_that_cant_be_asked_is_a_failed_test_and_no_traceback(url: str) -> None:
    result = ask(url, attempts=3)
    assert (result.passed, result.status) == (False, None)
    assert result.error.startswith(("url: ", "failed: "))


def test_a_body_is_read_up_to_a_bound(raw: Callable[..., str]) -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            connection.close()

    assert ask(raw(flood), contains="y").error.startswith("content: the first 1048576 bytes did not contain")


def test_a_failing_test_is_attempted_again_and_may_pass(httpserver: HTTPServer) -> None:
    answers = iter([503, 503, 200])
    httpserver.expect_request("/").respond_with_handler(lambda request: Response("x", next(answers)))
    result = ask(httpserver.url_for("/"), attempts=3)
    assert (result.passed, result.attempts, result.status) == (True, 3, 200)


def test_a_test_fails_with_its_last_attempt(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("x", status=503)
    result = ask(httpserver.url_for("/"), attempts=3)
    assert (result.passed, result.attempts, result.status) == (False, 3, 503)


def test_a_redirect_on_the_same_host_is_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=302, headers={"Location": "/there"})
    httpserver.expect_request("/there").respond_with_data("arrived")
    assert ask(httpserver.url_for("/"), contains="arrived").passed


def test_a_redirect_to_another_host_is_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=302, headers={"Location": "http://evil.example/"})
    assert ask(httpserver.url_for("/"), attempts=3).error == "redirect: to another host, evil.example"


def test_redirects_without_end_are_given_up(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=302, headers={"Location": "/"})
    assert ask(httpserver.url_for("/")).error == "redirect: more than 5 in a row"


def test_a_redirect_that_the_test_asks_for_is_the_answer(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=301, headers={"Location": "https://elsewhere.example/"})
    assert ask(httpserver.url_for("/"), status=301).passed


def test_connect_to_goes_elsewhere_but_asks_for_the_same_host(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_handler(lambda request: Response(request.headers["Host"]))
    options = ProbeOptions(connect_to=(ConnectTo("203.0.113.7", 80, "127.0.0.1", httpserver.port),))
    assert ask("http://203.0.113.7/", options, contains="203.0.113.7").passed
    assert ask("http://203.0.113.7/", options, contains=str(httpserver.port)).error.startswith("content")


def test_a_failure_elsewhere_names_both_ends(unused: int) -> None:
    options = ProbeOptions(connect_to=(ConnectTo("203.0.113.7", 80, "127.0.0.1", unused),))
    error = ask("http://203.0.113.7/", options).error
    assert error == f"refused: nothing listens on 203.0.113.7:80 (through 127.0.0.1:{unused})"


@pytest.fixture
def https() -> Iterator[tuple[HTTPServer, ssl.SSLContext]]:
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("web.example").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    with HTTPServer(host="127.0.0.1", ssl_context=server_context) as server:
        server.expect_request("/").respond_with_data("secure")
        yield server, client_context


def test_tls_is_checked_against_the_urls_host_though_connected_elsewhere(
    https: tuple[HTTPServer, ssl.SSLContext],
) -> None:
    server, context = https
    options = ProbeOptions(tls=context, connect_to=(ConnectTo("", 443, "127.0.0.1", server.port),))
    assert ask("https://web.example/", options, contains="secure").error == ""
    assert ask("https://other.example/", options).error.startswith("TLS: the certificate is not valid: ")


def test_an_untrusted_certificate_is_told_and_not_tried_again(https: tuple[HTTPServer, ssl.SSLContext]) -> None:
    server, _ = https
    options = ProbeOptions(tls=ssl.create_default_context(), connect_to=(ConnectTo(to_host="127.0.0.1"),))
    result = ask(f"https://web.example:{server.port}/", options, attempts=3)
    assert (result.attempts, result.error.split(":")[0]) == (1, "TLS")


def test_tls_to_a_plain_server_says_tls(httpserver: HTTPServer) -> None:
    assert ask(f"https://127.0.0.1:{httpserver.port}/").error.startswith("TLS: ")


def test_results_come_in_the_order_of_the_tests_and_each_is_told(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("x")
    told: list[tuple[int, int]] = []
    tests = [probe(httpserver.url_for("/"), address=f"203.0.113.{n}") for n in range(30)]
    options = ProbeOptions(concurrency=7, on_result=lambda result, done, total: told.append((done, total)))
    results = run_tests(tests, judge_answer, options)
    assert [result.test for result in results] == tests
    assert told == [(done, 30) for done in range(1, 31)]


def test_as_many_requests_are_under_way_as_allowed_and_no_more() -> None:
    lock, now, most = threading.Lock(), 0, 0
    three = threading.Barrier(3, timeout=60)

    def handle(request: Request) -> Response:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        three.wait()  # fewer than three at once would break the barrier, and fail the tests
        with lock:
            now -= 1
        return Response("x")

    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        server.expect_request("/").respond_with_handler(handle)
        tests = [probe(server.url_for("/"), address=f"203.0.113.{n}", timeout=30) for n in range(9)]
        # On a busy machine it may take them long, and none of them hands on its place.
        results = run_tests(tests, judge_answer, ProbeOptions(concurrency=3, patience=60))
    assert [result.error for result in results] == [""] * 9
    assert most == 3


def test_whoever_hangs_holds_up_nobody() -> None:
    told: list[str] = []
    six = threading.Event()

    def handle(request: Request) -> Response:
        if request.path == "/hangs":
            six.wait(timeout=60)
        return Response("x")

    def note(result: ServiceResult, done: int, total: int) -> None:
        told.append(result.test.url)
        if done == 6:
            six.set()

    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        server.expect_request("/hangs").respond_with_handler(handle)
        server.expect_request("/").respond_with_handler(handle)
        hanging = [probe(server.url_for("/hangs"), address=f"203.0.113.{n}", timeout=60) for n in range(7)]
        good = [probe(server.url_for("/"), address=f"203.0.113.{n}", timeout=60) for n in range(100, 106)]
        # Twice as many hang as there is room: they answer when there are six results, and not before.
        options = ProbeOptions(concurrency=3, patience=0.05, on_result=note)
        results = run_tests([*hanging, *good], judge_answer, options)
    assert [result.error for result in results] == [""] * 13
    assert told[:6] == [server.url_for("/")] * 6


def test_tests_run_inside_a_loop_that_already_runs_as_in_a_notebook(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("x")

    async def cell() -> ServiceResult:
        return ask(httpserver.url_for("/"))

    assert asyncio.run(cell()).passed


def test_no_tests_have_no_results() -> None:
    assert run_tests([], judge_answer) == ()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", ()),
        ("203.0.113.7:80:127.0.0.1:8080", (ConnectTo("203.0.113.7", 80, "127.0.0.1", 8080),)),
        ("a:1:b:2, ::c:", (ConnectTo("a", 1, "b", 2), ConnectTo("", 0, "c", 0))),
        ("[2001:db8::1]:443:[::1]:8443", (ConnectTo("2001:db8::1", 443, "::1", 8443),)),
    ],
)
def test_connect_to_reads_as_curl_reads_it(text: str, rules: tuple[ConnectTo, ...]) -> None:
    assert parse_connect_to(text) == rules


@pytest.mark.parametrize("text", ["a:1:b", "a:b:c:d", "2001:db8::1:80:x:80", "a:1:b:99999"])
def test_a_connect_to_that_cant_be_read_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigError, match="is not host:port:host:port"):
        parse_connect_to(text)


def test_empty_parts_of_connect_to_mean_any_and_unchanged() -> None:
    rules = (ConnectTo("a.example", 80, "", 8080), ConnectTo("", 443, "b.example", 0))
    assert redirect(rules, "A.example", 80) == ("A.example", 8080)
    assert redirect(rules, "c.example", 443) == ("b.example", 443)
    assert redirect(rules, "c.example", 80) == ("c.example", 80)


def test_where_a_packet_would_go_is_known_without_sending_one() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        assert not has_way("::1")
    else:
        assert has_way("::1")
    assert not has_way("ff02::1%none-such")
