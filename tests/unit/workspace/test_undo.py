"""Taking an applied change back: by a commit of its own, beside the working tree, without what others did since."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from step_fakes import answering
from typer.testing import CliRunner

from runbook_lib.adapters.gitlab_changes import Proposal
from runbook_lib.adapters.store import RunStore
from runbook_lib.cli.main import app
from runbook_lib.domain.undo import lost
from runbook_lib.errors import ConfigError, InputError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComparedWith, ComplianceReport
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner.run import RunRequest
from runbook_lib.runner.sequence import Summary
from runbook_lib.settings import Settings
from runbook_lib.workspace import undo as module
from runbook_lib.workspace.undo import Undone, check_proposal, check_run, propose, publish, undo_run

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
CONFIG = "version: 1\nstacks: {web: {path: web}, db: {path: db}}\n"
RULES = "".join(f'resource "a" "{name}" {{}}\n\n\n\n' for name in "abcdefgh")


class Clone:
    """A repository, whose last change of web a run has applied."""

    def __init__(self, top: Path, below: str = "") -> None:
        self.top, self.root, self.below = top, top / below, f"{below}/" if below else ""
        self.root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for name, value in (("user.name", "Sam"), ("user.email", "sam@example.com")):
            self.git("config", name, value)
        (self.root / ".gitignore").write_text("outputs/\n")
        (self.root / "runbook.yml").write_text(CONFIG)
        self.before = self.commit({"web/main.tf": RULES, "db/main.tf": "# one\n"})
        changed = RULES.replace('"a" "a"', '"a" "opened"')
        self.applied = self.commit({"web/main.tf": changed, "web/new file.tf": "# new\n", "db/main.tf": "# two\n"})
        self.store = RunStore(self.root / "outputs", "7")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.top), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=A change")
        return self.git("rev-parse", "HEAD")

    def ran(
        self,
        outcome: Outcome | None = Outcome.PASSED,
        before: str | None = None,
        compared: bool = True,
        of: tuple[str, ...] = ("plan", "apply"),
    ) -> None:
        steps = tuple(step.recorded for step in BUILT_IN if step.name in of)
        run = Run(run_id="7", stack="web", commit=self.applied, requester="riley", created_at=NOW, steps=steps)
        self.store.write_json("run.json", run)
        with_ = ComparedWith(commit=self.before if before is None else before) if compared else None
        report = ComplianceReport(outcome=Outcome.PASSED, checked=Checked(), compared_with=with_)
        self.store.write_json(self.store.file("plan", "findings.json"), report)
        gone = PlanSummary(delete=1, addresses={"delete": ("aws_s3_bucket.logs",)})
        self.store.write_json(self.store.file("plan", "summary.json"), gone)
        if outcome:
            result = StepResult(
                run_id="7", step="apply", stack="web", outcome=outcome, summary="s", started_at=NOW, finished_at=NOW
            )
            self.store.write_result(result)

    def undo(self) -> Undone:
        return undo_run(Settings.load(self.root), "7")

    def shown(self, name: str) -> str:
        folder = self.root.relative_to(self.top).as_posix()
        return self.git("show", f"undo/7:{name if folder == '.' else f'{folder}/{name}'}")


@pytest.fixture(params=["", "infra/repo"])
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone", request.param)


def test_the_stack_s_files_are_what_they_were_and_nothing_else_is_touched(clone: Clone) -> None:
    clone.ran()
    done = clone.undo()
    assert done.files == ("web/main.tf", "web/new file.tf")
    assert clone.shown("web/main.tf") == RULES.strip()
    assert clone.shown("db/main.tf") == "# two"
    with pytest.raises(subprocess.CalledProcessError):
        clone.shown("web/new file.tf")
    assert clone.git("rev-parse", "undo/7~") == clone.applied
    assert clone.git("rev-parse", "HEAD", "main").split() == [clone.applied] * 2
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("worktree", "list").count("\n") == 0
    assert clone.git("log", "-1", "--format=%B", "undo/7") == (
        "Take back what run 7 applied to web\n\n"
        f"This reverts what came between {clone.before} and {clone.applied} in the files of the stack web."
    )
    assert (done.run.run_id, done.branch, done.commit) == ("7", "undo/7", clone.git("rev-parse", "undo/7"))
    assert done.lost == ("aws_s3_bucket.logs was destroyed, with what was stored there: a new one is empty",)
    assert done.since == ()


def test_what_others_changed_since_stays_and_is_told(clone: Clone) -> None:
    clone.ran()
    now = (clone.root / "web/main.tf").read_text()
    clone.commit({"web/main.tf": now.replace('"a" "h"', '"a" "others"'), "db/main.tf": "# three\n"})
    done = clone.undo()
    assert done.since == ("web/main.tf",)
    assert clone.shown("web/main.tf") == RULES.replace('"a" "h"', '"a" "others"').strip()


def test_the_same_lines_changed_since_are_named_and_nothing_is_left_behind(clone: Clone) -> None:
    clone.ran()
    now = (clone.root / "web/main.tf").read_text()
    clone.commit({"web/main.tf": now.replace('"opened"', '"others"')})
    with pytest.raises(InputError, match=r"others changed the same lines since, in .*web/main\.tf"):
        clone.undo()
    assert clone.git("branch", "--list", "undo/*") == ""
    assert clone.git("worktree", "list").count("\n") == 0
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diff.noprefix", "true"), ("diff.context", "0"), ("diff.relative", "true"), ("color.ui", "always"),
        ("apply.whitespace", "fix"), ("apply.whitespace", "error-all"), ("apply.ignoreWhitespace", "change"),
        ("diff.submodule", "log"), ("diff.ignoreSubmodules", "all"), ("submodule.m.ignore", "all"),
    ],
)  # fmt: skip
def test_how_a_person_likes_to_see_changes_is_no_part_of_one(clone: Clone, name: str, value: str) -> None:
    inside = (clone.root / "web/m").relative_to(clone.top).as_posix()
    modules = f'[submodule "m"]\n\tpath = {inside}\n\turl = ../m\n'

    def pin(sha: str, text: str) -> str:
        (clone.root / "web/m").mkdir(exist_ok=True)
        (clone.top / ".gitmodules").write_text(modules)
        (clone.root / "web/main.tf").write_text(text)
        clone.git("add", "--all")
        clone.git("update-index", "--add", "--cacheinfo", f"160000,{sha * 40},{inside}")
        clone.git("commit", "--quiet", "--message=A change")
        return clone.git("rev-parse", "HEAD")

    clone.before, clone.applied = pin("1", "one   \n\n\n"), pin("2", "two\n")
    clone.git("config", name, value)
    clone.ran()
    assert clone.undo().files == ("web/m", "web/main.tf")
    assert clone.git("rev-parse", "undo/7^{tree}") == clone.git("rev-parse", f"{clone.before}^{{tree}}")


def test_what_the_stack_read_before_its_own_change_led_it_elsewhere_comes_back_as_well(clone: Clone) -> None:
    def reading(name: str) -> str:
        return f'locals {{\n  rules = file("../{name}/rules.json")\n}}\n'

    clone.before = clone.commit({"old/rules.json": "[80]", "new/rules.json": "[]", "web/main.tf": reading("old")})
    changed = {"old/rules.json": "[22]", "new/rules.json": "[443]", "web/main.tf": reading("new")}
    clone.applied = clone.commit({**changed, "db/main.tf": "# three\n"})
    clone.ran()
    assert clone.undo().files == ("new/rules.json", "old/rules.json", "web/main.tf")
    assert (clone.shown("old/rules.json"), clone.shown("new/rules.json")) == ("[80]", "[]")


def test_what_is_in_no_file_of_the_stack_s_commit_is_said_to_stay(clone: Clone) -> None:
    told = CONFIG.replace("{path: web}", "{path: web, var_files: [wide.tfvars]}")
    clone.applied = clone.commit({"runbook.yml": told, "web/wide.tfvars": "ports = [22]\n"})
    clone.ran()
    clone.store.write_json("run.json", clone.store.read_json("run.json") | {"dirty": True})
    done = clone.undo()
    assert "web/wide.tfvars" in done.files
    assert done.lost[1:] == (
        "files differed from the commit when the run began: what they held then is in no commit",
        "runbook.yml said otherwise of web before: change that by hand",
    )


@pytest.mark.parametrize(
    ("how", "before"),
    [("the commit before", "run"), ("", "run"), ("the commit last applied", "compared"), (None, "unknown")],
)
def test_without_gitlab_s_word_the_run_before_says_what_stood(clone: Clone, how: str | None, before: str) -> None:
    known = {"run": clone.applied, "compared": clone.commit({"web/main.tf": "# two\n"})}
    elsewhere = clone.git("commit-tree", "-m", "A branch of its own", f"{clone.before}^{{tree}}")
    clone.applied = clone.commit({"web/main.tf": "# three\n"})
    clone.ran(before=known["compared"])
    report = ComplianceReport(
        outcome=Outcome.PASSED,
        checked=Checked(),
        compared_with=None if how is None else ComparedWith(commit=known["compared"], how=how),
    )
    clone.store.write_json(clone.store.file("plan", "findings.json"), report)
    for run_id, hours, stack, commit, outcome in (
        ("1", -3, "web", clone.before, Outcome.PASSED),
        ("2", -2, "web", known["run"], Outcome.PASSED),
        ("3", -1, "web", known["compared"], Outcome.ERRORED),
        ("4", -1, "db", known["compared"], Outcome.PASSED),
        ("5", 1, "web", known["compared"], Outcome.PASSED),
    ):
        earlier(clone, run_id, (stack, commit), outcome, NOW + timedelta(hours=hours))
    (clone.root / "outputs/no run").mkdir()
    (clone.root / "outputs/no run/run.json").write_text("{}")
    (clone.root / "outputs/6").mkdir()
    (clone.root / "outputs/6/run.json").write_text("{")
    if before == "unknown":
        with pytest.raises(InputError, match="what stood before it is not known here"):
            clone.undo()
        return
    clone.undo()
    assert clone.shown("web/main.tf") == clone.git("show", f"{known[before]}:{clone.below}web/main.tf")
    # One of a branch that did not lead here says nothing of it.
    earlier(clone, "7-", ("web", elsewhere), Outcome.PASSED, NOW - timedelta(minutes=1))
    clone.git("branch", "--quiet", "-D", "undo/7")
    clone.undo()
    assert clone.shown("web/main.tf") == "# two"


def earlier(clone: Clone, run_id: str, of: tuple[str, str], outcome: Outcome, at: datetime) -> None:
    """Another run, of a stack and a commit, whose apply ended so."""
    store, (stack, commit) = RunStore(clone.root / "outputs", run_id), of
    steps = tuple(step.recorded for step in BUILT_IN)
    run = Run(run_id=run_id, stack=stack, commit=commit, requester="riley", created_at=at, steps=steps)
    result = StepResult(
        run_id=run_id, step="apply", stack=stack, outcome=outcome, summary="s", started_at=at, finished_at=at
    )
    store.write_json("run.json", run)
    store.write_result(result)


def test_what_is_taken_back_already_and_a_branch_that_is_there_are_refused(clone: Clone) -> None:
    clone.ran()
    clone.undo()
    with pytest.raises(InputError, match="the branch undo/7 is there already"):
        clone.undo()
    clone.git("merge", "--quiet", "undo/7")
    clone.git("branch", "--delete", "undo/7")
    with pytest.raises(InputError, match=r"nothing of that change is there any more|changed the same lines"):
        clone.undo()


@pytest.mark.parametrize(
    ("outcome", "said"), [(None, "applied nothing"), (Outcome.ERRORED, "did not apply its change to the end: errored")]
)
def test_a_run_that_was_not_applied_is_not_taken_back(clone: Clone, outcome: Outcome | None, said: str) -> None:
    clone.ran(outcome)
    with pytest.raises(UsageError) as caught:
        clone.undo()
    assert (caught.value.message, caught.value.remedy) == (
        f"run 7 {said}",
        "Run from the plan step: its plan says what is so now.",
    )


def test_a_run_of_a_runbook_that_applies_nothing_has_applied_nothing(clone: Clone) -> None:
    clone.ran(None, of=("plan",))
    with pytest.raises(UsageError, match=r"^run 7 applied nothing$"):
        clone.undo()


def test_nothing_is_made_where_what_is_lost_can_not_be_read(clone: Clone) -> None:
    clone.ran()
    clone.store.path(clone.store.file("plan", "summary.json")).unlink()
    with pytest.raises(InputError):
        clone.undo()
    assert clone.git("branch", "--list", "undo/*") == ""


@pytest.mark.parametrize(
    ("before", "named"),
    [(None, ""), ("", ""), ("0" * 40, " (000000000000)"), ("--output=x", " (--output=x)")],
)
def test_a_run_of_which_nobody_knows_what_stood_before_is_not_taken_back(
    clone: Clone, before: str | None, named: str
) -> None:
    clone.ran(before=before, compared=before is not None)
    with pytest.raises(InputError) as caught:
        clone.undo()
    assert (caught.value.message, caught.value.remedy) == (
        f"of run 7 what stood before it is not known here{named}",
        "Fetch the whole history (git fetch --unshallow), or take the change back by hand.",
    )


def test_a_run_that_changed_no_file_of_its_stack_is_told_so(clone: Clone) -> None:
    clone.ran(before=clone.applied)
    with pytest.raises(InputError) as caught:
        clone.undo()
    assert (caught.value.message, caught.value.remedy) == (
        "run 7 changed no file of the stack web",
        "What it applied came from elsewhere: drift, a variable, another stack, or files that were not committed.",
    )


def test_an_unknown_run_is_named(clone: Clone) -> None:
    with pytest.raises(UsageError) as caught:
        clone.undo()
    assert (caught.value.message, caught.value.remedy) == (
        f"there is no run 7 in {clone.root / 'outputs'}",
        "Fetch its folder from the job's artifacts.",
    )


@pytest.mark.parametrize(("commit", "named"), [("f" * 40, " (ffffffffffff)"), ("", "")])
def test_a_run_whose_own_commit_is_not_here_is_not_taken_back(clone: Clone, commit: str, named: str) -> None:
    clone.applied = commit
    clone.ran()
    with pytest.raises(InputError) as caught:
        clone.undo()
    assert caught.value.message == f"of run 7 its own commit is not known here{named}"


def test_what_stays_gone_is_said() -> None:
    summary = PlanSummary(
        addresses={
            "delete": ("module.a.aws_db_instance.main[0]", "aws_vpc_security_group_ingress_rule.web"),
            "replace": ("aws_s3_bucket.logs",),
            "forget": ("aws_instance.old",),
            "invoke": ("action.aws_lambda_invoke.x",),
            "create": ("aws_s3_bucket.new",),
        }
    )
    assert lost(summary) == (
        "module.a.aws_db_instance.main[0] was destroyed, with what was stored there: a new one is empty",
        "aws_s3_bucket.logs was replaced, with what was stored there: a new one is empty",
        "aws_instance.old was left to itself: no plan knows of it",
        "action.aws_lambda_invoke.x was run: what it did stays done",
    )


def test_the_command_says_what_it_takes_back_what_it_can_not_and_what_comes_next(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.ran()
    monkeypatch.setenv("RUNBOOK_ROOT", str(clone.root))
    monkeypatch.chdir(clone.root)
    said = CliRunner().invoke(app, ["undo", "7"], catch_exceptions=False).output
    assert "takes back what run 7 changed in web:\n  web/main.tf\n  web/new file.tf\n" in said
    assert "Can't be taken back:\n  aws_s3_bucket.logs was destroyed" in said
    assert said.endswith("Next: git switch undo/7 && runbook run --stack web (--run does both)\n")
    assert clone.git("rev-parse", "--abbrev-ref", "HEAD") == "main"


@pytest.fixture
def asked(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The runs that were started: their stack, and what was checked out then."""
    started: list[tuple[str, str]] = []

    def remember(request: RunRequest, settings: Settings) -> Summary:
        started.append((request.stack, clone.git("rev-parse", "--abbrev-ref", "HEAD")))
        return Summary((), Outcome.BLOCKED, 1, NOW, NOW)

    monkeypatch.setattr("runbook_lib.runner.run.execute", remember)
    monkeypatch.setenv("RUNBOOK_ROOT", str(clone.root))
    monkeypatch.chdir(clone.root)
    for name in ("CI", "GITLAB_CI", "CI_JOB_ID", "CI_JOB_TOKEN", "CI_PIPELINE_ID"):
        monkeypatch.delenv(name, raising=False)
    clone.ran()
    return started


def test_it_goes_on_to_the_run_of_its_branch_and_ends_as_that_does(clone: Clone, asked: list[tuple[str, str]]) -> None:
    done = CliRunner().invoke(app, ["undo", "7", "--run"])
    assert (done.exit_code, asked) == (1, [("web", "undo/7")])
    assert "Can't be taken back:" in done.output
    assert clone.git("status", "--porcelain") == ""


def test_no_run_is_started_over_work_that_is_not_committed_and_nothing_is_made(
    clone: Clone, asked: list[tuple[str, str]]
) -> None:
    (clone.root / "db/main.tf").write_text("# mine\n")
    with pytest.raises(UsageError, match=r"the working tree differs from its commit: .*db/main\.tf"):
        CliRunner().invoke(app, ["undo", "7", "--run"], catch_exceptions=False)
    assert (asked, clone.git("branch", "--list", "undo/*")) == ([], "")
    assert (clone.root / "db/main.tf").read_text() == "# mine\n"


@pytest.mark.usefixtures("asked")
def test_a_job_of_a_pipeline_starts_no_run_of_another_commit(clone: Clone) -> None:
    settings = Settings.load(clone.root)
    check_run(settings)
    settings.environment = settings.environment.model_copy(update={"job_id": "9"})
    with pytest.raises(UsageError, match="a pipeline's run is of the pipeline's own commit"):
        check_run(settings)


@pytest.mark.usefixtures("asked")
def test_without_a_gitlab_no_merge_request_is_begun(clone: Clone) -> None:
    with pytest.raises(ConfigError, match="no merge request can be opened"):
        CliRunner().invoke(app, ["undo", "7", "--merge-request"], catch_exceptions=False)
    with pytest.raises(UsageError, match="exclude each other"):
        CliRunner().invoke(app, ["undo", "7", "--merge-request", "--run"], catch_exceptions=False)
    assert clone.git("branch", "--list", "undo/*") == ""


def error_of(ask: Callable[[], object]) -> tuple[type[Exception], str, str]:
    with pytest.raises((ConfigError, UsageError)) as caught:
        ask()
    return type(caught.value), caught.value.message, caught.value.remedy


@pytest.mark.usefixtures("asked")
def test_what_keeps_a_run_from_being_started_is_told_with_what_to_do(clone: Clone) -> None:
    settings = Settings.load(clone.root)
    for number in range(5):
        (clone.root / f"{number}.txt").write_text("mine")

    def told(more: str) -> tuple[type[Exception], str, str]:
        said = f"the working tree differs from its commit: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt{more}"
        return UsageError, said, "Commit or stash that: the run is made from the branch."

    assert error_of(lambda: check_run(settings)) == told("")
    for number in (5, 6):
        (clone.root / f"{number}.txt").write_text("mine")
    assert error_of(lambda: check_run(settings)) == told(" and 2 more")
    settings.environment = settings.environment.model_copy(update={"job_id": "9"})
    assert error_of(lambda: check_run(settings)) == (
        UsageError,
        "a pipeline's run is of the pipeline's own commit",
        "Give --merge-request: its pipeline plans, and the one after the merge goes through all gates.",
    )


class GitLab:
    """A project whose default branch is `trunk`, and what was proposed to it."""

    def __init__(self, *, has_token: bool = True) -> None:
        self.has_token = has_token
        self.proposed: list[Proposal] = []
        self.changes = self

    def default_branch(self) -> str:
        return "trunk"

    def propose(self, proposal: Proposal) -> SimpleNamespace:
        self.proposed.append(proposal)
        return SimpleNamespace(url="https://g.example/-/merge_requests/3")


@pytest.fixture
def origin(clone: Clone, tmp_path: Path) -> Callable[[], str]:
    """Give the clone an origin; the branches that were pushed there."""
    clone.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    clone.git("remote", "add", "origin", str(tmp_path / "origin"))
    return lambda: clone.git("ls-remote", "origin")


def test_the_branch_is_pushed_where_gitlab_is_asked_who_approves(
    clone: Clone, origin: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.ran()
    done, settings = clone.undo(), Settings.load(clone.root)
    for gitlab in (None, GitLab(has_token=False)):
        monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
        assert publish(settings, done) is False
    assert origin() == ""
    monkeypatch.setattr(module, "gitlab_client", answering(GitLab()))
    assert publish(settings, done) is True
    assert origin().split() == [done.commit, "refs/heads/undo/7"]
    clone.git("remote", "remove", "origin")
    assert publish(settings, done) is False


def test_a_merge_request_says_what_is_taken_back_what_is_not_and_what_stays(
    clone: Clone, origin: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.ran()
    gitlab, settings = GitLab(), Settings.load(clone.root)
    settings.redactor.add(["aws_s3_bucket.logs"])
    monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
    done = replace(clone.undo(), since=("web/main.tf",))
    assert propose(settings, done) == "https://g.example/-/merge_requests/3"
    assert origin().split() == [done.commit, "refs/heads/undo/7"]
    assert gitlab.proposed == [
        Proposal(
            "undo/7",
            "trunk",
            "Take back what run 7 applied to web",
            "These files become what they were before that run:\n\n- `web/main.tf`\n- `web/new file.tf`\n\n"
            "Can't be taken back:\n\n"
            "- `[MASKED] was destroyed, with what was stored there: a new one is empty`\n\n"
            "Others changed since, which stays:\n\n- `web/main.tf`\n\n"
            "The plan of its pipeline says what it would do now.\n",
        )
    ]
    propose(settings, replace(done, lost=(), since=()))
    assert gitlab.proposed[-1].description == (
        "These files become what they were before that run:\n\n- `web/main.tf`\n- `web/new file.tf`\n\n"
        "The plan of its pipeline says what it would do now.\n"
    )


@pytest.mark.parametrize("gitlab", [None, GitLab(has_token=False)], ids=["no GitLab", "no token"])
def test_where_no_gitlab_takes_one_no_merge_request_is_begun(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, gitlab: GitLab | None
) -> None:
    monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
    assert error_of(lambda: check_proposal(Settings.load(clone.root))) == (
        ConfigError,
        "no GitLab project is configured, or no token, so no merge request can be opened",
        "Set gitlab.project in runbook.yml, and GITLAB_TOKEN with the scope api.",
    )


def test_no_branch_is_pushed_where_no_merge_request_can_be_opened(
    clone: Clone, origin: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.ran()
    done = clone.undo()
    monkeypatch.setattr(module, "gitlab_client", answering(GitLab(has_token=False)))
    with pytest.raises(ConfigError, match="no merge request can be opened"):
        propose(Settings.load(clone.root), done)
    assert origin() == ""
