"""Regular expressions that count what they do: Python's own parse, matched by backtracking as `re` does, step by step.

A clock says how fast a machine is today; the number of steps says whether a pattern is linear, the same on every run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

Then = Callable[[int], int | None]
Step = Callable[[int, Then], int | None]
CATEGORIES = {
    c.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    c.CATEGORY_DIGIT: str.isdigit,
    c.CATEGORY_SPACE: str.isspace,
}
OPPOSITES = {
    c.CATEGORY_NOT_WORD: c.CATEGORY_WORD,
    c.CATEGORY_NOT_DIGIT: c.CATEGORY_DIGIT,
    c.CATEGORY_NOT_SPACE: c.CATEGORY_SPACE,
}


class Counter:
    """How many steps all patterns took together."""

    steps = 0


class CountedMatch:
    """What a match says, as far as it is asked."""

    def __init__(self, regex: CountedRegex, text: str, groups: list[tuple[int, int] | None]) -> None:
        self.re, self.string, self._groups = regex, text, groups

    def span(self, group: int | str = 0) -> tuple[int, int]:
        return self._groups[self.re.groupindex.get(group, group)] or (-1, -1)  # type: ignore[arg-type, index]

    def start(self, group: int | str = 0) -> int:
        return self.span(group)[0]

    def end(self, group: int | str = 0) -> int:
        return self.span(group)[1]

    def group(self, group: int | str = 0) -> str | None:
        begin, end = self.span(group)
        return None if begin < 0 else self.string[begin:end]

    __getitem__ = group


class CountedRegex:
    """A pattern that counts each character that it looks at and each way that it tries."""

    def __init__(self, regex: re.Pattern[str], counter: Counter) -> None:
        self.pattern, self.flags, self._counter = regex.pattern, regex.flags, counter
        self.groupindex = dict(regex.groupindex)
        self._count = regex.groups + 1
        self._step = self._sequence(_parser.parse(regex.pattern, regex.flags & ~re.UNICODE))
        self._text, self._end = "", 0
        self._groups: list[tuple[int, int] | None] = []

    def match(self, text: str, pos: int = 0, endpos: int | None = None) -> CountedMatch | None:
        self._text, self._end = text, len(text) if endpos is None else min(endpos, len(text))
        return self._try(pos, lambda at: at)

    def fullmatch(self, text: str) -> CountedMatch | None:
        self._text, self._end = text, len(text)
        return self._try(0, lambda at: at if at == self._end else None)

    def search(self, text: str, pos: int = 0, endpos: int | None = None) -> CountedMatch | None:
        return next(self.finditer(text, pos, endpos), None)

    def finditer(self, text: str, pos: int = 0, endpos: int | None = None) -> Iterator[CountedMatch]:
        end = len(text) if endpos is None else min(endpos, len(text))
        while pos <= end:
            found = self.match(text, pos, end)
            if found:
                yield found
                pos = max(found.end(), pos + 1)
            else:
                pos += 1

    def _try(self, pos: int, then: Then) -> CountedMatch | None:
        self._groups = [None] * self._count
        end = self._step(pos, then)
        if end is None:
            return None
        self._groups[0] = (pos, end)
        return CountedMatch(self, self._text, self._groups)

    def _sequence(self, nodes: Any) -> Step:
        steps = [self._node(*node) for node in nodes]

        def run(at: int, then: Then, index: int = 0) -> int | None:
            if index == len(steps):
                return then(at)
            self._counter.steps += 1
            return steps[index](at, lambda after: run(after, then, index + 1))

        return run

    def _node(self, kind: Any, about: Any) -> Step:  # noqa: PLR0911  one for each kind
        if kind in {c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN}:
            fits = self._fits(kind, about)
            return lambda at, then: then(at + 1) if at < self._end and fits(self._text[at]) else None
        if kind is c.SUBPATTERN:
            return self._group(about[0], self._sequence(about[3]))
        if kind is c.ATOMIC_GROUP:
            # One repetition in it, which can always end, never goes back: it is a possessive one.
            only = next(iter(about)) if len(about) == 1 else (None, None)
            if only[0] is c.MAX_REPEAT:
                return self._repeat(c.POSSESSIVE_REPEAT, *only[1])
            return self._atomic(self._sequence(about))
        if kind is c.BRANCH:
            ways = [self._sequence(way) for way in about[1]]
            return lambda at, then: next((end for way in ways if (end := way(at, then)) is not None), None)
        if kind in {c.ASSERT, c.ASSERT_NOT}:
            return self._look(kind is c.ASSERT, *about)
        if kind is c.GROUPREF:
            return lambda at, then: self._again(about, at, then)
        if kind is c.GROUPREF_EXISTS:
            number, yes, no = about[0], self._sequence(about[1]), self._sequence(about[2] or ())
            return lambda at, then: yes(at, then) if self._groups[number] else no(at, then)
        if kind is c.AT:
            return lambda at, then: then(at) if self._stands(about, at) else None
        return self._repeat(kind, *about)

    def _group(self, number: int | None, inner: Step) -> Step:
        if number is None:
            return inner

        def run(at: int, then: Then) -> int | None:
            def after(end: int) -> int | None:
                before, self._groups[number] = self._groups[number], (at, end)
                found = then(end)
                if found is None:
                    self._groups[number] = before
                return found

            return inner(at, after)

        return run

    @staticmethod
    def _atomic(inner: Step) -> Step:
        def run(at: int, then: Then) -> int | None:
            end = inner(at, lambda place: place)
            return None if end is None else then(end)

        return run

    def _look(self, wanted: bool, direction: int, nodes: Any) -> Step:
        inner, width = self._sequence(nodes), nodes.getwidth()[0] if direction < 0 else 0

        def run(at: int, then: Then) -> int | None:
            found = inner(at - width, lambda end: end) is not None if at >= width else False
            return then(at) if found is wanted else None

        return run

    def _again(self, number: int, at: int, then: Then) -> int | None:
        begin, end = self._groups[number] or (0, -1)
        self._counter.steps += max(0, end - begin)
        length = end - begin
        if length < 0 or at + length > self._end or self._text[begin:end] != self._text[at : at + length]:
            return None
        return then(at + length)

    def _repeat(self, kind: Any, least: int, most: Any, nodes: Any) -> Step:
        most = 10**9 if most is c.MAXREPEAT else int(most)
        if len(nodes) == 1 and nodes[0][0] in {c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN}:
            return self._run_of(kind, least, most, self._fits(*nodes[0]))
        inner = self._sequence(nodes)
        if kind is c.POSSESSIVE_REPEAT:
            return lambda at, then: self._possessive(inner, least, most, at, then)
        greedy = kind is c.MAX_REPEAT

        def run(at: int, then: Then, count: int = 0) -> int | None:
            def more(end: int) -> int | None:
                return run(end, then, count + 1) if end > at or count < least else None

            self._counter.steps += 1
            if count < least:
                return inner(at, more)
            if not greedy and (found := then(at)) is not None:
                return found
            found = inner(at, more) if count < most else None
            return then(at) if found is None and greedy else found

        return run

    @staticmethod
    def _possessive(inner: Step, least: int, most: int, at: int, then: Then) -> int | None:
        count = 0
        while count < most and (end := inner(at, lambda place: place)) is not None:
            if end == at:
                count = max(count, least)
                break
            at, count = end, count + 1
        return then(at) if count >= least else None

    def _run_of(self, kind: Any, least: int, most: int, fits: Callable[[str], bool]) -> Step:
        def run(at: int, then: Then) -> int | None:
            last = at
            if kind is c.MIN_REPEAT:
                while last <= self._end:
                    if last - at >= least and (found := then(last)) is not None:
                        return found
                    if last - at >= most or last == self._end or not fits(self._text[last]):
                        return None
                    last += 1
                    self._counter.steps += 1
                return None
            end = min(self._end, at + most)
            while last < end and fits(self._text[last]):
                last += 1
            self._counter.steps += last - at
            if kind is c.POSSESSIVE_REPEAT:
                return then(last) if last - at >= least else None
            while last - at >= least:
                self._counter.steps += 1
                if (found := then(last)) is not None:
                    return found
                last -= 1
            return None

        return run

    def _fits(self, kind: Any, about: Any) -> Callable[[str], bool]:
        known: dict[str, bool] = {}
        ignoring = bool(self.flags & re.IGNORECASE)

        def judge(char: str) -> bool:
            ways = {char, char.lower(), char.upper()} if ignoring else {char}
            if kind is c.ANY:
                return char != "\n" or bool(self.flags & re.DOTALL)
            if kind is c.LITERAL or kind is c.NOT_LITERAL:
                return (chr(about) in ways) is (kind is c.LITERAL)
            negated = about[0][0] is c.NEGATE
            return any(_in(item, way) for item in about[negated:] for way in ways) is not negated

        def fits(char: str) -> bool:
            if char not in known:
                known[char] = judge(char)
            return known[char]

        return fits

    def _stands(self, where: Any, at: int) -> bool:
        word = CATEGORIES[c.CATEGORY_WORD]
        if where in {c.AT_BEGINNING, c.AT_BEGINNING_STRING}:
            return at == 0 or (bool(self.flags & re.MULTILINE) and self._text[at - 1] == "\n")
        if where in {c.AT_END, c.AT_END_STRING}:
            rest = self._text[at : self._end]
            return not rest or rest == "\n" or (bool(self.flags & re.MULTILINE) and rest[0] == "\n")
        edge = (at > 0 and word(self._text[at - 1])) is not (at < self._end and word(self._text[at]))
        return edge is (where is c.AT_BOUNDARY)


def _in(item: tuple[Any, Any], char: str) -> bool:
    kind, about = item
    if kind is c.LITERAL:
        return ord(char) == about if len(char) == 1 else False
    if kind is c.RANGE:
        return len(char) == 1 and about[0] <= ord(char) <= about[1]
    return not CATEGORIES[OPPOSITES[about]](char) if about in OPPOSITES else CATEGORIES[about](char)
