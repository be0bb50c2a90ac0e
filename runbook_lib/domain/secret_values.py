"""Values of names that secrets bear, in texts of all kinds: code, JSON, YAML, HCL, plans, variables and options.

Every place where such a name ends is looked at once, and from there at what follows, so that the time is in proportion
to the text. A quoted value need not end: a text may be cut within it, and then it goes on to the line's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from .secret_names import MASK, is_listed_secret, is_listed_secrets, is_secret, may_be_secret, names_secret
from .secret_patterns import Part, Span

__all__ = ["NamedValues"]

_NAME: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_LONGEST_NAME: Final = 96
_WORD: Final = re.compile(
    r"(?i)(?:password|passwd|passphrase|passcode|pass|secret_?string|secret|token|credential|pwd|key|pat)s?(?:_?\d{1,2})?(?![A-Za-z0-9_])"
)
_Q: Final = r"(?:\\{0,7}[\"']|&quot;|&#3[49];|&apos;)"
# With backslashes before its quotes a text was escaped: then a longer run of them belongs to the value.
_VALUE: Final = (
    r"(?:(?P<q1>\\{1,7}[\"'])(?P<v1>(?>(?:[^\\\"'&\n]++|(?!(?P=q1))(?:\\++[\"']?|[\"'&]))*))(?P<c1>(?P=q1))?"
    r"|(?P<q0>\"\"\"|'''|[\"'`]|&quot;|&#3[49];|&apos;)(?P<v0>(?>(?:[^\\\"'`&\n]++|(?!(?P=q0))(?:\\[^\n]|[\"'`&\\]))*))(?P<c0>(?P=q0))?)"
)
_ONE_VALUE: Final = re.compile(_VALUE)
# In one line: `password: hunter2`, some lines above an `=`, names no type.
_TYPE: Final = r"(?:[ \t]{0,9}+:[ \t]{0,9}+[A-Za-z][\w.\[\]|]{0,40}+(?=[ \t]{0,9}+=))?"
_IS: Final = rf"(?:{_Q})?\]?{_TYPE}\s{{0,60}}+(?::=|=>|[:=])\s{{0,40}}+"
_QUOTED: Final = re.compile(rf"{_IS}[rbufRBUF]{{0,2}}{_VALUE}")
# A list of passwords, each in quotes.
_LIST: Final = re.compile(rf"{_IS}[\[(]\s{{0,40}}+")
_NEXT: Final = re.compile(r"\s{0,9}+,\s{0,40}+")
_LONGEST_LIST: Final = 512
# password: |
#   hunter2
_BLOCK: Final = re.compile(
    rf"(?:{_Q})?[ \t]{{0,9}}+:[ \t]{{1,9}}+[|>][1-9+-]{{0,2}}[ \t]{{0,40}}+(?:#[^\n]{{0,200}}+)?\r?\n"
)
_LINE: Final = re.compile(r"(?P<before>[ \t+~-]*+)(?P<v>[^\n]*+)\n?")
_LONGEST_BLOCK: Final = 16_384
# passwords = { alice = "hunter2x" }, and the same in YAML.
_MAP: Final = re.compile(rf"{_IS}\{{\s{{0,40}}+")
_ENTRY: Final = re.compile(
    rf"(?:[+~-][ \t]{{1,4}})?(?:{_Q})?[\w.@-]{{1,64}}+(?:{_Q})?[ \t]{{0,40}}+[:=][ \t]{{0,9}}+{_VALUE}[,\s]{{0,60}}+"
)
_LINES: Final = re.compile(rf"(?:{_Q})?[ \t]{{0,9}}+:[ \t]{{0,40}}+(?:#[^\n]{{0,200}}+)?\r?\n")
_PAIR: Final = re.compile(
    rf"(?:{_Q})?[\w.@-]{{1,64}}+(?:{_Q})?:[ \t]{{1,40}}+(?P<q>[\"']?)(?P<v>[^\s\"'\\]{{8,256}}+)(?P=q)\s*+"
)
_OLD: Final = r"(?:\"(?>(?:[^\"\\\n]|\\.)*)\"|null|\(sensitive value\)|[\w.\-]{1,64}+)"
_CHANGED: Final = re.compile(
    rf"(?:{_Q})?\s{{0,60}}+=\s{{0,9}}+(?P<old>{_OLD})\s{{1,9}}+->\s{{1,9}}+(?:\"(?P<new>(?>(?:[^\"\\\n]|\\.)*))\"|(?=null|\())"
)
_TELLS: Final = re.compile(rf"(?:{_Q})?\s{{1,4}}(?:is\s|was\s|of\s)?\s{{0,2}}{_VALUE}")
_TELLS_BARE: Final = re.compile(r"\s(?:is|was)\s{1,2}:?\s?(?P<v>[^\s\"'<>&\\]{6,256})")
# {"password": {"sensitive": false, "value": "…"}}, also of HCL: variable "password" { default = "…" }
_INSIDE: Final = re.compile(rf"(?:{_Q})?\s{{0,9}}+[:=]?\s{{0,9}}+\{{(?=(?P<about>[^{{}}]{{0,300}}))")
_INNER: Final = re.compile(
    rf"(?i)(?<![\w-])(?:value|default|insecure_value|plaintext|data)(?:{_Q})?\s{{0,40}}+[:=]\s{{0,9}}+"
)
# name = "DB_PASSWORD", value = "…"
_CALLS: Final = ("name", "key", "variable", "label", "type")
_ELEMENT: Final = re.compile(r">(?P<v>[^<>\n]{1,256}+)</")
_OBJECT: Final = re.compile(r"[^{}]{0,300}+")
_BARE_VALUE: Final = re.compile(r"(?P<v>[^\s\"'<>&\\{}\[\]|][^\n\"<>&\\]{0,256}+)")
_BARE: Final = re.compile(
    rf"(?P<q>{_Q})?(?P<before>[ \t]{{0,60}}+)(?P<sep>:=|[:=])(?P<after>[ \t]{{0,40}}+)"
    r"(?P<v>[^\s\"'<>&;,`|\\()\[\]{}$%][^\s\"'<>&;,`|\\)\]}]{0,256}+)"
)
_OPTION: Final = re.compile(rf"[ \t]{{1,4}}(?:{_VALUE}|(?P<v>[^\s\"'<>&;|\\\-][^\s\"'<>&;|\\]{{0,256}}+))")
# ['--password', 'hunter2'], as a failed command is told.
_NEXT_ARGUMENT: Final = re.compile(rf"{_Q},\s{{0,40}}+{_VALUE}")
# What else a connection string says.
_CONNECTS: Final = (
    *("host=", "hostaddr=", "user=", "dbname=", "port=", "server=", "driver=", "uid=", "id=", "source=", "database="),
)
_REFERENCE: Final = re.compile(r"[A-Za-z_]\w*+(?>(?:\.[A-Za-z_]\w*+)+)|[A-Za-z_]\w*+(?>(?:\.\w++)*)[(\[].*")
_NAMELIKE: Final = re.compile(r"(?i)[a-z_]*(?:password|passwd|passphrase|token|secret|key|cred|pwd)[a-z_]*\d?")
_PASSWORD: Final = re.compile(r"(?i)(?:password|passwd|passphrase|passcode|pwd|pass)s?(?:_?\d{1,2})?$")
_CUT: Final = re.compile(r"[\"<]")


class NamedValues:
    """Finds what names say to be secret."""

    name = "value of a name that secrets bear"
    in_tokens = False
    hints = ("pass", "secret", "token", "credential", "pwd", "key", "_pat")

    def spans(self, part: Part) -> Iterator[Span]:
        """The places of the values."""
        text = part.text
        places = part.places(self.hints)
        at = next(places, None)
        while at is not None:
            word = _WORD.match(text, at + (text[at] == "_"))
            after = None
            if word:
                begin = word.start() - _left(text, word.start())
                for span in self._at(part, begin, word.end()):
                    after = max(after or 0, span[1])
                    if text[span[0] : span[1]].replace(MASK, "").strip():
                        yield span
            try:
                at = places.send(after)  # type: ignore[attr-defined]
            except StopIteration:
                return

    def _at(self, part: Part, begin: int, end: int) -> Iterator[Span]:
        text, name = part.text, part.text[begin:end]
        if not names_secret(name):
            if name.lower() in {"pwd", "pass"}:
                yield from _bare(text, begin, end, name)
            return
        change = _CHANGED.match(text, end)
        if change:
            old, new = change["old"], change["new"]
            if old.startswith('"') and is_secret(name, old[1:-1]):
                yield change.start("old") + 1, change.end("old") - 1
            if new and is_secret(name, new):
                yield change.span("new")
            return
        quoted = _QUOTED.match(text, end)
        if quoted:
            yield from _of(quoted, name)
            return
        yield from _block(text, begin, end, name)
        yield from _listed(text, end, name)
        yield from _mapped(text, begin, end, name)
        yield from _bare(text, begin, end, name)
        yield from _told(text, begin, end, name)
        yield from _beside(text, begin, end, name)


def _left(text: str, at: int) -> int:
    before = text[max(0, at - _LONGEST_NAME) : at]
    return len(before) - len(before.rstrip(_NAME))


def _of(match: re.Match[str], name: str) -> Iterator[Span]:
    """The quoted value, if it is a secret; one without an end as far as its line or the quotes around it."""
    kind = "v0" if match["v0"] is not None else "v1"
    value, (begin, end) = match[kind], match.span(kind)
    if match["c" + kind[1]] is None:
        cut = _CUT.search(value)
        value = value[: cut.start()] if cut else value
        end = begin + len(value)
        value = value.rstrip(" \\,;)]}")
        end = begin + len(value)
    if value and is_secret(name.lstrip("-."), value):
        yield begin, end


def _listed(text: str, end: int, name: str) -> Iterator[Span]:
    """The quoted values of a list."""
    begin, limit = _LIST.match(text, end), end + _LONGEST_LIST
    while begin and (item := _ONE_VALUE.match(text, begin.end(), limit)):
        kind = "v0" if item["v0"] is not None else "v1"
        if is_listed_secret(name, item[kind]):
            yield item.span(kind)
        begin = _NEXT.match(text, item.end(), limit)


def _block(text: str, begin: int, end: int, name: str) -> Iterator[Span]:
    """The lines of a value that YAML has below its name, all of them further to the right."""
    head = _BLOCK.match(text, end)
    if head is None:
        return
    # Of tokens, which are one word, a second line says enough.
    most = 2 if name.lower().rstrip("s").endswith("token") else None
    lines = list(islice(_below(text, begin, head.end(), _LONGEST_BLOCK), most))
    if lines and is_secret(name.lstrip("-."), "\n".join(text[at:to] for at, to in lines)):
        yield from lines


def _below(text: str, begin: int, at: int, most: int) -> Iterator[Span]:
    """What the lines from `at` on hold, as long as they stand further to the right than what begins at `begin`."""
    before = text[max(0, begin - _LONGEST_NAME) : begin].rpartition("\n")[2].rstrip("\"'")
    limit = min(len(text), at + most)
    while at < limit and not before.strip(" \t+~-"):
        line = _LINE.match(text, at, at + _LONGEST_BLOCK)
        value = line["v"].rstrip() if line else ""
        if line is None or (value and len(line["before"]) <= len(before)):
            return
        if value:
            yield line.start("v"), line.start("v") + len(value)
        at = line.end()


def _mapped(text: str, begin: int, end: int, name: str) -> Iterator[Span]:
    """The values of a map of several: of one password it is as often what is required of it."""
    if not is_listed_secrets(name):
        return
    head, limit = _MAP.match(text, end), end + _LONGEST_LIST
    while head and (entry := _ENTRY.match(text, head.end(), limit)):
        kind = "v0" if entry["v0"] is not None else "v1"
        if is_listed_secret(name, entry[kind]):
            yield entry.span(kind)
        head = entry
    lines = _LINES.match(text, end)
    for at, to in _below(text, begin, lines.end(), _LONGEST_LIST) if lines else ():
        pair = _PAIR.match(text, at, to)
        if pair and pair.end() == to and _strong(pair["v"], 8):
            yield pair.span("v")


def _bare(text: str, begin: int, end: int, name: str) -> Iterator[Span]:
    match = _BARE.match(text, end)
    if match is None:
        option = _OPTION.match(text, end) if text.startswith("--", begin) else None
        if option and option["v"]:
            value = option["v"]
            if _strong(value, 6) or (_PASSWORD.search(name) and len(value) > 7 and not value.isalpha()):
                yield option.span("v")
        elif option:
            yield from _of(option, name)
        argument = _NEXT_ARGUMENT.match(text, end) if text.startswith("--", begin) else None
        given = (argument["v0"] or argument["v1"] or "") if argument else ""
        if argument and _strong(given, 6) and not given.startswith("-"):
            yield from _of(argument, name)
        return
    value = match["v"]
    if not may_be_secret(value) or (match["q"] and match["sep"] == "="):
        return
    spaced = bool(match["before"] or match["after"])
    judge = _of_variable if match["sep"] == "=" and not spaced else _of_line
    if judge(text, begin, match, name):
        yield match.span("v")


def _of_variable(text: str, begin: int, match: re.Match[str], name: str) -> bool:
    """Whether NAME=value is a secret's: of a variable, an option, an address. In small letters it may be code."""
    value, before, after = match["v"], text[begin - 1 : begin], text[match.end() : match.end() + 1]
    known = names_secret(name)
    if known and (name.startswith("-") or before in {"?", "&", ";"}):
        return len(value) > 3
    if _PASSWORD.search(name) and _connects(text[max(0, begin - 160) : begin] + text[match.end() : match.end() + 160]):
        return not (after in {",", ")", "("} and value.isidentifier() and not _strong(value, 6))
    if not known:
        return False
    if name.upper() == name:
        return _PASSWORD.search(name) is not None or len(value) > 5
    return _strong(value, 6) and not (after in {",", ")", "("} and value.isidentifier())


def _connects(near: str) -> bool:
    near = near.lower()
    return any(word in near for word in _CONNECTS)


def _of_line(text: str, begin: int, match: re.Match[str], name: str) -> bool:
    """Whether `name: value` or `name = value` is a secret's, as in YAML and settings, or in what a program tells."""
    value, colon = match["v"], match["sep"] == ":"
    if not names_secret(name):
        return False
    if colon and not match["after"]:
        return bool(_PASSWORD.search(name)) and _strong(value, 6)
    line = text[max(0, begin - 80) : begin].rpartition("\n")[2].strip(" \t-+~│'\"?#$>")
    alone = line in {"", "export", "set", "ENV", "ARG"} and text[match.end() : match.end() + 1] in {
        "",
        "\n",
        "\r",
        " ",
        "\\",
    }
    if colon and "-" in name.strip("-") and len(value) > 7 and not match["q"]:
        return True  # a header
    if colon and alone and _PASSWORD.search(name):
        rest = text[match.end() : match.end() + 200].partition("\n")[0].strip()
        return not rest or rest.startswith(("#", "\\", '"', "'"))
    if _PASSWORD.search(name) and (colon or alone):
        return _strong(value, 6)
    return _strong(value, 8 if alone else 12)


def _strong(value: str, shortest: int) -> bool:
    """Whether a text without quotes can be nothing but a secret: no word, no name and no call of a program."""
    if len(value) < shortest or not may_be_secret(value) or _REFERENCE.fullmatch(value) or _NAMELIKE.fullmatch(value):
        return False
    return (any(map(str.isdigit, value)) and any(map(str.isalpha, value))) or bool(re.search(r"[!@#$%^*?+]", value))


def _told(text: str, begin: int, end: int, name: str) -> Iterator[Span]:
    """What messages tell: `var.db_password is "…"`, `wrong password '…'`."""
    match = _TELLS.match(text, end)
    if match:
        value = match["v0"] if match["v0"] is not None else match["v1"]
        closed = match["c0"] or match["c1"]
        terraform = name.startswith(("var.", "local.", "data.", "module.", "each.", "self."))
        if closed and (
            terraform or ((_PASSWORD.search(name) and " " not in value and len(value) > 3) or _strong(value, 8))
        ):
            yield from _of(match, name)
        return
    bare = _TELLS_BARE.match(text, end)
    if bare and _strong(bare["v"], 8):
        yield bare.span("v")


def _is_called(before: str) -> bool:
    # Strings are faster here than a pattern, and every name in every text comes this way.
    left = before.rstrip("/").removesuffix("&quot;").rstrip(" \t\n\"'\\")
    if left[-1:] not in {":", "="}:
        return False
    return left[:-1].rstrip(" \t").removesuffix("&quot;").rstrip("\"'\\").lower().endswith(_CALLS)


def _beside(text: str, begin: int, end: int, name: str) -> Iterator[Span]:
    """What stands beside a name that is a value itself, or inside what bears it."""
    element = _ELEMENT.match(text, end) if text[begin - 1 : begin] == "<" else None
    if element:
        if is_secret(name, element["v"]):
            yield element.span("v")
        return
    inside = _INSIDE.match(text, end)
    if inside:
        yield from _inner(text, *inside.span("about"), name)
        return
    if not _is_called(text[max(0, begin - 48) : begin]):
        return
    about = _OBJECT.match(text, end)
    found = list(_inner(text, end, about.end() if about else end, name))
    yield from found
    if not found:
        # The value comes first, and the name after it.
        near = text[max(0, begin - 300) : begin]
        first = max(near.rfind("{"), near.rfind("}")) + 1
        yield from _inner(text, begin - len(near) + first, begin, name)


def _inner(text: str, begin: int, end: int, name: str) -> Iterator[Span]:
    about = _INNER.search(text, begin, end)
    if about is None:
        return
    quoted = _ONE_VALUE.match(text, about.end())
    if quoted:
        yield from _of(quoted, name)
        return
    bare = _BARE_VALUE.match(text, about.end())
    if bare is None or "\n" not in text[begin : about.start()]:
        return
    value = bare["v"].rstrip()
    if may_be_secret(value) and not _REFERENCE.fullmatch(value):
        yield bare.start("v"), bare.start("v") + len(value)
