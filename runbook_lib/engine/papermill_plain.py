"""Plain papermill through this engine: its options, its output path, its exceptions."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..adapters.atomic import write_atomic
from ..domain.redaction import Redactor
from ..domain.secret_patterns import named_secrets
from ..errors import ConfigError, StoreError, UsageError
from .display import Display, Quiet, choose_display
from .endings import Ending, EndingKind
from .kernels import Kernel, KernelRequest, start_kernel
from .loop import LoopThread
from .options import EngineOptions
from .outputs import SideFiles
from .papermill_options import measures, option_of_command, running_command, unknown_taken, warn_of_ignored
from .parameters import MissingParameterError, check_parameters, declared_parameters, retype
from .saving import Destination, FolderSide, LocalFile
from .session import Session
from .stopping import StopRequest

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "PapermillDestination",
    "PapermillListener",
    "correct_parameters",
    "environment_redactor",
    "execute_plainly",
    "side_files",
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
    redactor = environment_redactor()
    name = Path(str(options.get("input_path") or output_path or "notebook")).stem
    listener = PapermillListener(name, kernel_name, options)
    folder = ((options.get("resources") or {}).get("metadata") or {}).get("path")
    # The record keeps the name alone of what lies elsewhere.
    written_to = nb.metadata.get("papermill", {}).get("output_path")

    async def kernel() -> Kernel:
        place = Path(folder) if folder else Path.cwd()
        return await start_kernel(KernelRequest(kernel_name, place, start_timeout=limits.start_timeout))

    with LoopThread() as loop:
        session = Session(loop, StopRequest(loop.loop), redactor, kernel, limits, listener)
        destination = PapermillDestination(output_path) if output_path else None
        session.destination = PapermillSaves.asked_for(limits, destination, output_path)
        session.side = side_files(output_path)
        session.in_place = _same(options.get("input_path"), output_path)
        try:
            ending = session.execute(nb)
        except StoreError as error:
            # Nothing was executed: there is no place to write what would happen.
            ending = Ending(EndingKind.DISK_FULL, type(error).__name__, error.message)
        finally:
            listener.close(session.ending)
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


class PapermillSaves:
    """Saves by papermill's own function, for whoever asks for its `autosave_cell_every`; what is written is ours."""

    def __init__(self, destination: Destination, path: str) -> None:
        self._destination, self._path = destination, path
        self.open, self.close = destination.open, destination.close

    @classmethod
    def asked_for(cls, limits: EngineOptions, destination: Destination | None, path: str | None) -> Destination | None:
        """The destination, or this before it; an address is written to by papermill in any case."""
        if destination is None or path is None or "://" in path or limits.autosave is None:
            return destination
        return cls(destination, path)

    def write(self, data: bytes) -> None:
        """Have it written."""
        import nbformat
        from papermill import engines
        from papermill.iorw import papermill_io

        papermill_io.register(self._path, _Through(self._destination.write))
        entry = papermill_io._handlers[0]
        try:
            engines.write_ipynb(nbformat.reads(data.decode(), as_version=nbformat.NO_CONVERT), self._path)
        finally:
            papermill_io._handlers.remove(entry)  # it has no other way to take one back


class _Through:
    """papermill's handler for the moment of one write."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, buf: str, path: str) -> None:
        """Pass it on."""
        self._write(buf.encode("utf-8", "replace"))


class PapermillDestination:
    """Writes through papermill's handlers, so that every address that it knows works."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = "://" not in path and path != "-"
        self._file = LocalFile(_place(path))
        if self._local:
            from papermill.iorw import papermill_io

            # papermill itself writes once more after the engine: in one step as well, if this handler is found first.
            papermill_io.register(path, AtomicHandler())

    def open(self) -> None:
        """Get ready."""
        if self._local:
            self._file.open()

    def close(self) -> None:
        """Give back what was taken."""
        if self._local:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Replace what is there."""
        if self._local:
            self._file.write(data)
            return
        from papermill.iorw import papermill_io

        papermill_io.write(data.decode(), self._path)


class AtomicHandler:
    """papermill's handler for one local path."""

    def read(self, path: str) -> str:
        """The file's text."""
        return Path(path).read_text(encoding="utf-8")

    def listdir(self, path: str) -> list[str]:
        """The names in a folder."""
        return [str(child) for child in Path(path).iterdir()]

    def write(self, buf: str, path: str) -> None:
        """Replace the file in one step."""
        write_atomic(Path(path), buf.encode("utf-8", "replace"))

    def pretty_path(self, path: str) -> str:
        """The path."""
        return path


def side_files(path: str | None) -> SideFiles | None:
    """Where long outputs go: beside a local notebook; nowhere if it goes to an address or a pipe."""
    if not path or path == "-" or "://" in path:
        return None
    target = _place(path)
    return FolderSide(target.parent, f"{target.stem}-", target.name)


def _place(path: str) -> Path:
    # papermill means paths from where it was called; with --cwd the notebook is executed in another folder.
    from papermill.iorw import papermill_io

    local = papermill_io.get_handler("local")
    # It tells the folder only in return for another one.
    called = local.cwd(None)
    local.cwd(called)
    return Path(called or Path.cwd(), path).resolve()


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
    return Redactor(named_secrets(os.environ, os.path.exists))
