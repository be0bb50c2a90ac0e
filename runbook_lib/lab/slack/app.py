"""The application: Web API and page over one workspace."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, Response

from .config import SlackLabConfig
from .errors import SlackRefusal
from .faults import Faults
from .page import Page
from .sockets import Sockets
from .web_api import WebApi
from .workspace import Workspace

__all__ = ["create_app"]


def create_app(config: SlackLabConfig, clock: Callable[[], float] = time.time) -> FastAPI:
    """A Slack on its own; `clock` gives seconds since 1970."""
    app = FastAPI(title="Runbook lab: Slack", docs_url=None, redoc_url=None, openapi_url=None)
    workspace = Workspace(config, clock)
    faults, sockets = Faults(), Sockets(workspace)
    app.include_router(WebApi(workspace, faults, sockets).router())
    app.include_router(Page(workspace, faults, sockets).router())

    @app.websocket("/link/")
    async def link(socket: WebSocket) -> None:
        await sockets.serve(socket)

    @app.exception_handler(SlackRefusal)
    async def refuse(_request: Request, refusal: SlackRefusal) -> Response:
        # The Web API answers its refusals itself, with status 200; this is for the page's own addresses.
        return JSONResponse(refusal.body, status_code=404)

    return app
