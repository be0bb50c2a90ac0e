"""Where a clone and an installation came from."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.workspace.origin import gitlab_project, installed_component, read_address
from runbook_lib.workspace.pipeline_file import Component


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@gitlab.example.com:pay/infra.git", ("gitlab.example.com", "pay/infra")),
        ("ssh://git@gitlab.example.com:2222/pay/infra.git", ("gitlab.example.com", "pay/infra")),
        ("https://gitlab-ci-token:s3cret@gitlab.example.com/pay/a/infra.git", ("gitlab.example.com", "pay/a/infra")),
        ("https://gitlab.example.com:8443/pay/infra/", ("gitlab.example.com:8443", "pay/infra")),
        ("https://GitLab.Example.com/pay/infra", ("gitlab.example.com", "pay/infra")),
        ("/srv/git/infra.git", ("", "")),
        ("../infra", ("", "")),
        ("file:///srv/git/infra.git", ("", "")),
        ("https://gitlab.example.com:99999999/pay", ("", "")),
        ("https://[::1", ("", "")),
        ("", ("", "")),
    ],
)
def test_an_address_is_read_without_what_it_keeps_secret(url: str, expected: tuple[str, str]) -> None:
    assert read_address(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@gitlab.com:pay/infra.git", ("https://gitlab.com", "pay/infra")),
        ("git@github.com:pay/infra.git", ("", "")),
        (None, ("", "")),
    ],
)
def test_the_project_is_that_of_the_remote_if_it_can_be_a_gitlab(
    tmp_path: Path, url: str | None, expected: tuple[str, str]
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    if url:
        subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", url], check=True)
    assert gitlab_project(tmp_path) == expected


class Installed(Distribution):
    """A package with this record of where it came from."""

    def __init__(self, record: str | None) -> None:
        self.record = record

    def read_text(self, filename: str) -> str | None:
        return self.record if filename == "direct_url.json" else None

    def locate_file(self, path: Any) -> Any:
        return Path(str(path))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            {"url": "https://u:p@gitlab.example.com/tools/runbook.git", "vcs_info": {"requested_revision": "v1.2"}},
            (
                "gitlab.example.com/tools/runbook/change@v1.2",
                "git+https://gitlab.example.com/tools/runbook.git@v1.2",
            ),
        ),
        (
            {"url": "ssh://git@gitlab.example.com/tools/runbook.git", "vcs_info": {"commit_id": "abc"}},
            (
                "gitlab.example.com/tools/runbook/change@abc",
                "git+https://gitlab.example.com/tools/runbook.git@abc",
            ),
        ),
        # A GitLab includes no component of another one.
        ({"url": "https://gitlab.com/tools/runbook.git", "vcs_info": {"requested_revision": "v1.2"}}, ()),
        ({"url": "file:///tmp/runbook.whl", "archive_info": {}}, ()),
    ],
)
def test_the_component_is_that_of_the_tag_that_was_installed(source: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert installed_component("https://gitlab.example.com", Installed(json.dumps(source))) == Component(*expected)


@pytest.mark.parametrize("record", [None, "", "{", "{}"])
def test_without_a_record_nothing_is_derived(record: str | None) -> None:
    assert installed_component("https://gitlab.example.com", Installed(record)) == Component()
