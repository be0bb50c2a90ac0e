"""`runbook doctor`: each thing that is missing or doubtful is found, and told with what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyrage
import pytest
from step_fakes import answering

from runbook_lib.adapters.git import Commit
from runbook_lib.adapters.gitlab_data import StateLock
from runbook_lib.adapters.signing import generate_key, signer_id
from runbook_lib.adapters.slack import SlackIdentity
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.errors import ConfigError, RunbookError, TerraformError
from runbook_lib.settings import Settings
from runbook_lib.workspace import doctor
from runbook_lib.workspace.doctor import Diagnosis, DoubtError, Level
from runbook_lib.workspace.project_settings import Unsafe

Answers = Callable[..., "FakeGitLab"]
Trouble = tuple[type[RunbookError], str, str]
ROLES = {"alex": 40, "sam": 30, "riley": 50, "robin": 20}


class FakeGitLab:
    """A project in which these people have roles, seen with the token of `user`."""

    def __init__(self, user: str, *scopes: str) -> None:
        self.user = user
        self.scopes = scopes
        self.has_token = True
        self.lock: StateLock | None = None
        self.ahead = timedelta(0)

    def current_user(self) -> str:
        return self.user

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def whose_job(self) -> Any:
        return SimpleNamespace(user=self.user)

    def project_path(self) -> str:
        return "platform/network-access"

    def token_scopes(self) -> tuple[str, ...]:
        return self.scopes

    def role(self, login: str) -> int:
        return ROLES.get(login, 0)

    def state_lock(self, name: str) -> StateLock | None:
        assert name == "access"
        return self.lock


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Answers:
    def place(user: str, *scopes: str) -> FakeGitLab:
        fake = FakeGitLab(user, *scopes)
        monkeypatch.setattr(doctor, "gitlab_client", answering(fake))
        monkeypatch.setattr(doctor, "keeper", answering(fake))
        return fake

    return place


def trouble(ask: Callable[[], str]) -> Trouble:
    with pytest.raises(RunbookError) as caught:
        ask()
    return type(caught.value), caught.value.message, caught.value.remedy


@pytest.mark.parametrize(("minutes", "way"), [(-40, "ahead of"), (40, "behind"), (-3, "ahead of"), (3, "behind")])
def test_a_clock_that_differs_from_gitlab_s_is_named(
    settings: Settings, gitlab: Answers, minutes: int, way: str
) -> None:
    gitlab("alex", "api").ahead = timedelta(minutes=minutes)
    assert trouble(lambda: doctor.ask_clock(settings)) == (
        DoubtError,
        f"this machine's clock is {abs(minutes)} minutes {way} GitLab's",
        "Set it right.",
    )
    gitlab("alex", "api").ahead = timedelta(seconds=100)
    assert doctor.ask_clock(settings) == "this machine's agrees with GitLab's"


UNSAFE = Unsafe("variables_by_developers", "every Developer may give variables to jobs", "https://gitlab.example/p")
UNSEEN = Unsafe("unknown_environment", "this token does not see who may deploy", "https://gitlab.example/p")


def test_without_gitlab_no_clock_is_compared_with_this_machine_s(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "gitlab_client", answering(None))
    assert doctor.ask_clock(settings) == "no other clock is compared with this machine's"


def test_without_gitlab_nothing_is_said_to_be_protected(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "gitlab_client", answering(None))
    monkeypatch.setattr(doctor, "unsafe_settings", lambda settings, stack: ())
    assert doctor.ask_project_settings(settings, "access") == "no GitLab project is asked"


def test_settings_that_let_anybody_around_the_approval_are_missing_and_unseen_ones_are_a_doubt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "unsafe_settings", lambda settings, stack: (UNSAFE, UNSEEN))
    kind, said, what = trouble(lambda: doctor.ask_project_settings(settings, "access"))
    assert (kind, said) == (ConfigError, f"not safe to apply from: {UNSAFE.found}; {UNSEEN.found}")
    assert what.startswith("Change it at https://gitlab.example/p, or accept it in runbook.yml: gitlab.accept: [")
    monkeypatch.setattr(doctor, "unsafe_settings", lambda settings, stack: (UNSEEN,))
    assert trouble(lambda: doctor.ask_project_settings(settings, "access"))[:2] == (DoubtError, UNSEEN.found)


def test_a_token_that_may_do_all_is_told_with_whose_it_is(settings: Settings, gitlab: Answers) -> None:
    gitlab("alex", "read_user", "api")
    assert doctor.ask_gitlab(settings) == "platform/network-access as alex, Maintainer, scopes read_user, api"


@pytest.mark.parametrize(
    ("user", "scopes", "expected"),
    [
        pytest.param(
            "alex",
            ("read_user", "sudo"),
            (
                ConfigError,
                "platform/network-access as alex, Maintainer, scopes read_user, sudo: the API can't be read",
                "Make a token with the scope read_api, or api.",
            ),
            id="reads nothing",
        ),
        pytest.param(
            "alex",
            ("read_api",),
            (
                DoubtError,
                "platform/network-access as alex, Maintainer, scopes read_api: it can't write states or play jobs",
                "To apply with it, give it the scope api.",
            ),
            id="only reads",
        ),
        pytest.param(
            "sam",
            ("api",),
            (
                DoubtError,
                "platform/network-access as sam, Developer, scopes api: it can't lock or write states",
                "Plan with -p plan.lock=false; let a Maintainer's job apply.",
            ),
            id="a developer",
        ),
        pytest.param(
            "nobody",
            ("api",),
            (
                DoubtError,
                "platform/network-access as nobody, access level 0, scopes api: it can't lock or write states",
                "Plan with -p plan.lock=false; let a Maintainer's job apply.",
            ),
            id="no member",
        ),
    ],
)
def test_a_token_that_may_do_less_says_what_it_lacks(
    settings: Settings, gitlab: Answers, user: str, scopes: tuple[str, ...], expected: Trouble
) -> None:
    gitlab(user, *scopes)
    assert trouble(lambda: doctor.ask_gitlab(settings)) == expected


def test_without_gitlab_approvals_come_from_a_terminal(settings: Settings) -> None:
    assert trouble(lambda: doctor.ask_gitlab(settings)) == (
        DoubtError,
        "no project or no token: approvals come from a terminal alone",
        "Set GITLAB_TOKEN, and gitlab.project in runbook.yml; inside GitLab CI both are there.",
    )


def test_a_job_token_alone_reads_no_approvals(settings: Settings, gitlab: Answers) -> None:
    gitlab("riley").has_token = False
    assert trouble(lambda: doctor.ask_gitlab(settings)) == (
        DoubtError,
        "the job token of riley alone: merge-request and deployment approvals are not read",
        "Set GITLAB_TOKEN to a project access token with the scope read_api.",
    )


def with_approvers(settings: Settings, *names: str, quorum: int = 1) -> Settings:
    approval = settings.config.approval.model_copy(update={"approvers": names, "quorum": quorum})
    settings.config = settings.config.model_copy(update={"approval": approval})
    return settings


def test_approvers_who_can_play_the_job_are_told(settings: Settings, gitlab: Answers) -> None:
    gitlab("riley", "api")
    assert doctor.ask_people(with_approvers(settings, "alex", "sam", quorum=2), "access") == "2 of alex, sam"


@pytest.mark.parametrize("has_token", [None, False], ids=["no GitLab", "a job token"])
def test_roles_are_not_asked_where_nobody_could_tell(
    settings: Settings, gitlab: Answers, has_token: bool | None
) -> None:
    if has_token is not None:
        gitlab("alex").has_token = has_token
    assert doctor.ask_people(with_approvers(settings, "alex", "robin", quorum=2), "access") == "2 of alex, robin"


def test_a_repository_without_approvers_is_not_ready(settings: Settings) -> None:
    assert trouble(lambda: doctor.ask_people(with_approvers(settings), "access")) == (
        ConfigError,
        "runbook.yml names no approver",
        "Add logins to approval.approvers.",
    )


def test_an_approver_below_developer_can_not_play_the_job(settings: Settings, gitlab: Answers) -> None:
    gitlab("riley", "api")
    given = with_approvers(settings, "alex", "robin", "ghost")
    assert trouble(lambda: doctor.ask_people(given, "access")) == (
        ConfigError,
        "robin, ghost can't play a job in this project",
        "Give them a role, or name others as approvers.",
    )


def test_who_is_an_approver_needs_enough_others(settings: Settings, gitlab: Answers) -> None:
    gitlab("Alex", "api")
    assert doctor.ask_people(with_approvers(settings, "alex", "sam"), "access") == "1 of alex, sam"
    assert trouble(lambda: doctor.ask_people(with_approvers(settings, "alex", "sam", quorum=2), "access")) == (
        DoubtError,
        "2 of alex, sam, and Alex is one of them: nobody approves a change of their own",
        "Name more approvers.",
    )


def test_the_project_of_the_states_is_named(load: Callable[..., Settings]) -> None:
    given = load(project="42", url="https://gitlab.example")
    assert doctor.ask_backend(given, "access") == "GitLab, 42 of https://gitlab.example"
    assert trouble(lambda: doctor.ask_backend(load(url="https://gitlab.com"), "access")) == (
        ConfigError,
        "no GitLab project keeps the state",
        "Set gitlab.project in runbook.yml.",
    )


IN_A_FILE = (
    ConfigError,
    "a file beside the files of access: it is gone when a job ends, and the next one begins without it",
    'Let GitLab keep it (backend "http" {}), or name another backend.',
)
FAR = (
    "an approval is bound to a plan file, which Terraform makes here only if it runs here",
    "Set the workspace's execution mode to Local.",
)
NAMELESS = (
    ConfigError,
    "runbook.yml: stacks.access.state is missing, and GitLab keeps this stack's state",
    "Give it the state's name in GitLab.",
)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ('backend "s3" {}', "backend s3"),
        ('backend "http" {\n    address = "https://states.example"\n  }', "backend http elsewhere"),
        ('backend "local" {}', IN_A_FILE),
        ("", IN_A_FILE),
        ('cloud {\n    organization = "example"\n  }', (DoubtError, f"cloud: {FAR[0]}", FAR[1])),
        ('backend "remote" {}', (DoubtError, f"remote: {FAR[0]}", FAR[1])),
        ('backend "http" {}', NAMELESS),
    ],
)
def test_a_backend_is_told_and_one_that_would_not_do_is_refused(
    load: Callable[..., Settings], root: Path, block: str, said: Any
) -> None:
    given = load(project="42", url="https://gitlab.example", GITLAB_TOKEN="glpat-1")
    stack = given.config.stacks["access"].model_copy(update={"state": ""})
    given.config = given.config.model_copy(update={"stacks": {**given.config.stacks, "access": stack}})
    folder = root / stack.path
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.tf"):
        file.unlink()
    (folder / "main.tf").write_text(f"terraform {{\n  {block}\n}}\n")
    if isinstance(said, str):
        assert doctor.ask_backend(given, "access") == said
    else:
        assert trouble(lambda: doctor.ask_backend(given, "access")) == said


def test_it_is_the_backend_of_the_stack_that_is_meant(load: Callable[..., Settings], root: Path) -> None:
    given = load(project="42", url="https://gitlab.example", GITLAB_TOKEN="glpat-1")

    def network(block: str, **changed: str) -> None:
        stack = given.config.stacks["network"].model_copy(update=changed)
        given.config = given.config.model_copy(update={"stacks": {**given.config.stacks, "network": stack}})
        for file in (root / stack.path).glob("*.tf"):
            file.unlink()
        (root / stack.path / "main.tf").write_text(f"terraform {{\n  {block}\n}}\n")

    network('backend "s3" {}')
    assert doctor.ask_backend(given, "network") == "backend s3"
    # The default one has not changed.
    assert doctor.ask_backend(given, "access") == "GitLab, 42 of https://gitlab.example"
    network('backend "local" {}')
    assert "beside the files of network:" in trouble(lambda: doctor.ask_backend(given, "network"))[1]
    network('backend "http" {}', workspace="prod")
    assert trouble(lambda: doctor.ask_backend(given, "network"))[1].startswith("stacks.network.workspace is set")
    network('backend "http" {}', workspace="", state="")
    assert "stacks.network.state is missing" in trouble(lambda: doctor.ask_backend(given, "network"))[1]


def test_gitlab_keeps_no_state_of_another_workspace(load: Callable[..., Settings]) -> None:
    given = load(project="42", url="https://gitlab.example")
    stack = given.config.stacks["access"].model_copy(update={"workspace": "prod"})
    given.config = given.config.model_copy(update={"stacks": {"access": stack}})
    assert trouble(lambda: doctor.ask_backend(given, "access")) == (
        ConfigError,
        "stacks.access.workspace is set, and GitLab keeps one state under a name",
        "Make a stack of it, with a state of its own.",
    )


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Terraform that is initialised without a word, and has this state."""
    fake = SimpleNamespace(
        binary=TerraformBinary(("terraform",), "1.11.4", "Terraform"),
        directory="the stack",
        state_pull=lambda: fake.state,
        state={"serial": 8},
        initialised=[],
        providers=(("hashicorp/aws", "5.99.1"), ("hashicorp/random", "3.7.2")),
    )

    def client(settings: Settings, stack: str) -> Any:
        assert (isinstance(settings, Settings), stack) == (True, "access")
        return fake

    def holder(settings: Settings, name: str) -> Any:
        assert (isinstance(settings, Settings), name) == (True, "access")
        return nullcontext()

    monkeypatch.setattr(doctor, "terraform_client", client)
    monkeypatch.setattr(doctor, "holder_named", holder)
    monkeypatch.setattr(doctor, "ensure_initialised", fake.initialised.append)
    monkeypatch.setattr(doctor, "provider_versions", lambda folder: fake.providers if folder == "the stack" else None)
    return fake


def test_a_state_is_told_with_its_serial(settings: Settings, gitlab: Answers, terraform: Any) -> None:
    gitlab("alex", "api")
    assert doctor.ask_state(settings, "access") == "access, serial 8"
    terraform.state = {}
    assert doctor.ask_state(settings, "access") == "access, no version yet"


@pytest.mark.parametrize(
    ("since", "told"), [(datetime(2026, 11, 23, 9, 5, tzinfo=UTC), " since 2026-11-23 09:05 UTC"), (None, "")]
)
def test_a_locked_state_says_by_whom(
    settings: Settings, gitlab: Answers, terraform: Any, since: datetime | None, told: str
) -> None:
    gitlab("alex", "api").lock = StateLock(user="robin", since=since)
    assert trouble(lambda: doctor.ask_state(settings, "access")) == (
        DoubtError,
        f"access is locked by robin{told}",
        "Wait for them, or unlock it once they are known to be gone.",
    )


def test_who_can_not_ask_for_a_lock_is_told_the_serial_alone(
    settings: Settings, gitlab: Answers, terraform: Any
) -> None:
    fake = gitlab("alex")
    fake.has_token, fake.lock = False, StateLock(user="robin", since=None)
    assert doctor.ask_state(settings, "access") == "access, serial 8"


def place_slack(monkeypatch: pytest.MonkeyPatch, threads: bool = True, *scopes: str) -> None:
    identity = SlackIdentity(team="Platform", user="runbook", url="", scopes=scopes)
    fake = SimpleNamespace(
        threads=threads, identity=lambda: identity, channel="#infra-changes", channel_id=lambda: "C0123456"
    )

    def client(settings: Settings, stack: str) -> Any:
        assert (isinstance(settings, Settings), stack) == (True, "access")
        return fake

    monkeypatch.setattr(doctor, "slack_client", client)


def test_slack_is_told_with_team_and_channel(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    place_slack(monkeypatch, True, "files:write", "chat:write")
    assert doctor.ask_slack(settings, "access") == "runbook of Platform, channel #infra-changes (C0123456)"


def test_scopes_that_slack_did_not_give_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    place_slack(monkeypatch)
    assert trouble(lambda: doctor.ask_slack(settings, "access")) == (
        ConfigError,
        "the token lacks chat:write, files:write",
        "Add the scopes to the app, and install it again.",
    )


def test_a_webhook_does_less_than_a_token(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    place_slack(monkeypatch, False)
    assert trouble(lambda: doctor.ask_slack(settings, "access")) == (
        DoubtError,
        "an incoming webhook: no thread, no board, no files",
        "Set SLACK_BOT_TOKEN to have them.",
    )


def test_without_slack_nobody_is_told(settings: Settings) -> None:
    assert trouble(lambda: doctor.ask_slack(settings, "access")) == (
        DoubtError,
        "not configured: messages stay in the run folder, and in GitLab CI no approval can be asked for",
        "Set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL.",
    )


def by_name(settings: Settings) -> dict[str, Diagnosis]:
    return {diagnosis.name: diagnosis for diagnosis in doctor.examine(settings)}


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, gitlab: Answers, terraform: Any) -> Any:
    """All is well here, and `commit` is what is checked out."""
    gitlab("alex", "api")
    place_slack(monkeypatch, True, "files:write", "chat:write")
    here = SimpleNamespace(commit=Commit("4dc7a7" * 7, "main", "riley@example.org"))
    monkeypatch.setattr(doctor, "read_commit", lambda folder: here.commit)
    monkeypatch.setattr(doctor, "ask_aws", lambda: "role deploy")
    monkeypatch.setenv("AWS_ROLE_ARN", "")
    return here


KEY, _ = generate_key()


def test_where_all_is_well_everything_is_told(load: Callable[..., Settings], clean: Any, terraform: Any) -> None:
    given = load(project="42", url="https://gitlab.example", RUNBOOK_SIGNING_KEY=KEY)
    found = doctor.examine(given)
    assert {diagnosis.level for diagnosis in found} == {Level.OK}
    assert [(diagnosis.name, diagnosis.found) for diagnosis in found if diagnosis.name != "policies"] == [
        ("runbook.yml", "2 stacks: network, access"),
        ("notebooks", "change has 6 steps, drift has 1 step, expired has 6 steps"),
        ("git", "4dc7a74dc7a7 of main"),
        ("signing key", f"ed25519 key {signer_id(KEY)[:12]}"),
        ("encryption", "plans are kept as they are, for Developers alone (terraform.encrypt_to)"),
        ("terraform", "Terraform 1.11.4, at least 1.5.0 is needed"),
        ("backend", "GitLab, 42 of https://gitlab.example"),
        ("provider", "hashicorp/aws 5.99.1, hashicorp/random 3.7.2"),
        ("state", "access, serial 8"),
        ("gitlab", "platform/network-access as alex, Maintainer, scopes api"),
        ("protection", "who may give variables, push and deploy is limited"),
        ("clock", "this machine's agrees with GitLab's"),
        ("approvers", "1 of alex, sam"),
        ("slack", "runbook of Platform, channel #infra-changes (C0123456)"),
        ("aws", "role deploy"),
    ]
    assert {diagnosis.name: diagnosis for diagnosis in found}["policies"].found.endswith(" policies, 0 waivers")
    assert terraform.initialised == [terraform]


def test_whom_plans_are_encrypted_for_is_tried(load: Callable[..., Settings], root: Path, clean: Any) -> None:
    key, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    path = root / "runbook.yml"
    encrypted = f"terraform:\n  encrypt_to: [{key.to_public()}]\n"
    path.write_text(path.read_text().replace("terraform:\n", encrypted, 1))
    assert by_name(load())["encryption"].found.endswith("which jobs that approve and apply need")
    assert by_name(load(RUNBOOK_AGE_KEY=str(key)))["encryption"].found.endswith("for 1, and this key reads them")
    wrong = by_name(load(RUNBOOK_AGE_KEY=str(other)))["encryption"]
    assert (wrong.level, "can't be decrypted" in wrong.found) == (Level.MISSING, True)


def test_what_a_run_can_do_without_is_a_warning(settings: Settings, clean: Any) -> None:
    assert by_name(settings)["signing key"] == Diagnosis(
        "signing key",
        Level.WARNING,
        "RUNBOOK_SIGNING_KEY is not set: evidence is not signed",
        "Make a key: runbook evidence key key.pem",
    )


@pytest.mark.parametrize(
    ("commit", "found", "remedy"),
    [
        pytest.param(
            Commit(),
            "no commit is checked out: a run can't say what it was made from",
            "Run inside a clone.",
            id="no repository",
        ),
        pytest.param(
            Commit("4dc7a7" * 7, "main", "", dirty=True),
            "4dc7a74dc7a7 with changes that are not committed",
            "Commit them before a real run.",
            id="edits",
        ),
    ],
)
def test_a_run_should_be_made_from_a_commit(
    settings: Settings, clean: Any, commit: Commit, found: str, remedy: str
) -> None:
    clean.commit = commit
    assert by_name(settings)["git"] == Diagnosis("git", Level.WARNING, found, remedy)


def test_after_a_terraform_that_fails_no_more_is_asked_of_it(
    settings: Settings, clean: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings, stack: str) -> None:
        raise TerraformError("it does not start", "Install another.")

    monkeypatch.setattr(doctor, "terraform_client", fail)
    found = by_name(settings)
    assert found["terraform"] == Diagnosis("terraform", Level.FAILED, "it does not start", "Install another.")
    assert not {"backend", "provider", "state"} & set(found)
    assert found["aws"].level is Level.OK


def test_what_is_not_configured_is_missing_and_all_else_is_still_looked_at(settings: Settings, clean: Any) -> None:
    found = by_name(settings)
    assert found["backend"].level is Level.MISSING
    assert "provider" not in found
    assert found["slack"].level is Level.OK


def test_a_stack_without_providers_needs_none(load: Callable[..., Settings], clean: Any, terraform: Any) -> None:
    terraform.providers = ()
    assert by_name(load(project="42"))["provider"].found == "none needed"


def test_notebooks_that_are_gone_are_named(settings: Settings, clean: Any) -> None:
    config = settings.config
    step = config.runbook("change")[1].model_copy(update={"notebook": "notebooks/gone.ipynb"})
    settings.config = SimpleNamespace(  # type: ignore[assignment]
        runbook_names=("change",), runbook=lambda name: (step,), all_steps=(step,)
    )
    assert trouble(lambda: doctor._notebooks(settings)) == (
        ConfigError,
        "not there: notebooks/gone.ipynb of step plan",
        "Restore it, correct runbook.yml, or `runbook new notebook`.",
    )
