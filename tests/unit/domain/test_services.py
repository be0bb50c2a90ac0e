from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.services import expand, judge_answer, parse_shard, report, shard, untested
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.config import GroupReference, ServiceConfig
from runbook_lib.models.services import Member, ServiceAnswer, ServiceResult, ServiceTest

WEB = ServiceConfig(name="web", group=GroupReference(id="sg-1"), contains="<img", timeout=timedelta(seconds=2))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def member(address: str, name: str = "") -> Member:
    return Member(id=f"i-{address}", kind="instance", address=address, name=name)


def result(name: str = "web", address: str = "203.0.113.1", error: str = "") -> ServiceResult:
    test = ServiceTest(name=name, address=address, url=f"http://{address}/")
    return ServiceResult(test=test, passed=not error, error=error, at=NOW)


def test_every_public_address_is_tested_once_in_order() -> None:
    tests = expand(WEB, [member("203.0.113.9"), member("203.0.113.1", "front"), member(""), member("203.0.113.9")])
    assert [(t.address, t.url, t.member, t.timeout) for t in tests] == [
        ("203.0.113.1", "http://203.0.113.1/", "front", 2.0),
        ("203.0.113.9", "http://203.0.113.9/", "i-203.0.113.9", 2.0),
    ]


def test_an_ipv6_address_is_bracketed_in_the_url() -> None:
    assert expand(WEB, [member("2001:db8::1")])[0].url == "http://[2001:db8::1]/"


@pytest.mark.parametrize("url", ["http://{adress}/", "http://{}/", "http://{address"])
def test_a_url_with_another_placeholder_is_an_error_that_names_the_service(url: str) -> None:
    with pytest.raises(ConfigError, match="'web'"):
        expand(WEB.model_copy(update={"url": url}), [member("203.0.113.1")])


def test_a_service_without_members_says_why_nothing_is_asked() -> None:
    assert untested(WEB, []) == "its group has no members"
    assert untested(WEB, [member("")]) == "none of the 1 members of its group has a public address"
    assert untested(WEB, [member("203.0.113.1")]) == ""


@given(st.lists(st.integers(1, 250), unique=True), st.integers(1, 7))
def test_the_shards_together_are_all_tests_each_once(hosts: list[int], parts: int) -> None:
    tests = expand(WEB, [member(f"203.0.113.{host}") for host in hosts])
    shares = [shard(reversed(tests), part, parts) for part in range(1, parts + 1)]
    assert sorted(t.address for share in shares for t in share) == sorted(t.address for t in tests)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "1/3/5", "-1/3", ""])
def test_a_shard_that_is_not_i_of_n_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not I/N"):
        parse_shard(text)


def test_a_shard_is_read_as_part_and_parts() -> None:
    assert parse_shard("2/3") == (2, 3)


def test_an_answer_is_judged_by_status_and_content() -> None:
    test = expand(WEB, [member("203.0.113.1")])[0]
    assert judge_answer(test, ServiceAnswer(status=200, body=b"<img src='x'>")) == ""
    assert judge_answer(test, ServiceAnswer(status=503, body=b"<img")) == "status: 503 instead of 200"
    assert judge_answer(test, ServiceAnswer(status=200, body=b"hello")) == "content: the body did not contain '<img'"
    cut = ServiceAnswer(status=200, body=b"hello", truncated=True)
    assert judge_answer(test, cut).startswith("content: the first 5 bytes")
    assert judge_answer(test, ServiceAnswer(status=200, body="é<img".encode("latin-1"), charset="latin-1")) == ""
    assert judge_answer(test, ServiceAnswer(status=200, body=b"<img", charset="no-such-thing")) == ""


def test_all_passing_tests_pass() -> None:
    found = report([result(), result(address="203.0.113.2")])
    assert (found.outcome, found.summary) == ("passed", "2 of 2 service tests passed.")


def test_a_failing_test_blocks_and_is_named() -> None:
    found = report([result(), result(address="203.0.113.2", error="refused: nothing listens")])
    assert found.outcome == "blocked"
    assert found.summary == "1 of 2 service tests passed. web on 203.0.113.2: refused: nothing listens."


def test_a_test_of_nothing_is_blocked_not_passed() -> None:
    assert report([]).outcome == "blocked"
    assert report([result()], {"api": "its group has no members"}).outcome == "blocked"


def test_against_a_baseline_only_what_got_worse_blocks() -> None:
    bad, good = result(error="timeout: none"), result()
    assert report([bad], baseline=[bad]).outcome == "warned"
    assert report([bad], baseline=[good]).outcome == "blocked"
    assert report([bad], baseline=[good]).regressions == ("web 203.0.113.1",)
    assert report([good], baseline=[bad]).fixed == ("web 203.0.113.1",)


def test_a_new_failing_test_counts_as_worse_than_the_baseline() -> None:
    assert report([result(error="timeout: none")], baseline=[]).outcome == "blocked"


def test_a_test_that_is_gone_since_the_baseline_warns() -> None:
    found = report([result()], baseline=[result(), result(address="203.0.113.2")])
    assert (found.outcome, found.gone) == ("warned", ("web 203.0.113.2",))


def test_a_shard_without_a_test_is_skipped_and_not_blocked() -> None:
    found = report([], elsewhere=[result().test])
    assert (found.outcome, found.summary) == ("skipped", "This shard has no service test: all 1 are in the others.")


def test_the_tests_of_other_shards_are_not_gone() -> None:
    other = result(address="203.0.113.2")
    assert report([result()], baseline=[result(), other], elsewhere=[other.test]).outcome == "passed"
