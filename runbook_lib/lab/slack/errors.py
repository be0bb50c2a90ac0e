"""How Slack says no."""

from __future__ import annotations

from typing import Any

__all__ = ["RateLimitedError", "SlackRefusal"]


class SlackRefusal(Exception):  # noqa: N818 - not an error of the lab: it is the answer that the caller gets
    """An answer `{"ok": false, "error": code}` with whatever else the method tells."""

    def __init__(self, code: str, *details: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.body: dict[str, Any] = {"ok": False, "error": code, **extra}
        if details:
            self.body["errors"] = list(details)
            self.body["response_metadata"] = {"messages": [f"[ERROR] {detail}" for detail in details]}


class RateLimitedError(Exception):
    """The answer 429; `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after
