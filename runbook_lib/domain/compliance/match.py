"""Whether a rule is what a policy objects to: true, false, or unknown."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.policies import RuleMatch, SourceMatch
from runbook_lib.models.rules import Rule, SourceKind

from .expiries import ends_so
from .logic import Truth, all_of, any_of
from .networks import is_outside, is_unknown, is_wide, is_world
from .ports import Opening, opening_of, opens_all_ports, opens_all_protocols, opens_any, opens_beyond, opens_more_than
from .together import Slice

__all__ = ["Matcher", "Verdicts"]

_Of = Callable[[Rule], Truth]
_OfOpening = Callable[[Opening], Truth]


@dataclass(frozen=True)
class Matcher:
    """One RuleMatch made ready to be asked many times."""

    conditions: tuple[_Of, ...]
    sources: tuple[_Of, ...]
    openings: tuple[_OfOpening, ...]
    world: bool
    _opened_before: dict[Opening, Truth] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        match: RuleMatch,
        default_groups: frozenset[str],
        today: date | None = None,
        perhaps_default: frozenset[str] = frozenset(),
    ) -> Matcher:
        """Turn the policy's data into predicates, the cheap ones first; whether an end is near is asked on `today`."""
        conditions: list[_Of] = []
        if match.direction is not None:
            wanted = match.direction
            conditions.append(lambda rule: None if rule.direction is UNKNOWN else rule.direction == wanted)
        if match.described is not None:
            conditions.append(_undescribed)
        if match.default_group is not None:
            conditions.append(lambda rule: _in_default_group(rule.group, default_groups, perhaps_default))
        if match.expires is not None:
            ends = ends_so(match.expires, today)
            conditions.append(lambda rule: ends(rule.expires))
        if match.source and match.source.self_referencing is not None:
            conditions.append(_beyond_own_group)
        sources = _source_conditions(match.source or SourceMatch())
        openings = _opening_conditions(match)
        return cls(tuple(conditions), tuple(sources), tuple(openings), bool(match.source and match.source.world))

    def __call__(self, rule: Rule, slices: Sequence[Slice]) -> Truth:
        """The verdict on one rule; `slices` are its openings that are the world together with other rules."""
        result: Truth = True
        for condition in (*self.conditions, *self.sources):
            truth = condition(rule)
            if truth is False:
                return False
            result = result and truth
        if not self.world:
            return all_of((result, self._opened(opening_of(rule))))
        alone = is_world(rule)
        if alone is not False:
            alone = all_of((alone, self._opened(opening_of(rule))))
        if not slices:
            return all_of((result, alone))
        parts = (all_of((self._opened(part.opening), part.certain or None)) for part in slices)
        return all_of((result, any_of((alone, *parts))))

    def _opened(self, opening: Opening) -> Truth:
        # A stack opens the same few ports again and again.
        if opening not in self._opened_before:
            self._opened_before[opening] = all_of(condition(opening) for condition in self.openings)
        return self._opened_before[opening]


class Verdicts:
    """What many matchers say of rules, each by itself. Rules that are alike to all of them are asked about once."""

    def __init__(
        self,
        matchers: Sequence[Matcher],
        default_groups: frozenset[str],
        perhaps_default: frozenset[str] = frozenset(),
    ) -> None:
        self._matchers = matchers
        self._default_groups, self._perhaps_default = default_groups, perhaps_default
        self._sources: dict[Hashable, tuple[Truth, ...]] = {}
        self._found: dict[Hashable, tuple[tuple[int, Truth], ...]] = {}

    def __call__(self, rule: Rule) -> tuple[tuple[int, Truth], ...]:
        """Index and verdict of each matcher that does not say false."""
        source = rule.source_kind, rule.source, rule.entries
        told = self._sources.get(source)
        if told is None:
            told = (is_world(rule), *(condition(rule) for matcher in self._matchers for condition in matcher.sources))
            self._sources[source] = told
        # All that a matcher looks at: rules of many networks are few by what is said of those.
        default = _in_default_group(rule.group, self._default_groups, self._perhaps_default)
        said = _undescribed(rule), default, rule.expires, _beyond_own_group(rule)
        key = told, rule.direction, said, rule.protocol, rule.from_port, rule.to_port
        found = self._found.get(key)
        if found is None:
            truths = enumerate(matcher(rule, ()) for matcher in self._matchers)
            found = self._found[key] = tuple((index, truth) for index, truth in truths if truth is not False)
        return found


def _opening_conditions(match: RuleMatch) -> list[_OfOpening]:
    found: list[_OfOpening] = []
    reaches, beyond, only = match.reaches, match.reaches_beyond, match.unless_only
    if match.all_protocols is not None:
        found.append(opens_all_protocols)
    if match.all_ports is not None:
        found.append(opens_all_ports)
    if reaches is not None:
        found.append(lambda opening: opens_any(opening, reaches))
    if beyond is not None:
        found.append(lambda opening: opens_beyond(opening, beyond))
    if only is not None:
        found.append(lambda opening: opens_more_than(opening, only))
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


def _beyond_own_group(rule: Rule) -> Truth:
    if rule.source_kind not in {SourceKind.GROUP, SourceKind.UNKNOWN}:
        return rule.source_kind is not SourceKind.SELF
    # A group that nobody knows yet could be this one.
    unknown = isinstance(rule.source, Unknown) or isinstance(rule.group, Unknown)
    return None if unknown else rule.source != rule.group


def _in_default_group(
    group: str | Unknown, default_groups: frozenset[str], perhaps_default: frozenset[str] = frozenset()
) -> Truth:
    if isinstance(group, Unknown) or group in perhaps_default:
        return None
    return group in default_groups or "aws_default_security_group." in group or ".default_security_group_id" in group
