"""Pages for members alone are published nowhere else: not where others may open them, nor where nobody knows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from step_fakes import answering

from runbook_lib.errors import BlockedError, ConfigError
from runbook_lib.settings import Settings
from runbook_lib.workspace import members_only as module
from runbook_lib.workspace.members_only import hold_pages_to_members


def gitlab(pages: str = "", project: str = "", *, members: bool = False, token: bool = True) -> SimpleNamespace:
    access = SimpleNamespace(pages=pages, project=project, members_only=members)
    archive = SimpleNamespace(pages_access=lambda: access)
    return SimpleNamespace(url="https://g.example", project="platform/access", has_token=token, archive=archive)


def published(settings: Settings, monkeypatch: pytest.MonkeyPatch, client: SimpleNamespace | None) -> None:
    monkeypatch.setattr(module, "gitlab_client", answering(client))
    hold_pages_to_members(settings)


@pytest.mark.parametrize("client", [None, gitlab(members=True, token=False)])
def test_without_a_token_nobody_can_be_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client: SimpleNamespace | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        published(settings, monkeypatch, client)
    assert caught.value.message == "there is no GITLAB_TOKEN to ask who can open the pages"
    assert caught.value.remedy == "Set one with the scope read_api."


def test_pages_that_members_alone_can_open_are_published(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    published(settings, monkeypatch, gitlab("private", "private", members=True))


@pytest.mark.parametrize(
    ("pages", "project", "said"),
    [
        ("public", "private", "access to them is public, the project's visibility private"),
        ("", "", "access to them is not told to this token, the project's visibility not told"),
    ],
)
def test_pages_that_others_can_open_or_of_which_it_is_not_known_are_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, pages: str, project: str, said: str
) -> None:
    with pytest.raises(BlockedError) as caught:
        published(settings, monkeypatch, gitlab(pages, project))
    assert caught.value.message == f"not only members can open GitLab Pages: {said}"
    assert caught.value.remedy == (
        "Under https://g.example/platform/access/edit set Pages to 'Only Project Members', or don't publish the page."
    )
