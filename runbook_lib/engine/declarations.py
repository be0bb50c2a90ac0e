"""What a notebook's parameters cell declares: names with types, defaults and meanings."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError

__all__ = ["Parameter", "declared_parameters", "language_of", "parameters_cell"]


# `one of a, b: …` at the beginning of a parameter's comment.
_CHOICES = re.compile(r"one of ((?:[\w/-]+(?:\.[\w/-]+)*, )+[\w/-]+(?:\.[\w/-]+)*)(?=$|[:;.]? |[:;.]$)")


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
        """The type in which a typed text is read; a default that is a text declares text."""
        if self.annotation:
            return self.annotation
        return "str" if isinstance(self.value, str) else ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that the comment allows, `one of a, b`, the default among them; none where it says nothing."""
        found = _CHOICES.match(self.meaning)
        words = tuple(found[1].split(", ")) if found else ()
        return words if str(self.value) in words else ()

    @property
    def value(self) -> Any:
        """The default, where it is written out; else None."""
        try:
            return ast.literal_eval(self.default)
        except (ValueError, SyntaxError, TypeError, RecursionError):
            return None


def parameters_cell(nb: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first code cell tagged `parameters`."""
    for cell in nb["cells"]:
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", []):
            found: Mapping[str, Any] = cell
            return found
    return None


def declared_parameters(nb: Mapping[str, Any]) -> dict[str, Parameter] | None:
    """The parameters by name; None if the notebook declares none, or declares them in another language.

    Every name that the cell assigns is one, also within a tuple, a chain or a condition: what is given is assigned
    after that cell. ConfigError for a cell that is neither Python nor IPython.
    """
    cell = parameters_cell(nb)
    language = language_of(nb)
    if cell is None or (language and language not in {"python", "ipython"}):
        return None
    if cell["source"].lstrip().startswith("%%"):
        # A cell magic may do anything with what follows.
        return None
    source, tree = _read(cell["source"])
    comments = _comments(source)
    declared: dict[str, Parameter] = {}
    for node in tree.body:
        for name, annotation, value in _assigned(node):
            declared.setdefault(name, _parameter(name, annotation, value, _Place(source, comments, node)))
    return declared


def language_of(nb: Mapping[str, Any]) -> str:
    """The notebook's language in lower case, empty if it does not say."""
    metadata = nb["metadata"]
    named = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return str(named or "").lower()


def _read(source: str) -> tuple[str, ast.Module]:
    """The cell as Python, and its tree."""
    try:
        return source, ast.parse(source)
    except SyntaxError:
        # Importing IPython takes a while, and most cells need none of it.
        from IPython.core.inputtransformer2 import TransformerManager
    try:
        source = TransformerManager().transform_cell(source)  # type: ignore[no-untyped-call]
        return source, ast.parse(source)
    except SyntaxError as error:
        raise ConfigError(
            f"the parameters cell, line {error.lineno}: {error.msg}", "Write one parameter a line, as `name: str = ''`."
        ) from error


@dataclass(frozen=True)
class _Place:
    source: str
    comments: Mapping[int, str]
    node: ast.stmt


Assigned = tuple[str, str, ast.expr | None]


def _assigned(node: ast.stmt) -> Iterator[Assigned]:
    """Name, annotation and default of what the statement assigns; no default where that depends."""
    if isinstance(node, ast.AnnAssign):
        if isinstance(node.target, ast.Name):
            # `...` is how some write that there is no default.
            none = isinstance(node.value, ast.Constant) and node.value.value is ...
            yield node.target.id, ast.unparse(node.annotation).strip("'\""), None if none else node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _unpacked(target, node.value)
    else:
        yield from ((name, "", NO_DEFAULT) for name in _names(node))


NO_DEFAULT = ast.Name("")


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[Assigned]:
    if isinstance(target, ast.Name):
        yield target.id, "", None if isinstance(value, ast.Constant) and value.value is ... else value
    elif isinstance(target, ast.Tuple | ast.List):
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        one_each = len(values) == len(target.elts) and not any(
            isinstance(part, ast.Starred) for part in (*values, *target.elts)
        )
        for part, its_value in zip(target.elts, values if one_each else [NO_DEFAULT] * len(target.elts), strict=True):
            yield from _unpacked(part.value if isinstance(part, ast.Starred) else part, its_value)


def _names(node: ast.AST) -> Iterator[str]:
    # What a function or a class assigns is no name of the notebook.
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | COMPREHENSION):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


COMPREHENSION = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def _parameter(name: str, annotation: str, value: ast.expr | None, place: _Place) -> Parameter:
    default = ""
    if value is not None and value is not NO_DEFAULT:
        default = ast.get_source_segment(place.source, value) or ""
    node, comments = place.node, place.comments
    meaning = comments.get(node.end_lineno or node.lineno) or comments.get(-(node.lineno - 1), "")
    return Parameter(name, annotation, default, value is None, meaning)


def _comments(source: str) -> dict[int, str]:
    # By line; a comment that has a line to itself is kept under the negative number and speaks of the line below.
    found = {}
    for token in _tokens(source):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[-token.start[0] if alone else token.start[0]] = token.string.lstrip("# ").strip()
    return found


def _tokens(source: str) -> Iterable[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)
