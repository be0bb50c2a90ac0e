"""The form in JupyterLab: what is shown is what is answered, and a mistake leaves it to be answered again."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError
from runbook_lib.models.approval import ApprovalRequest, Decision
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import approval_form as module
from runbook_lib.workspace.approval_form import approval_form


class Form:
    """The form's parts, by what they are for."""

    def __init__(self, form: Any) -> None:
        table, self.reason, buttons, said = form.children
        self.shown = table.value
        self.yes, self.no = buttons.children
        self._said = said

    @property
    def said(self) -> str:
        return str(self._said.value)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    given: list[tuple[Any, ...]] = []

    def take(settings: Settings, run_id: str, digest: str, answer: tuple[bool, str]) -> Decision:
        given.append((run_id, digest, answer))
        if answer[1] == "refused":
            raise ApprovalError("<b>casey</b> is no approver", "Approvers are alex.")
        return Decision(source="gitlab_comment", user="alex", approved=answer[0], at=REQUEST["at"], plan_sha256=digest)

    monkeypatch.setattr(module, "answer_request", take)
    return given


REQUEST: dict[str, Any] = {}


@pytest.fixture
def form(
    settings: Settings, store: RunStore, run: Run, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> Form:
    REQUEST["at"] = request_.created_at
    store.write_json("run.json", run)
    store.write_json("03_approval/request.json", request_)
    monkeypatch.setattr(module.Settings, "load", lambda: settings)
    return Form(approval_form(store.run_id))


def test_it_shows_the_request_and_answers_this_very_plan(
    form: Form, store: RunStore, request_: ApprovalRequest, answers: list[tuple[Any, ...]]
) -> None:
    assert request_.plan_sha256 in form.shown
    form.reason.value = " As agreed. "
    form.yes.click()
    assert answers == [(store.run_id, request_.plan_sha256, (True, "As agreed."))]
    assert form.said == f"<p>alex approved plan {request_.plan_sha256[:12]} of run {store.run_id}.</p>"
    assert (form.yes.disabled, form.no.disabled) == (True, True)


def test_a_rejection_needs_a_reason(
    form: Form, store: RunStore, request_: ApprovalRequest, answers: list[tuple[Any, ...]]
) -> None:
    form.no.click()
    assert answers == []
    assert form.said == "<p>The reason is empty. Say why, for who asked and for who reads the evidence.</p>"
    assert (form.yes.disabled, form.no.disabled) == (False, False)
    form.reason.value = "Not on a Friday."
    form.no.click()
    assert [one[2] for one in answers] == [(False, "Not on a Friday.")]
    assert form.said == f"<p>alex rejected plan {request_.plan_sha256[:12]} of run {store.run_id}.</p>"


def test_what_does_not_count_is_said_escaped_and_the_form_can_be_used_again(
    form: Form, answers: list[tuple[Any, ...]]
) -> None:
    form.reason.value = "refused"
    form.yes.click()
    assert form.said == "<p>&lt;b&gt;casey&lt;/b&gt; is no approver. Approvers are alex.</p>"
    assert (form.yes.disabled, form.no.disabled) == (False, False)


def test_without_a_run_s_name_it_is_the_stack_s_newest(form: Form, request_: ApprovalRequest) -> None:
    assert request_.plan_sha256 in Form(approval_form(stack="access")).shown
