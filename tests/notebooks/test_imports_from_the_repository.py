"""Kernels and the command import nothing that merely lies in the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.engine.forking import ForkServer
from runbook_lib.engine.kernels import KernelRequest, kernel_environment, start_kernel
from runbook_lib.engine.loop import LoopThread

ROOT = Path(__file__).parents[2]
HOSTILE = 'import os, pathlib\npathlib.Path(os.environ["MARK"]).open("a").write(__name__ + "\\n")\n'
FILES = (
    "boto3.py",
    "sitecustomize.py",
    "usercustomize.py",
    "ipython_config.py",
    "ipython_kernel_config.py",
    "pandas/__init__.py",
    "typer.py",
    "runbook_lib/__init__.py",
    "runbook_lib/cli/__init__.py",
    "runbook_lib/cli/__main__.py",
    "runbook_lib/engine/__init__.py",
    "runbook_lib/engine/fork_server.py",
    "home/.ipython/profile_default/startup/00.py",
    "home/.ipython/profile_default/ipython_config.py",
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy full of files that look like libraries, and a home with a profile of IPython's."""
    folder = tmp_path / "repository"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(HOSTILE)
    (folder / "own").mkdir()
    (folder / "own/ours.py").write_text("answer = 42\n")
    (folder / "own/boto3.py").write_text(HOSTILE)
    monkeypatch.setenv("MARK", str(tmp_path / "executed"))
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    return folder


def executed(repository: Path) -> str:
    mark = repository.parent / "executed"
    return mark.read_text() if mark.exists() else ""


@pytest.fixture(params=["started", "forked"])
def server(request: pytest.FixtureRequest, repository: Path) -> Iterator[ForkServer | None]:
    if request.param == "started":
        yield None
        return
    with ForkServer(("boto3",), repository, kernel_environment({})) as made:
        yield made


def ask(request: KernelRequest, server: ForkServer | None, code: str) -> str:
    """What a kernel prints."""
    with LoopThread() as loop:
        kernel = loop.run(start_kernel(request, server))
        try:
            return str(loop.run(_printed(kernel, code)))
        finally:
            loop.run(kernel.leave())


async def _printed(kernel: object, code: str) -> str:
    client = kernel.client  # type: ignore[attr-defined]
    asked, text = client.execute(code), ""
    while True:
        message = await client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        if message["msg_type"] == "error":
            text += message["content"]["ename"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return text


def test_kernels_import_what_is_installed_and_execute_nothing_of_the_repository(
    repository: Path, server: ForkServer | None
) -> None:
    code = "import boto3, pandas, runbook_lib.cli, sys, os\nprint(boto3.__file__, runbook_lib.__file__, os.getcwd())"
    said = ask(KernelRequest("python3", repository), server, code)
    assert executed(repository) == ""
    boto3, package, folder = said.split()
    assert str(repository) not in boto3 + package
    assert folder == str(repository)


def test_a_folder_that_the_runbook_names_may_be_imported_from_after_all_that_is_installed(
    repository: Path, server: ForkServer | None
) -> None:
    code = "import ours, boto3\nprint(ours.answer)"
    assert ask(KernelRequest("python3", repository), server, code).strip() == "ModuleNotFoundError"
    request = KernelRequest("python3", repository, import_from=(str(repository / "own"),))
    assert ask(request, server, code).strip() == "42"
    assert executed(repository) == ""


def test_a_kernel_that_is_not_isolated_is_as_any_of_jupyters(repository: Path) -> None:
    # For papermill without a runbook: its users import what lies beside, and have profiles.
    code = "import ours\nprint(ours.answer)"
    request = KernelRequest("python3", repository / "own", isolated=False)
    assert ask(request, None, code).strip() == "42"
    assert "__main__" in executed(repository).split(), "the startup file of the profile"


@pytest.mark.parametrize("command", [["-P", "-m", "runbook_lib.cli"], ["-c", "from runbook_lib.cli.main import main"]])
def test_the_command_imports_nothing_of_the_repository(repository: Path, command: list[str]) -> None:
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, *command, "--version"], cwd=repository, env=environment, check=False)
    assert (done.returncode, executed(repository)) == (0, "")


def test_the_module_looks_for_no_library_beside_the_notebooks(repository: Path) -> None:
    # Who starts it by `python -m` in a repository that has no package of ours.
    for name in ("runbook_lib/engine/fork_server.py", "runbook_lib/cli/__main__.py", "runbook_lib/cli/__init__.py",
                 "runbook_lib/engine/__init__.py", "runbook_lib/__init__.py"):  # fmt: skip
        (repository / name).unlink()
    for name in ("runbook_lib/engine", "runbook_lib/cli", "runbook_lib"):
        (repository / name).rmdir()
    command = [sys.executable, "-m", "runbook_lib.cli", "--version"]
    done = subprocess.run(command, cwd=repository, check=False)
    assert (done.returncode, executed(repository)) == (0, "")
