"""Foreign errors of the GitLab adapter: none leaves it as it came."""

from __future__ import annotations

import inspect

import gitlab.exceptions
import pytest
import requests.exceptions

from runbook_lib.adapters.gitlab_http import GitLabRefusalError, gitlab_errors, map_error
from runbook_lib.errors import GitLabError


def _subclasses(module: object, base: type[Exception]) -> list[type[Exception]]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)]


FOREIGN = [
    *_subclasses(gitlab.exceptions, gitlab.exceptions.GitlabError),
    *_subclasses(requests.exceptions, requests.RequestException),
]


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_no_error_of_the_sdk_or_of_requests_is_unmapped(kind: type[Exception]) -> None:
    foreign = kind("went wrong", "a document", 0) if kind is requests.exceptions.JSONDecodeError else kind("went wrong")
    mapping = gitlab_errors("read the job", "https://gitlab.example.com", "GITLAB_TOKEN")
    with pytest.raises(GitLabError, match="could not read the job") as caught, mapping:
        raise foreign
    assert caught.value.remedy
    assert caught.value.__cause__ is foreign
    assert caught.value.exit_status == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 418, 422, 429, 500, 502, 503, 504, 521])
def test_every_status_has_a_remedy_and_is_named(status: int) -> None:
    error = map_error(gitlab.exceptions.GitlabHttpError("said so", status), "do it", "https://x", "GITLAB_TOKEN")
    assert isinstance(error, GitLabRefusalError)
    assert error.status == status
    assert str(error) == f"could not do it: GitLab answered {status} said so"
    assert error.remedy.endswith(".")


@pytest.mark.parametrize("token", ["GITLAB_TOKEN", "CI_JOB_TOKEN"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_remedy_names_the_variable_that_holds_the_token(status: int, token: str) -> None:
    error = map_error(gitlab.exceptions.GitlabHttpError("no", status), "do it", "https://x", token)
    assert token in error.remedy


def test_a_proxys_page_is_cut_to_one_line() -> None:
    page = "<html>\n<h1>502</h1>\n" + "x" * 5000
    error = map_error(gitlab.exceptions.GitlabHttpError(page, 502), "do it", "https://x", "GITLAB_TOKEN")
    assert len(str(error)) < 260
    assert "\n" not in str(error)


@pytest.mark.parametrize("defect", [KeyError("user"), TypeError("not an object"), ValueError("no date")])
def test_an_answer_without_its_fields_is_said_to_be_none_of_gitlabs(defect: Exception) -> None:
    error = map_error(defect, "do it", "https://x", "GITLAB_TOKEN")
    assert "can't be read as GitLab's" in str(error)
