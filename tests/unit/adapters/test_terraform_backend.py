"""Which backend the files name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.adapters.terraform_backend import backend_type


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('terraform {\n  backend "http" {}\n}\n', "http"),
        ('terraform {\n  backend "http" {\n    address = "https://x/"\n  }\n}\n', "http elsewhere"),
        ('terraform {\n  backend "s3" {\n    bucket = "b"\n  }\n}\n', "s3"),
        ("terraform {\n  backend local {\n  }\n}\n", "local"),
        ('terraform {\n  cloud {\n    organization = "o"\n  }\n}\n', "cloud"),
        ('terraform {\n  required_version = ">= 1.5"\n}\n', "local"),
        ('terraform {\n  /*\n  backend "s3" {}\n  */\n}\n', "local"),
        ('# backend "s3" {}\nresource "x" "backend" {\n}\n', "local"),
    ],
)
def test_the_block_says_it(tmp_path: Path, text: str, kind: str) -> None:
    (tmp_path / "main.tf").write_text(text)
    assert backend_type(tmp_path) == kind


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"terraform": {"backend": {"gcs": {"bucket": "b"}}}}, "gcs"),
        ({"terraform": [{"backend": [{"http": [{"address": "https://x/"}]}]}]}, "http elsewhere"),
        ({"terraform": {"cloud": {}}}, "cloud"),
        ({"resource": {}}, "local"),
    ],
)
def test_json_says_it_too(tmp_path: Path, document: object, kind: str) -> None:
    (tmp_path / "main.tf.json").write_text(json.dumps(document))
    assert backend_type(tmp_path) == kind


def test_without_files_nobody_says_it(tmp_path: Path) -> None:
    assert (backend_type(tmp_path), backend_type(tmp_path / "missing")) == ("", "")
