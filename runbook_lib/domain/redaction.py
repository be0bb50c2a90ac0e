"""Secrets out of texts: known values in every form they take, tokens by their pattern, Terraform's sensitive maps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .secret_forms import forms_of
from .secret_names import may_be_secret, names_secret
from .secret_patterns import DEFAULT_PATTERNS, SecretPattern

__all__ = ["MASK", "Redactor", "StreamMask", "mask_sensitive", "sensitive_values", "strings_in"]

MASK = "[MASKED]"
# Colours and cursor movements, also links, titles and character sets.
ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-Z\\^-~])")
# Shorter values are words such as `test`: masking those anywhere would eat the names of steps and files.
ANYWHERE = 8
SHORTEST = 4
LONGEST_HELD = 8192


class Redactor:
    """Masks the given values (by name) and everything that looks like a token.

    Values of 8 characters and more are masked anywhere, also base64-, URL-, JSON-, HTML- or hex-encoded; values of 4 to
    7 only where they stand alone; shorter ones never.
    """

    def __init__(self, values: Mapping[str, str] = {}, patterns: Iterable[SecretPattern] = DEFAULT_PATTERNS) -> None:
        self._patterns = tuple(patterns)
        self._literals: list[str] = []
        self._words: re.Pattern[str] | None = None
        self._values: set[str] = set()
        self.add(values.values())

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values, {len(self._patterns)} patterns)"

    def add(self, values: Iterable[str]) -> None:
        """Learn further secret values."""
        self._values |= {value for value in values if len(value.strip()) >= SHORTEST}
        literals = {form for value in self._values if len(value) >= ANYWHERE for form in forms_of(value)}
        # The longest first, lest a part is masked and the rest left standing.
        self._literals = sorted((form for form in literals if form not in MASK), key=len, reverse=True)
        words = sorted((re.escape(value) for value in self._values if len(value) < ANYWHERE), key=len, reverse=True)
        self._words = re.compile(rf"(?<![\w./-])(?:{'|'.join(words)})(?![\w/-]|\.\w)") if words else None

    def mask(self, text: str) -> str:
        """The text without secrets."""
        masked = self._mask(text)
        if "\x1b" in text and (plain := self._mask(ANSI.sub("", text))) != ANSI.sub("", masked):
            # A secret broken up by colour codes: the colours go, not the secret's cover.
            return plain
        return masked

    def mask_name(self, name: str, value: object) -> Any:
        """A named value: masked whole if the name is one that secrets bear."""
        if isinstance(value, str) and names_secret(name) and may_be_secret(value):
            return MASK
        return self.mask_tree(value)

    def mask_tree(self, node: Any) -> Any:
        """Every string inside dicts and lists masked, keys and named secrets included; the shape is kept."""
        if isinstance(node, str):
            return self.mask(node)
        if isinstance(node, Mapping):
            return {self.mask(str(key)): self.mask_name(str(key), value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [self.mask_tree(item) for item in node]
        return node

    def cut_beginning(self, text: str) -> str:
        """The text without an end with which a known value may begin."""
        for literal in self._literals:
            for length in range(min(len(literal) - 1, len(text)), SHORTEST - 1, -1):
                if text.endswith(literal[:length]):
                    return text[:-length]
        return text

    def stream(self) -> StreamMask:
        """A mask for text that comes in pieces."""
        return StreamMask(self)

    def _mask(self, text: str) -> str:
        for literal in self._literals:
            if literal in text:
                text = text.replace(literal, MASK)
        if self._words is not None:
            text = self._words.sub(MASK, text)
        for pattern in self._patterns:
            text = pattern.mask(text, MASK)
        return text


class StreamMask:
    """Masks a stream: only whole lines leave it, so a secret split over two writes is still seen whole."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held: list[str] = []
        self._size = 0

    def feed(self, text: str) -> str:
        """Take a piece, give what is certain."""
        self._held.append(text)
        self._size += len(text)
        if "\n" not in text and self._size < 2 * LONGEST_HELD:
            return ""
        whole, newline, rest = "".join(self._held).rpartition("\n")
        if "-----BEGIN" in whole and "-----END" not in whole.rpartition("-----BEGIN")[2]:
            # A private key goes over many lines: wait for its end.
            whole, newline, rest = "", "", whole + newline + rest
        if len(rest) >= 2 * LONGEST_HELD:
            # One endless line: what is certain leaves masked, the tail stays in case a secret begins there.
            masked = self._redactor.mask(whole + newline + rest)
            self._hold(masked[-LONGEST_HELD:])
            return masked[:-LONGEST_HELD]
        self._hold(rest)
        return self._redactor.mask(whole + newline)

    def flush(self) -> str:
        """The rest, at the end of the stream."""
        rest = "".join(self._held)
        self._hold("")
        return self._redactor.mask(rest)

    def peek(self) -> str:
        """The rest as it may be shown while more can come: an end that could begin a secret is left out."""
        return self._redactor.cut_beginning(self._redactor.mask("".join(self._held)))

    def _hold(self, text: str) -> None:
        self._held = [text] if text else []
        self._size = len(text)


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
