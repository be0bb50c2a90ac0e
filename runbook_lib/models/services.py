"""What the service tests asked, and what came back."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import ConfigDict, Field

from .base import Model, Outcome
from .service_config import Expect, ServiceConfig, ServiceKind

__all__ = [
    "UNFINISHED",
    "Certificate",
    "Member",
    "ServiceAnswer",
    "ServiceHistory",
    "ServiceReport",
    "ServiceResult",
    "ServiceRun",
    "ServiceTest",
]

# The causes of a result that says nothing of the service: it was not asked to the end.
UNFINISHED: Final = frozenset({"deadline", "interrupted"})


class Member(Model):
    """One network interface in a group. `id` is what it belongs to: an instance, a load balancer, or itself.

    `address` is its public address, empty if it has none; `ipv6` are its IPv6 addresses, which are public.
    """

    id: str
    kind: str
    address: str = ""
    private_address: str = ""
    ipv6: tuple[str, ...] = ()
    name: str = ""


class ServiceTest(Model):
    """One question to one address. `timeout` in seconds.

    `address` is where it goes, an address or a host's name; `url` says what is asked, with the name that is asked for.
    `of_change` is what the change did to this port, `opened` or `closed`, where that is why it is tested.
    """

    name: str
    address: str
    url: str
    member: str = ""
    member_id: str = ""
    kind: ServiceKind = "http"
    expect: Expect = "answer"
    method: str = "GET"
    status: int | str = 200
    contains: str = ""
    timeout: float = 5.0
    attempts: int = 3
    of_change: str = ""
    # All that is asked and wanted, shared by the tests of a service. It is in runbook.yml, and in no result.
    service: ServiceConfig | None = Field(default=None, exclude=True, repr=False)


class Certificate(Model):
    """A server's certificate as it showed it; `untrusted` says why its chain is not believed, empty if it is.

    `unchecked` says why nobody could tell: no handshake in which a chain is checked came about.
    """

    subject: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    untrusted: str = ""
    unchecked: str = ""
    older_version: str = ""


class ServiceAnswer(Model):
    """What came back: the status and the body as far as it was read; `truncated` if there was more.

    `location` is the absolute target of a redirect that was not followed, `undecodable` names a content coding that
    nobody here knows, `version` is HTTP's (`1.1`, `2`) or TLS's (`1.3`), `at` when the answer
    was there.
    """

    status: int = 0
    body: bytes = b""
    charset: str = "utf-8"
    truncated: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    location: str = ""
    undecodable: str = ""
    version: str = ""
    certificate: Certificate | None = None
    records: tuple[str, ...] = ()
    at: datetime | None = None


class ServiceResult(Model):
    """What one service test found. `seconds` is the last attempt's duration; `error` is empty if it passed.

    `cause` names in one word how it failed, the same for all kinds; `attempts` counts those that were sent.
    `before` is how it did in the baseline.
    """

    test: ServiceTest
    passed: bool
    status: int | None = None
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""
    cause: str = ""
    at: datetime
    before: Literal["", "passed", "failed"] = ""


class ServiceReport(Model):
    """The model of results.json. `untested` names the services for which nothing could be asked, with the reason.

    Against a baseline, `regressions`, `fixed` and `still_failing` are the tests whose verdict changed or did not, and
    `gone` those of the baseline that this run does not have; each as `name address`. `unknowable` is what the change
    does that can't be seen from where the run stands, with the reason. `complete` is false of what an interrupt or the
    deadline left. `part` is the shard (`2/3`), and `no_baseline` says why there is none where one was to be taken.
    `trend` counts the failures of the last runs, this one last; `flapping` are tests that come and go.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/service-report/v1"] = Field(default="runbook/service-report/v1", alias="schema")
    outcome: Outcome
    summary: str
    results: tuple[ServiceResult, ...] = ()
    untested: dict[str, str] = {}
    regressions: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    still_failing: tuple[str, ...] = ()
    still_passing: int = 0
    gone: tuple[str, ...] = ()
    unknowable: dict[str, str] = {}
    complete: bool = True
    part: str = ""
    no_baseline: str = ""
    trend: tuple[int, ...] = ()
    flapping: tuple[str, ...] = ()


class ServiceRun(Model):
    """What is remembered of one run: how many failed, and who, each as `name address`."""

    at: datetime
    tests: int
    failed: int
    failing: tuple[str, ...] = ()


class ServiceHistory(Model):
    """The last runs, oldest first. It is told, and decides nothing: whoever changes it changes no verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/service-history/v1"] = Field(default="runbook/service-history/v1", alias="schema")
    runs: tuple[ServiceRun, ...] = ()
