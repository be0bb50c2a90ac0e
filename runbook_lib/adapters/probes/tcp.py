"""Plain TCP: whether one gets there, and what a server says first."""

from __future__ import annotations

import asyncio
from typing import Final

from ...models.services import ServiceAnswer, ServiceTest
from .attempt import Cause, FailedAttempt, Stage, Trace, cause_of_anything, reset_cause
from .connect import Connected, connect, connect_one, everywhere
from .places import Address, Places

__all__ = ["ask_tcp", "reach"]

_BANNER: Final = 64 * 1024
# How long whatever stands for an address on the way may take to cut off whom it keeps out.
_SETTLE: Final = 1.0


async def ask_tcp(places: Places, test: ServiceTest, port: int, trace: Trace) -> ServiceAnswer:
    """What the server says until the wanted text is in it; nothing is read where nothing is wanted."""
    service = test.service
    sock, _ = await connect(places, test.address, port, trace)
    reader, writer = await asyncio.open_connection(sock=sock)
    trace.stage = Stage.ANSWER
    try:
        if service is not None and service.send:
            writer.write(service.send.encode())
            await writer.drain()
        wants = service is not None and bool(service.contains or service.matches)
        if not wants:
            await _stays(reader, test.timeout, trace)
            return ServiceAnswer()
        return await _listen(reader, trace)
    except OSError as error:
        raise cause_of_anything(error, trace) or FailedAttempt(Cause.FAILED, f"failed: {str(error)[:160]}") from error
    finally:
        writer.transport.abort()


async def reach(places: Places, test: ServiceTest, port: int, trace: Trace, limit: float) -> list[FailedAttempt | None]:
    """Try to get to each address, and no further: why one can't, None where one can. `limit` in seconds."""

    async def attempt(address: Address, to_port: int, own: Trace) -> None:
        sock = await connect_one(address, to_port, own)
        if not own.through:
            sock.close()
            return
        own.stage = Stage.ANSWER
        await _stays_open(sock, test.timeout, own)

    return await everywhere(places, (test.address, port), trace, limit, attempt)


async def _stays_open(sock: Connected, timeout: float, trace: Trace) -> None:
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        await _stays(reader, timeout, trace)
    except OSError as error:
        raise reset_cause(trace) from error
    finally:
        writer.transport.abort()


async def _stays(reader: asyncio.StreamReader, timeout: float, trace: Trace) -> None:
    """Wait whether what stands for the address cuts the connection off; the address itself would not have taken it."""
    if not trace.through:
        return
    try:
        async with asyncio.timeout(min(_SETTLE, 0.8 * timeout)):
            data = await reader.read(1)
    except TimeoutError:
        return
    if not data:
        raise reset_cause(trace)


async def _listen(reader: asyncio.StreamReader, trace: Trace) -> ServiceAnswer:
    """The first line, or all that came until the server ended or a moment passed without more."""
    heard = b""
    while len(heard) < _BANNER:
        if not heard:
            data = await reader.read(4096)
        else:
            trace.stage = Stage.BODY
            try:
                async with asyncio.timeout(0.3):
                    data = await reader.read(4096)
            except TimeoutError:
                break
        if not data:
            break
        heard += data
    if not heard:
        raise reset_cause(trace)
    return ServiceAnswer(body=heard, truncated=len(heard) >= _BANNER)
