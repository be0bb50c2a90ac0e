"""Three stacks in a repository of somebody else's: what a change touches, each in a pipeline of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from desk import ask
from local_runner import ROOT, LocalRunner, git, succeed
from ruamel.yaml import YAML

from runbook_lib.lab.addresses import LabAddresses

CONFIG = """
version: 1
stacks:
  base: {{path: live/base, state: base}}
  shop: {{path: live/shop, state: shop, after: [base], services: []}}
  blog: {{path: live/blog, state: blog, services: []}}
gitlab:
  url: {gitlab}
  project: platform/network-access
  accept: [unknown_variables, unknown_branch, unknown_environment, unknown_rejections, unknown_history,
           unprotected_environment, unprotected_branch, variables_by_developers, push_by_developers,
           deploy_by_developers]
slack: {{channel: "#infra-changes", api_url: "{slack}"}}
approval: {{approvers: [alex, sam]}}
environment: {{accept: [{accept}]}}
"""
PIPELINE = """
include:
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/stacks@$CI_COMMIT_SHA
    inputs: {change: templates/change.yml}
"""
MODULE = 'variable "name" {}\nresource "terraform_data" "it" {\n  input = "${var.name} 1"\n}\n'
CREATED = "module.it.terraform_data.it"
STACK = 'terraform {\n  backend "http" {}\n}\n'
USES = 'module "it" {{\n  source = "../../modules/it"\n  name   = "{name}"\n}}\n'


@pytest.fixture
def repository(lab: LabAddresses, tmp_path: Path) -> Path:
    """A clone in which the module that two of three stacks use has just changed."""
    root = tmp_path / "team"
    for name in ("base", "shop", "blog"):
        (root / "live" / name).mkdir(parents=True)
        (root / "live" / name / "main.tf").write_text(STACK + ("" if name == "blog" else USES.format(name=name)))
    (root / "modules/it").mkdir(parents=True)
    (root / "modules/it/main.tf").write_text(MODULE)
    shutil.copytree(ROOT / "templates", root / "templates")
    shutil.copytree(ROOT / "policies", root / "policies")
    slack = lab.environment()["SLACK_API_URL"]
    accept = YAML(typ="safe").load((lab.repository / "runbook.yml").read_text())["environment"]["accept"]
    text = CONFIG.format(gitlab=lab.gitlab_url, slack=slack, accept=", ".join(accept))
    (root / "runbook.yml").write_text(text)
    (root / ".gitlab-ci.yml").write_text(PIPELINE)
    (root / ".gitignore").write_text("outputs/\n.gitlab-ci-local/\n.cache/\n.terraform/\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "remote.origin.url", "https://gitlab.example.com/platform/network-access.git")
    commit(root, "Begin")
    (root / "modules/it/main.tf").write_text(MODULE.replace(" 1", " 2"))
    commit(root, "The module changes")
    ask(f"{lab.gitlab_url}/lab/gitlab/commits", "POST", {"author": "riley", "sha": before(root), "parents": []})
    return root


def commit(root: Path, message: str) -> None:
    git(root, "add", "--all")
    who = ("-c", "user.name=Riley", "-c", "user.email=riley@example.com")
    git(root, *who, "commit", "--quiet", f"--message={message}")


def head(root: Path) -> str:
    return (root / ".git/refs/heads/main").read_text().strip()


def before(root: Path) -> str:
    *_, last = (root / ".git/logs/HEAD").read_text().splitlines()
    return last.split()[0]


def test_each_stack_that_a_module_touches_is_carried_out_in_a_pipeline_of_its_own(
    lab: LabAddresses, repository: Path
) -> None:
    parent = LocalRunner(lab, repository).begin(head(repository))
    job = next(job for job in parent.jobs() if job["name"] == "stacks")
    started = parent.pick_up(int(job["id"]))
    done = parent.local({**started, "CI_COMMIT_BEFORE_SHA": before(repository)}, "stacks")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    child = YAML(typ="safe").load((parent.artifacts("stacks") / "stacks-pipeline.yml").read_text())
    assert child["stages"] == ["round 1", "round 2"]
    assert [name for name in child if name != "stages"] == ["stack base", "stack shop"]
    assert child["stack shop"]["needs"] == ["stack base"]
    # What GitLab does with a trigger job: a pipeline of the file that it includes, with its inputs, in this order.
    base = planned(lab, repository, child["stack base"]["trigger"]["include"])
    succeed(base, "approval")
    base.play("apply", "alex")
    succeed(base, "apply")
    assert json.loads((folder_of(base, "apply") / "04_apply/result.json").read_text())["outcome"] == "passed"
    shop = planned(lab, repository, child["stack shop"]["trigger"]["include"])
    assert base.pipeline != shop.pipeline


def planned(lab: LabAddresses, repository: Path, include: list[dict[str, Any]]) -> LocalRunner:
    """A stack's own pipeline, as far as its plan."""
    stack = include[0]["inputs"]["stack"]
    # What came before was applied, else a second approver would have to answer for it.
    applied = {"environment": f"production/{stack}", "sha": before(repository)}
    ask(f"{lab.gitlab_url}/lab/gitlab/deployments", "POST", applied)
    # gitlab-ci-local hands no inputs to a child; a file that includes with them is the same.
    with (repository / f".stack-{stack}.yml").open("w") as stream:
        YAML().dump({"include": include}, stream)
    git(repository, "add", "--force", "--intent-to-add", f".stack-{stack}.yml")
    runner = LocalRunner(lab, repository, file=f".stack-{stack}.yml").begin(head(repository))
    git(repository, "reset", "--quiet", f".stack-{stack}.yml")
    runner.skip("prepare")
    for name in ("compliance", "plan"):
        succeed(runner, name)
    left = folder_of(runner, "plan")
    assert json.loads((left / "02_plan/summary.json").read_text())["addresses"] == {"create": [CREATED]}
    assert json.loads((left / "run.json").read_text())["stack"] == stack
    return runner


def folder_of(runner: LocalRunner, job: str) -> Path:
    return runner.artifacts(job) / "outputs" / str(runner.pipeline)
