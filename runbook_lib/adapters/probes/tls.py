"""TLS: a handshake, the certificate that the server shows, and whether it still speaks older versions."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from datetime import datetime
from typing import Any, Final

from ...models.services import Certificate, ServiceAnswer, ServiceTest
from .attempt import Cause, FailedAttempt, Stage, Trace, cause_of_anything
from .connect import connect
from .places import Places

__all__ = ["ask_tls"]

_VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


async def ask_tls(
    places: Places, test: ServiceTest, port: int, trace: Trace, trusted: ssl.SSLContext | None
) -> ServiceAnswer:
    """What a server shows of itself. `trusted` holds other authorities than the system's."""
    service = test.service
    minimum = service.minimum_version if service else "1.2"
    whom = test, port, (service.server_name if service else "") or test.address
    doubts = {"untrusted": "", "unchecked": ""}
    try:
        version, der = await _handshake(places, whom, trace, _strict(trusted, minimum))
    except FailedAttempt as failed:
        if failed.cause not in {Cause.CERTIFICATE, Cause.TLS}:
            raise
        doubt = "untrusted" if failed.cause == Cause.CERTIFICATE else "unchecked"
        doubts[doubt] = failed.reason.removeprefix("TLS: ").removeprefix("the certificate is not valid: ")
        version, der = await _handshake(places, whom, trace, _lenient())
    older = await _older(places, whom, minimum)
    return ServiceAnswer(version=version, certificate=_certificate(der, older, doubts))


async def _older(places: Places, whom: tuple[ServiceTest, int, str], minimum: str) -> str:
    """The newest version below the minimum that the server takes; empty if it takes none."""
    for version in [known for known in sorted(_VERSIONS, reverse=True) if known < minimum]:
        try:
            return (await _handshake(places, whom, Trace(), _lenient(version)))[0]
        except FailedAttempt as failed:
            # Whoever could not be asked has not refused to speak it.
            if failed.cause not in {Cause.TLS, Cause.RESET, Cause.CUT}:
                raise
    return ""


def _strict(trusted: ssl.SSLContext | None, minimum: str) -> ssl.SSLContext:
    """A context that believes what it should, of versions as old as the test allows."""
    if minimum >= "1.2":
        return trusted or ssl.create_default_context()
    authorities = b"".join(trusted.get_ca_certs(binary_form=True)) if trusted else None
    return _spoken(ssl.create_default_context(cadata=authorities), minimum)


def _lenient(version: str = "") -> ssl.SSLContext:
    """A context that believes anything, to see what a server shows and speaks; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _spoken(context, version or "1.0", version)


def _spoken(context: ssl.SSLContext, least: str, most: str = "") -> ssl.SSLContext:
    # Whatever a server has, but not without a certificate.
    context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # That they are old is what is asked.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[least]
        if most:
            context.maximum_version = _VERSIONS[most]
    return context


async def _handshake(
    places: Places, whom: tuple[ServiceTest, int, str], trace: Trace, context: ssl.SSLContext
) -> tuple[str, bytes]:
    test, port, name = whom
    sock, _ = await connect(places, test.address, port, trace)
    trace.stage = Stage.HANDSHAKE
    transport: Any = None
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=sock, ssl=context, server_hostname=name
        )
        spoken = transport.get_extra_info("ssl_object")
        version = str(spoken.version()).removeprefix("TLSv")
        return "1.0" if version == "1" else version, spoken.getpeercert(binary_form=True)
    except (OSError, ValueError, EOFError) as error:
        raise cause_of_anything(error, trace) or FailedAttempt(Cause.TLS, f"TLS: {str(error)[:160]}") from error
    finally:
        if transport is not None:
            transport.abort()
        else:
            sock.close()


def _certificate(der: bytes, older: str, doubts: dict[str, str]) -> Certificate:
    from cryptography import x509

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shown = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=shown.subject.rfc4514_string()[:200],
            names=_names(shown),
            not_before=_moment(shown, "not_valid_before_utc"),
            not_after=_moment(shown, "not_valid_after_utc"),
            older_version=older,
            **doubts,
        )
    except ValueError as error:
        raise FailedAttempt(Cause.CERTIFICATE, f"TLS: the certificate can't be read: {str(error)[:120]}") from error


def _moment(certificate: Any, name: str) -> datetime:
    moment: datetime = getattr(certificate, name)
    return moment


def _names(certificate: Any) -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [*extension.get_values_for_type(x509.DNSName)]
    found += [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
    return tuple(found[:500])
