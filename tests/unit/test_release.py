"""A release says what pyproject.toml and the changelog say, and is announced when all of it is there."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PROJECT = '[project]\nversion = "1.2.3"\n'
CHANGES = """# Changes

## 1.3.0 (unreleased)

- later

## 1.2.3 (2026-01-31)

- this
- and that

## 1.2.2 (2026-01-01)

- before
"""


@pytest.fixture(scope="module")
def release() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("release", str(ROOT / ".ci/release"))
    spec = importlib.util.spec_from_loader("release", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def jobs(name: str) -> dict[str, Any]:
    return dict(YAML(typ="safe").load((ROOT / ".gitlab/ci" / name).read_text()))


def test_the_notes_are_the_version_s_own_section(release: ModuleType) -> None:
    assert release.notes("v1.2.3", PROJECT, CHANGES) == "- this\n- and that\n"


@pytest.mark.parametrize(
    ("tag", "changes", "said"),
    [
        ("1.2.3", CHANGES, "is no version"),
        ("v1.2.3-rc1", CHANGES, "is no version"),
        ("v1.2.2", CHANGES, "pyproject.toml says 1.2.3"),
        ("v1.2.3", CHANGES.replace("## 1.2.3", "## 1.2.4"), "has no section 1.2.3"),
        ("v1.2.3", CHANGES.replace("2026-01-31", "unreleased"), "does not date 1.2.3"),
        ("v1.2.3", CHANGES.replace("- this\n- and that\n", ""), "says nothing of 1.2.3"),
    ],
)
def test_what_does_not_agree_is_not_released(release: ModuleType, tag: str, changes: str, said: str) -> None:
    with pytest.raises(release.UnreadyError, match=said):
        release.notes(tag, PROJECT, changes)


def test_the_changelog_s_newest_section_is_of_the_version_that_comes_next(release: ModuleType) -> None:
    first = release.SECTION.search((ROOT / "CHANGELOG.md").read_text())
    assert first
    assert f'version = "{first["version"]}"' in (ROOT / "pyproject.toml").read_text()


def test_components_and_packages_are_named_by_the_tag_of_a_release(release: ModuleType) -> None:
    found: set[str] = set()
    for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / "templates").glob("*.yml")]:
        found |= set(re.findall(r"platform/runbook(?:\.git|/[a-z-]+)@([\w.]*\w)", path.read_text()))
    assert "v1.0.0" in found
    assert [tag for tag in found if not release.TAG.fullmatch(tag)] == []


def test_a_release_is_announced_when_all_of_it_is_there() -> None:
    release, image = jobs("release.yml"), jobs("image.yml")
    assert release["stages"] == ["check", "build", "publish", "release"]
    assert release["include"] == [{"local": ".gitlab/ci/image.yml"}]
    stage = {name: job["stage"] for name, job in (release | image).items() if isinstance(job, dict) and "stage" in job}
    assert stage == {
        "notes": "check", "test": "check", "wheel": "build", "build_image": "build", "publish_wheel": "publish",
        "name_image": "publish", "release": "release",
    }  # fmt: skip
    assert release["release"]["release"]["description"] in release["notes"]["artifacts"]["paths"]
    # No `needs`: each stage waits for all of the one before.
    assert not any("needs" in job for job in (release | image).values() if isinstance(job, dict))


def test_only_a_protected_tag_of_a_version_makes_a_release() -> None:
    (rule,) = jobs("release.yml")["workflow"]["rules"]
    assert "$CI_COMMIT_REF_PROTECTED" in rule["if"]
    assert r"^v\d+\.\d+\.\d+$" in rule["if"]


def test_a_tag_s_pipeline_is_the_release_and_no_other_has_any_of_it() -> None:
    whole = YAML(typ="safe").load((ROOT / ".gitlab-ci.yml").read_text())
    by_rule: dict[str, list[str]] = {}
    for entry in whole["include"]:
        (rule,) = entry["rules"]
        by_rule.setdefault(rule["if"], []).append(entry.get("local") or entry["component"].split("/")[-1].split("@")[0])
    assert by_rule == {
        "$CI_COMMIT_TAG == null": ["change", "drift", "expired", ".gitlab/ci/service-pipeline.yml"],
        "$CI_COMMIT_TAG": [".gitlab/ci/release.yml"],
    }
    # A job in the file itself would be in both, and have its stage in one.
    assert set(whole) == {"include", "variables"}


def test_what_publishes_is_taken_by_its_hash() -> None:
    installed = [
        line for job in jobs("release.yml").values() if isinstance(job, dict) for line in job.get("script", [])
    ]
    pip = [line for line in installed if "pip install" in line]
    assert pip
    assert all("--require-hashes" in line and (ROOT / line.split()[-1]).is_file() for line in pip)


def test_each_build_argument_of_the_job_is_one_of_the_image() -> None:
    script = "\n".join(jobs("image.yml")["build_image"]["script"])
    dockerfile = (ROOT / "image/Dockerfile").read_text()
    for name in ("BASE", "TERRAFORM_URL", "TERRAFORM_SHA256", "PROVIDERS"):
        assert f'--build-arg "{name}=$' in script
        assert f"ARG {name}" in dockerfile
