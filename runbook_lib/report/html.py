"""An executed notebook as one HTML page: nothing from a network, no script, code folded."""

from __future__ import annotations

__all__ = ["notebook_html"]


def notebook_html(notebook: str, title: str) -> str:
    """The page of a notebook given as JSON text."""
    import nbformat
    from nbconvert import HTMLExporter

    nb = nbformat.reads(notebook, as_version=4)
    page, _ = HTMLExporter(template_name="basic", sanitize_html=True).from_notebook_node(
        nb, {"metadata": {"name": title}}
    )
    return f"<!doctype html><meta charset=utf-8><title>{title}</title>{page}"
