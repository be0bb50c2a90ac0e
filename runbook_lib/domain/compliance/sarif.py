"""What other tools found, read from their SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib.errors import InputError
from runbook_lib.models.findings import Action, Finding, Severity, Source, Verdict

from ..strict_json import read_json

__all__ = ["findings_from_sarif"]

_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW}
# What the tool has not decided is of the kinds `open` and `review`; so is taken what no version of SARIF knows.
_NO_FINDING = ("pass", "informational", "notApplicable")
_REMEDY = "Let the tool write SARIF 2.1.0 again, or remove the file."


def findings_from_sarif(text: str | bytes, name: str, actions: Mapping[str, Action]) -> tuple[Finding, ...]:
    """The results of every run in one SARIF file; `actions` says by tool (in small letters) what they do.

    A run that the tool did not end well is an unknown one. InputError for what is no SARIF.
    """
    data = read_json(text, name)
    runs = data.get("runs") if isinstance(data, Mapping) else None
    if not isinstance(runs, list):
        raise InputError(f"{name} is no SARIF: it has no runs", _REMEDY)
    return tuple(finding for run in runs for finding in _of_run(_mapping(run), name, actions))


def _of_run(run: Mapping[str, Any], name: str, actions: Mapping[str, Action]) -> Iterator[Finding]:
    driver = _mapping(_mapping(run.get("tool")).get("driver"))
    tool = str(driver.get("name") or "unknown tool").strip().lower()
    rules = {str(_mapping(rule).get("id")): _mapping(rule) for rule in _list(driver.get("rules"))}
    action = actions.get(tool, Action.WARN)
    results = run.get("results")
    if not isinstance(results, list | None):
        raise InputError(f"{name} is no SARIF: the results of {tool} are no list", _REMEDY)
    if results is None or _failed(run):
        yield _unfinished(tool, action)
    for result in map(_mapping, results or ()):
        verdict = _verdict(result)
        if verdict is not Verdict.PASSED and not _suppressed(result):
            yield _finding(result, tool, rules, action).model_copy(update={"verdict": verdict})


def _failed(run: Mapping[str, Any]) -> bool:
    return any(_mapping(each).get("executionSuccessful") is False for each in _list(run.get("invocations")))


def _verdict(result: Mapping[str, Any]) -> Verdict:
    kind = result.get("kind") or "fail"
    if kind in _NO_FINDING or (kind == "fail" and result.get("level") == "none"):
        return Verdict.PASSED
    return Verdict.FAILED if kind == "fail" else Verdict.UNKNOWN


def _suppressed(result: Mapping[str, Any]) -> bool:
    """Whether it is, and nobody still looks at that or has refused it."""
    found = [_mapping(each).get("status") for each in _list(result.get("suppressions"))]
    return bool(found) and all(status in (None, "accepted") for status in found)


def _unfinished(tool: str, action: Action) -> Finding:
    return Finding(
        policy="unfinished",
        verdict=Verdict.UNKNOWN,
        severity=Severity.HIGH,
        address="",
        message=f"{tool} did not end well: what it would have found is not known",
        remedy=f"See what {tool} says of its failure, and let it write SARIF 2.1.0 again.",
        action=action,
        tool=tool,
    )


def _finding(result: Mapping[str, Any], tool: str, rules: Mapping[str, Mapping[str, Any]], action: Action) -> Finding:
    policy = str(result.get("ruleId") or "unnamed")
    rule = rules.get(policy, {})
    source, address = _location(result)
    level = result.get("level") or _mapping(rule.get("defaultConfiguration")).get("level") or "warning"
    help_uri = rule.get("helpUri")
    return Finding(
        policy=policy,
        verdict=Verdict.FAILED,
        severity=_LEVELS.get(str(level), Severity.MEDIUM),
        address=address,
        message=str(_mapping(result.get("message")).get("text") or policy).strip(),
        remedy=f"See {help_uri}" if isinstance(help_uri, str) else f"See what {tool} says of {policy}.",
        source=source,
        action=action,
        tool=tool,
    )


def _location(result: Mapping[str, Any]) -> tuple[Source | None, str]:
    for location in map(_mapping, _list(result.get("locations"))):
        physical = _mapping(location.get("physicalLocation"))
        file = _mapping(physical.get("artifactLocation")).get("uri")
        line = _mapping(physical.get("region")).get("startLine")
        names = [_mapping(logical).get("fullyQualifiedName") for logical in _list(location.get("logicalLocations"))]
        address = next((name for name in names if isinstance(name, str)), "")
        if isinstance(file, str):
            number = line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else 1
            return Source(file=file, line=number), address or file
        if address:
            return None, address
    return None, ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
