"""What a shell gets that enters the lab, and what must not be seen of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook_lib.lab.addresses import Credentials, LabAddresses
from runbook_lib.lab.statefile import process_id


@pytest.fixture
def lab(tmp_path: Path) -> LabAddresses:
    return LabAddresses(
        process=process_id(),
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
        folder=tmp_path,
        root=tmp_path,
        aws_url="http://127.0.0.1:1",
        gitlab_url="http://127.0.0.1:2",
        slack_url="http://127.0.0.1:3",
        control_url="http://127.0.0.1:4",
        connect_to="198.51.100.10:80:127.0.0.1:5",
        credentials=Credentials.make(),
    )


def test_the_environment_points_at_the_lab_by_the_standard_names(lab: LabAddresses) -> None:
    found = lab.environment()
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["CI_SERVER_URL"] == "http://127.0.0.1:2"
    assert found["CI_API_V4_URL"] == "http://127.0.0.1:2/api/v4"
    assert found["CI_PROJECT_ID"] == "42"
    assert found["SLACK_API_URL"] == "http://127.0.0.1:3/api/"
    assert found["SLACK_CHANNEL"] == "#infra-changes"
    assert found["RUNBOOK_CONNECT_TO"] == "198.51.100.10:80:127.0.0.1:5"


def test_a_shell_in_the_lab_is_the_requesters_unless_asked_otherwise(lab: LabAddresses) -> None:
    assert lab.environment()["GITLAB_TOKEN"] == lab.credentials.gitlab["riley"]
    assert lab.environment("sam")["GITLAB_TOKEN"] == lab.credentials.gitlab["sam"]


def test_the_state_is_written_by_a_maintainers_token_which_the_requesters_is_not(lab: LabAddresses) -> None:
    found = lab.environment()
    assert found["TF_HTTP_PASSWORD"] == lab.credentials.gitlab["terraform-bot"] != found["GITLAB_TOKEN"]


def test_a_proxy_for_the_outside_is_not_asked_for_loopback(lab: LabAddresses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "internal.example,localhost")
    assert lab.environment()["NO_PROXY"] == "internal.example,localhost,127.0.0.1"


def test_no_token_is_seen_when_the_addresses_are_printed(lab: LabAddresses) -> None:
    credentials = lab.credentials
    tokens = [*credentials.gitlab.values(), credentials.slack_bot, credentials.slack_app, credentials.aws_secret]
    shown = repr(lab) + str(lab) + repr(credentials)
    assert not [token for token in tokens if token in shown]


def test_two_labs_have_no_token_in_common() -> None:
    one, other = Credentials.make(), Credentials.make()
    assert not set(one.gitlab.values()) & set(other.gitlab.values())
    assert one.aws_secret != other.aws_secret


def test_they_survive_their_way_through_the_state_file(lab: LabAddresses) -> None:
    assert LabAddresses.model_validate_json(lab.model_dump_json()) == lab
