"""Whom services name: each resolved by itself, and what can't be is untested and stops no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook_lib.errors import AwsError
from runbook_lib.models.config import ServiceConfig
from runbook_lib.models.exposure import Exposure, ExposureEntry
from runbook_lib.models.services import Member
from runbook_lib.settings import Settings
from runbook_lib.workspace import services
from runbook_lib.workspace.services import part_of, plan_tests

SIX = Member(id="i-6", kind="instance", ipv6=("2001:db8::6",), private_address="10.0.0.6")
BOTH = Member(id="i-7", kind="instance", address="203.0.113.7", ipv6=("2001:db8::7",), private_address="10.0.0.7")
STATES: dict[str, Any] = {
    "network": {
        "outputs": {
            "group": {"value": "sg-both"},
            "host": {"value": "www.example.com"},
            "urls": {"value": ["https://a.example/x", "http://[2001:db8::9]:8080/"]},
            "by_name": {"value": {"one": "203.0.113.9"}},
            "number": {"value": 7},
            "broken": {"value": ["www.example.com", "http://[::1"]},
            "nothing": None,
        }
    }
}


class FakeAws:
    def members(self, group: str) -> tuple[Member, ...]:
        found = {"sg-6": (SIX,), "sg-both": (SIX, BOTH), "sg-0": ()}
        if group not in found:
            raise AwsError("AWS refused it", "Allow it.")
        return found[group]

    def tagged(self, tags: dict[str, str]) -> tuple[Member, ...]:
        return (BOTH,) if tags == {"Role": "web"} else ()


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "Aws", FakeAws)
    monkeypatch.setattr(services, "read_state", lambda settings, stack: STATES.get(stack, {}))


def given(settings: Settings, *listed: dict[str, Any]) -> Settings:
    config = settings.config
    made = tuple(ServiceConfig.model_validate({"name": f"s{number}"} | one) for number, one in enumerate(listed))
    stack = config.stacks["access"].model_copy(update={"services": made})
    settings.config = config.model_copy(update={"stacks": {**config.stacks, "access": stack}})
    return settings


def addresses(settings: Settings, **service: Any) -> list[str]:
    return [test.address for test in plan_tests(given(settings, service), "access").tests]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"group": {"id": "sg-both"}}, ["203.0.113.7", "2001:db8::6"]),
        ({"group": {"id": "sg-both"}, "family": "both"}, ["203.0.113.7", "2001:db8::6", "2001:db8::7"]),
        ({"group": {"id": "sg-both"}, "family": "ipv4"}, ["203.0.113.7"]),
        ({"group": {"id": "sg-both"}, "family": "ipv6"}, ["2001:db8::6", "2001:db8::7"]),
        ({"group": {"stack": "network", "output": "group"}, "interface": "private"}, ["10.0.0.6", "10.0.0.7"]),
        ({"tags": {"Role": "web"}}, ["203.0.113.7"]),
        ({"targets": ["www.example.com", "203.0.113.1"]}, ["203.0.113.1", "www.example.com"]),
        ({"output": {"stack": "network", "output": "host"}}, ["www.example.com"]),
        ({"output": {"stack": "network", "output": "urls"}}, ["a.example", "2001:db8::9"]),
        ({"output": {"stack": "network", "output": "by_name"}}, ["203.0.113.9"]),
        # The resolver of this machine is asked only where nobody is named.
        ({"kind": "dns", "query": "example.com"}, [""]),
        ({"kind": "dns", "query": "example.com", "targets": ["203.0.113.53"]}, ["203.0.113.53"]),
        ({"kind": "dns", "query": "example.com", "tags": {"Role": "web"}}, ["203.0.113.7"]),
        ({"kind": "dns", "query": "example.com", "group": {"id": "sg-both"}}, ["203.0.113.7", "2001:db8::6"]),
        (
            {"kind": "dns", "query": "example.com", "output": {"stack": "network", "output": "by_name"}},
            ["203.0.113.9"],
        ),
    ],
)
def test_a_service_is_asked_at_every_address_of_whom_it_names(
    settings: Settings, service: dict[str, Any], expected: list[str]
) -> None:
    assert addresses(settings, **service) == sorted(expected)


def test_what_cant_be_resolved_is_untested_with_its_reason_and_stops_no_other(settings: Settings) -> None:
    outputs = "Correct services in runbook.yml; the outputs are: broken, by_name, group, host, nothing, number, urls"
    found = plan_tests(
        given(
            settings,
            {"group": {"id": "sg-both"}},
            {"group": {"id": "sg-gone"}},
            {"group": {"id": "sg-0"}},
            {"group": {"stack": "access", "output": "x"}},
            {"output": {"stack": "network", "output": "hots"}},
            {"output": {"stack": "network", "output": "number"}},
            {"tags": {"Role": "nobody"}},
            {"group": {"id": "sg-6"}, "family": "ipv4"},
            {"output": {"stack": "network", "output": "broken"}},
            {"output": {"stack": "network", "output": "nothing"}},
            {"group": {"stack": "network", "output": "nothing"}},
        ),
        "access",
    )
    assert [test.name for test in found.tests] == ["s0", "s0"]
    assert found.untested == {
        "s1": "AWS refused it. Allow it",
        "s2": "its group has no members",
        "s3": "the state of stack access is empty. Apply the stack access first",
        "s4": f"the state of stack network has no output 'hots' that is named so. {outputs}",
        "s10": f"the state of stack network has no output 'nothing' that is a group's id. {outputs}",
        "s5": "the output 'number' holds something that is neither a host nor a URL. Correct output",
        "s6": "nobody is found that it names",
        "s8": "the output 'broken' holds something that is neither a host nor a URL. Correct output",
        "s9": "the output 'nothing' holds something that is neither a host nor a URL. Correct output",
        "s7": "none of the 1 members of its group has a public IPv4 address",
    }


def test_if_nothing_can_be_asked_because_aws_failed_that_is_the_error(settings: Settings) -> None:
    with pytest.raises(AwsError):
        plan_tests(given(settings, {"group": {"id": "sg-gone"}}), "access")


def test_where_something_can_be_asked_what_aws_refused_is_no_error(settings: Settings) -> None:
    found = plan_tests(given(settings, {"group": {"id": "sg-gone"}}, {"targets": ["www.example.com"]}), "access")
    assert ([test.name for test in found.tests], found.untested) == (["s1"], {"s0": "AWS refused it. Allow it"})


def test_each_state_and_each_group_is_asked_for_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Counting(FakeAws):
        def members(self, group: str) -> tuple[Member, ...]:
            asked.append(group)
            return super().members(group)

    def read(given: Settings, stack: str) -> dict[str, Any]:
        assert given is settings
        asked.append(stack)
        return dict(STATES[stack])

    monkeypatch.setattr(services, "Aws", Counting)
    monkeypatch.setattr(services, "read_state", read)
    output = {"group": {"stack": "network", "output": "group"}}
    given(settings, output, output, {"group": {"id": "sg-both"}}, {"output": {"stack": "network", "output": "host"}})
    plan_tests(settings, "access", "", opening("sg-both"))
    assert asked == ["network", "sg-both"]


def test_each_shard_asks_its_part_and_knows_of_the_others(settings: Settings) -> None:
    given(settings, {"targets": [f"203.0.113.{number}" for number in range(8)]})
    whole = plan_tests(settings, "access")
    assert (whole.elsewhere, whole.part) == ((), "")
    parts = [plan_tests(settings, "access", f"{part}/2") for part in (1, 2)]
    assert [one.part for one in parts] == ["1/2", "2/2"]
    assert sorted(test.address for one in parts for test in one.tests) == [test.address for test in whole.tests]
    for mine, others in (parts, parts[::-1]):
        assert mine.elsewhere == others.tests
        assert mine.tests


@pytest.mark.parametrize(("text", "part"), [("", ""), ("1/1", ""), ("1/2", "1/2"), ("2/2", "2/2")])
def test_a_part_that_is_the_whole_has_no_name(text: str, part: str) -> None:
    assert part_of(text) == part


def test_whom_a_shard_can_t_find_it_tells_whatever_the_others_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"group": {"id": "sg-both"}, "family": "both"}
    given(settings, group, {"group": {"id": "sg-0"}}, {"targets": [f"203.0.113.{number}" for number in range(8)]})
    first = plan_tests(settings, "access", "1/2")
    # AWS fails once the other shard has asked.
    monkeypatch.setattr(FakeAws, "members", lambda self, group: (_ for _ in ()).throw(AwsError("AWS fails", "Wait.")))
    second = plan_tests(settings, "access", "2/2")
    assert [list(one.untested) for one in (first, second)] == [["s1"], ["s0", "s1"]]
    assert second.tests


def opening(target_id: str, port: int = 80, target: str = "web") -> Exposure:
    return Exposure(
        opened=(
            ExposureEntry(
                source="0.0.0.0/0", source_kind="internet", target=target, target_kind="group", protocol="tcp",
                from_port=port, to_port=port, target_id=target_id,
            ),
        )
    )  # fmt: skip


@pytest.mark.parametrize("called", ["web", "sg-6", "web (sg-6)", "sg-6 (new)"])
def test_what_a_change_opens_is_tried_at_the_group_that_it_is_about_however_that_is_called(
    settings: Settings, called: str
) -> None:
    given(settings)
    tests = plan_tests(settings, "access", "", opening("sg-both", target=called)).tests
    assert [test.address for test in tests] == ["203.0.113.7"]


def test_a_group_that_the_change_made_is_found_by_its_address_in_the_stack_s_state(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {
        "mode": "managed", "type": "aws_security_group", "name": "web", "module": "module.a",
        "instances": [{"index_key": "x", "attributes": {"id": "sg-both", "tags": {"Name": "sg-6"}}}],
    }  # fmt: skip
    monkeypatch.setattr(
        services, "read_state", lambda settings, stack: {"resources": [made]} if stack == "access" else {}
    )
    given(settings)
    found = plan_tests(settings, "access", "", opening('module.a.aws_security_group.web["x"]', target="web (new)"))
    assert [test.address for test in found.tests] == ["203.0.113.7"]
    other = plan_tests(settings, "access", "", opening("aws_security_group.web", target="web (new)"))
    assert list(other.unknowable.values()) == [
        "the state of stack access does not know the id of aws_security_group.web"
    ]


@pytest.mark.parametrize(
    ("group", "why"),
    [
        ("", "which group web is, is not told"),
        ("sg-0", "the group has no members"),
        ("aws_security_group.web", "the state of stack access is empty. Apply the stack access first"),
    ],
)
def test_what_a_change_opens_to_nobody_who_is_known_can_t_be_seen_which_is_told(
    settings: Settings, group: str, why: str
) -> None:
    given(settings)
    told = [plan_tests(settings, "access", shard, opening(group)).unknowable for shard in ("", "1/2", "2/2")]
    assert [list(one.values()) for one in told] == [[why], [why], [why]]


def test_what_a_change_does_is_untested_where_aws_fails_and_that_blocks(settings: Settings) -> None:
    given(settings, {"targets": ["203.0.113.1"]})
    found = plan_tests(settings, "access", "", opening("sg-gone"))
    assert [test.name for test in found.tests] == ["s0"]
    assert (found.untested, found.unknowable) == ({"what the change does": "AWS refused it. Allow it"}, {})
    # Where nothing else is to be asked it is the error.
    given(settings)
    with pytest.raises(AwsError, match="AWS refused it"):
        plan_tests(settings, "access", "", opening("sg-gone"))


def test_where_only_some_places_may_be_asked_the_others_cant_be_known(load: Callable[..., Settings]) -> None:
    settings = given(load(RUNBOOK_CONNECT_TO="203.0.113.7:80:127.0.0.1:1", RUNBOOK_CONNECT_ONLY="1"))
    assert len(plan_tests(settings, "access", "", opening("sg-both")).tests) == 1
    other = plan_tests(settings, "access", "", opening("sg-both", 81))
    assert (other.tests, list(other.unknowable.values())) == ((), ["nothing here stands for this address and port"])


def test_what_opens_by_ipv6_can_t_be_known_on_a_machine_without_a_route(
    load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    four = opening("sg-both").opened[0]
    both = Exposure(opened=(four, four.model_copy(update={"source": "::/0"})))
    given(settings := load())
    for way, asked in ((True, ["203.0.113.7", "2001:db8::6", "2001:db8::7"]), (False, ["203.0.113.7"])):
        monkeypatch.setattr(services, "has_way", lambda address, way=way: way)
        found = plan_tests(settings, "access", "", both)
        assert sorted(test.address for test in found.tests) == sorted(asked)
        assert found.unknowable == ({} if way else {"opened: web tcp 80 by IPv6": "this machine has no route to it"})
    # What stands for the address here needs no route.
    given(led := load(RUNBOOK_CONNECT_TO="[2001:db8::6]:80:127.0.0.1:1"))
    found = plan_tests(led, "access", "", both)
    assert sorted(test.address for test in found.tests) == ["2001:db8::6", "203.0.113.7"]


def test_a_change_is_not_tried_where_runbook_yml_says_so(settings: Settings) -> None:
    given(settings)
    off = settings.config.service_tests.model_copy(update={"from_change": False})
    settings.config = settings.config.model_copy(update={"service_tests": off})
    assert plan_tests(settings, "access", "", opening("sg-both")).tests == ()
