"""The Slack app's manifest: what a run calls needs its scopes, and no more."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import yaml

from runbook_lib.adapters.slack import MANIFEST, NEEDED_SCOPES
from runbook_lib.lab.slack.config import SCOPES

# By Slack's reference: the scopes of a bot's token for each method that a run calls, with those of private channels.
BY_METHOD = {
    "auth.test": set(),
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": {"channels:history", "groups:history"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.replies": {"channels:history", "groups:history"},
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "files.info": {"files:read"},
    "users.conversations": {"channels:read", "groups:read"},
}
# By Slack's schema of manifests, edition 1: the longest value.
LIMITS = {"name": 35, "description": 140, "display_name": 80}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dict(yaml.safe_load(files("runbook_lib.adapters").joinpath(MANIFEST).read_text(encoding="utf-8")))


def test_manifest_asks_for_every_scope_that_a_run_uses_and_for_no_other(manifest: dict[str, Any]) -> None:
    asked = manifest["oauth_config"]["scopes"]["bot"]
    assert sorted(asked) == sorted(set().union(*BY_METHOD.values()))
    assert set(NEEDED_SCOPES) <= set(asked)


def test_the_lab_s_app_was_made_from_the_manifest(manifest: dict[str, Any]) -> None:
    assert sorted(SCOPES) == sorted(manifest["oauth_config"]["scopes"]["bot"])


def test_manifest_is_within_slack_s_limits(manifest: dict[str, Any]) -> None:
    assert set(manifest) <= {"_metadata", "display_information", "features", "oauth_config", "settings"}
    given = manifest["display_information"] | manifest["features"]["bot_user"]
    assert all(len(given[name]) <= most for name, most in LIMITS.items())
    assert set(manifest["settings"]) <= {"org_deploy_enabled", "socket_mode_enabled", "token_rotation_enabled"}
