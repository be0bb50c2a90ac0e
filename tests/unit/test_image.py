"""What can be said of the image without an engine to build it; `.ci/image` carries its installation out in a chroot."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "image/Dockerfile").read_text()
INSTALL = (ROOT / "image/install").read_text()


def archive(folder: Path, *names: str) -> tuple[str, str]:
    """A release's zip with these files: its address and its digest."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name in names:
            made.writestr(name, f"#!/bin/sh\necho {name}\n")
    path = folder / "release.zip"
    path.write_bytes(stream.getvalue())
    return path.as_uri(), hashlib.sha256(stream.getvalue()).hexdigest()


def fetch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "image/fetch_terraform.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["terraform", "tofu"])
def test_a_release_is_laid_down_when_its_digest_is_the_one_given(tmp_path: Path, name: str) -> None:
    url, digest = archive(tmp_path, "LICENSE.txt", name)
    assert fetch(url, digest.upper(), str(tmp_path)).returncode == 0
    assert subprocess.run([tmp_path / name], capture_output=True, text=True, check=True).stdout == f"{name}\n"
    assert not (tmp_path / "LICENSE.txt").exists()


def test_a_release_with_another_digest_is_refused_and_nothing_written(tmp_path: Path) -> None:
    url, digest = archive(tmp_path, "terraform")
    refused = fetch(url, "0" * 64, str(tmp_path))
    assert (refused.returncode, digest in refused.stderr) == (2, True)
    assert not (tmp_path / "terraform").exists()


def test_what_is_no_release_and_what_is_not_https_is_refused(tmp_path: Path) -> None:
    url, digest = archive(tmp_path, "README")
    assert "neither terraform nor tofu" in fetch(url, digest, str(tmp_path)).stderr
    assert "no https address" in fetch("http://127.0.0.1/terraform.zip", digest, str(tmp_path)).stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [({"LOCK": "nowhere.lock"}, "no lock file nowhere.lock"), ({"TERRAFORM_URL": "x"}, "TERRAFORM_SHA256 is missing")],
)  # fmt: skip
def test_the_installation_refuses_before_it_touches_the_system(variables: dict[str, str], said: str) -> None:
    # PATH is empty: whatever it tried to start would fail with another status.
    refused = subprocess.run(
        ["/bin/sh", "image/install"],
        cwd=ROOT,
        env={"PATH": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, said in refused.stderr, "hint: " in refused.stderr) == (2, True, True)


def test_its_base_is_pinned_and_its_user_is_not_root() -> None:
    assert re.search(r"^ARG BASE=debian:12\.\d+-slim$", DOCKERFILE, re.MULTILINE)
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["1000:1000"]
    assert "useradd --uid 1000 " in INSTALL
    assert DOCKERFILE.index("RUN ") < DOCKERFILE.index("USER ")


def test_all_that_it_installs_comes_from_the_lock_by_hash() -> None:
    lock = re.search(r"^ARG LOCK=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert lock
    assert "--hash=sha256:" in (ROOT / lock[1]).read_text()
    installed = re.findall(r"^ *(?:\$INSTALL|.*-m pip install --quiet --no-deps) (.+)$", INSTALL, re.MULTILINE)
    assert installed == [
        "--require-hashes -r requirements-uv.lock",
        '--require-hashes -r "$LOCK"',
        "--no-build-isolation .",
        "--require-hashes -r requirements-terraform.lock",
    ]


def test_every_argument_of_the_image_reaches_its_installation() -> None:
    names = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE)) - {"BASE"}
    assert names == {"LOCK", "TERRAFORM_URL", "TERRAFORM_SHA256", "PROVIDERS"}
    assert all(f'{name}="${{{name}}}"' in DOCKERFILE and f"${{{name}" in INSTALL for name in names)


def test_nothing_secret_of_a_working_copy_comes_near_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", "outputs", ".lab", "**/*.pem", "**/*.key", "**/*.tfstate*", "**/*.tfplan"} <= set(ignored)
