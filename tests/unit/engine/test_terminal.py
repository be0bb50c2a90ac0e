"""What is written over, what is not, and that the pieces in which a text comes make no difference."""

from __future__ import annotations

import pytest
from cost import lines_run
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.engine.terminal import ROWS, Screen, collapse

RED, PLAIN = "\x1b[31m", "\x1b[0m"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("abcdefgh\rXY\n", "XYcdefgh\n"),
        ("12345678\b\b\bXY\n", "12345XY8\n"),
        ("ab\b\b\b\bc", "cb"),
        ("OK      \rFAIL\n", "FAIL    \n"),
        ("one\r\ntwo\r\r\nthree\r", "one\ntwo\nthree"),
        ("\r  0%\r 50%\r100%\n", "100%\n"),
        ("a long line\r\x1b[Kshort", "short"),
        ("a long line\x1b[4Dx\x1b[K", "a long x"),
        ("gone\x1b[2K\rhere", "here"),
        ("ab\x1b[1Kc", "  c"),
        ("x\x1b[3Cy", "x   y"),
        ("abc\x1b[2Gx", "axc"),
        # Bars below each other, as tqdm moves between them.
        ("\r0%\n\rinner 0\x1b[A\n\rinner 1\x1b[A\r100%\n\n", "100%\ninner 1\n"),
        ("one\ntwo\n\x1b[2A\x1b[Jleft", "left"),
        ("one\ntwo\x1b[FONE\x1b[ETWO", "ONE\nTWO"),
        # The colours of what stays are kept, and of what comes.
        (f"{RED}red{PLAIN}\rX", f"X{RED}ed{PLAIN}"),
        (f"10% {RED}#{PLAIN}|\r20% {RED}##{PLAIN}|", f"20% {RED}##{PLAIN}|"),
        (f"abc\r{RED}x{PLAIN}", f"{RED}x{PLAIN}bc"),
        # Nothing was written over: a byte as it was.
        (f"{RED}{RED}a{PLAIN}{PLAIN}\x1b]8;;http://x\x07b\x1b]8;;\x07\x1b[?25l\n", None),
        ("\x1b[2Jwhat was there\x1b[H", None),
        ("page\x0c\ttab\x00\x1b", None),
    ],
)
def test_text_is_left_as_a_terminal_leaves_it(text: str, left: str | None) -> None:
    assert collapse(text) == (text if left is None else left)


WRITTEN = st.lists(
    st.sampled_from(
        ["\r", "\b", "\n", "\r\n", "a", "bc", "äöü", "long words ", RED, PLAIN, "\x1b[A", "\x1b[K", "\x1b[2C", "\x1b"]
    ),
    max_size=30,
).map("".join)


@given(st.lists(WRITTEN, max_size=6))
def test_pieces_make_no_difference(pieces: list[str]) -> None:
    screen = Screen()
    left = "".join(map(screen.feed, pieces)) + screen.rest()
    assert left == collapse("".join(pieces))


@given(WRITTEN, WRITTEN)
def test_looking_ahead_changes_nothing(text: str, more: str) -> None:
    screen = Screen()
    left = screen.feed(text)
    assert left + screen.then(more) == collapse(text + more)
    assert left + screen.rest() == collapse(text)


@given(st.text(alphabet="abc\r\n\b", max_size=60))
def test_every_character_stands_in_its_column(text: str) -> None:
    rows, column = [[]], 0  # type: ignore[var-annotated]
    for character in text:
        if character == "\n":
            rows.append([])
            column = 0
        elif character in "\r\b":
            column = 0 if character == "\r" else max(0, column - 1)
        else:
            rows[-1][column : column + 1] = character
            column += 1
    assert collapse(text) == "\n".join(map("".join, rows))


def test_lines_leave_that_the_cursor_cannot_reach() -> None:
    screen = Screen()
    left = "".join(screen.feed(f"line {number}\r\n") for number in range(1_000))
    assert left.count("\n") == 1_001 - ROWS
    assert left + screen.rest() == "".join(f"line {number}\n" for number in range(1_000))
    # As far up as it gets, and no further.
    assert screen.feed("\x1b[9999Ahere") == ""
    assert screen.rest().startswith(f"here {1_001 - ROWS}\n")


def test_one_endless_line_is_not_held() -> None:
    screen = Screen()
    assert len("".join(screen.feed("x" * 50_000) for _ in range(100))) > 4_900_000
    assert len(screen.rest()) < 100_000


@pytest.mark.parametrize(
    "hostile", ["\b", "a\r", "\x1b[A\n", f"{RED}a\r", "word\b.\n", "\x1b[999999C.", "\x1b[K", "\x1b[", "\r\x1b[31"]
)
def test_work_grows_as_the_text_does(hostile: str) -> None:
    few = lines_run(lambda: collapse(hostile * 1_000))
    assert lines_run(lambda: collapse(hostile * 8_000)) < 8 * 1.2 * few + 1_000


def test_rows_that_have_left_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held, next_row = [], Screen._next_row

    def watched(screen: Screen) -> None:
        next_row(screen)
        held.append(len(screen._rows))

    monkeypatch.setattr(Screen, "_next_row", watched)
    text = collapse("word\b.\n" * 10_000)
    assert text == "wor.\n" * 10_000
    assert max(held) < 200
