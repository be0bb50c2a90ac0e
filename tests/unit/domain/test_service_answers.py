"""What is wrong with an answer is told by its cause and in words; nothing is told of one that is as it is wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_lib.domain.service_answers import judge_answer
from runbook_lib.domain.services import make_test
from runbook_lib.models.service_config import ServiceConfig
from runbook_lib.models.services import Certificate, ServiceAnswer, ServiceTest

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
LONG = "x" * 300


def judged(answer: dict[str, Any], **service: Any) -> str:
    asked = ServiceConfig.model_validate({"name": "it", "targets": ["203.0.113.1"], **service})
    return judge_answer(make_test(asked, "203.0.113.1"), ServiceAnswer.model_validate(answer))


def http(answer: dict[str, Any], **service: Any) -> str:
    return judged({"status": 200, **answer}, **service)


@pytest.mark.parametrize("kind", ["http", "tls", "tcp", "dns"])
def test_a_test_without_its_service_wants_no_more_than_it_says_itself(kind: str) -> None:
    test = ServiceTest.model_validate({"name": "it", "address": "203.0.113.1", "url": "u", "kind": kind})
    assert judge_answer(test, ServiceAnswer(status=200)) == ""
    expected = {"http": "content: the body did not contain 'hi'", "tcp": "banner: what it said did not contain 'hi'"}
    asking = test.model_copy(update={"contains": "hi"})
    assert judge_answer(asking, ServiceAnswer(status=200)) == expected.get(kind, "")


@pytest.mark.parametrize(
    ("status", "wanted", "wrong"),
    [
        (199, "200-299", "status: 199 instead of 200-299"),
        (200, "200-299", ""),
        (299, "200-299", ""),
        (300, "200-299", "status: 300 instead of 200-299"),
        (201, 200, "status: 201 instead of 200"),
    ],
)
def test_a_status_is_one_of_those_that_are_wanted(status: int, wanted: int | str, wrong: str) -> None:
    assert http({"status": status}, status=wanted) == wrong


@pytest.mark.parametrize(
    ("answer", "service", "wrong"),
    [
        ({"status": 301, "location": "http://b/"}, {"redirect": "forbidden", "status": 301},
         "redirect: to http://b/, and none is wanted"),
        ({"status": 302, "location": LONG}, {"redirect": "forbidden", "status": 302},
         f"redirect: to {'x' * 200}, and none is wanted"),
        # Without a target, and outside of the three hundreds, it is no redirect.
        ({"status": 304}, {"redirect": "forbidden", "status": 304}, ""),
        ({"status": 299, "location": "http://b/"}, {"redirect": "forbidden", "status": 299}, ""),
        ({"status": 400, "location": "http://b/"}, {"redirect": "forbidden", "status": 400}, ""),
        ({"status": 301, "location": "http://b/"}, {"redirect": "allowed", "status": 301}, ""),
        ({}, {"redirect": "required"}, "redirect: none, but status 200"),
        ({"status": 304}, {"redirect": "required"}, "redirect: none, but status 304"),
        ({"status": 300, "location": "http://b/"}, {"redirect": "required"}, ""),
        ({"status": 399, "location": "http://b/"}, {"redirect": "required"}, ""),
        ({"status": 301, "location": "http://b/"}, {"redirect": "required", "location": "http://b/"}, ""),
        ({"status": 301, "location": LONG}, {"redirect": "required", "location": "http://b/"},
         f"redirect: to {'x' * 200} instead of http://b/"),
        # Whoever wants a redirect and says which status wants that one.
        ({"status": 302, "location": "http://b/"}, {"redirect": "required", "status": 301},
         "status: 302 instead of 301"),
    ],
)  # fmt: skip
def test_a_redirect_is_judged_by_whether_it_is_wanted_and_where_to(
    answer: dict[str, Any], service: dict[str, Any], wrong: str
) -> None:
    assert http(answer, **service) == wrong


@pytest.mark.parametrize(
    ("answer", "service", "wrong"),
    [
        ({"version": "2"}, {"http2": True}, ""),
        ({"version": "1.1"}, {"http2": True}, "version: HTTP/1.1 instead of HTTP/2"),
        ({"version": "1.1"}, {"http2": False}, ""),
        ({}, {"response_headers": {"X-Frame-Options": "DENY"}}, "header: there is no X-Frame-Options"),
        ({"headers": [("x-frame-options", "deny, DENY")]}, {"response_headers": {"X-Frame-Options": "DENY"}}, ""),
        ({"headers": [("A", "one"), ("A", "two")]}, {"response_headers": {"a": "two"}}, ""),
        ({"headers": [("A", "one"), ("B", "two")]}, {"response_headers": {"a": "two"}},
         "header: a is 'one', without 'two'"),
        ({"headers": [("A", LONG)]}, {"response_headers": {"A": "y"}}, f"header: A is '{'x' * 120}', without 'y'"),
        ({"headers": [("A", "one")]}, {"response_headers": {"A": "one", "B": "two"}}, "header: there is no B"),
    ],
)  # fmt: skip
def test_a_version_and_headers_are_those_that_are_wanted(
    answer: dict[str, Any], service: dict[str, Any], wrong: str
) -> None:
    assert http(answer, **service) == wrong


def test_of_several_things_that_are_wrong_the_first_in_the_order_of_the_answer_is_told() -> None:
    service = {"redirect": "forbidden", "http2": True, "response_headers": {"A": "y"}, "contains": "hi"}
    answer = {"status": 301, "location": "http://b/", "version": "1.1"}
    assert http(answer, **service) == "redirect: to http://b/, and none is wanted"
    assert http({**answer, "location": ""}, **service) == "status: 301 instead of 200"
    assert http({"version": "1.1"}, **service) == "version: HTTP/1.1 instead of HTTP/2"
    assert http({"version": "2"}, **service) == "header: there is no A"
    told = http({"version": "2", "headers": [("A", "y")]}, **service)
    assert told == "content: the body did not contain 'hi'"


JSON = {"jsonpath": {"$.a": 1}}


@pytest.mark.parametrize(
    ("answer", "service", "wrong"),
    [
        ({"body": b"ok 12"}, {"matches": "ok [0-9]+"}, ""),
        ({"body": b"ok"}, {"matches": "ok [0-9]+"}, "content: the body did not match 'ok [0-9]+'"),
        ({"body": b"no", "truncated": True}, {"matches": "ok"}, "content: the first 2 bytes did not match 'ok'"),
        ({"body": b"no"}, {"contains": "ok", "matches": "no"}, "content: the body did not contain 'ok'"),
        # A charset of no web page, and one that nobody has heard of, are read as UTF-8, and that is said.
        ({"body": b"no", "charset": "idna"}, {"contains": "ok"},
         "content: the body did not contain 'ok' (its charset 'idna' is unknown, and was read as UTF-8)"),
        ({"body": b"no", "charset": "UTF-7"}, {"matches": "ok"},
         "content: the body did not match 'ok' (its charset 'UTF-7' is unknown, and was read as UTF-8)"),
        ({"body": b"no", "charset": LONG}, {"contains": "ok"},
         f"content: the body did not contain 'ok' (its charset '{'x' * 40}' is unknown, and was read as UTF-8)"),
        # What does not fit its charset is replaced, one letter for each byte.
        ({"body": b"a\xffb", "charset": "utf-8"}, {"matches": "^a.b$"}, ""),
        ({"body": b"a\xffb", "charset": "no-such"}, {"matches": "^a.b$"}, ""),
        # Of a body that nobody can read nothing is told, unless somebody wants to know it.
        ({"undecodable": "br"}, {}, ""),
        ({"undecodable": "br"}, {"contains": "ok"},
         "encoding: the body is in 'br', which nothing here can decode"),
        ({"undecodable": LONG}, {"matches": "ok"},
         f"encoding: the body is in '{'x' * 40}', which nothing here can decode"),
        ({"undecodable": "br"}, JSON, "encoding: the body is in 'br', which nothing here can decode"),
    ],
)  # fmt: skip
def test_a_text_holds_what_is_wanted_of_it(answer: dict[str, Any], service: dict[str, Any], wrong: str) -> None:
    assert http(answer, **service) == wrong


@pytest.mark.parametrize(
    ("body", "jsonpath", "wrong"),
    [
        ('{"a": 1}', {"$.a": 1}, ""),
        ('{"a": 1, "b": "x"}', {"$.a": 1, "$.b": "y"}, 'content: $.b is "x" instead of "y"'),
        ('{"a": "é"}', {"$.a": "ü"}, 'content: $.a is "é" instead of "ü"'),
        ("{}", {"$.a": 1}, "content: $.a is not there instead of 1"),
        ("{}", {"$.a": None}, "content: $.a is not there instead of null"),
        ('{"a": null}', {"$.a": None}, ""),
        # Of several that are found any will do, and if none does the first is told.
        ('[{"a": 1}, {"a": 2}]', {"$[*].a": 2}, ""),
        ('[{"a": 1}, {"a": 2}]', {"$[*].a": 3}, "content: $[*].a is 1 instead of 3"),
        # JSON's true is not 1, nor is its false 0.
        ('{"a": true}', {"$.a": 1}, "content: $.a is true instead of 1"),
        ('{"a": 0}', {"$.a": False}, "content: $.a is 0 instead of false"),
        ('{"a": true}', {"$.a": True}, ""),
        ('{"a": [1, "x"]}', {"$.a": [1, "x"]}, ""),
        ('{"a": [1]}', {"$.a": [True]}, "content: $.a is [1] instead of [true]"),
        ('{"a": [1]}', {"$.a": [1, 1]}, "content: $.a is [1] instead of [1, 1]"),
        ('{"a": {"b": [{"c": false}]}}', {"$.a": {"b": [{"c": 0}]}},
         'content: $.a is {"b": [{"c": false}]} instead of {"b": [{"c": 0}]}'),
        ('{"a": {"b": 1}}', {"$.a": {"b": 1, "c": None}}, 'content: $.a is {"b": 1} instead of {"b": 1, "c": null}'),
        ('{"a": {"b": [1.0], "c": "x"}}', {"$.a": {"c": "x", "b": [1]}}, ""),
        (f'{{"a": "{LONG}"}}', {"$.a": 1}, f'content: $.a is "{"x" * 119} instead of 1'),
        ("<html>", {"$.a": 1}, "content: the body is no JSON"),
        ("[" * 200_000, {"$.a": 1}, "content: the body is no JSON"),
        # Texts and numbers have no order among each other.
        ('["x", 1]', {"$.`sorted`": 1}, "content: $.`sorted` can't be asked of this JSON: TypeError"),
    ],
)  # fmt: skip
def test_json_holds_at_each_path_what_is_wanted_there(body: str, jsonpath: dict[str, Any], wrong: str) -> None:
    assert http({"body": body.encode()}, jsonpath=jsonpath) == wrong


def test_json_is_read_in_its_charset_whole_and_after_the_text() -> None:
    latin = '{"a": "é"}'.encode("latin-1")
    assert http({"body": latin, "charset": "latin-1"}, jsonpath={"$.a": "é"}) == ""
    cut = {"body": b'{"a": 1}', "truncated": True}
    assert http(cut, **JSON) == "content: the JSON is longer than the 8 bytes that are read"
    assert http({"body": b"{}"}, contains="hi", **JSON) == "content: the body did not contain 'hi'"


def tls(shown: Certificate | None, version: str = "1.3", at: datetime | None = NOW, **service: Any) -> str:
    return judged({"certificate": shown, "version": version, "at": at}, kind="tls", **service)


def certificate(**left: int) -> Certificate:
    return Certificate(names=("www.example.com", "Example.com"), not_after=NOW + timedelta(**left))


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        (certificate(days=14), ""),
        (certificate(days=14, seconds=-1), "certificate: 13 days left, until 2026-01-16, and 14 are wanted"),
        (certificate(hours=1), "certificate: 0 days left, until 2026-01-02, and 14 are wanted"),
        (certificate(seconds=-1), "certificate: expired on 2026-01-02"),
        (certificate(days=-40), "certificate: expired on 2025-11-23"),
        (Certificate(), ""),
        (None, ""),
    ],
)
def test_a_certificate_is_good_for_as_many_days_as_are_wanted(shown: Certificate | None, wrong: str) -> None:
    assert tls(shown) == wrong


def test_a_certificate_of_tomorrow_is_none_whoever_need_vouch_for_it() -> None:
    at_once, later = (
        certificate(days=90).model_copy(update={"not_before": NOW + timedelta(seconds=seconds)}) for seconds in (0, 1)
    )
    assert (tls(at_once), tls(later, at=None)) == ("", "")
    for chain in (True, False):
        assert tls(later, chain=chain) == "certificate: not valid before 2026-01-02 12:00 UTC"


def test_a_certificate_is_not_called_old_where_nobody_says_when_it_was_seen() -> None:
    assert tls(certificate(days=1), at=None) == ""
    assert tls(certificate(days=1), days_left=1) == ""


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        ({}, "certificate: is not valid: self-signed"),
        ({"chain": False}, ""),
        # That nobody vouches for it is said before whom it is for.
        ({"names": ["api.example.com"]}, "certificate: is not valid: self-signed"),
        ({"chain": False, "names": ["example.COM", "WWW.example.com"]}, ""),
        ({"chain": False, "names": ["api.example.com", "example.com", "b.example.com"]},
         "certificate: is not for api.example.com, b.example.com, but for www.example.com, Example.com"),
        ({"chain": False, "names": [LONG]},
         f"certificate: is not for {'x' * 120}, but for www.example.com, Example.com"),
    ],
)  # fmt: skip
def test_a_certificate_is_vouched_for_and_is_for_those_who_are_asked(service: dict[str, Any], wrong: str) -> None:
    assert tls(certificate(days=90).model_copy(update={"untrusted": "self-signed"}), **service) == wrong


def test_a_chain_that_nobody_could_check_passes_only_where_it_need_not_be_and_a_version_too_old_is_why() -> None:
    shown = certificate(days=90).model_copy(update={"unchecked": "handshake failure"})
    assert tls(shown) == "certificate: its chain and name can't be checked: handshake failure"
    assert tls(shown, chain=False) == ""
    assert tls(shown, "1.1") == "version: TLS 1.1, and 1.2 is the least that is wanted"


def test_of_a_certificate_s_own_names_no_more_are_told_than_a_line_holds() -> None:
    shown = certificate(days=90).model_copy(update={"names": (LONG,)})
    assert tls(shown, names=["a"]) == f"certificate: is not for a, but for {'x' * 120}"


@pytest.mark.parametrize(
    ("version", "older", "least", "wrong"),
    [
        ("1.2", "", "1.2", ""),
        ("1.1", "", "1.2", "version: TLS 1.1, and 1.2 is the least that is wanted"),
        ("1.3", "1.1", "1.2", "version: TLS 1.1 is still taken, and 1.2 is the least that is wanted"),
        ("1.2", "1.1", "1.3", "version: TLS 1.2, and 1.3 is the least that is wanted"),
    ],
)
def test_no_older_tls_is_spoken_than_is_wanted(version: str, older: str, least: str, wrong: str) -> None:
    shown = certificate(days=90).model_copy(update={"older_version": older})
    assert tls(shown, version, minimum_version=least) == wrong


def test_a_certificate_that_is_wrong_is_told_before_the_version() -> None:
    assert tls(certificate(seconds=-1), "1.0") == "certificate: expired on 2026-01-02"


@pytest.mark.parametrize(
    ("answer", "service", "wrong"),
    [
        ({}, {}, ""),
        ({"body": b"220 mail"}, {"contains": "220"}, ""),
        ({"body": b"554 content: no"}, {"contains": "220"}, "banner: what it said did not contain '220'"),
        # The cause alone is called otherwise, and no word of what was wanted.
        ({"body": b"554"}, {"contains": "content: a"}, "banner: what it said did not contain 'content: a'"),
        ({"body": b"554", "truncated": True}, {"matches": "^220"}, "banner: the first 3 bytes did not match '^220'"),
    ],
)
def test_what_a_port_says_is_its_banner(answer: dict[str, Any], service: dict[str, Any], wrong: str) -> None:
    assert judged(answer, kind="tcp", port=25, **service) == wrong


@pytest.mark.parametrize(
    ("record", "records", "answers", "wrong"),
    [
        ("A", (), (), "record: example.com has no A"),
        ("TXT", (), ("x",), "record: example.com has no TXT"),
        ("A", ("203.0.113.1",), (), ""),
        ("A", ("203.0.113.2", "203.0.113.1"), ("203.0.113.1", "203.0.113.2"), ""),
        ("A", ("203.0.113.2", "203.0.113.1"), ("203.0.113.1",),
         "record: example.com A is 203.0.113.1, 203.0.113.2 instead of 203.0.113.1"),
        ("A", ("203.0.113.1",), ("203.0.113.1", "203.0.113.2"),
         "record: example.com A is 203.0.113.1 instead of 203.0.113.1, 203.0.113.2"),
        # A name is the same with its last dot and without, in capitals and without them; it is told as it came.
        ("CNAME", ("WWW.Example.com.",), ("www.example.COM",), ""),
        ("CNAME", ("WWW.Example.com.",), ("b.example.com",),
         "record: example.com CNAME is WWW.Example.com. instead of b.example.com"),
        # A text in DNS's quotes is what stands between them: its capitals and its last dot are its own.
        ("TXT", ('"v=spf1 -all."',), ('"v=spf1 -all."',), ""),
        ("TXT", ('"say hi"',), ("say hi",), ""),
        ("TXT", ('"site=AbC."',), ("site=AbC.",), ""),
        ("TXT", ('"site=AbC"',), ("site=abc",), 'record: example.com TXT is "site=AbC" instead of site=abc'),
        ("TXT", ('"A"',), ('"a"',), 'record: example.com TXT is "A" instead of "a"'),
        ("TXT", ('"a."',), ('"a"',), 'record: example.com TXT is "a." instead of "a"'),
        ("TXT", (f'"{LONG}"',), (LONG.upper() + "y",),
         f'record: example.com TXT is "{"x" * 199} instead of {"X" * 200}'),
    ],
)  # fmt: skip
def test_a_name_has_the_records_that_are_wanted(
    record: str, records: tuple[str, ...], answers: tuple[str, ...], wrong: str
) -> None:
    assert judged({"records": records}, kind="dns", query="example.com", record=record, answers=answers) == wrong
