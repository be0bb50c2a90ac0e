"""A copy that nobody else can change, of a plain file and of nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.adapters.private_copy import PrivateFolder
from runbook_lib.errors import InputError


def test_a_copy_is_this_user_s_alone_and_goes_with_its_folder(tmp_path: Path) -> None:
    source = tmp_path / "plan.tfplan"
    source.write_bytes(b"a plan")
    folder = PrivateFolder()
    copy = folder.copy(source)
    source.write_bytes(b"another plan")
    assert (copy.read_bytes(), copy.parent.stat().st_mode & 0o777) == (b"a plan", 0o700)
    del folder
    assert not copy.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not for you")
    (tmp_path / "plan.tfplan").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=r"plan\.tfplan can't be read"):
        PrivateFolder().copy(tmp_path / "plan.tfplan")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plan.tfplan")
    with pytest.raises(InputError, match="no plain file"):
        PrivateFolder().copy(tmp_path / "plan.tfplan")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plan\.tfplan can't be read: No such file"):
        PrivateFolder().copy(tmp_path / "plan.tfplan")
