"""Until when a rule stands is said wherever a plan is put before people."""

from __future__ import annotations

import json

import pytest
from message_samples import REQUEST

from runbook_lib.models.plan import Plan, PlanSummary, ResourceChange
from runbook_lib.models.rules import Rule
from runbook_lib.report import decision_tables, messages, tables
from runbook_lib.report.merge_request_note import Noted, NotedPlan, note_body
from runbook_lib.wording import describe_rule, until

ENDS = "ingress tcp 22 from 10.20.0.0/16 of admin until 2026-12-31"
SUMMARY = REQUEST.summary.model_copy(update={"temporary": (ENDS,)})
ASKED = REQUEST.model_copy(update={"summary": SUMMARY})


def test_the_request_says_it_also_to_who_only_hears_it() -> None:
    message = messages.approval_request(ASKED)
    assert ENDS in message.text
    assert ENDS in json.dumps(message.blocks)
    assert ENDS in decision_tables.request(ASKED).text()
    assert "For a time" not in json.dumps(messages.approval_request(REQUEST).blocks)


def test_the_note_says_it_and_is_another_one_without_it() -> None:
    def body(summary: PlanSummary) -> str:
        plan = NotedPlan(summary, REQUEST.exposure, REQUEST.risk)
        return note_body(Noted("access", 7, "c" * 40, plan=plan))

    assert f"`{ENDS}`" in body(SUMMARY)
    assert "For a time" not in body(REQUEST.summary)


def test_a_plan_s_table_says_it_beside_the_resource() -> None:
    kind = "aws_vpc_security_group_ingress_rule"
    made = ResourceChange(
        address=f"{kind}.ssh", type=kind, name="ssh", actions=("create",), after={"tags_all": {"expires": "2026-12-31"}}
    )
    assert "until 2026-12-31" in tables.plan_changes(Plan(changes=(made,))).text()


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        (None, ""),
        ("2026-12-31", "until 2026-12-31"),
        ("2026-12-31T18:00:00+01:00", "until 2026-12-31 17:00 UTC"),
        ("soon\x1b[2J", "until nobody knows when ('soon\\x1b[2J' is no date)"),
        ("unknown", "until a time that is not known yet"),
    ],
)
def test_a_rule_says_until_when_it_stands(expires: str | None, said: str) -> None:
    rule = Rule.model_validate(
        {
            "direction": "ingress",
            "protocol": "tcp",
            "from_port": 22,
            "to_port": 22,
            "source": "10.0.0.0/8",
            "expires": expires,
        }
    )
    assert until(rule.expires) == said
    assert describe_rule(rule) == f"ingress tcp 22 from 10.0.0.0/8 {said}".strip()
