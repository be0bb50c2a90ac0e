"""Pages of notebooks and of the run: self-contained and safe."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import nbformat
import pytest
from message_samples import REQUEST
from nbconvert.filters.ansi import ansi2html
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import ManifestFile
from runbook_lib.models.exposure import ExposedInterface, Exposure, ExposureEntry, ExposureSource, Reachable
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import RESULT_MIME, ErrorInfo, StepResult
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.models.run import Run
from runbook_lib.report.html import notebook_html
from runbook_lib.report.html_clean import clean_html
from runbook_lib.report.html_index import IndexPage, render_index

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a><iframe src=//e></iframe>"
)


def page(*outputs: nbformat.NotebookNode, markdown: str = "# Title") -> str:
    cell = new_code_cell("x = 1", outputs=list(outputs), execution_count=1)
    cell.metadata.papermill = {"status": "completed", "duration": 0.25}
    nb = new_notebook(cells=[new_markdown_cell(markdown), cell])
    nb.metadata.papermill = {"outcome": "completed", "start_time": NOW.isoformat(), "duration": 1.0}
    return notebook_html(nbformat.writes(nb), "02_plan")


def shown(**data: str) -> nbformat.NotebookNode:
    return new_output("display_data", data={name.replace("__", "/"): value for name, value in data.items()})


@pytest.mark.parametrize(
    "text",
    [
        page(markdown=EVIL),
        page(shown(text__html=EVIL)),
        page(shown(text__markdown=EVIL)),
        page(shown(application__javascript="alert(1)")),
        page(new_output("stream", name="stdout", text=EVIL)),
        page(new_output("error", ename="E", evalue=EVIL, traceback=[EVIL])),
    ],
    ids=["markdown cell", "html", "markdown", "javascript", "stream", "error"],
)
def test_no_script_of_a_notebook_reaches_its_page(text: str) -> None:
    assert not re.search(r"<script|<iframe|<[^>]*\son\w+=|href=.?javascript:", text)


def test_what_a_cell_that_did_well_printed_on_its_way_is_folded_and_what_failed_is_not() -> None:
    many, few = ("".join(f"line {number}\n" for number in range(count)) for count in (21, 20))
    folded = page(new_output("stream", name="stdout", text=many))
    assert "<summary>printed: 21 lines, 0 kB</summary>" in folded
    assert '<details class="long"' not in page(new_output("stream", name="stdout", text=few))
    assert '<details class="long"' not in page(shown(text__plain=many))
    failed = nbformat.reads(nbformat.writes(new_notebook(cells=[new_code_cell("1/0")])), as_version=4)
    failed.cells[0].metadata.papermill = {"status": "failed"}
    failed.cells[0].outputs = [new_output("stream", name="stdout", text=many)]
    assert '<details class="long"' not in notebook_html(nbformat.writes(failed), "02_plan")


def test_no_number_or_time_of_a_notebook_brings_a_tag_to_its_page() -> None:
    nb = new_notebook(cells=[new_code_cell("x = 1")])
    nb.cells[0].execution_count = "<b>7"
    nb.metadata.papermill = {"outcome": "<b>", "start_time": "<b>2026", "duration": 1.0}
    assert "<b>" not in notebook_html(json.dumps(nb), "<b>")


def test_the_status_of_a_cell_is_text() -> None:
    nb = new_notebook(cells=[new_code_cell("x = 1", metadata={"papermill": {"status": "<b>completed"}})])
    assert "<b>" not in notebook_html(json.dumps(nb), "02_plan")


def test_a_cell_that_was_not_run_says_so_in_words_and_keeps_its_code() -> None:
    cell = new_code_cell("tables.rules(found).frame", metadata={"papermill": {"status": "not_run", "duration": None}})
    text = notebook_html(json.dumps(new_notebook(cells=[cell])), "02_plan")
    assert re.findall(r'<span class="status">(.*?)</span>', text) == ["not run"]
    assert '<section class="code-cell not_run">' in text
    assert re.sub(r"<[^>]+>", "", text).count("tables.rules(found).frame") == 1


def test_page_allows_nothing_to_run_or_to_be_fetched() -> None:
    text = page()
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "<link" not in text


def test_code_is_folded_and_says_how_it_went() -> None:
    text = page()
    assert '<details class="code">' in text
    assert "completed · 0.2 s" in text or "completed · 0.3 s" in text


def test_a_page_begins_with_what_its_notebook_decided() -> None:
    said = {"outcome": "blocked", "summary": "2 rules <b>differ</b>."}
    text = page(new_output("display_data", data={RESULT_MIME: said, "text/html": "<p>BLOCKED</p>"}))
    banner = text[text.index('<div class="banner blocked">') :]
    assert "<strong>blocked</strong>" in banner
    assert "notebook completed · 2026-01-02 03:04:05 UTC" in banner
    assert "2 rules &lt;b&gt;differ&lt;/b&gt;." in banner


@pytest.mark.parametrize("said", [[], {}, {"outcome": []}, {"outcome": "grand"}])
def test_what_is_no_result_decides_nothing(said: object) -> None:
    assert '<div class="banner completed">' in page(new_output("display_data", data={RESULT_MIME: said}))


@pytest.mark.parametrize("colours", [("\x1b[31m", "\x1b[0m"), ("\x1b[1;32m", "\x1b[4m", "\x1b[0m"), ("\x1b[33m",)])
def test_a_long_text_has_the_colours_that_nbconvert_gives_it(colours: tuple[str, ...]) -> None:
    text = "".join(f"{colours[number % len(colours)]}line {number} <b>&\n" for number in range(2_000))
    made = page(new_output("stream", name="stdout", text=text))
    assert f"<pre>{ansi2html(text)}</pre>" in made
    assert "ansi-" in made


def test_what_a_notebook_says_of_a_picture_is_its_size_and_nothing_else() -> None:
    said = {"image/png": {"width": 400, "height": "9 onerror=alert(1)"}}
    made = page(new_output("display_data", data={"image/png": "AAAA", "text/plain": 'a "plot"'}, metadata=said))
    assert re.findall(r"<img [^>]+>", made) == [
        '<img src="data:image/png;base64,AAAA"\nwidth=400\nalt="a &quot;plot&quot;"\n>'
    ]


def test_table_stays_a_table_and_its_colours_stay() -> None:
    styled = (
        "<style>#T_ab_row0_col0 {background-color: yellow} body {display: none} #T_ab td {background: url(//e)}</style>"
        "<table id='T_ab'><thead><tr><th>a</th></tr></thead>"
        "<tbody><tr><td id='T_ab_row0_col0'>1</td></tr></tbody></table>"
    )
    text = page(shown(text__html=styled))
    assert "background-color: yellow" in text
    assert '<td id="T_ab_row0_col0">1</td>' in text
    assert "display: none} " not in text
    assert "//e" not in text


def test_svg_is_shown_as_a_picture_in_which_no_script_runs() -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    text = page(new_output("display_data", data={"image/svg+xml": svg}))
    assert 'src="data:image/svg+xml;base64,' in text
    assert "<svg" not in text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<div style='color:red;position:fixed'>x</div>", "color:red"),
        ("<b onclick=alert(1)>x</b>", "<b>x</b>"),
        ("<img src='data:image/png;base64,AAAA' alt='p'>", 'src="data:image/png;base64,AAAA"'),
    ],
)
def test_harmless_parts_are_kept(given: str, kept: str) -> None:
    cleaned = clean_html(given)
    assert kept in cleaned
    assert "position" not in cleaned
    assert "onclick" not in cleaned


@pytest.mark.parametrize(
    "given", ["<img src='https://e/x.png'>", "<div style='background:url(//e)'>", "<form action=x>"]
)
def test_what_would_fetch_or_send_is_left_out(given: str) -> None:
    assert "//e" not in clean_html(given)
    assert "<form" not in clean_html(given)


def result(step: str, outcome: Outcome, **more: object) -> StepResult:
    return StepResult(
        run_id="r1",
        step=step,
        stack="main",
        outcome=outcome,
        summary=f"{step} <b>{outcome}</b>",
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=2),
        **more,
    )


def test_index_shows_the_run_on_one_page() -> None:
    finding = Finding(
        policy="sg-world-ssh", verdict=Verdict.FAILED, severity=Severity.CRITICAL, address="aws_x.y", message="open"
    )
    entry = ExposureEntry(
        source="0.0.0.0/0",
        source_kind=ExposureSource.INTERNET,
        target="web-front",
        target_kind="group",
        protocol="tcp",
        from_port=80,
        to_port=80,
    )
    decision = Decision(source="gitlab_job", user="alex", approved=True, at=NOW, plan_sha256="b" * 64)
    record = DecisionRecord(run_id="r1", plan_sha256="b" * 64, decisions=(decision,), approved=True, checked_at=NOW)
    index = IndexPage(
        run=Run(run_id="r1", stack="main", created_at=NOW, requester="riley", commit="abc"),
        results=(
            result("compliance", Outcome.WARNED, findings=(finding,)),
            result("plan", Outcome.ERRORED, error=ErrorInfo(type="AwsError", message="no", remedy="Ask for rights.")),
        ),
        findings=(finding,),
        exposure=Exposure(opened=(entry,), sentence="The internet reaches web-front on tcp 80."),
        decision=record,
        files=(ManifestFile(path="run.json", sha256="a" * 64, bytes=12),),
        pages=frozenset({"01_compliance/notebook.html"}),
    )
    text = render_index(index)
    for expected in (
        "riley",
        "The internet reaches web-front on tcp 80.",
        "sg-world-ssh",
        "aws_x.y",
        "Ask for rights.",
        "a" * 64,
        'href="01_compliance/notebook.html"',
        "compliance &lt;b&gt;warned&lt;/b&gt;",
        "not run",
        "errored",
        '>the internet (0.0.0.0/0)</td><td data-name="What">web-front</td><td data-name="On">tcp 80</td>',
        '<span class="outcome blocked-text">failed, blocks</span> · critical · <strong>sg-world-ssh</strong> · 1 place',
        "by GitLab&#39;s manual job",
    ):
        assert expected in text
    assert "<b>warned" not in text
    assert "default-src 'none'" in text
    assert index.outcome is Outcome.ERRORED


def test_index_says_what_is_reached_and_how_risky_it_was_when_it_was_asked() -> None:
    entry = ExposureEntry(
        source="0.0.0.0/0", source_kind=ExposureSource.INTERNET, target="web", target_kind="group", protocol="tcp",
        from_port=80, to_port=80, reachable=Reachable.REACHABLE,
        interfaces=(ExposedInterface(id="eni-1", name="web-1", kind="instance", addresses=("198.51.100.10",),
                                     reachable=Reachable.REACHABLE),),
    )  # fmt: skip
    idle = entry.model_copy(update={"interfaces": (), "reachable": Reachable.NO_MEMBER, "why": "web has no member"})
    risk = Risk(level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text="opens <tcp> 80"),))
    run = Run(run_id="r1", stack="main", created_at=NOW)
    asked = REQUEST.model_copy(update={"risk": risk})
    text = render_index(IndexPage(run=run, exposure=Exposure(opened=(entry, idle)), request=asked))
    assert '<td data-name="Reaches">web-1 (198.51.100.10)</td>' in text
    assert '<td data-name="Reaches">which has no member</td>' in text
    assert '<th scope="row">Risk</th><td>high: opens &lt;tcp&gt; 80</td>' in text


def test_index_shows_the_code_that_was_put_before_the_approvers() -> None:
    request = ApprovalRequest(
        run_id="r1", stack="main", plan_sha256="b" * 64, commit="abc", state_lineage="l", state_serial=1, quorum=1,
        policy_sha256="p", summary=PlanSummary(), exposure=Exposure(), requester="riley", approvers=("alex",),
        created_at=NOW, expires_at=NOW, code=("data.external.a runs <b>sh",),
    )  # fmt: skip
    page = IndexPage(run=Run(run_id="r1", stack="main", created_at=NOW, requester="riley"), request=request)
    assert '<th scope="row">Code that will run</th><td>data.external.a runs &lt;b&gt;sh</td>' in render_index(page)


def test_index_of_a_run_that_has_just_begun_says_so() -> None:
    text = render_index(IndexPage(run=Run(run_id="r1", stack="main", created_at=NOW)))
    assert "not begun" in text
    assert "Nothing has been judged." in text
    assert "not been sealed" in text
