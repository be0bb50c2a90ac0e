"""What is written of values that are not certain: two of them are the same only where they are written alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from .hcl_expression import Expression, convert
from .hcl_scope import ModuleScope
from .hcl_values import named_paths

__all__ = ["digest_of"]


def digest_of(parts: Iterable[Any], scope: ModuleScope) -> str:
    """One digest of these parts of a body, and of all that they name: locals, variables, outputs and data sources."""
    digest = sha256()
    for part in parts:
        digest.update(_written(convert(part), scope).encode())
    return digest.hexdigest()


def _written(tree: Expression, scope: ModuleScope) -> str:
    digest = sha256(repr(tree).encode("utf-8", "surrogatepass"))
    for path in named_paths(tree):
        name = path[: 2 if path[0] in {"var", "local"} else 3]
        if name not in scope.digests:
            scope.digests[name] = ""  # what leads back to itself
            scope.digests[name] = "".join(_written(meant, place) for meant, place in _meant(name, scope))
        digest.update(scope.digests[name].encode())
    return digest.hexdigest()


def _meant(path: tuple[str, ...], scope: ModuleScope) -> Iterator[tuple[Expression, ModuleScope]]:
    """The trees that a name stands for, each with the module in which it is written."""
    kind, name = path[0], path[1]
    if kind == "local" and name in scope.locals:
        yield scope.locals[name], scope
    elif kind == "var":
        if name in scope.given_trees:
            yield scope.given_trees[name]
        elif name in scope.given:
            yield Expression("literal", (scope.given[name],)), scope
        declared = scope.variables.get(name)
        if declared and declared.default is not None:
            yield declared.default, scope
    elif kind == "data" and path[1:] in scope.looked_up:
        yield convert(scope.looked_up[path[1:]]), scope
    elif kind == "module":
        child = scope.children.get(name)
        if child and len(path) > 2 and path[2] in child.outputs:
            yield child.outputs[path[2]], child
        elif not child:
            yield from ((convert(call.body), scope) for call in scope.calls if call.name == name)
