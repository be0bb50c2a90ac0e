"""The secrets that plain papermill's engine knows of, which has no settings: variables named like one."""

from __future__ import annotations

import os

from ..domain.redaction import Redactor
from ..domain.secret_patterns import named_secrets

__all__ = ["environment_redactor"]


def environment_redactor() -> Redactor:
    """What masks the environment's secrets."""
    return Redactor(named_secrets(os.environ, os.path.exists))
