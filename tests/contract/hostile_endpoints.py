"""Endpoints on loopback that misbehave, each in its own way; a connection is handed to a function of its endpoint."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache

Handler = Callable[[socket.socket], None]
_stop = threading.Event()
HEAD = b"HTTP/1.1 200 OK\r\n"


def let_go() -> None:
    """End whoever holds a connection now; who is asked later, by another test in this process, holds it again."""
    global _stop  # noqa: PLW0603 - what is held now waits for this very event
    _stop.set()
    _stop = threading.Event()


@contextlib.contextmanager
def serving(sock: socket.socket, loop: Callable[[], None]) -> Iterator[socket.socket]:
    """Runs the loop that reads from this socket in a thread, which has left before the socket is closed.

    A loop that still waits when its socket is closed reads from whatever file is next opened under the same number.
    """

    def run() -> None:
        with contextlib.suppress(OSError):
            loop()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with sock:
        try:
            yield sock
        finally:
            _wake(sock)
            thread.join()


def _wake(sock: socket.socket) -> None:
    """End a wait for this socket: it closes for reading; UDP says besides that it has nobody at the other end."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def listen(handle: Handler, family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """A listener that treats each connection in a thread of its own."""
    listener = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family)

    def treat(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            handle(connection)

    def loop() -> None:
        while True:
            threading.Thread(target=treat, args=(listener.accept()[0],), daemon=True).start()

    with serving(listener, loop):
        yield listener


def request_of(connection: socket.socket) -> bytes:
    """What was asked, up to the end of its headers."""
    heard = b""
    while b"\r\n\r\n" not in heard and (data := connection.recv(65536)):
        heard += data
    return heard


def says(answer: bytes) -> Handler:
    """Answers with these bytes and ends the connection."""

    def handle(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    return handle


def page(
    body: bytes = b"<img src='x'>", headers: bytes = b"Content-Type: text/html\r\n", status: bytes = b"200 OK"
) -> Handler:
    """A whole answer."""
    return says(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body))


def charset(name: bytes, body: bytes = b"<img src='x'>") -> Handler:
    """A page in a charset."""
    return page(body, b"Content-Type: text/html; charset=%s\r\n" % name)


def coded(coding: bytes, body: bytes) -> Handler:
    """A body in a content coding."""
    return page(body, b"Content-Encoding: %s\r\n" % coding)


def moved(location: bytes, status: bytes = b"302 Found") -> Handler:
    """A redirect."""
    return page(b"", b"Location: %s\r\n" % location, status)


def resets(after_request: bool) -> Handler:
    """Resets the connection."""

    def handle(connection: socket.socket) -> None:
        if after_request:
            request_of(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return handle


def repeats(first: bytes, more: bytes, pause: float = 0.0) -> Handler:
    """Says something, and then more of it without end."""

    def handle(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(first)
        stop = _stop
        while not stop.wait(pause) if pause else not stop.is_set():
            connection.sendall(more)

    return handle


def holds(first: bytes = b"") -> Handler:
    """Says so much, and then nothing, without ending."""

    def handle(connection: socket.socket) -> None:
        if first:
            request_of(connection)
            connection.sendall(first)
        _stop.wait(300)

    return handle


def greets(words: bytes, end: bool = False) -> Handler:
    """Speaks first, as SSH and mail do."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(words)
        if not end:
            _stop.wait(300)

    return handle


def closes(connection: socket.socket) -> None:
    """Takes the connection and ends it."""
    connection.shutdown(socket.SHUT_RDWR)


def after_some(connection: socket.socket) -> None:
    """Reads a handshake's beginning, and ends."""
    connection.recv(16)
    connection.shutdown(socket.SHUT_RDWR)


def resets_a_handshake(connection: socket.socket) -> None:
    """Reads a handshake's beginning, and resets."""
    connection.recv(16)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def late(seconds: float) -> Handler:
    """Answers after a while."""

    def handle(connection: socket.socket) -> None:
        time.sleep(seconds)
        page()(connection)

    return handle


def echoes(connection: socket.socket) -> None:
    """Sends the whole request back, as the target of a redirect."""
    value = request_of(connection).partition(b"X-Key: ")[2].partition(b"\r\n")[0]
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://%s.example/\r\nContent-Length: 0\r\n\r\n" % value)
    connection.recv(1)


def secure(context: ssl.SSLContext, handle: Handler) -> Handler:
    """The same over TLS."""

    def treat(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            handle(wrapped)

    return treat


@cache
def bomb() -> bytes:
    """A gigabyte of nothing in a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(1024)) + packer.flush()


def packed(text: bytes = b"<img src='x'>") -> bytes:
    """A body as gzip."""
    return gzip.compress(text)


@contextlib.contextmanager
def full_queue() -> Iterator[int]:
    """The port of a listener that takes no further connection and refuses none, like a security group."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for sock in waiting:
            sock.close()
