"""The files that `runbook init` writes, as this version would: which, what for, and what in them is made of answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.adapters.policies import policy_files
from runbook_lib.adapters.root_modules import RootModule
from runbook_lib.packaged import packaged
from runbook_lib.workspace import pipeline_file as pipeline
from runbook_lib.workspace import scaffold
from runbook_lib.workspace.pipeline_file import Component, included_component, quoted
from runbook_lib.workspace.scaffold import Answers, Draft, drafts, ignored_locks, known_component, named_stacks, unnamed

HTTP = RootModule("live/web shop", "http", "us-east-1", ("env/prod.tfvars", "env/on call.tfvars"))
S3 = RootModule("live/orders", "s3")
CHANGE = Component("gitlab.example.com/tools/runbook/change@1.0")


def by_path(root: Path, *modules: RootModule, answers: Answers | None = None) -> dict[str, Draft]:
    return {draft.path: draft for draft in drafts(root, modules, answers or Answers())}


def test_every_file_says_what_it_is_for_and_runbook_yml_comes_last(tmp_path: Path) -> None:
    found = drafts(tmp_path, (HTTP, S3), Answers(component=CHANGE))
    policies = [(f"policies/{path.name}", "policies") for path in policy_files(packaged("policies"))]
    assert [(draft.path, draft.purpose) for draft in found] == [
        *policies,
        ("policies/waivers.yml", "findings that somebody answers for"),
        ("slack-app.yml", "the Slack app's manifest"),
        (".gitignore", "what git is to leave out"),
        (".gitlab/ci/runbook-stack.yml", "the pipeline of one stack"),
        (".gitlab-ci.yml", "the pipeline"),
        ("runbook.yml", "what this repository governs"),
    ]
    # What a team edits as a matter of course is no difference; .gitignore is added to.
    edited = {"policies/waivers.yml", ".gitlab/ci/runbook-stack.yml", ".gitlab-ci.yml", "runbook.yml"}
    assert {draft.path for draft in found if draft.edited} == edited
    assert [draft.path for draft in found if draft.appended] == [".gitignore"]


def test_without_an_address_the_components_are_written_as_well(tmp_path: Path) -> None:
    found = by_path(tmp_path, S3)
    components = {f"templates/{path.name}" for path in packaged("templates").glob("*.yml")}
    assert {path for path, draft in found.items() if draft.purpose == "the pipeline's components"} == components
    assert found["templates/change.yml"].text == (packaged("templates") / "change.yml").read_text()
    assert found[".gitlab-ci.yml"].line == 'local: "/templates/change.yml"'


def test_runbook_yml_holds_what_was_found_and_what_was_answered(tmp_path: Path) -> None:
    answers = Answers("https://gitlab.example.com", "pay/infra", ("alex", "sam"), "#pay")
    assert by_path(tmp_path, HTTP, S3, answers=answers)["runbook.yml"].text == (
        """\
# What this repository governs. `runbook doctor` says what is missing or wrong here, and each field is in
# docs/configuration.md of the toolkit.
version: 1

stacks:
  web-shop:
    path: "live/web shop"
    state: web-shop  # its name in GitLab
    region: us-east-1
    # var_files: [env/prod.tfvars, "env/on call.tfvars"]  # found, and read only if named here
    services: []  # what is asked from outside after a change
  orders:
    path: live/orders
    services: []  # what is asked from outside after a change

gitlab:  # a job whose CI_SERVER_URL or CI_PROJECT_PATH say otherwise is refused
  url: "https://gitlab.example.com"
  project: pay/infra

slack:
  channel: "#pay"  # SLACK_CHANNEL wins

approval:
  approvers: [alex, sam]  # GitLab logins; who asks and who wrote never count
  quorum: 1
  expires_after: 4h
  rules:  # who must approve because of what a change does, beside the quorum
    - {when: {opens: internet}, needs: 2}

compliance:
  policies: policies
  waivers: policies/waivers.yml
"""
    )


def test_a_region_that_is_none_of_aws_is_left_to_the_provider(tmp_path: Path) -> None:
    text = by_path(tmp_path, RootModule("live/web", "s3", "fr-par"))["runbook.yml"].text
    assert scaffold.parse(text).stacks["web"].region == ""


@pytest.mark.parametrize("approvers", [(), ("alex",), ("alex", "alex")])
def test_what_fewer_than_two_could_never_keep_is_left_out(tmp_path: Path, approvers: tuple[str, ...]) -> None:
    text = by_path(tmp_path, S3, answers=Answers(approvers=approvers))["runbook.yml"].text
    config = scaffold.parse(text)
    assert (config.approval.rules, config.approval.approvers) == ((), approvers)
    assert (config.gitlab.url, config.gitlab.project) == ("https://gitlab.com", "")


def test_a_file_is_missing_where_it_is_not_there_or_something_is_to_be_added(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("theirs")
    assert Draft("gone", "text", "").missing(tmp_path)
    assert not Draft("there", "text", "").missing(tmp_path)
    assert Draft("there", "text", "", appended=True).missing(tmp_path)
    assert not Draft("gone", "", "", appended=True).missing(tmp_path)


@pytest.mark.parametrize(
    ("there", "gap"), [("", ""), ("*.log", "\n\n"), ("*.log\n", "\n")], ids=["none", "no end of line", "lines"]
)
def test_what_git_ignores_already_is_not_added_again(tmp_path: Path, there: str, gap: str) -> None:
    (tmp_path / ".gitignore").write_text(there)
    head = f"{gap}# What runs and labs leave, and keys. The provider lock files are committed.\n"
    assert by_path(tmp_path, S3)[".gitignore"].text == head + "\n".join([*scaffold.IGNORED, ""])
    # A folder is one with and without its slashes.
    (tmp_path / ".gitignore").write_text("/outputs\n .terraform/ \n")
    added = by_path(tmp_path, S3)[".gitignore"].text.splitlines()[2:]
    assert added == [line for line in scaffold.IGNORED if line not in {"outputs/", ".terraform/"}]
    (tmp_path / ".gitignore").write_text("\n".join(scaffold.IGNORED))
    assert by_path(tmp_path, S3)[".gitignore"].text == ""


def test_folders_of_one_name_are_stacks_of_their_own(tmp_path: Path) -> None:
    paths = ["a/net", "b/net", "web", "x y", "x-y", "x/y", "...", "a-net"]
    found = named_stacks(RootModule(path, "s3") for path in paths)
    assert {name: module.path for name, module in found.items()} == {
        "a-net": "a/net",
        "b-net": "b/net",
        "web": "web",
        # Both would be called so, and no path makes them two.
        "x-y": "x y",
        "x-y-2": "x-y",
        "y": "x/y",
        "stack": "...",
        "a-net-2": "a-net",
    }


def test_three_that_nothing_tells_apart_are_counted() -> None:
    found = named_stacks(RootModule(path, "s3") for path in ("x y", "x-y", "x+y"))
    assert list(found) == ["x-y", "x-y-2", "x-y-3"]


@pytest.mark.parametrize(
    ("there", "folder"),
    [(None, "policies"), ("world.yml", "policies"), ("iam.json", "runbook-policies"), ("", "runbook-policies")],
)
def test_policies_come_into_their_folder_unless_it_holds_something_else(
    tmp_path: Path, there: str | None, folder: str
) -> None:
    if there is not None:
        (tmp_path / "policies").mkdir()
        if there:
            (tmp_path / "policies" / there).write_text("policies: []\n")
    found = by_path(tmp_path, S3)
    assert f"{folder}/world.yml" in found
    config = scaffold.parse(found["runbook.yml"].text)
    assert (config.compliance.policies, config.compliance.waivers) == (folder, f"{folder}/waivers.yml")
    waivers = found[f"{folder}/waivers.yml"].text
    assert waivers.endswith("\nwaivers: []\n")
    assert waivers.count("waivers:") == 1


def test_what_no_stack_names_is_new_where_there_is_a_runbook_yml(tmp_path: Path) -> None:
    assert unnamed(tmp_path, (S3, HTTP)) == []
    (tmp_path / "runbook.yml").write_text("version: 1\nstacks: {orders: {path: ./live/orders}}\n")
    assert unnamed(tmp_path, (S3, HTTP)) == [HTTP]


def test_lines_that_keep_lock_files_out_of_git_are_named_by_their_number(tmp_path: Path) -> None:
    assert ignored_locks(tmp_path) == []
    (tmp_path / ".gitignore").write_text("*.log\n**/.terraform.lock.hcl  \n.terraform.lock.hcl.bak\n")
    assert ignored_locks(tmp_path) == [".gitignore, line 2: **/.terraform.lock.hcl  "]


ADDRESS = "gitlab.example.com/tools/runbook/"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("build: {script: [make]}\n", None),
        ("include:\n  - component: gitlab.example.com/tools/other/build@1\n", None),
        ("include:\n  - local: /templates/other.yml\n", None),
        (f"include:\n  - component: {ADDRESS}change@1.0\n", Component(f"{ADDRESS}change@1.0")),
        # Of many stacks' it is the component of one that is known.
        (f'include:\n  - component: "{ADDRESS}stacks@1.0"\n', Component(f"{ADDRESS}change@1.0")),
        (
            f"include:\n  - component: {ADDRESS}change@1.0\n    inputs:\n      package: 'git+https://x/y.git@1.0'\n",
            Component(f"{ADDRESS}change@1.0", "git+https://x/y.git@1.0"),
        ),
        ("include:\n  - local: /templates/change.yml\n", Component()),
        ("include:\n  - local: templates/stacks.yml\n", Component()),
    ],
)
def test_the_component_that_a_pipeline_includes_is_known(tmp_path: Path, text: str, found: Component | None) -> None:
    assert included_component(text) == found
    for name in (".gitlab-ci.yml", ".gitlab/ci/runbook.yml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert known_component(tmp_path) == (found or Component())
        path.unlink()


def test_a_pipeline_of_their_own_stays_and_ours_lies_beside(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("build: {script: [make]}\n")
    assert ".gitlab/ci/runbook.yml" in by_path(tmp_path, S3)
    assert ".gitlab-ci.yml" not in by_path(tmp_path, S3)
    (tmp_path / ".gitlab-ci.yml").write_text("include:\n  - local: /templates/change.yml\n")
    assert ".gitlab-ci.yml" in by_path(tmp_path, S3)
    assert ".gitlab/ci/runbook.yml" not in by_path(tmp_path, S3)


ABOUT = "# A change goes through check, plan, approval, apply and proof. `runbook doctor` says what is left.\n"


def test_the_pipeline_of_one_stack_and_of_many_in_full() -> None:
    given = Component(f"{ADDRESS}change@1.0", "git+https://x/y.git@1.0")
    one = f'component: "{ADDRESS}change@1.0"'
    package = '      package: "git+https://x/y.git@1.0"\n'
    text, line = pipeline.pipeline_file(["web shop"], given)
    assert line == one
    assert text.startswith(f"{ABOUT}include:\n  - {one}\n    inputs:\n")
    assert sorted(text.splitlines()[4:]) == sorted(['      stack: "web shop"', package.rstrip()])
    text, line = pipeline.pipeline_file(["orders", "web"], given)
    assert line == f'component: "{ADDRESS}stacks@1.0"'
    assert text.startswith(f"{ABOUT}include:\n  - {line}\n    inputs:\n")
    assert sorted(text.splitlines()[4:]) == sorted(["      change: .gitlab/ci/runbook-stack.yml", package.rstrip()])
    text, line = pipeline.each_stack(given)
    assert line == one
    assert text.startswith(
        "# One stack's pipeline, and what is the same for all of them.\nspec:\n  inputs:\n    stack: {}\n---\n"
        f"include:\n  - {one}\n    inputs:\n"
    )
    assert "      stack: $[[ inputs.stack ]]\n" in text


@pytest.mark.parametrize("text", ["web", "live/orders", "a.b-c_d", "Z9"])
def test_a_plain_word_needs_no_quotes(text: str) -> None:
    assert quoted(text) == text


@pytest.mark.parametrize("text", ["", "on", "YES", "y", "null", "1e3", "a b", "#pay", "-a", 'say "so"', "ü", "a:b"])
def test_what_could_be_taken_for_something_else_is_quoted(text: str) -> None:
    escaped = text.replace('"', '\\"')
    assert quoted(text) == f'"{escaped}"'


@pytest.mark.parametrize("stacks", [("web",), ("web", "orders")])
@pytest.mark.parametrize("theirs", ["", "build: {script: [make]}\n"], ids=["no pipeline yet", "one of theirs"])
def test_the_pipeline_s_files_are_those_of_its_stacks_and_each_knows_what_it_includes(
    tmp_path: Path, stacks: tuple[str, ...], theirs: str
) -> None:
    if theirs:
        (tmp_path / ".gitlab-ci.yml").write_text(theirs)
    given = Component(f"{ADDRESS}change@1.0")
    modules = [RootModule(f"live/{name}", "s3") for name in stacks]
    written = by_path(tmp_path, *modules, answers=Answers(component=given))
    text, line = pipeline.pipeline_file(stacks, given)
    path = ".gitlab/ci/runbook.yml" if theirs else ".gitlab-ci.yml"
    assert written[path] == Draft(path, text, "the pipeline", edited=True, line=line)
    each, line = pipeline.each_stack(given)
    path = ".gitlab/ci/runbook-stack.yml"
    assert written.get(path) == (
        Draft(path, each, "the pipeline of one stack", edited=True, line=line) if len(stacks) > 1 else None
    )
