"""The plan step: the plan kept as file, text and JSON, judged with everything resolved, and what it says of itself."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pyrage
import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.age import decrypt
from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.domain.fingerprint import fingerprint
from runbook_lib.domain.plan import why_incomplete
from runbook_lib.domain.risk import RiskFacts, assess_risk
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComplianceReport
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import Plan, PlanInputs, PlanSummary
from runbook_lib.models.risk import RiskLevel
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.steps import plan
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.records import plan_file as kept_plan_file
from runbook_lib.workspace.records import read_inputs, read_plan, read_risk

GROUP = "sg-0123456789abcdef0"
RULE = 'aws_vpc_security_group_ingress_rule.public["80"]'
TEXT = f"""aws_instance.web: Refreshing state... [id=i-1]
data.aws_ami.this: Reading...
data.aws_ami.this: Read complete after 1s [id=ami-1]

Terraform will perform the following actions:
  # {RULE} will be created
"""


def document(port: int = 443) -> dict[str, Any]:
    """A plan that lets everybody in to one port, and whose output is a secret."""
    after = {
        "security_group_id": GROUP,
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port,
        "cidr_ipv4": "0.0.0.0/0",
        "description": "Everybody may read the web pages.",
    }
    change = {"actions": ["create"], "before": None, "after": after, "after_unknown": {}}
    entry = {"address": RULE, "mode": "managed", "type": "aws_vpc_security_group_ingress_rule", "name": "public"}
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": [{**entry, "change": change}],
        "planned_values": {"outputs": {"key": {"sensitive": True, "value": "hush-hush-hush"}}},
    }


def plan_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tfstate", json.dumps({"lineage": "l-1", "serial": 12}))
    return file.getvalue()


PLAN_FILE = plan_file()


class FakeTerraform:
    """Plans this document, and remembers with which options."""

    binary = TerraformBinary((sys.executable,), "1.11.4", "Terraform")

    def __init__(self, found: dict[str, Any], directory: Path) -> None:
        self.found = found
        self.directory = directory
        self.options: tuple[str, ...] = ()
        self.asked_for: list[str] = []
        self.initialised = 0
        self.heard: list[str] = []
        self.meanwhile: object = None
        self.on_line: Any = None
        self.text = TEXT
        self.error: Exception | None = None

    def plan(self, out: Path, *options: str) -> str:
        self.options = options
        out.parent.mkdir(exist_ok=True)
        out.write_bytes(PLAN_FILE)
        for line in self.text.splitlines():
            self.on_line(line)
        if self.error:
            raise self.error
        return self.text

    def show_plan(self, path: Path) -> str:
        assert path.read_bytes() == PLAN_FILE
        return json.dumps(self.found)


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> StepContext:
    return StepContext(built_in("plan"), settings, store, run, NOW, clock=lambda: NOW)


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTerraform:
    fake = FakeTerraform(document(), tmp_path)

    def client(settings: Settings, stack: str, on_line: object = None, meanwhile: object = None) -> FakeTerraform:
        fake.asked_for.append(stack)
        if on_line is not None:
            fake.on_line = on_line
            fake.meanwhile = meanwhile
        return fake

    def initialise(given: FakeTerraform) -> bool:
        assert given is fake
        fake.initialised += 1
        return True

    def holder(settings: Settings, state: str) -> AbstractContextManager[None]:
        fake.heard.append(state)
        return nullcontext()

    monkeypatch.setattr(plan, "terraform_client", client)
    monkeypatch.setattr(plan, "ensure_initialised", initialise)
    monkeypatch.setattr(plan, "holder_named", holder)
    return fake


def test_where_plans_are_encrypted_no_file_holds_them_in_the_clear_and_the_key_alone_reads_them(
    context: StepContext, terraform: FakeTerraform, root: Path
) -> None:
    key, path = pyrage.x25519.Identity.generate(), root / "runbook.yml"
    encrypted = f"terraform:\n  encrypt_to: [{key.to_public()}]\n"
    path.write_text(path.read_text().replace("terraform:\n", encrypted, 1))
    # An earlier attempt left it in the clear.
    context.store.write_bytes("02_plan/plan.tfplan", b"an earlier plan")
    context.settings = Settings.load(root)
    made = plan.make_plan(context)
    store = context.store
    assert [store.exists(f"02_plan/{name}") for name in ("plan.tfplan", "plan.json")] == [False, False]
    assert decrypt(store.path("02_plan/plan.tfplan.age").read_bytes(), str(key), "x") == PLAN_FILE
    assert made.summary.plan_sha256 == hashlib.sha256(PLAN_FILE).hexdigest()
    assert read_plan(store, str(key)).changes[0].address == RULE
    assert b"hush-hush-hush" not in decrypt(store.path("02_plan/plan.json.age").read_bytes(), str(key), "x")
    with pytest.raises(ConfigError, match="there is no key here"):
        read_plan(store)


def test_what_an_earlier_attempt_left_encrypted_is_not_taken_for_this_plan(
    context: StepContext, terraform: FakeTerraform
) -> None:
    for name in ("plan.tfplan.age", "plan.json.age"):
        context.store.write_bytes(f"02_plan/{name}", b"an earlier plan")
    plan.make_plan(context)
    store = context.store
    assert [store.exists(f"02_plan/{name}") for name in ("plan.tfplan.age", "plan.json.age")] == [False, False]
    assert kept_plan_file(store) == "02_plan/plan.tfplan"
    assert store.path("02_plan/plan.tfplan").read_bytes() == PLAN_FILE
    assert read_plan(store).changes[0].address == RULE


def test_what_the_plan_was_made_with_and_how_risky_it_is_are_kept(
    context: StepContext, terraform: FakeTerraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_with = PlanInputs(product="Terraform", path="terraform/access", files={"terraform/access/main.tf": "1" * 64})
    # A provider that goes by words which the plan does not hold: then its files are a part of what the plan does.
    by_local = {"aws": {"expressions": {"region": {"references": ["local.region"]}}}}
    terraform.found["configuration"] = {"provider_config": by_local, "root_module": {}}
    asked: list[tuple[object, ...]] = []

    def inputs(*given: object) -> PlanInputs:
        # Before Terraform reads the files: it has planned nothing yet.
        asked.append((*given, terraform.options))
        return made_with

    monkeypatch.setattr(plan, "plan_inputs", inputs)
    made = plan.make_plan(context)
    assert asked == [(context, terraform, ())]
    assert read_inputs(context.store) == made_with
    assert read_risk(context.store) == assess_risk(RiskFacts(made.plan, made.exposure, made.report.findings))
    assert read_risk(context.store).level is not RiskLevel.NONE
    assert made.summary.fingerprint == fingerprint(terraform.found, made_with.files) != fingerprint(terraform.found)


def test_terraform_is_asked_for_before_anything_is_planned(context: StepContext, terraform: FakeTerraform) -> None:
    found = plan.check_ready(context)
    assert [(result.name, result.found) for result in found] == [
        ("run", "7 of stack access"),
        ("terraform", "Terraform 1.11.4"),
    ]
    assert terraform.asked_for == ["access"]


def test_a_terraform_that_is_not_there_ends_the_step(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(settings: Settings, stack: str) -> None:
        raise ConfigError("no terraform", "Install one.")

    monkeypatch.setattr(plan, "terraform_client", none)
    with pytest.raises(ConfigError, match="no terraform"):
        plan.check_ready(context)


def test_the_stack_is_planned_under_its_lock_and_with_its_own_options(
    context: StepContext, terraform: FakeTerraform
) -> None:
    config = context.settings.config
    limits = config.terraform.model_copy(update={"lock_timeout": "30s", "parallelism": 4})
    stack = config.stacks["access"].model_copy(update={"var_files": ("live.tfvars",)})
    stacks = {**config.stacks, "access": stack}
    context.settings.config = config.model_copy(update={"terraform": limits, "stacks": stacks})
    plan.make_plan(context)
    assert terraform.options == ("-lock=true", "-lock-timeout=30s", "-parallelism=4", "-var-file=live.tfvars")
    assert (terraform.asked_for, terraform.initialised, terraform.heard) == (["access"], 1, ["access"])
    assert terraform.meanwhile == context.import_later


def test_who_may_not_lock_can_plan_without(context: StepContext, terraform: FakeTerraform) -> None:
    plan.make_plan(context, lock=False)
    assert terraform.options[0] == "-lock=false"
    assert not any(option.startswith("-lock-timeout") for option in terraform.options)


def test_the_text_that_is_read_begins_with_the_change(context: StepContext, terraform: FakeTerraform) -> None:
    plan.make_plan(context)
    assert context.store.read_text("02_plan/plan.txt") == (
        f"Terraform will perform the following actions:\n  # {RULE} will be created\n"
    )


def test_a_secret_of_the_plan_is_written_nowhere(context: StepContext, terraform: FakeTerraform) -> None:
    plan.make_plan(context)
    kept = json.loads(context.store.read_text("02_plan/plan.json"))
    assert kept["resource_changes"][0]["address"] == RULE
    assert "hush-hush-hush" not in context.store.read_text("02_plan/plan.json")
    assert "hush-hush-hush" not in context.settings.redactor.mask("the key is hush-hush-hush")


NAMED = """aws_instance.web: Refreshing state... [id=i-1]
  + admin_password = "hunter22x"
  ~ password = "pg" -> "postgres"
  + user_data = "echo hunter22x; postgres"
"""


def test_what_a_name_calls_a_secret_is_in_no_text_of_the_plan_and_not_printed(
    context: StepContext, terraform: FakeTerraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform.text = NAMED
    outputs = {"admin_password": {"actions": ["create"], "before": None, "after": "hunter22x"}}
    terraform.found["output_changes"] = outputs
    printed: list[tuple[str, bool]] = []
    mask = context.settings.redactor.mask

    def tell(line: str) -> None:
        printed.append((line, "hunter22x" in mask("hunter22x")))

    monkeypatch.setattr("builtins.print", tell)
    plan.make_plan(context)
    for name in ("plan.json", "plan.txt"):
        assert "hunter22x" not in context.store.read_text(f"02_plan/{name}")
    kept = context.store.read_text("02_plan/plan.txt")
    assert '~ password = "[MASKED]" -> "[MASKED]"' in kept
    assert '"echo [MASKED]; postgres"' in kept
    # Progress is told as it comes, the plan's own text when its secrets are known.
    assert printed == [(line, number == 0) for number, line in enumerate(NAMED.splitlines())]


def test_what_terraform_said_before_it_failed_is_printed_all_the_same(
    context: StepContext, terraform: FakeTerraform, capsys: pytest.CaptureFixture[str]
) -> None:
    terraform.error = ConfigError("no plan", "Make one.")
    with pytest.raises(ConfigError, match="no plan"):
        plan.make_plan(context)
    assert capsys.readouterr().out == TEXT


def test_the_summary_names_the_plan_file_and_the_state_that_it_was_made_against(
    context: StepContext, terraform: FakeTerraform
) -> None:
    planned = plan.make_plan(context)
    kept = context.store.read_model("02_plan/summary.json", PlanSummary)
    assert kept == planned.summary
    assert (kept.create, kept.update, kept.delete, kept.addresses["create"]) == (1, 0, 0, (RULE,))
    assert kept.plan_sha256 == sha256_file(context.store.path("02_plan/plan.tfplan"))
    assert (kept.state_lineage, kept.state_serial) == ("l-1", 12)
    assert context.store.read_json("02_plan/gl-terraform.json") == {"create": 1, "update": 0, "delete": 0}


def test_whom_the_plan_lets_in_is_kept_with_it(context: StepContext, terraform: FakeTerraform) -> None:
    planned = plan.make_plan(context)
    kept = context.store.read_model("02_plan/exposure.json", Exposure)
    assert kept == planned.exposure
    assert [(entry.target, entry.from_port, entry.to_port) for entry in kept.opened] == [(GROUP, 443, 443)]
    assert kept.closed == ()


def test_the_plan_is_judged_and_the_report_is_written(context: StepContext, terraform: FakeTerraform) -> None:
    terraform.found = document(port=22)
    planned = plan.make_plan(context)
    assert planned.report.outcome is Outcome.BLOCKED
    assert {finding.address for finding in planned.report.findings} == {RULE}
    kept = context.store.read_json("02_plan/findings.json")
    assert kept["outcome"] == "blocked"
    assert kept["checked"]["rules"] == 1
    result = plan.decide(context, planned).result
    assert result.outcome is Outcome.BLOCKED
    assert result.summary.startswith("Compliance blocked: ")
    assert result.summary.endswith(" Plan: 1 to add.")
    assert result.findings == planned.report.findings


def test_the_scope_that_is_asked_for_is_judged(context: StepContext, terraform: FakeTerraform) -> None:
    unchanged = document(port=22)
    change = unchanged["resource_changes"][0]["change"]
    change |= {"actions": ["no-op"], "before": change["after"]}
    terraform.found = unchanged
    assert plan.make_plan(context).report.outcome is Outcome.PASSED
    assert plan.make_plan(context, scope="all").report.outcome is Outcome.BLOCKED


def test_whatever_the_plan_was_made_from_is_an_input_of_the_step(
    context: StepContext, terraform: FakeTerraform
) -> None:
    names = {file.path for file in plan.decide(context, plan.make_plan(context)).result.inputs}
    assert {"repo:runbook.yml", "repo:terraform/access/main.tf"} <= names


def planned(outcome: Outcome = Outcome.PASSED, sentence: str = "The internet can reach web.", **counts: int) -> Any:
    finding = Finding(policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address="a", message="m")
    report = ComplianceReport(outcome=outcome, checked=Checked(rules=2, policies=3), findings=(finding,))
    summary = PlanSummary(plan_sha256="ab" * 32, **counts)
    return plan.Planned(Plan(), summary, report, Exposure(sentence=sentence))


def test_the_end_says_what_would_be_done_and_who_could_reach_what(context: StepContext) -> None:
    given = planned(create=1, update=2, delete=3, forget=4, import_=5)
    result = plan.decide(context, given).result
    assert result.outcome is Outcome.PASSED
    assert result.summary == (
        "Plan: 1 to add, 2 to change, 3 to destroy, 4 to forget, 5 to import. The internet can reach web."
    )
    assert result.metrics == {
        "create": 1,
        "update": 2,
        "delete": 3,
        "plan_sha256": "ab" * 32,
        "exposure": "The internet can reach web.",
    }
    assert result.findings == given.report.findings


@pytest.mark.parametrize(("outputs", "said"), [(1, "1 output to change"), (3, "3 outputs to change")])
def test_the_end_counts_outputs_that_change(context: StepContext, outputs: int, said: str) -> None:
    result = plan.decide(context, planned(outputs=outputs)).result
    assert result.summary == f"Plan: {said}. The internet can reach web."


def test_a_plan_of_a_part_of_the_stack_is_shown_and_refused(context: StepContext, terraform: FakeTerraform) -> None:
    terraform.found = document() | {"complete": False}
    made = plan.make_plan(context)
    result = plan.decide(context, made).result
    assert (result.outcome, made.summary.create) == (Outcome.BLOCKED, 1)
    assert result.summary.startswith("The plan is not of the whole stack: it leaves resources or actions out")


def test_a_local_value_leads_to_the_group_that_the_plan_file_s_files_name(
    context: StepContext, terraform: FakeTerraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tfstate", json.dumps({"lineage": "l-1", "serial": 12}))
        archive.writestr("tfconfig/m-/main.tf", "locals { group = aws_security_group.db.id }")
    monkeypatch.setattr("test_step_plan.PLAN_FILE", file.getvalue())
    found = document()
    rule = found["resource_changes"][0]
    del rule["change"]["after"]["security_group_id"]
    rule["change"]["after_unknown"] = {"security_group_id": True}
    for name in ("web", "db"):
        made = {"actions": ["create"], "before": None, "after": {"name": name}, "after_unknown": {"id": True}}
        group = {"address": f"aws_security_group.{name}", "mode": "managed", "type": "aws_security_group"}
        found["resource_changes"].append({**group, "name": name, "change": made})
    written = {"address": RULE.partition("[")[0], "expressions": {"security_group_id": {"references": ["local.group"]}}}
    found["configuration"] = {"root_module": {"resources": [written]}}
    terraform.found = found
    assert plan.make_plan(context).exposure.sentence == (
        "Opens tcp 443 of db (new) to the internet, which has no member; nobody loses access."
    )


def test_a_plan_without_a_change_says_so(context: StepContext) -> None:
    result = plan.decide(context, planned(sentence="")).result
    assert result.summary == "Plan: nothing to change. Nobody is asked, and nothing is applied."
    assert (result.outcome, result.ends) == (Outcome.PASSED, True)


def test_an_apply_that_nobody_saw_end_is_told_where_nobody_is_asked(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfinished(settings: Settings, run: Run) -> tuple[str, ...]:
        assert (settings, run) == (context.settings, context.run)
        return ("Run 5 did not end.", "Run 6 did not end.")

    monkeypatch.setattr(plan, "unfinished_applies", unfinished)
    assert plan.decide(context, planned(sentence="")).result.summary == (
        "Plan: nothing to change. Nobody is asked, and nothing is applied. Run 5 did not end. Run 6 did not end."
    )
    # Where somebody is asked, the request says it.
    assert plan.decide(context, planned(sentence="", create=1)).result.summary == "Plan: 1 to add."


def test_what_a_plan_was_governed_by_is_kept(context: StepContext) -> None:
    plan.decide(context, planned())
    assert context.store.exists("02_plan/governed_by/runbook.yml")


def test_a_part_of_a_stack_without_a_change_is_refused_and_ends_nothing(context: StepContext) -> None:
    given = planned()
    part = plan.Planned(Plan(complete=False), given.summary, given.report, given.exposure)
    result = plan.decide(context, part).result
    assert (result.outcome, result.ends) == (Outcome.BLOCKED, False)
    assert (
        result.summary == f"The plan is not of the whole stack: {why_incomplete(part.plan)}. Plan: nothing to change."
    )


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Outcome.PASSED, {"outputs": 1}),
        (Outcome.PASSED, {"move": 1}),
        (Outcome.PASSED, {"invoke": 1}),
        (Outcome.WARNED, {"update": 1}),
        (Outcome.BLOCKED, {}),
    ],
)
def test_whatever_is_to_be_done_or_said_no_does_not_end_the_run(
    context: StepContext, outcome: Outcome, counts: dict[str, int]
) -> None:
    assert not plan.decide(context, planned(outcome, **counts)).result.ends


def test_a_plan_that_warns_still_says_what_it_would_do(context: StepContext) -> None:
    result = plan.decide(context, planned(Outcome.WARNED, create=1)).result
    assert (result.outcome, result.summary) == (Outcome.WARNED, "Plan: 1 to add. The internet can reach web.")


def test_a_plan_that_is_blocked_says_why_first(context: StepContext) -> None:
    result = plan.decide(context, planned(Outcome.BLOCKED, update=1)).result
    assert result.outcome is Outcome.BLOCKED
    assert result.summary == "Compliance blocked: 1 failed, in 2 rules under 3 policies. Plan: 1 to change."
