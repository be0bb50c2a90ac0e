"""Plain papermill through this engine: its options, its output path, its exceptions."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import ConfigError, StoreError, UsageError
from .display import Display, Quiet, choose_display
from .endings import Ending, EndingKind
from .kernels import Kernel, KernelRequest, start_kernel
from .loop import LoopThread
from .papermill_options import measures, option_of_command, running_command, unknown_taken, warn_of_ignored
from .parameters import MissingParameterError, check_parameters, declared_parameters, retype
from .session import Session
from .stopping import StopRequest

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ..domain.redaction import Redactor
    from .destination import PapermillDestination

__all__ = [
    "PapermillListener",
    "correct_parameters",
    "environment_redactor",
    "execute_plainly",
]


def execute_plainly(
    nb: NotebookNode, kernel_name: str, output_path: str | None, options: Mapping[str, Any]
) -> NotebookNode:
    """Execute and raise what papermill's callers expect; its command leaves with the ending's status."""
    warn_of_ignored(options)
    try:
        limits = measures(options)
        correct_parameters(nb, unknown=unknown_taken(options))
    except UsageError as error:
        _refuse(error)
    name = Path(str(options.get("input_path") or output_path or "notebook")).stem
    listener = PapermillListener(name, kernel_name, options)
    folder = ((options.get("resources") or {}).get("metadata") or {}).get("path")
    # The record keeps the name alone of what lies elsewhere.
    written_to = nb.metadata.get("papermill", {}).get("output_path")

    async def kernel() -> Kernel:
        place = Path(folder) if folder else Path.cwd()
        request = KernelRequest(kernel_name, place, start_timeout=limits.start_timeout, isolated=False)
        return await start_kernel(request)

    destination: PapermillDestination | None = None

    def prepare(session: Session) -> None:
        from .destination import PapermillDestination, PapermillSaves, side_files

        nonlocal destination
        session.redactor = environment_redactor()
        destination = PapermillDestination(output_path) if output_path else None
        session.destination = PapermillSaves.asked_for(limits, destination, output_path)
        session.side = side_files(output_path)

    with LoopThread() as loop:
        session = Session(loop, StopRequest(loop.loop), None, kernel, limits, listener, prepare=prepare)
        session.in_place = _same(options.get("input_path"), output_path)
        ending = None
        try:
            ending = session.execute(nb)
        except StoreError as error:
            # Nothing was executed: there is no place to write what would happen.
            ending = Ending(EndingKind.DISK_FULL, type(error).__name__, error.message)
        finally:
            listener.close(session.ending)
            if destination and not (ending and _goes_on(ending)):
                destination.deliver()
    if not _goes_on(ending):
        _raise(ending)
    elif not ending.good and ending.kind is EndingKind.SYSTEM_EXIT and running_command():
        _leave(nb, written_to, ending)
    return nb


def _same(one: object, other: object) -> bool:
    if not (isinstance(one, str | os.PathLike) and isinstance(other, str | os.PathLike)):
        return False
    try:
        return Path(one).samefile(other)
    except OSError:
        return os.fspath(one) == os.fspath(other)  # an address


def _goes_on(ending: Ending) -> bool:
    # papermill reads exceptions from the cells' outputs, marks the place and raises its own.
    return ending.good or ending.kind in {EndingKind.EXCEPTION, EndingKind.COMMAND_FAILED, EndingKind.SYSTEM_EXIT}


def _raise(ending: Ending) -> None:
    from .papermill_errors import stopped

    command = running_command()
    if command:
        print(f"error: {ending.message}", file=sys.stderr)  # noqa: T201  papermill would say nothing
    if ending.kind is EndingKind.SIGNAL and not command:
        # The signal was meant for the caller. What it does now it would have done with any engine: it raises
        # KeyboardInterrupt, calls the caller's own handler, or ends the process.
        signal.raise_signal(ending.number)
    error = stopped(ending)
    # Of a dead kernel papermill's command knows by itself.
    if command and ending.kind is not EndingKind.KERNEL_DIED:
        raise SystemExit(ending.exit_status) from error
    raise error


def _leave(nb: NotebookNode, output_path: str | None, ending: Ending) -> None:
    """What papermill does after an exception; its command would leave with 1 and not with the notebook's status."""
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import raise_for_execution_errors

    try:
        raise_for_execution_errors(nb, output_path)
    except PapermillExecutionError as error:
        print(f"{error}\nerror: {ending.message}", file=sys.stderr)  # noqa: T201  papermill would print a traceback
        raise SystemExit(ending.exit_status) from error


logger = logging.getLogger("papermill")


class PapermillListener:
    """Sends output where papermill's options ask for it: its log, files, or the display in a progress bar's place."""

    def __init__(self, name: str, kernel_name: str, options: Mapping[str, Any]) -> None:
        self._log = bool(options.get("log_output"))
        self._cell = -1
        logger.info("Executing notebook with kernel: %s", kernel_name)
        self._files = {"stdout": options.get("stdout_file"), "stderr": options.get("stderr_file")}
        self._display: Display = choose_display() if options.get("progress_bar") and not self._log else Quiet()
        self._display.started(name, name)

    def text(self, stream: str, text: str) -> None:
        """Masked output as it comes."""
        if file := self._files.get(stream):
            file.write(text)
            file.flush()
        if self._log and text.strip():
            logger.log(logging.WARNING if stream == "stderr" else logging.INFO, "%s", text.rstrip("\n"))
        self._display.text(stream, text)

    def cell_started(self, index: int, total: int) -> None:
        """A cell begins."""
        self._cell_ended()
        self._cell = index
        if self._log:
            logger.info("Executing Cell %s", f"{index + 1:-<40}")
        self._display.cell_started(index, total)

    def _cell_ended(self) -> None:
        if self._log and self._cell >= 0:
            logger.info("Ending Cell %s", f"{self._cell + 1:-<43}")

    def close(self, ending: Ending | None) -> None:
        """The notebook has ended."""
        self._cell_ended()
        if ending is not None:
            self._display.ended(f"{ending.outcome.upper()}: {ending.message or 'all cells ran'}")
        self._display.close()


# What papermill's own options inject, declared or not.
OWN = {"PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"}


def correct_parameters(nb: NotebookNode, *, unknown: bool = False) -> None:
    """Check the parameters that papermill has injected and correct those that it has changed.

    UsageError for unknown names, wrong types and missing ones. papermill turns the text `007` of -p into 7 before an
    engine is asked; where text is declared, what was typed is taken from the command line again.
    """
    given = nb.metadata.get("papermill", {}).get("parameters") or {}
    try:
        typed = _retyped(nb, given)
        own = {name: value for name, value in typed.items() if name in OWN}
        others = {name: value for name, value in typed.items() if name not in OWN}
        fitted = check_parameters(nb, others, unknown=unknown) | own
    except ConfigError:
        # The kernel will say what is wrong with the cell, and the notebook will hold it.
        return
    if any(repr(fitted[name]) != repr(given[name]) for name in given):
        _inject(nb, {name: fitted[name] for name in given})


def _refuse(error: UsageError) -> NoReturn:
    """Nothing is executed: say why, to a person at the command or to whoever calls papermill's API."""
    from .papermill_errors import ParameterMissingError, ParameterRefusedError

    ending = Ending(EndingKind.USAGE, type(error).__name__, error.message)
    if running_command():
        print(f"error: {error.message}\nhint: {error.remedy}", file=sys.stderr)  # noqa: T201  papermill is silent
        raise SystemExit(ending.exit_status) from error
    missing = isinstance(error, MissingParameterError)
    raise (ParameterMissingError if missing else ParameterRefusedError)(ending) from error


def _retyped(nb: NotebookNode, given: Mapping[str, Any]) -> dict[str, Any]:
    declared = declared_parameters(nb) or {}
    typed = option_of_command("parameters")
    texts = dict(typed) if isinstance(typed, tuple) else {}
    values = dict(given)
    for name, value in given.items():
        parameter = declared.get(name)
        if parameter and name in texts and _papermill_value(texts[name]) == repr(value):
            values[name] = retype(parameter, texts[name], value)
    return values


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


def environment_redactor() -> Redactor:
    """What masks the environment's secrets."""
    from ..domain.redaction import Redactor
    from ..domain.secret_patterns import named_secrets

    return Redactor(named_secrets(os.environ, os.path.exists))
