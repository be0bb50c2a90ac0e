"""Values of which some are unknown, and the names and numbers of protocols and ports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN, Unknown

__all__ = ["any_unknown", "boolean", "join_unknown", "ports", "protocol", "text", "texts"]

# Asked some hundred thousand times of a large plan: a union is made anew wherever it is written.
_UNKNOWN_OR_NONE: Final = (Unknown, NoneType)
_TEXT: Final = (str, Unknown, NoneType)
_LIST: Final = (list, tuple)
_NAMES: Final = {
    "-1": "all", "all": "all", "6": "tcp", "tcp": "tcp", "17": "udp", "udp": "udp", "1": "icmp", "icmp": "icmp",
    "58": "icmpv6", "icmpv6": "icmpv6", "icmp6": "icmpv6", "ipv6-icmp": "icmpv6",
    # Names that the provider or AWS takes for protocols that have a number only.
    "ah": "51", "dccp": "33", "egp": "8", "esp": "50", "etherip": "97", "fc": "133", "ggp": "3", "gre": "47",
    "hip": "139", "hopopt": "0", "idrp": "45", "igmp": "2", "igp": "9", "ipcomp": "108", "ipencap": "4", "ipip": "94",
    "ipv6": "41", "ipv6-frag": "44", "ipv6-nonxt": "59", "ipv6-opts": "60", "ipv6-route": "43", "isis": "124",
    "l2tp": "115", "mobility-header": "135", "mpls-in-ip": "137", "ospf": "89", "ospfigp": "89", "pim": "103",
    "rdp": "27", "rsvp": "46", "sctp": "132", "udplite": "136", "vrrp": "112",
}  # fmt: skip


def join_unknown(known: Any, unknown: Any) -> Any:
    """Put UNKNOWN into `known` wherever `unknown` (Terraform's `after_unknown`) is true, at any depth."""
    if unknown is True:
        return UNKNOWN
    if not unknown or _all_known(known, unknown):
        return known
    if _disagrees(known, unknown):
        return UNKNOWN
    if isinstance(unknown, dict):
        result = dict(known) if isinstance(known, dict) else {}
        for key, part in unknown.items():
            if part is True:
                result[key] = UNKNOWN
            elif part:
                result[key] = join_unknown(result.get(key), part)
        return result
    if isinstance(unknown, list):
        values = known if isinstance(known, list) else []
        padded = [*values, *[None] * (len(unknown) - len(values))]
        return [
            join_unknown(value, part) for value, part in zip(padded, [*unknown, *[False] * len(padded)], strict=False)
        ]
    return known


def _all_known(known: Any, unknown: Any) -> bool:
    # `[false]`, as Terraform writes it of most lists.
    return isinstance(unknown, list) and not any(unknown) and isinstance(known, list) and len(known) >= len(unknown)


def _disagrees(known: Any, unknown: Any) -> bool:
    """Whether what is said to be known of a value has not its form: whoever keeps plans may have blanked it."""
    if isinstance(unknown, list):
        held = len(known) if isinstance(known, list) else 0
        # Elements that are unknown Terraform itself may leave out at the end.
        return not all(map(any_unknown, unknown[held:])) or not isinstance(known, list | None)
    if not isinstance(unknown, dict) or isinstance(known, dict):
        return False
    # Of an object that is wholly unknown within, Terraform leaves the rest out.
    return known is not None or not any_unknown(unknown)


def any_unknown(unknown: Any) -> bool:
    """Whether anything in it, at any depth, is unknown; `unknown` as in Terraform's `after_unknown`."""
    if isinstance(unknown, dict):
        return any(map(any_unknown, unknown.values()))
    return any(map(any_unknown, unknown)) if isinstance(unknown, list) else unknown is True


def protocol(value: Any, where: str) -> str | Unknown:
    """tcp, udp, icmp, icmpv6, all or a number; UNKNOWN for a name that nobody knows."""
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]
    if isinstance(value, Unknown):
        return value
    endless = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None) or endless:
        raise InputError(f"{where}: protocol is neither text nor a number", "Check where this input comes from.")
    if value is None:
        return UNKNOWN
    name = str(int(value)) if isinstance(value, int | float) else value.strip().lower()
    if name in _NAMES:
        return _NAMES[name]
    if name.isdecimal() and len(name) < 10 and int(name) <= 255:
        return _NAMES.get(str(int(name)), str(int(name)))
    return UNKNOWN


Ports = tuple[int | Unknown | None, int | Unknown | None]


def ports(kind: str | Unknown, first: Any, last: Any, where: str) -> Ports:
    """The two numbers as the protocol means them: type and code for ICMP, None for a protocol without ports."""
    low, high = _number(first, "from_port", where), _number(last, "to_port", where)
    if kind is UNKNOWN:
        return low, high
    if kind in {"icmp", "icmpv6"}:
        return (-1 if low is None else low), (-1 if high is None else high)
    if kind not in {"tcp", "udp"}:
        return None, None
    if low in {None, -1} and high in {None, -1}:
        return 0, 65535
    return (0 if low in {None, -1} else low), (65535 if high in {None, -1} else high)


def _number(value: Any, name: str, where: str) -> int | Unknown | None:
    if type(value) is int and 0 <= value <= 65535:
        return value
    if isinstance(value, _UNKNOWN_OR_NONE):
        return value
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 65535 or value % 1:
        raise InputError(f"{where}: {name} is no port number: {value!r:.60}", "Check where this input comes from.")
    return int(value)


def text(values: Mapping[str, Any], key: str, where: str) -> str | Unknown | None:
    """One text field; empty text is None."""
    value = values.get(key)
    if value is None or isinstance(value, Unknown):
        return value
    if not isinstance(value, str):
        raise InputError(f"{where}: {key} is no text: {value!r:.60}", "Check where this input comes from.")
    return value or None


def texts(values: Mapping[str, Any], key: str, where: str) -> tuple[str | Unknown, ...] | Unknown:
    """A list of texts, of which some may be unknown, or all of it."""
    value = values.get(key)
    if value is None:
        return ()
    if isinstance(value, Unknown):
        return value
    if not isinstance(value, _LIST) or not all(isinstance(item, _TEXT) for item in value):
        raise InputError(f"{where}: {key} is no list of texts: {value!r:.60}", "Check where this input comes from.")
    return tuple(item for item in value if item is not None)


def boolean(values: Mapping[str, Any], key: str, where: str) -> bool | Unknown:
    """One truth value; null is false."""
    value = values.get(key)
    if value is None or value is UNKNOWN or isinstance(value, bool):
        return value or False
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise InputError(f"{where}: {key} is neither true nor false: {value!r:.60}", "Check where this input comes from.")
