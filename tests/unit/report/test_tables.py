from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from message_samples import REQUEST

from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource
from runbook_lib.models.findings import Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.plan import Aside, Plan, PlanSummary, ResourceChange
from runbook_lib.models.rules import Rule, SourceKind
from runbook_lib.models.services import ServiceReport, ServiceResult, ServiceTest
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.report import decision_tables, tables
from runbook_lib.report.table import Badge, Code, Table

HOSTILE = "<script>alert(1)</script>"
RULE = Rule.model_validate(
    {"direction": "ingress", "protocol": "tcp", "from_port": 80, "to_port": 90, "source": "0.0.0.0/0", "group": "sg-1"}
)


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    found: str
    error: Exception | None = None


def finding(**fields: object) -> Finding:
    known = {"policy": "sg-world-ssh", "verdict": "failed", "severity": "low", "address": "a.b", "message": "open"}
    return Finding.model_validate(known | fields)


def service(**fields: object) -> ServiceResult:
    test = ServiceTest(name="web", address="203.0.113.1", url="http://203.0.113.1/")
    return ServiceResult.model_validate({"test": test, "passed": True, "at": datetime(2026, 1, 2, tzinfo=UTC)} | fields)


def test_every_text_from_outside_is_escaped_in_html() -> None:
    shown = Table((HOSTILE,), [(HOSTILE,), (Badge(HOSTILE),), (Code(HOSTILE),)], caption=HOSTILE).html()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 5


def test_an_unknown_tone_can_not_break_out_of_the_style() -> None:
    assert '"evil' not in Table(("a",), [(Badge("x", '"evil'),)]).html()


def test_escape_sequences_are_shown_and_not_sent_to_the_terminal() -> None:
    assert "\x1b" not in Table(("a",), [("\x1b[31mred",)]).text()
    assert "\x1b" not in Table(("a",), [("\x1b[31mred",)]).html()


def test_a_table_without_rows_says_so() -> None:
    empty = Table(("a",), [], empty="Nobody.")
    assert empty.text() == "Nobody."
    assert "Nobody." in empty.html()


def test_what_stands_above_a_table_without_rows_is_not_said_again_below_it() -> None:
    same = Table(("a",), [], caption="Nobody has answered.", empty="Nobody has answered.")
    assert same._repr_mimebundle_()["text/plain"] == "Nobody has answered."
    assert same.html().count("Nobody has answered.") == 1
    other = Table(("a",), [], caption="Who answered", empty="Nobody.")
    assert other._repr_mimebundle_()["text/plain"] == "Who answered\nNobody."
    assert [text in other.html() for text in ("Who answered", "Nobody.")] == [True, True]


def test_columns_are_aligned_in_plain_text() -> None:
    lines = Table(("a", "b"), [("long", 1), ("x", None)]).text().splitlines()
    assert lines == ["a     b", "────  ─", "long  1", "x"]


def test_a_long_table_says_how_many_rows_it_leaves_out() -> None:
    shown = Table(("n",), [(n,) for n in range(12)], limit=5).html()
    assert shown.count("<tr>") == 6
    assert "and 7 more rows" in shown


def test_many_findings_are_gathered_under_folds_and_a_few_are_not() -> None:
    many = [finding(policy=f"p-{number % 2}", address=f"a.{number}") for number in range(30)]
    shown = tables.findings(many).html()
    assert re.findall(r">(p-\d)</code> blocks: (\d+)</summary>", shown) == [("p-0", "15"), ("p-1", "15")]
    assert shown.count("<tr>") == 2 + 30
    assert "<details" not in tables.findings(many[:20]).html()
    assert "and 10 more rows" in replace(tables.findings(many), limit=20).html()


def test_a_column_without_a_name_has_no_header_cell() -> None:
    head = Table(("", "a"), [("x", "y")]).html().partition("</thead>")[0]
    assert (head.count("<td"), head.count("<th ")) == (1, 1)


def test_csv_can_be_read_back_and_holds_no_formula() -> None:
    text = Table(("a", "b"), [("=cmd()", 'say "hi", you'), ("-1", "@x")]).csv()
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["'=cmd()", 'say "hi", you'], ["-1", "'@x"]]


def test_a_failed_check_shows_its_remedy() -> None:
    table = tables.checks([Check("token", False, "no token", ConfigError("no token", "Set GITLAB_TOKEN."))])
    assert [str(cell) for cell in table.rows[0]] == ["missing", "token", "no token", "Set GITLAB_TOKEN."]


def test_what_blocks_comes_before_what_is_graver_and_only_warns_and_alone_is_red() -> None:
    grave = finding(policy="p-1", severity=Severity.CRITICAL, action="warn")
    slight = finding(policy="p-2", severity=Severity.LOW, action="block")
    rows = tables.findings([grave, slight]).rows
    assert [(str(row[2]), row[1].tone, row[6]) for row in rows] == [("p-2", "bad", "blocks"), ("p-1", "warn", "warns")]


def test_the_worst_finding_comes_first_and_a_waived_one_last() -> None:
    waiver = WaiverReference(owner="sam", reason="until the move", expires="2026-12-31")
    waived = finding(severity=Severity.CRITICAL, verdict=Verdict.WAIVED, waiver=waiver)
    table = tables.findings([waived, finding(), finding(severity=Severity.CRITICAL)])
    assert [str(row[0]) for row in table.rows] == ["critical", "low", "critical"]
    assert table.rows[-1][5] == "waived by sam until 2026-12-31: until the move"


def test_exposure_is_headed_by_its_sentence() -> None:
    entry = ExposureEntry(source="0.0.0.0/0", source_kind=ExposureSource.INTERNET, target="web", target_kind="group",
                          protocol="tcp", from_port=80, to_port=80)  # fmt: skip
    unknown = entry.model_copy(update={"source": UNKNOWN, "source_kind": UNKNOWN})
    table = tables.exposure(Exposure(opened=(entry,), unknown=(unknown,), sentence="All of it."))
    assert table.caption == "All of it."
    assert [[str(cell) for cell in row] for row in table.rows] == [
        ["opens", "the internet (0.0.0.0/0)", "→", "web", "tcp 80", ""],
        ["unknown", "somebody unknown", "→", "web", "tcp 80", ""],
    ]


def test_differences_say_what_each_place_has() -> None:
    fields = {"from_port": {"state": 80, "aws": 8080}}
    difference = Difference(kind=DifferenceKind.CHANGED, group="sg-1", rule=RULE, fields=fields)
    table = tables.differences(Verification(outcome=Outcome.BLOCKED, in_sync=3, differences=(difference,)))
    assert table.caption == "In sync: 3. Different: 1."
    assert [str(cell) for cell in table.rows[0]] == [
        "changed", "sg-1", "ingress tcp 80-90 from 0.0.0.0/0", "from_port: 80 (state), 8080 (aws)",
    ]  # fmt: skip


def test_what_a_difference_is_of_and_who_answers_for_it_is_said() -> None:
    carries = Difference(
        kind=DifferenceKind.UNMANAGED, group="sg-1", name="db", rule=None, subject="instance i-1 carries the group",
        fields={"member": {"aws": "i-1"}}, blocks=False,
    )  # fmt: skip
    by = WaiverReference(owner="net", reason="CHG-1", expires="2026-12-31")
    split = Difference(kind=DifferenceKind.CHANGED, group="sg-1", rule=RULE, same_access=True, blocks=False)
    accepted = split.model_copy(update={"accepted": by, "same_access": False})
    found = Verification(outcome=Outcome.WARNED, in_sync=3, differences=(carries, split, accepted))
    table = tables.differences(found)
    assert table.caption == "In sync: 3. Different: 3. Accepted: 1."
    assert [[str(cell) for cell in row] for row in table.rows] == [
        ["unmanaged", "db (sg-1)", "instance i-1 carries the group", "in AWS, unknown to the state"],
        ["changed", "sg-1", "ingress tcp 80-90 from 0.0.0.0/0",
         "not as the others have it. Same access: other rules in AWS let the same through"],
        ["changed", "sg-1", "ingress tcp 80-90 from 0.0.0.0/0",
         "not as the others have it. Accepted by net until 2026-12-31: CHG-1"],
    ]  # fmt: skip


def test_untested_and_failing_services_come_first() -> None:
    report = ServiceReport(
        outcome=Outcome.BLOCKED,
        summary="",
        results=(service(), service(passed=False, error="refused: nobody")),
        untested={"api": "its group has no members"},
    )
    assert [str(row[0]) for row in tables.services(report).rows] == ["untested", "failed", "passed"]


def test_a_replacement_is_one_line_and_untouched_resources_are_none() -> None:
    changes = (
        ResourceChange(address="a.b", type="a", name="b", actions=("delete", "create")),
        ResourceChange(address="a.c", type="a", name="c", actions=("no-op",)),
    )
    table = tables.plan_changes(Plan(changes=changes))
    assert [[str(cell) for cell in row] for row in table.rows] == [["replace", "a.b", ""]]


def test_of_a_thousand_changes_the_table_begins_with_what_is_destroyed() -> None:
    made = tuple(ResourceChange(address=f"a.c{n}", type="a", name="c", actions=("create",)) for n in range(1000))
    gone = ResourceChange(address="a.gone", type="a", name="gone", actions=("delete",))
    anew = ResourceChange(address="a.anew", type="a", name="anew", actions=("create", "delete"))
    table = tables.plan_changes(Plan(changes=(*made, gone, anew)))
    assert [str(row[0]) for row in table.rows[:3]] == ["delete", "replace", "create"]
    assert table.frame["address"].tolist()[:2] == ["a.gone", "a.anew"]


def test_imports_moves_and_what_is_left_for_later_are_lines_though_nothing_else_happens() -> None:
    def changed(name: str, action: str, **more: Any) -> ResourceChange:
        return ResourceChange(address=f"a.{name}", type="a", name=name, actions=(action,), **more)

    changes = (
        changed("b", "no-op", importing=True),
        changed("c", "no-op", previous_address="a.old"),
        changed("d", "no-op", previous_address="a.d"),
        changed("e", "create", deferred="instance_count_unknown"),
        changed("f", "update", importing=True, previous_address="a.g"),
        changed("h", "forget"),
    )
    assert [[str(cell) for cell in row] for row in tables.plan_changes(Plan(changes=changes)).rows] == [
        ["forget", "a.h", ""],
        ["import", "a.b", "imported"],
        ["move", "a.c", "moved from a.old"],
        ["defer", "a.e", "left for a later plan: instance count unknown"],
        ["update", "a.f", "moved from a.g, imported"],
    ]


def test_what_a_plan_says_besides_its_changes_is_in_its_table() -> None:
    asides = (
        Aside(action="invoke", address="action.x.y", note="after_create of a.b"),
        Aside(action="drift", address="a.c", note="changed outside: size"),
    )
    table = tables.plan_changes(Plan(asides=asides))
    assert [[str(cell) for cell in row] for row in table.rows] == [
        ["invoke", "action.x.y", "after_create of a.b"],
        ["changed outside", "a.c", "changed outside: size"],
    ]
    assert table.frame["note"].tolist() == ["after_create of a.b", "changed outside: size"]


def test_a_request_names_what_seldom_occurs_and_checks_that_do_not_hold() -> None:
    summary = PlanSummary(create=1, move=2, invoke=1, checks=("check.a: fail",))
    said = [row[:2] for row in decision_tables.request(REQUEST.model_copy(update={"summary": summary})).rows]
    assert ("Changes", "1 to add, 0 to change, 0 to destroy, 2 to move, 1 action to run") in said
    assert ("Does not hold", "check.a: fail") in said


def test_rules_name_the_other_end() -> None:
    listed = RULE.model_copy(update={"source": "pl-2", "source_kind": SourceKind.PREFIX_LIST})
    assert [row[1] for row in tables.rules([RULE, listed]).rows] == ["0.0.0.0/0", "prefix list pl-2"]


def test_a_request_names_all_code_that_will_run() -> None:
    code = ("data.external.a runs a", "provider x is not in .terraform.lock.hcl")
    said = decision_tables.request(REQUEST.model_copy(update={"code": code}))
    assert [row[1] for row in said.rows if row[0] == "Code that will run"] == list(code)
    assert said.records[0]["code"] == "data.external.a runs a. provider x is not in .terraform.lock.hcl."
