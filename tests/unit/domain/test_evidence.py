"""The manifest: what is sealed of a step stays sealed, and everything that differs from it is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from runbook_lib.domain.evidence import (
    add_seal,
    by_step,
    check_chain,
    check_files,
    covered,
    is_evidence,
    new_manifest,
    not_covered,
    superseded,
)
from runbook_lib.domain.statement import check_statement, manifest_bytes, statement
from runbook_lib.errors import EvidenceError
from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import Manifest, ManifestFile, Seal
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ORDER = [step.name for step in BUILT_IN]
PATHS = ("01_compliance/result.json", "02_plan/plan.tfplan", "02_plan/result.json", "run.json")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def listed(path: str, content: str = "") -> ManifestFile:
    return ManifestFile(path=path, sha256=digest(content or path), bytes=len(path))


def manifest(*paths: str) -> Manifest:
    held = by_step([listed(path) for path in paths or PATHS], BUILT_IN)
    made = new_manifest("run-1", held.pop("", []), NOW)
    return sealed(made, held.items())


def sealed(made: Manifest, steps: Iterable[tuple[str, Iterable[ManifestFile]]]) -> Manifest:
    for step, files in steps:
        made = add_seal(made, (step, Outcome.PASSED, files), NOW, ORDER)
    return made


def folder(**changes: str) -> dict[str, str]:
    return {path: digest(path) for path in PATHS} | {"manifest.json": digest("x"), "slack.json": digest("y")} | changes


def problems(made: Manifest, found: dict[str, str]) -> tuple[str, ...]:
    return (*check_files(made, found), *check_chain(made))


def test_a_whole_folder_verifies() -> None:
    assert problems(manifest(), folder()) == ()
    assert set(covered(manifest())) == set(PATHS)


def test_steps_are_listed_in_the_order_of_the_runbook_and_numbered_as_they_were_sealed() -> None:
    made = sealed(new_manifest("1", [], NOW), [("apply", [listed("04_apply/a")]), ("plan", [listed("02_plan/b")])])
    assert [(seal.step, seal.number) for seal in made.steps] == [("plan", 2), ("apply", 1)]
    assert [seal.step for seal in made.seals] == ["apply", "plan"]
    assert check_chain(made) == ()


def test_every_difference_is_named_in_the_order_of_the_paths() -> None:
    found = folder(**{"02_plan/plan.tfplan": digest("another"), "03_approval/decision.json": digest("forged")})
    del found["run.json"]
    assert check_files(manifest(), found) == (
        "run.json is missing", "02_plan/plan.tfplan was changed", "03_approval/decision.json was added",
    )  # fmt: skip


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


def test_what_no_seal_speaks_of_is_named_and_the_page_only_until_it_is_sealed() -> None:
    found = ["run.json", "slack.json", "outbox/1.json", "a/.b.tmp", "index.html", "manifest.json"]
    outside = ("a/.b.tmp", "index.html", "outbox/1.json", "slack.json")
    assert not_covered(found, manifest()) == outside
    with_page = manifest().model_copy(update={"page": listed("index.html")})
    assert "index.html" not in not_covered(found, with_page)


def test_files_are_kept_by_their_step_and_those_beside_under_no_name() -> None:
    given = [listed(path) for path in ("run.json", "02_plan/b", "02_plan/a", "index.html", "99_cost/c")]
    found = by_step(given, BUILT_IN)
    assert {name: [each.path for each in held] for name, held in found.items()} == {
        "plan": ["02_plan/b", "02_plan/a"],
        "": ["run.json", "99_cost/c"],
    }


def test_a_manifest_edited_to_fit_a_changed_file_breaks_the_chain_at_its_step() -> None:
    document = manifest().model_dump(mode="json")
    document["steps"][0]["files"][0]["sha256"] = digest("forged")
    found = folder(**{"01_compliance/result.json": digest("forged")})
    assert problems(Manifest.model_validate(document), found) == ("the chain is broken at step compliance",)


def test_another_run_json_breaks_the_chain_at_its_first_step() -> None:
    forged = manifest().model_copy(update={"files": (listed("run.json", "forged"),)})
    assert check_chain(forged) == ("the chain is broken at step compliance",)


def test_a_step_taken_out_of_the_manifest_is_missed() -> None:
    document = manifest().model_dump(mode="json")
    del document["steps"][0]
    found = folder()
    del found["01_compliance/result.json"]
    assert problems(Manifest.model_validate(document), found) == (
        "the seal before that of step plan is missing", "the chain is broken at step plan",
    )  # fmt: skip


def test_an_empty_manifest_proves_nothing() -> None:
    assert check_chain(new_manifest("1", [listed("run.json")], NOW)) == ("the manifest seals no step",)
    assert "the manifest seals no step" in check_chain(sealed(new_manifest("1", [], NOW), [("plan", [])]))


def test_a_file_that_is_listed_twice_and_every_broken_link_are_named() -> None:
    made = sealed(new_manifest("7", [listed("a")], NOW), [("plan", [listed("a")]), ("apply", [listed("b")])])
    plan, apply = made.steps
    forged = made.model_copy(update={"steps": (plan.model_copy(update={"chain": "0"}), apply)})
    assert check_chain(forged) == (
        "a is listed more than once", "the chain is broken at step plan", "the chain is broken at step apply",
    )  # fmt: skip


def test_a_repeated_step_is_sealed_anew_and_what_it_left_before_stays_in_the_history() -> None:
    first = manifest()
    again = sealed(first, [("plan", [listed("02_plan/plan.tfplan", "another"), listed("02_plan/result.json")])])
    assert [(seal.step, seal.number) for seal in again.steps] == [("compliance", 1), ("plan", 3)]
    assert again.earlier == (first.steps[1],)
    assert covered(again)["02_plan/plan.tfplan"] == digest("another")
    assert check_chain(again) == ()


def test_an_earlier_attempt_taken_out_of_the_history_is_missed() -> None:
    again = sealed(manifest(), [("plan", [listed("02_plan/plan.tfplan", "another")])])
    assert "the seal before that of step plan is missing" in check_chain(again.model_copy(update={"earlier": ()}))


def test_an_earlier_attempt_can_not_take_the_place_of_the_last() -> None:
    again = sealed(manifest(), [("plan", [listed("02_plan/plan.tfplan", "another")])])
    compliance, last = again.steps
    swapped = again.model_copy(update={"steps": (compliance, again.earlier[0]), "earlier": (last,)})
    assert check_chain(swapped) == ("the last seal of step plan is not among the steps",)
    doubled = again.model_copy(update={"steps": (compliance, *again.earlier, last), "earlier": ()})
    assert "step plan is sealed more than once" in check_chain(doubled)


def test_steps_that_are_older_than_one_before_them_are_superseded() -> None:
    made = manifest("01_compliance/a", "02_plan/b", "03_approval/c")
    assert superseded(made, BUILT_IN) == ()
    again = sealed(made, [("compliance", [listed("01_compliance/a")])])
    assert superseded(again, BUILT_IN) == ("plan", "approval")
    assert superseded(sealed(again, [("plan", [listed("02_plan/b")])]), BUILT_IN) == ("approval",)


def test_the_chain_can_be_made_again_with_sha256sum() -> None:
    made = manifest()
    begin = hashlib.sha256(f"run-1\n{digest('run.json')}  run.json\n".encode()).hexdigest()
    first = hashlib.sha256(f"{begin}\n{digest(PATHS[0])}  {PATHS[0]}\n".encode()).hexdigest()
    assert made.steps[0].chain == first


def test_the_statement_is_slsa_s_provenance_in_an_in_toto_statement_and_names_every_file() -> None:
    document = json.loads(statement(manifest()))
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {s["name"]: s["digest"]["sha256"] for s in document["subject"]} == {path: digest(path) for path in PATHS}
    assert set(document["predicate"]) == {"buildDefinition", "runDetails", "runbook_manifest"}
    assert set(document["predicate"]["buildDefinition"]) == {
        "buildType", "externalParameters", "internalParameters", "resolvedDependencies",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "invocation", "builder"),
    [
        ("https://gitlab.example.com/p/-/pipelines/7", "https://gitlab.example.com/p/-/pipelines/7",
         "https://gitlab.example.com/p"),
        ("", "the-run", "urn:runbook:desk"),
    ],
)  # fmt: skip
def test_the_statement_names_what_made_it(address: str, invocation: str, builder: str) -> None:
    run = Run(run_id="the-run", stack="access", created_at=NOW, pipeline_url=address)
    details = json.loads(statement(manifest(), run))["predicate"]["runDetails"]
    assert (details["metadata"]["invocationId"], details["builder"]["id"]) == (invocation, builder)
    # Of a folder whose run.json is gone, the manifest says whose it was.
    alone = json.loads(statement(manifest()))["predicate"]["runDetails"]
    assert (alone["metadata"]["invocationId"], alone["builder"]["id"]) == (manifest().run_id, "urn:runbook:desk")


def test_the_same_manifest_always_makes_the_same_bytes() -> None:
    made = manifest()
    assert statement(made) == statement(Manifest.model_validate_json(made.model_dump_json()))


def marked(made: Manifest) -> Manifest:
    seal: Seal = made.steps[0].model_copy(update={"outcome": Outcome.BLOCKED})
    return made.model_copy(update={"steps": (seal, *made.steps[1:])})


@pytest.mark.parametrize("other", [marked(manifest()), manifest("run.json", "02_plan/b"), new_manifest("1", [], NOW)])
def test_a_statement_about_another_manifest_is_refused(other: Manifest) -> None:
    check_statement(statement(manifest()), manifest(), manifest_bytes(manifest()))
    with pytest.raises(EvidenceError, match="the signature is for another manifest"):
        check_statement(statement(manifest()), other, manifest_bytes(other))


def test_a_manifest_that_is_only_written_otherwise_is_another_one() -> None:
    with pytest.raises(EvidenceError, match="the signature is for another manifest"):
        check_statement(statement(manifest()), manifest(), manifest().model_dump_json().encode())


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("subject", [], "other files than its own manifest"), ("predicateType", "urn:x", "another kind"),
        ("_type", "urn:x", "another kind"), ("predicate", {}, "another kind"), ("predicate", None, "another kind"),
    ],
)  # fmt: skip
def test_a_statement_that_is_none_of_ours_is_refused(key: str, value: object, said: str) -> None:
    document = json.loads(statement(manifest())) | {key: value}
    with pytest.raises(EvidenceError, match=said):
        check_statement(json.dumps(document).encode(), manifest(), manifest_bytes(manifest()))
