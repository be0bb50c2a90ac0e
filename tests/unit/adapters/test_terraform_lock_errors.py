"""Who holds the lock: what Terraform's http backend knows of it, and what it does not."""

from __future__ import annotations

import pytest

from runbook_lib.adapters.terraform_errors import map_failure
from runbook_lib.errors import ConfigError, StateLockedError, TerraformError

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
    assert error.remedy.count("`runbook state unlock lock-of-another`") == 1


def test_a_backend_that_tells_the_holder_is_believed() -> None:
    error = map_failure("apply", 1, TEXT.format(held="6f137a29-36e5-fadb-8cab-2b117b13d151"))
    assert "locked by me@here since 2026-11-23" in error.message
    assert error.remedy.count("`runbook state unlock 6f137a29-36e5-fadb-8cab-2b117b13d151`") == 1


REFUSED = """
Error: Error acquiring the state lock

Error message: HTTP remote state endpoint {auth}

Terraform acquires a state lock to protect the state from being written
by multiple users at the same time. Please resolve the issue above and try
again. For most commands, you can disable locking with the "-lock=false"
flag, but this is not recommended.
"""
UNSET = """
Error: No value for required variable

  on variables.tf line 12:
  12: variable "rules" {

The root module input variable "rules" is not set, and has no default value.
"""


@pytest.mark.parametrize("auth", ["requires auth", "invalid auth"])
def test_a_lock_that_was_refused_is_not_taken_for_one_that_is_held(auth: str) -> None:
    error = map_failure("plan", 1, REFUSED.format(auth=auth))
    assert type(error) is TerraformError
    assert error.message == f"Error acquiring the state lock: HTTP remote state endpoint {auth}"
    assert "TF_HTTP_PASSWORD" in error.remedy


def test_a_variable_without_a_value_is_an_error_of_the_configuration() -> None:
    error = map_failure("plan", 1, UNSET)
    assert isinstance(error, ConfigError)
    assert error.message.startswith("variables.tf, line 12: No value for required variable")
    assert "TF_VAR_" in error.remedy
