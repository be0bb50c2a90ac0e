"""Where a lab or a demo works: on the repository here, or on the one that came with the package."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError
from ..lab.front import FRONT_APP
from ..packaged import STORY
from ..repository import find_repository
from ..settings import Settings

__all__ = ["here", "story", "tells_story", "top"]


def here() -> Settings | None:
    """The settings of the repository of the working folder; None where there is none."""
    try:
        find_repository()
    except ConfigError:
        return None
    return Settings.load(checked=False)


def tells_story(settings: Settings) -> bool:
    """Whether the repository is the one that the demo tells of, or a copy of it."""
    return {"network", "access"} <= set(settings.config.stacks) and (settings.root / FRONT_APP).is_file()


def story(settings: Settings | None) -> Settings:
    """The story's repository: this one if it is, else the package's own, whose runs are left here all the same."""
    if settings is not None and tells_story(settings):
        return settings
    packaged = Settings.load(STORY, checked=False)
    outputs = str(settings.outputs if settings else Path.cwd() / "outputs")
    given = packaged.environment.model_copy(update={"outputs": packaged.environment.outputs or outputs})
    return Settings(given, packaged.root, packaged.config)


def top() -> Path:
    """The folder beside whose files a lab lies: that of runbook.yml, else the working folder."""
    try:
        return find_repository().root
    except ConfigError:
        return Path.cwd()
