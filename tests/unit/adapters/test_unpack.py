"""A zip that anybody may have made: what is in it lands below one folder, or nothing is taken."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from runbook_lib.adapters import unpack as module
from runbook_lib.adapters.unpack import unpack
from runbook_lib.errors import InputError


def packed(*entries: tuple[str, str], kind: int = stat.S_IFREG) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, text)
    stream.seek(0)
    return stream


def test_only_what_lies_below_the_folder_is_taken(tmp_path: Path) -> None:
    given = packed(("outputs/1/run.json", "{}"), ("outputs/1/a/b.txt", "b"), ("outputs/12/run.json", "x"), ("top", "t"))
    assert unpack(given, "outputs/1", tmp_path / "new") == 2
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["new/a/b.txt", "new/run.json"]


@pytest.mark.parametrize("name", ["../../evil", "a/../../evil", "/evil", "a/./b", "a//b", "..\\evil", "./x", "a/.."])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads elsewhere"):
        unpack(packed(("outputs/1/ok", "ok"), (f"outputs/1/{name}", "evil")), "outputs/1", tmp_path / "new")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(InputError, match="no plain file"):
        unpack(packed(("outputs/1/link", "/etc/passwd"), kind=kind), "outputs/1", tmp_path / "new")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_twice_or_a_file_that_is_a_folder_too_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="twice"):
        unpack(packed(("o/a", "1"), ("o/a", "2")), "o", tmp_path / "new")
    with pytest.raises(InputError, match="can't both be files"):
        unpack(packed(("o/a", "1"), ("o/a/b", "2")), "o", tmp_path / "other")


def test_more_than_a_run_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_FILES", 2)
    with pytest.raises(InputError, match="3 files"):
        unpack(packed(("o/a", "1"), ("o/b", "2"), ("o/c", "3")), "o", tmp_path / "new")
    monkeypatch.setattr(module, "_MOST_BYTES", 5)
    with pytest.raises(InputError, match="2 files"):
        unpack(packed(("o/a", "123"), ("o/b", "456")), "o", tmp_path / "new")


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"text", packed(("o/a", "1" * 100)).getvalue()[:60]):
        with pytest.raises(InputError, match="no zip"):
            unpack(io.BytesIO(content), "o", tmp_path / "new")
    data = packed(("o/a", "1" * 100)).getvalue().replace(b"1" * 100, b"2" * 100)
    with pytest.raises(InputError, match="broken"):
        unpack(io.BytesIO(data), "o", tmp_path / "new")


def packed_as(method: int, data: bytes) -> io.BytesIO:
    """A zip of one file, o/a, that says that its bytes were packed by a method; they were not."""
    name, sizes = b"o/a", struct.pack("<III", 1, len(data), 100)
    local = (
        struct.pack("<4sHHHHH", b"PK\x03\x04", 20, 0, method, 0, 0) + sizes + struct.pack("<HH", len(name), 0) + name
    )
    entry = struct.pack("<4sHHHHHH", b"PK\x01\x02", 20, 20, 0, method, 0, 0) + sizes
    entry += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    places = (0, 0, 1, 1, len(entry), len(local) + len(data), 0)
    return io.BytesIO(local + data + entry + struct.pack("<4sHHHHIIH", b"PK\x05\x06", *places))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bytes_that_were_never_packed_are_a_broken_zip(tmp_path: Path, method: int) -> None:
    with pytest.raises(InputError, match="broken"):
        unpack(packed_as(method, b"\xff" * 40), "o", tmp_path / "new")


@pytest.mark.parametrize("name", ["a" * 256, "\u00e9" * 128, "/".join(["a" * 100] * 10)])
def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="too long"):
        unpack(packed((f"o/{name}", "1")), "o", tmp_path / "new")
    assert unpack(packed((f"o/{'a' * 255}", "1")), "o", tmp_path / "other") == 1
