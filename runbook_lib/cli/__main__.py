"""`python -m runbook_lib.cli` is the command `runbook`."""

from .main import main

if __name__ == "__main__":
    main()
