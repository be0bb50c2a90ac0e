from __future__ import annotations

import importlib
import pkgutil

import pytest

import runbook_lib
from runbook_lib import errors


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("UsageError", 2),
        ("ConfigError", 2),
        ("InputError", 2),
        ("BlockedError", 1),
        ("ApprovalError", 1),
        ("EvidenceError", 1),
        ("TerraformError", 3),
        ("StateLockedError", 3),
        ("AwsError", 3),
        ("GitLabError", 3),
        ("ChatError", 3),
        ("MessageRefusedError", 3),
        ("SlackError", 3),
        ("ServiceError", 3),
        ("StoreError", 3),
        ("EngineError", 3),
    ],
)
def test_exit_status_is_the_one_documented(kind: str, status: int) -> None:
    error = getattr(errors, kind)("what happened", "what to do")
    assert error.exit_status == status
    assert isinstance(error, errors.RunbookError)


def test_signal_gives_128_plus_its_number() -> None:
    assert errors.InterruptedRunError(15).exit_status == 143


def test_notebook_shows_two_lines_and_no_frames() -> None:
    error = errors.UsageError("unknown stack 'x'", "runbook.yml has: access.")
    assert error._render_traceback_() == ["error: unknown stack 'x'", "hint: runbook.yml has: access."]


def test_every_public_error_is_exported_and_drawn_in_the_tree() -> None:
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert classes == set(errors.__all__)
    assert all(name in (errors.__doc__ or "") for name in errors.__all__)


def library_modules() -> list[str]:
    found = pkgutil.walk_packages(runbook_lib.__path__, "runbook_lib.")
    return [module.name for module in found if not module.name.endswith("__main__")]


@pytest.mark.parametrize("name", library_modules())
def test_modules_export_what_they_say_they_do(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    missing = [item for item in exported if not hasattr(module, item)]
    assert missing == []
