"""CEL over the attributes of any resource, in which an unknown value never passes for an absent one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.expressions import load_cel

from ..rules import ResourceView
from ..rules.values import protocol
from .logic import Truth
from .networks import hold_world, read_networks

__all__ = ["Expression", "Prepared", "compile_expression", "evaluate", "sees_action"]

_NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACTION = re.compile(r"(?<![\w.])action\b")
_TEXTS = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'""")
# Any use of `values` but `values.name` and `values["name"]` may look at every attribute.
_WHOLE = re.compile(r"""\bvalues\b(?!\s*\.\s*\w+\b(?!\s*\()|\s*\[\s*["'])""")


class Prepared:
    """A resource as every expression sees it. To make it ready is by far the most of the work, and is done once."""

    def __init__(self, view: ResourceView) -> None:
        self.view = view
        self.unknown = frozenset(path[0] for path in _unknown_paths(view.values))
        self._answers: dict[str, Truth] = {}

    @cached_property
    def context(self) -> Any:
        """CEL's context."""
        view = self.view
        return load_cel().Context(
            variables={
                "values": _known(view.values),
                "address": view.address,
                "type": view.type,
                "action": str(view.action),
            },
            functions=_FUNCTIONS,
        )

    def answer(self, expression: Expression) -> Truth:
        """What the expression says of it: computed once, whatever number of policies ask."""
        if expression.text not in self._answers:
            self._answers[expression.text] = expression.judge(self)
        return self._answers[expression.text]


@dataclass(frozen=True)
class Expression:
    """A CEL expression made ready: the names in it, and whether it may look at all attributes or at the action."""

    text: str
    program: Any
    names: frozenset[str]
    whole: bool
    acts: bool

    def judge(self, prepared: Prepared) -> Truth:
        """What it says of one resource."""
        unknown = prepared.unknown
        # `has(values.x)` is false for an unknown x, too: an expression that so much as names one can't be decided.
        if (unknown and (self.whole or unknown & self.names)) or (self.acts and prepared.view.action is UNKNOWN):
            return None
        try:
            result = self.program.execute(prepared.context)
        except Exception:  # noqa: BLE001 - a missing field or a wrong type: the policy can't tell
            return None
        return result if isinstance(result, bool) else None


def compile_expression(text: str) -> Expression:
    """Make a CEL expression ready; ConfigError if it is none."""
    try:
        program = load_cel().compile(text)
    except Exception as error:
        raise ConfigError(f"this is no CEL expression: {_first_line(error)}", "Correct the expression.") from error
    names = frozenset(_NAMES.findall(text))
    return Expression(text, program, names, bool(_WHOLE.search(text)), sees_action(text))


def sees_action(text: str) -> bool:
    """Whether the expression asks what is done to a resource: then it is asked of those that go, too."""
    return _ACTION.search(_TEXTS.sub("", text)) is not None


def evaluate(text: str, view: ResourceView) -> Truth:
    """What the expression says of one resource."""
    return compile_expression(text).judge(Prepared(view))


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


@lru_cache(maxsize=64)
def _parse_json(text: str) -> Any:
    return json.loads(text)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_world(networks: Any) -> bool:
    found = read_networks(tuple(text for text in _flat(networks) if text not in {None, ""}))
    if isinstance(found, Unknown):
        raise ValueError("one of these is no network")
    return hold_world(found)


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _is_true(value: Any) -> bool:
    # As Terraform turns a text into a truth value. A plan has done it already, files have not.
    return {"true": True, "1": True, "false": False, "0": False}[value] if isinstance(value, str) else value is True


def _protocol_of(value: Any) -> str:
    found = protocol(value, "the resource")
    if isinstance(found, Unknown):
        raise ValueError("this is no protocol")
    return found


_FUNCTIONS: Final = {
    "parse_json": _parse_json,
    "as_list": _as_list,
    "is_world": _is_world,
    "is_true": _is_true,
    "protocol_of": _protocol_of,
}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
