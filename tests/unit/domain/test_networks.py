"""Whom a rule lets in, by its networks: the whole world, more than a width, others than those allowed."""

from __future__ import annotations

import pytest

from runbook_lib.domain.compliance.networks import is_outside, is_unknown
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Direction, Rule, SourceKind


def rule(source: object, kind: SourceKind = SourceKind.NETWORK, entries: object = None) -> Rule:
    return Rule(
        direction=Direction.INGRESS,
        protocol="tcp",
        from_port=443,
        to_port=443,
        source=source,
        source_kind=kind,
        entries=entries,
    )


def listed(*entries: str) -> Rule:
    return rule("pl-1", SourceKind.PREFIX_LIST, entries)


ALLOWED = ("10.0.0.0/8", "192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32")


@pytest.mark.parametrize(
    ("given", "outside"),
    [
        pytest.param(rule("10.1.0.0/16"), False, id="inside"),
        pytest.param(rule("192.0.2.0/24"), False, id="inside of two together"),
        pytest.param(rule("2001:db8:1::/48"), False, id="inside, IPv6"),
        pytest.param(rule("10.0.0.0/7"), True, id="partly"),
        pytest.param(rule("198.51.100.1/32"), True, id="elsewhere"),
        pytest.param(rule("2001:db9::/32"), True, id="elsewhere, IPv6"),
        pytest.param(listed("10.1.0.0/16", "198.51.100.1/32"), True, id="one entry is elsewhere"),
        pytest.param(listed("10.1.0.0/16", "2001:db8::/48"), False, id="all entries are inside"),
        pytest.param(rule(UNKNOWN), None, id="unknown"),
        pytest.param(rule("pl-1", SourceKind.PREFIX_LIST), None, id="a list that nobody knows"),
    ],
)
def test_a_rule_is_outside_when_one_of_its_addresses_is_in_no_allowed_network(
    given: Rule, outside: bool | None
) -> None:
    assert is_outside(given, ALLOWED) is outside


def test_where_nothing_is_allowed_every_address_is_outside() -> None:
    assert is_outside(rule("10.0.0.1/32"), ()) is True


def test_an_allowed_text_that_is_no_network_allows_nothing() -> None:
    assert is_outside(rule("10.0.0.1/32"), ("the office",)) is True


@pytest.mark.parametrize(
    ("given", "unknown"),
    [
        (rule("sg-1", SourceKind.GROUP), False),
        (rule(UNKNOWN, SourceKind.GROUP), False),
        (rule("self", SourceKind.SELF), False),
        (listed("10.0.0.0/8"), False),
        (rule("pl-1", SourceKind.PREFIX_LIST, UNKNOWN), True),
        (rule("pl-1", SourceKind.PREFIX_LIST), True),
        (rule("10.0.0.0/8"), False),
        (rule(UNKNOWN), True),
    ],
)
def test_whom_a_rule_lets_in_is_unknown_only_before_the_networks_are_known(given: Rule, unknown: bool) -> None:
    assert is_unknown(given) is unknown
