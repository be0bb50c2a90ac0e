"""What is imported before there is work for it: each of these costs a command, or the first kernel, its start."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("boto3", "jupyter_client", "matplotlib", "nbclient", "nbformat", "numpy", "pandas", "papermill", "zmq")
LOADED = "import {module}, sys; print(*(name for name in {heavy} if name in sys.modules))"


@pytest.mark.parametrize(
    "module",
    ["runbook_lib.cli.main", "runbook_lib.runner.run", "runbook_lib.engine.papermill_engine", "runbook_lib.settings"],
)
def test_nothing_heavy_is_imported_before_it_is_used(module: str) -> None:
    code = LOADED.format(module=module, heavy=(*HEAVY, "rfc3987_syntax"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_engine_keeps_out_a_grammar_that_takes_a_second_to_build() -> None:
    code = "import runbook_lib.engine.notebook_files as files, sys\nwith files.light_imports():\n"
    code += "    import runbook_lib.engine.execution\nprint('nbclient' in sys.modules, 'rfc3987_syntax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
