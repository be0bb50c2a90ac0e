"""A run's signature wherever the process that writes it is killed: what it left goes on, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.made_runs import STEPS, MadeRun, settings_for
from runbook_lib.adapters.signing import generate_key, signer_id
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import EvidenceError
from runbook_lib.models.evidence import Manifest
from runbook_lib.runner.evidence import prove_folder, sign_folder

PRIVATE, PUBLIC = generate_key()


class KilledError(BaseException):
    pass


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_text(PUBLIC)
    return path


@contextmanager
def dying(name: str, writes: int = 1) -> Iterator[None]:
    """The process is killed as it is about to write this file for the last of so many times."""
    write, left = RunStore.write_bytes, [writes]

    def killed(store: RunStore, relative: str, data: bytes) -> Path:
        left[0] -= relative == name
        if not left[0]:
            raise KilledError
        return write(store, relative, data)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RunStore, "write_bytes", killed)
        yield


@pytest.mark.parametrize("name", ["index.html", "manifest.dsse.json", "manifest.json"])
def test_a_folder_whose_signing_was_killed_can_be_signed_again(tmp_path: Path, key: Path, name: str) -> None:
    folder = MadeRun(tmp_path, "run-1", settings_for()).play(*STEPS).store.dir
    with dying(name), pytest.raises(KilledError):
        sign_folder(settings_for(PRIVATE), folder)
    assert sign_folder(settings_for(PRIVATE), folder).signed_by == signer_id(PUBLIC)
    assert prove_folder(folder, key).proven


@pytest.mark.parametrize("writes", [1, 2, 3])  # as the step begins, as it is sealed, and for the page
@pytest.mark.parametrize("name", ["manifest.dsse.json", "manifest.json"])
def test_a_signed_run_goes_on_wherever_it_was_killed(tmp_path: Path, key: Path, name: str, writes: int) -> None:
    run = MadeRun(tmp_path, "run-1", settings_for(PRIVATE)).play("compliance", "plan", "approval")
    with dying(name, writes), pytest.raises(KilledError):
        run.play("apply")
    run.play("verification", "service_tests")
    report = prove_folder(run.store.dir, key)
    assert (report.intact.holds, report.signed.holds) == (True, True)
    manifest = Manifest.model_validate_json((run.store.dir / "manifest.json").read_bytes())
    # Killed before it had begun to, apply was not carried out and has no seal.
    assert {seal.step for seal in manifest.steps} == set(STEPS) - ({"apply"} if writes == 1 else set())


def test_no_signature_but_the_next_one_of_the_same_run_brings_a_manifest_back(tmp_path: Path) -> None:
    run = MadeRun(tmp_path, "run-1", settings_for(PRIVATE)).play("compliance")
    seals = ("manifest.json", "manifest.dsse.json")
    moments = {}
    for step in ("plan", "approval"):
        run.play(step)
        moments[step] = {name: (run.store.dir / name).read_bytes() for name in seals}
    # The signature of an earlier moment, that of a manifest which says otherwise, and none.
    (run.store.dir / "manifest.dsse.json").write_bytes(moments["plan"]["manifest.dsse.json"])
    with pytest.raises(EvidenceError, match="the signature is for another manifest"):
        run.play("apply")
    (run.store.dir / "manifest.dsse.json").write_bytes(moments["approval"]["manifest.dsse.json"])
    changed = moments["plan"]["manifest.json"].replace(b'"passed"', b'"warned"', 1)
    (run.store.dir / "manifest.json").write_bytes(changed)
    with pytest.raises(EvidenceError, match="not as it was sealed"):
        run.play("apply")
    assert (run.store.dir / "manifest.json").read_bytes() == changed
    (run.store.dir / "manifest.json").write_bytes(moments["plan"]["manifest.json"])
    (run.store.dir / "manifest.dsse.json").unlink()
    with pytest.raises(EvidenceError, match="not as it was sealed"):
        run.play("apply")
    assert not (run.store.dir / "manifest.dsse.json").exists()
