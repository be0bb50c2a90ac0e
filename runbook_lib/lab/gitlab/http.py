"""What every endpoint needs: the body, however it was sent, the base address, and pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from .errors import ApiError

__all__ = ["base_url", "body_of", "page_of", "required"]


def base_url(request: Request) -> str:
    """The address by which the client reached us, without a slash at the end."""
    return str(request.base_url).rstrip("/")


async def body_of(request: Request) -> dict[str, Any]:
    """The parameters, from JSON or a form, as GitLab takes both."""
    if request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        return dict(await request.form())
    raw = await request.body()
    try:
        body: Any = json.loads(raw) if raw else {}
    except ValueError as error:
        raise ApiError(400, {"error": "The request body could not be parsed as JSON"}) from error
    return body if isinstance(body, dict) else {}


def required(body: dict[str, Any], field: str) -> str:
    """A field that must be there."""
    value = body.get(field)
    if value in {None, ""}:
        raise ApiError.missing(field)
    return str(value)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdigit():
        raise ApiError(400, {"error": f"{name} is invalid"})
    return max(1, int(text))


def page_of(request: Request, items: Sequence[Any]) -> Response:
    """One page of a list, with GitLab's headers for the way to the next; 20 a page, 100 at most."""
    size, page = min(100, _number(request, "per_page", 20)), _number(request, "page", 1)
    pages = max(1, -(-len(items) // size))
    following, before = (page + 1 if page < pages else None), (page - 1 if page > 1 else None)
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(size),
        "X-Total": str(len(items)),
        "X-Total-Pages": str(pages),
        "X-Next-Page": str(following or ""),
        "X-Prev-Page": str(before or ""),
        "Link": _links(request, {"prev": before, "next": following, "first": 1, "last": pages}, size),
    }
    return JSONResponse(list(items[(page - 1) * size : page * size]), headers=headers)


def _links(request: Request, pages: dict[str, int | None], size: int) -> str:
    keep = [(k, v) for k, v in request.query_params.multi_items() if k not in {"page", "per_page"}]
    address = f"{base_url(request)}{request.url.path}"
    return ", ".join(
        f'<{address}?{urlencode([*keep, ("page", page), ("per_page", size)])}>; rel="{relation}"'
        for relation, page in pages.items()
        if page
    )
