"""How long Terraform files take to be read, how much memory that needs, and which part takes it.

    python benchmarks/bench_hcl.py [--rules 1200 4000] [--rounds 3]

Each folder is read in a process of its own. The parts are then timed one after the other, on the first size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generated_plan import write_hcl

from runbook_lib.adapters.hcl_blocks import module_files, read_source, split_blocks
from runbook_lib.adapters.hcl_expression import parse_template
from runbook_lib.adapters.hcl_parse import parse_text
from runbook_lib.adapters.hcl_syntax import parse_syntax, read_by_library

# By the processor's time: the wall's would measure whatever else the machine does.
READ = """
import resource, sys, time
from pathlib import Path
from runbook_lib.adapters.hcl import read_hcl
read_hcl(Path(sys.argv[1]))
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
TEMPLATES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, nargs="+", default=[1200, 4000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # The parts come last: a process begins with the peak of the one that started it.
    for rules in options.rules:
        with generated(rules) as folder:
            size = sum(path.stat().st_size for path in module_files(folder)) / 1000
            found = [read(folder) for _ in range(options.rounds)]
            seconds, megabytes = min(found)[0], max(most for _, most in found)
            print(f"read    {size:6.0f} kB  {seconds:7.2f} s {megabytes:6.0f} MB")
    with generated(options.rules[0]) as folder:
        print_parts(folder)


@contextmanager
def generated(rules: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        write_hcl(Path(name), rules, 20)
        yield Path(name)


def read(folder: Path) -> tuple[float, float]:
    """Seconds of processor time and megabytes of resident memory at most, of a process that only reads."""
    done = subprocess.run([sys.executable, "-c", READ, str(folder)], check=True, capture_output=True, text=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def print_parts(folder: Path) -> None:
    timed("python-hcl2's grammar, once a process", lambda: [read_by_library("a = 1\n")])
    timed("our grammar, once a process", lambda: [parse_syntax("a = 1\n")])
    texts = [block.text for file in module_files(folder) for block in split_blocks(read_source(file), file.name)]
    timed("python-hcl2: where things stand", lambda: [read_by_library(text) for text in texts])
    timed("our grammar: the same", lambda: [parse_syntax(text) for text in texts])
    timed("syntax and expressions", lambda: [parse_text(text, "main.tf", 1) for text in texts])
    strings = [f'name ${{var.names[{index}]}} and "{index}"' for index in range(TEMPLATES)]
    timed(f"{TEMPLATES} templates", lambda: [parse_template(text) for text in strings])


def timed(what: str, action: Callable[[], list[Any]]) -> list[Any]:
    started = time.process_time()
    result = action()
    print(f"part    {time.process_time() - started:18.3f} s   {what}")
    return result


if __name__ == "__main__":
    main()
