"""Files that a command is given, and the form in which its stdout carries the answer and nothing else."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, UsageError

if TYPE_CHECKING:
    from ..models.plan import Plan

__all__ = ["Format", "Mask", "progress_on_stderr", "read_bounded", "read_bytes", "read_whole_plan"]

MAX_BYTES = 150_000_000


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def read_bytes(path: Path) -> bytes:
    """The file's content, or stdin's for `-`."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}", "Name a file that exists.") from error


@contextlib.contextmanager
def progress_on_stderr() -> Iterator[None]:
    """What steps print for a notebook's reader is progress here, and stdout carries the answer alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def read_bounded(path: Path) -> bytes:
    """A whole input file, or stdin for `-`; InputError if it is missing or too large to be judged in bounded memory."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise _too_large(path, size)
            data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "Name a file that can be read.") from error
    if len(data) > MAX_BYTES:
        raise _too_large(path, len(data))
    return data


def read_whole_plan(data: bytes) -> tuple[Plan, Mask]:
    """A plan of the whole stack, and what masks all that it calls sensitive; InputError on anything else.

    The caller is to hold the bytes no longer: while they are parsed is the most memory there ever is.
    """
    from ..domain.plan import parse_plan, refuse_incomplete
    from ..domain.sensitive import plan_secrets
    from ..domain.strict_json import read_json

    document = read_json(data, "the plan")
    plan = refuse_incomplete(parse_plan(document))
    try:
        secrets = plan_secrets(document)
    except (AttributeError, TypeError) as error:
        remedy = "Write it with `terraform show -json PLANFILE`."
        raise InputError("what the plan calls sensitive can't be read", remedy) from error
    return plan, Mask(secrets)


class Mask:
    """Takes known secrets out of an answer; without any it stays as it is."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = secrets

    def __call__(self, text: str, kind: str = "") -> str:
        """The text, of a `kind` (json, xml or any other) that it stays, without them."""
        if not self._secrets:
            return text
        from ..domain.redaction import Redactor

        # Those alone, and however long it takes: an answer of many megabytes is no less wanted.
        redactor = Redactor(finders=(), bound=math.inf)
        redactor.add(self._secrets)
        if kind == "json":
            return json.dumps(redactor.mask_tree(json.loads(text)), indent=2, ensure_ascii=False) + "\n"
        return redactor.mask_markup(text) if kind == "xml" else redactor.mask(text)


def _too_large(path: Path, size: int) -> InputError:
    limit = MAX_BYTES // 1_000_000
    return InputError(
        f"{path} has {size // 1_000_000} MB; at most {limit} MB are read",
        "Split the root module: no one can review that much.",
    )
