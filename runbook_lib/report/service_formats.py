"""Service-test results as other programs read them: JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from ..models.services import ServiceReport

__all__ = ["services_junit"]


def services_junit(report: ServiceReport) -> str:
    """One test case a service and address; a service of which nothing could be asked is an error, not a pass."""
    suite = ElementTree.Element("testsuite", name="service tests")
    for result in report.results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=result.test.name, name=result.test.url, time=f"{result.seconds:.3f}"
        )
        if not result.passed:
            ElementTree.SubElement(case, "failure", message=result.error).text = result.error
    for name, reason in report.untested.items():
        case = ElementTree.SubElement(suite, "testcase", classname=name, name="nothing was asked", time="0")
        ElementTree.SubElement(case, "error", message=reason).text = reason
    failures = sum(not result.passed for result in report.results)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("errors", str(len(report.untested)))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
