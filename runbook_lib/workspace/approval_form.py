"""A form in JupyterLab that shows what is asked, and takes the answer of whoever's GITLAB_TOKEN is there."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ..errors import RunbookError, UsageError
from ..report import decision_tables
from ..settings import Settings
from .decisions import answer_request
from .records import read_request
from .runs import latest_run_id, run_store

if TYPE_CHECKING:
    from ipywidgets import VBox

__all__ = ["approval_form"]


def approval_form(run_id: str = "", stack: str = "") -> VBox:
    """What a run asks, a reason to fill in, and a button for yes and for no; the stack's newest run if none is named.

    The answer is given as `runbook approve` and `runbook reject` give it, to the very plan that is shown, and counts
    where theirs do.
    """
    try:
        from ipywidgets import HTML, Button, HBox, Textarea, VBox
    except ImportError as error:
        raise UsageError("the form needs the extra 'desk': ipywidgets is missing", "Use `runbook approve`.") from error
    settings = Settings.load()
    store = run_store(settings, run_id or latest_run_id(settings, stack))
    request = read_request(store)
    reason = Textarea(placeholder="Why; a rejection needs it", description="Reason")
    yes, no = Button(description="Approve", button_style="success"), Button(description="Reject", button_style="danger")
    said = HTML()

    def answer(approved: bool) -> None:
        if not (approved or reason.value.strip()):
            said.value = _line("The reason is empty. Say why, for who asked and for who reads the evidence.")
            return
        yes.disabled = no.disabled = True
        try:
            decision = answer_request(settings, store.run_id, request.plan_sha256, (approved, reason.value.strip()))
        except RunbookError as error:
            said.value = _line(f"{error.message}. {error.remedy}")
            yes.disabled = no.disabled = False
            return
        word = "approved" if approved else "rejected"
        said.value = _line(f"{decision.user} {word} plan {decision.plan_sha256[:12]} of run {store.run_id}.")

    yes.on_click(lambda _: answer(True))
    no.on_click(lambda _: answer(False))
    return VBox([HTML(decision_tables.request(request).html()), reason, HBox([yes, no]), said])


def _line(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
