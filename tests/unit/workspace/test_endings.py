"""What was told of temporary access is remembered, whatever became of the memory; and who is told hears all of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from step_fakes import answering

from runbook_lib.adapters.gitlab_data import GitLabIssue
from runbook_lib.errors import GitLabError
from runbook_lib.models.approval_config import ApprovalConfig
from runbook_lib.models.endings import Ending, EndingKind, StackEndings
from runbook_lib.models.messages import Message
from runbook_lib.report import messages
from runbook_lib.report.ending_issue import issue_body, remembered
from runbook_lib.settings import Settings
from runbook_lib.workspace import endings as watch

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOSTILE = ["/close", "`\n/close @all", "--> <script>alert(1)</script> <!--", "<!channel>", "x" * 5000]


def ending(key: str = "0123456789abcdef", kind: EndingKind = EndingKind.ENDS, **more: Any) -> Ending:
    given = {"key": key, "kind": kind, "stack": "access", "group": "admin", "address": "a", "expires": "2026-11-28"}
    return Ending(**{**given, "said": "ingress tcp 22 from 10.0.0.0/8 of admin ends 2026-11-28", **more})


def found(*given: Ending) -> StackEndings:
    return StackEndings(stack="access", endings=given, new=given)


@pytest.fixture
def alone(load: Callable[..., Settings]) -> Settings:
    """A desk without a GitLab."""
    return load()


def test_without_gitlab_a_file_remembers_and_forgets_what_is_gone(alone: Settings) -> None:
    memory, other = watch.EndingMemory(alone, "access"), watch.EndingMemory(alone, "network")
    assert memory.known() == (frozenset(), "")
    memory.keep(found(ending()))
    other.keep(found(ending("f" * 16)))
    assert memory.known()[0] == {"0123456789abcdef"}
    memory.keep(found())
    assert memory.known()[0] == frozenset()
    assert other.known()[0] == {"f" * 16}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"access": 3}', '{"access": "0123"}', "\0"])
def test_a_memory_that_is_half_written_is_none(alone: Settings, text: str) -> None:
    alone.outputs.mkdir(parents=True, exist_ok=True)
    (alone.outputs / "endings.json").write_text(text)
    memory = watch.EndingMemory(alone, "access")
    assert memory.known() == (frozenset(), "")
    memory.keep(found(ending()))
    assert memory.known()[0] == {"0123456789abcdef"}


def test_the_file_is_one_line_a_key_and_sorted_so_that_people_can_read_what_changed(alone: Settings) -> None:
    for stack in ("network", "access"):
        watch.EndingMemory(alone, stack).keep(found(ending()))
    assert (alone.outputs / "endings.json").read_text() == (
        '{\n  "access": [\n    "0123456789abcdef"\n  ],\n  "network": [\n    "0123456789abcdef"\n  ]\n}'
    )
    for stack in ("network", "access"):
        watch.EndingMemory(alone, stack).keep(found())
    assert (alone.outputs / "endings.json").read_text() == "{}"


class GitLab:
    """The bot's own project, with these issues; what becomes of them is noted."""

    def __init__(self, *issues: GitLabIssue) -> None:
        self.issues = issues
        self.done: list[tuple[object, ...]] = []

    def current_user(self) -> str:
        return "bot"

    def open_issues(self, label: str) -> tuple[GitLabIssue, ...]:
        assert label == "runbook-expiring"
        return self.issues

    def open_issue(self, title: str, body: str, label: str) -> GitLabIssue:
        self.done.append(("open", title, body, label))
        return issue(9, body, title)

    def edit_issue(self, iid: int, body: str, close: bool = False) -> None:
        self.done.append(("edit", iid, body, close))


def issue(iid: int, body: str, title: str = "Temporary access: stack access", author: str = "bot") -> GitLabIssue:
    return GitLabIssue(iid, title, body, author, f"https://g.example/-/issues/{iid}")


Kept = Callable[..., tuple[watch.EndingMemory, GitLab]]


@pytest.fixture
def kept(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The memory of the stack access in a GitLab with these issues."""

    def place(*issues: GitLabIssue) -> tuple[watch.EndingMemory, GitLab]:
        gitlab = GitLab(*issues)
        monkeypatch.setattr(watch, "gitlab_client", answering(gitlab))
        return watch.EndingMemory(alone, "access"), gitlab

    return place


TOLD = "0123456789abcdef"


def test_with_gitlab_the_stack_s_own_issue_remembers_and_no_other(kept: Kept) -> None:
    body = issue_body(found(ending()), [TOLD])
    others = (issue(3, body, author="riley"), issue(4, body, "Temporary access: stack network"))
    memory, _ = kept(*others, issue(5, body))
    assert memory.known() == (frozenset({TOLD}), "https://g.example/-/issues/5")
    memory, gitlab = kept(*others)
    assert memory.known() == (frozenset(), "")
    memory.keep(found())
    assert gitlab.done == []


def test_an_issue_is_opened_for_what_ends_and_remembers_nothing_before_that_is_told(kept: Kept) -> None:
    memory, gitlab = kept()
    some = found(ending())
    assert memory.open(some) == some.model_copy(update={"issue": "https://g.example/-/issues/9"})
    assert gitlab.done == [("open", "Temporary access: stack access", issue_body(some, []), "runbook-expiring")]


def test_none_is_opened_where_there_is_one_or_nothing_ends_or_no_gitlab_is_there(kept: Kept, alone: Settings) -> None:
    some = found(ending())
    assert watch.EndingMemory(alone, "access").open(some) == some
    memory, gitlab = kept()
    for given in (some.model_copy(update={"issue": "https://g.example/-/issues/5"}), found()):
        assert memory.open(given) == given
    assert gitlab.done == []


def test_the_issue_says_and_remembers_what_stands_and_is_closed_when_nothing_does(kept: Kept) -> None:
    some = found(ending())
    memory, gitlab = kept(issue(5, issue_body(some, [])))
    memory.keep(some)
    memory.keep(found())
    assert gitlab.done == [
        ("edit", 5, issue_body(some, [TOLD]), False),
        ("edit", 5, issue_body(found(), []), True),
    ]
    memory, gitlab = kept(issue(5, issue_body(some, [TOLD])))
    memory.keep(some)
    assert gitlab.done == []


def test_the_issue_remembers_what_it_is_told_to_and_of_its_own_stack() -> None:
    both = found(ending(), ending("f" * 16))
    body = issue_body(both, ["f" * 16])
    assert remembered(body, "access") == ("f" * 16,)
    assert remembered(body, "network") == remembered("", "access") == remembered(f"{body}x", "access") == ()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_rule_is_a_command_or_a_mention(text: str) -> None:
    given = found(ending(said=text, written=text, approvers=text, run_id=text))
    lines = issue_body(given, ["f" * 16]).splitlines()
    assert [line for line in lines if line.startswith("/")] == []
    assert remembered("\n".join(lines), "access") == ("f" * 16,)
    shown = json.dumps(messages.access_ends(given).blocks)
    assert "<!channel>" not in shown
    assert "<script>" not in shown


def test_the_channel_hears_what_is_open_before_what_ends() -> None:
    over = ending(
        "f" * 16, EndingKind.EXPIRED, said="ingress tcp 80 from 10.0.0.0/8 of web expired 2026-11-27, still open"
    )
    message = messages.access_ends(found(ending(approvers="alex", run_id="7"), over))
    assert message.text.startswith("access: 1 rule expired and still open: ")
    assert "ends 2026-11-28; approved by alex (run 7)" in message.text
    told = json.dumps(message.blocks)
    assert told.index("Expired, still open") < told.index("Ends soon")


@pytest.mark.parametrize(
    ("rules", "free"),
    [
        ([], False),
        ([{"when": {"only_expired": True}, "needs": 0}], True),
        ([{"when": {"only_closes": True}, "needs": 0}], True),
        ([{"when": {"only_expired": True}, "needs": 1}], False),
        ([{"when": {"only_expired": True}, "needs": 0, "stacks": ["access"]}], True),
        ([{"when": {"only_expired": True}, "needs": 0, "stacks": ["network"]}], False),
    ],
)
def test_apply_starts_by_itself_only_where_a_rule_may_need_nobody(rules: list[dict[str, Any]], free: bool) -> None:
    config = ApprovalConfig.model_validate({"approvers": ["alex", "sam"], "rules": rules})
    assert watch.frees_expired(config, "access") is free


def in_state(expires: str, name: str = "") -> dict[str, Any]:
    """A state with one rule that ends then, of a group of this name."""
    attributes = {
        "id": "sgr-1", "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22,
        "cidr_ipv4": "10.0.0.0/8", "tags": {"expires": expires},
    }  # fmt: skip
    rule = {
        "mode": "managed", "type": "aws_vpc_security_group_ingress_rule", "name": "ssh",
        "instances": [{"attributes": attributes}],
    }  # fmt: skip
    group = {
        "mode": "managed", "type": "aws_security_group", "name": "web",
        "instances": [{"attributes": {"id": "sg-1", "name": name}}],
    }  # fmt: skip
    return {"version": 4, "resources": [rule, *([group] if name else [])]}


@pytest.mark.parametrize(("name", "said"), [("", "sg-1"), ("web", "web"), ("web-of-a-secret", "[MASKED]")])
def test_what_ends_is_told_by_the_group_s_name_and_without_secrets(
    alone: Settings, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    alone.redactor.add(["web-of-a-secret"])
    monkeypatch.setattr(watch, "read_state", answering(in_state("2020-01-31", name)))
    # No moment is given: then it is now, which is after that.
    (one,) = watch.find_endings(alone, "access", timedelta(days=1))
    assert (one.kind, one.stack, one.expires) == (EndingKind.EXPIRED, "access", "2020-01-31")
    assert one.said == f"ingress tcp 22 from 10.0.0.0/8 of {said} expired 2020-01-31, still open"
    assert watch.stack_has_expired(alone, "access") is True


def test_a_stack_that_was_never_applied_has_nothing_that_ends(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "read_state", answering({}))
    assert watch.find_endings(alone, "access", timedelta(days=1), NOW) == ()
    assert watch.stack_has_expired(alone, "access", NOW) is False


def test_what_ends_later_than_is_asked_for_is_not_told(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # The end of that day is a day and a half after NOW.
    monkeypatch.setattr(watch, "read_state", answering(in_state("2026-11-29")))
    assert watch.find_endings(alone, "access", timedelta(hours=35), NOW) == ()
    (one,) = watch.find_endings(alone, "access", timedelta(hours=36), NOW)
    assert one.kind is EndingKind.ENDS


def test_the_state_is_read_as_the_stack_says(
    load: Callable[..., Settings], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "runbook.yml"
    path.write_text(path.read_text().replace("state: access", "state: access\n    region: eu-west-3"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    asked: list[str] = []

    def read(settings: Settings, stack: str) -> dict[str, Any]:
        asked.append(f"{stack} in {os.environ['AWS_REGION']}")
        return {}

    monkeypatch.setattr(watch, "read_state", read)
    for stack in ("network", "access"):
        watch.find_endings(load(), stack, timedelta(days=1), NOW)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    watch.stack_has_expired(load(), "access", NOW)
    assert asked == ["network in us-east-1", "access in eu-west-3", "access in eu-west-3"]


def test_what_the_files_say_otherwise_is_said_and_a_state_that_can_not_be_read_is_an_error(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "aws_vpc_security_group_ingress_rule"
    monkeypatch.setattr(watch, "read_state", answering(in_state("2026-11-28")))
    folder = alone.root / alone.config.stacks["access"].path
    folder.mkdir(parents=True, exist_ok=True)

    def look(text: str) -> str:
        (folder / "main.tf").write_text(text)
        (one,) = watch.find_endings(alone, "access", timedelta(days=1), NOW)
        return one.written

    written = 'resource "%s" "ssh" {\n  ip_protocol = "tcp"\n  tags = { %s }\n  cidr_ipv4 = "10.0.0.0/8"\n}\n'
    assert look(written % (kind, 'expires = "2026-11-28"')) == ""
    assert look(written % (kind, 'expires = "2027-01-31"')) == "its files say until 2027-01-31, which is not applied"
    assert look(written % (kind, "")) == "its files say no end, which is not applied"
    assert look("") == "its files have it no more"
    assert look('module "far" { source = "example/far" }') == ""
    # How many of them there are, and under which addresses, is for Terraform to tell.
    assert look(written.replace("{\n", "{\n  for_each = var.unset\n", 1) % (kind, "")) == ""
    assert look("{{{") == ""
    assert watch.stack_has_expired(alone, "access", NOW) is False
    assert watch.stack_has_expired(alone, "access", NOW + timedelta(days=1)) is True

    def unreadable(*_: object) -> dict[str, Any]:
        raise GitLabError("could not read the state", "Ask again.")

    monkeypatch.setattr(watch, "read_state", unreadable)
    with pytest.raises(GitLabError):
        watch.find_endings(alone, "access", timedelta(days=1), NOW)


def test_the_stack_s_channel_is_told_once_of_what_was_not_told_before(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Message, str]] = []

    class Chat:
        def post(self, message: Message, key: str) -> None:
            told.append((message, key))

    def chat(settings: Settings, stack: str) -> Chat:
        assert (settings, stack) == (alone, "access")
        return Chat()

    monkeypatch.setattr(watch, "messenger", chat)
    keys = [letter * 16 for letter in "ab"]
    some = found(*map(ending, keys))
    assert watch.tell_endings(alone, some, "https://g.example/p/1") is True
    # By what it tells of, so that a job that is repeated tells it once.
    assert told == [(messages.access_ends(some, "https://g.example/p/1"), f"endings:access:{''.join(keys)}")]
    known = StackEndings(stack="access", endings=some.endings)
    assert watch.tell_endings(alone, known) is True
    assert len(told) == 1
    assert watch.tell_endings(alone, found(ending())) is True
    assert told[1:] == [(messages.access_ends(found(ending())), "endings:access:0123456789abcdef")]


def test_where_nobody_can_be_told_it_is_said(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "messenger", answering(None))
    assert watch.tell_endings(alone, found(ending())) is False
