"""The demo's runbook against the bare Terraform commands that it contains, on one lab, in one run.

Prints seconds and the ratio; exit status 1 if the ratio is over the limit. Each round tells the story once and runs
`terraform init`, `plan -out`, `apply` and `plan` once for the same change, both from the same base; the lab's set-up
and the restoring of the base are not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
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
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client

LIMIT = 1.5
RULES = "rules.auto.tfvars"


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


def terraform_of(lab: LabAddresses) -> Terraform:
    os.environ.update(lab.environment())
    return terraform_client(Settings.load(lab.repository), "access")


def time_story(settings: Settings, lab: LabAddresses) -> Times:
    story = Story(settings, keep=True, broken=None, tell=lambda line: None)
    before = cpu_seconds()
    status = story.tell_on(lab)
    if status:
        raise SystemExit(f"the demo ended with status {status}")
    return Times(story.seconds, cpu_seconds() - before)


def time_bare(terraform: Terraform, folder: Path) -> Times:
    rules = terraform.directory / RULES
    rules.write_text(rules.read_text().replace("= 8000", "= 80"))
    plan = str(folder / "bare.tfplan")
    commands = (
        ("init", "-input=false"),
        ("plan", "-input=false", f"-out={plan}"),
        ("apply", "-input=false", plan),
        ("plan", "-input=false", "-detailed-exitcode"),
    )
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    settings = Settings.load(Path(__file__).resolve().parents[1])
    with tempfile.TemporaryDirectory() as folder:
        lab = lab_up(settings, Path(folder) / "lab", lambda line: print(f"lab: {line}", file=sys.stderr))
        try:
            story, bare = [], []
            for number in range(rounds):
                story.append(time_story(settings, lab))
                terraform = terraform_of(lab)
                restore_base(terraform)
                bare.append(time_bare(terraform, Path(folder)))
                restore_base(terraform)
                print(f"round {number + 1}: demo {story[-1]}, bare Terraform {bare[-1]}", flush=True)
        finally:
            lab_down(lab.folder)
    demo, terraform_alone = (statistics.median(time.wall for time in times) for times in (story, bare))
    ratio = demo / terraform_alone
    print(
        f"demo {demo:.1f} s, bare terraform init/plan/apply/plan {terraform_alone:.1f} s, "
        f"ratio {ratio:.2f} (limit {LIMIT}), medians of {rounds}"
    )
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
