"""Who can newly reach what, and who no longer can."""

from __future__ import annotations

from enum import StrEnum

from .base import Model, Unknown

__all__ = ["Exposure", "ExposureEntry", "ExposureSource"]


class ExposureSource(StrEnum):
    """What kind of party gains or loses access."""

    INTERNET = "internet"
    PRIVATE = "private"
    NETWORK = "network"
    GROUP = "group"
    PREFIX_LIST = "prefix_list"


class ExposureEntry(Model):
    """One party, one target, one port interval (None: all ports)."""

    source: str | Unknown
    source_kind: ExposureSource | Unknown
    target: str | Unknown
    target_kind: str
    protocol: str | Unknown
    from_port: int | Unknown | None
    to_port: int | Unknown | None


class Exposure(Model):
    """The model of exposure.json. `sentence` is what an approver reads first."""

    opened: tuple[ExposureEntry, ...] = ()
    closed: tuple[ExposureEntry, ...] = ()
    unknown: tuple[ExposureEntry, ...] = ()
    sentence: str = ""
