"""What Terraform makes of the small modules in tests/fixtures/hcl_syntax, to which our reading of files is held.

    python -m benchmarks.hcl_modules

Plans each and writes the `input` of every instance of terraform_data to expected.json: after a change to the modules.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runbook_lib.adapters.terraform_binary import find_binary

__all__ = ["MODULES", "planned"]

MODULES = Path(__file__).parent.parent / "tests/fixtures/hcl_syntax"


def planned(module: Path) -> dict[str, Any]:
    """The inputs by address; SystemExit with Terraform's words where it refuses the module."""
    binary = find_binary(os.environ.get("RUNBOOK_TERRAFORM", ""), "1.5.0", os.environ)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(module, Path(folder) / f"main{''.join(module.suffixes)}")
        variables = module.with_suffix(".tfvars")
        if variables.is_file():
            shutil.copy(variables, Path(folder) / "terraform.tfvars")
        for command in (["init"], ["plan", "-input=false", "-no-color", "-out=plan"], ["show", "-json", "plan"]):
            arguments = [*binary.command, *command]
            done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{module.name}: terraform {command[0]} ended with {done.returncode}: {done.stderr}")
    resources = json.loads(done.stdout)["planned_values"].get("root_module", {}).get("resources", [])
    return {resource["address"]: resource["values"].get("input") for resource in resources}


def main() -> int:
    """Write them all."""
    modules = sorted(path for path in MODULES.iterdir() if path.name.endswith((".tf", ".tf.json")))
    found = {module.name: planned(module) for module in modules}
    text = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True)
    (MODULES / "expected.json").write_text(f"{text}\n", encoding="utf-8")
    print(f"{len(found)} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
