"""What the clouds have of a stack's groups and prefix lists, each asked where it is: region, account and role."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from ..domain.drift import rule_key
from ..domain.holders import OwnedList
from ..domain.rules import CLOUDS, Cloud, Group
from ..errors import AwsError
from ..models.rules import Rule
from ..models.verification import Carrier
from ..settings import Settings
from .states import learn

__all__ = ["Found", "LiveClient", "role_keys", "survey"]

Place = tuple[str, str, str]  # cloud, region, account


class LiveClient(Protocol):
    """What the comparison needs of a cloud's adapter, which makes one with its `live_client(region, keys)`."""

    def account(self) -> str:
        """The account that the credentials are of; empty where a cloud has no such thing."""

    def rules(self, group_ids: Iterable[str]) -> Iterable[Mapping[str, Any]]:
        """All rules of these groups, as the cloud tells them."""

    def group_names(self, group_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of those groups that exist, by id."""

    def carriers(self, group_ids: Iterable[str]) -> Iterable[Carrier]:
        """Every interface that carries one of these groups."""

    def list_entries(self, list_id: str) -> Mapping[str, str]:
        """The descriptions of a prefix list's entries, by network; of a list that is gone there are none."""


@dataclass
class Found:
    """What the clouds have: rules, names of the groups that exist, the rules' own ids, carriers, entries by list."""

    rules: list[Rule] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    ids: dict[Hashable, str] = field(default_factory=dict)
    carriers: list[Carrier] = field(default_factory=list)
    entries: dict[str, Mapping[str, str]] = field(default_factory=dict)
    # What lies in another account than the credentials', and was not asked for.
    left: list[Group] = field(default_factory=list)
    left_lists: list[OwnedList] = field(default_factory=list)

    def join(self, other: Found) -> None:
        """Take in what was found elsewhere."""
        self.rules += other.rules
        self.names |= other.names
        self.ids |= other.ids
        self.carriers += other.carriers
        self.entries |= other.entries


def survey(
    groups: Iterable[Group],
    lists: Iterable[OwnedList],
    with_rules: Collection[str],
    enter: Callable[[str], Mapping[str, str] | None] = lambda account: None,
) -> Found:
    """Ask for the groups that the stack owns or has rules in, for who carries the owned ones, and for its lists.

    `enter` gives the keys for an account that is not the credentials' own; without any, what lies there is left.
    """
    found = Found()
    places: dict[Place, tuple[list[Group], list[OwnedList]]] = {}
    for group in groups:
        cloud = _cloud(group.id)
        if cloud and (group.owned or group.id in with_rules):
            places.setdefault((cloud, group.region, group.account), ([], []))[0].append(group)
    for owned in lists:
        places.setdefault((_cloud(owned.id), owned.region, owned.account), ([], []))[1].append(owned)
    own: dict[str, str] = {}
    # Who governs nothing in a cloud needs no credentials for it.
    for (cloud, region, account), (here, lists_here) in sorted(places.items()):
        adapter = import_module(f"..adapters.{cloud}", __package__)
        client: LiveClient = adapter.live_client(region)
        if account and account != own.setdefault(cloud, client.account() or account):
            keys = enter(account)
            if keys is None:
                found.left += here
                found.left_lists += lists_here
                continue
            client = adapter.live_client(region, keys)
        _ask(client, CLOUDS[cloud], here, lists_here, found)
    return found


def role_keys(settings: Settings, roles: Mapping[str, tuple[str, str]], account: str) -> Mapping[str, str]:
    """The keys of the role that the stack's provider takes on in the account; an AwsError without such a role.

    `roles` are, by account, the role's ARN and the external id that it asks for.
    """
    from ..adapters.aws import assume_role

    role = roles.get(account)
    if role is None:
        raise AwsError(
            f"AWS: the stack has security groups in the account {account}, which the credentials are not of",
            f"Let the stack's provider take on a role there (assume_role, its ARN a text or a variable), or use keys "
            f"of {account}.",
        )
    keys = assume_role(*role)
    learn(settings, [keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]])
    return keys


def _cloud(identity: str) -> str:
    return next((cloud.name for cloud in CLOUDS.values() if identity.startswith(cloud.ids)), "")


def _ask(client: LiveClient, cloud: Cloud, groups: list[Group], lists: list[OwnedList], found: Found) -> None:
    told = tuple(client.rules([group.id for group in groups])) if groups else ()
    rules = cloud.live_rules(told)
    found.rules += rules
    if cloud.rule_id:
        # One rule an item: only then is it known which id is whose.
        pairs = zip(rules, told, strict=True)
        found.ids |= {rule_key(rule): str(item.get(cloud.rule_id, "")) for rule, item in pairs}
    owned = [group.id for group in groups if group.owned]
    found.names |= {group.id: group.name for group in groups if group.name and not group.owned}
    if owned:
        found.names |= client.group_names(owned)
        found.carriers += client.carriers(owned)
    found.entries |= {each.id: client.list_entries(each.id) for each in lists}
