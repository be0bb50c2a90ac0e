"""The pipeline file that `runbook init` writes: a component of this toolkit, and its inputs alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..packaged import packaged

__all__ = ["BESIDE", "PIPELINE", "Component", "component_files", "included_component", "pipeline_file", "quoted"]

PIPELINE = ".gitlab-ci.yml"
# Where it lies in a repository that has a pipeline already.
BESIDE = ".gitlab/ci/runbook.yml"
ONE, MANY = "change", "stacks"
_FOLDER = "templates"
_INCLUDED = re.compile(
    rf"(?m)^[\s-]*(?:component:\s*[\"']?(?P<address>[^\s\"']+/)(?:{ONE}|{MANY})(?P<version>@[^\s\"']+)"
    rf"|local:\s*[\"']?/?{_FOLDER}/(?:{ONE}|{MANY})\.yml)"
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True)
class Component:
    """Where the component `change` is had from, and what its jobs install; empty: from this repository, and nothing."""

    address: str = ""
    package: str = ""

    def named(self, name: str) -> str:
        """Another component of the same version, or its file here."""
        path, _, version = self.address.rpartition("@")
        return f"{path.removesuffix(ONE)}{name}@{version}" if self.address else f"/{_FOLDER}/{name}.yml"


def pipeline_file(stacks: Sequence[str], component: Component) -> tuple[str, str]:
    """The text of the file, and the line in it that includes the component."""
    name = MANY if len(stacks) > 1 and _declared(MANY) else ONE
    kind = "component" if component.address else "local"
    include = f"{kind}: {quoted(component.named(name))}"
    known = {"stack": stacks[0], "change": component.named(ONE).lstrip("/"), "package": component.package}
    inputs = [f"      {key}: {quoted(known[key])}" for key in _declared(name) if known.get(key)]
    lines = [
        "# A change goes through check, plan, approval, apply and proof. `runbook doctor` says what is left.",
        "include:",
        f"  - {include}",
        *(["    inputs:", *inputs] if inputs else []),
    ]
    return "\n".join([*lines, ""]), include


def component_files() -> dict[str, str]:
    """The components themselves, for a repository that has them from nowhere else: path and text of each."""
    files = sorted(packaged(_FOLDER).glob("*.yml"))
    return {f"{_FOLDER}/{path.name}": path.read_text(encoding="utf-8") for path in files}


def included_component(text: str) -> Component | None:
    """The component that a pipeline includes; None if it includes none of ours."""
    found = _INCLUDED.search(text)
    if found is None:
        return None
    package = re.search(r"(?m)^\s+package:\s*[\"']?([^\s\"']+)", text)
    address = f"{found['address']}{ONE}{found['version']}" if found["address"] else ""
    return Component(address, package[1] if package else "")


def quoted(text: str) -> str:
    """A text as YAML, in quotes where it could be taken for something else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _declared(name: str) -> list[str]:
    """The inputs that a component of this version declares; none if there is no such component."""
    from ruamel.yaml import YAML

    path: Path = packaged(_FOLDER) / f"{name}.yml"
    header = path.read_text(encoding="utf-8").partition("\n---")[0] if path.is_file() else ""
    return list(((YAML(typ="safe").load(header) or {}).get("spec") or {}).get("inputs") or {})
