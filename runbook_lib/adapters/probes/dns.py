"""DNS with dnspython: a record asked of the machine's own resolvers, or of a name server that is tested."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...models.services import ServiceAnswer, ServiceTest
from .attempt import Cause, FailedAttempt, Stage, Trace, waited_for
from .connect import addresses_of, everywhere
from .places import Address, Places, check, pair

if TYPE_CHECKING:
    import dns.asyncresolver

__all__ = ["ABSENT", "ask_dns", "reach_dns"]

# The status of an answer that there is no such record, as DNS numbers it.
ABSENT = 3


async def ask_dns(places: Places, test: ServiceTest, trace: Trace) -> ServiceAnswer:
    """The records of a name, as text in DNS's own form; none if there is no such name or record."""
    if not test.address:
        return await _ask(_own_resolver(places), test, trace)
    trace.where = pair(test.address, _port(test))
    host, port = places.elsewhere(test.address, _port(test)) or (test.address, _port(test))
    found = await addresses_of(host, trace)
    check(found, host)
    return await _ask(_resolver(found[0], port), test, trace)


async def reach_dns(places: Places, test: ServiceTest, trace: Trace, limit: float) -> list[FailedAttempt | None]:
    """Ask each address of a name server: why there is no answer, None where there is one. `limit` in seconds.

    Where there is to be no such record, that answer is what was to be had: it counts as none.
    """

    async def ask(resolver: dns.asyncresolver.Resolver, own: Trace) -> None:
        answer = await _ask(resolver, test, own)
        if test.expect == "unreachable" and not answer.records:
            raise FailedAttempt(Cause.ABSENT, f"DNS: {own.where} knows no such record")

    async def attempt(address: Address, port: int, own: Trace) -> None:
        await ask(_resolver(address, port), own)

    if test.address:
        return await everywhere(places, (test.address, _port(test)), trace, limit, attempt)
    try:
        async with asyncio.timeout(limit):
            await ask(_own_resolver(places), trace)
    except TimeoutError:
        return [waited_for(trace, limit)]
    except FailedAttempt as failed:
        return [failed]
    return [None]


async def _ask(resolver: dns.asyncresolver.Resolver, test: ServiceTest, trace: Trace) -> ServiceAnswer:
    import dns.exception
    import dns.resolver

    service = test.service
    if service is None:
        raise FailedAttempt(Cause.URL, "url: a test of DNS needs its service", final=True)
    trace.stage, trace.sent = Stage.ANSWER, True
    trace.where = trace.where or "this machine's name servers"
    try:
        found = await resolver.resolve(service.query, service.record, search=False, lifetime=0.9 * test.timeout)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ServiceAnswer(status=ABSENT)
    except dns.resolver.LifetimeTimeout as error:
        raise _unanswered(error.kwargs.get("errors") or [], trace, test.timeout) from error
    except dns.resolver.NoNameservers as error:
        raise _unanswered(error.kwargs.get("errors") or [], trace, test.timeout) from error
    except (dns.exception.DNSException, OSError, ValueError) as error:
        raise FailedAttempt(Cause.NAMESERVER, f"DNS: {type(error).__name__}: {str(error)[:160]}") from error
    return ServiceAnswer(records=tuple(sorted(record.to_text() for record in found)[:1000]))


def _own_resolver(places: Places) -> dns.asyncresolver.Resolver:
    import dns.asyncresolver
    import dns.resolver

    if places.only:
        raise FailedAttempt(
            Cause.FORBIDDEN, "forbidden: nothing here stands for the machine's own name servers", final=True
        )
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise FailedAttempt(Cause.LOCAL, "local: this machine has no name servers", final=True) from error


def _resolver(address: Address, port: int) -> dns.asyncresolver.Resolver:
    import dns.asyncresolver

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [str(address)]
    resolver.port = port
    return resolver


def _port(test: ServiceTest) -> int:
    return (test.service.port if test.service else None) or 53


def _unanswered(errors: list[Any], trace: Trace, limit: float) -> FailedAttempt:
    """What the name servers said in place of an answer."""
    told = " ".join(f"{type(entry[3]).__name__} {entry[3]}" for entry in errors if len(entry) > 3)
    if "REFUSED" in told:
        return FailedAttempt(Cause.REFUSED, f"refused: {trace.where} does not answer such questions")
    if "SERVFAIL" in told:
        return FailedAttempt(Cause.NAMESERVER, f"DNS: {trace.where} failed at it (SERVFAIL)")
    if "refused" in told.lower():
        return FailedAttempt(Cause.REFUSED, f"refused: nothing listens on {trace.where}")
    if not told or "Timeout" in told or "timed out" in told:
        return FailedAttempt(Cause.SILENT, f"timeout: {trace.where} did not answer within {limit:g} s")
    return FailedAttempt(Cause.NAMESERVER, f"DNS: {trace.where}: {told[:160]}")
