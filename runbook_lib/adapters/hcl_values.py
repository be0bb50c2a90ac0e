"""Values of HCL expressions, as far as the files alone decide them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from ..models.base import UNKNOWN, Unknown
from .hcl_expression import Expression
from .hcl_functions import Refused, SetOf, call_function, has_unknown, is_number, iterate, to_text, unified
from .hcl_times import compare_times, compare_with_plan, shift_time

__all__ = ["Scope", "evaluate", "references"]

_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "<": operator.lt, ">": operator.gt, "<=": operator.le,
    ">=": operator.ge,
}  # fmt: skip
_NUMERIC: Final = frozenset({"+", "-", "*", "/", "%"})
_Locals = Mapping[str, Any]


class Scope(Protocol):
    """What the names in a module stand for."""

    def value(self, path: tuple[str, ...]) -> Any:
        """The value of `var.x`, `local.x` or `module.m.x`; UNKNOWN for all else."""

    def refers_to(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The addresses of the resources behind such a name."""

    def address(self, path: tuple[str, ...], key: str) -> str | None:
        """The address of a resource that is named, or None if the name is none."""


def evaluate(tree: Expression, scope: Scope, names: _Locals) -> Any:
    """The value, UNKNOWN where it is not certain; `names` are each, count and the names that a for makes."""
    try:
        return _evaluate(tree, scope, names)
    except Refused:
        return UNKNOWN


def _evaluate(tree: Expression, scope: Scope, names: _Locals) -> Any:
    """As `evaluate`, but Refused where Terraform refuses it for certain."""
    try:
        return _EVALUATORS[tree.kind](tree.parts, scope, names)
    except Refused:
        raise
    except Exception:  # noqa: BLE001 - whatever goes wrong here, nothing is known of the value
        return UNKNOWN


def references(tree: Expression, scope: Scope, names: _Locals) -> Iterator[str]:
    """The addresses of all resources that the expression names, through variables, locals and outputs."""
    path = _path(tree)
    if path:
        address = scope.address(path, _key(tree, scope, names))
        yield from ((address,) if address else scope.refers_to(path))
        return
    for leaf in _leaves(tree.parts):
        if isinstance(leaf, Expression):
            yield from references(leaf, scope, names)


def named_paths(tree: Expression) -> Iterator[tuple[str, ...]]:
    """The names of every traversal in the expression, in its indexes too, that leads to more than one name."""
    waiting = [tree]
    while waiting:
        current = waiting.pop()
        path = _path(current)
        if len(path) > 1:
            yield path
        waiting += (leaf for leaf in _leaves(current.parts) if isinstance(leaf, Expression))


def _path(tree: Expression) -> tuple[str, ...]:
    """The names of a traversal, without its indexes."""
    if tree.kind == "root":
        return (tree.parts[0],)
    if tree.kind == "get" and isinstance(tree.parts[0], Expression):
        base = _path(tree.parts[0])
        return (*base, tree.parts[1]) if base else ()
    if tree.kind in {"index", "splat"}:
        return _path(tree.parts[0])
    return ()


def _key(tree: Expression, scope: Scope, names: _Locals) -> str:
    """The instance that a traversal chooses, as Terraform writes it; `[*]` if it is not certain."""
    while tree.kind in {"get", "index", "splat"}:
        if tree.kind == "index":
            index = evaluate(tree.parts[1], scope, names)
            if isinstance(index, str):
                return f'["{index}"]'
            return f"[{index}]" if isinstance(index, int) else "[*]"
        if tree.kind == "splat":
            return "[*]"
        tree = tree.parts[0]
    return ""


def _root(parts: tuple[Any, ...], _scope: Scope, names: _Locals) -> Any:
    return names.get(parts[0], UNKNOWN)


def _get(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    path = _path(Expression("get", parts))
    if path and path[0] not in names and path[0] in {"var", "local", "module"}:
        size = 3 if path[0] == "module" else 2
        if len(path) == size:
            return scope.value(path)
    return _member(_evaluate(parts[0], scope, names), parts[1])


def _member(value: Any, key: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        raise Refused
    if isinstance(value, dict):
        name = to_text(key)
        if name not in value:
            raise Refused
        return value[name]
    if isinstance(value, list) and not isinstance(value, SetOf):
        position = int(key) if isinstance(key, str) and key.isdigit() else key
        if isinstance(position, int) and not isinstance(position, bool) and position >= 0:
            if position >= len(value):
                raise Refused
            return value[position]
    return UNKNOWN


def _index(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    key = _evaluate(parts[1], scope, names)
    return UNKNOWN if key is UNKNOWN else _member(_evaluate(parts[0], scope, names), key)


def _splat(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    value = _evaluate(parts[0], scope, names)
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict) and parts[1].kind == "item":
        return UNKNOWN  # an object is wrapped, a map is not, and here both look alike
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [_evaluate(parts[1], scope, {**names, "\0item": item}) for item in items]


def _template(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    values = [_evaluate(part, scope, names) for part in parts]
    return UNKNOWN if UNKNOWN in values else "".join(map(to_text, values))


def _list(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    return [_evaluate(part, scope, names) for part in parts]


def _object(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    result = {}
    for key_tree, value_tree in parts:
        key = _evaluate(key_tree, scope, names)
        if key is UNKNOWN:
            return UNKNOWN
        result[to_text(key)] = _evaluate(value_tree, scope, names)
    return result


def _for(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Iterator[_Locals]:
    """The names of each round; ValueError where a condition is not certain."""
    loop, collection_tree, condition = parts
    collection = _evaluate(collection_tree, scope, names)
    if collection is UNKNOWN:
        raise ValueError("unknown")
    for key, value in iterate(collection):
        inner = {**names, loop[-1]: value} if len(loop) == 1 else {**names, loop[0]: key, loop[1]: value}
        chosen = True if condition is None else _evaluate(condition, scope, inner)
        if not isinstance(chosen, bool):
            raise ValueError("unknown")
        if chosen:
            yield inner


def _for_list(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    loop, collection, value, condition = parts
    return [_evaluate(value, scope, inner) for inner in _for((loop, collection, condition), scope, names)]


def _for_object(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    loop, collection, key_tree, value_tree, condition, grouped = parts
    result: dict[str, Any] = {}
    for inner in _for((loop, collection, condition), scope, names):
        key = _evaluate(key_tree, scope, inner)
        if key is UNKNOWN:
            return UNKNOWN
        value = _evaluate(value_tree, scope, inner)
        if grouped:
            result.setdefault(to_text(key), []).append(value)
        elif to_text(key) in result:
            return UNKNOWN  # Terraform refuses a key that comes twice
        else:
            result[to_text(key)] = value
    return result


def _choice(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    condition = _evaluate(parts[0], scope, names)
    # What is not chosen may be refused, and nobody minds.
    if condition is UNKNOWN:
        yes, no = evaluate(parts[1], scope, names), evaluate(parts[2], scope, names)
        return yes if yes == no else UNKNOWN
    chosen = _as_bool(condition)
    if chosen is UNKNOWN:
        return UNKNOWN
    result, other = _evaluate(parts[1 if chosen else 2], scope, names), parts[2 if chosen else 1]
    if isinstance(result, bool) and _is_boolean(other):
        return result  # whatever the other comes to, it is of the same type
    return unified(result, evaluate(other, scope, names))


def _is_boolean(tree: Expression) -> bool:
    return (tree.kind == "binary" and tree.parts[0] not in _NUMERIC) or (tree.kind == "unary" and tree.parts[0] == "!")


def _binary(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    sign, left_tree, right_tree = parts
    left = _evaluate(left_tree, scope, names)
    if sign in {"||", "&&"}:
        return _logical(sign, left, lambda: _evaluate(right_tree, scope, names))
    right = _evaluate(right_tree, scope, names)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if sign in {"==", "!="}:
        if isinstance(left, list | dict) or isinstance(right, list | dict):
            return UNKNOWN  # a list and a tuple of the same items are not equal to Terraform
        return (_equal(left, right)) is (sign == "==")
    return _arithmetic(sign, left, right)


def _logical(sign: str, given: Any, right: Callable[[], Any]) -> Any:
    left, deciding = given if given is UNKNOWN else _as_bool(given), sign == "||"
    if left is deciding:
        return left
    other = _as_bool(right())
    # What is not certain may be no boolean at all; but no value of it would change this answer.
    return other if other is deciding or left is not UNKNOWN else UNKNOWN


def _equal(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) is isinstance(right, bool)


def _arithmetic(sign: str, left: Any, right: Any) -> Any:
    if not (is_number(left) and is_number(right)):
        return UNKNOWN
    if sign in {"<", ">", "<=", ">="}:
        return _OPERATORS[sign](left, right)
    if not (isinstance(left, int) and isinstance(right, int)):
        return UNKNOWN  # Terraform reckons with more digits
    if sign == "/":
        result = left // right if left % right == 0 else UNKNOWN
    elif sign == "%":
        # The sign is that of what is divided.
        result = abs(left) % abs(right) * (-1 if left < 0 else 1)
    else:
        result = _OPERATORS[sign](left, right)
    # Terraform has a zero below zero, which it writes as -0.
    return UNKNOWN if result == 0 and sign not in {"+", "-"} and min(left, right) < 0 else result


def _as_bool(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, UNKNOWN) if isinstance(value, str) else _only_bool(value)


def _only_bool(value: Any) -> Any:
    return value if isinstance(value, bool) else UNKNOWN


def _unary(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    value = _evaluate(parts[1], scope, names)
    if value is UNKNOWN:
        return UNKNOWN
    if parts[0] == "!":
        known = _as_bool(value)
        return UNKNOWN if known is UNKNOWN else not known
    return -value if is_number(value) and value else UNKNOWN


def _try(trees: list[Expression], scope: Scope, names: _Locals) -> Any:
    """The first that Terraform does not refuse; UNKNOWN as soon as it is not certain whether it does."""
    for tree in trees:
        try:
            value = _evaluate(tree, scope, names)
        except Refused:
            continue
        return value if _settled(tree, scope, names) else UNKNOWN
    raise Refused


def _can(trees: list[Expression], scope: Scope, names: _Locals) -> Any:
    (tree,) = trees
    try:
        _evaluate(tree, scope, names)
    except Refused:
        return False
    return True if _settled(tree, scope, names) else UNKNOWN


def _settled(tree: Expression, scope: Scope, names: _Locals) -> bool:
    """Whether Terraform takes this for certain, every part of it: a value may be known where it is refused."""
    if tree.kind not in _SETTLED or (tree.kind == "call" and tree.parts[0] not in _SETTLED_CALLS):
        return False
    if tree.kind == "call" and tree.parts[0] in _LAZY:
        return _evaluate(tree, scope, names) is not UNKNOWN
    if has_unknown(_evaluate(tree, scope, names)):
        return False
    if tree.kind in {"get", "index"} and _path(tree):
        return True  # what the name stands for is written elsewhere
    return all(_settled(part, scope, names) for part in _leaves(tree.parts) if isinstance(part, Expression))


def _leaves(parts: tuple[Any, ...]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, tuple):
            yield from _leaves(part)
        else:
            yield part


def _call(parts: tuple[Any, ...], scope: Scope, names: _Locals) -> Any:
    name, *trees = parts
    if name in _LAZY:
        return _LAZY[name](trees, scope, names)
    arguments: list[Any] = []
    for tree in trees:
        value = _evaluate(tree.parts[0] if tree.kind == "spread" else tree, scope, names)
        if tree.kind == "spread":
            if value is UNKNOWN:
                return UNKNOWN
            arguments += value if isinstance(value, list) else [UNKNOWN]
        else:
            arguments.append(value)
    return call_function(name, arguments)


def _timecmp(trees: list[Expression], scope: Scope, names: _Locals) -> Any:
    """The time of the plan is no value of its own: whatever else is made of it is unknown."""
    left, right = trees
    if left == _PLAN_TIME:
        return compare_with_plan(_evaluate(right, scope, names))
    if right == _PLAN_TIME:
        found = compare_with_plan(_evaluate(left, scope, names))
        return found if found is UNKNOWN else -found
    return compare_times(_evaluate(left, scope, names), _evaluate(right, scope, names))


def _timeadd(trees: list[Expression], scope: Scope, names: _Locals) -> Any:
    time, duration = (_evaluate(tree, scope, names) for tree in trees)
    return shift_time(time, duration)


_PLAN_TIME: Final = Expression("call", ("plantimestamp",))
_LAZY: Final = {"try": _try, "can": _can, "timeadd": _timeadd, "timecmp": _timecmp}
_SETTLED: Final = {"literal", "root", "get", "index", "template", "list", "object", "call"}
_SETTLED_CALLS: Final = {"try", "can", "coalesce", "length", "lower", "tostring", "trimspace", "upper"}
_EVALUATORS: Final[dict[str, Callable[[tuple[Any, ...], Scope, _Locals], Any]]] = {
    "literal": lambda parts, _scope, _names: parts[0],
    "unknown": lambda _parts, _scope, _names: UNKNOWN,
    "item": lambda _parts, _scope, names: names.get("\0item", UNKNOWN),
    "root": _root, "get": _get, "index": _index, "splat": _splat, "template": _template, "list": _list,
    "object": _object, "for_list": _for_list, "for_object": _for_object, "choice": _choice, "binary": _binary,
    "unary": _unary, "call": _call,
}  # fmt: skip
