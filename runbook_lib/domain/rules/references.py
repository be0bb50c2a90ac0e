"""Which resource an unknown id comes from, as far as the configuration in the plan tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Unknown

from .addresses import ONE_OF, ResourceAddress, parse_address, split_reference
from .readers import is_id

__all__ = ["Configuration", "Known"]

_MOST: Final = 4

_DEPTH: Final = 20
_Steps = tuple[tuple[str, str], ...]
_NOT_RESOURCES: Final = {"path", "terraform", "count", "each", "self"}


@dataclass(frozen=True)
class Known:
    """What a plan knows besides its configuration. Without it nothing is concluded from what isn't there.

    `variables` are those of the root module; `local_values` the references of each local value by the names of the
    modules above it, where the files were read. `origins` are the addresses, by module instance, from which an id can
    come that isn't known yet, UNKNOWN among them where one can come from outside.
    """

    variables: Mapping[str, Any]
    local_values: Mapping[tuple[str, ...], Mapping[str, tuple[str, ...]]]
    origins: Mapping[_Steps, tuple[str | Unknown, ...]]


class Configuration:
    """The `configuration` of a plan, asked for the references of one attribute of one resource instance."""

    def __init__(self, configuration: Mapping[str, Any], instances: Iterable[str]) -> None:
        self._root = _mapping(configuration.get("root_module"))
        self._known: Known | None = None
        self._below: dict[_Steps, tuple[str | Unknown, ...]] = {}
        self._anywhere: dict[_Steps, tuple[str | Unknown, ...]] = {}
        self._asked: set[_Steps] = set()
        self._modules: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._resources: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
        self._addresses = tuple(instances)
        self._instances: dict[tuple[_Steps, str], set[str]] | None = None
        self._repeated_calls: set[tuple[str, ...]] | None = None
        self._answers: dict[tuple[_Steps, tuple[str, ...], str], tuple[str | Unknown, ...]] = {}

    def knowing(self, known: Known) -> Configuration:
        """The same, which answers from all that the plan knows."""
        self._known = known
        below: dict[_Steps, dict[str | Unknown, None]] = defaultdict(dict)
        for steps, origins in known.origins.items():
            for depth in range(len(steps) + 1):
                below[steps[:depth]] |= dict.fromkeys(origins)
        self._below = {steps: _few(origins) for steps, origins in below.items()}
        return self

    def written(self, address: str, attribute: str) -> bool:
        """Whether the resource's configuration sets the attribute; also where the plan brings no configuration."""
        found = self._resource(address)
        return found is None or attribute in _mapping(found.get("expressions"))

    def refers_to(self, address: str, attribute: str) -> tuple[str | Unknown, ...]:
        """Addresses of the resources that the attribute's expression names; UNKNOWN among them if it says no more."""
        parsed = parse_address(address)
        resource = self._found(parsed)
        if resource is None:
            return (UNKNOWN,)
        # Whatever names the same shares the answer, unless the instances' keys decide it.
        references = _references(_mapping(resource.get("expressions")).get(attribute))
        key = parsed.key if parsed.key and _keyed(references) else ""
        named = _with_each(references, resource)
        asked = (parsed.modules, tuple(named), key)
        answer = self._answers.get(asked)
        if answer is None:
            answer = self._answers[asked] = self._resolve(named, parsed.modules, key, 0) or (UNKNOWN,)
        return answer

    def _resource(self, address: str) -> Mapping[str, Any] | None:
        return self._found(parse_address(address))

    def _found(self, parsed: ResourceAddress) -> Mapping[str, Any] | None:
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
        return tuple(found)

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
        name = parts[1][0]
        if kind == "var":
            return self._input(name, modules, depth) if modules else self._variable(name)
        if kind == "module":
            return self._output(parts, modules, key, depth)
        if kind == "local" and self._known:
            held = self._known.local_values.get(tuple(n for n, _ in modules), {}).get(name)
            if held is not None:
                return self._resolve(list(held), modules, key, depth + 1)
        return self._any_origin(modules, depth)

    def _output(self, parts: list[tuple[str, str]], modules: _Steps, key: str, depth: int) -> tuple[str | Unknown, ...]:
        inner = (*modules, (parts[1][0], self._module_key(parts[1], modules, key)))
        outputs = _mapping(self._module(tuple(n for n, _ in inner)).get("outputs"))
        # Of a module that is named as a whole it may be any.
        chosen = [parts[2][0]] if len(parts) > 2 else list(outputs)
        if not set(chosen) <= outputs.keys():
            return (UNKNOWN,)
        return tuple(
            found
            for name in chosen
            for found in self._given(_mapping(outputs[name]).get("expression"), (inner, ""), {}, depth)
        )

    def _variable(self, name: str) -> tuple[str | Unknown, ...]:
        """A variable of the root module has a value always: where it holds no id, none comes from it."""
        given = self._known.variables.get(name) if self._known else None
        return tuple(_ids(given["value"])) if isinstance(given, Mapping) and "value" in given else (UNKNOWN,)

    def _input(self, name: str, modules: _Steps, depth: int) -> tuple[str | Unknown, ...]:
        call = self._call(modules)
        expressions = _mapping(call.get("expressions"))
        if name in expressions:
            return self._given(expressions[name], (modules[:-1], modules[-1][1]), call, depth)
        declared = _mapping(_mapping(_mapping(call.get("module")).get("variables")).get(name))
        return tuple(_ids(declared["default"])) if "default" in declared else (UNKNOWN,)

    def _given(
        self, expression: Any, place: tuple[_Steps, str], repeated: Mapping[str, Any], depth: int
    ) -> tuple[str | Unknown, ...]:
        (modules, key), references = place, _references(expression)
        found = self._resolve(_with_each(references, repeated), modules, key if _keyed(references) else "", depth + 1)
        return tuple(dict.fromkeys((*found, *_ids(_constants(expression)))))

    def _any_origin(self, modules: _Steps, depth: int) -> tuple[str | Unknown, ...]:
        """Where nothing says what a name stands for: all that its module makes, looks up or is given."""
        if self._known is None:
            return (UNKNOWN,)
        if modules in self._asked:
            return ()  # from a circle nothing comes that isn't found outside of it
        if modules in self._anywhere:
            return self._anywhere[modules]
        self._asked.add(modules)
        found = tuple(dict.fromkeys(self._origins(modules, depth)))
        self._asked.discard(modules)
        if not self._asked:  # else it may be cut short by a circle
            self._anywhere[modules] = found
        return found

    def _origins(self, modules: _Steps, depth: int) -> Iterator[str | Unknown]:
        yield from self._below.get(modules, ())
        if modules:
            for name in _mapping(self._call(modules).get("expressions")):
                yield from self._input(name, modules, depth)
        elif self._known:
            yield from _ids([_mapping(given).get("value") for given in self._known.variables.values()])

    def _call(self, modules: _Steps) -> Mapping[str, Any]:
        above = self._module(tuple(name for name, _ in modules[:-1]))
        return _mapping(_mapping(above.get("module_calls")).get(modules[-1][0]))

    def _module_key(self, part: tuple[str, str], modules: _Steps, key: str) -> str:
        calls = _mapping(self._module(tuple(name for name, _ in modules)).get("module_calls"))
        # Terraform leaves out an expression that refers to nothing, as toset(["a"]) does: then the instances tell.
        repeated = {"for_each_expression", "count_expression"} & _mapping(calls.get(part[0])).keys()
        if not repeated and (*(name for name, _ in modules), part[0]) not in self._repeated():
            return ""
        return part[1] if _known_key(part[1]) else key or "[*]"

    def _repeated(self) -> set[tuple[str, ...]]:
        if self._repeated_calls is None:
            steps = {parse_address(address).modules for address in self._addresses}
            self._repeated_calls = {
                tuple(name for name, _ in found[: depth + 1])
                for found in steps
                for depth, (_, key) in enumerate(found)
                if key
            }
        return self._repeated_calls

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


def _few(origins: Iterable[str | Unknown]) -> tuple[str | Unknown, ...]:
    made: list[str | Unknown] = []
    others: list[str | Unknown] = []
    for origin in origins:
        known = isinstance(origin, str) and parse_address(origin).base.startswith("aws_security_group.")
        (made if known else others).append(origin)
    if len(made) <= _MOST:
        return *made, *others
    return f"{ONE_OF}{len(made)} aws_security_group resources[*]", *others


def _keyed(references: list[str]) -> bool:
    return any(name.partition(".")[0] in {"each", "count"} for name in references)


def _with_each(references: list[str], repeated: Mapping[str, Any]) -> list[str]:
    """The references, with those of what a resource or a call goes through in place of each.value."""
    if not any(name.startswith("each.value") for name in references):
        return references
    chosen = _references(repeated.get("for_each_expression"))
    return [found for name in references for found in (chosen if name.startswith("each.value") else [name])]


def _constants(expression: Any) -> list[Any]:
    if isinstance(expression, Mapping):
        if "constant_value" in expression:
            return [expression["constant_value"]]
        return [found for part in expression.values() for found in _constants(part)]
    return [found for part in expression for found in _constants(part)] if isinstance(expression, list) else []


def _ids(value: Any) -> Iterator[str]:
    """The ids in a value that is known, at any depth."""
    if isinstance(value, str) and is_id(value):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _ids(part)
    elif isinstance(value, list):
        for part in value:
            yield from _ids(part)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
