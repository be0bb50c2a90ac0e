"""Rules that are the world together, found by a sweep, are those that counting the addresses port by port finds."""

from __future__ import annotations

from compliance_samples import network_rule
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.compliance.networks import WORLD, networks_of, public_parts
from runbook_lib.domain.compliance.together import world_together
from runbook_lib.domain.intervals import size, union
from runbook_lib.models.base import Unknown
from runbook_lib.models.rules import Rule

WIDE = ("3.0.0.0/8", "4.0.0.0/9", "4.128.0.0/9", "4.0.0.0/10", "5.0.0.0/10", "6.0.0.0/11", "0.0.0.0/0", "10.0.0.0/8")
NARROW = ("3.0.0.0/16", "7.0.0.0/16", "198.51.100.0/24")
LAST = 6


@st.composite
def _rules(draw: st.DrawFn, networks: tuple[str, ...] = WIDE) -> Rule:
    low, high = sorted((draw(st.integers(0, LAST)), draw(st.integers(0, LAST))))
    protocol = draw(st.sampled_from(("tcp", "tcp", "udp", "all")))
    ends = (None, None) if protocol == "all" else (low, high)
    return network_rule(
        source=draw(st.sampled_from(networks)),
        protocol=protocol,
        from_port=ends[0],
        to_port=ends[1],
        group=draw(st.sampled_from(("sg-1", "sg-1", "sg-2"))),
    )


def _open(rule: Rule, protocol: str, port: int) -> bool:
    if rule.protocol == "all":
        return True
    return rule.protocol == protocol and int(str(rule.from_port)) <= port <= int(str(rule.to_port))


def _counted(rules: list[Rule]) -> set[tuple[int, str, int]]:
    spans = [() if isinstance(held := networks_of(rule), Unknown) else public_parts(held, 4) for rule in rules]
    # What is the world by itself needs no help, and is none to others.
    parts = [index for index, held in enumerate(spans) if 0 < size(held) <= WORLD[4]]
    found = set()
    for protocol in ("tcp", "udp"):
        for port in range(LAST + 1):
            there = [index for index in parts if _open(rules[index], protocol, port)]
            for index in there:
                mates = [other for other in there if rules[other].group == rules[index].group]
                if size(union(span for other in mates for span in spans[other])) > WORLD[4]:
                    found.add((index, protocol, port))
    return found


def _swept(rules: list[Rule]) -> set[tuple[int, str, int]]:
    found = set()
    for index, parts in world_together(rules).items():
        for part in parts:
            assert part.certain
            every = part.opening.protocol == "all"
            low, high = (0, LAST) if every else (int(str(part.opening.low)), int(str(part.opening.high)))
            for protocol in ("tcp", "udp") if every else (str(part.opening.protocol),):
                found |= {(index, protocol, port) for port in range(LAST + 1) if low <= port <= high}
    return found


@settings(max_examples=400, deadline=None)
@given(st.lists(_rules(), min_size=1, max_size=7))
def test_the_sweep_and_the_count_agree(rules: list[Rule]) -> None:
    assert _swept(rules) == _counted(rules)


@settings(max_examples=200, deadline=None)
@given(st.lists(_rules(), min_size=1, max_size=6), st.lists(_rules(NARROW), min_size=1, max_size=3))
def test_narrow_networks_beside_them_hide_nothing_and_add_nothing_that_is_none(
    wide: list[Rule], few: list[Rule]
) -> None:
    assert _swept(wide) <= _swept([*wide, *few]) <= _counted([*wide, *few])
