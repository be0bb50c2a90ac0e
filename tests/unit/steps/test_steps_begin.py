"""Every built-in step begins in the run that is meant, with what was kept before out of its way."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import pytest

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, UsageError
from runbook_lib.settings import Settings
from runbook_lib.steps import apply, approval, compliance, plan, service_tests, verification

STEPS = {
    "compliance": compliance,
    "plan": plan,
    "approval": approval,
    "apply": apply,
    "verification": verification,
    "service_tests": service_tests,
}


@pytest.mark.parametrize(("name", "module"), STEPS.items(), ids=STEPS)
def test_a_step_begins_in_the_run_and_the_stack_that_are_named(
    load: Callable[..., Settings], store: RunStore, name: str, module: ModuleType
) -> None:
    load()
    context = module.start("7", "access")
    assert (context.step.name, context.run.run_id, context.run.stack) == (name, "7", "access")
    with pytest.raises(UsageError, match="run 7 is of stack 'access', not 'network'"):
        module.start("7", "network")


@pytest.mark.parametrize("name", ["plan", "approval", "apply", "verification"])
def test_a_step_that_begins_no_run_goes_on_with_the_newest_by_itself(
    load: Callable[..., Settings], store: RunStore, name: str
) -> None:
    load()
    assert STEPS[name].start().run.run_id == "7"


@pytest.mark.parametrize("name", ["compliance", "service_tests"])
def test_a_step_that_may_begin_a_run_begins_one_of_the_default_stack_by_itself(
    load: Callable[..., Settings], store: RunStore, name: str
) -> None:
    load()
    run = STEPS[name].start().run
    assert (run.stack, run.runbook) == ("access", "change")
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", run.run_id)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_up_to_apply_begins_again_in_a_run_whose_apply_began(
    load: Callable[..., Settings], store: RunStore, name: str
) -> None:
    load()
    store.write_json("04_apply/began.json", {})
    kept = store.write_text(store.file(name, "result.json"), "as it was")
    if name in {"verification", "service_tests"}:
        assert STEPS[name].start("7", "access").run.run_id == "7"
        return
    with pytest.raises(ApprovalError, match="run 7 was applied, or its apply began"):
        STEPS[name].start("7", "access")
    assert kept.read_text() == "as it was"
