"""HTTP/1.1 with aiohttp: one request on a connection of its own, read as far as the verdict needs."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from ...models.service_config import SecretText
from ...models.services import ServiceAnswer, ServiceTest
from .attempt import Cause, FailedAttempt, Stage, Trace, cause_of_anything, reset_cause, tls_failure
from .connect import Connected, connect
from .hide import Hide, hiding
from .places import Places

__all__ = [
    "BODY",
    "REDIRECTS",
    "USER_AGENT",
    "Http1",
    "Request",
    "absolute",
    "make_request",
    "next_request",
    "parse_url",
]

BODY: Final = 1024 * 1024
REDIRECTS: Final = 5
USER_AGENT: Final = "runbook-service-tests"
_REDIRECT: Final = frozenset({301, 302, 303, 307, 308})
_CODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})

# aiohttp makes its sockets by one function for all requests; a request's own connection is handed to it here.
_socket: ContextVar[Connected | None] = ContextVar("_socket")


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `host` is where it goes, `url` what is asked, `headers` and `body` with their secrets.

    `shared` is whether other tests ask the same place, so that a connection is worth keeping; `hide` takes the secrets
    out of what comes back.
    """

    method: str
    url: URL
    host: str
    headers: dict[str, str]
    body: bytes = b""
    shared: bool = False
    hide: Hide = str


class Http1:
    """Sessions for plain HTTP and for TLS.

    A connection is made for each attempt, but not for one that asks GET or HEAD where this run got an answer moments
    before, at the same address, port and name: that one gets there is known. `keep` is how many are kept for that.
    """

    def __init__(self, places: Places, tls: ssl.SSLContext | None, keep: int = 0) -> None:
        self._places, self._keep = places, keep
        self._idle: Counter[tuple[str, str]] = Counter()
        self._kept_now = 0
        self._ends: dict[tuple[str, str], tuple[str, int]] = {}
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_end.append(_note_handshake)
        self._plain, self._kept = _session(None, []), _session(None, [], close=False)
        self._secure = _session(tls, [tracing])

    async def close(self) -> None:
        """Close all sessions."""
        for session in (self._plain, self._kept, self._secure):
            await session.close()

    async def ask(self, test: ServiceTest, request: Request, trace: Trace) -> ServiceAnswer:
        """The answer to a request, redirects followed as far as the test lets them."""
        for _ in range(REDIRECTS + 1):
            answer = await self._one(request, trace)
            following = next_request(test, request, answer)
            if following is None:
                return answer
            request = following
        raise FailedAttempt(
            Cause.REDIRECT, f"redirect: more than {REDIRECTS} in a row", status=answer.status, final=True
        )

    async def _one(self, request: Request, trace: Trace) -> ServiceAnswer:
        if request.url.scheme == "https":
            return (await self._connected(self._secure, request, trace, Stage.HANDSHAKE))[0]
        if not request.shared:
            return (await self._connected(self._plain, request, trace, Stage.ANSWER))[0]
        place = request.host, request.url.authority
        found: tuple[ServiceAnswer, bool] | None = None
        if self._idle[place]:
            self._idle[place] -= 1
            self._kept_now -= 1
            found = await self._on_kept(place, request, trace)
        if found is None:
            session = self._kept if self._kept_now < self._keep else self._plain
            found = await self._connected(session, request, trace, Stage.ANSWER)
        answer, reusable = found
        self._idle[place] += reusable
        self._kept_now += reusable
        return answer

    async def _on_kept(
        self, place: tuple[str, str], request: Request, trace: Trace
    ) -> tuple[ServiceAnswer, bool] | None:
        """The answer on a connection that was kept; None if there is none that still holds."""
        trace.where, trace.stage, trace.sent = place[1], Stage.ANSWER, True
        token = _socket.set(None)
        try:
            return await self._over(self._kept, request, trace, self._ends[place])
        except (_NoneKept, FailedAttempt):
            return None  # whoever kept it open may have closed it: that says nothing of the next one
        finally:
            _socket.reset(token)

    async def _connected(
        self, session: aiohttp.ClientSession, request: Request, trace: Trace, stage: Stage
    ) -> tuple[ServiceAnswer, bool]:
        sock, address = await connect(self._places, request.host, request.url.port or 0, trace)
        trace.stage = stage
        token = _socket.set(sock)
        try:
            answer, reusable = await self._over(session, request, trace, (address, sock.port))
        finally:
            _socket.reset(token)
            if not sock.taken:
                sock.close()
        if session is not self._kept:
            return answer, False
        self._ends[request.host, request.url.authority] = address, sock.port
        return answer, reusable

    async def _over(
        self, session: aiohttp.ClientSession, request: Request, trace: Trace, end: tuple[str, int]
    ) -> tuple[ServiceAnswer, bool]:
        url, headers = request.url, request.headers
        there = url
        if (url.raw_host, url.port) != end:
            # A connection is kept by where it leads: two places may be led to two ports of one address.
            there, headers = (
                url.with_host(end[0]).with_port(end[1]),
                {"Host": url.host_port_subcomponent or "", **headers},
            )
        try:
            async with session.request(
                request.method,
                there,
                headers=headers,
                data=request.body or None,
                server_hostname=url.host if url.scheme == "https" else None,
                allow_redirects=False,
                trace_request_ctx=trace,
            ) as response:
                trace.stage = Stage.BODY
                answer = await _read(response, url)
                ends = answer.truncated or response.headers.get("Connection", "").lower() == "close"
                return answer, not ends and answer.version == "1.1"
        except (FailedAttempt, _NoneKept):
            raise
        except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
            raise _explain(error, trace, request.hide) from error


class _NoneKept(Exception):  # noqa: N818 - no error: the connection that was kept is gone
    pass


def next_request(test: ServiceTest, request: Request, answer: ServiceAnswer) -> Request | None:
    """The request that a redirect leads to; None if the answer is the one to judge.

    FailedAttempt names a target to which the test was not told to go.
    """
    if answer.status not in _REDIRECT or not _follows(test, answer.status):
        return None
    target = _target(answer, request.hide)
    keeps = answer.status in {307, 308} or request.method in {"GET", "HEAD"}
    if target.origin() == request.url.origin():
        host, headers = request.host, request.headers
    elif _listed(test, target):
        # What is meant for one origin is nothing for another, whoever listed it.
        host, headers = str(target.host), {}
        if keeps and test.service and isinstance(test.service.body, SecretText):
            said = f"redirect: to {_elsewhere(request.url, target)}, and the body with its secret is not for that one"
            raise FailedAttempt(Cause.REDIRECT, said, status=answer.status, final=True)
    else:
        said = f"redirect: to {_elsewhere(request.url, target)}"
        raise FailedAttempt(Cause.REDIRECT, said, status=answer.status, final=True)
    method, body = (request.method, request.body) if keeps else ("GET", b"")
    return Request(method, target, host, headers, body, hide=request.hide)


def _follows(test: ServiceTest, status: int) -> bool:
    wanted = test.status
    asked = str(status) == str(wanted) or (isinstance(wanted, str) and wanted[:1] == "3")
    return not asked and (test.service is None or test.service.redirect == "allowed")


def _target(answer: ServiceAnswer, hide: Hide) -> URL:
    try:
        target = URL(answer.location)
        if target.scheme in {"http", "https"} and target.host and target.port:
            return target
    except ValueError:
        pass
    said = repr(hide(answer.location)[:200]) if answer.location else "nowhere"
    raise FailedAttempt(Cause.REDIRECT, f"redirect: to {said}, which can't be asked", status=answer.status, final=True)


def _listed(test: ServiceTest, target: URL) -> bool:
    listed = test.service.redirects_to if test.service else ()
    return any(URL(origin).origin() == target.origin() for origin in listed)


def _elsewhere(asked: URL, target: URL) -> str:
    if asked.host != target.host:
        return f"another host, {target.host}"
    what = "scheme" if asked.scheme != target.scheme else "port"
    return f"another {what}, {target.origin()}"


async def _read(response: aiohttp.ClientResponse, url: URL) -> ServiceAnswer:
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    body = bytearray()
    while chunk := await response.content.readany():
        body += chunk
        if len(body) > BODY:
            break
    version = response.version
    return ServiceAnswer.trusted(
        status=response.status,
        body=bytes(body[:BODY]),
        charset=_charset(response),
        truncated=len(body) > BODY,
        headers=tuple(response.headers.items()),
        location=absolute(url, response.headers.get("Location", "")),
        undecodable=coding if coding not in _CODINGS else "",
        version=f"{version.major}.{version.minor}" if version else "",
        certificate=None,
        records=(),
        at=None,
    )


def _charset(response: aiohttp.ClientResponse) -> str:
    try:
        return response.charset or "utf-8"
    except ValueError:
        return "utf-8"


def absolute(url: URL, location: str) -> str:
    """The target of a redirect, as far as it is one."""
    if not location:
        return ""
    try:
        return str(url.join(URL(location)))
    except ValueError:
        return location


def _explain(error: Exception, trace: Trace, hide: Hide) -> FailedAttempt:
    tls = _tls(error)
    if tls is not None:
        return tls_failure(tls)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return FailedAttempt(Cause.URL, f"url: {hide(str(error))[:200]} can't be asked", final=True)
    if isinstance(error, aiohttp.ClientPayloadError):
        return _payload(error, trace)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return reset_cause(trace)
    if isinstance(error, aiohttp.ClientResponseError):
        return _not_http(error, trace)
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    return cause_of_anything(error, trace) or FailedAttempt(
        Cause.FAILED, f"failed: {type(error).__name__}: {hide(str(error))[:160]}"
    )


def _payload(error: BaseException, trace: Trace) -> FailedAttempt:
    # aiohttp says as one what may be a broken coding, broken chunks or an end before the end.
    inner: BaseException | None = error
    told = []
    while inner is not None:
        told.append(f"{type(inner).__name__} {inner}")
        inner = inner.__cause__ or inner.__context__
    text = " ".join(told)
    if "ContentEncodingError" in text or "decode content-encoding" in text:
        return FailedAttempt(Cause.ENCODING, f"encoding: the body of {trace.where} is not in the coding that it names")
    if "TransferEncodingError" in text and "Not enough data" not in text:
        return FailedAttempt(Cause.PROTOCOL, f"protocol: {trace.where} sent chunks that are not HTTP")
    return reset_cause(trace)


def _not_http(error: aiohttp.ClientResponseError, trace: Trace) -> FailedAttempt:
    if "Got more than" in str(error.message):
        return FailedAttempt(Cause.PROTOCOL, f"protocol: {trace.where} sent a header larger than any reader takes")
    return FailedAttempt(Cause.PROTOCOL, f"protocol: {trace.where} answered with something that is not HTTP")


def _tls(error: Exception) -> BaseException | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        inner = error.os_error
        return inner if isinstance(inner, ssl.SSLError) else ssl.SSLError(str(inner))
    return error if isinstance(error, ssl.SSLError) else None


def _hand_over(address: Any) -> socket.socket:
    sock = _socket.get()
    if sock is None:
        raise _NoneKept
    if sock.taken:
        # aiohttp asks once more by itself when a connection was closed on it. An attempt is one request.
        raise reset_cause(sock.trace)
    sock.taken = True
    return sock


async def _note_handshake(session: Any, context: Any, parameters: Any) -> None:
    context.trace_request_ctx.stage = Stage.ANSWER


def _session(
    tls: ssl.SSLContext | None, tracing: list[aiohttp.TraceConfig], *, close: bool = True
) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, force_close=close, ssl=tls or True, socket_factory=_hand_over)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT},
        trace_configs=tracing,
        timeout=aiohttp.ClientTimeout(total=None),
    )


def _resolved(value: str | SecretText, secrets: dict[str, str]) -> str:
    """A header's value or a body, with its secret in its place."""
    return value if isinstance(value, str) else value.text.replace("{value}", secrets[value.variable])


def make_request(test: ServiceTest, secrets: dict[str, str], *, shared: bool = False) -> Request:
    """The first request of a test."""
    service = test.service
    url = parse_url(test.url)
    shared = shared and test.method in {"GET", "HEAD"}
    if service is None:
        return Request(test.method, url, str(url.host), {}, b"", shared)
    headers = {name: _resolved(value, secrets) for name, value in service.headers.items()}
    body = _resolved(service.body, secrets).encode()
    return Request(test.method, url, test.address, headers, body, shared, hiding(secrets.values()))


def parse_url(text: str) -> URL:
    """A URL that HTTP can be asked of; FailedAttempt of another."""
    try:
        url = URL(text)
        if url.scheme in {"http", "https"} and url.host and url.port:
            return url
    except ValueError as error:
        raise FailedAttempt(Cause.URL, f"url: {text[:200]!r} can't be asked: {error}", final=True) from error
    raise FailedAttempt(Cause.URL, f"url: {text[:200]!r} can't be asked", final=True)
