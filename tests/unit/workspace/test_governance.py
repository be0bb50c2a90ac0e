"""Who may approve and what blocks, read from the commit before the change in a real git repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from step_fakes import NOW, FakeSlack, answering, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.approval import judge_decisions
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.errors import ApprovalError, GitLabError
from runbook_lib.models.approval import ApprovalRequest, Decision
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Scope
from runbook_lib.models.findings import Action, Severity, Verdict
from runbook_lib.models.rules import Rule
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import applied_commit, base_commit
from runbook_lib.workspace.base_commit import compared_files, find_base
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.decisions import planned_facts
from runbook_lib.workspace.governance import approval_config, before_change, governance, notebook_problem
from runbook_lib.workspace.policy_reports import open_gate

ROOT = Path(__file__).parents[3]
POLICY = "sg-world-ssh"
WAIVER = f"""waivers:
  - policy: {POLICY}
    address: "*"
    owner: riley
    reason: none
    expires: 2026-12-31
"""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Riley", "-c", "user.email=riley@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@dataclass
class Deployed:
    """GitLab, as far as it says what was applied last."""

    sha: str = ""
    error: str = ""
    has_token: bool = True
    by: tuple[str, str] = ("production/access", "apply")
    others: tuple[Any, ...] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)

    def default_branch(self) -> str:
        if self.error:
            raise GitLabError(self.error, "Ask again.")
        return "main"

    def last_deployment(self, environment: str, job: str = "", ref: str = "") -> Deployed | None:
        self.asked.append((environment, job))
        assert ref == "main"
        return self if self.sha and (environment, job) == self.by else None

    def deployed_by(self, job: str, ref: str) -> tuple[Any, ...]:
        assert ref == "main"
        return tuple(one for one in self.others if one.job == job)


@pytest.fixture
def repository(root: Path) -> Path:
    """The repository with two commits: what stood before, and an empty change."""
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    edit(root / "runbook.yml", 'project: ""', 'project: "42"')
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, "before")
    commit(root, "the change")
    return root


@pytest.fixture
def step(repository: Path, load: Callable[..., Settings], run: Run, slack: FakeSlack) -> Callable[..., StepContext]:
    """A step begun now, with these variables."""

    def begin(**variables: str) -> StepContext:
        settings = load(**variables)
        store = RunStore(settings.outputs, "7")
        return StepContext(built_in("approval"), settings, store, run, NOW, clock=lambda: NOW)

    return begin


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Deployed]:
    def install(**given: Any) -> Deployed:
        fake = Deployed(**given)
        for module in (base_commit, applied_commit):
            monkeypatch.setattr(module, "gitlab_client", answering(fake))
        return fake

    return install


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_at_a_desk_the_commit_before_judges_also_when_the_working_tree_is_not_clean(
    step: Callable[..., StepContext], repository: Path
) -> None:
    (repository / "untracked").write_text("beside")
    context = step()
    base = find_base(context.settings, context.run)
    assert (base.sha, base.how) == (git(repository, "rev-parse", "HEAD^"), "the commit before")
    assert governance(context) == ()


def test_a_branch_is_judged_by_where_it_left_the_default_branch(
    step: Callable[..., StepContext], repository: Path
) -> None:
    left = git(repository, "rev-parse", "HEAD")
    git(repository, "update-ref", "refs/remotes/origin/main", left)
    commit(repository, "one")
    commit(repository, "two")
    context = step()
    assert find_base(context.settings, context.run).sha == left


def test_what_gitlab_says_was_applied_last_judges_however_many_commits_came_since(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    applied = git(repository, "rev-parse", "HEAD")
    edit(repository / "runbook.yml", "[alex, sam]", "[alex, sam, riley]")
    commit(repository, "riley may approve")
    commit(repository, "and something else")
    gitlab(sha=applied)
    context = step(GITLAB_CI="true")
    assert before_change(context).base.applied
    assert approval_config(context).approvers == ("alex", "sam")
    assert governance(context) == ("This change also adds riley as approver, who does not count yet.",)


@pytest.mark.parametrize("what", ["the environment", "the job that applies", "the stack"])
def test_whoever_gives_other_names_to_what_was_applied_does_not_choose_the_judges_by_it(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed], run: Run, what: str
) -> None:
    applied = git(repository, "rev-parse", "HEAD")
    path = repository / "runbook.yml"
    edit(path, "[alex, sam]", "[mallory, eve]")
    if what == "the environment":
        edit(path, "gitlab:  ", 'gitlab:\n  environment: "prod/{stack}"  ')
    elif what == "the job that applies":
        edit(path, "job: apply ", "job: approve ")
    else:
        path.write_text(path.read_text().replace("  access: ", "  entry: ").replace("stack: access", "stack: entry"))
    commit(repository, "tidy up")
    commit(repository, "the change")
    fake = gitlab(sha=applied)
    context = step(GITLAB_CI="true")
    if what == "the stack":
        context.run = run.model_copy(update={"stack": "entry"})
    assert (before_change(context).base.sha, before_change(context).base.applied) == (applied, True)
    assert approval_config(context).approvers == ("alex", "sam")
    assert "This change also adds mallory as approver, who does not count yet." in governance(context)
    assert len(fake.asked) == len(set(fake.asked)), "nothing is asked for twice"


def test_who_is_taken_out_of_the_approvers_may_still_say_no(
    step: Callable[..., StepContext], repository: Path, request_: ApprovalRequest
) -> None:
    edit(repository / "runbook.yml", "[alex, sam]", "[alex, sam, kim]")
    commit(repository, "what stood before")
    edit(repository / "runbook.yml", "[alex, sam, kim]", "[alex, sam]")
    commit(repository, "the change")
    context = step()
    assert approval_config(context).approvers == ("alex", "sam")
    facts = planned_facts(context, request_)
    assert (facts.approvers, facts.objectors) == (("alex", "sam"), ("alex", "sam", "kim"))
    said = {"source": "gitlab_comment", "user": "kim", "at": NOW, "plan_sha256": request_.plan_sha256}
    for approved in (True, False):
        record = judge_decisions(request_, (Decision(approved=approved, **said),), facts, NOW)
        assert (record.approved, record.rejected) == (False, not approved)


@pytest.mark.parametrize("path", ["terraform/access", "./terraform/access/"])
def test_a_stack_under_another_name_keeps_who_must_approve_it(
    step: Callable[..., StepContext], repository: Path, run: Run, path: str
) -> None:
    runbook = repository / "runbook.yml"
    yaml = YAML(typ="safe")
    before = yaml.load(runbook)
    before["stacks"]["access"] |= {"approvers": ["carol", "dave", "erin"], "quorum": 2}
    before["approval"] |= {"rules": [{"when": {"opens": "anything"}, "needs": 2, "stacks": ["access"]}]}
    yaml.dump(before, runbook)
    commit(repository, "what stood before")
    entry = {name: value for name, value in before["stacks"]["access"].items() if name not in {"approvers", "quorum"}}
    now = before | {"stacks": {"network": before["stacks"]["network"], "entry": entry | {"path": path}}}
    now["default_stack"], now["approval"] = "entry", before["approval"] | {"rules": []}
    yaml.dump(now, runbook)
    commit(repository, "the change")
    context = step()
    context.run = run.model_copy(update={"stack": "entry"})
    found = approval_config(context)
    assert (found.approvers, found.quorum) == (("carol", "dave", "erin"), 2)
    assert [rule.needs for rule in found.rules_of("entry")] == [2]
    assert "This change also lowers the approvals that are needed from 2 to 1." in governance(context)


@dataclass
class Other:
    sha: str
    job: str = "apply"
    at: datetime | None = NOW


def test_a_stack_that_was_never_applied_has_the_judges_of_when_others_were(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    applied = git(repository, "rev-parse", "HEAD")
    edit(repository / "runbook.yml", "[alex, sam]", "[mallory, eve]")
    commit(repository, "tidy up")
    head = commit(repository, "the change")
    elsewhere = Other("5" * 40, at=NOW + timedelta(days=2))
    # What this very change was applied to says nothing of what stood before it, nor does another job, or another line.
    gitlab(others=(Other(applied), Other(head, at=NOW + timedelta(days=1)), elsewhere, Other(head, job="deploy-docs")))
    context = step(GITLAB_CI="true")
    assert str(before_change(context).base) == f"{applied[:12]} (the commit last applied to another stack)"
    assert approval_config(context).approvers == ("alex", "sam")
    # Where nothing was applied at all, the commit before is all that there is.
    gitlab(others=(Other(head), elsewhere, Other(applied, at=None)))
    assert before_change(step(GITLAB_CI="true")).base.how == "the commit before"


def test_a_job_that_the_change_names_and_that_deploys_by_itself_does_not_choose_the_judges_of_a_new_stack(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    applied = git(repository, "rev-parse", "HEAD")
    edit(repository / "runbook.yml", "[alex, sam]", "[mallory, eve]")
    edit(repository / "runbook.yml", "job: apply ", "job: docs ")
    tidied = commit(repository, "tidy up")
    commit(repository, "the change")
    gitlab(others=(Other(applied), Other(tidied, job="docs", at=NOW + timedelta(days=1))))
    assert before_change(step(GITLAB_CI="true")).base.sha == applied


@pytest.mark.parametrize("name", ["RUNBOOK_BASE_COMMIT", "CI_COMMIT_BEFORE_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA"])
def test_no_variable_makes_the_change_smaller_or_chooses_its_judges(
    step: Callable[..., StepContext], repository: Path, name: str
) -> None:
    first, head = git(repository, "rev-parse", "HEAD^"), git(repository, "rev-parse", "HEAD")
    commit(repository, "more")
    for value, compared in ((git(repository, "rev-parse", "HEAD"), head), ("0" * 40, ""), (first, first)):
        context = step(**{name: value})
        base = find_base(context.settings, context.run)
        found = compared_files(context.settings, base, (".tf",))
        assert (base.sha, found.commit, found.everything) == (head, compared, not compared)


@pytest.mark.parametrize(
    ("deployed", "said"),
    [
        pytest.param({"sha": "1" * 40}, "111111111111, the commit last applied, is not in this clone", id="shallow"),
        pytest.param({"error": "GitLab is down"}, "did not say what was applied last: GitLab is down", id="down"),
        pytest.param({"has_token": False}, "nobody says which commit was applied last", id="no token"),
    ],
)
def test_where_nothing_is_known_of_before_a_pipeline_asks_nobody(
    step: Callable[..., StepContext], gitlab: Callable[..., Deployed], deployed: dict[str, Any], said: str
) -> None:
    gitlab(**deployed)
    context = step(GITLAB_CI="true")
    assert compared_files(context.settings, before_change(context).base, (".tf",)).everything
    assert said in governance(context)[0]
    with pytest.raises(ApprovalError, match="it is not known who may approve this change") as refused:
        approval_config(context)
    assert refused.value.remedy


def test_a_clone_without_the_commit_before_is_said_to_be_shallow(
    step: Callable[..., StepContext], repository: Path, tmp_path: Path, gitlab: Callable[..., Deployed]
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", str(tmp_path / "clone"))
    gitlab()
    context = step(GITLAB_CI="true")
    context.settings = Settings.load(tmp_path / "clone")
    with pytest.raises(ApprovalError) as refused:
        approval_config(context)
    assert "GIT_DEPTH: 0" in refused.value.remedy


def test_the_first_commit_has_nobody_before_it_and_says_so(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    shutil.rmtree(repository / ".git")
    git(repository, "init", "--quiet", "--initial-branch=main")
    commit(repository, "first")
    gitlab()
    context = step(GITLAB_CI="true")
    assert approval_config(context).approvers == ("alex", "sam")
    assert governance(context)[0].startswith("Nothing stood before this change")


def test_a_runbook_yml_of_before_that_cannot_be_read_is_no_free_pass(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    right = (repository / "runbook.yml").read_text()
    (repository / "runbook.yml").write_text("version: 1\nstacks: 7\n")
    commit(repository, "broken")
    (repository / "runbook.yml").write_text(right)
    commit(repository, "mended")
    gitlab()
    context = step(GITLAB_CI="true")
    with pytest.raises(ApprovalError, match="holds what this version can't read"):
        approval_config(context)


def test_what_the_change_weakens_still_blocks_and_every_weakening_is_said(
    step: Callable[..., StepContext], repository: Path
) -> None:
    weaker = f"  max_waiver_days: 400\n  actions: {{{POLICY}: warn}}\n  severities: {{{POLICY}: low}}\n"
    edit(repository / "runbook.yml", "  max_waiver_days: 90\n", weaker)
    (repository / "policies/waivers.yml").write_text(WAIVER)
    context = step()
    gate = open_gate(context)
    world = Rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source="0.0.0.0/0", address="a.b")
    report = gate.judge(RuleChanges(after=(world,), touched=frozenset({0})), Scope.CHANGED, ())
    (found,) = [finding for finding in report.findings if finding.policy == POLICY]
    assert (report.outcome, found.action, found.verdict) == (Outcome.BLOCKED, Action.BLOCK, Verdict.FAILED)
    assert (found.severity, found.waiver) == (Severity.CRITICAL, None)
    assert found.remedy.endswith("It blocks by what was in force before this change.")
    assert set(governance(context)) == {
        f"This change also weakens {POLICY}: warn in place of block.",
        f"This change also lowers the severity of {POLICY} from critical to low.",
        f"This change also adds a waiver of {POLICY} at * by riley, until 2026-12-31, which waives nothing yet.",
        "This change also changes compliance.max_waiver_days in runbook.yml from 90 to 400.",
    }


def test_a_waiver_that_stood_before_waives_until_the_earlier_of_its_days(
    step: Callable[..., StepContext], repository: Path
) -> None:
    waivers = repository / "policies/waivers.yml"
    waivers.write_text(WAIVER)
    commit(repository, "a waiver")
    waivers.write_text(WAIVER.replace("2026-12-31", "2027-01-15"))
    commit(repository, "a longer one")
    context = step()
    (waiver,) = open_gate(context).waivers
    assert waiver.expires.isoformat() == "2026-12-31"
    assert governance(context) == (
        f"This change also extends a waiver of {POLICY} at * from 2026-12-31 to 2027-01-15.",
    )


def test_a_policy_that_the_change_removes_judges_it_all_the_same(
    step: Callable[..., StepContext], repository: Path
) -> None:
    (repository / "policies/world.yml").unlink()
    commit(repository, "the change")
    context = step()
    world = Rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source="0.0.0.0/0", address="a.b")
    report = open_gate(context).judge(RuleChanges(after=(world,), touched=frozenset({0})), Scope.CHANGED, ())
    assert POLICY in {finding.policy for finding in report.findings if finding.action is Action.BLOCK}
    assert f"This change also removes the policy {POLICY}, which judges this change all the same." in governance(
        context
    )


def replace_cell(path: Path, index: int, source: str) -> None:
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[index]["source"] = source
    path.write_text(json.dumps(notebook))


@pytest.mark.parametrize("committed", [True, False])
def test_another_notebook_for_apply_is_shown_and_not_executed(
    step: Callable[..., StepContext], repository: Path, committed: bool
) -> None:
    replace_cell(repository / "notebooks/04_apply.ipynb", 2, "pass")
    if committed:
        commit(repository, "a part of the change, and one commit more")
        commit(repository, "the change")
    context = step()
    apply = built_in("apply")
    problem = notebook_problem(context.settings, context.run, apply, NOW.date())
    assert problem.startswith("notebooks/04_apply.ipynb is not the notebook of this version: of ")
    assert any(said.startswith("This change also replaces the notebook of apply") for said in governance(context))


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"cells": 7}', "\udcff"])
def test_what_is_no_notebook_is_shown_and_not_executed(
    step: Callable[..., StepContext], repository: Path, content: str
) -> None:
    (repository / "notebooks/04_apply.ipynb").write_bytes(content.encode(errors="surrogateescape"))
    context = step()
    problem = notebook_problem(context.settings, context.run, built_in("apply"), NOW.date())
    assert problem.startswith("notebooks/04_apply.ipynb is not the notebook of this version: ")
    assert any(said.startswith("This change also replaces the notebook of apply") for said in governance(context))


def test_a_folder_that_is_called_as_a_notebook_was_none_before(
    step: Callable[..., StepContext], repository: Path
) -> None:
    (repository / "notebooks/old.ipynb").mkdir()
    (repository / "notebooks/old.ipynb/notes.yml").write_text("kept: apart\n")
    commit(repository, "before")
    commit(repository, "the change")
    context = step()
    assert dict(before_change(context).notebooks)["notebooks/old.ipynb"] == (("no notebook",),)
    assert governance(context) == ()


def test_outputs_and_prose_make_no_other_notebook(step: Callable[..., StepContext], repository: Path) -> None:
    path = repository / "notebooks/04_apply.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = "Other words."
        else:
            cell["outputs"], cell["execution_count"] = [{"output_type": "stream", "name": "stdout", "text": "x"}], 7
    path.write_text(json.dumps(notebook))
    context = step()
    assert notebook_problem(context.settings, context.run, built_in("apply"), NOW.date()) == ""
    assert governance(context) == ()


def test_a_tag_that_leaves_a_cell_out_makes_another_notebook(
    step: Callable[..., StepContext], repository: Path
) -> None:
    path = repository / "notebooks/04_apply.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "skip-execution"]
    path.write_text(json.dumps(notebook))
    context = step()
    assert notebook_problem(context.settings, context.run, built_in("apply"), NOW.date())


def test_a_notebook_of_one_s_own_is_allowed_by_runbook_yml_of_before_alone(
    step: Callable[..., StepContext], repository: Path
) -> None:
    replace_cell(repository / "notebooks/04_apply.ipynb", 2, "pass")
    edit(repository / "runbook.yml", "compliance:\n", "steps: {apply: {own_notebook: true}}\ncompliance:\n")
    context = step()
    assert notebook_problem(context.settings, context.run, built_in("apply"), NOW.date())
    assert any("steps.apply.own_notebook" in said for said in governance(context))
    commit(repository, "allowed")
    commit(repository, "the next change")
    context = step()
    assert notebook_problem(context.settings, context.run, built_in("apply"), NOW.date()) == ""


def test_a_notebook_that_was_applied_before_is_no_change(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    replace_cell(repository / "notebooks/04_apply.ipynb", 2, "pass")
    gitlab(sha=commit(repository, "approved and applied"))
    commit(repository, "the next change")
    context = step()
    assert notebook_problem(context.settings, context.run, built_in("apply"), NOW.date()) == ""
    assert governance(context) == ()


def test_what_is_not_known_of_before_is_told_with_what_to_do(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    gitlab(has_token=False)
    context = step(GITLAB_CI="true")
    problem = "nobody says which commit was applied last"
    assert governance(context) == (f"What was in force before this change is not known: {problem}.",)
    with pytest.raises(ApprovalError) as caught:
        approval_config(context)
    assert (caught.value.message, caught.value.remedy) == (
        f"it is not known who may approve this change: {problem}",
        "Set GITLAB_TOKEN, which may ask GitLab what was applied last.",
    )
    # At a desk its own word is all that there is.
    context.settings.environment = context.settings.environment.model_copy(update={"gitlab_ci": False})
    assert approval_config(context).approvers == ("alex", "sam")


def test_a_first_commit_names_its_own_judges_in_one_sentence(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    shutil.rmtree(repository / ".git")
    git(repository, "init", "--quiet", "--initial-branch=main")
    commit(repository, "first")
    gitlab()
    assert governance(step(GITLAB_CI="true")) == (
        "Nothing stood before this change: it names its own approvers, policies and waivers.",
    )


def test_a_commit_of_before_that_holds_no_runbook_yml_governed_nothing_unless_it_was_applied(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed]
) -> None:
    right = (repository / "runbook.yml").read_text()
    (repository / "runbook.yml").unlink()
    without = commit(repository, "before runbooks")
    (repository / "runbook.yml").write_text(right)
    commit(repository, "runbooks")
    gitlab()
    first = before_change(step(GITLAB_CI="true"))
    assert (first.base.first, first.base.sha, first.base.how, first.judges) == (True, "", "the commit before", None)
    gitlab(sha=without)
    base = before_change(step(GITLAB_CI="true")).base
    assert (base.sha, base.first, base.remedy) == ("", False, "Look at that commit.")
    assert base.problem == f"{without[:12]} (the commit last applied) holds no runbook.yml"


def test_a_commit_of_before_that_can_not_be_read_is_told_with_its_fault_and_no_folder_of_this_machine(
    step: Callable[..., StepContext], repository: Path, gitlab: Callable[..., Deployed], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = (repository / "runbook.yml").read_text()
    (repository / "runbook.yml").write_text("version: 1\nstacks: 7\n")
    broken = commit(repository, "broken")
    (repository / "runbook.yml").write_text(right)
    commit(repository, "mended")
    gitlab()
    base = before_change(step(GITLAB_CI="true")).base
    begins = f"{broken[:12]} (the commit before) holds what this version can't read: runbook.yml, line 2: stacks: "
    assert base.problem.startswith(begins)
    assert (base.sha, base.remedy) == ("", "Have it put right by a change of its own.")
    monkeypatch.setattr("runbook_lib.workspace.governance.read_tree", lambda *given: False)
    base = before_change(step(GITLAB_CI="true")).base
    assert (base.sha, base.problem, base.remedy) == (
        "",
        f"{broken[:12]} (the commit before) can't be read",
        "Fetch it: GIT_DEPTH: 0.",
    )


@pytest.mark.parametrize("name", ["compliance", "plan", "verification"])
def test_only_the_notebooks_that_ask_and_apply_are_held_back(
    step: Callable[..., StepContext], repository: Path, name: str
) -> None:
    (repository / "notebooks" / built_in(name).notebook).write_text("{}")
    context = step()
    assert notebook_problem(context.settings, context.run, built_in(name), NOW.date()) == ""
    assert any(said.startswith(f"This change also replaces the notebook of {name}, ") for said in governance(context))


def test_what_says_what_a_job_does_is_a_judge_of_the_change(step: Callable[..., StepContext], repository: Path) -> None:
    for name in (".gitlab-ci.yml", ".gitlab/ci/a.yml", "templates/b.yml", "templates/c/template.yml", "d.yml"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("stages: []\n")
    commit(repository, "before")
    commit(repository, "the next")
    context = step()
    judges = before_change(context).judges
    assert judges is not None
    assert set(judges.files) == {".gitlab-ci.yml", ".gitlab/ci/a.yml", "templates/b.yml", "templates/c/template.yml"}


def test_a_stack_s_own_approvers_of_before_count_and_for_a_new_one_those_of_all(
    step: Callable[..., StepContext], repository: Path
) -> None:
    own = "\n    state: access\n    approvers: [kim, lee]"
    edit(repository / "runbook.yml", "\n    state: access", own)
    commit(repository, "before")
    edit(repository / "runbook.yml", "[kim, lee]", "[kim, lee, riley]")
    fresh = "stacks:\n  fresh: {path: terraform/access, state: fresh, approvers: [alex, riley]}\n"
    edit(repository / "runbook.yml", "stacks:\n", fresh)
    commit(repository, "the change")
    context = step()
    assert approval_config(context).approvers == ("kim", "lee")
    # Nobody was named for it before: of its own, only who might approve any change counts.
    context.run = context.run.model_copy(update={"stack": "fresh"})
    assert approval_config(context).approvers == ("alex",)


def test_a_notebook_that_nothing_can_be_compared_with_is_shown_and_not_executed(
    step: Callable[..., StepContext], repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.governance.packaged", lambda name: tmp_path / "nothing" / name)
    context = step()
    assert notebook_problem(context.settings, context.run, built_in("apply"), NOW.date()) == (
        "notebooks/04_apply.ipynb is not the notebook of this version: there is none to compare it with"
    )


def test_what_stood_before_is_found_out_once_a_step(
    step: Callable[..., StepContext], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = step()
    first = before_change(context)
    monkeypatch.delattr("runbook_lib.workspace.governance.read_before")
    assert before_change(context) is first


def test_a_folder_of_policies_that_was_not_there_before_held_none(
    step: Callable[..., StepContext], repository: Path
) -> None:
    edit(repository / "runbook.yml", "  policies: policies\n", "  policies: ours\n")
    edit(repository / "runbook.yml", "  enable: [sg-admin-without-expiry, sg-rule-ends-soon]", "  enable: []")
    commit(repository, "before")
    shutil.copytree(repository / "policies", repository / "ours")
    commit(repository, "the change")
    before = before_change(step())
    assert before.base.problem == ""
    assert before.gate is not None
    assert (before.gate.policies, before.gate.waivers, before.gate.today) == ((), (), NOW.date())
