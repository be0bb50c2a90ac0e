"""The page in an auditor's archive: what it holds, what was found, and how to find that out oneself."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.evidence import EvidenceReport
from .html import TEMPLATES, page_style

__all__ = ["render_archive_page"]


def render_archive_page(run_id: str, report: EvidenceReport, *, keyed: bool, files: Sequence[str]) -> str:
    """The page's HTML: self-contained, without a script. `files` are what lies beside the run folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("archive.html.j2").render(
        run_id=run_id, report=report, keyed=keyed, files=files, style=page_style()
    )
