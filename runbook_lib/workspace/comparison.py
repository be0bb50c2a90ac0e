"""The rules in three places: as the repository wants them, as the state has them, and as the cloud has them."""

from __future__ import annotations

import contextlib
import gc
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..adapters.hcl_inline import read_inline_blocks
from ..adapters.terraform import Terraform
from ..adapters.terraform_backend import backend_type
from ..adapters.terraform_folder import ensure_initialised
from ..domain.canonical import canonical, is_default_egress
from ..domain.drift import Surveyed, accept, compare, concluded, governed_groups, rule_key
from ..domain.holders import (
    LIST_TYPE,
    OwnedList,
    entries_elsewhere,
    foreign_entries,
    holders,
    managed_ids,
    owned_lists,
    strange_carriers,
)
from ..domain.plan import parse_plan
from ..domain.provider_roles import provider_roles
from ..domain.resource_drift import drifted, failed_checks
from ..domain.rules import (
    GROUP_TYPES,
    Group,
    Written,
    declared_rules,
    groups_of_state,
    rules_from_plan,
    rules_from_state,
)
from ..domain.sensitive import masked_plan
from ..domain.strict_json import read_shown
from ..errors import ConfigError, RunbookError
from ..models.plan import Plan
from ..models.rules import Rule
from ..models.verification import AcceptedDifference, Difference, Verification
from ..settings import Settings
from .clients import stack_config, terraform_client
from .states import fetch_state, learn, learn_state
from .survey import Found, role_keys, survey

__all__ = ["Places", "compare_places", "gather_places"]


@dataclass(frozen=True)
class Places:
    """The rules as the repository wants them, as the state has them, and as AWS has them; and what of their groups.

    `besides` are differences that are not of rules: who carries the groups, what is in prefix lists.
    """

    repository: tuple[Rule, ...]
    state: tuple[Rule, ...]
    aws: tuple[Rule, ...]
    surveyed: Surveyed = field(default_factory=Surveyed)
    plan: Plan = field(default_factory=Plan)
    besides: tuple[Difference, ...] = ()
    accepted: tuple[AcceptedDifference, ...] = ()


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """A large plan makes millions of objects, none of them in a cycle: to look for some takes a quarter of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def compare_places(places: Places, now: datetime | None = None) -> Verification:
    """The three, rule by rule; then whatever else Terraform wants to change, or found changed outside."""
    now, groups = now or datetime.now(UTC), governed_groups(places.repository, places.state)
    found = compare(places.repository, places.state, places.aws, groups, replace(places.surveyed, now=now))
    differences = (*found.differences, *places.besides)
    told = {name for each in differences for name in (each.group, each.rule and each.rule.address) if name}
    ids = places.surveyed.ids
    there = {rule.address: ids[rule_key(rule)] for rule in places.repository if rule_key(rule) in ids}
    names = places.surveyed.names
    besides = (each.model_copy(update={"name": names.get(each.group, "")}) for each in places.besides)
    more = (*besides, *drifted(places.plan, told, there))
    found = concluded(found, more, failed_checks(places.plan))
    return accept(found, places.accepted, now.date())


@_uncollected()
def gather_places(
    settings: Settings,
    stack: str,
    on_line: Callable[[str], None],
    meanwhile: Callable[[], object] = lambda: None,
) -> Places:
    """Ask Terraform what the repository wants, the backend for the state, and AWS for what is there."""
    terraform = terraform_client(settings, stack, on_line, meanwhile)
    ensure_initialised(terraform)
    written = read_inline_blocks(terraform.directory, GROUP_TYPES | {LIST_TYPE}).written
    config = stack_config(settings, stack)
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Terraform stays in this thread: an interrupt comes here, and it must be the one to hear of it.
        rest = pool.submit(_state_and_clouds, settings, stack, written)
        wanted, plan = _planned(settings, terraform, config.plan_options)
        managed, found = rest.result()
    learn_state(settings, managed.document)
    if found.left or found.left_lists:
        roles = provider_roles(plan)
        there = survey(
            found.left, found.left_lists, managed.with_rules, lambda account: role_keys(settings, roles, account)
        )
        found.join(there)
    repository = managed.rules if wanted is None else declared_rules(wanted, written)
    owned = frozenset(group.id for group in managed.groups if group.owned)
    gone = owned - set(found.names)
    surveyed = Surveyed(owned, gone, names=found.names, ids=found.ids)
    accepted = _accepted(settings, stack)
    places = Places(repository, managed.rules, tuple(found.rules), surveyed, plan, accepted=accepted)
    places = replace(places, besides=tuple(_besides(managed, found, owned)))
    if not (places.besides or _strangers(places)):
        return places
    others = _other_states(settings, stack)
    elsewhere = tuple(rule for document, rules in others for rule in rules)
    documents = [document for document, _ in others]
    besides = tuple(_besides(managed, found, owned, documents))
    return replace(places, besides=besides, surveyed=replace(surveyed, elsewhere=elsewhere))


@dataclass(frozen=True)
class _Managed:
    """What the stack's state has: the document, the rules that it declares, its groups and its prefix lists."""

    document: dict[str, Any]
    rules: tuple[Rule, ...]
    groups: tuple[Group, ...]
    lists: tuple[OwnedList, ...]

    @property
    def with_rules(self) -> frozenset[str]:
        return frozenset(str(rule.group) for rule in self.rules)


def _planned(
    settings: Settings, terraform: Terraform, options: tuple[str, ...]
) -> tuple[tuple[Rule, ...] | None, Plan]:
    """The rules as the repository wants them, None where they are the state's; and the plan, its secrets masked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verification.tfplan"
        # It only reads, so it takes no lock: who verifies may be a Developer.
        differs = terraform.plan_differs(path, "-lock=false", *options)
        document = read_shown(terraform.show_plan(path), "the plan")
    masked, secrets = masked_plan(document)
    learn(settings, secrets)
    rules = rules_from_plan(parse_plan(document)).after if differs else None
    return rules, parse_plan(masked)


def _state_and_clouds(settings: Settings, stack: str, written: Written) -> tuple[_Managed, Found]:
    document = fetch_state(settings, stack)
    state = declared_rules(rules_from_state(document), written) if document else ()
    groups = groups_of_state(document)
    known = {group.id for group in groups}
    # A group in which the stack has rules, though nothing more is known of it.
    groups += tuple(Group(identity) for identity in governed_groups((), state) if identity not in known)
    managed = _Managed(document, state, groups, owned_lists(document, written))
    return managed, survey(managed.groups, managed.lists, managed.with_rules)


def _accepted(settings: Settings, stack: str) -> tuple[AcceptedDifference, ...]:
    limit = settings.config.compliance.max_waiver_days
    today = datetime.now(UTC).date()
    every = stack_config(settings, stack).accepted_differences
    for index, each in enumerate(every):
        if (each.expires - today).days > limit:
            raise ConfigError(
                f"runbook.yml: stacks.{stack}.accepted_differences.{index} ends on {each.expires}, more than {limit} "
                "days from now",
                "Choose an earlier day; the limit is compliance.max_waiver_days in runbook.yml.",
            )
    return every


def _besides(
    managed: _Managed, found: Found, owned: Collection[str], others: Iterable[Mapping[str, Any]] = ()
) -> Iterator[Difference]:
    documents = tuple(others)
    known = [holder for document in (managed.document, *documents) for holder in holders(document, owned)]
    yield from strange_carriers(found.carriers, known, managed_ids(managed.document))
    for each in managed.lists:
        theirs = [network for document in documents for network in entries_elsewhere(document, each.id)]
        yield from foreign_entries(each, found.entries.get(each.id, {}), theirs)


def _strangers(places: Places) -> bool:
    """Whether AWS may have rules that are not the stack's: too many a yes costs no more than a look elsewhere."""
    known = {rule_key(rule) for rule in places.state}
    there = (canonical(rule) for rule in places.aws)
    return any(rule_key(rule) not in known for rule in there if not is_default_egress(rule))


def _other_states(settings: Settings, stack: str) -> list[tuple[dict[str, Any], tuple[Rule, ...]]]:
    """The states of the other stacks of runbook.yml, with the rules that they keep; but those that can't be read.

    And without a state that is a file beside the others: whoever can write one could name any rule his.
    """
    found = []
    for other in settings.config.stacks:
        directory = settings.root / stack_config(settings, other).path
        with contextlib.suppress(RunbookError):
            if other != stack and backend_type(directory) != "local":
                document = fetch_state(settings, other)
                learn_state(settings, document)
                written = read_inline_blocks(directory, GROUP_TYPES).written
                found.append((document, declared_rules(rules_from_state(document), written) if document else ()))
    return found
