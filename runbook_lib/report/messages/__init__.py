"""What a run tells: pure functions from models to Slack messages."""

from __future__ import annotations

from .approval import apply_began, approval_request, decision, request_closed, request_superseded
from .board import Told, status_board
from .drift import drift_news, open_review
from .endings import access_ends
from .steps import failure, step_result

__all__ = [
    "Told",
    "access_ends",
    "apply_began",
    "approval_request",
    "decision",
    "drift_news",
    "failure",
    "open_review",
    "request_closed",
    "request_superseded",
    "status_board",
    "step_result",
]
