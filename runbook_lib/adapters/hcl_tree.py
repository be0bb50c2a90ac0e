"""The nodes of HCL's expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

__all__ = ["NOT_UNDERSTOOD", "Expression", "NotUnderstoodError", "number_in"]

_MAX_DIGITS: Final = 100
_MAX_FLOAT: Final = 15


@dataclass(frozen=True, slots=True)
class Expression:
    """A node: `kind` says what `parts` are; `unknown` is the kind of all that is not understood."""

    kind: str
    parts: tuple[Any, ...] = ()


NOT_UNDERSTOOD: Final = Expression("unknown")


class NotUnderstoodError(Exception):
    """The text is outside this grammar, or nested out of all proportion."""


def number_in(text: str) -> int | float | None:
    """The number; None where Terraform has more digits than Python."""
    try:
        exact = Decimal(text)
        if abs(exact.adjusted()) < _MAX_DIGITS and exact == exact.to_integral_value():
            return int(exact)
    except InvalidOperation:
        return None
    number = float(text)
    return number if math.isfinite(number) and len(text) <= _MAX_FLOAT else None
