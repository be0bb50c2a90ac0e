"""Which providers the lock file holds, as it is committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from runbook_lib.adapters.terraform_folder import locked_providers

AWS = "registry.terraform.io/hashicorp/aws"


def lock(*names: str) -> str:
    return "# This file is maintained automatically.\n\n" + "".join(
        f'provider "{name}" {{\n  version = "5.1.0"\n  hashes = [\n    "h1:abc",\n  ]\n}}\n\n' for name in names
    )


def test_outside_a_repository_the_file_that_lies_there_counts(tmp_path: Path) -> None:
    assert locked_providers(tmp_path) is None
    (tmp_path / ".terraform.lock.hcl").write_text(lock(AWS, "example.com/x/y"))
    assert locked_providers(tmp_path) == {AWS, "example.com/x/y"}


def test_what_init_adds_to_the_committed_file_is_not_locked(tmp_path: Path) -> None:
    stack, path = tmp_path / "stack", tmp_path / "stack/.terraform.lock.hcl"
    stack.mkdir()

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Riley", "-c", "user.email=riley@example.com")
        subprocess.run(["git", "-C", str(stack), *who, *arguments], check=True, capture_output=True)

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "nothing")
    path.write_text(lock(AWS))
    assert locked_providers(stack) is None
    git("add", "--all")
    git("commit", "--quiet", "--message", "locked")
    path.write_text(lock(AWS, "example.com/x/y"))
    assert locked_providers(stack) == {AWS}


def test_what_stands_in_a_comment_or_has_no_hash_is_not_locked(tmp_path: Path) -> None:
    text = f'/*\n{lock("example.com/x/y")}*/\nprovider "example.com/x/z" {{\n  version = "1.0.0"\n}}\n'
    (tmp_path / ".terraform.lock.hcl").write_text(text + lock(AWS))
    assert locked_providers(tmp_path) == {AWS}
