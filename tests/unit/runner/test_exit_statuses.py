"""What a run ends with: 2 says that nothing was done, and is never said once apply has begun."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.errors import ConfigError, EvidenceError, RunbookError, StoreError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.runner import run as runner
from runbook_lib.runner.run import RunRequest, execute
from runbook_lib.runner.sequence import Job, exit_status
from runbook_lib.settings import Settings

Results = Callable[..., StepResult]
WRONG = ErrorInfo(type="ConfigError", message="a setting is wrong")


def approved(result: StepResult) -> StepResult:
    return result.model_copy(update={"metrics": {"approved": True}})


def test_a_wrong_setting_before_apply_means_that_nothing_was_done(result: Results) -> None:
    assert exit_status((result("plan", Outcome.ERRORED, WRONG),), 0) == 2
    assert exit_status((result("plan"), result("apply", Outcome.ERRORED, WRONG)), 0) == 2


def test_no_failure_after_apply_has_begun_says_that_nothing_was_done(result: Results) -> None:
    assert exit_status((approved(result("apply", Outcome.ERRORED, WRONG)),), 0) == 3
    assert exit_status((result("apply"), result("verification", Outcome.ERRORED, WRONG)), 0) == 3
    assert exit_status((result("apply"), result("verification", Outcome.BLOCKED)), 0) == 1


@pytest.mark.parametrize(
    ("began", "raised", "kind"),
    [
        (True, ConfigError("the key is gone"), StoreError),
        (False, ConfigError("the key is gone"), ConfigError),
        (True, EvidenceError("changed"), EvidenceError),
    ],
)
def test_what_ends_a_run_from_outside_its_steps_is_told_by_the_same_rule(
    *,
    load: Callable[..., Settings],
    result: Results,
    monkeypatch: pytest.MonkeyPatch,
    began: bool,
    raised: RunbookError,
    kind: type[RunbookError],
) -> None:
    def run_sequence(job: Job, hooks: Any) -> None:
        if began:
            hooks.step_ended(result("apply"))
        raise raised

    @contextmanager
    def no_server(steps: object, settings: object) -> Any:
        yield None

    monkeypatch.setattr(runner, "run_sequence", run_sequence)
    monkeypatch.setattr(runner, "_fork_server", no_server)
    monkeypatch.setattr("runbook_lib.runner.lifecycle.Teller", lambda *_: None)
    with pytest.raises(kind) as ended:
        execute(RunRequest(run_id="7"), load())
    assert ended.value.exit_status == kind.exit_status


def test_a_key_that_can_not_be_read_ends_a_run_before_there_is_one(load: Callable[..., Settings], root: Path) -> None:
    with pytest.raises(ConfigError, match=r"the key /nowhere/key\.pem can't be read") as ended:
        execute(RunRequest(run_id="7"), load(RUNBOOK_SIGNING_KEY="/nowhere/key.pem"))
    assert ended.value.exit_status == 2
    assert not (root / "outputs/7").exists()
