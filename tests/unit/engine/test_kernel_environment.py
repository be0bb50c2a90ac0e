from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.engine.kernels import kernel_environment


@pytest.mark.parametrize("name", ["RUNBOOK_SIGNING_KEY", "SLACK_APP_TOKEN"])
@pytest.mark.parametrize("value", ["-----BEGIN PRIVATE KEY-----", "key.pem"])
def test_a_kernel_gets_nothing_that_only_the_run_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    found = kernel_environment({"IPYTHONDIR": str(tmp_path)})
    assert name not in found
    assert (found["SLACK_BOT_TOKEN"], found["IPYTHONDIR"]) == ("xoxb-1", str(tmp_path))
