"""Terraform addresses taken apart; keys in brackets may hold dots, brackets and quotes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["ONE_OF", "ResourceAddress", "parse_address", "split_reference"]

# Begins what stands in an address's place for more groups than anybody would read the names of.
ONE_OF: Final = "one of "
# Nearly every address: a resource of the root module, its key without a quote in it.
_PLAIN: Final = re.compile(r'((?:data\.)?[\w-]+\.[\w-]+)(\[(?:\d+|"[^"\\]*")\])?')


class ResourceAddress(NamedTuple):
    """`modules` are the steps as (name, key), `base` is type.name (with `data.` for a data source), keys as written."""

    modules: tuple[tuple[str, str], ...]
    base: str
    key: str

    @property
    def path(self) -> tuple[str, ...]:
        """The names of the modules, without their keys."""
        return tuple(name for name, _ in self.modules)


def split_reference(text: str) -> list[tuple[str, str]]:
    """The parts between the dots, each with the key in brackets that follows it, or an empty key."""
    if "[" not in text:
        return [(name, "") for name in text.split(".")]
    parts: list[tuple[str, str]] = []
    name: list[str] = []
    key: list[str] = []
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if depth and quoted:
            key.append(letter)
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == "." and not depth:
            parts.append(("".join(name), "".join(key)))
            name, key = [], []
        else:
            depth += (letter == "[") - (letter == "]")
            quoted = depth > 0 and letter == '"'
            (key if depth or letter == "]" else name).append(letter)
    parts.append(("".join(name), "".join(key)))
    return parts


@lru_cache(maxsize=4096)
def parse_address(address: str) -> ResourceAddress:
    """Take apart the address of one resource instance."""
    plain = _PLAIN.fullmatch(address)
    if plain:
        return ResourceAddress((), plain[1], plain[2] or "")
    parts = split_reference(address)
    modules = []
    while len(parts) > 2 and parts[0][0] == "module":
        modules.append(parts[1])
        parts = parts[2:]
    key = parts[-1][1]
    return ResourceAddress(tuple(modules), ".".join(name for name, _ in parts), key)
