"""Verification and service results as CSV for other programs: one value a column, names as in the JSON."""

from __future__ import annotations

import json

from ..models.rules import EXPORTED_FIELDS
from ..models.services import ServiceReport, ServiceResult
from ..models.verification import Difference, Verification
from .table import Table

__all__ = ["differences_csv", "services_csv"]

_RESULT = ("passed", "status", "seconds", "attempts", "error", "at")
_BESIDES = ("subject", "blocks", "same_access", "accepted_by")
_TEST = ("name", "address", "url", "member", "method")


def differences_csv(verification: Verification) -> str:
    """A line a difference; `fields` is JSON."""
    rows = [_difference(each) for each in verification.differences]
    return Table(("kind", "group", *EXPORTED_FIELDS, "fields", *_BESIDES), rows).csv()


def services_csv(report: ServiceReport) -> str:
    """A line a test; a service of which nothing could be asked has a line with its reason as the error."""
    rows = [_result(result) for result in report.results]
    rows += [(name, "", "", "", "", False, None, None, 0, reason, "") for name, reason in report.untested.items()]
    return Table((*_TEST, *_RESULT), rows).csv()


def _difference(difference: Difference) -> tuple[object, ...]:
    shown = difference.model_dump(mode="json")
    rule = shown["rule"] or {"address": shown["address"]}
    fields = json.dumps(shown["fields"], sort_keys=True) if shown["fields"] else ""
    rest = (shown["subject"], shown["blocks"], shown["same_access"], (shown["accepted"] or {}).get("owner", ""))
    return shown["kind"], shown["group"], *(rule.get(name) for name in EXPORTED_FIELDS), fields, *rest


def _result(result: ServiceResult) -> tuple[object, ...]:
    shown = result.model_dump(mode="json")
    return *(shown["test"][name] for name in _TEST), *(
        str(shown[name]) if name == "seconds" else shown[name] for name in _RESULT
    )
