"""A stack's open issue on its drift: what people read, and what the next look remembers by."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from ..models.drift import DriftEntry, DriftNews
from .gitlab_text import code, line, word

__all__ = ["LABEL", "issue_body", "issue_title", "news_note", "remembered"]

LABEL: Final = "runbook-drift"
_MEMORY: Final = re.compile(r"<!-- runbook drift ([\w-]+) ([A-Za-z0-9+/=]+) -->\s*\Z")
_ENTRIES: Final = TypeAdapter(tuple[DriftEntry, ...])
_SHOWN: Final = 100


def issue_title(stack: str) -> str:
    """The title by which a stack's issue is known."""
    return f"Drift: stack {stack}"


def issue_body(news: DriftNews, remember: Sequence[DriftEntry]) -> str:
    """All that differs now, then a comment that GitLab does not show: what the next look compares with."""
    kept = _ENTRIES.dump_python(tuple(_clipped(entry) for entry in remember), mode="json")
    memory = base64.b64encode(json.dumps(kept, separators=(",", ":")).encode()).decode()
    page = f" [Pipeline]({news.pipeline_url})." if news.pipeline_url else ""
    return (
        f"Repository, state and cloud do not agree on the stack {code(news.stack)}. "
        "This issue is kept by the scheduled verification, and closed by it when they do.\n\n"
        f"{_listed(news.entries) or 'Nothing differs any more.'}\n\n"
        f"Last looked at by run {code(news.run_id)}.{page}\n\n"
        f"<!-- runbook drift {word(news.stack)} {memory} -->\n"
    )


def news_note(news: DriftNews) -> str:
    """A comment on what changed since the last look."""
    parts = [
        f"**{title}**\n\n{_listed(entries)}" for title, entries in (("New", news.new), ("Gone", news.gone)) if entries
    ]
    end = "" if news.entries else "\n\nNothing differs any more."
    return "\n\n".join(parts) + end


def remembered(body: str, stack: str) -> tuple[DriftEntry, ...]:
    """What an issue's body says that differed; nothing where somebody took that away."""
    match = _MEMORY.search(body)
    if match is None or match[1] != word(stack):
        return ()
    try:
        return _ENTRIES.validate_json(base64.b64decode(match[2], validate=True))
    except (ValidationError, binascii.Error, ValueError):
        return ()


def _listed(entries: Sequence[DriftEntry]) -> str:
    lines = [f"- {code(entry.text)}" for entry in entries[:_SHOWN]]
    if len(entries) > _SHOWN:
        lines.append(f"- … and {len(entries) - _SHOWN} more; the run folder has them.")
    return "\n".join(lines)


def _clipped(entry: DriftEntry) -> DriftEntry:
    return entry.model_copy(update={"text": line(entry.text)})
