"""`runbook evidence`: prove a run folder whole, and rebuild its pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .inputs import Format

if TYPE_CHECKING:
    from ..models.evidence import EvidenceReport
    from ..settings import Settings

__all__ = ["register", "settings_here"]


RunFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The run folder, as outputs/<run_id>.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Prove a run folder whole; rebuild its pages.", no_args_is_help=True)
    group.command("verify")(_verify)
    group.command("sign")(_sign)
    group.command("index")(_index)
    group.command("key")(_key)
    group.command("export")(_export)
    group.command("prune")(_prune)
    app.add_typer(group, name="evidence")


def _verify(
    run_dir: RunFolder,
    key: Annotated[Path | None, typer.Option(help="The public key (PEM) that must have signed it.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TEXT,
) -> None:
    """Say whether a run folder, or an archive of one, is intact, who signed it, and whether what it says is consistent.

    Without --key the key counts that runbook.yml pins (evidence.key).
    """
    from ..runner.archive import prove_archive
    from ..runner.evidence import Expected

    report = prove_archive(run_dir, Expected.of(key, settings_here()))
    sys.stdout.write(report.model_dump_json(indent=2) + "\n" if form is Format.JSON else _text(report))
    if not report.valid:
        raise typer.Exit(1)


def settings_here() -> Settings | None:
    """The settings of the repository of the working folder; None outside of any."""
    from ..errors import ConfigError
    from ..repository import find_repository
    from ..settings import Settings

    try:
        repository = find_repository()
    except ConfigError:
        # An auditor has the folder and a key, and no repository.
        return None
    return Settings.load() if repository.config_file.is_file() else None


def _sign(run_dir: RunFolder) -> None:
    """Sign a run folder that verifies, with the key in RUNBOOK_SIGNING_KEY: where that is a job of its own."""
    from ..runner.evidence import sign_folder
    from ..settings import Settings

    report = sign_folder(Settings.load(), run_dir)
    sys.stdout.write(f"{report.files} files signed with the key {report.signed_by}\n")


def _index(run_dir: RunFolder) -> None:
    """Write the run's page again, and the pages of notebooks that have none."""
    from ..adapters.store import RunStore
    from ..domain.redaction import Redactor
    from ..runner.pages import Pages, write_index

    folder = run_dir.resolve()
    store = RunStore(folder.parent, folder.name)
    written = []
    with Pages(Redactor({})) as pages:
        for notebook in sorted(folder.glob("*/notebook.ipynb")):
            # A page that is there is evidence, listed in the manifest: it stays as it is.
            if not notebook.with_suffix(".html").exists():
                pages.add(notebook.parent)
                written.append(notebook.with_suffix(".html"))
        pages.finish()
    sys.stdout.writelines(f"{path}\n" for path in (*written, write_index(store)))


def _export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its folder.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The archive; RUN.evidence.zip without.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The public key (PEM) that must have signed it.")] = None,
    outputs: Annotated[Path | None, typer.Option(help="The folder that holds the run folders.")] = None,
) -> None:
    """Write one archive for an auditor: run folder, public key, policies, and a page that says how to verify."""
    from ..runner.archive import export_run
    from ..runner.evidence import Expected

    settings = settings_here()
    folder = Path(run) if "/" in run else (outputs or (settings.outputs if settings else Path("outputs"))) / run
    target = output or Path(f"{folder.resolve().name}.evidence.zip")
    report = export_run(folder, target, Expected.of(key, settings))
    sys.stdout.write(f"{target}\n")
    word = "proven" if report.proven else "intact, not proven: give --key, or pin one in runbook.yml"
    sys.stderr.write(f"{report.files} files, {word}. The plan in it can hold secrets.\n")


def _prune(
    outputs: Annotated[Path | None, typer.Option(help="The folder that holds the run folders.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", help="Only say what would go; so without either.")
    ] = True,
) -> None:
    """Remove run folders whose term in runbook.yml (evidence.retention) is over.

    Never the last proof of an exposure that is open.
    """
    from ..runner.retention import judge_terms, remove_runs
    from ..settings import Settings

    settings = Settings.load()
    folder = outputs or settings.outputs
    found = judge_terms(folder, settings)
    for kept in found.kept:
        sys.stderr.write(f"kept {kept.run.run_id}: {kept.why}\n")
    if dry_run:
        sys.stdout.writelines(f"would remove {run.run_id}\n" for run in found.go)
        sys.stderr.write(f"{len(found.go)} would go. Nothing was removed: --no-dry-run does.\n")
        return
    for run in remove_runs(folder, settings, found):
        sys.stdout.write(f"removed {run.run_id}\n")


def _key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The private key to write; the public one lies beside.")],
) -> None:
    """Make a key pair for signing evidence."""
    from ..adapters.signing import generate_key

    private, public = generate_key()
    public_path = path.with_suffix(".pub")
    _create(path, private, 0o600)
    _create(public_path, public, 0o644)
    sys.stdout.write(f"{path}\n{public_path}\n")
    sys.stderr.write(f"Set RUNBOOK_SIGNING_KEY to {path}, and give {public_path} to whoever verifies.\n")


def _create(path: Path, text: str, mode: int) -> None:
    from ..errors import UsageError

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
            stream.write(text)
    except FileExistsError as error:
        remedy = "A key that signed evidence is still needed: name another file."
        raise UsageError(f"{path} exists already", remedy) from error
    except OSError as error:
        raise UsageError(f"{path}: can't be written: {error.strerror}", "Name a folder that exists.") from error


def _text(report: EvidenceReport) -> str:
    word = "VALID" if report.proven else "INTACT, not proven" if report.valid else "NOT VALID"
    lines = [f"{word}: {report.files} files", _signature(report)]
    answers = {"intact": report.intact, "signed": report.signed, "consistent": report.consistent}
    for name, answer in answers.items():
        lines.append(f"{name}: {_WORDS[answer.holds]}")
        lines += [f"  {reason}" for reason in answer.reasons]
    lines += [f"not covered: {name}" for name in report.not_covered]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


_WORDS = {True: "yes", False: "no", None: "not known"}


def _signature(report: EvidenceReport) -> str:
    if report.signed.holds:
        return f"Signed with the key {report.signed_by}."
    if report.signed.holds is False:
        return "Nothing proves who made it: see below."
    if report.signed_by:
        return f"Signed, it says, with the key {report.signed_by}: give --key to check that."
    return "Unsigned: whoever could write to the folder could have made this manifest."
