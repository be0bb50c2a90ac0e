"""The pipeline file that `runbook init` writes: a component of this toolkit, and its inputs alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..packaged import packaged

__all__ = [
    "BESIDE",
    "EACH",
    "PIPELINE",
    "Component",
    "component_files",
    "each_stack",
    "included_component",
    "many",
    "pipeline_file",
    "quoted",
    "to_be_reconciled",
]

PIPELINE = ".gitlab-ci.yml"
# Where it lies in a repository that has a pipeline already.
BESIDE = ".gitlab/ci/runbook.yml"
ONE, MANY = "change", "stacks"
EACH = ".gitlab/ci/runbook-stack.yml"
_FOLDER = "templates"
_INCLUDED = re.compile(
    rf"(?m)^[\s-]*(?:component:\s*[\"']?(?P<address>[^\s\"']+/)(?:{ONE}|{MANY})(?P<version>@[^\s\"']+)"
    rf"|local:\s*[\"']?/?{_FOLDER}/(?:{ONE}|{MANY})\.yml)"
)
# What is no job, and what GitLab takes for the stages of a pipeline that names none.
_KEYWORDS = frozenset(
    {
        "stages",
        "workflow",
        "default",
        "variables",
        "include",
        "image",
        "services",
        "cache",
        "before_script",
        "after_script",
    }
)
_STAGES = ("build", "test", "deploy")
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
    name = MANY if many(stacks) else ONE
    about = "# A change goes through check, plan, approval, apply and proof. `runbook doctor` says what is left.\n"
    text, line = _include(component, name, {"stack": quoted(stacks[0]), "change": EACH})
    return about + text, line


def each_stack(component: Component) -> tuple[str, str]:
    """The same of the file that each stack's own pipeline is made of, where there are many."""
    text, line = _include(component, ONE, {"stack": "$[[ inputs.stack ]]"})
    header = "# One stack's pipeline, and what is the same for all of them.\nspec:\n  inputs:\n    stack: {}\n---\n"
    return header + text, line


def many(stacks: Sequence[str]) -> bool:
    """Whether the pipeline is that of many stacks, each of which has one of its own."""
    return len(stacks) > 1 and bool(_declared(MANY))


def to_be_reconciled(theirs: str, *, several: bool) -> list[str]:
    """What a pipeline of their own has to say, a sentence each, for the component and its own jobs to go on together.

    GitLab takes the stages and the workflow of who includes, if it has any, and makes one job of two of the same name.
    """
    own, ours = _last_document(theirs), _last_document(component_files()[f"{_FOLDER}/{MANY if several else ONE}.yml"])
    listed = [stage for stage in own.get("stages") or _STAGES if isinstance(stage, str)]
    lines = []
    if not set(ours["stages"]) <= set(listed if "stages" in own else ()):
        stages = ", ".join(map(quoted, _merged_stages(listed, ours["stages"])))
        lines.append(f"Its stages have to be `stages: [{stages}]`: GitLab refuses a job whose stage is not there.")
    if "workflow" not in own:
        lines.append(
            "Give it a `workflow` of its own: by the component's, no push but to the default branch starts one."
        )
    if same := sorted((own.keys() & ours.keys()) - _KEYWORDS):
        lines.append(f"Rename its {', '.join(same)}: GitLab would make one job of that and the component's.")
    return lines


def _merged_stages(theirs: Sequence[str], ours: Sequence[str]) -> list[str]:
    # Theirs come first, so that none of them waits for a person's approval.
    rest, merged = list(theirs), list[str]()
    for stage in reversed(ours):
        at = rest.index(stage) if stage in rest else len(rest)
        merged[:0] = [stage, *(one for one in rest[at + 1 :] if one not in ours)]
        rest = rest[:at]
    return [*(one for one in rest if one not in ours), *merged]


def _last_document(text: str) -> dict[str, Any]:
    """A pipeline without the header of its inputs; empty for what can't be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        # This reader takes GitLab's own tags as they are.
        documents = list(YAML(typ="rt").load_all(text))
    except (YAMLError, ValueError):
        return {}
    return dict(documents[-1]) if documents and isinstance(documents[-1], dict) else {}


def _include(component: Component, name: str, known: Mapping[str, str]) -> tuple[str, str]:
    kind = "component" if component.address else "local"
    line = f"{kind}: {quoted(component.named(name))}"
    given = {**known, "package": quoted(component.package) if component.package else ""}
    inputs = [f"      {key}: {given[key]}" for key in _declared(name) if given.get(key)]
    return "\n".join(["include:", f"  - {line}", *(["    inputs:", *inputs] if inputs else []), ""]), line


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
