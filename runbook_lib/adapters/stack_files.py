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

__all__ = ["FoundFiles", "StatePlace", "read_stack_files"]

# A path by itself, or behind what stands for the module's folder; up to the first thing that is not known here.
_RELATIVE: Final = re.compile(r'"(\.{1,2}/[^"$\\]*)')
_BEHIND: Final = re.compile(r"\$\{\s*path\.(module|root|cwd)\s*\}((?:/[^\"$\\]*)?)")
_STRING: Final = re.compile(r'"((?:[^"\\$]|\\.)*)"')
_PAIR: Final = re.compile(r'(?m)(?:^|[{,])\s*"?(\w+)"?\s*[=:]\s*"([^"$]*)"')
# Where a backend keeps a state, and what holds many.
_PLACES: Final = ("key", "path", "prefix", "name", "address")
_HOLDERS: Final = ("bucket", "container_name", "storage_account_name", "organization")
_MOST_MODULES: Final = 2_000


@dataclass(frozen=True)
class StatePlace:
    """Where a state is kept: the `names` of the place, and by kind what holds it with many others, as a bucket.

    Only what the files say in so many words.
    """

    names: frozenset[str] = frozenset()
    holders: frozenset[tuple[str, str]] = frozenset()

    def may_be(self, other: StatePlace) -> bool:
        """Whether both name the same place, as far as they say; one in another bucket is another one."""
        both = {kind for kind, _ in self.holders} & {kind for kind, _ in other.holders}
        if both - {kind for kind, _ in self.holders & other.holders}:
            return False
        return bool(self.names and other.names) and (self.names <= other.names or other.names <= self.names)


@dataclass(frozen=True)
class FoundFiles:
    """The files and folders that a stack reads, by their paths below the repository, and the states that it reads.

    `paths` hold the links that lead there as well: one that is changed leads elsewhere.
    `own` is the place where its own state is kept; `remote` has that of each state that is read.
    """

    paths: frozenset[PurePosixPath]
    own: StatePlace = StatePlace()
    remote: tuple[StatePlace, ...] = ()


def read_stack_files(root: Path, stack: str, var_files: Iterable[str] = (), more: Iterable[str] = ()) -> FoundFiles:
    """Look through a stack's folder, and the modules that it uses; `more` are paths below the repository."""
    root = root.resolve()
    folder = _resolved(root / stack)
    reader = _Reader(root, folder)
    for path in (root / stack, *(folder / name for name in var_files), *(root / name for name in more)):
        reader.add(path)
    reader.read(folder)
    own = StatePlace(
        frozenset(name for place in reader.backends for name in place.names),
        frozenset(holder for place in reader.backends for holder in place.holders),
    )
    found = {below for path in reader.paths if (below := _below(root, path)) is not None}
    return FoundFiles(frozenset(found), own, tuple(reader.remote))


class _Reader:
    def __init__(self, root: Path, stack: Path) -> None:
        self._root = root
        self._stack = stack
        self._seen: set[Path] = set()
        self.paths: set[Path] = set()
        self.backends: list[StatePlace] = []
        self.remote: list[StatePlace] = []

    def add(self, path: Path) -> Path:
        """Count a path in, with the links by which it leads where it does; where that is."""
        _add_links(path, self.paths)
        end = _resolved(path)
        self.paths.add(end)
        return end

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
        for shared in (*files, *filter(Path.is_symlink, module.iterdir())):
            # What is shared by a link changes where it lies, and needs no path to be named.
            self.add(shared)
        for file in files:
            text = read_source(file)
            if module == self._stack or "terraform_remote_state" in text:
                self._states(text, file)
            for path in self._named(text, module):
                yield self.add(path)

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
            self.remote += (
                [StatePlace(frozenset({place})) for place in places] if "terraform_remote_state" in text else []
            )
            self.backends += [StatePlace(places)] if '"backend"' in text else []
            return
        for block in split_blocks(text, file.name):
            if block.kind == "terraform" and re.search(r"\bbackend\b", block.text):
                self.backends.append(_place(block.text))
            elif block.kind == "data" and block.labels[:1] == ("terraform_remote_state",):
                self.remote.append(_place(block.text))


def _place(text: str) -> StatePlace:
    said = [(name, value) for name, value in _PAIR.findall(text) if value]
    names = frozenset(value for name, value in said if name in _PLACES)
    return StatePlace(names, frozenset(pair for pair in said if pair[0] in _HOLDERS))


def _certain(base: Path, text: str, then: str) -> Path:
    # What goes on with something unknown may be any file of the last folder that is named whole.
    known = text if then == '"' else text.rpartition("/")[0]
    return base / known if known else base


def _add_links(path: Path, found: set[Path]) -> None:
    here = Path(path.anchor)
    for part in path.parts[1:]:
        here = here.parent if part == ".." else here / part
        if not here.is_symlink():
            continue
        if here not in found:
            found.add(here)
            _add_links(here.parent / here.readlink(), found)
        here = _resolved(here)


def _resolved(path: Path) -> Path:
    # Not `resolve` alone: of a path that is not there it gives the same, and a circle of links is no reason to stop.
    return Path(os.path.realpath(path))


def _below(root: Path, path: Path) -> PurePosixPath | None:
    return PurePosixPath(path.relative_to(root).as_posix()) if path.is_relative_to(root) else None
