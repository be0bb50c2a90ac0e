"""The parameters that a notebook declares: names, types, defaults and meaning, read from its parameters cell."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError

__all__ = ["Parameter", "declared_parameters", "language_of", "parameters_cell"]


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `annotation` is empty if none is written; `default` is source text."""

    name: str
    annotation: str
    default: str
    required: bool
    meaning: str

    @property
    def type(self) -> str:
        """The declared type; a default that is a text declares text."""
        if self.annotation:
            return self.annotation
        return "str" if isinstance(_literal(self.default), str) else ""


def parameters_cell(nb: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first code cell tagged `parameters`."""
    for cell in nb["cells"]:
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", []):
            found: Mapping[str, Any] = cell
            return found
    return None


def declared_parameters(nb: Mapping[str, Any]) -> dict[str, Parameter] | None:
    """The parameters by name; None if the notebook declares none, or declares them in another language."""
    cell = parameters_cell(nb)
    language = language_of(nb)
    if cell is None or (language and language not in {"python", "ipython"}):
        return None
    source = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in cell["source"].splitlines())
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ConfigError(
            f"the parameters cell, line {error.lineno}: {error.msg}", "Write one parameter a line, as `name: str = ''`."
        ) from error
    comments = _comments(source)
    found = [_parameter(node, source, comments) for node in tree.body]
    return {parameter.name: parameter for parameter in found if parameter}


def language_of(nb: Mapping[str, Any]) -> str:
    """The notebook's language in lower case, empty if it does not say."""
    metadata = nb["metadata"]
    named = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return str(named or "").lower()


def _parameter(node: ast.stmt, source: str, comments: dict[int, str]) -> Parameter | None:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        name, annotation, value = node.target.id, ast.unparse(node.annotation).strip("'\""), node.value
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        name, annotation, value = node.targets[0].id, "", node.value
    else:
        return None
    required = value is None or (isinstance(value, ast.Constant) and value.value is ...)
    default = "" if required or value is None else ast.get_source_segment(source, value) or ""
    meaning = comments.get(node.end_lineno or node.lineno) or comments.get(-(node.lineno - 1), "")
    return Parameter(name, annotation, default, required, meaning)


def _comments(source: str) -> dict[int, str]:
    # By line; a comment that has a line to itself is kept under the negative number and speaks of the line below.
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[-token.start[0] if alone else token.start[0]] = token.string.lstrip("# ").strip()
    return found


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None
