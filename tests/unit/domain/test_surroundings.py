from __future__ import annotations

import pytest

from runbook_lib.domain.surroundings import refused_variables

EVERYWHERE = ["TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_REATTACH_PROVIDERS", "TF_DATA_DIR", "TF_WORKSPACE"]
EVERYWHERE += ["TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"]
IN_CI = ["HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PYTHONPATH", "PYTHONSTARTUP"]
IN_CI += ["LD_PRELOAD", "BASH_ENV", "GIT_DIR", "GIT_CONFIG_COUNT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"]


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
