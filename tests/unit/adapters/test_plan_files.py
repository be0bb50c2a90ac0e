"""The files that a plan was made from: a change of any of them is a plan to make anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.adapters import plan_files
from runbook_lib.adapters.plan_files import files_of_plan
from runbook_lib.adapters.store import sha256_file
from runbook_lib.errors import InputError


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    folder = tmp_path / "terraform/access"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text("")
    return folder


def named(tmp_path: Path, stack: Path) -> set[str]:
    return set(files_of_plan(stack, tmp_path))


def test_all_files_of_the_stack_count_by_their_digests_and_nothing_that_terraform_left(
    tmp_path: Path, stack: Path
) -> None:
    for name in ("x.auto.tfvars", "templates/user_data.sh", "modules/web/main.tf", ".terraform/providers/p",
                 "terraform.tfstate", "terraform.tfstate.backup", "errored.tfstate", "old.tfplan", "crash.log",
                 ".terraform.lock.hcl"):  # fmt: skip
        path = stack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    found = files_of_plan(stack, tmp_path)
    below = {"main.tf", "x.auto.tfvars", "templates/user_data.sh", "modules/web/main.tf"}
    assert set(found) == {f"terraform/access/{name}" for name in below}
    assert found["terraform/access/templates/user_data.sh"] == sha256_file(stack / "templates/user_data.sh")


def test_a_module_beside_the_stack_counts_and_what_it_names(tmp_path: Path, stack: Path) -> None:
    module = tmp_path / "terraform/modules/web"
    module.mkdir(parents=True)
    (module / "main.tf").write_text('locals { page = file("${path.module}/../pages/index.html") }\n')
    pages = tmp_path / "terraform/modules/pages"
    pages.mkdir()
    (pages / "index.html").write_text("hello")
    (pages / "other.html").write_text("not named")
    (stack / ".terraform/modules").mkdir(parents=True)
    listed = {"Modules": [{"Key": "", "Dir": "."}, {"Key": "web", "Dir": "../modules/web"}]}
    (stack / ".terraform/modules/modules.json").write_text(json.dumps(listed))
    assert named(tmp_path, stack) == {
        "terraform/access/main.tf",
        "terraform/modules/web/main.tf",
        "terraform/modules/pages/index.html",
    }


@pytest.mark.parametrize(
    "text",
    [
        'source = "../../web/index.html"',
        'content = file("${path.module}/../../web/index.html")',
        'content = templatefile("${path.root}/../../web/index.html", {})',
        'data "archive_file" "x" { source_dir = "../../web" }',
        'for_each = fileset("${path.module}/../../web", "**")',
        '{"locals": {"page": "../../web/index.html"}}',
        'page = "web/index.html"',
    ],
)
def test_what_a_quoted_text_names_outside_of_the_stack_counts(tmp_path: Path, stack: Path, text: str) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/index.html").write_text("hello")
    (stack / ("main.tf.json" if text.startswith("{") else "extra.tf")).write_text(text)
    assert "web/index.html" in named(tmp_path, stack)


def test_a_file_far_away_counts_by_its_whole_path(tmp_path: Path, stack: Path) -> None:
    far = tmp_path / "far.txt"
    far.write_text("x")
    (stack / "extra.tf").write_text(f'page = "{far}"')
    assert str(far) in files_of_plan(stack, stack)


def test_texts_that_are_no_paths_harm_nothing(tmp_path: Path, stack: Path) -> None:
    odd = ["", ".", "/", "..", "x" * 5000, "a\\u0000b", "${var.x}/y", "a/" * 400, "~root", "\\xff"]
    (stack / "extra.tf").write_text("\n".join(f'x = "{text}"' for text in odd))
    assert named(tmp_path, stack) == {"terraform/access/main.tf", "terraform/access/extra.tf"}


def test_a_stack_that_reads_a_whole_disk_is_told_so(
    tmp_path: Path, stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_files, "_MOST", 3)
    for number in range(3):
        (stack / f"{number}.tf").write_text("")
    with pytest.raises(InputError, match="more than 3 files"):
        files_of_plan(stack, tmp_path)
