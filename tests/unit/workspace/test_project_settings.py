"""What of a GitLab project's settings lets somebody around the approval: each by its name, its words and its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from step_fakes import answering

from runbook_lib.adapters.gitlab_data import GitLabBranch, GitLabSettings
from runbook_lib.errors import ApprovalError, GitLabError
from runbook_lib.settings import Settings
from runbook_lib.workspace import project_settings as module
from runbook_lib.workspace.project_settings import check_project, unsafe_settings

CI_SETTINGS = "https://g.example/platform/access/-/settings/ci_cd"
REPOSITORY = "https://g.example/platform/access/-/settings/repository"
SAFE = GitLabBranch("main", "c0", protected=True, default=True, developers_push=False)
SAID = "the GitLab project is not safe to apply from: "


class GitLab:
    """A project that is safe, but for what a test sets; an error in the place of an answer is raised."""

    url, project = "https://g.example", "platform/access"

    def __init__(self, *, token: bool = True) -> None:
        self.has_token = token
        self.role: str | GitLabError = "maintainer"
        self.main: GitLabBranch | GitLabError = SAFE
        self.levels: Sequence[int] | GitLabError | None = (40,)
        self.environments: list[str] = []

    def project_settings(self) -> GitLabSettings:
        return GitLabSettings(self.project, "main", _answer(self.role))

    def default_branch(self) -> str:
        return "main"

    def branch(self, name: str) -> GitLabBranch:
        assert name == "main"
        found: GitLabBranch = _answer(self.main)
        return found

    def who_may_deploy(self, environment: str) -> Sequence[int] | None:
        self.environments.append(environment)
        found: Sequence[int] | None = _answer(self.levels)
        return found


def _answer(given: Any) -> Any:
    if isinstance(given, GitLabError):
        raise given
    return given


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> GitLab:
    fake = GitLab()
    monkeypatch.setattr(module, "gitlab_client", answering(fake))
    return fake


def test_a_safe_project_is_said_to_be_one(settings: Settings, gitlab: GitLab) -> None:
    assert unsafe_settings(settings, "network") == ()
    assert check_project(settings, "network") == "variables, branch and environment are protected"
    assert set(gitlab.environments) == {settings.config.gitlab.environment.replace("{stack}", "network")}


def test_without_a_project_there_is_nothing_to_look_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    assert unsafe_settings(settings, "access") == ()
    # Nobody looked, so nobody says that it is safe.
    assert check_project(settings, "access") == "no GitLab project is asked"


AWAY = GitLabError("403")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"role": "developer"}, ("variables_by_developers", "every Developer may give variables to jobs", CI_SETTINGS)),
        ({"role": ""}, ("unknown_variables", "this token does not see who may give variables to jobs", CI_SETTINGS)),
        ({"role": AWAY}, ("unknown_variables", "this token does not see who may give variables to jobs", CI_SETTINGS)),
        ({"main": AWAY}, ("unknown_branch", "this token does not see who may change the default branch", REPOSITORY)),
        (
            {"main": replace(SAFE, protected=False)},
            ("unprotected_branch", "the branch main is not protected", REPOSITORY),
        ),
        (
            {"main": replace(SAFE, developers_push=True)},
            ("push_by_developers", "every Developer may push to main", REPOSITORY),
        ),
        ({"levels": AWAY}, ("unknown_environment", "this token does not see who may deploy to {here}", CI_SETTINGS)),
        ({"levels": None}, ("unprotected_environment", "the environment {here} is not protected", CI_SETTINGS)),
        ({"levels": (40, 30)}, ("deploy_by_developers", "every Developer may deploy to {here}", CI_SETTINGS)),
        ({"levels": (1,)}, ("deploy_by_developers", "every Developer may deploy to {here}", CI_SETTINGS)),
    ],
)
def test_each_setting_has_a_name_words_and_a_page(
    settings: Settings, gitlab: GitLab, changed: dict[str, Any], told: tuple[str, str, str]
) -> None:
    name, found, page = told
    for key, value in changed.items():
        setattr(gitlab, key, value)
    (one,) = unsafe_settings(settings, "access")
    here = settings.config.gitlab.environment.replace("{stack}", "access")
    assert (one.name, one.found, one.page) == (name, found.format(here=here), page)
    assert one.known == (not name.startswith("unknown_"))


@pytest.mark.parametrize("levels", [(), (0,), (31,), (40, 60), (0, 40)])
def test_nobody_below_a_maintainer_is_nobody_too_many(settings: Settings, gitlab: GitLab, levels: tuple[int]) -> None:
    # GitLab's 0 is its "no one".
    gitlab.levels = levels
    assert unsafe_settings(settings, "access") == ()


def test_without_a_token_each_thing_that_is_not_looked_at_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "gitlab_client", answering(GitLab(token=False)))
    found = unsafe_settings(settings, "access")
    assert {one.name: one.found for one in found} == {
        f"unknown_{name}": f"without GITLAB_TOKEN the {name} can't be looked at"
        for name in ("variables", "branch", "environment", "rejections", "history")
    }
    assert {one.page for one in found} == {CI_SETTINGS}


def test_what_runbook_yml_accepts_is_passed_over(settings: Settings, gitlab: GitLab) -> None:
    gitlab.levels, gitlab.role = None, "developer"
    accepting = settings.config.gitlab.model_copy(update={"accept": ("unprotected_environment",)})
    settings.config = settings.config.model_copy(update={"gitlab": accepting})
    assert [one.name for one in unsafe_settings(settings, "access")] == ["variables_by_developers"]


def test_all_that_is_not_safe_is_refused_at_once_with_where_to_mend_it(settings: Settings, gitlab: GitLab) -> None:
    gitlab.role, gitlab.main, gitlab.levels = "developer", replace(SAFE, protected=False), None
    here = settings.config.gitlab.environment.replace("{stack}", "access")
    with pytest.raises(ApprovalError) as caught:
        check_project(settings, "access")
    assert caught.value.message == (
        f"{SAID}every Developer may give variables to jobs; the branch main is not protected; "
        f"the environment {here} is not protected"
    )
    assert caught.value.remedy == (
        f"Change it at {CI_SETTINGS}, {REPOSITORY}, or accept it in runbook.yml: "
        "gitlab.accept: [variables_by_developers, unprotected_branch, unprotected_environment]."
    )


@pytest.mark.parametrize("variables", [{"CI_PIPELINE_ID": "1001"}, {"GITLAB_CI": "true", "project": "42"}])
def test_what_can_not_be_read_stops_a_pipeline_and_no_desk(
    load: Callable[..., Settings], gitlab: GitLab, variables: dict[str, str]
) -> None:
    gitlab.main = AWAY
    check_project(load(), "access")
    with pytest.raises(ApprovalError, match="does not see who may change the default branch"):
        check_project(load(**variables), "access")
