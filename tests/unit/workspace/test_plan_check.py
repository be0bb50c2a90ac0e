"""A plan is read by what made it alone: another program, provider, platform or folder is refused before it reads it."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
from step_fakes import NOW, built_in, found_plan

from runbook_lib.adapters.age import encrypt
from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.domain.fingerprint import fingerprint
from runbook_lib.domain.network import networks_from_plan
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.errors import ApprovalError, AwsError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import RunbookEntry, StepConfig, StepEntry
from runbook_lib.models.network import Networks
from runbook_lib.models.plan import Plan, PlanInputs
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import plan_check
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.plan_check import (
    config_digest,
    find_plan,
    inputs_digest,
    plan_inputs,
    problems_of,
    read_lineage,
    refuse_changed_inputs,
)

SCRIPT = """#!/bin/sh
echo "$1" >> "{log}"
case "$1" in
  version) echo '{{"terraform_version": "{version}", "platform": "{platform}"}}';;
  show) echo 'Error: the plan file was made by another version' >&2; exit 1;;
esac
"""


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run) -> StepContext:
    provider = settings.root / "terraform/access/.terraform/providers/registry.terraform.io/hashicorp/aws/5.100.0"
    (provider / "linux_amd64").mkdir(parents=True)
    store.write_bytes("02_plan/plan.tfplan", b"PK")
    return StepContext(built_in("apply"), settings, store, run, NOW)


def planned(context: StepContext, **made: Any) -> None:
    """What the plan was made with, in the file's own form."""
    inputs = PlanInputs(
        product="Terraform", terraform_version="1.11.4", platform="linux_amd64", providers={"hashicorp/aws": "5.100.0"},
        path="terraform/access", folder=str(context.stack_dir.resolve()),
    )  # fmt: skip
    context.store.write_json("02_plan/inputs.json", inputs.model_copy(update=made))


def use(
    context: StepContext, monkeypatch: pytest.MonkeyPatch, folder: Path, name: str = "terraform", **here: str
) -> Path:
    """A program that says it is this one; the file to which it writes which commands it was given."""
    log, script = folder / "called", folder / name
    said = {"version": "1.11.4", "platform": "linux_amd64", **here}
    script.write_text(SCRIPT.format(log=log, **said))
    script.chmod(0o755)
    monkeypatch.setenv("RUNBOOK_TERRAFORM", str(script))
    context.settings.environment = context.settings.environment.model_copy(update={"terraform": str(script)})
    log.write_text("")
    return log


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({"version": "1.12.0"}, "The plan was made by Terraform 1.11.4, and here is Terraform 1.12.0."),
        ({"name": "tofu"}, "The plan was made by Terraform 1.11.4, and here is OpenTofu 1.11.4."),
        ({"platform": "linux_arm64"}, "The plan was made on linux_amd64, and here is linux_arm64."),
    ],
)
def test_another_program_or_platform_reads_nothing(
    context: StepContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: dict[str, str], said: str
) -> None:
    planned(context)
    log = use(context, monkeypatch, tmp_path, **here)
    with pytest.raises(ApprovalError) as caught:
        find_plan(context, backend=True)
    assert said in caught.value.message
    # Neither init nor show, nor anything that asks the backend.
    assert set(log.read_text().split()) <= {"version"}


def test_another_provider_reads_nothing(context: StepContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    planned(context, providers={"hashicorp/aws": "5.99.0"})
    log = use(context, monkeypatch, tmp_path)
    with pytest.raises(ApprovalError, match=r"made with hashicorp/aws 5\.99\.0, and here is 5\.100\.0\."):
        find_plan(context, backend=True)
    assert set(log.read_text().split()) == {"version", "init"}


HELD = {"planned_values": {"root_module": {"resources": [{"values": {"filename": "/builds/a/terraform/access/x"}}]}}}
BOUND = {"configuration": {"root_module": {"outputs": {"a": {"expression": {"references": ["path.cwd"]}}}}}}


@pytest.mark.parametrize(
    ("in_ci", "folder", "document", "counts"),
    [
        (False, "/builds/a/terraform/access", {}, True),
        (True, "/builds/a/terraform/access", {}, False),
        (True, "/builds/a/terraform/access", HELD, True),
        (True, "/builds/a/terraform/access", BOUND, True),
        (True, "", {}, True),
        (True, "here", HELD, False),
        (False, "here", {}, False),
    ],
)
def test_a_plan_of_another_folder_counts_for_none_unless_a_runner_has_several_and_it_holds_none_of_them(
    context: StepContext, in_ci: bool, folder: str, document: dict[str, Any], counts: bool
) -> None:
    here = str(context.stack_dir.resolve())
    planned(context, folder=here if folder == "here" else folder)
    gitlab = {"gitlab_ci": True} if in_ci else {}
    context.settings.environment = context.settings.environment.model_copy(update=gitlab)
    assert context.settings.environment.in_ci is in_ci
    said = plan_check._misplaced(context, PlanInputs(folder=here), document)
    assert bool(said) is counts
    if counts:
        assert (folder or "a folder that nobody noted") in said
        assert here in said


def test_the_request_s_digest_is_the_same_in_another_folder_of_the_runner(context: StepContext) -> None:
    one, other = (PlanInputs(platform="linux_amd64", folder=name) for name in ("/builds/0", "/builds/1"))
    assert plan_check.inputs_digest(one) == plan_check.inputs_digest(other)
    assert plan_check.inputs_digest(one) != plan_check.inputs_digest(one.model_copy(update={"platform": "x"}))
    assert json.loads(one.model_dump_json())["folder"] == "/builds/0"


AGAIN = "Run the plan step again and have the new plan approved."
MADE = PlanInputs(product="Terraform", terraform_version="1.11.4", path="terraform/access", files={"main.tf": "a"})


@pytest.fixture
def shown(context: StepContext, request_: ApprovalRequest) -> ApprovalRequest:
    """A request of which nothing changed since."""
    context.store.write_json("02_plan/exposure.json", request_.exposure)
    context.store.write_json("02_plan/inputs.json", MADE)
    digests = {"inputs_sha256": inputs_digest(MADE), "config_sha256": config_digest(context.settings)}
    return request_.model_copy(update=digests)


def found(context: StepContext, **changed: Any) -> plan_check.FoundPlan:
    known: plan_check.FoundPlan = found_plan(context)
    return replace(known, **{"inputs": MADE, **changed})


def test_what_is_as_it_was_shown_has_no_problem(context: StepContext, shown: ApprovalRequest) -> None:
    assert problems_of(context, shown, found(context)) == ()


def test_everything_that_is_not_as_it_was_shown_is_said(context: StepContext, shown: ApprovalRequest) -> None:
    other = MADE.model_copy(update={"files": {"main.tf": "b"}})
    judged = found_plan(context).judged
    report = judged.report.model_copy(update={"outcome": Outcome.BLOCKED})
    now = found(
        context,
        inputs=other,
        misplaced="It is of another folder.",
        plan=found_plan(context).plan.model_copy(update={"complete": False}),
        judged=replace(judged, report=report),
    )
    request = shown.model_copy(update={"inputs_sha256": "i", "config_sha256": "c"})
    assert problems_of(context, request, now) == (
        "What the plan was made from is not what it was at the request. Run the plan step again.",
        f"Files that the plan was made from changed since: main.tf. {AGAIN}",
        "It is of another folder.",
        "The plan leaves resources out (-target, or deferred changes). Plan the whole stack.",
        f"The plan is refused as it is judged now. {report.sentence}",
        "What runbook.yml decides changed since the request. Run the approval step again.",
    )


def test_where_nobody_noted_what_a_plan_was_made_from_it_is_not_known(
    context: StepContext, shown: ApprovalRequest
) -> None:
    (context.store.dir / "02_plan/inputs.json").unlink()
    assert problems_of(context, shown, found(context)) == (
        "It is not known what the plan was made from. Run the plan step again.",
    )


def a_plan(port: int = 443) -> dict[str, Any]:
    """What Terraform shows of a plan that lets everybody in to one port, and whose output is a secret."""
    after = {
        "security_group_id": "sg-0123456789abcdef0", "ip_protocol": "tcp", "from_port": port, "to_port": port,
        "cidr_ipv4": "0.0.0.0/0", "description": "Visitors",
    }  # fmt: skip
    change = {"actions": ["create"], "before": None, "after": after, "after_unknown": {}}
    kind = "aws_vpc_security_group_ingress_rule"
    return {
        "format_version": "1.2", "terraform_version": "1.11.4",
        "resource_changes": [
            {"address": f"{kind}.web", "mode": "managed", "type": kind, "name": "web", "change": change}
        ],
        "planned_values": {"outputs": {"key": {"sensitive": True, "value": "hush-hush-hush"}}},
    }  # fmt: skip


def plan_bytes() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        # With a time of its own, it is the same whenever it is made.
        archive.writestr(zipfile.ZipInfo("tfstate"), json.dumps({"lineage": "l-1", "serial": 12}))
    return file.getvalue()


class Shows:
    """A Terraform in the stack's folder that shows this of a plan file, and counts how often it is asked."""

    binary = TerraformBinary((sys.executable,), "1.11.4", "Terraform", "linux_amd64")

    def __init__(self, directory: Path, document: dict[str, Any]) -> None:
        self.directory = directory
        self.unasked: AwsError | None = None
        self.document = document
        self.shown: list[bytes] = []
        self.initialised: list[bool] = []

    def show_plan(self, path: Path) -> str:
        self.shown.append(path.read_bytes())
        return json.dumps(self.document)


@pytest.fixture
def shows(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> Shows:
    fake = Shows(context.stack_dir, a_plan())
    context.store.write_bytes("02_plan/plan.tfplan", plan_bytes())

    def client(settings: Settings, stack: str) -> Shows:
        assert (settings, stack) == (context.settings, "access")
        return fake

    def initialise(terraform: Shows, *, backend: bool) -> None:
        assert terraform is fake
        fake.initialised.append(backend)

    def networks(plan: Plan, rules: RuleChanges) -> tuple[Networks, AwsError | None]:
        return networks_from_plan(plan, rules), fake.unasked

    monkeypatch.setattr(plan_check, "terraform_client", client)
    monkeypatch.setattr(plan_check, "ensure_initialised", initialise)
    monkeypatch.setattr(plan_check, "networks_of", networks)
    return fake


@pytest.mark.parametrize("backend", [True, False])
def test_a_plan_is_found_out_from_a_private_copy_once_a_step(context: StepContext, shows: Shows, backend: bool) -> None:
    planned(context)
    first = find_plan(context, backend=backend)
    # What lies in the run folder from then on is not looked at.
    context.store.write_bytes("02_plan/plan.tfplan", b"another")
    assert find_plan(context, backend=not backend) is first
    assert (shows.shown, shows.initialised) == ([plan_bytes()], [backend])
    assert not first.path.is_relative_to(context.store.dir)
    assert first.path.read_bytes() == plan_bytes()
    assert [change.address for change in first.plan.changes] == ["aws_vpc_security_group_ingress_rule.web"]
    digest = hashlib.sha256(plan_bytes()).hexdigest()
    summary = first.judged.summary
    assert (first.sha256, summary.plan_sha256, summary.create) == (digest, digest, 1)
    assert (summary.state_lineage, summary.state_serial) == ("l-1", 12)
    assert summary.fingerprint == fingerprint(a_plan())
    assert [(entry.target, entry.from_port) for entry in first.judged.exposure.opened] == [
        ("sg-0123456789abcdef0", 443)
    ]
    assert first.inputs == plan_inputs(context, shows)  # type: ignore[arg-type]  # as far as it is asked
    assert (first.code, first.misplaced) == ((), "")
    assert context.settings.redactor.mask("It is hush-hush-hush.") == "It is [MASKED]."


def test_a_plan_that_does_not_hold_the_words_of_what_it_does_is_known_by_the_files_that_it_was_made_from(
    context: StepContext, shows: Shows
) -> None:
    planned(context)
    by_local = {"aws": {"expressions": {"region": {"references": ["local.region"]}}}}
    shows.document["configuration"] = {"provider_config": by_local, "root_module": {}}
    found = find_plan(context, backend=False)
    assert "terraform/access/main.tf" in found.inputs.files
    assert found.judged.summary.fingerprint == fingerprint(shows.document, found.inputs.files)
    assert found.judged.summary.fingerprint != fingerprint(shows.document)


def test_a_plan_that_lies_encrypted_is_found_out_from_what_is_in_it(
    context: StepContext, shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = pyrage.x25519.Identity.generate()
    context.store.write_bytes("02_plan/plan.tfplan.age", encrypt(plan_bytes(), (str(identity.to_public()),)))
    monkeypatch.setenv("RUNBOOK_AGE_KEY", str(identity))
    context.settings.environment = Settings.load(context.settings.root).environment
    found = find_plan(context, backend=True)
    assert (found.path.name, found.path.read_bytes()) == ("plan.tfplan", plan_bytes())
    assert found.sha256 == hashlib.sha256(plan_bytes()).hexdigest()


def test_a_plan_of_another_folder_is_found_to_be_so(context: StepContext, shows: Shows) -> None:
    planned(context, folder="/builds/a/terraform/access")
    assert "/builds/a/terraform/access" in find_plan(context, backend=True).misplaced


def test_what_a_plan_is_made_with_and_from_is_named_by_digests(context: StepContext, root: Path) -> None:
    folder = root / "terraform/small"
    (folder / ".terraform/providers/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64").mkdir(parents=True)
    for name, text in (
        ("terraform/small/main.tf", "# nothing\n"),
        ("terraform/live.tfvars", "a = 1\n"),
        ("terraform/small/.terraform.lock.hcl", "# locked\n"),
    ):
        (root / name).write_text(text)
    config = context.settings.config
    stack = config.stacks["access"].model_copy(update={"var_files": ("../live.tfvars", "gone.tfvars")})
    context.settings.config = config.model_copy(update={"stacks": {**config.stacks, "access": stack}})

    def digest(name: str) -> str:
        return hashlib.sha256((root / name).read_bytes()).hexdigest()

    made_with = plan_inputs(context, Shows(folder, {}))  # type: ignore[arg-type]  # as far as it is asked
    assert made_with == PlanInputs(
        product="Terraform",
        terraform_version="1.11.4",
        terraform_sha256=hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest(),
        platform="linux_amd64",
        path="terraform/small",
        folder=str(folder.resolve()),
        providers={"hashicorp/aws": "5.100.0"},
        lock_sha256=digest("terraform/small/.terraform.lock.hcl"),
        files={
            "terraform/small/main.tf": digest("terraform/small/main.tf"),
            "terraform/small/../live.tfvars": digest("terraform/live.tfvars"),
        },
    )
    (folder / ".terraform.lock.hcl").unlink()
    assert plan_inputs(context, Shows(folder, {})).lock_sha256 == ""  # type: ignore[arg-type]


def test_what_aws_could_not_be_asked_is_said_where_it_may_have_mattered(context: StepContext, shows: Shows) -> None:
    def sentence(document: dict[str, Any], unasked: AwsError | None) -> str:
        context.known.clear()
        shows.document, shows.unasked = document, unasked
        return find_plan(context, backend=True).judged.exposure.sentence

    nothing = {**a_plan(), "resource_changes": []}
    # Whom the rule reaches is not known from the plan alone: nobody says who carries its group.
    said, unasked = sentence(a_plan(), None), AwsError("AWS said no.")
    # Not in AWS's own words, which differ each time.
    assert sentence(a_plan(), unasked) == f"{said} AWS could not be asked: runbook doctor says why."
    assert sentence(nothing, unasked) == sentence(nothing, None)
    # Nor who stands behind another stack's route table.
    made = {"actions": ["create"], "before": None, "after": {"route_table_id": "rtb-9", "gateway_id": "igw-1",
                                                             "destination_cidr_block": "0.0.0.0/0"}}  # fmt: skip
    route = {"address": "aws_route.out", "mode": "managed", "type": "aws_route", "name": "out", "change": made}
    assert sentence({**nothing, "resource_changes": [route]}, unasked) == (
        "Not known: what stands behind rtb-9, which newly leads to igw-1."
        " AWS could not be asked: runbook doctor says why."
    )


def test_what_would_be_read_otherwise_than_it_was_checked_is_refused_before_apply(
    context: StepContext, monkeypatch: pytest.MonkeyPatch, request_: ApprovalRequest
) -> None:
    checked, terraform = found(context), object()
    now = {"inputs": MADE, "expired": ()}

    def find(given: StepContext, *, backend: bool) -> plan_check.FoundPlan:
        assert (given, backend) == (context, True)
        return checked

    def inputs(*given: object) -> PlanInputs:
        assert given == (context, terraform)
        return now["inputs"]  # type: ignore[return-value]

    def expired(*given: object) -> object:
        assert given == (checked.plan, NOW)
        return now["expired"]

    monkeypatch.setattr(plan_check, "find_plan", find)
    monkeypatch.setattr(plan_check, "plan_inputs", inputs)
    monkeypatch.setattr(plan_check, "expired_openings", expired)
    context.clock = lambda: NOW
    refuse_changed_inputs(context, terraform)  # type: ignore[arg-type]  # as far as it is asked
    now.update(inputs=MADE.model_copy(update={"files": {"main.tf": "b"}}), expired=("It ended.",))
    with pytest.raises(ApprovalError) as caught:
        refuse_changed_inputs(context, terraform)  # type: ignore[arg-type]
    assert (caught.value.message, caught.value.remedy) == (
        f"Files that the plan was made from changed since: main.tf. {AGAIN} It ended.",
        "Begin at the plan step: runbook run --from plan.",
    )


@pytest.mark.parametrize(("runbook", "alone", "refused"), [
    ("expired", False, True), ("expired", True, False), ("change", False, False),
])  # fmt: skip
def test_a_run_that_removes_what_has_expired_does_nothing_else(
    context: StepContext, shown: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, *,
    runbook: str, alone: bool, refused: bool,
) -> None:  # fmt: skip
    now = found(context)

    def removes(*given: object) -> bool:
        assert given == (now.plan, now.judged.exposure, NOW)
        return alone

    monkeypatch.setattr(plan_check, "removes_expired_alone", removes)
    context.run, context.clock = context.run.model_copy(update={"runbook": runbook}), lambda: NOW
    said = (
        "The runbook expired removes rules that have expired and nothing else, and this plan does something else as"
        " well. Have it carried out by a run of its own: runbook run --stack access."
    )
    assert problems_of(context, shown, now) == ((said,) if refused else ())


def test_in_whatever_order_they_are_noted_the_inputs_are_the_same() -> None:
    names = ("hashicorp/aws", "hashicorp/random")
    one = PlanInputs(providers=dict.fromkeys(names, "1.0"), files=dict.fromkeys(names, "a"))
    other = PlanInputs(providers=dict.fromkeys(names[::-1], "1.0"), files=dict.fromkeys(names[::-1], "a"))
    assert inputs_digest(one) == inputs_digest(other)


def test_only_what_runbook_yml_decides_about_a_change_makes_another_request_necessary(settings: Settings) -> None:
    config, before = settings.config, config_digest(settings)
    assert config_digest(settings) == before

    def digest(part: str, **changed: Any) -> str:
        settings.config = config.model_copy(update={part: getattr(config, part).model_copy(update=changed)})
        return config_digest(settings)

    # Where it is told changes nothing of what is carried out.
    assert digest("slack", channel="#elsewhere") == before
    assert digest("service_tests", concurrency=3) == before
    others = [
        digest("approval", quorum=2),
        digest("compliance", max_waiver_days=7),
        digest("terraform", parallelism=3),
        digest("gitlab", accept=("unprotected_environment",)),
    ]
    for part, value in (
        ("stacks", {"access": config.stacks["access"]}),
        ("runbooks", {"own": RunbookEntry(steps=(StepEntry(name="plan"),))}),
        ("steps", {"apply": StepConfig(own_notebook=True)}),
    ):
        settings.config = config.model_copy(update={part: value})
        others.append(config_digest(settings))
    assert len({before, *others}) == 8


@pytest.mark.parametrize(
    ("state", "found"),
    [({"lineage": "l-1", "serial": 12}, ("l-1", 12)), ({"lineage": "l-1"}, ("l-1", 0)), ({}, ("", 0))],
)
def test_what_a_plan_file_does_not_say_of_its_state_is_none(state: dict[str, Any], found: tuple[str, int]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tfstate", json.dumps(state))
    assert read_lineage(file.getvalue()) == found
