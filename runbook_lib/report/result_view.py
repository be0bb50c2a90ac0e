"""A step's decision as a notebook shows it: the result's own MIME type, a coloured line, and plain text."""

from __future__ import annotations

from html import escape
from typing import Any

from ..models.base import Outcome
from ..models.results import RESULT_MIME, StepResult

__all__ = ["ResultView"]

COLOURS = {
    Outcome.PASSED: "#1a7f37",
    Outcome.WARNED: "#9a6700",
    Outcome.BLOCKED: "#cf222e",
    Outcome.ERRORED: "#8250df",
    Outcome.SKIPPED: "#57606a",
    Outcome.INTERRUPTED: "#57606a",
}


class ResultView:
    """Shows a StepResult, which is its `result`."""

    def __init__(self, result: StepResult) -> None:
        self.result = result

    def __repr__(self) -> str:
        return f"{self.result.outcome.upper()}: {self.result.summary}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            # The findings are in result.json, and in a table above.
            RESULT_MIME: self.result.model_dump(mode="json", exclude={"findings"}),
            "text/html": self._html(),
            "text/plain": repr(self),
        }

    def _html(self) -> str:
        result, colour = self.result, COLOURS[self.result.outcome]
        compared = escape(str(result.metrics.get("compared_with", "")))
        seconds = (result.finished_at - result.started_at).total_seconds()
        return (
            f'<div style="border-left:6px solid {colour};padding:.6em 1em;margin:.4em 0;background:{colour}11">'
            f'<strong style="background:{colour};color:#fff;border-radius:4px;padding:1px 7px;letter-spacing:.05em">'
            f"{escape(result.outcome.upper())}</strong> "
            f"{escape(result.summary)}"
            f'<div style="opacity:.8;font-size:90%;margin-top:.3em">{escape(result.step)} · run '
            f"{escape(result.run_id)} · stack {escape(result.stack)} · {seconds:.1f} s · "
            f"{len(result.artifacts)} artifacts{f'<br>{compared}' if compared else ''}</div></div>"
        )
