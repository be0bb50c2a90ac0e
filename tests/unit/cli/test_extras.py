"""An extra that is not installed is named as what it is."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from runbook_lib.cli import extras
from runbook_lib.cli.extras import missing_extra, require
from runbook_lib.cli.main import app, main
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.report.table import Table


@pytest.fixture
def without_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "moto" else find(name))


@pytest.mark.usefixtures("without_lab")
@pytest.mark.parametrize("command", [["lab", "up"], ["demo"]])
def test_the_lab_says_at_once_what_it_needs(command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, UsageError)
    assert "extra 'lab'" in result.exception.message
    assert "runbook-toolkit[lab]" in result.exception.remedy


@pytest.mark.parametrize(("module", "extra"), [("moto.ec2", "lab"), ("pandas", "desk"), ("yaml_of_nobody", "")])
def test_a_module_that_is_missing_on_the_way_is_led_back_to_its_extra(module: str, extra: str) -> None:
    found = missing_extra(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert (extra in found.remedy) if found else not extra


def test_the_command_reports_it_without_calling_it_a_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> int:
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.setattr("runbook_lib.cli.main.app", broken)
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert "error: this needs the extra 'lab'" in said
    assert "defect" not in said


def test_all_that_is_there_is_asked_for_in_vain() -> None:
    require("lab")
    require("desk")


def test_a_table_as_a_data_frame_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="extra 'desk'"):
        _ = Table(("a",), (("1",),), schema={"a": "string"}, records=({"a": "1"},)).frame
