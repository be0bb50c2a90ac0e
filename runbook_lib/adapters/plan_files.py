"""The files that a plan was made from: those of the stack, and those that its expressions may read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..errors import InputError
from .store import sha256_file

__all__ = ["files_of_plan"]

# What Terraform itself leaves there.
_LEFT: Final = re.compile(
    r"\.terraform|.*\.tfstate(\..*)?|errored\.tfstate|crash\.log|.*\.tfplan|\.terraform\.lock\.hcl"
)
_TEXTS: Final = (".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json")
# Every text in quotes may be a path: what a function reads is not always written beside the function.
_QUOTED: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_BASE: Final = re.compile(r"^\$\{path\.(?:module|root|cwd)\}/?")
_MODULES: Final = ".terraform/modules/modules.json"
# A folder of more files than this is no input but somebody's disk.
_MOST: Final = 20_000


def files_of_plan(directory: Path, root: Path) -> dict[str, str]:
    """The SHA-256 of each file by its path below `root`, or its whole path where it lies elsewhere.

    All files below the stack's folder and its modules' count, with whatever a quoted text there names. Better one too
    many: a file that changes between plan and apply is a plan to make anew.
    """
    found: set[Path] = set()
    for module in _modules(directory):
        found.update(_below(module))
    seen: set[Path] = set()
    while todo := [path for path in sorted(found - seen) if path.name.endswith(_TEXTS)]:
        for path in todo:
            found.update(_named_in(path, (path.parent, directory, root)))
        seen |= found
    if len(found) > _MOST:
        raise InputError(
            f"{directory.name}: the plan reads from folders of more than {_MOST:,} files",
            "Name narrower folders in its files, or move the stack into a folder of its own.",
        )
    return {_name(path, root): sha256_file(path) for path in sorted(found)}


def _modules(directory: Path) -> Iterator[Path]:
    yield directory
    try:
        listed = json.loads((directory / _MODULES).read_text(encoding="utf-8"))["Modules"]
        yield from ((directory / str(module["Dir"])).resolve() for module in listed if module["Key"])
    except (OSError, ValueError, KeyError, TypeError):
        return


def _below(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if _LEFT.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.is_file():
            yield path


def _named_in(path: Path, bases: tuple[Path, ...]) -> Iterator[Path]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for quoted in set(_QUOTED.findall(text)):
        name = _BASE.sub("", quoted)
        if not name or len(name) > 1000 or "${" in name or "\0" in name or name in {".", "/"}:
            continue
        for base in bases:
            yield from _at(base / name, base, folder="/" in name)


def _at(candidate: Path, base: Path, *, folder: bool) -> Iterator[Path]:
    try:
        found = candidate.resolve()
        if found.is_file():
            yield found
        # The folder that an archive is made of; one that holds the stack itself is no such folder.
        elif folder and found.is_dir() and not base.resolve().is_relative_to(found):
            yield from _below(found)
    except OSError:
        return


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
