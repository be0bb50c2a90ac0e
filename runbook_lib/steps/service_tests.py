"""The service tests: every member of the public group is asked over HTTP, from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..adapters.http import run_tests
from ..domain.services import expand, parse_shard, report, shard, untested
from ..errors import ConfigError, InputError
from ..models.base import Step
from ..models.config import ServiceConfig
from ..models.services import ServiceReport, ServiceTest
from ..report.formats_services import services_csv, services_junit
from ..report.result_view import ResultView
from ..settings import Settings
from .clients import aws_client, terraform_client
from .context import StepContext, open_step, recorded
from .preflight import Check, CheckResult, preflight

__all__ = ["Asked", "check_ready", "decide", "find_tests", "service_group", "start", "test_services"]


@dataclass(frozen=True)
class Asked:
    """Whom to ask, and the services for which there is nobody, with the reason."""

    tests: tuple[ServiceTest, ...]
    untested: Mapping[str, str]


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step(Step.SERVICE_TESTS, run_id, stack)
