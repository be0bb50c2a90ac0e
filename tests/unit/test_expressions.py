"""CEL's compiler is there without the command line that comes with it, which takes a quarter of a second to import."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from runbook_lib.models.expressions import load_cel
cel = load_cel()
assert cel.compile("a > 1").execute(cel.Context(variables={"a": 2})) is True
assert load_cel() is cel
print([name for name in ("prompt_toolkit", "rich", "typer", "cel.cli") if name in sys.modules])
import cel.cli
print(callable(cel.cli.app))
"""


def test_the_command_line_of_the_package_is_not_imported_and_can_be_later() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
    assert said.split("\n")[:2] == ["[]", "True"]
