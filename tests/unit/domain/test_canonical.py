"""One form for one rule, whoever wrote it: what is compared must not differ by its spelling."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.canonical import canonical, is_default_egress
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule


def rule(**fields: Any) -> Rule:
    usual = {"direction": "ingress", "protocol": "tcp", "from_port": 80, "to_port": 80, "source": "10.0.0.0/8"}
    return Rule.model_validate({**usual, "group": "sg-1", **fields})


@pytest.mark.parametrize(
    ("protocol", "written", "meant"),
    [
        ("tcp", (0, 65535), (None, None)),
        ("tcp", (0, 65534), (0, 65534)),
        ("tcp", (1, 65535), (1, 65535)),
        ("udp", (53, 53), (53, 53)),
        ("icmp", (None, None), (-1, -1)),
        ("icmp", (-1, 5), (-1, -1)),
        ("icmp", (8, None), (8, -1)),
        ("icmpv6", (128, 0), (128, 0)),
        ("all", (80, 80), (None, None)),
        ("47", (80, 80), (None, None)),
        (UNKNOWN, (0, 65535), (0, 65535)),
    ],
)
def test_ports_are_written_one_way(protocol: Any, written: tuple[Any, Any], meant: tuple[Any, Any]) -> None:
    found = canonical(rule(protocol=protocol, from_port=written[0], to_port=written[1]))
    assert (found.from_port, found.to_port, found.protocol) == (*meant, protocol)


@pytest.mark.parametrize(("written", "meant"), [("6", "tcp"), ("TCP", "tcp"), ("-1", "all"), ("58", "icmpv6")])
def test_a_protocol_has_one_name(written: str, meant: str) -> None:
    assert canonical(rule(protocol=written)).protocol == meant


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("network", "10.1.2.3/8", ("network", "10.0.0.0/8")),
        ("network", "2001:DB8:0::/32", ("network", "2001:db8::/32")),
        ("network", "the office", ("network", "the office")),
        ("group", "123456789012/sg-2", ("group", "sg-2")),
        ("group", "sg-1", ("self", "self")),
        ("group", "123456789012/sg-1", ("self", "self")),
        ("self", "sg-1", ("self", "self")),
        ("prefix_list", "pl-1", ("prefix_list", "pl-1")),
        ("group", UNKNOWN, ("group", UNKNOWN)),
    ],
)
def test_the_other_end_is_written_one_way(kind: str, written: Any, meant: tuple[str, Any]) -> None:
    found = canonical(rule(source=written, source_kind=kind))
    assert (str(found.source_kind), found.source) == meant


def test_what_is_not_compared_is_left_out() -> None:
    found = canonical(rule(source="pl-1", source_kind="prefix_list", entries=("10.0.0.0/8",), description=""))
    assert (found.entries, found.description) == (None, None)


@pytest.mark.parametrize(
    ("fields", "default"),
    [
        ({}, True),
        ({"source": "::/0"}, True),
        ({"direction": "ingress"}, False),
        ({"protocol": "tcp"}, False),
        ({"source": "10.0.0.0/8"}, False),
        ({"description": "Ours"}, False),
    ],
)
def test_the_rule_that_aws_gives_every_group_is_known(fields: dict[str, Any], default: bool) -> None:
    usual = {"direction": "egress", "protocol": "all", "from_port": None, "to_port": None, "source": "0.0.0.0/0"}
    assert is_default_egress(rule(**{**usual, **fields})) is default
