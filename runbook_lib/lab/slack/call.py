"""One call of a Web API method, whichever way its arguments were written."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from .errors import SlackRefusal
from .workspace import Json, Workspace

__all__ = ["Call", "read_arguments"]


@dataclass(frozen=True)
class Call:
    """The arguments of one call, and where it is carried out. `base` is the server's address without a slash."""

    workspace: Workspace
    arguments: Json
    base: str

    def get(self, name: str, default: Any = "") -> Any:
        """An argument, or the default where it is missing or null."""
        value = self.arguments.get(name)
        return default if value is None else value

    def need(self, name: str, code: str = "invalid_arguments") -> str:
        """An argument that Slack asks for; the refusal names it."""
        value = self.get(name)
        if value == "":
            raise SlackRefusal(code, f"missing required field: {name}")
        return str(value)

    def flag(self, name: str) -> bool:
        """A truth value; forms write 1 or true."""
        return self.get(name, default=False) in {True, "true", "True", "1"}

    def needs(self, scope: str) -> None:
        """Refuse the call if the token was not granted the scope."""
        granted = self.workspace.config.scopes
        if scope not in granted:
            raise SlackRefusal("missing_scope", needed=scope, provided=",".join(granted))

    def page(self, items: list[Json], default: int = 100) -> tuple[list[Json], str]:
        """One page of the items and the cursor of the next, empty at the end."""
        try:
            start = int(base64.b64decode(str(self.get("cursor", "")) or "MA==").decode())
            limit = int(self.get("limit", default))
        except ValueError:
            raise SlackRefusal("invalid_cursor") from None
        end = start + max(1, min(limit, 1000))
        return items[start:end], base64.b64encode(str(end).encode()).decode() if end < len(items) else ""


async def read_arguments(request: Request) -> Json:
    """Query, form and JSON body in one; `invalid_json` and its like as Slack answers them."""
    arguments: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        arguments |= _decoded(await request.body())
    elif kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        arguments |= dict(await request.form())
    return arguments


def _decoded(body: bytes) -> Json:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        raise SlackRefusal("invalid_json") from None
    if not isinstance(content, dict):
        raise SlackRefusal("json_not_object")
    return content
