"""What the lab makes of another team's stacks: where their states go, and which of them it can't stand for."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..adapters.hcl_blocks import module_files, read_source, split_blocks, without_comments
from ..adapters.terraform_backend import backend_type
from ..errors import InputError

__all__ = ["HERE", "buckets", "kept_elsewhere", "override_backend", "profiles", "regions", "unfit"]

# Backends that the lab stands for as they are written: GitLab's, S3, and a file in the lab's own copy.
HERE = ("http", "s3", "local")
# Terraform reads it last, and takes its backend for the files' own.
OVERRIDE = "runbook_lab_override.tf"
# Providers that reach nothing but the lab's AWS. Any other would act on what is real, with the person's own keys.
_HARMLESS = frozenset({"aws", "random", "tls", "time", "null", "archive", "cloudinit", "template"})
_COMMENT = re.compile(r"(?m)(?:#|//).*$")
_RUNS_CODE = re.compile(r'(?m)\bprovisioner\s+"([\w-]+)"')
_ENDPOINTS = re.compile(r"(?m)^\s*(?:dynamic\s+\")?(?:endpoints|endpoint|[a-z]+_endpoint)\"?\s*[={]")
_TEXT = r'(?m)(?:^|[\s{{])"?{name}"?\s*[=:]\s*"([^"$]+)"'
_REGION = re.compile(r'"([a-z]{2}(?:-[a-z]+)+-\d)"')


def override_backend(folder: Path) -> str:
    """Let GitLab keep the state of a stack whose backend the lab does not have; which one that was, or empty."""
    kind = backend_type(folder)
    own = any(re.search(r'backend\s+"local"', text) and "path" in text for text in _texts(folder))
    if kind in {"", *HERE} and not own:
        return ""
    (folder / OVERRIDE).write_text('terraform {\n  backend "http" {}\n}\n', encoding="utf-8")
    return kind


def kept_elsewhere(folder: Path) -> bool:
    """Whether neither the lab's GitLab nor an address of the files' own keeps the state."""
    return backend_type(folder) != "http"


def buckets(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each bucket that a backend, or the reading of a state, names: with region and table of locks, or empty."""
    for text in _texts(folder):
        for block in split_blocks(text, ""):
            s3 = re.search(r'backend\s*=?\s*"s3"', block.text)
            if s3 and (name := _value("bucket", block.text)):
                yield name, _value("region", block.text), _value("dynamodb_table", block.text)


def profiles(folder: Path) -> set[str]:
    """The AWS profiles that the files name."""
    return {name for text in _texts(folder) for name in re.findall(_TEXT.format(name="profile"), text)}


def regions(folder: Path) -> set[str]:
    """Whatever looks like an AWS region in the files."""
    return {name for text in _texts(folder) for name in _REGION.findall(text)}


def unfit(folder: Path) -> str:
    """Why an initialised stack must not be applied on the lab: it would reach what is real. Empty if it would not."""
    strange = [name for name in _providers(folder) if name.removeprefix("hashicorp/") not in _HARMLESS]
    if strange:
        return f"the lab has nothing in the place of provider {', '.join(strange)}"
    for module in _modules(folder):
        for text in _texts(module):
            if found := _RUNS_CODE.search(text):
                return f"it runs programs of its own (provisioner {found[1]})"
            for block in split_blocks(text, ""):
                if block.kind in {"provider", "terraform", "data"} and _ENDPOINTS.search(block.text):
                    return f"it names an address of AWS of its own ({block.kind} {' '.join(block.labels)})".rstrip()
    return ""


def _providers(folder: Path) -> list[str]:
    lock = folder / ".terraform.lock.hcl"
    blocks = split_blocks(lock.read_text(encoding="utf-8"), lock.name) if lock.is_file() else ()
    return [block.labels[0].partition("/")[2] for block in blocks if block.kind == "provider" and block.labels]


def _modules(folder: Path) -> Iterator[Path]:
    yield folder
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        listed = json.loads((folder / ".terraform/modules/modules.json").read_bytes())["Modules"]
        yield from (folder / module["Dir"] for module in listed if module["Key"])


def _texts(folder: Path) -> Iterator[str]:
    with contextlib.suppress(InputError):
        for file in module_files(folder, "either"):
            text = read_source(file)
            yield text if file.name.endswith(".json") else _COMMENT.sub("", without_comments(text))


def _value(name: str, text: str) -> str:
    found = re.search(_TEXT.format(name=name), text)
    return found[1] if found else ""
