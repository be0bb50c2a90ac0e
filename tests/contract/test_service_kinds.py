"""The kinds whose servers are rare: DNS, HTTP/2, and a server that is only reached another way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from hostile_endpoints import full_queue, holds, listen, page, serving

from runbook_lib.adapters.connect_to import ConnectTo
from runbook_lib.adapters.probes.run import ProbeOptions, run_tests
from runbook_lib.domain.services import judge_answer, make_test
from runbook_lib.models.service_config import ServiceConfig
from runbook_lib.models.services import ServiceResult


def ask(options: ProbeOptions | None = None, address: str = "127.0.0.1", **asked: Any) -> ServiceResult:
    given = {"name": "s", "targets": ["a.example"], "timeout": "2s", "attempts": 1, **asked}
    return run_tests([make_test(ServiceConfig.model_validate(given), address)], judge_answer, options)[0]


RECORDS = {
    ("www.example.com.", "A"): ["203.0.113.1", "203.0.113.2"],
    ("example.com.", "MX"): ["10 mail.example.com."],
    ("example.com.", "TXT"): ['"v=spf1 -all"'],
}


@pytest.fixture(scope="module")
def nameserver() -> Iterator[int]:
    """The port of a name server; of `broken.` it fails, of `refused.` it refuses, of `silent.` it says nothing."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def loop() -> None:
        # An empty datagram is the end: nobody asks with one.
        while (heard := sock.recvfrom(4096))[0]:
            answer = _answer(dns.message.from_wire(heard[0]))
            if answer is not None:
                sock.sendto(answer.to_wire(), heard[1])

    with serving(sock, loop):
        yield sock.getsockname()[1]


def _answer(asked: dns.message.Message) -> dns.message.Message | None:
    question = asked.question[0]
    name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
    if name.startswith("silent."):
        return None
    answer = dns.message.make_response(asked)
    codes = {"broken.": dns.rcode.SERVFAIL, "refused.": dns.rcode.REFUSED, "gone.": dns.rcode.NXDOMAIN}
    for start, code in codes.items():
        if name.startswith(start):
            answer.set_rcode(code)
            return answer
    texts = RECORDS.get((name, kind), [])
    if texts:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *texts))
    return answer


@pytest.mark.parametrize(
    ("asked", "cause", "said"),
    [
        ({"query": "www.example.com", "answers": ["203.0.113.2", "203.0.113.1"]}, "", ""),
        ({"query": "www.example.com"}, "", ""),
        ({"query": "www.example.com", "answers": ["203.0.113.1"]}, "record", "is 203.0.113.1, 203.0.113.2 instead of"),
        ({"query": "example.com", "record": "MX", "answers": ["10 MAIL.example.com"]}, "", ""),
        ({"query": "example.com", "record": "TXT", "answers": ["v=spf1 -all"]}, "", ""),
        ({"query": "example.com", "record": "AAAA"}, "record", "example.com has no AAAA"),
        ({"query": "gone.example.com"}, "record", "gone.example.com has no A"),
        ({"query": "gone.example.com", "expect": "unreachable"}, "", ""),
        ({"query": "www.example.com", "expect": "unreachable"}, "reached", "answered, and was to be unreachable"),
        ({"query": "refused.example.com"}, "refused", "does not answer such questions"),
        ({"query": "refused.example.com", "expect": "refused"}, "", ""),
        ({"query": "broken.example.com"}, "nameserver", "SERVFAIL"),
        ({"query": "broken.example.com", "expect": "unreachable"}, "nameserver", "SERVFAIL"),
        ({"query": "silent.example.com", "timeout": "500ms"}, "silent", "did not answer within 0.5 s"),
        ({"query": "silent.example.com", "timeout": "500ms", "expect": "timeout"}, "", ""),
    ],
)
def test_a_name_server_is_asked_for_records(nameserver: int, asked: dict[str, Any], cause: str, said: str) -> None:
    found = ask(kind="dns", port=nameserver, **asked)
    assert (found.cause, found.passed) == (cause, not cause), found.error
    assert said in found.error


def speak_http2(connection: socket.socket) -> None:
    """Answers each request over HTTP/2."""
    spoken = h2.connection.H2Connection(config=h2.config.H2Configuration(client_side=False))
    spoken.initiate_connection()
    connection.sendall(spoken.data_to_send())
    while data := connection.recv(65536):
        for event in spoken.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                asked = dict(event.headers)
                body = asked.get(b":authority", asked.get(":authority", b"?"))  # type: ignore[call-overload]
                body = body if isinstance(body, bytes) else str(body).encode()
                spoken.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/plain")])
                spoken.send_data(event.stream_id, body, end_stream=True)
        connection.sendall(spoken.data_to_send())


@pytest.fixture
def serve() -> Iterator[Callable[[Any], int]]:
    with contextlib.ExitStack() as stack:
        yield lambda handle: stack.enter_context(listen(handle)).getsockname()[1]


def test_http_2_is_spoken_where_it_is_wanted_and_asks_for_the_urls_host(serve: Callable[[Any], int]) -> None:
    port = serve(speak_http2)
    good = ask(url=f"http://web.example:{port}/", http2=True, contains=f"web.example:{port}")
    assert (good.error, good.status) == ("", 200)


def test_over_tls_http_1_is_told_from_http_2(serve: Callable[[Any], int]) -> None:
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    ports = {}
    for protocol, handle in (("h2", speak_http2), ("http/1.1", page())):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("web.example").configure_cert(server)
        server.set_alpn_protocols([protocol])

        def treat(connection: socket.socket, server: ssl.SSLContext = server, handle: Any = handle) -> None:
            with server.wrap_socket(connection, server_side=True) as wrapped:
                handle(wrapped)

        ports[protocol] = serve(treat)
    found = {
        protocol: ask(ProbeOptions(tls=client), url=f"https://web.example:{port}/", http2=True).error
        for protocol, port in ports.items()
    }
    assert found == {"h2": "", "http/1.1": "version: HTTP/1.1 instead of HTTP/2"}


def test_a_server_that_can_t_be_asked_for_older_tls_has_not_refused_it() -> None:
    authority = trustme.CA()
    context, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(client)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def once() -> None:
        connection, _ = listener.accept()
        # Nobody listens any more before the first handshake ends, after which older versions are asked for.
        listener.close()
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    threading.Thread(target=once, daemon=True).start()
    found = ask(ProbeOptions(tls=client), kind="tls", port=port)
    assert (found.cause, found.passed) == ("refused", False)


def test_where_only_some_places_may_be_asked_no_packet_leaves_for_others(serve: Callable[[Any], int]) -> None:
    port = serve(page())
    options = ProbeOptions(connect_to=(ConnectTo("203.0.113.7", 80, "127.0.0.1", port),), only=True)
    assert ask(options, "203.0.113.7").passed
    for kind in ({}, {"expect": "unreachable"}, {"kind": "tcp", "port": 81}, {"kind": "tls"}):
        found = ask(options, "203.0.113.8", **kind)
        assert (found.cause, found.attempts) == ("forbidden", 0)
    assert ask(options, "", kind="dns", query="example.com").cause == "forbidden"


KINDS: list[dict[str, Any]] = [
    {}, {"url": "https://{address}/"}, {"http2": True}, {"expect": "unreachable"}, {"kind": "tcp", "port": 80},
    {"kind": "tls"}, {"kind": "dns", "query": "example.com"},
]  # fmt: skip


@pytest.mark.parametrize("asked", KINDS, ids=str)
@pytest.mark.parametrize("hidden", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "100.100.100.200"])
def test_no_kind_asks_a_name_that_leads_to_a_machine_s_credentials(
    asked: dict[str, Any], hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One good address beside it makes the name no better.
    named = [(0, 0, 0, "", ("203.0.113.1", 0)), (0, 0, 0, "", (hidden, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: named)
    for address, options in (
        ("rebound.example", None),
        # Nor does whoever leads connections elsewhere lead them there.
        ("203.0.113.9", ProbeOptions(connect_to=(ConnectTo("203.0.113.9", 0, hidden, 0),), only=True)),
    ):
        found = ask(options, address, **asked)
        assert (found.cause, found.attempts, found.passed) == ("forbidden", 0, False)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the name `localhost`, as which alone a loopback may be asked, these addresses in this order."""

    def give(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: found)

    return give


# There is an open port at .1, none at .3; nobody has a way to a broadcast address.
@pytest.mark.parametrize(
    ("addresses", "expect", "cause"),
    [
        (["127.0.0.3", "127.0.0.1"], "unreachable", "reached"),
        (["127.0.0.1", "127.0.0.3"], "unreachable", "reached"),
        (["127.0.0.3", "127.0.0.1"], "refused", "reached"),
        (["127.0.0.3", "127.0.0.2"], "unreachable", ""),
        (["127.0.0.3", "127.0.0.2"], "refused", ""),
        (["127.0.0.3", "127.0.0.2"], "timeout", "refused"),
        (["127.0.0.3", "127.255.255.255"], "unreachable", "local"),
        (["127.255.255.255", "127.0.0.3"], "timeout", "local"),
        (["127.255.255.255", "127.0.0.1"], "unreachable", "reached"),
    ],
)
def test_what_must_not_be_reached_must_not_be_at_any_of_its_addresses(
    addresses: list[str], expect: str, cause: str, serve: Callable[[Any], int], named: Callable[..., None]
) -> None:
    port = serve(page())
    named(*addresses)
    found = ask(None, "localhost", kind="tcp", port=port, expect=expect)
    assert (found.cause, found.passed, found.attempts) == (cause, not cause, 1), found.error


@pytest.mark.parametrize("expect", ["unreachable", "timeout"])
def test_an_address_that_drops_packets_hides_no_other_that_is_open(expect: str, named: Callable[..., None]) -> None:
    with full_queue() as port, socket.create_server(("127.0.0.2", port)):
        for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
            named(*addresses)
            assert ask(None, "localhost", kind="tcp", port=port, expect=expect).cause == "reached"
        named("127.0.0.1")
        assert ask(None, "localhost", kind="tcp", port=port, expect=expect).passed


@pytest.mark.parametrize(
    ("expect", "cause", "said"),
    [
        ("unreachable", "reached", "took a connection, and was to be unreachable"),
        ("timeout", "reached", "took a connection, and was to be timeout"),
        ("answer", "silent", "took the connection but did not answer"),
    ],
)
def test_a_connection_that_is_there_is_not_dropped_though_this_process_sees_it_too_late(
    serve: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch, expect: str, cause: str, said: str
) -> None:
    limits: list[asyncio.Timeout] = []
    make = asyncio.timeout

    def limit(seconds: float | None) -> asyncio.Timeout:
        limits.append(make(None if seconds is None else 30))
        return limits[-1]

    async def late(_: object, sock: socket.socket, address: tuple[str, int]) -> None:
        sock.setblocking(True)
        socket.socket.connect(sock, address)
        limits[-1].reschedule(0)  # the time is over before anybody says that it is connected
        await asyncio.sleep(30)

    monkeypatch.setattr("asyncio.selector_events.BaseSelectorEventLoop.sock_connect", late)
    monkeypatch.setattr("asyncio.timeout", limit)
    found = ask(kind="tcp", port=serve(holds()), expect=expect)
    assert (found.cause, found.passed) == (cause, False)
    assert said in found.error


def test_a_name_server_that_must_not_answer_must_not_at_any_of_its_addresses(
    nameserver: int, named: Callable[..., None]
) -> None:
    def cause(query: str, expect: str, *addresses: str) -> str:
        named(*addresses)
        return ask(None, "localhost", kind="dns", port=nameserver, query=query, expect=expect).cause

    assert cause("www.example.com", "timeout", "127.0.0.3", "127.0.0.1") == "reached"
    assert cause("www.example.com", "timeout", "127.0.0.3", "127.0.0.2") == ""
    assert cause("gone.example.com", "unreachable", "127.0.0.1", "127.0.0.3") == "silent"
    assert cause("gone.example.com", "unreachable", "127.0.0.1") == ""


def test_a_member_with_an_ipv6_address_alone_is_asked_there() -> None:
    with listen(page(), socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        found = ask(None, "::1", url=f"http://{{address}}:{port}/", contains="<img")
    assert (found.error, found.test.url) == ("", f"http://[::1]:{port}/")


def test_whoever_stands_for_an_address_and_cuts_off_has_not_let_in(serve: Callable[[Any], int]) -> None:
    def cuts(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    led = {
        name: ConnectTo(name, 80, "127.0.0.1", serve(handle))
        for name, handle in (("1.2.3.4", cuts), ("1.2.3.5", holds()))
    }
    options = ProbeOptions(connect_to=tuple(led.values()), only=True)
    said = {
        (name, expect): ask(options, name, kind="tcp", port=80, expect=expect).passed
        for name in led
        for expect in ("answer", "unreachable", "timeout", "refused")
    }
    assert {key for key, passed in said.items() if passed} == {
        ("1.2.3.4", "unreachable"), ("1.2.3.4", "timeout"), ("1.2.3.5", "answer"),
    }  # fmt: skip


def test_a_host_of_the_url_is_asked_for_at_the_address_that_is_tested(serve: Callable[[Any], int]) -> None:
    heard: list[bytes] = []

    def note(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    port = serve(note)
    found = ask(url=f"http://no-such-host.invalid:{port}/x", method="POST", body="a=b", headers={"X-A": "1"})
    assert found.error == ""
    assert heard[0].startswith(b"POST /x HTTP/1.1\r\nHost: no-such-host.invalid:%d\r\n" % port)
    assert b"X-A: 1\r\n" in heard[0]
    assert heard[0].endswith(b"a=b")


def test_an_attempt_is_one_request_and_is_counted(serve: Callable[[Any], int]) -> None:
    heard: list[bytes] = []

    def close(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))

    found = ask(ProbeOptions(pauses=(0,)), url=f"http://{{address}}:{serve(close)}/", attempts=3)
    assert (found.cause, found.attempts, len(heard)) == ("reset", 3, 3)


def test_every_test_has_a_result_by_the_deadline(serve: Callable[[Any], int]) -> None:
    port = serve(holds())
    asked = ServiceConfig.model_validate({"name": "s", "targets": ["a.example"], "timeout": "60s"})
    url = asked.model_copy(update={"url": f"http://{{address}}:{port}/"})
    tests = [make_test(url, "127.0.0.1") for _ in range(5)]
    found = run_tests(tests, judge_answer, ProbeOptions(concurrency=2, deadline=3, patience=60))
    assert [(result.cause, result.attempts) for result in found] == [("deadline", 1)] * 2 + [("deadline", 0)] * 3


def test_a_services_own_deadline_bounds_its_attempts(serve: Callable[[Any], int]) -> None:
    found = ask(
        ProbeOptions(pauses=(0,)), url=f"http://{{address}}:{serve(holds())}/", timeout="2s", attempts=20,
        deadline="5s",
    )  # fmt: skip
    assert (found.cause, found.attempts <= 3) == ("silent", True)
    assert found.error.endswith("the service's own deadline was over") or "within" in found.error


def test_an_interrupt_leaves_what_is_known_so_far_marked(serve: Callable[[Any], int]) -> None:
    told: list[tuple[ServiceResult, ...]] = []
    one = ServiceConfig.model_validate({"name": "s", "targets": ["a.example"], "timeout": "60s"})
    ports = {"good": serve(page()), "hangs": serve(holds())}
    tests = [
        make_test(one.model_copy(update={"name": name, "url": f"http://{{address}}:{port}/"}), "127.0.0.1")
        for name, port in ports.items()
    ]

    def stop(result: ServiceResult, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tests(tests, judge_answer, ProbeOptions(on_result=stop, on_interrupt=told.append))
    assert [(result.test.name, result.passed, result.cause) for result in told[0]] == [
        ("good", True, ""), ("hangs", False, "interrupted"),
    ]  # fmt: skip


def test_places_that_are_led_to_ports_of_one_host_share_no_kept_connection(serve: Callable[[Any], int]) -> None:
    def named(name: bytes) -> Callable[[socket.socket], None]:
        def keep(connection: socket.socket) -> None:
            while asked := connection.recv(65536):
                host = asked.partition(b"Host: ")[2].partition(b"\r\n")[0]
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s %s" % (len(name + host) + 1, name, host)
                )

        return keep

    led = {"203.0.113.1": serve(named(b"one")), "203.0.113.2": serve(named(b"two"))}
    rules = tuple(ConnectTo(host, 80, "127.0.0.1", port) for host, port in led.items())
    wanted = {"203.0.113.1": "one 203.0.113.1", "203.0.113.2": "two 203.0.113.2"}
    tests = [
        make_test(
            ServiceConfig.model_validate(
                {"name": f"{host} {number}", "targets": [host], "contains": text, "attempts": 1}
            ),
            host,
        )
        for host, text in wanted.items()
        for number in range(6)
    ]
    found = run_tests(tests, judge_answer, ProbeOptions(connect_to=rules, only=True, concurrency=4))
    assert {result.error for result in found} == {""}


def test_a_kept_connection_is_used_again_for_the_same_place_alone(serve: Callable[[Any], int]) -> None:
    made: list[int] = []

    def keep(connection: socket.socket) -> None:
        made.append(1)
        while connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    port = serve(keep)
    one = ServiceConfig.model_validate({"name": "s", "targets": ["a.example"]})
    tests = [
        make_test(
            one.model_copy(update={"name": f"s{number}", "url": f"http://{{address}}:{port}/{number}"}), "127.0.0.1"
        )
        for number in range(20)
    ]
    found = run_tests(tests, judge_answer, ProbeOptions(concurrency=2))
    assert ([result.passed for result in found], len(made) <= 2) == ([True] * 20, True)
    alone = [run_tests(tests[:1], judge_answer)[0].passed for _ in range(3)]
    assert (alone, len(made) <= 5) == ([True] * 3, True)
