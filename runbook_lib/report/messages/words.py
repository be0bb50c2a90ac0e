"""The words and signs that all messages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...models.base import Outcome
from ...models.findings import Action, Finding, Severity, Verdict
from ...models.messages import MessageFile
from .text import clean, code, line

__all__ = ["SIGNS", "attached", "blocking", "finding_line", "merged_findings", "sorted_findings", "waiver_line"]

SIGNS = {
    Outcome.PASSED: ":white_check_mark:",
    Outcome.WARNED: ":warning:",
    Outcome.BLOCKED: ":no_entry:",
    Outcome.ERRORED: ":x:",
    Outcome.SKIPPED: ":fast_forward:",
    Outcome.INTERRUPTED: ":octagonal_sign:",
}
_FINDING_SIGNS = {Action.BLOCK: ":no_entry:", Action.APPROVE: ":lock:", Action.WARN: ":warning:"}
_FILE_TITLES = {
    "compliance.txt": "Compliance report",
    "plan.txt": "Terraform plan",
    "apply.txt": "Terraform apply",
}


def blocking(finding: Finding) -> bool:
    """Whether this finding alone stops a run."""
    return finding.action is Action.BLOCK and finding.verdict in {Verdict.FAILED, Verdict.UNKNOWN}


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """What a reader must see first: what failed before what can't be told, blocking ones first, then by severity."""
    severities = list(Severity)

    def order(f: Finding) -> tuple[bool, bool, int, str, str]:
        return f.verdict is Verdict.UNKNOWN, not blocking(f), severities.index(f.severity), f.policy, f.address

    return sorted(findings, key=order)


def merged_findings(findings: Iterable[Finding]) -> list[tuple[Finding, int]]:
    """The first of all that say the same of different places, with their number; in the order of `sorted_findings`."""
    found: dict[tuple[object, ...], list[Finding]] = {}
    for f in sorted_findings(findings):
        found.setdefault((f.policy, f.verdict, f.action, f.severity, f.message.replace(f.address, "")), []).append(f)
    return [(same[0], len(same)) for same in found.values()]


def finding_line(finding: Finding, many: int = 1) -> str:
    """One finding on one line, with its remedy, and in how many places it is."""
    unsure = " (can't be told before apply)" if finding.verdict is Verdict.UNKNOWN else ""
    where = f" in {code(finding.address)}" if finding.address else ""
    where += f" and {many - 1} more" if many > 1 else ""
    remedy = f" _{line(finding.remedy, 200)}_" if finding.remedy else ""
    head = f"{_FINDING_SIGNS[finding.action]} *{finding.severity.value}* {code(finding.policy, 80)}{where}"
    return f"{head}: {line(finding.message, 250)}{unsure}{remedy}"


def waiver_line(finding: Finding) -> str:
    """One accepted finding: who answers for it, why, until when."""
    waiver = finding.waiver
    who = f"{line(waiver.owner, 60)} until {line(waiver.expires, 20)}: {line(waiver.reason, 200)}" if waiver else ""
    return f":busts_in_silhouette: {code(finding.policy, 80)} in {code(finding.address)}, accepted by {who or 'nobody'}"


def attached(texts: Mapping[str, str] | None) -> list[MessageFile]:
    """Texts by path as files to upload, empty ones left out."""
    files = []
    for path, content in (texts or {}).items():
        title = clean(path).rpartition("/")[2]
        # The whole path makes the name: two steps may write files of the same name.
        name = clean(path).replace("/", "-")
        if content.strip():
            files.append(MessageFile(name=name, title=_FILE_TITLES.get(title, title), content=clean(content)))
    return files
