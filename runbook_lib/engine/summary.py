"""The summary of a run, for the end of a log."""

from __future__ import annotations

from .sequence import SequenceSummary

__all__ = ["summary_text"]


def summary_text(summary: SequenceSummary) -> str:
    """One line a step, then one for the run."""
    lines = []
    for result in summary.results:
        seconds = (result.finished_at - result.started_at).total_seconds()
        time = "unchanged" if result.step in summary.resumed else f"{seconds:.1f} s"
        lines.append(f"{result.step:<14} {result.outcome.upper():<12} {time:>10}  {result.summary}")
    total = (summary.finished_at - summary.started_at).total_seconds()
    run = summary.results[0].run_id if summary.results else ""
    return "\n".join([*lines, f"run {run} {summary.outcome.upper()} after {total:.1f} s".replace("  ", " ")])
