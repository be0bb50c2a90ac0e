"""The texts in HTML and SVG: what is read there, without the tags, and where each character of it stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from .secret_names import is_secret, may_be_secret, paired

__all__ = ["ANSI", "Reading", "read_markup", "without_codes"]

# Colours and cursor movements, also links, titles and character sets.
ANSI: Final = re.compile(
    r"\x1b(?:\[[0-9;:?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[ -/]{1,8}[0-~]|[0-Z\\^-~])"
)
# A tag with its quoted attributes, or one end of a comment.
_TAG: Final = re.compile(r"<!--|-->|</?[A-Za-z](?>(?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*)>|<[!?][^<>]*+>")
_NAME: Final = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
_ATTRIBUTE: Final = re.compile(r"(?<=\s)([A-Za-z_:@][\w:.\-]{0,64}+)\s{0,9}+=\s{0,9}+(?:\"([^\"]*+)\"|'([^']*+)')")
# Tags that stand within a word; every other one ends it.
_INLINE: Final = frozenset(
    "a abbr b bdi bdo code em font i kbd mark s samp small span strong sub sup tspan tt u var wbr".split()  # noqa: SIM905
)


class Reading:
    """What is left of a text without some parts of it, and where in the text each of its characters stands."""

    def __init__(self, text: str, left_out: list[tuple[int, int, str]]) -> None:
        pieces: list[str] = []
        self._starts: list[int] = []
        self._from: list[int] = []
        size = at = 0
        for begin, end, instead in [*left_out, (len(text), len(text), "")]:
            if begin > at:
                self._starts.append(size)
                self._from.append(at)
                pieces.append(text[at:begin])
                size += begin - at
            if instead:
                self._starts.append(size)
                self._from.append(-1)
                pieces.append(instead)
                size += len(instead)
            at = end
        self.text = "".join(pieces)

    def pieces(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Where the characters from `begin` to `end` stand in the whole text: a piece for each stretch of them."""
        index = bisect_right(self._starts, begin) - 1
        while index < len(self._starts) and self._starts[index] < end:
            start = self._starts[index]
            last = self._starts[index + 1] if index + 1 < len(self._starts) else len(self.text)
            if self._from[index] >= 0:
                offset = self._from[index] - start
                yield max(begin, start) + offset, min(end, last) + offset
            index += 1


def without_codes(text: str) -> Reading:
    """A text as a terminal shows it: without colours."""
    return Reading(text, [(*match.span(), "") for match in ANSI.finditer(text)])


def read_markup(text: str) -> tuple[Reading, Reading, list[tuple[int, int]]]:
    """What a reader of the page sees; what its attributes say; and where attributes stand that name a secret."""
    tags: list[tuple[int, int, str]] = []
    between: list[tuple[int, int, str]] = []
    secrets: list[tuple[int, int]] = []
    at = last = 0
    while match := _TAG.search(text, at):
        named = _NAME.match(text, match.start(), match.end())
        name = named[1].lower() if named else ""
        at = match.end()
        if name == "style" and not match.group().startswith("</"):
            closed = text.find("</style", at)
            at = closed if closed >= 0 else len(text)
        tags.append((match.start(), at, "" if name in _INLINE else "\n"))
        found = {}
        for attribute in _ATTRIBUTE.finditer(text, match.start(), match.end()) if name else ():
            begin, end = attribute.span(2 if attribute[2] is not None else 3)
            value = text[begin:end]
            if not value.startswith("data:"):
                found[attribute[1].lower()] = (value, begin, end)
                between.append((last, begin, "\n"))
                last = end
        values = {key: value for key, (value, _, _) in found.items()}
        named_so = paired(values) | {key for key, value in values.items() if is_secret(key, value)} if values else set()
        secrets += [found[key][1:] for key in named_so if may_be_secret(values[key])]
    return Reading(text, tags), Reading(text, [*between, (last, len(text), "\n")]), secrets
