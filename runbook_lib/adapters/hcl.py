"""Terraform files read without Terraform: one block at a time, so that memory stays bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..models.base import UNKNOWN
from ..models.hcl import HclModule, HclResource
from .hcl_blocks import Block, doubtful_files, is_override, module_files, read_source, split_blocks
from .hcl_expression import Expression, convert, parse_expression
from .hcl_functions import call_function, has_unknown
from .hcl_inline import installed_modules
from .hcl_json import json_blocks, json_values, read_json_file
from .hcl_literals import read_literals
from .hcl_parse import merge_bodies, parse_text, read_blocks
from .hcl_scope import ModuleScope, ResourceBlock, Variable, body_values, nested
from .hcl_values import evaluate, references
from .hcl_written import digest_of

__all__ = ["read_hcl"]

Progress = Callable[[int, int], None]
_MAX_DEPTH: Final = 10
_IN_KEYS: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def read_hcl(  # noqa: PLR0913 - what Terraform takes too
    folder: Path,
    *,
    var_files: Iterable[Path] = (),
    variables: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    base: Path | None = None,
    installed: tuple[Path, Mapping[tuple[str, ...], str]] | None = None,
    product: str = "",
) -> HclModule:
    """Read a root module, with the modules that it calls from local folders or that `terraform init` has laid down.

    Those are looked for where init was run: in `folder`, unless `installed` names another root module, with the
    versions for which they were laid down there.
    `variables` are given as text, as in TF_VAR_…; `progress` is told how many bytes are read of how many; sources are
    named relative to `base`. `product` is who will read the files, `Terraform` or `OpenTofu`, if that is known.
    InputError names file and line.
    """
    laid = installed_modules(installed[0] if installed else folder)
    asked = installed[1] if installed else None
    reader = _Reader((base or Path.cwd()).resolve(), progress or (lambda _done, _total: None), laid, asked, product)
    given = {name: _from_text(text) for name, text in (variables or {}).items()}
    for path in (*_automatic_var_files(folder), *var_files):
        given |= reader.var_file(path)
    root = ModuleScope(given=given)
    reader.load(folder, root)
    resources = tuple(reader.resources(folder, root, ()))
    doubtful = tuple(dict.fromkeys(reader.doubtful))
    return HclModule(resources, tuple(reader.unread), reader.versions, doubtful, product)


class _Reader:
    def __init__(
        self,
        base: Path,
        progress: Progress,
        installed: Mapping[tuple[str, ...], tuple[Path, str]],
        asked: Mapping[tuple[str, ...], str] | None = None,
        product: str = "",
    ) -> None:
        self._base = base
        self._product = product
        self.doubtful: list[str] = []
        self._installed = installed
        self._progress = progress
        self._done = self._total = 0
        self._parsed: dict[Path, list[tuple[Block, dict[str, Any]]]] = {}
        self._asked = asked
        self.unread: list[str] = []
        self.versions: dict[tuple[str, ...], str] = {}

    def var_file(self, path: Path) -> dict[str, Any]:
        """The values of one tfvars file."""
        text = read_source(path, self._name(path))
        if path.name.endswith(".json"):
            return json_values(read_json_file(text, path), path)
        literals = read_literals(text)
        if literals is not None:
            return literals
        data = parse_text(text, self._name(path), 1)
        scope = ModuleScope()
        return {key: evaluate(convert(value), scope, {}) for key, value in data.items() if not key.startswith("__")}

    def load(self, folder: Path, scope: ModuleScope) -> None:
        """Take all blocks of one module into its scope."""
        for block, body in self._blocks(folder.resolve()):
            self._take(block, body, scope)

    def resources(self, folder: Path, scope: ModuleScope, path: tuple[str, ...]) -> Iterator[HclResource]:
        """The resource instances of the module at this path of calls, and of those below it."""
        for call in scope.calls:
            scope.children[call.name] = ModuleScope(prefix=f"{scope.prefix}module.{call.name}.")
        below = [found for call in scope.calls for found in self._call(call, folder, scope, path)]
        for block in scope.resources:
            yield from _instances(block, scope)
        yield from below

    def _blocks(self, folder: Path) -> Iterable[tuple[Block, dict[str, Any]]]:
        # A module that is called many times is parsed once.
        if folder not in self._parsed:
            files = module_files(folder, self._product)
            texts = [(path, read_source(path, self._name(path))) for path in files]
            self.doubtful += [] if self._product else map(self._name, doubtful_files(folder))
            self._total += sum(len(text) for _, text in texts)
            self._parsed[folder] = [found for path, text in texts for found in self._file(path, text)]
        return self._parsed[folder]

    def _file(self, path: Path, text: str) -> Iterator[tuple[Block, dict[str, Any]]]:
        name = self._name(path)
        if path.name.endswith(".json"):
            yield from json_blocks(read_json_file(text, path), name)
            self._done += len(text)
            return
        for block in split_blocks(text, name):
            yield from read_blocks(block)
            self._done += len(block.text)
            self._progress(self._done, self._total)

    def _name(self, path: Path) -> str:
        resolved = path.resolve()
        return str(resolved.relative_to(self._base)) if resolved.is_relative_to(self._base) else str(path)

    def _take(self, block: Block, body: dict[str, Any], scope: ModuleScope) -> None:
        labels = block.labels
        overrides = is_override(Path(block.source.file).name)
        if block.kind == "resource" and len(labels) == 2:
            _put(scope.resources, ResourceBlock(labels[0], labels[1], body, block.source), overrides=overrides)
        elif block.kind == "data" and len(labels) == 2:
            scope.looked_up[labels] = merge_bodies(scope.looked_up.get(labels, {}), body) if overrides else body
        elif block.kind == "module" and labels:
            _put(scope.calls, ResourceBlock("module", labels[0], body, block.source), overrides=overrides)
        elif block.kind == "locals":
            scope.locals |= {key: convert(value) for key, value in body.items() if not key.startswith("__")}
        elif block.kind == "output" and labels:
            scope.outputs[labels[0]] = convert(body.get("value"))
        elif block.kind == "variable" and labels:
            old = scope.variables.get(labels[0]) if overrides else None
            kind = convert(body["type"]) if "type" in body else old.type if old else None
            default = convert(body["default"]) if "default" in body else old.default if old else None
            nullable = _flag(body["nullable"]) if "nullable" in body else old.nullable if old else True
            scope.variables[labels[0]] = Variable(kind, default, nullable)

    def _laid_down(self, path: tuple[str, ...], source: object, version: object) -> Path | None:
        # What was laid down for another source or version than the call names is another module.
        folder, known = self._installed.get(path, (None, ""))
        self.versions[path] = str(version)
        other = self._asked is not None and self._asked.get(path) != str(version)
        return folder if isinstance(source, str) and f"/{known}".endswith(f"/{source}") and not other else None

    def _call(
        self, call: ResourceBlock, folder: Path, scope: ModuleScope, above: tuple[str, ...]
    ) -> Iterator[HclResource]:
        path = (*above, call.name)
        source = evaluate(convert(call.body.get("source")), scope, {})
        local = isinstance(source, str) and source.startswith(("./", "../"))
        target = (folder / source).resolve() if local else self._laid_down(path, source, call.body.get("version"))
        if target is None or not target.is_dir() or len(path) > _MAX_DEPTH:
            self.unread.append(f"{scope.prefix}module.{call.name}")
            scope.children.pop(call.name, None)
            return
        pairs = list(_repetition(call, scope))
        if [key for key, _ in pairs] != [""]:
            scope.repeated.add(call.name)
        for key, names in pairs:
            child = ModuleScope(prefix=f"{scope.prefix}module.{call.name}{key}.")
            for name, value in call.body.items():
                if name not in {"source", "version", "providers", "for_each", "count", "depends_on", "__is_block__"}:
                    tree = convert(value)
                    child.given[name] = evaluate(tree, scope, names)
                    child.given_trees[name] = tree, scope
                    child.given_references[name] = tuple(dict.fromkeys(references(tree, scope, names)))
            scope.children[call.name] = child
            self.load(target, child)
            yield from self.resources(target, child, path)


def _put(blocks: list[ResourceBlock], block: ResourceBlock, *, overrides: bool) -> None:
    same = [i for i, old in enumerate(blocks) if overrides and (old.type, old.name) == (block.type, block.name)]
    for index in same:
        blocks[index] = replace(blocks[index], body=merge_bodies(blocks[index].body, block.body))
    if not same:
        blocks.append(block)


def _instances(block: ResourceBlock, scope: ModuleScope) -> Iterator[HclResource]:
    digests: dict[tuple[str, ...], str] = {}
    for key, names in _repetition(block, scope):
        address = f"{scope.prefix}{block.type}.{block.name}{key}"
        values = body_values(block.body, scope, names)
        written = _written(block.body, values, scope, digests)
        for ignored in _ignored(block.body, values):
            values[ignored] = UNKNOWN  # what was there before stays, and only the state knows it
        named = {}
        for attribute, part in block.body.items():
            if not attribute.startswith("__") and attribute != "dynamic":
                found = tuple(dict.fromkeys(references(convert(part), scope, names)))
                if found:
                    named[attribute] = found
        yield HclResource(address, block.type, values, block.source, named, written)


def _written(
    body: Mapping[str, Any], values: Mapping[str, Any], scope: ModuleScope, known: dict[tuple[str, ...], str]
) -> str:
    """A digest of what is written of the values that are not certain: of many instances they are mostly the same."""
    unsure = tuple(sorted(name for name, value in values.items() if has_unknown(value)))
    if unsure and unsure not in known:
        names = (*unsure, "dynamic", "for_each", "count")
        known[unsure] = digest_of((body[name] for name in names if name in body), scope)
    return known.get(unsure, "")


def _flag(part: Any) -> bool:
    return evaluate(convert(part), ModuleScope(), {}) not in {False, "false"}


def _ignored(body: Mapping[str, Any], values: Mapping[str, Any]) -> Iterable[str]:
    """The attributes that lifecycle.ignore_changes names."""
    for block in nested(body, "lifecycle"):
        named = convert(block["ignore_changes"]) if "ignore_changes" in block else Expression("list")
        if named.kind != "list":
            yield from list(values)  # all
            continue
        for tree in named.parts:
            yield _first_name(tree)


def _first_name(tree: Expression) -> str:
    while tree.kind in {"get", "index", "splat"}:
        tree = tree.parts[0]
    return re.split(r"[.\[]", str(tree.parts[0]))[0] if tree.parts else ""


def _repetition(block: ResourceBlock, scope: ModuleScope) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys of a block's instances and what each.key, each.value and count.index are in them."""
    if "for_each" in block.body:
        collection = evaluate(convert(block.body["for_each"]), scope, {})
        if isinstance(collection, list) and all(isinstance(item, str) for item in collection):
            collection = {item: item for item in collection}
        if not isinstance(collection, dict):
            yield "[*]", {"each": UNKNOWN}
            return
        for key, value in sorted(collection.items()):
            yield f'["{key.translate(_IN_KEYS)}"]', {"each": {"key": key, "value": value}}
    elif "count" in block.body:
        count = call_function("tonumber", [evaluate(convert(block.body["count"]), scope, {})])
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= 100_000:
            yield "[*]", {"count": UNKNOWN}
            return
        for index in range(count):
            yield f"[{index}]", {"count": {"index": index}}
    else:
        yield "", {}


def _automatic_var_files(folder: Path) -> Iterator[Path]:
    for name in ("terraform.tfvars", "terraform.tfvars.json"):
        if (folder / name).is_file():
            yield folder / name
    yield from sorted(path for path in folder.glob("*.auto.tfvars*") if path.name.endswith((".tfvars", ".tfvars.json")))


def _from_text(text: str) -> Any:
    # Terraform reads TF_VAR_x as an expression where x is not a string; the type of the variable settles it later.
    if text[:1] in {"[", "{"}:
        return evaluate(parse_expression(text), ModuleScope(), {})
    return text
