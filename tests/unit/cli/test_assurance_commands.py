"""The commands exposure, verify, services and evidence: answers on stdout, progress on stderr, exit statuses."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
import stamina
import typer
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner, Result

from runbook_lib.adapters.signing import generate_key
from runbook_lib.adapters.store import RunStore
from runbook_lib.cli import evidence, exposure, services, verify
from runbook_lib.errors import RunbookError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.models.rules import Rule
from runbook_lib.models.run import Run
from runbook_lib.models.services import Member
from runbook_lib.runner.evidence import seal
from runbook_lib.settings import Settings
from runbook_lib.workspace import comparison
from runbook_lib.workspace.services import Resolver

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONFIG = """
stacks: {access: {path: ., state: access}}
services:
  - {name: web, group: {id: sg-1}, url: "http://{address}:PORT/", contains: hello, attempts: 2}
"""


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    for command in (exposure, verify, services, evidence):
        command.register(made)
    return made


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Iterator[Path]:
    (tmp_path / "runbook.yml").write_text(CONFIG.replace("PORT", str(httpserver.port)))
    for name in ("RUNBOOK_CONFIG", "RUNBOOK_OUTPUTS", "RUNBOOK_CONNECT_TO", "RUNBOOK_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNBOOK_ROOT", str(tmp_path))
    with stamina.set_testing(True, attempts=20, cap=True):
        yield tmp_path


def run(app: typer.Typer, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def plan(tmp_path: Path) -> Path:
    rule = {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 80, "to_port": 80, "cidr_ipv4": "0.0.0.0/0"}
    change = {"actions": ["create"], "before": None, "after": rule, "after_unknown": {"id": True}}
    kind = "aws_vpc_security_group_ingress_rule"
    resource = {"address": f"{kind}.web", "mode": "managed", "type": kind, "name": "web", "change": change}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"format_version": "1.2", "resource_changes": [resource]}))
    return path


def test_exposure_says_the_sentence_first(app: typer.Typer, tmp_path: Path) -> None:
    result = run(app, "exposure", "--plan", plan(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == (
        "The internet can newly reach sg-1 on tcp 80; nobody loses access. Not known: who is in sg-1."
    )


def test_exposure_as_json_keeps_its_contract(app: typer.Typer, tmp_path: Path) -> None:
    document = json.loads(run(app, "exposure", "--plan", plan(tmp_path), "--format", "json").stdout)
    assert document["opened"] == [
        {"source": "0.0.0.0/0", "source_kind": "internet", "target": "sg-1", "target_kind": "group",
         "protocol": "tcp", "from_port": 80, "to_port": 80, "interfaces": [], "more_interfaces": 0,
         "reachable": "unknown", "why": "who is in sg-1 is not known", "target_id": "sg-1", "left_open": []}
    ]  # fmt: skip
    assert (document["closed"], document["unknown"]) == ([], [])
    assert document["sentence"]


@pytest.mark.parametrize("content", [b"", b"{}", b"no plan", b'{"format_version": "9.0"}'])
def test_what_is_no_plan_is_an_input_error(app: typer.Typer, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    error = run(app, "exposure", "--plan", path).exception
    assert isinstance(error, RunbookError)
    assert error.exit_status == 2


def test_a_plan_that_is_not_there_is_a_usage_error(app: typer.Typer, tmp_path: Path) -> None:
    error = run(app, "exposure", "--plan", tmp_path / "none.json").exception
    assert isinstance(error, RunbookError)
    assert "none.json" in error.message


def rule(port: int, address: str = "") -> Rule:
    known = {"direction": "ingress", "protocol": "tcp", "from_port": port, "to_port": port, "source": "0.0.0.0/0"}
    return Rule.model_validate(known | {"group": "sg-1", "address": address})


@pytest.fixture
def places(root: Path, monkeypatch: pytest.MonkeyPatch) -> comparison.Places:
    found = comparison.Places((rule(80, "a.b"),), (rule(80, "a.b"),), (rule(80), rule(22)))

    def gathered(settings: Settings, stack: str, on_line: object) -> comparison.Places:
        print("Terraform says something")  # noqa: T201 - as a step tells its progress in a notebook
        return found

    monkeypatch.setattr(comparison, "gather_places", gathered)
    return found


def test_verify_blocks_on_a_difference_and_keeps_stdout_for_the_answer(app: typer.Typer, places: object) -> None:
    result = run(app, "verify", "--format", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["outcome"], document["in_sync"]) == ("blocked", 1)
    assert [d["kind"] for d in document["differences"]] == ["unmanaged"]
    assert document["differences"][0]["rule"]["from_port"] == 22
    assert "Terraform says something" in result.stderr


def test_verify_as_csv_has_a_line_a_difference(app: typer.Typer, places: object) -> None:
    lines = list(csv.DictReader(io.StringIO(run(app, "verify", "--format", "csv").stdout)))
    assert [(line["kind"], line["group"], line["from_port"]) for line in lines] == [("unmanaged", "sg-1", "22")]


def test_verify_as_a_table_begins_with_the_outcome(app: typer.Typer, places: object) -> None:
    assert run(app, "verify").stdout.startswith("BLOCKED: In sync: 1. Different: 1.\n")


@pytest.fixture
def members(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    found = [Member(id="i-1", kind="instance", address="127.0.0.1")]
    monkeypatch.setattr(Resolver, "members_of", lambda self, group: tuple(found))
    return found


def test_services_that_answer_pass(app: typer.Typer, members: object, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("hello")
    result = run(app, "services", "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["outcome"], [r["passed"] for r in document["results"]]) == ("passed", [True])


def test_a_failing_service_blocks_in_every_format(app: typer.Typer, members: object, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("bye")
    answers = {form: run(app, "services", "--format", form) for form in ("table", "json", "junit", "csv")}
    assert {answer.exit_code for answer in answers.values()} == {1}
    assert json.loads(answers["json"].stdout)["results"][0]["attempts"] == 2
    assert ElementTree.fromstring(answers["junit"].stdout).attrib["failures"] == "1"
    lines = list(csv.DictReader(io.StringIO(answers["csv"].stdout)))
    assert lines[0]["error"] == "content: the body did not contain 'hello'"
    assert answers["table"].stdout.startswith("BLOCKED: 0 of 1 service tests passed.")


def test_services_without_members_block(app: typer.Typer, members: list[Member]) -> None:
    members.clear()
    result = run(app, "services")
    assert result.exit_code == 1
    assert "its group has no members" in result.stdout


def test_a_baseline_forgives_what_failed_before(
    app: typer.Typer, members: object, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/").respond_with_data("bye")
    baseline = tmp_path / "results.json"
    baseline.write_text(run(app, "services", "--format", "json").stdout)
    result = run(app, "services", "--baseline", baseline, "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (0, "warned")


def test_a_baseline_that_is_none_is_an_error_before_anybody_is_asked(app: typer.Typer, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text("[]")
    error = run(app, "services", "--baseline", path).exception
    assert isinstance(error, RunbookError)
    assert error.exit_status == 2


def test_an_empty_shard_is_skipped_with_status_0(app: typer.Typer, members: object) -> None:
    results = [run(app, "services", "--shard", f"{part}/2") for part in (1, 2)]
    (empty,) = [one for one in results if "in the others" in one.stdout]
    assert (empty.exit_code, empty.stdout.splitlines()[0]) == (
        0,
        "SKIPPED: This shard has no service test: all 1 are in the others.",
    )


def sealed(root: Path, monkeypatch: pytest.MonkeyPatch, key: str = "") -> Path:
    monkeypatch.setenv("RUNBOOK_SIGNING_KEY", key)
    store = RunStore(root / "outputs", "run-1")
    store.write_json("run.json", Run(run_id="run-1", stack="access", created_at=NOW))
    store.write_text("02_plan/plan.txt", "a plan")
    result = {"run_id": "run-1", "step": "plan", "stack": "access", "outcome": Outcome.PASSED, "summary": "ok"}
    store.write_result(StepResult.model_validate(result | {"started_at": NOW, "finished_at": NOW}))
    seal(Settings.load(), store)
    return store.dir


def test_a_whole_signed_folder_verifies(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private, public = generate_key()
    folder = sealed(root, monkeypatch, private)
    key = tmp_path / "key.pub"
    key.write_text(public)
    result = run(app, "evidence", "verify", folder, "--key", key)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "VALID: 3 files")
    assert "Signed with the key" in result.stdout
    without = run(app, "evidence", "verify", folder)
    assert (without.exit_code, without.stdout.splitlines()[0]) == (0, "INTACT, not proven: 3 files")
    assert "give --key" in without.stdout


def test_an_unsigned_folder_is_plainly_said_to_be_unsigned(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(app, "evidence", "verify", sealed(root, monkeypatch))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:5] == [
        "INTACT, not proven: 3 files",
        "Unsigned: whoever could write to the folder could have made this manifest.",
        "intact: yes",
        "signed: not known",
        "  there is no signature",
    ]


def test_an_unsigned_folder_does_not_verify_against_a_key(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key.pub"
    key.write_text(generate_key()[1])
    result = run(app, "evidence", "verify", sealed(root, monkeypatch), "--key", key)
    assert result.exit_code == 1
    assert "there is no signature" in result.stdout


def test_a_signature_of_another_key_is_not_called_unsigned(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key.pub"
    key.write_text(generate_key()[1])
    result = run(app, "evidence", "verify", sealed(root, monkeypatch, generate_key()[0]), "--key", key)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == ["NOT VALID: 3 files", "Nothing proves who made it: see below."]


@pytest.mark.parametrize("tamper", ["change", "add", "remove"])
def test_a_folder_that_was_touched_does_not_verify(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch, tamper: str
) -> None:
    folder = sealed(root, monkeypatch)
    file = folder / "02_plan" / "plan.txt"
    if tamper == "change":
        file.write_text("another plan")
    elif tamper == "add":
        file.with_name("more.txt").write_text("more")
    else:
        file.unlink()
    result = run(app, "evidence", "verify", folder, "--format", "json")
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["problems"]) == 1


def test_a_manifest_made_anew_over_a_touched_folder_does_not_verify_against_the_key(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private, public = generate_key()
    key = tmp_path / "key.pub"
    key.write_text(public)
    folder = sealed(root, monkeypatch, private)
    signature = (folder / "manifest.dsse.json").read_bytes()
    (folder / "02_plan" / "plan.txt").write_text("another plan")
    monkeypatch.setenv("RUNBOOK_SIGNING_KEY", "")
    for name in ("manifest.json", "manifest.dsse.json"):
        (folder / name).unlink()
    seal(Settings.load(), RunStore(root / "outputs", "run-1"))
    (folder / "manifest.dsse.json").write_bytes(signature)
    result = run(app, "evidence", "verify", folder, "--key", key)
    assert result.exit_code == 1
    assert "the signature is for another manifest" in result.stdout


def test_rebuilding_the_page_leaves_the_evidence_whole(
    app: typer.Typer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sealed(root, monkeypatch)
    result = run(app, "evidence", "index", folder)
    assert result.stdout.splitlines() == [str(folder / "index.html")]
    assert run(app, "evidence", "verify", folder).exit_code == 0


def test_a_key_pair_is_made_once_and_never_overwritten(app: typer.Typer, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    assert run(app, "evidence", "key", path).exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert "PUBLIC KEY" in path.with_suffix(".pub").read_text()
    assert isinstance(run(app, "evidence", "key", path).exception, RunbookError)
