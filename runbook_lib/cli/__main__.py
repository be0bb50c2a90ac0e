"""`python -m runbook_lib.cli` is the command `runbook`."""

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()) and not __file__.startswith(os.path.join(os.getcwd(), "")):  # noqa: PTH109, PTH118
    # Python looks for libraries in the working folder first, and what lies beside the notebooks is none.
    del sys.path[0]

from .main import main

if __name__ == "__main__":
    main()
