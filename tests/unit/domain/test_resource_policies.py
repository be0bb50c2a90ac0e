"""CEL over the attributes of any resource: what can't be decided is unknown."""

from __future__ import annotations

import pytest
from compliance_samples import ROOT, change, changes_of

from runbook_lib.adapters.policies import load_policies
from runbook_lib.domain.compliance import judge
from runbook_lib.domain.compliance.expression import compile_expression, evaluate
from runbook_lib.domain.rules import ResourceView
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN

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
    policies = load_policies(ROOT / "policies/examples")
    iam = {"address": "aws_iam_policy.p", "type": "aws_iam_policy", "name": "p"}
    changes = changes_of(change(["create"], None, {"name": "p"}, unknown={"policy": True}, **iam))
    assert [str(finding.verdict) for finding in judge(changes, policies).findings] == ["unknown"]


def test_untouched_resource_is_judged_only_when_all_are() -> None:
    policies = load_policies(ROOT / "policies/examples")
    acl = {"address": "aws_s3_bucket_acl.a", "type": "aws_s3_bucket_acl", "name": "a"}
    same = {"acl": "public-read"}
    assert judge(changes_of(change(["no-op"], same, same, **acl)), policies).findings == ()
