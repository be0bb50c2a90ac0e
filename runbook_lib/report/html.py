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
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
# An output of more lines of text, or of more letters, is folded.
MOST_LINES = 400
# What a cell that did well printed on its way is read by few: so many lines of it are shown at once.
MOST_PROGRESS = 20
LONGEST = 400_000
RESET, PIECE = "\x1b[0m", 4_000
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
        done = (cell.metadata.get("papermill") or {}).get("status") == "completed"
        for output in cell.get("outputs", []):
            _prepare(output, MOST_PROGRESS if done and output.output_type == "stream" else MOST_LINES)
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
        filters={"clean_html": clean_html, "ansi2html": _ansi2html, "seconds": _seconds, "clock": _clock},
    )
    exporter.environment.globals["style"] = page_style()
    exporter.environment.globals["colours"] = _code_colours()
    return exporter


def _ansi2html(text: str) -> str:
    # nbconvert copies what is left of the text at each colour: minutes for a plan of 10 MB. Behind a reset its work
    # begins anew, so pieces that end there come to the same.
    from nbconvert.filters.ansi import ansi2html

    pieces, start = [], 0
    while start < len(text):
        reset = text.find(RESET, start + PIECE)
        end = len(text) if reset < 0 else reset + len(RESET)
        pieces.append(ansi2html(text[start:end]))
        start = end
    return "".join(pieces)


def _code_colours() -> str:
    from pygments.formatters import HtmlFormatter

    def of(style: str) -> str:
        return str(HtmlFormatter(style=style, nobackground=True).get_style_defs(".highlight"))

    return f"{of('default')}\n@media screen and (prefers-color-scheme: dark) {{\n{of('github-dark')}\n}}"


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


def _prepare(output: Any, most: int) -> None:
    # Leaves what can be shown without a script, and adds as `shown` what the template asks of it.
    words = ""
    if "data" in output:
        kept = {mime: value for mime, value in output.data.items() if mime in PRIORITY and isinstance(value, str)}
        output.data = kept or {"text/plain": f"[{', '.join(output.data)}]"}
        words = output.data.get("text/plain", "").strip() or "picture"
        # Of the rest the base template would make attributes without quotes, and frames.
        output.metadata = {mime: _size(output.get("metadata"), mime) | {"alt": words} for mime in PICTURES}
    data = output.get("data") or {"text/plain": output.get("text", "")}
    mime = next((mime for mime in PRIORITY if mime in data), "")
    wide = mime == "image/svg+xml" or "<table" in data.get(mime, "") or (mime == "text/markdown" and "|" in data[mime])
    output.shown = {"words": words, "wide": wide, "long": _too_long(data.get(mime, ""), mime, most)}


def _size(metadata: Any, mime: str) -> dict[str, int]:
    found = metadata.get(mime) if isinstance(metadata, dict) else None
    sizes = found if isinstance(found, dict) else {}
    return {name: sizes[name] for name in ("width", "height") if type(sizes.get(name)) is int}


def _too_long(text: str, mime: str, most: int) -> str:
    # How long it is, if it is too long to scroll past.
    lines = text.rstrip("\n").count("\n") + 1
    if not mime.startswith("text/") or (len(text) <= LONGEST and (lines <= most or mime == "text/html")):
        return ""
    size = f"{len(text) / 1e6:.1f} MB" if len(text) >= 1_000_000 else f"{len(text) / 1e3:.0f} kB"
    if mime == "text/html":
        return f"long output, {size}"
    return f"{'long output' if most == MOST_LINES else 'printed'}: {lines:,} lines, {size}"


def _seconds(value: object) -> str:
    if not isinstance(value, int | float):
        return ""
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _clock(value: str | None) -> str:
    shown = (value or "")[:19].replace("T", " ")
    return shown if set(shown) <= set("0123456789-: ") else ""
