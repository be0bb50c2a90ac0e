from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest

from runbook_lib.domain.evidence import build_manifest, by_step, check_manifest, is_evidence, statement
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import Manifest, ManifestFile
from runbook_lib.models.steps import BUILT_IN

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATHS = ("01_compliance/result.json", "02_plan/plan.tfplan", "02_plan/result.json", "run.json")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(*paths: str) -> Manifest:
    files = [ManifestFile(path=path, sha256=digest(path), bytes=len(path)) for path in paths or PATHS]
    return build_manifest(
        "run-1", by_step(files, BUILT_IN), {"compliance": Outcome.PASSED, "plan": Outcome.PASSED}, NOW
    )


def folder(**changes: str) -> dict[str, str]:
    return {path: digest(path) for path in PATHS} | {"manifest.json": digest("x"), "index.html": digest("y")} | changes


def test_a_whole_folder_verifies() -> None:
    report = check_manifest(manifest(), folder())
    assert (report.valid, report.files, report.problems) == (True, 4, ())


def test_steps_are_listed_in_the_order_in_which_they_run() -> None:
    made = manifest("04_apply/a", "03_approval/b", "01_compliance/c", "06_service_tests/d")
    assert [step.step for step in made.steps] == ["compliance", "approval", "apply", "service_tests"]


def test_a_changed_file_is_named() -> None:
    report = check_manifest(manifest(), folder(**{"02_plan/plan.tfplan": digest("another plan")}))
    assert (report.valid, report.problems) == (False, ("02_plan/plan.tfplan was changed",))


def test_a_missing_file_is_named() -> None:
    found = folder()
    del found["run.json"]
    assert check_manifest(manifest(), found).problems == ("run.json is missing",)


def test_an_added_file_is_named() -> None:
    found = folder(**{"03_approval/decision.json": digest("forged")})
    assert check_manifest(manifest(), found).problems == ("03_approval/decision.json was added",)


def test_the_seal_the_page_and_the_messages_are_outside_the_manifest() -> None:
    outside = ("manifest.json", "manifest.dsse.json", "index.html", "slack.json", "outbox/1.json", "a/.b.json.x1.tmp")
    assert [path for path in outside if is_evidence(path)] == []
    assert is_evidence("02_plan/index.html")


def test_a_manifest_edited_to_fit_a_changed_file_breaks_the_chain_at_its_step() -> None:
    document = manifest().model_dump(mode="json")
    document["steps"][0]["files"][0]["sha256"] = digest("forged")
    report = check_manifest(
        Manifest.model_validate(document), folder(**{"01_compliance/result.json": digest("forged")})
    )
    assert report.problems == ("the chain is broken at step compliance",)


def test_a_step_taken_out_of_the_manifest_breaks_the_chain() -> None:
    document = manifest().model_dump(mode="json")
    del document["steps"][0]
    found = folder()
    del found["01_compliance/result.json"]
    assert check_manifest(Manifest.model_validate(document), found).problems == ("the chain is broken at step plan",)


def test_the_chain_can_be_made_again_with_sha256sum() -> None:
    made = manifest()
    first = hashlib.sha256(f"run-1\n{digest(PATHS[0])}  {PATHS[0]}\n".encode()).hexdigest()
    assert made.steps[0].chain == first


def test_a_step_without_a_result_is_interrupted() -> None:
    assert manifest("05_verification/notebook.ipynb").steps[0].outcome == "interrupted"


@pytest.mark.parametrize("key", ["_type", "predicateType", "subject", "predicate"])
def test_the_statement_is_an_in_toto_statement(key: str) -> None:
    assert key in json.loads(statement(manifest()))


def test_the_statement_names_every_file_with_its_digest() -> None:
    document = json.loads(statement(manifest()))
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert {s["name"]: s["digest"]["sha256"] for s in document["subject"]} == {path: digest(path) for path in PATHS}


def test_the_same_manifest_always_makes_the_same_bytes() -> None:
    made = manifest()
    assert statement(made) == statement(Manifest.model_validate_json(made.model_dump_json()))


def file(path: str, digest: str = "aa") -> ManifestFile:
    return ManifestFile(path=path, sha256=digest, bytes=1)


@pytest.mark.parametrize(
    ("path", "evidence"),
    [
        ("manifest.json", False), ("manifest.dsse.json", False), ("index.html", False), ("slack.json", False),
        ("outbox/1.json", False), ("outbox", True), ("02_plan/index.html", True), ("02_plan/manifest.json", True),
        ("02_plan/.plan.txt.tmp", False), ("02_plan/plan.tmp", True), ("02_plan/.plan", True), ("run.json", True),
    ],
)  # fmt: skip
def test_all_but_the_seal_the_page_and_the_messages_is_evidence(path: str, evidence: bool) -> None:
    assert is_evidence(path) is evidence


def test_files_are_kept_by_their_step_and_those_beside_under_no_name() -> None:
    given = [file("run.json"), file("02_plan/b"), file("02_plan/a"), file("index.html"), file("99_cost/c")]
    found = by_step(given, BUILT_IN)
    assert {name: [each.path for each in held] for name, held in found.items()} == {
        "plan": ["02_plan/b", "02_plan/a"],
        "": ["run.json", "99_cost/c"],
    }


def test_every_problem_of_a_folder_is_named_in_the_order_of_the_paths() -> None:
    held = {"plan": [file("02_plan/b"), file("02_plan/a")], "": [file("run.json"), file("c")]}
    manifest = build_manifest("7", held, {"plan": Outcome.PASSED}, NOW)
    assert [(step.step, step.outcome, [f.path for f in step.files]) for step in manifest.steps] == [
        ("plan", Outcome.PASSED, ["02_plan/a", "02_plan/b"])
    ]
    assert [f.path for f in manifest.files] == ["c", "run.json"]
    report = check_manifest(manifest, {"02_plan/a": "bb", "run.json": "aa", "new": "cc", "index.html": "dd"})
    assert report.problems == ("02_plan/b is missing", "c is missing", "02_plan/a was changed", "new was added")
    assert (report.valid, report.files) == (False, 4)
    whole = check_manifest(manifest, dict.fromkeys(("02_plan/a", "02_plan/b", "c", "run.json"), "aa"))
    assert (whole.valid, whole.files, whole.problems) == (True, 4, ())


def test_a_file_that_is_listed_twice_and_every_broken_link_are_named() -> None:
    manifest = build_manifest("7", {"plan": [file("a")], "apply": [file("b")], "": [file("a")]}, {}, NOW)
    plan, apply = manifest.steps
    forged = manifest.model_copy(update={"steps": (plan.model_copy(update={"chain": "0"}), apply)})
    assert check_manifest(forged, {"a": "aa", "b": "aa"}).problems == (
        "a is listed more than once",
        "the chain is broken at step plan",
        "the chain is broken at step apply",
    )
