"""An attempt that did not pass, and how far it had come."""

from __future__ import annotations

import errno
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "Cause",
    "FailedAttempt",
    "Stage",
    "Trace",
    "cause_of_anything",
    "connecting_failure",
    "reset_cause",
    "tls_failure",
    "waited_for",
]


class Cause(StrEnum):
    """What an attempt failed of, where it was not the answer; the domain names what is wrong with an answer."""

    REFUSED = "refused"
    NO_CONNECTION = "no_connection"
    NO_ROUTE = "no_route"
    NO_ADDRESS = "no_address"
    FORBIDDEN = "forbidden"
    CUT = "cut"
    HANDSHAKE = "handshake"
    CERTIFICATE = "certificate"
    TLS = "tls"
    SILENT = "silent"
    SLOW = "slow"
    RESET = "reset"
    BROKEN_OFF = "broken_off"
    PROTOCOL = "protocol"
    ENCODING = "encoding"
    REDIRECT = "redirect"
    URL = "url"
    SECRET = "secret"  # noqa: S105 - a cause, not one
    LOCAL = "local"
    FAILED = "failed"
    REACHED = "reached"
    NAMESERVER = "nameserver"
    ABSENT = "absent"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"


class Stage(StrEnum):
    """How far an attempt had come: what it waited for."""

    RESOLVING = "resolving"
    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    ANSWER = "answer"
    BODY = "body"


@dataclass(slots=True)
class Trace:
    """One attempt as it goes: where to, how far, whether a packet of it left, and whether it is the first."""

    where: str = ""
    stage: Stage = Stage.RESOLVING
    sent: bool = False
    through: bool = False
    first: bool = True


class FailedAttempt(Exception):  # noqa: N818 - not an error of the program: the service's answer, or the lack of one
    """One attempt that did not pass; `final` if another one would end the same."""

    def __init__(self, cause: str, reason: str, *, status: int | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.status = status
        self.final = final


_WAITED = {
    Stage.RESOLVING: (Cause.NO_ADDRESS, "timeout: no address for {where} within {limit:g} s"),
    Stage.CONNECTING: (
        Cause.NO_CONNECTION,
        "timeout: no connection to {where} within {limit:g} s; a security group, firewall or route may drop it",
    ),
    Stage.HANDSHAKE: (
        Cause.HANDSHAKE,
        "timeout: {where} took the connection but did not end the TLS handshake within {limit:g} s",
    ),
    Stage.ANSWER: (Cause.SILENT, "timeout: {where} took the connection but did not answer within {limit:g} s"),
    Stage.BODY: (Cause.SLOW, "timeout: {where} began to answer but did not end within {limit:g} s"),
}


def waited_for(trace: Trace, limit: float) -> FailedAttempt:
    """The failure of an attempt that took too long."""
    cause, text = _WAITED[trace.stage]
    return FailedAttempt(cause, text.format(where=trace.where, limit=limit))


def reset_cause(trace: Trace) -> FailedAttempt:
    """The failure of an attempt whose connection the other side ended."""
    if trace.stage is Stage.BODY:
        return FailedAttempt(Cause.BROKEN_OFF, f"reset: {trace.where} broke off in the middle of the answer")
    during = " in the TLS handshake" if trace.stage is Stage.HANDSHAKE else ""
    # What stands for the address on the way can't drop packets: it cuts off whom it keeps out.
    cause = Cause.CUT if trace.through else Cause.RESET
    return FailedAttempt(cause, f"reset: {trace.where} closed the connection before an answer{during}")


def tls_failure(error: BaseException) -> FailedAttempt:
    """The failure of a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # A certificate does not get better by asking again; a broken handshake may.
        why = str(error.verify_message or error).rstrip(".")
        return FailedAttempt(Cause.CERTIFICATE, f"TLS: the certificate is not valid: {why}", final=True)
    why = str(getattr(error, "reason", "") or error).replace("_", " ").lower()
    return FailedAttempt(Cause.TLS, f"TLS: {why[:200]}")


_CONNECTING = {
    errno.ECONNREFUSED: (Cause.REFUSED, "refused: nothing listens on {where}"),
    errno.EHOSTUNREACH: (Cause.NO_ROUTE, "unreachable: the way to {where} ends at a router or host that says so"),
    errno.ENETUNREACH: (Cause.LOCAL, "unreachable: this machine has no route to {where}"),
    errno.ETIMEDOUT: (Cause.NO_CONNECTION, "timeout: no connection to {where}"),
    errno.ECONNRESET: (Cause.RESET, "reset: {where} closed the connection before an answer"),
    errno.EADDRNOTAVAIL: (Cause.LOCAL, "local: this machine has no address or port left to reach {where} from"),
    errno.EMFILE: (Cause.LOCAL, "local: this process may open no more connections; lower concurrency"),
    errno.ENFILE: (Cause.LOCAL, "local: this machine may open no more connections"),
    errno.EACCES: (Cause.LOCAL, "local: this machine's own firewall forbids {where}"),
    errno.EPERM: (Cause.LOCAL, "local: this machine's own firewall forbids {where}"),
    errno.EAFNOSUPPORT: (Cause.LOCAL, "local: this machine does not speak the address family of {where}"),
}


def connecting_failure(error: OSError, where: str) -> FailedAttempt:
    """The failure of a connection that did not come about."""
    cause, text = _CONNECTING.get(error.errno or 0, (Cause.FAILED, f"failed: {str(error)[:160]} ({{where}})"))
    return FailedAttempt(cause, text.format(where=where))


def cause_of_anything(error: BaseException, trace: Trace) -> FailedAttempt | None:
    """The failure behind an error that no kind of service explains better; None if there is none known."""
    if isinstance(error, ssl.SSLError):
        return tls_failure(error)
    # TLS over a connection that ended tells so by several errors.
    kinds: tuple[Any, ...] = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, EOFError)
    if isinstance(error, kinds) or getattr(error, "errno", None) in {errno.ECONNRESET, errno.EPIPE}:
        return reset_cause(trace)
    if isinstance(error, OSError) and error.errno in _CONNECTING:
        return connecting_failure(error, trace.where)
    return None
