"""The CI/CD components, read as GitLab does: a header of inputs, and a pipeline that they are put into."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "templates"
INPUT = re.compile(r"\$\[\[ inputs\.([\w-]+) \]\]")


class Reference(list[str]):
    """`!reference [job, keyword]`."""


class GitLabConstructor(SafeConstructor):
    """Knows GitLab's tag, which the other readers in this process must go on refusing."""


GitLabConstructor.add_constructor("!reference", lambda loader, node: Reference(loader.construct_sequence(node)))


def documents(name: str) -> list[Any]:
    """The header and the pipeline of a component, as they stand in its file."""
    yaml = YAML(typ="safe")
    yaml.Constructor = GitLabConstructor
    return list(yaml.load_all((TEMPLATES / f"{name}.yml").read_text()))


def declared_inputs(name: str) -> dict[str, Any]:
    """What a component asks for."""
    return dict(documents(name)[0]["spec"]["inputs"])


def component(name: str, **inputs: Any) -> dict[str, Any]:
    """The pipeline of a component with these inputs, `_` for `-`, and the defaults of all others."""
    header, body = documents(name)
    given = {key.replace("_", "-"): value for key, value in inputs.items()}
    unknown = set(given) - set(header["spec"]["inputs"])
    assert not unknown, unknown
    values = {key: given.get(key, spec.get("default")) for key, spec in header["spec"]["inputs"].items()}
    return dict(_filled(body, values))


def _filled(node: Any, values: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {_filled(key, values): _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return type(node)(_filled(item, values) for item in node)
    if not isinstance(node, str):
        return node
    whole = INPUT.fullmatch(node)
    return values[whole[1]] if whole else INPUT.sub(lambda found: _text(values[found[1]]), node)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
