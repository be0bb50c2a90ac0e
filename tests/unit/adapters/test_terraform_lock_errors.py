"""Who holds the lock: what Terraform's http backend knows of it, and what it does not."""

from __future__ import annotations

from runbook_lib.adapters.terraform_errors import map_failure
from runbook_lib.errors import StateLockedError

TEXT = """
╷
│ Error: Error acquiring the state lock
│
│ Error message: HTTP remote state already locked: ID={held}
│ Lock Info:
│   ID:        6f137a29-36e5-fadb-8cab-2b117b13d151
│   Path:
│   Operation: OperationTypeApply
│   Who:       me@here
│   Version:   1.11.4
│   Created:   2026-11-23 01:53:46.417829225 +0000 UTC
╵
"""


def test_the_asker_is_not_taken_for_the_holder_of_the_lock() -> None:
    error = map_failure("apply", 1, TEXT.format(held="lock-of-another"))
    assert isinstance(error, StateLockedError)
    assert "me@here" not in error.message
    assert error.remedy.endswith("force-unlock lock-of-another")


def test_a_backend_that_tells_the_holder_is_believed() -> None:
    error = map_failure("apply", 1, TEXT.format(held="6f137a29-36e5-fadb-8cab-2b117b13d151"))
    assert "locked by me@here since 2026-11-23" in error.message
    assert error.remedy.endswith("force-unlock 6f137a29-36e5-fadb-8cab-2b117b13d151")
