"""`runbook exposure`: who gains and who loses access, and nothing of what Terraform calls sensitive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from runbook_lib.cli import exposure

OFFICE = "the.office.example"


@pytest.mark.parametrize("form", ["table", "json"])
def test_what_terraform_calls_sensitive_is_in_no_answer(tmp_path: Path, form: str) -> None:
    group = {"id": "sg-1", "name": OFFICE}
    rule = {
        "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0",
    }  # fmt: skip
    changes = [
        (
            "aws_security_group",
            {"actions": ["no-op"], "before": group, "after": group, "after_sensitive": {"name": True}},
        ),
        ("aws_vpc_security_group_ingress_rule", {"actions": ["create"], "before": None, "after": rule}),
    ]
    entries = [
        {"address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x", "change": change}
        for kind, change in changes
    ]
    (tmp_path / "p.json").write_text(json.dumps({"format_version": "1.2", "resource_changes": entries}))
    app = typer.Typer()
    exposure.register(app)
    app.command("other")(lambda: None)
    result = CliRunner().invoke(app, ["exposure", "--plan", str(tmp_path / "p.json"), "--format", form])
    assert (result.exit_code, OFFICE in result.stdout, "[MASKED]" in result.stdout) == (0, False, True)
