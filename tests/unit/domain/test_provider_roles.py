"""The roles that a plan's providers take on."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.provider_roles import provider_roles

ROLE = "arn:aws:iam::111122223333:role/deploy"


def roles(*blocks: Any, **variables: Any) -> dict[str, tuple[str, str]]:
    providers = {f"aws.{index}": {"name": "aws", "expressions": {"assume_role": it}} for index, it in enumerate(blocks)}
    document = {
        "format_version": "1.2",
        "resource_changes": [],
        "configuration": {"provider_config": providers},
        "variables": {name: {"value": value} for name, value in variables.items()},
    }
    return provider_roles(parse_plan(document))


def said(value: str) -> dict[str, str]:
    return {"constant_value": value}


@pytest.mark.parametrize(
    ("block", "variables", "found"),
    [
        ([{"role_arn": said(ROLE)}], {}, {"111122223333": (ROLE, "")}),
        ([{"role_arn": said(ROLE), "external_id": said("x1")}], {}, {"111122223333": (ROLE, "x1")}),
        ([{"role_arn": {"references": ["var.role"]}}], {"role": ROLE}, {"111122223333": (ROLE, "")}),
        ([{"role_arn": {"references": ["var.role"]}}], {"role": 3}, {}),
        ([{"role_arn": {"references": ["var.account", "var.name"]}}], {"account": "1", "name": "x"}, {}),
        ([{"role_arn": said("arn:aws:iam::111122223333:user/x")}], {}, {}),
        ([{"role_arn": said("arn:aws-cn:iam::444455556666:role/path/x")}], {},
         {"444455556666": ("arn:aws-cn:iam::444455556666:role/path/x", "")}),
        (None, {}, {}),
        ([{}], {}, {}),
        ("odd", {}, {}),
    ],
)  # fmt: skip
def test_a_role_is_known_by_its_account(block: Any, variables: dict[str, Any], found: dict[str, Any]) -> None:
    assert roles(block, **variables) == found


def test_each_provider_has_its_own() -> None:
    other = "arn:aws:iam::444455556666:role/x"
    assert set(roles([{"role_arn": said(ROLE)}], [{"role_arn": said(other)}])) == {"111122223333", "444455556666"}
