"""Who made a change: everybody that its commits name, by login where one is known, and who can't be told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..models.approval import ApprovalRequest

__all__ = ["LOCAL", "Involved", "addresses", "involved", "login", "named"]

# A name that only this machine vouches for.
LOCAL = "local:"
# Of one line each: with line ends among the blanks, empty lines would be looked at again and again.
_TRAILER = re.compile(r"^[^\S\n]*co-authored-by[^\S\n]*:.*<([^<>\n]*)>[^\S\n]*$", re.IGNORECASE | re.MULTILINE)
_ANY_TRAILER = re.compile(r"^[^\S\n]*co-authored-by[^\S\n]*:(.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Involved:
    """The logins of who asked for a change and who wrote it, and what stands for those whose login nobody can tell."""

    requester: str
    authors: tuple[str, ...]
    unknown: tuple[str, ...]

    def part(self, user: str) -> str:
        """What the user had to do with the change; empty for nothing that is known."""
        if named(user, (self.requester,)):
            return "asked for the change"
        return "wrote a commit of it" if named(user, self.authors) else ""


def addresses(author: str, committer: str, message: str) -> tuple[str, ...]:
    """The addresses of everybody that a commit names, each once. A trailer that can't be read stands for somebody."""
    found = [author, committer, *_TRAILER.findall(message)]
    if len(_TRAILER.findall(message)) < len(_ANY_TRAILER.findall(message)):
        found.append("a co-author without an address")
    kept = {address.strip().casefold(): address.strip() for address in found}
    return tuple(address or "an author without an address" for address in kept.values())


def involved(request: ApprovalRequest) -> Involved:
    """Who asked and who wrote, by the request. An address is nobody's login, whatever stands before its @."""
    authors, unknown = request.authors, request.unknown_authors
    if not (authors or unknown) and request.author.strip():
        # A request of an earlier version names the author of one commit.
        address = "@" in request.author.strip().removeprefix("@")
        authors, unknown = ((), (request.author,)) if address else ((request.author,), ())
    if request.requester.startswith(LOCAL) and not all(name.startswith(LOCAL) for name in request.approvers):
        # Which of GitLab's users that is, this machine can't say.
        unknown = (*unknown, request.requester)
    return Involved(request.requester, authors, unknown)


def login(name: str) -> str:
    """A login as it is compared: GitLab's know no case."""
    return name.strip().removeprefix("@").casefold()


def named(user: str, names: Iterable[str]) -> bool:
    """Whether the user is among the names."""
    return bool(login(user)) and login(user) in {login(name) for name in names}
