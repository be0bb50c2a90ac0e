"""What a name says of its value: names that secrets bear, and values that are none whatever they are called."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["NO_PAGE", "is_telling", "may_be_secret", "names_secret"]

# A token that marks a place in a list, or makes a call safe to repeat, opens nothing.
_PAGES: Final = ("next", "page", "paging", "pagination", "continuation", "creation", "idempotency")
NO_PAGE: Final = "".join(f"(?<!{word})(?<!{word}[_-])" for word in _PAGES)
_SECRET_NAME: Final = re.compile(
    r"(?:(?i:password|passwd|passphrase)"
    r"|(?i:(?:^|[_.\-/:\s])(?:secret|"
    rf"{NO_PAGE}token|api[_-]?key|private[_-]?key|secret[_-]?key|access[_-]?key|credential)|[_.\-]pwd)"
    rf"|(?<=[a-z0-9])(?:Secret|(?i:{NO_PAGE})Token|ApiKey|APIKey|PrivateKey|SecretKey|AccessKey|Credential|Pwd))s?$"
)
# In its place each of them says that there is a secret, or where, but not which.
_NO_SECRET: Final = re.compile(
    r"\s*|\[MASKED\]|\(sensitive(?: value)?\)|\(known after apply\)"
    r"|(?i:true|false|yes|no|on|off|null|none|required|optional|enabled|disabled|default|string|number|bool|any)"
    r"|\d{1,5}(?:\.\d+)?"
    r"|arn:[\w-]+:\S+|[a-z]{1,12}-(?:[0-9a-f]{8}|[0-9a-f]{17})"
    r"|\$?\$\{[^{}]*\}|\$\{\{[^{}]*\}\}|\{\{[^{}]*\}\}|\$[A-Z_][A-Z0-9_]*|%[A-Z_]+%"
    r"|(?:var|local|data|module|each|self)\.[\w.\[\]\"-]+"
    r"|(?:/[a-z][a-z0-9_.-]*){2,}"
)
# A word or a few of them, as a name may be made of: masked anywhere they would eat what is no secret.
_WORDS: Final = re.compile(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)*(?:[-_.]\d{1,2})?")
_LONG_WORDS: Final = 16
_SHORTEST: Final = 6


@lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether a value of this name is a secret: its last word is password, token, private key and so on."""
    return bool(_SECRET_NAME.search(name))


def may_be_secret(value: str) -> bool:
    """Whether a value of such a name can be one: no switch, small number, id, reference or place of a secret is."""
    return not _NO_SECRET.fullmatch(value)


def is_telling(value: str) -> bool:
    """Whether a secret can be masked wherever it stands: a common word would be found in many an innocent text."""
    return len(value.strip()) >= (_LONG_WORDS if _WORDS.fullmatch(value) else _SHORTEST)
