"""Refusals in the shapes that GitLab gives them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

__all__ = ["ApiError", "add_error_handlers"]


class ApiError(Exception):
    """An HTTP status and GitLab's body for it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    @classmethod
    def bad_request(cls, reason: str) -> ApiError:
        """400, with the reason."""
        return cls(400, {"message": f"400 Bad request - {reason}"})

    @classmethod
    def missing(cls, field: str) -> ApiError:
        """400, since a required field was not sent."""
        return cls(400, {"error": f"{field} is missing"})

    @classmethod
    def unauthorized(cls) -> ApiError:
        """401, without saying why, as GitLab."""
        return cls(401, {"message": "401 Unauthorized"})

    @classmethod
    def expired(cls) -> ApiError:
        """401 for a token past its date."""
        text = "Token is expired. You can either do re-authorization or token refresh."
        return cls(401, {"error": "invalid_token", "error_description": text})

    @classmethod
    def insufficient_scope(cls) -> ApiError:
        """403 for a token that may only read."""
        text = "The request requires higher privileges than provided by the access token."
        return cls(403, {"error": "insufficient_scope", "error_description": text, "scope": "api"})

    @classmethod
    def forbidden(cls) -> ApiError:
        """403 for a role that is too low."""
        return cls(403, {"message": "403 Forbidden"})

    @classmethod
    def not_found(cls, what: str = "") -> ApiError:
        """404; of a project also when the caller may not see it."""
        return cls(404, {"message": f"404 {what} Not Found" if what else "404 Not found"})

    @classmethod
    def unprocessable(cls, reason: str) -> ApiError:
        """422, with the reason."""
        return cls(422, {"message": reason})


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  # the handler is registered for this class alone
    return JSONResponse(error.body, error.status)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # the handler is registered for this class alone
    return JSONResponse({"error": f"{error.status_code} {error.detail}"}, error.status_code)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # the handler is registered for this class alone
    return JSONResponse({"error": f"{error.errors()[0]['loc'][-1]} is invalid"}, 400)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every refusal as GitLab would."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
