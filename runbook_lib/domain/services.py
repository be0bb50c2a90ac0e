"""Service tests without the network: which tests there are, and what all results together mean."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import ServiceConfig
from runbook_lib.models.services import UNFINISHED, Member, ServiceReport, ServiceResult, ServiceTest

from .service_answers import judge_answer

__all__ = ["Compared", "Listed", "compare", "expand", "judge_answer", "parse_shard", "report", "shard", "untested"]

_PORTS = {"tls": 443, "dns": 53}


def expand(service: ServiceConfig, members: Iterable[Member]) -> tuple[ServiceTest, ...]:
    """One test for each address that the service wants of its members, in the order of the addresses."""
    by_address = {address: member for member in members for address in addresses_of(service, member)}
    return tuple(make_test(service, address, by_address[address]) for address in sorted(by_address, key=_order))


def addresses_of(service: ServiceConfig, member: Member) -> tuple[str, ...]:
    """The addresses of a member that a service is to be asked at."""
    own = member.address if service.interface == "public" else member.private_address
    names = [own] if own and not _is_address(own) else []
    four = [own] if own and _is_address(own) and ":" not in own else []
    six = [*([own] if ":" in own else []), *member.ipv6]
    if service.family == "either":
        return tuple(names or four or six[:1])
    return tuple(names + (four if service.family != "ipv6" else []) + (six if service.family != "ipv4" else []))


def make_test(service: ServiceConfig, address: str, member: Member | None = None) -> ServiceTest:
    """A service's test at one address; without one it is asked of nobody in particular, as a name is."""
    web = service.kind == "http"
    return ServiceTest.trusted(
        name=service.name,
        address=address,
        url=_url(service, address) if web else _what(service, address),
        member=(member.name or member.id) if member else "",
        member_id=member.id if member else "",
        kind=service.kind,
        expect=service.expect,
        method=service.method if web else "",
        status=service.status if web else 0,
        contains=service.contains,
        timeout=service.timeout.total_seconds(),
        attempts=service.attempts,
        of_change="",
        service=service,
    )


def untested(service: ServiceConfig, members: Sequence[Member]) -> str:
    """Why a service has no test at all, or nothing if it has some."""
    if any(addresses_of(service, member) for member in members):
        return ""
    family = {"ipv4": " IPv4", "ipv6": " IPv6"}.get(service.family, "")
    if members:
        whose = "its group" if service.group else "whom it names"
        return f"none of the {len(members)} members of {whose} has a {service.interface}{family} address"
    return "its group has no members" if service.group else "nobody is found that it names"


def parse_shard(text: str) -> tuple[int, int]:
    """`2/3` as (2, 3): the second of three parts."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard {text!r} is not I/N", "Write 1/3, 2/3 and 3/3 for three parts.")
    return int(part), int(parts)


def shard(tests: Iterable[ServiceTest], part: int, parts: int) -> tuple[ServiceTest, ...]:
    """The part's share: together the parts are all tests, each once, whatever order they come in.

    Whose share a test is depends on nothing but itself: of members that come and go between one part and the next
    no other is asked twice or not at all.
    """
    mine = (test for test in tests if _number(test) % parts == part - 1)
    return tuple(sorted(mine, key=lambda test: (test.name, test.address, test.url)))


def _number(test: ServiceTest) -> int:
    return int.from_bytes(hashlib.sha256(f"{test.name}\0{test.address}".encode()).digest()[:8])


@dataclass(frozen=True)
class Listed:
    """What belongs to a report beside its results.

    `elsewhere` are the tests of other shards: a shard without a test is skipped. `lenient` lets a test that failed
    before as well only warn.
    """

    untested: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[ServiceTest, ...] = ()
    unknowable: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    no_baseline: str = ""
    lenient: bool = True


@dataclass(frozen=True)
class Compared:
    """Results beside those of a baseline; each with how it did before."""

    results: tuple[ServiceResult, ...]
    worse: tuple[ServiceResult, ...]
    fixed: tuple[ServiceResult, ...]
    still_failing: tuple[ServiceResult, ...]
    still_passing: int
    gone: tuple[tuple[str, str], ...]


def compare(
    results: Iterable[ServiceResult], baseline: Iterable[ServiceResult], elsewhere: Iterable[ServiceTest] = ()
) -> Compared:
    """Find each test in the baseline: at its address, or where its member had another address then.

    A test that the baseline does not have is as bad as a regression if it fails: nothing says that it failed before.
    """
    known = {_key(result.test): result for result in baseline if result.cause not in UNFINISHED}
    done = tuple(results)
    # Those of other shards take what is theirs, so that a shard finds what one run of them all would find.
    tests = sorted((*(result.test for result in done), *elsewhere), key=_key)
    here = {_key(test) for test in tests}
    moved = _by_member(result for key, result in known.items() if key not in here)
    earlier = {_key(test): known.get(_key(test)) or _moved_from(test, moved) for test in tests}
    here |= {_key(before.test) for before in earlier.values() if before}
    worse: list[ServiceResult] = []
    fixed: list[ServiceResult] = []
    failing: list[ServiceResult] = []
    found: list[ServiceResult] = []
    passing = 0
    for result in done:
        before = earlier[_key(result.test)]
        if before is not None:
            result = result.model_copy(update={"before": "passed" if before.passed else "failed"})  # noqa: PLW2901
        found.append(result)
        was_good = before is None or before.passed
        if result.test.of_change and before is None:
            continue  # it asks for what the change itself does, and could not have been so before
        if not result.passed:
            (worse if was_good else failing).append(result)
        elif before is not None:
            passing += before.passed
            fixed += [result] if not before.passed else []
    gone = tuple(sorted(set(known) - here))
    return Compared(tuple(found), tuple(worse), tuple(fixed), tuple(failing), passing, gone)


def report(
    results: Iterable[ServiceResult],
    nothing_asked: Mapping[str, str] | None = None,
    baseline: Iterable[ServiceResult] | None = None,
    elsewhere: Iterable[ServiceTest] = (),
    listed: Listed | None = None,
) -> ServiceReport:
    """Decide on all results; `nothing_asked` names services without a test, with the reason.

    A service of which nothing was asked is not known to work: that blocks. Against a baseline only what got worse
    blocks; what failed there too warns, and so does a test that is gone. What the change itself is to open or close
    blocks whatever was before, and so does a test that was not finished.
    """
    more = listed or Listed(nothing_asked or {}, tuple(elsewhere))
    against = None if baseline is None else tuple(baseline)
    given = tuple(sorted(results, key=lambda result: _key(result.test)))
    found = compare(given, against or (), more.elsewhere)
    done = found.results if against is not None else given
    failing = [result for result in done if not result.passed]
    blocking = [result for result in failing if _blocks(result, found, more, compared=against is not None)]
    outcome = Outcome.WARNED if failing or (against is not None and found.gone) else Outcome.PASSED
    if blocking or more.untested:
        outcome = Outcome.BLOCKED
    elif not done:
        outcome = Outcome.SKIPPED if more.elsewhere or more.unknowable else Outcome.BLOCKED
    unfinished = sum(result.cause in UNFINISHED for result in done)
    return ServiceReport(
        outcome=Outcome.INTERRUPTED if any(result.cause == "interrupted" for result in done) else outcome,
        summary=_summary(done, more, found if against is not None else None, blocking),
        results=done,
        untested=dict(more.untested),
        regressions=tuple(" ".join(_key(result.test)) for result in found.worse) if against is not None else (),
        fixed=tuple(" ".join(_key(result.test)) for result in found.fixed),
        still_failing=tuple(" ".join(_key(result.test)) for result in found.still_failing),
        still_passing=found.still_passing,
        gone=tuple(" ".join(key) for key in found.gone),
        unknowable=dict(more.unknowable),
        complete=not unfinished,
        part=more.part,
        no_baseline=more.no_baseline,
    )


def _blocks(result: ServiceResult, found: Compared, listed: Listed, *, compared: bool) -> bool:
    if not compared or not listed.lenient or result.test.of_change or result.cause in UNFINISHED:
        return True
    return result.before != "failed"


def _of_member(test: ServiceTest) -> tuple[str, str, bool]:
    return test.name, test.member_id, ":" in test.address


def _moved_from(test: ServiceTest, moved: Mapping[tuple[str, str, bool], list[ServiceResult]]) -> ServiceResult | None:
    earlier = moved.get(_of_member(test))
    return earlier.pop() if earlier else None


def _by_member(results: Iterable[ServiceResult]) -> dict[tuple[str, str, bool], list[ServiceResult]]:
    found: dict[tuple[str, str, bool], list[ServiceResult]] = {}
    # Of a member that had several addresses those that passed come last, and are taken first: in doubt it got worse.
    for result in sorted(results, key=lambda one: (one.passed, one.test.address)):
        if result.test.member_id:
            found.setdefault(_of_member(result.test), []).append(result)
    return found


def _url(service: ServiceConfig, address: str) -> str:
    # With a conversion or a format it is another one, however it begins.
    names = {
        name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
        for _, name, form, conversion in _fields(service)
        if name is not None
    }
    if names - {"address"}:
        raise ConfigError(
            f"the url of service {service.name!r} has the unknown placeholder {{{sorted(names - {'address'})[0]}}}",
            "The only placeholder is {address}.",
        )
    return service.url.format(address=_in_url(address))


def _fields(service: ServiceConfig) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(service.url))
    except ValueError as error:
        raise ConfigError(f"the url of service {service.name!r} is no template: {error}") from error


def _what(service: ServiceConfig, address: str) -> str:
    port = service.port or _PORTS.get(service.kind, 0)
    if service.kind == "dns":
        where = f"{_in_url(address)}:{port}" if address else ""
        return f"dns://{where}/{service.query}?type={service.record}"
    return f"{service.kind}://{_in_url(address)}:{port}"


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _order(address: str) -> tuple[bool, str]:
    return ":" in address, address


def _key(test: ServiceTest) -> tuple[str, str]:
    return test.name, test.address


def _summary(
    done: Sequence[ServiceResult], listed: Listed, found: Compared | None, blocking: Sequence[ServiceResult]
) -> str:
    failing = [result for result in done if not result.passed]
    said = f"{len(done) - len(failing)} of {len(done)} service tests passed"
    if not done and not listed.untested:
        return _nothing(listed)
    if found is not None and failing:
        said += f", {len(found.worse)} got worse than the baseline"
    left = sum(result.cause in UNFINISHED for result in done)
    said += f", {left} not finished" if left else ""
    worst = (found.worse if found is not None else ()) or blocking or failing
    # A service by its own name says more than the port that a change opened to it.
    told = sorted(worst, key=lambda result: bool(result.test.of_change))[:1]
    details = [f"{_who(result)}: {result.error}" for result in told]
    details += [f"{name}: {reason}" for name, reason in listed.untested.items()]
    return f"{said}. {'; '.join(details)}." if details else f"{said}."


def _who(result: ServiceResult) -> str:
    test = result.test
    return f"{test.name} on {test.address}" if test.address else test.name


def _nothing(listed: Listed) -> str:
    if listed.elsewhere:
        return f"This shard has no service test: all {len(listed.elsewhere)} are in the others."
    if listed.unknowable:
        return "Nothing of what the change does can be seen from here."
    return "No service test was carried out: a test of nothing says nothing."
