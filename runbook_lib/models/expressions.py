"""CEL's compiler, imported only where there is an expression."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

__all__ = ["load_cel"]

_COMMAND = "cel.cli"


def load_cel() -> Any:
    """The package `cel` without its own command line, which it imports at once: a quarter of a second."""
    if "cel" not in sys.modules and _COMMAND not in sys.modules:
        sys.modules[_COMMAND] = ModuleType(_COMMAND)
        try:
            import cel
        finally:
            # Whoever wants that command imports the real one.
            del sys.modules[_COMMAND]
    import cel

    return cel
