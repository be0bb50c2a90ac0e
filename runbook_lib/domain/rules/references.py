"""Which resource an unknown id comes from, as far as the configuration in the plan tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Unknown

from .addresses import parse_address, split_reference

__all__ = ["Configuration"]

_DEPTH: Final = 20
_Steps = tuple[tuple[str, str], ...]
_NOT_RESOURCES: Final = {"path", "terraform", "count", "each", "self"}


class Configuration:
    """The `configuration` of a plan, asked for the references of one attribute of one resource instance."""

    def __init__(self, configuration: Mapping[str, Any], instances: Iterable[str]) -> None:
        self._root = _mapping(configuration.get("root_module"))
        self._modules: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._resources: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
        self._addresses = tuple(instances)
        self._instances: dict[tuple[_Steps, str], set[str]] | None = None
        self._answers: dict[tuple[str, str, str], tuple[str | Unknown, ...]] = {}

    def written(self, address: str, attribute: str) -> bool:
        """Whether the resource's configuration sets the attribute; also where the plan brings no configuration."""
        found = self._resource(address)
        return found is None or attribute in _mapping(found.get("expressions"))

    def refers_to(self, address: str, attribute: str) -> tuple[str | Unknown, ...]:
        """Addresses of the resources that the attribute's expression names; UNKNOWN among them if it says no more."""
        parsed = parse_address(address)
        resource = self._resource(address)
        if resource is None:
            return (UNKNOWN,)
        # Instances of one resource share the answer unless their keys decide it.
        expression = _mapping(resource.get("expressions")).get(attribute)
        references = _references(expression)
        keyed = any(name.partition(".")[0] in {"each", "count"} for name in references)
        cache_key = (str(parsed.modules), parsed.base + (parsed.key if keyed else ""), attribute)
        if cache_key not in self._answers:
            chosen = _references(resource.get("for_each_expression"))
            references = [
                found for name in references for found in (chosen if name.startswith("each.value") else [name])
            ]
            self._answers[cache_key] = self._resolve(references, parsed.modules, parsed.key, 0)
        return self._answers[cache_key]

    def _resource(self, address: str) -> Mapping[str, Any] | None:
        parsed = parse_address(address)
        if parsed.path not in self._resources:
            entries = self._module(parsed.path).get("resources")
            found = [_mapping(entry) for entry in entries] if isinstance(entries, list) else []
            self._resources[parsed.path] = {str(entry.get("address")): entry for entry in found}
        return self._resources[parsed.path].get(parsed.base)

    def _module(self, path: tuple[str, ...]) -> Mapping[str, Any]:
        if path not in self._modules:
            module = self._root
            for name in path:
                module = _mapping(_mapping(_mapping(module.get("module_calls")).get(name)).get("module"))
            self._modules[path] = module
        return self._modules[path]

    def _resolve(self, references: list[str], modules: _Steps, key: str, depth: int) -> tuple[str | Unknown, ...]:
        found: dict[str | Unknown, None] = {}
        for reference in references:
            # Terraform lists `a.b[0].id`, `a.b[0]` and `a.b`: what a longer one says makes the shorter superfluous.
            if any(
                longer != reference and longer.startswith((f"{reference}.", f"{reference}[")) for longer in references
            ):
                continue
            for address in self._one(reference, modules, key, depth):
                found[address] = None
        return tuple(found) or (UNKNOWN,)

    def _one(self, reference: str, modules: _Steps, key: str, depth: int) -> tuple[str | Unknown, ...]:
        parts = split_reference(reference)
        kind = parts[0][0]
        if depth > _DEPTH or kind == "local" or len(parts) < 2 or kind in {"each", "var", "module"}:
            return self._indirect(parts, modules, key, depth)
        if kind in _NOT_RESOURCES:
            return ()
        size = 3 if kind == "data" else 2
        base = ".".join(name for name, _ in parts[:size])
        attributes = [name for name, _ in parts[size:]]
        written = parts[size - 1][1] if len(parts) >= size else ""
        address = self._instance(base, written, modules, key)
        return (f"{address}.{attributes[0]}",) if attributes[:1] == ["default_security_group_id"] else (address,)

    def _indirect(
        self, parts: list[tuple[str, str]], modules: _Steps, key: str, depth: int
    ) -> tuple[str | Unknown, ...]:
        kind = parts[0][0]
        if depth > _DEPTH or len(parts) < 2:
            return (UNKNOWN,)
        if kind == "each" and parts[1][0] == "key":
            return ()  # it only chooses among the instances of another reference
        if kind == "var" and modules:
            call = _mapping(
                _mapping(self._module(tuple(n for n, _ in modules[:-1])).get("module_calls")).get(modules[-1][0])
            )
            expression = _mapping(call.get("expressions")).get(parts[1][0])
            return self._resolve(_references(expression), modules[:-1], modules[-1][1], depth + 1)
        if kind == "module" and len(parts) > 2:
            inner = (*modules, (parts[1][0], self._module_key(parts[1], modules, key)))
            outputs = _mapping(self._module(tuple(n for n, _ in inner)).get("outputs"))
            expression = _mapping(outputs.get(parts[2][0])).get("expression")
            return self._resolve(_references(expression), inner, "", depth + 1)
        return (UNKNOWN,)

    def _module_key(self, part: tuple[str, str], modules: _Steps, key: str) -> str:
        calls = _mapping(self._module(tuple(name for name, _ in modules)).get("module_calls"))
        repeated = {"for_each_expression", "count_expression"} & _mapping(calls.get(part[0])).keys()
        return (part[1] if _known_key(part[1]) else key) if repeated else ""

    def _instance(self, base: str, written: str, modules: _Steps, key: str) -> str:
        prefix = "".join(f"module.{name}{step}." for name, step in modules)
        if _known_key(written):
            return f"{prefix}{base}{written}"
        keys = self._keys(modules, base)
        if not keys or keys == {""}:
            return f"{prefix}{base}"
        if len(keys) == 1:
            return f"{prefix}{base}{next(iter(keys))}"
        # count.index and each.key pair instances; otherwise it is one of several, and nobody says which.
        return f"{prefix}{base}{key if key in keys else '[*]'}"

    def _keys(self, modules: _Steps, base: str) -> set[str]:
        if self._instances is None:
            self._instances = defaultdict(set)
            for address in self._addresses:
                parsed = parse_address(address)
                self._instances[parsed.modules, parsed.base].add(parsed.key)
        return self._instances.get((modules, base), set())


def _known_key(written: str) -> bool:
    return written.startswith("[") and (written[1:2] == '"' or written[1:-1].isdecimal())


def _references(expression: Any) -> list[str]:
    if isinstance(expression, Mapping):
        listed = expression.get("references")
        if isinstance(listed, list):
            return [reference for reference in listed if isinstance(reference, str)]
        return [found for part in expression.values() for found in _references(part)]
    if isinstance(expression, list):
        return [found for part in expression for found in _references(part)]
    return []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
