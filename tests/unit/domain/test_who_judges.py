"""What a change does to those who judge it, in sentences, and whose word counts meanwhile."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from runbook_lib.domain.governance import (
    Judges,
    common_waivers,
    describe_changes,
    notebook_cells,
    notebook_changes,
)
from runbook_lib.models.compliance import Policy, Waiver
from runbook_lib.models.config import RunbookConfig

OFTEN = "0123456789" * 12


def config(approval: dict[str, Any] | None = None, **given: Any) -> RunbookConfig:
    stacks = {"access": {"path": "terraform/access"}, "base": {"path": "terraform/base"}}
    told = {"stacks": stacks, "approval": {"approvers": ["alex", "sam"], "quorum": 1} | (approval or {})}
    return RunbookConfig.model_validate(told | given)


def policy(name: str = "sg-ssh", **given: Any) -> Policy:
    usual = {"id": name, "title": "SSH", "severity": "high", "action": "approve", "on_unknown": "warn", "remedy": "No."}
    return Policy.model_validate(usual | {"rule": {"reaches": [{"ports": [22]}]}} | given)


def waiver(day: int = 1, name: str = "sg-ssh", **given: Any) -> Waiver:
    usual = {"policy": name, "address": "a.b", "owner": "riley", "reason": "r", "expires": date(2026, 12, day)}
    return Waiver.model_validate(usual | given)


def said(before: Judges, now: Judges) -> tuple[str, ...]:
    return describe_changes(before, now, "access")


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (config(), config({"approvers": ["@Alex", " sam "]}), ()),
        (config(), config({"approvers": ["alex", "sam", "Kim"]}), ("adds Kim as approver, who does not count yet",)),
        (config({"approvers": ["alex", "Sam"]}), config({"approvers": ["alex"]}), ("removes Sam as approver",)),
        (config(), config({"quorum": 2}), ("raises the approvals that are needed from 1 to 2",)),
        (config({"quorum": 2}), config(), ("lowers the approvals that are needed from 2 to 1",)),
        # Of another stack it is a setting like others, since this one's approvers are as they were.
        (
            config(),
            config(stacks={"access": {"path": "terraform/access"}, "base": {"path": "terraform/base", "quorum": 2}}),
            ("changes stacks.base.quorum in runbook.yml from nothing to 2",),
        ),
        # Of this one its approvers say it.
        (
            config(stacks={"access": {"path": "terraform/access"}}),
            config(stacks={"access": {"path": "terraform/access", "quorum": 2}}),
            ("raises the approvals that are needed from 1 to 2",),
        ),
        (
            config(),
            config(slack={"channel": "#infra"}),
            ("changes slack.channel in runbook.yml from nothing to #infra",),
        ),
        (
            config(slack={"channel": OFTEN}),
            config(),
            (f"changes slack.channel in runbook.yml from {OFTEN} to nothing",),
        ),
        (
            config(),
            config(slack={"channel": f"{OFTEN}x"}),
            (f"changes slack.channel in runbook.yml from nothing to {OFTEN}…",),
        ),
        (
            config(),
            config(compliance={"enable": ["sg-ends"]}, gitlab={"project": "42"}),
            (
                "changes compliance.enable in runbook.yml from nothing to ['sg-ends']",
                "changes gitlab.project in runbook.yml from nothing to 42",
            ),
        ),
    ],
)
def test_each_setting_that_changes_is_said_once(
    before: RunbookConfig, now: RunbookConfig, found: tuple[str, ...]
) -> None:
    assert said(Judges(before), Judges(now)) == found


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ((policy(),), (policy(),), ()),
        ((policy(),), (), ("removes the policy sg-ssh, which judges this change all the same",)),
        ((), (policy(),), ("adds the policy sg-ssh",)),
        ((policy(),), (policy(severity="medium"),), ("lowers the severity of sg-ssh from high to medium",)),
        ((policy(),), (policy(severity="critical"),), ("raises the severity of sg-ssh from high to critical",)),
        ((policy(),), (policy(action="warn"),), ("weakens sg-ssh: warn in place of approve",)),
        ((policy(),), (policy(action="block"),), ("strengthens sg-ssh: block in place of approve",)),
        ((policy(),), (policy(title="No SSH"),), ("changes the policy sg-ssh",)),
        (
            (policy(),),
            (policy(severity="low", action="warn", remedy="Yes."),),
            (
                "lowers the severity of sg-ssh from high to low",
                "weakens sg-ssh: warn in place of approve",
                "changes the policy sg-ssh",
            ),
        ),
    ],
)
def test_what_becomes_of_a_policy_is_said(
    before: tuple[Policy, ...], now: tuple[Policy, ...], found: tuple[str, ...]
) -> None:
    assert said(Judges(config(), before), Judges(config(), now)) == found


def test_what_runbook_yml_makes_of_a_policy_is_said_of_the_policy_alone() -> None:
    other = config(compliance={"severities": {"sg-ssh": "low"}, "actions": {"sg-ssh": "block"}})
    assert said(Judges(config(), (policy(),)), Judges(other, (policy(),))) == (
        "lowers the severity of sg-ssh from high to low",
        "strengthens sg-ssh: block in place of approve",
    )
    # What the policy itself says then makes no difference.
    assert said(Judges(other, (policy(),)), Judges(other, (policy(severity="critical", action="warn"),))) == ()


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ((waiver(),), (waiver(owner="sam", reason="another"),), ()),
        ((), (waiver(),), ("adds a waiver of sg-ssh at a.b by riley, until 2026-12-01, which waives nothing yet",)),
        ((waiver(),), (), ("removes a waiver of sg-ssh at a.b",)),
        ((waiver(1),), (waiver(9),), ("extends a waiver of sg-ssh at a.b from 2026-12-01 to 2026-12-09",)),
        ((waiver(9),), (waiver(1),), ("shortens a waiver of sg-ssh at a.b from 2026-12-09 to 2026-12-01",)),
        (
            (waiver(),),
            (waiver(address="a.c"),),
            (
                "adds a waiver of sg-ssh at a.c by riley, until 2026-12-01, which waives nothing yet",
                "removes a waiver of sg-ssh at a.b",
            ),
        ),
    ],
)
def test_what_becomes_of_a_waiver_is_said(
    before: tuple[Waiver, ...], now: tuple[Waiver, ...], found: tuple[str, ...]
) -> None:
    assert said(Judges(config(), waivers=before), Judges(config(), waivers=now)) == found


def test_of_other_files_it_is_said_whether_they_come_go_or_change() -> None:
    before = Judges(config(), files={"a.yml": "1", "b.yml": "2", "c.yml": "3"})
    now = Judges(config(), files={"b.yml": "9", "c.yml": "3", "d.yml": "4"})
    assert said(before, now) == ("removes a.yml", "changes b.yml", "adds d.yml")


def test_a_waiver_counts_until_the_earlier_of_its_days_and_of_two_before_the_later_is_meant() -> None:
    before = (waiver(5), waiver(20), waiver(10), waiver(30, "sg-gone"))
    now = (waiver(25), waiver(15), waiver(30, "sg-new"), waiver(30, address="a.c"))
    assert common_waivers(before, now) == (waiver(20), waiver(15))


def cell(source: Any, *tags: str, kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags)} if tags else {}, "outputs": [1]}


def test_a_notebook_executes_its_code_in_its_kernel_and_nothing_else() -> None:
    cells = [cell("# prose", kind="markdown"), cell(["a = 1\n", "b = 2"], "x", "parameters"), cell("c = 3"), cell(None)]
    found = (("bash", ), ("a = 1\nb = 2", "parameters", "x"), ("c = 3",), ("",))  # fmt: skip
    assert notebook_cells({"metadata": {"kernelspec": {"name": "bash"}}, "cells": cells}) == found


@pytest.mark.parametrize("metadata", [None, {}, {"kernelspec": None}, {"kernelspec": {}}, {"kernelspec": {"name": ""}}])
def test_a_notebook_that_names_no_kernel_is_of_python(metadata: Any) -> None:
    assert notebook_cells({"metadata": metadata}) == (("python3",),)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ((("python3",), ("a",), ("b",)), ""),
        ((("bash",), ("a",), ("b",)), "the kernel is bash; of 2 code cells 0 differ or are gone, 0 are its own"),
        ((("python3",), ("a",), ("c",), ("d",)), "of 2 code cells 1 differ or are gone, 2 are its own"),
        ((("python3",),), "of 2 code cells 2 differ or are gone, 0 are its own"),
        ((("python3",), ("b",), ("a",)), "of 2 code cells 0 differ or are gone, 0 are its own"),
    ],
)
def test_how_a_notebook_of_one_s_own_differs_is_counted(own: tuple[tuple[str, ...], ...], words: str) -> None:
    assert notebook_changes((("python3",), ("a",), ("b",)), own) == words
