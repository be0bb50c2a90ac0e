"""Who opened this: the runs whose applied plans touched a rule, and whether AWS has it still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..adapters.history_file import HistoryFile
from ..adapters.store import RunStore
from ..domain.blame import Asked, events, identity, is_live, may_be_of, told_apart
from ..domain.group_names import group_ids, group_names
from ..domain.open_exposures import in_order, is_believed
from ..domain.rules import is_id, rules_from_plan
from ..domain.rules.aws import rules_from_aws
from ..errors import InputError, RunbookError, UsageError
from ..models.blame import Blame, BlameAnswer, BlameKind, Live
from ..models.history import Applied, RunRow
from ..models.rules import Rule
from ..settings import Settings
from ..wording import describe_rule
from ..workspace.clients import enter_stack
from ..workspace.records import read_plan
from .history import renew_history
from .history_values import NOT_READ

__all__ = ["blame"]


def blame(settings: Settings, outputs: Path, asked: Asked, *, live: bool = True) -> BlameAnswer:
    """Look through the plans of all applied runs, the last one first; InputError if none touched what is meant.

    `live` asks AWS whether it has now what the last run left.
    """
    if not (asked.group or asked.address):
        raise UsageError("nothing is asked about", "Name --group, with --port, or --address.")
    with HistoryFile.read(renew_history(outputs, settings).path) as history:
        runs = list(reversed(in_order(history.rows(RunRow))))
    if not runs:
        raise InputError(f"no run in {outputs} was applied", "Fetch what GitLab keeps: runbook history --fetch")
    search = _Search(settings, outputs, _named_by_aws(settings, asked) if live else asked)
    for run in runs:
        search.look(run)
    if not search.found:
        more = f" ({len(search.unread)} plans could not be read: {search.unread[0]})" if search.unread else ""
        raise InputError(
            f"none of {len(runs)} applied runs touched such a rule{more}",
            "Ask runbook verify: who changes AWS by hand leaves no run.",
        )
    found = tuple(search.with_live(live))
    return BlameAnswer(found=found, unread=tuple(search.unread))


def _named_by_aws(settings: Settings, asked: Asked) -> Asked:
    # A plan that made the group knew no id of it.
    if not is_id(asked.group):
        return asked
    try:
        from ..adapters.aws import live_client

        enter_stack(settings, settings.stack_name())
        names = live_client().group_names([asked.group])
    except RunbookError:
        return asked
    return replace(asked, groups=asked.groups | set(names.values()))


@dataclass
class _Search:
    """Goes back in time; the first word found about a rule is the last that was said.

    What a run says that nobody need believe is told, and hides nothing of what the others say.
    """

    settings: Settings
    outputs: Path
    asked: Asked
    found: list[Blame] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    hearsay: dict[str, dict[str, str]] = field(default_factory=dict)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    settled: set[tuple[object, ...]] = field(default_factory=set)
    spoken_of: set[tuple[object, ...]] = field(default_factory=set)
    last: set[int] = field(default_factory=set)

    def look(self, run: RunRow) -> None:
        """See what a run's plan did."""
        store = RunStore(self.outputs, run.run_id)
        try:
            plan = read_plan(store, self.settings.environment.age_key.get_secret_value())
            # Later plans know ids that this one did not.
            held = self.names if is_believed(run) else self.hearsay
            held[run.stack] = group_names(plan) | held.get(run.stack, {})
            if is_believed(run):
                self.ids[run.stack] = group_ids(plan) | self.ids.get(run.stack, {})
            known = self._names(run.stack)
            touched = list(events(rules_from_plan(plan), known, self.asked))
        except NOT_READ as error:
            self.unread.append(f"{run.run_id}: {getattr(error, 'message', error)}")
            return
        said, spoken = set[tuple[object, ...]](), set[tuple[object, ...]]()
        for kind, rule in touched:
            key = (run.stack, *identity(rule, known))
            if key in self.settled:
                continue
            if key not in self.spoken_of:
                self.last.add(len(self.found))
            self.found.append(_blame(run, kind, rule, known))
            spoken.add(key)
            if kind is not BlameKind.ALTERED and run.applied == Applied.YES:
                said.add(key)
        if is_believed(run):
            self.settled |= said
            self.spoken_of |= spoken

    def with_live(self, wanted: bool) -> Iterable[Blame]:
        """What was found; of the last word about each rule whether it is so still."""
        asked: dict[str, tuple[list[Rule], str]] = {}
        for index, one in enumerate(self.found):
            if not wanted or index not in self.last:
                yield one
                continue
            if one.stack not in asked:
                asked[one.stack] = self._ask(one.stack)
            rules, why = asked[one.stack]
            if why:
                yield one.model_copy(update={"why": why})
                continue
            names = self._names(one.stack)
            there = is_live(one.rule, (rule for rule in rules if may_be_of(str(rule.group), _group(one), names)), names)
            yield one.model_copy(update={"live": Live.THERE if there else Live.GONE})

    def _names(self, stack: str) -> dict[str, str]:
        return told_apart(self.hearsay.get(stack, {}) | self.names.get(stack, {}), self.ids.get(stack, {}))

    def _ask(self, stack: str) -> tuple[list[Rule], str]:
        names = self._names(stack)
        mine = {_group(one) for one in self.found if one.stack == stack}
        meant = mine | {names[name].removesuffix(" (new)") for name in mine if name in names}
        ids = {name for name in (*names, *mine) if is_id(name) and (name in mine or names.get(name) in meant)}
        ids |= {self.asked.group} if is_id(self.asked.group) else set()
        if not ids:
            return [], "no plan here knows the group's id: give it with --group"
        try:
            from ..adapters.aws import live_client

            enter_stack(self.settings, stack)
            return list(rules_from_aws(live_client().rules(sorted(ids)))), ""
        except (RunbookError, KeyError) as error:
            return [], getattr(error, "message", f"runbook.yml has no stack {stack}")


def _group(one: Blame) -> str:
    return str(one.rule.group)


def _blame(run: RunRow, kind: BlameKind, rule: Rule, names: Mapping[str, str]) -> Blame:
    return Blame(
        kind=kind,
        rule=rule,
        group=names.get(str(rule.group), str(rule.group)),
        said=describe_rule(rule),
        run_id=run.run_id,
        stack=run.stack,
        at=run.applied_at or run.ended_at,
        commit=run.commit_sha,
        requester=run.requester,
        author=run.author,
        approvers=run.approvers,
        applied=run.applied,
        evidence=run.evidence,
        pipeline_url=run.pipeline_url,
    )
