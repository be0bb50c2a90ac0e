"""Every command in the documentation is the program's; those of tutorial and how-to pages are carried out."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from runbook_lib.cli.main import app
from runbook_lib.models.config import RunbookConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
WALKS = [
    ROOT / "docs/install.md",
    ROOT / "docs/tutorial.md",
    ROOT / "docs/image.md",
    *sorted(ROOT.glob("docs/howto/*.md")),
]
# A block, the note before it that says where it can be carried out, and what it is of.
BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<note>[^>]+) -->\n(?P=indent))?```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
IN_TEXT = re.compile(r"^ {4,}(?:\$ )?(runbook .+)$|`(runbook [^`\n]+)`", re.MULTILINE)
PROGRAM = typer.main.get_command(app)


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    """Note and text of each block in one of these languages."""
    for found in BLOCK.finditer(page.read_text()):
        if found["language"] in languages:
            yield found["note"] or "", re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)


def shown(page: Path) -> Iterator[str]:
    """Each `runbook` command line of a page, as a person would type it."""
    text = page.read_text()
    for _, script in blocks(page, "sh", "bash", "yaml"):
        yield from re.findall(r"(?:^|[\s(&|])(runbook (?!\d)[^\n|&>#)]+)", re.sub(r"\\\n\s*", " ", script))
    for found in IN_TEXT.finditer(text):
        yield re.split(r"\s+#|\s{2,}|[|&>]", found[1] or found[2])[0]


def wrong(line: str) -> str:
    """What the program would refuse of a command line before it did anything; empty if nothing."""
    try:
        words = shlex.split(line.replace("\\|", "|"))[1:]
    except ValueError:
        return ""
    command: Any = PROGRAM
    while words and getattr(command, "commands", None) and not words[0].startswith("-"):
        name = words.pop(0)
        if not re.fullmatch(r"[a-z]+", name):
            return ""  # a placeholder, or prose
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    unknown = given - known - {"--help", "-h", "--debug"}
    return f"no option {sorted(unknown)}" if unknown and command is not PROGRAM else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_shows_is_the_program_s(page: Path) -> None:
    assert {line: said for line in shown(page) if (said := wrong(line))} == {}


def test_a_command_or_option_that_is_not_there_is_seen() -> None:
    assert wrong("runbook chek --hcl .") == "no command chek"
    assert wrong("runbook check --hlc .") == "no option ['--hlc']"
    assert wrong("runbook evidence verify outputs/1 --keys a") == "no option ['--keys']"
    assert len([line for page in PAGES for line in shown(page)]) > 100


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository as the how-to pages speak of: policies, two stacks and runbook.yml, all of it committed."""
    folder = tmp_path / "repository"
    ignored = shutil.ignore_patterns(".terraform*", "tests")
    for name in ("policies", "terraform", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copyfile(ROOT / "runbook.yml", folder / "runbook.yml")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/runbook"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runbook_lib.cli "$@"\n')
    program.chmod(0o755)
    carried_out(folder, "git init --quiet --initial-branch=main && git add --all && git commit --quiet -m begun")
    return folder


def carried_out(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    who = {f"GIT_{role}_{what}": "riley@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{folder.parent}/bin:/usr/local/bin:/usr/bin:/bin"
    environment = {**who, "PATH": path, "HOME": str(folder.parent), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def walk(page: Path, place: Path) -> Iterator[tuple[str, int, subprocess.CompletedProcess[str]]]:
    """Each script of a page that can be carried out here, the status it should end with, and how it ended."""
    if page.stem == "tutorial":
        # It begins with nothing of ours: what it needs, `runbook init` writes.
        shutil.rmtree(place)
        place.mkdir()
    for note, script in blocks(page, "sh"):
        if not note.startswith("outside:"):
            status = int(note.removeprefix("status ")) if note.startswith("status ") else 0
            yield script, status, carried_out(place, script)


@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_says(page: Path, place: Path) -> None:
    for script, status, done in walk(page, place):
        assert (script, done.returncode, done.stderr) == (script, status, done.stderr)


def test_the_tutorial_s_change_is_refused_for_its_open_ssh_and_nothing_else(place: Path) -> None:
    refused = [done.stdout for _, status, done in walk(ROOT / "docs/tutorial.md", place) if status]
    assert len(refused) == 1
    assert "sg-world-ssh" in refused[0]
    assert "aws_vpc_security_group_ingress_rule.https" not in refused[0]


def merged(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(base[key], other[key]) for key in base.keys() & other.keys() if isinstance(base[key], dict)}
    return {**base, **other, **both}


@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.stem)
def test_what_a_page_writes_into_runbook_yml_is_taken(page: Path) -> None:
    yaml = YAML(typ="safe")
    for _, text in blocks(page, "yaml"):
        if not text.startswith("# runbook.yml"):
            continue
        base = yaml.load((ROOT / "runbook.yml").read_text())
        given = yaml.load(text)
        # A page that speaks of stacks speaks of all of them.
        if "stacks" in given:
            base = {"version": 1}
        RunbookConfig.model_validate(merged(base, given))
