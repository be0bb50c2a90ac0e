"""CEL over the attributes of any resource: what can't be decided is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import ROOT, change, changes_of

from runbook_lib.adapters.policies import load_policies
from runbook_lib.domain.compliance import judge
from runbook_lib.domain.compliance.expression import compile_expression, evaluate
from runbook_lib.domain.rules import ResourceView, hcl_changes
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.findings import Source, Verdict
from runbook_lib.models.hcl import HclModule, HclResource
from runbook_lib.models.policies import Policy

VIEW = ResourceView(
    "aws_s3_bucket.b", "aws_s3_bucket", {"acl": "private", "tags": None, "policy": UNKNOWN, "n": [1]}, touched=True
)


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ('values.acl == "public-read"', False),
        ('values.acl == "private"', True),
        ("values.tags == null", True),
        ("values.missing == 1", None),
        ("has(values.missing)", False),
        ("has(values.policy)", None),
        ('values.acl == "private" || values.policy == "x"', None),
        ("values.exists(k, k == 'acl')", None),
        ("values.acl + 1 == 2", None),
        ("values.acl", None),
        ("values.n.exists(x, x > 0)", True),
        ('address == "aws_s3_bucket.b" && type == "aws_s3_bucket"', True),
    ],
)
def test_expression_is_true_false_or_unknown(expression: str, verdict: bool | None) -> None:
    assert evaluate(expression, VIEW) is verdict


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(ConfigError, match="no CEL expression"):
        compile_expression("values.acl ===")


def test_iam_policy_of_which_the_document_is_unknown_is_unknown() -> None:
    policies = (*load_policies(ROOT / "policies"), *load_policies(ROOT / "policies/examples"))
    iam = {"address": "aws_iam_policy.p", "type": "aws_iam_policy", "name": "p"}
    changes = changes_of(change(["create"], None, {"name": "p"}, unknown={"policy": True}, **iam))
    assert [str(finding.verdict) for finding in judge(changes, policies).findings] == ["unknown"]


def test_untouched_resource_is_judged_only_when_all_are() -> None:
    policies = (*load_policies(ROOT / "policies"), *load_policies(ROOT / "policies/examples"))
    acl = {"address": "aws_s3_bucket_acl.a", "type": "aws_s3_bucket_acl", "name": "a"}
    same = {"acl": "public-read"}
    assert judge(changes_of(change(["no-op"], same, same, **acl)), policies).findings == ()


def of(when: str, *types: str) -> list[Policy]:
    resource = {"types": types or ("aws_s3_bucket",), "when": when}
    given = {"id": "p", "title": "t", "severity": "low", "action": "block", "on_unknown": "block", "remedy": "r"}
    return [Policy.model_validate(given | {"resource": resource})]


BUCKET = {"address": "aws_s3_bucket.b", "type": "aws_s3_bucket", "name": "b"}
HELD = {"bucket": "b", "acl": "public-read"}


@pytest.mark.parametrize(
    ("actions", "seen"),
    [
        (["create"], ["create"]),
        (["update"], ["update"]),
        (["delete"], ["delete"]),
        (["delete", "create"], ["replace"]),
        (["create", "delete"], ["replace"]),
        (["forget"], ["forget"]),
        (["create", "forget"], ["create", "forget"]),
        (["no-op"], []),
    ],
)
def test_a_policy_sees_what_is_done_to_a_resource(actions: list[str], seen: list[str]) -> None:
    before = None if actions == ["create"] else HELD
    after = None if actions in (["delete"], ["forget"]) else HELD
    changes = changes_of(change(actions, before, after, **BUCKET))
    names = ("create", "update", "delete", "replace", "forget", "no-op")
    told = [
        (name, finding.verdict)
        for name in names
        for finding in judge(changes, of(f'action == "{name}" && values.bucket == "b"')).findings
    ]
    # What it was is known even of what goes.
    assert sorted(told) == sorted((name, Verdict.FAILED) for name in seen)


@pytest.mark.parametrize("when", ['values.acl == "public-read"', 'values.acl != "action"', "values.action == 1"])
def test_a_policy_that_does_not_ask_is_not_asked_of_what_goes(when: str) -> None:
    changes = changes_of(change(["delete"], HELD, None, **BUCKET), change(["forget"], HELD, None, **BUCKET))
    assert judge(changes, of(when)).findings == ()


def test_an_object_that_is_left_from_a_replacement_goes_as_any_other() -> None:
    changes = changes_of(change(["delete"], HELD, None, deposed="0badcafe", **BUCKET))
    assert len(judge(changes, of('action == "delete"')).findings) == 1


def test_files_do_not_tell_whether_what_is_not_in_them_is_destroyed() -> None:
    def module(*names: str, **values: Any) -> HclModule:
        found = (
            HclResource(f"aws_s3_bucket.{n}", "aws_s3_bucket", {"bucket": n} | values, Source(file="m.tf", line=1))
            for n in names
        )
        return HclModule(tuple(found))

    changes = hcl_changes(module("a", "b"), module("b", "c"))
    assert [(f.address, str(f.verdict)) for f in judge(changes, of('action == "delete"')).findings] == [
        ("aws_s3_bucket.c", "unknown")
    ]
    assert [f.address for f in judge(changes, of('action == "create"')).findings if f.verdict is Verdict.FAILED] == [
        "aws_s3_bucket.a"
    ]
    altered = hcl_changes(module("a", acl="x"), module("a"))
    assert [str(f.verdict) for f in judge(altered, of('action == "update"')).findings] == ["failed"]
    assert judge(changes, of('values.bucket == "c"')).findings == ()
