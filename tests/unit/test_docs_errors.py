"""docs/errors.md says what the program says, and its statuses are those of the errors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from runbook_lib import errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
QUOTED = [
    said for row in re.findall(r"^\| (`[^|]*) \| [^|]*\|$", PAGE, re.MULTILINE) for said in re.findall("`([^`]+)`", row)
]


def texts() -> list[str]:
    """All texts of the program, the places that vary as `…`."""
    found = []
    for path in (ROOT / "runbook_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"\{\w+\}", "…", node.value))
    return found


TEXTS = texts()


@pytest.mark.parametrize("said", QUOTED)
def test_each_error_of_the_page_is_one_that_the_program_says(said: str) -> None:
    pieces = [piece for piece in re.split(r"\s*…\s*", said) if piece]
    assert any(all(piece in text for piece in pieces) for text in TEXTS), said


def test_the_page_has_errors_in_it() -> None:
    assert len(QUOTED) > 20


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_each_error_named_on_the_page_has_its_status(kind: type[errors.RunbookError]) -> None:
    rows = [row for row in PAGE.splitlines() if re.match(r"\| [123] \|", row) and f"`{kind.__name__}`" in row]
    assert [row.split("|")[1].strip() for row in rows] in ([], [str(kind.exit_status)])
