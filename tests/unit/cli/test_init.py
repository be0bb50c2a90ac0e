"""`runbook init` in repositories of others."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from runbook_lib.cli.main import app
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.packaged import packaged
from runbook_lib.repository import find_repository
from runbook_lib.workspace import pipeline_file, scaffold

S3 = 'terraform {\n  backend "s3" {}\n}\nprovider "aws" {\n  region = "us-east-1"\n}\n'
HTTP = 'terraform {\n  backend "http" {}\n}\n'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two stacks, one folder with a blank in its name, cloned from a GitLab."""
    root = tmp_path / "pay ments"
    for name, text in {"orders": S3, "web shop": HTTP}.items():
        (root / "stacks" / name).mkdir(parents=True)
        (root / "stacks" / name / "main.tf").write_text(text)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    url = "https://bot:s3cret@gitlab.example.com/pay/infra.git"
    subprocess.run(["git", "-C", str(root), "remote", "add", "origin", url], check=True)
    for name in ("RUNBOOK_ROOT", "RUNBOOK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(root)
    return root


def init(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["init", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and ".git/" not in path.as_posix())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_it_writes_what_a_repository_needs_and_the_settings_load(repository: Path) -> None:
    before = files(repository)
    status, _ = init("--yes", "--approver", "alex", "--channel", "#pay")
    assert status == 0
    config = find_repository().load()
    assert {name: (stack.path, stack.state, stack.region) for name, stack in config.stacks.items()} == {
        "orders": ("stacks/orders", "", "us-east-1"),
        "web-shop": ("stacks/web shop", "web-shop", ""),
    }
    assert (config.gitlab.url, config.gitlab.project) == ("https://gitlab.example.com", "pay/infra")
    assert (config.approval.approvers, config.slack.channel) == (("alex",), "#pay")
    written = set(files(repository)) - set(before)
    assert written >= {"runbook.yml", ".gitlab-ci.yml", ".gitignore", "slack-app.yml", "policies/waivers.yml"}
    assert {Path(name).name for name in written if name.startswith("policies/")} == {
        path.name for path in packaged("policies").glob("*.yml")
    }
    assert not any(b"s3cret" in content for content in files(repository).values())


def test_variables_files_that_are_found_are_offered_and_read_only_if_named(repository: Path) -> None:
    folder = repository / "stacks/orders/env"
    folder.mkdir()
    for name in ("prod eu.tfvars", "dev.tfvars", "own.auto.tfvars"):
        (folder / name).write_text("")
    init("--yes")
    offered = '    # var_files: [env/dev.tfvars, "env/prod eu.tfvars"]  # found, and read only if named here\n'
    text = (repository / "runbook.yml").read_text()
    assert text.count("var_files") == 1
    assert offered in text
    assert find_repository().load().stacks["orders"].var_files == ()


@pytest.fixture
def components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Components of another version than this one, as the package would bring them."""
    folder = tmp_path / "package"
    headers = {"change": ["image", "package", "stack"], "stacks": ["change", "package"], "drift": []}
    (folder / "templates").mkdir(parents=True)
    for name, inputs in headers.items():
        declared = "".join(f"    {key}:\n      default: ''\n" for key in inputs)
        # What a job's script writes may look like another document's beginning.
        job = "job:\n  script: |\n    cat <<END\n---\nspec: {inputs: {stack: {}}}\n"
        text = f"# {name}\nspec:\n  inputs:\n{declared}---\n{job}" if inputs else "job: {}\n"
        (folder / f"templates/{name}.yml").write_text(text)
    monkeypatch.setattr(pipeline_file, "packaged", folder.joinpath)
    return folder / "templates"


def pipeline(root: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe").load((root / ".gitlab-ci.yml").read_text()))


@pytest.mark.usefixtures("components")
def test_the_pipeline_of_many_stacks_is_the_component_and_its_inputs_alone(repository: Path) -> None:
    address, package = "gitlab.example.com/tools/runbook/change@1.0", "git+https://gitlab.example.com/tools/x.git@1.0"
    init("--yes", "--component", address, "--package", package)
    inputs = {"change": ".gitlab/ci/runbook-stack.yml", "package": package}
    many = {"component": "gitlab.example.com/tools/runbook/stacks@1.0", "inputs": inputs}
    assert pipeline(repository) == {"include": [many]}
    header, body = YAML(typ="safe").load_all((repository / ".gitlab/ci/runbook-stack.yml").read_text())
    assert header == {"spec": {"inputs": {"stack": {}}}}
    one = {"component": address, "inputs": {"package": package, "stack": "$[[ inputs.stack ]]"}}
    assert body == {"include": [one]}
    assert not (repository / "templates").exists()
    assert init("--check") == (0, "this version would write nothing else\n")


def test_without_an_address_the_components_come_into_the_repository(repository: Path, components: Path) -> None:
    init("--yes")
    include = {"local": "/templates/stacks.yml", "inputs": {"change": ".gitlab/ci/runbook-stack.yml"}}
    assert pipeline(repository) == {"include": [include]}
    copied = {path.name: path.read_text() for path in (repository / "templates").iterdir()}
    assert copied == {path.name: path.read_text() for path in components.iterdir()}


@pytest.mark.usefixtures("components")
def test_one_stack_needs_the_component_change_alone(repository: Path) -> None:
    (repository / "stacks/web shop/main.tf").unlink()
    init("--yes", "--component", "gitlab.example.com/tools/runbook/change@1.0")
    include = {"component": "gitlab.example.com/tools/runbook/change@1.0", "inputs": {"stack": "orders"}}
    assert pipeline(repository) == {"include": [include]}


@pytest.mark.parametrize("address", ["gitlab.example.com/tools/runbook", "x@1", "a b/change@1"])
def test_what_is_no_address_of_a_component_is_refused(repository: Path, address: str) -> None:
    with pytest.raises(UsageError, match="is no address of the component"):
        init("--yes", "--component", address)
    assert not (repository / "runbook.yml").exists()


def test_git_ignores_keys_and_leftovers_and_not_the_provider_lock_file(repository: Path) -> None:
    init("--yes")
    names = ["key.pem", "outputs/1/run.json", "site/index.html", "stacks/orders/.terraform/x", "a.tfplan"]
    kept = ["stacks/orders/.terraform.lock.hcl", "runbook.yml", "policies/waivers.yml"]
    done = subprocess.run(["git", "check-ignore", *names, *kept], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == names


def test_nothing_that_is_there_is_overwritten_and_a_second_time_changes_nothing(repository: Path) -> None:
    own = {
        "runbook.yml": b"version: 1\nstacks:\n  orders: {path: stacks/orders}\n",
        "policies/world.yml": b"policies: []\n",
    }
    (repository / "policies").mkdir()
    for name, content in own.items():
        (repository / name).write_bytes(content)
    (repository / ".gitignore").write_bytes(b"*.log\r\n.terraform")
    init("--yes")
    after = files(repository)
    assert {name: after[name] for name in own} == own
    assert after[".gitignore"].startswith(b"*.log\r\n.terraform\n\n")
    assert after[".gitignore"].count(b".terraform\n") == 1
    init("--yes")
    assert files(repository) == after


def test_a_pipeline_of_their_own_stays_and_the_component_lies_beside(repository: Path) -> None:
    (repository / ".gitlab-ci.yml").write_text("build: {script: [make]}\n")
    _, said = init("--yes", "--component", "gitlab.example.com/tools/runbook/change@1.0")
    assert (repository / ".gitlab-ci.yml").read_text() == "build: {script: [make]}\n"
    assert "runbook/stacks@1.0" in (repository / ".gitlab/ci/runbook.yml").read_text()
    assert "runbook/change@1.0" in (repository / ".gitlab/ci/runbook-stack.yml").read_text()
    assert "add `include: [{local: /.gitlab/ci/runbook.yml}]`" in said


def test_what_a_pipeline_of_their_own_has_to_say_for_both_to_run_is_told(repository: Path) -> None:
    theirs = repository / ".gitlab-ci.yml"
    theirs.write_text("build: {script: [make]}\n")
    _, said = init("--yes")
    assert "add `include: [{local: /.gitlab/ci/runbook.yml}]`" in said
    assert "`stages: [build, test, deploy, stacks, changes, failure]`: GitLab refuses a job whose stage" in said
    assert "Give it a `workflow` of its own: by the component's, no push but to the default branch" in said
    theirs.write_text(
        "include: [{local: /.gitlab/ci/runbook.yml}]\nworkflow: {rules: [{when: always}]}\n"
        "stages: [build, stacks, changes, failure]\nbuild: {script: [!reference [.x, script]]}\n"
    )
    _, said = init("--yes")
    assert [word for word in ("include:", "stages:", "workflow", "Rename") if word in said] == []


def test_stages_are_put_together_in_both_orders_and_jobs_of_one_name_are_told() -> None:
    theirs = "stages: [lint, plan, test, deploy]\nworkflow: {}\nplan: {script: [terraform plan]}\n.aws: {}\nimage: x\n"
    stages, same = pipeline_file.to_be_reconciled(theirs, several=False)
    both = "lint, prepare, validate, plan, test, approval, deploy, verify, services, sign, failure"
    assert stages == f"Its stages have to be `stages: [{both}]`: GitLab refuses a job whose stage is not there."
    assert same == "Rename its .aws, plan: GitLab would make one job of that and the component's."


@pytest.mark.parametrize("theirs", ["a: [", "", "[]", "a: 1\na: 2\n"])
def test_of_a_pipeline_that_cannot_be_read_all_is_told_that_the_component_needs(theirs: str) -> None:
    assert len(pipeline_file.to_be_reconciled(theirs, several=True)) == 2


def test_a_folder_policies_that_holds_something_else_is_left_alone(repository: Path) -> None:
    (repository / "policies").mkdir()
    (repository / "policies/iam.json").write_text("{}")
    init("--yes")
    assert list((repository / "policies").iterdir()) == [repository / "policies/iam.json"]
    config = find_repository().load()
    assert (config.compliance.policies, config.compliance.waivers) == (
        "runbook-policies",
        "runbook-policies/waivers.yml",
    )
    assert (repository / "runbook-policies/world.yml").is_file()


def test_check_writes_nothing_and_says_what_would_be_written(repository: Path) -> None:
    before = files(repository)
    status, said = init("--check")
    assert (status, files(repository)) == (1, before)
    assert "runbook.yml: is not there" in said


@pytest.mark.usefixtures("components")
def test_check_says_what_a_newer_version_would_change_and_no_more(repository: Path) -> None:
    init("--yes", "--component", "gitlab.example.com/tools/runbook/change@1.0")
    assert init("--check") == (0, "this version would write nothing else\n")
    world = repository / "policies/world.yml"
    world.write_text(world.read_text().replace("policies:", "policies:  # ours", 1))
    (repository / "stacks/new").mkdir()
    (repository / "stacks/new/main.tf").write_text(S3)
    (repository / "runbook.yml").write_text((repository / "runbook.yml").read_text() + "# ours\n")
    status, said = init("--check", "--component", "gitlab.example.com/tools/runbook/change@2.0")
    assert status == 1
    told = [line for line in said.splitlines() if not line.startswith((" ", "@@", "---", "+++"))]
    assert told == [
        "-policies:  # ours",
        "+policies:",
        '.gitlab/ci/runbook-stack.yml: would include component: "gitlab.example.com/tools/runbook/change@2.0"',
        '.gitlab-ci.yml: would include component: "gitlab.example.com/tools/runbook/stacks@2.0"',
        "runbook.yml: no stack lies in stacks/new",
    ]


def test_an_ignored_lock_file_is_told_with_its_line(repository: Path) -> None:
    (repository / ".gitignore").write_text("x\n.terraform.lock.hcl\n")
    assert ".gitignore, line 2: .terraform.lock.hcl ignores the provider lock file" in init("--yes")[1]


def test_a_link_that_leads_out_of_the_repository_is_refused_before_anything_is_written(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository / ".gitlab-ci.yml").write_text("build: {script: [make]}\n")
    (repository / ".gitlab").symlink_to(tmp_path / "elsewhere")
    before = files(repository)
    with pytest.raises(UsageError, match="leads out of"):
        init("--yes")
    assert files(repository) == before
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_terraform_files_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no Terraform root module"):
        init("--yes")
    assert list(tmp_path.iterdir()) == []


def test_who_is_at_no_terminal_is_told_of_yes(repository: Path) -> None:
    with pytest.raises(UsageError) as caught:
        init()
    assert "--yes" in caught.value.remedy
    assert not (repository / "runbook.yml").exists()


def test_from_a_folder_below_the_same_is_written_at_the_top(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "stacks/orders")
    init("--yes")
    assert (repository / "runbook.yml").is_file()
    assert files(repository / "stacks/orders").keys() == {"main.tf"}


def test_an_init_that_was_stopped_is_repeated(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runbook_lib.adapters import atomic

    write = atomic.write_atomic

    def full(path: Path, data: bytes) -> None:
        if path.name == "slack-app.yml":
            raise KeyboardInterrupt
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_atomic", full)
        CliRunner().invoke(app, ["init", "--yes"])
    assert not (repository / "runbook.yml").exists()
    assert init("--yes")[0] == 0
    assert find_repository().load().stacks


def test_two_folders_of_one_name_become_two_stacks(repository: Path) -> None:
    for path in ("prod/net", "test/net"):
        (repository / path).mkdir(parents=True)
        (repository / path / "main.tf").write_text(S3)
    init("--yes")
    stacks = find_repository().load().stacks
    assert {name: stack.path for name, stack in stacks.items() if "net" in name} == {
        "prod-net": "prod/net",
        "test-net": "test/net",
    }


@pytest.mark.parametrize("name", ["yes", "1e3", "a: b", "x#y", "-", "ü", "'", '"q"'])
def test_any_folder_s_name_is_read_back(repository: Path, name: str) -> None:
    (repository / name).mkdir()
    (repository / name / "main.tf").write_text(S3)
    init("--yes")
    assert name in {stack.path for stack in find_repository().load().stacks.values()}


@pytest.mark.parametrize("name", ["one\ntwo", os.fsdecode(b"\xff")])
def test_a_folder_s_name_that_no_yaml_can_hold_is_refused_before_anything_is_written(
    repository: Path, name: str
) -> None:
    (repository / name).mkdir()
    (repository / name / "main.tf").write_text(S3)
    before = files(repository)
    with pytest.raises(UsageError, match=r"can't be written in runbook\.yml"):
        init("--yes")
    assert files(repository) == before


def test_outside_a_repository_the_way_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_repository({})
    assert "runbook init" in caught.value.remedy


def test_the_manifest_has_a_scope_for_each_thing_that_a_run_does() -> None:
    manifest = YAML(typ="safe").load(scaffold.MANIFEST.read_text())
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert {"chat:write", "files:write", "channels:history", "groups:read", "groups:history"} <= set(scopes)
