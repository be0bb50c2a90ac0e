"""Rows as data: what a table's DataFrame is made of, with no word of how the table looks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from ..models.base import UNKNOWN, Model
from ..models.exposure import ExposureEntry
from ..models.rules import Rule

__all__ = ["FLAG", "INTEGER", "NUMBER", "TEXT", "TIME", "Record", "Schema", "ports_of", "record"]

# pandas' names. All but the time and the number have <NA>, so that a column keeps its type where a value is missing.
TEXT: Final = "string"
INTEGER: Final = "Int64"
NUMBER: Final = "float64"
FLAG: Final = "boolean"
TIME: Final = "datetime64[ns, UTC]"

Schema = Mapping[str, str]
Record = Mapping[str, object]


def record(item: Model, schema: Schema, **others: object) -> Record:
    """The item's fields that are columns of the schema; `others` are columns that are no field, or differ from it."""
    return {column: _plain(others[column] if column in others else getattr(item, column)) for column in schema}


def ports_of(entry: Rule | ExposureEntry) -> dict[str, object]:
    """`from_port`, `to_port` and `ports_unknown`: without the last, all ports and ports not known yet look the same."""
    ends = {"from_port": entry.from_port, "to_port": entry.to_port}
    known = {name: None if port == -1 else port for name, port in ends.items()}
    return {**known, "ports_unknown": UNKNOWN in ends.values()}


def _plain(value: object) -> object:
    if value is UNKNOWN:
        return None
    return value.value if isinstance(value, Enum) else value
