"""docs/auditor.md, walked: each command in it is executed, on a run that is whole and on one that is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.made_runs import ROOT, STEPS, MadeRun, settings_for
from runbook_lib.adapters.signing import generate_key, sign_statement
from runbook_lib.domain.statement import manifest_bytes, statement
from runbook_lib.models.evidence import Manifest

PRIVATE, PUBLIC = generate_key()
APPROVED = "What was approved is what was planned and applied"


def sections() -> dict[str, str]:
    """The commands of the page, by their heading; those that name folder and key are the reader's to set."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (ROOT / "docs/auditor.md").read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("    ") and not line.startswith(("    RUN=", "    KEY=")):
            found.setdefault(heading, []).append(line[4:])
    return {name: "\n".join(lines) for name, lines in found.items()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a run, the key, and `runbook` on PATH."""
    run = MadeRun(tmp_path / "outputs", "4711", settings_for(PRIVATE)).play(*STEPS)
    run.store.write_json("slack.json", {})
    (tmp_path / "key.pub").write_text(PUBLIC)
    command = tmp_path / "bin/runbook"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runbook_lib.cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


def walk(place: Path, commands: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    begin = "RUN=outputs/4711 KEY=key.pub\n"
    arguments = ["bash", "-euo", "pipefail", "-c", begin + commands]
    return subprocess.run(arguments, cwd=place, env=environment, capture_output=True, text=True, check=False)


def section(name: str) -> str:
    """The commands of this section, after those by which the statement was taken out of its envelope."""
    found = sections()
    taken_out = "\n".join(line for line in found["Who signed it"].splitlines() if not line.startswith("openssl"))
    return f"{taken_out}\n{found[name]}"


def test_every_command_of_the_walk_holds_for_a_run_that_is_whole(place: Path) -> None:
    for name, commands in sections().items():
        done = walk(place, commands)
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    said = walk(place, sections()["By whom, of whom it was asked, and until when"]).stdout
    assert "alex by gitlab at " in said
    assert "asked by riley at " in said


def change(place: Path, name: str, text: str = "another\n") -> None:
    (place / "outputs/4711" / name).write_text(text)


def test_a_changed_file_a_planted_one_and_one_less_are_found(place: Path) -> None:
    (place / "outputs/4711/05_verification/verification.csv").unlink()
    assert "verification.csv: FAILED" in walk(place, section("Nothing was changed or taken away")).stdout
    change(place, "02_plan/plan.txt")
    assert "02_plan/plan.txt: FAILED" in walk(place, section("Nothing was changed or taken away")).stdout
    change(place, "02_plan/planted.txt")
    planted = walk(place, section("Nothing was added"))
    assert (planted.returncode, planted.stdout) == (1, "02_plan/planted.txt\n")
    assert walk(place, sections()["All at once"]).returncode == 1


def test_another_key_s_signature_is_found(place: Path) -> None:
    folder = place / "outputs/4711"
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    (folder / "manifest.dsse.json").write_bytes(sign_statement(statement(manifest), generate_key()[0]))
    assert walk(place, sections()["Who signed it"]).returncode != 0


def test_a_seal_that_is_missing_and_an_edited_chain_are_found(place: Path) -> None:
    folder = place / "outputs/4711"
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    name = "No seal is missing, and none was found broken"
    for steps in (manifest.steps[1:], (manifest.steps[0].model_copy(update={"chain": "0" * 64}), *manifest.steps[1:])):
        (folder / "manifest.json").write_bytes(manifest_bytes(manifest.model_copy(update={"steps": steps})))
        assert walk(place, sections()[name]).returncode != 0
    (folder / "manifest.json").write_bytes(manifest_bytes(manifest))
    assert walk(place, sections()[name]).returncode == 0


@pytest.mark.parametrize(
    ("heading", "name", "old", "new"),
    [
        (APPROVED, "04_apply/decision.json", '"approved": true', '"approved": false'),
        (APPROVED, "02_plan/plan.tfplan", "plan", "plot"),
        ("By whom, of whom it was asked, and until when", "03_approval/request.json", '"quorum": 1', '"quorum": 2'),
        ("By whom, of whom it was asked, and until when", "04_apply/decision.json", '"alex"', '"riley"'),
        ("It is the run that it is said to be", "run.json", "4711", "4712"),
    ],
)  # fmt: skip
def test_a_claim_that_does_not_hold_is_found(place: Path, heading: str, name: str, old: str, new: str) -> None:
    path = place / "outputs/4711" / name
    path.write_text(path.read_text().replace(old, new))
    assert walk(place, section(heading)).returncode != 0


def test_the_walk_needs_nothing_but_the_folder_and_the_key(place: Path) -> None:
    shutil.rmtree(place / "bin")
    for name, commands in sections().items():
        if name != "All at once":
            assert "runbook " not in commands.replace("runbook.yml", "")
