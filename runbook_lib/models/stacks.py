"""Stacks that are carried out together."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TouchedStack"]


@dataclass(frozen=True)
class TouchedStack:
    """A stack that is to be carried out: why, after which others of them, and how many rounds before its own."""

    name: str
    why: str
    after: tuple[str, ...] = ()
    round: int = 1
