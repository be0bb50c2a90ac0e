"""A job's installation: by uv, from hashed locks, with nothing that only a desk needs."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook_lib.job_installation import LOCK, PROGRAM_LOCK, TERRAFORM_LOCK, commands, main
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


def words_of(folder: Path, **environ: str) -> list[list[str]]:
    """The commands of an installation into the folder, where these are all variables."""
    return [words for words, _ in commands(folder / ".venv", ["x.whl"], folder / ".cache", environ)]


def uv_in(folder: Path) -> Path:
    """Where uv itself is kept, named by its lock."""
    digest = hashlib.sha256((ROOT / PROGRAM_LOCK).read_bytes()).hexdigest()
    return folder / f".cache/uv-program-{digest[:12]}/bin/uv"


def test_a_job_s_lock_holds_nothing_that_only_a_desk_needs() -> None:
    assert {"ipykernel", "papermill", "matplotlib", "boto3", "slack-sdk"} <= set(pins(LOCK))
    assert DESK & set(pins(LOCK)) == set()


@pytest.mark.parametrize("name", [LOCK, PROGRAM_LOCK])
def test_the_locks_agree_on_every_version(name: str) -> None:
    everything = pins("requirements.lock")
    assert {package: version for package, version in pins(name).items() if everything.get(package) != version} == {}


def test_each_command_takes_hashes_and_resolves_nothing(tmp_path: Path) -> None:
    fetch, install, itself = words_of(tmp_path, RUNBOOK_TERRAFORM="terraform")
    assert fetch[:3] == [sys.executable, "-m", "pip"]
    assert install[0] == itself[0] == str(uv_in(tmp_path))
    assert all("--require-hashes" in words for words in (fetch, install))
    assert all("--no-deps" in words for words in (fetch, install, itself))
    assert itself[-1] == "x.whl"


def test_uv_is_fetched_once_and_everything_is_kept_in_the_job_s_cache(tmp_path: Path) -> None:
    uv = uv_in(tmp_path)
    uv.parent.mkdir(parents=True)
    uv.touch()
    environ = {"PYTHONPATH": "package", "HOME": "/home/me", "RUNBOOK_TERRAFORM": "tofu"}
    found = commands(tmp_path / ".venv", ["x.whl"], tmp_path / ".cache", environ)
    assert [words[0] for words, _ in found] == [str(uv), str(uv)]
    for _, environment in found:
        assert environment["UV_CACHE_DIR"].startswith(str(tmp_path / ".cache"))
        assert "PYTHONPATH" not in environment
        assert environment["HOME"] == "/home/me"


@pytest.mark.parametrize("name", ["terraform", "tofu", ""])
def test_a_job_without_a_terraform_gets_the_one_of_a_package_by_its_hash(tmp_path: Path, name: str) -> None:
    if name:
        (tmp_path / name).touch(mode=0o755)
    locks = [Path(words[-1]).name for words in words_of(tmp_path, PATH=str(tmp_path)) if "-r" in words]
    assert locks[1:] == ([LOCK] if name else [LOCK, TERRAFORM_LOCK])


def test_uv_looks_where_pip_is_told_to_look_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    told = {
        "PIP_INDEX_URL": "https://ci:secret@in/simple",
        "PIP_EXTRA_INDEX_URL": "https://more/simple",
        "PIP_CERT": "a.pem",
    }
    (words, kept), *_ = commands(tmp_path, ["x.whl"], tmp_path, told | {"SSL_CERT_FILE": "b.pem"})
    assert (kept["UV_DEFAULT_INDEX"], kept["UV_INDEX"]) == (told["PIP_INDEX_URL"], told["PIP_EXTRA_INDEX_URL"])
    assert (kept["SSL_CERT_FILE"], "secret" in " ".join(words)) == ("b.pem", False)


@pytest.mark.parametrize(
    ("store", "given", "kept"),
    [
        ("a file", {}, "true"),
        ("a folder", {}, "true"),
        # An image may trust nobody: then the authorities that uv brings are all that there is.
        ("an empty folder", {}, None),
        ("", {}, None),
        ("a file", {"SSL_CERT_FILE": "b.pem"}, None),
        ("a file", {"PIP_CERT": "b.pem"}, None),
        ("a file", {"UV_SYSTEM_CERTS": "false"}, "false"),
    ],
)
def test_uv_trusts_whom_the_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, given: dict[str, str], kept: str | None
) -> None:
    if store == "a folder":
        (tmp_path / "a.0").touch()
    folder = str(tmp_path) if "folder" in store else None
    paths = SimpleNamespace(cafile="ca.pem" if store == "a file" else None, capath=folder)
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: paths)
    for _, environment in commands(tmp_path / ".venv", ["x.whl"], tmp_path / ".cache", given):
        assert environment.get("UV_SYSTEM_CERTS") == kept


def test_the_first_failure_ends_it_with_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = uv_in(tmp_path)
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
