"""The one place that prints errors and chooses the exit status."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from runbook_lib import __version__, errors
from runbook_lib.cli import main as cli
from runbook_lib.errors import InterruptedRunError, RunbookError, UsageError

Ended = tuple[int, str, str]
Command = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("RUNBOOK_DEBUG", "")
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Leave a command that does `work` to the command line's main; exit status, stdout, stderr."""

    def end(work: Callable[[], object], *arguments: str) -> Ended:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.callback()(cli._options)
        app.command("work")(work)
        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(sys, "argv", ["runbook", *(arguments or ("work",))])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return end


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def all_errors() -> list[type[RunbookError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [kind for kind in found if kind is not InterruptedRunError]


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_is_two_lines_and_its_own_exit_status(command: Command, kind: type[RunbookError]) -> None:
    ended = command(raising(kind("It broke.", "Mend it.")))
    assert ended == (kind.exit_status, "", "error: It broke.\nhint: Mend it.\n")


@pytest.mark.parametrize("kind", [errors.AwsError, errors.ConfigError])
def test_a_shell_whose_lab_has_ended_is_told_how_to_enter_one(
    command: Command, kind: type[RunbookError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_LAB_DIR", str(tmp_path))
    said = command(raising(kind("no answer", "Look.")))[2]
    enter = f'eval "$(runbook lab env --dir {tmp_path})"'
    hint = f"hint: This shell is pointed at a lab that has ended: runbook lab up, then {enter}\n"
    # What was asked wrongly has nothing to do with it.
    assert said == "error: no answer\nhint: Look.\n" + (hint if kind.exit_status == 3 else "")


def test_the_exit_statuses_are_those_that_were_promised() -> None:
    promised = {"BlockedError": 1, "EvidenceError": 1, "UsageError": 2, "ConfigError": 2, "InputError": 2,
                "AdapterError": 3, "TerraformError": 3, "StateLockedError": 3, "EngineError": 3}  # fmt: skip
    assert {name: getattr(errors, name).exit_status for name in promised} == promised


def test_an_error_without_a_remedy_has_no_hint(command: Command) -> None:
    assert command(raising(UsageError("It broke."))) == (2, "", "error: It broke.\n")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("GITLAB_CI", "")
    return tmp_path


def test_a_defect_names_the_file_that_holds_its_traceback(command: Command, temporary: Path) -> None:
    status, out, err = command(raising(ValueError("odd")))
    (file,) = temporary.iterdir()
    assert (status, out) == (3, "")
    assert err.splitlines() == [
        "error: ValueError: odd",
        f"hint: This is a defect. Report the file {file}: it holds version, command and traceback.",
    ]
    assert file.stat().st_mode & 0o077 == 0
    held = file.read_text()
    assert held.startswith(f"runbook {__version__}, Python {platform.python_version()}\nrunbook work\n")
    assert "in work" in held
    assert held.endswith("ValueError: odd\n")


def test_a_defect_shows_no_secret(command: Command, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "s3cret-of-slack")
    _, _, err = command(raising(ValueError("no channel for s3cret-of-slack")))
    (file,) = temporary.iterdir()
    assert err.startswith("error: ValueError: no channel for [MASKED]\n")
    assert "s3cret" not in file.read_text() + err


@pytest.mark.parametrize("reason", ["no room", "job"])
def test_a_defect_whose_traceback_no_file_can_keep_shows_it(
    command: Command, temporary: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "job":
        monkeypatch.setenv("GITLAB_CI", "true")
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(temporary / "nowhere"))
    status, _, err = command(raising(ValueError("odd")))
    assert status == 3
    assert "report all that follows:\nrunbook " in err.replace("Report", "report")
    assert err.endswith("ValueError: odd\n\n")
    assert list(temporary.iterdir()) == []


def test_debug_lets_the_error_through_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(cli._options)
    app.command("work")(raising(ValueError("odd")))
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["runbook", "--debug", "work"])
    with pytest.raises(ValueError, match="odd"):
        cli.main()


@pytest.mark.parametrize("status", [0, 1, 3, 143])
def test_a_command_that_leaves_with_a_status_is_believed(command: Command, status: int) -> None:
    assert command(raising(typer.Exit(status))) == (status, "", "")


def test_a_command_that_comes_to_its_end_has_passed(command: Command) -> None:
    assert command(lambda: typer.echo("answer")) == (0, "answer\n", "")


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("work", "--fast"), "error: No such option: --fast", "hint: runbook work --help shows what it takes."),
        (("wrok",), "error: No such command 'wrok'.", "hint: runbook --help shows what it takes."),
        (("work", "harder"), "error: Got unexpected extra argument", "hint: runbook work --help"),
    ],
)
def test_a_wrong_word_is_told_as_every_other_error(
    command: Command, arguments: tuple[str, ...], error: str, hint: str
) -> None:
    status, out, err = command(lambda: None, *arguments)
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith(error)
    assert lines[1].startswith(hint)


@pytest.mark.parametrize("arguments", [(), ("lab",), ("evidence",)])
def test_without_a_command_the_help_is_shown_and_the_error_is_said(arguments: tuple[str, ...]) -> None:
    ended = runbook(*arguments)
    assert (ended.returncode, ended.stderr) == (2, "error: no command is named\nhint: Name one of those above.\n")
    assert "Usage: runbook" in ended.stdout


def test_a_rejection_without_a_word_is_refused() -> None:
    ended = runbook("reject", "7", "--reason", " ")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[0] == "error: the reason is empty"


def test_an_option_without_its_value_says_where_help_is() -> None:
    ended = runbook("run", "-p")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[1] == "hint: Put --help after the command to see what it takes."


def test_a_wrong_choice_names_the_right_ones_in_plain_words() -> None:
    ended = runbook("exposure", "--plan", "plan.json", "--format", "yaml")
    assert ended.stderr.splitlines()[0] == "error: Invalid value for '--format': 'yaml' is not one of 'table', 'json'."


def test_a_notebook_that_is_not_there_is_named() -> None:
    ended = runbook("params", "nowhere.ipynb")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0] == "error: there is no notebook nowhere.ipynb"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_with_its_number(command: Command, number: signal.Signals) -> None:
    def wait() -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    status, _, err = command(wait)
    assert status == 128 + number
    assert err == f"error: stopped by signal {number.value}\n"


def runbook(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runbook_lib.cli", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_an_answer_that_nobody_reads_is_no_gate_s_no() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = runbook("--version", stdout=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


def test_every_command_of_the_design_is_there() -> None:
    shown = runbook("--help").stdout
    for name in (
        "run", "check", "exposure", "approve", "reject", "verify", "services", "evidence", "doctor", "lab", "demo",
    ):  # fmt: skip
        assert f" {name} " in shown
