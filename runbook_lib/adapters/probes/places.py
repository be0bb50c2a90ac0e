"""Where a service test may connect: where it was told, and never to what belongs to the machine that asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from ..connect_to import ConnectTo, redirect
from .attempt import Cause, FailedAttempt

__all__ = ["Places", "pair", "why_never"]

Address = IPv4Address | IPv6Address

# What clouds serve credentials and settings at, beside the link-local addresses.
_METADATA4: Final = frozenset(
    IPv4Address(address)
    for address in (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
    )
)
_METADATA6: Final = (IPv6Network("fd00:ec2::/32"), IPv6Network("fd20:ce::/32"))  # AWS and Google
_BROADCAST: Final = IPv4Address("255.255.255.255")
_NAT64: Final = tuple(IPv6Network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48"))


@dataclass(frozen=True)
class Places:
    """Where connections go: `connect_to` leads them elsewhere; with `only`, there alone."""

    connect_to: tuple[ConnectTo, ...] = ()
    only: bool = False

    def elsewhere(self, host: str, port: int) -> tuple[str, int] | None:
        """Where a host and port is led to; None if it is led nowhere, FailedAttempt if that must not be."""
        if any(rule.matches(host, port) for rule in self.connect_to):
            return redirect(self.connect_to, host, port)
        if self.only:
            said = f"forbidden: nothing here stands for {pair(host, port)}, and nothing else may be asked"
            raise FailedAttempt(Cause.FORBIDDEN, said, final=True)
        return None


def check(addresses: Iterable[Address], host: str) -> None:
    """FailedAttempt if one of a host's addresses is never to be connected to."""
    for address in addresses:
        why = why_never(address, host)
        if why:
            said = str(address) if host == str(address) else f"{host} is {address}, and that"
            raise FailedAttempt(Cause.FORBIDDEN, f"forbidden: {said} is {why}", final=True)


def why_never(address: Address, declared: str) -> str:
    """What an address is that no test may connect to, empty if it may; `declared` is how the target was written."""
    inner = _inner(address)
    if inner is not None:
        return why_never(inner, "" if str(inner) != declared else declared)
    if address.is_link_local:
        return "link-local, where machines keep their credentials"
    if address in _METADATA4 or (address.version == 6 and any(address in network for network in _METADATA6)):
        return "where a cloud keeps its machines' credentials"
    if address.is_unspecified or address.is_multicast or address == _BROADCAST:
        return "no single machine's address"
    # A name that leads back to the runner asks the runner; whoever wrote the address itself meant it.
    if address.is_loopback and declared != "localhost" and not _is_address(declared):
        return "this machine itself"
    return ""


def pair(host: str, port: int) -> str:
    """A host and port as they are written."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return None
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if 1 < int(address) <= 0xFFFFFFFF:  # ::a.b.c.d, as it was written once
        return IPv4Address(int(address))
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
