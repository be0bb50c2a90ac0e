"""Secrets out of texts: known values in every form they take, tokens by their pattern, Terraform's sensitive maps."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from .markup import ANSI, read_markup, without_codes
from .secret_forms import forms_of
from .secret_names import (
    MASK,
    is_common,
    is_listed_secret,
    is_listed_secrets,
    is_secret,
    may_be_secret,
    names_secret,
    paired,
)
from .secret_patterns import SHAPES, Finder, Part, Span, names_a_user
from .secret_places import PLACES

__all__ = [
    "ANSI",
    "FINDERS",
    "MASK",
    "WITHHELD",
    "Redactor",
    "covered",
    "mask_sensitive",
    "sensitive_values",
    "strings_in",
]

FINDERS: Final[tuple[Finder, ...]] = (*PLACES, *SHAPES)
WITHHELD: Final = "[MASKED: withheld, since to look through it for secrets took too long]"
# Seconds of a processor that one text may take. What is looked for is found in linear time: this is for what nobody
# thought of, and for texts of many megabytes.
BOUND: Final = 5.0
# Between two parts of a text the clock is asked; what begins in one may go on so far into the next.
PART: Final = 65_536
BEYOND: Final = 16_384
ASKED_AFTER: Final = 131_072
SHORTEST_BEGINNING: Final = 4
_LONGEST_BEGINNING: Final = 16_384
# What begins so is a picture, a page or a sound, and no text: PNG, JPEG, GIF, PDF, WebP and WAV, BMP, TIFF.
_BINARY: Final = ("iVBORw0KGgo", "/9j/", "R0lGOD", "JVBERi", "UklGR", "Qk", "SUkq", "TU0A")
_MARKUP: Final = ("text/html", "image/svg+xml", "application/xml", "text/xml", "application/xhtml+xml")


class _TookTooLongError(Exception):
    pass


class _Patience:
    """The time that is left for one text. The clock is asked once in many characters: on some systems that is slow."""

    def __init__(self, clock: Callable[[], float], bound: float, latest: float) -> None:
        self._clock = clock
        self._bound = bound
        self._until = latest
        self._begun = False
        # Where there is hardly any time left the first text asks for it.
        self._spent = ASKED_AFTER if latest < math.inf else 0

    def spend(self, characters: int) -> None:
        self._spent += characters
        if self._spent < ASKED_AFTER:
            return
        now, self._spent = self._clock(), 0
        if not self._begun:
            self._begun, self._until = True, min(self._until, now + self._bound)
        if now > self._until:
            raise _TookTooLongError


class Redactor:
    """Masks what names call secret, the given values (by name) and everything that looks like a token.

    Values are masked wherever they stand, also base64-, URL-, JSON-, HTML- or hex-encoded; short ones (6 and 7
    characters) only where they stand alone; shorter ones and common words only where a name says that they are secrets.
    """

    def __init__(
        self,
        values: Mapping[str, str] = {},
        finders: Iterable[Finder] = FINDERS,
        bound: float = BOUND,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._finders = tuple(finders)
        self._words_alone = tuple(finder for finder in self._finders if not finder.in_tokens)
        self._bound = bound
        self._clock = clock
        self._latest = math.inf
        self._forms: set[str] = set()
        self._literals: list[str] = []
        self._words: re.Pattern[str] | None = None
        self._values: set[str] = set()
        self.add(values.values())

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values, {len(self._finders)} patterns)"

    def add(self, values: Iterable[str]) -> None:
        """Learn further secret values."""
        new = {value for value in values if not is_common(value)} - self._values
        if not new:
            return
        self._values |= new
        self._forms |= {
            form for value in new if len(value.strip()) >= 8 for form in forms_of(value) if not is_common(form)
        }
        # The longest first: an end of a text may begin more than one of them.
        self._literals = sorted((form for form in self._forms if form not in MASK), key=len, reverse=True)
        words = sorted((re.escape(value) for value in self._values if len(value.strip()) < 8), key=len, reverse=True)
        self._words = re.compile(rf"(?<![\w./-])(?:{'|'.join(words)})(?![\w/-]|\.\w)") if words else None

    def mask(self, text: str) -> str:
        """The text without secrets; withheld whole if to find them takes too long."""
        try:
            return self._mask(text, self._patience())
        except _TookTooLongError:
            return WITHHELD

    def mask_markup(self, text: str) -> str:
        """HTML or SVG without secrets; it stays as well-formed as it was."""
        try:
            return self._mask_markup(text, self._patience())
        except _TookTooLongError:
            return WITHHELD

    def mask_output(self, mime: str, value: Any) -> Any:
        """What a cell shows, by its kind: pictures stay, JSON is masked value by value, HTML stays well-formed."""
        mime = mime.partition(";")[0]
        if isinstance(value, list) and not mime.endswith("json") and all(isinstance(line, str) for line in value):
            value = "".join(value)
        if not isinstance(value, str):
            return self.mask_tree(value)
        if mime in _MARKUP:
            return self.mask_markup(value)
        if mime.endswith("json") and isinstance(tree := _parsed(value), dict | list):
            masked = self.mask_tree(tree)
            return value if masked == tree else json.dumps(masked, ensure_ascii=False)
        return value if is_binary(mime, value) else self.mask(value)

    def mask_name(self, name: str, value: object) -> Any:
        """A named value: masked whole if the name is one that secrets bear."""
        return self.mask_tree({name: value}).get(self.mask(name), WITHHELD)

    def mask_tree(self, node: Any) -> Any:
        """Every string inside dicts and lists masked, keys and named secrets included; the shape is kept.

        They share the time of one text; those that are left when it is over are withheld.
        """
        return self._mask_tree(node, self._patience())

    def spans(self, text: str) -> list[Span] | None:
        """Where the secrets of a text stand, in order; None if to find them takes too long."""
        try:
            return self._spans(text, self._patience())
        except _TookTooLongError:
            return None

    def cut_beginning(self, text: str) -> str:
        """The text without an end with which a known value may begin."""
        longest = 0
        for literal in self._literals:
            lengths = range(min(len(literal) - 1, len(text)), max(SHORTEST_BEGINNING - 1, longest), -1)
            longest = next((length for length in lengths if text.endswith(literal[:length])), longest)
        return text[: len(text) - longest]

    def begun(self, text: str) -> int:
        """Where in a text that ends with a line a known value of several lines begins whose end is yet to come."""
        line, start = text[text.rfind("\n", 0, -1) + 1 :], len(text)
        for literal in self._literals if line else ():
            # The longest beginning that the text ends with; of none that is longer than what is held anyway.
            at = literal.rfind(line, 0, min(len(literal) - 1, len(text), _LONGEST_BEGINNING))
            while at >= 0 and not text.endswith(literal[: at + len(line)]):
                at = literal.rfind(line, 0, at + len(line) - 1)
            if at >= 0 and at + len(line) >= SHORTEST_BEGINNING:
                start = min(start, len(text) - at - len(line))
        return start

    def hurried(self, seconds: float) -> Redactor:
        """One that knows the same, and that in so many seconds of this thread's time withholds whatever it gets."""
        hurried = copy.copy(self)
        hurried._latest = self._clock() + seconds
        return hurried

    def _patience(self) -> _Patience:
        return _Patience(self._clock, self._bound, self._latest)

    def _mask(self, text: str, patience: _Patience) -> str:
        return covered(text, self._spans(text, patience))

    def _mask_leaf(self, text: str, patience: _Patience) -> str:
        try:
            return self._mask(text, patience)
        except _TookTooLongError:
            return WITHHELD

    def _mask_markup(self, text: str, patience: _Patience) -> str:
        read, said, named = read_markup(text)
        patience.spend(len(text))
        edits = [(begin, end, MASK) for begin, end in named]
        for reading in (read, said):
            for span in self._spans(reading.text, patience):
                for number, (begin, end) in enumerate(reading.pieces(*span)):
                    edits.append((begin, end, "" if number else MASK))
        return _edited(text, edits)

    def _mask_tree(self, node: Any, patience: _Patience) -> Any:
        if isinstance(node, str):
            return self._mask_leaf(node, patience)
        if isinstance(node, list | tuple):
            return [self._mask_tree(item, patience) for item in node]
        if not isinstance(node, Mapping):
            return node
        return self._mask_items(node, patience)

    def _mask_items(self, node: Mapping[str, Any], patience: _Patience, secret: str = "") -> dict[str, Any]:
        """Each of a map's; what is the value of a thing whose name is `secret` bears that name."""
        kept, named, made = _kept(node), paired(node), dict[str, Any]()
        for key, value in node.items():
            if secret and key in {"value", "default", "before", "after"}:
                shown = self._mask_named(secret, value, True, patience)
            else:
                shown = value if key in kept else self._mask_named(str(key), value, key in named, patience)
            masked = self.mask(str(key))
            while masked in made:  # two names may be secrets, and neither is lost
                masked += f" {len(made)}"
            made[masked] = shown
        return made

    def _mask_named(self, name: str, value: Any, named: bool, patience: _Patience) -> Any:
        if isinstance(value, str):
            secret = (
                is_secret(name, value) or (named and may_be_secret(value)) or (name == "auth" and names_a_user(value))
            )
            return MASK if secret else self._mask_leaf(value, patience)
        if isinstance(value, Mapping) and names_secret(name):
            # {"db_password": {"sensitive": false, "value": …}}
            several = is_listed_secrets(name)
            known = {
                key: MASK if several and isinstance(item, str) and is_listed_secret(name, item) else item
                for key, item in value.items()
            }
            return self._mask_items(known, patience, name)
        if isinstance(value, list | tuple):
            return [
                MASK if isinstance(item, str) and is_listed_secret(name, item) else self._mask_tree(item, patience)
                for item in value
            ]
        return self._mask_tree(value, patience)

    def _spans(self, text: str, patience: _Patience) -> list[Span]:
        found = list(self._found(text, patience))
        if "\x1b" in text:
            # A secret may be broken up by colour codes: those within it go too.
            reading = without_codes(text)
            for span in self._found(reading.text, patience):
                pieces = list(reading.pieces(*span))
                found.append((pieces[0][0], pieces[-1][1]))
        return _merged(found)

    def _found(self, text: str, patience: _Patience) -> Iterator[Span]:
        if len(text) < SHORTEST_BEGINNING:
            return
        for literal in self._literals:
            at = text.find(literal)
            while at >= 0:
                yield at, at + len(literal)
                at = text.find(literal, at + len(literal))
            patience.spend(len(text) // 64)
        if self._words is not None:
            yield from (match.span() for match in self._words.finditer(text))
        patience.spend(len(text))
        for start in range(0, len(text), PART):
            end, limit = min(len(text), start + PART), min(len(text), start + PART + BEYOND)
            part = Part(text, start, end, limit)
            for finder in self._finders if part.runs else self._words_alone:
                if part.may_have(finder):
                    yield from finder.spans(part)
                    patience.spend(limit - start)


def is_binary(mime: str, value: str) -> bool:
    """Whether this is base64 of a picture or the like, in which there is nothing to read."""
    if mime.startswith("text/") or mime.endswith(("+xml", "json", "javascript", "x-python")):
        return False
    begin = value[:64].lstrip()
    if mime in {"image/png", "image/jpeg", "image/gif", "application/pdf"} and not begin.startswith(_BINARY):
        return False
    if not begin.startswith(_BINARY) and len(value) < 256:
        return False
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _kept(node: Mapping[str, Any]) -> tuple[str, ...]:
    # Numbers and files in base64, as plots and widgets hold them.
    if "bdata" in node and "dtype" in node:
        return ("bdata",)
    return ("data",) if node.get("encoding") == "base64" and "path" in node else ()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def covered(text: str, spans: Iterable[Span]) -> str:
    """The text with MASK in place of each span."""
    return _edited(text, [(begin, end, MASK) for begin, end in spans])


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for begin, end, instead in sorted(edits):
        if begin >= at:
            pieces += (text[at:begin], instead)
            at = end
        elif end > at:
            at = end
    return "".join((*pieces, text[at:])) if pieces else text


def mask_sensitive(document: Any, sensitive: Any) -> Any:
    """A Terraform value with what its `*_sensitive` map marks as true replaced; the shape around it is kept."""
    if sensitive is True:
        return None if document is None else MASK
    if isinstance(document, Mapping) and isinstance(sensitive, Mapping):
        return {key: mask_sensitive(value, sensitive.get(key)) for key, value in document.items()}
    if isinstance(document, list) and isinstance(sensitive, list):
        marks = [*sensitive, *[None] * (len(document) - len(sensitive))]
        return [mask_sensitive(value, mark) for value, mark in zip(document, marks, strict=False)]
    return document


def sensitive_values(document: Any, sensitive: Any) -> set[str]:
    """The strings that a `*_sensitive` map marks: what a Redactor has to learn so that nothing prints them."""
    if sensitive is True:
        return strings_in(document)
    if isinstance(document, Mapping) and isinstance(sensitive, Mapping):
        pairs = [(document.get(key), mark) for key, mark in sensitive.items()]
    elif isinstance(document, list) and isinstance(sensitive, list):
        pairs = list(zip(document, sensitive, strict=False))
    else:
        return set()
    return {text for value, mark in pairs for text in sensitive_values(value, mark)}


def strings_in(node: Any) -> set[str]:
    """Every text in a tree of dicts and lists; their keys are not meant."""
    if isinstance(node, str):
        return {node}
    parts = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return {text for part in parts for text in strings_in(part)}
