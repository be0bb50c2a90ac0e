"""What is kept beside a step's own files: policies and sources as they were, and the answers of those who vouched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from step_fakes import NOW, built_in

from runbook_lib.adapters.heard import hear
from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.kept import keep_answer, keep_governing, keeping_answers


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run) -> StepContext:
    return StepContext(built_in("plan"), settings, store, run, NOW, clock=lambda: NOW)


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=riley", "-c", "user.email=riley@example.com"]
    done = subprocess.run(["git", "-C", str(root), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_policies_waivers_and_configuration_are_kept_byte_by_byte(context: StepContext, root: Path) -> None:
    (root / "terraform/access/.terraform.lock.hcl").write_text("provider {}\n")
    keep_governing(context)
    kept = context.store.dir / "02_plan/governed_by"
    found = {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()}
    policies = {f"policies/{path.name}" for path in (root / "policies").glob("*.yml")}
    assert found == {*policies, "runbook.yml", "sources.json", "terraform.lock.hcl"}
    assert all((kept / name).read_bytes() == (root / name).read_bytes() for name in (*policies, "runbook.yml"))


def test_the_tree_and_the_source_notebooks_are_named(context: StepContext, root: Path) -> None:
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "all")
    keep_governing(context)
    sources = json.loads(context.store.read_text("02_plan/governed_by/sources.json"))
    assert sources["tree"] == git(root, "rev-parse", "HEAD^{tree}")
    assert sources["notebooks"]["apply"] == sha256_file(context.settings.notebook(built_in("apply")))


def test_what_an_earlier_attempt_was_governed_by_is_gone(context: StepContext, root: Path) -> None:
    (root / "policies/more.yml").write_text("policies: []\n")
    keep_governing(context)
    (root / "policies/more.yml").unlink()
    keep_governing(context)
    assert not context.store.exists("02_plan/governed_by/policies/more.yml")


@pytest.mark.parametrize(
    ("name", "path"),
    [("job 7", "job_7"), ("../../run", "_.._run"), ("", "answer"), ("..", "answer")],
)
def test_an_answer_is_kept_in_the_step_s_own_folder(context: StepContext, name: str, path: str) -> None:
    assert keep_answer(context, name, {"id": 7}) == f"02_plan/vouched/{path}.json"
    assert context.store.read_json(f"02_plan/vouched/{path}.json") == {"id": 7}


def test_what_was_answered_is_kept_without_secrets_also_when_it_ends_in_an_error(context: StepContext) -> None:
    answer = {"id": 7, "runners_token": "GR1348941abc", "owner": {"deploy_token": "t"}, "list": [{"password": "p"}]}
    # What is no text is no secret, and is told as it is; nor is a text of another name one.
    open_ = {"name": "network-access", "password": None, "runners_token": {"id": 3, "state": "active"}}
    answer["group"] = open_

    def ask() -> None:
        with keeping_answers(context, "gitlab"):
            hear("/projects/7", answer)
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        ask()
    kept = context.store.read_json("02_plan/vouched/gitlab.json")
    assert kept == {
        "/projects/7": {
            "id": 7,
            "runners_token": "[MASKED]",
            "owner": {"deploy_token": "[MASKED]"},
            "list": [{"password": "[MASKED]"}],
            "group": open_,
        }
    }


def test_where_nothing_was_asked_nothing_is_kept(context: StepContext) -> None:
    with keeping_answers(context, "gitlab"):
        pass
    assert not context.store.exists("02_plan/vouched/gitlab.json")
