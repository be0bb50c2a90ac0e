"""The parts of this package that are installed only where they are wanted."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import UsageError

__all__ = ["missing_extra", "require"]

# What each extra brings, by the names under which it is imported.
_MODULES = {
    "lab": ("fastapi", "moto", "python_multipart", "uvicorn"),
    "desk": ("pandas", "jupyterlab"),
    "listen": ("slack_bolt",),
}


def require(extra: str) -> None:
    """UsageError naming the extra, before anything is begun that would miss it."""
    for module in _MODULES[extra]:
        if find_spec(module) is None:
            raise _needs(extra, module)


def missing_extra(error: ModuleNotFoundError) -> UsageError | None:
    """The same for what was found missing on the way; None where no extra brings it."""
    module = (error.name or "").partition(".")[0]
    return next((_needs(extra, module) for extra, modules in _MODULES.items() if module in modules), None)


def _needs(extra: str, module: str) -> UsageError:
    return UsageError(
        f"this needs the extra {extra!r}, which is not installed: {module} is missing",
        f"Install it: pip install 'runbook-toolkit[{extra}]', or the wheel's own path in place of the name.",
    )
