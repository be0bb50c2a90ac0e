"""Masking a stream: what comes in pieces leaves in whole lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .redaction import WITHHELD, covered

if TYPE_CHECKING:
    from .redaction import Redactor
    from .secret_patterns import Span

__all__ = ["StreamMask"]

LONGEST_HELD: Final = 8192
LONGEST_KEY: Final = 65_536
CONTEXT: Final = 1024
# So much before and after where a secret begins says what it is.
_BEGINNING: Final = 256
# A value whose name may stand on the next line.
_VALUE_LINE: Final = re.compile(r"[ \t,{-]{0,40}[\"']?(?:[Vv]alue|data)[\"']?[ \t]{0,20}[:=]")


class StreamMask:
    """Masks a stream: only whole lines leave it, so a secret split over two writes is still seen whole.

    What has left is remembered for a while: it may say what the next line is.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held: list[str] = []
        self._size = 0
        self._before = ""

    def hurry(self, redactor: Redactor) -> None:
        """From now on use this one."""
        self._redactor = redactor

    def feed(self, text: str) -> str:
        """Take a piece, give what is certain."""
        self._held.append(text)
        self._size += len(text)
        if "\n" not in text and self._size < 2 * LONGEST_HELD:
            return ""
        whole = "".join(self._held)
        cut = _certain(whole)
        cut = self._redactor.begun(whole[:cut])
        if len(whole) - cut >= 2 * LONGEST_HELD:
            # One endless line, or a key that never ends: the tail stays in case a secret begins there.
            least = len(whole) - LONGEST_HELD
            cut = whole.rfind("\n", cut, least) + 1 or least
        return self._leave(whole, cut)

    def flush(self) -> str:
        """The rest, at the end of the stream."""
        whole = "".join(self._held)
        return self._leave(whole, len(whole))

    def peek(self) -> str:
        """The rest as it may be shown while more can come: an end that could begin a secret is left out."""
        held = "".join(self._held)
        return self._redactor.cut_beginning(self._show(held, len(held), self._spans(held))) if held else ""

    def _spans(self, whole: str) -> list[Span] | None:
        return self._redactor.spans(self._before + whole)

    def _leave(self, whole: str, cut: int) -> str:
        if not cut:
            self._hold(whole)
            return ""
        spans, known = self._spans(whole), len(self._before)
        across = next((span for span in spans or () if span[0] < known + cut < span[1]), None)
        if across and across[0] > known and len(whole) < 2 * LONGEST_KEY:
            cut = across[0] - known
            across = None
        shown, left = self._show(whole, cut, spans), self._before + whole[:cut]
        self._remember(left, across or _unended(left, spans), whole[cut:])
        return shown

    def _show(self, whole: str, cut: int, spans: list[Span] | None) -> str:
        if spans is None:
            return WITHHELD + "\n"
        known = len(self._before)
        inside = [(max(begin - known, 0), min(end - known, cut)) for begin, end in spans if end > known]
        return covered(whole[:cut], [span for span in inside if span[0] < span[1]])

    def _remember(self, left: str, begun: Span | None, rest: str) -> None:
        if begun:
            # What was begun goes on: its beginning is kept, by lines, so that the rest is still known for what it is.
            begin, end = begun[0], begun[0] + _BEGINNING
            self._before = left[max(0, begin - _BEGINNING) : left.rfind("\n", begin, end) + 1 or end]
        else:
            before = left[-CONTEXT:]
            self._before = before if len(left) <= CONTEXT else before[re.search(r"\s|$", before).end() :]  # type: ignore[union-attr]
        self._hold(rest)

    def _hold(self, text: str) -> None:
        self._held = [text] if text else []
        self._size = len(text)


def _unended(left: str, spans: list[Span] | None) -> Span | None:
    """The secret that a text ends with, which may go on in another line as keys do, where the usual rest forgets it."""
    begun = next((span for span in spans or () if span[0] < len(left) and not left[span[1] :].strip()), None)
    return begun if begun and begun[0] - _BEGINNING < len(left) - CONTEXT else None


def _certain(whole: str) -> int:
    """How much of a text ends a line, and is not the beginning of something that goes over several lines."""
    cut = whole.rfind("\n") + 1
    begun = whole.rfind("-----BEGIN", 0, cut)
    if begun >= 0 and "-----END" not in whole[begun:cut] and cut - begun < LONGEST_KEY:
        return whole.rfind("\n", 0, begun) + 1
    line = whole.rfind("\n", 0, max(0, cut - 1)) + 1
    return line if _VALUE_LINE.match(whole, line, cut) and cut - line < LONGEST_HELD else cut
