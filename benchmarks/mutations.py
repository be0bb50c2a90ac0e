"""Ways to damage a text: some blind, some that keep it well formed and change what it says."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

__all__ = ["damage"]

_WORDS = (
    b"null", b"true", b"{}", b"[]", b"-1", b"0", b"65536", b"1e400", b"NaN", b'""', b'"unknown"',
    b"99999999999999999999", b'"0.0.0.0/0"', b'"::/0"',
    b'"\\ud800"', b"[[[[", b"}", b"${", b"<<EOT\n", b"/*", b"#", b"\x00", b"\xff", b"*a", b"&a",
    b"!!python/object:os.system", b"2026-13-45", b"@", b"%{", b"\n\n", b"\t", b": ", b"- ", b"|",
)  # fmt: skip
_VALUE = re.compile(rb'"(?:[^"\\]|\\.){0,60}"|-?\d+|true|false|null')


def damage(text: bytes, generator: random.Random) -> bytes:
    """One to four changes."""
    for _ in range(generator.randint(1, 4)):
        text = generator.choice(_CHANGES)(text, generator)
    return text


def _cut(text: bytes, generator: random.Random) -> bytes:
    return text[: generator.randrange(len(text) + 1)]


def _flip(text: bytes, generator: random.Random) -> bytes:
    if not text:
        return text
    position = generator.randrange(len(text))
    return text[:position] + bytes([generator.randrange(256)]) + text[position + 1 :]


def _insert(text: bytes, generator: random.Random) -> bytes:
    position = generator.randrange(len(text) + 1)
    return text[:position] + generator.choice(_WORDS) + text[position:]


def _remove(text: bytes, generator: random.Random) -> bytes:
    start = generator.randrange(len(text) + 1)
    return text[:start] + text[start + generator.randrange(1, 40) :]


def _double(text: bytes, generator: random.Random) -> bytes:
    start = generator.randrange(len(text) + 1)
    end = start + generator.randrange(1, 200)
    return text[:end] + text[start:end] + text[end:]


def _replace_value(text: bytes, generator: random.Random) -> bytes:
    found = list(_VALUE.finditer(text))
    if not found:
        return text
    match = generator.choice(found)
    return text[: match.start()] + generator.choice(_WORDS) + text[match.end() :]


def _swap_values(text: bytes, generator: random.Random) -> bytes:
    found = list(_VALUE.finditer(text))
    if len(found) < 2:
        return text
    first, second = sorted(generator.sample(found, 2), key=lambda match: match.start())
    middle = text[first.end() : second.start()]
    return text[: first.start()] + second[0] + middle + first[0] + text[second.end() :]


def _nest(text: bytes, generator: random.Random) -> bytes:
    position = generator.randrange(len(text) + 1)
    mark = generator.choice((b"[", b"(", b'{"a":', b"${", b"- ", b"!"))
    return text[:position] + mark * generator.choice((5, 100, 3000)) + text[position:]


# What keeps the form comes more often: the other kinds seldom get past the first check.
_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut, _flip, _insert, _remove, _double, _nest, *[_replace_value] * 6, *[_swap_values] * 4,
)  # fmt: skip
