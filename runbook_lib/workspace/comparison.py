"""The rules in three places: as the repository wants them, as the state has them, and as the cloud has them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ..adapters.terraform import Terraform
from ..adapters.terraform_folder import ensure_initialised
from ..domain.drift import compare, governed_groups
from ..domain.plan import parse_plan
from ..domain.rules import CLOUDS, Cloud, rules_from_plan, rules_from_state
from ..models.rules import Rule
from ..models.verification import Verification
from ..settings import Settings
from .clients import stack_config, terraform_client
from .states import fetch_state, learn_state

__all__ = ["LiveClient", "Places", "compare_places", "gather_places"]


class LiveClient(Protocol):
    """What the comparison needs of a cloud's adapter, which makes one with its `live_client()`."""

    def rules(self, group_ids: Iterable[str]) -> Iterable[Mapping[str, Any]]:
        """All rules of these groups, as the cloud tells them."""


@dataclass(frozen=True)
class Places:
    """The rules as the repository wants them, as the state has them, and as AWS has them."""

    repository: tuple[Rule, ...]
    state: tuple[Rule, ...]
    aws: tuple[Rule, ...]


def compare_places(places: Places) -> Verification:
    """The three, rule by rule."""
    return compare(places.repository, places.state, places.aws, governed_groups(places.repository, places.state))


def gather_places(
    settings: Settings,
    stack: str,
    on_line: Callable[[str], None],
    meanwhile: Callable[[], object] = lambda: None,
) -> Places:
    """Ask Terraform what the repository wants, the backend for the state, and AWS for what is there."""
    terraform = terraform_client(settings, stack, on_line, meanwhile)
    ensure_initialised(terraform)
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Terraform stays in this thread: an interrupt comes here, and it must be the one to hear of it.
        rest = pool.submit(_state_and_aws, settings, stack)
        wanted = _planned_rules(terraform, stack_config(settings, stack).plan_options)
        document, state, aws = rest.result()
    learn_state(settings, document)
    return Places(state if wanted is None else wanted, state, aws)


def _planned_rules(terraform: Terraform, options: tuple[str, ...]) -> tuple[Rule, ...] | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verification.tfplan"
        # It only reads, so it takes no lock: who verifies may be a Developer.
        if not terraform.plan_differs(path, "-lock=false", *options):
            return None
        return rules_from_plan(parse_plan(terraform.show_plan(path))).after


def _state_and_aws(settings: Settings, stack: str) -> tuple[dict[str, Any], tuple[Rule, ...], tuple[Rule, ...]]:
    document = fetch_state(settings, stack)
    state = rules_from_state(document) if document else ()
    groups = governed_groups((), state)
    return document, state, tuple(rule for cloud in CLOUDS.values() for rule in _live_rules(cloud, groups))


def _live_rules(cloud: Cloud, groups: Iterable[str]) -> tuple[Rule, ...]:
    own = [group for group in groups if group.startswith(cloud.ids)]
    if not own:
        return ()  # who governs nothing in a cloud needs no credentials for it
    client: LiveClient = import_module(f"..adapters.{cloud.name}", __package__).live_client()
    return cloud.live_rules(client.rules(own))
