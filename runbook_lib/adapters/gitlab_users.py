"""Whose address it is: by what GitLab's users show, and by the private addresses that GitLab gives them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from .gitlab_http import GitLabHttp, GitLabRefusalError

__all__ = ["GitLabUsers", "username"]

# The private address that GitLab offers for commits: the user's id and login, at its own host.
_PRIVATE = re.compile(r"(\d+)-[\w.-]+@users\.noreply\.(.+)")
_DOING = "look for the user of an address"


class GitLabUsers:
    """Of one GitLab, by the calls that a client makes."""

    def __init__(self, http: GitLabHttp, url: str) -> None:
        self._http = http
        self._host = urlsplit(url).hostname

    def login_of_email(self, email: str) -> str:
        """The login of the user who shows this very address, or to whom GitLab gave it; empty when it can't be told."""
        private = _PRIVATE.fullmatch(email.strip().casefold())
        if private and private[2] == self._host:
            return self._login_of(private[1])
        if "@" not in email:
            return ""
        # The search also finds a user who took the address as a name: only what the user's own page shows is told.
        found = self._http.list("/users", _DOING, lambda user: int(user["id"]), {"search": email.strip()}, most=20)
        shown = [self._http.get(f"/users/{user}", _DOING, _shown) for user in found]
        logins = [login for login, address in shown if address.casefold() == email.strip().casefold()]
        return logins[0] if len(logins) == 1 else ""

    def _login_of(self, user: str) -> str:
        try:
            return self._http.get(f"/users/{user}", _DOING, username)
        except GitLabRefusalError as refusal:
            if refusal.status == 404:
                return ""  # the user is gone, and nobody can tell any more who that was
            raise


def username(user: dict[str, Any]) -> str:
    """A user's login, of the API's user."""
    return str(user["username"])


def _shown(user: dict[str, Any]) -> tuple[str, str]:
    return username(user), str(user.get("public_email") or "")
