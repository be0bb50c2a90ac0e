"""Values that a notebook's file can hold: JSON knows no NaN, no infinity, and nothing but its own types."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """The value as JSON can hold it. What it can't is text, as a kernel of Jupyter's sends it: `nan`, `2024-01-31`."""
    if isinstance(value, dict):
        return {name if isinstance(name, str) else _name(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(float(value))
    return value if value is None or isinstance(value, str | int) else str(value)


def _name(name: Any) -> str:
    # As json writes those that it takes.
    return json.dumps(name) if name is None or isinstance(name, bool) else str(name)
