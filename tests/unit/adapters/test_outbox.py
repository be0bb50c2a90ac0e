"""Messages are sent in order, once, and none is lost whenever the process dies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.adapters.outbox import Delivery, Outbox
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ChatError, ChatSilentError, MessageDoubtedError, MessageRefusedError
from runbook_lib.models.messages import Message, MessageFile, Reference, Thread

CREDENTIAL = "xoxb-of-this-run"
BOARD = Message(text="board", blocks=({"type": "divider"},))
REPLY = Message(text="reply")
DOWN = ChatError("Slack can't be reached", "Check the network.")


class Killed(BaseException):
    """The process dies here."""


class FakeSlack:
    """A Slack that keeps what it takes, and fails on demand: `troubles` come one a call, None being none."""

    channel = "#infra-changes"

    def __init__(self, *troubles: BaseException | None, lose_answers: bool = False) -> None:
        self.resumed: list[Thread] = []
        self.gone: set[str] = set()
        self.posted: list[tuple[str, str | None, str]] = []
        self.blocks: list[int] = []
        self.files: list[tuple[str, str | None]] = []
        self.updated: list[tuple[str, str]] = []
        self.broadcasts: list[bool] = []
        self._troubles = list(troubles)
        self._lose_answers = lose_answers

    def _trouble(self) -> None:
        trouble = self._troubles.pop(0) if self._troubles else None
        if trouble:
            raise trouble

    def resume(self, thread: Thread) -> None:
        self.resumed.append(thread)

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        if not self._lose_answers:
            self._trouble()
        if key not in [k for _, _, k in self.posted]:
            self.posted.append((message.text, thread_ts, key))
            self.blocks.append(len(message.blocks))
            self.broadcasts.append(broadcast)
        if self._lose_answers:
            self._trouble()
        return self._reference(len(self.posted))

    def _reference(self, number: int) -> Reference:
        thread = self.posted[number - 1][1] or ""
        return Reference(channel="C1", ts=str(number), thread="" if thread in self.gone else thread)

    def update(self, reference: Reference, message: Message) -> Reference:
        self._trouble()
        if reference.ts in self.gone:
            raise MessageRefusedError("gone", code="message_not_found", instead="anew")
        self.updated.append((reference.ts, message.text))
        return reference

    def upload(self, name: str, content: str, title: str = "", thread_ts: str | None = None) -> None:
        self.files.append((name, thread_ts))
        self._trouble()

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        keys = [k for _, _, k in self.posted]
        return self._reference(keys.index(key) + 1) if key in keys else None

    def has_file(self, name: str, thread_ts: str | None = None) -> bool:
        return (name, thread_ts) in self.files

    @property
    def texts(self) -> list[str]:
        return [text for text, _, _ in self.posted]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path, "run-1")


@pytest.fixture
def outbox(store: RunStore) -> Outbox:
    return Outbox(store, CREDENTIAL)


def files_left(store: RunStore) -> list[str]:
    return sorted(path.name for path in store.path("outbox").glob("*.json"))


def test_messages_go_out_in_order_and_replies_find_their_thread(outbox: Outbox, store: RunStore) -> None:
    slack = FakeSlack()
    outbox.add("board", BOARD)
    outbox.add("plan", REPLY, thread="board", broadcast=True)
    delivery = outbox.deliver(slack)
    assert delivery.sent == ("board", "plan")
    assert [(text, thread) for text, thread, _ in slack.posted] == [("board", None), ("reply", "1")]
    assert slack.broadcasts == [False, True]
    assert outbox.references["plan"].ts == "2"
    assert files_left(store) == []


def test_message_that_could_not_be_sent_goes_out_with_the_next_step(outbox: Outbox) -> None:
    slack = FakeSlack(DOWN)
    outbox.add("board", BOARD)
    outbox.add("plan", REPLY, thread="board")
    first = outbox.deliver(slack)
    assert (first.error, first.sent, first.waiting) == (DOWN, (), ("board", "plan"))
    outbox.add("apply", REPLY, thread="board")
    assert outbox.deliver(slack).sent == ("board", "plan", "apply")
    assert [thread for _, thread, _ in slack.posted] == [None, "1", "1"]


def test_without_slack_everything_waits(outbox: Outbox) -> None:
    outbox.add("board", BOARD)
    delivery = outbox.deliver(None)
    assert (delivery.waiting, delivery.error) == (("board",), None)


def test_key_that_is_known_is_told_once(outbox: Outbox) -> None:
    slack = FakeSlack()
    for _ in range(2):
        outbox.add("board", BOARD)
        outbox.add("board", BOARD)
        outbox.deliver(slack)
    assert slack.texts == ["board"]


def test_two_outboxes_on_one_folder_are_the_same(outbox: Outbox, store: RunStore) -> None:
    outbox.add("board", BOARD)
    slack = FakeSlack()
    Outbox(store, CREDENTIAL).deliver(slack)
    assert outbox.deliver(slack).sent == ()
    assert slack.texts == ["board"]


@pytest.mark.parametrize("lose_answers", [False, True])
def test_process_killed_while_sending_loses_and_repeats_nothing(outbox: Outbox, lose_answers: bool) -> None:
    slack = FakeSlack(Killed(), lose_answers=lose_answers)
    outbox.add("board", BOARD)
    with pytest.raises(Killed):
        outbox.deliver(slack)
    outbox.deliver(slack)
    assert slack.texts == ["board"]
    assert outbox.references["board"].ts == "1"


def test_process_killed_between_record_and_deletion_repeats_nothing(outbox: Outbox, store: RunStore) -> None:
    slack = FakeSlack()
    outbox.add("board", BOARD)
    queued = store.path("outbox") / files_left(store)[0]
    content = queued.read_text()
    outbox.deliver(slack)
    queued.write_text(content)
    assert outbox.deliver(slack).waiting == ()
    assert slack.texts == ["board"]


def test_process_killed_between_any_two_writes_leaves_no_file_that_is_nobodys(
    outbox: Outbox, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack, write = FakeSlack(), RunStore.write_bytes
    # Each write that adding and sending take, in turn, is the last that the process makes.
    for kept in range(1, 8):
        left = [kept]

        def killed_after(self: RunStore, relative: str, data: bytes, left: list[int] = left) -> Path:
            path = write(self, relative, data)
            left[0] -= 1
            if not left[0]:
                raise Killed
            return path

        monkeypatch.setattr(RunStore, "write_bytes", killed_after)
        try:
            outbox.add("board", BOARD)
            outbox.add(f"reply-{kept}", REPLY, thread="board")
            outbox.deliver(slack)
        except Killed:
            pass
        monkeypatch.setattr(RunStore, "write_bytes", write)
        outbox.add(f"reply-{kept}", REPLY, thread="board")
        assert Outbox(store, CREDENTIAL).deliver(slack).refused == ()
    assert slack.texts == ["board", *["reply"] * 7]
    assert {thread for _, thread, _ in slack.posted[1:]} == {"1"}


def test_file_goes_up_after_its_message_and_once(outbox: Outbox) -> None:
    message = Message(text="plan", files=(MessageFile(name="plan.txt", title="Plan", content="+ x"),))
    slack = FakeSlack()
    outbox.add("board", BOARD)
    outbox.add("plan", message, thread="board")
    outbox.deliver(slack)
    outbox.add("plan", message, thread="board")
    outbox.deliver(slack)
    assert slack.files == [("plan.txt", "1")]


def test_file_whose_upload_ended_unknown_is_looked_for(outbox: Outbox) -> None:
    slack = FakeSlack(None, DOWN)
    outbox.add("plan", Message(text="plan", files=(MessageFile(name="plan.txt", title="Plan", content="+ x"),)))
    assert outbox.deliver(slack).waiting == ("plan/plan.txt",)
    assert outbox.deliver(slack).waiting == ()
    assert len(slack.files) == 1


def test_file_that_cannot_be_uploaded_holds_no_message_up(outbox: Outbox) -> None:
    slack = FakeSlack(None, DOWN)
    outbox.add("plan", Message(text="plan", files=(MessageFile(name="plan.txt", title="Plan", content="+ x"),)))
    outbox.add("request", REPLY)
    delivery = outbox.deliver(slack)
    assert (delivery.sent, delivery.waiting, delivery.error) == (("plan", "request"), ("plan/plan.txt",), DOWN)


def test_update_that_waits_is_replaced_by_the_newer_one(outbox: Outbox) -> None:
    slack = FakeSlack()
    outbox.add("board", BOARD)
    outbox.deliver(slack)
    outbox.add_update("board", Message(text="old"))
    outbox.add_update("board", Message(text="new"))
    outbox.deliver(slack)
    assert slack.updated == [("1", "new")]


def test_update_that_fails_waits_for_the_next_step(outbox: Outbox) -> None:
    slack = FakeSlack(None, DOWN)
    outbox.add("board", BOARD)
    outbox.add_update("board", Message(text="new"))
    assert outbox.deliver(slack).waiting == ("board",)
    assert outbox.deliver(slack).waiting == ()
    assert slack.updated == [("1", "new")]


def test_refused_blocks_are_sent_as_text(outbox: Outbox) -> None:
    slack = FakeSlack(MessageRefusedError("no", code="msg_blocks_too_long", instead="text"))
    outbox.add("board", BOARD)
    assert outbox.deliver(slack).sent == ("board",)
    assert (slack.texts, slack.blocks) == (["board"], [0])


def test_reply_whose_thread_was_deleted_goes_to_the_channel(outbox: Outbox) -> None:
    slack = FakeSlack(None, MessageRefusedError("gone", code="thread_not_found", instead="thread"))
    outbox.add("board", BOARD)
    outbox.add("failure", REPLY, thread="board")
    outbox.deliver(slack)
    assert [(text, thread) for text, thread, _ in slack.posted] == [("board", None), ("reply", None)]


def test_message_that_slack_never_takes_is_set_aside_and_stops_nothing(outbox: Outbox, store: RunStore) -> None:
    slack = FakeSlack(MessageRefusedError("no", code="no_text"))
    outbox.add("empty", Message(text=""))
    outbox.add("plan", REPLY)
    delivery = outbox.deliver(slack)
    assert (delivery.refused, delivery.sent, delivery.waiting) == (("empty",), ("plan",), ())
    assert delivery.error is not None
    assert "empty" not in outbox.references
    assert [path.name for path in store.path("outbox/refused").iterdir()] == ["000001-empty-post.json"]


def test_secrets_are_masked_in_what_waits(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "run-1", lambda text: text.replace("hunter2", "***"))
    Outbox(store).add("board", Message(text="the password is hunter2"))
    assert "hunter2" not in (store.path("outbox") / files_left(store)[0]).read_text()


@settings(deadline=None, max_examples=40)  # the disk is flushed for each message
@given(st.lists(st.sampled_from(["ok", "down", "killed", "answer lost"]), max_size=12))
def test_whatever_happens_each_message_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, fates: list[str]
) -> None:
    outbox = Outbox(RunStore(tmp_path_factory.mktemp("runs"), "run-1"), CREDENTIAL)
    slack = FakeSlack()
    for number, fate in enumerate(fates):
        outbox.add(f"m{number}", Message(text=f"m{number}"), thread="m0" if number else "")
        slack._troubles = {"ok": [], "down": [DOWN]}.get(fate, [Killed()])
        slack._lose_answers = fate == "answer lost"
        try:
            outbox.deliver(slack)
        except Killed:
            continue
    slack._troubles = []
    outbox.deliver(slack)
    assert slack.texts == [f"m{number}" for number in range(len(fates))]
    assert outbox.waiting == ()


def test_a_message_that_somebody_else_put_there_is_set_aside_and_never_sent(outbox: Outbox, store: RunStore) -> None:
    slack = FakeSlack()
    # Whoever can write to the folder, and does not hold the chat's credential.
    Outbox(store, "xoxb-guessed").add("decision", Message(text="Approved by alex"))
    Outbox(store).add("other", Message(text="Approved by sam"))
    outbox.add("board", BOARD)
    delivery = outbox.deliver(slack)
    assert slack.texts == ["board"]
    assert (delivery.sent, sorted(delivery.refused)) == (("board",), ["decision", "other"])
    assert delivery.error is not None
    assert "outbox/000001-decision-post.json was put there by nobody who may tell" in delivery.error.message
    assert len(list(store.path("outbox/refused").glob("*.json"))) == 2


JUNK = {
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "another model": b'{"key": 1}',
    "a mark that is no digest": '{"key": "a", "kind": "post", "mark": "\u00e9"}'.encode(),
}


@pytest.mark.parametrize(
    ("content", "credential"),
    [*((content, CREDENTIAL) for content in JUNK.values()), (b"{", "")],
    ids=[*JUNK, "no JSON, without a credential"],
)
def test_what_is_no_message_is_set_aside_and_keeps_nothing_from_being_told(
    store: RunStore, content: bytes, credential: str
) -> None:
    outbox, slack = Outbox(store, credential), FakeSlack()
    store.write_bytes("outbox/000001-x-post.json", content)
    store.write_bytes("outbox/9.json", content)  # nothing of ours is named so
    outbox.add("board", BOARD)
    outbox.add_update("board", BOARD)
    delivery = outbox.deliver(slack)
    assert (slack.texts, delivery.sent, delivery.waiting) == (["board"], ("board", "board"), ())
    assert delivery.error is not None
    assert "outbox/000001-x-post.json was put there by nobody" in delivery.error.message
    assert store.exists("outbox/refused/000001-x-post.json")


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK)
def test_a_ledger_that_is_none_keeps_nothing_from_being_told(outbox: Outbox, store: RunStore, content: bytes) -> None:
    store.write_bytes("slack.json", content)
    outbox.add("board", BOARD)
    assert outbox.deliver(FakeSlack()).sent == ("board",)
    assert set(outbox.references) == {"board"}


def test_a_link_in_the_outbox_is_set_aside_and_not_what_it_leads_to(outbox: Outbox, store: RunStore) -> None:
    store.write_json("run.json", {})
    (store.dir / "outbox").mkdir()
    (store.dir / "outbox/000001-a-post.json").symlink_to("../run.json")
    (store.dir / "outbox/000002-b-post.json").symlink_to("/etc/hostname")
    assert len(outbox.deliver(FakeSlack()).refused) == 2
    assert store.exists("run.json")
    assert files_left(store) == []


def test_what_another_process_has_sent_meanwhile_is_nothing_to_send(outbox: Outbox, store: RunStore) -> None:
    class Other(FakeSlack):
        def post(
            self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = ""
        ) -> Reference:
            for path in store.path("outbox").glob("000002*"):
                path.unlink()
            return super().post(message, thread_ts, broadcast, key)

    outbox.add("board", BOARD)
    outbox.add("reply", REPLY, thread="board")
    slack = Other()
    assert (outbox.deliver(slack), slack.texts) == (Delivery(sent=("board",)), ["board"])


def test_what_was_sent_and_what_waits_is_known_and_what_somebody_else_put_there_is_not(
    outbox: Outbox, store: RunStore
) -> None:
    outbox.add("board", BOARD)
    outbox.deliver(FakeSlack())
    Outbox(store, "xoxb-guessed").add("request", Message(text="asked by another"))
    outbox.add("reply", REPLY, thread="board")
    outbox.add_file("reply/plan.txt", MessageFile(name="plan.txt", title="Plan", content="+ a"), "board")
    outbox.add_update("board", BOARD)
    assert outbox.known == ("board", "reply")


def test_a_message_of_another_run_is_not_sent_in_this_one(outbox: Outbox, store: RunStore, tmp_path: Path) -> None:
    other = RunStore(tmp_path, "run-2")
    Outbox(other, CREDENTIAL).add("decision", Message(text="Approved by alex"))
    (entry,) = other.path("outbox").glob("*.json")
    store.write_bytes(f"outbox/{entry.name}", entry.read_bytes())
    slack = FakeSlack()
    assert (outbox.deliver(slack).refused, slack.texts) == (("decision",), [])


def test_a_ledger_that_somebody_else_wrote_keeps_no_message_from_being_sent(outbox: Outbox, store: RunStore) -> None:
    store.write_json("slack.json", {"messages": {"request": {"channel": "C1", "ts": "1"}}})
    slack = FakeSlack()
    outbox.add("request", Message(text="approval needed"))
    assert (outbox.deliver(slack).sent, slack.texts) == (("request",), ["approval needed"])


def test_a_secret_in_a_message_does_not_make_it_somebody_else_s(tmp_path: Path) -> None:
    store = RunStore(tmp_path, "run-1", lambda text: text.replace("hunter2", "[MASKED]"))
    outbox, slack = Outbox(store, CREDENTIAL), FakeSlack()
    outbox.add("board", Message(text="the password is hunter2"))
    assert (outbox.deliver(slack).sent, slack.texts) == (("board",), ["the password is [MASKED]"])


def test_a_board_that_was_deleted_is_posted_anew_and_what_is_told_next_finds_its_thread(outbox: Outbox) -> None:
    slack = FakeSlack()
    outbox.add("board", BOARD)
    outbox.deliver(slack)
    slack.gone.add("1")
    outbox.add_update("board", Message(text="renewed"))
    outbox.add("plan", REPLY, thread="board")
    assert outbox.deliver(slack).waiting == ()
    assert [(text, thread) for text, thread, _ in slack.posted[1:]] == [("renewed", None), ("reply", "2")]
    assert outbox.references["board"].ts == "2"


def test_a_reply_that_found_no_thread_ends_it_and_the_next_board_begins_another(outbox: Outbox) -> None:
    slack = FakeSlack()
    outbox.add("board", BOARD)
    outbox.deliver(slack)
    slack.gone.add("1")
    outbox.add("plan", REPLY, thread="board")
    outbox.deliver(slack)
    assert "board" not in outbox.references
    outbox.add("board", BOARD)
    outbox.add("apply", REPLY, thread="board")
    outbox.deliver(slack)
    assert [thread for _, thread, _ in slack.posted] == [None, "1", None, "3"]


def test_a_channel_without_threads_keeps_its_board(outbox: Outbox) -> None:
    slack = FakeSlack(None, MessageRefusedError("no replies", instead="channel"))
    outbox.add("board", BOARD)
    outbox.add("plan", REPLY, thread="board", broadcast=True)
    assert outbox.deliver(slack).error is None
    assert [thread for _, thread, _ in slack.posted] == [None, None]
    assert slack.broadcasts == [False, False]
    assert "board" in outbox.references


def test_a_message_that_may_bear_no_mark_is_sent_without(outbox: Outbox) -> None:
    slack = FakeSlack(MessageRefusedError("no metadata", instead="unmarked"))
    outbox.add("board", BOARD)
    assert outbox.deliver(slack).sent == ("board",)
    assert [key for _, _, key in slack.posted] == [""]


@pytest.mark.parametrize("instead", ["text", "unmarked", "channel", "thread", "anew", ""])
def test_what_is_refused_in_every_form_is_set_aside(outbox: Outbox, instead: str) -> None:
    slack = FakeSlack(None, *[MessageRefusedError("no", code="x", instead=instead)] * 3)
    outbox.add("board", BOARD)
    outbox.add("plan", BOARD, thread="board")
    delivery = outbox.deliver(slack)
    assert (delivery.sent, delivery.refused, delivery.waiting) == (("board",), ("plan",), ())


def test_a_word_that_nobody_explained_holds_up_no_other_message_and_is_believed_the_second_time(outbox: Outbox) -> None:
    doubt = MessageDoubtedError("Slack refused: brand_new_code")
    slack = FakeSlack(None, doubt)
    outbox.add("board", BOARD)
    outbox.add("plan", REPLY, thread="board")
    outbox.add("apply", REPLY, thread="board")
    first = outbox.deliver(slack)
    assert (first.sent, first.waiting, first.refused) == (("board", "apply"), ("plan",), ())
    slack._troubles = [doubt]
    second = outbox.deliver(slack)
    assert (second.waiting, second.refused) == ((), ("plan",))


def test_a_thread_whose_beginning_is_refused_in_an_unknown_word_waits_as_a_whole(outbox: Outbox) -> None:
    slack = FakeSlack(MessageDoubtedError("Slack refused: brand_new_code"))
    outbox.add("board", BOARD)
    outbox.add("plan", REPLY, thread="board")
    assert outbox.deliver(slack).waiting == ("board", "plan")
    assert outbox.deliver(slack).sent == ("board", "plan")


def test_a_chat_that_keeps_silent_is_asked_once_and_with_less_patience_from_then_on(outbox: Outbox) -> None:
    slack = FakeSlack(ChatSilentError("no answer"))
    outbox.add("board", BOARD)
    outbox.add("plan", REPLY, thread="board")
    outbox.deliver(slack)
    assert slack.posted == []
    outbox.deliver(slack)
    assert [thread.silent for thread in slack.resumed] == [False, True]


def test_silence_over_a_file_is_waited_for_once(outbox: Outbox) -> None:
    slack = FakeSlack(None, ChatSilentError("no answer"))
    outbox.add("plan", Message(text="plan", files=(MessageFile(name="plan.txt", title="Plan", content="+ x"),)))
    outbox.add_file("plan/more.txt", MessageFile(name="more.txt", title="More", content="x"), "plan")
    assert outbox.deliver(slack).waiting == ("plan/plan.txt", "plan/more.txt")
    assert slack.files == [("plan.txt", "1")]


def test_the_channel_that_a_message_found_is_known_to_the_next_delivery(outbox: Outbox) -> None:
    slack = FakeSlack()
    outbox.add("board", BOARD)
    outbox.deliver(slack)
    outbox.deliver(slack)
    assert [(thread.channel, thread.named) for thread in slack.resumed] == [("", ""), ("C1", "#infra-changes")]
