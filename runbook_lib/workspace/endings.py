"""Temporary access looked at on a schedule: each end is told once, remembered by an issue or else by a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..adapters.atomic import write_atomic
from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabIssue
from ..adapters.hcl import read_hcl
from ..domain.endings import endings, has_expired
from ..domain.rules import groups_of_state, rules_from_hcl, rules_from_state
from ..errors import RunbookError
from ..models.approval_config import ApprovalConfig
from ..models.base import UNKNOWN
from ..models.endings import Ending, StackEndings
from ..models.rules import Rule
from ..report import messages
from ..report.ending_issue import LABEL, issue_body, issue_title, remembered
from ..settings import Settings
from ..wording import until
from .clients import enter_stack, gitlab_client, messenger, stack_config
from .states import read_state

__all__ = ["EndingMemory", "find_endings", "frees_expired", "stack_has_expired", "tell_endings"]

_FILE = "endings.json"


def find_endings(settings: Settings, stack: str, within: timedelta, now: datetime | None = None) -> tuple[Ending, ...]:
    """Those of the rules in the stack's state, each with what the stack's files say otherwise of its end."""
    document, now = _state(settings, stack), now or datetime.now(UTC)
    names = {group.id: group.name for group in groups_of_state(document) if group.name}
    found = endings(stack, rules_from_state(document) if document else (), names, (now, within))
    if not found:
        return ()
    written = _written(settings, stack)
    masked = settings.redactor.mask
    return tuple(
        one.model_copy(update={"said": masked(one.said), "written": _otherwise(one, written)}) for one in found
    )


def stack_has_expired(settings: Settings, stack: str, now: datetime | None = None) -> bool:
    """Whether the stack's state holds a rule whose end has come."""
    document = _state(settings, stack)
    return bool(document) and has_expired(rules_from_state(document), now or datetime.now(UTC))


def frees_expired(approval: ApprovalConfig, stack: str) -> bool:
    """Whether some rule of runbook.yml lets a run that only removes what has expired go on without anybody."""
    return any(not rule.needs and rule.when.closes for rule in approval.rules_of(stack))


def tell_endings(settings: Settings, found: StackEndings, pipeline_url: str = "") -> bool:
    """Tell the stack's channel what was not told before; whether there was anybody to tell. ChatError if it failed."""
    chat = messenger(settings, found.stack)
    if chat is not None and found.new:
        keys = "".join(one.key for one in found.new)
        chat.post(messages.access_ends(found, pipeline_url), key=f"endings:{found.stack}:{keys[:64]}")
    return chat is not None


@dataclass(frozen=True)
class EndingMemory:
    """What was told of a stack: an issue that is open while something ends, or a file in the folder of runs."""

    settings: Settings
    stack: str

    def known(self) -> tuple[frozenset[str], str]:
        """The keys of what was told, and the page of the issue that is open."""
        gitlab = self._gitlab()
        if gitlab is None:
            return frozenset(self._read().get(self.stack, ())), ""
        issue = self._issue(gitlab)
        return (frozenset(remembered(issue.body, self.stack)), issue.url) if issue else (frozenset(), "")

    def open(self, found: StackEndings) -> StackEndings:
        """Open the issue if there is something to say and none is open: it remembers nothing before that is told."""
        gitlab = self._gitlab()
        if gitlab is None or found.issue or not found.endings:
            return found
        opened = gitlab.open_issue(issue_title(self.stack), issue_body(found, remember=()), LABEL)
        return found.model_copy(update={"issue": opened.url})

    def keep(self, found: StackEndings) -> None:
        """Remember what stands and was told, and nothing else; the issue is closed once nothing ends."""
        gitlab, keys = self._gitlab(), tuple(one.key for one in found.endings)
        if gitlab is None:
            known = self._read()
            known.pop(self.stack, None)
            given = {**known, **({self.stack: list(keys)} if keys else {})}
            write_atomic(self._path, json.dumps(given, indent=2, sort_keys=True).encode())
            return
        issue = self._issue(gitlab)
        body = issue_body(found, remember=keys)
        if issue is not None and body != issue.body:
            gitlab.edit_issue(issue.iid, body, close=not found.endings)

    @property
    def _path(self) -> Path:
        return self.settings.outputs / _FILE

    def _gitlab(self) -> GitLab | None:
        return gitlab_client(self.settings)

    def _issue(self, gitlab: GitLab) -> GitLabIssue | None:
        # What another person opened under this title is no memory of ours.
        me, title = gitlab.current_user(), issue_title(self.stack)
        return next((one for one in gitlab.open_issues(LABEL) if (one.author, one.title) == (me, title)), None)

    def _read(self) -> dict[str, list[str]]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}  # half-written, or never: then it is told once more
        entries = found.items() if isinstance(found, dict) else ()
        return {str(stack): [str(key) for key in keys] for stack, keys in entries if isinstance(keys, list)}


def _state(settings: Settings, stack: str) -> Mapping[str, object]:
    enter_stack(settings, stack)
    return read_state(settings, stack)


def _written(settings: Settings, stack: str) -> dict[str, Rule] | None:
    """The rules that the stack's files declare, by address; None where that can't be told without Terraform."""
    config = stack_config(settings, stack)
    folder = settings.root / config.path
    try:
        module = read_hcl(folder, var_files=[folder / name for name in config.var_files], base=settings.root)
        rules = rules_from_hcl(module)
    except RunbookError:
        return None
    certain = not (module.unread or any("[*]" in rule.address for rule in rules))
    return {rule.address: rule for rule in rules} if certain else None


def _otherwise(one: Ending, written: Mapping[str, Rule] | None) -> str:
    if written is None:
        return ""
    rule = written.get(one.address)
    if rule is None:
        return "its files have it no more"
    if rule.expires in (one.expires, UNKNOWN):
        return ""
    return f"its files say {until(rule.expires) or 'no end'}, which is not applied"
