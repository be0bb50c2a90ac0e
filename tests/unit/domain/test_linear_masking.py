"""Masking takes time in proportion to the text, whatever the text is, and gives up a text that takes too long."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from counted_regex import CountedRegex, Counter
from test_masked_texts import CAUGHT, FALSE_ALARMS

from runbook_lib.domain import markup, secret_names, secret_patterns, secret_places, secret_values
from runbook_lib.domain.masked_stream import StreamMask
from runbook_lib.domain.redaction import FINDERS, MASK, WITHHELD, Redactor
from runbook_lib.domain.secret_patterns import Finder, Part, SecretPattern

SHORT = 1300
FILLERS = [
    "a",
    " ",
    "\\",
    '"',
    "'",
    "a.",
    "A1b2",
    "=",
    "-",
    "@",
    "/:",
    "{",
    "<a ",
    '\\"',
    "&quot;",
    "\n",
    "[MASKED]",
    ": ",
]
SAID = [text for text, _ in CAUGHT]
NAMED = [
    *(
        'token="',
        "password='",
        "password: ",
        '"password": {',
        'name="password" ',
        'value="x", name="password"',
        "password=",
    ),
    *(
        'password = "a" -> "',
        'password is "',
        "--password ",
        'password \\"',
        'token="a\\"',
        "password=\\\\\\",
        "db_password: x =",
    ),
    *('"token": "eyJeyJ', 'x="token', "key_", "secret_token_key", "password = \\\\", 'token="ab\\', "--api-key a"),
    *("password: |\n  a\n", "token: |\n a\n ", "token: >-\n", "passwords = {a = 'b', ", "passwords:\n a: b\n "),
    *("--password', '", "'--token', 'a1', ", "passwords=['a', ", "password=['", "passwords=['passwords=[', "),
]
OTHERS = {
    "value of a name that secrets bear": NAMED,
    "password in a URL": ["://", "://a:", "://a:b@", "a://b:c/", "'x://a:b'@", "://a:b@c.d/"],
    "password on a command line": [
        "curl ",
        "curl -u ",
        "curl -u a:",
        "mysql -p",
        "sshpass -p",
        "curl -",
        "curl\\\n",
        "openssl pass:",
    ],
    "password in a list of arguments": [
        "curl', '",
        "curl', '-u', 'a:",
        "'mysql', '-p",
        "curl',",
        "curl\\\\', \\\\'",
        "curl', 'a'],",
        "docker', 'login', '-p', '",
    ],
}


def seeds(finder: Finder) -> list[str]:
    said = [finder.caught, finder.left] if isinstance(finder, SecretPattern) else []
    begun = [text[: len(text) * part // 8] for text in said for part in (2, 4, 6, 7)]
    return [text for text in {*finder.hints, *said, *begun, *OTHERS.get(finder.name, [])} if text]


def hostile(finder: Finder) -> Iterator[tuple[str, str, str]]:
    """Texts of a beginning, something that is repeated, and an end."""
    for seed in sorted(seeds(finder)):
        yield "", seed, ""
        yield "", seed, "\0"
    for seed in sorted(seeds(finder), key=len)[-8:]:
        for filler in FILLERS:
            yield seed, filler, "\0"


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Every pattern of the modules counts its steps."""
    counting = Counter()
    known: dict[int, CountedRegex] = {}

    def counted(regex: re.Pattern[str]) -> CountedRegex:
        return known.setdefault(id(regex), CountedRegex(regex, counting))

    owners: list[Any] = [secret_names, secret_patterns, secret_places, secret_values, markup]
    owners += [secret_places.UrlPasswords, secret_places.Commands, secret_places.ArgumentLists]
    for owner in owners:
        for name, value in list(vars(owner).items()):
            if isinstance(value, re.Pattern):
                monkeypatch.setattr(owner, name, counted(value))
    options = {program: counted(option) for program, option in secret_places.Commands.OPTIONS.items()}
    monkeypatch.setattr(secret_places.Commands, "OPTIONS", options)
    secret_names.names_secret.cache_clear()
    return counting


def work(finder: Finder, counter: Counter, text: str) -> int:
    if isinstance(finder, SecretPattern):
        finder = dataclasses.replace(finder, regex=CountedRegex(finder.regex, counter))  # type: ignore[arg-type]
    counter.steps = 0
    part = Part(text, 0, len(text), len(text))
    if part.may_have(finder):
        for _ in finder.spans(part):
            counter.steps += 1
    return counter.steps


@pytest.mark.parametrize("finder", FINDERS, ids=lambda finder: finder.name)
def test_twice_the_text_is_at_most_twice_the_work(finder: Finder, counter: Counter) -> None:
    for begin, filler, end in hostile(finder):
        count = SHORT // len(filler) + 1
        once = work(finder, counter, begin + filler * count + end)
        twice = work(finder, counter, begin + filler * 2 * count + end)
        assert twice <= 2.2 * once + 3000, (begin, filler, end, once, twice)
        assert twice <= 400 * (2 * SHORT + 500), (begin, filler, end, twice)


def test_the_count_notices_what_is_not_linear() -> None:
    counter = Counter()
    for pattern, text in ((r"(?:a|aa)*b", "a" * 6), (r"eyJ[a-zJ]*\.", "eyJ" * 60), (r"a*a*b", "a" * 20)):
        regex = CountedRegex(re.compile(pattern), counter)
        counter.steps = 0
        list(regex.finditer(text))
        once = counter.steps
        counter.steps = 0
        list(regex.finditer(text * 2))
        assert counter.steps > 3 * once, pattern


@pytest.mark.parametrize("text", [*SAID, *FALSE_ALARMS, *NAMED])
def test_what_counts_finds_the_same_as_what_is_used(text: str) -> None:
    counter = Counter()
    for finder in FINDERS:
        if not isinstance(finder, SecretPattern):
            continue
        counted = CountedRegex(finder.regex, counter)
        for at in range(len(text)):
            found, same = finder.regex.match(text, at), counted.match(text, at)
            assert (found and found.span()) == (same and same.span()), (finder.name, at)


@pytest.mark.parametrize(
    "seed",
    [
        *NAMED,
        *[seed for name in OTHERS for seed in OTHERS[name][:4]],
        *SAID[::9],
        *(f.hints[0] for f in FINDERS if f.hints),
    ],
)
def test_nothing_hangs(seed: str) -> None:
    # A guard, far from what it takes: see `make bench-masking` for the time.
    began = time.thread_time()
    Redactor(bound=60).mask(seed * (100_000 // len(seed)))
    assert time.thread_time() - began < 20


@pytest.mark.parametrize(
    "text",
    ["<!--" * 20_000, "<a " * 20_000, "<a b='" * 20_000, "<style>" * 20_000, "\x1b]" * 30_000, "<a b=c d" * 10_000],
)
def test_nothing_hangs_in_a_page_or_in_colours(text: str) -> None:
    began = time.thread_time()
    redactor = Redactor(bound=60)
    assert redactor.mask_markup(text) == text
    assert redactor.mask(text) == text
    assert time.thread_time() - began < 20


def test_a_text_that_takes_too_long_is_withheld_whole_and_says_so() -> None:
    ticks = iter(range(10**9))
    slow = Redactor(bound=0.5, clock=lambda: float(next(ticks)))
    text = "password='hunter2' Pwd=x; login token\n" * 4000
    assert slow.mask(text) == WITHHELD
    assert slow.mask_markup(f"<b>{text}</b>") == WITHHELD
    assert slow.mask_tree([text, 3]) == [WITHHELD, 3]
    assert slow.mask_tree({"a": text}) == {"a": WITHHELD}
    stream = StreamMask(slow)
    assert stream.feed(text) == f"{WITHHELD}\n"
    assert MASK not in stream.flush()


def test_who_is_in_a_hurry_withholds_what_comes_after_its_time() -> None:
    now = [100.0]
    patient = Redactor(clock=lambda: now[0])
    hurried = patient.hurried(1)
    assert hurried.mask("password='hunter2'") == f"password='{MASK}'"
    now[0] = 102
    assert hurried.mask("password='hunter2'") == WITHHELD
    assert hurried.mask("ab") == "ab"
    assert patient.mask("password='hunter2'") == f"password='{MASK}'"


def test_a_text_of_many_parts_is_masked_like_one_of_one() -> None:
    text = "".join(f"{number} token='abc{number}def' glpat-{number:020}\n" for number in range(9000))
    masked = Redactor(bound=60).mask(text)
    assert masked == "".join(f"{number} token='{MASK}' {MASK}\n" for number in range(9000))


def test_a_secret_longer_than_a_part_is_masked_whole() -> None:
    assert Redactor(bound=60).mask(f'a = 1\npassword = "{"x1 " * 60_000}"\nb') == f'a = 1\npassword = "{MASK}"\nb'
