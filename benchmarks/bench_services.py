"""`make bench-services`: the service tests beside requests in threads and bare aiohttp, in one run on one loopback.

    python benchmarks/bench_services.py [--endpoints 3000] [--many 100000] [--rounds 5]

The endpoints are asked twice: as so many paths of one address, where who keeps connections has it easier, and as so
many addresses (127.x.y.z), where everybody needs a connection for each. A server in another process answers all of
them; half of the 300 in the third measurement never, and of the 1,500 in the fourth, which are more than there is room
for at once. The limits are on what a way asks in a second of its own processor: all three are bound by that, and what
else the machine does only takes time. Of each round one way is held to the other, and the middle of these is what
counts: a quiet moment favours whoever had it. The rates told are those of the best rounds. How often ours gave up the
processor by itself, in all its rounds, is told: it waits for nothing but its endpoints. What the hanging ones cost the
good ones is too short for the processor's own clock beside other work: its limit is on the calls of functions until the
last of them has its result, which are the same each time. Exit status 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import requests
from yarl import URL

from runbook_lib.adapters.probes.run import ProbeOptions, run_tests
from runbook_lib.domain.services import expand, judge_answer, make_test
from runbook_lib.models.config import ServiceConfig
from runbook_lib.models.services import Member, ServiceResult, ServiceTest

FASTER_THAN_REQUESTS, OF_BARE_AIOHTTP, MOST_MB, HELD_UP = 5.0, 0.6, 400, 2.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 20\r\n\r\n<img src='x.png'>abc"
IN_FLIGHT = 100
SHORT_ROUNDS = 10  # of what takes a tenth of a second, and is soon held up by whatever else the machine does


class Answering(asyncio.Protocol):
    """Answers whatever comes at once; on addresses from 127.200.0.0 on it never does."""

    def connection_made(self, transport: Any) -> None:
        """Remember who asks what address."""
        self.transport = transport
        self.hangs = transport.get_extra_info("sockname")[0].startswith("127.200.")

    def data_received(self, data: bytes) -> None:
        """Answer."""
        if not self.hangs:
            self.transport.write(ANSWER)


def serve(port_of: Any) -> None:
    async def run() -> None:
        listener = socket.socket()
        # All of 127.0.0.0/8 and nothing else: it is bound to the loopback device, not to an address.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listener.bind(("0.0.0.0", 0))
        listener.listen(4096)
        server = await asyncio.get_running_loop().create_server(Answering, sock=listener)
        port_of.send(listener.getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def server() -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()


def addresses(count: int, second: int = 0) -> list[str]:
    return [f"127.{second + i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i in range(count)]


def service(**more: Any) -> ServiceConfig:
    given = {"name": "web", "url": "{address}", "contains": "<img", "tags": {"a": "b"}, "attempts": 1}
    return ServiceConfig.model_validate(given | more)


def tests_of(asked: ServiceConfig, urls: list[str]) -> list[ServiceTest]:
    return [make_test(asked.model_copy(update={"url": url}), str(URL(url).host)) for url in urls]


def of_one(asked: ServiceConfig, urls: list[str]) -> list[ServiceTest]:
    """The same with the service shared, as a group's members share it."""
    return [test.model_copy(update={"service": asked}) for test in tests_of(asked, urls)]


def ours(tests: list[ServiceTest], urls: list[str]) -> int:
    results = run_tests(tests, judge_answer, ProbeOptions(concurrency=IN_FLIGHT))
    return sum(result.passed for result in results)


def bare(tests: list[ServiceTest], urls: list[str]) -> int:
    async def one(session: aiohttp.ClientSession, places: asyncio.Semaphore, url: str) -> bool:
        async with places, session.get(url) as response:
            return response.status == 200 and "<img" in await response.text()

    async def run() -> int:
        places = asyncio.Semaphore(IN_FLIGHT)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return sum(await asyncio.gather(*(one(session, places, url) for url in urls)))

    return asyncio.run(run())


def threads(tests: list[ServiceTest], urls: list[str]) -> int:
    def one(url: str) -> bool:
        response = requests.get(url, timeout=5)
        return response.status_code == 200 and "<img" in response.text

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return sum(pool.map(one, urls))


Rates = dict[str, list[float]]


def rates(urls: list[str], rounds: int) -> tuple[Rates, Rates]:
    """How many a second each way asks in each round, by its own processor and by the clock."""
    found: Rates = {}
    by_clock: Rates = {}
    tests, waits = of_one(service(), urls), 0
    for way in (ours, bare, threads) * rounds:
        began, worked = time.perf_counter(), time.process_time()
        waited = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        passed = way(tests, urls)
        taken, clock = time.process_time() - worked, time.perf_counter() - began
        waits += resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - waited if way is ours else 0
        if passed != len(urls):
            sys.exit(f"{way.__name__}: {len(urls) - passed} of {len(urls)} failed")
        found.setdefault(way.__name__, []).append(len(urls) / taken)
        by_clock.setdefault(way.__name__, []).append(len(urls) / clock)
    print(f"ours gave up the processor by itself {waits} times in {rounds} rounds of {len(urls):,}")
    return found, by_clock


def of(found: Rates, way: str) -> float:
    """How many times as much ours asks as another way did beside it, in the middle of all rounds."""
    return statistics.median(our / other for our, other in zip(found["ours"], found[way], strict=True))


@dataclass
class Until:
    """What was spent until the last good endpoint had its result: our processor, the clock, and calls of functions."""

    processor: float = 0.0
    clock: float = 0.0
    calls: float = 0


def good_ones(port: int, good: int, hanging: int, *, counted: bool = False) -> Until:
    """Ask good endpoints, and as many as hang between them."""
    found, calls = Until(), itertools.count()

    def note(result: ServiceResult, done: int, total: int) -> None:
        if result.passed:
            found.processor, found.clock = time.process_time() - began[0], time.perf_counter() - began[1]
            found.calls = next(calls)

    hosts = [host for pair in itertools.zip_longest(addresses(good), addresses(hanging, 200)) for host in pair if host]
    tests = of_one(service(timeout="3s"), [f"http://{host}:{port}/" for host in hosts])
    # The tests run in a thread of their own, which takes the profile with it.
    threading.setprofile((lambda frame, event, given: event == "call" and next(calls)) if counted else None)
    began = time.process_time(), time.perf_counter()
    results = run_tests(tests, judge_answer, ProbeOptions(on_result=note))
    threading.setprofile(None)
    if sum(result.passed for result in results) != good:
        sys.exit("not all of the good endpoints passed")
    return found


def held_up(port: int) -> Until:
    """How many times as much is spent on good endpoints beside as many that hang; of time the best of some rounds."""
    alone, beside = (
        [good_ones(port, 150, hanging, counted=counted) for counted in (True, *[False] * SHORT_ROUNDS)]
        for hanging in (0, 150)
    )
    times = [
        min(getattr(one, unit) for one in beside[1:]) / min(getattr(one, unit) for one in alone[1:])
        for unit in ("processor", "clock")
    ]
    return Until(*times, calls=beside[0].calls / alone[0].calls)


def memory(port: int, count: int) -> float:
    """Megabytes that a process of its own takes at most for so many endpoints."""
    command = [sys.executable, __file__, "--child", str(port), "--many", str(count)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def child(port: int, count: int) -> None:
    asked = service(url=f"http://{{address}}:{port}/")
    results = run_tests(
        expand(asked, [Member(id=host, kind="target", address=host) for host in addresses(count)]), judge_answer
    )
    if not all(result.passed for result in results):
        sys.exit(next(result.error for result in results if not result.passed))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def said(what: str, value: float, limit: float, *, fine: bool) -> bool:
    print(f"{value:,.2f} {what} (limit {limit:g}): {'kept' if fine else 'BROKEN'}")
    return fine


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoints", type=int, default=3000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", type=int)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.many)
        return 0
    with server() as port:
        one = rates([f"http://127.0.0.1:{port}/{number}" for number in range(given.endpoints)], given.rounds)
        each = rates([f"http://{host}:{port}/" for host in addresses(given.endpoints)], given.rounds)
        beside, beside_more = held_up(port), good_ones(port, 750, 750).clock
        taken = memory(port, given.many)
    for what, both in (("paths of one address", one), ("addresses", each)):
        for how, found in zip(("of its processor", "by the clock"), both, strict=True):
            told = ", ".join(f"{name} {max(rate):,.0f}" for name, rate in found.items())
            print(f"{given.endpoints:,} {what}, a second {how}: {told}")
    faster = of(one[0], "threads")
    of_bare = [of(found, "bare") for found in (one[0], each[0])]
    kept = [
        said("times requests in 100 threads", faster, FASTER_THAN_REQUESTS, fine=faster >= FASTER_THAN_REQUESTS),
        said("of bare aiohttp, one address", of_bare[0], OF_BARE_AIOHTTP, fine=of_bare[0] >= OF_BARE_AIOHTTP),
        said("of bare aiohttp, many addresses", of_bare[1], OF_BARE_AIOHTTP, fine=of_bare[1] >= OF_BARE_AIOHTTP),
        said("times the calls beside as many that hang", beside.calls, HELD_UP, fine=beside.calls <= HELD_UP),
        said(f"MB for {given.many:,} endpoints", taken, MOST_MB, fine=taken <= MOST_MB),
    ]
    print(f"{of(each[0], 'threads'):,.2f} times requests in 100 threads, many addresses (no limit)")
    print(f"{beside.processor:,.2f} times of its processor, {beside.clock:,.2f} times by the clock (no limit)")
    print(f"{beside_more:,.2f} s until 750 good ones have their results beside 750 that hang for 3 s (no limit)")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
