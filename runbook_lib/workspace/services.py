"""Whom the service tests ask: services resolved to addresses, each by itself, and what a change opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..adapters.aws import Aws
from ..adapters.connect_to import parse_connect_to
from ..adapters.probes.connect import has_way
from ..adapters.probes.run import ProbeOptions, run_tests
from ..domain.change_tests import OfChange, change_tests
from ..domain.rules import group_ids_of_state, is_id
from ..domain.services import expand, judge_answer, make_test, parse_shard, shard, untested
from ..errors import AdapterError, InputError, RunbookError
from ..models.config import GroupReference, ServiceConfig
from ..models.exposure import Exposure
from ..models.services import Member, ServiceReport, ServiceResult, ServiceTest
from ..settings import Settings
from .states import read_state

__all__ = ["Asked", "Resolver", "ask", "part_of", "plan_tests"]


@dataclass(frozen=True)
class Asked:
    """Whom to ask, the services for which there is nobody, with the reason, and the tests of other shards.

    `unknowable` is what the change does that can't be seen from here. `reports` are those of shards that have asked,
    and `history` names the file that remembers the last runs.
    """

    tests: tuple[ServiceTest, ...]
    untested: Mapping[str, str]
    elsewhere: tuple[ServiceTest, ...] = ()
    unknowable: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    reports: tuple[ServiceReport, ...] = ()
    history: str = ""


class Resolver:
    """Finds whom a service names; each state and group is asked for once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._aws = Aws()
        self._states: dict[str, dict[str, Any]] = {}
        self._members: dict[str, tuple[Member, ...]] = {}

    def tests_of(self, service: ServiceConfig) -> tuple[ServiceTest, ...]:
        """The tests of a service; InputError if there is nobody to ask."""
        if service.kind == "dns" and not (service.group or service.output or service.tags or service.targets):
            return (make_test(service, ""),)
        members = self._whom(service)
        reason = untested(service, members)
        if reason:
            raise InputError(reason)
        return expand(service, members)

    def members_of(self, group: GroupReference) -> tuple[Member, ...]:
        """Everything in AWS that has an interface in the group now."""
        return self._in_group(group.id or self._group_of(group))

    def of_target(self, stack: str, identity: str) -> Sequence[Member] | str:
        """The members of a group that the stack's change opens or closes, or why there are none to ask.

        `identity` is its id, or Terraform's address where the change made it: its id is in the state by now.
        """
        group = identity if is_id(identity) else group_ids_of_state(self._state(stack)).get(identity, "")
        if not group:
            return f"the state of stack {stack} does not know the id of {identity}"
        return self._in_group(group) or "the group has no members"

    def _whom(self, service: ServiceConfig) -> tuple[Member, ...]:
        if service.group is not None:
            return self.members_of(service.group)
        if service.tags:
            return self._aws.tagged(service.tags)
        if service.output is not None:
            hosts = _hosts(self._output(service.output.stack, service.output.output), service.output.output)
            return tuple(_literal(host) for host in hosts)
        return tuple(_literal(host) for host in service.targets)

    def _in_group(self, group: str) -> tuple[Member, ...]:
        if group not in self._members:
            self._members[group] = self._aws.members(group)
        return self._members[group]

    def _group_of(self, group: GroupReference) -> str:
        value = (self._outputs(group.stack).get(group.output) or {}).get("value")
        if not isinstance(value, str) or not value.startswith("sg-"):
            raise _no_output(group.stack, group.output, "is a group's id", self._outputs(group.stack))
        return value

    def _output(self, stack: str, name: str) -> object:
        outputs = self._outputs(stack)
        if name not in outputs:
            raise _no_output(stack, name, "is named so", outputs)
        return (outputs[name] or {}).get("value")

    def _outputs(self, stack: str) -> dict[str, Any]:
        return self._state(stack).get("outputs") or {}

    def _state(self, stack: str) -> dict[str, Any]:
        if stack not in self._states:
            self._states[stack] = read_state(self._settings, stack)
        if not self._states[stack]:
            raise InputError(f"the state of stack {stack} is empty", f"Apply the stack {stack} first.")
        return self._states[stack]


def plan_tests(settings: Settings, stack: str, shard_text: str = "", exposure: Exposure | None = None) -> Asked:
    """All tests of the stack's services and of what a change does, or this shard's.

    What can't be found out of one service leaves that one untested. If nothing at all can be asked because a system
    outside failed, that is the error.
    """
    part = parse_shard(shard_text) if shard_text else (1, 1)
    resolver = Resolver(settings)
    tests: list[ServiceTest] = []
    nobody: dict[str, str] = {}
    failed: list[AdapterError] = []
    for service in settings.config.services_of(stack):
        try:
            tests += resolver.tests_of(service)
        except AdapterError as error:
            failed.append(error)
            nobody[service.name] = _reason(error)
        except InputError as error:
            nobody[service.name] = _reason(error)
    of_change = OfChange()
    try:
        of_change = _of_change(settings, stack, resolver, exposure)
    except AdapterError as error:
        failed.append(error)
        nobody["what the change does"] = _reason(error)
    tests += of_change.tests
    if failed and not tests:
        raise failed[0]
    mine = shard(tests, *part)
    # Each shard tells of whom it found nobody, whatever the others found: merged, it is told once.
    return Asked(mine, nobody, _others(tests, mine), dict(of_change.unknowable), shard_text)


def ask(
    settings: Settings,
    tests: Sequence[ServiceTest],
    on_result: Callable[[ServiceResult, int, int], None] | None = None,
    on_interrupt: Callable[[tuple[ServiceResult, ...]], object] | None = None,
    deadline: float | None = None,
) -> tuple[ServiceResult, ...]:
    """Carry the tests out, with the bounds that runbook.yml sets."""
    config = settings.config.service_tests
    whole = config.deadline.total_seconds()
    options = ProbeOptions(
        connect_to=parse_connect_to(settings.environment.connect_to),
        only=settings.environment.connect_only,
        concurrency=config.concurrency,
        deadline=min(deadline or whole, whole),
        on_result=on_result,
        on_interrupt=on_interrupt,
    )
    return run_tests(tests, judge_answer, options)


def _of_change(settings: Settings, stack: str, resolver: Resolver, exposure: Exposure | None) -> OfChange:
    config = settings.config.service_tests
    if exposure is None or not config.from_change:
        return OfChange()
    rules = parse_connect_to(settings.environment.connect_to)

    def whom(identity: str) -> Sequence[Member] | str:
        try:
            return resolver.of_target(stack, identity)
        except AdapterError:
            raise
        except RunbookError as error:
            return _reason(error)

    found = change_tests(exposure, whom, config.place)
    # What nothing here stands for or leads to can't be seen from here, as little as a network that this is not in.
    kept: list[ServiceTest] = []
    left: dict[str, str] = {}
    for test in found.tests:
        port = (test.service.port if test.service else None) or 0
        if any(rule.matches(test.address, port) for rule in rules):
            kept.append(test)
        elif settings.environment.connect_only:
            left[test.name] = "nothing here stands for this address and port"
        elif ":" in test.address and not has_way(test.address):
            left[f"{test.name} by IPv6"] = "this machine has no route to it"
        else:
            kept.append(test)
    return OfChange(tuple(kept), (*found.unknowable, *left.items()))


def _others(tests: Iterable[ServiceTest], mine: Sequence[ServiceTest]) -> tuple[ServiceTest, ...]:
    own = {(test.name, test.address) for test in mine}
    return tuple(test for test in tests if (test.name, test.address) not in own)


def part_of(shard_text: str) -> str:
    """A shard as a report names it, empty if it is all there is."""
    return "" if not shard_text or parse_shard(shard_text)[1] == 1 else shard_text


def _literal(host: str) -> Member:
    return Member(id=host, kind="target", address=host, private_address=host)


def _hosts(value: object, name: str) -> list[str]:
    """The hosts in an output: a host, address or URL, or a list or map of them."""
    from urllib.parse import urlsplit

    from ..models.service_config import is_host

    if isinstance(value, dict):
        value = list(value.values())
    listed = value if isinstance(value, list) else [value]
    found = []
    for item in listed:
        text = str(item) if isinstance(item, str) else ""
        try:
            host = (urlsplit(text).hostname or "") if "://" in text else text
        except ValueError:
            host = ""
        if not is_host(host):
            raise InputError(f"the output {name!r} holds something that is neither a host nor a URL", "Correct output.")
        found.append(host)
    return found


def _no_output(stack: str, name: str, what: str, outputs: Mapping[str, Any]) -> InputError:
    known = ", ".join(sorted(outputs)) or "none"
    return InputError(
        f"the state of stack {stack} has no output {name!r} that {what}",
        f"Correct services in runbook.yml; the outputs are: {known}.",
    )


def _reason(error: RunbookError) -> str:
    return f"{error.message}. {error.remedy}".rstrip(". ") if error.remedy else error.message
