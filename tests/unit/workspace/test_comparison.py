"""Rules from three places and members of a group, the outside answering as it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest
from step_fakes import answering

from runbook_lib.domain.drift import Surveyed
from runbook_lib.errors import AwsError, ConfigError, InputError, TerraformError
from runbook_lib.models.base import Outcome
from runbook_lib.models.config import GroupReference
from runbook_lib.models.findings import WaiverReference
from runbook_lib.models.services import Member
from runbook_lib.models.verification import AcceptedDifference, Carrier, Difference, DifferenceKind
from runbook_lib.settings import Settings
from runbook_lib.workspace import comparison, services, states
from runbook_lib.workspace.services import Resolver

ACCOUNT = "123456789012"
GROUP = "sg-0123456789abcdef0"
RULE = "sgr-0123456789abcdef0"
ADDRESS = "aws_vpc_security_group_ingress_rule.web"


def state(port: int = 80, **outputs: Any) -> dict[str, Any]:
    attributes = {
        "id": RULE, "security_group_rule_id": RULE, "security_group_id": GROUP, "ip_protocol": "tcp",
        "from_port": port, "to_port": port, "cidr_ipv4": "0.0.0.0/0", "description": "Visitors",
    }  # fmt: skip
    resource = {
        "mode": "managed", "type": "aws_vpc_security_group_ingress_rule", "name": "web",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 0, "attributes": attributes}],
    }  # fmt: skip
    named = {name: {"value": value, "type": "string"} for name, value in outputs.items()}
    return {"version": 4, "serial": 3, "lineage": "l", "outputs": named, "resources": [resource]}


def in_aws(port: int = 80, rule: str = RULE) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule, "GroupId": GROUP, "IsEgress": False, "IpProtocol": "tcp",
        "FromPort": port, "ToPort": port, "CidrIpv4": "0.0.0.0/0", "Description": "Visitors",
    }  # fmt: skip


class FakeTerraform:
    """Plans no change, unless `plan` is what it would do."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plan: dict[str, Any] | None = None
        self.beside: dict[str, Any] = {}
        self.options: tuple[str, ...] = ()

    def plan_differs(self, out: Path, *options: str) -> bool:
        self.options = options
        return self.plan is not None

    def show_plan(self, path: Path) -> str:
        return json.dumps(self.plan or {"format_version": "1.2", "resource_changes": [], **self.beside})


class FakeAws:
    """Has these rules."""

    def __init__(self, rules: list[dict[str, Any]]) -> None:
        self._rules = rules
        self.asked: list[str] = []
        self.gone: set[str] = set()
        self.regions: list[str] = []
        self.keys: list[str] = []
        self.carried: tuple[Carrier, ...] = ()
        self.entries: dict[str, str] = {}

    def account(self) -> str:
        return ACCOUNT

    def carriers(self, groups: Any) -> tuple[Carrier, ...]:
        return tuple(carrier for carrier in self.carried if carrier.group in set(groups))

    def list_entries(self, list_id: str) -> dict[str, str]:
        return self.entries

    def rules(self, groups: Any) -> list[dict[str, Any]]:
        return [rule for rule in self._rules if rule["GroupId"] in set(groups)]

    def group_names(self, groups: Any) -> dict[str, str]:
        return {group: f"name of {group}" for group in groups if group not in self.gone}

    def members(self, group: str) -> tuple[Member, ...]:
        self.asked.append(group)
        return ()


Outside = Callable[..., tuple[FakeTerraform, FakeAws]]


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Outside:
    """Put Terraform with this state, and AWS with these rules, in the outside's place."""

    def place(document: dict[str, Any], *rules: dict[str, Any]) -> tuple[FakeTerraform, FakeAws]:
        terraform, aws = FakeTerraform(tmp_path), FakeAws(list(rules))

        def live_client(region: str, keys: dict[str, str] | None = None) -> FakeAws:
            aws.regions.append(region)
            aws.keys += [keys["AWS_ACCESS_KEY_ID"]] if keys else []
            return aws

        monkeypatch.setattr(states, "fetch_state", answering(document))
        monkeypatch.setattr(comparison, "fetch_state", answering(document))
        monkeypatch.setattr(comparison, "terraform_client", lambda *given: terraform)
        monkeypatch.setattr(comparison, "ensure_initialised", lambda terraform: False)
        monkeypatch.setattr("runbook_lib.adapters.aws.live_client", live_client)
        monkeypatch.setattr(services, "Aws", lambda: aws)
        return terraform, aws

    return place


def differences(settings: Settings) -> tuple[Outcome, list[str]]:
    found = comparison.compare_places(comparison.gather_places(settings, "access", print))
    return found.outcome, [difference.kind.value for difference in found.differences]


def test_where_the_plan_is_empty_the_repository_is_what_the_state_says(settings: Settings, outside: Outside) -> None:
    terraform, _ = outside(state(), in_aws())
    assert differences(settings) == (Outcome.PASSED, [])
    assert "-lock=false" in terraform.options


def test_a_rule_that_was_changed_in_aws_is_found_though_the_state_does_not_know(
    settings: Settings, outside: Outside
) -> None:
    outside(state(80), in_aws(8080))
    assert differences(settings) == (Outcome.BLOCKED, ["changed"])


def test_a_rule_that_somebody_added_in_aws_is_unmanaged(settings: Settings, outside: Outside) -> None:
    outside(state(), in_aws(), in_aws(22, "sgr-added"))
    assert differences(settings) == (Outcome.BLOCKED, ["unmanaged"])


def test_a_rule_that_aws_has_no_longer_is_missing(settings: Settings, outside: Outside) -> None:
    outside(state())
    assert differences(settings) == (Outcome.BLOCKED, ["missing"])


def test_a_rule_that_is_only_planned_is_in_the_repository_only(settings: Settings, outside: Outside) -> None:
    document = state()
    terraform, _ = outside({**document, "resources": []})
    attributes = document["resources"][0]["instances"][0]["attributes"]
    change = {"actions": ["create"], "before": None, "after": attributes, "after_unknown": {}}
    terraform.plan = {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": [
            {
                "address": ADDRESS, "mode": "managed", "type": "aws_vpc_security_group_ingress_rule", "name": "web",
                "provider_name": "registry.terraform.io/hashicorp/aws", "change": change,
            }
        ],
        "configuration": {},
    }  # fmt: skip
    assert differences(settings) == (Outcome.BLOCKED, ["repository_only"])


def test_the_var_files_of_the_stack_are_planned_with(
    load: Callable[..., Settings], root: Path, outside: Outside
) -> None:
    path = root / "runbook.yml"
    path.write_text(path.read_text().replace("state: access", "state: access\n    var_files: [prod.tfvars]"))
    terraform, _ = outside(state(), in_aws())
    differences(load())
    assert "-var-file=prod.tfvars" in terraform.options


@pytest.mark.parametrize("error", [AwsError("AWS said no."), TerraformError("No state.")])
def test_what_fails_beside_the_plan_is_an_error_of_the_whole(
    settings: Settings, outside: Outside, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    outside(state())

    def fail(settings: Settings, stack: str) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(comparison, "fetch_state", fail)
    with pytest.raises(type(error)):
        comparison.gather_places(settings, "access", print)


def test_a_state_that_was_never_written_has_no_rules(settings: Settings, outside: Outside) -> None:
    outside({})
    assert comparison.gather_places(settings, "access", print) == comparison.Places((), (), ())


def test_the_members_are_those_of_the_group_that_the_state_names(settings: Settings, outside: Outside) -> None:
    _, aws = outside(state(web_group_id=GROUP))
    Resolver(settings).members_of(GroupReference(stack="network", output="web_group_id"))
    Resolver(settings).members_of(GroupReference(id="sg-other"))
    assert aws.asked == [GROUP, "sg-other"]


@pytest.mark.parametrize("outputs", [{}, {"web_group_id": "web"}, {"web_group_id": 7}])
def test_an_output_that_is_no_group_says_which_outputs_there_are(
    settings: Settings, outside: Outside, outputs: dict[str, Any]
) -> None:
    outside(state(page="http://x/", **outputs))
    with pytest.raises(InputError, match="has no output 'web_group_id' that is a group's id") as caught:
        Resolver(settings).members_of(GroupReference(stack="network", output="web_group_id"))
    assert "page" in caught.value.remedy


def test_the_state_of_a_stack_that_was_never_applied_names_no_group(settings: Settings, outside: Outside) -> None:
    outside({})
    with pytest.raises(InputError, match="the state of stack network is empty") as caught:
        Resolver(settings).members_of(GroupReference(stack="network", output="web_group_id"))
    assert caught.value.remedy == "Apply the stack network first."


def test_what_the_state_calls_sensitive_is_written_nowhere_from_then_on(settings: Settings, outside: Outside) -> None:
    document = state(web_group_id=GROUP)
    document["outputs"]["database"] = {"value": {"password": "known-to-the-state-alone"}, "sensitive": True}
    outside(document)
    Resolver(settings).members_of(GroupReference(stack="network", output="web_group_id"))
    assert settings.redactor.mask("is known-to-the-state-alone") == "is [MASKED]"


def test_every_place_is_asked_about_the_stack_that_is_meant(
    settings: Settings, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform, _ = outside({})
    asked: list[tuple[Any, ...]] = []

    def client(*given: Any) -> FakeTerraform:
        asked.append(given)
        return terraform

    def fetch(*given: Any) -> dict[str, Any]:
        asked.append(given)
        return {}

    monkeypatch.setattr(comparison, "terraform_client", client)
    monkeypatch.setattr(comparison, "fetch_state", fetch)
    monkeypatch.setattr(comparison, "ensure_initialised", lambda given: asked.append((given,)))
    comparison.gather_places(settings, "network", print, repr)
    assert asked == [(settings, "network", print, repr), (terraform,), (settings, "network")]


def test_what_is_compared_calls_sensitive_is_masked(settings: Settings, outside: Outside) -> None:
    document = state()
    document["outputs"]["database"] = {"value": "known-to-the-state-alone", "sensitive": True}
    outside(document, in_aws())
    comparison.gather_places(settings, "access", print)
    assert settings.redactor.mask("is known-to-the-state-alone") == "is [MASKED]"


def test_an_output_that_is_no_group_is_told_with_all_there_are(settings: Settings, outside: Outside) -> None:
    outside(state(b="x", a="y"))
    with pytest.raises(InputError) as caught:
        Resolver(settings).members_of(GroupReference(stack="network", output="web_group_id"))
    assert caught.value.message == ("the state of stack network has no output 'web_group_id' that is a group's id")
    assert caught.value.remedy == "Correct services in runbook.yml; the outputs are: a, b."
    outside(state())
    with pytest.raises(InputError) as caught:
        Resolver(settings).members_of(GroupReference(stack="network", output="web_group_id"))
    assert caught.value.remedy == "Correct services in runbook.yml; the outputs are: none."


GROUP_FILE = """
resource "aws_security_group" "web" {
  name = "web"
}
"""


def with_group(document: dict[str, Any], region: str = "us-east-1", **seen: Any) -> dict[str, Any]:
    """The state with the group itself, in which the provider saw these rules when it last looked."""
    arn = f"arn:aws:ec2:{region}:123456789012:security-group/{GROUP}"
    attributes = {"id": GROUP, "name": "web", "arn": arn, "ingress": [], "egress": [], **seen}
    group = {
        "mode": "managed", "type": "aws_security_group", "name": "web",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]', "instances": [{"attributes": attributes}],
    }  # fmt: skip
    return {**document, "resources": [group, *document["resources"]]}


STALE = {
    "protocol": "tcp", "from_port": 9100, "to_port": 9100, "cidr_blocks": ["0.0.0.0/0"], "description": "",
    "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": False,
}  # fmt: skip


def test_what_the_provider_once_saw_in_a_group_is_no_declaration(
    settings: Settings, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    outside(with_group(state(), ingress=[STALE]), in_aws())
    assert differences(settings) == (Outcome.PASSED, [])


@pytest.mark.parametrize("block", ["ingress {}", 'dynamic "ingress" {}', "ingress = []"])
def test_what_a_group_writes_itself_is_one(settings: Settings, outside: Outside, tmp_path: Path, block: str) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE.replace('"web"\n}', f'"web"\n  {block}\n}}'))
    outside(with_group(state(), ingress=[STALE]), in_aws())
    assert differences(settings) == (Outcome.BLOCKED, ["missing"])


def test_a_group_of_ours_without_rules_is_asked_for_where_it_is(
    settings: Settings, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    _, aws = outside(with_group({**state(), "resources": []}), in_aws(22, "sgr-by-hand"))
    assert differences(settings) == (Outcome.BLOCKED, ["unmanaged"])
    assert set(aws.regions) == {"us-east-1"}


def test_a_group_of_ours_that_is_gone_is_named(settings: Settings, outside: Outside, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    _, aws = outside(with_group(state()))
    aws.gone = {GROUP}
    found = comparison.compare_places(comparison.gather_places(settings, "access", print))
    assert [(each.kind.value, each.group, each.rule) for each in found.differences] == [("missing", GROUP, None)]


@pytest.mark.parametrize(("backend", "kinds"), [("http", []), ("local", ["unmanaged"])])
def test_rules_of_another_stack_are_its_own_unless_anybody_could_have_written_its_state(
    settings: Settings,
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    kinds: list[str],
) -> None:
    outside(state(), in_aws(), in_aws(22, "sgr-theirs"))
    documents = {"access": state(), "network": state(22)}
    monkeypatch.setattr(comparison, "fetch_state", lambda settings, stack: documents[stack])
    monkeypatch.setattr(comparison, "backend_type", lambda folder: backend)
    found = comparison.compare_places(comparison.gather_places(settings, "access", print))
    assert [difference.kind.value for difference in found.differences] == kinds
    assert found.other_stacks == 1 - len(kinds)


@pytest.mark.parametrize(("block", "kinds"), [("", ["unmanaged"]), ("ingress {}", [])])
def test_a_rule_is_another_stack_s_only_where_that_one_s_files_declare_it(
    settings: Settings, outside: Outside, root: Path, monkeypatch: pytest.MonkeyPatch, *, block: str, kinds: list[str]
) -> None:
    outside(state(), in_aws(), {**in_aws(9100, "sgr-seen"), "Description": ""})
    # What the provider once saw in their group is in their state as well.
    theirs = with_group({**state(), "resources": []}, ingress=[STALE])
    documents = {"access": state(), "network": theirs}
    monkeypatch.setattr(comparison, "fetch_state", lambda settings, stack: documents[stack])
    monkeypatch.setattr(comparison, "backend_type", lambda folder: "http")
    folder = root / settings.config.stacks["network"].path
    for file in folder.glob("*.tf"):
        file.unlink()
    (folder / "main.tf").write_text(GROUP_FILE.replace('"web"\n}', f'"web"\n  {block}\n}}'))
    assert differences(settings)[1] == kinds


@pytest.mark.parametrize(("stack", "accepted"), [("access", 1), ("network", 0)])
def test_somebody_answers_for_the_differences_of_one_stack_and_of_no_other(
    settings: Settings, outside: Outside, stack: str, accepted: int
) -> None:
    outside(state(), in_aws())
    given = accepting(settings, kind="unmanaged", where="*")
    assert len(comparison.gather_places(given, stack, print).accepted) == accepted


def test_who_carries_a_group_of_ours_and_is_in_no_state_is_told_as_a_warning(
    settings: Settings, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    _, aws = outside(with_group(state()), in_aws())
    aws.carried = (Carrier(group=GROUP, id="i-1", kind="instance", ids=frozenset({"i-1"})),)
    found = comparison.compare_places(comparison.gather_places(settings, "access", print))
    assert (found.outcome, [each.subject for each in found.differences]) == (
        Outcome.WARNED,
        ["instance i-1 carries the group"],
    )
    assert found.differences[0].name == f"name of {GROUP}"


def test_who_carries_it_by_another_stack_is_no_stranger(
    settings: Settings, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    _, aws = outside(with_group(state()), in_aws())
    aws.carried = (Carrier(group=GROUP, id="i-1", kind="instance", ids=frozenset({"i-1"})),)
    instance = {"mode": "managed", "type": "aws_instance", "name": "x",
                "instances": [{"attributes": {"id": "i-1", "vpc_security_group_ids": [GROUP]}}]}  # fmt: skip
    documents = {"access": with_group(state()), "network": {**state(), "resources": [instance]}}
    monkeypatch.setattr(comparison, "fetch_state", lambda settings, stack: documents[stack])
    monkeypatch.setattr(comparison, "backend_type", lambda folder: "http")
    assert differences(settings) == (Outcome.PASSED, [])


def test_an_entry_that_somebody_put_into_a_prefix_list_of_ours_blocks(
    settings: Settings, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_ec2_managed_prefix_list" "offices" {\n  name = "offices"\n}\n')
    listed = {"mode": "managed", "type": "aws_ec2_managed_prefix_list", "name": "offices",
              "instances": [{"attributes": {"id": "pl-1", "entry": [{"cidr": "0.0.0.0/0"}]}}]}  # fmt: skip
    document = state()
    _, aws = outside({**document, "resources": [listed, *document["resources"]]}, in_aws())
    aws.entries = {"0.0.0.0/0": "for a test"}
    found = comparison.compare_places(comparison.gather_places(settings, "access", print))
    assert (found.outcome, [each.kind.value for each in found.differences]) == (Outcome.BLOCKED, ["unmanaged"])
    assert "0.0.0.0/0" in found.differences[0].subject


def in_account(account: str) -> dict[str, Any]:
    document = with_group(state())
    attributes = document["resources"][0]["instances"][0]["attributes"]
    attributes["owner_id"] = account
    return document


def test_a_group_in_another_account_is_asked_for_with_the_provider_s_role(
    settings: Settings, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    role = "arn:aws:iam::444455556666:role/reader"
    terraform, aws = outside(in_account("444455556666"), in_aws())
    block = {"expressions": {"assume_role": [{"role_arn": {"constant_value": role}}]}}
    terraform.beside = {"configuration": {"provider_config": {"aws": block}}}
    taken: list[tuple[str, str]] = []

    def assume(arn: str, external_id: str) -> dict[str, str]:
        taken.append((arn, external_id))
        return {name: f"{name} of it" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}

    monkeypatch.setattr("runbook_lib.adapters.aws.assume_role", assume)
    assert differences(settings) == (Outcome.PASSED, [])
    assert taken == [(role, "")]
    assert aws.keys == ["AWS_ACCESS_KEY_ID of it"]
    assert "SECRET" not in settings.redactor.mask("AWS_SECRET_ACCESS_KEY of it")


def test_a_group_in_an_account_that_nobody_can_enter_is_an_error_and_never_gone(
    settings: Settings, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(GROUP_FILE)
    outside(in_account("444455556666"))
    with pytest.raises(AwsError, match="in the account 444455556666") as caught:
        differences(settings)
    assert "assume_role" in caught.value.remedy


def accepting(settings: Settings, **given: Any) -> Settings:
    entry = {"owner": "net", "reason": "CHG-1", "expires": datetime.now(UTC).date() + timedelta(days=3)} | given
    config = settings.config
    stack = config.stacks["access"].model_copy(
        update={"accepted_differences": (AcceptedDifference.model_validate(entry),)}
    )
    changed = config.model_copy(update={"stacks": {**config.stacks, "access": stack}})
    settings.config = changed
    return settings


def test_a_difference_that_somebody_answers_for_is_told_and_does_not_block(
    settings: Settings, outside: Outside
) -> None:
    outside(state(), in_aws(), in_aws(22, "sgr-added"))
    accepted = accepting(settings, kind="unmanaged", where=GROUP, what="ingress tcp 22 from 0.0.0.0/0*")
    found = comparison.compare_places(comparison.gather_places(accepted, "access", print))
    assert (found.outcome, len(found.differences)) == (Outcome.PASSED, 1)
    assert found.differences[0].accepted == WaiverReference(
        owner="net", reason="CHG-1", expires=f"{datetime.now(UTC).date() + timedelta(days=3)}"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"where": "sg-other"},
        {"what": "ingress tcp 23 *"},
        {"kind": "missing"},
        {"expires": datetime.now(UTC).date() - timedelta(days=1)},
    ],
    ids=str,
)
def test_what_nobody_answers_for_blocks(settings: Settings, outside: Outside, given: dict[str, Any]) -> None:
    outside(state(), in_aws(), in_aws(22, "sgr-added"))
    assert differences(accepting(settings, **{"kind": "unmanaged", "where": GROUP, **given}))[0] is Outcome.BLOCKED


def test_nobody_answers_for_ever(settings: Settings, outside: Outside) -> None:
    outside(state(), in_aws())
    late = datetime.now(UTC).date() + timedelta(days=91)
    with pytest.raises(ConfigError, match=r"accepted_differences\.0 ends on"):
        differences(accepting(settings, kind="unmanaged", where="*", expires=late))


def test_what_is_not_of_a_rule_is_told_by_its_group_s_name_where_that_is_known() -> None:
    known, unknown = (
        Difference(kind=DifferenceKind.UNMANAGED, group=group, rule=None, subject="a stranger")
        for group in (GROUP, "sg-0fedcba9876543210")
    )
    places = comparison.Places((), (), (), Surveyed(names={GROUP: "web"}), besides=(known, unknown))
    found = {difference.group: difference.name for difference in comparison.compare_places(places).differences}
    assert found == {GROUP: "web", "sg-0fedcba9876543210": ""}


def test_how_long_somebody_answers_is_counted_by_the_day_in_utc(
    settings: Settings, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside(state(), in_aws())

    class Clock(datetime):
        """Here, two hours east, it is the next day already."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 11, 28, 23, 0, tzinfo=UTC).astimezone(tz or timezone(timedelta(hours=2)))

    monkeypatch.setattr(comparison, "datetime", Clock)
    last = date(2026, 11, 28) + timedelta(days=90)
    kept = accepting(settings, kind="unmanaged", where="*", expires=last)
    assert comparison.gather_places(kept, "access", print).accepted[0].expires == last
    with pytest.raises(ConfigError) as caught:
        differences(accepting(settings, kind="unmanaged", where="*", expires=last + timedelta(days=1)))
    assert (caught.value.message, caught.value.remedy) == (
        "runbook.yml: stacks.access.accepted_differences.0 ends on 2027-02-27, more than 90 days from now",
        "Choose an earlier day; the limit is compliance.max_waiver_days in runbook.yml.",
    )
