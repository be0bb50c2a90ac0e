"""What a Python kernel is told before the first cell: failing commands are errors, and what to import meanwhile."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

__all__ = ["FAILED_COMMAND", "setup_code"]

FAILED_COMMAND = "CalledProcessError"
# Sent as text, since the kernel's environment need not have this package. It leaves no name behind in the notebook's.
_SETUP = """
def setup(shell, modules):
    import importlib, subprocess, warnings
    warnings.filterwarnings("ignore", message="To exit: use")
    if hasattr(type(shell), "system_raise_on_error"):
        shell.system_raise_on_error = True
    else:
        plain = shell.system
        def system(command):
            plain(command)
            status = shell.user_ns.get("_exit_code", 0)
            if status:
                raise subprocess.CalledProcessError(status, command)
        shell.system = system
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            pass
setup(get_ipython(), MODULES)
"""


def setup_code(preload: Iterable[str] = ()) -> str:
    """The code to execute silently in a new IPython kernel."""
    source = textwrap.dedent(_SETUP).replace("MODULES", repr(tuple(preload)))
    return f"exec(compile({source!r}, '<runbook>', 'exec'), {{'get_ipython': get_ipython}})"
