"""What a run tells: pure functions from models to Slack messages."""

from __future__ import annotations

from .approval import apply_began, approval_request, decision
from .board import Told, status_board
from .drift import drift_news
from .steps import failure, step_result

__all__ = [
    "Told",
    "apply_began",
    "approval_request",
    "decision",
    "drift_news",
    "failure",
    "status_board",
    "step_result",
]
