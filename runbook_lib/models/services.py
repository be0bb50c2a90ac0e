"""What the service tests asked, and what came back."""

from __future__ import annotations

from datetime import datetime

from .base import Model

__all__ = ["ServiceResult", "ServiceTest"]


class ServiceTest(Model):
    """One request to one address. `timeout` in seconds."""

    name: str
    address: str
    url: str
    member: str = ""
    method: str = "GET"
    status: int = 200
    contains: str = ""
    timeout: float = 5.0
    attempts: int = 3


class ServiceResult(Model):
    """What one service test found. `seconds` is the last attempt's duration; `error` is empty if it passed."""

    test: ServiceTest
    passed: bool
    status: int | None = None
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""
    at: datetime
