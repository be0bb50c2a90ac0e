"""`make fuzz`: 100,000 broken inputs for the readers of plans, HCL, policies and waivers.

    python -m benchmarks.fuzz [--inputs 100000] [--seed 1] [--reader plan|hcl|policies|waivers|expression]

Every input must end in an answer or in a RunbookError of one line, within a second of processor time; nothing else may
come out.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from benchmarks.mutations import damage
from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.adapters.hcl_expression import parse_expression
from runbook_lib.adapters.hcl_scope import ModuleScope
from runbook_lib.adapters.hcl_values import evaluate
from runbook_lib.adapters.policies import load_policies, load_waivers
from runbook_lib.domain.compliance import judge
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import hcl_changes, rules_from_plan
from runbook_lib.errors import RunbookError
from runbook_lib.models.policies import Policy

ROOT = Path(__file__).resolve().parent.parent
PLANS = ROOT / "tests/fixtures/plans"
MOST_SECONDS = 1.0
Reader = Callable[[bytes, Path], object]


def pack() -> tuple[Policy, ...]:
    return load_policies(ROOT / "policies")


def readers() -> dict[str, tuple[Reader, list[bytes], int]]:
    """Each reader with the inputs to damage, and its share of a hundred inputs."""
    policies = pack()
    plans = [path.read_bytes() for path in sorted(PLANS.glob("*.json")) if path.stat().st_size < 30_000]
    files = [path.read_bytes() for path in sorted(PLANS.glob("cases/*/main.tf"))]
    blocks = [block.encode() for text in files for block in text.decode().split("\n\n")]
    policy_files = [policy_example().encode(), b"policies: []\n"]
    waiver = b"waivers:\n  - {policy: sg-world-ssh, address: 'a.*', owner: me, reason: why, expires: 2026-02-01}\n"
    expressions = [b'{ for k, v in var.a : "${k}-x" => v if v > 1 }', b'concat(["a"], var.b[0].c)[*].d', b"a ? -b : !c"]
    return {
        "plan": (lambda data, _folder: judge(rules_from_plan(parse_plan(data)), policies), plans, 45),
        "hcl": (lambda data, folder: judge(hcl_changes(read_hcl(_put(folder, "main.tf", data))), policies), blocks, 20),
        "policies": (lambda data, folder: load_policies(_put(folder, "p.yml", data)), policy_files, 10),
        "waivers": (lambda data, folder: _waivers(_put(folder, "waivers.yml", data), policies), [waiver], 10),
        "expression": (_expression, expressions, 15),
    }


def policy_example() -> str:
    lines = (ROOT / "policies/sources.yml").read_text(encoding="utf-8").splitlines()
    end = next(index for index, line in enumerate(lines) if line.startswith("  - id: sg-wide"))
    return "\n".join(lines[:end]) + "\n"


def _put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder


def _waivers(folder: Path, policies: tuple[Policy, ...]) -> object:
    return load_waivers(folder / "waivers.yml", policies, date(2026, 1, 1), 90)


def _expression(data: bytes, _folder: Path) -> object:
    return evaluate(parse_expression(data.decode("utf-8", "replace")), ModuleScope(), {})


def attack(name: str, count: int, generator: random.Random) -> Counter[str]:
    """Damage and read `count` times; SystemExit with the input at the first that goes wrong."""
    reader, seeds, _ = readers()[name]
    endings: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for data in inputs(seeds, count, generator):
            started = time.process_time()
            try:
                reader(data, Path(folder))
                endings["read"] += 1
            except RunbookError as error:
                endings["refused"] += 1
                if not error.message or "\n" in error.message:
                    raise SystemExit(f"{name}: {error.message!r} is no clear line\n{keep(data)}") from error
            except Exception as error:
                raise SystemExit(f"{name}: {type(error).__name__}: {error}\n{keep(data)}") from error
            if time.process_time() - started > MOST_SECONDS:
                endings["slow"] += 1
                print(f"{name}: took more than {MOST_SECONDS} s: {keep(data)}", file=sys.stderr)
    return endings


def inputs(seeds: list[bytes], count: int, generator: random.Random) -> Iterator[bytes]:
    for _ in range(count):
        yield damage(generator.choice(seeds), generator)


def keep(data: bytes) -> str:
    with tempfile.NamedTemporaryFile(prefix="fuzz-", delete=False) as file:
        file.write(data)
    return f"the input is kept in {file.name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reader", choices=[*readers()])
    options = parser.parse_args()
    slow = 0
    for name, (_, _, share) in readers().items():
        if options.reader not in {None, name}:
            continue
        count = options.inputs if options.reader else options.inputs * share // 100
        started = time.perf_counter()
        endings = attack(name, count, random.Random(options.seed))
        slow += endings["slow"]
        told = ", ".join(f"{number} {ending}" for ending, number in sorted(endings.items()))
        print(f"{name:10}  {count:6} inputs in {time.perf_counter() - started:6.1f} s: {told}", flush=True)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
