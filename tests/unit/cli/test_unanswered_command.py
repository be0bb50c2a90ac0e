"""`runbook unanswered` tells of runs and of reviews, and of neither only because the other could be told."""

from __future__ import annotations

import pytest

from runbook_lib.cli.unanswered import unanswered
from runbook_lib.errors import ChatError
from runbook_lib.settings import Settings


def test_a_run_that_could_not_be_told_keeps_no_open_review_from_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def runs(settings: object) -> tuple[str, ...]:
        raise ChatError("channel #access is archived", "Unarchive it.")

    def reviews(settings: object) -> tuple[str, ...]:
        told.append("reviews")
        return ()

    monkeypatch.setattr(Settings, "load", lambda: None)
    monkeypatch.setattr("runbook_lib.workspace.unanswered.tell_unanswered", runs)
    monkeypatch.setattr("runbook_lib.workspace.reviews.tell_open_reviews", reviews)
    with pytest.raises(ChatError, match="channel #access is archived"):
        unanswered()
    assert told == ["reviews"]
