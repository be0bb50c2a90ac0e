"""Access that ends: told of before, never opened afterwards, and taken away through the same gates as any change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from base import Base
from desk import Desk, ask, slack_threads, visible_errors

from runbook_lib.models.base import Outcome
from runbook_lib.settings import Settings
from runbook_lib.workspace.records import read_request

NOT_WAITING = ("-p", "approval.wait=false")
FREE = "  quorum: 1\n  rules:\n    - {when: {only_expired: true}, needs: 0}\n"
RULE = """  {{
    group       = "{group}"
    protocol    = "tcp"
    from_port   = {port}
    to_port     = {port}
    cidr_ipv4   = "10.30.0.0/16"
    description = "The move of the database"
    expires     = "{expires}"
  }},
"""
NOW = datetime.now(UTC)
TOMORROW = f"{NOW + timedelta(hours=20):%Y-%m-%d}"
SOON = f"{NOW + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
PAST = f"{NOW - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
RULES = "terraform/access/rules.auto.tfvars"
ENDED = 'aws_vpc_security_group_ingress_rule.rule["web from 10.30.0.0/16 tcp 8443"]'


def tagged(base: Base) -> dict[int, dict[str, Any]]:
    """AWS's rules from the second office, by port."""
    found = base.ec2().describe_security_group_rules()["SecurityGroupRules"]
    return {rule["FromPort"]: rule for rule in found if rule.get("CidrIpv4") == "10.30.0.0/16"}


def end(rule: dict[str, Any]) -> str:
    return next(tag["Value"] for tag in rule["Tags"] if tag["Key"] == "expires")


def open_issues(desk: Desk) -> list[str]:
    url = f"{desk.lab.gitlab_api}/projects/42/issues?state=opened&labels=runbook-expiring"
    answer = requests.get(url, headers={"PRIVATE-TOKEN": desk.lab.credentials.gitlab["riley"]}, timeout=30)
    answer.raise_for_status()
    return [str(issue["title"]) for issue in answer.json()]


def clock(desk: Desk, ahead: timedelta) -> None:
    ask(f"{desk.lab.gitlab_url}/lab/gitlab/clock", "POST", {"ahead_seconds": ahead.total_seconds()})


def let_it_pass(desk: Desk, base: Base) -> None:
    """As if the time of the second rule had come: in the files, in the state and in AWS."""
    desk.edit(RULES, SOON, PAST)
    url, bot = base._state_url, base._credentials
    state = json.loads(requests.get(url, auth=bot, timeout=30).text.replace(SOON, PAST))
    requests.post(url, auth=bot, json={**state, "serial": state["serial"] + 1}, timeout=30).raise_for_status()
    tag = {"Key": "expires", "Value": PAST}
    base.ec2().create_tags(Resources=[tagged(base)[8443]["SecurityGroupRuleId"]], Tags=[tag])
    desk.repository.deployed("Time goes by")


@pytest.fixture
def opened(session_base: Base, settings: Settings, tmp_path: Path) -> Desk:
    """A run that opened SSH until tomorrow and another port for two hours, but not before alex had approved it."""
    session_base.restore()
    desk = Desk(session_base.lab, settings, tmp_path / "outputs", "opening")
    rules = desk.root / RULES
    both = RULE.format(group="admin", port=22, expires=TOMORROW) + RULE.format(group="web", port=8443, expires=SOON)
    rules.write_text(f"{rules.read_text().rstrip().removesuffix(']')}{both}]\n")
    desk.repository.commit_change(None)
    asked = desk.run("compliance", "plan", "approval", *NOT_WAITING)
    assert asked.returncode == 0, asked.stderr
    assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
    said = " ".join(read_request(desk.store).summary.temporary)
    assert f"ingress tcp 22 from 10.30.0.0/16 of network-access-admin until {TOMORROW}" in said
    clock(desk, timedelta(hours=3))
    refused = desk.run("apply")
    clock(desk, timedelta(0))
    assert refused.returncode == 1
    assert f"{ENDED} expired at" in visible_errors(refused)["error"]
    assert tagged(session_base) == {}
    applied = desk.run("apply")
    assert applied.returncode == 0, applied.stderr
    assert {port: end(rule) for port, rule in tagged(session_base).items()} == {22: TOMORROW, 8443: SOON}
    return desk


def test_an_end_is_told_once_and_what_has_expired_goes_through_the_gates(opened: Desk, session_base: Base) -> None:
    let_it_pass(opened, session_base)
    told = len(slack_threads(opened.lab))

    looked = opened.runbook("expiring", "--stack", "access", "--within", "2d")
    assert looked.returncode == 1, looked.stderr
    (thread,) = slack_threads(opened.lab, told)
    assert "1 rule expired and still open" in thread["text"]
    assert f"ends {TOMORROW}; approved by alex (run opening)" in thread["text"]
    assert open_issues(opened) == ["Temporary access: stack access"]
    again = opened.runbook("expiring", "--stack", "access", "--within", "2d")
    assert (again.returncode, len(slack_threads(opened.lab, told + 1))) == (1, 0)
    assert "ends, told before: ingress tcp 22 from 10.30.0.0/16" in again.stdout

    seen = opened.runbook("verify", "--stack", "access", "--format", "json")
    kinds = {each["rule"]["from_port"]: each["kind"] for each in json.loads(seen.stdout)["differences"] if each["rule"]}
    assert (seen.returncode, kinds) == (1, {8443: "expired"})

    # By default somebody must approve that as well.
    asking = Desk(opened.lab, opened.settings, opened.outputs, "asking", repository=opened.repository)
    ended = asking.run("compliance", "plan", "approval", *NOT_WAITING, "--runbook", "expired")
    assert ended.returncode == 0, ended.stderr
    assert not read_request(asking.store).unasked
    assert asking.run("apply").returncode == 1
    assert 8443 in tagged(session_base)
    assert "RUNBOOK_APPLY" not in opened.runbook("pipeline", "--expired").stdout

    # Where runbook.yml says so before the run, nobody must.
    opened.edit("runbook.yml", "  quorum: 1\n", FREE)
    opened.repository.deployed("Nobody is asked of what has expired")
    pipeline = opened.runbook("pipeline", "--expired").stdout
    assert "stack access" in pipeline
    assert "stack network" not in pipeline
    assert "RUNBOOK_APPLY: automatic" in pipeline
    free = Desk(opened.lab, opened.settings, opened.outputs, "free", repository=opened.repository)
    ended = free.run("compliance", "plan", "approval", "apply", "verification", "--runbook", "expired")
    assert ended.returncode == 0, ended.stderr
    assert free.result("approval").summary.endswith("only removes what has expired.")
    assert free.result("apply").metrics["destroyed"] == 1
    assert free.result("verification").outcome is Outcome.PASSED
    assert set(tagged(session_base)) == {22}

    # What else is to be done is nothing for such a run.
    opened.edit(RULES, "The picture in S3, and packages", "The picture in S3")
    opened.repository.deployed("Another description")
    other = Desk(opened.lab, opened.settings, opened.outputs, "other", repository=opened.repository)
    ended = other.run("plan", "approval", *NOT_WAITING, "--runbook", "expired")
    assert ended.returncode == 1
    assert "removes rules that have expired and nothing else" in visible_errors(ended)["error"]

    # Nothing ends any more, and the issue says so no more.
    session_base.restore()
    looked = opened.runbook("expiring", "--stack", "access", "--within", "2d")
    assert (looked.returncode, looked.stdout) == (0, "access: nothing ends soon\n")
    assert open_issues(opened) == []
