"""`runbook check`: answer on stdout, status 0, 1 or 2."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.cli import check
from runbook_lib.errors import ConfigError, InputError, RunbookError, UsageError
from runbook_lib.report.formats import FORMATS

ROOT = Path(__file__).parents[3]
PLANS = ROOT / "tests/fixtures/plans"
GOOD = '{"format_version": "1.2", "resource_changes": []}'


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    check.register(made)
    made.command("other")(lambda: None)
    return made


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("RUNBOOK_ROOT", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)


def run(app: typer.Typer, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments])
    if isinstance(result.exception, RunbookError):
        raise result.exception
    return result.exit_code, result.stdout


def test_every_form_of_a_report_can_be_asked_for_and_no_other() -> None:
    assert [str(form) for form in check.Format] == list(FORMATS)


def test_bad_plan_blocks_with_status_1_and_the_contract_on_stdout(app: typer.Typer) -> None:
    status, answer = run(app, "--plan", str(PLANS / "ports.json"), "--format", "json")
    data = json.loads(answer)
    assert (status, data["outcome"], data["checked"]["policies"]) == (1, "blocked", 23)


def sensitive_plan(folder: Path) -> str:
    """A plan with a description that Terraform calls sensitive; gives its path."""
    rule = {
        "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0",
        "description": "the word is hunter2-Xk39fj2",
    }  # fmt: skip
    kind = "aws_vpc_security_group_ingress_rule"
    marked = {"actions": ["create"], "before": None, "after": rule, "after_sensitive": {"description": True}}
    entry = {"address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x", "change": marked}
    path = folder / "sensitive.json"
    path.write_text(json.dumps({"format_version": "1.2", "resource_changes": [entry]}))
    return str(path)


@pytest.mark.parametrize("form", list(FORMATS))
def test_what_terraform_calls_sensitive_is_in_no_answer(app: typer.Typer, tmp_path: Path, form: str) -> None:
    status, answer = run(app, "--plan", sensitive_plan(tmp_path), "--format", form)
    assert (status, "hunter2" in answer) == (1, False)
    if form == "json":
        assert json.loads(answer)["findings"][0]["rule"]["description"] == "[MASKED]"


def test_what_terraform_calls_sensitive_is_in_no_file_either(app: typer.Typer, tmp_path: Path) -> None:
    run(app, "--plan", sensitive_plan(tmp_path), "--format", "json", "-o", "answer.json")
    assert "[MASKED]" in (tmp_path / "answer.json").read_text()
    assert "hunter2" not in (tmp_path / "answer.json").read_text()


def test_a_plan_of_which_the_sensitive_parts_can_not_be_read_is_refused(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"format_version": "1.2", "resource_changes": [], "prior_state": {"values": 7}}')
    with pytest.raises(InputError, match="what the plan calls sensitive can't be read"):
        run(app, "--plan", "p.json")


def test_plan_without_changes_passes(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(GOOD)
    status, answer = run(app, "--plan", "p.json")
    assert (status, answer) == (0, "Compliance passed: nothing found, in 0 rules under 23 policies.\n")


def test_finding_names_file_and_line_of_its_block(app: typer.Typer) -> None:
    arguments = ("--plan", str(PLANS / "modules_and_loops.json"), "--hcl", str(PLANS / "cases/modules_and_loops"))
    _, answer = run(app, *arguments, "--format", "json")
    sources = {f["address"]: f["source"] for f in json.loads(answer)["findings"]}
    path = PLANS / "cases/modules_and_loops/main.tf"
    source = sources['aws_vpc_security_group_ingress_rule.each["ssh"]']
    assert source["file"].endswith("main.tf")
    assert (
        path.read_text().splitlines()[source["line"] - 1] == 'resource "aws_vpc_security_group_ingress_rule" "each" {'
    )
    assert all(sources.values())


@pytest.mark.parametrize("part", ['"complete": false', '"errored": true', '"deferred_action_invocations": [{}]'])
def test_a_plan_that_is_not_whole_is_refused(app: typer.Typer, tmp_path: Path, part: str) -> None:
    (tmp_path / "plan.json").write_text(GOOD.replace("}", f", {part}}}"))
    with pytest.raises(InputError, match="whole"):
        run(app, "--plan", "plan.json")


def test_files_are_judged_without_a_plan(app: typer.Typer) -> None:
    status, answer = run(app, "--hcl", str(PLANS / "cases/inline_blocks"), "--format", "json")
    assert status == 1
    assert "aws_security_group.world_ssh" in {finding["address"] for finding in json.loads(answer)["findings"]}


def test_what_only_the_plan_can_tell_does_not_block_files(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_vpc_security_group_ingress_rule" "r" {\n security_group_id = "sg-1"\n ip_protocol = "tcp"\n'
        ' description = "x"\n from_port = 22\n to_port = 22\n cidr_ipv4 = data.aws_vpc.v.cidr_block\n}\n'
    )
    status, answer = run(app, "--hcl", str(tmp_path), "--format", "json")
    data = json.loads(answer)
    assert (status, data["outcome"]) == (0, "warned")
    assert {"sg-world-ssh"} <= {finding["policy"] for finding in data["findings"]}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), UsageError),
        (("--plan", "missing.json"), InputError),
        (("--hcl", "missing"), InputError),
        (("--plan", "p.json", "--policies", "missing"), ConfigError),
        (("--plan", "p.json", "--waivers", "missing.yml"), ConfigError),
        (("--explain", "sg-world-shh"), UsageError),
        (("--plan", "p.json", "-o", "missing/out.json"), UsageError),
        (("--plan", "large.json"), InputError),
    ],
)
def test_what_can_not_be_done_is_an_error_of_status_2(
    app: typer.Typer, tmp_path: Path, arguments: tuple[str, ...], error: type[RunbookError]
) -> None:
    (tmp_path / "p.json").write_text(GOOD)
    with (tmp_path / "large.json").open("wb") as large:
        large.truncate(200_000_000)  # sparse: it takes no room
    with pytest.raises(error) as caught:
        run(app, *arguments)
    assert caught.value.exit_status == 2
    assert caught.value.remedy


def test_explain_shows_both_examples_and_the_controls(app: typer.Typer) -> None:
    status, answer = run(app, "--explain", "sg-world-ssh")
    assert status == 0
    assert all(word in answer for word in ("Offending:", "Good:", "0.0.0.0/0", "CIS AWS 3.0: 5.2", "blocks the run"))


def test_explain_says_what_is_done_to_what_an_example_holds(app: typer.Typer) -> None:
    _, answer = run(app, "--explain", "delete-stateful")
    assert "Offending when it is destroyed:" in answer
    assert "Offending:" in run(app, "--explain", "sg-world-ssh")[1]


def test_an_output_that_is_a_pipe_or_a_link_stays_one(app: typer.Typer, tmp_path: Path) -> None:
    pipe, file, link = tmp_path / "pipe", tmp_path / "file.json", tmp_path / "link.json"
    os.mkfifo(pipe)
    link.symlink_to(file)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    for output in (pipe, link):
        run(app, "--plan", str(PLANS / "ports.json"), "--format", "json", "--output", str(output))
    reader.join(timeout=30)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert json.loads(read[0]) == json.loads(file.read_text())


@pytest.mark.parametrize("folder", ["policies", "policies/examples"])
def test_policies_pass_their_own_tests(app: typer.Typer, folder: str) -> None:
    status, answer = run(app, "--self-test", "--policies", str(ROOT / folder))
    assert (status, [line for line in answer.splitlines() if line.startswith("failed")]) == (0, [])


def test_severity_and_action_of_the_repository_win(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "runbook.yml").write_text(
        "stacks: {a: {path: terraform, state: a}}\n"
        f"compliance:\n  policies: {ROOT / 'policies'}\n"
        "  severities: {sg-world-ssh: low}\n  actions: {sg-world-ssh: warn}\n"
    )
    _, answer = run(app, "--plan", str(PLANS / "networks.json"), "--format", "json")
    ssh = [f for f in json.loads(answer)["findings"] if f["policy"] == "sg-world-ssh" and f["verdict"] == "failed"]
    assert {(f["severity"], f["action"]) for f in ssh} == {("low", "warn")}


@pytest.mark.parametrize("form", ["table", "text", "json", "junit", "sarif", "codequality", "markdown"])
def test_module_that_is_not_read_is_named_in_every_format_and_never_passed(
    app: typer.Typer, tmp_path: Path, form: str
) -> None:
    (tmp_path / "main.tf").write_text('module "sg" {\n  source = "terraform-aws-modules/security-group/aws"\n}\n')
    result = CliRunner().invoke(app, ["check", "--hcl", ".", "--format", form])
    assert result.exit_code == 0
    assert "module.sg" in result.stdout.replace("\\", "")
    assert "Compliance passed" not in result.stdout


def test_a_module_that_terraform_laid_down_is_read(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('module "sg" {\n  source = "team/sg/aws"\n  port = 22\n}\n')
    inside = tmp_path / ".terraform/modules/sg"
    inside.mkdir(parents=True)
    (inside / "main.tf").write_text(
        'variable "port" {}\nresource "aws_vpc_security_group_ingress_rule" "r" {\n  security_group_id = "sg-1"\n'
        '  ip_protocol = "tcp"\n  from_port = var.port\n  to_port = var.port\n  cidr_ipv4 = "0.0.0.0/0"\n}\n'
    )
    listed = {"Modules": [{"Key": "", "Source": "", "Dir": "."},
        {"Key": "sg", "Source": "registry.terraform.io/team/sg/aws", "Dir": ".terraform/modules/sg"},
    ]}  # fmt: skip
    (tmp_path / ".terraform/modules/modules.json").write_text(json.dumps(listed))
    result = CliRunner().invoke(app, ["check", "--hcl", "."])
    assert result.exit_code == 1
    assert "module.sg.aws_vpc_security_group_ingress_rule.r" in result.stdout
    assert "module-not-read" not in result.stdout
    (tmp_path / "main.tf").write_text('module "sg" {\n  source = "other/sg/aws"\n  port = 22\n}\n')
    assert "module-not-read" in CliRunner().invoke(app, ["check", "--hcl", "."]).stdout


@pytest.mark.parametrize(
    ("binary", "place", "doubt"),
    [("terraform", "main.tf:1", False), ("tofu", "main.tofu:1", False), ("", "main.tofu:1", True)],
)
def test_namesakes_are_read_as_the_repository_s_binary_reads_them(  # noqa: PLR0917
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: str, place: str, doubt: bool
) -> None:
    for name in ("main.tf", "main.tofu"):
        (tmp_path / name).write_text(
            'resource "aws_security_group_rule" "r" {\n  type = "ingress"\n  security_group_id = "sg-1"\n'
            '  protocol = "tcp"\n  from_port = 22\n  to_port = 22\n  cidr_blocks = ["0.0.0.0/0"]\n}\n'
        )
    if binary:
        program = tmp_path / "bin" / binary
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        stacks = "stacks:\n  access:\n    path: .\n    state: access\n"
        (tmp_path / "runbook.yml").write_text(f"{stacks}terraform:\n  binary: {program}\n")
        monkeypatch.delenv("RUNBOOK_TERRAFORM", raising=False)
    result = CliRunner().invoke(app, ["check", "--hcl", ".", "--policies", str(ROOT / "policies")])
    assert result.exit_code == 1
    assert place in result.stdout
    assert ("file-in-doubt" in result.stdout) is doubt
    assert "in 1 rule " in result.stdout


WORLD = """resource "aws_vpc_security_group_ingress_rule" "%s" {
  security_group_id = "sg-1"
  description       = "x"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = "0.0.0.0/0"
}
"""
STACKS = "version: 1\nstacks:\n  a: {path: infra/a, state: a}\n  b: {path: infra/b, state: b}\ndefault_stack: a\n"


def planned(name: str, kind: str = "aws_vpc_security_group_ingress_rule") -> dict[str, object]:
    after = {"security_group_id": "sg-1", "description": "x", "ip_protocol": "tcp", "from_port": 22, "to_port": 22,
             "cidr_ipv4": "0.0.0.0/0"}  # fmt: skip
    change = {"actions": ["create"], "before": None, "after": after, "after_unknown": {}}
    return {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name, "change": change}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project whose runbook.yml lies in a folder of it, with two stacks; `shared` is in both, the rest in one."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "ops/docs").mkdir(parents=True)
    (root / "ops/runbook.yml").write_text(STACKS)
    (root / "ops/policies").symlink_to(ROOT / "policies")
    for name in ("a", "b"):
        folder = root / "ops/infra" / name
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(WORLD % "shared" + WORLD % f"only_{name}")
    changes = [planned("shared"), planned("only_b")]
    (root / "plan.json").write_text(json.dumps({"format_version": "1.2", "resource_changes": changes}))
    return root


def places(answer: str, form: str) -> set[tuple[str, int]]:
    data = json.loads(answer)
    if form == "codequality":
        return {(entry["location"]["path"], entry["location"]["lines"]["begin"]) for entry in data}
    physical = [r["locations"][0]["physicalLocation"] for run in data["runs"] for r in run["results"]]
    return {(each["artifactLocation"]["uri"], each["region"]["startLine"]) for each in physical}


@pytest.mark.parametrize("form", ["codequality", "sarif"])
@pytest.mark.parametrize(
    "asked",
    [("", "ops/infra/b"), ("ops", "infra/b"), ("ops/docs", "../infra/b"), ("ops/infra/b", "."), ("..", "{b}")],
)
def test_paths_are_those_of_the_repository_from_whatever_folder_it_is_asked(
    app: typer.Typer, checkout: Path, monkeypatch: pytest.MonkeyPatch, form: str, asked: tuple[str, str]
) -> None:
    folder, hcl = asked
    monkeypatch.chdir(checkout / folder)
    _, answer = run(app, "--hcl", hcl.format(b=checkout / "ops/infra/b"), "--format", form)
    assert places(answer, form) == {("ops/infra/b/main.tf", 1), ("ops/infra/b/main.tf", 9)}


@pytest.mark.parametrize("form", ["codequality", "sarif"])
def test_a_plan_s_findings_stand_in_the_stack_that_it_is_of(
    app: typer.Typer, checkout: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("RUNBOOK_ROOT", str(checkout / "ops"))
    _, answer = run(app, "--plan", str(checkout / "plan.json"), "--format", form)
    assert places(answer, form) == {("ops/infra/b/main.tf", 1), ("ops/infra/b/main.tf", 9)}


def test_where_two_stacks_could_be_meant_no_line_is_said(
    app: typer.Typer, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / "ops")
    (checkout / "ops/infra/b/main.tf").write_text(WORLD % "shared")
    _, answer = run(app, "--plan", "../plan.json", "--format", "json")
    assert {finding["source"] for finding in json.loads(answer)["findings"]} == {None}


def test_a_plan_finds_its_lines_where_it_is_asked_without_a_runbook_yml(
    app: typer.Typer, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "ops/runbook.yml").unlink()
    monkeypatch.chdir(checkout / "ops/infra/b")
    _, answer = run(app, "--plan", "../../../plan.json", "--format", "sarif")
    assert places(answer, "sarif") == {("ops/infra/b/main.tf", 1), ("ops/infra/b/main.tf", 9)}


def test_files_that_can_not_be_read_cost_a_plan_its_lines_and_nothing_else(
    app: typer.Typer, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / "ops")
    (checkout / "ops/infra/b/main.tf").write_bytes(b"\xff\xfe\xff")
    (checkout / "ops/infra/a/main.tf").unlink()
    status, _ = run(app, "--plan", "../plan.json")
    assert status == 1


def test_in_a_job_paths_begin_where_gitlab_says(
    app: typer.Typer, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A submodule has a .git of its own, and GitLab shows it inside its project.
    (checkout / "ops/.git").write_text("gitdir: elsewhere")
    monkeypatch.chdir(checkout / "ops")
    monkeypatch.setenv("CI_PROJECT_DIR", str(checkout))
    _, answer = run(app, "--hcl", "infra/a", "--format", "codequality")
    assert {path for path, _ in places(answer, "codequality")} == {"ops/infra/a/main.tf"}
    monkeypatch.setenv("CI_PROJECT_DIR", "/builds/elsewhere")
    _, answer = run(app, "--hcl", "infra/a", "--format", "codequality")
    assert {path for path, _ in places(answer, "codequality")} == {"infra/a/main.tf"}


def test_files_are_said_to_be_compared_with_no_commit(app: typer.Typer, checkout: Path) -> None:
    said = "Compared with no commit: files are judged as they are. All that the files declare is judged as new."
    for form in ("table", "text", "json", "sarif", "junit"):
        _, answer = run(app, "--hcl", str(checkout / "ops/infra/a"), "--format", form)
        assert (said if form != "json" else "files are judged as they are") in answer
