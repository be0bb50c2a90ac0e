"""What one person approved alone is listed and told of until two others, who may, have looked at it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from step_fakes import answering

from runbook_lib.adapters.gitlab_data import GitLabIssue, GitLabNote
from runbook_lib.errors import ApprovalError, ChatError, ConfigError, GitLabError, UsageError
from runbook_lib.models.messages import Message
from runbook_lib.settings import Settings
from runbook_lib.workspace import reviews as module
from runbook_lib.workspace.reviews import open_reviews, review_run, reviewers_of, tell_open_reviews

PAGE = "https://g.example/-/issues/"
SEEN = "runbook: reviewed run {}"


class GitLab:
    """The project's issues, each with who commented on it, as `user` sees and writes them."""

    def __init__(self, user: str = "alex") -> None:
        self.user = user
        self.has_token = True
        self.error: GitLabError | None = None
        self.opened: list[GitLabIssue] = []
        self.notes: dict[int, list[GitLabNote]] = {}
        self.closed: list[int] = []

    def alone(self, run_id: str, stack: str, *looked: str, by: str = "olga", body: str = "") -> None:
        """One more issue: this run was approved alone, and these have looked."""
        iid = len(self.opened) + 1
        said = body or f"runbook: alone approved plan {'d' * 64} of run {run_id} of stack {stack}\n\nReason: fire"
        self.opened.append(GitLabIssue(iid, f"Review: run {run_id}", said, by, f"{PAGE}{iid}"))
        self.notes[iid] = [self._note(name, SEEN.format(run_id)) for name in looked]

    def current_user(self) -> str:
        return self.user

    def issues(self, label: str) -> tuple[GitLabIssue, ...]:
        assert label == "runbook-break-glass"
        if self.error:
            raise self.error
        return tuple(self.opened)

    def issue_notes(self, iid: int) -> tuple[GitLabNote, ...]:
        return tuple(self.notes[iid])

    def comment_issue(self, iid: int, text: str) -> None:
        self.notes[iid].append(self._note(self.user, text))

    def edit_issue(self, iid: int, body: str, close: bool = False) -> None:
        assert (body, close) == (self.opened[iid - 1].body, True)
        self.closed.append(iid)

    def _note(self, author: str, text: str) -> GitLabNote:
        return GitLabNote(author, text, None, False, PAGE)  # type: ignore[arg-type]


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> GitLab:
    fake = GitLab()
    monkeypatch.setattr(module, "gitlab_client", answering(fake))
    return fake


Told = list[tuple[str, Message]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What was posted, and to which stack's channel."""
    posted: Told = []

    class Chat:
        def __init__(self, stack: str) -> None:
            self.stack = stack

        def post(self, message: Message) -> None:
            posted.append((self.stack, message))

    def chat(settings: Settings, stack: str) -> Chat:
        assert isinstance(settings, Settings)
        return Chat(stack)

    monkeypatch.setattr(module, "messenger", chat)
    return posted


def approving(settings: Settings, **given: object) -> Settings:
    approval = settings.config.approval.model_copy(update=given)
    settings.config = settings.config.model_copy(update={"approval": approval})
    return settings


def refused(ask: Callable[[], object]) -> tuple[type[Exception], str, str]:
    with pytest.raises((ApprovalError, ConfigError, UsageError)) as caught:
        ask()
    return type(caught.value), caught.value.message, caught.value.remedy


def test_whoever_may_approve_in_any_group_may_review(load: Callable[..., Settings]) -> None:
    settings = load()
    groups = {"network": ("robin", "alex")}
    assert reviewers_of(approving(settings, groups=groups), "access") == ("alex", "sam", "robin")
    # A stack that runbook.yml has no longer, or that the issue no longer names, is looked at by those of all.
    assert reviewers_of(settings, "gone") == reviewers_of(settings, "") == ("alex", "sam", "robin")


def test_a_review_is_open_until_two_have_looked_who_may(settings: Settings, gitlab: GitLab) -> None:
    gitlab.alone("1", "access")
    gitlab.alone("2", "access", "alex")
    gitlab.alone("3", "access", "Alex", "sam")
    gitlab.alone("4", "access", "alex", "riley")
    gitlab.alone("5", "network", "sam")
    assert [review.run_id for review in open_reviews(settings)] == ["1", "2", "4", "5"]
    assert [review.run_id for review in open_reviews(settings, "network")] == ["5"]
    assert open_reviews(settings, "elsewhere") == ()


def test_an_issue_that_no_longer_names_its_run_is_an_open_review_of_any_stack(
    settings: Settings, gitlab: GitLab
) -> None:
    gitlab.alone("1", "access", body="Nothing to see.")
    assert [(one.run_id, one.stack, one.url) for one in open_reviews(settings, "network")] == [("", "", f"{PAGE}1")]


def test_without_a_token_that_reads_issues_none_is_known(
    settings: Settings, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab.alone("1", "access")
    gitlab.has_token = False
    assert open_reviews(settings) == ()
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    assert open_reviews(settings) == ()


def test_issues_that_can_not_be_read_matter_only_where_somebody_may_approve_alone(
    load: Callable[..., Settings], gitlab: GitLab
) -> None:
    settings = load()
    gitlab.error = GitLabError("HTTP 403", "Turn issues on.")
    assert open_reviews(settings) == ()
    with pytest.raises(GitLabError, match="HTTP 403"):
        open_reviews(approving(settings, break_glass=("olga",)))


def test_the_second_who_looks_closes_the_issue(settings: Settings, gitlab: GitLab) -> None:
    gitlab.alone("1", "access")
    gitlab.alone("2", "access")
    review, done = review_run(settings, "2", "It was right.")
    assert (review.run_id, review.reviewers, done, gitlab.closed) == ("2", ("alex",), False, [])
    assert gitlab.notes[2][0].body == "runbook: reviewed run 2\n\nIt was right."
    gitlab.user = "sam"
    review, done = review_run(settings, "2", "")
    assert (review.reviewers, done, gitlab.closed) == (("alex", "sam"), True, [2])
    assert gitlab.notes[1] == []


def test_who_may_not_review_is_told_who_may_and_nothing_is_written(settings: Settings, gitlab: GitLab) -> None:
    gitlab.alone("1", "access", by="sam")
    for user, why in (("sam", "approved it alone"), ("riley", "is no approver")):
        gitlab.user = user
        assert refused(lambda: review_run(settings, "1", "")) == (
            ApprovalError,
            f"{user} {why}, and can't review it",
            "Two of these can: alex, sam.",
        )
    assert gitlab.notes[1] == []


def test_a_run_that_nobody_approved_alone_has_no_review(settings: Settings, gitlab: GitLab) -> None:
    gitlab.alone("1", "access")
    assert refused(lambda: review_run(settings, "2", "")) == (
        UsageError,
        "nobody approved run 2 alone, so there is nothing to review",
        "Look for its id.",
    )


@pytest.mark.parametrize("has_token", [None, False], ids=["no GitLab", "a job token"])
def test_without_a_token_of_one_s_own_nobody_says_who_looked(
    settings: Settings, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, has_token: bool | None
) -> None:
    gitlab.alone("1", "access")
    gitlab.has_token = False
    if has_token is None:
        monkeypatch.setattr(module, "gitlab_client", answering(None))
    assert refused(lambda: review_run(settings, "1", "")) == (
        ConfigError,
        "there is no GITLAB_TOKEN to say who looked",
        "Set your own, with the scope api.",
    )


def test_each_stack_s_channel_hears_of_the_reviews_that_are_open(
    settings: Settings, gitlab: GitLab, told: Told
) -> None:
    gitlab.alone("1", "access", "alex", "riley")
    gitlab.alone("2", "network", "alex", "sam")
    gitlab.alone("3", "gone")
    gitlab.alone("4", "access", body="Nothing to see.")
    sentences = (
        "olga approved run 1 of access alone; 2 others must look at it, and alex and riley have.",
        "olga approved run 3 of gone alone; 2 others must look at it, and nobody has.",
        "olga approved a run that its issue no longer names alone; 2 others must look at it, and nobody has.",
    )
    assert tell_open_reviews(settings) == sentences
    # A stack that is not there any more has no channel of its own.
    assert [(stack, message.text) for stack, message in told] == [
        (stack, f"A review is open: {sentence} {PAGE}{iid}")
        for stack, iid, sentence in zip(("access", "", ""), (1, 3, 4), sentences, strict=True)
    ]


def test_a_channel_that_takes_nothing_keeps_no_other_stack_s_from_hearing(
    settings: Settings, gitlab: GitLab, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = module.messenger

    def chat(settings: Settings, stack: str) -> object:
        if stack == "access":
            return Archived()
        return heard(settings, stack)

    class Archived:
        def post(self, message: Message) -> None:
            raise ChatError("channel #access is archived", "Unarchive it.")

    monkeypatch.setattr(module, "messenger", chat)
    gitlab.alone("1", "access")
    gitlab.alone("2", "gone")
    with pytest.raises(ChatError, match="channel #access is archived"):
        tell_open_reviews(settings)
    assert [message.text.partition(" approved ")[2].partition(" alone")[0] for _, message in told] == ["run 2 of gone"]


def test_without_a_channel_the_sentences_are_given_back_all_the_same(
    settings: Settings, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "messenger", answering(None))
    gitlab.alone("1", "access")
    assert tell_open_reviews(settings) == (
        "olga approved run 1 of access alone; 2 others must look at it, and nobody has.",
    )
