"""Files that a person names stay what they are: links, devices, pipes, rights, owners, further names."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.adapters import named_file
from runbook_lib.adapters.atomic import replace_file, write_atomic
from runbook_lib.adapters.named_file import is_stream, write_output
from runbook_lib.errors import StoreError

ROOT = Path(__file__).parents[3]
NOBODY = 65534
WRITE = (
    "import sys; sys.path.insert(0, {root!r})\n"
    "from pathlib import Path; from runbook_lib.adapters.named_file import write_output\n"
    "from runbook_lib.errors import StoreError\n"
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    path.write_bytes(b"old and longer")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def as_nobody(folder: Path, code: str) -> str:
    """Run in the folder by somebody who may not do everything; gives what it printed."""

    # Only then: somebody else need not be able to read this package.
    drop = f"import os\nos.chdir({str(folder)!r})\n"
    if os.getuid() == 0:
        drop += f"os.setgroups([])\nos.setgid({NOBODY})\nos.setuid({NOBODY})\n"
    command = [sys.executable, "-c", WRITE.format(root=str(ROOT)) + drop + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_file_has_the_rights_that_the_umask_leaves_and_its_folders_are_made(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_output(tmp_path / "a/b/new", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a/b/new").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a/b/new").stat().st_mode) == 0o640
    assert names(tmp_path / "a/b") == ["new"]


@pytest.mark.parametrize("link", ["old", "{folder}/old", "other/../old", "second"])
def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path, old: Path, link: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "second").symlink_to("old")
    (tmp_path / "link").symlink_to(link.format(folder=tmp_path))
    write_output(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert old.read_bytes() == b"new"


def test_a_link_to_nothing_gets_something_to_lead_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing")
    write_output(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "missing").read_bytes() == b"new"


def test_a_circle_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StoreError, match="can't be written"):
        write_output(tmp_path / "a", b"new")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777, 0o4755])
def test_mode_stays(old: Path, mode: int) -> None:
    old.chmod(mode)
    write_output(old, b"new")
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (b"new", mode)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_owner_and_group_stay(old: Path) -> None:
    os.chown(old, NOBODY, 7)
    before = old.stat().st_ino
    write_output(old, b"new")
    after = old.stat()
    assert (old.read_bytes(), after.st_uid, after.st_gid) == (b"new", NOBODY, 7)
    assert after.st_ino != before, "it could have been replaced in one step"


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_who_lets_us_write_stays_theirs(tmp_path: Path, old: Path) -> None:
    tmp_path.chmod(0o777)
    old.chmod(0o666)
    as_nobody(tmp_path, "write_output(Path('old'), b'new')")
    assert (old.read_bytes(), old.stat().st_uid) == (b"new", 0)
    assert names(tmp_path) == ["old"]


def test_attributes_stay(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not every file system has them, so they are kept here; what is asked of the system is what is tested.
    kept: dict[int, dict[str, bytes]] = {old.stat().st_ino: {"user.note": b"mine"}}

    def of(file: int | Path) -> dict[str, bytes]:
        found = os.fstat(file) if isinstance(file, int) else file.stat()
        return kept.setdefault(found.st_ino, {})

    monkeypatch.setattr(os, "listxattr", lambda file, **_: list(of(file)), raising=False)
    monkeypatch.setattr(os, "getxattr", lambda file, name, **_: of(file)[name], raising=False)
    monkeypatch.setattr(os, "setxattr", lambda file, name, value, **_: of(file).update({name: value}), raising=False)
    before = old.stat().st_ino
    write_output(old, b"new")
    assert old.read_bytes() == b"new"
    assert old.stat().st_ino != before, "it was replaced, so that the attributes had to be carried over"
    assert of(old) == {"user.note": b"mine"}


def test_attributes_that_the_system_refuses_stop_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    for name in ("listxattr", "getxattr", "setxattr"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    write_output(old, b"new")
    assert old.read_bytes() == b"new"


def test_all_names_of_a_file_stay_its_names(tmp_path: Path, old: Path) -> None:
    (tmp_path / "second").hardlink_to(old)
    write_output(old, b"new")
    assert (tmp_path / "second").read_bytes() == b"new"
    assert (tmp_path / "second").samefile(old)


@pytest.mark.parametrize("our_own", [True, False])
def test_a_file_that_is_not_to_be_written_is_not(tmp_path: Path, old: Path, our_own: bool) -> None:
    if os.getuid() == 0 and our_own:
        os.chown(old, NOBODY, NOBODY)
    tmp_path.chmod(0o777)
    old.chmod(0o444)
    code = "try:\n    write_output(Path('old'), b'new')\nexcept StoreError as error:\n    print(error.message)"
    assert as_nobody(tmp_path, code) == "old: can't be written: Permission denied\n"
    assert old.read_bytes() == b"old and longer"
    assert names(tmp_path) == ["old"]


@pytest.mark.parametrize("data", [b"new", b"new and longer than what was there"])
def test_a_file_in_a_folder_that_takes_no_new_ones_is_written(tmp_path: Path, old: Path, data: bytes) -> None:
    old.chmod(0o666)
    tmp_path.chmod(0o555)
    try:
        as_nobody(tmp_path, f"write_output(Path('old'), {data!r})")
    finally:
        tmp_path.chmod(0o755)
    assert old.read_bytes() == data


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV, errno.EINVAL])
def test_where_no_file_may_take_its_place_it_is_filled_anew(
    old: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(named_file, "replace_file", refuse)
    before = old.stat().st_ino
    write_output(old, b"new")
    assert (old.read_bytes(), old.stat().st_ino) == (b"new", before)


def test_on_a_full_disk_nothing_is_written_over_what_is_there(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(named_file, "replace_file", full)
    with pytest.raises(StoreError, match="No space left"):
        write_output(old, b"new")
    assert old.read_bytes() == b"old and longer"


def write_with_little_room(folder: Path, limit: int, size: int) -> int:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code = WRITE.format(root=str(ROOT)) + f"write_output(Path('old'), b'x' * {size})"
    # What it says must not go to a file, which could be over the limit already.
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, preexec_fn=limited, check=False, capture_output=True
    )
    return ended.returncode


@pytest.mark.parametrize("second_name", [False, True])
def test_a_full_disk_leaves_what_is_there(tmp_path: Path, old: Path, second_name: bool) -> None:
    if second_name:
        (tmp_path / "second").hardlink_to(old)
    assert write_with_little_room(tmp_path, 1000, 5000) == 1
    assert old.read_bytes() == b"old and longer"
    assert names(tmp_path) == (["old", "second"] if second_name else ["old"])


def test_a_pipe_stays_one_and_its_reader_gets_it_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"new")
    reader.join(10)
    assert got == [b"new"]
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("direct", [True, False])
def test_a_device_stays_one(tmp_path: Path, direct: bool) -> None:
    path = Path("/dev/null") if direct else tmp_path / "link"
    if not direct:
        path.symlink_to("/dev/null")
    assert is_stream(path)
    write_output(path, b"new")
    assert Path("/dev/null").is_char_device()


# What a system without /proc does not have is no case there.
OPEN_FILES = ["/dev/stdout", "/dev/fd/1", "link", *filter(os.path.exists, ["/proc/self/fd/1"])]
SAY = "import os; print('before'); write_output(Path({path!r}), b'new'); print('after')"


@pytest.mark.parametrize("path", OPEN_FILES)
@pytest.mark.parametrize("how", ["wb", "ab"])
def test_what_was_written_to_an_open_file_before_and_is_after_stays(tmp_path: Path, path: str, how: str) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    out = tmp_path / "out"
    out.write_bytes(b"first\n")
    with out.open(how) as stream:  # type: ignore[call-overload]
        code = WRITE.format(root=str(ROOT)) + SAY.format(path=path)
        # As a file is written to where nobody says otherwise.
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=stream, check=True, env=buffered)
    assert out.read_bytes() == (b"first\n" if how == "ab" else b"") + b"before\nnewafter\n"


@pytest.mark.parametrize("path", ["/dev/stdout", "link"])
def test_standard_output_that_is_a_pipe_or_a_socket_takes_it(tmp_path: Path, path: str) -> None:
    import socket

    (tmp_path / "link").symlink_to("/dev/stdout")
    code = WRITE.format(root=str(ROOT)) + SAY.format(path=path)
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout == (
        b"before\nnewafter\n"
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=theirs, check=True)
        assert ours.recv(100) == b"before\nnewafter\n"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Is a directory"):
        write_output(tmp_path, b"new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [write_output, write_atomic])
def test_a_name_as_long_as_a_name_can_be_is_one(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    path = tmp_path / ("ü" * 127)
    write(path, b"one")
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert len(names(tmp_path)) == 1


def test_in_a_run_folder_a_link_that_somebody_has_put_there_is_replaced(tmp_path: Path, old: Path) -> None:
    (tmp_path / "link").symlink_to(old)
    write_atomic(tmp_path / "link", b"new")
    assert not (tmp_path / "link").is_symlink()
    assert old.read_bytes() == b"old and longer"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
@pytest.mark.parametrize("nameless", [True, False])
def test_nothing_is_left_beside_whatever_goes_wrong(
    old: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], nameless: bool
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    for place, name in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, fail)
            with pytest.raises(error):
                replace_file(old, b"new")
    assert names(old.parent) == ["old"]
    assert old.read_bytes() == b"old and longer"
    replace_file(old, b"new")
    assert (names(old.parent), old.read_bytes()) == (["old"], b"new")


def test_where_a_file_can_not_be_named_later_it_is_named_at_once(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_proc(*arguments: object, **options: object) -> None:
        raise FileNotFoundError(2, "hidden")

    monkeypatch.setattr(os, "link", no_proc)
    replace_file(old, b"new")
    assert (names(old.parent), old.read_bytes()) == (["old"], b"new")


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name are Linux's")
def test_whoever_is_killed_while_it_writes_leaves_nothing(tmp_path: Path, old: Path) -> None:
    code = (
        "import os, signal\nos.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_output(Path('old'), b'new')"
    )
    done = subprocess.run([sys.executable, "-c", WRITE.format(root=str(ROOT)) + code], cwd=tmp_path, check=False)
    assert done.returncode == -9
    assert (names(tmp_path), old.read_bytes()) == (["old"], b"old and longer")
