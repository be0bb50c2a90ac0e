"""Rules asked about together get the verdicts that each matcher gives by itself, whatever a policy looks at."""

from __future__ import annotations

from typing import Any

from compliance_samples import network_rule
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.compliance.match import Matcher, Verdicts
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.policies import RuleMatch
from runbook_lib.models.rules import Direction, Rule, SourceKind

MATCHES: tuple[dict[str, Any], ...] = (
    {"direction": "egress"},
    {"described": False},
    {"default_group": True},
    {"all_ports": True},
    {"all_protocols": True},
    {"reaches": [{"protocol": "tcp", "ports": [22]}]},
    {"reaches_beyond": [{"ports": [80, 443]}]},
    {"unless_only": [{"ports": [80]}]},
    {"source": {"world": True}},
    {"source": {"unknown": True}},
    {"source": {"outside": ["10.0.0.0/8"]}},
    {"source": {"public_wider_than": {"ipv4": 16, "ipv6": 32}}},
    {"direction": "ingress", "source": {"world": True}, "reaches": [{"ports": [22]}], "described": False},
)
DEFAULTS = frozenset({"sg-0"})


def test_every_condition_that_there_is_takes_part() -> None:
    assert {name for match in MATCHES for name in match} == set(RuleMatch.model_fields)


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
)


@settings(max_examples=200, deadline=None)
@given(st.lists(rules, min_size=2, max_size=12))
def test_what_is_said_of_many_rules_is_said_of_each(given_rules: list[Rule]) -> None:
    matchers = [Matcher.of(RuleMatch.model_validate(match), DEFAULTS) for match in MATCHES]
    asked = Verdicts(matchers, DEFAULTS)
    for rule in given_rules:
        said = [matcher(rule, ()) for matcher in matchers]
        assert asked(rule) == tuple((index, truth) for index, truth in enumerate(said) if truth is not False)


def test_networks_that_are_alike_to_all_but_one_condition_are_kept_apart() -> None:
    matchers = [Matcher.of(RuleMatch.model_validate(match), DEFAULTS) for match in MATCHES]
    asked = Verdicts(matchers, DEFAULTS)
    world, wide = (network_rule(source=source) for source in ("0.0.0.0/0", "11.0.0.0/9"))
    assert dict(asked(world)).keys() - dict(asked(wide)).keys() == {8}
