"""Plain papermill's parameters, made strict before a kernel starts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .endings import Ending, EndingKind, NotebookStopped
from .parameter_checks import check_parameters
from .parameter_types import fit_text
from .parameters import declared_parameters

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["correct_parameters"]

# What papermill's own options inject, declared or not.
OWN = {"PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"}


def correct_parameters(nb: NotebookNode, arguments: Sequence[str] | None = None) -> None:
    """Check the parameters that papermill has injected and correct those that it has changed.

    Raises NotebookStopped (2) for unknown names and wrong types. papermill turns the text `007` of -p into 7 before an
    engine is asked; where text is declared, what was typed is taken from the command line again.
    """
    given = nb.metadata.get("papermill", {}).get("parameters") or {}
    try:
        typed = _retyped(nb, given, sys.argv if arguments is None else arguments)
        own = {name: value for name, value in typed.items() if name in OWN}
        fitted = check_parameters(nb, {name: value for name, value in typed.items() if name not in OWN}) | own
    except UsageError as error:
        print(f"error: {error.message}\nhint: {error.remedy}", file=sys.stderr)  # noqa: T201  papermill prints nothing
        raise NotebookStopped(Ending(EndingKind.USAGE, type(error).__name__, error.message)) from error
    if any(repr(fitted[name]) != repr(given[name]) for name in given):
        _inject(nb, {name: fitted[name] for name in given})


def _retyped(nb: NotebookNode, given: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    declared = declared_parameters(nb) or {}
    texts = _typed_texts(arguments)
    values = dict(given)
    for name, value in given.items():
        parameter = declared.get(name)
        if parameter and name in texts and _papermill_value(texts[name]) == repr(value):
            values[name] = fit_text(name, texts[name], parameter.type) if parameter.type else value
    return values


def _typed_texts(arguments: Sequence[str]) -> dict[str, str]:
    triples = zip(arguments, arguments[1:], arguments[2:], strict=False)
    return {name: text for option, name, text in triples if option in {"-p", "--parameters"}}


def _papermill_value(text: str) -> str:
    if text in {"True", "False", "None"}:
        return text
    for kind in (int, float):
        try:
            return repr(kind(text))
        except ValueError:
            continue
    return repr(text)


def _inject(nb: NotebookNode, values: dict[str, Any]) -> None:
    from papermill.translators import papermill_translators
    from papermill.utils import nb_kernel_name, nb_language

    translator = papermill_translators.find_translator(nb_kernel_name(nb), nb_language(nb))
    nb.metadata.papermill["parameters"] = values
    for cell in nb.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = translator.codify(values, "Parameters")
