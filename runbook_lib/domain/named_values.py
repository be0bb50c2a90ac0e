"""Secrets that nothing but a name gives away, in documents of Terraform: plans, states and events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from .secret_names import MASK, is_telling, may_be_paired, may_be_secret, names_secret, paired
from .secret_places import connection_passwords

__all__ = ["mask_event", "mask_named", "mask_named_learning", "named_secrets_in"]

# Where Terraform's documents keep the value of what they name.
_VALUES: Final = frozenset({"value", "before", "after", "default", "constant_value", "expression"})
# Inside something that bears a secret's name: what is said about it, not itself.
_ABOUT: Final = re.compile(
    r"(?i:.*_)?(?i:name|id|arn|type|user|login|email|description|path|version|source|provider|url|uri|endpoint|host"
    r"|port|region|engine|database|status|algorithm|length|policy|alias|constraint)"
    r"|(?i:username|hostname|dbname|references|actions|value_?from)|.*[a-z](?:Name|Id|Arn|Type|Path|Url|Version)"
)
# What these resources are for is one value, and the name of the resource is the value's.
_GENERATED: Final = frozenset({"result", "id", "hex", "dec", "b64_std", "b64_url", "base64"})
_STORED: Final = frozenset({"input", "output", "triggers_replace"})

# Gets a secret, and gives what is to stand in its place.
_Give = Callable[[str], str]
_SHORT: Final = 256
_OPENING: Final = frozenset({"{", "["})
_NUMBERS: Final = frozenset({int, float, bool})


def mask_named(document: Any) -> Any:
    """A copy in which every value whose name says that it is a secret is masked, at any depth and in JSON texts."""
    return _walk(document, lambda secret: MASK)


def mask_named_learning(document: Any) -> tuple[Any, frozenset[str]]:
    """The same copy, and what `named_secrets_in` gives, at once."""
    found: set[str] = set()

    def mask(secret: str) -> str:
        found.add(secret)
        return MASK

    return _walk(document, mask), frozenset(filter(is_telling, found))


def named_secrets_in(document: Any) -> frozenset[str]:
    """Those of the values that can be told from other words wherever they turn up: what a Redactor has to learn."""
    return frozenset(secret for secret in _all(document) if is_telling(secret))


def mask_event(event: dict[str, Any]) -> dict[str, Any]:
    """The same for one event of `terraform apply -json`, whose message repeats a resource's id."""
    masked: dict[str, Any] = mask_named(event)
    for secret in _all(event) if masked != event else ():
        masked["@message"] = str(masked.get("@message", "")).replace(f"[id={secret}]", f"[id={MASK}]")
    return masked


def _all(document: Any) -> set[str]:
    found: set[str] = set()

    def collect(secret: str) -> str:
        found.add(secret)
        return secret

    _walk(document, collect)
    return found


def _walk(node: Any, give: _Give) -> Any:
    # Exact types first: a large plan has millions of values, and what JSON makes of them are just these.
    kind = type(node)
    if kind is dict or isinstance(node, Mapping):
        shape = _shape(tuple(node))
        named = shape.secret | _paired(node) if shape.by_values else shape.secret
        generated = _generated(node.get("type"), node.get("name")) if shape.is_resource else None
        if generated:
            return {
                key: _secret(value, give) if key in named else _of_a_resource(value, generated, give)
                for key, value in node.items()
            }
        return {
            # Of a large plan a million values are asked about: nothing is called for most of them.
            key: _secret(value, give)
            if key in named
            else value
            if not value or type(value) in _NUMBERS or _is_leaf(value)
            else _walk(value, give)
            for key, value in node.items()
        }
    if kind is list or isinstance(node, list | tuple):
        return [part if _is_leaf(part) else _walk(part, give) for part in node]
    return _text(node, give) if isinstance(node, str) else node


def _is_leaf(node: Any) -> bool:
    """Whether nothing can be in it: nothing at all, a number, or a short text of no kind that is looked into."""
    return not node or (len(node) <= _SHORT and _is_plain(node) if type(node) is str else type(node) in _NUMBERS)


def _secret(node: Any, give: _Give, *, whole: bool = False) -> Any:
    """What a secret's name stands for. Of a structure it is the values; `whole` is where it can't be anything else."""
    if isinstance(node, Mapping):
        return _inside(node, give, whole)
    if isinstance(node, list | tuple):
        return [_secret(part, give, whole=whole) for part in node]
    if not isinstance(node, str):
        return node
    inner = _json(node)
    if inner is not None:
        return _dumped(node, inner, _secret(inner, give, whole=True))
    return give(node) if may_be_secret(node) else node


def _inside(node: Mapping[str, Any], give: _Give, whole: bool) -> Any:
    if not whole and (inside := _VALUES & node.keys()):
        return {
            key: _secret(value, give, whole=True) if key in inside else _walk(value, give)
            for key, value in node.items()
        }
    if not whole and any(isinstance(value, Mapping | list) for value in node.values()):
        return _walk(node, give)
    return {
        key: value if _ABOUT.fullmatch(str(key)) else _secret(value, give, whole=True) for key, value in node.items()
    }


@lru_cache(maxsize=1 << 16)
def _is_plain(text: str) -> bool:
    """Whether there is nothing to look for in a short text; a plan repeats each of its texts several times."""
    return (text.lstrip()[:1] not in _OPENING or _json(text) is None) and not connection_passwords(text)


def _text(text: str, give: _Give) -> str:
    inner = _json(text)
    if inner is not None:
        return _dumped(text, inner, _walk(inner, give))
    for secret in connection_passwords(text):
        text = text.replace(secret, give(secret))
    return text


def _json(text: str) -> Any:
    """The document in a text, as policies and containers are given; None if there is none."""
    if text.lstrip()[:1] not in _OPENING:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _dumped(text: str, before: Any, after: Any) -> str:
    return text if after == before else json.dumps(after, ensure_ascii=False, separators=(",", ":"))


class _Shape(NamedTuple):
    """What the keys of a mapping say, whatever its values: a plan has few kinds of mappings, and many of each."""

    secret: frozenset[str]
    by_values: bool
    is_resource: bool


@lru_cache(maxsize=1 << 13)
def _shape(keys: tuple[str, ...]) -> _Shape:
    return _Shape(
        secret=frozenset(key for key in keys if names_secret(str(key))),
        by_values=may_be_paired(keys) or "resource" in keys,
        is_resource="type" in keys and "name" in keys,
    )


def _paired(node: Mapping[str, Any]) -> set[str]:
    found = paired(node)
    hook = node.get("resource")
    if isinstance(hook, Mapping) and _generated(hook.get("resource_type"), hook.get("resource_name")):
        found.add("id_value")
    return found


def _generated(kind: Any, name: Any) -> frozenset[str]:
    """The attributes that hold the value of a resource that is there for one, and is called like a secret."""
    if not (isinstance(kind, str) and isinstance(name, str) and names_secret(name)):
        return frozenset()
    return _GENERATED if kind.startswith("random_") else _STORED if kind == "terraform_data" else frozenset()


def _of_a_resource(node: Any, holding: frozenset[str], give: _Give) -> Any:
    if isinstance(node, Mapping):
        return {
            key: _secret(value, give)
            if key in holding or names_secret(str(key))
            else _of_a_resource(value, holding, give)
            for key, value in node.items()
        }
    return [_of_a_resource(part, holding, give) for part in node] if isinstance(node, list) else node
