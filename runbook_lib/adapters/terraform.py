"""Terraform, or OpenTofu, by its command line."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import TerraformError
from .interrupts import ForwardedInterrupt
from .terraform_binary import TerraformBinary, without_backend
from .terraform_errors import Diagnostic, map_failure
from .transcript import Transcript

__all__ = ["Completed", "Terraform"]

# Credentials never stand in an argument list, where `ps` and the plan file would show them: environment only.
COMMON = ("-input=false", "-no-color")
# Terraform and the provider each read a schema of many megabytes and throw most of it away: at Go's usual pace a third
# of their work is collecting that garbage. A heap of five times what lives is still small.
PACE = {"GOGC": "400"}
# Commands that read no state: they start providers, which inherit what they are given.
STATELESS = frozenset({"show", "validate", "version"})


@dataclass(frozen=True)
class Completed:
    """A command that ended: its status and what it wrote."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Terraform:
    """Commands on one root module, of the stack that remedies name. `on_line` gets each line of output as it comes.

    `meanwhile` is called while each command works, in the thread that waits for it; it raises nothing.
    """

    directory: Path
    binary: TerraformBinary
    environment: Mapping[str, str]
    on_line: Callable[[str], None] = field(default=lambda line: None)
    meanwhile: Callable[[], object] = field(default=lambda: None)
    stack: str = ""

    def init(self, *options: str) -> None:
        """Prepare the folder: providers and backend."""
        self.run("init", *COMMON, *options)

    def validate(self) -> tuple[Diagnostic, ...]:
        """Check syntax and types against the providers' schemas; the errors found, none if it is valid."""
        done = self.run("validate", "-json", check=False, quiet=True)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise map_failure("validate", done.status, done.stderr + done.stdout) from None
        return tuple(_diagnostic(item) for item in report.get("diagnostics", []) if item.get("severity") == "error")

    def plan(self, out: Path, *options: str) -> str:
        """Write the plan to `out` and give the text that a person reads."""
        return self.run("plan", *COMMON, f"-out={out}", *options).stdout

    def plan_differs(self, out: Path, *options: str) -> bool:
        """Whether repository and state (refreshed from the provider) differ; the plan is left in `out`."""
        done = self.run("plan", *COMMON, "-detailed-exitcode", f"-out={out}", *options, check=False)
        if done.status not in {0, 2}:
            raise map_failure("plan", done.status, done.stderr, self.stack)
        return done.status == 2

    def show_plan(self, plan: Path) -> str:
        """The plan as Terraform's JSON text."""
        return self.run("show", "-json", "-no-color", str(plan), quiet=True).stdout

    def apply(self, plan: Path, *options: str) -> Completed:
        """Apply that saved plan and nothing else; JSON lines on stdout. The status is the caller's to judge."""
        return self.run("apply", "-json", "-input=false", *options, str(plan), check=False)

    def state_push(self, file: Path) -> None:
        """Upload a state; Terraform refuses one of another lineage, or an older one."""
        self.run("state", "push", str(file))

    def force_unlock(self, lock_id: str) -> None:
        """Take a lock away."""
        self.run("force-unlock", "-force", lock_id)

    def state_pull(self) -> dict[str, Any]:
        """The state document, empty if there is no state yet."""
        text = self.run("state", "pull", quiet=True).stdout
        try:
            return dict(json.loads(text)) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            raise TerraformError(f"the state is no JSON: {error}", "Look at the state's last version.") from error

    def output(self) -> dict[str, Any]:
        """The outputs by name, as `terraform output -json` writes them."""
        return dict(json.loads(self.run("output", "-json", "-no-color", quiet=True).stdout))

    def run(self, *arguments: str, check: bool = True, quiet: bool = False) -> Completed:
        """Run one command to its end; on an interrupt it gets exactly one SIGINT and is waited for."""
        with Transcript() as out, Transcript() as err, ForwardedInterrupt() as interrupt:
            process = self._start(arguments, out.file, err.file)
            interrupt.watch(process)
            with contextlib.ExitStack() as following:
                for transcript in () if quiet else (out, err):
                    following.enter_context(transcript.followed(self.on_line))
                self.meanwhile()
                process.wait()
            completed = Completed(process.returncode, out.text(), err.text())
        if check and completed.status:
            raise map_failure(arguments[0], completed.status, completed.stderr or completed.stdout, self.stack)
        return completed

    def _variables(self, arguments: Sequence[str]) -> Mapping[str, str]:
        # Where a backend was made ready before, Terraform reads the state even so.
        made_ready = (self.directory / ".terraform/terraform.tfstate").exists()
        stateless = arguments[0] in STATELESS or ("-backend=false" in arguments and not made_ready)
        return without_backend(self.environment) if stateless else self.environment

    def _start(self, arguments: Sequence[str], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self.binary.command, *arguments],
                cwd=self.directory,
                env={**PACE, **self._variables(arguments)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # An interrupted kernel's whole process group gets SIGINT. Terraform would take that and ours for two,
                # and a second one kills it with the state locked: in a session of its own it gets ours alone.
                start_new_session=True,
            )
        except OSError as error:
            raise TerraformError(
                f"{self.binary.command[0]} can't be started: {error}", "Check RUNBOOK_TERRAFORM."
            ) from error


def _diagnostic(item: Mapping[str, Any]) -> Diagnostic:
    place = item.get("range") or {}
    line = int(place["start"]["line"]) if place.get("filename") else 0
    detail = " ".join(str(item.get("detail") or "").split())
    return Diagnostic(str(item.get("summary")), detail, str(place.get("filename") or ""), line)
