"""Connections that go elsewhere than their URL says, as with curl's --connect-to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ConfigError

__all__ = ["ConnectTo", "parse_connect_to", "redirect"]

_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[^:\[\],\s]*)"
_RULE = re.compile(rf"({_HOST}):(\d*):({_HOST}):(\d*)")


@dataclass(frozen=True)
class ConnectTo:
    """Connect to `to_host`:`to_port` what asks for `host`:`port`. Empty on the left: any; on the right: unchanged."""

    host: str = ""
    port: int = 0
    to_host: str = ""
    to_port: int = 0

    def matches(self, host: str, port: int) -> bool:
        """Whether a connection to this host and port is meant."""
        return self.host in {"", host.lower()} and self.port in {0, port}


def parse_connect_to(text: str) -> tuple[ConnectTo, ...]:
    """Read `host:port:host:port,…`; IPv6 addresses stand in brackets."""
    return tuple(_parse(item.strip()) for item in text.split(",") if item.strip())


def redirect(rules: Iterable[ConnectTo], host: str, port: int) -> tuple[str, int]:
    """Where to connect for a host and port: by the first rule that matches."""
    for rule in rules:
        if rule.matches(host, port):
            return rule.to_host or host, rule.to_port or port
    return host, port


def _parse(text: str) -> ConnectTo:
    match = _RULE.fullmatch(text)
    ports = [int(number or 0) for number in (match[2], match[4])] if match else [65536]
    if match is None or max(ports) > 65535:
        raise ConfigError(
            f"RUNBOOK_CONNECT_TO: {text!r} is not host:port:host:port",
            "Write 203.0.113.5:80:127.0.0.1:8080, IPv6 addresses in brackets; an empty host or port means any.",
        )
    return ConnectTo(_bare(match[1]).lower(), ports[0], _bare(match[3]), ports[1])


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") else host
