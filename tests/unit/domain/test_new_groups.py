"""Groups that a plan makes: which one a rule goes into, whether that can be a VPC's own, and what an approver reads."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import KIND, change, judged, plan_of, values, verdicts
from cost import lines_run

from runbook_lib.domain.exposure import exposure
from runbook_lib.domain.group_names import group_names
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import RuleChanges, rules_from_plan
from runbook_lib.models.base import UNKNOWN

RULE = f"{KIND}.rule"
DEFAULT = "sg-default-has-rules"
OFFICE = {"cidr_ipv4": "203.0.113.0/24", "from_port": 443, "to_port": 443}
VPC = change(["create"], None, {}, address="aws_vpc.v", type="aws_vpc", unknown={"default_security_group_id": True})


def group(name: str = "web", *actions: str, kind: str = "aws_security_group", **fields: Any) -> dict[str, Any]:
    before = {"id": f"sg-{name}", "name": name} if actions else None
    address = fields.pop("address", f"{kind}.{name}")
    unknown = {"id": True, "ingress": True, "egress": True}
    return change(
        list(actions or ("create",)), before, {"name": name}, address=address, type=kind, unknown=unknown, **fields
    )


def rule(**fields: Any) -> dict[str, Any]:
    given = values(**OFFICE) | fields.pop("values", {})
    del given["security_group_id"]
    return change(["create"], None, given, unknown={"security_group_id": True}, **fields)


def planned(*changes: dict[str, Any], references: tuple[str, ...] = ("local.group",), **fields: Any) -> dict[str, Any]:
    written = [{"address": entry["address"].partition("[")[0], "expressions": {}} for entry in changes]
    ours = {"address": RULE, "expressions": {"security_group_id": {"references": list(references)}}}
    return plan_of(*changes, rule(), configuration={"root_module": {"resources": [*written, ours]}}, **fields)


def read(document: dict[str, Any]) -> RuleChanges:
    return rules_from_plan(parse_plan(document))


def told(document: dict[str, Any]) -> str:
    plan = parse_plan(document)
    changes = rules_from_plan(plan)
    return exposure(changes.before, changes.after, group_names(plan), changes.whole_groups).sentence


def of(changes: RuleChanges) -> list[Any]:
    return [found.group for found in changes.after if found.address == RULE]


def test_the_only_group_that_is_made_is_the_one_whatever_the_local_value_is_called() -> None:
    document = planned(group())
    changes = read(document)
    assert of(changes) == ["aws_security_group.web"]
    assert verdicts(judged(changes), DEFAULT) == []
    assert told(document) == "203.0.113.0/24 can newly reach web (new) on tcp 443; nobody loses access."


def test_one_of_two_that_are_made_is_named_as_such_and_is_no_default_group() -> None:
    document = planned(group(), group("db"))
    assert verdicts(judged(read(document)), DEFAULT) == []
    assert told(document) == "203.0.113.0/24 can newly reach db (new) or web (new) on tcp 443; nobody loses access."


def test_four_groups_are_named() -> None:
    document = planned(*(group(f"g{number}") for number in range(4)))
    assert "g0 (new) or g1 (new) or g2 (new) or g3 (new)" in told(document).replace(",", " or")


def test_of_more_groups_than_anybody_would_read_their_number_is_said() -> None:
    document = planned(*(group(f"g{number}") for number in range(5)))
    assert verdicts(judged(read(document)), DEFAULT) == []
    assert told(document) == (
        "203.0.113.0/24 can newly reach one of 5 aws_security_group resources on tcp 443; nobody loses access."
    )
    assert of(read(planned(*(group(f"g{number}") for number in range(5)), VPC))) == [UNKNOWN]


def test_the_work_grows_as_the_plan_does() -> None:
    def work(count: int) -> int:
        groups = [group("g", address=f"module.m[{number}].aws_security_group.g") for number in range(count)]
        rules = [rule(address=f"module.m[{number}].{RULE}") for number in range(count)]
        inner = [{"address": "aws_security_group.g", "expressions": {}},
                 {"address": RULE, "expressions": {"security_group_id": {"references": ["local.group"]}}}]  # fmt: skip
        call = {"module": {"resources": inner}, "expressions": {"x": {"references": ["local.x"]}}}
        plan = parse_plan(plan_of(*groups, *rules, configuration={"root_module": {"module_calls": {"m": call}}}))
        assert len(rules_from_plan(plan).after) == count
        return lines_run(lambda: rules_from_plan(plan))

    assert work(400) < 12 * work(40)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"changes": (VPC,)}, id="a VPC that is made"),
        pytest.param({"changes": (group("d", kind="aws_default_security_group"),)}, id="a default group"),
        pytest.param({"changes": (change(["read"], None, {}, address="data.aws_ssm_parameter.p", mode="data",
                                         type="aws_ssm_parameter", unknown={"value": True}),)}, id="read at apply"),
        pytest.param({"changes": (change(["create"], None, {}, address="aws_instance.i", type="aws_instance",
                                         unknown={"vpc_security_group_ids": True}),)}, id="what AWS gives a machine"),
        pytest.param({"variables": {"group": {"value": "sg-1"}}}, id="an id that is given"),
        pytest.param({"prior_state": {"values": {"root_module": {"resources": [
            {"address": "data.aws_security_group.g", "mode": "data", "type": "aws_security_group",
             "values": {"id": "sg-9", "name": "default"}}]}}}}, id="a group that is looked up"),
    ],
)  # fmt: skip
def test_where_a_group_may_come_from_elsewhere_it_may_be_the_default_one(other: dict[str, Any]) -> None:
    document = planned(group(), *other.pop("changes", ()), **other)
    assert verdicts(judged(read(document)), DEFAULT) == ["unknown"]


def test_what_makes_no_group_leaves_it_certain() -> None:
    others = [
        change(["create"], None, {}, address="aws_instance.i", type="aws_instance", unknown={"id": True}),
        change(["create"], None, {}, address="random_id.r", type="random_id", unknown={"hex": True}),
    ]
    document = planned(group(), *others, variables={"name": {"value": "web"}})
    assert of(read(document)) == ["aws_security_group.web"]


def test_a_group_whose_count_is_nought_is_no_group() -> None:
    made = group(address="aws_security_group.prefix[0]")
    references = ("aws_security_group.name[0].id", "aws_security_group.prefix[0].id")
    assert of(read(planned(made, references=references))) == ["aws_security_group.prefix[0]"]


def test_a_group_that_is_kept_goes_by_its_id() -> None:
    kept = change(
        ["no-op"], {"id": "sg-1", "name": "web"}, {"id": "sg-1", "name": "web"},
        address="aws_security_group.web", type="aws_security_group",
    )  # fmt: skip
    assert of(read(planned(kept, references=("aws_security_group.web.id",)))) == ["sg-1"]


def test_the_default_group_of_a_new_vpc_is_named_and_found() -> None:
    document = planned(VPC, references=("aws_vpc.v.default_security_group_id",))
    assert verdicts(judged(read(document)), DEFAULT) == ["failed"]
    assert told(document) == (
        "203.0.113.0/24 can newly reach the default group of aws_vpc.v (new) on tcp 443; nobody loses access."
    )


LOOKED_UP = "data.aws_security_group.d"


@pytest.mark.parametrize(
    ("named", "expressions", "found"),
    [
        pytest.param({"name": "default"}, {"name": {}}, ["unknown"], id="the default one"),
        pytest.param({}, {"tags": {}}, ["unknown"], id="by tags"),
        pytest.param({}, {"name": {"references": ["var.name"]}}, ["unknown"], id="by a name that is not known"),
        pytest.param({"name": "web"}, {"name": {}}, [], id="by another name"),
        pytest.param({}, {"id": {"references": ["aws_security_group.web.id"]}}, [], id="one that is made"),
        pytest.param({}, {"id": {"references": ["aws_vpc.v.id"]}}, ["unknown"], id="by another id"),
    ],
)
def test_a_group_that_apply_is_still_to_look_up_may_be_a_default_one(
    named: dict[str, Any], expressions: dict[str, Any], found: list[str]
) -> None:
    unknown = {"id": True, **{name: True for name in expressions if name not in named}}
    looked_up = change(["read"], None, named, address=LOOKED_UP, mode="data", type="aws_security_group",
                       unknown=unknown)  # fmt: skip
    document = planned(group(), VPC, looked_up, references=(f"{LOOKED_UP}.id",))
    document["configuration"]["root_module"]["resources"][2]["expressions"] = expressions
    assert of(read(document)) == [LOOKED_UP]
    assert verdicts(judged(read(document)), DEFAULT) == found


def test_a_group_that_is_replaced_is_new_and_the_old_one_is_reached_no_more() -> None:
    old = {**values(**OFFICE), "security_group_id": "sg-web"}
    replaced = change(["delete", "create"], old, {k: v for k, v in old.items() if k != "security_group_id"},
                      address=f"{KIND}.old", unknown={"security_group_id": True})  # fmt: skip
    written = {"address": f"{KIND}.old", "expressions": {"security_group_id": {"references": ["local.g"]}}}
    resources = [written, {"address": "aws_security_group.web", "expressions": {}}]
    document = plan_of(
        group("web", "delete", "create"), replaced, configuration={"root_module": {"resources": resources}}
    )
    document["prior_state"] = {"values": {"root_module": {"resources": [
        {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group",
         "values": {"id": "sg-web", "name": "web"}}]}}}  # fmt: skip
    assert told(document) == (
        "203.0.113.0/24 can newly reach web (new) on tcp 443. 203.0.113.0/24 can no longer reach web on tcp 443."
    )


def test_what_the_files_say_of_a_local_value_decides_among_many() -> None:
    plan = parse_plan(planned(group(), group("db"), VPC))
    known = plan.model_copy(update={"local_values": {(): {"group": ("aws_security_group.db.id",)}}})
    assert [found.group for found in rules_from_plan(known).after] == ["aws_security_group.db"]


def test_of_the_stack_s_own_groups_every_rule_is_known() -> None:
    assert read(planned(group(), group("db", "update"))).whole_groups == {
        "aws_security_group.web", "aws_security_group.db", "sg-db",
    }  # fmt: skip
