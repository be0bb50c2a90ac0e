"""The compliance step: Terraform's own errors first, then what the files declare, judged early."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.adapters.terraform_errors import Diagnostic
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.errors import ConfigError, TerraformError
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComparedWith, ComplianceReport
from runbook_lib.models.findings import Action, Finding, Severity, Source, Verdict
from runbook_lib.models.rules import Rule
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.steps import compliance
from runbook_lib.workspace.base_commit import BaseCommit
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.governance import Before

MAIN = """resource "aws_vpc_security_group_ingress_rule" "%(name)s" {
  security_group_id = "sg-0123456789abcdef0"
  ip_protocol       = "tcp"
  from_port         = %(port)s
  to_port           = %(port)s
  cidr_ipv4         = "0.0.0.0/0"
  description       = "Everybody may read the pages."
}
"""


BASE = BaseCommit("abc123def456789", "the commit before")
SINCE = "abc123def456 (the commit before)"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Riley", "-c", "user.email=riley@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def rule(name: str, port: int | str = 443) -> str:
    return MAIN % {"name": name, "port": port}


def address(name: str) -> str:
    return f"aws_vpc_security_group_ingress_rule.{name}"


class FakeTerraform:
    """Finds these errors in the files, as soon as they are initialised (which may fail)."""

    binary = TerraformBinary(("terraform",), "1.11.4", "Terraform")

    def __init__(self) -> None:
        self.errors: tuple[Diagnostic, ...] = ()
        self.init_error: TerraformError | None = None
        self.asked = True
        self.stacks: list[str] = []
        self.backends: list[bool] = []

    def validate(self) -> tuple[Diagnostic, ...]:
        return self.errors

    def client(self, settings: Settings, stack: str, on_line: object = None) -> FakeTerraform:
        assert on_line in {None, print}
        self.stacks.append(stack)
        return self

    def initialise(self, given: FakeTerraform, *, backend: bool = True) -> bool:
        assert given is self
        self.backends.append(backend)
        if self.init_error:
            raise self.init_error
        return True

    def validate_files(self, given: FakeTerraform) -> tuple[tuple[Diagnostic, ...], bool]:
        assert given is self
        return self.errors, self.asked


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> StepContext:
    made = StepContext(built_in("compliance"), settings, store, run, NOW, clock=lambda: NOW)
    for path in made.stack_dir.iterdir():
        path.unlink()
    (made.stack_dir / "main.tf").write_text(rule("new"))
    return made


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch) -> FakeTerraform:
    fake = FakeTerraform()
    monkeypatch.setattr(compliance, "terraform_client", fake.client)
    monkeypatch.setattr(compliance, "ensure_initialised", fake.initialise)
    monkeypatch.setattr(compliance, "validate_files", fake.validate_files)
    return fake


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the commit before had: its files by path, none if it is not to be had; and how it was asked for."""
    found: dict[str, Any] = {"files": {}, "asked": []}

    def read_tree(directory: Path, commit: str, suffixes: tuple[str, ...], target: Path) -> bool:
        found["asked"].append((directory, commit, suffixes))
        for name, content in found["files"].items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(content)
        return bool(found["files"])

    monkeypatch.setattr(compliance, "read_tree", read_tree)
    monkeypatch.setattr(compliance, "before_change", lambda context: Before(BASE))

    def compared_files(settings: Settings, found: BaseCommit, suffixes: tuple[str, ...]) -> ComparedWith:
        assert isinstance(settings, Settings)
        assert suffixes == compliance.SUFFIXES
        return found.compared

    monkeypatch.setattr(compliance, "compared_files", compared_files)
    return found


def test_terraform_and_the_policies_are_asked_for_first(context: StepContext, terraform: FakeTerraform) -> None:
    found = {result.name: result.found for result in compliance.check_ready(context)}
    assert (list(found), found["terraform"], terraform.stacks) == (
        ["run", "terraform", "policies"],
        "1.11.4",
        ["access"],
    )
    assert found["policies"].endswith(" policies, 0 waivers")


def test_policies_that_are_wrong_are_told_before_anything_is_judged(
    context: StepContext, terraform: FakeTerraform
) -> None:
    (context.settings.root / "policies/broken.yml").write_text("policies: 1\n")
    with pytest.raises(ConfigError, match=r"broken\.yml"):
        compliance.check_ready(context)


@pytest.mark.usefixtures("terraform")
def test_what_the_files_declare_is_read_beside_what_they_declared_before(
    context: StepContext, before: dict[str, Any]
) -> None:
    before["files"] = {"terraform/access/main.tf": rule("old")}
    files = compliance.validate(context)
    assert files.findings == ()
    assert [found.address for found in files.rules] == [address("new")]
    assert [found.address for found in files.changes.before] == [address("old")]
    assert before["asked"] == [(context.settings.root, BASE.compared.commit, compliance.SUFFIXES)]


@pytest.mark.usefixtures("terraform")
@pytest.mark.parametrize(
    ("files", "compared"),
    [
        pytest.param({}, ComparedWith(problem=f"{SINCE} can't be read", everything=True), id="no such commit"),
        pytest.param({"terraform/other/main.tf": ""}, BASE.compared, id="the stack is new"),
        pytest.param(
            {"terraform/access/main.tf": "resource {{{"},
            ComparedWith(problem=f"{SINCE} holds no valid Terraform", everything=True),
            id="no valid Terraform",
        ),
    ],
)
def test_without_a_before_all_that_the_files_declare_is_new(
    context: StepContext,
    before: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
    compared: ComparedWith,
) -> None:
    before["files"] = files
    found = compliance.validate(context)
    assert found.changes.before == ()
    assert [each.address for each in found.changes.after] == [address("new")]
    assert found.compared == compared
    assert capsys.readouterr().out == f"{compared.sentence}\n"


@pytest.mark.usefixtures("terraform", "before")
def test_the_stack_s_variable_files_say_what_is_declared(context: StepContext) -> None:
    (context.stack_dir / "main.tf").write_text('variable "port" {}\n' + rule("new", "var.port"))
    (context.stack_dir / "live.tfvars").write_text("port = 8443\n")
    config = context.settings.config
    stack = config.stacks["access"].model_copy(update={"var_files": ("live.tfvars",)})
    context.settings.config = config.model_copy(update={"stacks": {**config.stacks, "access": stack}})
    (found,) = compliance.validate(context).rules
    assert (found.from_port, found.to_port) == (8443, 8443)


@pytest.mark.usefixtures("terraform", "before")
def test_a_module_from_elsewhere_is_said_not_to_be_read(context: StepContext) -> None:
    (context.stack_dir / "more.tf").write_text('module "vpc" {\n  source = "terraform-aws-modules/vpc/aws"\n}\n')
    files = compliance.validate(context)
    assert files.changes.unread == ("module.vpc",)
    report = compliance.judge(context, files)
    assert ("module-not-read", "module.vpc") in {(finding.policy, finding.address) for finding in report.findings}
    assert report.outcome is not Outcome.PASSED


@pytest.mark.parametrize("product", ["Terraform", "OpenTofu"])
@pytest.mark.parametrize("unread", [False, True], ids=["at once", "again, as a module was not there yet"])
def test_the_files_are_read_as_the_binary_that_plans_reads_them(
    context: StepContext, terraform: FakeTerraform, before: dict[str, Any], product: str, unread: bool
) -> None:
    name = "new" if product == "Terraform" else "tofu"
    terraform.binary = TerraformBinary(("x",), "1.11.4", product)
    called = 'module "vpc" {\n  source = "terraform-aws-modules/vpc/aws"\n}\n' if unread else ""
    (context.stack_dir / "main.tf").write_text(rule("new") + called)
    (context.stack_dir / "main.tofu").write_text(rule("tofu") + called)
    before["files"] = {
        "terraform/access/main.tf": rule("new", 22),
        "terraform/access/main.tofu": rule("tofu", 22),
    }
    changes = compliance.validate(context).changes
    assert [found.address for found in changes.after] == [address(name)]
    assert [found.address for found in changes.before] == [address(name)]
    assert changes.unread == (("module.vpc",) if unread else ())


CALL = 'module "sg" {\n  source  = "team/sg/aws"\n  version = "%s"\n}\n'


@pytest.mark.usefixtures("terraform")
@pytest.mark.parametrize(("version", "new"), [("4.0.0", True), ("5.0.0", False)])
def test_a_module_of_another_version_is_not_what_stood_before(
    context: StepContext, before: dict[str, Any], version: str, new: bool
) -> None:
    inside = context.stack_dir / ".terraform/modules/sg"
    inside.mkdir(parents=True)
    (inside / "main.tf").write_text(rule("inside", 22))
    listed = [
        {"Key": "sg", "Source": "registry.terraform.io/team/sg/aws", "Version": "5.0.0", "Dir": ".terraform/modules/sg"}
    ]
    (inside.parent / "modules.json").write_text(json.dumps({"Modules": listed}))
    (context.stack_dir / "main.tf").write_text(CALL % "5.0.0")
    before["files"] = {"terraform/access/main.tf": CALL % version}
    files = compliance.validate(context)
    assert [found.address for found in files.rules] == [f"module.sg.{address('inside')}"]
    assert compliance.judge(context, files).outcome is (Outcome.BLOCKED if new else Outcome.PASSED)


@pytest.mark.usefixtures("before")
def test_files_that_were_valid_before_are_said_to_be(
    context: StepContext, terraform: FakeTerraform, capsys: pytest.CaptureFixture[str]
) -> None:
    terraform.asked = False
    compliance.validate(context)
    said = "Terraform found these files valid before: nothing in them has changed since.\n"
    assert said in capsys.readouterr().out
    assert (terraform.stacks, terraform.backends) == (["access"], [False])


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("at_init", [False, True], ids=["by validate", "by init already"])
def test_an_error_in_the_files_is_a_finding_that_blocks_and_nothing_else_is_judged(
    context: StepContext, terraform: FakeTerraform, at_init: bool
) -> None:
    terraform.errors = (
        Diagnostic("Unsupported argument", "There is no port.", "main.tf", 3),
        Diagnostic("Bad", "", "", 0),
    )
    terraform.init_error = TerraformError("init failed") if at_init else None
    files = compliance.validate(context)
    assert files.changes == RuleChanges()
    assert files.compared.sentence == f"Compared with {SINCE}."
    common = {
        "policy": "terraform-valid",
        "verdict": Verdict.FAILED,
        "severity": Severity.HIGH,
        "remedy": "Correct it there.",
        "action": Action.BLOCK,
        "tool": "terraform",
    }
    place = "terraform/access/main.tf"
    assert files.findings == (
        Finding(
            address=place,
            message="Unsupported argument: There is no port.",
            source=Source(file=place, line=3),
            **common,
        ),
        Finding(address="terraform/access", message="Bad", source=None, **common),
    )


@pytest.mark.usefixtures("before")
def test_what_keeps_terraform_from_starting_is_no_finding_but_an_error(
    context: StepContext, terraform: FakeTerraform
) -> None:
    terraform.errors = (Diagnostic("Missing required provider", "", "", 0),)
    terraform.init_error = TerraformError("the registry is unreachable")
    with pytest.raises(TerraformError, match="the registry is unreachable"):
        compliance.validate(context)


@pytest.mark.usefixtures("terraform", "before")
def test_the_files_are_judged_early_so_that_the_unknown_only_warns(context: StepContext) -> None:
    (context.stack_dir / "main.tf").write_text('variable "port" {}\n' + rule("new", "var.port"))
    files = compliance.validate(context)
    report = compliance.judge(context, files)
    assert report.outcome is Outcome.WARNED
    assert Verdict.UNKNOWN in {finding.verdict for finding in report.findings}


@pytest.mark.usefixtures("terraform")
def test_what_did_not_change_is_judged_when_it_is_asked_for(context: StepContext, before: dict[str, Any]) -> None:
    (context.stack_dir / "main.tf").write_text(rule("new", 22))
    before["files"] = {"terraform/access/main.tf": rule("new", 22)}
    files = compliance.validate(context)
    assert compliance.judge(context, files).outcome is Outcome.PASSED
    assert compliance.judge(context, files, "all").outcome is Outcome.BLOCKED


def test_the_end_holds_terraform_s_findings_and_the_policies(context: StepContext) -> None:
    (error, policy) = (
        Finding(policy=name, verdict=Verdict.FAILED, severity=Severity.HIGH, address="a", message="m", action=action)
        for name, action in (("terraform-valid", Action.BLOCK), ("other", Action.WARN))
    )
    report = ComplianceReport(
        outcome=Outcome.WARNED, checked=Checked(resources=5, rules=2, policies=3), findings=(policy,)
    )
    result = compliance.decide(context, compliance.Files((error,), RuleChanges()), report).result
    assert result.outcome is Outcome.BLOCKED
    assert result.summary == "Compliance blocked: 2 failed, in 2 rules under 3 policies."
    assert result.findings == (error, policy)
    assert result.metrics == {"resources": 5, "rules": 2, "policies": 3}
    kept = context.store.read_json("01_compliance/findings.json")
    assert [finding["policy"] for finding in kept["findings"]] == ["terraform-valid", "other"]
    assert sorted(artifact.path.rpartition("/")[2] for artifact in result.artifacts) == [
        "compliance.txt",
        "findings.json",
        "findings.sarif",
        "gl-code-quality.json",
        "junit.xml",
    ]


@pytest.mark.usefixtures("terraform", "before")
def test_the_files_that_were_judged_are_inputs_of_the_step(context: StepContext) -> None:
    files = compliance.validate(context)
    inputs = compliance.decide(context, files, compliance.judge(context, files)).result.inputs
    assert "repo:terraform/access/main.tf" in {file.path for file in inputs}


@pytest.mark.usefixtures("terraform")
@pytest.mark.parametrize("named", ["", "0" * 40, "1" * 40], ids=["the commit before", "zeros", "not in this clone"])
def test_every_report_says_what_was_compared_and_without_it_all_is_judged(
    context: StepContext, load: Callable[..., Settings], named: str
) -> None:
    root = context.settings.root
    old, new = (context.stack_dir / name for name in ("main.tf", "new.tf"))
    old.write_text(rule("old", 22))
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "before")
    before = git(root, "rev-parse", "HEAD")
    new.write_text(rule("new"))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "the change")
    if named:
        context.settings = load(CI_COMMIT_BEFORE_SHA=named)
    files = compliance.validate(context)
    report = compliance.judge(context, files)
    # Port 22 was open before: it is found wherever that is not known.
    assert report.outcome is (Outcome.BLOCKED if named else Outcome.PASSED)
    view = compliance.decide(context, files, report)
    said = "Compared with no commit: " if named else f"Compared with {before[:12]} (the commit before)."
    assert said in files.compared.sentence
    folder = context.store.dir / "01_compliance"
    for name in ("compliance.txt", "findings.json", "findings.sarif", "junit.xml"):
        content = (folder / name).read_text()
        assert (
            said if name.endswith(("txt", "sarif", "xml")) else before if not named else '"everything": true'
        ) in content
    assert said in view._repr_mimebundle_()["text/html"]


def test_rules_of_the_files_are_those_that_they_declare_now() -> None:
    now = Rule(direction="ingress", protocol="tcp", from_port=80, to_port=80, source="10.0.0.0/8", address="now")
    then = now.model_copy(update={"address": "then"})
    assert compliance.Files((), RuleChanges(before=(then,), after=(now,))).rules == (now,)
