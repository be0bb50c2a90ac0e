"""Which stacks a change touches, and in which order they are carried out: by what each reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

from ..errors import ConfigError
from ..models.stacks import TouchedStack

__all__ = ["StackReads", "carry_out_order", "check_order", "touched_stacks"]


@dataclass(frozen=True)
class StackReads:
    """What a stack is made from: files and folders below the repository, and the stacks whose state it reads.

    `apart` are folders inside of those that are none of its own: another stack's, for one.
    """

    paths: frozenset[PurePosixPath]
    after: frozenset[str] = frozenset()
    apart: frozenset[PurePosixPath] = frozenset()

    def reads(self, file: PurePosixPath) -> bool:
        """Whether this file, there or deleted, is one of what the stack is made from, or leads there.

        A link or a submodule is one file to git, whatever lies below it.
        """
        if any(file in path.parents for path in self.paths):
            return True
        above = {file, *file.parents}
        mine = max((len(path.parts) for path in self.paths & above), default=-1)
        others = max((len(path.parts) for path in self.apart & above), default=-1)
        return mine > others


def check_order(stacks: Mapping[str, StackReads]) -> None:
    """ConfigError, with its names, if stacks wait for each other in a circle."""
    try:
        TopologicalSorter({name: stack.after for name, stack in stacks.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise ConfigError(
            f"these stacks read each other's state, so none of them can come first: {circle}",
            "Say in runbook.yml which others one of them comes after: stacks.<name>.after, [] for none.",
        ) from error


def touched_stacks(
    stacks: Mapping[str, StackReads], changed: Iterable[PurePosixPath], besides: Mapping[str, str]
) -> dict[str, str]:
    """Each stack that the files touch, and those that read the state of one of them, with why; in the order of names.

    `besides` are stacks that are touched in any case, with the reason.
    """
    files = sorted(set(changed))
    found = dict(besides)
    for name, stack in stacks.items():
        hit = [file for file in files if stack.reads(file)]
        if hit and name not in found:
            more = f" and {len(hit) - 1} more" if len(hit) > 1 else ""
            found[name] = f"{hit[0]}{more}"
    queue = sorted(found)
    while queue:
        source = queue.pop(0)
        readers = sorted(name for name, stack in stacks.items() if source in stack.after and name not in found)
        found |= dict.fromkeys(readers, f"reads the state of {source}")
        queue += readers
    return {name: found[name] for name in sorted(found)}


def carry_out_order(stacks: Mapping[str, StackReads], touched: Mapping[str, str]) -> tuple[TouchedStack, ...]:
    """The touched stacks, those before others first; each after no more of them than it has to name."""
    check_order(stacks)
    behind = {name: stacks[name].after & set(touched) for name in touched}
    placed: dict[str, TouchedStack] = {}
    reached: dict[str, frozenset[str]] = {}
    for name in TopologicalSorter({name: sorted(before) for name, before in sorted(behind.items())}).static_order():
        before = behind[name]
        earlier = {one: reached[one] for one in before}
        # Whoever waits for one that waits for another waits for that one, too.
        named = tuple(sorted(one for one in before if not any(one in reached[other] for other in before)))
        reached[name] = frozenset(before).union(*earlier.values()) if before else frozenset()
        place = 1 + max((placed[one].round for one in before), default=0)
        placed[name] = TouchedStack(name, touched[name], named, place)
    return tuple(sorted(placed.values(), key=lambda stack: (stack.round, stack.name)))
