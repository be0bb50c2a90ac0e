"""Service-test results as other programs read them: JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from ..models.services import UNFINISHED, ServiceReport

__all__ = ["services_junit"]


def services_junit(report: ServiceReport) -> str:
    """One test case a service and address; a service of which nothing could be asked is an error, not a pass."""
    suite = ElementTree.Element("testsuite", name="service tests")
    for result in report.results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_xml(result.test.name),
            name=_xml(result.test.url),
            time=f"{result.seconds:.3f}",
        )
        if not result.passed:
            kind = "error" if result.cause in UNFINISHED else "failure"
            ElementTree.SubElement(case, kind, message=_xml(result.error)).text = _xml(result.error)
    for name, reason in report.untested.items():
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(name), name="nothing was asked", time="0")
        ElementTree.SubElement(case, "error", message=_xml(reason)).text = _xml(reason)
    for name, reason in report.unknowable.items():
        case = ElementTree.SubElement(suite, "testcase", classname="of the change", name=_xml(name), time="0")
        ElementTree.SubElement(case, "skipped", message=_xml(f"can't be known from here: {reason}"))
    suite.set("tests", str(len(suite)))
    for name in ("failure", "error", "skipped"):
        suite.set(f"{name}s" if name != "skipped" else name, str(len(suite.findall(f"testcase/{name}"))))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    # Names and words from outside may hold characters that XML has no way to write.
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)
