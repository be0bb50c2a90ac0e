"""Where each resource and each call of a module is written: file and line, without parsing what the blocks hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..models.findings import Source
from .hcl_blocks import Block, module_files, read_source, split_blocks

__all__ = ["index_blocks"]

_LOCAL_SOURCE: Final = re.compile(r'^\s*source\s*=\s*"(\.{1,2}/[^"]*)"', re.MULTILINE)
_JSON_TOKEN: Final = re.compile(r'"(?>(?:[^"\\]|\\.)*)"|[{}\[\]:]')
_DEEPEST: Final = 20


def index_blocks(folder: Path, base: Path, product: str = "") -> dict[tuple[tuple[str, ...], str], Source]:
    """Where each resource and module block stands, by the names of the modules above it and `type.name`.

    Files are named relative to `base` where they lie below it; they are those that `product` reads (`module_files`).
    """
    found: dict[tuple[tuple[str, ...], str], Source] = {}
    _index(folder.resolve(), base.resolve(), (), found, product)
    return found


def _index(
    folder: Path, base: Path, path: tuple[str, ...], found: dict[tuple[tuple[str, ...], str], Source], product: str
) -> None:
    for file in module_files(folder, product):
        name = file.relative_to(base).as_posix() if file.is_relative_to(base) else str(file)
        blocks = _json_blocks if file.name.endswith(".json") else split_blocks
        for block in blocks(read_source(file), name):
            if block.kind == "resource" and len(block.labels) == 2:
                found.setdefault((path, ".".join(block.labels)), block.source)
            elif block.kind == "module" and block.labels:
                found.setdefault((path, f"module.{block.labels[0]}"), block.source)
                local = _LOCAL_SOURCE.search(block.text)
                child = (folder / local[1]).resolve() if local else None
                if child and child.is_dir() and len(path) < _DEEPEST:
                    _index(child, base, (*path, block.labels[0]), found, product)


def _json_blocks(text: str, file: str) -> Iterator[Block]:
    """The resources, and the calls of modules by their sources, of Terraform's JSON syntax, each where its name is."""
    above: list[str] = []
    key, last = "", ""
    line, counted = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        mark = token[0]
        line, counted = line + text.count("\n", counted, token.start()), token.start()
        if mark in "{[":
            above.append(key)
            key = ""
        elif mark in "}]":
            key = ""
            if above:
                above.pop()
        elif mark == ":":
            key = _decoded(last)
            names = (*(name for name in above if name), key)
            if len(names) == 3 and names[0] == "resource":
                yield Block("resource", names[1:], "", Source(file=file, line=line))
            elif len(names) == 2 and names[0] == "module":
                yield Block("module", names[1:], "", Source(file=file, line=line))
        else:
            names = (*(name for name in above if name), key)
            if len(names) == 3 and names[0] == "module" and key == "source":
                # The call once more, now with what it calls.
                yield Block("module", names[1:2], f"source = {mark}", Source(file=file, line=line))
            last, key = mark, ""


def _decoded(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return ""
