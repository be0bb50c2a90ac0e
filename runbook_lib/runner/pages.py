"""The pages of a run: each executed notebook's, and index.html, made from the files that are there."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ..adapters.atomic import write_atomic
from ..adapters.store import RunStore
from ..domain.redaction import Redactor
from ..errors import InputError, UsageError
from ..models.evidence import Manifest, ManifestFile, SealedFiles
from ..models.results import StepResult
from ..models.run import Run
from ..workspace.records import findings_that_count, last_decision, read_exposure, read_request, read_resources

__all__ = ["Pages", "import_pages", "page_of", "write_index"]


NO_PAGE = "<!doctype html><meta charset=utf-8><p>No page could be made of notebook.ipynb beside this one: {}.</p>\n"


def import_pages() -> None:
    """Import what makes a page, at a time when the run would only wait."""
    # What can't be imported here is said in the page's place.
    with contextlib.suppress(Exception):
        importlib.import_module("nbconvert.exporters.html")
        importlib.import_module("nbconvert.filters.highlight")


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

    def add(self, folder: Path, then: Callable[[], None] = lambda: None) -> None:
        """Make the page of the folder's notebook; `then` is called afterwards, in the pages' thread."""
        self._work.append(self._pool.submit(self._write, folder, then))

    def after(self, then: Callable[[], None]) -> None:
        """Call this when all pages before are made, in their thread."""
        self._work.append(self._pool.submit(then))

    def finish(self) -> None:
        """Wait for all pages; raises what went wrong with one."""
        for work in self._work:
            work.result()
        self._work.clear()

    def _write(self, folder: Path, then: Callable[[], None]) -> None:
        from ..report.html import notebook_html

        source = folder / "notebook.ipynb"
        if source.is_file():
            try:
                page = notebook_html(source.read_text(encoding="utf-8"), title=folder.name)
            except Exception as error:  # noqa: BLE001  an output that can't be drawn is no reason to lose the run's end
                page = NO_PAGE.format(type(error).__name__)
            write_atomic(folder / "notebook.html", self._redactor.mask_markup(page).encode("utf-8", "replace"))
        then()


T = TypeVar("T")


def write_index(store: RunStore) -> Path:
    """Write the page and give its path; InputError if the folder holds no run. What can't be read is left out."""
    return store.write_bytes("index.html", page_of(store, _read(store, _manifest)))


def page_of(store: RunStore, manifest: Manifest | SealedFiles | None) -> bytes:
    """The page of this run: the same for the same files and the same version of this program."""
    from ..report.html_index import IndexPage, render_index

    results = tuple(result for step in store.steps if (result := _result(store, step.name)))
    page = IndexPage(
        run=store.read_model("run.json", Run),
        results=results,
        findings=findings_that_count(results),
        exposure=_read(store, read_exposure),
        request=_read(store, read_request),
        decision=_read(store, last_decision),
        files=_files(manifest) if manifest else (),
        signed=_signed(store, manifest),
        resources=_unfinished(store),
        pages=frozenset(path.relative_to(store.dir).as_posix() for path in store.dir.glob("*/notebook.*")),
    )
    # Digests are no secrets, and a mask could take one for a token: the texts were masked when they were written.
    return render_index(page).encode("utf-8", "replace")


def _unfinished(store: RunStore) -> tuple[Mapping[str, str], ...]:
    """What became of the resources of an apply that did not carry all of them out; runs of before told no remedies."""
    found = _read(store, read_resources) or ()
    if all(one.get("status") == "done" for one in found):
        return ()
    return tuple({"status": "", "action": "", "address": "", "next": "", **one} for one in found)


def _signed(store: RunStore, manifest: Manifest | SealedFiles | None) -> bool:
    if isinstance(manifest, Manifest):
        return any(seal.key for seal in manifest.steps)
    return store.exists("manifest.dsse.json")


def _files(manifest: Manifest | SealedFiles) -> tuple[ManifestFile, ...]:
    return (*manifest.files, *(file for step in manifest.steps for file in step.files))


def _result(store: RunStore, step: str) -> StepResult | None:
    try:
        return store.read_result(step)
    except InputError:
        return None


def _manifest(store: RunStore) -> Manifest | SealedFiles:
    try:
        return store.read_model("manifest.json", Manifest)
    except InputError:
        return store.read_model("manifest.json", SealedFiles)


def _read(store: RunStore, read: Callable[[RunStore], T]) -> T | None:
    try:
        return read(store)
    except (InputError, UsageError):
        # It is not there, can't be read, or the run has no step that could have left it.
        return None
