"""The bucket policy as the lab enforces it, and the page that Terraform puts on the front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from runbook_lib.errors import ConfigError
from runbook_lib.lab.front import front_app, policy_allows
from runbook_lib.lab.servers import HttpServer

ROOT = Path(__file__).parents[3]
PICTURE = "arn:aws:s3:::pictures/picture.png"
FRONT = "198.51.100.10"


def policy(**changes: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": PICTURE,
        "Condition": {"IpAddress": {"aws:SourceIp": f"{FRONT}/32"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement | changes]}


def test_the_fronts_address_may_read_the_picture() -> None:
    assert policy_allows(policy(), "s3:GetObject", PICTURE, FRONT)


@pytest.mark.parametrize("source", ["198.51.100.11", "203.0.113.10", "::1", ""])
def test_another_address_may_not(source: str) -> None:
    assert not policy_allows(policy(), "s3:GetObject", PICTURE, source)


def test_another_object_or_action_is_not_meant() -> None:
    assert not policy_allows(policy(), "s3:GetObject", "arn:aws:s3:::pictures/other.png", FRONT)
    assert not policy_allows(policy(), "s3:PutObject", PICTURE, FRONT)


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Deny"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
        {"Condition": {"IpAddress": {"aws:VpcSourceIp": "0.0.0.0/0"}}},
    ],
    ids=["deny", "somebody else", "condition not understood", "key not understood"],
)
def test_what_is_not_surely_meant_for_the_front_lets_nobody_in(changes: dict[str, Any]) -> None:
    assert not policy_allows(policy(**changes), "s3:GetObject", PICTURE, FRONT)


def test_lists_are_read_like_single_values() -> None:
    listed = policy(
        Action=["s3:GetObjectVersion", "s3:GetObject"],
        Principal={"AWS": "*"},
        Condition={"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "198.51.100.0/24"]}},
    )
    assert policy_allows(listed, "s3:GetObject", PICTURE, FRONT)


@pytest.fixture
def front(httpserver: HTTPServer) -> Iterator[str]:
    """The address of a front whose S3 is `httpserver`."""
    server = HttpServer("front")
    server.start(front_app(ROOT, httpserver.url_for("/picture.png")))
    yield server.url
    server.stop()


def test_the_page_shows_the_picture_that_it_reads_from_s3(front: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/picture.png").respond_with_data(b"a picture", content_type="image/png")
    page = requests.get(front, timeout=60)
    assert page.status_code == 200
    assert '<img src="picture.png"' in page.text
    picture = requests.get(f"{front}/picture.png", timeout=60)
    assert (picture.status_code, picture.headers["content-type"], picture.content) == (200, "image/png", b"a picture")


def test_a_picture_that_s3_refuses_is_an_error_of_the_front(front: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/picture.png").respond_with_data("AccessDenied", status=403)
    answer = requests.get(f"{front}/picture.png", timeout=60)
    assert answer.status_code == 502
    assert "403" in answer.text


def test_a_repository_without_terraform_has_no_front(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web_front\.py is not there"):
        front_app(tmp_path, "http://127.0.0.1:1/")
