"""The page that a person opens to put right what doctor found."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.settings import Settings
from runbook_lib.workspace.where_to_look import page_for

CONFIG = "version: 1\nstacks: {a: {path: a}}\ngitlab: {url: 'https://gitlab.example.com/', project: '%s'}\n"


def settings(root: Path, project: str) -> Settings:
    (root / "runbook.yml").write_text(CONFIG % project)
    return Settings.load(root, checked=False)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("approvers", "https://gitlab.example.com/pay/infra/-/project_members"),
        ("signing key", "https://gitlab.example.com/pay/infra/-/settings/ci_cd"),
        ("slack", "https://api.slack.com/apps"),
        ("policies", ""),
    ],
)
def test_each_thing_has_its_page_and_a_file_has_none(tmp_path: Path, name: str, page: str) -> None:
    assert page_for(settings(tmp_path, "pay/infra"), name) == page


def test_without_a_project_no_page_of_one_is_named(tmp_path: Path) -> None:
    assert page_for(settings(tmp_path, ""), "approvers") == ""
