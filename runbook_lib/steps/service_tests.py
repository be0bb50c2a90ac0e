"""The service tests: every member of the public group is asked over HTTP, from outside."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.services import judge
from ..models.base import Step
from ..models.services import ServiceResult, ServiceTest
from ..report.result_view import ResultView
from .context import StepContext, open_step, recorded
from .preflight import Check, CheckResult, preflight

__all__ = ["check_ready", "decide", "find_tests", "start", "test_services"]
