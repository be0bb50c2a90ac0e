"""What the documentation names is there, and what a user can set is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from runbook_lib.models.config import RunbookConfig
from runbook_lib.settings import Environment

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
AWS = ("AWS_",)
FILE = re.compile(r"`([\w./<>-]+\.\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


def test_every_environment_variable_is_documented() -> None:
    names = {
        str(choice)
        for field in Environment.model_fields.values()
        if isinstance(field.validation_alias, AliasChoices)
        for choice in field.validation_alias.choices
    }
    page = (ROOT / "docs/configuration.md").read_text()
    assert names
    assert {name for name in names if f"`{name}`" not in page and not name.startswith(AWS)} == set()


def test_every_section_of_runbook_yml_is_documented() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    assert [name for name in RunbookConfig.model_fields if name != "version" and f"`{name}" not in page] == []


def test_every_file_of_the_table_of_changes_exists_and_no_change_needs_more_than_three() -> None:
    section = (ROOT / "docs/architecture.md").read_text().partition("## Where a change goes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| ")][1:]
    files = {change.strip(): FILE.findall(cell) for change, cell in rows}
    named = {file for found in files.values() for file in found if "<" not in file}
    assert len(files) > 10
    assert sorted(file for file in named if not (ROOT / file).is_file()) == []
    # A placeholder stands in a folder that is there.
    assert [file for found in files.values() for file in found if not (ROOT / file).parent.is_dir()] == []
    assert {change: found for change, found in files.items() if not 1 <= len(found) <= 3} == {}


def test_every_attack_in_the_table_has_a_test_that_is_there() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/security.md").read_text().splitlines() if line.startswith("| ")]
    attacks = [row for row in rows if len(row) == 8 and row[1].strip() != "attack"]
    assert len(attacks) >= 60
    tests = [row[6].strip().strip("`").partition("::") for row in attacks]
    lost = [name for file, _, name in tests if f"def {name}(" not in (ROOT / file).read_text()]
    assert lost == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test", "setup"} <= named
    assert named - targets == set()
