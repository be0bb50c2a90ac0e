"""`make conformance`: papermill's and nbclient's own tests with this engine in the place of theirs, beside stock.

papermill's tests come with the installed package; nbclient's are taken from the source distribution of the installed
version, by the hash that requirements.lock has of it. Nothing of either is kept in this repository. The end is 1 if a
test fails that is not listed below as a choice, or if one passes that is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.conformance_plugin import OURS, REPORT

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "conformance"
# nbclient's tests import it, and nothing else here does.
TESTPATH = "testpath==0.6.0 --hash=sha256:8ada9f80a2ac6fb0391aa7cdb1a7d11cfa8429f693eda83f74dde570fe6fa639"


@dataclass(frozen=True)
class Group:
    """Tests that are counted together; `least` is how many of ours must pass."""

    name: str
    modules: tuple[str, ...]
    least: int


GROUPS = (
    Group("papermill: execute, parameterize, cli, exceptions", ("execute", "parameterize", "cli", "exceptions"), 120),
    Group("papermill: autosave, engines, clientwrap, inspect, utils, translators",
          ("autosave", "engines", "clientwrap", "inspect", "utils", "translators"), 328),
    Group("nbclient: run-all and parallel", ("client",), 20),
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A test that this engine does not pass, and why. With `option` (variables), papermill's way is to be had."""

    test: str
    why: str
    option: Mapping[str, str] = field(default_factory=dict)


UNKNOWN = "an unknown parameter is an error before a kernel starts"
PAPERMILLS_WAY = {"RUNBOOK_UNKNOWN_PARAMETERS": "warn"}
MOCKED = "asks with which arguments papermill's own client is made; this engine has another"
CHOICES = (
    Choice("test_execute::TestNotebookHelpers::test_backslash_params", UNKNOWN, PAPERMILLS_WAY),
    Choice("test_execute::TestNotebookHelpers::test_backslash_quote_params", UNKNOWN, PAPERMILLS_WAY),
    Choice("test_execute::TestNotebookHelpers::test_double_backslash_quote_params", UNKNOWN, PAPERMILLS_WAY),
    Choice("test_execute::TestNotebookHelpers::test_start_timeout", MOCKED),
    Choice("test_execute::TestNotebookHelpers::test_default_start_timeout", MOCKED),
    Choice(
        "test_execute::TestBrokenNotebook2::test",
        "fails with stock too: its notebook imports from IPython what IPython no longer has",
    ),
)

Outcomes = Mapping[str, str]


def judge(stock: Outcomes, ours: Outcomes, by_option: Outcomes, choices: Iterable[Choice] = CHOICES) -> list[str]:
    """What is wrong: tests that were not run, failures that are not listed, listed ones that pass."""
    listed = {choice.test: choice for choice in choices}
    wrong = [f"{test}: run with one of the two engines only" for test in sorted(set(stock) ^ set(ours))]
    for test, outcome in ours.items():
        if outcome != "passed" and test not in listed and not outcome == stock.get(test) == "skipped":
            wrong.append(f"{test}: {outcome}, and not listed as a choice")
        if outcome == "passed" and test in listed:
            wrong.append(f"{test}: passes, though it is listed as a choice")
    for test, choice in listed.items():
        if test not in ours:
            wrong.append(f"{test}: listed as a choice, and not among the tests")
        elif choice.option and by_option.get(test) != "passed":
            wrong.append(f"{test}: does not pass with {_shown(choice.option)} either")
    return wrong


def passed(outcomes: Outcomes, by_option: Outcomes, group: Group) -> int:
    """How many of the group's tests pass, as they are or with the option that their choice names."""
    merged = {**outcomes, **{test: outcome for test, outcome in by_option.items() if outcome == "passed"}}
    return sum(outcome == "passed" for test, outcome in merged.items() if _module(test) in group.modules)


def counted(outcomes: Outcomes, group: Group) -> int:
    """How many tests the group has."""
    return sum(_module(test) in group.modules for test in outcomes)


def _module(test: str) -> str:
    return test.partition("::")[0].removeprefix("test_")


def _shown(option: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in option.items())


def run(what: str, arguments: Sequence[str], environ: Mapping[str, str], *, ours: bool) -> dict[str, str]:
    """Outcomes by test."""
    report, said, work = BUILD / f"{what}.json", BUILD / f"{what}.txt", BUILD / "work"
    report.unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join(filter(None, (str(ROOT), str(BUILD / "lib"), os.environ.get("PYTHONPATH"))))
    more = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", REPORT: str(report), **environ}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNBOOK_")}
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "benchmarks.conformance_plugin",
               "-p", "no:cacheprovider", "-q", "--tb=short", *arguments]  # fmt: skip
    with said.open("w") as stream:
        subprocess.run(command, cwd=work, env={**kept, **more, OURS: "1" if ours else ""}, stdout=stream,
                       stderr=subprocess.STDOUT, check=False)  # fmt: skip
    if not report.exists():
        sys.exit(f"error: the tests could not be run\nhint: see {said.relative_to(ROOT)}")
    return dict(json.loads(report.read_text()))


def with_options() -> dict[str, str]:
    """Outcomes of the tests that are to pass where their choice's variables are set."""
    outcomes: dict[str, str] = {}
    for option in {json.dumps(choice.option) for choice in CHOICES if choice.option}:
        tests = [f"papermill.tests.{choice.test}" for choice in CHOICES if json.dumps(choice.option) == option]
        outcomes |= run("papermill-options", ["--pyargs", *tests], json.loads(option), ours=True)
    return outcomes


def papermill_tests() -> list[str]:
    return ["--pyargs", *(f"papermill.tests.test_{module}" for group in GROUPS[:2] for module in group.modules)]


def nbclient_tests() -> list[str]:
    """Fetch them if need be; the arguments that choose those which run notebooks whole."""
    name = f"nbclient-{version('nbclient')}"
    folder = BUILD / name
    if not (folder / "tests").is_dir():
        _fetch(name, folder)
    return [str(folder / "tests" / "test_client.py"), "-k", "test_run_all_notebooks or parallel"]


def _fetch(name: str, folder: Path) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = BUILD / "requirements.txt"
    wanted.write_text(locked(name, (ROOT / "requirements.lock").read_text()))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([*pip, "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation",
                        "--require-hashes", "-r", str(wanted), "-d", str(BUILD)], check=True)  # fmt: skip
        wanted.write_text(TESTPATH)
        subprocess.run([*pip, "install", "--no-deps", "--require-hashes", "-r", str(wanted), "--upgrade",
                        "--target", str(BUILD / "lib")], check=True)  # fmt: skip
    except subprocess.CalledProcessError:
        sys.exit(f"error: {name} could not be fetched\nhint: its source distribution comes from pip's index")
    with tarfile.open(BUILD / f"{name}.tar.gz") as archive:
        members = [member for member in archive if member.name.startswith(f"{name}/tests/")]
        # The hash has said what is in it. The package beside the tests would be taken for the installed one.
        archive.extractall(folder.parent, members)


def locked(name: str, lock: str) -> str:
    """The lines of a lock file that pin this version; exits if it pins another one."""
    package, _, number = name.rpartition("-")
    found = re.search(rf"(?m)^{package}=={re.escape(number)}( \\\n    --hash=\S+)+", lock)
    if found is None:
        sys.exit(f"error: requirements.lock does not pin {package} {number}\nhint: make setup")
    return found[0] + "\n"


def main() -> int:
    began = time.monotonic()
    papermills, nbclients = papermill_tests(), nbclient_tests()
    outcomes: dict[bool, dict[str, str]] = {}
    for ours in (False, True):
        word = "ours" if ours else "stock"
        outcomes[ours] = run(f"papermill-{word}", papermills, {}, ours=ours)
        outcomes[ours] |= run(f"nbclient-{word}", nbclients, {}, ours=ours)
        # Its authors mark those that run in parallel as tests that may need a second try.
        if again := [test for test, outcome in outcomes[ours].items() if outcome == "failed" and "parallel" in test]:
            names = " or ".join(test.rpartition("::")[2] for test in again)
            outcomes[ours] |= run(f"nbclient-{word}-again", [nbclients[0], "-k", names], {}, ours=ours)
    stock, mine = outcomes[False], outcomes[True]
    by_option = with_options()
    wrong = judge(stock, mine, by_option)
    print(f"{'tests':>7}{'stock':>7}{'ours':>7}{'of them by option':>19}{'listed':>8}")
    for group in GROUPS:
        good = passed(mine, by_option, group)
        listed = sum(_module(choice.test) in group.modules for choice in CHOICES)
        optional = good - passed(mine, {}, group)
        print(f"{counted(mine, group):>7}{passed(stock, {}, group):>7}{good:>7}{optional:>19}{listed:>8}  {group.name}")
        if good < group.least:
            wrong.append(f"{group.name}: {good} passed, and {group.least} must")
    print("\nListed as choices; those with a variable pass where it is set, and are counted so:")
    for choice in CHOICES:
        print(f"  {choice.test}: {choice.why} {_shown(choice.option)}".rstrip())
    print(f"\n{time.monotonic() - began:.0f} s; what the tests said is in {BUILD.relative_to(ROOT)}/")
    print(*(f"error: {line}" for line in wrong), sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
