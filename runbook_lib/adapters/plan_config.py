"""What Terraform's JSON of a plan leaves out, read from the configuration that the plan file itself carries."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from .hcl_blocks import split_blocks

__all__ = ["removed_provisioners"]

_FOLDER = "tfconfig/m-"
_PROVISIONER = re.compile(r"\bprovisioner\b")


def removed_provisioners(plan: bytes) -> tuple[tuple[str, str], ...]:
    """The provisioners of `removed` blocks, which run when their resource goes: where each stands, and its text."""
    try:
        with zipfile.ZipFile(io.BytesIO(plan)) as archive:
            names = [name for name in archive.namelist() if name.startswith(_FOLDER)]
            texts = {
                name.removeprefix(_FOLDER).lstrip("/"): archive.read(name).decode(errors="replace") for name in names
            }
    except zipfile.BadZipFile as error:
        raise InputError(f"the plan file can't be read: {error}", "Run the plan step again.") from error
    return tuple(found for name, text in texts.items() for found in _found(name, text))


def _found(name: str, text: str) -> Iterator[tuple[str, str]]:
    if name.endswith(".json"):
        yield from _in_json(name, text)
        return
    if "removed" not in text:
        return
    try:
        blocks = list(split_blocks(text, name))
    except InputError:
        yield from _provisioners(name, text)
        return
    for block in blocks:
        # What can't be told to be a block may be one that a comment in its header hides.
        if block.kind == "removed" or (not block.kind and "removed" in block.text):
            yield from _provisioners(f"{name}, line {block.source.line}", block.text)


def _in_json(name: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(text.lstrip("\ufeff"), object_pairs_hook=_every)
    except (ValueError, RecursionError):
        yield from _provisioners(name, text)
        return
    for block in document if isinstance(document, list) else [document]:
        if isinstance(block, dict) and "removed" in block:
            yield from _provisioners(name, json.dumps(block["removed"]))


def _every(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Terraform takes a key that comes twice for two blocks; Python would keep the last.
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = [found[key], value] if key in found else value
    return found


def _provisioners(place: str, text: str) -> Iterator[tuple[str, str]]:
    starts = [match.start() for match in _PROVISIONER.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        yield place, text[start:end]
