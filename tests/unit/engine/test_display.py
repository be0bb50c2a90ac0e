"""What a person reads while notebooks run."""

from __future__ import annotations

import io

from runbook_lib.engine.display import LineDisplay


def told(said: str, ended: str) -> list[str]:
    out = io.StringIO()
    display = LineDisplay(out)
    display.started("plan", "02_plan")
    display.text("result", said)
    display.ended(ended)
    return out.getvalue().splitlines()


def test_a_verdict_that_the_last_cell_shows_is_not_repeated() -> None:
    lines = told("No findings.\nPASSED: Plan: 1 to add.\n", "PASSED: Plan: 1 to add.")
    assert lines == ["plan │ started 02_plan", "plan │ No findings.", "plan │ PASSED: Plan: 1 to add."]


def test_another_verdict_than_the_notebook_shows_is_told() -> None:
    lines = told("PASSED: Plan: 1 to add.", "ERRORED: The notebook was changed.")
    assert lines[-2:] == ["plan │ PASSED: Plan: 1 to add.", "plan │ ERRORED: The notebook was changed."]


def test_a_verdict_that_was_shown_before_the_last_line_is_told_at_the_end() -> None:
    lines = told("PASSED: Plan: 1 to add.\nand more", "PASSED: Plan: 1 to add.")
    assert lines[-2:] == ["plan │ and more", "plan │ PASSED: Plan: 1 to add."]
