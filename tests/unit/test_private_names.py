"""What is used of the Jupyter packages beyond what they promise: all of it, why, and whether it is still there."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

from runbook_lib.engine import kernel_setup
from runbook_lib.engine.client import CellClient
from runbook_lib.engine.fork_provisioner import ForkProvisioner

ROOT = Path(__file__).parents[2]
PACKAGES = ("ipykernel", "jupyter_client", "nbclient", "nbconvert", "papermill")


class Name(NamedTuple):
    """`owner` is the class that has it, `file` where it is used below runbook_lib."""

    owner: str
    name: str
    file: str
    why: str


STREAM = "ipykernel.iostream.OutStream"
CLIENT = "nbclient.client.NotebookClient"
PROVISIONER = "jupyter_client.provisioning.local_provisioner.LocalProvisioner"
SHELL = "ipykernel.zmqshell.ZMQInteractiveShell"
HANDLERS = "papermill.iorw.PapermillIO"
SETUP = "engine/kernel_setup.py"
PRIVATE = (
    Name(STREAM, "_fid", SETUP, "nothing says whether a child's output still waits in the pipe"),
    Name(STREAM, "_flush_pending", SETUP, "nothing says whether there is anything to flush"),
    Name(STREAM, "_subprocess_flush_pending", SETUP, "the same, for what children wrote"),
    Name(STREAM, "_original_stdstream_copy", SETUP, "no option keeps children's output out of the kernel's own"),
    Name(STREAM, "_original_stdstream_fd", SETUP, "the descriptor that is watched is given by no method"),
    Name(STREAM, "_buffers", SETUP, "text is held by the cell that wrote it: no hook sees it before it is sent"),
    Name(STREAM, "_buffer_lock", SETUP, "the same"),
    Name(STREAM, "_rotate_buffers", SETUP, "the same"),
    Name(STREAM, "_flush_buffers", SETUP, "no hook is called before what is flushed goes to another thread"),
    Name(STREAM, "_parent_header_global", SETUP, "no method says which cell a thread's output belongs to"),
    Name(SHELL, "_showtraceback", SETUP, "an error is shown without a traceback by no method"),
)
# Without an underscore, yet in no documentation.
UNDOCUMENTED = (
    Name(CLIENT, "output_hook_stack", "engine/client.py", "no method says whether a widget takes a cell's output"),
    Name(CLIENT, "clear_before_next_output", "engine/client.py", "how clear_output(wait=True) is remembered"),
    Name(CLIENT, "reset_execution_trackers", "engine/execution.py", "what execute() does first; we execute by cells"),
    Name(CLIENT, "process_message", "engine/client.py", "outputs are masked as they come: no hook sees them"),
    Name(CLIENT, "clear_output", "engine/client.py", "the same"),
    Name(PROVISIONER, "process", "engine/fork_provisioner.py", "only a Popen is foreseen, here it is a forked child"),
    Name(PROVISIONER, "pgid", "engine/fork_provisioner.py", "interrupts go to the group, whose leader it is"),
    # The adapter for Slack has one of that name.
    Name(HANDLERS, "_handlers", "engine/destination.py", "a handler is registered, and can't be withdrawn"),
)
# Of other packages, and of Python.
OTHERS = {"_can_retry", "_exit"}


@pytest.mark.parametrize("row", [*PRIVATE, *UNDOCUMENTED], ids=lambda row: row.name)
def test_every_name_is_still_where_it_was(row: Name) -> None:
    module, _, owner = row.owner.rpartition(".")
    source = inspect.getsource(getattr(importlib.import_module(module), owner))
    assert re.search(rf"\b(self\.|def ){row.name}\b|^    {row.name}\b.*=", source, re.MULTILINE)


@pytest.mark.parametrize("row", [*PRIVATE, *UNDOCUMENTED], ids=lambda row: row.name)
def test_every_name_of_the_table_is_used_where_it_says(row: Name) -> None:
    assert re.search(rf"\b{row.name}\b", (ROOT / "runbook_lib" / row.file).read_text())


def test_no_private_name_is_used_that_is_not_in_the_table() -> None:
    trees = [ast.parse(path.read_text()) for path in sorted((ROOT / "runbook_lib").rglob("*.py"))]
    # What a kernel is told is Python as well.
    trees.append(ast.parse(kernel_setup._SETUP))
    own = {name for tree in trees for name in defined(tree)}
    used = {name for tree in trees for name in looked_up(tree)}
    assert used - own - OTHERS == {row.name for row in PRIVATE}


@pytest.mark.parametrize("ours", [CellClient, ForkProvisioner])
def test_no_private_method_is_overridden(ours: type) -> None:
    theirs = {name for base in ours.__mro__[1:] for name in vars(base) if private(name)}
    assert {name for name in vars(ours) if private(name)} & theirs <= TRAITLETS


# What traitlets itself puts into every class.
TRAITLETS = {"_all_trait_default_generators", "_descriptors", "_instance_inits", "_static_immutable_initial_values"} | {
    "_trait_default_generators", "_traits", "_abc_impl"
}  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_each_of_these_packages_has_an_upper_bound_that_the_installed_one_keeps(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {found.name: found for found in map(Requirement, project["dependencies"])}[package]
    assert any(bound.operator == "<" for bound in wanted.specifier)
    assert version(package) in wanted.specifier


def private(name: object) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"_[a-z][a-z0-9_]*", name))


def defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self")):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def looked_up(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if private(name):
                yield name
            case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]):
                if private(name):
                    yield name
