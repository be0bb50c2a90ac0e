"""Which security groups write rules into their own blocks: what no plan and no state tells.

A plan's configuration leaves `dynamic` blocks out, and a state holds, of a group without any, whatever rules the
provider saw in AWS when it last looked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import InputError
from .hcl_blocks import Block, module_files, read_source, split_blocks, without_comments
from .hcl_json import json_blocks, read_json_file

__all__ = ["InlineBlocks", "installed_modules", "read_inline_blocks"]

_WRITTEN: Final = re.compile(r'(?m)^\s*(?:dynamic\s+"?(?P<dynamic>\w+)"?\s*\{|(?P<plain>\w+)\s*(?:=(?!=)|\{))')
_MODULES: Final = ".terraform/modules/modules.json"


@dataclass(frozen=True)
class InlineBlocks:
    """The names of blocks and attributes that each resource writes, by the names of its modules and `type.name`."""

    resources: Mapping[tuple[tuple[str, ...], str], frozenset[str]] = field(default_factory=dict)

    def written(self, path: tuple[str, ...], base: str, name: str) -> bool:
        """Whether the resource writes this block or attribute, or may: nothing is known of what was not read."""
        found = self.resources.get((path, base))
        return found is None or name in found


def read_inline_blocks(folder: Path, types: frozenset[str]) -> InlineBlocks:
    """What the resources of these types write, in a root module and in all modules that `terraform init` laid down.

    A module or a file that can't be read leaves its resources out.
    """
    found: dict[tuple[tuple[str, ...], str], frozenset[str]] = {}
    laid = {path: found for path, (found, _) in installed_modules(folder).items()}
    for path, module in {(): folder, **laid}.items():
        try:
            for base, names in _resources(module, types):
                found[path, base] = found.get((path, base), frozenset()) | names
        except InputError:
            found = {key: names for key, names in found.items() if key[0] != path}
    return InlineBlocks(found)


def installed_modules(folder: Path) -> dict[tuple[str, ...], tuple[Path, str]]:
    """The modules that `terraform init` laid down for this root module, by their path of calls: folder and source."""
    found: dict[tuple[str, ...], tuple[Path, str]] = {}
    try:
        for module in json.loads((folder / _MODULES).read_text(encoding="utf-8"))["Modules"]:
            if module["Key"]:
                path = tuple(str(module["Key"]).split("."))
                found[path] = folder / str(module["Dir"]), str(module.get("Source", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return found
    return found


def _resources(module: Path, types: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for file in module_files(module, "either"):
        text = read_source(file)
        if not any(kind in text for kind in types):
            continue
        for block, names in _json_blocks(text, file) if file.name.endswith(".json") else _blocks(text, file):
            if block.kind == "resource" and len(block.labels) == 2 and block.labels[0] in types:
                yield ".".join(block.labels), names


def _blocks(text: str, file: Path) -> Iterator[tuple[Block, frozenset[str]]]:
    for block in split_blocks(text, file.name):
        body = without_comments(block.text).partition("{")[2]
        # A word at the beginning of a line inside a nested block counts too: better one too many.
        yield block, frozenset(match["dynamic"] or match["plain"] for match in _WRITTEN.finditer(body))


def _json_blocks(text: str, file: Path) -> Iterator[tuple[Block, frozenset[str]]]:
    for block, body in json_blocks(read_json_file(text, file), file.name):
        yield block, frozenset([*body, *(name for dynamic in body.get("dynamic") or () for name in dynamic)])
