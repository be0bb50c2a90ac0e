"""Judge a change against policies, with three verdicts: failed, passed and unknown."""

from __future__ import annotations

from .judge import combine, judge, outcome_of
from .sarif import findings_from_sarif
from .source_lines import lines_found, locate, named_below
from .stricter import stricter

__all__ = ["combine", "findings_from_sarif", "judge", "lines_found", "locate", "named_below", "outcome_of", "stricter"]
