"""Rules asked about together get the verdicts that each matcher gives by itself, whatever a policy looks at."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from compliance_samples import network_rule
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.compliance.match import Matcher, Verdicts
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.policies import ExpiryMatch, RuleMatch, SourceMatch
from runbook_lib.models.rules import Direction, Rule, SourceKind

WORLD: dict[str, Any] = {"source": {"world": True}}
MATCHES: tuple[dict[str, Any], ...] = (
    {"direction": "egress"},
    {"described": False},
    {"default_group": True},
    {"all_ports": True},
    {"all_protocols": True},
    {"reaches": [{"protocol": "tcp", "ports": [22]}]},
    {"reaches_beyond": [{"ports": [80, 443]}]},
    {"unless_only": [{"ports": [80]}]},
    WORLD,
    {"source": {"unknown": True}},
    {"source": {"outside": ["10.0.0.0/8"]}},
    {"source": {"public_wider_than": {"ipv4": 16, "ipv6": 32}}},
    {"source": {"self_referencing": False}},
    {"expires": {"missing": True}},
    {"expires": {"within_days": 7}},
    {"expires": {"beyond_days": 90}},
    {"direction": "ingress", "source": {"world": True}, "reaches": [{"ports": [22]}], "described": False},
)
TODAY = date(2026, 11, 28)
DEFAULTS = frozenset({"sg-0"})


def test_every_condition_that_there_is_takes_part() -> None:
    assert {name for match in MATCHES for name in match} == set(RuleMatch.model_fields)
    for field, model in (("source", SourceMatch), ("expires", ExpiryMatch)):
        assert {name for match in MATCHES for name in match.get(field, {})} == set(model.model_fields)


def _unknown(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([*values, UNKNOWN])


rules = st.builds(
    network_rule,
    direction=_unknown(*Direction),
    protocol=_unknown("tcp", "udp", "icmp", "all"),
    from_port=_unknown(22, 80, 0, None),
    to_port=_unknown(22, 443, 65535, None),
    source=_unknown("0.0.0.0/0", "10.0.0.0/8", "3.0.0.0/7", "11.0.0.0/9", "198.51.100.0/24", "::/0", "sg-9"),
    source_kind=st.sampled_from(SourceKind),
    entries=st.sampled_from([None, ("0.0.0.0/0",), ("10.0.0.0/8", "2001:db8::/32"), UNKNOWN]),
    description=_unknown("why", "", None),
    group=_unknown("sg-0", "sg-1"),
    expires=_unknown("2026-11-30", "2026-12-24T18:00:00Z", "2027-06-30", "soon", None),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(rules, min_size=2, max_size=12))
def test_what_is_said_of_many_rules_is_said_of_each(given_rules: list[Rule]) -> None:
    matchers = [Matcher.of(RuleMatch.model_validate(match), DEFAULTS, TODAY) for match in MATCHES]
    asked = Verdicts(matchers, DEFAULTS)
    for rule in given_rules:
        said = [matcher(rule, ()) for matcher in matchers]
        assert asked(rule) == tuple((index, truth) for index, truth in enumerate(said) if truth is not False)


def test_networks_that_are_alike_to_all_but_one_condition_are_kept_apart() -> None:
    matchers = [Matcher.of(RuleMatch.model_validate(match), DEFAULTS, TODAY) for match in MATCHES]
    asked = Verdicts(matchers, DEFAULTS)
    world, wide = (network_rule(source=source) for source in ("0.0.0.0/0", "11.0.0.0/9"))
    assert dict(asked(world)).keys() - dict(asked(wide)).keys() == {MATCHES.index(WORLD)}


@pytest.mark.parametrize(
    ("source", "kind", "group", "truth"),
    [
        ("self", SourceKind.SELF, "sg-1", False),
        (UNKNOWN, SourceKind.SELF, "sg-1", False),  # the source is that or none
        ("sg-1", SourceKind.GROUP, "sg-1", False),
        ("sg-2", SourceKind.GROUP, "sg-1", True),
        (UNKNOWN, SourceKind.GROUP, "sg-1", None),
        ("sg-1", SourceKind.GROUP, UNKNOWN, None),
        (UNKNOWN, SourceKind.UNKNOWN, "sg-1", None),
        ("10.0.0.0/8", SourceKind.NETWORK, "sg-1", True),
        (UNKNOWN, SourceKind.NETWORK, UNKNOWN, True),
        ("pl-1", SourceKind.PREFIX_LIST, "sg-1", True),
    ],
)
def test_a_group_that_lets_in_its_own_members_is_self_referencing(
    source: Any, kind: SourceKind, group: Any, truth: bool | None
) -> None:
    matcher = Matcher.of(RuleMatch.model_validate({"source": {"self_referencing": False}}), DEFAULTS)
    assert matcher(network_rule(source=source, source_kind=kind, group=group), ()) is truth
