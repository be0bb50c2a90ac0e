"""Plans of which values were masked, as this program keeps them: what is masked is not known, and never nothing."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import KIND, change, changes_of, judged, values, verdicts

from runbook_lib.domain.exposure import exposure
from runbook_lib.domain.network import networks_from_plan
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.models.base import UNKNOWN

MASKED = "[MASKED]"
LIST = "aws_ec2_managed_prefix_list"
BLOCK = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "description": "SSH"}


def made(kind: str, after: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    actions = ["create"] if before is None else ["update"]
    return change(actions, before, after, address=f"{kind}.x", type=kind, name="x")


@pytest.mark.parametrize(
    ("policy", "kind", "after"),
    [
        ("sg-world-ssh", KIND, values(cidr_ipv4=MASKED)),
        ("sg-world-ssh", KIND, values(from_port=MASKED, to_port=MASKED)),
        ("sg-world-ssh", KIND, values(ip_protocol=MASKED)),
        ("sg-world-ssh", "aws_security_group", {"name": "x", "ingress": MASKED}),
        ("sg-world-ssh", "aws_security_group", {"name": "x", "ingress": [{**BLOCK, "cidr_blocks": MASKED}]}),
        ("sg-world-ssh", "aws_security_group", {"name": "x", "ingress": [{**BLOCK, "cidr_blocks": [MASKED]}]}),
        ("prefix-list-widened", LIST, {"name": "x", "max_entries": 5, "entry": MASKED}),
        ("prefix-list-widened", LIST, {"name": "x", "max_entries": 5, "entry": [{"cidr": MASKED}]}),
        ("database-publicly-accessible", "aws_db_instance", {"publicly_accessible": MASKED}),
        ("nacl-admin-ports-open", "aws_network_acl_rule", {"rule_action": MASKED, "cidr_block": "0.0.0.0/0"}),
    ],
)
def test_what_is_masked_is_unknown(policy: str, kind: str, after: dict[str, Any]) -> None:
    written = {"address": f"{kind}.x", "expressions": {"entry": [{}], "ingress": [{}]}}
    found = changes_of(made(kind, after), configuration={"root_module": {"resources": [written]}})
    assert verdicts(judged(found), policy) == ["unknown"]


def test_what_was_masked_before_too_may_be_another_value_now() -> None:
    found = changes_of(made(KIND, values(cidr_ipv4=MASKED), values(cidr_ipv4=MASKED)))
    assert [(rule.source, rule.address) for rule in (*found.before, *found.after)] == [(UNKNOWN, f"{KIND}.x")] * 2
    assert verdicts(judged(found), "sg-world-ssh") == ["unknown"]


def test_a_list_whose_entries_were_masked_before_too_may_hold_others_now() -> None:
    held = {"id": "pl-1", "name": "x", "max_entries": 5, "entry": MASKED}
    named = values(cidr_ipv4=None, prefix_list_id="pl-1")
    written = {"address": f"{LIST}.x", "expressions": {"entry": [{}]}}
    found = changes_of(
        made(LIST, held, held), change(["no-op"], named, named),
        configuration={"root_module": {"resources": [written]}},
    )  # fmt: skip
    assert verdicts(judged(found), "prefix-list-widened") == ["unknown"]
    assert verdicts(judged(found), "sg-source-unknown") == ["failed"]


def test_what_is_masked_and_stays_as_it_is_is_not_touched() -> None:
    held = values(cidr_ipv4=MASKED)
    assert changes_of(change(["no-op"], held, held)).touched == frozenset()


def test_a_rule_that_the_state_alone_holds_is_unknown_where_it_is_masked() -> None:
    held = {"address": f"{KIND}.x", "type": KIND, "mode": "managed", "values": values(from_port=MASKED)}
    (rule,) = changes_of(prior_state={"values": {"root_module": {"resources": [held]}}}).after
    assert (rule.from_port, rule.to_port) == (UNKNOWN, 22)


def test_what_was_masked_before_is_not_said_to_be_newly_open_or_closed() -> None:
    plan = parse_plan({
        "format_version": "1.2", "resource_changes": [made(KIND, values(), values(cidr_ipv4=MASKED)),
                                                      made("aws_vpc", {"cidr_block": MASKED})],
    })  # fmt: skip
    rules = rules_from_plan(plan)
    assert [rule.source for rule in rules.before] == [UNKNOWN]
    assert networks_from_plan(plan, rules).after.vpcs[0].unsure
    assert not exposure(rules.before, rules.after).closed
