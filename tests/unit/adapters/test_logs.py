from __future__ import annotations

import json

import pytest
import structlog

from runbook_lib.adapters.logs import configure_logs


def test_log_goes_to_stderr_and_never_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs({})
    structlog.get_logger().warning("retry", attempt=2)
    said = capsys.readouterr()
    assert said.out == ""
    assert "retry" in said.err
    assert "attempt=2" in said.err


def test_log_is_json_lines_in_ci(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs({"GITLAB_CI": "true"})
    structlog.get_logger().warning("retry", attempt=2)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["attempt"]) == ("retry", "warning", 2)
