"""Each advice of docs/errors.md is followed: what was refused before is not refused in these words any more."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gitlab_lab import running_gitlab
from slack_lab import RunningSlack, running_slack

from runbook_lib.adapters import slack as adapter
from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.adapters.outbox import Outbox
from runbook_lib.adapters.slack import Slack
from runbook_lib.adapters.store import RunStore
from runbook_lib.adapters.terraform_binary import find_binary
from runbook_lib.adapters.yaml_file import load_model
from runbook_lib.cli import main as cli
from runbook_lib.errors import RunbookError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.lab.process import start_process, stop_process
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.config import RunbookConfig
from runbook_lib.models.messages import Message

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| (`.*) \| [^|]+ \|$", (ROOT / "docs/errors.md").read_text(encoding="utf-8"), re.MULTILINE)
RUNBOOK = """version: 1
stacks:
  web: {path: infra, state: web}
approval: {approvers: [alex]}
"""
PLAN = {"format_version": "1.2", "resource_changes": [], "configuration": {"root_module": {}}}


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    status: int
    text: str


class Team:
    """Somebody in a repository of their own, who gives commands and reads what comes."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._capsys = capsys
        self.patch = monkeypatch

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def set(self, name: str, value: str) -> None:
        self.patch.setenv(name, value)

    def runbook(self, *arguments: str) -> Said:
        self.patch.setattr("sys.argv", ["runbook", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = self._capsys.readouterr()
        return Said(int(left.value.code or 0), told.err)

    def tries(self, work: Callable[[], object]) -> Said:
        """What the command line would say of it."""
        try:
            work()
        except RunbookError as error:
            return Said(error.exit_status, f"error: {error.message}\nhint: {error.remedy}\n")
        return Said(0, "")

    def reads(self, text: str) -> Said:
        path = self.write("runbook.yml", text)
        return self.tries(lambda: load_model(path, RunbookConfig))


@pytest.fixture
def team(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for name in [name for name in os.environ if name.startswith(("RUNBOOK_", "CI_", "GITLAB_", "SLACK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.chdir(tmp_path)
    made = Team(tmp_path, capsys, monkeypatch)
    made.write("runbook.yml", RUNBOOK)
    made.write("infra/main.tf", "")
    yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)


Row = Callable[[Team], tuple[Said, Said]]


def suggested(said: Said) -> str:
    """What the hint, or the message itself, proposes."""
    return re.findall(r"[Dd]id you mean '([^']+)'", said.text)[0]


def listed(said: Said) -> str:
    """The first of the values that the hint lists."""
    return re.findall(r"hint: .*?(?:takes|are|has:) (\w+)", said.text)[0]


def unknown_step(team: Team) -> tuple[Said, Said]:
    first = team.runbook("params", "complianse")
    return first, team.runbook("params", suggested(first))


def unknown_stack(team: Team) -> tuple[Said, Said]:
    first = team.runbook("run", "plan", "--run-id", "none", "--stack", "nothing")
    return first, team.runbook("run", "plan", "--run-id", "none", "--stack", listed(first))


def unknown_parameter(team: Team) -> tuple[Said, Said]:
    first = team.runbook("run", "plan", "--run-id", "none", "-p", "plan.scop=all")
    return first, team.runbook("run", "plan", "--run-id", "none", "-p", f"plan.{suggested(first)}=all")


def no_such_value(team: Team) -> tuple[Said, Said]:
    first = team.runbook("run", "plan", "--run-id", "none", "-p", "plan.scope=each")
    return first, team.runbook("run", "plan", "--run-id", "none", "-p", f"plan.scope={listed(first)}")


def another_type(team: Team) -> tuple[Said, Said]:
    values = [
        team.write(f"{name}.yml", f"plan:\n  scope: {value}\n") for name, value in (("number", "7"), ("text", "all"))
    ]
    first, second = (team.runbook("run", "plan", "--run-id", "none", "-f", str(value)) for value in values)
    return first, second


def no_folder(team: Team) -> tuple[Said, Said]:
    return team.runbook("approve", "a/b"), team.runbook("approve", "a-b")


def no_request(team: Team) -> tuple[Said, Said]:
    store = RunStore(team.root / "outputs", "one")
    first = team.tries(lambda: store.read_text("02_plan/plan.txt"))
    store.write_text("02_plan/plan.txt", "No changes.\n")
    return first, team.tries(lambda: store.read_text("02_plan/plan.txt"))


def several(team: Team) -> tuple[Said, Said]:
    first = team.reads(RUNBOOK + "slack: {chanel: '#a'}\ngitlab: {projekt: a/b}\n")
    assert {word for word in ("channel", "project") if f"Did you mean '{word}'" in first.text} == {"channel", "project"}
    return first, team.reads(RUNBOOK + "slack: {channel: '#a'}\ngitlab: {project: a/b}\n")


def misspelt(team: Team) -> tuple[Said, Said]:
    first = team.reads(RUNBOOK + "slack: {chanel: '#a'}\n")
    return first, team.reads(RUNBOOK + f"slack: {{{suggested(first)}: '#a'}}\n")


def no_date(team: Team) -> tuple[Said, Said]:
    waiver = "waivers:\n- {{policy: a, address: b, owner: c, reason: because of this, expires: {}}}\n"
    plan = team.write("plan.json", json.dumps(PLAN))
    said = []
    for day in ("2026-02-30", "2026-12-31"):
        path = team.write("waivers.yml", waiver.format(day))
        said.append(team.runbook("check", "--plan", str(plan), "--waivers", str(path)))
    return said[0], said[1]


def no_time(team: Team) -> tuple[Said, Said]:
    first, second = (RUNBOOK.replace("[alex]", f"[alex], expires_after: {time}") for time in ("soon", "4h"))
    return team.reads(first), team.reads(second)


def other_kind(team: Team) -> tuple[Said, Said]:
    return team.reads(RUNBOOK.replace("[alex]", "alex")), team.reads(RUNBOOK)


def held_by_itself(team: Team) -> tuple[Said, Said]:
    return team.reads("version: 1\nstacks: &a {a: *a}\n"), team.reads(RUNBOOK)


def no_json(team: Team) -> tuple[Said, Said]:
    path = team.write("outputs/one/run.json", '{"schema"')
    first = team.runbook("approve", "one")
    path.unlink()
    return first, team.runbook("approve", "one")


def other_format(team: Team) -> tuple[Said, Said]:
    said = [
        team.runbook("exposure", "--plan", str(team.write("plan.json", json.dumps({**PLAN, "format_version": form}))))
        for form in ("2.0", "1.2")
    ]
    return said[0], said[1]


def terraform(team: Team, name: str) -> str:
    path = team.write(name, '#!/bin/sh\necho \'{"terraform_version": "1.9.0"}\'\n')
    path.chmod(0o755)
    return str(path)


def binary_not_there(team: Team) -> tuple[Said, Said]:
    there = terraform(team, "bin/terraform")
    first, second = (team.tries(lambda name=name: find_binary(name, "1.5.0", {})) for name in ("terraform-9", there))
    return first, second


def binary_not_executable(team: Team) -> tuple[Said, Said]:
    there = terraform(team, "bin/terraform")
    Path(there).chmod(0o644)
    first = team.tries(lambda: find_binary(there, "1.5.0", {}))
    asked = re.findall(r"chmod \+x (\S+)\.", first.text)
    Path(asked[0]).chmod(0o755)
    return first, team.tries(lambda: find_binary(there, "1.5.0", {}))


def no_binary(team: Team) -> tuple[Said, Said]:
    terraform(team, "bin/terraform")
    empty = team.root / "empty"
    empty.mkdir()
    paths = (str(empty), f"{empty}:{team.root / 'bin'}")
    first, second = (team.tries(lambda path=path: find_binary("", "1.5.0", {"PATH": path})) for path in paths)
    return first, second


def refused_token(team: Team) -> tuple[Said, Said]:
    with running_gitlab(default_config()) as lab:
        first = team.tries(GitLab(lab.url, "glpat-expired", "42").current_user)
        return first, team.tries(lab.client("sam").current_user)


def lacking_scope(team: Team) -> tuple[Said, Said]:
    with running_gitlab(default_config()) as lab:
        job = lab.pipeline_before_apply()[1]
        first, second = (team.tries(lambda user=user: lab.client(user).play(job)) for user in ("project_42_bot", "sam"))
        return first, second


def no_member(team: Team) -> tuple[Said, Said]:
    with running_gitlab(default_config()) as lab:
        first, second = (team.tries(lab.client(user).project_path) for user in ("casey", "riley"))
        return first, second


def no_scope(team: Team) -> tuple[Said, Said]:
    granted = SlackLabConfig().scopes
    said = []
    for scopes in (tuple(scope for scope in granted if scope != "chat:write"), granted):
        with running_slack(SlackLabConfig(scopes=scopes)) as lab:
            said.append(team.tries(lambda lab=lab: post(lab)))
    return said[0], said[1]


def no_channel(team: Team) -> tuple[Said, Said]:
    with running_slack(SlackLabConfig()) as lab:
        first, second = (team.tries(lambda name=name: post(lab, name)) for name in ("#infra-chnges", "#infra-changes"))
        return first, second


def silent(team: Team) -> tuple[Said, Said]:
    store = RunStore(team.root / "outputs", "one")
    outbox = Outbox(store, "xoxb-lab-bot")
    outbox.add("board", Message(text="board"))
    team.patch.setattr(adapter, "TIMEOUT", 0.2)
    # It takes the connection, and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api/"
        error = outbox.deliver(Slack("xoxb-lab-bot", "#infra-changes", url)).error
    assert error is not None
    first = team.tries(lambda: throw(error))
    with running_slack(SlackLabConfig()) as lab:
        # What was to be told waits, and goes out with whatever is told next.
        assert outbox.deliver(Slack("xoxb-lab-bot", "#infra-changes", lab.api_url)).error is None
        assert [message["text"] for message in lab.messages()] == ["board"]
    return first, Said(0, "")


def nested(team: Team) -> tuple[Said, Said]:
    value: object = "x"
    for _ in range(200):
        value = [value]

    def check(value: object) -> Said:
        variables = {"deep": {"value": value}}
        return team.runbook(
            "check", "--plan", str(team.write("plan.json", json.dumps({**PLAN, "variables": variables})))
        )

    return check(value), check(json.dumps(value))


def no_lab(team: Team) -> tuple[Said, Said]:
    folder = team.root / ".lab"
    first = team.runbook("lab", "status")
    start_process(folder, ROOT)
    try:
        return first, team.runbook("lab", "status")
    finally:
        stop_process(folder)


def post(lab: RunningSlack, channel: str = "#infra-changes") -> None:
    Slack("xoxb-lab-bot", channel, lab.api_url).post(Message(text="board"))


def throw(error: Exception) -> None:
    raise error


FOLLOWED: dict[str, Row] = {
    "`unknown step …` · `unknown stack …` · `unknown parameter …`": unknown_step,
    "`unknown stack …`": unknown_stack,
    "`unknown parameter …`": unknown_parameter,
    "`parameter … can't be …`": no_such_value,
    "`parameter … is declared …`": another_type,
    "`… can't name a folder`": no_folder,
    "`run … has no …`": no_request,
    "`… (and … more)`": several,
    "`… is not a known field`": misspelt,
    "`… is no date`": no_date,
    "`… is no time`": no_time,
    "`… is …, and has to be …`": other_kind,
    "`… an anchor holds itself`": held_by_itself,
    "`… is no JSON`": no_json,
    "`the plan's format_version is …`": other_format,
    "`the Terraform binary … is not there`": binary_not_there,
    "`the Terraform binary … can't be executed`": binary_not_executable,
    "`neither terraform nor tofu is on PATH`": no_binary,
    "`… is nested too deeply: …`": nested,
    "`GitLab answered …` 401": refused_token,
    "`GitLab answered …` 403": lacking_scope,
    "`GitLab answered …` 404": no_member,
    "`Slack: the token lacks the scope …`": no_scope,
    "`there is no channel … for this token`": no_channel,
    "`Slack did not answer in time`": silent,
    "`no lab is running in …`": no_lab,
}
# Followed where all that it needs is.
ELSEWHERE = {
    "`the approval request reached nobody`": (
        "tests/unit/workspace/test_slack_thread.py",
        "test_a_request_that_reached_nobody_is_an_error_and_is_kept",
    ),
    "`run … is not gone on with: …`": (
        "tests/unit/runner/test_run_request.py",
        "test_resuming_after_an_apply_that_did_not_end_well_plans_anew_in_a_run_of_its_own",
    ),
    "`the plan of run … is stale: …`": (
        "tests/unit/runner/test_run_request.py",
        "test_a_plan_of_another_state_than_is_there_is_not_resumed",
    ),
    "`the state of … has serial …, and … was made over serial …`": (
        "tests/contract/test_state_push.py",
        "test_what_came_in_between_is_not_overwritten_though_its_serial_is_older",
    ),
}


def test_each_row_of_the_page_is_followed() -> None:
    assert set(ROWS) == ({*FOLLOWED} - {"`unknown stack …`", "`unknown parameter …`"}) | {*ELSEWHERE}
    for path, name in ELSEWHERE.values():
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("row", FOLLOWED)
def test_who_follows_an_advice_is_not_told_the_same_again(team: Team, row: str) -> None:
    # "`GitLab answered …` 401": the number stands behind the prefix.
    quoted = re.sub(r"` (\d+)$", r"` …\1", row).split(" · ")[0].replace("`", "")
    pieces = [re.escape(piece) for piece in re.split(r"\s*…\s*", quoted) if piece]
    said = re.compile(".*".join(pieces), re.DOTALL)
    before, after = FOLLOWED[row](team)
    assert before.status in {2, 3}
    assert said.search(before.text), before.text
    assert re.search(r"hint: \S", before.text)
    assert not said.search(after.text), after.text
