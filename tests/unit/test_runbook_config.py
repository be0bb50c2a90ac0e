"""runbook.yml: runbooks as lists of steps, what is otherwise for one stack, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.adapters.yaml_file import load_model
from runbook_lib.errors import ConfigError
from runbook_lib.models.config import RunbookConfig
from runbook_lib.models.steps import BUILT_IN

STACKS = "version: 1\nstacks:\n  access: {path: a, state: a}\n"


def load(folder: Path, text: str, stacks: str = STACKS) -> RunbookConfig:
    path = folder / "runbook.yml"
    path.write_text(stacks + text)
    return load_model(path, RunbookConfig)


def refused(folder: Path, text: str, stacks: str = STACKS) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, stacks)
    return caught.value.message.removeprefix(f"{folder}/runbook.yml, ")


def test_leaving_runbooks_out_means_the_six(tmp_path: Path) -> None:
    assert load(tmp_path, "").runbook("change") == BUILT_IN


def test_a_runbook_is_what_its_list_says_numbered_by_place(tmp_path: Path) -> None:
    config = load(tmp_path, "runbooks:\n  change: {steps: [plan, {name: cost, title: What it costs}]}\n")
    plan, cost = config.runbook("change")
    assert (plan.folder, plan.notebook, plan.decides) == ("01_plan", "02_plan.ipynb", True)
    assert (cost.folder, cost.notebook, cost.title, cost.decides) == ("02_cost", "cost.ipynb", "What it costs", False)


def test_change_is_there_beside_other_runbooks(tmp_path: Path) -> None:
    config = load(tmp_path, "runbooks:\n  drift: {steps: [verification]}\n")
    assert config.runbook_names == ("change", "drift", "expired")
    assert config.runbook("expired") == config.runbook("change")
    assert [step.folder for step in config.runbook("drift")] == ["01_verification"]
    assert len(config.all_steps) == 6


def test_a_team_s_notebook_may_stand_in_for_ours(tmp_path: Path) -> None:
    config = load(tmp_path, "runbooks:\n  change: {steps: [{name: plan, notebook: ops/plan.ipynb}]}\n")
    (plan,) = config.runbook("change")
    # It is still the plan step, which must come to a decision.
    assert (plan.notebook, plan.decides, plan.preload) == ("ops/plan.ipynb", True, BUILT_IN[1].preload)


ORDER = "runbooks:\n  change:\n    steps:\n"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["plan", "apply"], "line 8: runbooks.change.steps.1: apply needs approval before it in the same runbook"),
        (["apply"], "line 7: runbooks.change.steps.0: apply needs plan and approval before it in the same runbook"),
        (["approval", "plan", "apply"], "line 7: runbooks.change.steps.0: approval needs plan before it"),
        (["plan", "cost", "plan"], "line 9: runbooks.change.steps.2: the step 'plan' stands there twice"),
        (
            ["plan", "{name: approval, timeout: 5m}"],
            "line 8: runbooks.change.steps.1: approval can't be given a timeout",
        ),
        (["{name: cost, notebook: ../cost.ipynb}"], "line 7: runbooks.change.steps.0.notebook: is no notebook"),
        (["{name: cost, notebook: /etc/cost.ipynb}"], "line 7: runbooks.change.steps.0.notebook: is no notebook"),
        (["{name: cost, notebook: cost.py}"], "line 7: runbooks.change.steps.0.notebook: is no notebook"),
        (["Cost-Center"], "line 7: runbooks.change.steps.0.name: String should match pattern"),
        (["{name: cost, retry: 1}"], "line 7: runbooks.change.steps.0.retry: is not a known field"),
    ],
)
def test_a_wrong_list_is_told_with_the_line_of_the_step(tmp_path: Path, steps: list[str], said: str) -> None:
    assert refused(tmp_path, ORDER + "".join(f"      - {step}\n" for step in steps)).startswith(said)


def test_a_runbook_without_steps_is_none(tmp_path: Path) -> None:
    assert "runbooks.change.steps" in refused(tmp_path, "runbooks:\n  change: {steps: []}\n")


def test_measures_of_a_step_that_no_runbook_has_are_told(tmp_path: Path) -> None:
    assert refused(tmp_path, "steps:\n  cost: {timeout: 5m}\n").startswith("line 5: steps.cost: no runbook has a step")


STACK = """version: 1
stacks:
  access:
    path: a
    state: a
    approvers: [kim, lee]
    quorum: 2
    services: []
    channel: "#access"
    without: [service_tests]
    region: eu-west-1
    environment: {TF_VAR_size: small}
    roles: {plan: "arn:aws:iam::111122223333:role/plan", apply: "arn:aws:iam::111122223333:role/apply"}
  network: {path: n, state: n}
default_stack: access
approval: {approvers: [alex, sam], quorum: 1}
services: [{name: web, group: {id: sg-1}}]
"""


def test_a_stack_has_its_own_people_services_channel_and_steps_and_others_the_usual_ones(tmp_path: Path) -> None:
    config = load(tmp_path, "", STACK)
    own, usual = config.approval_of("access"), config.approval_of("network")
    assert (own.approvers, own.quorum, own.expires_after) == (("kim", "lee"), 2, usual.expires_after)
    assert (usual.approvers, usual.quorum) == (("alex", "sam"), 1)
    assert config.services_of("access") == ()
    assert [service.name for service in config.services_of("network")] == ["web"]
    assert [step.name for step in config.runbook("change", "access")][-1] == "verification"
    assert config.runbook("change", "network") == BUILT_IN


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("without: [service_tests]", "without: [approval]", "stacks.access.without: apply needs approval before it in"),
        ("without: [service_tests]", "without: [tests]", "stacks.access.without.0: no runbook has a step 'tests'"),
        ("path: a", "path: ../a", "stacks.access.path: ../a is no folder below the repository"),
        ("path: a", "path: /etc", "stacks.access.path: /etc is no folder below the repository"),
        ("region: eu-west-1", "region: Ireland", "stacks.access.region: 'Ireland' is no AWS region, as eu-west-1"),
        (
            "role/plan",
            "user/plan",
            "stacks.access.roles.plan: 'arn:aws:iam::111122223333:user/plan' is no ARN of a role",
        ),
        ("role/apply", "role/", "stacks.access.roles.apply: 'arn:aws:iam::111122223333:role/' is no ARN of a role"),
        ("quorum: 2", "quorum: 3", "stacks.access.quorum: quorum is 3, but only 2 approvers are named"),
        ("TF_VAR_size", "SLACK_BOT_TOKEN", "stacks.access.environment.SLACK_BOT_TOKEN: SLACK_BOT_TOKEN is set by"),
        ("TF_VAR_size", "GITLAB_CI", "stacks.access.environment.GITLAB_CI: GITLAB_CI is set by the pipeline"),
        (
            "TF_VAR_size",
            "TF_VAR_db_password",
            "stacks.access.environment.TF_VAR_db_password: TF_VAR_db_password is named",
        ),
        ("TF_VAR_size", "AWS_SECRET_ACCESS_KEY", "stacks.access.environment.AWS_SECRET_ACCESS_KEY: AWS_SECRET_ACCESS"),
        ("TF_VAR_size", "'a b'", "stacks.access.environment.a b: 'a b' is no variable's name"),
        (
            "services: []",
            "services: [{name: x, group: {stack: nope, output: o}}]",
            "stacks.access.services.0: services",
        ),
    ],
)
def test_what_is_wrong_in_a_stack_is_told_with_its_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    line, _, rest = refused(tmp_path, "", STACK.replace(old, new)).partition(": ")
    assert rest.startswith(said)
    written = STACK.replace(old, new).splitlines()
    assert new.split(":", maxsplit=1)[0].strip("' ") in written[int(line.removeprefix("line ")) - 1]


def test_a_step_left_out_with_what_needs_it_is_no_error(tmp_path: Path) -> None:
    config = load(tmp_path, "", STACK.replace("[service_tests]", "[approval, apply]"))
    assert [step.name for step in config.runbook("change", "access")] == [
        "compliance", "plan", "verification", "service_tests",
    ]  # fmt: skip


RULES = "approval:\n  approvers: [alex, sam]\n  rules:\n    - {when: {opens: internet}, needs: 2}\n"


def test_a_rule_that_a_stack_s_own_approvers_can_never_keep_is_refused_with_its_line(tmp_path: Path) -> None:
    assert load(tmp_path, RULES).approval_of("access").rules_of("access")[0].needs == 2
    alone = STACKS.replace("state: a}", "state: a, approvers: [alex]}")
    assert refused(tmp_path, RULES, alone) == (
        "line 3: stacks.access.approvers: a rule needs 2, but only 1 approvers are named"
    )


def test_a_rule_of_a_stack_that_is_not_there_is_refused_with_its_line(tmp_path: Path) -> None:
    other = RULES.replace("needs: 2", "needs: 2, stacks: [acces]")
    assert refused(tmp_path, other) == "line 7: approval.rules.0.stacks: 'acces' is not among the stacks"
