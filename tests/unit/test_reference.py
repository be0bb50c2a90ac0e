"""The reference pages say what the program and the models say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from runbook_lib.models.config import RunbookConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs/make_reference.py")
    assert spec
    assert spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.pages())


def test_the_reference_is_up_to_date(made: dict[str, str]) -> None:
    stale = [name for name, text in made.items() if (ROOT / "docs/reference" / name).read_text() != text]
    assert stale == [], "make reference"


def test_no_page_of_the_reference_is_written_by_hand(made: dict[str, str]) -> None:
    assert {path.name for path in (ROOT / "docs/reference").iterdir()} == set(made)


def test_every_key_of_runbook_yml_and_every_command_is_in_it(made: dict[str, str]) -> None:
    assert all(f"| `{name}` |" in made["runbook-yml.md"] for name in RunbookConfig.model_fields)
    for name in ("runbook check", "runbook evidence verify", "runbook lab up"):
        assert f"\n## `{name}`\n" in made["commands.md"]
    assert "table|json|sarif" in made["commands.md"]
    # A bar would end the cell.
    rows = [line for text in made.values() for line in text.splitlines() if line.startswith("| `")]
    assert {line for line in rows if line.replace("\\|", "").count("|") != 4} == set()
