"""What papermill's callers ask of an engine: by its own options, by those of nbclient that are kept, and by ours."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import UsageError
from .options import EngineOptions

__all__ = ["measures", "option_of_command", "running_command", "unknown_taken", "warn_of_ignored"]

logger = logging.getLogger("papermill")

# What is read elsewhere than in `measures`.
READ = {"input_path", "progress_bar", "log_output", "stdout_file", "stderr_file", "resources", "unknown_parameters"}
RENAMED = {"execution_timeout", "timeout", "startup_timeout", "autosave_cell_every"}
UNKNOWN = "RUNBOOK_UNKNOWN_PARAMETERS"


def measures(options: Mapping[str, Any]) -> EngineOptions:
    """The engine's measures: what the caller asks for, else the environment; UsageError for no number there."""
    given: dict[str, Any] = dict(EngineOptions.from_environment())
    # As nbclient has it, neither 0 nor a negative number is a limit.
    if (seconds := options.get("execution_timeout") or options.get("timeout") or 0) > 0:
        given["cell_timeout"] = seconds
    given["autosave"] = _autosave(options)
    names = {field.name for field in fields(EngineOptions)} - {"cell_timeout", "autosave"}
    given |= {name: options[name] for name in names if options.get(name) is not None}
    given["allow_error_names"] = list(given.get("allow_error_names", ()))
    return EngineOptions(**given)


def _autosave(options: Mapping[str, Any]) -> float | None:
    # The command gives every engine a number, whether anybody has asked for it or not.
    asked = options.get("autosave_cell_every")
    return None if asked is None or option_of_command("autosave_cell_every") is DEFAULT else float(asked)


def warn_of_ignored(options: Mapping[str, Any]) -> None:
    """Say which options this engine does not know; papermill's own engine hands what it is given to nbclient."""
    known = READ | RENAMED | {field.name for field in fields(EngineOptions)}
    for name in sorted(set(options) - known):
        logger.warning("The engine runbook does not know the option %s: it is ignored", name)


def unknown_taken(options: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> bool:
    """Whether parameters that the notebook does not declare are taken, with papermill's warning alone."""
    chosen = options.get("unknown_parameters") or environ.get(UNKNOWN) or "error"
    if chosen not in {"error", "warn"}:
        raise UsageError(f"{UNKNOWN}: {chosen!r} is neither error nor warn", "Write warn to have papermill's way.")
    return bool(chosen == "warn")


DEFAULT = object()


def running_command() -> Any:
    """The papermill command's context, if it is what executes the notebook; else None: its Python API was called."""
    cli = sys.modules.get("papermill.cli")
    if cli is None:
        return None
    import click

    context = click.get_current_context(silent=True)
    return context if context is not None and context.command is cli.papermill else None


def option_of_command(name: str) -> Any:
    """What the command was given; None without a command, DEFAULT where nobody has given it."""
    context = running_command()
    if context is None:
        return None
    source = context.get_parameter_source(name)
    return DEFAULT if source is None or source.name.startswith("DEFAULT") else context.params[name]
