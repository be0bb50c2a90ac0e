"""What the clouds are asked about a stack's groups and lists: each where it is, and nobody about what is not theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

import pytest

from runbook_lib.domain.drift import rule_key
from runbook_lib.domain.holders import OwnedList
from runbook_lib.domain.rules import CLOUDS, Cloud, Group
from runbook_lib.errors import AwsError
from runbook_lib.models.rules import Direction, Rule
from runbook_lib.models.verification import Carrier
from runbook_lib.settings import Settings
from runbook_lib.workspace.survey import Found, role_keys, survey

OURS, THEIRS = "555566667777", "111122223333"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "theirs-alone", "AWS_SESSION_TOKEN": "for-an-hour"}


def in_aws(group: str, port: int, **more: Any) -> dict[str, Any]:
    return {
        "GroupId": group, "IsEgress": False, "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
        "CidrIpv4": "10.0.0.0/8", "Description": "d", **more,
    }  # fmt: skip


def rule(group: str, port: int) -> Rule:
    return Rule(
        direction=Direction.INGRESS, protocol="tcp", from_port=port, to_port=port, source="10.0.0.0/8",
        description="d", group=group,
    )  # fmt: skip


class Clouds:
    """Every cloud there is, and what each was asked, in the order."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.rules: list[dict[str, Any]] = []
        self.accounts = {"aws": OURS, "acme": "acme-1"}

    def adapter(self, cloud: str) -> ModuleType:
        def live_client(region: str, keys: Mapping[str, str] | None = None) -> Client:
            assert keys in (None, KEYS)
            return Client(self, (cloud, region, "theirs" if keys else "ours"))

        module = ModuleType(cloud)
        vars(module)["live_client"] = live_client
        return module


class Client:
    """One cloud in one region, with these keys."""

    def __init__(self, clouds: Clouds, place: tuple[str, str, str]) -> None:
        self._clouds, self._place = clouds, place

    def account(self) -> str:
        return self._clouds.accounts[self._place[0]]

    def _asked(self, what: str, about: list[str]) -> list[str]:
        self._clouds.asked.append((*self._place, what, *about))
        return about

    def rules(self, group_ids: Iterable[str]) -> list[dict[str, Any]]:
        asked = self._asked("rules", list(group_ids))
        return [item for item in self._clouds.rules if item["GroupId"] in asked]

    def group_names(self, group_ids: Iterable[str]) -> dict[str, str]:
        return {group: f"{group} there" for group in self._asked("names", list(group_ids))}

    def carriers(self, group_ids: Iterable[str]) -> list[Carrier]:
        return [
            Carrier(group=group, id=f"i of {group}", kind="instance")
            for group in self._asked("carriers", list(group_ids))
        ]

    def list_entries(self, list_id: str) -> dict[str, str]:
        (asked,) = self._asked("entries", [list_id])
        return {"10.0.0.0/8": asked}


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Clouds:
    """AWS, and a cloud that tells of no rule which id it has."""
    known = Clouds()
    live = CLOUDS["aws"].live_rules
    monkeypatch.setitem(CLOUDS, "acme", Cloud(name="acme", readers={}, live_rules=live, ids=("fence-",)))
    for cloud in ("aws", "acme"):
        monkeypatch.setitem(sys.modules, f"runbook_lib.adapters.{cloud}", known.adapter(cloud))
    return known


def owned_list(identity: str, region: str, account: str = "") -> OwnedList:
    return OwnedList(identity, f"aws_ec2_managed_prefix_list.{identity}", region, account, frozenset())


def test_each_group_and_list_is_asked_about_where_it_is(clouds: Clouds) -> None:
    groups = (
        Group("sg-far", "far", "us-east-1", owned=True, account=OURS),
        Group("sg-own", "own", "eu-west-1", owned=True, account=OURS),
        Group("sg-found", "found", "eu-west-1", account=OURS),
        Group("sg-nameless", region="eu-west-1", account=OURS),
        # Neither ours, nor with a rule of ours in it.
        Group("sg-seen", "seen", "eu-west-1", account=OURS),
        # What is only planned has no id yet.
        Group("aws_security_group.planned", "planned", "eu-west-1", owned=True),
        Group("fence-7", "fence", account="acme-1"),
    )
    lists = (owned_list("pl-1", "eu-west-1", OURS), owned_list("pl-2", "us-west-2"))
    clouds.rules = [
        in_aws("fence-7", 22, SecurityGroupRuleId="sgr-not-read"),
        in_aws("sg-own", 80, SecurityGroupRuleId="sgr-80"),
        in_aws("sg-found", 443),
        in_aws("sg-seen", 8080),
        in_aws("sg-far", 25, SecurityGroupRuleId="sgr-25"),
    ]
    found = survey(groups, lists, {"sg-found", "sg-nameless", "fence-7"})
    assert clouds.asked == [
        ("acme", "", "ours", "rules", "fence-7"),
        ("aws", "eu-west-1", "ours", "rules", "sg-own", "sg-found", "sg-nameless"),
        ("aws", "eu-west-1", "ours", "names", "sg-own"),
        ("aws", "eu-west-1", "ours", "carriers", "sg-own"),
        ("aws", "eu-west-1", "ours", "entries", "pl-1"),
        ("aws", "us-east-1", "ours", "rules", "sg-far"),
        ("aws", "us-east-1", "ours", "names", "sg-far"),
        ("aws", "us-east-1", "ours", "carriers", "sg-far"),
        ("aws", "us-west-2", "ours", "entries", "pl-2"),
    ]
    web, tls, mail = rule("sg-own", 80), rule("sg-found", 443), rule("sg-far", 25)
    assert [(each.group, each.from_port) for each in found.rules] == [
        ("fence-7", 22),
        ("sg-own", 80),
        ("sg-found", 443),
        ("sg-far", 25),
    ]
    assert found.ids == {rule_key(web): "sgr-80", rule_key(tls): "", rule_key(mail): "sgr-25"}
    # Of a group of ours AWS says what it is called: one that is gone has no name, whatever the state remembers.
    assert found.names == {
        "fence-7": "fence",
        "sg-own": "sg-own there",
        "sg-found": "found",
        "sg-far": "sg-far there",
    }
    assert [carrier.group for carrier in found.carriers] == ["sg-own", "sg-far"]
    assert found.entries == {"pl-1": {"10.0.0.0/8": "pl-1"}, "pl-2": {"10.0.0.0/8": "pl-2"}}
    assert (found.left, found.left_lists) == ([], [])


ELSEWHERE = Group("sg-theirs", "theirs", "eu-west-1", owned=True, account=THEIRS)
LISTED = owned_list("pl-theirs", "eu-west-1", THEIRS)
HERE = Group("sg-ours", "ours", "eu-west-1", owned=True, account=OURS)


def test_what_lies_in_an_account_that_cannot_be_entered_is_left_and_the_rest_is_asked_about(clouds: Clouds) -> None:
    entered: list[str] = []

    def refuse(account: str) -> None:
        entered.append(account)

    found = survey((ELSEWHERE, HERE), (LISTED,), (), refuse)
    assert entered == [THEIRS]
    assert (found.left, found.left_lists) == ([ELSEWHERE], [LISTED])
    assert {(asked[2], asked[4]) for asked in clouds.asked} == {("ours", "sg-ours")}
    assert survey((ELSEWHERE,), (), ()) == Found(left=[ELSEWHERE])


def test_what_lies_in_an_account_that_can_be_entered_is_asked_about_with_its_keys(clouds: Clouds) -> None:
    found = survey((ELSEWHERE, HERE), (LISTED,), (), {THEIRS: KEYS}.get)
    assert clouds.asked == [
        ("aws", "eu-west-1", "theirs", "rules", "sg-theirs"),
        ("aws", "eu-west-1", "theirs", "names", "sg-theirs"),
        ("aws", "eu-west-1", "theirs", "carriers", "sg-theirs"),
        ("aws", "eu-west-1", "theirs", "entries", "pl-theirs"),
        ("aws", "eu-west-1", "ours", "rules", "sg-ours"),
        ("aws", "eu-west-1", "ours", "names", "sg-ours"),
        ("aws", "eu-west-1", "ours", "carriers", "sg-ours"),
    ]
    assert (found.left, found.left_lists) == ([], [])


def test_where_nothing_tells_an_account_there_is_none_to_enter(clouds: Clouds) -> None:
    def never(account: str) -> None:
        raise AssertionError(account)

    clouds.accounts["aws"] = ""
    survey((ELSEWHERE,), (), (), never)
    clouds.accounts["aws"] = THEIRS
    survey((Group("sg-own", owned=True),), (), (), never)
    assert {asked[2] for asked in clouds.asked} == {"ours"}


def test_what_was_found_elsewhere_is_taken_in_and_what_was_left_stays_so() -> None:
    carrier, other = (Carrier(group="sg-1", id=name, kind="instance") for name in ("i-1", "i-2"))
    found = Found([rule("sg-1", 80)], {"sg-1": "one"}, {"a": "sgr-1"}, [carrier], {"pl-1": {"10.0.0.0/8": "x"}}, [HERE])
    found.join(
        Found(
            [rule("sg-2", 443)], {"sg-2": "two"}, {"b": "sgr-2"}, [other], {"pl-2": {}}, [ELSEWHERE], [LISTED]
        )
    )  # fmt: skip
    assert found == Found(
        [rule("sg-1", 80), rule("sg-2", 443)],
        {"sg-1": "one", "sg-2": "two"},
        {"a": "sgr-1", "b": "sgr-2"},
        [carrier, other],
        {"pl-1": {"10.0.0.0/8": "x"}, "pl-2": {}},
        [HERE],
    )


def test_a_role_s_keys_are_its_account_s_and_what_is_secret_of_them_is_masked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, ...]] = []

    def assume(*given: str) -> dict[str, str]:
        taken.append(given)
        return KEYS

    monkeypatch.setattr("runbook_lib.adapters.aws.assume_role", assume)
    roles = {OURS: ("arn:ours", ""), THEIRS: ("arn:theirs", "x-1")}
    assert role_keys(settings, roles, THEIRS) == KEYS
    assert taken == [("arn:theirs", "x-1")]
    assert settings.redactor.mask("a, theirs-alone, for-an-hour") == "a, [MASKED], [MASKED]"


def test_without_a_role_in_the_account_it_is_said_what_could_be_done(settings: Settings) -> None:
    with pytest.raises(AwsError) as caught:
        role_keys(settings, {OURS: ("arn:ours", "")}, THEIRS)
    assert caught.value.message == (
        "AWS: the stack has security groups in the account 111122223333, which the credentials are not of"
    )
    assert caught.value.remedy == (
        "Let the stack's provider take on a role there (assume_role, its ARN a text or a variable), or use keys of"
        " 111122223333."
    )
