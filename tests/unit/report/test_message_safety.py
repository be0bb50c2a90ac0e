"""Whatever a run holds, Slack takes its messages, and nothing in them acts as a mention or a link."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from message_samples import DECISION, ERRORED, EXPOSURE, REQUEST, RUN, WAIVED_EGRESS, WORLD_SSH, result

from runbook_lib.lab.slack.limits import check_blocks
from runbook_lib.models.base import Outcome
from runbook_lib.models.messages import Message
from runbook_lib.models.results import ErrorInfo
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.report.messages import approval_request, decision, failure, status_board, step_result
from runbook_lib.report.messages.text import clip, code, duration, line, moment, prose

NASTY = [
    "<!channel>",
    "<!here|x>",
    "<@U0ALEX>",
    "<https://evil.example|Approve>",
    "&amp;lt;",
    "``` `",
    "\x00\u202e",
    "\ud800",
]
hostile = st.one_of(
    st.sampled_from(NASTY).flatmap(lambda bad: st.text(max_size=20).map(lambda text: text + bad + text)),
    st.sampled_from(["<", ">", "&", "x", "\n", '"', "\\", "é", "😀"]).flatmap(
        lambda char: st.integers(0, 5_000).map(lambda count: char * count)
    ),
    st.text(st.characters(exclude_categories=()), max_size=400),
)
DATE = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[0-9: -]+ UTC>")


def findings(text: str, count: int) -> tuple[Any, ...]:
    waiver = WAIVED_EGRESS.waiver
    assert waiver
    bad = {"policy": text, "address": text, "message": text, "remedy": text}
    waived = {**bad, "waiver": waiver.model_copy(update={"owner": text, "reason": text, "expires": text})}
    return (WORLD_SSH.model_copy(update=bad), WAIVED_EGRESS.model_copy(update=waived)) * count


def a_result(text: str, count: int, step: str = "plan") -> Any:
    error = ErrorInfo(type=text, message=text, remedy=text)
    update = {"summary": text, "error": error, "findings": findings(text, count), "metrics": {text: text, "n": count}}
    return result(step, Outcome.ERRORED).model_copy(update=update)


def a_run(text: str) -> Any:
    names = ("run_id", "stack", "commit", "ref", "requester", "author", "pipeline_url", "project")
    return RUN.model_copy(update=dict.fromkeys(names, text))


def a_request(text: str, count: int) -> Any:
    entry = EXPOSURE.opened[0].model_copy(update={"source": text, "target": text, "protocol": text})
    exposure = EXPOSURE.model_copy(
        update={"opened": (entry,) * count, "closed": (entry,) * count, "unknown": (entry,) * count, "sentence": text}
    )
    summary = REQUEST.summary.model_copy(update={"addresses": {text: (text,) * count}})
    update = {"exposure": exposure, "summary": summary, "findings": findings(text, count), "approvers": (text,) * count}
    names = ("run_id", "stack", "plan_sha256", "commit", "requester", "author", "url")
    return REQUEST.model_copy(update=dict.fromkeys(names, text) | update)


def a_decision(text: str, count: int) -> Any:
    one = DECISION.decisions[0].model_copy(update={"user": text, "reason": text, "source": text})
    update = {"decisions": (one,) * count, "reasons": (text,) * count, "approved": False, "run_id": text}
    return DECISION.model_copy(update=update | {"plan_sha256": text})


MAKERS: dict[str, Callable[[str, int], Message]] = {
    "board": lambda text, count: status_board(a_run(text), [a_result(text, count, step.name) for step in BUILT_IN]),
    "step": lambda text, count: step_result(a_run(text), a_result(text, count), {text: text}),
    "failure": lambda text, count: failure(a_run(text), a_result(text, count)),
    "request": lambda text, count: approval_request(a_request(text, count), {text: text}, text),
    "decision": lambda text, count: decision(a_decision(text, count)),
}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


@pytest.mark.parametrize("name", MAKERS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=hostile, count=st.integers(0, 40))
def test_slack_takes_any_content_and_finds_no_mention_in_it(name: str, text: str, count: int) -> None:
    message = MAKERS[name](text, count)
    blocks = json.loads(json.dumps(message.blocks))
    check_blocks(blocks)
    assert message.model_dump_json()
    assert len(message.text) <= 3_000
    for shown in strings(blocks):
        assert "<" not in DATE.sub("", shown)
        assert ">" not in DATE.sub("", shown)


@pytest.mark.parametrize("name", MAKERS)
def test_slack_is_told_to_make_no_links_of_what_looks_like_one(name: str) -> None:
    message = MAKERS[name]("https://evil.example @here #general", 3)

    def mrkdwn(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if value.get("type") == "mrkdwn":
                yield value
            for inner in value.values():
                yield from mrkdwn(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from mrkdwn(inner)

    found = list(mrkdwn(message.blocks))
    assert found
    assert all(text["verbatim"] is True for text in found)


FORGED = [
    ":white_check_mark:",
    ":no_entry::lock:",
    ":+1:",
    ":own-emoji_of.ours:",
    "a:white_check_mark:b",
    "\u2705",
    "\U0001f512",
    "\u25b6\ufe0f",
]
CODES = re.compile(r":[a-z0-9_+'-]+:")


def drawn(message: Message) -> list[str]:
    """The signs that Slack draws in a message: codes outside code style, and pictures."""
    texts = [re.sub(r"`[^`]*`", "", text) for text in strings(json.loads(json.dumps(message.blocks)))]
    shown = " ".join([*texts, message.text])
    return CODES.findall(shown) + [sign for sign in shown if unicodedata.category(sign) == "So"]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("name", MAKERS)
def test_no_text_from_outside_draws_a_sign(name: str, forged: str) -> None:
    assert drawn(MAKERS[name](f"x {forged} y", 3)) == drawn(MAKERS[name]("x y", 3))


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_unseen_is_left_in_a_message(name: str) -> None:
    unseen = "".join(chr(number) for number in range(sys.maxunicode) if unicodedata.category(chr(number)) == "Cf")
    message = MAKERS[name](f"ap{unseen}ply", 2)
    told = json.dumps([message.text, message.blocks, [file.model_dump() for file in message.files]], ensure_ascii=False)
    assert not [sign for sign in told if unicodedata.category(sign) == "Cf"]
    assert "apply" in told


def test_addresses_in_a_sentence_stay_what_they_are() -> None:
    assert line("2001:db8:0:1::/64 can newly reach ::1 on tcp 80") == "2001:db8:0:1::/64 can newly reach ::1 on tcp 80"
    assert code("arn:aws:iam::111122223333:role/x") == "`arn:aws:iam::111122223333:role/x`"


def test_a_picture_is_told_by_its_name() -> None:
    assert line("all is well \u2705") == "all is well [white heavy check mark]"


@given(hostile, st.integers(1, 400))
def test_cut_text_is_short_enough_and_cuts_no_entity(text: str, limit: int) -> None:
    for made in (prose(text, limit), line(text, limit)):
        assert len(made) <= limit
        assert re.fullmatch(r"(?:[^&<>]|&(?:amp|lt|gt);)*", made)


def test_cut_text_says_that_it_was_cut() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert clip("abcd", 4) == "abcd"
    assert prose("&&&", 7) == "&amp;…"


def test_code_style_cannot_be_left_by_a_backtick() -> None:
    assert code("a`*b*`\nc") == "`a'*b*' c`"
    assert code("") == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (-3, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (125, "2 min 5 s"), (7_800, "2 h 10 min")],
)
def test_duration_is_said_as_a_person_says_it(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_time_without_a_zone_is_taken_as_utc() -> None:
    assert moment(RUN.created_at.replace(tzinfo=None)) == moment(RUN.created_at)


def test_error_that_only_repeats_the_summary_is_said_once() -> None:
    assert ERRORED.error
    again = ERRORED.model_copy(update={"summary": ERRORED.error.message})
    shown = json.dumps(failure(RUN, again).blocks)
    assert shown.count("UnauthorizedOperation") == 1


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("no: *Approved by alex*, go", "no: \u2217Approved by alex*, go"),
        ("**Risk: none**", "\u2217\u2217Risk: none**"),
        ("_all_ of ~it~", "\uff3fall_ of \u223cit~"),
        ("(*a*) and *b*", "(\u2217a*) and \u2217b*"),
        ("one *line\nthe *next*", "one *line\nthe \u2217next*"),
    ],
)
def test_a_text_from_outside_is_never_bold_italic_or_struck(given: str, shown: str) -> None:
    assert prose(given) == shown


@pytest.mark.parametrize(
    "text",
    [
        "*.tf and *.tfvars",
        "2 * 3 * 4",
        "my_group_of_web and _private",
        "s3:* on *",
        "a*b*c",
        "~/.aws, then ~/.ssh",
        "5*",
        "*",
    ],
)
def test_a_text_in_which_nothing_would_be_styled_stays_as_it_is(text: str) -> None:
    assert prose(text) == text
