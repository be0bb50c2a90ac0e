"""Failures on order: the next calls of a method answer what a test, or the demo, asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Fault", "Faults"]


class Fault(BaseModel):
    """The next `times` calls of `method` (`*`: any; also `webhook` and `upload`) fail; `share`: the file is lost.

    With `error`: Slack's `{"ok": false, "error": …}`, `needed` being the scope that is missing. With `status`: that
    HTTP status, 429 with `retry_after` seconds. `after`: the call is carried out first and only its answer is lost.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    times: int = Field(default=1, ge=1)
    error: str = ""
    needed: str = ""
    status: int = Field(default=200, ge=200, le=599)
    retry_after: int = 1
    after: bool = False


@dataclass
class Faults:
    """The faults in waiting, oldest first."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, method: str, *, exactly: bool = False) -> Fault | None:
        """The fault that strikes this call, counted down; `exactly` heeds none that is for any call."""
        for fault in self.waiting:
            if fault.method in ({method} if exactly else {"*", method}):
                fault.times -= 1
                if not fault.times:
                    self.waiting.remove(fault)
                return fault
        return None
