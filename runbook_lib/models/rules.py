"""A security-group rule in its one normalised shape, wherever it was read."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, get_args

from pydantic import model_validator

from .base import UNKNOWN, Model, Unknown

__all__ = [
    "COMPARED_FIELDS",
    "EXPORTED_FIELDS",
    "IDENTITY_FIELDS",
    "UNKNOWABLE_FIELDS",
    "Direction",
    "Rule",
    "SourceKind",
]


class Direction(StrEnum):
    """Which way the traffic goes, seen from the member of the group."""

    INGRESS = "ingress"
    EGRESS = "egress"


class SourceKind(StrEnum):
    """What the other end of a rule is."""

    NETWORK = "network"
    PREFIX_LIST = "prefix_list"
    GROUP = "group"
    SELF = "self"
    UNKNOWN = "unknown"


class Rule(Model):
    """One protocol, one port interval, one other end.

    `protocol` is tcp, udp, icmp, icmpv6, all, or the number of another protocol. `from_port` and `to_port` are None
    where the protocol has no ports or all of them are meant; for ICMP they are type and code, -1 meaning any.
    `source` is the other end: a network, the id or Terraform address of a prefix list or group, or `self`; for an
    egress rule it is the destination. `entries` are the networks of a prefix list, where they are known.
    `group` is the id or address of the group that holds the rule; `address` is Terraform's address of the resource
    that declares it, empty for a rule that Terraform does not manage. `expires` is what its tag of that name says, as
    it is written there: until when it may stand.
    """

    direction: Direction | Unknown
    protocol: str | Unknown
    from_port: int | Unknown | None
    to_port: int | Unknown | None
    source: str | Unknown
    source_kind: SourceKind = SourceKind.NETWORK
    entries: tuple[str, ...] | Unknown | None = None
    description: str | Unknown | None = None
    expires: str | Unknown | None = None
    group: str | Unknown = UNKNOWN
    address: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_unknown(cls, data: Any) -> Any:
        # In JSON the word `unknown` also fits a field that takes text: written by us it means the unknown value.
        if isinstance(data, dict):
            return {
                key: UNKNOWN if value == "unknown" and key in UNKNOWABLE_FIELDS else value
                for key, value in data.items()
            }
        return data


def _fields(*but: str) -> tuple[str, ...]:
    return tuple(name for name in Rule.model_fields if name not in but)


# What one rule and another are compared by. A prefix list is compared by its id, and an address says where a rule
# stands, not what it is.
COMPARED_FIELDS: Final = _fields("entries", "address")
# What makes two rules one to AWS.
IDENTITY_FIELDS: Final = _fields("entries", "address", "description", "expires")
# A rule's columns in a table for other programs, which has the group in a column of its own.
EXPORTED_FIELDS: Final = _fields("entries", "group")
UNKNOWABLE_FIELDS: Final = tuple(
    name for name, field in Rule.model_fields.items() if Unknown in get_args(field.annotation)
)
