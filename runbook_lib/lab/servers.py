"""Web applications on free ports of loopback, each in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["HttpServer"]

# Longer than what calls keeps a connection (90 s in Go): a call that meets a server's closing may be carried out and
# yet be made again.
_KEPT = 120  # seconds


class HttpServer:
    """One application. The port listens from the start, so an early caller waits instead of being refused."""

    def __init__(self, name: str) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        # Accepted connections inherit it. Else an answer's second packet waits 40 ms until its first is acknowledged.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._name = name
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        """Serve the ASGI application."""
        import uvicorn

        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            date_header=False,
            lifespan="off",
            timeout_keep_alive=_KEPT,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        run = self._server.run
        self._thread = threading.Thread(target=run, args=([self._socket],), name=self._name, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Take no more calls; those under way may end."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Wait for the calls under way, one second at most, and close."""
        self.finish()
        self._thread.join(timeout=3)
        self._socket.close()
