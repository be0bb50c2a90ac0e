"""The page over all runs: every text is text, one script runs and no other, and nothing comes from a network."""

from __future__ import annotations

import base64
import hashlib
import re

from runbook_lib.models.history import RunRow
from runbook_lib.report.bars import bars
from runbook_lib.report.html_history import Ended, HistoryPage, Looks, Opened, render_history

EVIL = "</td><script>alert(1)</script><b onclick='x()'>&\"'"


def run(run_id: str = "7", **changes: object) -> RunRow:
    usual: dict[str, object] = {"evidence": "proven", "stack": "access", "outcome": "passed", "requester": "riley"}
    usual |= {"created_at": "2026-01-05T08:00:00Z", "lead_seconds": 90.0}
    return RunRow(run_id=run_id, **(usual | changes))  # type: ignore[arg-type]


def page(*runs: RunRow, **changes: object) -> str:
    return render_history(HistoryPage("2026-01-06T08:00:00+00:00", runs, **changes))  # type: ignore[arg-type]


def test_the_policy_lets_its_own_script_run_and_nothing_else() -> None:
    html = page(run())
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    allowed = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert policy[1] == f"{allowed}; base-uri 'none'; form-action 'none'"
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", html)


def test_every_text_of_a_folder_is_text() -> None:
    evil = dict.fromkeys(("stack", "why", "requester", "approvers", "risk", "outcome", "sentence", "problems"), EVIL)
    hostile = run(EVIL, stopped_by=EVIL, runbook=EVIL, **evil)
    html = page(
        hostile,
        run("8", **dict.fromkeys(("sentence", "requester"), EVIL)),
        opened=(Opened(EVIL, EVIL, EVIL, hostile, certain=False),),
        lead=((EVIL, 1.0),),
        blocked=1,
        steps=((EVIL, 1),),
        policies=((EVIL, 1),),
        waivers=(Ended((EVIL,) * 7),),
        flaps=(Ended((EVIL,) * 6),),
        drift=(Looks(EVIL, ((EVIL, EVIL, 3),)),),
        key=EVIL,
        linked=frozenset({EVIL}),
    )
    assert html.count("<script>") == 1
    assert "alert(1)</script>" not in html
    assert "onclick='x()'>" not in html.replace("onclick=&#39;", "")


def test_only_runs_that_are_linked_lead_to_their_own_page() -> None:
    html = page(run("7"), run("8"), linked=frozenset({"7"}))
    assert '<a href="7/index.html">7</a>' in html
    assert "8/index.html" not in html


def test_durations_shares_and_empty_tables_are_said_in_words() -> None:
    html = page(run(), run("8", lead_seconds=7200.0), median=5400.0, blocked=1, lead=(("a", 90.0), ("b", 7200.0)))
    for text in ("1.5 min", "2.0 h", "1.5 h", "50 %", "The last 2, the newest on the right"):
        assert text in html
    empty = page()
    for text in ("There is none yet.", "No run has come to verified.", "None that a run folder here knows of."):
        assert text in empty
    assert "held to no key: nothing proves who made them" in empty


def test_bars_are_as_tall_as_what_they_stand_for_and_said_in_words() -> None:
    svg = str(bars([1, 2, 4], 'minutes "of" work'))
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"/>', svg)]
    assert heights == [15, 30, 60]
    assert 'aria-label="3 bars: minutes &quot;of&quot; work; the highest is 4, the last 4"' in svg
    assert str(bars([], "nothing")) == ""
    assert str(bars([0], "nothing")).count("<rect") == 1
