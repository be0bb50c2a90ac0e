"""What tokens look like: secrets that nobody told us of, known by their shape alone.

Looking for them takes time in proportion to the text, whatever the text is. A pattern is tried only where one of its
hints stands, goes on from the end of what it found, and is possessive or bounded: it never looks at one character more
often than a fixed number of times.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

from .secret_names import MASK, is_common, names_secret

__all__ = ["SHAPES", "Finder", "Part", "SecretPattern", "Span", "named_secrets", "names_a_user"]

Span = tuple[int, int]


def named_secrets(environment: Mapping[str, str], exists: Callable[[str], bool]) -> dict[str, str]:
    """Variables whose names end in password, token, secret, key …, with their values.

    SSH_KEY=/path/to/key names a file, if `exists` finds it: the path is no secret, and masking it would hide where
    things went wrong.
    """
    return {
        name: value
        for name, value in environment.items()
        if value and names_secret(name) and not (value.startswith("/") and exists(value))
    }


_TOKEN_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=~%"
_IN_TOKENS: Final = bytes(97 if code in _TOKEN_LETTERS else 32 for code in range(256))
_LONG: Final = b"a" * 20
_SMALL: Final = {code: code + 32 for code in range(65, 91)}


class Part:
    """A part of a text: what begins from `start` to `end` is looked for, and may go on to `limit`.

    `low` is it in small letters, `runs` are the stretches of it that are long enough to be tokens, `tokens` the same in
    small letters: there are few of them in most texts, so that most patterns need not be tried.
    """

    def __init__(self, text: str, start: int, end: int, limit: int) -> None:
        self.text, self.start, self.end, self.limit = text, start, end, limit
        here = text[start:limit]
        low = here.lower()
        # A few letters become two: then the places would no longer be the text's.
        self.low = low if len(low) == len(here) else here.translate(_SMALL)
        self.runs = _long_runs(here)
        self.tokens = "\n".join([self.low[begin:end] for begin, end in self.runs])

    def may_have(self, finder: Finder) -> bool:
        """Whether one of the finder's hints is there."""
        where = self.tokens if finder.in_tokens else self.low
        for hint in finder.hints:
            if hint in where:
                return True
        return not finder.hints

    def places(self, hints: Iterable[str]) -> Iterator[int]:
        """Where one of the hints stands, hint by hint. Send the place from which on to go on."""
        last = self.end - self.start
        for hint in hints:
            at = self.low.find(hint)
            while 0 <= at < last:
                after = yield self.start + at
                at = self.low.find(hint, max(at + 1, (after or 0) - self.start))


def _long_runs(text: str) -> list[Span]:
    marks = text.encode("ascii", "replace").translate(_IN_TOKENS)
    runs: list[Span] = []
    at = marks.find(_LONG)
    while at >= 0:
        end = marks.find(b" ", at)
        end = end if end >= 0 else len(marks)
        runs.append((at, end))
        at = marks.find(_LONG, end)
    return runs


class Finder(Protocol):
    """Finds secrets in a part of a text; where none of the `hints` (in small letters) stands there are none."""

    @property
    def name(self) -> str:
        """What it finds."""

    @property
    def hints(self) -> tuple[str, ...]:
        """One of these is in every text that it finds something in."""

    @property
    def in_tokens(self) -> bool:
        """Whether the hints are parts of tokens, at least 20 letters, digits and the like in a row."""

    def spans(self, part: Part) -> Iterator[Span]:
        """The places of the secrets."""


def _always(match: re.Match[str]) -> bool:
    return True


@dataclass(frozen=True)
class SecretPattern:
    """A regular expression for what begins `back` characters before a hint, or anywhere in a token without hints.

    The groups whose names begin with `secret` are what is masked, or the whole match; `judge` may refuse it. `caught`
    and `left` are a text with such a secret and one that only looks like it.
    """

    name: str
    hints: tuple[str, ...]
    regex: re.Pattern[str]
    caught: str
    left: str = ""
    judge: Callable[[re.Match[str]], bool] = _always
    back: int = 0
    in_tokens: bool = True

    def spans(self, part: Part) -> Iterator[Span]:
        """The places of the secrets."""
        for match in self.matches(part):
            if not self.judge(match):
                continue
            groups: list[str | int] = [group for group in match.re.groupindex if group.startswith("secret")]
            for group in groups or [0]:
                begin, end = match.span(group)
                if begin < end and match.group(group).replace(MASK, "").strip():
                    yield begin, end

    def matches(self, part: Part) -> Iterator[re.Match[str]]:
        """Every match that begins in the part."""
        if not self.hints:
            for begin, end in part.runs:
                found = self.regex.finditer(part.text, part.start + begin, part.start + end)
                yield from (match for match in found if match.start() < part.end)
            return
        places = part.places(self.hints)
        at = next(places, None)
        while at is not None:
            match = self.regex.match(part.text, at - self.back, part.limit) if at >= self.back else None
            if match and match.end() == part.limit < len(part.text):
                match = self.regex.match(part.text, at - self.back)
            if match:
                yield match
            try:
                at = places.send(match.end() if match else None)  # type: ignore[attr-defined]
            except StopIteration:
                return


def _mixed(match: re.Match[str]) -> bool:
    # What a person named has no capital letters and digits in it, or is made of words.
    text = match.group()
    return any(map(str.isdigit, text)) and any(map(str.isupper, text))


def _random(text: str) -> bool:
    # A path or a name keeps to one kind of letters for longer than chance does.
    kinds = [0 if c.isupper() else 1 if c.islower() else 2 if c.isdigit() else 3 for c in text]
    if {0, 1, 2} - set(kinds) or sum(a != b for a, b in pairwise(kinds)) < 14:
        return False
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) > 4.3


_KEY_ID: Final = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}")
_BASE64_LINE: Final = re.compile(r"[A-Za-z0-9/+]{60,}\s{1,6}$")


def _aws_secret(match: re.Match[str]) -> bool:
    """Whether 40 characters are an AWS secret: with a slash or a plus, or after a key's id; else they are some id."""
    found, text = match["secret"], match.string
    if len(found) != 40 or not _random(found):
        return False
    before = text[max(0, match.start() - 160) : match.start()]
    if _BASE64_LINE.search(before[-84:]):
        return False  # the last line of something longer
    return "/" in found or "+" in found or bool(_KEY_ID.search(before))


def names_a_user(encoded: str) -> bool:
    """Whether a text in base64 is `user:password`, as Docker and HTTP have it."""
    try:
        plain = base64.b64decode(encoded[:400] + "=" * (-len(encoded[:400]) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain[1:] and all(32 <= byte < 127 for byte in plain[: plain.find(b":")])


def _not_a_word(match: re.Match[str]) -> bool:
    return not is_common(match["secret"]) and any(map(str.isdigit, match["secret"]))


_SLASH: Final = r"(?:\\?/|%2[Ff])"
# A token begins here, or after what an escaped text or one encoded for a URL has before it.
_START: Final = r"(?:(?<![A-Za-z0-9_\-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_NO_KEY: Final = "[^A-Za-z0-9+/=<\\[]{0,60}+"


def _token(name: str, prefixes: str, body: str, caught: str, left: str = "", **more: Any) -> SecretPattern:
    hints = tuple(prefix.lower() for prefix in prefixes.split())
    kinds = "|".join(re.escape(prefix) for prefix in prefixes.split())
    regex = re.compile(f"{more.pop('start', '')}(?:{kinds}){body}")
    return SecretPattern(name, hints, regex, caught, left, **more)


_GITLAB: Final = "glpat- gldt- glft- glsoat- glrt- glrtr- glcbt- glptt- glimt- glagent- gloas- glffct- glwt-"
_A: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEX: Final = "0123456789abcdef"

SHAPES: Final[tuple[SecretPattern, ...]] = (
    SecretPattern(
        "AWS access key id",
        ("a3t", "akia", "asia", "abia", "acca"),
        re.compile(
            r"(?:(?<![A-Z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])"
        ),
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE1234567",
    ),
    SecretPattern(
        "AWS secret access key",
        (),
        # A run is matched whole, so that the next one is not looked for in its middle.
        re.compile(
            r"(?:(?<=\\)[nrt]|(?<=%)[0-9A-Fa-f]{2}|(?<![A-Za-z0-9/+_.\-]))"
            r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=_-]|\.\w)"
            r"|[A-Za-z0-9/+]{40,}+"
        ),
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aZ3kQ9mB7xW1rT5yU8pL2sD6fG0hJ4cV7nM1bX9q",
        lambda match: bool(match["secret"]) and _aws_secret(match),
    ),
    _token("AWS session token", "IQoJb3JpZ2lu FwoGZXIvYXdz FQoGZXIvYXdz", "[A-Za-z0-9/+=%]{40,}+", f"IQoJb3JpZ2lu{_A}"),
    _token("GitLab token", _GITLAB, r"[A-Za-z0-9_.\-]{18,}+", f"glrt-{_A[:20]}", "glpat-tokens are long"),
    _token("GitLab runner registration token", "GR1348941", r"[A-Za-z0-9_\-]{20,}+", f"GR1348941{_A[:20]}"),
    SecretPattern(
        "Slack token",
        ("xox", "xapp-", "xwfp-"),
        re.compile(r"(?i)(?:xox[a-z](?:\.xox[a-z])?|xapp|xwfp)-[A-Za-z0-9\-]{10,}+"),
        "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOp",
        "the prefix xoxb-",
    ),
    SecretPattern(
        "Slack webhook",
        ("hooks.slack",),
        re.compile(
            rf"(?i)hooks\.slack(?:-gov)?\.com{_SLASH}(?:services|workflows|triggers){_SLASH}(?P<secret>[A-Za-z0-9/_+\-%\\]{{20,}}+)"
        ),
        "https://hooks.slack.com/services/T0/B0/abcdefghijklmnopqrst",
        "https://hooks.slack.com/services/…",
        in_tokens=False,
    ),
    _token("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", "[A-Za-z0-9_]{36,}+", f"ghp_{_A[:36]}", "ghp_short"),
    _token("GitHub fine-grained token", "github_pat_", "[A-Za-z0-9_]{22,}+", f"github_pat_{_A[:30]}"),
    SecretPattern(
        "JSON web token",
        ("eyj",),
        re.compile(rf"{_START}eyJ[A-Za-z0-9_\-]{{8,}}+\.[A-Za-z0-9_\-]{{8,}}+(?:\.[A-Za-z0-9_\-]*+)?"),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLWhlcmU",
        "eyJhbGciOiJIUzI1NiJ9",
    ),
    SecretPattern(
        "private key",
        ("-----begin",),
        # Up to its end, or as far as it looks like a key: a text that only speaks of keys goes on after the header.
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<secret>"
            r"(?>(?:[^-]|-(?!----(?:BEGIN|END))){0,16384})(?=-----END)"
            r"|(?:\[MASKED\])?(?>(?:\s{0,9}+(?:\\n)?(?:Proc-Type|DEK-Info|Comment|Version|Charset|Hash)[^\n\\]{0,200}+){0,6})"
            rf"(?>(?:{_NO_KEY}[A-Za-z0-9+/=]{{24,}}+)+)(?:{_NO_KEY}[A-Za-z0-9+/=]++)?)"
        ),
        f"-----BEGIN RSA PRIVATE KEY-----\n{_A}\n-----END RSA PRIVATE KEY-----",
        "'-----BEGIN PRIVATE KEY-----' in text",
        in_tokens=False,
    ),
    SecretPattern(
        "private key in base64",
        ("ls0tls1crudjti",),
        re.compile(r"LS0tLS1CRUdJTiB(?:SU0Eg|QUklW|PUEVO|FQyBQ|FTkNS)[A-Za-z0-9+/=\s]{20,}+"),
        f"LS0tLS1CRUdJTiBSU0Eg{_A}",
    ),
    SecretPattern(
        "PuTTY's private key",
        ("private-lines:",),
        re.compile(r"Private-Lines: \d{1,5}\s{1,4}(?P<secret>(?:[A-Za-z0-9+/=]{1,80}\s{1,4})+)"),
        f"Private-Lines: 1\n{_A}\nPrivate-MAC: 1",
        in_tokens=False,
    ),
    _token(
        "age key", "AGE-SECRET-KEY-1", "[A-Z0-9]{40,}+", "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2
    ),
    SecretPattern(
        "Azure's keys in connection strings",
        ("accountkey=", "sharedaccesskey=", "sharedaccesssignature=", "sharedsecret="),
        re.compile(
            r"(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature|SharedSecret)=(?P<secret>[^;\"'\s<>\\${]{8,}+)"
        ),
        f"AccountName=a;AccountKey={_A}abcdefghijklmnopqrstuv==;EndpointSuffix=core.windows.net",
        "AccountKey=${var.key};x",
    ),
    SecretPattern(
        "Azure's shared access signature",
        ("sig=",),
        re.compile(r"(?<=[?&;])sig=(?P<secret>[A-Za-z0-9%/+=_\-]{30,}+)"),
        "https://a.blob.core.windows.net/c?sv=2022-11-02&sig=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE%3D&se=2026",
        "?sig=short&x",
    ),
    SecretPattern(
        "Azure client secret",
        ("q~",),
        re.compile(r"(?<![A-Za-z0-9_~.\-])[A-Za-z0-9_~.\-]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}(?![A-Za-z0-9_~\-])"),
        "abc8Q~0123456789abcdefghijklmnopqrstuvw",
        "abc8Q~short",
        back=4,
    ),
    _token(
        "Google API key", "AIza", r"[0-9A-Za-z_\-]{35}(?![0-9A-Za-z_\-])", f"AIza{_A[:35]}", f"AIza{_A}", start=_START
    ),
    _token("Google access token", "ya29.", r"[0-9A-Za-z_.\-]{20,}+", f"ya29.{_A}", "ya29. is its beginning"),
    _token("Google client secret", "GOCSPX-", r"[0-9A-Za-z_\-]{24,}+", f"GOCSPX-{_A[:28]}"),
    _token("Google refresh token", "1//0", r"[0-9A-Za-z_\-]{30,}+", f"1//0{_A[:40]}", "1//0 and so on", start=_START),
    _token("npm token", "npm_", "[A-Za-z0-9]{36,}+", f"npm_{_A[:36]}", "npm_config_registry npm_lifecycle_event"),
    _token("PyPI token", "pypi-AgE", r"[A-Za-z0-9_\-]{50,}+", f"pypi-AgEIcHlwaS5vcmc{_A}{_A}", "pypi-AgE"),
    _token(
        "Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_", "[0-9A-Za-z]{16,}+", f"sk_live_{_A[:24]}", "sk_test_mode"
    ),
    _token("Stripe webhook secret", "whsec_", "[0-9A-Za-z+/=]{24,}+", f"whsec_{_A[:32]}"),
    SecretPattern(
        "OpenAI or Anthropic key",
        ("sk-",),
        re.compile(rf"{_START}sk-[A-Za-z0-9_\-]{{20,}}+"),
        f"sk-proj-{_A[:20]}T3BlbkFJ{_A[20:40]}",
        "task-with-a-long-name-of-2 sk-loading-spinner-wrapper-2",
        _mixed,
    ),
    _token(
        "Hugging Face token", "hf_ api_org_", "[A-Za-z0-9]{30,}+", f"hf_{_A[10:44]}", "hf_hub_download", start=_START
    ),
    _token(
        "SendGrid key",
        "SG.",
        r"[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64}",
        f"SG.{_A[:22]}.{_A[:43]}",
        "SG.a.b",
        start=_START,
    ),
    _token("Vault token", "hvs. hvb. hvr.", r"[A-Za-z0-9_\-]{20,}+", f"hvs.{_A}", "hvs.short", start=_START),
    SecretPattern(
        "Vault token of old",
        ("s.",),
        re.compile(r"(?<![A-Za-z0-9_.\-/])s\.[A-Za-z0-9]{24}(?![A-Za-z0-9_.(])"),
        "s.a1B2c3D4e5F6g7H8i9J0k1L2",
        "s.replace(old, new) s.abcdefghijklmnopqrstuvwx",
        _mixed,
    ),
    SecretPattern(
        "Terraform Cloud token",
        (".atlasv1.",),
        re.compile(r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=\-]{40,}+"),
        f"abcdefghij1234.atlasv1.{_A}abcde",
        "it has .atlasv1. in it",
        back=14,
    ),
    _token("Docker token", "dckr_pat_ dckr_oat_", r"[A-Za-z0-9_\-]{20,}+", f"dckr_pat_{_A[:27]}"),
    _token("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", "[a-f0-9]{64}", f"dop_v1_{_HEX * 4}"),
    _token("Databricks token", "dapi", r"[a-f0-9]{32}(?:-\d)?(?![a-z0-9])", f"dapi{_HEX * 2}", "dapi", start=_START),
    _token("Grafana token", "glsa_ glc_", "[A-Za-z0-9+/=_]{32,}+", f"glsa_{_A[:32]}_1a2b3c4d"),
    _token("Shopify token", "shpat_ shpca_ shppa_ shpss_", "[a-fA-F0-9]{32}", f"shpat_{_HEX * 2}"),
    _token("Square token", "sq0atp- sq0csp-", r"[A-Za-z0-9_\\\-]{22,}+", f"sq0csp-{_A[:43]}", in_tokens=False),
    _token("Twilio key", "SK", r"[a-f0-9]{32}(?![A-Za-z0-9])", f"SK{_HEX * 2}", f"SK{_A}", start=_START),
    _token("Mailgun key", "key-", r"[a-f0-9]{32}(?![A-Za-z0-9])", f"key-{_HEX * 2}", "key-value", start=_START),
    SecretPattern(
        "Mailchimp key",
        ("-us",),
        re.compile(r"(?<![A-Za-z0-9])[0-9a-z]{32}-us\d{1,2}(?![A-Za-z0-9])"),
        f"{_HEX * 2}-us12",
        "vm-us1",
        back=32,
    ),
    SecretPattern(
        "Telegram bot token",
        (":aa",),
        re.compile(r"(?<=\d{8}):(?P<secret>AA[A-Za-z0-9_\-]{33})(?![A-Za-z0-9_\-])"),
        f"12345678:AA{_A[:33]}",
        ":aa",
        _mixed,
        in_tokens=False,
    ),
    _token("Linear key", "lin_api_", "[A-Za-z0-9]{32,}+", f"lin_api_{_A[:40]}"),
    _token("Postman key", "PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}", f"PMAK-{_HEX}{_HEX[:8]}-{_HEX * 2}ab"),
    _token("Pulumi token", "pul-", r"[a-f0-9]{40}", f"pul-{_HEX * 2}{_HEX[:8]}", "pul-short", start=_START),
    _token("New Relic key", "NRAK-", "[A-Z0-9]{27}", f"NRAK-{_A.upper()[:27]}"),
    _token("Atlassian token", "ATATT3 ATBB ATCTT3", r"[A-Za-z0-9_=\-]{24,}+", f"ATATT3{_A}", start=_START),
    _token("Artifactory key", "AKCp", "[A-Za-z0-9]{60,}+", f"AKCp{_A}{_A[:10]}", start=_START),
    _token("Dynatrace token", "dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{60,}+", f"dt0c01.{'ABCD1234' * 3}.{'ABCD1234' * 8}"),
    _token(
        "Notion token", "ntn_ secret_", "[A-Za-z0-9]{40,}+", f"ntn_{_A[:46]}", "secret_name", start=_START, judge=_mixed
    ),
    _token(
        "Scaleway, Fly or Render key",
        "fo1_ rnd_",
        r"[A-Za-z0-9_\-]{28,}+",
        f"rnd_{_A[8:44]}",
        start=_START,
        judge=_mixed,
    ),
)
