from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.service_history import merge_reports
from runbook_lib.domain.services import Listed, expand, judge_answer, parse_shard, report, shard, untested
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


@pytest.mark.parametrize(
    "url",
    ["http://{adress}/", "http://{}/", "http://{address", "http://{address:d}/", "http://{address!z}/",
     "http://{address:{x}}/", "http://{address:>99999999999}/"],
)  # fmt: skip
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
    # Of members that come or go before another shard begins each is asked by the same one: none is left out.
    fewer = [shard(tests[1:], part, parts) for part in range(1, parts + 1)]
    assert [tuple(t for t in share if t not in tests[:1]) for share in shares] == fewer


def test_shards_are_about_as_large() -> None:
    tests = expand(WEB, [member(f"203.0.113.{host}") for host in range(250)])
    sizes = [len(shard(tests, part, 5)) for part in range(1, 6)]
    assert min(sizes) > 35
    assert max(sizes) < 65


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


def test_a_test_carries_all_that_runbook_yml_says_of_its_service() -> None:
    service = WEB.model_copy(
        update={"url": "https://{address}:8443/up", "method": "HEAD", "status": 204, "attempts": 7}
    )
    (made,) = expand(service, [member("203.0.113.1")])
    assert made.service is service
    assert made.model_copy(update={"service": None}) == ServiceTest(
        name="web", address="203.0.113.1", url="https://203.0.113.1:8443/up", member="i-203.0.113.1",
        member_id="i-203.0.113.1", method="HEAD", status=204, contains="<img", timeout=2.0, attempts=7,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "says", "remedy"),
    [
        (
            "http://{host}:{adress}/",
            "the url of service 'web' has the unknown placeholder {adress}",
            "The only placeholder is {address}.",
        ),
        ("http://{}/", "the url of service 'web' has the unknown placeholder {}", "The only placeholder is {address}."),
        (
            "http://{address}:{port}/",
            "the url of service 'web' has the unknown placeholder {port}",
            "The only placeholder is {address}.",
        ),
    ],
)
def test_of_several_wrong_placeholders_the_first_by_name_is_told(url: str, says: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(WEB.model_copy(update={"url": url}), [member("203.0.113.1")])
    assert (caught.value.message, caught.value.remedy) == (says, remedy)


def test_a_url_that_is_no_template_is_told_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"^the url of service 'web' is no template: \w"):
        expand(WEB.model_copy(update={"url": "http://{address"}), [member("203.0.113.1")])


def test_a_refused_shard_is_told_with_how_to_write_one() -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard("4/3")
    assert caught.value.message == "--shard '4/3' is not I/N"
    assert caught.value.remedy == "Write 1/3, 2/3 and 3/3 for three parts."
    assert [parse_shard(text) for text in ("1/1", "3/3", "10/12")] == [(1, 1), (3, 3), (10, 12)]


def test_a_shard_s_tests_come_by_service_then_address_then_url() -> None:
    def test_of(name: str, address: str, url: str) -> ServiceTest:
        return ServiceTest(name=name, address=address, url=url)

    ordered = (test_of("a", "2", "y"), test_of("a", "2", "z"), test_of("a", "3", "x"), test_of("b", "1", "w"))
    assert shard(ordered[::-1], 1, 1) == ordered
    # Two of one service and address stay together.
    shares = [shard(ordered[::-1], part, 3) for part in (1, 2, 3)]
    assert any(set(ordered[:2]) <= set(share) for share in shares)


@pytest.mark.parametrize(
    ("changes", "answer", "wrong"),
    [
        ({}, {"body": b"\xff<img"}, ""),
        ({}, {"body": b"\xff<img", "charset": "no-such-thing"}, ""),
        ({"contains": "é"}, {"body": "é".encode("latin-1"), "charset": "latin-1"}, ""),
        ({"contains": "é"}, {"body": "é".encode(), "charset": "no-such-thing"}, ""),
        ({"contains": ""}, {"body": b""}, ""),
        ({"status": 204}, {"status": 204, "body": b"<img"}, ""),
        ({"status": 204}, {"body": b"<img"}, "status: 200 instead of 204"),
        ({}, {"body": b"hello", "truncated": True}, "content: the first 5 bytes did not contain '<img'"),
    ],
)
def test_an_answer_is_right_or_it_is_told_what_is_wrong(
    changes: dict[str, object], answer: dict[str, object], wrong: str
) -> None:
    test = expand(WEB, [member("203.0.113.1")])[0].model_copy(update=changes)
    assert judge_answer(test, ServiceAnswer.model_validate({"status": 200, **answer})) == wrong


BAD = result(error="timeout: none")
FAR = result(address="203.0.113.2")
API = result("api", error="refused: no")
NOBODY = {"web": "its group has no members"}
LATE = "web on 203.0.113.1: timeout: none"


@pytest.mark.parametrize(
    ("given", "outcome", "summary"),
    [
        ({"results": []}, "blocked", "No service test was carried out: a test of nothing says nothing."),
        (
            {"results": [], "nothing_asked": NOBODY},
            "blocked",
            "0 of 0 service tests passed. web: its group has no members.",
        ),
        (
            {"results": [], "nothing_asked": NOBODY, "elsewhere": [FAR.test]},
            "blocked",
            "0 of 0 service tests passed. web: its group has no members.",
        ),
        (
            {"results": [BAD, API, FAR], "nothing_asked": {**NOBODY, "db": "no"}},
            "blocked",
            "1 of 3 service tests passed. api on 203.0.113.1: refused: no; web: its group has no members; db: no.",
        ),
        (
            {"results": [BAD, FAR], "baseline": [BAD, FAR]},
            "warned",
            f"1 of 2 service tests passed, 0 got worse than the baseline. {LATE}.",
        ),
        (
            {"results": [BAD, API], "baseline": [API]},
            "blocked",
            f"0 of 2 service tests passed, 1 got worse than the baseline. {LATE}.",
        ),
        # What got worse is told before what failed already.
        (
            {"results": [BAD, API], "baseline": [BAD, result("api")]},
            "blocked",
            "0 of 2 service tests passed, 1 got worse than the baseline. api on 203.0.113.1: refused: no.",
        ),
        ({"results": [FAR], "baseline": [FAR]}, "passed", "1 of 1 service tests passed."),
        ({"results": [FAR], "elsewhere": [BAD.test]}, "passed", "1 of 1 service tests passed."),
        (
            {"results": [], "baseline": [FAR]},
            "blocked",
            "No service test was carried out: a test of nothing says nothing.",
        ),
        (
            {"results": [], "baseline": [FAR], "elsewhere": [FAR.test, BAD.test]},
            "skipped",
            "This shard has no service test: all 2 are in the others.",
        ),
    ],
)
def test_all_results_make_one_outcome_and_one_line(given: dict[str, Any], outcome: str, summary: str) -> None:
    found = report(**given)
    assert (found.outcome, found.summary) == (outcome, summary)


def test_a_report_lists_by_service_and_address_what_is_worse_fixed_and_gone() -> None:
    good, bad = result("api"), result("web", "203.0.113.3", "no")
    baseline = [result("web", "203.0.113.9"), API, result("web", "203.0.113.8"), FAR, bad]
    found = report([BAD, bad, FAR, good], NOBODY, baseline)
    assert [r.model_copy(update={"before": ""}) for r in found.results] == [good, BAD, FAR, bad]
    assert [r.before for r in found.results] == ["failed", "", "passed", "failed"]
    assert (found.regressions, found.fixed) == (("web 203.0.113.1",), ("api 203.0.113.1",))
    assert found.gone == ("web 203.0.113.8", "web 203.0.113.9")
    assert found.untested == NOBODY
    alone = report([BAD, good])
    assert (alone.regressions, alone.fixed, alone.gone, alone.untested) == ((), (), (), {})


def of_member(address: str, member_id: str, error: str = "", **more: Any) -> ServiceResult:
    test = ServiceTest(name="web", address=address, url=f"http://{address}/", member_id=member_id, **more)
    return ServiceResult(test=test, passed=not error, error=error, at=NOW)


def test_a_member_that_moved_is_found_again_in_the_baseline() -> None:
    before = [of_member("203.0.113.1", "i-1", "refused"), of_member("203.0.113.2", "i-2")]
    found = report(
        [of_member("203.0.113.8", "i-1", "refused"), of_member("203.0.113.9", "i-2", "refused")], None, before
    )
    assert (found.still_failing, found.regressions, found.gone) == (("web 203.0.113.8",), ("web 203.0.113.9",), ())


def test_each_address_of_a_member_that_moved_has_its_own_before() -> None:
    before = [of_member("203.0.113.1", "i-1", "refused"), of_member("2001:db8::1", "i-1")]
    after = [of_member("203.0.113.8", "i-1", "refused"), of_member("2001:db8::8", "i-1", "refused")]
    found = report(after, None, before)
    assert (found.still_failing, found.regressions, found.gone) == (("web 203.0.113.8",), ("web 2001:db8::8",), ())


def test_which_of_several_addresses_moved_where_is_not_guessed_in_favour_of_a_failure() -> None:
    before = [of_member("203.0.113.1", "i-1", "refused"), of_member("203.0.113.2", "i-1")]
    found = report([of_member("203.0.113.8", "i-1", "refused")], None, before)
    assert (found.outcome, found.regressions, found.gone) == ("blocked", ("web 203.0.113.8",), ("web 203.0.113.1",))


def test_an_address_that_another_member_has_now_is_judged_by_its_address() -> None:
    before = [of_member("203.0.113.1", "i-1"), of_member("203.0.113.2", "i-2", "refused")]
    after = [of_member("203.0.113.1", "i-9", "refused"), of_member("203.0.113.7", "i-2", "refused")]
    found = report(after, None, before)
    assert (found.regressions, found.still_failing) == (("web 203.0.113.1",), ("web 203.0.113.7",))


def test_regressions_repairs_and_what_stayed_are_told_apart() -> None:
    before = [result(address=f"203.0.113.{n}", error=error) for n, error in enumerate(["", "no", "no", ""])]
    after = [result(address=f"203.0.113.{n}", error=error) for n, error in enumerate(["no", "", "no", ""])]
    found = report(after, None, before)
    assert (found.regressions, found.fixed, found.still_failing, found.still_passing) == (
        ("web 203.0.113.0",), ("web 203.0.113.1",), ("web 203.0.113.2",), 1,
    )  # fmt: skip


def test_what_failed_before_blocks_where_it_is_not_forgiven() -> None:
    listed = Listed(lenient=False)
    assert report([BAD], None, [BAD], listed=listed).outcome == "blocked"
    assert report([BAD], None, [BAD]).outcome == "warned"


def test_what_the_change_is_to_do_blocks_whatever_was_before() -> None:
    unmet = of_member("203.0.113.1", "i-1", "refused", of_change="opened")
    assert report([unmet], None, [unmet]).outcome == "blocked"
    elsewhere = of_member("203.0.113.7", "i-7", "refused", of_change="opened")
    broken = report([elsewhere, BAD], None, [BAD], listed=Listed(lenient=False))
    assert (broken.regressions, broken.still_failing) == ((), ("web 203.0.113.1",))
    assert "0 got worse than the baseline" in broken.summary


def test_what_was_not_finished_blocks_and_is_no_baseline() -> None:
    late = BAD.model_copy(update={"cause": "deadline"})
    found = report([late], None, [BAD])
    assert (found.outcome, found.complete) == ("blocked", False)
    assert report([BAD], None, [late]).regressions == ("web 203.0.113.1",)


def test_what_cant_be_known_from_here_is_told_and_blocks_nothing() -> None:
    found = report([], listed=Listed(unknowable={"opened: a": "only b could try it"}))
    assert (found.outcome, found.summary) == ("skipped", "Nothing of what the change does can be seen from here.")
    assert report([result()], listed=Listed(unknowable={"x": "y"})).outcome == "passed"


@given(st.sets(st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.booleans())),
       st.sets(st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.booleans())), st.integers(1, 4))  # fmt: skip
def test_shards_find_in_a_baseline_what_one_run_of_them_all_finds(
    before: set[tuple[str, int, bool]], now: set[tuple[str, int, bool]], parts: int
) -> None:
    def results(given: set[tuple[str, int, bool]]) -> list[ServiceResult]:
        # Three members, each with several addresses.
        made = {
            (name, number): ServiceResult(
                test=ServiceTest(name=name, address=f"a{number}", url="u", member_id=f"i-{number % 3}"),
                passed=passed, error="" if passed else "no", at=NOW,
            )
            for name, number, passed in sorted(given)
        }  # fmt: skip
        return list(made.values())

    baseline, done = results(before), results(now)
    tests = [result.test for result in done]
    whole = report(done, baseline=baseline)
    shares = []
    for part in range(1, parts + 1):
        mine = shard(tests, part, parts)
        listed = Listed(elsewhere=tuple(test for test in tests if test not in mine), part=f"{part}/{parts}")
        shares.append(report([one for one in done if one.test in mine], baseline=baseline, listed=listed))
    found = merge_reports(shares)
    assert (found.results, found.regressions, found.fixed, found.still_failing, found.gone, found.still_passing) == (
        whole.results, whole.regressions, whole.fixed, whole.still_failing, whole.gone, whole.still_passing
    )  # fmt: skip
    assert found.outcome is whole.outcome
