"""Who opened this: by the plans of applied runs, and by what AWS (moto) has now."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from benchmarks.made_history import MadeHistory
from benchmarks.made_runs import settings_for
from runbook_lib.domain.blame import Asked
from runbook_lib.errors import InputError, UsageError
from runbook_lib.models.blame import BlameAnswer, Live
from runbook_lib.runner.blame import blame

ROOT = Path(__file__).parents[2]
WORLD, OFFICE = "0.0.0.0/0", "203.0.113.0/24"
RULE = "aws_vpc_security_group_ingress_rule"
PROVIDER = "registry.terraform.io/hashicorp/aws"
_SETS = {"security_group_id": {"references": ["aws_security_group.web.id", "aws_security_group.web"]}}


def values(port: int, source: str = WORLD, group: str = "", description: str = "") -> dict[str, Any]:
    found = {"ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": source, "description": description}
    return found | ({"security_group_id": group} if group else {})


def change(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    kind = more.pop("type", RULE)
    actions = [["no-op"], ["create"], ["delete"], ["update"]][
        0 if before == after else 1 if before is None else 2 if after is None else 3
    ]
    told = {"actions": actions, "before": before, "after": after, "after_unknown": more}
    address = {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name, "provider_name": PROVIDER}
    return address | {"change": told}


def plan(*changes: dict[str, Any], group: str = "") -> bytes:
    """A plan's JSON; the group is in the state if it has an id."""
    known = {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
             "provider_name": PROVIDER, "values": {"id": group, "name": "web"}}  # fmt: skip
    resources = [
        {"address": one["address"], "mode": "managed", "type": one["type"], "name": one["name"], "expressions": _SETS}
        for one in changes
    ]
    content = {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": list(changes),
        "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": [known] if group else []}}},
        "configuration": {"root_module": {"resources": resources}},
    }
    return json.dumps(content).encode()


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    return MadeHistory(tmp_path / "outputs", page=200)


def asked(made: MadeHistory, *, live: bool = False, **what: Any) -> list[tuple[str, str, str]]:
    return [(one.run_id, one.kind.value, one.said) for one in answered(made, live=live, **what).found]


def answered(made: MadeHistory, *, live: bool = False, **what: Any) -> BlameAnswer:
    return blame(settings_for(pinned=made.public), made.outputs, Asked(**what), live=live)


def history(made: MadeHistory, group: str = "sg-1") -> None:
    """Run 0 makes the group and opens 80; 3 opens SSH; 6 writes a description; 9 narrows SSH; 12 was never applied."""
    made_group = change("web", None, {"name": "web"}, type="aws_security_group", id=True)
    http, ssh = values(80, group=group), values(22, group=group)
    opened = change("http", None, values(80), security_group_id=True)
    described = values(80, group=group, description="the front")
    narrowed = values(22, OFFICE, group=group)
    made.make(0, plan=plan(made_group, opened))
    made.make(3, plan=plan(change("http", http, http), change("ssh", None, ssh), group=group))
    made.make(6, plan=plan(change("http", http, described), change("ssh", ssh, ssh), group=group))
    made.make(
        9, plan=plan(change("http", described, described), change("ssh", ssh, narrowed), group=group), blocked=False
    )
    made.make(14, stack="access", plan=plan(change("more", None, values(22, "::/0", group=group)), group=group))


def test_the_run_that_opened_it_is_named_by_whatever_the_group_is_called(made: MadeHistory) -> None:
    history(made)
    for name in ("sg-1", "web", "aws_security_group.web"):
        assert asked(made, group=name, port=80) == [
            ("1006", "altered", f"ingress tcp 80 from {WORLD}"),
            ("1000", "opened", f"ingress tcp 80 from {WORLD}"),
        ], name
    (_, first) = answered(made, group="sg-1", port=80).found
    assert (first.requester, first.approvers, first.evidence) == ("riley", "alex", "proven")
    assert len(first.commit) == 40


def test_what_was_closed_since_is_told_as_closed(made: MadeHistory) -> None:
    history(made)
    assert asked(made, group="web", port=22) == [
        ("1009", "opened", f"ingress tcp 22 from {OFFICE}"),
        ("1009", "closed", f"ingress tcp 22 from {WORLD}"),
    ]
    assert asked(made, address=f"{RULE}.ssh")[0] == ("1009", "opened", f"ingress tcp 22 from {OFFICE}")


def test_what_nobody_opened_is_an_error_that_says_where_to_look(made: MadeHistory) -> None:
    history(made)
    for what in ({"group": "web", "port": 443}, {"group": "other"}, {"group": "web", "port": 80, "protocol": "udp"}):
        with pytest.raises(InputError, match="none of 4 applied runs touched such a rule") as raised:
            asked(made, **what)
        assert "runbook verify" in raised.value.remedy
    with pytest.raises(UsageError, match="nothing is asked"):
        asked(made, port=22)


def test_without_an_applied_run_it_says_how_to_fetch_some(made: MadeHistory) -> None:
    made.make(4)
    with pytest.raises(InputError, match=r"no run .* was applied") as raised:
        asked(made, group="web")
    assert "runbook history --fetch" in raised.value.remedy


def test_a_plan_that_can_t_be_read_is_named(made: MadeHistory) -> None:
    history(made)
    made.make(12, plan=b"[]", stack="access")
    found = answered(made, group="web", port=22)
    assert found.found[0].run_id == "1009"
    assert [one.partition(":")[0] for one in found.unread] == ["1012"]


def test_a_damaged_run_that_was_applied_is_named_and_not_passed_over(made: MadeHistory) -> None:
    history(made)
    (made.outputs / "1009/run.json").write_text("{")
    found = answered(made, group="web", port=22)
    assert found.found[0].run_id == "1003"
    assert [one.partition(":")[0] for one in found.unread] == ["1009"]


def test_a_folder_that_was_changed_is_told_with_its_verdict(made: MadeHistory) -> None:
    history(made)
    (made.outputs / "1009/04_apply/apply.txt").write_text("other")
    assert answered(made, group="web", port=22).found[0].evidence == "changed"


def of_one_name(*changes: dict[str, Any], ids: tuple[str, ...] = ("sg-a", "sg-b")) -> bytes:
    """A plan whose state knows several groups that are all called web."""
    told = json.loads(plan(*changes, group="sg-1"))
    root = told["prior_state"]["values"]["root_module"]
    (known,) = root["resources"]
    root["resources"] = [
        known | {"address": f"aws_security_group.{one[-1]}", "values": {"id": one, "name": "web"}} for one in ids
    ]
    return json.dumps(told).encode()


def test_groups_of_one_name_are_told_apart(made: MadeHistory) -> None:
    one, other = values(22, group="sg-a"), values(22, group="sg-b")
    made.make(0, plan=of_one_name(change("one", None, one)))
    made.make(3, plan=of_one_name(change("one", one, one), change("other", None, other)))
    assert asked(made, group="sg-a", port=22) == [("1000", "opened", f"ingress tcp 22 from {WORLD}")]
    assert asked(made, group="sg-b", port=22) == [("1003", "opened", f"ingress tcp 22 from {WORLD}")]
    found = answered(made, group="web", port=22).found
    assert [(one.run_id, one.group) for one in found] == [("1003", "web (sg-b)"), ("1000", "web (sg-a)")]


def test_a_group_of_a_shared_name_is_known_from_when_a_plan_made_it(made: MadeHistory) -> None:
    groups = [change(name, None, {"name": "web"}, type="aws_security_group", id=True) for name in "ab"]
    opened = change("http", None, values(80), security_group_id=True)
    told = json.loads(plan(*groups, opened))
    (rule,) = (one for one in told["configuration"]["root_module"]["resources"] if one["name"] == "http")
    rule["expressions"] = {"security_group_id": {"references": ["aws_security_group.a.id", "aws_security_group.a"]}}
    made.make(0, plan=json.dumps(told).encode())
    made.make(3, plan=of_one_name(change("more", None, values(443, group="sg-b"))))
    assert asked(made, group="sg-a", port=80) == [("1000", "opened", f"ingress tcp 80 from {WORLD}")]
    with pytest.raises(InputError, match="none of 2 applied runs"):
        asked(made, group="sg-b", port=80)


def claimed(made: MadeHistory, run_id: str) -> None:
    """A folder without seals of a run that never was: as if it had opened SSH last, in a group of another name."""
    folder = made.outputs / run_id
    shutil.copytree(made.outputs / "1009", folder)
    for name in ("manifest.json", "manifest.dsse.json"):
        (folder / name).unlink()
    said = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(said | {"run_id": run_id, "requester": "mallory"}))
    for path in folder.glob("*/result.json"):
        late = {"started_at": "2026-02-01T08:00:00Z", "finished_at": "2026-02-01T09:00:00Z"}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"run_id": run_id} | late))
    told = json.loads((folder / "02_plan/plan.json").read_text())
    told["prior_state"]["values"]["root_module"]["resources"][0]["values"]["name"] = "other"
    (folder / "02_plan/plan.json").write_text(json.dumps(told))


def test_a_folder_that_nobody_need_believe_hides_no_run_and_renames_no_group(made: MadeHistory) -> None:
    history(made)
    honest = asked(made, group="web", port=22)
    claimed(made, "9999")
    for name in ("web", "sg-1"):
        found = answered(made, group=name, port=22).found
        assert [(one.run_id, one.kind.value, one.said) for one in found if one.evidence == "proven"] == honest, name
    assert {one.run_id for one in found if one.evidence == "unsealed"} == {"9999"}


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    here = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    for name, value in (here | {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}).items():
        monkeypatch.setenv(name, value)
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    yield ec2, str(ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"])
    server.stop()


def permission(port: int, source: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}]


def test_aws_says_whether_it_is_still_that(made: MadeHistory, group: tuple[Any, str]) -> None:
    ec2, name = group
    history(made, name)
    ec2.authorize_security_group_ingress(GroupId=name, IpPermissions=permission(22, OFFICE))
    found = answered(made, live=True, group=name, port=22).found
    assert [(one.kind.value, one.live) for one in found] == [("opened", Live.THERE), ("closed", Live.GONE)]
    ec2.revoke_security_group_ingress(GroupId=name, IpPermissions=permission(22, OFFICE))
    ec2.authorize_security_group_ingress(GroupId=name, IpPermissions=permission(22, WORLD))
    found = answered(made, live=True, group=name, port=22).found
    assert [(one.kind.value, one.live) for one in found] == [("opened", Live.GONE), ("closed", Live.THERE)]


def test_aws_is_asked_of_each_group_of_one_name_for_itself(made: MadeHistory, group: tuple[Any, str]) -> None:
    ec2, one = group
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    other = str(ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"])
    rules = [change(name, None, values(22, group=name)) for name in (one, other)]
    made.make(0, plan=of_one_name(*rules, ids=(one, other)))
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=permission(22, WORLD))
    found = answered(made, live=True, group="web", port=22).found
    assert {each.group: each.live for each in found} == {f"web ({one})": Live.GONE, f"web ({other})": Live.THERE}


def test_a_group_whose_id_no_plan_knew_is_found_by_the_name_that_aws_has(
    made: MadeHistory, group: tuple[Any, str]
) -> None:
    _, name = group
    made_group = change("web", None, {"name": "web"}, type="aws_security_group", id=True)
    made.make(0, plan=plan(made_group, change("http", None, values(80), security_group_id=True)))
    (found,) = answered(made, live=True, group=name, port=80).found
    assert (found.run_id, found.live) == ("1000", Live.GONE)


def test_without_aws_the_run_is_named_all_the_same(made: MadeHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    history(made)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    found = answered(made, live=True, group="web", port=22).found[0]
    assert (found.run_id, found.live) == ("1009", Live.UNKNOWN)
    assert found.why


def test_the_command_says_it_in_a_few_lines_that_move_no_cursor(made: MadeHistory, tmp_path: Path) -> None:
    evil = change("http", None, values(80) | {"cidr_ipv4": f"{WORLD}\x1b[2J"}, security_group_id=True)
    made.make(0, plan=plan(change("web", None, {"name": "web"}, type="aws_security_group", id=True), evil))
    (tmp_path / "runbook.yml").write_text((ROOT / "runbook.yml").read_text())
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "runbook_lib.cli", "blame", "--group", "web", "--no-aws"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "opened: ingress tcp 80 from 0.0.0.0/0\\x1b[2J of web (new)"
    assert lines[1] == "  run 1000 of stack access, 2026-01-05T08:14:00Z"
    assert lines[2].endswith("asked by riley, approved by alex")
    assert lines[-1] == "  evidence intact"
