"""The rules in three places: as the repository wants them, as the state has them, and as the cloud has them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ..adapters.hcl_inline import read_inline_blocks
from ..adapters.terraform import Terraform
from ..adapters.terraform_backend import backend_type
from ..adapters.terraform_folder import ensure_initialised
from ..domain.drift import Surveyed, compare, governed_groups, rule_key, with_drift
from ..domain.plan import parse_plan
from ..domain.resource_drift import drifted, failed_checks
from ..domain.rules import (
    CLOUDS,
    GROUP_TYPES,
    Group,
    Written,
    declared_rules,
    groups_of_state,
    rules_from_plan,
    rules_from_state,
)
from ..domain.sensitive import mask_plan, plan_secrets
from ..errors import RunbookError
from ..models.plan import Plan
from ..models.rules import Rule
from ..models.verification import DifferenceKind, Verification
from ..settings import Settings
from .clients import stack_config, terraform_client
from .states import fetch_state, learn, learn_state

__all__ = ["LiveClient", "Places", "compare_places", "gather_places"]


class LiveClient(Protocol):
    """What the comparison needs of a cloud's adapter, which makes one with its `live_client(region)`."""

    def rules(self, group_ids: Iterable[str]) -> Iterable[Mapping[str, Any]]:
        """All rules of these groups, as the cloud tells them."""

    def group_names(self, group_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of those groups that exist, by id."""


@dataclass(frozen=True)
class Places:
    """The rules as the repository wants them, as the state has them, and as AWS has them; and what of their groups."""

    repository: tuple[Rule, ...]
    state: tuple[Rule, ...]
    aws: tuple[Rule, ...]
    surveyed: Surveyed = field(default_factory=Surveyed)
    plan: Plan = field(default_factory=Plan)


def compare_places(places: Places) -> Verification:
    """The three, rule by rule; then whatever else Terraform wants to change, or found changed outside."""
    groups = governed_groups(places.repository, places.state)
    found = compare(places.repository, places.state, places.aws, groups, places.surveyed)
    told = {name for each in found.differences for name in (each.group, each.rule and each.rule.address) if name}
    return with_drift(found, drifted(places.plan, told), failed_checks(places.plan))


def gather_places(
    settings: Settings,
    stack: str,
    on_line: Callable[[str], None],
    meanwhile: Callable[[], object] = lambda: None,
) -> Places:
    """Ask Terraform what the repository wants, the backend for the state, and AWS for what is there."""
    terraform = terraform_client(settings, stack, on_line, meanwhile)
    ensure_initialised(terraform)
    written = read_inline_blocks(terraform.directory, GROUP_TYPES).written
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Terraform stays in this thread: an interrupt comes here, and it must be the one to hear of it.
        rest = pool.submit(_state_and_aws, settings, stack, written)
        wanted, plan = _planned(settings, terraform, stack_config(settings, stack).plan_options)
        document, places = rest.result()
    learn_state(settings, document)
    repository = places.state if wanted is None else declared_rules(wanted, written)
    elsewhere = _rules_elsewhere(settings, stack) if _strangers(places) else ()
    return replace(places, repository=repository, plan=plan, surveyed=replace(places.surveyed, elsewhere=elsewhere))


def _planned(
    settings: Settings, terraform: Terraform, options: tuple[str, ...]
) -> tuple[tuple[Rule, ...] | None, Plan]:
    """The rules as the repository wants them, None where they are the state's; and the plan, its secrets masked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verification.tfplan"
        # It only reads, so it takes no lock: who verifies may be a Developer.
        differs = terraform.plan_differs(path, "-lock=false", *options)
        document = json.loads(terraform.show_plan(path))
    learn(settings, plan_secrets(document))
    rules = rules_from_plan(parse_plan(document)).after if differs else None
    return rules, parse_plan(mask_plan(document))


def _state_and_aws(settings: Settings, stack: str, written: Written) -> tuple[dict[str, Any], Places]:
    document = fetch_state(settings, stack)
    state = declared_rules(rules_from_state(document), written) if document else ()
    groups = groups_of_state(document)
    known = {group.id for group in groups}
    # A group in which the stack has rules, though nothing more is known of it.
    groups += tuple(Group(identity) for identity in governed_groups((), state) if identity not in known)
    aws, names, ids = _survey(groups, {str(rule.group) for rule in state})
    owned = frozenset(group.id for group in groups if group.owned)
    gone = frozenset(identity for identity in owned if identity not in names)
    return document, Places((), state, aws, Surveyed(owned, gone, names=names, ids=ids))


def _survey(
    groups: Iterable[Group], with_rules: Collection[str]
) -> tuple[tuple[Rule, ...], dict[str, str], dict[Hashable, str]]:
    """What the clouds have of the groups that the stack owns or has rules in, each asked where it is; and their ids."""
    rules: list[Rule] = []
    names: dict[str, str] = {}
    ids: dict[Hashable, str] = {}
    by_place: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        cloud = next((cloud.name for cloud in CLOUDS.values() if group.id.startswith(cloud.ids)), "")
        if cloud and (group.owned or group.id in with_rules):
            by_place.setdefault((cloud, group.region), []).append(group)
    # Who governs nothing in a cloud needs no credentials for it.
    for (cloud, region), found in sorted(by_place.items()):
        client: LiveClient = import_module(f"..adapters.{cloud}", __package__).live_client(region)
        told = tuple(client.rules([group.id for group in found]))
        here = CLOUDS[cloud].live_rules(told)
        rules += here
        if CLOUDS[cloud].rule_id:
            # One rule an item: only then is it known which id is whose.
            pairs = zip(here, told, strict=True)
            ids |= {rule_key(rule): str(item.get(CLOUDS[cloud].rule_id, "")) for rule, item in pairs}
        owned = [group.id for group in found if group.owned]
        names |= {group.id: group.name for group in found if group.name and not group.owned}
        names |= client.group_names(owned) if owned else {}
    return tuple(rules), names, ids


def _strangers(places: Places) -> bool:
    found = compare_places(replace(places, repository=places.state)).differences
    return any(difference.kind is DifferenceKind.UNMANAGED for difference in found)


def _rules_elsewhere(settings: Settings, stack: str) -> tuple[Rule, ...]:
    """The rules that the other stacks of runbook.yml keep; without those of a stack whose state can't be read.

    And without those of a state that is a file beside the others: whoever can write one could name any rule his.
    """
    found: list[Rule] = []
    for other in settings.config.stacks:
        directory = settings.root / stack_config(settings, other).path
        with contextlib.suppress(RunbookError):
            if other != stack and backend_type(directory) != "local":
                document = fetch_state(settings, other)
                learn_state(settings, document)
                written = read_inline_blocks(directory, GROUP_TYPES).written
                found += declared_rules(rules_from_state(document), written) if document else ()
    return tuple(found)
