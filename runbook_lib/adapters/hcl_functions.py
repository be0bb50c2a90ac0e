"""The Terraform functions that rules are made with. Any other, or any error, is an unknown."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..models.base import UNKNOWN, Unknown

__all__ = ["Refused", "SetOf", "call_function", "has_unknown", "is_number", "iterate", "to_text", "unified"]


class SetOf(list[Any]):
    """A set in Terraform's order. It has no indexes: a for expression gives each item as its own key."""


class Refused(Exception):  # noqa: N818 - not an error here, but what Terraform says
    """Terraform refuses this for certain: only `try` and `can` go on."""


class _Doubt(Exception):  # noqa: N818 - not an error, but the answer
    """What Terraform makes of this is not certain."""


def call_function(name: str, arguments: list[Any]) -> Any:
    """The result, or UNKNOWN where the function, an argument or the outcome is not certain; Refused for no result."""
    function = _FUNCTIONS.get(name)
    if function is None or (name not in _LENIENT and any(has_unknown(argument) for argument in arguments)):
        return UNKNOWN
    try:
        return function(*arguments)
    except Refused:
        raise
    except Exception:  # noqa: BLE001 - whatever goes wrong here, nothing is known of the value
        return UNKNOWN


def iterate(collection: Any) -> list[tuple[Any, Any]]:
    """Keys and values as a for expression sees them; maps go by key. TypeError for what is no collection."""
    if isinstance(collection, dict):
        return sorted(collection.items(), key=lambda item: str(item[0]))
    if isinstance(collection, SetOf):
        return [(item, item) for item in collection]
    if isinstance(collection, list):
        return list(enumerate(collection))
    raise TypeError("not a collection")


def to_text(value: Any) -> str:
    """A scalar as Terraform writes it into a string. TypeError for others, and where the digits are not certain."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not value.is_integer() and len(repr(value)) > _DIGITS:
            raise TypeError("Terraform reckons with more digits")
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str | int):
        return str(value)
    raise TypeError("not a scalar")


def unified(chosen: Any, other: Any) -> Any:
    """What becomes of one result of a condition, given the other: both are converted to one type."""
    compound = isinstance(chosen, list | dict) or isinstance(other, list | dict)
    if chosen is None or other is None or chosen is UNKNOWN:
        return chosen
    if other is UNKNOWN:
        return chosen if _scalars(chosen) <= {str, Unknown} else UNKNOWN  # a number beside a text becomes one
    if compound:
        return chosen if _unconverted((chosen, other)) else UNKNOWN
    if len(_kinds((chosen, other))) <= 1:
        return chosen
    return to_text(chosen) if isinstance(chosen, str) or isinstance(other, str) else UNKNOWN


def is_number(value: Any) -> bool:
    """Whether it is a number: a boolean, which Python takes for one, is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def has_unknown(value: Any) -> bool:
    """Whether any part of it is not certain."""
    if isinstance(value, dict):
        return any(has_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(has_unknown(part) for part in value)
    return value is UNKNOWN


def _kinds(values: Iterable[Any]) -> set[type]:
    return {float if is_number(value) else type(value) for value in values}


def _scalars(value: Any) -> set[type]:
    """The kinds of all scalars in it; null is of any."""
    if isinstance(value, dict | list):
        return {kind for part in (value.values() if isinstance(value, dict) else value) for kind in _scalars(part)}
    return set() if value is None else _kinds([value])


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(part) for key, part in sorted(value.items())}
    return [_shape(part) for part in value] if isinstance(value, list) else next(iter(_kinds([value])))


def _unconverted(values: Iterable[Any]) -> bool:
    """Whether values stay what they are as elements of one type: lists or maps of such, or scalars of one kind.

    Tuples and lists look alike here, and so do objects and maps: what would be converted in either is in doubt.
    """
    found = [value for value in values if value is not None]
    if len({repr(_shape(value)) for value in found}) <= 1 or _all_text(found):
        return True
    if all(isinstance(value, dict) for value in found):
        return _unconverted(part for value in found for part in value.values())
    if all(isinstance(value, list) for value in found) and len({isinstance(value, SetOf) for value in found}) == 1:
        return _unconverted(part for value in found for part in value)
    return False


def _all_text(values: list[Any]) -> bool:
    return all(value is UNKNOWN or isinstance(value, str) for value in values)


def _alike(values: Iterable[Any]) -> list[Any]:
    """The values, all scalars of one type: else Terraform converts them, or refuses."""
    found = list(values)
    if len(_kinds(found)) > 1 or any(isinstance(value, list | dict) for value in found):
        raise _Doubt
    return found


def _texts(values: Iterable[Any]) -> list[str]:
    found = list(values)
    if not all(isinstance(value, str) for value in found):
        raise _Doubt
    return found


def _numbers(values: Iterable[Any]) -> list[Any]:
    found = list(values)
    if not found or not all(map(is_number, found)):
        raise _Doubt
    return found


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Doubt
    return value


def _plain(text: Any) -> str:
    # Upper and lower case, blanks and the count of letters are told alike by everybody for ASCII alone.
    if not isinstance(text, str) or not text.isascii() or _CONTROL.search(text):
        raise _Doubt
    return text


def _decode(text: str) -> Any:
    value = json.loads(text, parse_constant=int)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    return value


def _encode(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    # Terraform's own writer disguises these, and writes numbers with more digits.
    if re.search(r"[<>&\u2028\u2029\x7f]|\d\.\d|\d[eE]", text):
        raise _Doubt
    return text


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        raise _Doubt
    return [part for _, part in iterate(value)]


def _concat(*lists: Any) -> Any:
    if UNKNOWN in lists:
        return UNKNOWN
    found = [item for items in lists for item in _list(items)]
    if len(_kinds(item for item in found if not isinstance(item, list | dict))) > 1:
        raise _Doubt  # lists are converted to one type, tuples are not, and here both look alike
    if not all(lists) and any(isinstance(item, int | float) for item in found):
        raise _Doubt  # an empty list may be one of texts
    return found


def _flatten(items: Any) -> Any:
    if items is UNKNOWN:
        return UNKNOWN
    flat: list[Any] = []
    for item in _list(items):
        if item is UNKNOWN:
            return UNKNOWN  # it may be a list of any length
        flat += _flatten(item) if isinstance(item, list) else [item]
    return flat


def _merge(*maps: Any) -> Any:
    if any(part is UNKNOWN for part in maps):
        return UNKNOWN
    return {key: value for part in maps if part is not None for key, value in part.items()}


def _toset(items: Any) -> SetOf:
    if isinstance(items, dict):
        raise _Doubt
    given = _as_list(items)
    if all(isinstance(item, list | dict) for item in given) and len(given) > 1:
        raise _Doubt  # their order in a set is Terraform's own
    found = given if len(given) == 1 else _alike(given)
    unique = [item for index, item in enumerate(found) if item not in found[:index]]
    return SetOf(sorted(unique) if len(unique) > 1 else unique)


def _same_type(*sets: Any) -> list[list[Any]]:
    """The items of sets of one type. An empty one is of any: then only texts are sure to stay what they are."""
    found = [_as_list(one) for one in sets]
    items = _alike([item for one in found for item in one])
    if not all(found) and not all(isinstance(item, str) for item in items):
        raise _Doubt
    return found


def _setsubtract(items: Any, without: Any) -> SetOf:
    given, gone = _same_type(items, without)
    return _toset([item for item in given if item not in gone])


def _setunion(*sets: Any) -> SetOf:
    return _toset([item for one in _same_type(*sets) for item in one])


def _setproduct(*sets: Any) -> list[list[Any]]:
    found = [_alike(_as_list(one)) for one in sets]
    if any(isinstance(one, SetOf) for one in sets) and max(map(len, found), default=0) > 1:
        raise _Doubt  # then the result is a set, and the order of lists in one is Terraform's own
    if any(len(_toset(one)) < len(one) for one in found):
        raise _Doubt  # of lists each item counts, of sets each value
    return [list(group) for group in itertools.product(*found)]


def _distinct(items: Any) -> list[Any]:
    found = _alike(_list(items))
    return [item for index, item in enumerate(found) if item not in found[:index]]


def _coalesce(*values: Any) -> Any:
    if all(value is None or (isinstance(value, str) and not value) for value in values):
        raise Refused
    given = [value for value in values if value is not None]
    return next(value for value in _alike(given) if value != "")


def _contains(items: Any, item: Any) -> bool:
    return item in _alike([*_list(items), item])[:-1]


def _compact(items: Any) -> list[str]:
    return _texts(item for item in _list(items) if item not in {None, ""})


def _lookup(values: dict[str, Any], key: str, *default: Any) -> Any:
    if not isinstance(values, dict) or len(default) > 1:
        raise _Doubt
    if default and len(_kinds([*values.values(), *default])) > 1:
        raise _Doubt
    return values.get(key, *default) if default else values[key]


def _length(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    return len(_plain(value)) if isinstance(value, str) else len(value)


def _tonumber(value: Any) -> Any:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise _Doubt
        number = float(value)
        return int(value) if _WHOLE.fullmatch(value) else int(number) if number.is_integer() else number
    return value if value is None else _numbers([value])[0]


def _tobool(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value, UNKNOWN)
    return value if value is None or isinstance(value, bool) else UNKNOWN


def _tomap(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict) or not _unconverted(values.values()):
        raise _Doubt
    return dict(values)


def _tolist(items: Any) -> Any:
    if items is UNKNOWN:
        return UNKNOWN
    found = _as_list(items)
    if not _unconverted(found):
        raise _Doubt
    return found


def _cidrsubnet(prefix: str, new_bits: int, number: int) -> str:
    network = ipaddress.ip_network(prefix, strict=False)
    bits = network.prefixlen + new_bits
    size = 1 << (network.max_prefixlen - bits)
    address = int(network.network_address) + number * size
    made = ipaddress.ip_network((address, bits))
    if new_bits < 0 or number < 0 or not made.subnet_of(network):  # type: ignore[arg-type]
        raise ValueError("outside")
    return str(made)


def _range(*bounds: Any) -> list[int]:
    if not 1 <= len(bounds) <= 3 or not all(isinstance(bound, int) for bound in _numbers(bounds)):
        raise _Doubt
    start, end = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    # Terraform counts down by itself, and refuses a step that leads away from the end.
    step = bounds[2] if len(bounds) == 3 else 1 if start <= end else -1
    if step == 0 or (step > 0) is not (end >= start) or len(range(start, end, step)) > 1024:
        raise _Doubt
    return list(range(start, end, step))


def _format(spec: str, *values: Any) -> Any:
    # Only the plain verbs mean the same in Go and in Python.
    verbs = re.findall(r"%(.?)", spec.replace("%%", ""), re.DOTALL)
    if any(verb not in {"s", "d"} for verb in verbs) or len(verbs) != len(values):
        return UNKNOWN
    if any(
        verb == "d" and not (is_number(value) and float(value).is_integer())
        for verb, value in zip(verbs, values, strict=True)
    ):
        return UNKNOWN
    texts = iter(map(to_text, values))
    return re.sub(r"%[%sd]", lambda verb: "%" if verb[0] == "%%" else next(texts), spec)


def _formatlist(spec: str, items: Any) -> Any:
    made = [_format(spec, item) for item in _list(items)]
    return UNKNOWN if UNKNOWN in made else made


def _element(items: Any, index: int) -> Any:
    if isinstance(items, SetOf) or not isinstance(index, int) or index < 0:
        raise _Doubt
    return _list(items)[index % len(items)]


def _slice(items: Any, start: int, end: int) -> list[Any]:
    if isinstance(items, SetOf) or not 0 <= start <= end <= len(_list(items)):
        raise _Doubt
    return list(items[start:end])


def _one(items: Any) -> Any:
    if len(_list(items)) > 1:
        raise _Doubt
    return items[0] if items else None


def _join(separator: str, *lists: Any) -> str:
    if not lists:
        raise _Doubt
    return _texts([separator])[0].join(to_text(item) for items in lists for item in _list(items))


def _replace(text: str, old: str, new: str) -> Any:
    # Between slashes it is a regular expression of Go's.
    return UNKNOWN if old.startswith("/") else _texts([text])[0].replace(old, new)


def _split(separator: str, text: str) -> list[str]:
    _texts([separator, text])
    return text.split(separator)


def _reverse(items: Any) -> list[Any]:
    if isinstance(items, SetOf):
        raise _Doubt
    return _list(items)[::-1]


_DIGITS: Final = 15
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,6})?")
_WHOLE: Final = re.compile(r"-?\d+")
_LENIENT: Final = {"concat", "flatten", "merge", "tolist", "length", "keys"}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda value: abs(_numbers([value])[0]),
    "cidrsubnet": _cidrsubnet,
    "coalesce": _coalesce,
    "compact": _compact,
    "concat": _concat,
    "contains": _contains,
    "distinct": _distinct,
    "element": _element,
    "flatten": _flatten,
    "endswith": str.endswith,
    "format": _format,
    "formatlist": _formatlist,
    "join": _join,
    "jsondecode": _decode,
    "jsonencode": _encode,
    "keys": lambda values: UNKNOWN if values is UNKNOWN else sorted(values.keys()),
    "length": _length,
    "lookup": _lookup,
    "lower": lambda text: _plain(text).lower(),
    "max": lambda *values: max(_numbers(values)),
    "merge": _merge,
    "min": lambda *values: min(_numbers(values)),
    "nonsensitive": lambda value: value,
    "one": _one,
    "range": _range,
    "replace": _replace,
    "reverse": _reverse,
    "sensitive": lambda value: value,
    "setproduct": _setproduct,
    "setsubtract": _setsubtract,
    "setunion": _setunion,
    "slice": _slice,
    "sort": lambda items: sorted(_texts(_list(items))),
    "split": _split,
    "startswith": str.startswith,
    "sum": lambda items: sum(_numbers(_list(items))),
    "tobool": _tobool,
    "tolist": _tolist,
    "tomap": _tomap,
    "tonumber": _tonumber,
    "toset": _toset,
    "tostring": lambda value: None if value is None else to_text(value),
    "trimprefix": lambda text, prefix: _texts([text])[0].removeprefix(prefix),
    "trimspace": lambda text: _plain(text).strip(),
    "upper": lambda text: _plain(text).upper(),
    "values": lambda values: [values[key] for key in sorted(values.keys())],
    "zipmap": lambda keys, values: dict(zip(_texts(_list(keys)), _list(values), strict=True)),
}
