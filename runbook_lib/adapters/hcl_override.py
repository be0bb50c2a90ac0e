"""Override files: what they say takes the place of what the block of the same name says elsewhere in the module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["is_override", "merge_bodies"]

_NAME: Final = re.compile(r"(?:.*_)?override\.(?:tf|tofu)(?:\.json)?")


def is_override(name: str) -> bool:
    """Whether Terraform reads a file of this name last, and merges its blocks into those that it has."""
    return _NAME.fullmatch(name) is not None


def merge_bodies(body: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """The body with each attribute of the override, and with its nested blocks in place of all of the same type."""
    replaced = {key for key in override if key != "dynamic"} | {kind for kind, _ in _dynamic(override)}
    result = {key: part for key, part in body.items() if key not in replaced and key != "dynamic"}
    result |= {key: part for key, part in override.items() if key != "dynamic"}
    kept = [block for kind, block in _dynamic(body) if kind not in replaced]
    dynamic = [*kept, *(block for _, block in _dynamic(override))]
    if dynamic:
        result["dynamic"] = dynamic
    return result


def _dynamic(body: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for block in body.get("dynamic") or ():
        for label in block:
            if not label.startswith("__"):
                yield label.strip('"'), {label: block[label]}
