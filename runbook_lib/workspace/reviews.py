"""What one person approved alone, until two others have looked at it: said, listed, and told of every day."""

from __future__ import annotations

from collections.abc import Sequence

from ..adapters.approvals.gitlab_review import NEEDED, Review, close_review, review_of, reviews, say_reviewed
from ..domain.people import named
from ..errors import ApprovalError, ChatError, ConfigError, GitLabError, UsageError
from ..report import messages
from ..settings import Settings
from ..wording import join
from .clients import gitlab_client, messenger

__all__ = ["all_reviews", "open_reviews", "review_run", "reviewers_of", "tell_open_reviews"]


def reviewers_of(settings: Settings, stack: str) -> tuple[str, ...]:
    """Who may review: whoever may approve something, in any group."""
    config = settings.config
    approval = config.approval_of(stack) if stack in config.stacks else config.approval
    return approval.everybody(approval.groups)


def open_reviews(settings: Settings, stack: str = "") -> tuple[Review, ...]:
    """The reviews that are still open, of one stack or all; none without a token that reads issues."""
    try:
        found = all_reviews(settings)
    except GitLabError:
        if settings.config.approval.break_glass:
            raise
        return ()  # A project may do without issues where nobody approves alone.
    return tuple(review for review, still_open in found if stack in {"", review.stack or stack} and still_open)


def all_reviews(settings: Settings) -> tuple[tuple[Review, bool], ...]:
    """All reviews that there ever were, and whether each is still open; none without a token."""
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        return ()
    return tuple((review, review.is_open(reviewers_of(settings, review.stack))) for review in reviews(gitlab))


def review_run(settings: Settings, run_id: str, text: str) -> tuple[Review, bool]:
    """Say that whose token it is has looked at the run; the review, and whether that was enough to close it."""
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError("there is no GITLAB_TOKEN to say who looked", "Set your own, with the scope api.")
    review = review_of(gitlab, run_id)
    if review is None:
        raise UsageError(f"nobody approved run {run_id} alone, so there is nothing to review", "Look for its id.")
    user, may = gitlab.current_user(), reviewers_of(settings, review.stack)
    if user == review.user or not named(user, may):
        why = "approved it alone" if user == review.user else "is no approver"
        raise ApprovalError(f"{user} {why}, and can't review it", f"Two of these can: {', '.join(may)}.")
    review = say_reviewed(gitlab, review, text)
    done = not review.is_open(may)
    if done:
        close_review(gitlab, review)
    return review, done


def tell_open_reviews(settings: Settings) -> tuple[str, ...]:
    """Tell each stack's channel of the reviews that are open, and give back a sentence for each.

    ChatError if one could not be told, once all others were.
    """
    told, failed = [], None
    for review in open_reviews(settings):
        looked = _looked(review.reviewers)
        what = f"run {review.run_id} of {review.stack}" if review.run_id else "a run that its issue no longer names"
        sentence = f"{review.user} approved {what} alone; {NEEDED} others must look at it, and {looked}."
        chat = messenger(settings, review.stack if review.stack in settings.config.stacks else "")
        if chat is not None:
            try:
                chat.post(messages.open_review(sentence, review.url))
            except ChatError as error:
                failed = failed or error
        told.append(sentence)
    if failed:
        raise failed
    return tuple(told)


def _looked(names: Sequence[str]) -> str:
    return f"{join(names)} have" if len(names) > 1 else f"{names[0] if names else 'nobody'} has"
