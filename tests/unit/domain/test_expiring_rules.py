"""A rule's end: read wherever its tag is, judged by policies, compared, told, and what a plan does with it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from runbook_lib.domain.compliance import judge
from runbook_lib.domain.drift import Surveyed, compare
from runbook_lib.domain.drift_news import drift_key
from runbook_lib.domain.endings import endings, has_expired
from runbook_lib.domain.expired import expired_openings
from runbook_lib.domain.plan import parse_plan, summarise
from runbook_lib.domain.requirements import Effect, only_closes, only_expired, removes_expired_alone
from runbook_lib.domain.rules import RuleChanges, rules_from_plan, rules_from_state
from runbook_lib.domain.rules.aws import rules_from_aws
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.endings import EndingKind
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.plan import Plan
from runbook_lib.models.policies import Policy
from runbook_lib.models.risk import Risk
from runbook_lib.models.rules import Rule
from runbook_lib.models.verification import DifferenceKind

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
PAST, TODAY, NEXT = "2026-11-27", "2026-11-28", "2026-12-31"
KIND = "aws_vpc_security_group_ingress_rule"


def values(expires: object = None, **more: Any) -> dict[str, Any]:
    tags = {"Name": "ssh"} | ({"expires": expires} if expires is not None else {})
    return {
        "id": "sgr-1", "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22,
        "cidr_ipv4": "10.20.0.0/16", "description": "SSH", "tags": tags, "tags_all": tags, **more,
    }  # fmt: skip


def change(before: Any, after: Any, unknown: Any = None, **more: Any) -> dict[str, Any]:
    actions = ["create"] if before is None else ["delete"] if after is None else ["update"]
    done = {"actions": actions, "before": before, "after": after, "after_unknown": unknown or {}}
    return {"address": f"{KIND}.ssh", "type": KIND, "name": "ssh", "mode": "managed", "change": done, **more}


def plan(*changes: dict[str, Any], **more: Any) -> Plan:
    return parse_plan({"format_version": "1.2", "planned_values": {}, "resource_changes": list(changes), **more})


def rule(expires: Any = None, **more: Any) -> Rule:
    given = {
        "direction": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "source": "10.20.0.0/16",
        "description": "SSH", "group": "sg-1", "address": f"{KIND}.ssh",
    }  # fmt: skip
    return Rule.model_validate({**given, "expires": expires, **more})


@pytest.mark.parametrize(
    ("after", "unknown", "expires"),
    [
        (values(NEXT), {}, NEXT),
        (values(), {}, None),
        (values(""), {}, None),
        (values("soon"), {}, "soon"),
        (values(tags=None, tags_all={"expires": NEXT}), {}, NEXT),
        (values(PAST, tags_all={"expires": NEXT}), {}, NEXT),
        (values(NEXT, tags_all=None), {"tags_all": True}, NEXT),
        (values(tags_all=None), {"tags_all": True}, UNKNOWN),
        (values(tags=None, tags_all=None), {"tags": True, "tags_all": True}, UNKNOWN),
        (values(), {"tags": {"expires": True}, "tags_all": {"expires": True}}, UNKNOWN),
        (values(tags=None, tags_all=None), {}, None),
    ],
)
def test_the_tag_is_read_from_a_plan_and_what_is_not_known_of_it_is_unknown(
    after: dict[str, Any], unknown: dict[str, Any], expires: object
) -> None:
    (found,) = rules_from_plan(plan(change(None, after, unknown))).after
    assert found.expires == expires


def test_the_tag_is_read_from_a_state_and_from_aws() -> None:
    instance = {"attributes": values(NEXT)}
    resource = {"mode": "managed", "type": KIND, "name": "ssh", "instances": [instance]}
    assert [r.expires for r in rules_from_state({"version": 4, "resources": [resource]})] == [NEXT]
    item = {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    tags = [{"Key": "Name", "Value": "x"}, {"Key": "expires", "Value": NEXT}]
    assert [r.expires for r in rules_from_aws([item | {"Tags": tags}, item, item | {"Tags": tags[:1]}])] == [
        NEXT, None, None,
    ]  # fmt: skip


def test_a_block_and_a_rule_of_the_older_kind_have_no_end() -> None:
    block = {
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_blocks": ["10.0.0.0/8"],
        "tags": {"expires": PAST},
    }
    group = {"id": "sg-1", "name": "web", "ingress": [block], "tags_all": {"expires": PAST}}
    classic = {"type": "ingress", "security_group_id": "sg-1", **block}
    for kind, given in (("aws_security_group", group), ("aws_security_group_rule", classic)):
        entry = change(None, given) | {"address": f"{kind}.a", "type": kind}
        assert [r.expires for r in rules_from_plan(plan(entry)).after] == [None]


def policy(**expires: Any) -> Policy:
    return Policy.model_validate(
        {
            "id": "p", "title": "T", "severity": "high", "action": "block", "on_unknown": "block", "remedy": "R",
            "rule": {"reaches": [{"ports": [22]}], "expires": expires},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("match", "verdicts"),
    [
        # no end, unknown, unreadable, over, today, in 33 days
        ({"missing": True}, ("failed", "unknown", "failed", "", "", "")),
        ({"within_days": 0}, ("", "unknown", "unknown", "failed", "failed", "")),
        ({"within_days": 32}, ("", "unknown", "unknown", "failed", "failed", "")),
        ({"within_days": 33}, ("", "unknown", "unknown", "failed", "failed", "failed")),
        ({"beyond_days": 33}, ("", "unknown", "failed", "", "", "")),
        ({"beyond_days": 32}, ("", "unknown", "failed", "", "", "failed")),
        ({"missing": True, "beyond_days": 32}, ("failed", "unknown", "failed", "", "", "failed")),
    ],
)
def test_a_policy_objects_to_an_end_and_never_passes_what_it_can_not_read(
    match: dict[str, Any], verdicts: tuple[str, ...]
) -> None:
    given = (None, UNKNOWN, "soon", PAST, TODAY, NEXT)
    rules = tuple(rule(expires, address=f"{KIND}.r{index}") for index, expires in enumerate(given))
    changes = RuleChanges(after=rules, touched=frozenset(range(len(rules))))
    report = judge(changes, [policy(**match)], today=NOW.date())
    found = {finding.address: str(finding.verdict) for finding in report.findings}
    assert tuple(found.get(r.address, "") for r in rules) == verdicts


def test_without_a_day_no_end_is_known_to_be_near_or_far() -> None:
    changes = RuleChanges(after=(rule(NEXT),), touched=frozenset({0}))
    for match in ({"within_days": 1}, {"beyond_days": 1}):
        assert [f.verdict for f in judge(changes, [policy(**match)]).findings] == [Verdict.UNKNOWN]


@pytest.mark.parametrize("days", [36500, 0])
def test_no_number_of_days_leads_beyond_the_calendar(days: int) -> None:
    changes = RuleChanges(after=(rule("9999-12-31"),), touched=frozenset({0}))
    assert judge(changes, [policy(within_days=days)], today=date(9999, 12, 31)).findings


def test_a_finding_says_until_when_the_rule_stands() -> None:
    changes = RuleChanges(after=(rule(NEXT),), touched=frozenset({0}))
    (finding,) = judge(changes, [policy(beyond_days=1)], today=NOW.date()).findings
    assert finding.message == "T: ingress tcp 22 from 10.20.0.0/16 until 2026-12-31"


LOOKED = Surveyed(now=NOW)


@pytest.mark.parametrize(
    ("repository", "state", "aws", "kind"),
    [
        ([rule(PAST)], [rule(PAST)], [rule(PAST)], DifferenceKind.EXPIRED),
        ([], [rule(PAST)], [rule(PAST)], DifferenceKind.EXPIRED),
        ([], [rule(PAST)], [rule()], DifferenceKind.EXPIRED),
        ([], [rule(PAST)], [], DifferenceKind.STATE_ONLY),
        ([rule(NEXT)], [rule(PAST)], [rule(PAST)], DifferenceKind.CHANGED),
        ([], [], [rule(PAST)], DifferenceKind.UNMANAGED),
        ([rule(TODAY)], [rule(TODAY)], [rule(TODAY)], None),
        ([rule("soon")], [rule("soon")], [rule("soon")], None),
        ([rule(UNKNOWN)], [rule(NEXT)], [rule(NEXT)], None),
        ([rule(UNKNOWN)], [rule(PAST)], [rule(PAST)], DifferenceKind.EXPIRED),
    ],
)
def test_what_is_open_though_its_end_has_come_is_a_difference_whoever_agrees(
    repository: list[Rule], state: list[Rule], aws: list[Rule], kind: DifferenceKind | None
) -> None:
    found = compare(repository, state, aws, ["sg-1"], LOOKED)
    assert [each.kind for each in found.differences] == ([kind] if kind else [])
    assert all(each.blocks for each in found.differences)


def test_a_tag_that_only_aws_has_on_a_block_is_no_difference() -> None:
    block = rule(address="aws_security_group.web")
    assert compare([block], [block], [rule(NEXT)], ["sg-1"], LOOKED).differences == ()
    (found,) = compare([rule()], [rule()], [rule(NEXT)], ["sg-1"], LOOKED).differences
    assert found.fields == {"expires": {"repository": None, "state": None, "aws": NEXT}}


def test_a_difference_stays_the_same_one_whatever_the_tag_of_its_rule_says() -> None:
    keys = [drift_key(compare([], [], [rule(end)], ["sg-1"]).differences[0]) for end in (None, NEXT)]
    assert keys[0] == keys[1]


def effect(given: Plan, exposure: Exposure | None = None, **more: Any) -> Effect:
    more.setdefault("now", NOW)
    return Effect(plan=given, exposure=exposure or Exposure(), risk=Risk(), **more)


REMOVED = change(values(PAST), None)
OUTPUTS: dict[str, Any] = {
    "ids": {"actions": ["update"], "before": {"a": 1, "b": 2}, "after": {"a": 1}, "after_unknown": False}
}
OTHER_OUTPUTS: tuple[dict[str, Any], ...] = (
    {"ids": OUTPUTS["ids"] | {"after": {"a": 2}}},
    {"ids": OUTPUTS["ids"] | {"after": {"a": 1, "c": 3}}},
    {"ids": OUTPUTS["ids"] | {"after": {}, "after_unknown": {"a": True}}},
    {"ids": OUTPUTS["ids"] | {"actions": ["delete"], "after": None}},
    {"ids": OUTPUTS["ids"] | {"before": [1, 2], "after": [2, 1]}},
    {"ids": OUTPUTS["ids"] | {"before": "a", "after": "b"}},
)


@pytest.mark.parametrize("outputs", [{}, OUTPUTS, {"ids": OUTPUTS["ids"] | {"before": [1, 2, 3], "after": [1, 3]}}])
def test_a_plan_that_removes_what_has_expired_may_need_nobody(outputs: dict[str, Any]) -> None:
    given = plan(REMOVED, output_changes=outputs)
    assert only_expired(effect(given))
    assert removes_expired_alone(given, Exposure(), NOW)


FINDING = Finding(
    policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address="a", message="m", action=Action.WARN
)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(effect(plan(change(values(TODAY), None))), id="its end has not come yet"),
        pytest.param(effect(plan(change(values(), None))), id="it has none"),
        pytest.param(effect(plan(change(values("soon"), None))), id="nobody can read it"),
        pytest.param(effect(plan(REMOVED), now=None), id="nobody says what time it is"),
        pytest.param(
            effect(plan(REMOVED, change(values(NEXT), None, index=1) | {"address": f"{KIND}.b"})), id="one more"
        ),
        pytest.param(effect(plan(REMOVED, change(None, values(NEXT)) | {"address": f"{KIND}.b"})), id="one comes"),
        pytest.param(effect(plan(change(values(PAST), values(NEXT)))), id="it is prolonged"),
        pytest.param(effect(plan(REMOVED | {"type": "aws_instance", "address": "aws_instance.a"})), id="no rule"),
        pytest.param(effect(plan(REMOVED, complete=False)), id="a part of the stack"),
        pytest.param(effect(plan()), id="nothing"),
        pytest.param(effect(plan(REMOVED), asides=("It changes who judges.",)), id="who judges changes as well"),
        pytest.param(effect(plan(REMOVED), findings=(FINDING,)), id="a policy has something to say"),
        *(pytest.param(effect(plan(REMOVED, output_changes=each)), id="an output changes") for each in OTHER_OUTPUTS),
    ],
)
def test_whatever_else_a_plan_does_somebody_is_asked(given: Effect) -> None:
    assert not only_expired(given)


def test_an_object_of_an_earlier_apply_has_an_end_of_its_own() -> None:
    assert only_expired(effect(plan(REMOVED | {"deposed": "00000001"})))
    assert not only_expired(effect(plan(REMOVED, change(values(NEXT), None) | {"deposed": "00000001"})))


def test_a_tag_that_somebody_changed_by_hand_frees_nobody() -> None:
    by_hand = change(values(NEXT), values(PAST))
    given = plan(REMOVED, resource_drift=[by_hand])
    assert given.asides
    assert not removes_expired_alone(given, Exposure(), NOW)
    assert not only_closes(effect(given))


@pytest.mark.parametrize(
    ("entry", "refused"),
    [
        (change(None, values(PAST)), True),
        (change(values(NEXT), values(PAST)), True),
        (change(None, values("2026-11-28T12:00:00Z")), True),
        (change(None, values("2026-11-28T12:00:01Z")), False),
        (change(None, values(TODAY)), False),
        (change(None, values()), False),
        (change(None, values("soon")), False),
        (REMOVED, False),
        (change(values(PAST), values(PAST)) | {"change": {"actions": ["no-op"], "before": values(PAST), "after": values(PAST)}}, False),  # noqa: E501
    ],
)  # fmt: skip
def test_nothing_is_opened_whose_end_has_come_since_it_was_planned(entry: dict[str, Any], refused: bool) -> None:
    told = list(expired_openings(plan(entry), NOW))
    assert bool(told) is refused
    assert all(sentence.startswith(f"{KIND}.ssh expired at ") for sentence in told)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (change(None, values(NEXT)), "ingress tcp 22 from 10.20.0.0/16 of sg-1 until 2026-12-31"),
        (
            change(values(PAST), values(NEXT)),
            "ingress tcp 22 from 10.20.0.0/16 of sg-1 until 2026-12-31, which stood until 2026-11-27",
        ),
        (
            change(values(PAST), values()),
            "ingress tcp 22 from 10.20.0.0/16 of sg-1 without an end, which stood until 2026-11-27",
        ),
        (REMOVED, "removes ingress tcp 22 from 10.20.0.0/16 of sg-1 until 2026-11-27"),
        (change(None, values()), None),
        (change(values(), None), None),
    ],
)
def test_the_summary_says_until_when_and_what_was_so_before(entry: dict[str, Any], said: str | None) -> None:
    assert summarise(plan(entry)).temporary == ((said,) if said else ())


def test_endings_are_those_that_are_near_over_or_unreadable_the_worst_first() -> None:
    rules = [rule(end, address=f"{KIND}.{name}") for name, end in enumerate((NEXT, TODAY, "soon", PAST, None))]
    found = endings("access", rules, {"sg-1": "admin"}, (NOW, timedelta(days=1)))
    assert [(one.kind, one.expires) for one in found] == [
        (EndingKind.EXPIRED, PAST), (EndingKind.UNREADABLE, "soon"), (EndingKind.ENDS, TODAY),
    ]  # fmt: skip
    assert found[0].said == "ingress tcp 22 from 10.20.0.0/16 of admin expired 2026-11-27, still open"
    assert found[2].said == "ingress tcp 22 from 10.20.0.0/16 of admin ends 2026-11-28"
    assert has_expired(rules, NOW)
    assert not has_expired(rules[:3], NOW)


def test_an_end_has_another_key_when_it_moves_and_when_it_has_come() -> None:
    def key(end: str, now: datetime = NOW, **more: Any) -> str:
        return endings("access", [rule(end, **more)], {}, (now, timedelta(days=90)))[0].key

    later = NOW + timedelta(days=60)
    keys = {key(NEXT), key(TODAY), key(NEXT, later), key(NEXT, source="10.30.0.0/16")}
    assert len(keys) == 4
    # What AWS shows beside a rule is no other rule.
    assert key(NEXT) == key(NEXT, description="other")


def test_a_rule_with_an_end_is_read_back_from_json() -> None:
    assert Rule.model_validate(json.loads(rule(NEXT).model_dump_json())) == rule(NEXT)
