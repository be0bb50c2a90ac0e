"""Each step's reply in the thread, and the word to the channel when a run stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...models.findings import Verdict
from ...models.messages import Message
from ...models.results import StepResult
from ...models.run import Run
from .blocks import Block, actions, bullets, compose, context, header, link_button, section
from .board import run_line
from .text import code, duration, line, plural, prose
from .words import SIGNS, attached, blocking, finding_line, sorted_findings, waiver_line

__all__ = ["failure", "step_result"]

MOST = 8
NAMED = 5


def step_result(
    run: Run,
    result: StepResult,
    texts: Mapping[str, str] | None = None,
    resources: Sequence[Mapping[str, str]] = (),
) -> Message:
    """What one step found. `texts` are long texts by path, to be uploaded beside the message.

    `resources` are what became of those that an apply was to change.
    """
    took = duration(result.finished_at - result.started_at)
    title = f"{SIGNS[result.outcome]} *{line(run.title(result.step), 60)} {result.outcome.value}*"
    body = [section(f"{title}\n{prose(result.summary)}"), *_reasons(result), *_carried_out(result, resources)]
    body += _findings(result)
    small = context(f"Took {took}", *_measures(result.metrics, result.summary))
    return compose(_plain(run, result), body, [small], attached(texts))


def failure(run: Run, result: StepResult, resources: Sequence[Mapping[str, str]] = ()) -> Message:
    """That the run stopped: what failed, why, what to do, how far an apply came, and where to look."""
    step = line(run.title(result.step).lower(), 60)
    title = f"{SIGNS[result.outcome]} {line(run.stack, 50)}: {step} {result.outcome.value}"
    body = [header(title), section(f"*What happened*\n{prose(result.summary)}"), *_reasons(result)]
    body += [*_carried_out(result, resources), *_findings(result)]
    tail = [*actions(link_button("Open the pipeline", run.pipeline_url, "danger")), context(*run_line(run))]
    return compose(_plain(run, result), body, tail)


def _plain(run: Run, result: StepResult) -> str:
    return f"{run.stack}: {run.title(result.step).lower()} {result.outcome.value}: {result.summary} (run {run.run_id})"


def _reasons(result: StepResult) -> list[Block]:
    error = result.error
    if error is None:
        return []
    blocks = [] if error.message == result.summary else [section(f"*Why*\n{prose(error.message)}")]
    if error.remedy:
        blocks.append(section(f"*What to do*\n{prose(error.remedy)}"))
    return blocks


def _carried_out(result: StepResult, resources: Sequence[Mapping[str, str]]) -> list[Block]:
    if not (resources and result.outcome.stops):
        return []
    # What needs a look comes first, and what to do is said once for all that are alike.
    kinds: dict[tuple[str, str], list[str]] = {}
    for one in resources:
        named = f"{code(one.get('address', ''))} ({line(one.get('action', ''), 20)})"
        kinds.setdefault((one.get("status", ""), one.get("next", "")), []).append(named)
    return [section(f"*How far it came*\n{bullets([_kind(*kind, named) for kind, named in kinds.items()], MOST)}")]


def _kind(status: str, what_to_do: str, named: Sequence[str]) -> str:
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    todo = f"\n      {line(what_to_do)}" if what_to_do else ""
    return f"• {len(named)} {line(status, 20)}: {', '.join(named[:NAMED])}{more}{todo}"


def _findings(result: StepResult) -> list[Block]:
    listed = sorted_findings(f for f in result.findings if f.verdict is not Verdict.PASSED)
    waived = [f for f in listed if f.verdict is Verdict.WAIVED]
    found = [f for f in listed if f.verdict is not Verdict.WAIVED]
    blocks = []
    if found:
        stops = sum(map(blocking, found))
        said = f"{plural(len(found), 'finding')}, {stops} blocking" if stops else plural(len(found), "finding")
        blocks.append(section(f"*{said}*\n{bullets([finding_line(f) for f in found], MOST)}"))
    if waived:
        said = plural(len(waived), "waiver") + " in force"
        blocks.append(section(f"*{said}*\n{bullets([waiver_line(f) for f in waived], MOST)}"))
    return blocks


def _measures(metrics: Mapping[str, Any], summary: str) -> list[str]:
    # A metric that the summary already says word for word would only be said twice.
    shown = [(name, _value(name, value)) for name, value in metrics.items() if str(value) not in summary]
    return [f"{line(name.replace('_', ' '), 40)}: {value}" for name, value in shown if value][:MOST]


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, str) and value:
        return code(value[:12] if name.endswith("sha256") else value, 80)
    return ""
