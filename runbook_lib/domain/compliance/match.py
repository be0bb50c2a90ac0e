"""Whether a rule is what a policy objects to: true, false, or unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.policies import RuleMatch, SourceMatch
from runbook_lib.models.rules import Rule

from .logic import Truth, all_of, any_of
from .networks import is_outside, is_unknown, is_wide, is_world
from .ports import Opening, opening_of, opens_all_ports, opens_all_protocols, opens_any, opens_beyond
from .together import Slice

__all__ = ["Matcher"]

_Of = Callable[[Rule], Truth]
_OfOpening = Callable[[Opening], Truth]


@dataclass(frozen=True)
class Matcher:
    """One RuleMatch made ready to be asked many times."""

    conditions: tuple[_Of, ...]
    openings: tuple[_OfOpening, ...]
    world: bool

    @classmethod
    def of(cls, match: RuleMatch, default_groups: frozenset[str]) -> Matcher:
        """Turn the policy's data into predicates, the cheap ones first."""
        conditions: list[_Of] = []
        if match.direction is not None:
            wanted = match.direction
            conditions.append(lambda rule: None if rule.direction is UNKNOWN else rule.direction == wanted)
        if match.described is not None:
            conditions.append(_undescribed)
        if match.default_group is not None:
            conditions.append(lambda rule: _in_default_group(rule.group, default_groups))
        conditions += _source_conditions(match.source or SourceMatch())
        return cls(tuple(conditions), tuple(_opening_conditions(match)), bool(match.source and match.source.world))

    def __call__(self, rule: Rule, slices: Sequence[Slice]) -> Truth:
        """The verdict on one rule; `slices` are its openings that are the world together with other rules."""
        result = all_of(condition(rule) for condition in self.conditions)
        if result is False:
            return False
        opened = self._opened(opening_of(rule))
        if self.world:
            alone = all_of((opened, is_world(rule))) if opened is not False else False
            parts = (all_of((self._opened(part.opening), part.certain or None)) for part in slices)
            opened = any_of((alone, *parts))
        return all_of((result, opened))

    def _opened(self, opening: Opening) -> Truth:
        return all_of(condition(opening) for condition in self.openings)


def _opening_conditions(match: RuleMatch) -> list[_OfOpening]:
    found: list[_OfOpening] = []
    reaches, beyond = match.reaches, match.reaches_beyond
    if match.all_protocols is not None:
        found.append(opens_all_protocols)
    if match.all_ports is not None:
        found.append(opens_all_ports)
    if reaches is not None:
        found.append(lambda opening: opens_any(opening, reaches))
    if beyond is not None:
        found.append(lambda opening: opens_beyond(opening, beyond))
    return found


def _source_conditions(source: SourceMatch) -> list[_Of]:
    found: list[_Of] = []
    width, allowed = source.public_wider_than, source.outside
    if source.unknown is not None:
        found.append(is_unknown)
    if width is not None:
        found.append(lambda rule: is_wide(rule, width))
    if allowed is not None:
        found.append(lambda rule: is_outside(rule, allowed))
    return found


def _undescribed(rule: Rule) -> Truth:
    return None if isinstance(rule.description, Unknown) else not (rule.description or "").strip()


def _in_default_group(group: str | Unknown, default_groups: frozenset[str]) -> Truth:
    if isinstance(group, Unknown):
        return None
    return group in default_groups or "aws_default_security_group." in group or ".default_security_group_id" in group
