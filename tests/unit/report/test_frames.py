"""Every table is a DataFrame of real data, with the columns and types that docs/notebooks.md promises."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from message_samples import DECISION, REQUEST, START
from table_samples import EMPTY, EXPOSURE, FILLED, FINDINGS, RULE, SERVICES

from runbook_lib.models.base import UNKNOWN
from runbook_lib.report import decision_tables, tables
from runbook_lib.report.table import Badge, Table

PAGE = Path(__file__).parents[3] / "docs/notebooks.md"
HEADING = re.compile(r"^### (\w+\.\w+)$", re.MULTILINE)
COLUMN = re.compile(r"^\| `(\w+)` \| (\S.*?) \| (.*?) ?\| (.*?) ?\|$", re.MULTILINE)


def documented() -> dict[str, dict[str, str]]:
    """The page's tables: of each function its columns, in order, with their types."""
    _, *parts = HEADING.split(PAGE.read_text())
    return {
        name: {match[1]: match[2] for match in COLUMN.finditer(body)}
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def frame(name: str) -> pd.DataFrame:
    return FILLED[name].frame


def test_every_function_that_makes_a_table_is_documented_and_tested() -> None:
    public = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in (tables, decision_tables)
        for name in module.__all__
        if inspect.signature(getattr(module, name)).return_annotation == "Table"
    }
    assert set(documented()) == public == set(FILLED)
    assert public - set(EMPTY) == {"decision_tables.request"}


@pytest.mark.parametrize("name", FILLED)
def test_frame_has_the_documented_columns_and_types(name: str) -> None:
    assert list(dtypes(frame(name)).items()) == list(documented()[name].items())


@pytest.mark.parametrize("name", EMPTY)
def test_frame_without_rows_has_the_same_columns_and_types(name: str) -> None:
    empty = EMPTY[name].frame
    assert len(empty) == 0
    assert list(dtypes(empty).items()) == list(documented()[name].items())


@pytest.mark.parametrize("name", [name for name in FILLED if name != "decision_tables.request"])
def test_frame_has_a_row_for_each_row_that_is_shown(name: str) -> None:
    assert len(frame(name)) == len(FILLED[name].rows) > 0


def test_a_quantity_has_its_unit_in_the_page() -> None:
    section = PAGE.read_text()
    units = {match[1]: match[3] for match in COLUMN.finditer(section) if match[2] == "float64"}
    assert units == {"seconds": "s", "timeout": "s"}


def test_durations_compute() -> None:
    services, applied = frame("tables.services"), frame("decision_tables.applied")
    assert services.groupby("name")["seconds"].max().to_dict() == pytest.approx(
        {"api": float("nan"), "web": 0.5}, nan_ok=True
    )
    assert applied["seconds"].sum() == 3
    assert frame("decision_tables.service_tests")["timeout"].max() * 2 == 5


def test_times_subtract_from_each_other_and_from_a_models() -> None:
    at = frame("decision_tables.decisions")["at"]
    assert list(at - REQUEST.created_at) == [pd.Timedelta(minutes=7)]
    asked = frame("decision_tables.request")
    assert list(asked["expires_at"] - asked["created_at"]) == [pd.Timedelta(hours=4)]


def test_a_time_of_another_zone_becomes_utc() -> None:
    local = datetime(2026, 1, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    answer = DECISION.decisions[0].model_copy(update={"at": local})
    shown = decision_tables.decisions(DECISION.model_copy(update={"decisions": (answer,)})).frame
    assert shown["at"][0] == datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    assert str(shown["at"][0].tz) == "UTC"


def test_ports_compare_and_count() -> None:
    rules = frame("tables.rules")
    assert list((rules["to_port"] - rules["from_port"] + 1).dropna()) == [11]
    assert rules[(rules["from_port"] <= 85) & (rules["to_port"] >= 85)].index.tolist() == [0]


def test_all_ports_and_ports_not_known_yet_can_be_told_apart() -> None:
    rules = frame("tables.rules").iloc[1:]
    assert rules["from_port"].isna().all()
    assert rules["to_port"].isna().all()
    assert rules["ports_unknown"].tolist() == [False, True, False]


def test_one_known_end_is_no_known_interval() -> None:
    (row,) = tables.rules([RULE.model_copy(update={"to_port": UNKNOWN})]).frame.to_dict("records")
    assert (row["from_port"], row["ports_unknown"]) == (80, True)
    assert pd.isna(row["to_port"])


def test_no_description_and_a_description_not_known_yet_can_be_told_apart() -> None:
    described = frame("tables.rules")["description"]
    assert described[0] == ""
    assert described.isna().tolist() == [False, False, True, False]


def test_a_party_that_is_known_only_after_apply_is_missing() -> None:
    exposed = frame("tables.exposure")
    assert exposed["change"].tolist() == ["opened", "closed", "unknown"]
    assert exposed["source"].isna().tolist() == [False, False, True]
    assert exposed["source_kind"].isna().tolist() == [False, False, True]
    assert exposed["from_port"].tolist() == [EXPOSURE.opened[0].from_port, EXPOSURE.closed[0].from_port, 80]


def test_finding_has_its_place_and_its_waiver() -> None:
    shown = frame("tables.findings").set_index("policy")
    assert shown.loc["sg-world-ssh", "line"] == 12
    assert pd.isna(shown.loc["sg-world-ssh", "waiver_expires"])
    assert shown.loc["sg-egress-open", "waiver_expires"] - pd.Timestamp(START) > pd.Timedelta(days=60)
    assert shown["action"].to_dict() == {each.policy: each.action.value for each in FINDINGS}


def test_check_that_failed_is_false_and_has_its_remedy() -> None:
    checks = frame("tables.checks")
    assert checks.loc[~checks["passed"], ["name", "remedy"]].to_numpy().tolist() == [["token", "Set it."]]


def test_only_what_the_plan_touches_is_in_its_frame() -> None:
    changes = frame("tables.plan_changes")
    assert changes[["action", "address", "previous_address"]].to_numpy().tolist() == [
        ["replace", "a.b", ""],
        ["update", "a.d", "a.old"],
    ]
    assert not changes["importing"].any()


def test_difference_has_its_values_by_place_and_one_without_a_rule_only_its_group() -> None:
    changed, unmanaged = frame("tables.differences").to_dict("records")
    assert json.loads(changed["fields"])["from_port"]["aws"] - changed["from_port"] == 8000
    assert (unmanaged["kind"], unmanaged["group"], json.loads(unmanaged["fields"])) == ("unmanaged", "sg-2", {})
    assert pd.isna(unmanaged["source"])


def test_services_are_in_the_order_in_which_they_are_shown() -> None:
    shown = FILLED["tables.services"]
    assert shown.frame["name"].tolist() == [row[1] for row in shown.rows]
    assert shown.frame["attempts"].tolist() == [row[6] for row in shown.rows]


def test_service_that_was_not_asked_failed_and_has_no_answer() -> None:
    untested = frame("tables.services").iloc[0]
    assert (untested["name"], untested["passed"], untested["attempts"]) == ("api", False, 0)
    assert untested["error"] == SERVICES.untested["api"]
    assert untested[["status", "seconds", "at", "url"]].isna().all()


def test_request_is_one_row_of_counts_and_names() -> None:
    (asked,) = frame("decision_tables.request").to_dict("records")
    assert asked["create"] + asked["delete"] == REQUEST.summary.changes
    assert asked["approvers"].split() == list(REQUEST.approvers)
    assert asked["findings"] == len(REQUEST.findings)


def test_no_cell_of_a_frame_is_made_for_the_eye() -> None:
    for table in FILLED.values():
        kinds = {type(value) for record in table.records for value in record.values()}
        assert kinds <= {str, int, float, bool, datetime, type(None)}


def test_table_without_data_says_so_instead_of_giving_an_empty_frame() -> None:
    with pytest.raises(TypeError, match="without a schema"):
        _ = Table(("a",), [(Badge("ok"),)]).frame


def test_a_table_is_made_and_shown_without_pandas() -> None:
    code = (
        "import sys; from table_samples import FILLED;"
        "shown = [(each.html(), each.text(), each.csv()) for each in FILLED.values()];"
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
