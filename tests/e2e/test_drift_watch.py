"""`runbook drift`: told once, remembered by an issue that is open for as long as anything differs."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from base import Base
from desk import Desk, slack_threads

from runbook_lib.lab.process import give_faults
from runbook_lib.settings import Settings


def issues(desk: Desk, state: str) -> list[dict[str, Any]]:
    url = f"{desk.lab.gitlab_api}/projects/42/issues?state={state}&labels=runbook-drift"
    headers = {"PRIVATE-TOKEN": desk.lab.credentials.gitlab["riley"]}
    answer = requests.get(url, headers=headers, timeout=30)
    answer.raise_for_status()
    return list(answer.json())


def ssh_by_hand(base: Base, group: str, *, revoke: bool = False) -> None:
    ec2 = base.ec2()
    call = ec2.revoke_security_group_ingress if revoke else ec2.authorize_security_group_ingress
    world = {"CidrIp": "0.0.0.0/0", "Description": "/close @all"}
    call(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [world]}])


def test_what_is_new_or_gone_is_told_once_and_an_issue_is_open_meanwhile(
    session_base: Base, settings: Settings, desk: Desk
) -> None:
    session_base.restore()
    group = next(rule[0] for rule in session_base._rules if not rule[1])
    told = len(slack_threads(desk.lab))

    def look() -> tuple[int, list[str]]:
        nonlocal told
        ended = desk.runbook("drift", "--stack", "access")
        threads = slack_threads(desk.lab, told)
        told += len(threads)
        return ended.returncode, [thread["text"] for thread in threads]

    assert look() == (0, [])
    assert issues(desk, "opened") == []

    ssh_by_hand(session_base, group)
    status, texts = look()
    assert (status, len(texts)) == (1, 1)
    assert "drift, 1 new" in texts[0]
    (issue,) = issues(desk, "opened")
    assert (issue["title"], issue["confidential"]) == ("Drift: stack access", True)
    assert "unmanaged" in issue["description"]
    assert "\n/close" not in issue["description"]

    assert look() == (1, [])
    assert [each["iid"] for each in issues(desk, "opened")] == [issue["iid"]]

    remembered = issues(desk, "opened")
    give_faults(desk.lab, {"aws": "deny"})
    status, texts = look()
    assert (status, len(texts)) == (3, 1)
    assert "could not be verified" in texts[0]
    assert issues(desk, "opened") == remembered
    requests.delete(f"{desk.lab.control_url}/lab/faults", timeout=30).raise_for_status()

    ssh_by_hand(session_base, group, revoke=True)
    status, texts = look()
    assert (status, len(texts)) == (0, 1)
    assert "no drift any more" in texts[0]
    assert issues(desk, "opened") == []
    (closed,) = issues(desk, "closed")
    assert (closed["iid"], closed["user_notes_count"]) == (issue["iid"], 1)


@pytest.mark.parametrize("stack", ["nowhere"])
def test_a_stack_that_is_not_there_is_named(desk: Desk, stack: str) -> None:
    ended = desk.runbook("drift", "--stack", stack)
    assert ended.returncode == 2
    assert stack in ended.stderr
