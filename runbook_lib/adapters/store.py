"""The run folder: outputs/<run_id>/. Every write is atomic, so a reader never meets half a file."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import re
import stat
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import InputError, UsageError
from ..models.results import Artifact, StepResult
from ..models.run import Run
from ..models.steps import BUILT_IN, RunStep, find_step
from .atomic import cannot_write, write_atomic

__all__ = ["RUN_ID", "RunStore", "sha256_file"]

ModelT = TypeVar("ModelT", bound=BaseModel)
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MEDIA_TYPES = {
    ".ipynb": "application/x-ipynb+json",
    ".jsonl": "application/jsonl",
    ".tfplan": "application/zip",
    ".sarif": "application/sarif+json",
}


def sha256_file(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _again(relative: str) -> str:
    folder, slash, _ = relative.partition("/")
    step = folder.partition("_")[2]
    if slash and step:
        return f"Restore it from the artifacts, or run the step {step} again."
    return "It is half written or was changed: restore it from the artifacts, or begin a new run."


class RunStore:
    """The files of one run. Paths are relative to the run folder; `mask` removes secrets from every text written."""

    def __init__(self, outputs: Path, run_id: str, mask: Callable[[str], str] | None = None) -> None:
        if not RUN_ID.fullmatch(run_id):
            raise UsageError(
                f"run id {run_id!r} can't name a folder", "Use letters, digits, '.', '_' and '-', 100 at most."
            )
        self.outputs = outputs
        self.run_id = run_id
        self.dir = outputs / run_id
        self._mask = mask or (lambda text: text)
        self._steps: tuple[RunStep, ...] = ()
        self._parsed: dict[str, StepResult] = {}

    def path(self, relative: str) -> Path:
        """The absolute path of a file of this run; UsageError if it would lie outside the run folder."""
        path = (self.dir / relative).resolve()
        if not path.is_relative_to(self._resolved):
            raise UsageError(f"{relative!r} lies outside the run folder", "Name a file inside it.")
        return path

    @cached_property
    def _resolved(self) -> Path:
        # Once: to follow every folder above takes longer than to read most of the files.
        return self.dir.resolve()

    @property
    def steps(self) -> tuple[RunStep, ...]:
        """The run's steps, as run.json has them; the built-in ones as long as there is no run.json."""
        if not self._steps:
            try:
                self._steps = self.read_model("run.json", Run).steps
            except InputError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                return BUILT_IN
        return self._steps

    def folder(self, step: str) -> str:
        """The name of a step's folder, as `02_plan`; UsageError if the run has no such step."""
        found = find_step(self.steps, step)
        if found is None:
            names = ", ".join(step.name for step in self.steps)
            raise UsageError(f"run {self.run_id} has no step {step!r}", f"Its steps are {names}; or begin a new run.")
        return found.folder

    def file(self, step: str, name: str) -> str:
        """The path, inside the run folder, of a file of a step."""
        return f"{self.folder(step)}/{name}"

    def step_dir(self, step: str) -> Path:
        """The step's folder, made if need be."""
        folder = self.dir / self.folder(step)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def exists(self, relative: str) -> bool:
        """Whether the file is there."""
        return self.path(relative).is_file()

    def write_bytes(self, relative: str, data: bytes) -> Path:
        """Write bytes as they are: for files that a mask would break, such as a plan."""
        path = self.path(relative)
        write_atomic(path, data)
        return path

    def write_text(self, relative: str, text: str) -> Path:
        """Write text, secrets masked."""
        return self.write_bytes(relative, self._mask(text).encode())

    def append_lines(self, relative: str, lines: Iterable[str]) -> None:
        """Add lines, secrets masked, to a file that is there for whoever comes after a process that is killed.

        The last line may be half of one then. A link is not followed: StoreError, as for a disk that refuses.
        """
        text = "".join(f"{self._mask(line)}\n" for line in lines)
        if not text:
            return
        path = self.dir / relative
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
            with os.fdopen(descriptor, "ab") as stream:
                stream.write(text.encode())
        except OSError as error:
            raise cannot_write(path, error) from error

    def write_json(self, relative: str, content: BaseModel | Any) -> Path:
        """Write a model or plain JSON data, indented, secrets masked."""
        return self.write_bytes(relative, f"{self._masked_json(content)}\n".encode())

    def masked(self, model: ModelT) -> ModelT:
        """The model as it is once it was written and read again; InputError if the masks leave none."""
        return self._model(type(model).__name__, self._masked_json(model), type(model))

    def _masked_json(self, content: BaseModel | Any) -> str:
        if isinstance(content, BaseModel):
            content = content.model_dump(mode="json")
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
        masked = self._mask(text)
        try:
            json.loads(masked)
        except ValueError:
            # A mask may reach over a text's end, where that is cut: then each text has its own.
            masked = json.dumps(self._each_masked(json.loads(text)), indent=2, ensure_ascii=False)
        return masked

    def _each_masked(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {self._mask(key): self._each_masked(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self._each_masked(value) for value in node]
        return self._mask(node) if isinstance(node, str) else node

    def read_text(self, relative: str) -> str:
        """Read text; InputError if the file is missing."""
        path = self.path(relative)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                # Whoever reads a pipe waits for somebody who writes into it.
                raise InputError(f"{self.dir / relative}: is no plain file", "Restore it from the artifacts.")
            return path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            folder, slash, _ = relative.partition("/")
            step = folder.partition("_")[2]
            remedy = f"Run the step {step} first." if slash and step else "Name a run that has it."
            raise InputError(f"run {self.run_id} has no {relative}", remedy) from error
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.dir / relative}: can't be read: {error}", "Restore it from the artifacts."
            ) from error

    def read_json(self, relative: str) -> Any:
        """Read JSON data; InputError if it is missing or broken."""
        try:
            return json.loads(self.read_text(relative))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.dir / relative}: is no JSON: {error}", _again(relative)) from error

    def read_model(self, relative: str, model: type[ModelT]) -> ModelT:
        """Read one model; InputError if the file is missing or not what it should be."""
        return self._model(relative, self.read_text(relative), model)

    def _model(self, relative: str, text: str, model: type[ModelT]) -> ModelT:
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
            said = "is no JSON" if first["type"] == "json_invalid" else str(first["msg"])
            raise InputError(f"{self.dir / relative}: {field}{said}", _again(relative)) from error

    def write_result(self, result: StepResult) -> Path:
        """Write the step's result.json."""
        return self.write_json(self.file(result.step, "result.json"), result)

    def read_result(self, step: str) -> StepResult | None:
        """The step's result, or None if it has not ended yet. Read again, it is parsed only where it changed."""
        try:
            return self._result(self.file(step, "result.json"))
        except InputError as error:
            # Not asked beforehand: a step that begins again takes its old result away while Slack is told of the run.
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def _result(self, relative: str) -> StepResult:
        # Thousands of findings may be in it, and every message about the run asks for the results of all its steps.
        text = self.read_text(relative)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest not in self._parsed:
            self._parsed[digest] = self._model(relative, text, StepResult)
        return self._parsed[digest]

    def results(self) -> tuple[StepResult, ...]:
        """The results that are there, in the order of the steps."""
        return tuple(result for step in self.steps if (result := self.read_result(step.name)))

    def artifact(self, relative: str) -> Artifact:
        """What result.json says of one file."""
        path = self.path(relative)
        media = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Artifact(path=relative, sha256=sha256_file(path), bytes=path.stat().st_size, media_type=media)

    def artifacts(self, step: str) -> tuple[Artifact, ...]:
        """All files of a step but its notebook and result, which are written later than this is asked."""
        late = {"notebook.ipynb", "notebook.html", "result.json"}
        files = sorted(path for path in self.step_dir(step).rglob("*") if path.is_file())
        keep = [path for path in files if path.name not in late and not path.name.startswith(".")]
        return tuple(self.artifact(path.relative_to(self.dir).as_posix()) for path in keep)
