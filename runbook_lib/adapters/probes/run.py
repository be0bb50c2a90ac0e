"""All service tests at once: so many attempts at a time, and every test with a result by the deadline."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ...models.service_config import SecretText
from ...models.services import ServiceAnswer, ServiceResult, ServiceTest
from ..connect_to import ConnectTo
from .attempt import Cause, FailedAttempt, Trace, cause_of_anything, waited_for
from .hide import Hide, hiding, legible
from .http1 import Http1, make_request, parse_url
from .places import Places
from .tcp import ask_tcp, reach
from .tls import ask_tls
from .turns import Bounds, Turns

__all__ = ["ProbeOptions", "run_tests"]

Judge = Callable[[ServiceTest, ServiceAnswer, Hide], str]
Progress = Callable[[ServiceResult, int, int], None]

# Seconds before the second, third, … attempt; the last counts for those after it.
_PAUSES: Final = (0.2, 0.4, 0.8, 1.6, 3.0)
# The causes that say that one does not get there.
_UNREACHED: Final = {
    "unreachable": frozenset({Cause.REFUSED, Cause.NO_CONNECTION, Cause.NO_ROUTE, Cause.CUT}),
    "refused": frozenset({Cause.REFUSED}),
    # What stands for an address on the way can't drop packets: it cuts off whom it keeps out.
    "timeout": frozenset({Cause.NO_CONNECTION, Cause.CUT}),
}
# Whoever resets a connection, or is silent on one, has taken it.
_GOT_THERE: Final = frozenset({Cause.RESET, Cause.SILENT})
_UNANSWERED: Final = {
    "unreachable": frozenset({Cause.ABSENT}),
    "refused": frozenset({Cause.REFUSED}),
    "timeout": frozenset({Cause.SILENT}),
}
_PORTS: Final = {"tls": 443, "dns": 53}
# Beside each attempt that makes headway so many may wait for their endpoint.
_WAITING: Final = 4


@dataclass(frozen=True)
class ProbeOptions:
    """How to ask.

    `tls` holds other authorities than the system's; `only` refuses what `connect_to` leads nowhere. `deadline` are the
    seconds after which every test has a result. `concurrency` attempts make headway at once; one that has waited for
    `patience` seconds, and longer than others take, hands on its place, up to four times as many. `on_result` hears
    each result, how many there are, and of how many; `on_interrupt` all results, the unfinished ones marked, before an
    interrupt goes on. `secrets` are variables.
    """

    connect_to: tuple[ConnectTo, ...] = ()
    only: bool = False
    concurrency: int = 200
    deadline: float | None = None
    tls: ssl.SSLContext | None = None
    on_result: Progress | None = None
    on_interrupt: Callable[[tuple[ServiceResult, ...]], object] | None = None
    secrets: Callable[[str], str | None] = os.environ.get
    pauses: tuple[float, ...] = _PAUSES
    patience: float = 0.25
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def run_tests(
    tests: Iterable[ServiceTest], judge: Judge, options: ProbeOptions | None = None
) -> tuple[ServiceResult, ...]:
    """Carry out all tests and give their results in the same order; `judge` says what is wrong with an answer.

    It is given what takes the test's secrets out of a text, which it calls before it cuts what a server said.

    Connections are new and go through no proxy: what is tested is whether one can get there. A test that fails
    is attempted again after a pause, and after the first attempts of all others, but not where it would end the same.
    """
    run = _Run(tuple(tests), judge, options or ProbeOptions())
    # In a notebook a loop already runs in this thread, so the requests get a thread and a loop of their own.
    try:
        _in_own_loop(run.carry_out)
    except BaseException:
        run.close(Cause.INTERRUPTED, "interrupted: the run was stopped before this test was finished")
        if run.options.on_interrupt:
            run.options.on_interrupt(run.results)
        raise
    return run.results


def _in_own_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def main() -> None:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await work()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="service-tests") as pool:
        done = pool.submit(lambda: asyncio.run(main()))
        try:
            done.result()
        except BaseException:
            if not done.done():  # an interrupt: it must not wait for three thousand requests
                loop, task = started.result()
                if task is not None:
                    loop.call_soon_threadsafe(task.cancel)
            raise


@dataclass(slots=True)
class _State:
    """What is known of a test that has no result yet."""

    turns: int = 0
    attempts: int = 0
    began: float = 0.0
    seconds: float = 0.0
    status: int | None = None
    cause: str = ""
    error: str = ""


class _Run:
    """All tests with what is known of each."""

    def __init__(self, tests: tuple[ServiceTest, ...], judge: Judge, options: ProbeOptions) -> None:
        self.tests, self.judge, self.options = tests, judge, options
        self._results: list[ServiceResult | None] = [None] * len(tests)
        self._states: dict[int, _State] = {}
        self._places = Places(options.connect_to, options.only)
        self._done = 0
        self._asked: Counter[tuple[str, str]] = Counter()
        if len(tests) > 1:
            self._asked.update(_place(test) for test in tests if test.kind == "http")

    @property
    def results(self) -> tuple[ServiceResult, ...]:
        """Those there are, in the tests' order: all of them after `close`."""
        return tuple(result for result in self._results if result is not None)

    async def carry_out(self) -> None:
        """Attempt after attempt until each test passed, or has had its own, or time is up."""
        self._http = Http1(self._places, self.options.tls, self.options.concurrency)
        try:
            async with asyncio.timeout(self.options.deadline):
                await Turns(len(self.tests), _bounds(self.options)).carry_out(self._turn)
        except TimeoutError:
            limit = self.options.deadline or 0
            self.close(Cause.DEADLINE, f"deadline: the {limit:g} s for all service tests were over")
        finally:
            await self._http.close()

    def close(self, cause: Cause, error: str) -> None:
        """Give a result to every test that has none, with what is known of it."""
        for index, test in enumerate(self.tests):
            if self._results[index] is None:
                state = self._states.pop(index, None) or _State()
                known = f"; before: {state.error}" if state.error else ""
                state.cause, state.error = cause, error + known
                self._results[index] = self._result(test, state)

    async def _turn(self, index: int) -> float | None:
        """One attempt at a test; the seconds before the next, None if it has its result."""
        test = self.tests[index]
        state = self._states.get(index)
        if state is None:
            state = self._states[index] = _State(began=asyncio.get_running_loop().time())
        final = await self._attempt(test, state)
        if not final and state.turns < test.attempts:
            return self.options.pauses[min(state.turns, len(self.options.pauses)) - 1]
        del self._states[index]
        self._finish(index, self._result(test, state))
        return None

    def _finish(self, index: int, result: ServiceResult) -> None:
        self._results[index] = result
        self._done += 1
        if self.options.on_result:
            self.options.on_result(result, self._done, len(self.tests))

    def _result(self, test: ServiceTest, state: _State) -> ServiceResult:
        return ServiceResult.trusted(
            test=test,
            passed=not state.error,
            status=state.status,
            seconds=round(state.seconds, 6),
            attempts=state.attempts,
            error=state.error,
            cause=str(state.cause),
            at=self.options.clock(),
            before="",
        )

    async def _attempt(self, test: ServiceTest, state: _State) -> bool:
        """One attempt; whether it was the last, whatever the number of those that may be."""
        loop, trace = asyncio.get_running_loop(), Trace(first=not state.turns)
        began = loop.time()
        limit = self._limit(test, began - state.began)
        if limit <= 0:
            state.error += "; the service's own deadline was over"
            return True
        try:
            state.status, state.cause, state.error = await self._outcome(test, trace, limit), "", ""
            final = True
        except FailedAttempt as failed:
            state.status, state.cause = failed.status, failed.cause
            state.error, final = legible(self._hide(test)(failed.reason)), failed.final
        except Exception as error:  # noqa: BLE001 - whatever an endpoint does ends as one test's result
            why = cause_of_anything(error, trace) or _unforeseen(error, self._hide(test))
            state.status, state.cause, final = None, why.cause, False
            state.error = legible(self._hide(test)(why.reason))
        finally:
            state.turns += 1
            state.attempts += trace.sent
            state.seconds = loop.time() - began
        # What sent nothing would send nothing the next time either.
        return final or not (trace.sent or state.cause in {Cause.NO_ADDRESS, Cause.LOCAL})

    def _limit(self, test: ServiceTest, passed: float) -> float:
        if test.service is None or test.service.deadline is None:
            return test.timeout
        return min(test.timeout, test.service.deadline.total_seconds() - passed)

    async def _outcome(self, test: ServiceTest, trace: Trace, limit: float) -> int | None:
        if test.expect != "answer":
            # It keeps to the limit itself. A second one around it would end first where this process gets no turn.
            await self._unreached(test, trace, limit)
            return None
        try:
            async with asyncio.timeout(limit):
                began = asyncio.get_running_loop().time()
                answer = await self._ask(test, trace)
                seconds = asyncio.get_running_loop().time() - began
        except TimeoutError as error:
            raise waited_for(trace, limit) from error
        return self._judged(test, answer, seconds)

    def _judged(self, test: ServiceTest, answer: ServiceAnswer, seconds: float) -> int | None:
        if test.kind == "tls":
            answer = answer.model_copy(update={"at": self.options.clock()})
        wrong = self.judge(test, answer, self._hide(test))
        limit = test.service.latency if test.service else None
        if not wrong and limit is not None and seconds > limit.total_seconds():
            wrong = f"latency: {1000 * seconds:.0f} ms, and {1000 * limit.total_seconds():.0f} ms are wanted at most"
        status = answer.status or None if test.kind == "http" else None
        if wrong:
            raise FailedAttempt(wrong.partition(":")[0].lower(), wrong, status=status)
        return status

    async def _unreached(self, test: ServiceTest, trace: Trace, limit: float) -> None:
        """Pass if the service can't be reached, in the way that the test wants."""
        wanted = (_UNANSWERED if test.kind == "dns" else _UNREACHED).get(test.expect, frozenset())
        if test.kind == "dns":
            from .dns import reach_dns

            found = await reach_dns(self._places, test, trace, limit)
        else:
            found = await reach(self._places, test, self._port(test), trace, limit)
        got = _GOT_THERE if test.kind != "dns" else frozenset({Cause.RESET})
        failures = [failed for failed in found if failed is not None and failed.cause not in got]
        if len(failures) < len(found):
            did = "answered" if test.kind == "dns" else "took a connection"
            raise FailedAttempt(Cause.REACHED, f"reached: {trace.where} {did}, and was to be {test.expect}")
        # One address that could not be tried from here leaves it open whether all can't be reached.
        for failed in sorted(failures, key=lambda failed: failed.cause != Cause.LOCAL):
            if failed.cause not in wanted:
                raise failed

    async def _ask(self, test: ServiceTest, trace: Trace) -> ServiceAnswer:
        if test.kind == "tcp":
            return await ask_tcp(self._places, test, self._port(test), trace)
        if test.kind == "tls":
            return await ask_tls(self._places, test, self._port(test), trace, self.options.tls)
        if test.kind == "dns":
            from .dns import ask_dns

            return await ask_dns(self._places, test, trace)
        # An attempt after one that failed is a new connection always.
        shared = trace.first and self._asked[_place(test)] > 1
        request = make_request(test, self._secrets(test), shared=shared)
        if test.service is not None and test.service.http2:
            from .http2 import ask_http2

            return await ask_http2(self._places, test, request, trace, self.options.tls)
        return await self._http.ask(test, request, trace)

    def _port(self, test: ServiceTest) -> int:
        if test.kind == "http":
            return parse_url(test.url).port or 0
        port = test.service.port if test.service else None
        return port or _PORTS.get(test.kind, 0)

    def _secrets(self, test: ServiceTest) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in _secret_texts(test):
            value = self.options.secrets(text.variable)
            if not value:
                raise FailedAttempt(Cause.SECRET, f"secret: the variable {text.variable} is not set", final=True)
            if any(letter in value for letter in "\r\n\0"):
                raise FailedAttempt(
                    Cause.SECRET, f"secret: the variable {text.variable} has a line break in it", final=True
                )
            found[text.variable] = value
        return found

    def _hide(self, test: ServiceTest) -> Hide:
        # A server may send back what it was sent.
        return hiding(self.options.secrets(text.variable) or "" for text in _secret_texts(test))


def _bounds(options: ProbeOptions) -> Bounds:
    # Half of the files that this process may open: answers are written meanwhile, and a notebook has its own.
    waiting, files = _WAITING * options.concurrency, resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY:
        waiting = max(0, min(waiting, files // 2 - options.concurrency))
    return Bounds(options.concurrency, waiting, options.patience)


def _place(test: ServiceTest) -> tuple[str, str]:
    return test.address, test.url.partition("://")[2].partition("/")[0]


def _secret_texts(test: ServiceTest) -> list[SecretText]:
    if test.service is None:
        return []
    values = [*test.service.headers.values(), test.service.body]
    return [value for value in values if isinstance(value, SecretText)]


def _unforeseen(error: Exception, hide: Hide) -> FailedAttempt:
    return FailedAttempt(Cause.FAILED, f"failed: {type(error).__name__}: {' '.join(hide(str(error)).split())[:160]}")
