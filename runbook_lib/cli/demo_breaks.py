"""How the demo's run can be made to stop. Apart from the story, which loads too much for a command line's option."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Break"]


class Break(StrEnum):
    """The step at which the run stops."""

    COMPLIANCE = "compliance"
    PLAN = "plan"
    APPROVAL = "approval"
    APPLY = "apply"
    VERIFICATION = "verification"
    SERVICES = "services"
