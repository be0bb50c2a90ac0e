"""Where secrets stand: after names that secrets bear, in headers, addresses, commands and connection strings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from .secret_names import may_be_secret, names_secret
from .secret_patterns import Finder, Part, SecretPattern, Span, names_a_user
from .secret_values import NamedValues

__all__ = ["PLACES", "connection_passwords"]

_SPOKEN: Final = re.compile(r"[A-Za-z]+(?>(?:[-_][A-Za-z]+)*)[.=]?")
_QUOTE: Final = r"(?:\\{0,7}[\"']|&quot;|&#3[49];|&apos;)"


class UrlPasswords:
    """Passwords in addresses. One may hold `@`, `/` and `'`: then what comes after tells where it ends."""

    name = "password in a URL"
    in_tokens = False
    hints = ("://",)
    _START = re.compile(r"://[^\s/:@\"'<>?#\\]{0,128}:")
    _RUN = re.compile(r"(?>(?:[^\s\"<>\\`:]|:(?!//))*)")
    _PORT = re.compile(r"\d{1,5}(?:[/?#,]|$)")
    _HOST = re.compile(r"(?:[\w-]+\.[\w.-]+|localhost|\[[0-9a-fA-F:]+\]|[\w-]+:\d{1,5})(?![\w.-])")
    _ANY_HOST = re.compile(r"[\w\[*$%{]")
    LONGEST = 512

    def spans(self, part: Part) -> Iterator[Span]:
        """The places of the passwords."""
        text = part.text
        for at in part.places(self.hints):
            start = self._START.match(text, at)
            if start is None:
                continue
            begin = start.end()
            run = self._RUN.match(text, begin, begin + self.LONGEST)
            end = self._end(text, at, begin, run.end() if run else begin)
            if begin < end and may_be_secret(text[begin:end]):
                yield begin, end

    def _end(self, text: str, at: int, begin: int, end: int) -> int:
        run = text[begin:end]
        # In quotes the address ends with its quote, not with one in the password.
        before = text[max(0, at - 24) : at].rstrip("abcdefghijklmnopqrstuvwxyz0123456789+.-ABCDEFGHIJKLMNOPQRSTUVWXYZ")[
            -1:
        ]
        if before == "'" and (closed := re.search(r"'(?=$|[\s,;:)\]}.])", run)):
            run = run[: closed.start()]
        run = re.split(r"[,;|)](?=[a-z][a-z0-9+.\-]{1,20}$)", run)[0]
        if self._PORT.match(run) or "@" not in run:
            return begin
        places = [found.start() for found in re.finditer("@", run)]
        last = places[0]
        for place in places:
            last = place
            if self._HOST.match(run, place + 1) and "/" in run[place:] + "/":
                # What follows is a host: what has another @ after its path is the path.
                rest = run[place + 1 :]
                if "@" not in re.split(r"[/?#]", rest, maxsplit=1)[0]:
                    break
        if run.startswith("sha256:", last + 1) or not self._ANY_HOST.match(run, last + 1):
            return begin
        return begin + last


class Commands:
    """Passwords given to a program on its command line."""

    name = "password on a command line"
    in_tokens = False
    _AFTER = r"(?P<quote>[\"']?)(?P<secret>(?:(?<=\")[^\"\n]{1,256}|(?<=')[^'\n]{1,256}|[^\s\"'&|;<>\\`]{1,256}))"
    _USER = r"(?P<quote>[\"'])?[^\s:\"'\\]{1,128}:(?!//)(?P<secret>(?>(?(quote)[^\"'<>\\\n]|[^\s\"'<>\\`]){1,256}))"
    OPTIONS: Final = {
        "curl": re.compile(rf"(?:\s-[A-Za-z#]{{0,8}}[uU]|\s--(?:proxy-)?user(?![\w-]))[=\s]{{0,3}}{_USER}"),
        "mysql": re.compile(rf"\s-p{_AFTER}"),
        "mariadb": re.compile(rf"\s-p{_AFTER}"),
        "sshpass": re.compile(rf"\s-p\s{{0,3}}{_AFTER}"),
        "redis-cli": re.compile(rf"\s-a\s{{1,3}}{_AFTER}"),
        "docker login": re.compile(rf"\s-p\s{{0,3}}{_AFTER}"),
        "az login": re.compile(rf"\s-p\s{{1,3}}{_AFTER}"),
        "sqlcmd": re.compile(rf"\s-P\s{{0,3}}{_AFTER}"),
        "ldapsearch": re.compile(rf"\s-w\s{{0,3}}{_AFTER}"),
        "openssl": re.compile(rf"\spass:{_AFTER}"),
        "smbclient": re.compile(r"\s-U\s{0,3}(?P<user>[^\s%]{1,128}%)(?P<secret>[^\s\"']{1,256})"),
    }
    hints = tuple(OPTIONS)
    _COMMAND = re.compile(r"(?>(?:[^\n|;\\]|\\\n|;(?=\S)|\\(?!n))*)")
    LONGEST = 512

    def spans(self, part: Part) -> Iterator[Span]:
        """The places of the passwords."""
        for program, option in self.OPTIONS.items():
            places = part.places((program,))
            at = next(places, None)
            while at is not None:
                begin = at + len(program)
                before, after = part.text[max(0, at - 1) : at], part.text[begin : begin + 1]
                end = begin
                # A name of something else has letters before it: mysqldump is one more program, amysql is none.
                if not before.isalnum() and before not in {"_", "-", "."} and after not in {"_", ".", ":", "="}:
                    found = self._COMMAND.match(part.text, begin, begin + self.LONGEST)
                    end = found.end() if found else begin
                    for match in option.finditer(part.text, begin, end):
                        secret = match["secret"]
                        if may_be_secret(secret) and not (
                            option.pattern.startswith(r"\s-p") and secret.startswith(":")
                        ):
                            yield match.span("secret")
                try:
                    at = places.send(end)  # type: ignore[attr-defined]
                except StopIteration:
                    break


class ArgumentLists:
    """The same passwords where the command stands as a list of texts, as in what a failed `subprocess.run` says."""

    name = "password in a list of arguments"
    in_tokens = False
    hints = tuple(dict.fromkeys(program.partition(" ")[0] for program in Commands.hints))
    _PROGRAM = re.compile(r"[a-z-]{1,16}")
    _BETWEEN = re.compile(r"\\{0,7}[\"'],\s{0,40}\\{0,7}[\"']")
    _END = re.compile(r"\\{0,7}[\"'],?\s{0,40}[\])]")
    # What ends a word on a line does not in a list.
    _LINE = str.maketrans(dict.fromkeys("\t\n\r \"'&|;<>\\`", "_"))

    def spans(self, part: Part) -> Iterator[Span]:
        """The places of the passwords."""
        places = part.places(self.hints)
        at = next(places, None)
        while at is not None:
            items = self._items(part.text, at)
            yield from self._secrets(part.text, items)
            try:
                at = places.send(items[-1][1] if items else None)  # type: ignore[attr-defined]
            except StopIteration:
                return

    def _items(self, text: str, at: int) -> list[Span]:
        """Where the arguments stand, the program's name the first of them; empty where there is no list."""
        begin = self._PROGRAM.match(text, at)
        before = text[at - 1 : at]
        if before.isalnum() or before in {"_", "-", "."} or begin is None or not self._BETWEEN.match(text, begin.end()):
            return []
        limit = at + Commands.LONGEST
        closed = self._END.search(text, begin.end(), limit)
        last = closed.start() if closed else min(limit, len(text))
        items, start = [], at
        for between in self._BETWEEN.finditer(text, at, last):
            items.append((start, between.start()))
            start = between.end()
        return [*items, (start, last)]

    def _secrets(self, text: str, items: list[Span]) -> Iterator[Span]:
        line, begins = "", list[tuple[int, int]]()
        for begin, end in items:
            begins.append((len(line), begin))
            line += text[begin:end].translate(self._LINE) + " "
        for program, option in Commands.OPTIONS.items():
            for match in option.finditer(line) if line.startswith(program) else ():
                at, begin = next(pair for pair in reversed(begins) if pair[0] <= match.start("secret"))
                begin += match.start("secret") - at
                end = begin + len(match["secret"])
                if may_be_secret(text[begin:end]):
                    yield begin, end


def _judged(match: re.Match[str]) -> bool:
    return may_be_secret(match["secret"])


def _connects(match: re.Match[str]) -> bool:
    """Whether this is a connection's password. ODBC has it in braces, as a template has the name of one."""
    secret: str = match["secret1"] or match["secret2"] or match["secret"]
    inside = secret.strip("{}")
    if match["secret1"] and inside.isalnum() and any(map(str.isdigit, inside)):
        return not names_secret(inside) and not (inside.isdigit() and len(inside) < 3)
    return may_be_secret(secret)


def _no_words(match: re.Match[str]) -> bool:
    secret = match["secret"]
    return may_be_secret(secret) and not _SPOKEN.fullmatch(secret)


def _encoded_user(match: re.Match[str]) -> bool:
    return names_a_user(match["secret"])


def _place(name: str, hints: tuple[str, ...], regex: re.Pattern[str], *about: Any) -> SecretPattern:
    return replace(SecretPattern(name, hints, regex, *about), in_tokens=False)


_CONNECTION: Final = _place(
    "password in a connection string",
    ("pwd", "password"),
    re.compile(
        r"(?i)(?:(?<=;)|(?<=;\s)|(?<![a-z_\-])(?=(?:pwd|password)\s?=[^;\"'\s]{1,256};))(?:pwd|password)\s?=\s?"
        r"(?:(?P<secret1>\{(?>(?:[^}\n\"\\]|\}\}){1,256})\})|(?P<secret2>[^;\"'\s()\\{<>&][^;\"'\n\\<>&]{0,128}+(?=;))"
        r"|(?P<secret>[^;\"'\s()\\{<>&][^;\"'\s\\<>&]{0,255}+))(?=[;\"'\s\\<&]|$)"
    ),
    "Server=db;Uid=app;Pwd=abc123;",
    "cd /tmp;PWD=/var/log; ls",
    _connects,
)

PLACES: Final[tuple[Finder, ...]] = (
    NamedValues(),
    UrlPasswords(),
    Commands(),
    ArgumentLists(),
    _CONNECTION,
    _place(
        "HTTP authorization",
        ("authorization",),
        re.compile(
            rf"(?i)authorization(?:{_QUOTE})?\]?\s{{0,9}}+[:=]\s{{0,9}}+(?:{_QUOTE})?"
            r"(?:(?:basic|bearer|token|apikey|splunk)\s{1,4})?"
            r"(?P<secret>[A-Za-z0-9+/_.=~\-]{8,}+)(?![({\[])"
        ),
        "Authorization: Basic YWRtaW46aHVudGVyMg==",
        "Authorization: required",
        _no_words,
    ),
    _place(
        "bearer token",
        ("bearer",),
        re.compile(r"(?i)(?<![\w-])bearer(?:\s{1,9}|%20)(?P<secret>[A-Za-z0-9+/_.=~\-]{16,}+)"),
        "use Bearer abcdefghij0123456789",
        "a bearer of authentication-tokens",
        _no_words,
    ),
    _place(
        "password in .netrc",
        ("machine", "login", "default"),
        re.compile(
            r"(?:machine[ \t]{1,9}[^\s\"'<>\\]{1,256}\s{1,9}|default\s{1,9})?"
            r"(?:(?:login|account)[ \t]{1,9}[^\s\"'<>\\]{1,256}\s{1,9}){1,2}"
            r"(?<=\s)password[ \t]{1,9}(?P<secret>[^\s\"'<>\\]{1,256})"
        ),
        "machine gitlab.com login me password hunter2",
        "the login and its password policy",
        lambda match: may_be_secret(match["secret"]) and (match.group()[0] in "md" or _no_words(match)),
    ),
    _place(
        "authorization kept by Docker or npm",
        ("auth",),
        re.compile(
            rf"(?<![A-Za-z0-9\-])_?auth(?:{_QUOTE}\s{{0,9}}:\s{{0,9}}{_QUOTE}|\s{{0,3}}=\s{{0,3}}\"?)"
            r"(?P<secret>[A-Za-z0-9+/]{8,}+={0,2})"
        ),
        '{"auths": {"registry": {"auth": "YWRtaW46aHVudGVyMg=="}}}',
        '{"auth": "disabled"}',
        _encoded_user,
    ),
    _place(
        "token of npm's settings",
        ("_authtoken", "_password"),
        re.compile(r"(?<=[:/ \n])(?:_authToken|_password)\s{0,3}=\s{0,3}\"?(?P<secret>[^\s\"'<>$\\]{4,256})"),
        "//registry.npmjs.org/:_authToken=0b1c2d3e-aaaa-bbbb-cccc-0123456789ab",
        "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
        _judged,
    ),
    _place(
        "value of AWS's SecureString",
        ("securestring",),
        re.compile(
            rf"(?i)securestring(?:{_QUOTE})?,?\s{{1,40}}+(?:{_QUOTE})?value(?:{_QUOTE})?\s{{0,20}}+"
            r"(?:[:=]\s{0,9}+(?P<q>\\{0,7}[\"'])(?P<secret1>(?>(?:(?!(?P=q))(?:\\.|[^\n\\])){1,4096}))"
            r"|:\s{1,9}+(?P<secret2>[^\s\"'<>\\{}\[\]][^\s\"'<>\\]{0,4095}+))"
        ),
        '"Type": "SecureString", "Value": "hunter2"',
        'type = "SecureString"\n  value = "${var.db_password}"',
        lambda match: may_be_secret(match["secret1"] or match["secret2"]),
    ),
    _place(
        "password in pgpass",
        (":5432:",),
        re.compile(r":5432:[^\s:]{1,64}:[^\s:]{1,64}:(?P<secret>[^\s:\"'<>\\]{1,256})"),
        "db.internal:5432:app:admin:hunter2",
        "db.internal:5432:app",
        _judged,
    ),
)


def connection_passwords(text: str) -> set[str]:
    """The passwords in a connection string."""
    if "=" not in text:
        return set()
    part = Part(text, 0, len(text), len(text))
    return {text[begin:end] for begin, end in _CONNECTION.spans(part)}
