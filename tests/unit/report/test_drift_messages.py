"""What the channel hears of drift, of access that ends, and of a review that nobody has closed."""

from __future__ import annotations

from typing import Any

import pytest
from test_message_words import words

from runbook_lib.models.base import Outcome
from runbook_lib.models.drift import DriftEntry, DriftNews
from runbook_lib.models.endings import Ending, EndingKind, StackEndings
from runbook_lib.models.messages import Message
from runbook_lib.report.messages import access_ends, drift_news, open_review

PIPELINE, ISSUE = "https://gitlab.example.com/-/pipelines/7", "https://gitlab.example.com/-/issues/3"
SSH, WEB, DNS = (DriftEntry(key=name, text=f"{name} of web") for name in ("tcp 22", "tcp 80", "udp 53"))


def news(outcome: Outcome = Outcome.WARNED, **given: Any) -> DriftNews:
    return DriftNews(stack="access", run_id="r1", outcome=outcome, summary="The state can't be read.", **given)


def leads(message: Message) -> dict[str, str]:
    buttons = [one for block in message.blocks if block["type"] == "actions" for one in block["elements"]]
    return {button["text"]["text"]: button["url"] for button in buttons}


@pytest.mark.parametrize(
    ("given", "title", "body"),
    [
        ({"new": (SSH, WEB)}, "drift, 2 new", ["*New*\n• `tcp 22 of web`\n• `tcp 80 of web`"]),
        (
            {"new": (SSH,), "gone": (WEB,), "same": (DNS,)},
            "drift, 1 new, 1 gone",
            ["*New*\n• `tcp 22 of web`", "*Gone*\n• `tcp 80 of web`", "1 difference as before."],
        ),
        ({"gone": (WEB,), "same": (DNS,)}, "drift, 1 gone", ["*Gone*\n• `tcp 80 of web`", "1 difference as before."]),
        ({"gone": (WEB,)}, "no drift any more", ["*Gone*\n• `tcp 80 of web`"]),
    ],
)
def test_drift_is_told_by_what_is_new_what_is_gone_and_how_much_is_as_before(
    given: dict[str, Any], title: str, body: list[str]
) -> None:
    made = drift_news(news(**given))
    assert made.text == f"access: {title} (run r1)"
    assert words(made)[0].endswith(f" access: {title}")
    assert words(made)[1:] == body


def test_a_stack_that_could_not_be_looked_at_says_why_and_nothing_of_drift() -> None:
    made = drift_news(news(Outcome.ERRORED))
    assert made.text == "access: could not be verified (run r1)"
    assert words(made)[1:] == ["The state can't be read."]


def test_each_outcome_has_its_own_sign() -> None:
    signs = {outcome: words(drift_news(news(outcome)))[0].split()[0] for outcome in Outcome}
    assert signs == {
        Outcome.PASSED: ":white_check_mark:", Outcome.WARNED: ":warning:", Outcome.BLOCKED: ":no_entry:",
        Outcome.ERRORED: ":x:", Outcome.SKIPPED: ":fast_forward:", Outcome.INTERRUPTED: ":octagonal_sign:",
    }  # fmt: skip


def test_the_eleventh_difference_is_counted_and_what_leads_on_is_offered() -> None:
    many = tuple(DriftEntry(key=f"k{number}", text=f"rule {number}") for number in range(11))
    made = drift_news(news(new=many, issue=ISSUE, pipeline_url=PIPELINE))
    assert "rule 9`" in words(made)[1]
    assert "rule 10`" not in words(made)[1]
    assert "1 more" in words(made)[1]
    assert leads(made) == {"Open the issue": ISSUE, "Open the pipeline": PIPELINE}
    assert leads(drift_news(news(new=many, issue=ISSUE))) == {"Open the issue": ISSUE}


def test_a_review_that_is_open_is_loud_and_leads_to_its_issue() -> None:
    made = open_review("alex applied run r1 alone.", ISSUE)
    assert made.text == f"A review is open: alex applied run r1 alone. {ISSUE}"
    assert words(made)[0] == ":rotating_light: *A review is open*\nalex applied run r1 alone."
    assert leads(made) == {"Open the issue": ISSUE}


def ending(key: str, kind: EndingKind) -> Ending:
    rule = {"stack": "access", "group": "sg-1", "address": "a.b", "expires": "2026-12-01"}
    return Ending(key=key, kind=kind, said=f"{key} of web", **rule)


def test_what_has_expired_is_told_before_what_nobody_can_read_and_what_only_ends() -> None:
    over, odd, soon = (
        ending("tcp 22", EndingKind.EXPIRED), ending("tcp 80", EndingKind.UNREADABLE), ending("udp 53", EndingKind.ENDS)
    )  # fmt: skip
    found = StackEndings(stack="access", endings=(soon, odd, over), new=(soon, odd, over), issue=ISSUE)
    made = access_ends(found, PIPELINE)
    said = words(made)
    assert said[0] == ":hourglass_flowing_sand: access: 1 rule expired and still open"
    titles = [text.partition("\n")[0] for text in said[1:4]]
    assert titles == [
        ":rotating_light: *Expired, still open*",
        ":warning: *Nobody can read when this ends*",
        ":hourglass_flowing_sand: *Ends soon*",
    ]
    assert [text.partition("\n")[2] for text in said[1:4]] == [f"• `{one.sentence}`" for one in (over, odd, soon)]
    assert made.text.startswith("access: 1 rule expired and still open: udp 53 of web")
    assert leads(made) == {"Open the issue": ISSUE, "Open the pipeline": PIPELINE}
    # Of several that have expired the number is told, and of no other kind.
    twice = StackEndings(stack="access", endings=(over, over, soon), new=(over, over, soon))
    assert access_ends(twice).text == (
        "access: 2 rules expired and still open: tcp 22 of web, tcp 22 of web and udp 53 of web."
    )
    assert leads(access_ends(twice, PIPELINE)) == {"Open the pipeline": PIPELINE}


def test_rules_that_only_end_are_counted_and_those_that_were_told_before_too() -> None:
    soon, later = ending("tcp 22", EndingKind.ENDS), ending("tcp 80", EndingKind.ENDS)
    said = words(access_ends(StackEndings(stack="access", endings=(soon, later), new=(soon,))))
    assert said[0] == ":hourglass_flowing_sand: access: 1 rule to end"
    assert said[-1] == "1 rule more, told before."
    more = ending("tcp 443", EndingKind.UNREADABLE)
    three = access_ends(StackEndings(stack="access", endings=(soon, later, more), new=(later,)))
    assert words(three)[-1] == "2 rules more, told before."
    assert three.text == "access: 1 rule to end: tcp 80 of web."
    assert leads(three) == {}
    both = words(access_ends(StackEndings(stack="access", endings=(soon, later), new=(soon, later))))
    assert both[0] == ":hourglass_flowing_sand: access: 2 rules to end"
    assert len(both) == 2


def test_a_stack_and_what_is_told_of_it_have_their_room() -> None:
    long = "x" * 900
    told = drift_news(news(new=(DriftEntry(key="k", text=long),)).model_copy(update={"stack": long}))
    assert words(told) == [f":warning: {'x' * 49}…: drift, 1 new", f"*New*\n• `{'x' * 299}…`"]
    over = ending("x", EndingKind.EXPIRED).model_copy(update={"said": long})
    (title, body) = words(access_ends(StackEndings(stack=long, endings=(over,), new=(over,))))
    assert title == f":hourglass_flowing_sand: {'x' * 49}…: 1 rule expired and still open"
    assert body.startswith(f":rotating_light: *Expired, still open*\n• `{'x' * 399}…`")


def test_of_what_ends_the_eleventh_is_counted() -> None:
    many = tuple(ending(f"tcp {number}", EndingKind.ENDS) for number in range(11))
    said = words(access_ends(StackEndings(stack="access", endings=many, new=many)))[1].splitlines()
    assert said == [
        ":hourglass_flowing_sand: *Ends soon*",
        *(f"• `{one.sentence}`" for one in many[:10]),
        "… and 1 more",
    ]


def test_no_text_from_outside_speaks_to_everybody() -> None:
    loud = DriftEntry(key="k", text="<!channel> tcp 22")
    for made in (drift_news(news(new=(loud,))), open_review("<!here> alex", ISSUE)):
        assert not any("<!" in text for text in words(made))
