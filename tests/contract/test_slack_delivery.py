"""What a run tells arrives: whatever became of the channel, the thread, the file, or of Slack itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from slack_lab import RunningSlack, running_slack

from runbook_lib.adapters import slack as adapter
from runbook_lib.adapters.outbox import Outbox
from runbook_lib.adapters.slack import Slack
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import SlackError
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.messages import Message, MessageFile, Thread

CREDENTIAL = "xoxb-lab-bot"
BOARD = Message(text="board")
FILE = MessageFile(name="plan.txt", title="Plan", content="+ create")


@pytest.fixture
def lab() -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig(share_delay=0)) as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(RunStore(tmp_path, "run-1"), CREDENTIAL)


def slack(lab: RunningSlack, channel: str = "#infra-changes") -> Slack:
    return Slack(lab.config.bot_token, channel, lab.api_url)


def told(lab: RunningSlack) -> list[tuple[str, list[str]]]:
    return [(m["text"], [reply["text"] for reply in m["replies"]]) for m in lab.messages()]


def test_a_channel_that_was_given_another_name_is_still_found_by_the_run(lab: RunningSlack, outbox: Outbox) -> None:
    outbox.add("board", BOARD)
    outbox.deliver(slack(lab))
    lab.change_channel(name="changes-of-infra")
    with pytest.raises(SlackError, match="channel_not_found"):
        slack(lab).post(BOARD)
    outbox.add("plan", Message(text="plan"), thread="board")
    outbox.add("note", Message(text="note"))
    assert outbox.deliver(slack(lab)).error is None
    assert told(lab) == [("board", ["plan"]), ("note", [])]


def test_a_channel_named_by_now_otherwise_in_the_settings_wins(lab: RunningSlack, outbox: Outbox) -> None:
    lab.change_channel("C0OTHER", name="other", is_member=True)
    outbox.add("board", BOARD)
    outbox.deliver(slack(lab))
    outbox.add("note", Message(text="note"))
    outbox.deliver(slack(lab, "#other"))
    assert [message["text"] for message in lab.messages("C0OTHER")] == ["note"]


def test_a_deleted_board_is_posted_anew_and_replies_go_there(lab: RunningSlack, outbox: Outbox) -> None:
    outbox.add("board", BOARD)
    outbox.deliver(slack(lab))
    lab.delete(outbox.references["board"].ts)
    outbox.add_update("board", Message(text="renewed"))
    outbox.add("plan", Message(text="plan", files=(FILE,)), thread="board")
    assert outbox.deliver(slack(lab)).error is None
    assert told(lab) == [("renewed", ["plan", ""])]


def test_a_deleted_board_with_replies_leaves_a_tombstone_and_begins_anew(lab: RunningSlack, outbox: Outbox) -> None:
    outbox.add("board", BOARD)
    outbox.add("plan", Message(text="plan"), thread="board")
    outbox.deliver(slack(lab))
    lab.delete(outbox.references["board"].ts)
    outbox.add_update("board", Message(text="renewed"))
    outbox.add("apply", Message(text="apply"), thread="board")
    assert outbox.deliver(slack(lab)).error is None
    assert told(lab) == [("This message was deleted.", ["plan"]), ("renewed", ["apply"])]


def test_a_reply_to_what_is_gone_is_seen_to_be_no_reply(lab: RunningSlack, outbox: Outbox) -> None:
    outbox.add("board", BOARD)
    outbox.deliver(slack(lab))
    lab.delete(outbox.references["board"].ts)
    outbox.add("request", Message(text="approval needed"), thread="board", broadcast=True)
    assert outbox.deliver(slack(lab)).error is None
    assert told(lab) == [("approval needed", [])]
    assert "board" not in outbox.references


def test_a_reply_lost_on_its_way_to_a_thread_that_is_gone_is_found_in_the_channel(
    lab: RunningSlack, outbox: Outbox
) -> None:
    outbox.add("board", BOARD)
    outbox.deliver(slack(lab))
    lab.delete(outbox.references["board"].ts)
    lab.fault(method="chat.postMessage", status=502, after=True)
    outbox.add("plan", Message(text="plan"), thread="board")
    assert outbox.deliver(slack(lab)).error is None
    assert told(lab) == [("plan", [])]


def test_the_first_message_whose_answer_was_lost_is_found_though_nobody_told_the_channel_s_id(
    lab: RunningSlack, outbox: Outbox
) -> None:
    lab.fault(method="chat.postMessage", status=502, after=True)
    outbox.add("board", BOARD)
    assert outbox.deliver(slack(lab)).error is None
    assert told(lab) == [("board", [])]


def test_what_cannot_be_looked_for_is_rather_told_twice_than_never(tmp_path: Path) -> None:
    with running_slack(SlackLabConfig(scopes=("chat:write",))) as lab:
        lab.fault(method="chat.postMessage", status=502, after=True)
        outbox = Outbox(RunStore(tmp_path, "run-1"), CREDENTIAL)
        outbox.add("board", BOARD)
        assert outbox.deliver(slack(lab)).error is None
        assert told(lab) == [("board", []), ("board", [])]


def test_an_archived_channel_keeps_the_messages_until_it_is_open_again(lab: RunningSlack, outbox: Outbox) -> None:
    lab.change_channel(is_archived=True)
    outbox.add("board", BOARD)
    outbox.add("plan", Message(text="plan"), thread="board")
    delivery = outbox.deliver(slack(lab))
    assert delivery.error is not None
    assert "is archived" in delivery.error.message
    assert delivery.waiting == ("board", "plan")
    lab.change_channel(is_archived=False)
    assert outbox.deliver(slack(lab)).waiting == ()


def test_a_private_channel_is_told_like_any_other(lab: RunningSlack, outbox: Outbox) -> None:
    lab.change_channel("C0PRIVATE", name="secret-changes", is_private=True, is_member=True)
    outbox.add("board", BOARD)
    outbox.add("plan", Message(text="plan", files=(FILE,)), thread="board")
    assert outbox.deliver(slack(lab, "secret-changes")).waiting == ()
    (thread,) = lab.messages("C0PRIVATE")
    assert [reply["text"] or reply["files"][0]["name"] for reply in thread["replies"]] == ["plan", "plan.txt"]


@pytest.mark.parametrize(
    ("channel", "change", "said"),
    [
        ("#infra-changes", {}, ""),
        ("C0INFRA", {}, ""),
        ("#secret-changes", {"is_private": True, "is_member": True}, ""),
        ("#secret-changes", {"is_private": True}, "the app is in no channel #secret-changes"),
        ("C0PRIVATE", {"is_private": True}, "there is no channel C0PRIVATE"),
        ("C0PRIVATE", {"is_archived": True, "is_member": True}, "channel C0PRIVATE is archived"),
        ("C0GENERAL", {}, "the app is no member of C0GENERAL"),
        ("#general", {}, "the app is in no channel #general"),
    ],
)
def test_who_asks_for_the_channel_is_told_what_keeps_messages_from_it(
    lab: RunningSlack, channel: str, change: dict[str, bool], said: str
) -> None:
    lab.change_channel("C0PRIVATE", name="secret-changes", **change)
    if not said:
        assert slack(lab, channel).channel_id() in {"C0INFRA", "C0PRIVATE"}
        return
    with pytest.raises(SlackError) as caught:
        slack(lab, channel).channel_id()
    assert said in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("channel", ["#infra-changes", "C0INFRA"])
def test_without_the_scopes_of_private_channels_a_public_one_is_found_all_the_same(channel: str) -> None:
    with running_slack(SlackLabConfig(scopes=("chat:write", "channels:read"))) as lab:
        assert slack(lab, channel).channel_id() == "C0INFRA"
    with running_slack(SlackLabConfig(scopes=("chat:write",))) as lab:
        assert slack(lab, "C0INFRA").channel_id() == "C0INFRA"


def test_no_list_of_all_channels_is_read(lab: RunningSlack, outbox: Outbox) -> None:
    lab.fault(method="conversations.list", error="fatal_error")
    outbox.add("board", Message(text="board", files=(FILE,)))
    client = slack(lab)
    assert outbox.deliver(client).error is None
    assert client.channel_id() == "C0INFRA"


def test_a_file_is_seen_to_arrive_and_one_that_does_not_goes_up_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SHARED_AFTER", (0.0, 0.0))
    with running_slack(SlackLabConfig(share_delay=0)) as lab:
        lab.fault(method="share")
        outbox.add("board", Message(text="board", files=(FILE,)))
        delivery = outbox.deliver(slack(lab))
        assert delivery.error is not None
        assert delivery.error.message == "Slack has plan.txt, but does not show it in the channel"
        assert delivery.waiting == ("board/plan.txt",)
        assert outbox.deliver(slack(lab)).waiting == ()
        assert [reply["files"][0]["name"] for reply in lab.messages()[0]["replies"]] == ["plan.txt"]


def test_a_file_that_only_comes_late_is_not_uploaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "SHARED_AFTER", (0.0,))
    now = [1_800_000_000.0]
    with running_slack(SlackLabConfig(share_delay=60), clock=lambda: now[0]) as lab:
        outbox = Outbox(RunStore(tmp_path, "run-1"), CREDENTIAL)
        outbox.add("board", Message(text="board", files=(FILE,)))
        assert outbox.deliver(slack(lab)).waiting == ("board/plan.txt",)
        now[0] += 61
        assert outbox.deliver(slack(lab)).waiting == ()
        assert len(lab.messages()[0]["replies"]) == 1


def test_who_may_not_look_believes_that_a_file_is_shown(tmp_path: Path) -> None:
    with running_slack(SlackLabConfig(scopes=("chat:write", "files:write"), share_delay=3600)) as lab:
        outbox = Outbox(RunStore(tmp_path, "run-1"), CREDENTIAL)
        outbox.add("board", Message(text="board", files=(FILE,)))
        assert outbox.deliver(slack(lab)).waiting == ()


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """Takes connections, and says nothing."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/", taken
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in taken:
                one.close()


@pytest.mark.parametrize("webhook", [False, True])
def test_a_slack_that_keeps_silent_is_waited_for_once_a_delivery_and_long_only_the_first_time(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, webhook: bool
) -> None:
    monkeypatch.setattr(adapter, "TIMEOUT", 0.2)
    monkeypatch.setattr(adapter, "HURRIED", 0.1)
    with silent_server() as (url, taken):
        outbox.add("board", BOARD)
        outbox.add_update("board", BOARD)
        outbox.add("plan", Message(text="plan", files=(FILE,)), thread="board")
        for deliveries in (1, 2, 3):
            client = Slack("", "", webhook=url) if webhook else Slack(CREDENTIAL, "#infra-changes", url)
            delivery = outbox.deliver(client)
            assert delivery.error is not None
            assert "did not answer in time" in delivery.error.message
            assert delivery.sent == ()
            # One connection each: neither the SDK nor the outbox asks again.
            assert len(taken) == deliveries


def test_once_slack_was_silent_the_run_waits_less(lab: RunningSlack) -> None:
    client = slack(lab)
    client.resume(Thread(silent=True))
    assert {client._web.timeout, client._poster.timeout, client._webhook.timeout} == {adapter.HURRIED}
    assert adapter.HURRIED < adapter.TIMEOUT == 15
