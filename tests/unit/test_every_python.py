"""What the oldest Pythons that are promised get wrong is not used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Python before 3.11.5 moves on although the last repetition of a possessive group did not match: `(?:ab)*+` takes the
# second a of `aba`, too. `(?>(?:ab)*)` is the same and right everywhere, and so is `[ab]*+`.
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[\d,]+\}|\{\{[\d,]+\}\})\+")


@pytest.mark.parametrize("folder", ["runbook_lib", "benchmarks", "notebooks"])
def test_no_group_is_repeated_possessively(folder: str) -> None:
    paths = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".lark", ".ipynb"}]
    assert paths
    found = [(path.name, match[0]) for path in paths for match in POSSESSIVE_GROUP.finditer(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "seen"),
    [(r"(?:ab)*+", True), (r"(a|b){1,3}+", True), (r"(?:x){{2}}+", True), (r"(?>(?:ab)*)", False), (r"\(\)*+", False)],
)
def test_such_a_group_is_seen(pattern: str, seen: bool) -> None:
    assert bool(POSSESSIVE_GROUP.search(pattern)) is seen
