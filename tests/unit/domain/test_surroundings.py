from __future__ import annotations

import pytest

from runbook_lib.domain.surroundings import other_slack, refused_variables, terraform_variables

EVERYWHERE = ["TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_REATTACH_PROVIDERS", "TF_DATA_DIR", "TF_WORKSPACE"]
EVERYWHERE += ["TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"]
IN_CI = ["HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PYTHONPATH", "PYTHONSTARTUP"]
IN_CI += ["LD_PRELOAD", "BASH_ENV", "GIT_DIR", "GIT_CONFIG_COUNT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"]
IN_CI += ["RUNBOOK_TERRAFORM", "RUNBOOK_PROVIDER_MIRROR", "RUNBOOK_STATE_PROJECT", "RUNBOOK_CONNECT_TO"]
IN_CI += ["TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"]


@pytest.mark.parametrize("name", EVERYWHERE + IN_CI)
def test_a_variable_that_changes_what_is_run_or_believed_is_refused_unless_accepted_by_name(name: str) -> None:
    (refused,) = refused_variables({name: "x"}, (), in_ci=True)
    assert refused.name == name
    assert refused.why.startswith(f"{name} is set: ")
    assert f"[{name}]" in refused.remedy
    assert not refused_variables({name: "x"}, (name,), in_ci=True)
    assert not refused_variables({name: ""}, (), in_ci=True)
    assert bool(refused_variables({name: "x"}, (), in_ci=False)) == (name in EVERYWHERE)


@pytest.mark.parametrize(
    "name", ["GIT_DEPTH", "GIT_STRATEGY", "PYTHONUNBUFFERED", "TF_VAR_x", "TF_HTTP_PASSWORD", "PATH"]
)
def test_what_runners_and_desks_set_is_left_alone(name: str) -> None:
    assert not refused_variables({name: "x"}, (), in_ci=True)


NEEDED = ["AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "TF_VAR_x", "TF_LOG", "TF_TOKEN_example_com", "TF_HTTP_PASSWORD"]
NEEDED += ["TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "PATH", "HOME", "LC_ALL", "TMPDIR", "XDG_DATA_HOME"]
NEEDED += ["SSL_CERT_FILE", "HTTPS_PROXY", "no_proxy", "GODEBUG", "GOGC"]
OURS = [
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_WEBHOOK_URL",
    "GITLAB_TOKEN",
    "RUNBOOK_SIGNING_KEY",
    "RUNBOOK_AGE_KEY",
    "AWS_ID_TOKEN",
]
OURS += ["CI_JOB_TOKEN", "CI_JOB_JWT", "CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD", "CI_REPOSITORY_URL"]


@pytest.mark.parametrize("name", NEEDED)
def test_terraform_sees_what_it_needs(name: str) -> None:
    assert terraform_variables({name: "x"}, ()) == {name: "x"}


@pytest.mark.parametrize(
    "name", [*OURS, "SOMETHING", "DATABASE_PASSWORD", "PYTHONPATH", "TF_HTTP_SKIP_CERT_VERIFICATION"]
)
def test_terraform_sees_nothing_else_unless_it_is_listed_and_never_what_is_ours(name: str) -> None:
    assert terraform_variables({name: "x"}, ()) == {}
    listed = [(name,), (f"{name[:4]}*",)]
    assert [terraform_variables({name: "x"}, entries) for entries in listed] == [
        {} if name in OURS else {name: "x"}
    ] * 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_API_URL", "https://slack.com.evil.example/api/"),
        ("SLACK_API_URL", "http://slack.com/api/"),
        ("SLACK_WEBHOOK_URL", "https://hooks.evil.example/services/1"),
        ("SLACK_WEBHOOK_URL", "http://hooks.slack.com/services/1"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com@evil.example/services/1"),
        ("SLACK_WEBHOOK_URL", "//"),
    ],
)
def test_slack_is_where_runbook_yml_says(name: str, value: str) -> None:
    refused = other_slack({name: value}, "https://slack.com/api/")
    assert refused is not None
    assert refused.name == name
    assert name in refused.why
    assert "services" not in refused.why
    assert "slack.api_url" in refused.remedy


def test_slack_s_own_addresses_and_those_of_the_server_that_is_named_are_fine() -> None:
    own = {"SLACK_API_URL": "https://slack.com/api", "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/1"}
    assert other_slack(own, "https://slack.com/api/") is None
    lab = {"SLACK_API_URL": "http://127.0.0.1:5/api/", "SLACK_WEBHOOK_URL": "http://127.0.0.1:5/services/1"}
    assert other_slack(lab, "http://127.0.0.1:5/api/") is None
    assert other_slack({}, "https://slack.com/api/") is None
