"""Which rule of one place is which rule of another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import COMPARED_FIELDS, IDENTITY_FIELDS, Rule, SourceKind

__all__ = ["compared", "compatible", "identity", "pair", "pair_changed", "value"]

_COMPARED: Final = attrgetter(*COMPARED_FIELDS)
_IDENTITY: Final = attrgetter(*IDENTITY_FIELDS)

Key = Callable[[Rule], Hashable]
Pair = tuple[Rule | None, Rule | None]


def value(rule: Rule, field: str) -> Hashable:
    """A field's value; a kind of source that is not known is unknown like any other field."""
    found: Hashable = getattr(rule, field)
    return UNKNOWN if found is SourceKind.UNKNOWN else found


def identity(rule: Rule) -> Hashable:
    """What makes two rules one to AWS: everything but the description."""
    return _known(_IDENTITY(rule))


def compared(rule: Rule) -> tuple[Hashable, ...]:
    """The values of all fields that are compared, in the order of COMPARED_FIELDS."""
    return _known(_COMPARED(rule))


def _known(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    # As `value` of each; but stacks have tens of thousands of rules, and each is asked for many times.
    if SourceKind.UNKNOWN in values:
        return tuple(UNKNOWN if found is SourceKind.UNKNOWN else found for found in values)
    return values


def compatible(left: Rule, right: Rule) -> bool:
    """Whether every field that both know is the same."""
    values = zip(compared(left), compared(right), strict=True)
    return all(UNKNOWN in both or both[0] == both[1] for both in values)


def pair(left: Iterable[Rule], right: Iterable[Rule]) -> list[Pair]:
    """Match rules that mean the same, by Terraform's address where it helps; each is in exactly one pair."""
    pairs, rest_left, rest_right = _by_keys(left, right, (_exact, _exact_content, _at_address, identity))
    rest_left, rest_right = _unknowns(pairs, rest_left, rest_right)
    return [*pairs, *((rule, None) for rule in rest_left), *((None, rule) for rule in rest_right)]


def pair_changed(pairs: Sequence[Pair], keys: Sequence[Key]) -> list[Pair]:
    """Match what is left on both sides as one changed rule, where one of `keys` is the same."""
    left = [a for a, b in pairs if a is not None and b is None]
    right = [b for a, b in pairs if a is None and b is not None]
    found, rest_left, rest_right = _by_keys(left, right, keys)
    matched = [(a, b) for a, b in pairs if a is not None and b is not None]
    return [*matched, *found, *((rule, None) for rule in rest_left), *((None, rule) for rule in rest_right)]


def _exact(rule: Rule) -> Hashable:
    return rule.address, rule.description, identity(rule)


def _exact_content(rule: Rule) -> Hashable:
    return rule.description, identity(rule)


def _at_address(rule: Rule) -> Hashable:
    return rule.address, identity(rule)


def _by_keys(
    left: Iterable[Rule], right: Iterable[Rule], keys: Iterable[Key]
) -> tuple[list[Pair], list[Rule], list[Rule]]:
    pairs: list[Pair] = []
    rest_left, rest_right = list(left), list(right)
    for key in keys:
        waiting: dict[Hashable, list[Rule]] = {}
        for rule in reversed(rest_right):
            waiting.setdefault(key(rule), []).append(rule)
        unmatched = []
        for rule in rest_left:
            wanted = key(rule)
            if wanted is not None and waiting.get(wanted):
                pairs.append((rule, waiting[wanted].pop()))
            else:
                unmatched.append(rule)
        rest_left = unmatched
        still = {id(rule) for rules in waiting.values() for rule in rules}
        rest_right = [rule for rule in rest_right if id(rule) in still]
    return pairs, rest_left, rest_right


def _unknowns(pairs: list[Pair], left: list[Rule], right: list[Rule]) -> tuple[list[Rule], list[Rule]]:
    # A rule with gaps takes the rule that fits at its own address, else any that fits.
    rest = []
    for rule in left:
        fitting = next(_fitting(rule, right), None)
        if fitting is None:
            rest.append(rule)
        else:
            pairs.append((rule, fitting))
            right = [other for other in right if other is not fitting]
    return rest, right


def _fitting(rule: Rule, candidates: Sequence[Rule]) -> Iterator[Rule]:
    if UNKNOWN not in {value(rule, field) for field in COMPARED_FIELDS}:
        return
    yield from (other for other in candidates if rule.address == other.address and compatible(rule, other))
    yield from (other for other in candidates if compatible(rule, other))
