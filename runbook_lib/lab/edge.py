"""The edge: a listener on loopback for each public address and port, which lets in whom AWS would let in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable

from .moto_fixes import next_addresses
from .rules import SecurityGroups

__all__ = ["PORTS", "Edge"]

# The ports at which somebody may knock; a listener each, whether anything is served there or not.
PORTS = (22, 80, 443, 8000, 8080)

# How many instances may come after the base, and be visited without starting the lab anew.
SPARE = 8

log = logging.getLogger(__name__)

Target = Callable[[str, int], int | None]
Visitor = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Edge:
    """`target` tells the loopback port that serves a public address and port, or None if nothing does."""

    def __init__(self, groups: SecurityGroups, target: Target) -> None:
        self.groups = groups
        self._target = target
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="edge", daemon=True)

    def start(self) -> None:
        """Run; there are no listeners yet."""
        self._thread.start()

    def stop(self) -> None:
        """Close every listener and connection."""
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=3)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=3)

    def refresh(self, ports: Iterable[int] = (), *, spare: bool = False) -> dict[tuple[str, int], int]:
        """Listen for every public address that AWS knows now; the loopback port of each address and port.

        At the usual ports and these; with `spare` also for the addresses that AWS gives next.
        """
        addresses = dict.fromkeys([*self.groups.public_addresses(), *(next_addresses(SPARE) if spare else ())])
        wanted = [(address, port) for address in addresses for port in sorted({*PORTS, *ports})]
        asyncio.run_coroutine_threadsafe(self._listen(wanted), self._loop).result(timeout=10)
        return {place: server.sockets[0].getsockname()[1] for place, server in self._servers.items()}

    async def _listen(self, wanted: list[tuple[str, int]]) -> None:
        for place in wanted:
            if place not in self._servers:
                self._servers[place] = await asyncio.start_server(self._visitor(*place), "127.0.0.1", 0)

    async def _close(self) -> None:
        for server in self._servers.values():
            server.close()
        visits = asyncio.all_tasks() - {asyncio.current_task()}
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)

    def _visitor(self, address: str, port: int) -> Visitor:
        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                local = await asyncio.to_thread(self._admitted, address, port)
                if local is not None:
                    await _forward(reader, writer, local)
            except Exception as error:  # noqa: BLE001  # one visitor's failure must not end the edge
                log.info("%s:%d: %s: %s", address, port, type(error).__name__, error)
            finally:
                # AWS drops the packets of whom it keeps out; here he is cut off at once, which is quicker to notice.
                writer.transport.abort()

        return visit

    def _admitted(self, address: str, port: int) -> int | None:
        refusal = self.groups.refusal(address, port)
        log.info("%s:%d: %s", address, port, f"kept out by {refusal}" if refusal else "let in")
        if refusal:
            return None
        return self._target(*(self.groups.behind(address, port) or (address, port)))


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        writer.close()
        await writer.wait_closed()
    finally:
        inner_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
