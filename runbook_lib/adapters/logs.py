"""The log: to stderr, as JSON lines in CI and as plain lines by hand. stdout is for answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

__all__ = ["configure_logs"]


def configure_logs(environment: Mapping[str, str] = os.environ) -> None:
    """Set structlog up for this process; the libraries that retry (stamina) log through it as well."""
    import structlog

    in_ci = environment.get("GITLAB_CI", "").lower() == "true"
    renderer = structlog.processors.JSONRenderer() if in_ci else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        # Asked for at each line: a notebook's stderr is another one in each cell.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
