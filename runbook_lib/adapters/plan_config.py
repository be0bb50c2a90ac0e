"""What Terraform's JSON of a plan leaves out, read from the configuration that the plan file itself carries."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError
from .hcl_blocks import is_override, split_blocks
from .hcl_expression import Expression, convert
from .hcl_json import json_blocks, read_json_file
from .hcl_parse import read_blocks

__all__ = ["local_references", "removed_provisioners"]

_FOLDER = "tfconfig/m-"
_PROVISIONER = re.compile(r"\bprovisioner\b")


def removed_provisioners(plan: bytes) -> tuple[tuple[str, str], ...]:
    """The provisioners of `removed` blocks, which run when their resource goes: where each stands, and its text."""
    return tuple(found for name, text in _files(plan) for found in _found(name, text))


def local_references(plan: bytes) -> dict[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """What each local value refers to, as the plan's JSON has it for attributes, by the names of the modules above.

    A local value that can't be read is not there.
    """
    found: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    for name, text in sorted(_files(plan), key=lambda file: is_override(PurePosixPath(file[0]).name)):
        if "locals" in text:
            module, _, _ = name.rpartition("/")
            found.setdefault(tuple(filter(None, module.split("."))), {}).update(_locals(name, text))
    return found


def _files(plan: bytes) -> list[tuple[str, str]]:
    """The text of each file by its name: that of the module, as in `a.b`, before the file's own."""
    try:
        with zipfile.ZipFile(io.BytesIO(plan)) as archive:
            names = [name for name in archive.namelist() if name.startswith(_FOLDER)]
            return [
                (name.removeprefix(_FOLDER).lstrip("/"), archive.read(name).decode(errors="replace")) for name in names
            ]
    except zipfile.BadZipFile as error:
        if plan.lstrip()[:1] == b"{":  # what HCP Terraform leaves here is the name of a plan that it keeps
            raise InputError(
                "the plan was made elsewhere: its file only names it, so that no digest binds what is applied",
                "Set the execution mode of the workspace to Local, then run the plan step again.",
            ) from error
        raise InputError(f"the plan file can't be read: {error}", "Run the plan step again.") from error


def _locals(name: str, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        if name.endswith(".json"):
            blocks = json_blocks(read_json_file(text, Path(name)), name)
        else:
            blocks = (
                found
                for block in split_blocks(text, name)
                if block.kind in {"locals", ""}
                for found in read_blocks(block)
            )
        for block, body in blocks:
            if block.kind == "locals":
                for key, value in body.items():
                    if not key.startswith("__"):
                        yield key, tuple(dict.fromkeys(_references(convert(value))))
    except InputError:
        return  # what nobody can read is as little known as it is without the file


def _references(tree: Expression) -> Iterator[str]:
    path = _traversal(tree)
    if len(path) > 1:
        yield ".".join(name + key for name, key in path)
    for part in tree.parts:
        for inner in part if isinstance(part, tuple) else (part,):
            for leaf in inner if isinstance(inner, tuple) else (inner,):
                # What a longer name begins with is no reference of its own.
                if isinstance(leaf, Expression) and not (path and _traversal(leaf)):
                    yield from _references(leaf)


def _traversal(tree: Expression) -> tuple[tuple[str, str], ...]:
    """The names of `a.b["c"].d`, each with the key behind it where that is a constant."""
    if tree.kind == "root":
        return ((tree.parts[0], ""),)
    if tree.kind not in {"get", "index", "splat"}:
        return ()
    path = _traversal(tree.parts[0])
    if tree.kind == "get":
        return (*path, (tree.parts[1], "")) if path else ()
    key = tree.parts[1].parts[0] if tree.kind == "index" and tree.parts[1].kind == "literal" else None
    if not path or path[-1][1] or not isinstance(key, str | int):
        return path
    return *path[:-1], (path[-1][0], f'["{key}"]' if isinstance(key, str) else f"[{key}]")


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
