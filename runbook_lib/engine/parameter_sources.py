"""Parameter values from all sources, strictly: notebook < file < environment < command line."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, UsageError
from ..models.base import Step
from .notebook_files import read_notebook
from .parameter_checks import check_parameters, known_parameter
from .parameter_types import fit_text, fit_value
from .parameters import Parameter, declared_parameters

__all__ = ["INJECTED", "ParameterSet", "check_parameters", "collect_parameters"]

PREFIX = "RUNBOOK_PARAM_"
# The sequence itself sets these, by --run-id and --stack.
INJECTED = ("run_id", "stack")


@dataclass(frozen=True)
class ParameterSet:
    """Typed values by step, and where each came from: `file`, `environment` or `command line`."""

    values: Mapping[Step, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[Step, Mapping[str, str]] = field(default_factory=dict)


def collect_parameters(
    notebooks: Path,
    steps: Sequence[Step],
    assignments: Iterable[str] = (),
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ParameterSet:
    """Read `STEP.NAME=VALUE` texts, a YAML file (steps at the top) and RUNBOOK_PARAM_<STEP>_<NAME> variables.

    UsageError for an unknown step or name, with a suggestion, or for a value that does not fit its declared type.
    """
    declared = {
        step: declared_parameters(read_notebook(notebooks / step.notebook)) or {}
        for step in Step
        if step in steps or (notebooks / step.notebook).exists()
    }
    values: dict[Step, dict[str, Any]] = {step: {} for step in steps}
    sources: dict[Step, dict[str, str]] = {step: {} for step in steps}
    for source, found in (
        ("file", _from_file(file, declared)),
        ("environment", _from_environment(environ, declared)),
        ("command line", _from_assignments(assignments, declared)),
    ):
        for step, named in found.items():
            if step in values:
                values[step] |= named
                sources[step] |= dict.fromkeys(named, source)
    return ParameterSet(values, sources)


Declared = Mapping[Step, Mapping[str, Parameter]]
Found = dict[Step, dict[str, Any]]


def _from_assignments(assignments: Iterable[str], declared: Declared) -> Found:
    found: Found = {}
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        step_name, dot, name = target.strip().partition(".")
        if not (equals and dot and name):
            raise UsageError(f"parameter {assignment!r} is not STEP.NAME=VALUE", "As in -p plan.lock=false.")
        step = _step(step_name, declared)
        found.setdefault(step, {})[name] = fit_text(
            name, text, known_parameter(name, declared[step], f"step {step}").type
        )
    return found


def _from_environment(environ: Mapping[str, str], declared: Declared) -> Found:
    found: Found = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        # Steps' names hold underscores too: the longest one that fits is meant.
        steps = [step for step in declared if variable.startswith(f"{PREFIX}{step.upper()}_")]
        if not steps:
            raise UsageError(f"{variable} names no step", f"Write {PREFIX}<STEP>_<NAME>; steps: {', '.join(declared)}.")
        step = max(steps, key=len)
        name = variable[len(f"{PREFIX}{step}_") :].lower()
        parameter = known_parameter(name, declared[step], f"step {step} ({variable})")
        found.setdefault(step, {})[name] = fit_text(name, text, parameter.type)
    return found


def _from_file(path: Path | None, declared: Declared) -> Found:
    if path is None:
        return {}
    from ..adapters.yaml_file import load_yaml

    document = load_yaml(path).data or {}
    if not isinstance(document, dict) or not all(isinstance(named, dict) for named in document.values()):
        raise ConfigError(
            f"{path.name}: is no list of steps with their parameters", "Write `plan:` and below it `name: value`."
        )
    found: Found = {}
    for step_name, named in document.items():
        step = _step(str(step_name), declared)
        for name, value in named.items():
            parameter = known_parameter(str(name), declared[step], f"step {step} ({path.name})")
            found.setdefault(step, {})[str(name)] = fit_value(str(name), value, parameter.type)
    return found


def _step(name: str, declared: Declared) -> Step:
    if name in set(declared):
        return Step(name)
    close = difflib.get_close_matches(name, list(declared), n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UsageError(f"unknown step {name!r}{hint}", f"Steps: {', '.join(declared)}.")
