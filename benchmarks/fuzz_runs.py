"""`make fuzz`: 2,000 run folders, each changed in one way between two steps or after the last.

    python -m benchmarks.fuzz_runs [--mutations 2000] [--seed 1]

Two signed runs are made by the code that seals runs. Then one of them is taken as it was after some step, and one file
of any step is changed, swapped, planted, removed or renamed, or the seals themselves are. The start of the next step
must refuse it by the file's name, or `evidence verify` must name it; a mutation that neither notices is printed, and
the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made_runs import STEPS, MadeRun, settings_for
from runbook_lib.adapters.signing import generate_key, sign_statement
from runbook_lib.domain.evidence import add_seal, new_manifest
from runbook_lib.domain.statement import manifest_bytes, statement
from runbook_lib.errors import RunbookError
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import Manifest
from runbook_lib.runner.evidence import prove_folder
from runbook_lib.runner.folder import read_folder

SEAL = ("manifest.json", "manifest.dsse.json")
NAMES = (
    "plan.tfplan",
    "decision.json",
    "apply.txt",
    "notebook.html",
    "result.json",
    "evil.sh",
    ".hidden",
    "a/b/c.json",
)


@dataclass
class World:
    """Two runs as they were after each step; `at` says after how many."""

    folder: Path
    private: str
    public: Path
    in_ci: bool

    @classmethod
    def make(cls, folder: Path, *, in_ci: bool) -> World:
        """Play both runs, and keep them after each step."""
        private, public = generate_key()
        key = folder / "key.pub"
        key.write_text(public)
        world = cls(folder, private, key, in_ci)
        for run_id in ("run-a", "run-b"):
            run = MadeRun(folder / "made", run_id, settings_for(private, in_ci=in_ci))
            for at, step in enumerate(STEPS, start=1):
                run.play(step)
                shutil.copytree(run.store.dir, folder / f"{at}" / run_id)
        return world

    def run(self, at: int, outputs: Path) -> MadeRun:
        """The first run as it was after so many steps."""
        shutil.copytree(self.folder / f"{at}" / "run-a", outputs / "run-a")
        return MadeRun(outputs, "run-a", settings_for(self.private, in_ci=self.in_ci))

    def other(self, at: int) -> Path:
        """The other run at that moment."""
        return self.folder / f"{at}" / "run-b"


def files(folder: Path) -> list[str]:
    """Every file that a seal speaks of, and the seal."""
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if path != "slack.json" and not path.startswith("outbox/")]


@dataclass
class Case:
    """One folder about to be changed."""

    world: World
    at: int
    folder: Path
    random: random.Random

    def pick(self, *besides: str) -> str:
        """A file of any step."""
        return self.random.choice([path for path in files(self.folder) if path not in besides])

    def step_folder(self) -> str:
        """The folder of a step that has ended."""
        return self.random.choice(sorted(path.name for path in self.folder.iterdir() if path.is_dir()))


Mutation = Callable[[Case], str]


def flip(case: Case) -> str:
    """Another byte."""
    name = case.pick()
    data = bytearray((case.folder / name).read_bytes() or b"x")
    data[case.random.randrange(len(data))] ^= 1 << case.random.randrange(8)
    (case.folder / name).write_bytes(data)
    return name


def cut(case: Case) -> str:
    """Its end cut off."""
    name = case.pick()
    data = (case.folder / name).read_bytes()
    (case.folder / name).write_bytes(data[: case.random.randrange(len(data))])
    return name


def append(case: Case) -> str:
    """More at its end."""
    name = case.pick()
    with (case.folder / name).open("ab") as stream:
        stream.write(case.random.choice([b"\n", b" ", b"{}", b"\0"]))
    return name


def swap_with_other_run(case: Case) -> str:
    """The same file of another run, signed by the same key."""
    name = case.pick("02_plan/governed_by/policies/sources.yml", *governed(case))
    other = case.world.other(case.random.choice([case.at, len(STEPS)])) / name
    if other.read_bytes() == (case.folder / name).read_bytes():
        return flip(case)
    shutil.copyfile(other, case.folder / name)
    return name


def governed(case: Case) -> list[str]:
    """What both runs have alike."""
    return [path for path in files(case.folder) if "/governed_by/" in path or path.endswith("verification.json")]


def swap_two(case: Case) -> str:
    """Two files of the run change places."""
    one, two = case.pick(), case.pick()
    first, second = (case.folder / one).read_bytes(), (case.folder / two).read_bytes()
    if first == second:
        return flip(case)
    (case.folder / one).write_bytes(second)
    (case.folder / two).write_bytes(first)
    # A manifest that is none is the first to be named.
    return two if two in SEAL else one


def remove(case: Case) -> str:
    """One file less."""
    name = case.pick()
    (case.folder / name).unlink()
    return name


def rename(case: Case) -> str:
    """A file under another name."""
    name = case.pick()
    (case.folder / name).rename((case.folder / name).with_name("renamed.txt"))
    return name


def rename_step(case: Case) -> str:
    """A step's folder under another name."""
    name = case.step_folder()
    (case.folder / name).rename(case.folder / f"{case.random.randrange(10, 99)}_step")
    return name


def remove_step(case: Case) -> str:
    """A step's folder less."""
    name = case.step_folder()
    shutil.rmtree(case.folder / name)
    return name


def swap_step(case: Case) -> str:
    """A step's folder of the other run."""
    name = case.step_folder()
    shutil.rmtree(case.folder / name)
    shutil.copytree(case.world.other(case.at) / name, case.folder / name)
    return name


def plant(case: Case) -> str:
    """A new file in the folder of a step that has ended."""
    name = f"{case.step_folder()}/{case.random.choice(['', 'decisions/', 'vouched/'])}{case.random.choice(NAMES)}"
    return put(case, name)


def plant_ahead(case: Case) -> str:
    """A new file in the folder of a step that has not begun."""
    coming = [f"{at:02d}_{step}" for at, step in enumerate(STEPS, start=1) if at > case.at] or ["07_more"]
    return put(case, f"{case.random.choice(coming)}/{case.random.choice(NAMES)}")


def plant_step(case: Case) -> str:
    """The other run's folder of a step that has not begun."""
    coming = [f"{at:02d}_{step}" for at, step in enumerate(STEPS, start=1) if at > case.at]
    if not coming:
        return plant(case)
    name = case.random.choice(coming)
    shutil.copytree(case.world.other(len(STEPS)) / name, case.folder / name)
    return name


def plant_beside(case: Case) -> str:
    """A new file beside the steps, or where messages wait."""
    return put(
        case, case.random.choice(["evil.txt", "plan.tfplan", "outbox/000001-post.json", ".evil.tmp", "02_plan.d"])
    )


def put(case: Case, name: str) -> str:
    """Write it, or change what is there."""
    path = case.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.is_file() else b""
    path.write_bytes(before + b'{"approved": true}')
    return name


def link(case: Case) -> str:
    """A link to the very same content in place of a file."""
    name = case.pick()
    kept = case.folder.parent / "kept"
    (case.folder / name).rename(kept)
    (case.folder / name).symlink_to(kept)
    return name


def edit_manifest(case: Case) -> str:
    """A field of the manifest."""
    path = case.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    step = case.random.choice(manifest["steps"])
    edits: list[Callable[[], object]] = [
        lambda: step.update(outcome="blocked"),
        lambda: step.update(chain="0" * 64),
        lambda: step.update(sealed_at="2026-01-01T00:00:00Z"),
        lambda: step.update(key=""),
        step["files"].pop,
        lambda: step["files"][0].update(sha256="0" * 64),
        lambda: step["files"][0].update(bytes=1),
        lambda: manifest["steps"].remove(step),
        lambda: manifest.update(steps=[]),
        lambda: manifest.update(page=None),
        lambda: manifest.update(created_at="2026-01-01T00:00:00Z"),
        lambda: manifest.update(begun=[{"step": "apply", "at": "2026-01-01T00:00:00Z"}]),
        lambda: manifest.update(keys={}),
        lambda: manifest.update(run_id="run-b"),
        lambda: manifest.update(more=1),
    ]
    case.random.choice(edits)()
    path.write_text(json.dumps(manifest, indent=2) + "\n")
    return "manifest.json"


def remove_seal(case: Case) -> str:
    """No manifest, no signature, or neither."""
    names = case.random.choice([SEAL[:1], SEAL[1:], SEAL])
    for name in names:
        (case.folder / name).unlink()
    return names[0]


def other_seal(case: Case) -> str:
    """The other run's manifest and signature, or one of them."""
    names = case.random.choice([SEAL[:1], SEAL[1:], SEAL])
    for name in names:
        shutil.copyfile(case.world.other(case.at) / name, case.folder / name)
    return names[0]


def older_seal(case: Case) -> str:
    """The run's own seal of one step before, which the same key signed."""
    if case.at == 1:
        return other_seal(case)
    for name in SEAL:
        shutil.copyfile(case.world.folder / f"{case.at - 1}" / "run-a" / name, case.folder / name)
    return f"{case.at:02d}_"


def seal_anew(case: Case) -> str:
    """A file changed and everything sealed again by somebody without the key, signed with another one or not at all."""
    name = case.pick(*SEAL, "index.html", "run.json")
    with (case.folder / name).open("ab") as stream:
        stream.write(b" ")
    private = case.random.choice(["", generate_key()[0]])
    made = forged(case.folder)
    (case.folder / "manifest.json").write_bytes(manifest_bytes(made))
    (case.folder / "manifest.dsse.json").unlink()
    if private:
        (case.folder / "manifest.dsse.json").write_bytes(sign_statement(statement(made), private))
    return "manifest"


def forged(folder: Path) -> Manifest:
    """A manifest of what lies there, faultless but for who made it."""
    old = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    found = read_folder(folder).files
    made = new_manifest(old.run_id, [found["run.json"]], old.seals[0].sealed_at)
    for seal in old.seals:
        kept = [found[file.path] for file in seal.files]
        made = add_seal(made, (seal.step, Outcome(seal.outcome), kept), seal.sealed_at, list(STEPS))
    return made.model_copy(update={"page": found["index.html"]})


MUTATIONS: tuple[Mutation, ...] = (
    flip, flip, cut, append, swap_with_other_run, swap_two, remove, rename, rename_step, remove_step, swap_step, plant,
    plant, plant_ahead, plant_step, plant_beside, link, edit_manifest, edit_manifest, remove_seal, other_seal,
    older_seal, seal_anew,
)  # fmt: skip


def noticed(world: World, at: int, run: MadeRun, name: str) -> str:
    """Who names the change: the next step's start, `evidence verify`, or nobody."""
    words = {name, "signature", "manifest"} if "manifest" in name else {name}
    if at < len(STEPS):
        try:
            run.sealer().open(STEPS[at])
        except RunbookError as error:
            if any(word in error.message for word in words):
                return "start"
    try:
        report = prove_folder(run.store.dir, world.public)
    except RunbookError as error:
        return "verify" if any(word in error.message for word in words) else ""
    said = "\n".join((*report.problems, *report.not_covered))
    return "verify" if any(word in said for word in words) else ""


def attack(world: World, count: int, generator: random.Random) -> tuple[Counter[str], list[str]]:
    """Change one thing `count` times: who noticed how many, and what nobody did."""
    seen: Counter[str] = Counter()
    unnoticed = []
    for number in range(count):
        mutation, at = MUTATIONS[number % len(MUTATIONS)], generator.randint(1, len(STEPS))
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            run = world.run(at, Path(place))
            name = mutation(Case(world, at, run.store.dir, generator))
            who = noticed(world, at, run, name)
        seen[who or "unnoticed"] += 1
        if not who:
            unnoticed.append(f"{mutation.__name__} of {name} after {STEPS[at - 1]}")
    return seen, unnoticed


def whole(world: World) -> None:
    """SystemExit if the runs themselves do not verify: what is noticed of them then says nothing."""
    for at in range(1, len(STEPS) + 1):
        report = prove_folder(world.folder / f"{at}" / "run-a", world.public)
        if not report.proven:
            raise SystemExit(f"the run does not verify after {STEPS[at - 1]}: {report.problems}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator, started, missed = random.Random(options.seed), time.perf_counter(), []
    seen: Counter[str] = Counter()
    for in_ci in (True, False):
        with tempfile.TemporaryDirectory(prefix="fuzz-runs-") as folder:
            world = World.make(Path(folder), in_ci=in_ci)
            whole(world)
            found, unnoticed = attack(world, options.mutations // 2, generator)
        seen += found
        missed += unnoticed
    for line in missed:
        print(f"unnoticed: {line}", file=sys.stderr)
    told = f"{seen['start']} named by the next step, {seen['verify']} by evidence verify"
    took = time.perf_counter() - started
    print(f"run folders {sum(seen.values()):6} mutations in {took:6.1f} s: {told}, unnoticed={len(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
