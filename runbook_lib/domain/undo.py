"""What of an applied plan no later plan brings back."""

from __future__ import annotations

from ..models.plan import PlanSummary
from .risk import DATA_STORES
from .rules.addresses import parse_address

__all__ = ["lost"]


def lost(summary: PlanSummary) -> tuple[str, ...]:
    """A sentence for everything that stays gone though its configuration comes back."""
    gone = [
        f"{address} {verb}, with what was stored there: a new one is empty"
        for action, verb in (("delete", "was destroyed"), ("replace", "was replaced"))
        for address in summary.addresses.get(action, ())
        if parse_address(address).base.split(".")[0] in DATA_STORES
    ]
    left = [f"{address} was left to itself: no plan knows of it" for address in summary.addresses.get("forget", ())]
    ran = [f"{address} was run: what it did stays done" for address in summary.addresses.get("invoke", ())]
    return (*gone, *left, *ran)
