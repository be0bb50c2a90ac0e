"""The addresses that people click on in a message: the pages of pipelines and jobs."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from .auth import Data
from .errors import ApiError

__all__ = ["router"]

router = APIRouter()


@router.get("/{project:path}/-/{page:path}")
async def page(project: str, page: str, data: Data) -> RedirectResponse:
    """Lead to the lab's page, which shows the pipeline and has the button."""
    if project != data.config.project.path or not data.config.page_url:
        raise ApiError(404, {"message": f"404 {page} Not Found"})
    return RedirectResponse(data.config.page_url, 307)
