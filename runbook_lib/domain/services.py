"""Service tests without the network: what to ask, and what the answers mean."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence

from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import ServiceConfig
from runbook_lib.models.services import Member, ServiceAnswer, ServiceReport, ServiceResult, ServiceTest

__all__ = ["expand", "judge_answer", "parse_shard", "report", "shard", "untested"]


def expand(service: ServiceConfig, members: Iterable[Member]) -> tuple[ServiceTest, ...]:
    """One test for each public address of the group's members, in the order of the addresses."""
    by_address = {member.address: member for member in members if member.address}
    return tuple(
        ServiceTest(
            name=service.name,
            address=address,
            url=_url(service, address),
            member=by_address[address].name or by_address[address].id,
            method=service.method,
            status=service.status,
            contains=service.contains,
            timeout=service.timeout.total_seconds(),
            attempts=service.attempts,
        )
        for address in sorted(by_address)
    )


def untested(service: ServiceConfig, members: Sequence[Member]) -> str:
    """Why a service has no test at all, or nothing if it has some."""
    if any(member.address for member in members):
        return ""
    if members:
        return f"none of the {len(members)} members of its group has a public address"
    return "its group has no members"


def parse_shard(text: str) -> tuple[int, int]:
    """`2/3` as (2, 3): the second of three parts."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard {text!r} is not I/N", "Write 1/3, 2/3 and 3/3 for three parts.")
    return int(part), int(parts)


def shard(tests: Iterable[ServiceTest], part: int, parts: int) -> tuple[ServiceTest, ...]:
    """The part's share: together the parts are all tests, each once, whatever order they come in."""
    ordered = sorted(tests, key=lambda test: (test.name, test.address, test.url))
    return tuple(ordered[part - 1 :: parts])


def judge_answer(test: ServiceTest, answer: ServiceAnswer) -> str:
    """What is wrong with an answer, or nothing if it is as the test wants it."""
    if answer.status != test.status:
        return f"status: {answer.status} instead of {test.status}"
    if test.contains and test.contains not in _text(answer):
        where = f"the first {len(answer.body)} bytes" if answer.truncated else "the body"
        return f"content: {where} did not contain {test.contains!r}"
    return ""


def report(
    results: Iterable[ServiceResult],
    nothing_asked: Mapping[str, str] | None = None,
    baseline: Iterable[ServiceResult] | None = None,
    elsewhere: Iterable[ServiceTest] = (),
) -> ServiceReport:
    """Decide on all results; `nothing_asked` names services without a test, with the reason.

    `elsewhere` are the tests of other shards: a shard without a test is skipped.

    A service of which nothing was asked is not known to work: that blocks. Against a baseline only what got worse
    blocks; what failed there too warns, and so does a test that is gone.
    """
    done = tuple(sorted(results, key=_key))
    empty = dict(nothing_asked or {})
    known = {_key(result): result.passed for result in baseline or ()}
    compared = baseline is not None
    failing = [result for result in done if not result.passed]
    worse = [result for result in failing if known.get(_key(result), True)] if compared else []
    fixed = [result for result in done if result.passed and known.get(_key(result)) is False]
    others = {(test.name, test.address) for test in elsewhere}
    gone = sorted(set(known) - {_key(result) for result in done} - others)
    outcome = Outcome.WARNED if failing or gone else Outcome.PASSED
    if (worse if compared else failing) or empty:
        outcome = Outcome.BLOCKED
    elif not done:
        outcome = Outcome.SKIPPED if others else Outcome.BLOCKED
    return ServiceReport(
        outcome=outcome,
        summary=_summary(done, empty, worse if compared else None, len(others)),
        results=done,
        untested=empty,
        regressions=tuple(" ".join(_key(result)) for result in worse),
        fixed=tuple(" ".join(_key(result)) for result in fixed),
        gone=tuple(" ".join(key) for key in gone),
    )


def _url(service: ServiceConfig, address: str) -> str:
    names = {name for _, name, _, _ in _fields(service) if name is not None}
    if names - {"address"}:
        raise ConfigError(
            f"the url of service {service.name!r} has the unknown placeholder {{{sorted(names - {'address'})[0]}}}",
            "The only placeholder is {address}.",
        )
    return service.url.format(address=f"[{address}]" if ":" in address else address)


def _fields(service: ServiceConfig) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(service.url))
    except ValueError as error:
        raise ConfigError(f"the url of service {service.name!r} is no template: {error}") from error


def _text(answer: ServiceAnswer) -> str:
    try:
        return answer.body.decode(answer.charset, "replace")
    except LookupError:  # a server may name a charset that nobody has heard of
        return answer.body.decode("utf-8", "replace")


def _key(result: ServiceResult) -> tuple[str, str]:
    return result.test.name, result.test.address


def _summary(
    done: Sequence[ServiceResult], empty: Mapping[str, str], worse: Sequence[ServiceResult] | None, elsewhere: int
) -> str:
    failing = [result for result in done if not result.passed]
    said = f"{len(done) - len(failing)} of {len(done)} service tests passed"
    if not done and not empty and elsewhere:
        return f"This shard has no service test: all {elsewhere} are in the others."
    if not done and not empty:
        return "No service test was carried out: a test of nothing says nothing."
    if worse is not None and failing:
        said += f", {len(worse)} got worse than the baseline"
    first = (worse or failing)[:1]
    details = [f"{result.test.name} on {result.test.address}: {result.error}" for result in first]
    details += [f"{name}: {reason}" for name, reason in empty.items()]
    return f"{said}. {'; '.join(details)}." if details else f"{said}."
