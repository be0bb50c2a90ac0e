"""`make bench-compliance`: how fast a large change is judged, beside Checkov on the very same plan.

    python benchmarks/bench_compliance.py [--rules 10000] [--rounds 5] [--no-checkov] [--no-hcl]

Exit status 1 if a promise is broken. Every round is a cold process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from generated_plan import SHAPES, write_expressions, write_hcl, write_plan, write_shape, write_tfvars

ROOT = Path(__file__).resolve().parent.parent
CHECKOV_VENV = ROOT / ".benchmarks" / "checkov"
CHECKOV = "checkov==3.3.*"
MOST_SECONDS, MOST_MEGABYTES, LEAST_RATIO, MOST_GROWTH = 2.5, 120, 30, 12
# What there is to do at least: the plan read by Python's own reader, in a process of its own.
LOAD, MOST_LOADS = [sys.executable, "-c", "import json, sys; json.load(open(sys.argv[1], 'rb'))"], 4
MOST_HCL_MEGABYTES = 300
CHECK = [sys.executable, "-m", "runbook_lib.cli", "check", "--format", "json", "--output", os.devnull]


@dataclass(frozen=True)
class Measured:
    """One process from start to end: seconds by the wall, megabytes of resident memory at most, exit status.

    `worked` are the seconds that it computed: what else the machine does changes them little.
    """

    seconds: float
    megabytes: float
    status: int
    worked: float = 0.0


def measure(command: list[str], folder: Path) -> Measured:
    started = time.perf_counter()
    # As where it is installed: compiled once, not in every process.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        raise SystemExit(
            f"{' '.join(command)} ended with {process.returncode}\n{errors.decode(errors='replace')[-2000:]}"
        )
    return Measured(seconds, usage.ru_maxrss / 1024, process.returncode, usage.ru_utime + usage.ru_stime)


def fastest(command: list[str], folder: Path, rounds: int) -> Measured:
    """The fastest of some rounds: what others do on the machine only ever adds."""
    found = [measure(command, folder) for _ in range(rounds)]
    least = min(m.worked for m in found)
    return Measured(min(m.seconds for m in found), max(m.megabytes for m in found), found[0].status, least)


def install_checkov() -> Path:
    binary = CHECKOV_VENV / "bin" / "checkov"
    if not binary.exists():
        print("installing Checkov into a virtual environment of its own", file=sys.stderr)
        shutil.rmtree(CHECKOV_VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(CHECKOV_VENV)], check=True)
        subprocess.run([str(CHECKOV_VENV / "bin/pip"), "install", "--quiet", CHECKOV], check=True)
    return binary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-checkov", action="store_true")
    parser.add_argument("--no-hcl", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        promises = [*plan_promises(Path(name), options), *shape_promises(Path(name), options)]
        if not options.no_hcl:
            promises += hcl_promises(Path(name), options)
    for text, kept in promises:
        print(f"{'kept  ' if kept else 'BROKEN'}  {text}")
    return 0 if all(kept for _, kept in promises) else 1


def plan_promises(folder: Path, options: argparse.Namespace) -> list[tuple[str, bool]]:
    small, large = folder / "small.json", folder / "large.json"
    write_plan(small, options.rules // 10, 20)
    write_plan(large, options.rules, 200)
    few = fastest([*CHECK, "--plan", str(small)], folder, options.rounds)
    many = fastest([*CHECK, "--plan", str(large)], folder, options.rounds)
    size = large.stat().st_size / 1e6
    load = fastest([*LOAD, str(large)], folder, options.rounds)
    print(f"plan   {options.rules:6} rules  {load.seconds:7.2f} s {load.megabytes:6.0f} MB   json.load alone")
    print(f"plan   {options.rules // 10:6} rules  {few.seconds:7.2f} s {few.megabytes:6.0f} MB   runbook check")
    what = f"runbook check ({size:.1f} MB of JSON)"
    print(f"plan   {options.rules:6} rules  {many.seconds:7.2f} s {many.megabytes:6.0f} MB   {what}")
    # By what they computed, each in one thread: by the clock one busy second of the machine would decide.
    loads = many.worked / load.worked
    print(f"       computed: json.load {load.worked:.2f} s, runbook check {many.worked:.2f} s")
    promises = [
        (f"at most {MOST_LOADS} times a cold json.load of the same plan: {loads:.1f}", loads <= MOST_LOADS),
        (f"at most {MOST_SECONDS} s for {options.rules} rules: {many.seconds:.2f} s", many.seconds <= MOST_SECONDS),
        (f"at most {MOST_MEGABYTES} MB: {many.megabytes:.0f} MB", many.megabytes <= MOST_MEGABYTES),
        growth_promise("rules", few, many),
    ]
    if not options.no_checkov:
        promises.append(checkov_promise(large, folder, many, options.rules))
    return promises


def growth_promise(what: str, few: Measured, many: Measured) -> tuple[str, bool]:
    growth = many.seconds / few.seconds
    return f"at most {MOST_GROWTH} times as long for ten times the {what}: {growth:.1f}", growth <= MOST_GROWTH


def shape_promises(folder: Path, options: argparse.Namespace) -> list[tuple[str, bool]]:
    """Ten times of what once took a hundred or a thousand times as long."""
    promises = []
    for shape in SHAPES:
        found = []
        for rules in (300, 3000):
            plan = folder / "shape.json"
            write_shape(plan, shape, rules)
            found.append(fastest([*CHECK, "--plan", str(plan)], folder, options.rounds))
            print(f"plan   {rules:6} rules  {found[-1].seconds:7.2f} s {found[-1].megabytes:6.0f} MB   {shape}")
        promises.append(growth_promise(f"rules of one group, {shape}", *found))
    found = []
    for count in (20, 200):
        policies = folder / f"policies-{count}"
        policies.mkdir()
        write_expressions(policies, count)
        command = [*CHECK, "--plan", str(folder / "large.json"), "--policies", str(policies)]
        found.append(fastest(command, folder, options.rounds))
        print(f"plan   {count:6} polic. {found[-1].seconds:7.2f} s {found[-1].megabytes:6.0f} MB   expressions")
    promises.append(growth_promise("policies with an expression", *found))
    found = []
    for entries in (500, 5000):
        stack = folder / f"tfvars-{entries}"
        stack.mkdir()
        write_tfvars(stack, entries)
        found.append(fastest([*CHECK, "--hcl", str(stack)], folder, options.rounds))
        print(
            f"files  {entries:6} rules  {found[-1].seconds:7.2f} s {found[-1].megabytes:6.0f} MB   entries in .tfvars"
        )
    promises.append(growth_promise("entries of a .tfvars file", *found))
    return promises


def checkov_promise(plan: Path, folder: Path, ours: Measured, rules: int) -> tuple[str, bool]:
    binary = install_checkov()
    command = [
        str(binary),
        "--file",
        str(plan),
        "--framework",
        "terraform_plan",
        "--compact",
        "--quiet",
        "--skip-download",
    ]
    theirs = measure([*command, "--output", "json", "--soft-fail"], folder)
    print(f"plan   {rules:6} rules  {theirs.seconds:7.2f} s {theirs.megabytes:6.0f} MB   checkov")
    ratio = theirs.seconds / ours.seconds
    return f"at least {LEAST_RATIO} times as fast as Checkov: {ratio:.0f} times", ratio >= LEAST_RATIO


def hcl_promises(folder: Path, options: argparse.Namespace) -> list[tuple[str, bool]]:
    files = folder / "hcl"
    files.mkdir()
    write_hcl(files, options.rules, 200)
    found = measure([*CHECK, "--hcl", str(files)], folder)
    print(f"files  {options.rules:6} rules  {found.seconds:7.2f} s {found.megabytes:6.0f} MB   runbook check --hcl")
    return [
        (
            f"HCL of that size in at most {MOST_HCL_MEGABYTES} MB: {found.megabytes:.0f} MB",
            found.megabytes <= MOST_HCL_MEGABYTES,
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
