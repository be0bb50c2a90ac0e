"""From a notebook's kernel to the engine that executes it: what must never be shown."""

from __future__ import annotations

import sys
from collections.abc import Iterable

__all__ = ["announce_secrets"]

TARGET = "runbook.secrets"


def announce_secrets(values: Iterable[str]) -> None:
    """Tell the engine values that only this notebook knows, such as Terraform's sensitive ones, before printing them.

    They go over the kernel's own channel as a message that no notebook keeps. Outside a kernel this does nothing; in
    JupyterLab, without the engine, the message is ignored.
    """
    wanted = [value for value in values if value]
    if not wanted or "ipykernel" not in sys.modules:
        return
    from comm import create_comm

    create_comm(target_name=TARGET, data={"values": wanted})
