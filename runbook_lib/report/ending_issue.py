"""A stack's open issue on its temporary access: what people read, and what the next look remembers by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ..models.endings import StackEndings
from .gitlab_text import code, word

__all__ = ["LABEL", "issue_body", "issue_title", "remembered"]

LABEL: Final = "runbook-expiring"
_MEMORY: Final = re.compile(r"<!-- runbook expiring ([\w-]+)((?: [0-9a-f]{16})*) -->\s*\Z")
_SHOWN: Final = 100


def issue_title(stack: str) -> str:
    """The title by which a stack's issue is known."""
    return f"Temporary access: stack {stack}"


def issue_body(found: StackEndings, remember: Sequence[str]) -> str:
    """All that ends, then a comment that GitLab does not show: the keys of what was told."""
    listed = [f"- {code(one.sentence)}" for one in found.endings[:_SHOWN]]
    if len(found.endings) > _SHOWN:
        listed.append(f"- … and {len(found.endings) - _SHOWN} more; `runbook expiring` names them.")
    lines = "\n".join(listed) or "Nothing ends soon any more."
    return (
        f"Access of the stack {code(found.stack)} that was given for a time. `runbook expiring` keeps this issue on"
        " its schedule, and closed by it when nothing ends soon and nothing is left open.\n\n"
        f"{lines}\n\n"
        f"<!-- runbook expiring {word(found.stack)}{''.join(f' {key}' for key in remember)} -->\n"
    )


def remembered(body: str, stack: str) -> tuple[str, ...]:
    """The keys that an issue's body remembers; nothing where somebody took them away."""
    match = _MEMORY.search(body)
    return tuple(match[2].split()) if match and match[1] == word(stack) else ()
