"""Who can newly reach what, and who no longer can."""

from __future__ import annotations

from enum import StrEnum

from .base import Model, Unknown

__all__ = ["ExposedInterface", "Exposure", "ExposureEntry", "ExposureSource", "Reachable"]


class ExposureSource(StrEnum):
    """What kind of party gains or loses access."""

    INTERNET = "internet"
    PRIVATE = "private"
    NETWORK = "network"
    GROUP = "group"
    PREFIX_LIST = "prefix_list"
    INTERFACE = "interface"


class Reachable(StrEnum):
    """Whether what rules open is reached: the first that is so of any interface is said of them all."""

    REACHABLE = "reachable"
    UNKNOWN = "unknown"
    ALREADY_OPEN = "already_open"
    HALF_PATH = "half_path"
    OPEN_BUT_NOT_REACHABLE = "open_but_not_reachable"
    NO_MEMBER = "no_member"

    @property
    def rank(self) -> int:
        """0 for reachable, more for what matters less."""
        return list(Reachable).index(self)

    @property
    def lets_through(self) -> bool:
        """Whether anybody newly gets through, or may."""
        return self.rank <= Reachable.UNKNOWN.rank


class ExposedInterface(Model):
    """One interface that an entry is about: what it is called, its public addresses, and what is so of it alone."""

    id: str
    name: str
    kind: str
    addresses: tuple[str, ...] = ()
    reachable: Reachable
    why: str = ""


class ExposureEntry(Model):
    """One party, one target, one port interval (None: all ports).

    `interfaces` are those that it is about, what is reached first, and `more_interfaces` how many are left out of them.
    `why` says what `reachable` rests on: what lacks, or what is not known. `target` is what people call it;
    `target_id` is the group's id, or Terraform's address of one that the plan makes, empty of what is no group.
    `left_open` are the networks that keep the access of which an entry of `closed` says that the internet loses it.
    """

    source: str | Unknown
    source_kind: ExposureSource | Unknown
    target: str | Unknown
    target_kind: str
    protocol: str | Unknown
    from_port: int | Unknown | None
    to_port: int | Unknown | None
    interfaces: tuple[ExposedInterface, ...] = ()
    more_interfaces: int = 0
    reachable: Reachable = Reachable.UNKNOWN
    why: str = ""
    target_id: str = ""
    left_open: tuple[str, ...] = ()


class Exposure(Model):
    """The model of exposure.json. `sentence` is what an approver reads first.

    `rules_sha256` is a digest of what rules alone open, close and leave unknown, whatever AWS says of who is reached.
    """

    opened: tuple[ExposureEntry, ...] = ()
    closed: tuple[ExposureEntry, ...] = ()
    unknown: tuple[ExposureEntry, ...] = ()
    sentence: str = ""
    rules_sha256: str = ""
