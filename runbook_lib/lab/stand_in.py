"""What answers at the public addresses of another team's instances: what its service tests expect, and nothing more."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request, Response

from ..models.base import Model

__all__ = ["StandIn", "stand_in_app"]


class StandIn(Model):
    """One service: where it is asked, and what it answers there."""

    port: int
    path: str = "/"
    status: int = 200
    text: str = ""


def stand_in_app(known: Callable[[], tuple[StandIn, ...]]) -> FastAPI:
    """Answer for each of the services that are known now; 404 for what none of them is asked."""
    app = FastAPI(title="Stand-in", docs_url=None, redoc_url=None, openapi_url=None)

    @app.api_route("/{path:path}", methods=["GET", "HEAD"])
    def answer(path: str, request: Request) -> Response:
        # Host has the port that was meant, unless it is the usual one.
        port = request.url.port or 80
        found = [one for one in known() if (one.port, one.path) == (port, f"/{path}")]
        if not found:
            return Response(status_code=404)
        return Response("\n".join(["This stands in for a service.", *(one.text for one in found)]), found[0].status)

    return app
