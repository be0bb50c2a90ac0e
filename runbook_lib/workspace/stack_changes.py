"""Which stacks a change touches: by git, by what each stack's files read, and by runbook.yml before and after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..adapters.git import files_between, find_commit, read_tree
from ..adapters.stack_files import FoundFiles, StatePlace, read_stack_files
from ..adapters.yaml_file import load_model
from ..domain.stack_order import StackReads, carry_out_order, touched_stacks
from ..errors import ConfigError, UsageError
from ..models.config import RunbookConfig, StackConfig
from ..models.stacks import TouchedStack
from ..repository import CONFIG_NAME
from ..settings import Settings

__all__ = ["StackChanges", "config_at", "every_stack", "files_of_stack", "stacks_touched"]

_CONFIGURATION = (".tf", ".tf.json", ".tofu", ".tofu.json")


@dataclass(frozen=True)
class StackChanges:
    """The stacks to carry out, in their order, and the sentence that says what they were chosen by.

    `gone` are those that runbook.yml had before and has no more, by name or state: nothing destroys what they made.
    """

    stacks: tuple[TouchedStack, ...]
    chosen_by: str
    gone: tuple[str, ...] = ()


def every_stack(settings: Settings, names: tuple[str, ...] = (), why: str = "asked for") -> StackChanges:
    """The stacks of these names, or all of them; UsageError for an unknown one."""
    chosen = dict.fromkeys((settings.stack_name(name) for name in names or settings.config.stacks), why)
    stacks = carry_out_order(_read(settings.root, settings.config), chosen)
    return StackChanges(stacks, f"{len(stacks)} of {len(settings.config.stacks)} stacks, {why}")


def stacks_touched(settings: Settings, base: str = "") -> StackChanges:
    """The stacks that differ since a commit: `base`, else the one that CI names. All of them where it says none.

    UsageError for a `base` that is not to be had.
    """
    named = base or settings.environment.base_commit
    if not named.strip("0"):
        return every_stack(settings, why="as no commit before is named")
    files = files_between(settings.root, named)
    if files is None and base:
        raise UsageError(f"{base} is no commit of this clone", "Fetch it: GIT_DEPTH: 0 in a job.")
    if files is None:
        return every_stack(settings, why=f"as {named[:12]}, the commit before, is not in this clone")
    reads = _read(settings.root, settings.config)
    before = config_at(settings, named) if CONFIG_NAME in files else settings.config
    found = touched_stacks(reads, map(PurePosixPath, files), _described_otherwise(settings, before))
    stacks = carry_out_order(reads, found)
    plural = "" if len(files) == 1 else "s"
    chosen_by = f"{len(stacks)} of {len(reads)} stacks, by {len(files)} file{plural} since {named[:12]}"
    return StackChanges(stacks, chosen_by, _gone(before, settings.config) if before else ())


def files_of_stack(settings: Settings, stack: str, commit: str = "") -> StackReads:
    """Which files a stack is made of, or was at a commit, links left out; none where it was not there."""
    if not commit:
        return _read(settings.root, settings.config)[settings.stack_name(stack)]
    with tempfile.TemporaryDirectory() as folder:
        read_tree(settings.root, commit, _CONFIGURATION, Path(folder))
        config = config_at(settings, commit) or settings.config
        return _read(Path(folder), config).get(stack, StackReads(frozenset()))


def _described_otherwise(settings: Settings, before: RunbookConfig | None) -> Mapping[str, str]:
    """The stacks of which runbook.yml says something else than it did; all where it is not known what it said."""
    now = settings.config.stacks
    if before is None:
        return dict.fromkeys(now, f"{CONFIG_NAME} can't be compared with what it was")
    if before is settings.config:
        return {}
    return {name: f"{CONFIG_NAME} says otherwise of it" for name in now if before.stacks.get(name) != now[name]}


def _gone(before: RunbookConfig, now: RunbookConfig) -> tuple[str, ...]:
    # Another name makes it no other stack, nor does another folder, as long as its state is the same one.
    kept = set(map(_state_of, now.stacks.values()))
    left = (name for name, stack in before.stacks.items() if name not in now.stacks and _state_of(stack) not in kept)
    return tuple(sorted(left))


def _state_of(stack: StackConfig) -> tuple[str, str]:
    return (stack.state or os.path.normpath(stack.path), stack.workspace)


def config_at(settings: Settings, base: str) -> RunbookConfig | None:
    """runbook.yml as a commit has it; None where it has none that can be read."""
    with tempfile.TemporaryDirectory() as folder:
        if not read_tree(settings.root, find_commit(settings.root, base), (CONFIG_NAME,), Path(folder)):
            return None
        try:
            return load_model(Path(folder) / CONFIG_NAME, RunbookConfig)
        except ConfigError:
            return None


def _read(root: Path, config: RunbookConfig) -> dict[str, StackReads]:
    root = root.resolve()
    found = {name: read_stack_files(root, s.path, s.var_files, s.reads) for name, s in config.stacks.items()}
    folders = {name: PurePosixPath(os.path.normpath(stack.path)) for name, stack in config.stacks.items()}
    read = {}
    for name, stack in config.stacks.items():
        inferred = _after(name, found, config.stacks)
        after = inferred if stack.after is None else frozenset(stack.after)
        # What lies below another stack's folder is that one's, where this one does not name it.
        apart = frozenset(folder for other, folder in folders.items() if folder != folders[name])
        read[name] = StackReads(found[name].paths, after, apart)
    return read


def _after(name: str, found: Mapping[str, FoundFiles], stacks: Mapping[str, StackConfig]) -> frozenset[str]:
    others = [other for other in stacks if other != name]
    return frozenset(
        other
        for other in others
        for place in found[name].remote
        if place.names and _is_state(place, found[other].own, stacks[name], stacks[other])
    )


def _is_state(place: StatePlace, own: StatePlace, reader: StackConfig, other: StackConfig) -> bool:
    """Whether a state that is read at this place is the one that another stack keeps."""
    if other.state and any(name.rstrip("/").endswith(f"/terraform/state/{other.state}") for name in place.names):
        return True
    if own.may_be(place):
        return True
    # A local state lies in the other's folder.
    folders = {os.path.dirname(os.path.normpath(f"{reader.path}/{name}")) for name in place.names}  # noqa: PTH120 - no such file here
    return os.path.normpath(other.path) in folders
