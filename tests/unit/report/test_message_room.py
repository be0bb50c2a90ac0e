"""How much room each part of a message gets: what is too long is cut there, and what comes after it still stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from message_samples import BLOCKED, DECISION, ERRORED, PLAN, REQUEST, RUN, WAIVED_EGRESS, WORLD_SSH, entry, result

from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure, Reachable
from runbook_lib.models.messages import Message
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.report.messages import (
    apply_began,
    approval_request,
    decision,
    failure,
    request_closed,
    request_superseded,
    status_board,
    step_result,
)
from runbook_lib.report.messages.words import attached, finding_line, waiver_line


def longest(text: str, letter: str) -> int:
    """The longest run of one letter."""
    return max((len(run) for run in re.findall(f"{letter}+", text)), default=0)


def shown(message: Message) -> str:
    return json.dumps(message.blocks, ensure_ascii=False)


def named(letter: str) -> str:
    return letter * 3_000


def renamed(step: str) -> Any:
    steps = (one.model_copy(update={"title": named("Q")}) if one.name == step else one for one in RUN.steps)
    return RUN.model_copy(update={"steps": tuple(steps)})


# One letter for each part, none of which stands several times in a row anywhere else.
OPENED = entry(80).model_copy(
    update={"source_kind": "group", "source": named("J"), "target": named("Q"), "protocol": named("Z")}
)
ASKED = REQUEST.model_copy(
    update={
        "stack": named("A"), "plan_sha256": named("B"), "commit": named("C"), "run_id": named("D"),
        "requester": named("E"), "approvers": (named("G"),),
        "exposure": Exposure(opened=(OPENED,), sentence=named("H")),
        "summary": REQUEST.summary.model_copy(update={"addresses": {named("K"): (named("L"),)}}),
    }
)  # fmt: skip
FOUND = WORLD_SSH.model_copy(
    update={"policy": named("A"), "address": named("B"), "message": named("C"), "remedy": named("D")}
)
assert WAIVED_EGRESS.waiver
WAIVED = WAIVED_EGRESS.model_copy(
    update={
        "policy": named("A"), "address": named("B"),
        "waiver": WAIVED_EGRESS.waiver.model_copy(
            update={"owner": named("C"), "reason": named("D"), "expires": named("E")}
        ),
    }
)  # fmt: skip
OURS = RUN.model_copy(
    update={"stack": named("A"), "requester": named("B"), "commit": named("C"), "ref": named("D"), "run_id": named("E")}
)
FAILED = ERRORED.model_copy(update={"summary": named("F")})

WARNED = REQUEST.model_copy(
    update={
        "summary": REQUEST.summary.model_copy(update={"checks": (named("A"),), "temporary": (named("B"),)}),
        "earlier": (named("C"),), "governance": (named("D"),), "code": (named("E"),), "authors": (named("G"),),
        "risk": Risk(level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text=named("F")),)),
    }
)  # fmt: skip
ANSWER = DECISION.decisions[0].model_copy(update={"user": named("C"), "source": named("D"), "reason": named("E")})
IDLE_PORT = entry(80).model_copy(update={"reachable": Reachable.OPEN_BUT_NOT_REACHABLE, "why": named("A")})
IDLE = DECISION.decisions[0].model_copy(update={"counts": False, "why_not": named("G")})

# What is cut ends in a sign of its own, which counts; what is only shortened does not.
ROOM: list[tuple[str, Callable[[], str], dict[str, int]]] = [
    (
        "an approval request",
        lambda: shown(approval_request(ASKED)),
        {
            "A": 80 - 1, "B": 16, "C": 8, "D": 100 - 1, "E": 80 - 1, "G": 40 - 1, "H": 900 - 1,
            "J": 160 - 1, "Q": 200 - 1, "Z": 90 - 1 - len("protocol "), "K": 30 - 1, "L": 150 - 1,
        },
    ),
    ("a finding", lambda: finding_line(FOUND), {"A": 80 - 1, "B": 150 - 1, "C": 250 - 1, "D": 200 - 1}),
    ("a waiver", lambda: waiver_line(WAIVED), {"A": 80 - 1, "B": 150 - 1, "C": 60 - 1, "D": 200 - 1, "E": 20 - 1}),
    (
        "the board",
        lambda: shown(status_board(OURS, [FAILED])),
        {"A": 50 - 1, "B": 60 - 1, "C": 8, "D": 60 - 1, "E": 100 - 1, "F": 320 - 1},
    ),
    ("the board's own step", lambda: shown(status_board(renamed("plan"), [])), {"Q": 60 - 1}),
    (
        "the board's title",
        lambda: shown(status_board(renamed("plan"), [PLAN.model_copy(update={"outcome": Outcome.BLOCKED})])),
        {"q": 60 - 1},
    ),
    (
        "a failure",
        lambda: shown(failure(OURS, FAILED)),
        {"A": 50 - 1, "B": 60 - 1, "C": 8, "D": 60 - 1, "E": 100 - 1, "F": 1_500 - 1},
    ),
    ("a failure's title", lambda: shown(failure(renamed("apply"), ERRORED)), {"q": 60 - 1}),
    ("a step's result", lambda: shown(step_result(renamed("apply"), FAILED)), {"Q": 60 - 1, "F": 1_500 - 1}),
    (
        "a decision",
        lambda: shown(decision(DECISION.model_copy(
            update={"plan_sha256": named("A"), "reasons": (named("B"),), "approved": False}
        ))),
        {"A": 16, "B": 300 - 1},
    ),
    (
        "what a request warns of",
        lambda: shown(approval_request(WARNED)),
        dict.fromkeys("ABF", 300 - 1) | dict.fromkeys("CDE", 400 - 1) | {"G": 200 - 1},
    ),
    (
        "a request that is over",
        lambda: shown(request_closed(ASKED, named("Q"))),
        {"A": 60 - 1, "B": 16, "D": 100 - 1, "E": 80 - 1, "H": 900 - 1, "Q": 60 - 1},
    ),
    (
        "why nothing comes through",
        lambda: shown(approval_request(REQUEST.model_copy(update={"exposure": Exposure(opened=(IDLE_PORT,))}))),
        {"A": 160 - 1 - len("which is not reached: ")},
    ),
    ("a request that was asked anew", lambda: shown(request_superseded(named("A"))), {"A": 100 - 1}),
    (
        "the beginning of apply",
        lambda: shown(apply_began(DECISION.model_copy(
            update={"plan_sha256": named("A"), "unasked": named("B"), "decisions": (ANSWER,)}
        ))),
        {"A": 16, "B": 300 - 1, "C": 300 - 1},
    ),
    (
        "an answer that does not count",
        lambda: shown(decision(DECISION.model_copy(update={"decisions": (ANSWER,)}))),
        {"C": 80 - 1, "D": 60 - 1, "E": 500 - 1},
    ),
    (
        "why an answer does not count",
        lambda: shown(decision(DECISION.model_copy(update={"decisions": (IDLE,), "approved": False}))),
        {"G": 300 - 1},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "room"), [pytest.param(made, room, id=name) for name, made, room in ROOM])
def test_each_part_has_its_room_and_no_more(made: Callable[[], str], room: dict[str, int]) -> None:
    text = made()
    assert {letter: longest(text, letter) for letter in room} == room


# A sign, a bullet or a person begins what is listed; a title ends as it begins.
LISTED = re.compile(r"(?:[:•]|\*[a-z]).*[^*]$")


def lists(message: Message) -> list[str]:
    """Of each list that was cut: how many lines it shows, and what it says of the rest."""
    texts = [block["text"]["text"] for block in message.blocks if block["type"] == "section" and "text" in block]
    cut = [text.split("\n") for text in texts if "\n… and " in text]
    return [f"{sum(bool(LISTED.match(line)) for line in each)} {each[-1]}" for each in cut]


FINDINGS = tuple(
    WORLD_SSH.model_copy(update={"address": f"a.r{number:02}", "message": f"It is {number}.", "remedy": ""})
    for number in range(12)
)
WAIVERS = tuple(WAIVED_EGRESS.model_copy(update={"address": f"a.r{number:02}"}) for number in range(12))
PORTS = tuple(entry(port).model_copy(update={"target": f"web-{port}"}) for port in range(1, 13))
ADDRESSES = {"create": tuple(f"a.r{number}" for number in range(12))}
SENTENCES = tuple(f"It is {number}." for number in range(12))
MUCH = REQUEST.model_copy(
    update={
        "summary": REQUEST.summary.model_copy(update={"checks": SENTENCES, "temporary": SENTENCES}),
        "earlier": SENTENCES, "governance": SENTENCES, "code": SENTENCES,
        "risk": Risk(
            level=RiskLevel.HIGH, reasons=tuple(RiskReason(level=RiskLevel.HIGH, text=text) for text in SENTENCES)
        ),
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("made", "cut"),
    [
        pytest.param(
            lambda: approval_request(REQUEST.model_copy(
                update={"exposure": Exposure(opened=PORTS, unknown=PORTS, closed=PORTS, sentence="Much.")}
            )),
            ["8 … and 16 more", "4 … and 8 more"], id="what opens, may open and closes",
        ),
        pytest.param(
            lambda: approval_request(REQUEST.model_copy(
                update={"summary": REQUEST.summary.model_copy(update={"addresses": ADDRESSES})}
            )),
            ["8 … and 4 more"], id="what changes",
        ),
        pytest.param(
            lambda: approval_request(REQUEST.model_copy(update={"findings": (*FINDINGS, *WAIVERS)})),
            ["6 … and 6 more"] * 2, id="findings and waivers of a request",
        ),
        pytest.param(
            lambda: step_result(RUN, BLOCKED.model_copy(update={"findings": (*FINDINGS, *WAIVERS)})),
            ["8 … and 4 more"] * 2, id="findings and waivers of a step",
        ),
        pytest.param(
            lambda: decision(DECISION.model_copy(
                update={"decisions": DECISION.decisions * 12, "reasons": ("No.",) * 12, "approved": False}
            )),
            ["10 … and 2 more", "8 … and 4 more"], id="decisions and reasons",
        ),
        pytest.param(lambda: approval_request(MUCH), ["5 … and 7 more", *["6 … and 6 more"] * 5], id="sentences"),
        pytest.param(
            lambda: request_closed(REQUEST, "expired", DECISION.decisions * 12), ["10 … and 2 more"], id="answers",
        ),
    ],
)  # fmt: skip
def test_a_list_shows_so_many_and_counts_the_rest(made: Callable[[], Message], cut: list[str]) -> None:
    assert lists(made()) == cut


def test_of_many_approvers_twenty_are_named() -> None:
    names = tuple(f"n{number:02}" for number in range(25))
    text = shown(approval_request(REQUEST.model_copy(update={"approvers": names})))
    assert re.findall(r"\bn\d\d\b", text) == list(names[:20])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1_234_567, "1234567"), (0, "0"), (0.5, "0.5"), (2.0, "2"), (0.123456789, "0.123457"), (True, "yes"),
        (False, "no"), ("text", "`text`"), ("", None), (None, None), ([1], None),
    ],
)  # fmt: skip
def test_a_figure_is_told_as_a_person_writes_it(value: Any, told: str | None) -> None:
    made = step_result(RUN, result("plan", summary="Done.").model_copy(update={"metrics": {"some_figure": value}}))
    assert [each["text"] for each in made.blocks[-1]["elements"][1:]] == ([f"some figure: {told}"] if told else [])


def test_a_digest_is_shortened_by_its_name() -> None:
    metrics = {"plan_sha256": "ab" * 32, "sha256_of": "cd" * 32}
    made = step_result(RUN, result("plan", summary="Done.").model_copy(update={"metrics": metrics}))
    assert [each["text"] for each in made.blocks[-1]["elements"][1:]] == [
        f"plan sha256: `{'ab' * 6}`",
        f"sha256 of: `{'cd' * 32}`",
    ]


def test_a_file_is_titled_by_the_end_of_its_path_however_deep_it_lies() -> None:
    (plan, own) = attached({"02_plan/a/plan.txt": "x", "03_own/a/b.txt": "y"})
    assert (plan.name, plan.title) == ("02_plan-a-plan.txt", "Terraform plan")
    assert (own.name, own.title) == ("03_own-a-b.txt", "b.txt")


def test_a_notification_names_stack_step_outcome_summary_and_run() -> None:
    took = timedelta(minutes=2, seconds=5)
    assert ERRORED.finished_at - ERRORED.started_at == took
    for made in (failure(RUN, ERRORED), step_result(RUN, ERRORED)):
        assert made.text == "access: apply errored: Terraform could not apply the plan. (run 1008)"
    assert "Took 2 min 5 s" in shown(step_result(RUN, ERRORED))


def test_a_failure_leads_to_the_pipeline_in_red_and_a_board_in_plain() -> None:
    def button(message: Message) -> Any:
        (row,) = (block for block in message.blocks if block["type"] == "actions")
        return row["elements"]

    (red,), (plain,) = button(failure(RUN, ERRORED)), button(status_board(RUN, []))
    assert (red["text"]["text"], red["url"], red["style"]) == ("Open the pipeline", RUN.pipeline_url, "danger")
    assert (plain["text"]["text"], plain["url"], plain.get("style")) == ("Open the pipeline", RUN.pipeline_url, None)


@pytest.mark.parametrize("letter", ["w", "&", "\u8a9e", "\U00020000"])
def test_no_part_of_a_request_is_pushed_out_by_the_length_of_another(letter: str) -> None:
    long = tuple(f"{number} {letter * 200}" for number in range(12))
    ports = tuple(entry(port).model_copy(update={"target": f"{port} {letter * 200}"}) for port in range(1, 13))
    request = REQUEST.model_copy(
        update={
            "exposure": Exposure(opened=ports, closed=ports, sentence=letter * 900),
            "summary": REQUEST.summary.model_copy(
                update={"checks": long, "temporary": long, "addresses": {"drift": long, "create": long}}
            ),
            "earlier": long, "governance": ("The change names another approver.",), "code": ("It runs curl.",),
            "risk": Risk(
                level=RiskLevel.HIGH, reasons=tuple(RiskReason(level=RiskLevel.HIGH, text=text) for text in long)
            ),
            "findings": FINDINGS, "reject_url": "https://gitlab.example.com/-/jobs/2",
        }
    )  # fmt: skip
    message = approval_request(request, {}, "https://gitlab.example.com/-/jobs/1", answered=True, mentions=["U0ALEX"])
    texts = shown(message)
    for part in ("another approver.", "It runs curl.", "*12 findings*", "*May approve*", "|Reject in GitLab>"):
        assert part in texts
    assert "parts did not fit" not in texts
    assert len(texts.encode()) < 13_000
    # Whom it is read out to hears of every part as well.
    for part in (
        "Before this: 0 ",
        "does not hold: 0 ",
        "another approver.",
        "It runs curl.",
        "Asked by riley.",
        "Expires 2026-11-23 13:00 UTC.",
        "May approve: 1 of alex, sam.",
        "Reject: https://gitlab.example.com/-/jobs/2",
        "The plan: https://gitlab.example.com/-/jobs/1",
    ):
        assert part in message.text
    # Of each list that gave room its title, its first line, and that there is more.
    assert "*Before this*\\n• 0 " in texts
    assert "\\n… and more than fits here; the run folder has all of it." in texts
