"""The sentence about things: who is reached by name, what is opened for nothing, and what is not known."""

from __future__ import annotations

import pytest

from runbook_lib.domain.plan_comparison import shown_otherwise
from runbook_lib.domain.sentence import sentence
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import ExposedInterface, Exposure, ExposureEntry, Reachable
from runbook_lib.models.plan import PlanSummary
from runbook_lib.wording import begun, party, things


def thing(name: str, *addresses: str, verdict: Reachable = Reachable.REACHABLE) -> ExposedInterface:
    return ExposedInterface(id=f"eni-{name}", name=name, kind="instance", addresses=addresses, reachable=verdict)


def entry(
    source: str, target: str, port: int, verdict: Reachable, *those: ExposedInterface, why: str = ""
) -> ExposureEntry:
    kind = "internet" if source == "0.0.0.0/0" else "private"
    return ExposureEntry.model_validate(
        {"source": source, "source_kind": kind, "target": target, "target_kind": "group", "protocol": "tcp",
         "from_port": port, "to_port": port, "interfaces": those, "reachable": verdict, "why": why}
    )  # fmt: skip


WEB = entry("0.0.0.0/0", "web", 80, Reachable.REACHABLE, thing("web-front-1", "198.51.100.10"),
            thing("web-front-2", "198.51.100.11"))  # fmt: skip
DB = entry("10.0.0.0/8", "db", 9100, Reachable.NO_MEMBER, why="db has no member")


def test_things_are_named_and_what_has_no_member_is_said() -> None:
    assert sentence(Exposure(opened=(WEB, DB))) == (
        "The internet can newly reach web-front-1 and -2 (198.51.100.10, .11) on tcp 80;"
        " opens tcp 9100 of db to 10.0.0.0/8, which has no member; nobody loses access."
    )


@pytest.mark.parametrize(
    ("verdict", "why", "said"),
    [
        (Reachable.OPEN_BUT_NOT_REACHABLE, "no public address", "which is not reached: no public address"),
        (
            Reachable.ALREADY_OPEN,
            "another rule lets it through",
            "which was open already: another rule lets it through",
        ),
        (Reachable.HALF_PATH, "db does not let it in", "which is half a path: db does not let it in"),
        (Reachable.NO_MEMBER, "web has no member", "web has no member"),
    ],
)
def test_each_reason_why_nothing_comes_through_is_said(verdict: Reachable, why: str, said: str) -> None:
    found = sentence(Exposure(opened=(entry("0.0.0.0/0", "db", 22, verdict, why=why),)))
    wanted = "which has no member" if verdict is Reachable.NO_MEMBER else said
    assert found == f"Opens tcp 22 of db to the internet, {wanted}; nobody loses access."


@pytest.mark.parametrize(
    ("those", "said"),
    [
        ((thing("db-1"),), "db-1"),
        ((thing("web", "198.51.100.1"), thing("web", "198.51.100.2")), "web (198.51.100.1, .2)"),
        ((thing("a", "198.51.100.1"), thing("b", "203.0.113.2")), "a and b (198.51.100.1, 203.0.113.2)"),
        ((thing("a-1"), thing("b-1", verdict=Reachable.UNKNOWN)), "a-1"),
    ],
)
def test_names_and_addresses_are_shortened(those: tuple[ExposedInterface, ...], said: str) -> None:
    assert things(entry("0.0.0.0/0", "web", 80, Reachable.REACHABLE, *those)) == said


def request(shown: Exposure) -> ApprovalRequest:
    return ApprovalRequest.model_construct(exposure=shown, summary=PlanSummary(), findings=(), code=())


def test_what_is_reached_at_apply_and_was_not_shown_is_refused() -> None:
    idle = entry("0.0.0.0/0", "web", 80, Reachable.OPEN_BUT_NOT_REACHABLE, why="no public address")
    shown = Exposure(opened=(idle,), rules_sha256="a")
    found = Exposure(opened=(WEB,), rules_sha256="a")
    (problem,) = shown_otherwise(request(shown), PlanSummary(), found, ())
    assert problem.startswith(
        "The internet can now reach web-front-1 and -2 (198.51.100.10, .11) on tcp 80, which was not"
    )
    assert not list(shown_otherwise(request(found), PlanSummary(), found, ()))
    assert not list(shown_otherwise(request(found), PlanSummary(), shown, ()))


def test_what_was_unknown_to_the_approvers_may_turn_out_to_be_reached() -> None:
    unknown = entry("0.0.0.0/0", "web", 80, Reachable.UNKNOWN, why="who is in web is not known")
    shown, found = Exposure(opened=(unknown,), rules_sha256="a"), Exposure(opened=(WEB,), rules_sha256="a")
    assert not list(shown_otherwise(request(shown), PlanSummary(), found, ()))


def test_other_rules_are_another_exposure_whatever_is_reached() -> None:
    shown, found = Exposure(opened=(WEB,), rules_sha256="a"), Exposure(opened=(WEB,), rules_sha256="b")
    (problem,) = shown_otherwise(request(shown), PlanSummary(), found, ())
    assert problem.startswith("The request says of who can newly reach what")


def of_nobody(source: str, kind: str, port: int) -> ExposureEntry:
    """Opened to somebody of whom the source is known, into a group that only apply names."""
    return ExposureEntry.model_validate(
        {"source": source, "source_kind": kind, "target": "unknown", "target_kind": "group", "protocol": "tcp",
         "from_port": port, "to_port": port}
    )  # fmt: skip


WORLD_IN = of_nobody("0.0.0.0/0", "internet", 22)
OFFICE_IN = of_nobody("10.0.0.0/8", "private", 22)
OFFICE = entry("10.0.0.0/8", "db", 5432, Reachable.REACHABLE)
GONE = entry("10.9.0.0/16", "db", 22, Reachable.REACHABLE)
WEB_SAID = "The internet can newly reach web-front-1 and -2 (198.51.100.10, .11) on tcp 80."
OFFICE_SAID = "10.0.0.0/8 can newly reach db on tcp 5432."
GONE_SAID = "10.9.0.0/16 can no longer reach db on tcp 22."
MAY = "may newly reach an unknown group on tcp 22."


@pytest.mark.parametrize(
    ("opened", "unknown", "said"),
    [
        (OFFICE, OFFICE_IN, f"{OFFICE_SAID} {GONE_SAID} 10.0.0.0/8 {MAY}"),
        (WEB, OFFICE_IN, f"{WEB_SAID} {GONE_SAID} 10.0.0.0/8 {MAY}"),
        (WEB, WORLD_IN, f"{WEB_SAID} {GONE_SAID} The internet {MAY}"),
        # What may come from the internet is told before what comes from elsewhere.
        (OFFICE, WORLD_IN, f"The internet {MAY} {OFFICE_SAID} {GONE_SAID}"),
    ],
)
def test_the_internet_is_told_first_though_nobody_knows_whom_it_reaches(
    opened: ExposureEntry, unknown: ExposureEntry, said: str
) -> None:
    assert sentence(Exposure(opened=(opened,), closed=(GONE,), unknown=(unknown,))) == said


def test_rules_that_let_in_nobody_knows_whom_are_counted() -> None:
    nobody = of_nobody("unknown", "unknown", 22)
    one = "Whom 1 rule lets in is known only after apply."
    assert sentence(Exposure(unknown=(nobody,))) == one
    assert sentence(Exposure(opened=(OFFICE,), unknown=(nobody, OFFICE_IN))) == f"{OFFICE_SAID} 10.0.0.0/8 {MAY} {one}"
    assert sentence(Exposure(unknown=(nobody, nobody))) == "Whom 2 rules let in is known only after apply."


def idle(target: str, port: int, source: str = "0.0.0.0/0") -> ExposureEntry:
    return entry(source, target, port, Reachable.OPEN_BUT_NOT_REACHABLE, why="no route")


def doubted(target: str, why: str) -> ExposureEntry:
    return entry("10.0.0.0/8", target, 22, Reachable.UNKNOWN, why=why)


OUTWARD = WEB.model_copy(
    update={"source": "web", "source_kind": "group", "target": "0.0.0.0/0", "target_kind": "internet"}
)
ITSELF = entry("db", "db", 22, Reachable.OPEN_BUT_NOT_REACHABLE, why="no route").model_copy(
    update={"source_kind": "group"}
)
TO_THE_INTERNET = "to the internet, which is not reached: no route"
NOBODY_LOSES = "; nobody loses access."
DOUBTED = [doubted(f"d{number}", f"doubt {number}") for number in range(4)]


@pytest.mark.parametrize(
    ("opened", "closed", "said"),
    [
        ((), (), "Nobody gains or loses access."),
        ((), (GONE,), "10.9.0.0/16 can no longer reach db on tcp 22; nobody gains access."),
        # Who loses is told by the group, whoever carries it.
        ((), (WEB,), "The internet can no longer reach web on tcp 80; nobody gains access."),
        ((OFFICE,), (GONE,), f"{OFFICE_SAID} {GONE_SAID}"),
        ((OUTWARD,), (), f"web-front-1 and -2 can newly reach the internet on tcp 80{NOBODY_LOSES}"),
        # What is opened for nothing is told of all that it is so of.
        ((idle("db", 22), idle("web", 22)), (), f"Opens tcp 22 of db and web {TO_THE_INTERNET}{NOBODY_LOSES}"),
        ((idle("db", 22), idle("db", 80)), (), f"Opens tcp 22 and 80 of db {TO_THE_INTERNET}{NOBODY_LOSES}"),
        ((idle("db", 22), idle("web", 80), idle("x", 81)), (),
         (f"Opens tcp 22 of db {TO_THE_INTERNET}; opens tcp 80 of web {TO_THE_INTERNET}; opens tcp 81 of x"
         f" {TO_THE_INTERNET}{NOBODY_LOSES}")),
        ((idle("db", 22), idle("web", 80), idle("x", 81), idle("y", 82)), (),
         (f"Opens tcp 22 of db {TO_THE_INTERNET}; opens tcp 80 of web {TO_THE_INTERNET}; 2 more openings that nothing"
         f" newly comes through{NOBODY_LOSES}")),
        ((OUTWARD.model_copy(update={"reachable": Reachable.OPEN_BUT_NOT_REACHABLE, "why": "no route"}),), (),
         f"Opens tcp 80 of web {TO_THE_INTERNET}{NOBODY_LOSES}"),
        ((ITSELF,), (), f"Opens tcp 22 of db to db, which is not reached: no route{NOBODY_LOSES}"),
        ((OFFICE, idle("db", 22)), (GONE,),
         f"{OFFICE_SAID[:-1]}; opens tcp 22 of db {TO_THE_INTERNET}. {GONE_SAID}"),
        # Doubts come last, each once, and of many the first.
        ((doubted("db", "its routes"), doubted("web", "its routes")), (),
         (f"10.0.0.0/8 can newly reach db on tcp 22; 10.0.0.0/8 can newly reach web on tcp 22{NOBODY_LOSES}"
         " Not known: its routes.")),
        ((doubted("db", "its routes"),), (GONE,),
         f"10.0.0.0/8 can newly reach db on tcp 22. {GONE_SAID} Not known: its routes."),
        (DOUBTED[:3], (), "; ".join(f"10.0.0.0/8 can newly reach d{n} on tcp 22" for n in range(3))
         + f"{NOBODY_LOSES} Not known: doubt 0; doubt 1; doubt 2."),
        (DOUBTED, (), "; ".join(f"10.0.0.0/8 can newly reach d{n} on tcp 22" for n in range(2))
         + f"; 2 more such changes{NOBODY_LOSES} Not known: doubt 0; doubt 1; 2 more such doubts."),
        # What nothing newly comes through is in no doubt, nor is what is not said why.
        ((doubted("db", ""), OFFICE), (),
         f"10.0.0.0/8 can newly reach db on tcp 22 and 5432{NOBODY_LOSES}"),
    ],
)  # fmt: skip
def test_one_sentence_tells_what_is_opened_and_closed_for_whom_and_what_is_in_doubt(
    opened: tuple[ExposureEntry, ...], closed: tuple[ExposureEntry, ...], said: str
) -> None:
    assert sentence(Exposure(opened=tuple(opened), closed=closed)) == said


def test_what_is_not_known_of_rules_stands_before_what_is_in_doubt() -> None:
    nobody = of_nobody("unknown", "unknown", 22)
    assert sentence(Exposure(opened=(doubted("db", "its routes"),), unknown=(nobody,))) == (
        "10.0.0.0/8 can newly reach db on tcp 22. Whom 1 rule lets in is known only after apply. Not known: its routes."
    )


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("what stands behind rtb-9, which newly leads to igw-1, is not known",
         "what stands behind rtb-9, which newly leads to igw-1"),
        ("who is in web is not known", "who is in web"),
        ("its groups are not known, its subnet is not known", "its groups, its subnet"),
        ("the group not known here lets it in", "the group not known here lets it in"),
    ],
)  # fmt: skip
def test_that_something_is_not_known_is_said_once(why: str, said: str) -> None:
    assert sentence(Exposure(opened=(doubted("db", why),))).endswith(f" Not known: {said}.")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("pl-1", "prefix_list", "Prefix list pl-1"),
        ("0.0.0.0/0", "internet", "The internet"),
        ("unknown", "unknown", "Somebody unknown"),
        ("unknown", "group", "An unknown group"),
        ("web-front", "group", "web-front"),
    ],
)
def test_a_sentence_begins_with_a_capital_where_the_word_is_ours(name: str, kind: str, said: str) -> None:
    assert begun(party(name, kind)) == said
