"""The rules before a change and after it, and which of them the change touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from runbook_lib.models.base import Unknown
from runbook_lib.models.rules import Rule

from .prefix_lists import ListView

__all__ = ["GROUP_LISTS", "ResourceView", "RuleChanges", "touched_rules"]

# How attributes that hold the groups of something end.
GROUP_LISTS: Final = ("security_groups", "security_group_ids")
_ALL_BUT_DESCRIPTION: Final = attrgetter(*(name for name in Rule.model_fields if name != "description"))


@dataclass(frozen=True, slots=True)
class ResourceView:
    """One resource as it will stand: `values` with UNKNOWN in the place of what is not known.

    `action` is what is done to it: create, update, delete, replace, forget or no-op; UNKNOWN where only a plan tells.
    """

    address: str
    type: str
    values: Mapping[str, Any]
    touched: bool
    action: str | Unknown = "no-op"


def _no_resources(_types: Collection[str]) -> Iterable[ResourceView]:
    return ()


@dataclass(frozen=True)
class RuleChanges:
    """Every rule before and after; `touched` are indexes into `after` of the rules that the change adds or alters.

    `default_groups` are the ids or addresses of VPC default groups, `perhaps_default` the addresses of groups that are
    looked up during apply and may be one, `whole_groups` those of groups of which every rule is
    known, whoever made it: the stack's own. `resources_of(types)` gives the resources of these types as they will
    stand, for policies on other things than rules; `leaving_of(types)` those that will stand no more, or be Terraform's
    no more, as they stand now. `standing()` gives address, type and whether it is touched of all that will stand, and
    `unread` are the calls of modules whose files were not there, `doubtful` the files that only OpenTofu reads,
    `product` who does read them, if that is known. `lists_before` and `lists_after` are the prefix lists, by id and by
    address. `named_groups` are what expressions for lists of groups name, where their value is unknown, by address and
    attribute.
    """

    before: tuple[Rule, ...] = ()
    after: tuple[Rule, ...] = ()
    touched: frozenset[int] = frozenset()
    default_groups: frozenset[str] = frozenset()
    perhaps_default: frozenset[str] = frozenset()
    whole_groups: frozenset[str] = frozenset()
    resources: int = 0
    resources_of: Callable[[Collection[str]], Iterable[ResourceView]] = field(default=_no_resources, compare=False)
    leaving_of: Callable[[Collection[str]], Iterable[ResourceView]] = field(default=_no_resources, compare=False)
    standing: Callable[[], Iterable[tuple[str, str, bool]]] = field(default=tuple, compare=False)
    unread: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    product: str = ""
    lists_before: Mapping[str, ListView] = field(default_factory=dict, compare=False)
    lists_after: Mapping[str, ListView] = field(default_factory=dict, compare=False)
    named_groups: Mapping[tuple[str, str], tuple[str | Unknown, ...]] = field(default_factory=dict, compare=False)

    def __iter__(self) -> Iterator[tuple[Rule, ...]]:
        return iter((self.before, self.after))


def touched_rules(
    before: Iterable[Rule],
    after: Iterable[Rule],
    recreated: Collection[str],
    lists: Collection[str] = frozenset(),
) -> frozenset[int]:
    """Indexes of the `after` rules that have no equal before.

    Those of a resource that is made anew count always, as do those that name one of these prefix lists.
    """
    standing = Counter(_key(rule) for rule in before if rule.address not in recreated and rule.source not in lists)
    touched = []
    for index, rule in enumerate(after):
        key = _key(rule)
        if standing[key] > 0:
            standing[key] -= 1
        else:
            touched.append(index)
    return frozenset(touched)


def _key(rule: Rule) -> tuple[Any, ...]:
    # An absent description and an empty one are the same rule in AWS.
    return rule.description or "", _ALL_BUT_DESCRIPTION(rule)
