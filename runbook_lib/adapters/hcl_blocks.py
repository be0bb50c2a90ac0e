"""Terraform files cut into their top-level blocks, each with its line: fast, in bounded memory, without parsing."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import InputError
from ..models.findings import Source

__all__ = [
    "Block",
    "doubtful_files",
    "is_override",
    "module_files",
    "read_source",
    "split_blocks",
    "without_comments",
]

# Possessive throughout: a text that is no header after all must not be tried in every way that it could be cut.
# A letter, or whatever is no ASCII: by what it is not, since `re` takes 20 ms to compile a range of a million.
_LETTER: Final = r"[^\x00-@\[-\^`{-\u00a9]"
_NAME: Final = rf"{_LETTER}[^\x00-,./:-@\[-\^`{{-\u00a9]*+"
_HEADER: Final = re.compile(rf'({_NAME})\s*+((?>(?:"(?>(?:[^"\\]|\\.)*)"\s*+|{_NAME}\s*+)*))\{{', re.DOTALL)
_LABEL: Final = re.compile(rf'"((?:[^"\\]|\\.)*)"|({_NAME})')
_STOP: Final = re.compile(rf'["{{}}#]|//|/\*|<<-?{_LETTER}')
_IN_STRING: Final = re.compile(r'\\.|"|[$%]\{|[$%]{2}\{', re.DOTALL)
_HEREDOC: Final = re.compile(rf"<<-?({_NAME})\r?\n")
_SHADOWED: Final = re.compile(r"\.tofu(?=(?:\.json)?$)")
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAX_BYTES: Final = 50_000_000
_ENDINGS: Final = (".tf", ".tf.json", ".tofu", ".tofu.json")
_OVERRIDE: Final = re.compile(r"(?:.*_)?override\.(?:tf|tofu)(?:\.json)?")


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block: its kind and labels, its text, and where it begins."""

    kind: str
    labels: tuple[str, ...]
    text: str
    source: Source


def module_files(folder: Path, product: str = "") -> tuple[Path, ...]:
    """The files of one module that `Terraform` reads, or `OpenTofu`, or one of them (`either`); else InputError.

    OpenTofu reads main.tofu in place of main.tf; Terraform knows no .tofu. Files are read as OpenTofu does if it is not
    said who does: only that finds what either makes of a module with .tofu files of its own.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "Name the folder that holds the Terraform files.")
    endings = tuple(end for end in _ENDINGS if product != "Terraform" or "tofu" not in end)
    named = [path for path in sorted(folder.iterdir()) if path.name.endswith(endings) and path.is_file()]
    if product != "either":
        shadowed = {_SHADOWED.sub(".tf", path.name) for path in named if ".tofu" in path.suffixes[-2:]}
        named = [path for path in named if path.name not in shadowed]
    # Terraform leaves out what is hidden, and reads overrides last.
    files = tuple(sorted((p for p in named if not p.name.startswith(".")), key=lambda p: is_override(p.name)))
    if not files:
        raise InputError(f"{folder}: holds no Terraform files", "Name the folder that holds the .tf files.")
    return files


def doubtful_files(folder: Path) -> tuple[Path, ...]:
    """The files in which OpenTofu finds other values than Terraform does without them."""
    read = module_files(folder)
    standing = {path.name for path in module_files(folder, "either")}
    tofu = [path for path in read if _SHADOWED.search(path.name)]
    return tuple(p for p in tofu if is_override(p.name) or _SHADOWED.sub(".tf", p.name) in standing)


def is_override(name: str) -> bool:
    """Whether Terraform reads a file of this name last, and merges its blocks into those that it has."""
    return _OVERRIDE.fullmatch(name) is not None


def read_source(path: Path, name: str = "") -> str:
    """The text of one file; InputError if it can't be read, is out of all proportion or in another encoding.

    A byte that is no UTF-8 stays as half a surrogate pair: Terraform has nothing against it in a comment.
    """
    name = name or str(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{name}: is larger than {_MAX_BYTES // 1_000_000} MB", "Split the file.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: can't be read: {error.strerror}", "Check its permissions.") from error
    if content.startswith(_UTF_16):
        raise InputError(f"{name}, line 1: this is UTF-16, which Terraform does not read", "Save it as UTF-8.")
    if not name.endswith(".json"):
        return content.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    if content.startswith(codecs.BOM_UTF8):
        raise InputError(
            f"{name}, line 1: this begins with a byte-order mark, which JSON does not have", "Save it without one."
        )
    return content.decode(errors="replace")


def split_blocks(text: str, file: str) -> Iterator[Block]:
    """Cut a file at its top-level braces. What is no block comes with an empty kind, for the parser to judge."""
    start = position = depth = 0
    line = 1
    while match := _STOP.search(text, position):
        position = _after_token(text, match)
        mark = match[0]
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth <= 0:
                yield _block(text[start:position], file, line)
                line += text.count("\n", start, position)
                start, depth = position, 0
    if text[start:].strip():
        yield _block(text[start:], file, line)


def without_comments(text: str) -> str:
    """The text with a blank in the place of each comment between /* and */."""
    parts: list[str] = []
    start = position = 0
    while match := _STOP.search(text, position):
        position = _after_token(text, match)
        if match[0] == "/*":
            parts += [text[start : match.start()], " "]
            start = position
    return "".join([*parts, text[start:]])


def _after_token(text: str, match: re.Match[str]) -> int:
    mark, end = match[0], match.end()
    if mark == '"':
        return _after_string(text, end)
    if mark in {"#", "//"}:
        newline = text.find("\n", end)
        return len(text) if newline < 0 else newline
    if mark == "/*":
        close = text.find("*/", end)
        return len(text) if close < 0 else close + 2
    if mark.startswith("<<"):
        heredoc = _HEREDOC.match(text, match.start())
        closing = re.compile(rf"^[ \t]*{re.escape(heredoc[1])}[ \t]*\r?$", re.MULTILINE) if heredoc else None
        close_match = closing.search(text, heredoc.end()) if closing and heredoc else None
        return close_match.end() if close_match else end
    return end


def _after_string(text: str, position: int) -> int:
    # A string may hold ${…}, which may hold strings again.
    stack = ['"']
    while stack:
        pattern = _IN_STRING if stack[-1] == '"' else _STOP
        match = pattern.search(text, position)
        if match is None:
            return len(text)
        position = match.end()
        mark = match[0]
        if mark == '"':
            if stack[-1] == '"':
                stack.pop()
            else:
                stack.append('"')
        elif mark in {"${", "%{", "{"}:
            stack.append("{")
        elif mark == "}" and stack[-1] == "{":
            stack.pop()
    return position


def _block(text: str, file: str, line: int) -> Block:
    # Blank lines and comments before the block belong to no one; the block begins where its header does.
    lead = re.match(r"(?>(?:\s++|#[^\n]*+|//[^\n]*+|/\*.*?\*/)*)", text, re.DOTALL)
    skipped = lead.end() if lead else 0
    start = line + text.count("\n", 0, skipped)
    source = Source(file=file, line=start)
    header = _HEADER.match(text, skipped)
    if header is None:
        return Block("", (), text[skipped:], source)
    labels = tuple(quoted or bare for quoted, bare in _LABEL.findall(header[2]))
    if any(not label.isprintable() for label in labels):
        raise InputError(
            f"{file}, line {start}: a label of this block is no name", "Give it one of letters and digits."
        )
    return Block(header[1], labels, text[skipped:], source)
