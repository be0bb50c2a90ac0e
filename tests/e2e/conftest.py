"""One lab for the whole session, its base built by the real Terraform in twenty seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runbook_lib.cli.lab_base import lab_down, lab_up
from runbook_lib.lab.world import World
from runbook_lib.settings import Settings

ROOT = Path(__file__).parents[2]
LABS = {"lab", "lab_at_base"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Under xdist (--dist loadgroup) all that use the session's lab run in one worker, one after the other.
    for item in items:
        if LABS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("lab"))


@contextmanager
def running_lab(settings: Settings, folder: Path) -> Iterator[World]:
    world = lab_up(settings, folder, print, tied=True)
    try:
        yield world
    finally:
        lab_down(folder)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The repository's settings, with a run folder elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_OUTPUTS", str(tmp_path_factory.mktemp("outputs")))
        return Settings.load(ROOT)


@pytest.fixture(scope="session")
def lab(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lab with the web rule on port 8000. Who changes it puts it back."""
    with running_lab(settings, tmp_path_factory.mktemp("lab")) as world:
        yield world


@pytest.fixture(scope="module")
def lab_at_base(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lab with the web rule on port 8000 that a module has for itself, and may change."""
    with running_lab(settings, tmp_path_factory.mktemp("lab")) as world:
        yield world
