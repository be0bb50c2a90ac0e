"""What other tools found, read from their SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runbook_lib.errors import InputError
from runbook_lib.models.findings import Action, Finding, Severity, Source, Verdict

from ..strict_json import read_json

__all__ = ["findings_from_sarif"]

_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW}
_REMEDY = "Let the tool write SARIF 2.1.0 again, or remove the file."


def findings_from_sarif(text: str | bytes, name: str, actions: Mapping[str, Action]) -> tuple[Finding, ...]:
    """The results of every run in one SARIF file; `actions` says by tool (in small letters) what they do."""
    data = read_json(text, name)
    runs = data.get("runs") if isinstance(data, Mapping) else None
    if not isinstance(runs, list):
        raise InputError(f"{name} is no SARIF: it has no runs", _REMEDY)
    return tuple(finding for run in runs for finding in _of_run(_mapping(run), actions))


def _of_run(run: Mapping[str, Any], actions: Mapping[str, Action]) -> Iterator[Finding]:
    driver = _mapping(_mapping(run.get("tool")).get("driver"))
    tool = str(driver.get("name") or "unknown tool").strip().lower()
    rules = {str(_mapping(rule).get("id")): _mapping(rule) for rule in _list(driver.get("rules"))}
    for result in map(_mapping, _list(run.get("results"))):
        if result.get("kind", "fail") == "fail" and result.get("level") != "none" and not result.get("suppressions"):
            yield _finding(result, tool, rules, actions.get(tool, Action.WARN))


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
