"""What is said of a rule's protocol and ports against those of a policy: yes, no, or that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.compliance.match import Matcher
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.policies import RuleMatch

WEB = [{"ports": [80, "440-450"]}]


def truth(match: dict[str, Any], protocol: Any, low: Any, high: Any) -> bool | None:
    matcher = Matcher.of(RuleMatch.model_validate(match), frozenset())
    return matcher(network_rule(protocol=protocol, from_port=low, to_port=high), ())


@pytest.mark.parametrize(
    ("protocol", "low", "high", "said"),
    [
        ("tcp", 80, 80, (True, False, False)),
        ("tcp", 440, 450, (True, False, False)),
        ("udp", 443, 443, (True, False, False)),
        ("tcp", 22, 22, (False, True, True)),
        ("tcp", 439, 440, (True, True, True)),
        ("tcp", 450, 451, (True, True, True)),
        ("tcp", 451, 500, (False, True, True)),
        ("tcp", 79, 81, (True, True, True)),
        # AWS takes no first port above the last: whatever says so opens nothing.
        ("tcp", 450, 440, (False, False, False)),
        # One end is known, and is open whatever the other one is.
        ("tcp", UNKNOWN, 80, (True, None, None)),
        ("tcp", 440, UNKNOWN, (True, None, None)),
        ("tcp", UNKNOWN, 79, (False, True, True)),
        ("tcp", 451, UNKNOWN, (False, True, True)),
        ("tcp", UNKNOWN, 200, (None, True, True)),
        ("tcp", UNKNOWN, UNKNOWN, (None, None, None)),
        # Ports that the policy allows of no protocol are not allowed, whichever it is.
        (UNKNOWN, 80, 80, (None, None, None)),
        (UNKNOWN, 443, 445, (None, None, None)),
        (UNKNOWN, UNKNOWN, 80, (None, None, None)),
        (UNKNOWN, 22, 22, (None, None, True)),
        (UNKNOWN, 22, UNKNOWN, (None, None, True)),
        (UNKNOWN, UNKNOWN, UNKNOWN, (None, None, None)),
        # ICMP has no ports, and another protocol all that there are.
        ("icmp", 8, 0, (False, False, True)),
        ("icmpv6", -1, -1, (False, False, True)),
        ("47", None, None, (False, True, True)),
        ("all", None, None, (True, True, True)),
    ],
)
def test_ports_are_some_of_the_policy_s_or_others_or_anything_else(
    protocol: Any, low: Any, high: Any, said: tuple[bool | None, ...]
) -> None:
    conditions = ("reaches", "reaches_beyond", "unless_only")
    assert tuple(truth({condition: WEB}, protocol, low, high) for condition in conditions) == said


@pytest.mark.parametrize("condition", ["reaches_beyond", "unless_only"])
def test_what_is_allowed_of_one_protocol_is_not_of_another(condition: str) -> None:
    allowed = {condition: [{"protocol": "udp", "ports": [53]}, {"protocol": "tcp", "ports": [80]}]}
    assert truth(allowed, "udp", 53, 53) is False
    assert truth(allowed, "tcp", 80, 80) is False
    assert truth(allowed, "tcp", 53, 53) is True
    assert truth(allowed, "udp", 80, 80) is True


@pytest.mark.parametrize(
    ("protocol", "low", "high", "all_ports", "all_protocols"),
    [
        ("tcp", 0, 65535, True, False),
        # Nobody uses port 0.
        ("udp", 1, 65535, True, False),
        ("tcp", 2, 65535, False, False),
        ("tcp", 0, 65534, False, False),
        ("tcp", UNKNOWN, 65535, None, False),
        ("tcp", 0, UNKNOWN, None, False),
        ("tcp", UNKNOWN, 443, False, False),
        ("tcp", 443, UNKNOWN, False, False),
        ("icmp", -1, -1, False, False),
        ("47", None, None, False, False),
        ("all", None, None, True, True),
        (UNKNOWN, 0, 65535, None, None),
    ],
)
def test_every_port_is_none_less_and_every_protocol_is_all_of_them(
    protocol: Any, low: Any, high: Any, all_ports: bool | None, all_protocols: bool | None
) -> None:
    assert truth({"all_ports": True}, protocol, low, high) is all_ports
    assert truth({"all_protocols": True}, protocol, low, high) is all_protocols


def test_other_ports_of_an_unknown_protocol_are_anything_else_only_where_no_protocol_may_have_them() -> None:
    dns = [{"protocol": "udp", "ports": [53]}]
    assert truth({"unless_only": dns}, UNKNOWN, 53, 53) is None
    assert truth({"unless_only": dns}, UNKNOWN, 54, 54) is True
    assert truth({"unless_only": [{"protocol": "tcp", "ports": [53]}]}, UNKNOWN, 53, 53) is None
