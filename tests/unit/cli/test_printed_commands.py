"""Every command that an error tells a person to run is one that there is."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.cli.main import app

PACKAGE = Path(__file__).parents[3] / "runbook_lib"
COMMAND = re.compile(r"`(runbook|terraform) ([^`]*)`")
TERRAFORM = {"show", "validate", "state pull", "plan"}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that are no docstrings, a word in place of each value in them."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    own = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    docs = {id(first.value) for first in own if isinstance(first, ast.Expr)}
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(value) for node in joined for value in node.values}
    for node in joined:
        parts = (str(part.value) if isinstance(part, ast.Constant) else "VALUE" for part in node.values)
        yield node.lineno, "".join(parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docs | inside):
            yield node.lineno, node.value


def commands(program: str) -> list[str]:
    found = {
        match[2]
        for path in PACKAGE.rglob("*.py")
        if "lab" not in path.relative_to(PACKAGE).parts
        for _, text in texts(path)
        for match in COMMAND.finditer(text)
        if match[1] == program
    }
    return sorted(found)


@pytest.mark.parametrize("command", commands("runbook"))
def test_a_printed_command_of_ours_takes_what_it_is_given(command: str) -> None:
    words = [word for word in shlex.split(command.replace("unlockVALUE", "unlock")) if word != "…"]
    if words == ["--version"]:
        return
    current = typer.main.get_command(app)
    named: list[str] = []
    while words and words[0] in getattr(current, "commands", {}):
        named.append(words.pop(0))
        current = current.commands[named[-1]]  # type: ignore[attr-defined]
    assert named, command
    assert not hasattr(current, "commands"), f"runbook {command} is not a whole command"
    known = {option for parameter in current.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
    assert CliRunner().invoke(app, [*named, "--help"]).exit_code == 0


def test_there_are_printed_commands_and_none_of_terraform_s_needs_an_address() -> None:
    assert len(commands("runbook")) > 5
    for command in commands("terraform"):
        assert any(command.startswith(known) for known in TERRAFORM), command
        assert not command.startswith(("force-unlock", "state push"))
