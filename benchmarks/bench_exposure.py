"""`make bench-exposure`: how long it takes to say what 10,000 rules open of 1,000 interfaces.

    python benchmarks/bench_exposure.py [--rules 10000] [--interfaces 1000] [--rounds 3]

Rules in many groups, and all in one; half of the rules are new. Reading a plan and asking AWS are left out, and the
processor's time is what counts. Exit status 1 if the promise is broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable

from runbook_lib.domain.exposure import exposure
from runbook_lib.models.network import (
    AclEntry,
    Interface,
    Network,
    NetworkAcl,
    Networks,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)
from runbook_lib.models.rules import Direction, Rule, SourceKind

MOST_SECONDS = 3.0
_SUBNETS = 20
_PORTS = (22, 80, 443, 3389, 5432, 6379, 8080)


def main() -> int:
    """Measure, print, and say by the exit status whether the promise holds."""
    parser = argparse.ArgumentParser(description="How long the exposure takes.")
    for name, value in (("rules", 10_000), ("interfaces", 1_000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    broken = 0
    for name, groups, make in _CASES:
        chance = random.Random(12)  # the same rules each time
        rules = [make(index, f"sg-{index % groups}", chance) for index in range(given.rules)]
        before, after = rules[: len(rules) // 2], rules
        networks = _networks(before, after, groups, given.interfaces, chance)
        taken = min(_timed(before, after, networks) for _ in range(given.rounds))
        broken += taken > MOST_SECONDS
        print(f"{name:34} {taken:6.2f} s{'  too long' if taken > MOST_SECONDS else ''}")
    return int(broken > 0)


def _timed(before: list[Rule], after: list[Rule], networks: Networks) -> float:
    started = time.process_time()
    exposure(before, after, {}, networks.after.ruled, networks)
    return time.process_time() - started


def _usual(index: int, group: str, chance: random.Random) -> Rule:
    low = chance.choice((*_PORTS, chance.randrange(1024, 60_000)))
    networks = ("0.0.0.0/0", f"10.{chance.randrange(4)}.{chance.randrange(256)}.0/24", "203.0.113.0/24", "10.0.0.0/8")
    source, kind = chance.choice(
        [*((net, SourceKind.NETWORK) for net in networks), (f"sg-{index % 7}", SourceKind.GROUP)]
    )
    return _rule(group, low, low + chance.choice((0, 0, 0, 10)), (source, kind))


def _distinct(index: int, group: str, chance: random.Random) -> Rule:
    return _rule(group, 1 + index, 1 + index, (f"{11 + index % 100}.{index // 100 % 256}.0.0/16", SourceKind.NETWORK))


_Make = Callable[[int, str, random.Random], Rule]
_CASES: tuple[tuple[str, int, _Make], ...] = (
    ("50 groups", 50, _usual),
    ("one group", 1, _usual),
    ("one group, each rule another port", 1, _distinct),
)


def _rule(group: str, low: int, high: int, other: tuple[str, SourceKind]) -> Rule:
    return Rule.trusted(
        direction=Direction.INGRESS, protocol="tcp", from_port=low, to_port=high, source=other[0], source_kind=other[1],
        entries=None, description=None, group=group, address="",
    )  # fmt: skip


def _networks(before: list[Rule], after: list[Rule], groups: int, many: int, chance: random.Random) -> Networks:
    out = [
        Rule(
            direction=Direction.EGRESS,
            protocol="all",
            from_port=None,
            to_port=None,
            source="0.0.0.0/0",
            group=f"sg-{g}",
        )
        for g in range(groups)
    ]
    acl = [
        AclEntry(number=100, egress=egress, allow=True, protocol="all", network="0.0.0.0/0") for egress in (True, False)
    ]
    way = Route(network="0.0.0.0/0", target=RouteTarget.INTERNET)
    known = frozenset(f"sg-{number}" for number in range(groups))
    common = {
        "vpcs": (Vpc(id="vpc-1", networks=("10.0.0.0/14",)),),
        "subnets": tuple(
            Subnet(id=f"subnet-{n}", vpc="vpc-1", networks=(f"10.0.{n}.0/24",), table=f"rtb-{n % 2}", acl="acl-1")
            for n in range(_SUBNETS)
        ),
        "tables": (RouteTable(id="rtb-0", vpc="vpc-1", routes=(way,)), RouteTable(id="rtb-1", vpc="vpc-1")),
        "acls": (NetworkAcl(id="acl-1", vpc="vpc-1", entries=tuple(acl)),),
        "interfaces": tuple(_interface(n, groups, chance) for n in range(many)),
        "ruled": known,
        "peopled": known,
        "complete": True,
    }
    return Networks(before=Network(**common, rules=(*before, *out)), after=Network(**common, rules=(*after, *out)))


def _interface(number: int, groups: int, chance: random.Random) -> Interface:
    return Interface(
        id=f"eni-{number}", name=f"web-{number}", kind="instance", vpc="vpc-1",
        subnets=(f"subnet-{number % _SUBNETS}",),
        groups=tuple(f"sg-{each}" for each in sorted(chance.sample(range(groups), k=1))),
        addresses=(f"10.0.{number % _SUBNETS}.{1 + number // _SUBNETS}",),
        public=(f"198.51.{number // 250}.{1 + number % 250}",) if number % 3 else (),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
