"""Plain papermill through this engine: its options, its output path, its exceptions."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..domain.redaction import Redactor
from ..domain.secret_patterns import named_secrets
from ..errors import StoreError, UsageError
from .destination import PapermillDestination, side_files
from .display import Display, Quiet, choose_display
from .endings import Ending, EndingKind, NotebookStopped
from .kernels import Kernel, KernelRequest, start_kernel
from .loop import LoopThread
from .options import EngineOptions
from .parameters import check_parameters, declared_parameters, fit_text
from .session import Session
from .stopping import StopRequest

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "PapermillListener",
    "correct_parameters",
    "environment_redactor",
    "execute_plainly",
]


def execute_plainly(
    nb: NotebookNode, kernel_name: str, output_path: str | None, options: Mapping[str, Any]
) -> NotebookNode:
    """Execute and raise what papermill expects, or `NotebookStopped` where it has nothing."""
    correct_parameters(nb)
    redactor = environment_redactor()
    measures = _measures(options)
    name = Path(str(options.get("input_path") or output_path or "notebook")).stem
    listener = PapermillListener(name, options)

    async def kernel() -> Kernel:
        request = KernelRequest(kernel_name, Path.cwd(), start_timeout=measures.start_timeout, isolated=False)
        return await start_kernel(request)

    with LoopThread() as loop:
        session = Session(loop, StopRequest(loop.loop), redactor, kernel, measures, listener)
        session.destination = destination = PapermillDestination(output_path) if output_path else None
        session.side = side_files(output_path)
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
    _raise(ending)
    return nb


def _same(one: object, other: object) -> bool:
    if not (isinstance(one, str | os.PathLike) and isinstance(other, str | os.PathLike)):
        return False
    try:
        return Path(one).samefile(other)
    except OSError:
        return os.fspath(one) == os.fspath(other)  # an address


def _measures(options: Mapping[str, Any]) -> EngineOptions:
    given: dict[str, Any] = dict(EngineOptions.from_environment())
    if seconds := options.get("execution_timeout") or options.get("timeout"):
        given["cell_timeout"] = seconds
    names = ("notebook_timeout", "grace", "child_grace", "start_timeout", "save_every", "stream_limit")
    given |= {name: options[name] for name in names if options.get(name) is not None}
    return EngineOptions(**given)


def _goes_on(ending: Ending) -> bool:
    # papermill reads exceptions from the cells' outputs, marks the place and raises its own.
    return ending.good or ending.kind in {EndingKind.EXCEPTION, EndingKind.COMMAND_FAILED}


def _raise(ending: Ending) -> None:
    if _goes_on(ending):
        return
    print(f"error: {ending.message}", file=sys.stderr)  # noqa: T201  papermill would say nothing
    if ending.kind is EndingKind.KERNEL_DIED:
        from nbclient.exceptions import DeadKernelError

        raise DeadKernelError(ending.message)
    raise NotebookStopped(ending)


logger = logging.getLogger("papermill")


class PapermillListener:
    """Sends output where papermill's options ask for it: its log, files, or the display in a progress bar's place."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self._log = bool(options.get("log_output"))
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
        if self._log:
            logger.info("Executing Cell %s", f"{index + 1:-<40}")
        self._display.cell_started(index, total)

    def close(self, ending: Ending | None) -> None:
        """The notebook has ended."""
        if ending is not None:
            self._display.ended(f"{ending.outcome.upper()}: {ending.message or 'all cells ran'}")
        self._display.close()


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


def environment_redactor() -> Redactor:
    """What masks the environment's secrets."""
    return Redactor(named_secrets(os.environ, os.path.exists))
