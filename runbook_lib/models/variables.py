"""Variables by their names: what runbook.yml and the environment may not set, and what Terraform may see."""

from __future__ import annotations

import re

__all__ = ["CREDENTIALS", "EVERYWHERE", "IN_CI", "NEVER_FOR_TERRAFORM", "TERRAFORM", "matches", "reason_against"]

# Patterns of variables that would change what is run or believed, and what each does.
EVERYWHERE = (
    (r"TF_CLI_ARGS(_.*)?", "it adds options to Terraform's commands"),
    (r"TF_REATTACH_PROVIDERS", "it puts another program in a provider's place"),
    (r"TF_DATA_DIR", "it names another folder for Terraform's providers and backend"),
    (r"TF_WORKSPACE", "it chooses another state"),
    (r"TF_HTTP_(UN)?LOCK_(ADDRESS|METHOD)|TF_HTTP_(ADDRESS|UPDATE_METHOD)", "it names another place for the state"),
)
IN_CI = (
    (r"(?i:https?_proxy|all_proxy|no_proxy|ftp_proxy)", "it leads requests, and what they carry, elsewhere"),
    (r"SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|AWS_CA_BUNDLE|GIT_SSL_.*", "it decides which server is believed"),
    (r"PYTHON(PATH|STARTUP|HOME|INSPECT|USERBASE)", "it lets Python run other code"),
    (r"LD_(PRELOAD|LIBRARY_PATH|AUDIT)|DYLD_.*|BASH_ENV|ENV", "it lets every program run other code"),
    (
        r"GIT_(DIR|WORK_TREE|CONFIG.*|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|EXEC_PATH|SSH_COMMAND)",
        "it shows git another repository",
    ),
    (r"AWS_ENDPOINT_URL(_.*)?", "it names another place for AWS"),
    (r"RUNBOOK_TERRAFORM", "it puts another program in Terraform's place"),
    (r"RUNBOOK_PROVIDER_MIRROR|TF_CLI_CONFIG_FILE|TOFU_CLI_CONFIG_FILE", "it lets providers come from elsewhere"),
    (r"TF_PLUGIN_CACHE_DIR", "it names another folder for Terraform's providers"),
    (r"RUNBOOK_STATE_PROJECT", "it names another place for the state"),
    (r"RUNBOOK_CONNECT_TO", "it lets other servers be tested than those that were changed"),
    (r"JUPYTER_(PATH|CONFIG_.*|DATA_DIR|PREFER_ENV_PATH)", "it lets notebooks run on another kernel"),
)

# What Terraform, its providers and what they start need. A plan's code inherits all of it.
TERRAFORM = re.compile(
    r"AWS_.*|TF_VAR_.*|TF_LOG.*|TF_TOKEN_.*|TF_HTTP_(USERNAME|PASSWORD|RETRY_.*)|TF_CLI_CONFIG_FILE|TOFU_.*"
    r"|TF_PLUGIN_CACHE_DIR|PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|XDG_.*|SSL_CERT_.*|(?i:[a-z]+_proxy)"
    r"|GO(DEBUG|GC)"
)
# The credentials of chat, GitLab and the job, and the keys that sign and decrypt: no plan needs them, whoever lists
# them. AWS's libraries read the job's identity token from a file.
NEVER_FOR_TERRAFORM = re.compile(
    r"SLACK_.*|GITLAB_.*|CI_(JOB|REGISTRY|DEPLOY|DEPENDENCY_PROXY)_.*|CI_REPOSITORY_URL|RUNBOOK_(SIGNING|AGE|LISTENER)_KEY"
    r"|AWS_ID_TOKEN"
)
# What a service test may not send along, whoever writes so: those, and what opens AWS, the state and a registry.
CREDENTIALS = re.compile(
    rf"{NEVER_FOR_TERRAFORM.pattern}|(CI|RUNBOOK|AWS|TF|GOOGLE|AZURE|ARM|PIP|UV|NPM|DOCKER|VAULT|SSH)_.*|GIT_.*"
)


def matches(name: str, listed: str) -> bool:
    """Whether a variable is meant by an entry of a list: its name, or `PREFIX_*`."""
    return name.startswith(listed[:-1]) if listed.endswith("*") else name == listed


def reason_against(name: str, *, in_ci: bool) -> str:
    """What a variable would change of what is run or believed; empty if nothing."""
    rules = (*EVERYWHERE, *(IN_CI if in_ci else ()))
    return next((why for pattern, why in rules if re.fullmatch(pattern, name)), "")
