"""Stacks looked at on a schedule: what is new or gone is told, and one issue a stack is open while anything differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabIssue
from ..adapters.store import RunStore
from ..domain.drift_news import drift_key, sort_news
from ..models.base import Outcome
from ..models.drift import DriftEntry, DriftNews
from ..models.results import StepResult
from ..models.run import Run
from ..models.steps import DRIFT
from ..models.verification import Verification
from ..report import messages, tables
from ..report.drift_issue import LABEL, issue_body, issue_title, news_note, remembered
from ..settings import Settings
from .clients import gitlab_client, messenger
from .runs import RUN_FILE, load_run, run_store

__all__ = ["judge_look", "keep_issue", "open_issue", "tell_news"]

VERIFICATION = "verification.json"


def judge_look(settings: Settings, stack: str, results: Sequence[StepResult]) -> DriftNews:
    """What the run of the runbook `drift` found, beside what was found by the last look.

    The last look is what the stack's open issue remembers; where there is no GitLab, the newest run folder before this.
    """
    last = results[-1]
    store = run_store(settings, last.run_id)
    run = load_run(store)
    given = {"stack": stack, "run_id": run.run_id, "summary": last.summary, "pipeline_url": run.pipeline_url}
    found = _verified(store, run)
    if found is None or any(result.outcome is Outcome.ERRORED for result in results):
        return DriftNews(**given, outcome=Outcome.ERRORED)
    gitlab = gitlab_client(settings)
    issue = _own_issue(gitlab, stack) if gitlab else None
    before = remembered(issue.body, stack) if issue else () if gitlab else _last_look(settings, stack, run)
    outcome = next((result.outcome for result in results if result.outcome.stops), last.outcome)
    new, gone, same = sort_news(before, _entries(settings, found))
    page = issue.url if issue else ""
    return DriftNews(**given, outcome=outcome, new=new, gone=gone, same=same, issue=page)


def open_issue(settings: Settings, news: DriftNews) -> DriftNews:
    """Open the stack's issue if it differs and has none; the news with the issue's page. GitLabError if it can't be.

    It remembers nothing yet: what was not told is told by the next look.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or news.issue or not news.entries:
        return news
    body = issue_body(news, remember=())
    return news.model_copy(update={"issue": gitlab.open_issue(issue_title(news.stack), body, LABEL).url})


def keep_issue(settings: Settings, news: DriftNews) -> None:
    """Let the stack's issue say and remember what differs, or close it. GitLabError if it can't be."""
    gitlab = gitlab_client(settings)
    issue = _own_issue(gitlab, news.stack) if gitlab and news.outcome is not Outcome.ERRORED else None
    if gitlab is None or issue is None:
        return
    # First the comment: if what follows fails, the next look says it again, and nothing is lost.
    if news.gone or (news.new and news.same) or not news.entries:
        gitlab.comment_issue(issue.iid, news_note(news))
    body = issue_body(news, remember=news.entries)
    if body != issue.body:
        gitlab.edit_issue(issue.iid, body, close=not news.entries)


def tell_news(settings: Settings, news: DriftNews) -> bool:
    """Tell the stack's channel what is new or gone, or that nothing could be verified; whether there was anything.

    ChatError if it could not be told.
    """
    if not (news.new or news.gone or news.outcome is Outcome.ERRORED):
        return False
    chat = messenger(settings, news.stack)
    if chat is not None:
        chat.post(messages.drift_news(news), key=f"drift:{news.stack}:{news.run_id}")
    return chat is not None


def _verified(store: RunStore, run: Run) -> Verification | None:
    path = next((store.file(step.name, VERIFICATION) for step in run.steps if step.name == "verification"), "")
    return store.read_model(path, Verification) if path and store.exists(path) else None


def _entries(settings: Settings, found: Verification) -> tuple[DriftEntry, ...]:
    told = [difference for difference in found.differences if difference.accepted is None]
    rows = tables.differences(found.model_copy(update={"differences": tuple(told)})).rows
    entries = [
        DriftEntry(key=drift_key(difference), text=settings.redactor.mask(": ".join(str(cell) for cell in row if cell)))
        for difference, row in zip(told, rows, strict=True)
    ]
    return (*entries, *(DriftEntry(key=sentence, text=sentence) for sentence in found.checks))


def _own_issue(gitlab: GitLab, stack: str) -> GitLabIssue | None:
    # What another person opened under this title is no memory of ours.
    me, title = gitlab.current_user(), issue_title(stack)
    mine: Iterable[GitLabIssue] = gitlab.open_issues(LABEL)
    return next((issue for issue in mine if (issue.author, issue.title) == (me, title)), None)


def _last_look(settings: Settings, stack: str, run: Run) -> tuple[DriftEntry, ...]:
    earlier = []
    for path in settings.outputs.glob(f"*/{RUN_FILE}"):
        store = run_store(settings, path.parent.name)
        other = load_run(store)
        if (other.stack, other.runbook) == (stack, DRIFT) and other.created_at < run.created_at:
            found = _verified(store, other)
            if found is not None:
                earlier.append((other.created_at, other.run_id, found))
    return _entries(settings, max(earlier, key=lambda each: each[:2])[2]) if earlier else ()
