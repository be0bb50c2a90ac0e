"""The secrets that the engine knows of: those of the settings, and variables named like one."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..domain.redaction import Redactor
from ..domain.secret_patterns import SENSITIVE_NAME

__all__ = ["environment_redactor", "environment_secrets"]


def environment_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables whose names end in password, token, secret, key …, with their values."""
    return {name: value for name, value in environ.items() if SENSITIVE_NAME.search(name) and _is_value(value)}


def environment_redactor(environ: Mapping[str, str] = os.environ) -> Redactor:
    """What masks the environment's secrets."""
    return Redactor(environment_secrets(environ))


def _is_value(value: str) -> bool:
    # SSH_KEY=/path/to/key names a file: the path is no secret, and masking it would hide where things went wrong.
    return bool(value) and not (value.startswith("/") and os.path.exists(value))  # noqa: PTH110  cheap on purpose
