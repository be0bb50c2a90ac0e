"""The application: `create_app(default_config())`, to be served on loopback."""

from __future__ import annotations

from fastapi import FastAPI

from . import (
    control,
    deployments,
    graphql,
    issues,
    jobs,
    merge_requests,
    notes,
    orders,
    pages,
    people,
    pipelines,
    repository,
    state,
)
from .config import GitLabLabConfig, default_config
from .data import GitLabData
from .errors import add_error_handlers
from .middleware import Faults, ProjectPaths, ServerDate

__all__ = ["create_app"]


def create_app(config: GitLabLabConfig | None = None) -> FastAPI:
    """Make a GitLab with these people and this project, and nothing in it yet."""
    app = FastAPI(title="GitLab of the lab", openapi_url=None, docs_url=None, redoc_url=None)
    data = GitLabData(config or default_config())
    app.state.data = data
    add_error_handlers(app)
    app.add_middleware(Faults, data=data)
    app.add_middleware(ProjectPaths, data=data)
    app.add_middleware(ServerDate, data=data)
    for part in (
        people,
        repository,
        merge_requests,
        notes,
        issues,
        pipelines,
        jobs,
        deployments,
        state,
        graphql,
        control,
        orders,
        pages,
    ):
        app.include_router(part.router)
    return app
