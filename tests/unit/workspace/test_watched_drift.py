"""A look at the drift beside the look before: what is new or gone is told once, and one issue a stack remembers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from step_fakes import NOW, FakeSlack, answering

from runbook_lib.adapters.gitlab_data import GitLabIssue
from runbook_lib.adapters.store import RunStore
from runbook_lib.models.base import Outcome
from runbook_lib.models.drift import DriftEntry, DriftNews
from runbook_lib.models.findings import WaiverReference
from runbook_lib.models.messages import Message, Reference
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import ALWAYS, DRIFT
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.report.drift_issue import issue_body, remembered
from runbook_lib.settings import Settings
from runbook_lib.workspace import drift_watch as module
from runbook_lib.workspace.drift_watch import judge_look, keep_issue, open_issue, tell_news

STEPS = tuple(step.recorded for step in ALWAYS[DRIFT])
PAGE = "https://g.example/-/issues/"


class GitLab:
    """The bot's own project, with these issues; what becomes of them is noted."""

    def __init__(self, *issues: GitLabIssue) -> None:
        self.issues = list(issues)
        self.done: list[tuple[object, ...]] = []

    def current_user(self) -> str:
        return "bot"

    def open_issues(self, label: str) -> Sequence[GitLabIssue]:
        assert label == "runbook-drift"
        return self.issues

    def open_issue(self, title: str, body: str, label: str) -> GitLabIssue:
        self.done.append(("open", title, label))
        self.issues.append(issue(9, body, title))
        return self.issues[-1]

    def comment_issue(self, iid: int, text: str) -> None:
        self.done.append(("comment", iid, text))

    def edit_issue(self, iid: int, body: str, close: bool = False) -> None:
        self.done.append(("edit", iid, close))


def issue(iid: int, body: str = "", title: str = "Drift: stack access", author: str = "bot") -> GitLabIssue:
    return GitLabIssue(iid, title, body, author, f"{PAGE}{iid}")


Ask = Callable[..., GitLab]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Ask:
    def ask(*issues: GitLabIssue) -> GitLab:
        fake = GitLab(*issues)
        monkeypatch.setattr(module, "gitlab_client", answering(fake))
        return fake

    return ask


def stranger(subject: str) -> Difference:
    return Difference(kind=DifferenceKind.UNMANAGED, group="sg-1", rule=None, subject=subject)


Looked = Callable[..., list[StepResult]]


@pytest.fixture
def looked(settings: Settings) -> Looked:
    """A look that found these; the results of its steps."""

    def look(
        run_id: str, *found: Difference, outcome: Outcome = Outcome.BLOCKED, at: datetime = NOW, **more: object
    ) -> list[StepResult]:
        given = {"stack": "access", "runbook": DRIFT, "steps": STEPS, "pipeline_url": "https://g.example/p/1"} | more
        checks = given.pop("checks", ())
        store = RunStore(settings.outputs, run_id)
        store.write_json("run.json", Run.model_validate({"run_id": run_id, "created_at": at, **given}))
        if outcome is not Outcome.ERRORED:
            made = Verification.model_validate(
                {"outcome": outcome, "in_sync": 3, "differences": found, "checks": checks}
            )
            store.write_json(store.file("verification", "verification.json"), made)
        return [
            StepResult(
                run_id=run_id, step="verification", stack="access", outcome=outcome, summary=f"Run {run_id} looked.",
                started_at=at, finished_at=at,
            )
        ]  # fmt: skip

    return look


def test_the_first_look_finds_all_new(settings: Settings, looked: Looked) -> None:
    news = judge_look(settings, "access", looked("1", stranger("one"), checks=["A check fails"]))
    first, check = news.new
    assert "sg-1: one: " in first.text
    assert (check.key, check.text) == ("A check fails", "A check fails")
    assert (news.gone, news.same, news.issue) == ((), (), "")
    assert (news.stack, news.run_id, news.outcome) == ("access", "1", Outcome.BLOCKED)
    assert (news.summary, news.pipeline_url) == ("Run 1 looked.", "https://g.example/p/1")


def test_without_gitlab_the_newest_look_before_this_is_what_it_is_beside(settings: Settings, looked: Looked) -> None:
    hour = timedelta(hours=1)
    looked("older", stranger("one"), at=NOW - 3 * hour)
    looked("last", stranger("one"), stranger("two"), at=NOW - hour)
    # None of these is the last look: another stack's, a change, one that found nothing out, and one that came later.
    looked("network", stranger("three"), stack="network")
    looked("change", runbook="change")
    looked("errored", outcome=Outcome.ERRORED)
    looked("later", stranger("three"), at=NOW + 2 * hour)
    news = judge_look(settings, "access", looked("now", stranger("one"), stranger("three"), at=NOW + hour))
    found = [[entry.text for entry in entries] for entries in (news.new, news.gone, news.same)]
    assert [len(texts) for texts in found] == [1, 1, 1]
    for (text,), subject in zip(found, ("three", "two", "one"), strict=True):
        assert f"sg-1: {subject}: " in text


def test_what_somebody_answers_for_is_no_news(settings: Settings, looked: Looked) -> None:
    accepted = WaiverReference(owner="alex", reason="Known.", expires="2027-01-01")
    known = stranger("known").model_copy(update={"accepted": accepted})
    news = judge_look(settings, "access", looked("1", known, stranger("one")))
    (only,) = news.entries
    assert "sg-1: one: " in only.text


def test_a_secret_is_in_no_entry(settings: Settings, looked: Looked) -> None:
    settings.redactor.add(["correct-horse-battery"])
    (only,) = judge_look(settings, "access", looked("1", stranger("correct-horse-battery"))).new
    assert "correct-horse-battery" not in only.text


def test_with_gitlab_the_issue_remembers_whatever_folders_are_here(
    settings: Settings, looked: Looked, asking: Ask
) -> None:
    before = judge_look(settings, "access", looked("1", stranger("one"), stranger("two")))
    body = issue_body(before, remember=before.entries)
    asking(issue(3, body, author="riley"), issue(4, body, "Drift: stack network"), issue(5, body))
    news = judge_look(settings, "access", looked("2", stranger("two"), stranger("three"), at=NOW + timedelta(hours=1)))
    assert news.issue == f"{PAGE}5"
    assert (news.gone, news.same) == (before.new[:1], before.new[1:])
    assert "sg-1: three: " in news.new[0].text


@pytest.mark.parametrize("other", [{"author": "riley"}, {"title": "Drift: stack network"}])
def test_another_s_issue_is_no_memory(settings: Settings, looked: Looked, asking: Ask, other: dict[str, str]) -> None:
    before = judge_look(settings, "access", looked("1", stranger("one")))
    asking(issue(3, issue_body(before, remember=before.entries), **other))
    news = judge_look(settings, "access", looked("2", stranger("one"), at=NOW + timedelta(hours=1)))
    assert (news.issue, news.same) == ("", ())
    assert news.new == before.new


def test_a_look_that_failed_says_why_and_nothing_of_what_differs(
    settings: Settings, looked: Looked, asking: Ask
) -> None:
    asking(issue(5))
    news = judge_look(settings, "access", looked("1", outcome=Outcome.ERRORED))
    assert (news.outcome, news.entries, news.issue) == (Outcome.ERRORED, (), "")
    assert (news.summary, news.pipeline_url) == ("Run 1 looked.", "https://g.example/p/1")
    # One step that failed is enough, though another left what it found.
    (failed,) = looked("2", outcome=Outcome.ERRORED)
    (done,) = looked("2", stranger("one"))
    assert judge_look(settings, "access", [failed, done]).outcome is Outcome.ERRORED


def test_the_first_step_that_stops_says_how_the_look_ended(settings: Settings, looked: Looked) -> None:
    (blocked,) = looked("1", stranger("one"))
    passed = blocked.model_copy(update={"outcome": Outcome.PASSED})
    assert judge_look(settings, "access", [blocked, passed]).outcome is Outcome.BLOCKED
    assert judge_look(settings, "access", [passed]).outcome is Outcome.PASSED


ONE, TWO, THREE = (DriftEntry(key=name, text=f"{name} differs") for name in ("one", "two", "three"))


def news(**found: object) -> DriftNews:
    given = {"stack": "access", "run_id": "1", "outcome": Outcome.BLOCKED, "summary": "It differs."}
    return DriftNews.model_validate(given | found)


def test_an_issue_is_opened_for_what_differs_and_has_none(settings: Settings, asking: Ask) -> None:
    gitlab = asking()
    told = open_issue(settings, news(new=(ONE,)))
    assert told.issue == f"{PAGE}9"
    assert gitlab.done == [("open", "Drift: stack access", "runbook-drift")]
    # What was not told yet is not remembered: the next look tells it.
    assert "`one differs`" in gitlab.issues[0].body
    assert remembered(gitlab.issues[0].body, "access") == ()


def test_none_is_opened_where_there_is_one_or_nothing_differs(
    settings: Settings, asking: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab = asking()
    for known in (news(new=(ONE,), issue=f"{PAGE}5"), news(gone=(ONE,))):
        assert open_issue(settings, known) == known
    assert gitlab.done == []
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    assert open_issue(settings, news(new=(ONE,))).issue == ""


@pytest.mark.parametrize(
    ("found", "comment", "closes"),
    [
        ({"new": (ONE,)}, "", False),
        ({"new": (ONE,), "same": (TWO,)}, "**New**\n\n- `one differs`", False),
        ({"gone": (ONE,), "same": (TWO,)}, "**Gone**\n\n- `one differs`", False),
        ({"gone": (ONE,)}, "**Gone**\n\n- `one differs`\n\nNothing differs any more.", True),
        ({}, "\n\nNothing differs any more.", True),
    ],
)
def test_what_changed_is_commented_on_and_what_agrees_again_closes_the_issue(
    settings: Settings, asking: Ask, found: dict[str, object], comment: str, closes: bool
) -> None:
    gitlab = asking(issue(4, author="riley"), issue(5))
    keep_issue(settings, news(**found))
    assert gitlab.done == [*([("comment", 5, comment)] if comment else []), ("edit", 5, closes)]


def test_an_issue_that_says_so_already_is_left_alone(settings: Settings, asking: Ask) -> None:
    same = news(same=(ONE,))
    gitlab = asking(issue(5, issue_body(same, remember=(ONE,))))
    keep_issue(settings, same)
    assert gitlab.done == []


def test_what_is_not_known_leaves_the_issue_as_it_is(settings: Settings, asking: Ask) -> None:
    gitlab = asking(issue(5))
    keep_issue(settings, news(outcome=Outcome.ERRORED))
    assert gitlab.done == []
    asking()
    keep_issue(settings, news(new=(ONE,)))


@pytest.mark.parametrize(
    ("found", "tells"),
    [
        ({"new": (ONE,)}, True),
        ({"gone": (ONE,)}, True),
        ({"outcome": Outcome.ERRORED}, True),
        ({"same": (ONE,)}, False),
        ({}, False),
    ],
)
def test_the_channel_hears_what_is_new_gone_or_not_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, found: dict[str, object], tells: bool
) -> None:
    told: list[tuple[str, str]] = []

    class Channel(FakeSlack):
        def post(
            self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = ""
        ) -> Reference:
            told.append((message.text.partition(":")[0], key))
            return super().post(message, thread_ts, broadcast, key)

    def channel(given: Settings, stack: str) -> FakeSlack:
        assert (given, stack) == (settings, "access")
        return Channel()

    monkeypatch.setattr(module, "messenger", channel)
    assert tell_news(settings, news(**found)) is tells
    # A job that is repeated tells it once: by its key.
    assert told == ([("access", "drift:access:1")] if tells else [])


def test_without_a_channel_nothing_was_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "messenger", answering(None))
    assert tell_news(settings, news(new=(ONE,))) is False
