"""What tokens look like: secrets that nobody told us of, known by their shape."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .secret_names import NO_PAGE, may_be_secret, names_secret

__all__ = ["CONNECTION_STRING", "DEFAULT_PATTERNS", "SecretPattern", "named_secrets"]


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


@dataclass(frozen=True)
class SecretPattern:
    """A regular expression, tried only where one of `hints` occurs (a plain search is far faster than a pattern).

    The group named `secret` is what is masked, or the whole match; `judge` may still refuse a candidate.
    """

    name: str
    hints: tuple[str, ...]
    regex: re.Pattern[str]
    judge: Callable[[str], bool] = lambda secret: True

    def mask(self, text: str, mask: str) -> str:
        """The text with this pattern's secrets replaced."""
        if self.hints and not any(hint in text for hint in self.hints):
            return text

        def replace(match: re.Match[str]) -> str:
            group = "secret" if "secret" in self.regex.groupindex else 0
            secret = match.group(group)
            # Around a part that is masked already the rest is as secret: a key's last line may look like another token.
            if not secret.replace(mask, "").strip() or not self.judge(secret):
                return match.group()
            start, end = match.span(group)
            return match.group()[: start - match.start()] + mask + match.group()[end - match.start() :]

        return self.regex.sub(replace, text)

    def secrets(self, text: str) -> set[str]:
        """What it would mask, of a pattern with a group `secret`."""
        found = self.regex.finditer(text) if any(hint in text for hint in self.hints) else ()
        return {match["secret"] for match in found if self.judge(match["secret"])}


def _random(secret: str) -> bool:
    # A commit's SHA is 40 characters too; an AWS secret has all kinds of characters and no pattern among them.
    kinds = (str.isupper, str.islower, str.isdigit)
    if not all(any(kind(character) for character in secret) for kind in kinds):
        return False
    counts = Counter(secret).values()
    entropy = -sum(n / len(secret) * math.log2(n / len(secret)) for n in counts)
    return entropy > 4.3


GITLAB = ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glimt-", "glagent-", "gloas-")
NAMES = ("assword", "ASSWORD", "asswd", "ASSWD", "ecret", "ECRET", "oken", "OKEN", "ey", "EY")
# Before a token, inside a text that was escaped or encoded for a URL: the letters there are no part of a word.
ESCAPED = r"(?:(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
NO_KEY = "[^A-Za-z0-9+/=<]{0,60}"
SLASH = r"(?:\\?/|%2[Ff])"
QUOTE = r"\\*[\"']|&quot;|&#3[49];"

CALLED = rf"(?:password|passwd|passphrase|secret|{NO_PAGE}token|api_?key|private_?key|access_?key)"
CONNECTION_STRING = SecretPattern(
    "password in a connection string",
    ("wd=", "WD=", "word=", "WORD="),
    re.compile(
        r"(?i)(?:(?<=;)\s?(?:pwd|password)=|(?<![a-z_-])(?:pwd|password)=(?=[^;\"'\s]+;))"
        r"(?P<secret>[^;\"'\s()\\]{3,})(?=[;\"'\s\\]|$)"
    ),
    may_be_secret,
)
DEFAULT_PATTERNS = (
    SecretPattern(
        "AWS access key id",
        ("A3T", "AKIA", "ASIA", "ABIA", "ACCA"),
        re.compile(rf"(?:(?<![A-Z0-9])|{ESCAPED})(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{16}}(?![A-Z0-9])"),
    ),
    SecretPattern(
        "AWS secret access key",
        (),
        re.compile(r"(?<![A-Za-z0-9/+_.-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-]|\.\w)"),
        _random,
    ),
    SecretPattern(
        "AWS secret access key in an escaped text",
        ("\\n", "\\r", "\\t", "%"),
        re.compile(rf"{ESCAPED}[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+=_-]|\.\w)"),
        _random,
    ),
    SecretPattern(
        "AWS session token",
        ("IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz"),
        re.compile(r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9/+=%]{40,}"),
    ),
    SecretPattern(
        "GitLab token",
        GITLAB,
        re.compile(r"gl(?:pat|dt|ft|soat|rtr|rt|cbt|ptt|imt|agent|oas)-[A-Za-z0-9_.\-]{18,1024}"),
    ),
    SecretPattern("GitLab runner registration token", ("GR1348941",), re.compile(r"GR1348941[A-Za-z0-9_\-]{20,}")),
    SecretPattern(
        "Slack token",
        ("xox", "xapp-", "xwfp-"),
        re.compile(r"(?i)(?:xox[a-z](?:\.xox[a-z])?|xapp|xwfp)-[A-Za-z0-9\-]{10,}"),
    ),
    SecretPattern(
        "Slack webhook",
        ("hooks.slack",),
        re.compile(
            rf"hooks\.slack(?:-gov)?\.com{SLASH}(?:services|workflows|triggers){SLASH}(?P<secret>[A-Za-z0-9/_+\-%\\]{{20,}})"
        ),
    ),
    SecretPattern(
        "GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"(?:gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ),
    SecretPattern(
        "JSON web token", ("eyJ",), re.compile(r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?")
    ),
    SecretPattern(
        "private key",
        ("-----BEGIN",),
        # Up to its end, or as far as it looks like a key: a text that only speaks of keys goes on after the header.
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?!\[MASKED\])(?P<secret>"
            r"(?:(?!-----BEGIN).){0,16384}?(?=-----END)"
            rf"|(?:\s*[A-Z][A-Za-z-]+: [^\n]*\s+)*(?:{NO_KEY}[A-Za-z0-9+/=]{{24,}})+(?:{NO_KEY}[A-Za-z0-9+/=]+)?)",
            re.DOTALL,
        ),
    ),
    SecretPattern(
        "private key in base64",
        ("LS0tLS1CRUdJTi",),
        re.compile(r"LS0tLS1CRUdJTiB(?:SU0Eg|QUklW|PUEVO|FQyBQ|FTkNS)[A-Za-z0-9+/=\s]{20,}"),
    ),
    SecretPattern("password in a URL", ("://",), re.compile(r"://[^\s/:@\"'<>]*:(?P<secret>[^\s/@\"'<>]{3,})@")),
    SecretPattern(
        "HTTP authorization",
        ("uthorization", "UTHORIZATION", "earer"),
        re.compile(
            r"(?i)(?:authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)?\s*|\bbearer\s+)"
            r"(?P<secret>[A-Za-z0-9+/_.=\-]{16,})"
        ),
    ),
    SecretPattern(
        "HTTP header of GitLab",
        ("-TOKEN", "-Token", "-token"),
        re.compile(
            rf"(?i)(?:private|job|deploy|runner|vault)-token(?:{QUOTE})?\s*[:=]\s*(?:{QUOTE})?(?P<secret>[\w.+/=\-]{{8,}})"
        ),
    ),
    SecretPattern(
        "value of a name that secrets bear",
        NAMES,
        re.compile(
            rf"(?i){CALLED}(?:{QUOTE})?(?:\s*:\s*[a-z]+)?\s*[:=]\s*(?P<quote>{QUOTE})"
            r"(?P<secret>(?:(?!(?P=quote))(?:\\[^\n]|[^\n\\])){1,}?)(?P=quote)"
        ),
        may_be_secret,
    ),
    SecretPattern(
        "new value of such a name in a plan",
        ('-> "',),
        re.compile(
            rf'(?i){CALLED}"?\s*=\s*(?:"(?:[^"\\\n]|\\.)*"|null|\(sensitive value\))\s*->'
            r'\s*"(?P<secret>(?:[^"\\\n]|\\.)+)"'
        ),
        may_be_secret,
    ),
    SecretPattern(
        "value of such a name in an error of Terraform",
        ('is "',),
        re.compile(rf'(?i)(?:var|local|data|module|each|self)\.[\w.-]*{CALLED} is "(?P<secret>(?:[^"\\\n]|\\.)+)"'),
        may_be_secret,
    ),
    CONNECTION_STRING,
    SecretPattern(
        "value of such a name in YAML",
        ("assword:", "asswd:", "ecret:", "oken:", "key:"),
        re.compile(
            r"(?m)^[ \t-]*[\w-]*(?:password|passwd|secret|token|api_?key):[ \t]+"
            r"(?P<secret>(?=\S*\d)(?=\S*[A-Za-z])[^\s.\"'\[{(]{8,})[ \t]*$"
        ),
    ),
    SecretPattern(
        "variable, option or part of a URL that bears a secret",
        (
            "ASSWORD=",
            "ASSWD=",
            "PHRASE=",
            "SECRET=",
            "TOKEN=",
            "KEY=",
            "assword=",
            "asswd=",
            "secret=",
            "token=",
            "key=",
        ),
        re.compile(
            r"(?:(?<![A-Z0-9_])[A-Z0-9_]{0,64}?(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)"
            r"|(?:--?|[?&])[a-z_\-]{0,64}?(?:password|passwd|secret|token|api[_\-]?key))"
            r"=(?P<secret>[^\s\"'&$<>(){}\[\],;\\]{6,})"
        ),
    ),
)
