"""What comes with this package beside its code: notebooks, policies, pipeline components and the lab's story."""

from __future__ import annotations

from pathlib import Path

__all__ = ["STORY", "packaged"]

_PACKAGE = Path(__file__).resolve().parent


def packaged(name: str) -> Path:
    """`notebooks`, `policies`, `templates`…: inside the package once it is installed, beside it in a checkout."""
    return STORY / name


# A whole repository: the one that the demo tells of, and in a checkout the checkout itself.
STORY = _PACKAGE / "data" if (_PACKAGE / "data").is_dir() else _PACKAGE.parent
