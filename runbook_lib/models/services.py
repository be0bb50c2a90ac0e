"""What the service tests asked, and what came back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from .base import Model, Outcome

__all__ = ["Member", "ServiceAnswer", "ServiceReport", "ServiceResult", "ServiceTest"]


class Member(Model):
    """One network interface in a group. `id` is what it belongs to: an instance, a load balancer, or itself.

    `address` is its public address, empty if it has none.
    """

    id: str
    kind: str
    address: str = ""
    private_address: str = ""
    name: str = ""


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


class ServiceAnswer(Model):
    """What came back: the status and the body as far as it was read; `truncated` if there was more."""

    status: int
    body: bytes = b""
    charset: str = "utf-8"
    truncated: bool = False


class ServiceResult(Model):
    """What one service test found. `seconds` is the last attempt's duration; `error` is empty if it passed."""

    test: ServiceTest
    passed: bool
    status: int | None = None
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""
    at: datetime


class ServiceReport(Model):
    """The model of results.json. `untested` names the services for which nothing could be asked, with the reason.

    Against a baseline, `regressions` and `fixed` are the tests whose verdict changed, and `gone` those of the
    baseline that this run does not have; each as `name address`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/service-report/v1"] = Field(default="runbook/service-report/v1", alias="schema")
    outcome: Outcome
    summary: str
    results: tuple[ServiceResult, ...] = ()
    untested: dict[str, str] = {}
    regressions: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
