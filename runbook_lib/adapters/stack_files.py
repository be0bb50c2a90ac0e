"""What a stack is made from, as its files say: modules, data and variable files, and the states that it reads.

Texts are looked at, not evaluated: a path that only an expression could tell counts from the last folder that is named
whole. So a stack may be found to read more than it does, and never less, of what its files name in the repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ..errors import InputError
from .hcl_blocks import module_files, read_source, split_blocks

__all__ = ["FoundFiles", "read_stack_files"]

# A path by itself, or behind what stands for the module's folder; up to the first thing that is not known here.
_RELATIVE: Final = re.compile(r'"(\.{1,2}/[^"$\\]*)')
_BEHIND: Final = re.compile(r"\$\{\s*path\.(module|root|cwd)\s*\}((?:/[^\"$\\]*)?)")
_STRING: Final = re.compile(r'"((?:[^"\\$]|\\.)*)"')
_PAIR: Final = re.compile(r'(?m)^\s*"?(\w+)"?\s*[=:]\s*"([^"$]*)"')
# Where a backend keeps a state. A bucket is that of many.
_PLACES: Final = ("key", "path", "prefix", "name", "address")
_MOST_MODULES: Final = 2_000


@dataclass(frozen=True)
class FoundFiles:
    """The files and folders that a stack reads, by their paths below the repository, and the states that it reads.

    `own` are the names of the place where its own state is kept; `remote` has those of each state that is read.
    """

    paths: frozenset[PurePosixPath]
    own: frozenset[str] = frozenset()
    remote: tuple[frozenset[str], ...] = ()


def read_stack_files(root: Path, stack: str, var_files: Iterable[str] = (), more: Iterable[str] = ()) -> FoundFiles:
    """Look through a stack's folder, and the modules that it uses; `more` are paths below the repository."""
    root = root.resolve()
    folder = _resolved(root / stack)
    named = [folder, *(_resolved(folder / name) for name in var_files), *(_resolved(root / name) for name in more)]
    reader = _Reader(root, folder)
    reader.read(folder)
    own = frozenset(value for pairs in reader.backends for value in pairs)
    found = {below for path in (*named, *reader.paths) if (below := _below(root, path)) is not None}
    return FoundFiles(frozenset(found), own, tuple(reader.remote))


class _Reader:
    def __init__(self, root: Path, stack: Path) -> None:
        self._root = root
        self._stack = stack
        self._seen: set[Path] = set()
        self.paths: set[Path] = set()
        self.backends: list[frozenset[str]] = []
        self.remote: list[frozenset[str]] = []

    def read(self, folder: Path) -> None:
        """Read a module, and all that it leads to."""
        queue = [folder]
        while queue:
            module = queue.pop()
            if module in self._seen or not module.is_dir() or _below(self._root, module) is None:
                continue
            self._seen.add(module)
            if len(self._seen) > _MOST_MODULES:
                raise InputError(f"{self._stack}: leads to more than {_MOST_MODULES} modules", "Split the stack.")
            queue += self._module(module)

    def _module(self, module: Path) -> Iterator[Path]:
        self.paths.add(module)
        try:
            files = module_files(module, "either")
        except InputError:
            return  # A folder of data, or one that is not there yet.
        for file in files:
            # A file that is shared by a link changes where it lies.
            self.paths.add(_resolved(file))
            text = read_source(file)
            if module == self._stack or "terraform_remote_state" in text:
                self._states(text, file)
            for path in self._named(text, module):
                self.paths.add(path)
                yield path

    def _named(self, text: str, module: Path) -> Iterator[Path]:
        for match in _RELATIVE.finditer(text):
            # A source is relative to the module, what a function reads to where Terraform runs.
            for base in {module, self._stack}:
                yield _certain(base, match[1], text[match.end() : match.end() + 1])
        for match in _BEHIND.finditer(text):
            base = module if match[1] == "module" else self._stack
            if match[2]:
                yield _certain(base, match[2].lstrip("/"), text[match.end() : match.end() + 1])

    def _states(self, text: str, file: Path) -> None:
        if file.name.endswith(".json"):
            # Without blocks to cut it into, all that it says may be the place of a state.
            places = frozenset(_STRING.findall(text))
            self.remote += [frozenset({place}) for place in places] if "terraform_remote_state" in text else []
            self.backends += [places] if '"backend"' in text else []
            return
        for block in split_blocks(text, file.name):
            if block.kind == "terraform" and re.search(r"\bbackend\b", block.text):
                self.backends.append(_places(block.text))
            elif block.kind == "data" and block.labels[:1] == ("terraform_remote_state",):
                self.remote.append(_places(block.text))


def _places(text: str) -> frozenset[str]:
    return frozenset(value for name, value in _PAIR.findall(text) if name in _PLACES and value)


def _certain(base: Path, text: str, then: str) -> Path:
    # What goes on with something unknown may be any file of the last folder that is named whole.
    known = text if then == '"' else text.rpartition("/")[0]
    return _resolved(base / known) if known else base


def _resolved(path: Path) -> Path:
    # Not `resolve` alone: of a path that is not there it gives the same, and a circle of links is no reason to stop.
    return Path(os.path.realpath(path))


def _below(root: Path, path: Path) -> PurePosixPath | None:
    return PurePosixPath(path.relative_to(root).as_posix()) if path.is_relative_to(root) else None
