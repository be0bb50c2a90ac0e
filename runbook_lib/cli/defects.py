"""An error that nobody thought of: its traceback goes into a file, for who is told of it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import traceback

from .. import __version__
from ..domain.redaction import Redactor
from ..domain.secret_patterns import named_secrets

__all__ = ["describe_defect"]


def describe_defect(error: Exception) -> tuple[str, str]:
    """What to say of it, and what to report; secrets are masked. To do the same again would help nobody."""
    mask = Redactor(named_secrets(os.environ, os.path.exists)).mask
    about = f"runbook {__version__}, Python {platform.python_version()}"
    command = shlex.join(["runbook", *sys.argv[1:]])
    report = mask(f"{about}\n{command}\n\n{''.join(traceback.format_exception(error))}")
    return mask(f"{type(error).__name__}: {error}"), f"This is a defect. {_keep(report)}"


def _keep(report: str) -> str:
    if os.environ.get("GITLAB_CI"):
        # A file would go with the job's container; its log stays.
        return f"Report all that follows:\n{report}"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="runbook-", suffix=".txt", delete=False, encoding="utf-8") as file:
            file.write(report)
    except OSError as refusal:
        return f"No file can be written ({refusal.strerror}): report all that follows:\n{report}"
    return f"Report the file {file.name}: it holds version, command and traceback."
