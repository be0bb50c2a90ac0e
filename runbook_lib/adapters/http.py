"""The service tests on the wire: many requests at once, each with its own verdict."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import aiohttp
import stamina
from yarl import URL

from ..models.services import ServiceAnswer, ServiceResult, ServiceTest
from .connect_to import ConnectTo, redirect
from .logs import configure_logs

__all__ = ["HttpOptions", "run_tests"]

Judge = Callable[[ServiceTest, ServiceAnswer], str]
Progress = Callable[[ServiceResult, int, int], None]
T = TypeVar("T")
_BODY: Final = 1024 * 1024
_REDIRECTS: Final = 5
_ERRNO = {
    errno.ECONNREFUSED: "refused: nothing listens on {where}",
    errno.EHOSTUNREACH: "unreachable: no route to {where}",
    errno.ENETUNREACH: "unreachable: no route to {where}",
    errno.ECONNRESET: "reset: {where} closed the connection before an answer",
    errno.EPIPE: "reset: {where} closed the connection before an answer",
    errno.ETIMEDOUT: "timeout: no connection to {where}",
}


class _FailedAttempt(Exception):  # noqa: N818 - not an error of the program: the service's answer, or the lack of one
    """One attempt that did not pass; `final` if another one would end the same."""

    def __init__(self, reason: str, *, status: int | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.final = final


@dataclass(frozen=True)
class HttpOptions:
    """How to ask.

    `tls` holds other authorities than the system's; `on_result` hears each result, how many there are, and of how many.
    """

    connect_to: tuple[ConnectTo, ...] = ()
    concurrency: int = 50
    tls: ssl.SSLContext | None = None
    on_result: Progress | None = None
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def run_tests(
    tests: Iterable[ServiceTest], judge: Judge, options: HttpOptions | None = None
) -> tuple[ServiceResult, ...]:
    """Carry out all tests and give their results in the same order; `judge` says what is wrong with an answer.

    Every attempt is a new connection, without a proxy: what is tested is whether one can get there. Attempts follow
    each other as a result fails, but not where the next would end the same. Redirects are followed on the same host.
    """
    configure_logs()
    wanted = tuple(tests)
    # In a notebook a loop already runs in this thread, so the requests get a thread and a loop of their own.
    return _in_own_loop(lambda: _run_all(wanted, judge, options or HttpOptions()))


def _in_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def main() -> T:
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="service-tests") as pool:
        done = pool.submit(lambda: asyncio.run(main()))
        try:
            return done.result()
        except BaseException:
            if not done.done():  # an interrupt: it must not wait for three thousand requests
                loop, task = started.result()
                if task is not None:
                    loop.call_soon_threadsafe(task.cancel)
            raise


async def _run_all(tests: tuple[ServiceTest, ...], judge: Judge, options: HttpOptions) -> tuple[ServiceResult, ...]:
    places = asyncio.Semaphore(options.concurrency)
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=options.tls or True)
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(_note_connection)
    headers = {"User-Agent": "runbook-service-tests"}
    finished = 0

    async def one(test: ServiceTest) -> ServiceResult:
        nonlocal finished
        async with places:
            result = await _Probe(session, test, judge, options).run()
        finished += 1
        if options.on_result:
            options.on_result(result, finished, len(tests))
        return result

    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=headers, trace_configs=[tracing]
    ) as session:
        return tuple(await asyncio.gather(*(one(test) for test in tests)))


async def _note_connection(session: Any, context: Any, parameters: Any) -> None:
    if isinstance(context.trace_request_ctx, dict):
        context.trace_request_ctx["connected"] = True


@dataclass
class _Probe:
    """One test with its attempts."""

    session: aiohttp.ClientSession
    test: ServiceTest
    judge: Judge
    options: HttpOptions

    async def run(self) -> ServiceResult:
        count, seconds = 0, 0.0
        status: int | None = None
        error = ""
        loop = asyncio.get_running_loop()
        attempts = stamina.retry_context(
            on=lambda error: isinstance(error, _FailedAttempt) and not error.final,
            attempts=self.test.attempts,
            timeout=None,
            wait_initial=0.2,
            wait_max=3.0,
            wait_jitter=0.2,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    count, began = attempt.num, loop.time()
                    try:
                        status = await self._attempt()
                    finally:
                        seconds = loop.time() - began
        except _FailedAttempt as failed:
            error, status = failed.reason, failed.status
        return ServiceResult(
            test=self.test,
            passed=not error,
            status=status,
            seconds=round(seconds, 6),
            attempts=count,
            error=error,
            at=self.options.clock(),
        )

    async def _attempt(self) -> int:
        answer = await self._ask()
        wrong = self.judge(self.test, answer)
        if wrong:
            raise _FailedAttempt(wrong, status=answer.status)
        return answer.status

    async def _ask(self) -> ServiceAnswer:
        noted: dict[str, bool] = {}
        where = self.test.url
        try:
            url = URL(self.test.url)
            where = self._where(url)
            async with asyncio.timeout(self.test.timeout):
                return await self._follow(url, noted)
        except _FailedAttempt:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            connected = noted.get("connected", False)
            raise _explain(error, where, connected=connected, timeout=self.test.timeout) from error

    async def _follow(self, url: URL, noted: dict[str, bool]) -> ServiceAnswer:
        first = url.host
        for _ in range(_REDIRECTS + 1):
            async with self._request(url, noted) as response:
                location = response.headers.get("Location")
                if response.status not in {301, 302, 303, 307, 308} or response.status == self.test.status:
                    return await _read(response)
            if not location:
                return ServiceAnswer(status=response.status)
            url = url.join(URL(location))
            if url.host != first:
                raise _FailedAttempt(f"redirect: to another host, {url.host}", status=response.status, final=True)
        raise _FailedAttempt(f"redirect: more than {_REDIRECTS} in a row", status=response.status, final=True)

    def _request(self, url: URL, noted: dict[str, bool]) -> Any:
        host, port = self._endpoint(url)
        elsewhere = (host, port) != (url.host, url.port)
        return self.session.request(
            self.test.method,
            url.with_host(host).with_port(port) if elsewhere else url,
            headers={"Host": url.host_port_subcomponent or ""} if elsewhere else {},
            server_hostname=url.host if elsewhere and url.scheme == "https" else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
            trace_request_ctx=noted,
        )

    def _where(self, url: URL) -> str:
        host, port = self._endpoint(url)
        meant = _pair(str(url.host), int(url.port or 0))
        return meant if (host, port) == (url.host, url.port) else f"{meant} (through {_pair(host, port)})"

    def _endpoint(self, url: URL) -> tuple[str, int]:
        if url.scheme not in {"http", "https"} or not url.host or not url.port:
            raise aiohttp.NonHttpUrlClientError(str(url))
        return redirect(self.options.connect_to, url.host, url.port)


def _pair(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _read(response: aiohttp.ClientResponse) -> ServiceAnswer:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > _BODY:
            break
    return ServiceAnswer(
        status=response.status,
        body=bytes(body[:_BODY]),
        charset=response.charset or "utf-8",
        truncated=len(body) > _BODY,
    )


def _explain(error: Exception, where: str, *, connected: bool, timeout: float) -> _FailedAttempt:
    # `where` is the host and port that were connected to.
    tls = _tls(error)
    if tls is not None:
        # A certificate does not get better by asking again; a broken handshake may.
        return _FailedAttempt(f"TLS: {_reason(tls)}", final=isinstance(tls, ssl.SSLCertVerificationError))
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return _FailedAttempt(f"url: {error} can't be asked", final=True)
    if isinstance(error, TimeoutError):
        return _FailedAttempt(_timeout(where, connected, timeout))
    return _FailedAttempt(_network(error, where))


def _network(error: Exception, where: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"DNS: no address for {where}"
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return _ERRNO[error.errno].format(where=where)
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return _ERRNO[errno.ECONNRESET].format(where=where)
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"reset: {where} broke off in the middle of the answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"protocol: {where} answered with something that is not HTTP"
    return f"failed: {type(error).__name__}: {str(error)[:200]}"


def _timeout(where: str, connected: bool, timeout: float) -> str:
    if connected:
        return f"timeout: {where} took the connection but did not answer within {timeout:g} s"
    return f"timeout: no connection to {where} within {timeout:g} s; a security group, firewall or route may drop it"


def _tls(error: Exception) -> ssl.SSLError | ssl.CertificateError | None:
    inner: object = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        inner = error.os_error
    elif not isinstance(error, ssl.SSLError):
        return None
    return inner if isinstance(inner, ssl.SSLError | ssl.CertificateError) else ssl.SSLError(str(inner))


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message or error}".rstrip(".")
    return str(getattr(error, "reason", "") or error).replace("_", " ").lower()
