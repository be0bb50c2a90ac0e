"""The outside systems as the settings make them: whose credentials, which project, which channel, which role."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.adapters import aws, gitlab, slack
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.settings import Settings
from runbook_lib.workspace import clients
from runbook_lib.workspace.clients import enter_stack, gitlab_client, slack_client, state_client, terraform_client

Load = Callable[..., Settings]
SERVER = {"url": "https://gitlab.example", "project": "42"}
BINARY = TerraformBinary(("terraform",), "1.11.4", "Terraform")
CREDENTIALS = ("TF_HTTP_USERNAME", "TF_HTTP_PASSWORD")


class Made:
    """Stands for a client, and keeps what it was made with."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given = given
        self.named = named

    def current_user(self) -> str:
        return "alex"


@pytest.fixture(autouse=True)
def _clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitlab, "GitLab", Made)
    monkeypatch.setattr(slack, "Slack", Made)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """How the binary was looked for."""
    asked: list[tuple[Any, ...]] = []

    def find(*given: Any) -> TerraformBinary:
        asked.append(given)
        return BINARY

    monkeypatch.setattr(clients, "find_binary", find)
    monkeypatch.setattr(clients, "cli_configuration", lambda *given: {"TF_CLI_CONFIG_FILE": str(given[0])})
    return asked


def terraform_environment(settings: Settings) -> dict[str, str]:
    return dict(terraform_client(settings, "access").environment)


@pytest.mark.usefixtures("found")
def test_terraform_works_in_the_stack_s_folder_without_asking_anybody(settings: Settings) -> None:
    lines: list[str] = []
    made = terraform_client(settings, "access", lines.append)
    assert (made.directory, made.binary) == (settings.root / "terraform/access", BINARY)
    assert (made.environment["TF_IN_AUTOMATION"], made.environment["CHECKPOINT_DISABLE"]) == ("1", "1")
    assert made.environment["TF_CLI_CONFIG_FILE"] == str(settings.outputs / ".terraform-cli")
    assert made.environment["PATH"] == os.environ["PATH"]
    made.on_line("a line")
    assert lines == ["a line"]
    terraform_client(settings, "access").on_line("nobody listens")


def test_the_binary_is_the_one_that_is_configured_and_new_enough(load: Load, found: list[tuple[Any, ...]]) -> None:
    made = terraform_client(load(RUNBOOK_TERRAFORM="/opt/tofu"), "access")
    (asked,) = found
    assert asked == ("/opt/tofu", "1.5.0", made.environment)


def test_a_mirror_serves_the_providers(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def configuration(*given: Any) -> dict[str, str]:
        asked.append(given)
        return {}

    monkeypatch.setattr(clients, "find_binary", lambda *given: BINARY)
    monkeypatch.setattr(clients, "cli_configuration", configuration)
    settings = load(RUNBOOK_PROVIDER_MIRROR="/mirror")
    terraform_client(settings, "access")
    ((folder, mirror, environment),) = asked
    assert (folder, mirror) == (settings.outputs / ".terraform-cli", "/mirror")
    assert environment["TF_IN_AUTOMATION"] == "1"


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("workspace", ["", "prod"])
def test_terraform_works_in_the_stack_s_own_workspace_and_for_that_stack(settings: Settings, workspace: str) -> None:
    config = settings.config
    stack = config.stacks["network"].model_copy(update={"workspace": workspace})
    settings.config = config.model_copy(update={"stacks": {**config.stacks, "network": stack}})
    waited: list[str] = []
    made = terraform_client(settings, "network", meanwhile=lambda: waited.append("for it"))
    assert made.environment.get("TF_WORKSPACE", "") == workspace
    assert (made.stack, made.directory) == ("network", settings.root / stack.path)
    made.meanwhile()
    assert waited == ["for it"]
    # Nobody's workspace is another stack's.
    assert "TF_WORKSPACE" not in terraform_environment(settings)
    assert terraform_client(settings, "").stack == "access"


@pytest.mark.usefixtures("found")
def test_a_folder_that_is_not_there_is_told_before_terraform_is_looked_for(settings: Settings) -> None:
    shutil.rmtree(settings.root / "terraform/network")
    with pytest.raises(ConfigError, match="the stack's folder terraform/network is not there") as caught:
        terraform_client(settings, "network")
    assert caught.value.remedy == "Correct stacks in runbook.yml."


def test_a_stack_that_is_not_there_is_told(settings: Settings) -> None:
    with pytest.raises(UsageError, match="acess"):
        terraform_client(settings, "acess")


@pytest.mark.usefixtures("found")
def test_two_stacks_have_no_state_of_gitlab_s_together(settings: Settings) -> None:
    config = settings.config
    network = config.stacks["network"].model_copy(update={"state": "access"})
    settings.config = config.model_copy(update={"stacks": {**config.stacks, "network": network}})
    for name in ("access", "network"):
        shutil.rmtree(settings.root / f"terraform/{name}", ignore_errors=True)
        (settings.root / f"terraform/{name}").mkdir()
        (settings.root / f"terraform/{name}/main.tf").write_text('terraform {\n  backend "http" {}\n}\n')
    for name in ("access", "network"):
        with pytest.raises(ConfigError, match="would keep the states of network and access under one name") as caught:
            terraform_client(settings, name)
        assert caught.value.remedy == f"Give each stack a state of its own: stacks.{name}.state."
    # What another backend keeps has no name in GitLab.
    (settings.root / "terraform/network/main.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    assert [terraform_client(settings, name).stack for name in ("access", "network")] == ["access", "network"]


@pytest.mark.usefixtures("found")
def test_where_no_project_keeps_the_state_terraform_is_told_of_none(load: Load) -> None:
    environment = terraform_environment(load(GITLAB_TOKEN="glpat-1"))
    assert not any(name.startswith("TF_HTTP") for name in environment)


@pytest.mark.usefixtures("found")
def test_the_state_is_in_gitlab_under_the_stack_s_name(load: Load) -> None:
    environment = terraform_environment(load(**SERVER))
    address = "https://gitlab.example/api/v4/projects/42/terraform/state/access"
    assert environment["TF_HTTP_ADDRESS"] == address
    assert not set(CREDENTIALS) & set(environment)


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({"GITLAB_TOKEN": "glpat-1"}, ("alex", "glpat-1"), id="at a desk the token's user"),
        pytest.param(
            {"GITLAB_TOKEN": "glpat-1", "TF_HTTP_USERNAME": "robin"}, ("robin", "glpat-1"), id="a user who is named"
        ),
        pytest.param(
            {"GITLAB_CI": "true", "CI_JOB_TOKEN": "job-1", "GITLAB_TOKEN": "glpat-1"},
            ("gitlab-ci-token", "job-1"),
            id="in a job the job",
        ),
        pytest.param({"CI_JOB_TOKEN": "job-1"}, ("gitlab-ci-token", "job-1"), id="a job's token alone is a job"),
        pytest.param({"GITLAB_CI": "true", "GITLAB_TOKEN": "glpat-1"}, ("alex", "glpat-1"), id="a job without a token"),
        pytest.param(
            {"GITLAB_TOKEN": "glpat-1", "TF_HTTP_USERNAME": "bot", "TF_HTTP_PASSWORD": "own"},
            ("bot", "own"),
            id="credentials of one's own",
        ),
    ],
)
def test_the_state_is_read_with_the_nearest_credentials(
    load: Load, variables: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    environment = terraform_environment(load(**SERVER, **variables))
    assert tuple(environment.get(name) for name in CREDENTIALS) == expected


def test_gitlab_is_asked_with_the_token_and_the_job_s(load: Load) -> None:
    made: Any = gitlab_client(load(**SERVER, GITLAB_TOKEN="glpat-1", CI_JOB_TOKEN="job-1"))
    assert made.given == ("https://gitlab.example/api/v4", "glpat-1", "42")
    assert made.named == {"job_token": "job-1"}


@pytest.mark.parametrize("variables", [SERVER, {"GITLAB_TOKEN": "glpat-1"}], ids=["no token", "no project"])
def test_without_project_or_token_there_is_no_gitlab(load: Load, variables: dict[str, str]) -> None:
    assert gitlab_client(load(**variables)) is None


def test_states_of_another_project_are_read_with_terraform_s_own_credentials(load: Load) -> None:
    own = {"TF_HTTP_USERNAME": "bot", "TF_HTTP_PASSWORD": "own"}
    made: Any = state_client(load(**SERVER, RUNBOOK_STATE_PROJECT="7", **own))
    assert made.given == ("https://gitlab.example/api/v4", "", "7")
    assert made.named == {"job_token": "", "state_login": ("bot", "own")}


def test_states_are_read_with_the_token_where_there_is_nothing_else(load: Load) -> None:
    made: Any = state_client(load(**SERVER, GITLAB_TOKEN="glpat-1", CI_JOB_TOKEN="job-1"))
    assert made.given == ("https://gitlab.example/api/v4", "glpat-1", "42")
    assert made.named == {"job_token": "job-1", "state_login": None}


@pytest.mark.parametrize("variables", [SERVER, {"TF_HTTP_PASSWORD": "own"}], ids=["no credentials", "no project"])
def test_without_project_or_credentials_no_gitlab_keeps_the_state(load: Load, variables: dict[str, str]) -> None:
    assert state_client(load(**variables)) is None


def test_slack_speaks_in_the_stack_s_channel(load: Load) -> None:
    made: Any = slack_client(load(SLACK_BOT_TOKEN="xoxb-1"), "access")
    assert made.given == ("xoxb-1", "#infra-changes")
    assert made.named == {"api_url": "https://slack.com/api/", "webhook": ""}


def without_channel(settings: Settings) -> Settings:
    slack_config = settings.config.slack.model_copy(update={"channel": ""})
    settings.config = settings.config.model_copy(update={"slack": slack_config})
    return settings


def test_a_webhook_has_a_channel_of_its_own(load: Load) -> None:
    made: Any = slack_client(without_channel(load(SLACK_WEBHOOK_URL="https://hooks.slack.com/1")), "access")
    assert (made.given, made.named["webhook"]) == (("", ""), "https://hooks.slack.com/1")


def test_a_token_without_a_channel_speaks_to_nobody(load: Load) -> None:
    with pytest.raises(ConfigError, match="SLACK_BOT_TOKEN is set, but no channel") as caught:
        slack_client(without_channel(load(SLACK_BOT_TOKEN="xoxb-1")), "access")
    assert caught.value.remedy == "Set SLACK_CHANNEL, or slack.channel in runbook.yml."


def test_without_token_or_webhook_there_is_no_slack(settings: Settings) -> None:
    assert slack_client(settings, "access") is None


KEYS = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "secret-key-1", "AWS_SESSION_TOKEN": "session-token-1"}


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The roles that were assumed; whatever is set in the environment is taken back afterwards."""
    assumed: list[str] = []

    def assume(role: str) -> dict[str, str]:
        assumed.append(role)
        return KEYS

    monkeypatch.setattr(aws, "assume_role", assume)
    monkeypatch.setattr(clients, "_assumed", {})
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in (*KEYS, "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        os.environ.pop(name, None)
    return assumed


@pytest.fixture
def with_roles(root: Path, load: Load) -> Settings:
    path = root / "runbook.yml"
    own = """state: access
    region: eu-west-1
    environment: {TF_VAR_size: small}
    roles: {plan: "arn:aws:iam::123456789012:role/plan", apply: "arn:aws:iam::123456789012:role/apply"}"""
    path.write_text(path.read_text().replace("state: access", own))
    return load()


@pytest.mark.parametrize("applies", [False, True])
def test_who_applies_has_another_role_than_who_only_reads(
    with_roles: Settings, roles: list[str], applies: bool
) -> None:
    enter_stack(with_roles, "access", applies=applies)
    role = f"arn:aws:iam::123456789012:role/{'apply' if applies else 'plan'}"
    assert roles == [role]
    assert os.environ["AWS_ROLE_ARN"] == role
    assert {name: os.environ[name] for name in KEYS} == KEYS


def test_a_stack_brings_its_variables_and_its_region(with_roles: Settings, roles: list[str]) -> None:
    enter_stack(with_roles, "access")
    names = ("TF_VAR_size", "AWS_REGION", "AWS_DEFAULT_REGION")
    assert [os.environ[name] for name in names] == ["small", "eu-west-1", "eu-west-1"]
    assert roles == ["arn:aws:iam::123456789012:role/plan"]


def test_the_keys_of_a_role_are_shown_nowhere(
    with_roles: Settings, roles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[str] = []
    monkeypatch.setattr(clients, "announce_secrets", announced.extend)
    enter_stack(with_roles, "access")
    assert with_roles.redactor.mask("secret-key-1 and session-token-1") == "[MASKED] and [MASKED]"
    assert announced == ["secret-key-1", "session-token-1"]


def test_in_a_job_aws_s_own_libraries_take_the_role_on(with_roles: Settings, roles: list[str]) -> None:
    os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/token"
    enter_stack(with_roles, "access")
    assert (os.environ["AWS_ROLE_ARN"], roles) == ("arn:aws:iam::123456789012:role/plan", [])


def test_a_role_that_is_taken_on_already_is_not_taken_on_again(with_roles: Settings, roles: list[str]) -> None:
    enter_stack(with_roles, "access")
    enter_stack(with_roles, "access")
    assert roles == ["arn:aws:iam::123456789012:role/plan"]


def test_a_variable_that_names_the_role_does_not_stand_for_taking_it_on(with_roles: Settings, roles: list[str]) -> None:
    role = "arn:aws:iam::123456789012:role/apply"
    os.environ.update(AWS_ROLE_ARN=role, AWS_ACCESS_KEY_ID="AKIA-OF-AN-ADMIN", AWS_SESSION_TOKEN="of-an-admin")
    enter_stack(with_roles, "access", applies=True)
    assert roles == [role]
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIA1"


def test_a_stack_without_a_role_or_region_leaves_all_as_it_is(settings: Settings, roles: list[str]) -> None:
    before = dict(os.environ)
    enter_stack(settings, "access")
    assert (dict(os.environ), roles) == (before, [])


@pytest.mark.usefixtures("found")
def test_terraform_gets_no_credentials_of_slack_gitlab_or_the_job_and_no_signing_key(load: Load) -> None:
    own = ("SLACK_BOT_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "RUNBOOK_SIGNING_KEY", "SOMEBODY_ELSE_S")
    settings = load(**SERVER, **dict.fromkeys(own, "secret-1"), AWS_SECRET_ACCESS_KEY="aws-1", TF_HTTP_PASSWORD="own")
    environment = terraform_environment(settings)
    assert not set(own) & set(environment)
    assert (environment["AWS_SECRET_ACCESS_KEY"], environment["TF_HTTP_PASSWORD"]) == ("aws-1", "own")


@pytest.mark.usefixtures("found")
def test_terraform_sees_what_the_stack_brings_and_what_is_listed_or_accepted(root: Path, load: Load) -> None:
    path = root / "runbook.yml"
    text = path.read_text().replace("state: access", "state: access\n    environment: {SIZE: small}")
    text = text.replace("terraform:\n", "terraform:\n  environment: [ARM_*, KUBECONFIG]\n")
    path.write_text(text + "environment: {accept: [TF_DATA_DIR]}\n")
    given = ("SIZE", "ARM_CLIENT_ID", "KUBECONFIG", "TF_DATA_DIR")
    environment = terraform_environment(load(**dict.fromkeys(given, "x"), OTHER="x"))
    assert set(given) < set(environment)
    assert "OTHER" not in environment


@pytest.mark.usefixtures("found")
def test_a_pipeline_s_providers_are_kept_where_no_variable_says(root: Path, load: Load) -> None:
    folder = root / ".cache/terraform"
    assert "TF_PLUGIN_CACHE_DIR" not in terraform_environment(load(**SERVER, GITLAB_CI="true"))
    folder.mkdir(parents=True)
    assert terraform_environment(load())["TF_PLUGIN_CACHE_DIR"] == str(folder)
    assert "TF_PLUGIN_CACHE_DIR" not in terraform_environment(load(GITLAB_CI=""))
