"""What a name says of its value: names that secrets bear, and values that are none whatever they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = [
    "MASK",
    "is_common",
    "is_listed_secret",
    "is_listed_secrets",
    "is_secret",
    "is_telling",
    "may_be_paired",
    "may_be_secret",
    "names_secret",
    "paired",
]

MASK = "[MASKED]"
# A token that marks a place in a list or in a text, or makes a call safe to repeat, opens nothing.
_PAGES: Final = (
    *("next", "page", "paging", "pagination", "continuation", "creation", "idempotency", "prev", "previous", "sync"),
    *("pad", "eos", "bos", "unk", "mask", "sep", "cls", "start", "end", "stop", "special", "sub", "word", "decoder"),
    *("image", "prompt", "placeholder", "marker", "first", "last"),
)
NO_PAGE: Final = "".join(f"(?<!{word})(?<!{word}[_-])" for word in _PAGES)
_OPENS: Final = (
    "access auth refresh bearer session identity registry api bot gitlab github slack vault private job deploy"
)
_JOINED: Final = "|".join(_OPENS.split())
_KEYS: Final = "api|private|secret|access|account|encryption|signing|auth|storage|shared|preshared|pre_shared"
_SECRET_NAME: Final = re.compile(
    r"(?:(?i:password|passwd|passphrase|passcode)"
    r"|(?i:(?:^|[_.\-/:\s])(?:[a-z]{2,8}secret|secret(?:_?string)?|"
    rf"(?:{_JOINED})token|{NO_PAGE}token|(?:{_KEYS})[_-]?key|credential)|[_.\-](?:pwd|pass)|(?:^|[:/])_auth)"
    rf"|_PAT|(?<=[a-z0-9])(?:Secret(?:String)?|(?i:{NO_PAGE})Token|(?:Api|API|Private|Secret|Access|Account|Shared)Key"
    r"|Credential|Pwd|Pass))s?(?:_?\d{1,2})?$"
)
_LISTED: Final = re.compile(
    r"(?i)(?:password|passwd|passphrase|passcode|pwd|(?:api|access|private)[_-]?key)s?(?:_?\d{1,2})?$"
)
# In its place each of them says that there is a secret, or where, but not which.
_NO_SECRET: Final = re.compile(
    r"\s*+|\[MASKED[^\]]*\]|\(sensitive(?: value)?\)|\(known after apply\)"
    r"|(?i:true|false|yes|no|on|off|null|nil|none|undefined|required|optional|enabled|disabled|default|string|number|bool"
    r"|any|redacted|hidden|str|int|bytes)"
    r"|\d{1,5}(?:\.\d+)?"
    r"|arn:[\w-]+:\S+|[a-z]{1,12}-(?:[0-9a-f]{8}|[0-9a-f]{17})"
    r"|(?>(?:\$?\$\{[^{}]*\}[:@/._-]?)+)|\$\{\{[^{}]*\}\}|\{\{[^{}]*\}\}|\$[A-Z_][A-Z0-9_]*|\$[a-z_]+|%[A-Z_]+%|\$\([^()]*\)"
    r"|\{[A-Za-z_][\w.!:\[\]'\"]*\}|%\(\w+\)s|%s"
    r"|(?:var|local|data|module|each|self|random_password|random_string)\.[\w.\[\]\"-]+"
    r"|(?:vault|op|ssm|file|env|awssm|gcpsm):[^\s@]*"
    r"|(?:/[a-z][a-z0-9_.-]*){2,}"
    r"|<[^<>\s]*>|<\|[^|]*\|>|\[[A-Za-z_ ]*\]|[*xX.…•]{3,}+|(?i:your[-_ ][\w -]*)"
)
# A word or a few of them, as a name may be made of: masked anywhere they would eat what is no secret.
_WORDS: Final = re.compile(r"[A-Za-z]+(?>(?:[-_. ][A-Za-z]+)*)(?:[-_.]\d{1,2})?")
_LONG_WORDS: Final = 16
_LONG_COMMON: Final = 12
_SHORTEST: Final = 8
# Between these a value is masked where it stands alone, if it is no word and no number.
_SHORTEST_ALONE: Final = 6
_COMMON: Final = frozenset(
    """
    access account active admin administrator alpha anonymous any api app application backend basic beta blue bucket
    cache ceph changeme change changed client cloud cluster common compliance component config configuration connect
    connection console container content custom customer data database debug default demo deploy deployment dev
    develop developer development disable disabled docker domain dummy east email enable enabled engine environment
    error example external failed failure false file files first foo frontend gateway gitlab github global green guest
    hello home host hostname http https image index info infra infrastructure input instance integration internal
    jenkins job key keys kubernetes lab latest letmein linux local localhost log login main manager managed master
    member message metadata module monitor monitoring mysql name namespace network never nobody node none normal north
    notebook null number object office online operator optional options oracle output owner page parameter parameters
    pass passed passphrase password passwd path pipeline plan platform policy pool port postgres postgresql prod
    production profile project prometheus proxy public qwerty qwertyui queue rabbitmq read readonly readwrite redis
    region release remote report repository required resource result role root runbook runner running sample schema
    search second secret secrets security server service services session setting settings shared simple site slack
    south stack stage staging standard start state static status storage string success super superuser support
    system table target team temp template temporary terraform test tester testing tests text token tokens tool true
    ubuntu undefined unknown update user username users value values vault verification version web website welcome
    west world write writer your yes no on off the and of a b c d an is it for with to us eu ap ca sa me af in vpc ec2
    db id ci cd qa uat my new old
    """.split()  # noqa: SIM905  words are read more easily so
)

# Where documents keep what a neighbour names: environments, tags, parameters, widgets, kept results.
_PAIRS: Final = (
    *(("name", "value"), ("name", "insecure_value"), ("name", "data"), ("key", "value"), ("traversal", "statement")),
    *(("label", "value"), ("variable", "value")),
)
# Services that look the value up: it is but where they find it.
_LOOKED_UP: Final = frozenset({"SECRETS_MANAGER", "PARAMETER_STORE"})
_PIECE: Final = re.compile(r"(?:##|▁|Ġ)?[^\W\d_]*+[^\w\s]{0,2}")


@lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether a value of this name is a secret: its last word is password, token, private key and so on."""
    return bool(_SECRET_NAME.search(name[-128:].rstrip(": *")))


def may_be_secret(value: str) -> bool:
    """Whether a value of such a name can be one: no switch, small number, id, reference or place of a secret is.

    Nor is a colour code: what it colours is looked at without it.
    """
    return not (value.startswith("\x1b") or _NO_SECRET.fullmatch(value))


def is_secret(name: str, value: str) -> bool:
    """Whether the two together are a secret. What `token` alone names may be a piece of a text: a word is none."""
    if not (names_secret(name) and may_be_secret(value)):
        return False
    if not name.lower().rstrip("s").endswith("token"):
        return True
    piece = name.lower().strip("\"' ") in {"token", "tokens"} and (len(value) < 6 or _PIECE.fullmatch(value))
    return not piece and not any(character.isspace() for character in value.strip())


def is_listed_secret(name: str, value: str) -> bool:
    """Whether one of the texts in a list of such a name is a secret: what is required of passwords may stand there too.

    Lists of secrets and of tokens hold names and words as often.
    """
    return bool(_LISTED.search(name)) and is_secret(name, value) and is_telling(value) and " " not in value


def is_listed_secrets(name: str) -> bool:
    """Whether a name is of several such secrets, as the name of a map is that holds each by whose it is."""
    return name.lower().rstrip("_0123456789").endswith("s") and bool(_LISTED.search(name)) and names_secret(name)


def is_telling(value: str) -> bool:
    """Whether what only a name calls a secret can be masked wherever it stands, as no word or two can."""
    return len(value.strip()) >= (_LONG_WORDS if _WORDS.fullmatch(value) else _SHORTEST)


def is_common(value: str) -> bool:
    """Whether a value is too short or too common a word to be masked but where a name says that it is a secret."""
    value = value.strip()
    if len(value) < _SHORTEST:
        return len(value) < _SHORTEST_ALONE or value.isdigit() or bool(_WORDS.fullmatch(value))
    parts = [part.rstrip("0123456789") for part in re.split(r"[-_. /:]", value.lower())]
    return (len(parts) == 1 or len(value) < _LONG_COMMON) and all(not part or part in _COMMON for part in parts)


def paired(node: Mapping[str, Any]) -> set[str]:
    """The keys whose values a neighbour names as secrets: `{"name": "DB_PASSWORD", "value": …}` and the like."""
    lower = {str(key).lower(): key for key in node}
    if str(node.get(lower.get("type", ""))) in _LOOKED_UP:
        return set()
    found = {lower[of] for name, of in _PAIRS if name in lower and of in lower and _says(node[lower[name]])}
    if "_model_name" in node and "value" in node and _says(node.get("description")):
        found.add("value")
    kinds = {str(node.get(lower.get(kind, ""))).lower() for kind in ("_model_name", "model_name", "type")}
    if kinds & {"passwordmodel", "password", "securestring"} and "value" in lower:
        found.add(lower["value"])
    return found


def may_be_paired(keys: Iterable[str]) -> bool:
    """Whether a mapping with these keys can have values that a neighbour names."""
    return not {str(key).lower() for key in keys}.isdisjoint(of for _, of in _PAIRS)


def _says(name: Any) -> bool:
    if isinstance(name, Mapping):
        name = name.get("constant_value")
    return isinstance(name, str) and len(name) <= 128 and names_secret(name)
