"""What a policy file says: data that a person writes, a program checks and an auditor reads."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator, model_validator

from .base import Model
from .findings import Action, Control, Severity
from .rules import Direction

__all__ = [
    "Examples",
    "Expected",
    "ExpiryMatch",
    "ListMatch",
    "Policy",
    "PolicyFile",
    "PolicyTest",
    "PolicyTestFile",
    "PortMatch",
    "QuotaMatch",
    "ResourceMatch",
    "RuleMatch",
    "SourceMatch",
    "Width",
]

PortRange = tuple[int, int]


class PortMatch(Model):
    """Some ports of one protocol; `ports` holds numbers and ranges like `9200-9300`, and none means all of them."""

    protocol: Literal["tcp", "udp", "any"] = "any"
    ports: tuple[int | str, ...] = ()

    @field_validator("ports")
    @classmethod
    def _ports_exist(cls, value: tuple[int | str, ...]) -> tuple[int | str, ...]:
        for port in value:
            _interval(port)
        return value

    @property
    def intervals(self) -> tuple[PortRange, ...]:
        """First and last port of each entry."""
        return tuple(_interval(port) for port in self.ports) or ((0, 65535),)


class Width(Model):
    """A prefix length for each family; a network is wider when its own is shorter."""

    ipv4: int = Field(ge=0, le=32)
    ipv6: int = Field(ge=0, le=128)


class SourceMatch(Model):
    """The other end of a rule: a source for ingress, a destination for egress. All that is given must hold.

    `world` is the whole public internet of either family, alone or together with other rules of the same group;
    `public_wider_than` a network that is not private and wider than that; `unknown` one that nobody knows before apply;
    `outside` a network that none of the named ones holds; `self_referencing: false` anything but the rule's own group.
    """

    world: Literal[True] | None = None
    public_wider_than: Width | None = None
    unknown: Literal[True] | None = None
    outside: tuple[str, ...] | None = None
    self_referencing: Literal[False] | None = None

    @field_validator("outside")
    @classmethod
    def _networks(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        import ipaddress

        for network in value or ():
            ipaddress.ip_network(network)
        return value


class ExpiryMatch(Model):
    """Until when a rule may stand, as its tag `expires` says: it holds where one of the conditions does.

    `missing`: no end is written, or none that can be read; `within_days`: the end has come, or comes in so many days;
    `beyond_days`: it comes in more days than that, or can't be read.
    """

    missing: Literal[True] | None = None
    within_days: int | None = Field(default=None, ge=0, le=36500)
    beyond_days: int | None = Field(default=None, ge=0, le=36500)

    @model_validator(mode="after")
    def _says_something(self) -> ExpiryMatch:
        if self.missing is None and self.within_days is None and self.beyond_days is None:
            raise ValueError("give missing, within_days or beyond_days")
        return self


class RuleMatch(Model):
    """A rule that the policy objects to: every condition that is given holds of it.

    `reaches`: it opens at least one of these ports; `reaches_beyond`: it opens another port than these, `unless_only`:
    anything else at all, of ICMP too;
    `all_ports`: every port of a protocol; `all_protocols`: protocol -1; `described: false`: nothing says why it is
    there; `default_group`: it belongs to a VPC's default group; `expires`: it ends so, or does not.
    """

    direction: Direction | None = None
    source: SourceMatch | None = None
    reaches: tuple[PortMatch, ...] | None = Field(default=None, min_length=1)
    reaches_beyond: tuple[PortMatch, ...] | None = None
    unless_only: tuple[PortMatch, ...] | None = None
    all_ports: Literal[True] | None = None
    all_protocols: Literal[True] | None = None
    described: Literal[False] | None = None
    default_group: Literal[True] | None = None
    expires: ExpiryMatch | None = None

    @model_validator(mode="after")
    def _says_something(self) -> RuleMatch:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("a match without a condition would object to every rule")
        return self


class ResourceMatch(Model):
    """A resource that the policy objects to: `when` is a CEL expression over `values`, `address`, `type` and `action`.

    `action` is what is done to it: one that names it is asked of resources that are deleted or forgotten, too.
    Whatever it can't decide, because a value is unknown or a field is missing, is unknown and never passed.
    """

    types: tuple[str, ...] = Field(min_length=1)
    when: str = Field(min_length=1)


class QuotaMatch(Model):
    """More of something than AWS takes, which it would say in the middle of apply: give the quota of your account.

    `rules_per_group` counts the rules of a group as AWS does: for each direction, IPv4 and IPv6 apart, a prefix list as
    the most that it may hold. `groups_per_interface` counts the groups of a network interface.
    """

    rules_per_group: int | None = Field(default=None, ge=1)
    groups_per_interface: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_quota(self) -> QuotaMatch:
        if (self.rules_per_group is None) == (self.groups_per_interface is None):
            raise ValueError("give either rules_per_group or groups_per_interface")
        return self


class ListMatch(Model):
    """An addition to a managed prefix list that the policy objects to, whichever rules name the list.

    `world`: with it the list holds the whole public internet of either family.
    """

    world: Literal[True]


class Examples(Model):
    """Two pieces of Terraform that show the policy better than words; `action` is what is done to what they hold.

    `today` is the day on which they are looked at, where that matters.
    """

    bad: str
    good: str
    today: date | None = None
    action: Literal["create", "update", "delete", "replace", "forget"] = "create"


class Policy(Model):
    """One policy. `action` is what a failed verdict does to the run, `on_unknown` what an unknown one does.

    An `optional` one judges only where compliance.enable in runbook.yml names it.
    `approved_by` is a group of approval.groups in runbook.yml: one of its members must approve what has a finding of
    this policy.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str = Field(min_length=1)
    severity: Severity
    action: Action
    on_unknown: Action
    description: str = ""
    remedy: str = Field(min_length=1)
    controls: tuple[Control, ...] = ()
    approved_by: str = ""
    optional: bool = False
    rule: RuleMatch | None = None
    resource: ResourceMatch | None = None
    prefix_list: ListMatch | None = None
    quota: QuotaMatch | None = None
    examples: Examples | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Policy:
        given = [part for part in (self.rule, self.resource, self.prefix_list, self.quota) if part is not None]
        if len(given) != 1:
            raise ValueError("give one of rule, resource, prefix_list and quota, the thing that the policy objects to")
        return self


class PolicyFile(Model):
    """All of one policy file."""

    policies: tuple[Policy, ...] = Field(min_length=1)


class Expected(Model):
    """The addresses at which a policy must say so; those that are not named must pass."""

    failed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class PolicyTest(Model):
    """One test of policies: a plan beside it, or Terraform written in it, and what each policy must say on a day."""

    name: str = Field(min_length=1)
    plan: str = ""
    hcl: str = ""
    scope: Literal["changed", "all"] = "changed"
    today: date | None = None
    expect: dict[str, Expected]

    @model_validator(mode="after")
    def _one_input(self) -> PolicyTest:
        if bool(self.plan) == bool(self.hcl):
            raise ValueError("give either plan or hcl")
        return self


class PolicyTestFile(Model):
    """All of one file of policy tests."""

    tests: tuple[PolicyTest, ...] = Field(min_length=1)


def _interval(port: int | str) -> PortRange:
    first, dash, last = str(port).partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise ValueError(f"{port!r} is neither a port nor a range like 9200-9300")
    low, high = int(first), int(last) if dash else int(first)
    if not low <= high <= 65535:
        raise ValueError(f"{port!r} is no range of ports between 0 and 65535")
    return low, high
