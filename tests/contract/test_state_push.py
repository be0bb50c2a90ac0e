"""`runbook state push`: the only copy of a state put back, and nothing of anybody else's overwritten by it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from gitlab_lab import RunningGitLab, running_gitlab
from typer.testing import CliRunner, Result

from runbook_lib.adapters.age import encrypt
from runbook_lib.cli.main import app
from runbook_lib.errors import InputError, UsageError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace.runs import run_store
from runbook_lib.workspace.state_push import check_push, keep_errored

STATE = "/api/v4/projects/42/terraform/state/access"
MAIN = 'terraform {\n  backend "http" {}\n}\nresource "terraform_data" "rule" {\n  input = "80"\n}\n'
LINEAGE = "0e6e2f42-0000-4000-8000-000000000000"
Push = Callable[..., Result]


def state(serial: int, lineage: str = LINEAGE, **more: Any) -> dict[str, Any]:
    return {
        "version": 4, "terraform_version": "1.5.0", "serial": serial, "lineage": lineage, "outputs": {},
        "resources": [], "check_results": None, **more,
    }  # fmt: skip


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def root(lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose state has serial 5 in GitLab."""
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_TOKEN", lab.token("alex"))
    monkeypatch.setenv("RUNBOOK_ROOT", str(tmp_path))
    (tmp_path / "main.tf").write_text(MAIN)
    gitlab = f"gitlab: {{url: '{lab.url}', project: '42'}}"
    (tmp_path / "runbook.yml").write_text(f"version: 1\nstacks: {{access: {{path: ., state: access}}}}\n{gitlab}\n")
    store(lab, state(5))
    return tmp_path


def store(lab: RunningGitLab, content: dict[str, Any]) -> None:
    path = f"{STATE}/lock"
    held = {"ID": "t", "Operation": "o", "Info": "", "Who": "x", "Version": "1", "Path": ""}
    lab.call("POST", path, "alex", json=held | {"Created": "2026-11-05T10:00:00Z"}).raise_for_status()
    lab.call("POST", f"{STATE}?ID=t", "alex", json=content).raise_for_status()
    lab.call("DELETE", f"{path}?ID=t", "alex").raise_for_status()


def kept(root: Path, content: bytes, *, over: int | None = None, planned: int | None = None, name: str = "") -> Path:
    """errored.tfstate in a run folder, with what is noted beside it."""
    folder = root / "outputs/7/04_apply"
    folder.mkdir(parents=True, exist_ok=True)
    if over is not None:
        (folder / "errored.json").write_text(json.dumps({"lineage": LINEAGE, "serial": over}))
    if planned is not None:
        (root / "outputs/7/02_plan").mkdir(exist_ok=True)
        (root / "outputs/7/02_plan/summary.json").write_text(json.dumps({"state_serial": planned}))
    path = folder / (name or "errored.tfstate")
    path.write_bytes(content)
    return path


def stored(lab: RunningGitLab) -> dict[str, Any]:
    return dict(lab.call("GET", STATE, "alex").json())


def refused(root: Path, lab: RunningGitLab, file: Path, over: int | None = None) -> UsageError | InputError:
    before = stored(lab)
    with pytest.raises((UsageError, InputError)) as caught:
        check_push(Settings.load(root), "access", file, over)
    assert stored(lab) == before
    return caught.value


def test_the_state_is_stored_by_terraform_itself_once_it_is_looked_at(root: Path, lab: RunningGitLab) -> None:
    kept(root, json.dumps(state(7)).encode(), over=5)
    done = CliRunner().invoke(app, ["state", "push", "7/04_apply/errored.tfstate", "--yes"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "7/04_apply/errored.tfstate has serial 7 and 0 resources" in done.stderr
    assert "the state of access has serial 5 and 0." in done.stderr
    # Terraform counts its own writing of it as well.
    assert (stored(lab)["serial"] >= 7, stored(lab)["lineage"]) == (True, LINEAGE)


def test_another_state_s_is_refused_by_both_lineages(root: Path, lab: RunningGitLab) -> None:
    error = refused(root, lab, kept(root, json.dumps(state(6, "another")).encode(), over=5))
    assert "has the lineage another, and the state of access has 0e6e2f42-" in error.message
    assert "--stack" in error.remedy


@pytest.mark.parametrize("serial", [4, 5])
def test_one_that_is_not_newer_is_refused_by_both_serials(root: Path, lab: RunningGitLab, serial: int) -> None:
    error = refused(root, lab, kept(root, json.dumps(state(serial)).encode(), over=5))
    assert f"has serial {serial}, and the state of access has serial 5 already" in error.message


@pytest.mark.parametrize("beside", [{"over": 5}, {"planned": 5}, {"over": 5, "planned": 3}, {}])
def test_what_came_in_between_is_not_overwritten_though_its_serial_is_older(
    root: Path, lab: RunningGitLab, beside: dict[str, int]
) -> None:
    # Terraform itself looks at the serial alone, and would take this one.
    file = kept(root, json.dumps(state(8 if beside else 9)).encode(), **beside)
    store(lab, state(6, outputs={"others": {"value": "x", "type": "string"}}))
    error = refused(root, lab, file)
    assert "the state of access has serial 6, and errored.tfstate (serial" in error.message
    assert "another state came in between" in error.message
    assert "--over 6" in error.remedy
    # Who has looked says so, and of no other serial than the one looked at.
    assert check_push(Settings.load(root), "access", file, over=6).replaced_serial == 6
    store(lab, state(7))
    refused(root, lab, file, over=6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(state(6)).encode()[:-40], "errored.tfstate is no JSON, or cut short"),
        (b"", "errored.tfstate is no JSON, or cut short"),
        (b"\xff\xfe", "errored.tfstate is not UTF-8 text"),
        (b"[]", "errored.tfstate is no state of Terraform's"),
        (b'{"version": 4, "serial": "6", "lineage": "x", "resources": []}', "errored.tfstate is no state"),
        (b'{"version": 4, "serial": 6, "serial": 7, "lineage": "x", "resources": []}', "stands twice"),
        (b'{"version": 3, "serial": 6, "lineage": "x", "modules": []}', "errored.tfstate is no state"),
    ],
)
def test_half_a_state_is_refused_by_its_name(root: Path, lab: RunningGitLab, content: bytes, said: str) -> None:
    error = refused(root, lab, kept(root, content, over=5))
    assert isinstance(error, InputError)
    assert said in error.message
    assert "from the job's artifacts" in error.remedy


def test_a_link_is_no_state(root: Path, lab: RunningGitLab, tmp_path: Path) -> None:
    file = kept(root, b"", over=5)
    file.unlink()
    (tmp_path / "elsewhere").write_text(json.dumps(state(6)))
    file.symlink_to(tmp_path / "elsewhere")
    refused(root, lab, file)


def test_where_plans_are_encrypted_the_state_is_too_and_its_key_opens_it(
    root: Path, lab: RunningGitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = pyrage.x25519.Identity.generate()
    with (root / "runbook.yml").open("a") as config:
        config.write(f"terraform: {{encrypt_to: [{key.to_public()}]}}\n")
    left = root / "errored.tfstate"
    secret = [{"mode": "managed", "type": "a", "name": "b", "instances": [{"attributes": {"password": "hush-hush"}}]}]
    left.write_text(json.dumps(state(6, resources=secret)))
    settings = Settings.load(root)
    name = keep_errored(settings, run_store(settings, "7"), "access", left)
    assert name == "04_apply/errored.tfstate.age"
    assert not left.exists()
    files = [path.read_bytes() for path in (root / "outputs/7").rglob("*") if path.is_file()]
    assert not any(b"hush-hush" in data for data in files)
    # Which state it is to replace was noted when Terraform failed.
    assert json.loads((root / "outputs/7/04_apply/errored.json").read_text())["serial"] == 5
    file = root / "outputs/7" / name
    with pytest.raises(Exception, match="is encrypted, and there is no key here"):
        check_push(Settings.load(root), "access", file)
    monkeypatch.setenv("RUNBOOK_AGE_KEY", str(key))
    checked = check_push(Settings.load(root), "access", file)
    assert (checked.serial, checked.resources, checked.replaced_serial) == (6, 1, 5)
    assert json.loads(checked.path.read_bytes())["serial"] == 6
    # Half a file is half a file, encrypted or not.
    file.write_bytes(encrypt(b'{"version": 4', [str(key.to_public())]))
    refused(root, lab, file)


def test_a_gitlab_that_is_away_leaves_the_plan_s_serial_to_hold_it_to(root: Path, lab: RunningGitLab) -> None:
    settings, left = Settings.load(root), root / "errored.tfstate"
    left.write_text(json.dumps(state(6)))
    kept(root, b"", planned=5)
    lab.control("faults", status=403, path="terraform/state/access$", count=9)
    name = keep_errored(settings, run_store(settings, "7"), "access", left)
    lab.call("DELETE", "/lab/gitlab/faults")
    assert not (root / "outputs/7/04_apply/errored.json").exists()
    assert check_push(settings, "access", root / "outputs/7" / name).replaced_serial == 5
