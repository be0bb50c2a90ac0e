"""An executed notebook as one HTML page: nothing from a network, no script, code folded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.base import Outcome
from ..models.results import RESULT_MIME
from .html_clean import clean_html

if TYPE_CHECKING:
    from nbconvert import HTMLExporter

__all__ = ["TEMPLATES", "notebook_html", "page_style"]

TEMPLATES = Path(__file__).parent / "templates"
# The richest form that can be shown without a script. A picture in SVG becomes an <img>, where its scripts do not run.
PRIORITY = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]


def notebook_html(notebook: str, title: str) -> str:
    """The page of a notebook given as JSON text.

    Whatever cells have shown as HTML is cleaned of scripts, and the page's content security policy lets nothing run.
    """
    import nbformat

    nb = nbformat.reads(notebook, as_version=4)
    nb.metadata.verdict = _verdict(nb.cells)
    for cell in nb.cells:
        if not isinstance(cell.get("execution_count"), int | None):
            # The template writes it as it is.
            cell.execution_count = None
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {mime: value for mime, value in output.data.items() if mime in PRIORITY} or _nothing(
                    output
                )
    from nbconvert.exporters.templateexporter import TemplateExporter

    exporter = _exporter()
    language = nb.metadata.get("language_info", {}).get("pygments_lexer") or "ipython3"
    exporter.register_filter("highlight_code", _highlighter(language))
    # HTMLExporter's own method would parse the whole page again to add texts to pictures: seconds for a long one.
    page, _ = TemplateExporter.from_notebook_node(exporter, nb, {"metadata": {"name": title}})
    return str(page)


@cache
def page_style() -> str:
    """The style that both kinds of pages carry in themselves."""
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


@cache
def _exporter() -> HTMLExporter:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.NbConvertBase.display_data_priority = PRIORITY
    # Cleaning is nh3's, by the filter below; nbconvert's own would go over every cell with bleach as well.
    config.SanitizeHTML.enabled = False
    exporter = HTMLExporter(
        config=config,
        template_name="notebook",
        extra_template_basedirs=[str(TEMPLATES)],
        sanitize_html=True,
        exclude_anchor_links=True,
        filters={"clean_html": clean_html, "seconds": _seconds, "clock": _clock},
    )
    exporter.environment.globals["style"] = page_style()
    return exporter


def _highlighter(language: str) -> Any:
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer=language)


def _verdict(cells: list[Any]) -> dict[str, str] | None:
    # A notebook that came to its end can have said no: the page begins with what it said.
    results = [
        output.data[RESULT_MIME]
        for cell in cells
        for output in cell.get("outputs", [])
        if RESULT_MIME in output.get("data", {})
    ]
    last = results[-1] if results else None
    if not isinstance(last, dict) or last.get("outcome") not in list(Outcome):
        return None
    return {"outcome": last["outcome"], "summary": str(last.get("summary", ""))}


def _nothing(output: Any) -> dict[str, str]:
    return {"text/plain": f"[{', '.join(output.data)}]"}


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _clock(value: str | None) -> str:
    shown = (value or "")[:19].replace("T", " ")
    return shown if set(shown) <= set("0123456789-: ") else ""
