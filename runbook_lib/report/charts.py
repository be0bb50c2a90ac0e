"""The pictures that notebooks show: who reaches what, what was verified, what answered."""

from __future__ import annotations

from .chart_exposure import exposure
from .chart_services import services
from .chart_verification import verification

__all__ = ["exposure", "services", "verification"]
