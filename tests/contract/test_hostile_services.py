"""Whatever an endpoint does ends as one named result, and the cause that is named is the one that is true."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import hostile_endpoints as hostile
import pytest
import trustme
from hostile_endpoints import HEAD, charset, coded, greets, holds, listen, moved, page, repeats, says

from runbook_lib.adapters.probes.run import ProbeOptions, run_tests
from runbook_lib.domain.services import judge_answer, make_test
from runbook_lib.models.service_config import ServiceConfig
from runbook_lib.models.services import ServiceResult

IMG = {"contains": "<img"}
NESTED = b"[" * 100_000
CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """An endpoint, what is asked of it, and how that ends: the cause (empty: it passes) and what the error says."""

    handle: hostile.Handler | None
    cause: str
    says: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    address: str = "127.0.0.1"


def tcp(**more: Any) -> dict[str, Any]:
    return {"kind": "tcp", "url": None, **more}


HTTP = {
    "a_good_page": Case(page(), "", asked=IMG),
    "a_charset_nobody_knows_with_the_text_in_it": Case(charset(b"klingon"), "", asked=IMG),
    "a_charset_nobody_knows_without_the_text": Case(charset(b"klingon", b"x"), "content", "charset 'klingon' is unknown", IMG),
    "a_charset_that_is_no_text": Case(charset(b"hex"), "", asked=IMG),
    "a_charset_that_always_raises": Case(charset(b"undefined"), "", asked=IMG),
    "a_charset_that_takes_for_ever": Case(charset(b"punycode", b"a" * 900_000 + b"<img"), "", asked=IMG),
    "a_charset_without_its_last_quote": Case(charset(b'"utf-8'), "", asked=IMG),
    "a_charset_that_is_empty": Case(charset(b""), "", asked=IMG),
    "a_charset_of_two_bytes_a_letter": Case(charset(b"utf-16-le", "<img".encode("utf-16-le")), "", asked=IMG),
    "a_content_type_that_is_none": Case(page(headers=b"Content-Type: ;;;=\r\n"), "", asked=IMG),
    "bytes_that_are_no_utf8": Case(page(b"\xff\xfe\x00<img"), "", asked=IMG),
    "a_redirect_to_another_port": Case(moved(b"http://127.0.0.1:1/"), "redirect", "another port, http://127.0.0.1:1"),
    "a_redirect_to_another_host": Case(moved(b"http://evil.example/"), "redirect", "another host, evil.example"),
    "a_redirect_to_another_scheme": Case(moved(b"https://127.0.0.1/"), "redirect", "another scheme, https://127.0.0.1"),
    "a_redirect_without_a_scheme": Case(moved(b"//evil.example/x"), "redirect", "another host, evil.example"),
    "a_redirect_to_credentials_of_the_cloud": Case(
        moved(b"http://169.254.169.254/latest/meta-data/"), "redirect", "another host, 169.254.169.254"
    ),
    "a_redirect_with_a_password_in_it": Case(moved(b"http://a:b@evil.example/"), "redirect", "another host, evil.example"),
    "a_redirect_to_a_file": Case(moved(b"file:///etc/passwd"), "redirect", "'file:///etc/passwd', which can't be asked"),
    "a_redirect_to_a_script": Case(moved(b"javascript:alert(1)"), "redirect", "which can't be asked"),
    "a_redirect_that_is_no_url": Case(moved(b"http://[::1"), "redirect", "which can't be asked"),
    "a_redirect_to_nowhere": Case(page(b"", b"", b"301 Moved"), "redirect", "to nowhere"),
    "a_redirect_to_itself": Case(moved(b"/"), "redirect", "more than 5 in a row"),
    "a_listed_redirect_to_the_credentials": Case(
        moved(b"http://169.254.169.254/"), "forbidden", "link-local", {"redirects_to": ["http://169.254.169.254"]}
    ),
    "a_redirect_that_is_wanted": Case(moved(b"https://a.example/"), "", asked={"redirect": "required"}),
    "a_redirect_that_is_wanted_elsewhere": Case(
        moved(b"https://a.example/"), "redirect", "instead of https://b.example/",
        {"redirect": "required", "location": "https://b.example/"},
    ),
    "a_redirect_that_is_wanted_and_not_there": Case(page(), "redirect", "none, but status 200", {"redirect": "required"}),
    "a_redirect_that_is_not_wanted": Case(
        moved(b"/login"), "redirect", "/login, and none is wanted", {"redirect": "forbidden"}
    ),
    "a_redirect_that_no_file_and_no_terminal_should_have": Case(
        moved(b"http://[\x1b[31m\x9b"), "redirect", r"to http://[\x1b[31m\udc9b, and none", {"redirect": "forbidden"}
    ),
    "a_body_that_is_not_gzip": Case(coded(b"gzip", b"plain"), "encoding", "not in the coding", IMG),
    "a_body_that_is_not_deflate": Case(coded(b"deflate", b"\x01plain"), "encoding", "not in the coding", IMG),
    "a_gzip_that_ends_too_early": Case(coded(b"gzip", hostile.packed()[:-6]), "", asked=IMG),
    "a_gzip_with_a_broken_middle": Case(coded(b"gzip", hostile.packed()[:10] + b"\x07" * 200), "encoding", asked=IMG),
    "a_coding_nobody_knows": Case(coded(b"foo", b"<img"), "encoding", "'foo'", IMG),
    "a_coding_nobody_knows_where_no_text_is_wanted": Case(coded(b"foo", b"<img"), ""),
    "two_codings_over_each_other": Case(coded(b"gzip, gzip", hostile.packed(hostile.packed())), "encoding", asked=IMG),
    "a_gzip_bomb": Case(coded(b"gzip", hostile.bomb()), "content", "the first 1048576 bytes did not contain", IMG),
    "headers_without_end": Case(repeats(HEAD, b"X-A: b\r\n" * 100), "protocol"),
    "one_header_without_end": Case(repeats(HEAD + b"X-A: ", b"b" * 4096), "protocol", "larger than any reader takes"),
    "a_status_line_without_end": Case(repeats(b"HTTP/1.1 200 ", b"O" * 4096), "protocol"),
    "a_header_too_large": Case(page(headers=b"X-A: %s\r\n" % (b"b" * 70_000)), "protocol", "larger than any reader takes"),
    "headers_that_drip": Case(repeats(HEAD, b"X-A: b\r\n", 0.05), "silent", "did not answer within 5 s"),
    "a_body_that_drips": Case(repeats(HEAD + b"Content-Length: 9999\r\n\r\n", b"a", 0.05), "slow", "did not end within"),
    "a_body_that_never_comes": Case(holds(HEAD + b"Content-Length: 5\r\n\r\n"), "slow", "began to answer"),
    "a_body_that_ends_with_a_connection_that_does_not": Case(holds(HEAD + b"\r\n<img"), "slow", asked=IMG),
    "no_answer": Case(holds(), "silent", "took the connection but did not answer"),
    "nothing_but_continue": Case(repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), "silent"),
    "a_reset_at_once": Case(hostile.resets(after_request=False), "reset", "closed the connection before an answer"),
    "a_reset_after_the_request": Case(hostile.resets(after_request=True), "reset", "before an answer"),
    "a_close_at_once": Case(hostile.closes, "reset", "before an answer"),
    "a_close_after_the_request": Case(says(b""), "reset", "before an answer"),
    "a_close_in_the_status_line": Case(says(b"HTTP/1.1 20"), "reset", "before an answer"),
    "a_close_in_the_headers": Case(says(HEAD + b"Content-Le"), "reset", "before an answer"),
    "less_than_its_length": Case(says(HEAD + b"Content-Length: 100\r\n\r\nhalf"), "broken_off", "in the middle"),
    "a_chunk_that_breaks_off": Case(says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf"), "broken_off"),
    "chunks_without_an_end": Case(says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), "broken_off"),
    "chunks_that_are_none": Case(says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n"), "protocol"),
    "a_gigabyte": Case(repeats(HEAD + b"Content-Length: 1073741824\r\n\r\n", b"x" * 65536), ""),
    "a_gigabyte_without_the_text": Case(
        repeats(HEAD + b"Content-Length: 1073741824\r\n\r\n", b"x" * 65536), "content", "the first 1048576 bytes", IMG
    ),
    "a_body_without_end": Case(repeats(HEAD + b"\r\n", b"x" * 65536), "content", "the first 1048576 bytes", IMG),
    "ssh": Case(says(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", "not HTTP"),
    "http_0_9": Case(says(b"<html><img></html>"), "protocol", "not HTTP"),
    "http_2_to_who_asked_for_1": Case(says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"), "protocol", "not HTTP"),
    "a_status_that_is_no_number": Case(page(status=b"abc OK"), "protocol"),
    "another_status": Case(page(status=b"503 Busy"), "status", "503 instead of 200"),
    "a_status_outside_the_range": Case(page(status=b"404 No"), "status", "404 instead of 200-299", {"status": "200-299"}),
    "a_status_in_the_range": Case(page(status=b"202 Later"), "", asked={"status": "200-299"}),
    "two_lengths": Case(says(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "protocol"),
    "a_length_below_zero": Case(says(HEAD + b"Content-Length: -1\r\n\r\nab"), "protocol"),
    "a_header_with_nothing_in_it": Case(says(HEAD + b"X-\x00A: b\r\n\r\n"), "protocol"),
    "a_cookie_for_everybody": Case(page(headers=b"Set-Cookie: a=b; Domain=example\r\n" * 50), "", asked=IMG),
    "a_header_that_is_not_there": Case(page(), "header", "no X-Frame-Options", {"response_headers": {"X-Frame-Options": "DENY"}}),
    "a_header_with_another_value": Case(page(), "header", "without 'json'", {"response_headers": {"content-type": "json"}}),
    "a_body_that_is_no_json": Case(page(), "content", "no JSON", {"jsonpath": {"$.up": True}}),
    "json_too_deep": Case(page(NESTED), "content", "no JSON", {"jsonpath": {"$.up": True}}),
    "json_with_one_for_true": Case(page(b'{"up": 1}'), "content", "$.up is 1 instead of true", {"jsonpath": {"$.up": True}}),
    "json_with_half_a_letter": Case(
        page(rb'{"up": "\ud800\u202e"}'), "content", r'$.up is "\ud800\u202e" instead', {"jsonpath": {"$.up": True}}
    ),
    "json_as_wanted": Case(page(b'{"up": [{"a": 1}]}'), "", asked={"jsonpath": {"$.up[0].a": 1}}),
    "a_text_made_for_the_pattern": Case(page(b"a" * 300_000), "content", "did not match", {"matches": "(a+)+b$"}),
    "an_answer_too_late": Case(hostile.late(0.2), "latency", "50 ms are wanted", {"latency": "50ms"}),
    "a_secret_that_is_not_set": Case(page(), "secret", "SERVICE_UNSET is not set", {"headers": {"X-Key": {"variable": "SERVICE_UNSET"}}}),
    "a_secret_that_comes_back": Case(
        hostile.echoes, "redirect", "another host, ***.example", {"headers": {"X-Key": {"variable": "SERVICE_KEY"}}}
    ),
    "http_1_for_http_2": Case(says(HEAD + b"\r\n"), "protocol", "not HTTP/2", {"http2": True}),
    "tls_of_a_plain_server": Case(greets(b"HTTP/1.1 400 Bad Request\r\n\r\n", end=True), "tls", asked={"url": "https://{address}:{port}/"}),
    "a_handshake_that_hangs": Case(holds(), "handshake", "did not end the TLS handshake", {"url": "https://{address}:{port}/"}),
    "a_handshake_that_is_cut": Case(hostile.after_some, "reset", asked={"url": "https://{address}:{port}/"}),
    "a_reset_in_the_handshake": Case(
        hostile.resets_a_handshake, "reset", "in the TLS handshake", {"url": "https://{address}:{port}/"}
    ),
}  # fmt: skip
OTHERS = {
    "nothing_listens": Case(None, "refused", "nothing listens"),
    "nothing_listens_and_that_is_right": Case(None, "", asked={"expect": "unreachable"}),
    "nothing_listens_and_refusing_is_right": Case(None, "", asked={"expect": "refused"}),
    "nothing_listens_and_dropping_is_right": Case(None, "refused", asked={"expect": "timeout"}),
    "it_listens_and_must_not": Case(page(), "reached", "and was to be unreachable", {"expect": "unreachable"}),
    "it_resets_and_must_not_be_reached": Case(
        hostile.resets(after_request=False), "reached", asked=tcp(expect="unreachable")
    ),
    "the_credentials_of_the_cloud": Case(None, "forbidden", "link-local", address="169.254.169.254"),
    "the_credentials_by_ipv6": Case(None, "forbidden", "where a cloud keeps", address="fd00:ec2::254"),
    "the_credentials_in_ipv6_clothes": Case(None, "forbidden", "link-local", address="::ffff:169.254.169.254"),
    "the_credentials_of_containers": Case(None, "forbidden", "link-local", address="169.254.170.2"),
    "the_credentials_in_clothes_of_long_ago": Case(None, "forbidden", "link-local", address="::169.254.169.254"),
    "the_credentials_through_6to4": Case(None, "forbidden", "link-local", address="2002:a9fe:a9fe::1"),
    "the_credentials_through_nat64": Case(None, "forbidden", "link-local", address="64:ff9b::a9fe:a9fe"),
    "the_credentials_as_one_number": Case(None, "forbidden", "is 169.254.169.254", address="2852039166"),
    "a_link_local_address": Case(None, "forbidden", "link-local", address="fe80::1"),
    "any_address": Case(None, "forbidden", "no single machine's", address="0.0.0.0"),
    "everybody": Case(None, "forbidden", "no single machine's", address="224.0.0.1"),
    "this_machine_as_a_number": Case(None, "forbidden", "this machine itself", address="2130706433"),
    "a_name_without_an_address": Case(None, "no_address", "no address for no-such-host.invalid", address="no-such-host.invalid"),
    "a_banner": Case(greets(b"SSH-2.0-x\r\n"), "", asked=tcp(contains="SSH-2.0")),
    "another_banner": Case(greets(b"220 mail\r\n"), "banner", "did not contain 'SSH'", tcp(contains="SSH")),
    "a_banner_that_never_comes": Case(holds(), "silent", asked=tcp(contains="SSH")),
    "a_banner_cut_off": Case(hostile.closes, "reset", asked=tcp(contains="SSH")),
    "a_banner_without_end": Case(repeats(b"", b"x" * 4096), "banner", asked=tcp(contains="SSH", send="\r\n\r\n")),
    "a_port_that_only_listens": Case(holds(), "", asked=tcp()),
    "a_certificate_of_a_hanging_server": Case(holds(), "handshake", asked={"kind": "tls", "url": None}),
    "a_certificate_of_a_plain_server": Case(greets(b"220 x\r\n"), "tls", asked={"kind": "tls", "url": None}),
}  # fmt: skip
CASES |= HTTP | OTHERS


def certificates() -> tuple[ssl.SSLContext, dict[str, ssl.SSLContext]]:
    """A client that believes one authority, and servers with certificates of it and of another."""
    ours, theirs = trustme.CA(), trustme.CA()
    client = ssl.create_default_context()
    ours.configure_trust(client)
    # Debian's Python begins by a key that RSA itself carries as well, python.org's does not.
    client.set_ciphers("DEFAULT:!kRSA")
    past = datetime.now(UTC) - timedelta(days=2)
    issued = {
        "good": ours.issue_cert("127.0.0.1"),
        "of_another_authority": theirs.issue_cert("127.0.0.1"),
        "for_another_name": ours.issue_cert("other.example"),
        "expired": ours.issue_cert("127.0.0.1", not_after=past),
        "for_three_days": ours.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=3, hours=1)),
    }
    servers: dict[str, ssl.SSLContext] = {}
    for name, certificate in issued.items():
        servers[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(servers[name])
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued["good"].configure_cert(old)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2
    # Its certificate can be seen, and not be checked.
    carried = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.issue_cert("other.example", key_type=trustme.KeyType.RSA).configure_cert(carried)
    carried.maximum_version = ssl.TLSVersion.TLSv1_2
    carried.set_ciphers("AES128-GCM-SHA256:@SECLEVEL=0")
    oldest = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued["good"].configure_cert(oldest)
    oldest.set_ciphers("ALL:@SECLEVEL=0")
    oldest.minimum_version = oldest.maximum_version = ssl.TLSVersion.TLSv1
    return client, {**servers, "old": old, "oldest": oldest, "key_carried_by_rsa": carried}


# What an attempt ends by that takes as long as it may.
WAITED = {"silent", "slow", "handshake", "no_connection"}
WEB = {"url": "https://{address}:{port}/"}
CERT = {"kind": "tls", "url": None}
TLS = {
    "a_page_over_tls": ("good", "", "", WEB),
    "a_page_of_another_authority": ("of_another_authority", "certificate", "not valid", WEB),
    "a_page_for_another_name": ("for_another_name", "certificate", "not valid", WEB),
    "a_page_with_an_expired_certificate": ("expired", "certificate", "expired", WEB),
    "a_certificate": ("good", "", "", CERT),
    "a_certificate_that_expired": ("expired", "certificate", "expired on", CERT),
    "a_certificate_for_three_days": ("for_three_days", "certificate", "3 days left", CERT),
    "a_certificate_nobody_vouches_for": ("of_another_authority", "certificate", "not valid", CERT),
    "a_certificate_nobody_need_vouch_for": ("of_another_authority", "", "", {**CERT, "chain": False}),
    "a_certificate_for_another_name": (
        "for_another_name", "certificate", "is not for a.example, but for other.example",
        {**CERT, "chain": False, "names": ["a.example"]},
    ),
    "an_old_version_that_is_still_taken": ("old", "version", "TLS 1.1 is still taken, and 1.2", CERT),
    "a_certificate_that_nobody_can_check": ("key_carried_by_rsa", "certificate", "its chain and name can't be checked", CERT),
    "a_certificate_that_nobody_need_check": ("key_carried_by_rsa", "", "", {**CERT, "chain": False}),
    "a_version_of_long_ago": ("oldest", "version", "TLS 1.0, and 1.2 is the least", CERT),
    "a_version_of_long_ago_that_may_be": ("oldest", "", "", {**CERT, "minimum_version": "1.0"}),
    "a_version_of_long_ago_of_another_name": (
        "oldest", "certificate", "is not valid: IP address mismatch",
        {**CERT, "minimum_version": "1.0", "server_name": "127.0.0.2"},
    ),
    "a_version_too_old": ("old", "version", "TLS 1.2, and 1.3 is the least", {**CERT, "minimum_version": "1.3"}),
}  # fmt: skip


def service(name: str, asked: dict[str, Any], port: int) -> ServiceConfig:
    waits = EXPECTED[name][0] in WAITED or asked.get("expect") == "timeout"
    given = {
        "name": name,
        "targets": ["a.example"],
        "timeout": "5s" if waits else "60s",
        "attempts": 1,
        "url": "http://{address}:{port}/",
    }
    given |= asked
    if given["url"] is None:
        given["port"] = port
        del given["url"]
    else:
        given["url"] = str(given["url"]).replace("{port}", str(port))
    return ServiceConfig.model_validate(given)


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, ServiceResult]]:
    """All of them asked at once, as a run would."""
    client, servers = certificates()
    with ExitStack() as stack:
        ports: dict[str, tuple[int, dict[str, Any], str]] = {}
        for name, case in CASES.items():
            listener = stack.enter_context(listen(case.handle)) if case.handle else stack.enter_context(unused())
            ports[name] = listener.getsockname()[1], case.asked, case.address
        for name, (server, _, _, asked) in TLS.items():
            listener = stack.enter_context(listen(hostile.secure(servers[server], page())))
            ports[name] = listener.getsockname()[1], asked, "127.0.0.1"
        dropped = stack.enter_context(hostile.full_queue())
        ports["packets_that_are_dropped"] = dropped, {}, "127.0.0.1"
        ports["packets_that_are_dropped_and_that_is_right"] = dropped, {"expect": "timeout"}, "127.0.0.1"
        tests = [make_test(service(name, asked, port), address) for name, (port, asked, address) in ports.items()]
        options = ProbeOptions(tls=client, deadline=200, secrets={"SERVICE_KEY": "s3cr3t-value"}.get)
        # First those of which each ends by what its endpoint does, so that they are hurried by nothing.
        waiting = [test for test in tests if test.timeout < 60]
        others = [test for test in tests if test.timeout >= 60]
        found = (*run_tests(others, judge_answer, options), *run_tests(waiting, judge_answer, options))
        yield {result.test.name: result for result in found}
        hostile.let_go()


def unused() -> socket.socket:
    """A port that is taken, so that nobody else listens there, and refuses whoever comes."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


EXPECTED = {name: (case.cause, case.says) for name, case in CASES.items()}
EXPECTED |= {name: (cause, said) for name, (_, cause, said, _) in TLS.items()}
EXPECTED |= {
    "packets_that_are_dropped": ("no_connection", "a security group, firewall or route may drop it"),
    "packets_that_are_dropped_and_that_is_right": ("", ""),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_whatever_an_endpoint_does_has_its_name(name: str, results: dict[str, ServiceResult]) -> None:
    cause, said = EXPECTED[name]
    found = results[name]
    assert (found.cause, found.passed) == (cause, not cause), found.error
    assert said in found.error
    assert found.attempts == (0 if cause in {"forbidden", "secret", "no_address"} and "redirect" not in name else 1)


def test_what_is_told_of_an_endpoint_is_one_line_that_any_file_can_hold(results: dict[str, ServiceResult]) -> None:
    for found in results.values():
        assert found.error.isprintable()
        assert ServiceResult.model_validate_json(found.model_dump_json()).error == found.error


def test_no_result_is_without_a_name_and_none_is_unforeseen(results: dict[str, ServiceResult]) -> None:
    assert len(results) == len(EXPECTED) >= 70
    assert {name for name, result in results.items() if result.cause == "failed"} == set()
