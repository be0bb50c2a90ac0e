from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_lib.errors import ConfigError
from runbook_lib.settings import Environment, Settings

CONFIG = """version: 1
stacks:
  access: {path: terraform/access, state: access}
gitlab: {url: https://git.example.com, project: group/project}
slack: {channel: "#changes"}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for field in Environment.model_fields.values():
        for name in field.validation_alias.choices:  # type: ignore[union-attr]
            monkeypatch.delenv(str(name), raising=False)
    for name in ("CI_SERVER_URL", "CI_API_V4_URL", "CI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "runbook.yml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runbook_yml_is_found_from_a_folder_below_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = root / "terraform/access"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Settings.load().root == root


def test_no_runbook_yml_anywhere_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNBOOK_ROOT", raising=False)
    monkeypatch.delenv("RUNBOOK_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no runbook\.yml") as caught:
        Settings.load()
    assert "RUNBOOK_ROOT" in caught.value.remedy


def test_environment_wins_over_runbook_yml(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().gitlab_api == "https://git.example.com/api/v4"
    assert Settings.load().gitlab_project == "group/project"
    assert Settings.load().slack_channel() == "#changes"
    monkeypatch.setenv("SLACK_CHANNEL", "#other")
    assert Settings.load().slack_channel() == "#other"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("CI_API_V4_URL", "https://ci.example.com/api/v4", "https://git.example.com/api/v4"),
        ("CI_SERVER_URL", "https://ci.example.com", "https://git.example.com"),
        ("CI_PROJECT_PATH", "group/other", "group/project"),
    ],
)
def test_another_gitlab_or_project_than_runbook_yml_names_is_refused_by_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert caught.value.message == f"{variable} is {value}, and runbook.yml says {says}"
    assert "runbook.yml" in caught.value.remedy
    assert Settings.load(checked=False).gitlab_api == "https://git.example.com/api/v4"


def test_what_gitlab_itself_says_of_the_project_is_fine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "GITLAB_CI": "true",
        "CI_SERVER_URL": "https://git.example.com",
        "CI_API_V4_URL": "https://git.example.com/api/v4/",
        "CI_PROJECT_PATH": "group/project",
        "CI_PROJECT_ID": "42",
        "CI_JOB_TOKEN": "job",
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().gitlab_project == "group/project"
    (root / "runbook.yml").write_text(CONFIG.replace("group/project", '"43"'))
    with pytest.raises(ConfigError, match=r"CI_PROJECT_ID is 42, and runbook\.yml says 43"):
        Settings.load()


@pytest.mark.parametrize("variable", ["CI_JOB_TOKEN", "CI_JOB_ID"])
@pytest.mark.parametrize("value", ["", "false"])
def test_a_job_that_says_that_it_is_none_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, "7")
    assert Settings.load().environment.in_ci
    monkeypatch.setenv("GITLAB_CI", value)
    with pytest.raises(ConfigError, match=f"GITLAB_CI is '{value}' inside a job") as caught:
        Settings.load()
    assert caught.value.remedy == "Start the job without this variable: GitLab sets it to true."


def test_a_job_needs_a_project_in_runbook_yml_and_a_desk_is_told_where_to_name_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "runbook.yml").write_text(CONFIG.replace(", project: group/project", ""))
    assert not Settings.load().gitlab_project
    monkeypatch.setenv("CI_PROJECT_ID", "42")
    with pytest.raises(ConfigError, match=r"CI_PROJECT_ID is 42, and runbook\.yml names no project"):
        Settings.load()
    monkeypatch.setenv("GITLAB_CI", "true")
    with pytest.raises(ConfigError, match=r"this is a job of GitLab, and runbook\.yml names no project") as caught:
        Settings.load()
    assert "gitlab.project" in caught.value.remedy


def test_empty_variables_count_as_not_set(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI_PROJECT_ID", "SLACK_CHANNEL", "GITLAB_CI", "RUNBOOK_OUTPUTS", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "")
    settings = Settings.load()
    assert settings.gitlab_project == "group/project"
    assert settings.slack_channel() == "#changes"
    assert settings.outputs == root / "outputs"
    assert not settings.environment.in_ci
    assert not settings.uses_gitlab


def test_variable_of_the_wrong_type_is_named_and_its_value_is_not_shown(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "certainly")
    with pytest.raises(ConfigError, match="GITLAB_CI") as caught:
        Settings.load()
    assert "certainly" not in str(caught.value)


def test_secrets_are_listed_for_masking_and_shown_nowhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-secret")
    monkeypatch.setenv("TF_HTTP_PASSWORD", "hunter2")
    settings = Settings.load()
    assert settings.secrets["GITLAB_TOKEN"] == "glpat-secret"
    assert settings.secrets["TF_HTTP_PASSWORD"] == "hunter2"
    for shown in (repr(settings), repr(settings.environment), str(settings.environment)):
        assert "glpat-secret" not in shown
        assert "hunter2" not in shown


def test_variables_that_nobody_reads_here_are_secrets_by_their_names(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_VAR_db_password", "swordfish-42")
    monkeypatch.setenv("SSH_PRIVATE_KEY", str(root / "runbook.yml"))
    monkeypatch.setenv("PLAIN", "a-plain-value")
    settings = Settings.load()
    assert settings.secrets["TF_VAR_db_password"] == "swordfish-42"
    assert not {"SSH_PRIVATE_KEY", "PLAIN"} & settings.secrets.keys()
    assert settings.redactor.mask("swordfish-42 a-plain-value") == "[MASKED] a-plain-value"


def test_signing_key_is_a_secret_and_the_path_of_its_file_is_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_SIGNING_KEY", "/keys/signing.pem")
    assert "RUNBOOK_SIGNING_KEY" not in Settings.load().secrets
    monkeypatch.setenv("RUNBOOK_SIGNING_KEY", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----")
    assert "MC4CAQ" in Settings.load().secrets["RUNBOOK_SIGNING_KEY"]


def test_an_age_key_is_a_secret_and_the_path_of_its_file_is_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_AGE_KEY", "/keys/age.key")
    assert "RUNBOOK_AGE_KEY" not in Settings.load().secrets
    monkeypatch.setenv("RUNBOOK_AGE_KEY", "AGE-SECRET-KEY-1QQ")
    assert Settings.load().redactor.mask("it is AGE-SECRET-KEY-1QQ") == "it is [MASKED]"


def test_every_secret_looking_variable_is_a_secret() -> None:
    for name, field in Environment.model_fields.items():
        names = " ".join(map(str, field.validation_alias.choices))  # type: ignore[union-attr]
        looks_secret = any(word in names for word in ("TOKEN", "SECRET", "PASSWORD", "KEY", "WEBHOOK"))
        assert looks_secret == ("SecretStr" in str(field.annotation)), name


def test_state_project_is_this_one_unless_another_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().state_project == "group/project"
    monkeypatch.setenv("RUNBOOK_STATE_PROJECT", "infra/network")
    assert Settings.load().state_project == "infra/network"
    assert Settings.load().gitlab_project == "group/project"


def test_loading_reads_the_environment_and_changes_nothing(root: Path) -> None:
    before = dict(os.environ)
    Settings.load()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("variable", "value"),
    [("RUNBOOK_ROOT", "elsewhere"), ("RUNBOOK_CONFIG", "elsewhere/runbook.yml"), ("RUNBOOK_CONFIG", "other.yml")],
)
def test_a_job_is_not_led_to_another_runbook_yml_than_that_of_its_checkout(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    (root / "elsewhere").mkdir()
    for name in ("other.yml", "elsewhere/runbook.yml"):
        (root / name).write_text(CONFIG.replace("group/project", "group/theirs"))
    monkeypatch.setenv(variable, str(root / value))
    assert Settings.load().gitlab_project == "group/theirs"
    monkeypatch.setenv("GITLAB_CI", "true")
    with pytest.raises(ConfigError, match=f"{variable} is .*elsewhere|{variable} is .*other.yml") as caught:
        Settings.load()
    assert "checked out" in caught.value.message
    for name, own in (("RUNBOOK_ROOT", root), ("RUNBOOK_CONFIG", root / "runbook.yml")):
        monkeypatch.setenv(name, str(own))
    assert Settings.load().gitlab_project == "group/project"


@pytest.mark.parametrize(("variable", "field"), [("SLACK_API_URL", "slack.api_url"), ("SLACK_WEBHOOK_URL", "api_url")])
def test_no_variable_leads_slack_s_token_elsewhere(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, field: str
) -> None:
    assert Settings.load().slack_api_url == "https://slack.com/api/"
    monkeypatch.setenv(variable, "https://evil.example/api/")
    with pytest.raises(ConfigError, match=variable) as caught:
        Settings.load()
    assert field in caught.value.remedy
    (root / "runbook.yml").write_text(CONFIG.replace("slack: {", "slack: {api_url: https://evil.example/api, "))
    assert Settings.load().slack_api_url == "https://evil.example/api/"


def test_a_stack_s_variables_are_refused_where_a_job_s_are(root: Path) -> None:
    stack = "{path: terraform/access, state: access, environment: {AWS_ENDPOINT_URL: https://evil.example}}"
    text = CONFIG.replace("{path: terraform/access, state: access}", stack)
    (root / "runbook.yml").write_text(text)
    with pytest.raises(
        ConfigError, match=r"line 3: stacks\.access\.environment\.AWS_ENDPOINT_URL: .*another place for AWS"
    ):
        Settings.load()
    (root / "runbook.yml").write_text(f"{text}environment: {{accept: [AWS_ENDPOINT_URL]}}\n")
    assert Settings.load().config.stacks["access"].environment


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "SLACK_*", "GITLAB_TOKEN", "CI_JOB_*", "RUNBOOK_SIGNING_KEY"])
def test_no_list_lets_a_plan_s_code_see_our_credentials(root: Path, name: str) -> None:
    (root / "runbook.yml").write_text(f"{CONFIG}terraform:\n  environment:\n    - ARM_*\n    - {name}\n")
    with pytest.raises(
        ConfigError, match=r"line 9: terraform\.environment\.1: .* is nothing that a plan's code may see"
    ):
        Settings.load()


@pytest.mark.parametrize("name", ["'*'", "A*", "'A B'", "'_*'"])
def test_a_list_of_variables_holds_names_and_prefixes(root: Path, name: str) -> None:
    (root / "runbook.yml").write_text(f"{CONFIG}terraform:\n  environment: [{name}]\n")
    with pytest.raises(ConfigError, match="neither a variable's name nor PREFIX_"):
        Settings.load()


def test_the_states_project_may_be_named_in_runbook_yml(root: Path) -> None:
    (root / "runbook.yml").write_text(CONFIG.replace("project: group", "state_project: infra/states, project: group"))
    assert (Settings.load().state_project, Settings.load().gitlab_project) == ("infra/states", "group/project")
