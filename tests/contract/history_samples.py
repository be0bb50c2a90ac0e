"""The page over all runs, as a year leaves it and as somebody who means ill would have it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.made_history import MadeHistory, entry
from runbook_lib.adapters.history_file import HistoryFile
from runbook_lib.models.exposure import Exposure
from runbook_lib.report.html_history import HistoryPage, render_history
from runbook_lib.runner.history import renew_history
from runbook_lib.runner.history_page import page_of_history

NOW = datetime(2026, 1, 20, tzinfo=UTC)
EVIL = "</td><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>\u202e"


def history_page(folder: Path, count: int = 40) -> tuple[HistoryPage, MadeHistory]:
    """A page of so many runs, one of them changed after it was sealed."""
    made = MadeHistory(folder / "outputs", page=200)
    for number in range(count):
        opened = Exposure(opened=(entry(1000 + number),), sentence="Opens a port.")
        made.make(number, exposure=opened if number < 3 else None)
    (made.outputs / "1001/04_apply/apply.txt").write_text("other")
    key = folder / "key.pub"
    key.write_text(made.public)
    with HistoryFile.read(renew_history(made.outputs, key=key).path) as history:
        return page_of_history(history, NOW), made


def history_html(folder: Path, count: int = 40) -> str:
    return render_history(history_page(folder, count)[0])
