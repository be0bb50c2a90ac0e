"""JUnit XML of the service tests: whatever a name or a reason holds, it can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from runbook_lib.domain.services import Listed, report
from runbook_lib.models.services import ServiceResult, ServiceTest
from runbook_lib.report.service_formats import services_junit

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ODD = "a\x01\x1b]\ud800<&"


def test_no_name_and_no_reason_makes_it_unreadable() -> None:
    test = ServiceTest(name=ODD, address="203.0.113.1", url=f"http://{ODD}/")
    failed = ServiceResult(test=test, passed=False, error=ODD, cause="status", at=NOW)
    given = report([failed], listed=Listed(untested={ODD: ODD}, unknowable={ODD: ODD}))
    asked, nobody, skipped = ElementTree.fromstring(services_junit(given).encode())
    shown = "a\ufffd\ufffd]\ufffd<&"
    assert (asked.get("classname"), asked.get("name"), asked[0].text) == (shown, f"http://{shown}/", shown)
    assert (nobody.get("classname"), nobody[0].get("message"), nobody[0].text) == (shown, shown, shown)
    assert (skipped.get("name"), skipped[0].get("message")) == (shown, f"can't be known from here: {shown}")
