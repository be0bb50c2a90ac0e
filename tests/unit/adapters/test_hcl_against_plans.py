"""Files and plans agree: what the files make certain is what Terraform planned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_hcl, rules_from_plan
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule, SourceKind

PLANS = Path(__file__).parents[2] / "fixtures/plans"
GROUPS = sorted(folder.name for folder in (PLANS / "cases").iterdir() if folder.is_dir())
FIELDS = ("direction", "protocol", "from_port", "to_port", "source_kind", "description")


def _by_address(rules: Iterable[Rule]) -> dict[str, set[Any]]:
    found: dict[str, set[Any]] = defaultdict(set)
    for rule in rules:
        # A file names a group or a list by its address, a plan by its id as soon as there is one.
        source = rule.source if rule.source_kind is SourceKind.NETWORK else ""
        found[rule.address].add((*(getattr(rule, name) for name in FIELDS), source))
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_files_make_certain_is_what_terraform_planned(group: str) -> None:
    declared = _by_address(rules_from_hcl(read_hcl(PLANS / "cases" / group)))
    planned = _by_address(rules_from_plan(parse_plan((PLANS / f"{group}.json").read_bytes())).after)
    certain = {
        address: rules
        for address, rules in declared.items()
        if "[*]" not in address and not any(UNKNOWN in rule for rule in rules | planned.get(address, set()))
    }
    assert certain == {address: planned.get(address, set()) for address in certain}
