"""The Terraform root modules of a repository, as their files show them: what keeps their state, and their region."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from .git import files_of
from .hcl_blocks import Block, module_files, read_source, split_blocks, without_comments
from .terraform_backend import backend_type

__all__ = ["RootModule", "find_root_modules"]

_ENDINGS = (".tf", ".tf.json", ".tofu", ".tofu.json")
# Where modules lie that nobody plans by themselves.
_NOT_ROOTS = frozenset({"modules", "examples", "example", "test", "tests", "fixtures", "testdata", "node_modules"})
_COMMENT = re.compile(r"(?m)(?:#|//).*$")
_SOURCE = re.compile(r'(?m)(?:^|\{)\s*source\s*=\s*"(\.{1,2}/[^"]*)"')
_JSON_SOURCE = re.compile(r'"source"\s*:\s*"(\.{1,2}/[^"]*)"')
_REGION = re.compile(r'(?m)(?:^|\{)\s*region\s*=\s*(?:"([a-z0-9-]+)"|var\.([\w-]+)\s*(?:$|\}))')
_ALIAS = re.compile(r"(?m)(?:^|\{)\s*alias\s*=")
_DEFAULT = re.compile(r'(?m)(?:^|\{)\s*default\s*=\s*"([a-z0-9-]+)"')


@dataclass(frozen=True)
class RootModule:
    """A folder that Terraform is run in. `path` is below the repository; `var_files` are not read by themselves."""

    path: str
    backend: str
    region: str = ""
    var_files: tuple[str, ...] = ()


def find_root_modules(root: Path) -> tuple[RootModule, ...]:
    """Every folder below `root` that names a backend, or that no other calls as a module; in the order of their paths.

    A file that can't be read hides no other, but its folder's backend may be empty then.
    """
    folders = sorted({(root / path).parent for path in _terraform_files(root)})
    blocks = {folder: tuple(_blocks(folder)) for folder in folders}
    called = {target for folder, found in blocks.items() for target in _called(folder, found)}
    found = ((folder, RootModule(folder.relative_to(root).as_posix(), _backend(folder))) for folder in folders)
    return tuple(
        replace(module, region=_region(blocks[folder], folder), var_files=_var_files(folder))
        for folder, module in found
        if _is_root(module, blocks[folder], called=_real(folder) in called)
    )


def _terraform_files(root: Path) -> Iterator[str]:
    """Of a git repository what git does not ignore; else all that is not hidden."""
    listed = files_of(root)
    for path in _walked(root) if listed is None else listed:
        parts = path.split("/")
        if path.endswith(_ENDINGS) and not any(part.startswith(".") for part in parts) and (root / path).is_file():
            yield path


def _walked(root: Path) -> Iterator[str]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and name != "node_modules"]
        yield from ((Path(folder) / file).relative_to(root).as_posix() for file in files)


def _blocks(folder: Path) -> Iterator[Block]:
    for file in module_files(folder, "either"):
        try:
            if not file.name.endswith(".json"):
                yield from split_blocks(without_comments(read_source(file)), file.name)
        except InputError:
            continue


def _backend(folder: Path) -> str:
    try:
        return backend_type(folder)
    except InputError:
        return ""


def _called(folder: Path, blocks: tuple[Block, ...]) -> Iterator[Path]:
    for block in blocks:
        if block.kind == "module":
            for source in _SOURCE.findall(block.text):
                yield _real(folder / source)
    for file in module_files(folder, "either"):
        if file.name.endswith(".json"):
            for source in _JSON_SOURCE.findall(_text(file)):
                yield _real(folder / source)


def _real(path: Path) -> Path:
    # What a link leads to is called as well, and a circle of them is no reason to stop.
    return Path(os.path.realpath(path))


def _text(file: Path) -> str:
    try:
        return read_source(file)
    except InputError:
        return ""


def _is_root(module: RootModule, blocks: tuple[Block, ...], *, called: bool) -> bool:
    # To name a backend is to be a root module, wherever it lies and whoever calls it.
    named = module.backend not in {"local", ""}
    if named or any(block.kind == "terraform" and _names_backend(block.text) for block in blocks):
        return True
    return not called and not _NOT_ROOTS.intersection(module.path.split("/"))


def _names_backend(text: str) -> bool:
    return re.search(r'(?m)^\s*(?:backend\s+"?[\w-]+"?|cloud)\s*\{', _COMMENT.sub("", text)) is not None


def _region(blocks: tuple[Block, ...], folder: Path) -> str:
    """The region of the AWS provider that has no alias; empty if the files don't say it in so many words."""
    defaults = {block.labels[0]: block.text for block in blocks if block.kind == "variable" and block.labels}
    for block in blocks:
        text = _COMMENT.sub("", block.text)
        if block.kind != "provider" or block.labels != ("aws",) or _ALIAS.search(text):
            continue
        if match := _REGION.search(text):
            return match[1] or _value(match[2], defaults.get(match[2], ""), folder)
    return ""


def _value(variable: str, declared: str, folder: Path) -> str:
    """A variable's value by its default and the files that Terraform reads by itself; empty if another file has one."""
    given = re.compile(rf'(?m)(?:^|[{{,])\s*"?{re.escape(variable)}"?\s*[=:]\s*(?:"([a-z0-9-]+)")?')
    default = _DEFAULT.search(_COMMENT.sub("", declared))
    value = default[1] if default else ""
    usual = [folder / "terraform.tfvars", folder / "terraform.tfvars.json"]
    # Of several the last one counts.
    for file in (*filter(Path.is_file, usual), *sorted(folder.glob("*.auto.tfvars*"))):
        for match in given.finditer(without_comments(_text(file))):
            value = match[1] or ""
    others = (without_comments(_text(folder / name)) for name in _var_files(folder))
    return "" if any(map(given.search, others)) else value


def _var_files(folder: Path) -> tuple[str, ...]:
    found = (path for path in folder.rglob("*.tfvars") if not any(part.startswith(".") for part in path.parts[-2:]))
    names = (path.relative_to(folder).as_posix() for path in found)
    return tuple(sorted(name for name in names if name != "terraform.tfvars" and not name.endswith(".auto.tfvars")))
