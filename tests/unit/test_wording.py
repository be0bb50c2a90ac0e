"""What a person reads of a rule: the exact words, and that every reader is given the same ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from runbook_lib.domain.compliance import judge
from runbook_lib.domain.exposure import exposure
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.domain.rules.values import protocol as read_protocol
from runbook_lib.models.approval import ApprovalRequest, Requirement
from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.exposure import ExposedInterface, Exposure, ExposureEntry, Reachable
from runbook_lib.models.findings import Action
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.policies import Policy, RuleMatch
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.models.rules import Rule
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.report import charts, picture, tables
from runbook_lib.report.messages import approval_request
from runbook_lib.wording import (
    begun,
    changed,
    describe_rule,
    effect,
    join,
    keeps_out,
    needed,
    opening,
    openings,
    party,
    party_in_full,
    printable,
    rare_counts,
    reaches,
    risk_in_words,
    said_by,
    says_whom,
    things,
    until,
)

WORLD = "0.0.0.0/0"


def rule(protocol: object, low: object = None, high: object = None, **fields: object) -> Rule:
    known = {"direction": "ingress", "protocol": protocol, "from_port": low, "to_port": high, "source": WORLD}
    return Rule.model_validate(known | {"group": "web", "address": "a.b"} | fields)


def entry(protocol: object, low: object = None, high: object = None) -> ExposureEntry:
    parties = {"source": WORLD, "source_kind": "internet", "target": "web", "target_kind": "group"}
    return ExposureEntry.model_validate(parties | {"protocol": protocol, "from_port": low, "to_port": high})


OPENINGS = [
    # protocol     from     to       as a person reads it
    ("all",        None,    None,    "all ports and protocols"),
    ("all",        0,       0,       "all ports and protocols"),
    ("other",      None,    None,    "all other protocols"),
    ("tcp",        None,    None,    "all tcp"),
    ("tcp",        0,       65535,   "all tcp"),
    ("udp",        0,       65535,   "all udp"),
    ("tcp",        1,       65535,   "tcp 1-65535"),
    ("tcp",        0,       0,       "tcp 0"),
    ("tcp",        22,      22,      "tcp 22"),
    ("tcp",        80,      90,      "tcp 80-90"),
    ("tcp",        UNKNOWN, UNKNOWN, "an unknown tcp port"),
    ("tcp",        UNKNOWN, None,    "an unknown tcp port"),
    ("tcp",        443,     UNKNOWN, "tcp 443 to an unknown port"),
    ("tcp",        UNKNOWN, 443,     "tcp from an unknown port to 443"),
    ("icmp",       None,    None,    "all icmp"),
    ("icmp",       -1,      -1,      "all icmp"),
    ("icmp",       8,       -1,      "icmp type 8"),
    ("icmp",       8,       0,       "icmp type 8 code 0"),
    ("icmp",       8,       UNKNOWN, "icmp type 8 code unknown"),
    ("icmp",       UNKNOWN, -1,      "an unknown icmp type"),
    ("icmpv6",     -1,      -1,      "all icmpv6"),
    ("icmpv6",     128,     0,       "icmpv6 type 128 code 0"),
    ("47",         None,    None,    "protocol 47 (GRE)"),
    ("50",         None,    None,    "protocol 50 (ESP)"),
    ("51",         None,    None,    "protocol 51 (AH)"),
    ("2",          None,    None,    "protocol 2 (IGMP)"),
    ("132",        None,    None,    "protocol 132 (SCTP)"),
    ("253",        None,    None,    "protocol 253"),
    (UNKNOWN,      None,    None,    "an unknown protocol"),
    (UNKNOWN,      22,      22,      "an unknown protocol"),
    (UNKNOWN,      UNKNOWN, UNKNOWN, "an unknown protocol"),
]  # fmt: skip

RULES = [
    ({},                                                          "ingress tcp 22 from 0.0.0.0/0"),
    ({"direction": "egress"},                                     "egress tcp 22 to 0.0.0.0/0"),
    ({"direction": UNKNOWN},                                      "ingress or egress tcp 22 from or to 0.0.0.0/0"),
    ({"source": "::/0"},                                          "ingress tcp 22 from ::/0"),
    ({"source": "0.0.0.0/1"},                                     "ingress tcp 22 from 0.0.0.0/1"),
    ({"source": "10.0.0.0/8"},                                    "ingress tcp 22 from 10.0.0.0/8"),
    ({"source": "self", "source_kind": "self"},                   "ingress tcp 22 from the group itself"),
    ({"source": "sg-2", "source_kind": "group"},                  "ingress tcp 22 from sg-2"),
    ({"source": UNKNOWN, "source_kind": "group"},                 "ingress tcp 22 from an unknown group"),
    ({"source": "pl-1", "source_kind": "prefix_list"},            "ingress tcp 22 from prefix list pl-1"),
    ({"source": "pl-1", "source_kind": "prefix_list", "entries": ("10.0.0.0/8", WORLD)},
                                                "ingress tcp 22 from prefix list pl-1 (10.0.0.0/8 and 0.0.0.0/0)"),
    ({"source": "pl-1", "source_kind": "prefix_list", "entries": ()}, "ingress tcp 22 from prefix list pl-1"),
    ({"source": "pl-1", "source_kind": "prefix_list", "entries": UNKNOWN}, "ingress tcp 22 from prefix list pl-1"),
    ({"source": UNKNOWN, "source_kind": "prefix_list"},           "ingress tcp 22 from an unknown prefix list"),
    ({"source": UNKNOWN},                                         "ingress tcp 22 from somebody unknown"),
    ({"source": UNKNOWN, "source_kind": "unknown"},               "ingress tcp 22 from somebody unknown"),
]  # fmt: skip

PARTIES = [
    # name         kind           in a sentence             in a table, and in the approval request
    (WORLD,        "internet",    "the internet",           "the internet (0.0.0.0/0)"),
    ("::/0",       "internet",    "the internet",           "the internet (::/0)"),
    ("0.0.0.0/1",  "internet",    "the internet",           "the internet (0.0.0.0/1)"),
    ("128.0.0.0/1", "internet",   "the internet",           "the internet (128.0.0.0/1)"),
    ("10.0.0.0/8", "private",     "10.0.0.0/8",             "10.0.0.0/8"),
    ("8.0.0.0/8",  "network",     "8.0.0.0/8",              "8.0.0.0/8"),
    ("web",        "group",       "web",                    "web"),
    ("pl-1",       "prefix_list", "prefix list pl-1",       "prefix list pl-1"),
    (UNKNOWN,      "group",       "an unknown group",       "an unknown group"),
    (UNKNOWN,      "prefix_list", "an unknown prefix list", "an unknown prefix list"),
    (UNKNOWN,      UNKNOWN,       "somebody unknown",       "somebody unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "low", "high", "words"), OPENINGS)
def test_a_protocol_and_its_ports_are_worded_so(protocol: object, low: object, high: object, words: str) -> None:
    assert opening(rule(protocol, low, high)) == words
    assert opening(entry(protocol, low, high)) == words


@pytest.mark.parametrize(("fields", "words"), RULES)
def test_a_rule_is_worded_so(fields: dict[str, object], words: str) -> None:
    assert describe_rule(rule("tcp", 22, 22, **fields)) == words


@pytest.mark.parametrize(("name", "kind", "words", "in_full"), PARTIES)
def test_a_party_is_worded_so(name: object, kind: object, words: str, in_full: str) -> None:
    assert (party(name, kind), party_in_full(name, kind)) == (words, in_full)  # type: ignore[arg-type]


def test_a_protocol_written_by_its_name_reads_as_by_its_number() -> None:
    assert [opening(rule(read_protocol(value, "here"))) for value in ("gre", "47", 47, "-1", "6")] == [
        "protocol 47 (GRE)", "protocol 47 (GRE)", "protocol 47 (GRE)", "all ports and protocols", "all tcp",
    ]  # fmt: skip


def test_what_is_unknown_reads_the_same_after_a_way_through_json() -> None:
    made = entry(UNKNOWN, UNKNOWN, UNKNOWN).model_copy(update={"source": UNKNOWN, "source_kind": UNKNOWN})
    read = ExposureEntry.model_validate_json(made.model_dump_json())
    assert (opening(read), party(read.source, read.source_kind)) == ("an unknown protocol", "somebody unknown")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("tcp", 443, 443), ("tcp", 80, 80), ("udp", None, None)], "tcp 80, 443 and all udp"),
        ([("tcp", 80, 80), ("tcp", 80, 80)], "tcp 80"),
        ([("tcp", 80, 80), ("tcp", None, None)], "all tcp"),
        ([("tcp", 80, 80), ("tcp", UNKNOWN, UNKNOWN)], "tcp 80 and an unknown tcp port"),
        ([("tcp", 22, 22), ("all", None, None)], "all ports and protocols"),
        ([("tcp", port, port) for port in range(22, 31, 2)], "tcp 22, 24, 26 and 2 more"),
        ([("icmp", 8, 0), ("icmp", 3, -1)], "icmp type 3 and type 8 code 0"),
        ([("icmp", number, -1) for number in range(9)], "9 types of icmp"),
        ([("icmp", 8, code) for code in range(1, 256)], "255 codes of icmp type 8"),
    ],
)
def test_several_openings_make_one_phrase(entries: list[tuple[object, ...]], words: str) -> None:
    assert openings(entry(*each) for each in entries) == words


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("tcp", 0, 79), ("tcp", 81, 65535)], "everything but tcp 80"),
        ([("tcp", 1, 65534)], "everything but tcp 0 and tcp 65535"),
        ([("tcp", 100, 65535), ("tcp", 0, 200)], "all ports and protocols that no other rule names"),
        ([], "everything but all tcp"),
    ],
)
def test_all_but_what_was_open_before_is_said_so(entries: list[tuple[object, ...]], words: str) -> None:
    others = [("udp", None, None), ("icmp", -1, -1), ("icmpv6", -1, -1), ("other", None, None)]
    assert openings(entry(*each) for each in (*entries, *others)) == words


def test_icmp_is_among_what_was_open_before() -> None:
    others = [("tcp", None, None), ("udp", None, None), ("icmp", 8, -1), ("other", None, None)]
    assert openings(entry(*each) for each in others) == "everything but some icmp and all icmpv6"


def test_a_long_list_is_cut() -> None:
    assert [join(list(letters)) for letters in ("a", "ab", "abcd", "abcdefg")] == [
        "a", "a and b", "a, b, c and d", "a, b, c and 4 more",
    ]  # fmt: skip


EVERY_INGRESS = Policy.model_validate(
    {"id": "p", "title": "No ingress", "severity": "low", "action": "block", "on_unknown": "block"}
    | {"remedy": "Close it.", "rule": {"direction": "ingress"}}
)
READ_ALIKE = [
    # rule                                       on                         who                 who, as written
    (rule("all"),                                 "all ports and protocols", "the internet",     WORLD),
    (rule("tcp", 0, 65535),                       "all tcp",                 "the internet",     WORLD),
    (rule("tcp", 0, 0),                           "tcp 0",                   "the internet",     WORLD),
    (rule("tcp", 22, 22, source="::/0"),          "tcp 22",                  "the internet",     "::/0"),
    (rule("tcp", 80, 90, source="10.0.0.0/8"),    "tcp 80-90",               "10.0.0.0/8",       "10.0.0.0/8"),
    (rule("icmp", -1, -1),                        "all icmp",                "the internet",     WORLD),
    (rule("icmp", 8, -1),                         "icmp type 8",             "the internet",     WORLD),
    (rule("icmp", 8, 0),                          "icmp type 8 code 0",      "the internet",     WORLD),
    (rule("47"),                                  "protocol 47 (GRE)",       "the internet",     WORLD),
    (rule("253"),                                 "protocol 253",            "the internet",     WORLD),
    (rule("tcp", 22, 22, source="db", source_kind="group"),
                                                  "tcp 22",                  "db",               "db"),
    (rule("tcp", 22, 22, source="pl-1", source_kind="prefix_list"),
                                                  "tcp 22",                  "prefix list pl-1", "prefix list pl-1"),
    (rule("tcp", 22, 22, source=UNKNOWN),         "tcp 22",                  "somebody unknown", "somebody unknown"),
    (rule("tcp", UNKNOWN, UNKNOWN),               "an unknown tcp port",     "the internet",     WORLD),
    (rule(UNKNOWN, 22, 22),                       "an unknown protocol",     "the internet",     WORLD),
]  # fmt: skip


def request_of(found: Exposure) -> ApprovalRequest:
    known = {"run_id": "1", "stack": "access", "plan_sha256": "ab", "commit": "cd", "policy_sha256": "ef"}
    known |= {"state_lineage": "l", "state_serial": 1, "requester": "riley", "author": "riley"}
    noon = datetime(2026, 1, 2, tzinfo=UTC)
    more = {"summary": PlanSummary(), "exposure": found, "created_at": noon, "expires_at": noon}
    return ApprovalRequest.model_validate(known | more | {"approvers": ("alex",), "quorum": 1})


def chart_labels(found: Exposure, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setitem(picture._STYLE, "svg.fonttype", "none")  # letters, not outlines
    texts = ElementTree.fromstring(charts.exposure(found).svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()) for text in texts]


@pytest.mark.parametrize(("given", "on", "who", "written"), READ_ALIKE)
def test_one_rule_reads_alike_wherever_it_is_read(
    given: Rule, on: str, who: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = exposure([], [given])
    in_full = f"{who} ({written})" if who == "the internet" else who

    message = approval_request(request_of(found))
    sign = ":question: may open" if found.unknown else ":unlock: opens"
    assert f'{sign} *{in_full}* → `web` on {on}"' in json.dumps(message.blocks, ensure_ascii=False)

    assert [[str(cell) for cell in row[1:]] for row in tables.exposure(found).rows] == [[in_full, "→", "web", on, ""]]
    assert [[str(cell) for cell in row[:3]] for row in tables.rules([given]).rows] == [["ingress", written, on]]

    difference = Difference(kind=DifferenceKind.UNMANAGED, group="web", rule=given)
    verification = Verification(outcome=Outcome.BLOCKED, in_sync=0, differences=(difference,))
    assert [row[2] for row in tables.differences(verification).rows] == [f"ingress {on} from {written}"]

    labels = chart_labels(found, monkeypatch)
    assert {who, "web", on} <= set(labels)

    report = judge(RuleChanges(after=(given,), touched=frozenset({0})), [EVERY_INGRESS])
    assert [finding.message for finding in report.findings] == [f"No ingress: ingress {on} from {written}"]

    assert found.unknown or found.sentence == f"{begun(who)} can newly reach web on {on}; nobody loses access."


def test_two_halves_of_the_world_are_the_internet_and_say_so() -> None:
    halves = (rule("tcp", 22, 22, source="0.0.0.0/1"), rule("tcp", 22, 22, source="128.0.0.0/1"))
    assert exposure([], halves).sentence == "The internet can newly reach web on tcp 22; nobody loses access."
    world = EVERY_INGRESS.model_copy(update={"rule": RuleMatch.model_validate({"source": {"world": True}})})
    report = judge(RuleChanges(after=halves, touched=frozenset({0})), [world])
    assert [finding.message for finding in report.findings] == ["No ingress: ingress tcp 22 from 0.0.0.0/1"]
    parts = (rule("tcp", 22, 22, source="8.0.0.0/8"), rule("tcp", 22, 22, source="9.0.0.0/8"))
    report = judge(RuleChanges(after=parts, touched=frozenset({0})), [world])
    assert [finding.message for finding in report.findings] == [
        "No ingress: ingress tcp 22 from 8.0.0.0/8, which is the world together with other rules of the group"
    ]


def test_what_a_finding_does_and_who_vouches_for_a_decision_have_their_words() -> None:
    assert [effect(action) for action in Action] == ["blocks", "needs the approver's eye", "warns"]
    sources = (
        *("gitlab_job", "gitlab_reject_job", "gitlab_comment", "gitlab_deployment", "gitlab_merge_request"),
        *("slack", "terminal", "x"),
    )
    assert [said_by(name) for name in sources] == [
        "GitLab's manual job", "GitLab's manual job reject", "a comment in GitLab", "GitLab's deployment approval",
        "GitLab's merge request approval", "Slack's button", "terminal", "x",
    ]  # fmt: skip


def test_a_list_of_a_rule_is_cut_like_any_other() -> None:
    entries = tuple(f"10.{number}.0.0/16" for number in range(6))
    held = rule("tcp", 22, 22, source="pl-1", source_kind="prefix_list", entries=entries)
    assert describe_rule(held) == (
        "ingress tcp 22 from prefix list pl-1 (10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16 and 3 more)"
    )


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            [("icmp", 8, code) for code in range(4)],
            "icmp type 8 code 0, type 8 code 1, type 8 code 2 and type 8 code 3",
        ),
        ([("icmp", 8, 0), ("icmp", -1, -1)], "all icmp"),
        ([("udp", 53, 53), ("tcp", 90, 99), ("tcp", 80, 85)], "udp 53, tcp 80-85 and 90-99"),
        ([("tcp", 80, 90), ("tcp", 80, 85)], "tcp 80-85 and 80-90"),
    ],
)
def test_openings_stand_by_their_ports(entries: list[tuple[object, ...]], words: str) -> None:
    assert openings(entry(*each) for each in entries) == words


def test_the_ends_of_all_ports_are_among_what_was_open_before() -> None:
    others = [("udp", None, None), ("icmp", -1, -1), ("icmpv6", -1, -1), ("other", None, None)]
    given = [("tcp", 10, 19), ("tcp", 15, 30), ("tcp", 32, 40)]
    assert openings(entry(*each) for each in (*given, *others)) == ("everything but tcp 0-9, tcp 31 and tcp 41-65535")


def test_what_seldom_occurs_in_a_plan_is_counted_in_its_own_words() -> None:
    one = PlanSummary(forget=1, import_=2, move=3, defer=4, invoke=1, remove=1, drift=5)
    assert list(rare_counts(one).items()) == [
        ("to forget", 1), ("to import", 2), ("to move", 3), ("left for later", 4), ("action to run", 1),
        ("unlisted rule to remove", 1), ("changed outside", 5),
    ]  # fmt: skip
    for several in (0, 2):
        made = rare_counts(PlanSummary(invoke=several, remove=several))
        assert (made["actions to run"], made["unlisted rules to remove"]) == (several, several)


def test_what_can_not_be_taken_back_is_told_first_of_what_changes() -> None:
    kinds = ("create", "remove", "drift", "update", "forget", "replace", "delete")
    summary = PlanSummary(addresses={kind: (f"{kind}.a", f"{kind}.b") for kind in kinds})
    told = ("delete", "replace", "forget", "remove", "create", "update")
    assert list(changed(summary)) == [(kind, f"{kind}.{name}") for kind in told for name in "ab"]


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ((), "2 of alex, sam, kim"),
        ((Requirement(needs=1, approvers=("alex", "sam")),), "1 of alex, sam"),
        ((Requirement(needs=1, approvers=()),), "1 of nobody is named"),
        ((Requirement(needs=0, approvers=("alex",), why="it only closes"),), "nobody, as it only closes"),
        (
            (
                Requirement(needs=2, approvers=("alex", "sam")),
                Requirement(needs=1, approvers=("kim",), group="security", why="it opens the internet"),
            ),
            "2 of alex, sam; and 1 of security (kim), as it opens the internet",
        ),
    ],
)
def test_who_must_approve_is_worded_so(requirements: tuple[Requirement, ...], words: str) -> None:
    asked = request_of(Exposure()).model_copy(
        update={"approvers": ("alex", "sam", "kim"), "quorum": 2, "requirements": requirements}
    )
    assert needed(asked) == words
    if not requirements:
        assert needed(asked, str.upper, 2) == "2 of ALEX, SAM"


def test_a_risk_is_its_level_with_its_reasons() -> None:
    reasons = tuple(RiskReason(level=RiskLevel.LOW, text=text) for text in ("opens tcp 22", "destroys a.b"))
    assert risk_in_words(Risk(level=RiskLevel.HIGH, reasons=reasons)) == "high: opens tcp 22; destroys a.b"
    assert risk_in_words(Risk()) == "none"


@pytest.mark.parametrize(
    ("expires", "words"),
    [
        (None, ""),
        (UNKNOWN, "until a time that is not known yet"),
        ("2026-12-31", "until 2026-12-31"),
        ("2026-12-31T18:00:00Z", "until 2026-12-31 18:00 UTC"),
        ("2026-12-31T18:00:00+02:00", "until 2026-12-31 16:00 UTC"),
        ("soon", "until nobody knows when ('soon' is no date)"),
        ("x" * 50, f"until nobody knows when ('{'x' * 40}' is no date)"),
    ],
)
def test_an_end_is_worded_so(expires: object, words: str) -> None:
    assert until(expires) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reachable", "why", "words"),
    [
        (Reachable.REACHABLE, "it has a route", ""),
        (Reachable.UNKNOWN, "nobody knows", ""),
        (Reachable.NO_MEMBER, "", ""),
        (Reachable.NO_MEMBER, "web has no member", "which has no member"),
        (Reachable.NO_MEMBER, "its lambda is not in a VPC", "its lambda is not in a VPC"),
        (Reachable.OPEN_BUT_NOT_REACHABLE, "", "which is not reached"),
        (Reachable.OPEN_BUT_NOT_REACHABLE, "no route", "which is not reached: no route"),
        (Reachable.HALF_PATH, "db lets nobody in", "which is half a path: db lets nobody in"),
        (Reachable.ALREADY_OPEN, "another rule", "which was open already: another rule"),
    ],
)
def test_why_nothing_comes_through_is_worded_so(reachable: Reachable, why: str, words: str) -> None:
    given = entry("tcp", 22, 22).model_copy(update={"reachable": reachable, "why": why})
    assert keeps_out(given) == words
    assert reaches(given) == (words or why)


def seen(name: str, *addresses: str, reachable: Reachable = Reachable.REACHABLE) -> ExposedInterface:
    return ExposedInterface(id=name, name=name, kind="instance", addresses=addresses, reachable=reachable)


@pytest.mark.parametrize(
    ("interfaces", "more", "words"),
    [
        ((), 3, ""),
        ((seen("a", "192.0.2.1", reachable=Reachable.UNKNOWN),), 0, ""),
        ((seen("a"), seen("a")), 0, "a (2 of them)"),
        ((seen("a"), seen("a")), 4, "a (2 of them) and 4 more"),
        ((seen("a", "192.0.2.1"), seen("a")), 0, "a (192.0.2.1)"),
        ((seen("web-1"), seen("web-2"), seen("web-10")), 0, "web-1, -2 and -10"),
        ((seen("web-a"), seen("web-b")), 0, "web-a and web-b"),
        ((seen("web-1"), seen("web-b")), 0, "web-1 and web-b"),
        ((seen("web-1"), seen("api-2")), 0, "web-1 and api-2"),
        ((seen("1"), seen("2")), 0, "1 and 2"),
        (tuple(seen(f"n{n}", f"192.0.2.{n}") for n in range(6)), 0,
         "n0, n1, n2 and 3 more (192.0.2.0, .1, .2, .3)"),
    ],
)  # fmt: skip
def test_things_that_are_reached_are_worded_so(interfaces: tuple[ExposedInterface, ...], more: int, words: str) -> None:
    given = entry("tcp", 22, 22).model_copy(update={"interfaces": interfaces, "more_interfaces": more, "why": "it is"})
    assert things(given) == words
    assert reaches(given) == (words or "it is")


@pytest.mark.parametrize("unknown", ["source", "source_kind", "protocol", "from_port", "to_port"])
def test_whom_an_entry_lets_in_is_said_where_nothing_but_the_target_is_unknown(unknown: str) -> None:
    given = entry("tcp", 22, 22)
    assert not says_whom(given)
    unnamed = given.model_copy(update={"target": UNKNOWN})
    assert says_whom(unnamed)
    assert not says_whom(unnamed.model_copy(update={unknown: UNKNOWN}))


def test_a_name_moves_no_cursor() -> None:
    assert printable("a é\n\x1b[2J\u202eb") == "a é\\n\\x1b[2J\\u202eb"
