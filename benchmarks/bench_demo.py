"""The demo's runbook against the bare Terraform commands that it contains, on one lab, in one run.

Prints seconds and the ratio, and how long one step, run alone as a CI job does, takes beyond the Terraform commands
within it; exit status 1 if one is over its limit. Each round tells the story once, runs two steps of it alone, and runs
bare, for the same change from the same base, the commands that the story ran: the plan, the reading of its file at the
plan, at the request and before apply, the apply, and the plan and its reading at verification. Beside that ratio stands
the one to `init`, `plan`, `apply` and `plan` alone, which is what somebody would type who checks nothing. The lab's
set-up and the restoring of the base are not counted.

With `--runs N` the story is told N times and nothing is measured: it counts the kernels that had to be killed since
they did not leave, and exit status 1 says that there was one.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from runbook_lib.adapters.terraform import Terraform
from runbook_lib.cli.demo_story import Story
from runbook_lib.cli.lab_base import BASE_RULES, lab_down, lab_up
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner.kernel_queue import KILLED
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client

LIMIT = 1.25
# Seconds beyond Terraform's own, for a step that is a process of its own.
STEP_LIMIT = 1.5
# What is measured so, each in a run that has not been applied; a plan is made of files that were judged before.
ALONE = {"plan": ("compliance", "plan"), "verification": ("verification",)}
RULES = "rules.auto.tfvars"


Commands = tuple[tuple[str, ...], ...]


class Times(NamedTuple):
    """Seconds by the clock on the wall, and of all processors."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} s of CPU)"


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def restore_base(terraform: Terraform) -> None:
    (terraform.directory / RULES).write_bytes(BASE_RULES.read_bytes())
    terraform.run("apply", "-auto-approve", "-input=false", "-no-color")


def open_web(terraform: Terraform) -> None:
    rules = terraform.directory / RULES
    rules.write_text(rules.read_text().replace("= 8000", "= 80"))


def terraform_of(lab: LabAddresses) -> Terraform:
    os.environ.update(lab.environment())
    return terraform_client(Settings.load(lab.repository), "access")


def time_story(story: Story, lab: LabAddresses) -> Times:
    before = cpu_seconds()
    status = story.tell_on(lab)
    if status:
        raise SystemExit(f"the demo ended with status {status}")
    return Times(story.seconds, cpu_seconds() - before)


def typed_commands(plan: str) -> Commands:
    """What somebody types who checks nothing."""
    return (
        ("init", "-input=false"),
        ("plan", "-input=false", f"-out={plan}"),
        ("apply", "-input=false", plan),
        ("plan", "-input=false", "-detailed-exitcode"),
    )


def own_commands(plan: str) -> Commands:
    """What the runbook runs for this change, apart from `version`."""
    show = ("show", "-json", plan)
    return (
        ("plan", "-input=false", f"-out={plan}"),
        *(show, show, show),
        ("apply", "-json", "-input=false", plan),
        ("plan", "-input=false", "-detailed-exitcode", "-lock=false", f"-out={plan}"),
        show,
    )


def time_bare(terraform: Terraform, commands: Commands) -> Times:
    open_web(terraform)
    began, before = time.monotonic(), cpu_seconds()
    for command in commands:
        subprocess.run(
            [*terraform.binary.command, *command],
            cwd=terraform.directory,
            env=dict(terraform.environment),
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return Times(time.monotonic() - began, cpu_seconds() - before)


def time_alone(name: str, run_id: str, story: Story, lab: LabAddresses) -> float:
    """The same of the last step of a run of its own."""
    seconds = [time_step(step, run_id, story, lab) for step in ALONE[name]]
    return seconds[-1]


def time_step(step: str, run_id: str, story: Story, lab: LabAddresses) -> float:
    """Seconds of `runbook run STEP` that none of its Terraform commands ran in."""
    command = [sys.executable, "-m", "runbook_lib.cli", "run", step, "--run-id", run_id]
    command += ["--runbook", "drift"] if step == "verification" else []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "times"
        environment = {
            **os.environ,
            **lab.environment(),
            "RUNBOOK_ROOT": str(lab.repository),
            "RUNBOOK_OUTPUTS": str(story.settings.outputs),
            "RUNBOOK_SIGNING_KEY": str(lab.folder / "signing-key.pem"),
            "RUNBOOK_TERRAFORM": str(timed_terraform(Path(folder), log)),
        }
        began = time.monotonic()
        ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        if ended.returncode:
            raise SystemExit(f"`run {step}` ended with status {ended.returncode}\n{ended.stderr[-2000:]}")
        whole = time.monotonic() - began
        return whole - sum(float(end) - float(start) for start, end in map(str.split, log.read_text().splitlines()))


def timed_terraform(folder: Path, log: Path) -> Path:
    """A script in Terraform's place that notes when it began and ended."""
    script = folder / "terraform"
    program = shutil.which("terraform") or sys.exit("error: no terraform is on PATH")
    lines = ("#!/bin/sh", "began=$(date +%s.%N)", f'"{program}" "$@"', "status=$?")
    script.write_text("\n".join((*lines, f'echo "$began $(date +%s.%N)" >> "{log}"', "exit $status", "")))
    script.chmod(0o700)
    return script


def count_killed(settings: Settings, lab: LabAddresses) -> int:
    """Tell the story once; how many of its kernels had to be killed, as the run's log says."""
    log = lab.folder / "said"
    with log.open("wb") as file:
        ours = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            time_story(new_story(settings), lab)
        finally:
            os.dup2(ours, 2)
            os.close(ours)
    restore_base(terraform_of(lab))
    return log.read_text(errors="replace").count(KILLED)


def new_story(settings: Settings) -> Story:
    return Story(settings, keep=True, broken=None, tell=lambda line: None)


def leave(settings: Settings, lab: LabAddresses, runs: int) -> int:
    killed = []
    for number in range(runs):
        killed.append(count_killed(settings, lab))
        print(f"run {number + 1}: {killed[-1]} kernels did not leave and were killed", flush=True)
    print(f"{sum(killed)} of {len(BUILT_IN) * runs} kernels were killed, in {sum(map(bool, killed))} of {runs} runs")
    return int(any(killed))


def measure(settings: Settings, lab: LabAddresses, rounds: int) -> int:
    stories, own, typed = [], [], []
    alone: dict[str, list[float]] = {step: [] for step in ALONE}
    began = int(time.time())  # a run's id is used once, and those of an earlier measurement are there
    for number in range(rounds):
        story = new_story(settings)
        stories.append(time_story(story, lab))
        terraform = terraform_of(lab)
        restore_base(terraform)
        open_web(terraform)
        alone["plan"].append(time_alone("plan", f"plan-{began}-{number}", story, lab))
        restore_base(terraform)
        alone["verification"].append(time_alone("verification", f"verification-{began}-{number}", story, lab))
        plan = str(lab.folder / "bare.tfplan")
        for times, commands in ((own, own_commands(plan)), (typed, typed_commands(plan))):
            times.append(time_bare(terraform, commands))
            restore_base(terraform)
        beyond = ", ".join(f"{step} alone {seconds[-1]:.1f} s beyond" for step, seconds in alone.items())
        print(f"round {number + 1}: demo {stories[-1]}, its Terraform commands bare {own[-1]}, {beyond}", flush=True)
    demo, its, four = (statistics.median(times.wall for times in taken) for taken in (stories, own, typed))
    ratio = demo / its
    print(f"medians of {rounds}: demo {demo:.1f} s, its Terraform commands bare {its:.1f} s")
    print(f"ratio {ratio:.2f} (limit {LIMIT})")
    print(f"beside init, plan, apply and plan alone, {four:.1f} s: ratio {demo / four:.2f}")
    medians = {step: statistics.median(seconds) for step, seconds in alone.items()}
    for step, seconds in medians.items():
        print(f"{step} alone: {seconds:.2f} s beyond its Terraform commands (limit {STEP_LIMIT} s)")
    return int(ratio > LIMIT or max(medians.values()) > STEP_LIMIT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=0, help="only count the kernels that do not leave, in so many runs")
    arguments = parser.parse_args()
    settings = Settings.load(Path(__file__).resolve().parents[1])
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_up(settings, Path(folder) / "lab", lambda line: print(f"lab: {line}", file=sys.stderr))
        try:
            if arguments.runs:
                return leave(settings, lab, arguments.runs)
            return measure(settings, lab, arguments.rounds)
        finally:
            lab_down(lab.folder)


if __name__ == "__main__":
    sys.exit(main())
