"""A table that reads the same in JupyterLab, in a saved page, in a terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigError
from ..wording import printable
from .records import Record, Schema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEW", "TONES", "Badge", "Code", "Table"]

# Up to so many rows are shown without folds.
FEW: Final = 20

# Dark enough for white letters (contrast 4.5 and more), the same on JupyterLab's light and dark ground.
TONES: Final = {
    "good": "#1a7f37",
    "warn": "#9a6700",
    "bad": "#cf222e",
    "error": "#8250df",
    "quiet": "#57606a",
    "info": "#0969da",
}
_TABLE: Final = "border-collapse:collapse;font-size:13px;line-height:1.45;margin:.4em 0;text-align:left;width:auto"
_HEAD: Final = (
    "text-align:left;padding:4px 14px 4px 0;border-bottom:2px solid #8c959f;font-weight:600;white-space:nowrap"
)
_CELL: Final = "text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid #8c959f55;vertical-align:top"
_FOLD: Final = "border-bottom:1px solid #8c959f55;padding:4px 0;margin:0"
_CAPTION: Final = "font-weight:600;margin:.6em 0 .2em 0"
# Dim on whatever ground: no grey is read on both a light and a dark one.
_NOTE: Final = "opacity:.8;font-size:12px;margin:.2em 0"


@dataclass(frozen=True)
class Badge:
    """A word on coloured ground; `tone` is one of TONES."""

    text: str
    tone: str = "quiet"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Code:
    """Text in fixed width: an address, a path, a digest."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Table:
    """Rows under columns. Every text is escaped on its way into HTML, wherever it came from.

    `empty` is what is said in place of a table without rows; `limit` is how many rows HTML shows. With `group_by` HTML
    gathers more than a few rows under folds, one for each combination of these columns. `records` are the rows as data,
    and `schema` is the data's columns with their types.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    empty: str = "Nothing to show."
    limit: int = 500
    group_by: Sequence[str] = ()
    records: Sequence[Record] = ()
    schema: Schema = field(default_factory=dict)

    @property
    def frame(self) -> pd.DataFrame:
        """The data as a DataFrame: the schema's columns and types, also where there are no rows."""
        if not self.schema:
            raise TypeError("this table was made without a schema and records: it has no data to compute on")
        # A kernel that only shows tables must not wait for pandas.
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            remedy = "Install it, also in a job: pip install 'runbook-toolkit[desk]'."
            raise ConfigError(
                "a table becomes a DataFrame by pandas, which only the extra 'desk' brings", remedy
            ) from error

        return pd.DataFrame(
            {
                column: pd.Series([record[column] for record in self.records], dtype=dtype)
                for column, dtype in self.schema.items()
            }
        )

    def csv(self) -> str:
        """RFC 4180 with a header; a text that a spreadsheet would take for a formula is quoted by an apostrophe."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_safe(_text(cell)) for cell in row] for row in self.rows)
        return stream.getvalue()

    def text(self) -> str:
        """Columns aligned by spaces, for a terminal; control characters are shown, not sent."""
        if not self.rows:
            return self.empty
        lines = [list(self.columns), *([printable(_text(cell)) for cell in row] for row in self.rows)]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        ruler = ["─" * width for width in widths]
        shown = [lines[0], ruler, *lines[1:]]
        padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in shown)
        return "\n".join(line.rstrip() for line in padded)

    def html(self) -> str:
        """A table with inline styles only, so that it survives every sanitiser and mail."""
        caption = f'<div style="{_CAPTION}">{escape(self._above)}</div>' if self._above else ""
        if not self.rows:
            return f'{caption}<div style="{_NOTE}">{escape(self.empty)}</div>'
        rows = self.rows[: self.limit]
        shown = self._folds(rows) if self.group_by and len(self.rows) > FEW else _html_table(self.columns, rows)
        return f"{caption}{shown}{self._more()}"

    @property
    def _above(self) -> str:
        """The caption, unless all that there is says the same."""
        return "" if not self.rows and self.caption == self.empty else self.caption

    def _folds(self, rows: Sequence[Sequence[object]]) -> str:
        at = [self.columns.index(name) for name in self.group_by]
        rest = [index for index in range(len(self.columns)) if index not in at]
        columns = [self.columns[index] for index in rest]
        groups: dict[tuple[object, ...], list[list[object]]] = {}
        for row in rows:
            groups.setdefault(tuple(row[index] for index in at), []).append([row[index] for index in rest])
        return "".join(
            f'<details style="{_FOLD}"><summary>{" ".join(_html(cell) for cell in key)}: {len(members)}</summary>'
            f"{_html_table(columns, members)}</details>"
            for key, members in groups.items()
        )

    def _more(self) -> str:
        hidden = len(self.rows) - self.limit
        return f'<div style="{_NOTE}">and {hidden} more rows</div>' if hidden > 0 else ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mapping[str, Any]:
        caption = f"{self._above}\n" if self._above else ""
        return {"text/html": self.html(), "text/plain": caption + self.text()}


def _html_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    # A column without a name has no header cell: a reader aloud would announce nothing.
    head = "".join(
        f'<{tag} style="{_HEAD}">{escape(name)}</{tag}>' for name in columns for tag in ("th" if name else "td",)
    )
    body = "".join(f"<tr>{_html_row(row)}</tr>" for row in rows)
    table = f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div style="overflow-x:auto">{table}</div>'


def _html_row(row: Iterable[object]) -> str:
    return "".join(f'<td style="{_CELL}">{_html(cell)}</td>' for cell in row)


def _html(cell: object) -> str:
    text = escape(printable(_text(cell)))
    if isinstance(cell, Badge):
        ground = TONES.get(cell.tone, TONES["quiet"])
        style = f"background:{ground};color:#fff;border-radius:4px;padding:1px 7px;font-weight:600;white-space:nowrap"
        return f'<span style="{style}">{text}</span>'
    if isinstance(cell, Code):
        return f'<code style="font-size:12px;background:none;color:inherit">{text}</code>'
    return text


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _safe(text: str) -> str:
    dangerous = text[:1] in {"=", "+", "-", "@", "\t", "\r"} and not text.lstrip("+-").replace(".", "", 1).isdigit()
    return f"'{text}" if dangerous else text
