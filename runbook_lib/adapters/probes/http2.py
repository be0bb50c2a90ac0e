"""HTTP/2 with httpcore, for the services that ask for it: aiohttp does not speak it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from ...models.services import ServiceAnswer, ServiceTest
from .attempt import Cause, FailedAttempt, Stage, Trace, cause_of_anything, reset_cause
from .connect import connect
from .hide import Hide
from .http1 import BODY, REDIRECTS, USER_AGENT, Request, absolute, next_request
from .places import Places

__all__ = ["ask_http2"]


async def ask_http2(
    places: Places, test: ServiceTest, request: Request, trace: Trace, tls: ssl.SSLContext | None
) -> ServiceAnswer:
    """The answer to a request, redirects followed as far as the test lets them."""
    for _ in range(REDIRECTS + 1):
        answer = await _one(places, request, trace, tls)
        following = next_request(test, request, answer)
        if following is None:
            return answer
        request = following
    raise FailedAttempt(Cause.REDIRECT, f"redirect: more than {REDIRECTS} in a row", status=answer.status, final=True)


async def _one(places: Places, request: Request, trace: Trace, tls: ssl.SSLContext | None) -> ServiceAnswer:
    url = request.url
    secure = url.scheme == "https"
    headers: dict[str | bytes, str | bytes] = {
        "Host": url.host_port_subcomponent or "",
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
    }
    headers.update(request.headers)
    try:
        # Over plain HTTP both sides have to know that it is HTTP/2; over TLS they agree on it, or on HTTP/1.1.
        async with httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            http1=secure,
            http2=True,
            network_backend=_Backend(places, request.host, trace),
        ) as pool, pool.stream(
            request.method, str(url), headers=headers, content=request.body or None
        ) as response:  # fmt: skip
            trace.stage = Stage.BODY
            return await _read(response, request)
    except FailedAttempt:
        raise
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError) as error:
        raise _explain(error, trace, request.hide) from error


async def _read(response: httpcore.Response, request: Request) -> ServiceAnswer:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > BODY:
            break
    told = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
    first = {name.lower(): value for name, value in reversed(told)}
    coding = first.get("content-encoding", "").strip().lower()
    charset = first.get("content-type", "").lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    return ServiceAnswer(
        status=response.status,
        body=bytes(body[:BODY]),
        charset=charset or "utf-8",
        truncated=len(body) > BODY,
        headers=tuple(told),
        location=absolute(request.url, first.get("location", "")),
        undecodable=coding if coding not in {"", "identity"} else "",
        version="2" if response.extensions.get("http_version") == b"HTTP/2" else "1.1",
    )


def _explain(error: Exception, trace: Trace, hide: Hide) -> FailedAttempt:
    if isinstance(error, httpcore.RemoteProtocolError | httpcore.ProtocolError):
        if "disconnected" in str(error).lower():
            return reset_cause(trace)
        return FailedAttempt(Cause.PROTOCOL, f"protocol: {trace.where} answered with something that is not HTTP/2")
    if isinstance(error, httpcore.ReadError | httpcore.WriteError):
        return reset_cause(trace)
    return cause_of_anything(error, trace) or FailedAttempt(
        Cause.FAILED, f"failed: {type(error).__name__}: {hide(str(error))[:160]}"
    )


class _Backend(httpcore.AsyncNetworkBackend):
    """Connections as every other kind makes them, to where the test goes whatever the URL names."""

    def __init__(self, places: Places, host: str, trace: Trace) -> None:
        self._places, self._host, self._trace = places, host, trace

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        sock, _ = await connect(self._places, self._host, port, self._trace)
        self._trace.stage = Stage.ANSWER
        return _Stream(*await asyncio.open_connection(sock=sock), self._trace)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trace: Trace) -> None:
        self._reader, self._writer, self._trace = reader, writer, trace
        self._fresh = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._reader.read(max_bytes)
        if self._fresh and data.startswith(b"HTTP/1."):
            raise FailedAttempt(Cause.PROTOCOL, f"protocol: {self._trace.where} answered with HTTP/1, and not HTTP/2")
        self._fresh = False
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self._trace.stage = Stage.HANDSHAKE
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except (OSError, EOFError) as error:
            failed = cause_of_anything(error, self._trace)
            raise failed or FailedAttempt(Cause.TLS, f"TLS: {str(error)[:160]}") from error
        self._trace.stage, self._fresh = Stage.ANSWER, False  # over TLS both may have agreed on HTTP/1.1
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._reader.at_eof()
        return self._writer.get_extra_info(info)
