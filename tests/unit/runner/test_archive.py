"""One file for an auditor: what is in it verifies offline, with our program and with none of ours."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.made_history import MadeHistory
from benchmarks.made_runs import MadeRun, settings_for
from runbook_lib.errors import EvidenceError, InputError, UsageError
from runbook_lib.runner.archive import export_run, opened, prove_archive
from runbook_lib.runner.evidence import Expected, prove_folder


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    return MadeHistory(tmp_path / "outputs", page=500)


@pytest.fixture
def key(made: MadeHistory, tmp_path: Path) -> Path:
    path = tmp_path / "KEY.pub"
    path.write_text(made.public)
    return path


@pytest.fixture
def archive(made: MadeHistory, key: Path, tmp_path: Path) -> Path:
    target = tmp_path / "run.zip"
    assert export_run(made.make(0), target, Expected(str(key))).proven
    return target


def test_it_holds_the_folder_the_key_the_policies_the_statement_and_how_to_verify(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened_zip:
        names = set(opened_zip.namelist())
    assert {"key.pub", "statement.json", "VERIFY.html", "SHA256SUMS", "policies/sg-world-ssh.yml"} <= names
    assert {"1000/manifest.json", "1000/02_plan/plan.tfplan", "1000/04_apply/decision.json"} <= names


def test_the_archive_verifies_as_the_folder_does(archive: Path, key: Path, tmp_path: Path) -> None:
    with opened(archive) as folder:
        assert folder.name == "1000"
        assert prove_folder(folder, key).proven
        # The key that lies in it proves nothing by itself.
        assert not prove_folder(folder).proven
    assert not folder.exists()
    other = tmp_path / "other.pub"
    other.write_text(MadeHistory(tmp_path).public)
    with opened(archive) as folder:
        assert not prove_folder(folder, other).valid


def test_the_same_folder_gives_the_same_archive(made: MadeHistory, archive: Path, key: Path, tmp_path: Path) -> None:
    os.utime(made.outputs / "1000/run.json", (1, 1))
    export_run(made.outputs / "1000", tmp_path / "again.zip", Expected(str(key)))
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize(
    ("name", "why"),
    [(b"a\\b", "leads elsewhere"), (b"\xff", "is no text"), (b"/".join([b"d" * 200] * 6), "is too long")],
)
def test_a_folder_with_a_name_that_no_archive_gives_back_is_not_exported(
    made: MadeHistory, key: Path, tmp_path: Path, name: bytes, why: str
) -> None:
    folder, target = made.make(0), tmp_path / "run.zip"
    file = folder / "outbox" / os.fsdecode(name)
    file.parent.mkdir(parents=True)
    file.write_text("x")
    # No seal speaks of what waits to be sent.
    assert prove_folder(folder, key).proven
    with pytest.raises(EvidenceError, match=f"1000 can't be put into an archive: .*{why}") as raised:
        export_run(folder, target, Expected(str(key)))
    assert raised.value.remedy == "Hand out the folder itself."
    assert not target.exists()


def changed(archive: Path, name: str, data: bytes) -> Path:
    other = archive.with_name("other.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, data if entry.filename == name else old.read(entry))
        if name not in old.namelist():
            new.writestr(name, data)
    return other


@pytest.mark.parametrize("name", ["1000/04_apply/apply.txt", "1000/more", "1000/run.json"])
def test_an_archive_that_was_changed_does_not_verify(archive: Path, key: Path, name: str) -> None:
    with opened(changed(archive, name, b"{}")) as folder:
        assert not prove_folder(folder, key).valid


@pytest.mark.parametrize("name", ["policies/sg-world-ssh.yml", "policies/more.yml", "statement.json", "key.pub"])
def test_what_lies_beside_the_folder_and_says_otherwise_is_named(archive: Path, key: Path, name: str) -> None:
    report = prove_archive(changed(archive, name, b"forged"), Expected(str(key)))
    assert (report.valid, report.proven, report.intact.holds, report.signed.holds) == (False, False, False, True)
    assert report.problems == (f"{name} beside the run folder is not what the run holds",)


def test_what_is_no_copy_of_anything_in_the_folder_is_told_as_not_covered(archive: Path, key: Path) -> None:
    report = prove_archive(archive, Expected(str(key)))
    assert (report.proven, report.not_covered) == (True, ("SHA256SUMS", "VERIFY.html"))
    more = prove_archive(changed(archive, "1001/run.json", b"{}"), Expected(str(key)))
    assert (more.proven, more.not_covered) == (True, ("1001/run.json", "SHA256SUMS", "VERIFY.html"))


def test_a_folder_is_held_to_nothing_beside_it(made: MadeHistory, archive: Path, key: Path) -> None:
    (made.outputs / "key.pub").write_text("another")
    report = prove_archive(made.outputs / "1000", Expected(str(key)))
    assert (report.proven, report.not_covered) == (True, ())


def test_a_signature_file_that_is_nested_too_deep_does_not_verify(archive: Path, key: Path) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    report = prove_archive(changed(archive, "1000/manifest.dsse.json", deep), Expected(str(key)))
    assert "no DSSE envelope" in report.problems[0]
    assert not report.valid


def first_entry(data: bytes, offset: int, value: int) -> bytes:
    """A zip whose first entry has another number, of two bytes, at this place of the directory."""
    at = data.index(b"PK\x01\x02") + offset
    return data[:at] + struct.pack("<H", value) + data[at + 2 :]


def test_a_damaged_archive_is_an_error_that_names_it(archive: Path, tmp_path: Path) -> None:
    good = archive.read_bytes()
    with zipfile.ZipFile(archive) as given:
        entry = max((e for e in given.infolist() if e.filename.startswith("1000/")), key=lambda e: e.compress_size)
    begins = entry.header_offset + 30 + len(entry.filename)
    long, odd = changed(archive, f"1000/{'a' * 300}", b"").read_bytes(), changed(archive, "1000/\u00e9-x", b"")
    damaged = {
        "what was packed": good[:begins] + b"\xff" * 20 + good[begins + 20 :],
        "a name of 300 letters": long,
        "a name that is no UTF-8": odd.read_bytes().replace("\u00e9-x".encode(), b"\xff\xff-x"),
        "a version of zip that comes later": first_entry(good, 6, 90),
        "a way to pack that nobody knows": first_entry(good, 10, 99),
        "a place beyond the end": first_entry(good, 44, 0xFFF0),
        "half of it": good[: len(good) // 2],
    }
    for what, data in damaged.items():
        path = tmp_path / "damaged.zip"
        path.write_bytes(data)
        with pytest.raises((EvidenceError, InputError)) as caught:
            prove_archive(path, Expected())
        assert str(path) in caught.value.message, what


def test_an_archive_that_leads_elsewhere_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="leads elsewhere"), opened(changed(archive, "1000/../../x", b"evil")):
        pass
    for name in ("..", "-rf", "a b"):
        evil = tmp_path / "evil.zip"
        with zipfile.ZipFile(evil, "w") as made:
            made.writestr(f"{name}/manifest.json", "{}")
        with pytest.raises(InputError, match="holds 1 run folders"), opened(evil):
            pass


def test_what_is_no_archive_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(InputError, match="neither a run folder nor an archive"), opened(tmp_path / "text"):
        pass
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as made:
        made.writestr("a/b", "c")
    with pytest.raises(InputError, match="holds 0 run folders"), opened(tmp_path / "other.zip"):
        pass


def test_a_folder_that_does_not_verify_is_not_handed_out(made: MadeHistory, key: Path, tmp_path: Path) -> None:
    folder = made.make(1)
    (folder / "04_apply/apply.txt").write_text("other")
    with pytest.raises(EvidenceError, match=r"04_apply/apply\.txt was changed"):
        export_run(folder, tmp_path / "run.zip", Expected(str(key)))
    linked = made.make(2)
    (linked / "secret").symlink_to("/etc/passwd")
    with pytest.raises(EvidenceError, match="secret is no plain file"):
        export_run(linked, tmp_path / "run.zip", Expected(str(key)))
    with pytest.raises(UsageError, match="lies in the run folder"):
        export_run(made.make(3), made.outputs / "1003/run.zip", Expected(str(key)))
    assert not (tmp_path / "run.zip").exists()


def test_an_unsigned_run_says_so_on_its_page(tmp_path: Path) -> None:
    run = MadeRun(tmp_path, "7", settings_for()).play("compliance", "plan")
    report = export_run(run.store.dir, tmp_path / "run.zip", Expected())
    assert (report.valid, report.proven) == (True, False)
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        page = archive.read("VERIFY.html").decode()
        assert "statement.json" not in archive.namelist()
    assert "Unsigned: whoever could write to the folder could have made it." in page
    assert "openssl" not in page


def test_the_commands_of_its_page_prove_it_without_our_program(archive: Path, key: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    shutil.unpack_archive(archive, folder)
    shutil.copy(key, folder / "1000/KEY.pub.given")
    page = (folder / "VERIFY.html").read_text()
    told = page.partition("Verify it without our program")[2].partition("What to ask it")[0]
    blocks = [block.partition("</pre>")[0] for block in told.split("<pre>")[1:]]
    script = "\n".join(blocks).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("&#39;", "'")
    (folder / "1000/KEY.pub.given").rename(folder / "KEY.pub")
    script = script.replace("KEY.pub", "../KEY.pub")
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Signature Verified Successfully\n", "")
    (folder / "1000/02_plan/plan.txt").write_text("other")
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0
