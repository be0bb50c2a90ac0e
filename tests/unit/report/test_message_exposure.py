"""What a request says of a thousand changes: what matters, first and in few lines."""

from __future__ import annotations

import pytest
from message_samples import REQUEST, WORLD_SSH

from runbook_lib.domain.exposure import exposure
from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.exposure import ExposedInterface, Exposure, ExposureEntry, Reachable
from runbook_lib.models.findings import Finding, Verdict
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.rules import Direction, Rule, SourceKind
from runbook_lib.report.messages import approval_request
from runbook_lib.report.messages.blocks import Block
from runbook_lib.report.messages.exposure import changes, counts, drift, exposure_blocks


def shown(found: Exposure) -> list[str]:
    return [line for block in exposure_blocks(found) for line in block["text"]["text"].splitlines()]


def rule(source: str | Unknown, group: str | Unknown, port: int, number: int = 0) -> Rule:
    kind = SourceKind.UNKNOWN if source is UNKNOWN else SourceKind.NETWORK
    return Rule(
        direction=Direction.INGRESS, protocol="tcp", from_port=port, to_port=port, source=source, source_kind=kind,
        group=group, address=f"a.r{number}",
    )  # fmt: skip


HUGE = exposure(
    [],
    [
        *(rule(UNKNOWN, f"sg-{number}", 22, number) for number in range(1000)),
        *(rule("0.0.0.0/0", UNKNOWN, port, port) for port in range(8000, 8125)),
    ],
)
FINDINGS: tuple[Finding, ...] = (
    *(WORLD_SSH.model_copy(update={"address": f"a.u{n}", "verdict": Verdict.UNKNOWN}) for n in range(1000)),
    *(WORLD_SSH.model_copy(update={"address": f"a.f{n}"}) for n in range(125)),
)
SUMMARY = PlanSummary(
    create=1000, delete=75, drift=2,
    addresses={
        "create": tuple(f"aws_sns_topic.t{n}" for n in range(1000)),
        "delete": tuple(f"aws_s3_bucket.b{n}" for n in range(75)),
        "drift": ("aws_instance.by_hand", "aws_eip.by_hand"),
    },
)  # fmt: skip


def test_openings_to_the_internet_stand_before_a_thousand_unknowns_on_one_line() -> None:
    first, *others = shown(HUGE)
    assert first.startswith(":unlock: opens *the internet (0.0.0.0/0)* → `an unknown group` on tcp 8000, 8001, 8002")
    assert "and 122 more" in first
    assert others[0].startswith(":question: may open")
    assert HUGE.sentence.startswith("The internet may newly reach an unknown group on tcp 8000")


def test_a_request_of_a_thousand_changes_names_what_is_destroyed_and_fails_first() -> None:
    asked = REQUEST.model_copy(update={"exposure": HUGE, "summary": SUMMARY, "findings": FINDINGS})
    message = approval_request(asked)
    texts = [block["text"]["text"] for block in message.blocks if block["type"] == "section" and "text" in block]
    (changes,) = [text for text in texts if text.startswith("*What changes*")]
    assert "• delete `aws_s3_bucket.b0`" in changes.splitlines()[1]
    assert "create `" not in changes
    (found,) = [text for text in texts if text.startswith("*1125 findings*")]
    failed, unknown = found.splitlines()[1:]
    assert "`a.f0` and 124 more" in failed
    assert "`a.u0` and 999 more" in unknown
    (drifted,) = [text for text in texts if "Changed outside" in text]
    assert "aws_instance.by_hand" in drifted
    assert "Destroyed or replaced: aws_s3_bucket.b0, aws_s3_bucket.b1, aws_s3_bucket.b2 and 72 more." in message.text
    assert "The internet may newly reach an unknown group" in message.text
    assert "Asked by riley." in message.text


def entry(source: str, target: str, port: int, **more: object) -> ExposureEntry:
    kind = "internet" if source == "0.0.0.0/0" else "network"
    return ExposureEntry.model_validate(
        {"source": source, "source_kind": kind, "target": target, "target_kind": "group", "protocol": "tcp",
         "from_port": port, "to_port": port, **more}
    )  # fmt: skip


def test_ports_sources_and_targets_share_a_line() -> None:
    found = Exposure(
        opened=tuple(
            entry(source, target, port)
            for source in ("203.0.113.0/24", "198.51.100.0/24")
            for target in ("web", "api")
            for port in (80, 443)
        )
    )
    assert shown(found) == [":unlock: opens *203.0.113.0/24 and 198.51.100.0/24* → `web and api` on tcp 80 and 443"]


def test_who_is_reached_and_what_is_not_are_told() -> None:
    web = ExposedInterface(id="eni-1", name="web-1", kind="instance", addresses=("198.51.100.10",),
                           reachable=Reachable.REACHABLE)  # fmt: skip
    found = Exposure(
        opened=(
            entry("203.0.113.0/24", "db", 5432, reachable="no_member", why="db has no member"),
            entry("0.0.0.0/0", "web", 80, reachable="reachable", interfaces=(web,)),
        )
    )
    assert shown(found) == [
        ":unlock: opens *the internet (0.0.0.0/0)* → `web: web-1 (198.51.100.10)` on tcp 80",
        ":unlock: opens, not reached, *203.0.113.0/24* → `db` on tcp 5432, which has no member",
    ]


def test_what_opens_to_the_internet_stands_first_and_what_only_may_open_does_not() -> None:
    world, known = entry("0.0.0.0/0", "web", 80), entry("203.0.113.0/24", "db", 5432)
    idle = known.model_copy(update={"reachable": Reachable.OPEN_BUT_NOT_REACHABLE, "why": "no public address"})
    unsure = entry("0.0.0.0/0", "web", UNKNOWN)  # type: ignore[arg-type]
    unnamed = entry("0.0.0.0/0", UNKNOWN, 22)  # type: ignore[arg-type]
    found = Exposure(opened=(known, idle, world), unknown=(unsure, unnamed), closed=(known, world))
    assert shown(found) == [
        ":unlock: opens *the internet (0.0.0.0/0)* → `web` on tcp 80",
        ":unlock: opens *the internet (0.0.0.0/0)* → `an unknown group` on tcp 22",
        ":unlock: opens *203.0.113.0/24* → `db` on tcp 5432",
        ":unlock: opens, not reached, *203.0.113.0/24* → `db` on tcp 5432, which is not reached: no public address",
        ":question: may open *the internet (0.0.0.0/0)* → `web` on an unknown tcp port",
        ":lock: closes *203.0.113.0/24* → `db` on tcp 5432",
        ":lock: closes *the internet (0.0.0.0/0)* → `web` on tcp 80",
    ]
    assert exposure_blocks(Exposure()) == []


def test_what_is_closed_alone_has_the_room_of_what_opens() -> None:
    closed = tuple(entry(f"203.0.113.{number}/32", f"web-{number}", number) for number in range(10))
    assert [line.split()[0] for line in shown(Exposure(closed=closed))] == [":lock:"] * 8 + ["…"]
    both = shown(Exposure(closed=closed, opened=closed))
    assert [line.split()[0] for line in both] == [":unlock:"] * 8 + ["…"] + [":lock:"] * 4 + ["…"]
    assert [line for line in both if line.startswith("…")] == ["… and 2 more", "… and 6 more"]


def test_the_things_of_a_group_are_named_where_it_is_reached_and_not_where_it_reaches() -> None:
    web = ExposedInterface(id="eni-1", name="web-1", kind="instance", reachable=Reachable.REACHABLE)
    reached = {"reachable": "reachable", "interfaces": (web,)}
    inward = entry("203.0.113.0/24", "web", 80, **reached)
    among = entry("api", "web", 81, **reached, source_kind="group")
    outward = entry("web", "203.0.113.0/24", 82, **reached, source_kind="group", target_kind="network")
    unsure = entry("198.51.100.0/24", "web", 83, reachable="unknown", interfaces=(web,))
    assert shown(Exposure(opened=(inward, among, outward, unsure))) == [
        ":unlock: opens *203.0.113.0/24* → `web: web-1` on tcp 80",
        ":unlock: opens *api* → `web` on tcp 81",
        ":unlock: opens *web* → `203.0.113.0/24` on tcp 82",
        ":unlock: opens *198.51.100.0/24* → `web` on tcp 83",
    ]


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (PlanSummary(), "*0* to add, *0* to change, *0* to destroy"),
        (PlanSummary(create=1, update=2, delete=3), "*1* to add, *2* to change, *3* to destroy"),
        # What is replaced is among what is added and destroyed, and stands behind it.
        (
            PlanSummary(create=1, delete=1, replace=1, drift=2),
            "*1* to add, *0* to change, *1* to destroy, *1* of them replaced, *2* changed outside",
        ),
        (
            PlanSummary(forget=1, import_=2, move=3, defer=4),
            "*0* to add, *0* to change, *0* to destroy, *1* to forget, *2* to import, *3* to move, *4* left for later",
        ),
        (
            PlanSummary(invoke=1, remove=1),
            "*0* to add, *0* to change, *0* to destroy, *1* action to run, *1* unlisted rule to remove",
        ),
        (
            PlanSummary(invoke=2, remove=2),
            "*0* to add, *0* to change, *0* to destroy, *2* actions to run, *2* unlisted rules to remove",
        ),
    ],
)
def test_the_three_counts_are_always_told_and_what_is_rare_where_there_is_some(summary: PlanSummary, said: str) -> None:
    assert counts(summary) == said
    assert counts(summary, "") == said.replace("*", "")


def texts(blocks: list[Block]) -> list[list[str]]:
    return [block["text"]["text"].splitlines() for block in blocks]


def test_of_what_changes_eight_are_named_what_can_t_be_taken_back_first() -> None:
    names = tuple(f"a.n{number}" for number in range(7))
    given = {"create": names, "drift": ("a.by_hand",), "replace": ("a.anew",), "delete": ("a.gone",)}
    (said,) = texts(changes(PlanSummary(addresses=given)))
    assert said[0] == "*What changes*"
    assert set(said[1:3]) == {"• delete `a.gone`", "• replace `a.anew`"}
    assert said[3:] == [*(f"• create `{name}`" for name in names[:6]), "… and 1 more"]
    assert changes(PlanSummary(addresses={"drift": ("a.by_hand",)})) == []
    # An action is one of a few words, an address as long as it likes.
    long = "x" * 200
    assert texts(changes(PlanSummary(addresses={long: (long,)}))) == [
        ["*What changes*", f"• {'x' * 29}… `{'x' * 149}…`"]
    ]


def test_of_what_was_changed_by_hand_eight_are_named() -> None:
    names = tuple(f"a.n{number}" for number in range(9))
    assert texts(drift(PlanSummary(addresses={"drift": names, "create": ("a.new",)}))) == [
        [":warning: *Changed outside of Terraform*", *(f"• `{name}`" for name in names[:8]), "… and 1 more"]
    ]
    assert texts(drift(PlanSummary(addresses={"drift": names[:8]}))) == [
        [":warning: *Changed outside of Terraform*", *(f"• `{name}`" for name in names[:8])]
    ]
    assert drift(PlanSummary(addresses={"create": ("a.new",)})) == []


def test_each_part_of_a_line_has_its_room() -> None:
    # Of a group: a network's own name is never that long.
    long = entry("s" * 300, "t" * 300, 80, source_kind="group", reachable="open_but_not_reachable", why="w" * 300)
    (said,) = shown(Exposure(opened=(long,)))
    assert said == (
        f":unlock: opens, not reached, *{'s' * 159}…* → `{'t' * 199}…` on tcp 80, which is not reached: {'w' * 137}…"
    )
    other = entry("203.0.113.0/24", "web", 0, protocol="9" * 300)
    assert shown(Exposure(opened=(other,))) == [f":unlock: opens *203.0.113.0/24* → `web` on protocol {'9' * 80}…"]
    ports = tuple(entry("203.0.113.0/24", "web", port) for port in (10_001, 20_002, 30_003, 40_004))
    assert shown(Exposure(opened=ports)) == [
        ":unlock: opens *203.0.113.0/24* → `web` on tcp 10001, 20002, 30003 and 40004"
    ]


def test_what_is_not_reached_for_different_reasons_is_told_apart_and_what_gains_different_ports_too() -> None:
    idle = {"reachable": "open_but_not_reachable"}
    found = Exposure(
        opened=(
            entry("203.0.113.0/24", "web", 80, **idle, why="no public address"),
            entry("203.0.113.0/24", "web", 81, **idle, why="no route"),
            entry("203.0.113.0/24", "api", 81, **idle, why="no route"),
            entry("198.51.100.0/24", "web", 80),
            entry("198.51.100.0/24", "api", 443),
            entry("192.0.2.0/24", "api", 443, reachable="already_open"),
        )
    )
    assert shown(found)[:4] == [
        ":unlock: opens *198.51.100.0/24* → `web` on tcp 80",
        ":unlock: opens *198.51.100.0/24* → `api` on tcp 443",
        ":unlock: opens, not reached, *203.0.113.0/24* → `web` on tcp 80, which is not reached: no public address",
        ":unlock: opens, not reached, *203.0.113.0/24* → `web and api` on tcp 81, which is not reached: no route",
    ]
    assert shown(found)[4].startswith(":unlock: opens, not reached, *192.0.2.0/24* → `api` on tcp 443")
    assert len(shown(found)) == 5
