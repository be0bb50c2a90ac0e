"""CEL over the attributes of any resource, in which an unknown value never passes for an absent one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN

from ..rules import ResourceView
from .logic import Truth

__all__ = ["compile_expression", "evaluate", "sees_action"]

_NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACTION = re.compile(r"(?<![\w.])action\b")
_TEXTS = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'""")
# Any use of `values` but `values.name` and `values["name"]` may look at every attribute.
_WHOLE = re.compile(r"""\bvalues\b(?!\s*\.\s*\w+\b(?!\s*\()|\s*\[\s*["'])""")


def compile_expression(text: str) -> Callable[[ResourceView], Truth]:
    """Make a CEL expression ready; ConfigError if it is none."""
    import cel

    try:
        program = cel.compile(text)
    except Exception as error:
        raise ConfigError(f"this is no CEL expression: {_first_line(error)}", "Correct the expression.") from error
    names = frozenset(_NAMES.findall(text))
    whole = bool(_WHOLE.search(text))
    acts = sees_action(text)

    def judge(view: ResourceView) -> Truth:
        unknown = {path[0] for path in _unknown_paths(view.values)}
        # `has(values.x)` is false for an unknown x, too: an expression that so much as names one can't be decided.
        if unknown & names or (unknown and whole) or (acts and view.action is UNKNOWN):
            return None
        return _run(program, view)

    return judge


def sees_action(text: str) -> bool:
    """Whether the expression asks what is done to a resource: then it is asked of those that go, too."""
    return _ACTION.search(_TEXTS.sub("", text)) is not None


def evaluate(text: str, view: ResourceView) -> Truth:
    """What the expression says of one resource."""
    return compile_expression(text)(view)


def _run(program: Any, view: ResourceView) -> Truth:
    import cel

    context = cel.Context(
        variables={
            "values": _known(view.values),
            "address": view.address,
            "type": view.type,
            "action": str(view.action),
        },
        functions={"parse_json": _parse_json, "as_list": _as_list},
    )
    try:
        result = program.execute(context)
    except Exception:  # noqa: BLE001 - a missing field or a wrong type: the policy can't tell
        return None
    return result if isinstance(result, bool) else None


def _unknown_paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if value is UNKNOWN:
        yield path
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _unknown_paths(part, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _unknown_paths(part, path)


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _known(part) for key, part in value.items() if part is not UNKNOWN}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value if part is not UNKNOWN]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def _parse_json(text: str) -> Any:
    return json.loads(text)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
