"""One lab for a worker's whole session, its base built by the real Terraform in twenty seconds.

Under xdist (--dist loadfile) a file stays in one worker, and its tests share the lab one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from base import Base
from desk import Desk

from runbook_lib.cli.lab_base import lab_down, lab_up
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The repository's settings, with a run folder elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_OUTPUTS", str(tmp_path_factory.mktemp("outputs")))
        return Settings.load(ROOT, checked=False)


@pytest.fixture(scope="session")
def session_base(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    """The lab that a session shares, and how its base looked."""
    folder = tmp_path_factory.mktemp("lab")
    lab = lab_up(settings, folder, print, tied=True)
    try:
        yield Base(settings, lab)
    finally:
        lab_down(folder)


@pytest.fixture
def lab(session_base: Base) -> LabAddresses:
    """The session's lab with the web rule on port 8000, healed from whatever an earlier test did to it."""
    session_base.restore()
    return session_base.lab


@pytest.fixture
def desk(lab: LabAddresses, settings: Settings, tmp_path: Path) -> Desk:
    """A working copy in which the change is committed: the web rule on port 80."""
    made = Desk(lab, settings, tmp_path / "outputs")
    made.repository.commit_change(None)
    return made
