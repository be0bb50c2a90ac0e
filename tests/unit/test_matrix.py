"""Which Pythons `make matrix` finds, and that none which it can't test passes for tested."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
Fake = Callable[..., Path]


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("matrix", str(ROOT / ".ci/matrix"))
    spec = importlib.util.spec_from_loader("matrix", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["matrix"] = module
    loader.exec_module(module)
    return module


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A program that answers as the Python of a version would, and can do nothing else."""

    def make(version: str, folder: str = "bin", kind: str = "CPython", name: str = "python3") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n[ "$1" = -I ] || exit 1\nprintf "{kind}\\n{version}\\n{path}\\n"\n')
        path.chmod(0o755)
        return path

    return make


def test_each_version_is_found_once_and_the_oldest_comes_first(matrix: ModuleType, fake: Fake) -> None:
    system, newer, again = fake("3.11.2", "system"), fake("3.12.10", "a"), fake("3.11.2", "b")
    old = fake("3.12.9", "c")
    found = matrix.find_pythons([system, newer, again, old])
    assert list(found.items()) == [("3.11.2", system), ("3.12.9", old), ("3.12.10", newer)]


def test_what_is_left_out_is_said_with_the_reason(
    matrix: ModuleType, fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    broken.chmod(0o755)
    assert matrix.find_pythons([fake("3.10.13", "a"), fake("3.11.9", "b", "PyPy"), broken]) == {}
    said = capsys.readouterr().err
    assert "it is CPython 3.10.13" in said
    assert "it is PyPy 3.11.9" in said
    assert f"{broken}: left out, it does not start: no such library" in said


def test_a_python_of_an_environment_stands_for_the_one_that_made_it(matrix: ModuleType) -> None:
    found = matrix.find_pythons([Path(sys.executable)])
    assert list(found) == [platform.python_version()]
    assert not found[platform.python_version()].is_relative_to(sys.prefix)


def test_pythons_are_looked_for_on_path_and_among_those_of_pyenv_but_not_behind_its_shims(
    matrix: ModuleType, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path, beside = fake("3.11.2", "bin"), fake("3.11.2", "bin", name="python3.11")
    fake("3.11.2", "bin", name="python3-config")
    shim = fake("3.12.1", "pyenv/shims")
    own = fake("3.12.1", "pyenv/versions/3.12.1/bin")
    monkeypatch.setenv("PATH", f"{shim.parent}:{on_path.parent}:{tmp_path / 'nowhere'}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    found = [path for path in matrix.candidates() if path.is_relative_to(tmp_path)]
    assert found == [on_path, beside, own]


def test_a_python_that_can_make_no_environment_has_failed_and_the_remedy_is_said(
    matrix: ModuleType, fake: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "candidates", lambda: [fake("3.11.2")])
    monkeypatch.setattr(sys, "argv", ["matrix"])
    assert matrix.main() == 1
    said = capsys.readouterr()
    assert "apt-get install python3.11-venv" in said.err
    assert said.out.splitlines()[-1] == "0 passed, 1 failed"
    assert said.out.splitlines()[1].split()[:3] == ["3.11.2", "not", "tested"]


def test_what_make_test_has_tested_is_named_so_and_counted(
    matrix: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "candidates", lambda: [Path(sys.executable)])
    monkeypatch.setattr(sys, "argv", ["matrix", "--skip-venv"])
    assert matrix.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [platform.python_version(), "make", "test", "make", "test", "0"]
    assert lines[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize(("failing", "status"), [("python", 1), ("runbook", 1), ("", 0)])
def test_a_python_has_passed_when_unit_tests_and_demo_have(
    matrix: ModuleType, fake: Fake, monkeypatch: pytest.MonkeyPatch, failing: str, status: int
) -> None:
    for name in ("python", "runbook"):
        path = fake("", "venv/bin", name=name)
        path.write_text(f"#!/bin/sh\necho '7 passed in 1 s'\nexit {3 if name == failing else 0}\n")
    monkeypatch.setattr(matrix, "candidates", lambda: [fake("3.11.2")])
    monkeypatch.setattr(matrix, "make_venv", lambda version, python: path.parents[1])
    monkeypatch.setattr(sys, "argv", ["matrix"])
    assert matrix.main() == status


@pytest.mark.parametrize(
    ("user", "folder", "installs"), [(0, "/usr/bin", True), (0, "/opt", False), (7, "/usr/bin", False)]
)
def test_root_gets_what_debian_s_python_lacks_and_everybody_else_is_told(
    matrix: ModuleType, monkeypatch: pytest.MonkeyPatch, user: int, folder: str, installs: bool
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(matrix.subprocess, "run", run)
    monkeypatch.setattr(matrix.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(matrix.os, "geteuid", lambda: user)
    if installs:
        matrix.install_venv_module("3.11.2", Path(folder, "python3.11"))
        assert [command[1] for command in commands] == ["update", "install"]
        assert commands[-1][-1] == "python3.11-venv"
    else:
        with pytest.raises(matrix.UntestableError, match=r"apt-get install python3\.11-venv"):
            matrix.install_venv_module("3.11.2", Path(folder, "python3.11"))
        assert commands == []
