"""Given parameters against declared ones, before a kernel starts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .parameter_types import fit_value
from .parameters import Parameter, declared_parameters

__all__ = ["check_parameters", "known_parameter"]


def check_parameters(nb: Mapping[str, Any], values: Mapping[str, Any], what: str = "the notebook") -> dict[str, Any]:
    """The values in their declared types; UsageError for unknown names, wrong types and missing required ones.

    A notebook that declares nothing (or in another language) takes anything, as papermill documents.
    """
    declared = declared_parameters(nb)
    if declared is None:
        return dict(values)
    fitted = {
        name: fit_value(name, value, known_parameter(name, declared, what).type) for name, value in values.items()
    }
    missing = [name for name, parameter in declared.items() if parameter.required and name not in values]
    if missing:
        raise UsageError(
            f"{what} needs the parameter {missing[0]!r}" + (f" (and {', '.join(missing[1:])})" if missing[1:] else ""),
            declared[missing[0]].meaning or f"Pass it with -p {missing[0]}=….",
        )
    return fitted


def known_parameter(name: str, declared: Mapping[str, Parameter], what: str) -> Parameter:
    """The declared parameter of this name; UsageError with the likeliest name if there is none."""
    if name in declared:
        return declared[name]
    close = difflib.get_close_matches(name, declared, n=1, cutoff=0.5)
    known = f"Known: {', '.join(declared)}." if declared else "It takes none."
    raise UsageError(
        f"unknown parameter {name!r} of {what}" + (f"; did you mean {close[0]!r}?" if close else ""), known
    )
