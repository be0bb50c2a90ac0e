"""Why a request got no answer, in words that tell the causes apart."""

from __future__ import annotations

import errno
import ssl

import aiohttp

__all__ = ["FailedAttempt", "explain"]

_ERRNO = {
    errno.ECONNREFUSED: "refused: nothing listens on {where}",
    errno.EHOSTUNREACH: "unreachable: no route to {where}",
    errno.ENETUNREACH: "unreachable: no route to {where}",
    errno.ECONNRESET: "reset: {where} closed the connection before an answer",
    errno.EPIPE: "reset: {where} closed the connection before an answer",
    errno.ETIMEDOUT: "timeout: no connection to {where}",
}


class FailedAttempt(Exception):  # noqa: N818 - not an error of the program: the service's answer, or the lack of one
    """One attempt that did not pass; `final` if another one would end the same."""

    def __init__(self, reason: str, *, status: int | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.final = final


def explain(error: Exception, where: str, *, connected: bool, timeout: float) -> FailedAttempt:
    """The attempt that this exception ended; `where` is the host and port that were connected to."""
    tls = _tls(error)
    if tls is not None:
        # A certificate does not get better by asking again; a broken handshake may.
        return FailedAttempt(f"TLS: {_reason(tls)}", final=isinstance(tls, ssl.SSLCertVerificationError))
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return FailedAttempt(f"url: {error} can't be asked", final=True)
    if isinstance(error, TimeoutError):
        return FailedAttempt(_timeout(where, connected, timeout))
    return FailedAttempt(_network(error, where))


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
