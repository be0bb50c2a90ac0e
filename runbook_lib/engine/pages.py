"""The HTML pages, made in a thread of their own while the next step runs."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from ..adapters.atomic import write_atomic
from ..domain.redaction import Redactor

__all__ = ["Pages"]

NO_PAGE = "<!doctype html><meta charset=utf-8><p>No page could be made of notebook.ipynb beside this one: {}.</p>\n"


class Pages:
    """Turns executed notebooks into pages beside them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pages")
        self._work: list[Future[None]] = []

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)

    def add(self, folder: Path) -> None:
        """Make the page of the folder's notebook."""
        self._work.append(self._pool.submit(self._write, folder))

    def finish(self) -> None:
        """Wait for all pages; raises what went wrong with one."""
        for work in self._work:
            work.result()
        self._work.clear()

    def _write(self, folder: Path) -> None:
        from ..report.html import notebook_html

        source = folder / "notebook.ipynb"
        if source.is_file():
            try:
                page = notebook_html(source.read_text(encoding="utf-8"), title=folder.name)
            except Exception as error:  # noqa: BLE001  an output that can't be drawn is no reason to lose the run's end
                page = NO_PAGE.format(type(error).__name__)
            write_atomic(folder / "notebook.html", self._redactor.mask(page).encode("utf-8", "replace"))
