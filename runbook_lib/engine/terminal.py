"""Text as a terminal leaves it: carriage returns, backspaces and the cursor's other moves are carried out."""

from __future__ import annotations

import copy
import re

__all__ = ["Screen", "collapse", "moves"]

# Lines that the cursor can still reach; what is above them stays as it is.
ROWS = 24
# One without an end is cut here: it need not be held for somebody who goes back in it.
LONGEST_ROW = 65_536
# How far the cursor gets to the right of what is written.
WIDTH = 200
# Characters of the colours that are in force at once.
LONGEST_PEN = 96

MOVE = re.compile(r"\r|\x08|\x1b\[[0-9;?]*[A-GJK]")
TOKEN = re.compile(
    r"(?P<seq>\x1b\[(?P<numbers>[0-9;?]*)[ -/]*(?P<end>[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b)"
    r"|\r|\x08|[^\r\x08\x1b]+"
)
# A sequence that the next piece of text may complete.
BEGUN = re.compile(r"\x1b(?:\[[0-9;?]{0,16})?\Z")


def collapse(text: str) -> str:
    """The whole text as a terminal would leave it."""
    screen = Screen()
    return screen.feed(text) + screen.rest()


def moves(text: str) -> bool:
    """Whether anything in the text may be written over."""
    return MOVE.search(text) is not None


class Screen:
    """Takes text in pieces, and gives back what no later piece can change."""

    def __init__(self) -> None:
        self._rows = [_Row()]
        self._row = 0
        # None is behind all that the row has.
        self._column: int | None = None
        self._begun = ""
        # Whether anything was written over.
        self.edited = False

    def feed(self, text: str) -> str:
        """Carry out a piece of text; gives the lines that are out of reach now."""
        text = (self._begun + text).replace("\r\n", "\n")
        begun = BEGUN.search(text, max(0, len(text) - 32))
        self._begun = begun[0] if begun else ""
        text = text[: begun.start()] if begun else text
        if self._appends and not MOVE.search(text):
            # Nearly everything is like this.
            return self._append(text)
        lines = iter(text.split("\n"))
        self._carry_out(next(lines))
        left = []
        for line in lines:
            if len(self._rows) > 4 * ROWS:
                # On the way already: a row that has left costs nothing, neither memory nor to be walked over.
                left.append(self._leave())
            self._next_row()
            self._carry_out(line)
        return "".join([*left, self._leave()])

    def rest(self) -> str:
        """What is still within reach."""
        return "\n".join(row.render() for row in self._rows) + self._begun

    def then(self, more: str) -> str:
        """What would be within reach, and what would not be any more, after another piece of text."""
        if not more:
            return self.rest()
        later = copy.deepcopy(self)
        return later.feed(more) + later.rest()

    @property
    def _appends(self) -> bool:
        return self._column is None and self._row == len(self._rows) - 1 and self._rows[-1].plain

    def _append(self, text: str) -> str:
        above, *lines = (self._rows.pop().text + text).rsplit("\n", ROWS)
        if len(lines) == ROWS:
            # All but the last ones leave without having been looked at.
            left = "".join(f"{row.render()}\n" for row in self._rows) + f"{above}\n"
            self._rows = [_Row(line) for line in lines]
        else:
            left = ""
            self._rows += [_Row(line) for line in (above, *lines)]
        self._row = len(self._rows) - 1
        return left + self._leave()

    def _leave(self) -> str:
        above = max(0, min(len(self._rows) - ROWS, self._row))
        left = "".join(f"{row.render()}\n" for row in self._rows[:above])
        del self._rows[:above]
        self._row -= above
        if self._appends and len(self._rows[-1].text) > LONGEST_ROW:
            left += "\n".join(row.render() for row in self._rows)
            self._rows, self._row = [_Row()], 0
        return left

    def _next_row(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append(_Row())
        self._column = 0 if self._rows[self._row].written else None

    def _carry_out(self, line: str) -> None:
        if self._appends and not MOVE.search(line):
            self._rows[-1].text += line
            return
        for token in TOKEN.finditer(line):
            text = token[0]
            if text == "\r":
                self._column = 0 if self._rows[self._row].written else None
            elif text == "\b":
                self._column = max(0, self._at() - 1)
            elif not token["seq"]:
                self._write(text)
            elif token["end"] is None or not self._move(token["end"], token["numbers"]):
                self._rows[self._row].code(text, behind=self._column is None)

    def _at(self) -> int:
        return self._rows[self._row].length if self._column is None else self._column

    def _write(self, text: str) -> None:
        row = self._rows[self._row]
        if self._column is None:
            row.append(text)
            return
        self.edited = True
        self._column = row.write(self._column, text)

    def _move(self, end: str, numbers: str) -> bool:
        number = numbers.partition(";")[0]
        if end not in "ABCDEFGJK" or (number and not number.isdigit()):
            return False
        count = int(number[:6] or 0)
        if end in "JK":
            return self._erase(end, count)
        column, steps = self._at(), max(1, count)
        if end in "ABEF":
            down = steps if end in "BE" else -steps
            self._row = min(max(0, self._row + down), len(self._rows) - 1)
            column = 0 if end in "EF" else column
        else:
            column = {"C": column + steps, "D": column - steps, "G": steps - 1}[end]
        self._column = min(max(0, column), max(self._rows[self._row].length, WIDTH))
        return True

    def _erase(self, end: str, what: int) -> bool:
        if what > 2 or (end == "J" and what):
            # To clear a screen is no wish that nobody shall know what was on it.
            return False
        if not what and self._appends:
            return True
        row, self.edited = self._rows[self._row], True
        at = self._column = self._at()
        if end == "J":
            del self._rows[self._row + 1 :]
        if what:
            row.write(0, " " * (row.length if what == 2 else min(row.length, at + 1)))
        if what != 1:
            row.cut(0 if what else at)
        return True


class _Row:
    """A line: as it came, or character by character with the colours of each once coloured text is written over."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.plain = True
        self._cells: list[str] = []
        self._pens: list[str] = []
        self._pen = ""
        self._codes = ""

    @property
    def written(self) -> bool:
        return bool(self.text or self._cells)

    @property
    def length(self) -> int:
        return len(self.text if self._bare() else self._cells)

    def append(self, text: str) -> None:
        if self.plain:
            self.text += text
        else:
            self.write(len(self._cells), text)

    def code(self, sequence: str, *, behind: bool) -> None:
        """A sequence that moves nothing, behind what is written or within it."""
        if self.plain and behind:
            self.text += sequence
            return
        self._spread()
        if not sequence.endswith("m"):
            self._codes += sequence
        elif (numbers := sequence[2:-1].lstrip("0;")) and len(self._pen) < LONGEST_PEN:
            self._pen = (self._pen if sequence[2] != "0" else "") + f"\x1b[{numbers}m"
        else:
            self._pen = f"\x1b[{numbers}m" if numbers else ""

    def write(self, at: int, text: str) -> int | None:
        """Write over what is there; gives the column behind it, None if nothing is."""
        end = at + len(text)
        if self._bare():
            self.text = self.text.ljust(at)[:at] + text + self.text[end:]
            return end if end < len(self.text) else None
        gap = max(0, at - len(self._cells))
        self._cells += " " * gap
        self._pens += [""] * gap
        self._cells[at:end] = text
        self._pens[at:end] = [self._pen] * len(text)
        if text:
            self._cells[at], self._codes = self._codes + self._cells[at], ""
        return end if end < len(self._cells) else None

    def cut(self, at: int) -> None:
        """Forget what stands there and behind it."""
        if self._bare():
            self.text = self.text[:at]
        else:
            del self._cells[at:], self._pens[at:]

    def render(self) -> str:
        if self.plain:
            return self.text
        shown, pen = [], ""
        for cell, its_pen in zip((*self._cells, self._codes), (*self._pens, self._pen), strict=True):
            if its_pen != pen:
                shown.append(its_pen[len(pen) :] if its_pen.startswith(pen) else f"\x1b[0m{its_pen}")
                pen = its_pen
            shown.append(cell)
        return "".join(shown)

    def _bare(self) -> bool:
        # Where a character's place is its column.
        if self.plain and "\x1b" in self.text:
            self._spread()
        return self.plain

    def _spread(self) -> None:
        if not self.plain:
            return
        text, self.text, self.plain = self.text, "", False
        for token in TOKEN.finditer(text):
            if token["seq"]:
                self.code(token[0], behind=True)
            else:
                self.write(len(self._cells), token[0])
