"""The labelled plans are what they claim to be: enough, well formed, and about resources that are there."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

PLANS = Path(__file__).parents[1] / "fixtures" / "plans"
GROUPS = sorted(folder.name for folder in (PLANS / "cases").iterdir() if folder.is_dir())
FIELDS = {"case", "addresses", "scope", "expect", "undecided", "because"}
POLICIES = {
    "sg-world-ssh",
    "sg-world-rdp",
    "sg-world-high-risk-ports",
    "sg-world-unapproved-port",
    "sg-world-all-ports",
    "sg-all-protocols",
    "sg-wide-public-source",
    "sg-egress-open",
    "sg-default-has-rules",
    "sg-rule-without-description",
    "sg-source-unknown",
}


@cache
def labels(group: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = YAML(typ="safe").load((PLANS / f"{group}.yml").read_text(encoding="utf-8"))
    return loaded


@cache
def plan(group: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PLANS / f"{group}.json").read_text(encoding="utf-8"))
    return loaded


def every_label() -> list[dict[str, Any]]:
    return [label for group in GROUPS for label in labels(group)]


def test_there_are_at_least_120_cases() -> None:
    assert len(every_label()) >= 120


def test_no_two_cases_have_the_same_name() -> None:
    assert [name for name, times in Counter(label["case"] for label in every_label()).items() if times > 1] == []


def test_every_plan_has_labels_and_every_label_file_a_plan() -> None:
    assert sorted(path.stem for path in PLANS.glob("*.json")) == GROUPS
    assert sorted(path.stem for path in PLANS.glob("*.yml")) == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_a_label_has_no_field_that_nobody_reads(group: str) -> None:
    assert [
        label["case"] for label in labels(group) if not {"case", "addresses", "expect", "because"} <= set(label)
    ] == []
    assert [label["case"] for label in labels(group) if not set(label) <= FIELDS] == []
    assert {label.get("scope", "changed") for label in labels(group)} <= {"changed", "all"}


@pytest.mark.parametrize("group", GROUPS)
def test_every_label_is_about_resources_of_its_plan(group: str) -> None:
    known = {change["address"] for change in plan(group)["resource_changes"]}
    assert [address for label in labels(group) for address in label["addresses"] if address not in known] == []
    assert all(label["addresses"] for label in labels(group))


@pytest.mark.parametrize("group", GROUPS)
def test_every_label_speaks_of_known_policies_and_verdicts(group: str) -> None:
    for label in labels(group):
        undecided = set(label.get("undecided", ()))
        assert set(label["expect"]) | undecided <= POLICIES, label["case"]
        assert not set(label["expect"]) & undecided, label["case"]
        assert set(label["expect"].values()) <= {"failed", "unknown", "passed"}, label["case"]


@pytest.mark.parametrize("group", GROUPS)
def test_every_label_says_what_makes_it_so(group: str) -> None:
    assert [label["case"] for label in labels(group) if not label["because"].strip()] == []


def test_every_policy_is_failed_by_some_case_and_passed_by_another() -> None:
    failed = {policy for label in every_label() for policy, verdict in label["expect"].items() if verdict == "failed"}
    assert failed == POLICIES


def test_plans_are_small_enough_to_live_in_the_repository() -> None:
    assert sum(path.stat().st_size for path in PLANS.glob("*.json")) < 4_000_000


@pytest.mark.parametrize("group", GROUPS)
def test_every_plan_was_made_by_the_versions_it_is_said_to_be_made_by(group: str) -> None:
    assert plan(group)["terraform_version"] == "1.11.4"
    assert plan(group)["configuration"]["provider_config"]["aws"]["version_constraint"] == "5.100.0"
