"""The TCP connection with which every kind of service test begins, so that its failure has one name everywhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from ipaddress import ip_address
from typing import Any

from .attempt import Cause, FailedAttempt, Stage, Trace, connecting_failure, waited_for
from .places import Address, Places, check, pair

__all__ = ["Connected", "addresses_of", "connect", "connect_one", "everywhere", "has_way"]

_STREAM = socket.SOCK_STREAM
Attempt = Callable[[Address, int, Trace], Awaitable[None]]


class Connected(socket.socket):
    """A socket that is handed on connected to libraries that want to connect one themselves: once is enough.

    `port` is where it leads, `trace` that of its attempt; `taken` is whether one of them has it, and will close it.
    """

    port: int
    trace: Trace
    done = False
    taken = False

    def connect(self, address: Any) -> None:
        """Connect, if it is not."""
        if not self.done:
            super().connect(address)


async def connect(places: Places, host: str, port: int, trace: Trace) -> tuple[Connected, str]:
    """A connection to where this host and port is, and the address that was connected to.

    FailedAttempt names why there is none. `trace` is told how far it came: the caller limits the time.
    """
    found, to_port = await _led_to(places, host, port, trace)
    trace.stage = Stage.CONNECTING
    failures: list[FailedAttempt] = []
    for address in found:
        try:
            return await connect_one(address, to_port, trace), str(address)
        except OSError as error:
            failures.append(connecting_failure(error, trace.where))
    # That a machine without IPv6 can't reach the second address says less than that the first one refused.
    raise next((one for one in failures if one.cause != Cause.LOCAL), failures[0])


async def everywhere(
    places: Places, whom: tuple[str, int], trace: Trace, limit: float, attempt: Attempt
) -> list[FailedAttempt | None]:
    """How an attempt ends at each address of a host and port, None where it gets there.

    All at once, each within the whole limit (seconds), as is finding them. FailedAttempt names why there are none to
    try.
    """
    try:
        async with asyncio.timeout(limit):
            found, port = await _led_to(places, *whom, trace)
    except TimeoutError as error:
        raise waited_for(trace, limit) from error
    trace.stage = Stage.CONNECTING
    traces = [replace(trace) for _ in found]

    async def one(address: Address, own: Trace) -> FailedAttempt | None:
        try:
            async with asyncio.timeout(limit):
                await attempt(address, port, own)
        except FailedAttempt as failed:
            return failed
        except TimeoutError:
            return waited_for(own, limit)
        except OSError as error:
            return connecting_failure(error, own.where)
        return None

    try:
        return await asyncio.gather(*map(one, found, traces))
    finally:
        trace.sent = trace.sent or any(own.sent for own in traces)


async def _led_to(places: Places, host: str, port: int, trace: Trace) -> tuple[list[Address], int]:
    """The addresses and the port where this host and port is; FailedAttempt if they must not be asked."""
    trace.where = pair(host, port)
    led = places.elsewhere(host, port)
    if led is not None:
        trace.through = True
        if led != (host, port):
            trace.where = f"{pair(host, port)} (through {pair(*led)})"
    to_host, to_port = led or (host, port)
    found = await addresses_of(to_host, trace)
    check(found, to_host)
    return found, to_port


async def addresses_of(host: str, trace: Trace) -> list[Address]:
    """The addresses of a host, as this machine resolves names."""
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    trace.stage = Stage.RESOLVING
    loop = asyncio.get_running_loop()
    try:
        found = await loop.run_in_executor(_resolvers(), partial(socket.getaddrinfo, host, None, type=_STREAM))
    except (OSError, UnicodeError) as error:
        raise FailedAttempt(Cause.NO_ADDRESS, f"DNS: no address for {trace.where or host}") from error
    return [ip_address(str(entry[4][0])) for entry in found]


@cache
def _resolvers() -> ThreadPoolExecutor:
    # Of the loop's own there are a handful, and it waits for all of them when it ends: names that nobody answers for
    # would hold up every other name, and the deadline.
    return ThreadPoolExecutor(max_workers=64, thread_name_prefix="resolve")


async def connect_one(address: Address, port: int, trace: Trace) -> Connected:
    """A connection to one address; OSError if there is none."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = Connected(family, _STREAM)
    try:
        sock.setblocking(False)
        trace.sent = True
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        if _is_connected(sock):
            # A process that had no turn until its time was over: nobody dropped this connection.
            trace.stage = Stage.ANSWER
        sock.close()
        raise
    sock.done, sock.port, sock.trace = True, port, trace
    return sock


def has_way(address: str) -> bool:
    """Whether this machine would know where to send a packet for this IPv6 address; it sends none."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
    except OSError:
        return False
    return True


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
