"""A job's installation: by uv, from hashed locks, with nothing that only a desk needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_lib.job_installation import LOCK, PROGRAM_LOCK, commands, main
from runbook_lib.packaged import packaged

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)
DESK = {
    "jupyter",
    "jupyterlab",
    "notebook",
    "pandas",
    "jedi",
    "parso",
    "debugpy",
    "moto",
    "fastapi",
    "mkdocs",
    "pytest",
}


def pins(name: str) -> dict[str, str]:
    return dict(PINNED.findall(packaged(name).read_text()))


def test_a_job_s_lock_holds_nothing_that_only_a_desk_needs() -> None:
    assert {"ipykernel", "papermill", "matplotlib", "boto3", "slack-sdk"} <= set(pins(LOCK))
    assert DESK & set(pins(LOCK)) == set()


@pytest.mark.parametrize("name", [LOCK, PROGRAM_LOCK])
def test_the_locks_agree_on_every_version(name: str) -> None:
    everything = pins("requirements.lock")
    assert {package: version for package, version in pins(name).items() if everything.get(package) != version} == {}


def test_each_command_takes_hashes_and_resolves_nothing(tmp_path: Path) -> None:
    fetch, install, itself = [words for words, _ in commands(tmp_path / ".venv", ["x.whl"], tmp_path / ".cache", {})]
    assert fetch[:3] == [sys.executable, "-m", "pip"]
    assert install[0] == itself[0] == str(tmp_path / ".cache/uv-program/bin/uv")
    assert all("--require-hashes" in words for words in (fetch, install))
    assert all("--no-deps" in words for words in (fetch, install, itself))
    assert itself[-1] == "x.whl"


def test_uv_is_fetched_once_and_everything_is_kept_in_the_job_s_cache(tmp_path: Path) -> None:
    uv = tmp_path / ".cache/uv-program/bin/uv"
    uv.parent.mkdir(parents=True)
    uv.touch()
    found = commands(tmp_path / ".venv", ["x.whl"], tmp_path / ".cache", {"PYTHONPATH": "package", "HOME": "/home/me"})
    assert [words[0] for words, _ in found] == [str(uv), str(uv)]
    for _, environment in found:
        assert environment["UV_CACHE_DIR"].startswith(str(tmp_path / ".cache"))
        assert "PYTHONPATH" not in environment
        assert environment["HOME"] == "/home/me"


def test_the_first_failure_ends_it_with_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / ".cache/uv-program/bin/uv"
    uv.parent.mkdir(parents=True)
    uv.write_text("#!/bin/sh\necho called >> calls\nexit 7\n")
    uv.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert main([".venv", "x.whl"]) == 7
    assert (tmp_path / "calls").read_text() == "called\n"


def test_without_a_package_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([".venv"]) == 2
    assert "hint:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_it_needs_the_standard_library_alone() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import runbook_lib.job_installation"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_benchmark_s_limit_is_the_one_that_is_promised() -> None:
    text = (ROOT / "benchmarks/bench_install.py").read_text()
    assert "LIMIT_MB = 300" in text
