"""One Terraform module while it is read: its variables, locals, outputs and calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..models.base import UNKNOWN
from ..models.findings import Source
from .hcl_expression import Expression, convert
from .hcl_functions import iterate
from .hcl_types import apply_type
from .hcl_values import evaluate, references

__all__ = ["ModuleScope", "ResourceBlock", "Variable", "body_values", "nested"]

_NOT_RESOURCES = {"var", "local", "module", "each", "count", "self", "path", "terraform"}


@dataclass(frozen=True, slots=True)
class ResourceBlock:
    """One parsed resource or module block."""

    type: str
    name: str
    body: Mapping[str, Any]
    source: Source


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: its type and default, as trees, and whether null stays null when it is given."""

    type: Expression | None
    default: Expression | None
    nullable: bool = True


@dataclass
class ModuleScope:
    """What the names in one module instance stand for; `prefix` is its address with a dot, or empty."""

    prefix: str = ""
    variables: dict[str, Variable] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    given_references: dict[str, tuple[str, ...]] = field(default_factory=dict)
    given_trees: dict[str, tuple[Expression, ModuleScope]] = field(default_factory=dict)
    looked_up: dict[tuple[str, ...], Mapping[str, Any]] = field(default_factory=dict)
    locals: dict[str, Expression] = field(default_factory=dict)
    outputs: dict[str, Expression] = field(default_factory=dict)
    resources: list[ResourceBlock] = field(default_factory=list)
    calls: list[ResourceBlock] = field(default_factory=list)
    children: dict[str, ModuleScope] = field(default_factory=dict)
    digests: dict[tuple[str, ...], str] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    _values: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _pending: set[tuple[str, ...]] = field(default_factory=set)

    def value(self, path: tuple[str, ...]) -> Any:
        """The value of a variable, a local or a child's output; a cycle is unknown."""
        if path not in self._values:
            if path in self._pending:
                return UNKNOWN
            self._pending.add(path)
            self._values[path] = self._compute(path)
            self._pending.discard(path)
        return self._values[path]

    def refers_to(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The resources behind a variable, a local or a child's output."""
        marked = ("references", *path[:3])
        if marked in self._pending:
            return ()
        self._pending.add(marked)
        found = tuple(self._references(path))
        self._pending.discard(marked)
        return found

    def address(self, path: tuple[str, ...], key: str) -> str | None:
        """The address of a resource by the names that lead to it."""
        if (
            path[0] in _NOT_RESOURCES
            or len(path) < (3 if path[0] == "data" else 2)
            or "_" not in path[path[0] == "data"]
        ):
            return None
        size = 3 if path[0] == "data" else 2
        default = ".default_security_group_id" if path[size : size + 1] == ("default_security_group_id",) else ""
        return f"{self.prefix}{'.'.join(path[:size])}{key}{default}"

    def _compute(self, path: tuple[str, ...]) -> Any:
        kind, name = path[0], path[1]
        if kind == "var":
            return self._variable(name)
        if kind == "local":
            return evaluate(self.locals[name], self, {}) if name in self.locals else UNKNOWN
        child = self.children.get(name)
        if child is None or name in self.repeated or path[2] not in child.outputs:
            return UNKNOWN
        return evaluate(child.outputs[path[2]], child, {})

    def _variable(self, name: str) -> Any:
        declared = self.variables.get(name)
        if declared is None:
            return UNKNOWN
        if name in self.given and (self.given[name] is not None or declared.nullable):
            return apply_type(declared.type, self.given[name])
        if declared.default is None:
            return UNKNOWN
        return apply_type(declared.type, evaluate(declared.default, self, {}))

    def _references(self, path: tuple[str, ...]) -> Iterator[str]:
        kind = path[0]
        if kind == "var" and len(path) > 1:
            yield from self.given_references.get(path[1], ())
        elif kind == "local" and path[1:2] and path[1] in self.locals:
            yield from references(self.locals[path[1]], self, {})
        elif kind == "module" and len(path) > 2 and path[1] not in self.repeated:
            child = self.children.get(path[1])
            if child and path[2] in child.outputs:
                yield from references(child.outputs[path[2]], child, {})


def body_values(body: Mapping[str, Any], scope: ModuleScope, names: Mapping[str, Any]) -> dict[str, Any]:
    """Every attribute and nested block of a body, dynamic blocks expanded where that is certain."""
    values: dict[str, Any] = {}
    for key, part in body.items():
        if key in {
            "__is_block__",
            "__comments__",
            "dynamic",
            "for_each",
            "count",
            "lifecycle",
            "depends_on",
            "provider",
        }:
            continue
        if isinstance(part, list) and part and all(isinstance(item, dict) and "__is_block__" in item for item in part):
            values[key] = [body_values(item, scope, names) for item in part]
        else:
            values[key] = evaluate(convert(part), scope, names)
    for kind, content in _dynamic(body):
        made = _expanded(kind, content, scope, names)
        before = values.get(kind, [])
        values[kind] = [*(before if isinstance(before, list) else [UNKNOWN]), *made]
    return values


def nested(body: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The blocks of this kind; none where an attribute stands in their place, which Terraform refuses."""
    found = body.get(kind)
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


def _dynamic(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in nested(body, "dynamic"):
        for label, content in block.items():
            if isinstance(content, dict):
                yield label, content


def _expanded(kind: str, block: Mapping[str, Any], scope: ModuleScope, names: Mapping[str, Any]) -> list[Any]:
    collection = evaluate(convert(block.get("for_each")), scope, names)
    named = convert(block["iterator"]) if "iterator" in block else Expression("literal", (kind,))
    content = block.get("content") or [{}]
    written = isinstance(content, list) and isinstance(content[0], dict) and named.kind in {"root", "literal"}
    if not isinstance(collection, dict | list) or not written:
        return [UNKNOWN]
    iterator = named.parts[0]
    return [
        body_values(content[0], scope, {**names, str(iterator): {"key": key, "value": value}})
        for key, value in iterate(collection)
    ]
